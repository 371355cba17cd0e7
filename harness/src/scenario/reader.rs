//! From documents to the typed steps of one case.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::assertion::{Assertion, Claim, Condition, Operator, Target};
use super::document::{ClaimDocument, FinishDocument, OwnedDocument, RenderDocument, StepDocument};
use super::expression::Expression;
use super::files::Files;
use super::golden::Golden;
use super::step::{Action, Finish, Manifest, Render, Step};
use super::template::{self, NAMES};
use super::{duration, set};
use crate::check::matching;
use crate::diagnostic::Diagnostic;
use crate::yaml::{Located, Location, Node, Source, Value, decode};

/// How long `eventually` waits unless told: what the specification calls promptly.
const PROMPTLY: Duration = Duration::from_secs(5);

/// The field manager of `apply` steps unless told.
const FIELD_MANAGER: &str = "hallmark-scenario";

/// Reads the parts of one case; everything that is wrong goes to `problems`.
pub(super) struct Reader<'a> {
    pub folder: &'a Path,
    pub files: &'a mut Files,
    pub case: &'a serde_json::Value,
    /// Golden files that do not exist are no problem: they are about to be written.
    pub bless: bool,
    pub problems: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Puts the case into a tree.
    pub(super) fn expand(&mut self, node: &Node) -> Node {
        template::expand(node, &[("case", self.case)], self.problems)
    }

    /// Reads one step.
    pub(super) fn step(&mut self, node: &Node) -> Option<Step> {
        let node = self.expand(node);
        let location = node
            .as_map()
            .and_then(|entries| entries.first())
            .map_or_else(|| node.location.clone(), |entry| entry.key_location.clone());
        let document: StepDocument = match decode(&node) {
            Ok(document) => document,
            Err(error) => {
                self.problems.push(error.into_diagnostic(&location));
                return None;
            }
        };
        let (action, summary) = self.action(document, &location)?;
        Some(Step { action, location, summary })
    }

    fn action(&mut self, document: StepDocument, at: &Location) -> Option<(Action, String)> {
        Some(match document {
            StepDocument::Create(create) => {
                let refused = create.refused.and_then(|pattern| self.regex(&pattern));
                let manifest = self.manifest(&create.file, create.alias, create.set.as_ref())?;
                let summary = format!("create {} {}", manifest.kind, manifest.alias);
                (Action::Create { manifest, refused }, summary)
            }
            StepDocument::Apply(apply) => {
                let manifest = self.manifest(&apply.file, apply.alias, apply.set.as_ref())?;
                let summary = format!("apply {} {}", manifest.kind, manifest.alias);
                let field_manager = apply.field_manager.unwrap_or_else(|| FIELD_MANAGER.to_owned());
                (Action::Apply { manifest, field_manager, force: apply.force }, summary)
            }
            StepDocument::Patch(patch) => {
                let target = self.one_object(patch.object, patch.job, at)?;
                let status = patch.subresource.is_some();
                let summary = format!("patch {}{}", describe(&target), if status { " status" } else { "" });
                (Action::Patch { target, merge: patch.merge, status }, summary)
            }
            StepDocument::Delete(delete) => {
                let target = self.one_object(delete.object, delete.job, at)?;
                let summary = format!("delete {}", describe(&target));
                (Action::Delete { target }, summary)
            }
            StepDocument::Finish(finish) => {
                let finish = self.finish(finish)?;
                let summary =
                    format!("finish {}: {:?}", describe(&finish.job), finish.outcome).to_lowercase();
                (Action::Finish(finish), summary)
            }
            StepDocument::Restart {} => (Action::Restart, "restart the subject".to_owned()),
            StepDocument::Kill {} => (Action::Kill, "kill the subject".to_owned()),
            StepDocument::Upgrade(upgrade) => (
                Action::Upgrade { values: upgrade.values.to_json() },
                "upgrade the subject's release".to_owned(),
            ),
            StepDocument::Render(render) => {
                let render = self.render(render);
                let summary = format!("render the chart as {}", render.alias);
                (Action::Render(render), summary)
            }
            StepDocument::Fence {} => (Action::Fence, "fence".to_owned()),
            StepDocument::Eventually(claim) => {
                let within = match &claim.within {
                    Some(text) => duration::read(text, self.problems)?,
                    None => PROMPTLY,
                };
                let claim = self.claim(claim, at, &["within"])?;
                assertion(Operator::Eventually { claim, within }, at)
            }
            StepDocument::Always(claim) => {
                let claim = self.claim(claim, at, &[])?;
                assertion(Operator::Always(claim), at)
            }
            StepDocument::Never(claim) => {
                let claim = self.claim(claim, at, &[])?;
                assertion(Operator::Never(claim), at)
            }
            StepDocument::Sequence(claims) => {
                if claims.len() < 2 {
                    self.problems.push(
                        Diagnostic::new(at.clone(), "a sequence needs at least two claims")
                            .with_help("use `eventually` for a single one"),
                    );
                }
                let claims = claims.into_iter().filter_map(|claim| self.claim(claim, at, &[])).collect();
                assertion(Operator::Sequence(claims), at)
            }
            StepDocument::Exactly(claim) => {
                let Some(count) = claim.count.clone() else {
                    self.problems.push(
                        Diagnostic::new(at.clone(), "`exactly` without `count`")
                            .with_help("say how many objects: `count: 1`"),
                    );
                    return None;
                };
                let claim = self.claim(claim, at, &["count"])?;
                assertion(Operator::Exactly { count: count.value, claim }, at)
            }
        })
    }

    /// Reads a manifest and puts in what the step sets.
    pub(super) fn manifest(
        &mut self,
        file: &Located<String>,
        alias: Option<Located<String>>,
        assignments: Option<&Node>,
    ) -> Option<Manifest> {
        let (_, document) = self.files.document(self.folder, file, self.problems)?;
        let mut object = self.expand(&document);
        if let Some(assignments) = assignments {
            set::set_all(&mut object, assignments, self.problems);
        }
        let text = |keys: [&str; 2]| {
            let outer = object.get(keys[0])?;
            if keys[1].is_empty() { outer.as_str() } else { outer.get(keys[1])?.as_str() }
        };
        let (Some(api_version), Some(kind), Some(name)) =
            (text(["apiVersion", ""]), text(["kind", ""]), text(["metadata", "name"]))
        else {
            self.problems.push(Diagnostic::new(
                file.location.clone(),
                format!("`{}` needs apiVersion, kind and metadata.name", file.value),
            ));
            return None;
        };
        let alias = alias.map_or_else(|| name.to_owned(), |alias| alias.value);
        Some(Manifest { api_version: api_version.to_owned(), kind: kind.to_owned(), alias, object })
    }

    fn one_object(
        &mut self,
        object: Option<Located<String>>,
        job: Option<OwnedDocument>,
        at: &Location,
    ) -> Option<Target> {
        match (object, job) {
            (Some(alias), None) => Some(Target::Object { alias: alias.value }),
            (None, Some(job)) => Some(owned("batch/v1", "Job", job)),
            _ => {
                self.problems.push(
                    Diagnostic::new(at.clone(), "name exactly one object")
                        .with_help("write `object: alias` or `job: {of: alias}`"),
                );
                None
            }
        }
    }

    fn finish(&mut self, finish: FinishDocument) -> Option<Finish> {
        let ago = match &finish.ago {
            Some(text) => duration::read(text, self.problems)?,
            None => Duration::ZERO,
        };
        Some(Finish {
            job: owned("batch/v1", "Job", finish.job),
            outcome: finish.outcome,
            reason: finish.reason,
            message: finish.message,
            ago,
            counted: finish.counted.unwrap_or(true),
        })
    }

    fn render(&mut self, render: RenderDocument) -> Render {
        Render {
            alias: render.alias.map_or_else(|| "chart".to_owned(), |alias| alias.value),
            values: render.values.map_or_else(|| serde_json::json!({}), |values| values.to_json()),
            value_files: render.value_files.into_iter().map(|file| PathBuf::from(file.value)).collect(),
            fails: render.fails.and_then(|pattern| self.regex(&pattern)),
        }
    }

    fn regex(&mut self, pattern: &Located<String>) -> Option<Regex> {
        Regex::new(&pattern.value)
            .map_err(|error| {
                let message = error.to_string();
                let message = message.lines().last().unwrap_or_default().to_owned();
                self.problems.push(Diagnostic::new(pattern.location.clone(), message));
            })
            .ok()
    }

    /// Reads a claim; `extra` names the fields that the operator allows beside target and condition.
    fn claim(&mut self, claim: ClaimDocument, at: &Location, extra: &[&str]) -> Option<Claim> {
        for (name, place) in [
            ("within", claim.within.as_ref().map(|within| &within.location)),
            ("count", claim.count.as_ref().map(|count| &count.location)),
        ] {
            if let Some(place) = place.filter(|_| !extra.contains(&name)) {
                self.problems.push(Diagnostic::new(place.clone(), format!("`{name}` has no meaning here")));
            }
        }
        let targets: Vec<Target> = [
            claim.object.map(|alias| Target::Object { alias: alias.value }),
            claim.job.map(|job| owned("batch/v1", "Job", job)),
            claim.config_map.map(|config_map| owned("v1", "ConfigMap", config_map)),
            claim.pod.map(|pod| owned("v1", "Pod", pod)),
            claim.resource.map(|resource| Target::Resources {
                api_version: resource.api_version,
                kind: resource.kind,
                name: resource.name,
                labels: resource.labels,
                of: resource.of.map(|of| of.value),
            }),
            claim.rendered.map(|rendered| Target::Rendered {
                of: rendered.of.map_or_else(|| "chart".to_owned(), |of| of.value),
                kind: rendered.kind,
                name: rendered.name,
            }),
        ]
        .into_iter()
        .flatten()
        .collect();
        let Ok([target]) = <[Target; 1]>::try_from(targets) else {
            self.problems.push(
                Diagnostic::new(at.clone(), "a claim names its objects in exactly one way")
                    .with_help("use one of object, job, configMap, pod, resource, rendered"),
            );
            return None;
        };
        if let Some(node) = &claim.matches {
            self.problems.extend(matching::validate(node));
        }
        let condition = Condition {
            exists: claim.exists,
            matches: claim.matches,
            golden: claim.golden.and_then(|file| self.golden(&file)),
            cel: claim.cel.and_then(|text| self.cel(&text)),
        };
        Some(Claim { target, condition, location: at.clone() })
    }

    fn golden(&mut self, file: &Located<String>) -> Option<Golden> {
        let path = self.folder.join(&file.value);
        if self.bless && !path.exists() {
            let source = Source::new(&path, String::new());
            let template = Node { value: Value::Map(Vec::new()), location: Location::start_of(&source) };
            return Some(Golden { path, source, template, location: file.location.clone() });
        }
        let (source, document) = self.files.document(self.folder, file, self.problems)?;
        // The case is put in when the object is compared, so that blessing can keep `${{ case.… }}`; here
        // it is only tried.
        self.expand(&document);
        Some(Golden { path, source, template: document, location: file.location.clone() })
    }

    fn cel(&mut self, text: &Located<String>) -> Option<Arc<Expression>> {
        let expression = match Expression::compile(&text.value, &text.location) {
            Ok(expression) => expression,
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        };
        let allowed: Vec<&str> = NAMES.iter().copied().chain(["self"]).collect();
        if let Some(name) = expression.undeclared(&allowed) {
            self.problems.push(
                Diagnostic::new(text.location.clone(), format!("unknown name `{name}` in an expression"))
                    .with_help(format!("known are {}", allowed.join(", "))),
            );
            return None;
        }
        Some(Arc::new(expression))
    }
}

fn assertion(operator: Operator, at: &Location) -> (Action, String) {
    let summary = operator.keyword().to_owned();
    (Action::Assert(Box::new(Assertion { operator, location: at.clone() })), summary)
}

fn owned(api_version: &str, kind: &str, document: OwnedDocument) -> Target {
    Target::Resources {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: document.name,
        labels: document.labels,
        of: document.of.map(|of| of.value),
    }
}

/// A target in a few words.
pub fn describe(target: &Target) -> String {
    match target {
        Target::Object { alias } => alias.clone(),
        Target::Resources { kind, name, of, .. } => {
            let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            let of = of.as_ref().map(|of| format!(" of {of}")).unwrap_or_default();
            format!("{kind}{name}{of}")
        }
        Target::Rendered { of, kind, name } => {
            format!("{kind} {} of rendering {of}", name.as_deref().unwrap_or("*"))
        }
    }
}

/// Every alias that a target refers to.
pub(super) fn aliases(target: &Target) -> impl Iterator<Item = &str> {
    match target {
        Target::Object { alias } => Some(alias.as_str()),
        Target::Resources { of, .. } => of.as_deref(),
        Target::Rendered { .. } => None,
    }
    .into_iter()
}

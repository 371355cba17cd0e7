//! Reading claims: which objects, and what is said about them.

use std::sync::Arc;

use super::Reader;
use crate::check::matching;
use crate::diagnostic::Diagnostic;
use crate::scenario::assertion::{Claim, Condition, Target};
use crate::scenario::document::{ClaimDocument, OwnedDocument, ResourceDocument};
use crate::scenario::expression::Expression;
use crate::scenario::golden::Golden;
use crate::scenario::template::NAMES;
use crate::yaml::{Located, Location, Node, Source, Value};

impl Reader<'_> {
    /// A number without which an operator says nothing.
    pub(super) fn number(
        &mut self,
        number: Option<&Located<usize>>,
        operator: &str,
        field: &str,
        at: &Location,
    ) -> Option<usize> {
        if number.is_none() {
            self.problems.push(
                Diagnostic::new(at.clone(), format!("`{operator}` without `{field}`"))
                    .with_help(format!("say how many: `{field}: 1`")),
            );
        }
        number.map(|number| number.value)
    }

    /// A claim about objects that have a history, and about states of theirs.
    pub(super) fn dated(&mut self, claim: Claim) -> Option<Claim> {
        let problem = match &claim.target {
            Target::Rendered { .. } => "rendered objects have no history",
            Target::Requests { .. } | Target::Log => "these have no history",
            _ if claim.condition.exists == Some(false) => "`exists: false` has no meaning here",
            _ => return Some(claim),
        };
        self.problems.push(Diagnostic::new(claim.location, problem));
        None
    }

    /// Reads a claim; `extra` names the fields that the operator allows beside target and condition.
    pub(super) fn claim(&mut self, claim: ClaimDocument, at: &Location, extra: &[&str]) -> Option<Claim> {
        for (name, place) in [
            ("within", claim.within.as_ref().map(|within| &within.location)),
            ("count", claim.count.as_ref().map(|count| &count.location)),
            ("atMost", claim.at_most.as_ref().map(|count| &count.location)),
            ("by", claim.by.as_ref().map(|key| &key.location)),
            ("path", claim.path.as_ref().map(|path| &path.location)),
            ("order", claim.order.as_ref().map(|order| &order.location)),
            ("except", claim.except.as_ref().map(|paths| &paths.location)),
        ] {
            if let Some(place) = place.filter(|_| !extra.contains(&name)) {
                self.problems.push(Diagnostic::new(place.clone(), format!("`{name}` has no meaning here")));
            }
        }
        let others = [
            claim.pod.map(|pod| owned("v1", "Pod", pod)),
            claim.request.map(|request| Target::Requests {
                verbs: request.verbs,
                resource: request.resource,
                name: request.name,
            }),
            claim.log.map(|_log| Target::Log),
            claim.rendered.map(|rendered| Target::Rendered {
                of: rendered.of.map_or_else(|| "chart".to_owned(), |of| of.value),
                kind: rendered.kind,
                name: rendered.name,
            }),
        ];
        let named = ways(claim.object, claim.job, claim.config_map, claim.resource);
        let targets: Vec<Target> = named.into_iter().chain(others).flatten().collect();
        let Ok([target]) = <[Target; 1]>::try_from(targets) else {
            self.problems.push(
                Diagnostic::new(at.clone(), "a claim names its objects in exactly one way")
                    .with_help("use one of object, job, configMap, pod, resource, request, log, rendered"),
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

    pub(super) fn cel(&mut self, text: &Located<String>) -> Option<Arc<Expression>> {
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

/// The target of each way that is given to name objects of the cluster.
pub(super) fn ways(
    object: Option<Located<String>>,
    jobs: Option<OwnedDocument>,
    config_maps: Option<OwnedDocument>,
    resources: Option<ResourceDocument>,
) -> [Option<Target>; 4] {
    [
        object.map(|alias| Target::Object { alias: alias.value }),
        jobs.map(job),
        config_maps.map(|config_map| owned("v1", "ConfigMap", config_map)),
        resources.map(|resource| Target::Resources {
            api_version: resource.api_version,
            kind: resource.kind,
            name: resource.name,
            labels: resource.labels,
            of: resource.of.map(|of| of.value),
        }),
    ]
}

/// Jobs.
pub(super) fn job(document: OwnedDocument) -> Target {
    owned("batch/v1", "Job", document)
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
        Target::Log => "lines of the log".to_owned(),
        Target::Requests { resource, .. } => {
            format!("requests for {}", resource.as_deref().unwrap_or("anything"))
        }
        Target::Rendered { of, kind, name } => {
            format!("{kind} {} of rendering {of}", name.as_deref().unwrap_or("*"))
        }
    }
}

/// Every alias that a target refers to.
pub(in crate::scenario) fn aliases(target: &Target) -> impl Iterator<Item = &str> {
    match target {
        Target::Object { alias } => Some(alias.as_str()),
        Target::Resources { of, .. } => of.as_deref(),
        Target::Requests { .. } | Target::Log | Target::Rendered { .. } => None,
    }
    .into_iter()
}

//! From documents to the typed steps of one case.

mod changes;
mod claims;
mod drill;
mod faults;
mod invariants;
mod objects;
mod recovery;

use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::Regex;
use sha2::{Digest, Sha256};

pub(super) use self::claims::aliases;
pub use self::claims::describe;
use super::assertion::{Assertion, Operator, Target};
use super::document::{ClaimDocument, HttpDocument, RenderDocument, Replica, StepDocument};
use super::duration;
use super::files::Files;
use super::step::{Action, Http, Render, Step};
use super::template;
use crate::check::matching;
use crate::diagnostic::Diagnostic;
use crate::yaml::{Located, Location, Node, decode};

/// How long `eventually` waits unless told: what the specification calls promptly.
pub(super) const PROMPTLY: Duration = Duration::from_secs(5);

/// The field manager of `apply` steps unless told.
const FIELD_MANAGER: &str = "hallmark-scenario";

/// Reads the parts of one case; everything that is wrong goes to `problems`.
pub(super) struct Reader<'a> {
    pub folder: &'a Path,
    pub files: &'a mut Files,
    pub case: &'a serde_json::Value,
    /// The number of the object that is read, where a step creates several, and how many there are.
    pub index: Option<(usize, usize)>,
    /// Golden files that do not exist are no problem: they are about to be written.
    pub bless: bool,
    pub problems: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Puts the case, and the number of an object, into a tree.
    pub(super) fn expand(&mut self, node: &Node) -> Node {
        let index = self.index.map(|(index, _)| serde_json::Value::from(index));
        let index = index.as_ref().map(|index| ("index", index));
        let variables: Vec<_> = std::iter::once(("case", self.case)).chain(index).collect();
        template::expand(node, &variables, self.problems)
    }

    /// Reads one step.
    pub(super) fn step(&mut self, node: &Node) -> Option<Step> {
        match node.get("create").and_then(|create| create.get("count")) {
            Some(count) => self.numbered(node, count),
            None => self.one_step(node),
        }
    }

    /// Reads a step that creates several objects: once for each of them, so that all may differ.
    fn numbered(&mut self, node: &Node, count: &Node) -> Option<Step> {
        let expanded = self.expand(count);
        let count = match decode::<usize>(&expanded) {
            Ok(count @ 1..) => count,
            Ok(_zero) => {
                self.problems.push(Diagnostic::new(count.location.clone(), "`count` of no object at all"));
                return None;
            }
            Err(error) => {
                self.problems.push(error.into_diagnostic(&count.location));
                return None;
            }
        };
        let mut first: Option<Step> = None;
        for index in 1..=count {
            self.index = Some((index, count));
            let step = self.one_step(node);
            self.index = None;
            let step = step?;
            match (&mut first, step.action) {
                (
                    Some(Step { action: Action::Create { manifests, .. }, .. }),
                    Action::Create { manifests: more, .. },
                ) => {
                    manifests.extend(more);
                }
                (_, action) => first = Some(Step { action, ..step }),
            }
        }
        first
    }

    fn one_step(&mut self, node: &Node) -> Option<Step> {
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
        let digest = digest(&node, &action);
        Some(Step { action, location, summary, digest })
    }

    fn action(&mut self, document: StepDocument, at: &Location) -> Option<(Action, String)> {
        Some(match document {
            StepDocument::Create(create) => self.create(create)?,
            StepDocument::Apply(apply) => {
                let manifest = self.manifest(&apply.file, apply.alias, apply.set.as_ref())?;
                let summary = format!("apply {} {}", manifest.kind, manifest.alias);
                let field_manager = apply.field_manager.unwrap_or_else(|| FIELD_MANAGER.to_owned());
                (Action::Apply { manifest, field_manager, force: apply.force }, summary)
            }
            StepDocument::Patch(patch) => self.patch(patch, at)?,
            StepDocument::Delete(delete) => self.delete(delete, at)?,
            StepDocument::Finish(finish) => {
                let finish = self.finish(finish)?;
                let summary =
                    format!("finish {}: {:?}", describe(&finish.job), finish.outcome).to_lowercase();
                (Action::Finish(finish), summary)
            }
            StepDocument::Play(play) => self.play(play)?,
            StepDocument::Http(http) => self.http(http)?,
            StepDocument::Wait(wait) => {
                let duration = duration::read(&wait.duration, self.problems)?;
                (Action::Wait(duration), format!("wait {}: {}", wait.duration.value, wait.because))
            }
            StepDocument::Restart { within, ready } => {
                let within = match within {
                    Some(text) => Some(duration::read(&text, self.problems)?),
                    None => None,
                };
                (Action::Restart { within, ready }, "restart the subject".to_owned())
            }
            StepDocument::Kill { replica: None } => (Action::Kill, "kill the subject".to_owned()),
            StepDocument::Kill { replica: Some(Replica::Leader) } => {
                (Action::KillLeader, "kill the leader".to_owned())
            }
            StepDocument::Fault(fault) => self.fault(fault, at)?,
            StepDocument::Watches(watches) => self.watches(watches)?,
            StepDocument::Churn(churn) => self.churn(&churn)?,
            StepDocument::Calm {} => (Action::Calm, "faults are over".to_owned()),
            StepDocument::Upgrade(upgrade) => (
                Action::Upgrade { values: upgrade.values.to_json() },
                "upgrade the subject's release".to_owned(),
            ),
            StepDocument::Rollback {} => (Action::Rollback, "roll the subject's release back".to_owned()),
            StepDocument::Backup(backup) => self.backup(backup)?,
            StepDocument::Damage(damage) => self.damage(damage)?,
            StepDocument::Verify(verify) => self.verify(verify),
            StepDocument::Lose {} => (Action::Lose, "lose every object".to_owned()),
            StepDocument::LoseCluster {} => (Action::LoseCluster, "lose the cluster".to_owned()),
            StepDocument::CopyDatastore { alias } => recovery::copy_datastore(alias),
            StepDocument::PutDatastoreBack { copy } => recovery::put_datastore_back(copy.value),
            StepDocument::DumpDatabase { alias } => recovery::dump_database(alias),
            StepDocument::PutDatabaseBack { dump } => recovery::put_database_back(dump.value),
            StepDocument::LoseDatabase {} => (Action::LoseDatabase, "lose the database".to_owned()),
            StepDocument::Restore(restore) => self.restore(restore, at)?,
            StepDocument::Render(render) => {
                let render = self.render(render);
                let summary = format!("render the chart as {}", render.alias);
                (Action::Render(render), summary)
            }
            StepDocument::Fence {} => (Action::Fence, "fence".to_owned()),
            StepDocument::Eventually(claim) => {
                let within = self.duration_or(claim.within.as_ref(), PROMPTLY)?;
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
            StepDocument::Sequence(claims) => self.sequence(claims, at),
            StepDocument::Exactly(claim) => {
                let count = self.number(claim.count.as_ref(), "exactly", "count", at)?;
                let claim = self.claim(claim, at, &["count"])?;
                assertion(Operator::Exactly { count, claim }, at)
            }
            StepDocument::AtMost(claim) => {
                let count = self.number(claim.count.as_ref(), "atMost", "count", at)?;
                let claim = self.claim(claim, at, &["count"])?;
                // What comes and stays is counted as a whole.
                let stays = matches!(claim.target, Target::Requests { .. } | Target::Log);
                let claim = if stays { claim } else { self.dated(claim)? };
                assertion(Operator::AtMost { count, claim }, at)
            }
            StepDocument::InCreationOrder(claim) => {
                let claim = self.claim(claim, at, &[])?;
                assertion(Operator::InCreationOrder(self.dated(claim)?), at)
            }
            StepDocument::Versions(claim) => {
                let at_most = self.number(claim.at_most.as_ref(), "versions", "atMost", at)?;
                let claim = self.claim(claim, at, &["atMost"])?;
                assertion(Operator::Versions { at_most, claim: self.dated(claim)? }, at)
            }
            StepDocument::AtMostEach(claim) => self.at_most_each(claim, at)?,
            StepDocument::Advances(claim) => self.advances(claim, at)?,
            StepDocument::Settled(claim) => self.settled(claim, at)?,
        })
    }

    fn sequence(&mut self, claims: Vec<ClaimDocument>, at: &Location) -> (Action, String) {
        if claims.len() < 2 {
            self.problems.push(
                Diagnostic::new(at.clone(), "a sequence needs at least two claims")
                    .with_help("use `eventually` for a single one"),
            );
        }
        let claims = claims.into_iter().filter_map(|claim| self.claim(claim, at, &[])).collect();
        assertion(Operator::Sequence(claims), at)
    }

    fn http(&mut self, http: HttpDocument) -> Option<(Action, String)> {
        if !http.path.starts_with('/') {
            self.problems.push(Diagnostic::new(http.path.location.clone(), "a path must begin with `/`"));
            return None;
        }
        if let Some(node) = &http.matches {
            self.problems.extend(matching::validate(node));
        }
        let status = http.status.unwrap_or(200);
        let summary = format!("GET {} answers {status}", http.path.value);
        let action = Action::Http(Box::new(Http {
            path: http.path.value,
            port: http.port,
            status,
            contains: http.contains,
            lacks: http.lacks,
            finds: match http.finds {
                Some(pattern) => Some(self.lines(&pattern)?),
                None => None,
            },
            matches: http.matches,
            replicas: http.replicas.map(|replicas| replicas.value),
            within: self.duration_or(http.within.as_ref(), PROMPTLY)?,
        }));
        Some((action, summary))
    }

    /// A pattern that looks at the lines of a text.
    fn lines(&mut self, pattern: &Located<String>) -> Option<Regex> {
        self.regex(&Located { value: format!("(?m){}", pattern.value), location: pattern.location.clone() })
    }

    fn duration_or(&mut self, text: Option<&Located<String>>, otherwise: Duration) -> Option<Duration> {
        match text {
            Some(text) => duration::read(text, self.problems),
            None => Some(otherwise),
        }
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
}

/// The assertion that a step is, for tests of what assertions mean.
#[cfg(test)]
pub(crate) fn read_assertion(node: &Node) -> Assertion {
    let mut problems = Vec::new();
    let step = Reader {
        folder: Path::new("."),
        files: &mut Files::default(),
        case: &serde_json::json!({}),
        index: None,
        bless: false,
        problems: &mut problems,
    }
    .step(node);
    match step.map(|step| step.action) {
        Some(Action::Assert(assertion)) if problems.is_empty() => *assertion,
        other => panic!("{other:?} {problems:?}"),
    }
}

/// Tells apart steps that do not do the same, however alike their summaries are. Claims are judged as they are.
fn digest(node: &Node, action: &Action) -> String {
    if action.is_assertion() {
        return String::new();
    }
    let manifests = match action {
        Action::Create { manifests, .. } => manifests.as_slice(),
        Action::Apply { manifest, .. } => std::slice::from_ref(manifest),
        _ => &[],
    };
    let mut digest = Sha256::new();
    for text in iter::once(node).chain(manifests.iter().map(|manifest| &manifest.object)) {
        digest.update(text.to_json().to_string());
    }
    hex::encode(digest.finalize())
}

fn assertion(operator: Operator, at: &Location) -> (Action, String) {
    let summary = operator.keyword().to_owned();
    (Action::Assert(Box::new(Assertion { operator, location: at.clone(), standing: None })), summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse_documents;

    const FIXTURE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\ndata: {k: v}\n";

    fn read(step: &str) -> (Option<Step>, Vec<Diagnostic>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fixture.yaml"), FIXTURE).unwrap();
        let node = parse_documents(&crate::yaml::Source::new("s.yaml", step)).unwrap().remove(0);
        let mut problems = Vec::new();
        let step = Reader {
            folder: folder.path(),
            files: &mut Files::default(),
            case: &serde_json::json!({"n": 12}),
            index: None,
            bless: false,
            problems: &mut problems,
        }
        .step(&node);
        (step, problems)
    }

    #[test]
    fn numbered_objects_sort_as_they_were_created_and_may_differ() {
        let (step, problems) = read(
            "create: {file: fixture.yaml, as: many, count: \"${{ case.n }}\", set: {data.k: \"${{ index * 2 }}\"}}",
        );
        assert!(problems.is_empty(), "{problems:?}");
        let Some(Step { action: Action::Create { manifests, .. }, summary, .. }) = step else { panic!() };
        assert_eq!(summary, "create 12 ConfigMaps many");
        assert_eq!(manifests.len(), 12);
        let names = |index: usize| {
            let manifest = &manifests[index];
            let object = manifest.object.to_json();
            (manifest.alias.clone(), object["metadata"]["name"].clone(), object["data"]["k"].clone())
        };
        assert_eq!(names(0), ("many-01".to_owned(), "base-01".into(), 2.into()));
        assert_eq!(names(11), ("many-12".to_owned(), "base-12".into(), 24.into()));
    }

    #[test]
    fn one_object_keeps_its_name_and_has_no_number() {
        let (step, problems) = read("create: {file: fixture.yaml}");
        assert!(problems.is_empty(), "{problems:?}");
        let Some(Step { action: Action::Create { manifests, .. }, .. }) = step else { panic!() };
        assert_eq!((manifests.len(), manifests[0].alias.as_str()), (1, "base"));
        let (_, problems) = read("create: {file: fixture.yaml, set: {data.k: \"${{ index }}\"}}");
        assert_eq!(problems[0].message, "unknown name `index` in a template");
    }

    #[rstest::rstest]
    #[case("{answer: 409}", "fault: answer 409 request 1")]
    #[case(
        "{on: {verb: create, resource: jobs}, nth: 2, times: 3, cut: after}",
        "fault: cut the connection after create jobs 2 and the 2 after it"
    )]
    #[case("{on: {verb: write}, nth: 7, kill: before}", "fault: kill the subject before write 7")]
    #[case(
        "{on: {resource: agentruns/status}, delay: 1500ms}",
        "fault: delay by 1.5 s request agentruns/status 1"
    )]
    fn a_fault_says_what_happens_to_which_request(#[case] fault: &str, #[case] summary: &str) {
        let (step, problems) = read(&format!("fault: {fault}"));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(step.unwrap().summary, summary);
    }

    #[rstest::rstest]
    #[case("fault: {}", "say exactly once what happens to the requests")]
    #[case("fault: {answer: 409, cut: after}", "say exactly once what happens to the requests")]
    #[case("fault: {answer: 200}", "200 refuses nothing")]
    #[case("fault: {answer: 500, nth: 0}", "`nth` begins at 1")]
    #[case("damage: {archive: a, how: truncated, at: 1}", "1 is no share of a length")]
    #[case("watches: {of: jobs, become: silent}", "how long are they silent?")]
    #[case("watches: {of: jobs, become: closed, for: 2s}", "only silence has a duration")]
    fn a_fault_that_makes_no_sense_is_refused(#[case] step: &str, #[case] message: &str) {
        let (step, problems) = read(step);
        assert!(step.is_none());
        assert_eq!(problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>(), [message]);
    }

    #[test]
    fn mistakes_of_numbered_objects_are_told_once() {
        let (step, problems) = read("create: {file: fixture.yaml, count: 3, colour: red}");
        assert!(step.is_none());
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}

//! What a run counts towards, and where it stands in the queue.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::AgentRun;

use super::super::text::{given, non_blank};

/// Parameters that name the repository of a run, the strongest first.
const REPOSITORY_PARAMETERS: [&str; 3] = ["repository", "repo", "issueRepository"];

/// The scopes of one run. The whole of the watched namespaces is a scope of every run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    /// Namespace of the run.
    pub namespace: String,
    /// Namespace and name of its Agent.
    pub agent: String,
    /// Lower-case name of its repository, if it has one.
    pub repository: Option<String>,
}

impl Scopes {
    /// Reads the scopes of `run`.
    pub fn of(run: &AgentRun) -> Self {
        let namespace = run.namespace().unwrap_or_default();
        let agent = format!("{namespace}/{}", run.spec.agent_ref.name.trim());
        Self { agent, repository: repository(run), namespace }
    }
}

fn repository(run: &AgentRun) -> Option<String> {
    let vcs = run.status.as_ref().and_then(|status| status.vcs.as_ref());
    let reported = vcs.and_then(|vcs| given(vcs.repository.as_ref()));
    let parameters = run.spec.parameters.as_ref();
    let parameter = |name: &&str| parameters.and_then(|all| non_blank(all.get(*name)?.as_str()?));
    let name = reported.or_else(|| REPOSITORY_PARAMETERS.iter().find_map(parameter))?;
    Some(name.to_lowercase())
}

/// Place of a run among all waiting ones: age first, then namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    created: Timestamp,
    /// Namespace of the run.
    pub namespace: String,
    /// Name of the run.
    pub name: String,
    /// Uid of the run.
    pub uid: String,
}

impl Position {
    /// The place of `run`.
    pub fn of(run: &AgentRun) -> Self {
        Self {
            created: run.creation_timestamp().map(|time| time.0).unwrap_or_default(),
            namespace: run.namespace().unwrap_or_default(),
            name: run.name_any(),
            uid: run.uid().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case(json!({}), json!({}), None)]
    #[case(json!({"issueRepository": " Acme/Web "}), json!({}), Some("acme/web"))]
    #[case(json!({"issueRepository": "c", "repo": "b", "repository": "a"}), json!({}), Some("a"))]
    #[case(json!({"repository": " ", "repo": "b"}), json!({}), Some("b"))]
    #[case(json!({"repository": "a"}), json!({"vcs": {"repository": "Z"}}), Some("z"))]
    fn the_repository_is_the_reported_one_or_a_parameter(
        #[case] parameters: Value,
        #[case] status: Value,
        #[case] expected: Option<&str>,
    ) {
        let run: AgentRun = serde_json::from_value(json!({
            "metadata": {"name": "r", "namespace": "ns"},
            "spec": {"agentRef": {"name": " a "}, "runtime": {"type": "job"}, "parameters": parameters},
            "status": status,
        }))
        .unwrap();
        let scopes = Scopes::of(&run);
        assert_eq!(scopes.repository.as_deref(), expected);
        assert_eq!(scopes.agent, "ns/a");
    }
}

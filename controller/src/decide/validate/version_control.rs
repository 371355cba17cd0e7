//! Version control is off: a run that cannot do without fails, the others go on without.

use crate::api::AgentRun;

use super::super::status::reason;
use super::super::text::{given, non_blank};
use super::{Plan, Refusal};

/// Why version control is left out, `None` when the run does not ask for it.
pub fn version_control(run: &AgentRun, plan: &Plan) -> Result<Option<String>, Refusal> {
    let policy = run.spec.vcs_policy.as_ref();
    let required = policy.and_then(|policy| policy.required).unwrap_or_default();
    let mode = policy.and_then(|policy| given(policy.mode.as_ref())).unwrap_or("read-write");
    if required && mode != "none" {
        let message = format!("vcsPolicy requires version control with mode {mode:?}, but it is off");
        return Err(Refusal::failed(reason::VCS_UNAVAILABLE, message));
    }
    let references =
        [&run.spec.vcs_ref, &plan.implementation.vcs_ref, &plan.agent.spec.vcs_ref].into_iter().flatten();
    let name = references.map(|reference| reference.name.as_str()).find_map(non_blank);
    Ok(name.map(|name| format!("VersionControlProvider {name:?} is not used: version control is off")))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case(json!({}), Ok(false))]
    #[case(json!({"vcsRef": {"name": "v"}}), Ok(true))]
    #[case(json!({"vcsPolicy": {"required": true}}), Err(reason::VCS_UNAVAILABLE))]
    #[case(json!({"vcsPolicy": {"required": true, "mode": "none"}, "vcsRef": {"name": "v"}}), Ok(true))]
    fn required_version_control_fails_the_run(#[case] part: Value, #[case] expected: Result<bool, &str>) {
        let mut spec = json!({"agentRef": {"name": "a"}, "runtime": {"type": "job"}});
        json_patch::merge(&mut spec, &part);
        let run = AgentRun { spec: serde_json::from_value(spec).unwrap(), ..AgentRun::default() };
        let checked = version_control(&run, &Plan::default());
        assert_eq!(checked.map(|skipped| skipped.is_some()).map_err(|refusal| refusal.reason), expected);
    }
}

//! Version control is off: a run that cannot do without fails, the others go on without.

use std::collections::BTreeSet;

use crate::api::AgentRun;

use super::super::status::reason;
use super::super::text::{given, non_blank};
use super::{Plan, Refusal};

/// Why version control is left out, `None` when neither the run nor any of its work asks for it.
pub fn version_control(run: &AgentRun, plans: &[Plan]) -> Result<Option<String>, Refusal> {
    let policy = run.spec.vcs_policy.as_ref();
    let required = policy.and_then(|policy| policy.required).unwrap_or_default();
    let mode = policy.and_then(|policy| given(policy.mode.as_ref())).unwrap_or("read-write");
    if required && mode != "none" {
        let message = format!("vcsPolicy requires version control with mode {mode:?}, but it is off");
        return Err(Refusal::failed(reason::VCS_UNAVAILABLE, message));
    }
    let providers: BTreeSet<_> = plans.iter().filter_map(|plan| provider(run, plan)).collect();
    Ok((!providers.is_empty()).then(|| {
        let names: Vec<_> = providers.iter().map(|name| format!("{name:?}")).collect();
        format!("version control is off, so no VersionControlProvider is used: {}", names.join(", "))
    }))
}

/// The provider for a piece of work: the run's, else that of its implementation, else the Agent's.
fn provider<'a>(run: &'a AgentRun, plan: &'a Plan) -> Option<&'a str> {
    let references = [&run.spec.vcs_ref, &plan.implementation.vcs_ref, &plan.agent.spec.vcs_ref];
    references.into_iter().flatten().map(|reference| reference.name.as_str()).find_map(non_blank)
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
        let checked = version_control(&run, &[Plan::default()]);
        assert_eq!(checked.map(|skipped| skipped.is_some()).map_err(|refusal| refusal.reason), expected);
    }

    #[rstest]
    #[case(json!({}), Some(r#""a", "b""#))]
    #[case(json!({"vcsRef": {"name": "own"}}), Some(r#""own""#))]
    fn every_step_may_ask_for_version_control(#[case] part: Value, #[case] named: Option<&str>) {
        let mut spec = json!({"agentRef": {"name": "a"}, "runtime": {"type": "workflow"}});
        json_patch::merge(&mut spec, &part);
        let run = AgentRun { spec: serde_json::from_value(spec).unwrap(), ..AgentRun::default() };
        let plans = ["", "b", "a", "b"].map(|provider| {
            let mut plan = Plan::default();
            plan.implementation.vcs_ref = Some(serde_json::from_value(json!({"name": provider})).unwrap());
            plan
        });
        let skipped = version_control(&run, &plans).unwrap();
        assert_eq!(skipped.as_deref().and_then(|text| text.split_once(": ")).map(|(_, names)| names), named);
    }
}

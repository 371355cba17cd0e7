//! Everything a run refers to: it exists, and the run may use it.

use std::collections::BTreeMap;

use crate::api::{
    Agent, AgentProvider, AgentRun, ContractStatus, ImplementationSpec, ImplementationSpecSpec, Memory,
};
use crate::config::Settings;
use crate::defects::Defect;

use super::super::contract::{self, Metadata};
use super::super::image;
use super::super::job::effective_service_account;
use super::super::names::Part;
use super::super::status::reason;
use super::super::text::{entries, non_blank};
use super::steps::{self, Extent, Piece};
use super::{Plan, Prompt, Refusal, UNKNOWN, policy};

/// The objects a run refers to, as far as they exist.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// The Agent.
    pub agent: Option<Agent>,
    /// The Agent's provider.
    pub provider: Option<AgentProvider>,
    /// The `ImplementationSpec`s that are named, by name.
    pub implementations: BTreeMap<String, ImplementationSpec>,
    /// The Memory that is named, else the default one.
    pub memory: Option<Memory>,
}

/// Which objects a run refers to by name.
pub mod names {
    use std::collections::BTreeSet;

    use crate::api::NameRef;

    use super::super::steps::{self, Extent, Piece};
    use super::{Agent, AgentRun, Defect, non_blank};

    fn of(reference: Option<&NameRef>) -> Option<&str> {
        non_blank(&reference?.name)
    }

    /// Name of the Agent.
    pub fn agent(run: &AgentRun) -> Option<&str> {
        of(Some(&run.spec.agent_ref))
    }

    /// Name of the Agent's provider.
    pub fn provider(agent: &Agent) -> Option<&str> {
        of(Some(&agent.spec.provider_ref))
    }

    /// Names of the `ImplementationSpec`s.
    pub fn implementations(run: &AgentRun, extent: Extent) -> BTreeSet<&str> {
        steps::unchecked(run, extent).iter().filter_map(Piece::implementation_name).collect()
    }

    /// Name of the Memory: the run's, else the Agent's.
    pub fn memory<'a>(run: &'a AgentRun, agent: Option<&'a Agent>) -> Option<&'a str> {
        let agent = agent.filter(|_| !Defect::AgentMemoryIgnored.is_planted());
        of(run.spec.memory_ref.as_ref()).or_else(|| of(agent?.spec.memory_ref.as_ref()))
    }
}

/// Checks the references and everything that needs them, for each piece of work that is asked for. The
/// plans lack the system prompt.
pub fn with_references(
    run: &AgentRun,
    parameters: &BTreeMap<String, String>,
    references: References,
    settings: &Settings,
    extent: Extent,
) -> Result<Vec<Plan>, Refusal> {
    let agent_name = names::agent(run).unwrap_or(UNKNOWN).to_owned();
    let agent = references.agent.ok_or_else(|| {
        Refusal::invalid(reason::MISSING_AGENT, format!("Agent {agent_name:?} does not exist"))
    })?;
    let provider_name = names::provider(&agent).unwrap_or(UNKNOWN).to_owned();
    let provider = references.provider.ok_or_else(|| {
        Refusal::invalid(reason::MISSING_PROVIDER, format!("AgentProvider {provider_name:?} does not exist"))
    })?;
    let pieces = steps::check(run, parameters, extent)?;
    let images = each(&pieces, |piece| resolve_image(run, piece, settings))?;
    each(images.iter().zip(&pieces), |(resolved, piece)| {
        if Defect::PolicySkipsDefaultImage.is_planted() && piece.workload().image.is_none() {
            return Ok(());
        }
        policy::image(resolved, &settings.policy).map_err(|refusal| in_step(refusal, piece))
    })?;
    let secrets = entries(run.spec.secrets.as_ref());
    let mounted = || pieces.iter().flat_map(Piece::mounted_secrets);
    policy::allowed_secrets(&agent, secrets.iter().copied().chain(mounted()))?;
    let account = effective_service_account(run.spec.runtime.config.as_ref(), &settings.runner);
    policy::service_account(&agent, account.as_deref().unwrap_or("default"))?;
    let work = each(&pieces, |piece| implementation(piece, &references.implementations))?;
    let contracts = contracts(&pieces, &work)?;
    let memory = memory(run, &agent, references.memory, &secrets)?;
    let memory_secret = memory.as_ref().and_then(|memory| non_blank(&memory.spec.connection.secret_ref.name));
    policy::blocked_secrets(&settings.policy, secrets.iter().copied().chain(mounted()).chain(memory_secret))?;
    let auth = settings.auth_secret.as_ref().map(|auth| auth.name.as_str());
    policy::allowed_secrets(&agent, auth)?;
    policy::blocked_secrets(&settings.policy, auth)?;
    let plans = pieces.into_iter().zip(images).zip(work).zip(contracts).map(
        |(((piece, image), (implementation, implementation_name)), (metadata, contract))| Plan {
            part: piece.step.map_or(Part::Run, |(step, _)| Part::Attempt { step, attempt: 1 }),
            step_name: piece.step_name().map(str::to_owned),
            agent_name: agent_name.clone(),
            agent: agent.clone(),
            provider_name: provider_name.clone(),
            provider: provider.clone(),
            workload: piece.workload(),
            parameters: piece.parameters,
            memory: memory.clone(),
            secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
            prompt: Prompt::Absent,
            implementation,
            implementation_name,
            metadata,
            contract,
            image,
        },
    );
    Ok(plans.collect())
}

fn each<T, R>(
    pieces: impl IntoIterator<Item = T>,
    check: impl FnMut(T) -> Result<R, Refusal>,
) -> Result<Vec<R>, Refusal> {
    pieces.into_iter().map(check).collect()
}

/// A refusal for one of several steps has to say which.
fn in_step(refusal: Refusal, piece: &Piece<'_>) -> Refusal {
    if piece.step.is_some() { refusal.at(&piece.place()) } else { refusal }
}

fn resolve_image(run: &AgentRun, piece: &Piece<'_>, settings: &Settings) -> Result<String, Refusal> {
    let resolved = image::resolve(piece.workloads(), &settings.runner).ok_or_else(|| {
        let of_step = piece.step_name().map(|name| format!("workload.image of workflow step {name:?}, "));
        let message = format!(
            "no image for runtime {:?}: {}spec.workload.image, JANGAR_AGENT_RUNNER_IMAGE and \
             JANGAR_AGENT_IMAGE are blank",
            run.spec.runtime.type_,
            of_step.unwrap_or_default()
        );
        Refusal::invalid(reason::MISSING_WORKLOAD_IMAGE, message)
    })?;
    Ok(resolved.to_owned())
}

fn implementation(
    piece: &Piece<'_>,
    found: &BTreeMap<String, ImplementationSpec>,
) -> Result<(ImplementationSpecSpec, Option<String>), Refusal> {
    if let Some(inline) = piece.inline() {
        return Ok((inline.clone(), None));
    }
    let name = piece.implementation_name().unwrap_or(UNKNOWN);
    let found = found.get(name).ok_or_else(|| {
        let message = format!(
            "no work: give a text in spec.implementation.inline, or name an existing ImplementationSpec in \
             spec.implementationSpecRef ({name:?} does not exist)"
        );
        in_step(Refusal::invalid(reason::MISSING_IMPLEMENTATION, message), piece)
    })?;
    Ok((found.spec.clone(), Some(name.to_owned())))
}

/// What is known of each piece and its contract. The first one that is not met is named; the status of the
/// run then shows what all of them lack.
fn contracts(
    pieces: &[Piece<'_>],
    work: &[(ImplementationSpecSpec, Option<String>)],
) -> Result<Vec<(Metadata, Option<ContractStatus>)>, Refusal> {
    let checked = each(work.iter().zip(pieces), |((implementation, _), piece)| {
        let metadata = contract::metadata(&piece.parameters, implementation);
        match contract::check(implementation, &metadata) {
            Ok(contract) => Ok((metadata, contract)),
            Err(message) => Err(in_step(Refusal::invalid(reason::INVALID_CONTRACT, message), piece)),
        }
    })?;
    let all = || checked.iter().filter_map(|(_, contract)| contract.as_ref());
    for ((_, contract), piece) in checked.iter().zip(pieces) {
        if let Some(contract) = contract.as_ref().filter(|contract| !contract.missing_keys.is_empty()) {
            let message = format!("required parameters are missing: {}", contract.missing_keys.join(", "));
            let refusal = Refusal::invalid(reason::MISSING_REQUIRED_METADATA, message);
            return Err(in_step(Refusal { contract: contract::merged(all()), ..refusal }, piece));
        }
    }
    Ok(checked)
}

fn memory(
    run: &AgentRun,
    agent: &Agent,
    found: Option<Memory>,
    secrets: &[&str],
) -> Result<Option<Memory>, Refusal> {
    let Some(memory) = found else {
        return names::memory(run, Some(agent)).map_or(Ok(None), |name| {
            Err(Refusal::invalid(reason::MISSING_MEMORY, format!("Memory {name:?} does not exist")))
        });
    };
    if let Some(secret) = non_blank(&memory.spec.connection.secret_ref.name) {
        policy::allowed_secrets(agent, [secret])?;
        if !secrets.is_empty() && !secrets.contains(&secret) {
            let message = format!("Secret {secret:?} of the Memory is not in spec.secrets");
            return Err(Refusal::invalid(reason::SECRET_NOT_ALLOWED, message));
        }
    }
    Ok(Some(memory))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    /// A run, an Agent, a provider and settings that pass; `change` then breaks one thing.
    fn refused(change: impl FnOnce(&mut AgentRun, &mut References, &mut Settings)) -> Option<&'static str> {
        let mut run: AgentRun = from(json!({"metadata": {"name": "r"}, "spec": {
            "agentRef": {"name": "a"}, "implementation": {"inline": {"text": "do"}},
            "runtime": {"type": "job"}, "secrets": ["s"],
        }}));
        let mut references = existing();
        let mut settings = Settings::default();
        settings.runner.runner_image = Some("runner:1".to_owned());
        change(&mut run, &mut references, &mut settings);
        with_references(&run, &BTreeMap::new(), references, &settings, Extent::Whole)
            .err()
            .map(|refusal| refusal.reason)
    }

    fn existing() -> References {
        References {
            agent: Some(from(json!({"metadata": {"name": "a"}, "spec": {"providerRef": {"name": "p"}}}))),
            provider: Some(from(json!({"metadata": {"name": "p"}, "spec": {"binary": "b"}}))),
            ..References::default()
        }
    }

    fn memory_with_secret(name: &str) -> Memory {
        from(json!({"metadata": {}, "spec": {"type": "redis", "connection": {"secretRef": {"name": name}}}}))
    }

    fn allow_secrets(references: &mut References, names: &[&str]) {
        references.agent.as_mut().unwrap().spec.security = Some(from(json!({"allowedSecrets": names})));
    }

    #[test]
    fn a_complete_run_passes() {
        assert_eq!(refused(|_, _, _| ()), None);
    }

    /// [LC-11]
    #[test]
    fn missing_references_are_told_apart() {
        assert_eq!(refused(|_, refs, _| refs.agent = None), Some(reason::MISSING_AGENT));
        assert_eq!(refused(|_, refs, _| refs.provider = None), Some(reason::MISSING_PROVIDER));
        assert_eq!(refused(|run, _, _| run.spec.implementation = None), Some(reason::MISSING_IMPLEMENTATION));
        let named = |run: &mut AgentRun, _: &mut References, _: &mut Settings| {
            run.spec.memory_ref = Some(from(json!({"name": "m"})));
        };
        assert_eq!(refused(named), Some(reason::MISSING_MEMORY));
    }

    /// [IMG-05]
    #[test]
    fn a_run_without_any_image_is_refused() {
        let no_image = |_: &mut AgentRun, _: &mut References, settings: &mut Settings| {
            settings.runner.runner_image = None;
        };
        assert_eq!(refused(no_image), Some(reason::MISSING_WORKLOAD_IMAGE));
    }

    /// [IMG-07] [IMG-13] [WF-04] Every step is looked at before the first one starts.
    #[rstest]
    #[case(json!({"image": "own:1"}), None, Some(["own:1", "run:1"]))]
    #[case(json!({"resources": {}}), Some("runner:1"), Some(["run:1", "run:1"]))]
    #[case(json!({"image": " "}), None, Some(["run:1", "run:1"]))]
    fn steps_have_images_of_their_own_and_else_the_runs(
        #[case] workload: Value,
        #[case] default: Option<&str>,
        #[case] expected: Option<[&str; 2]>,
    ) {
        let run =
            workflow(json!([{"name": "a", "workload": workload}, {"name": "b"}]), json!({"image": "run:1"}));
        let mut settings = Settings::default();
        settings.runner.runner_image = default.map(str::to_owned);
        let plans = with_references(&run, &BTreeMap::new(), existing(), &settings, Extent::Whole).unwrap();
        let images: Vec<_> = plans.iter().map(|plan| plan.image.as_str()).collect();
        assert_eq!(Some(images.as_slice()), expected.as_ref().map(<[_; 2]>::as_slice));
        assert_eq!(plans[1].part, Part::Attempt { step: 1, attempt: 1 });
    }

    /// [IMG-12] [WF-04]
    #[rstest]
    #[case(json!({"image": "bad:1"}), reason::IMAGE_BLOCKED, "\"b\"")]
    #[case(json!({}), reason::MISSING_WORKLOAD_IMAGE, "workload.image of workflow step \"b\"")]
    fn a_refused_later_step_is_named(#[case] workload: Value, #[case] reason: &str, #[case] named: &str) {
        let steps =
            json!([{"name": "a", "workload": {"image": "good:1"}}, {"name": "b", "workload": workload}]);
        let run = workflow(steps, json!({}));
        let mut settings = Settings::default();
        settings.policy.images_denied = vec!["bad:*".to_owned()];
        let refused =
            with_references(&run, &BTreeMap::new(), existing(), &settings, Extent::Whole).unwrap_err();
        assert_eq!(refused.reason, reason);
        assert!(refused.message.contains(named), "{}", refused.message);
    }

    #[test]
    fn the_first_step_whose_contract_is_not_met_is_named_and_the_status_shows_all_that_is_missing() {
        let implementation =
            |keys: Value| json!({"inline": {"text": "do", "contract": {"requiredKeys": keys}}});
        let run = workflow(
            json!([
                {"name": "a", "implementation": implementation(json!(["base"])), "parameters": {"base": "main"}},
                {"name": "b", "implementation": implementation(json!(["head"]))},
                {"name": "c", "implementation": implementation(json!(["stage"]))},
            ]),
            json!({"image": "run:1"}),
        );
        let settings = Settings::default();
        let refused =
            with_references(&run, &BTreeMap::new(), existing(), &settings, Extent::Whole).unwrap_err();
        assert_eq!(refused.reason, reason::MISSING_REQUIRED_METADATA);
        assert!(
            refused.message.contains("\"b\"") && refused.message.ends_with(": head"),
            "{}",
            refused.message
        );
        let contract = refused.contract.unwrap();
        assert_eq!(contract.required_keys, ["base", "head", "stage"]);
        assert_eq!(contract.missing_keys, ["head", "stage"]);
    }

    #[expect(clippy::needless_pass_by_value, reason = "literals read better without a borrow")]
    fn workflow(steps: Value, workload: Value) -> AgentRun {
        from(json!({"metadata": {"name": "r"}, "spec": {
            "agentRef": {"name": "a"}, "implementation": {"inline": {"text": "do"}}, "workload": workload,
            "runtime": {"type": "workflow"}, "workflow": {"steps": steps},
        }}))
    }

    /// [IMG-12]
    #[test]
    fn the_image_policy_applies_to_the_default() {
        let denied = |_: &mut AgentRun, _: &mut References, settings: &mut Settings| {
            settings.policy.images_denied = vec!["runner:*".to_owned()];
        };
        assert_eq!(refused(denied), Some(reason::IMAGE_BLOCKED));
    }

    /// [SEC-01] [SEC-02]
    #[rstest]
    #[case(&["s"], None, None, None)]
    #[case(&["x"], None, None, Some(reason::SECRET_NOT_ALLOWED))]
    #[case(&[], None, Some("s"), Some(reason::SECRET_BLOCKED))]
    #[case(&[], Some("m"), None, Some(reason::SECRET_NOT_ALLOWED))]
    #[case(&["s"], Some("s"), None, None)]
    fn secrets_pass_both_lists(
        #[case] allowed: &[&str],
        #[case] memory_secret: Option<&str>,
        #[case] blocked: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let change = |_: &mut AgentRun, refs: &mut References, settings: &mut Settings| {
            allow_secrets(refs, allowed);
            refs.memory = memory_secret.map(memory_with_secret);
            settings.policy.blocked_secrets = blocked.map(str::to_owned).into_iter().collect();
        };
        assert_eq!(refused(change), expected);
    }

    /// [SEC-01] [SEC-02] A mounted Secret is as readable as one in the environment.
    #[rstest]
    #[case::listed("s", &["s"], None, None)]
    #[case::padded(" s ", &[], Some("s"), Some(reason::SECRET_BLOCKED))]
    #[case::blocked("s", &[], Some("s"), Some(reason::SECRET_BLOCKED))]
    #[case::unlisted("x", &["s"], None, Some(reason::SECRET_NOT_ALLOWED))]
    fn mounted_secrets_pass_both_lists(
        #[case] name: &str,
        #[case] allowed: &[&str],
        #[case] blocked: Option<&str>,
        #[case] expected: Option<&str>,
        #[values(false, true)] by_step: bool,
    ) {
        let workload = json!({"image": "i:1", "volumes": [
            {"type": "emptyDir", "name": "e", "mountPath": "/e"},
            {"type": "secret", "name": "v", "mountPath": "/v", "secretName": name},
        ]});
        let (of_run, of_step) =
            if by_step { (json!({"image": "i:1"}), workload) } else { (workload, json!(null)) };
        let run = workflow(json!([{"name": "a"}, {"name": "b", "workload": of_step}]), of_run);
        let mut references = existing();
        allow_secrets(&mut references, allowed);
        let mut settings = Settings::default();
        settings.policy.blocked_secrets = blocked.map(str::to_owned).into_iter().collect();
        let checked = with_references(&run, &BTreeMap::new(), references, &settings, Extent::Whole);
        assert_eq!(checked.err().map(|refusal| refusal.reason), expected);
    }

    /// [SEC-02]
    #[rstest]
    #[case(json!({}), Some(reason::SERVICE_ACCOUNT_NOT_ALLOWED))]
    #[case(json!({"serviceAccount": "runner"}), None)]
    fn the_effective_service_account_counts(#[case] config: Value, #[case] expected: Option<&str>) {
        let change = |run: &mut AgentRun, refs: &mut References, _: &mut Settings| {
            run.spec.runtime.config = Some(config);
            let security = json!({"allowedServiceAccounts": ["runner"]});
            refs.agent.as_mut().unwrap().spec.security = Some(from(security));
        };
        assert_eq!(refused(change), expected);
    }
}

//! Everything a run refers to: it exists, and the run may use it.

use std::collections::BTreeMap;

use crate::api::{
    Agent, AgentProvider, AgentRun, ContractStatus, ImplementationSpec, ImplementationSpecSpec, Memory,
    NameRef,
};
use crate::config::Settings;

use super::super::contract::{self, Metadata};
use super::super::image;
use super::super::job::effective_service_account;
use super::super::status::reason;
use super::super::text::{entries, non_blank};
use super::{Plan, Prompt, Refusal, UNKNOWN, policy};

/// The objects a run refers to, as far as they exist.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// The Agent.
    pub agent: Option<Agent>,
    /// The Agent's provider.
    pub provider: Option<AgentProvider>,
    /// The `ImplementationSpec`, if one is named.
    pub implementation: Option<ImplementationSpec>,
    /// The Memory that is named, else the default one.
    pub memory: Option<Memory>,
}

/// Which objects a run refers to by name.
pub mod names {
    use super::{Agent, AgentRun, NameRef, non_blank};

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

    /// Name of the `ImplementationSpec`, unless the work is written inline.
    pub fn implementation(run: &AgentRun) -> Option<&str> {
        if super::inline(run).is_some() { None } else { of(run.spec.implementation_spec_ref.as_ref()) }
    }

    /// Name of the Memory: the run's, else the Agent's.
    pub fn memory<'a>(run: &'a AgentRun, agent: Option<&'a Agent>) -> Option<&'a str> {
        of(run.spec.memory_ref.as_ref()).or_else(|| of(agent?.spec.memory_ref.as_ref()))
    }
}

/// Checks the references and everything that needs them. The plan lacks the system prompt.
pub fn with_references(
    run: &AgentRun,
    parameters: BTreeMap<String, String>,
    references: References,
    settings: &Settings,
) -> Result<Plan, Refusal> {
    let agent_name = names::agent(run).unwrap_or(UNKNOWN).to_owned();
    let agent = references.agent.ok_or_else(|| {
        Refusal::invalid(reason::MISSING_AGENT, format!("Agent {agent_name:?} does not exist"))
    })?;
    let provider_name = names::provider(&agent).unwrap_or(UNKNOWN).to_owned();
    let provider = references.provider.ok_or_else(|| {
        Refusal::invalid(reason::MISSING_PROVIDER, format!("AgentProvider {provider_name:?} does not exist"))
    })?;
    let image = resolve_image(run, settings)?;
    let secrets = entries(run.spec.secrets.as_ref());
    policy::allowed_secrets(&agent, secrets.iter().copied())?;
    let account = effective_service_account(run.spec.runtime.config.as_ref(), &settings.runner);
    policy::service_account(&agent, account.as_deref().unwrap_or("default"))?;
    let (implementation, implementation_name) = implementation(run, references.implementation)?;
    let (metadata, contract) = contract(&parameters, &implementation)?;
    let memory = memory(run, &agent, references.memory, &secrets)?;
    let memory_secret = memory.as_ref().and_then(|memory| non_blank(&memory.spec.connection.secret_ref.name));
    policy::blocked_secrets(&settings.policy, secrets.iter().copied().chain(memory_secret))?;
    let auth = settings.auth_secret.as_ref().map(|auth| auth.name.as_str());
    policy::allowed_secrets(&agent, auth)?;
    policy::blocked_secrets(&settings.policy, auth)?;
    Ok(Plan {
        secrets: secrets.into_iter().map(str::to_owned).collect(),
        workload: run.spec.workload.clone().unwrap_or_default(),
        prompt: Prompt::Absent,
        agent_name,
        agent,
        provider_name,
        provider,
        implementation,
        implementation_name,
        parameters,
        metadata,
        contract,
        image,
        memory,
    })
}

fn resolve_image(run: &AgentRun, settings: &Settings) -> Result<String, Refusal> {
    let resolved = image::resolve([run.spec.workload.as_ref()], &settings.runner).ok_or_else(|| {
        let message = format!(
            "no image for runtime {:?}: spec.workload.image, JANGAR_AGENT_RUNNER_IMAGE and JANGAR_AGENT_IMAGE are blank",
            run.spec.runtime.type_
        );
        Refusal::invalid(reason::MISSING_WORKLOAD_IMAGE, message)
    })?;
    policy::image(resolved, &settings.policy)?;
    Ok(resolved.to_owned())
}

fn inline(run: &AgentRun) -> Option<&ImplementationSpecSpec> {
    let inline = run.spec.implementation.as_ref()?.inline.as_ref()?;
    non_blank(&inline.text).map(|_| inline)
}

fn implementation(
    run: &AgentRun,
    found: Option<ImplementationSpec>,
) -> Result<(ImplementationSpecSpec, Option<String>), Refusal> {
    if let Some(inline) = inline(run) {
        return Ok((inline.clone(), None));
    }
    let name = names::implementation(run).unwrap_or(UNKNOWN);
    let found = found.ok_or_else(|| {
        let message = format!(
            "no work: give a text in spec.implementation.inline, or name an existing ImplementationSpec in \
             spec.implementationSpecRef ({name:?} does not exist)"
        );
        Refusal::invalid(reason::MISSING_IMPLEMENTATION, message)
    })?;
    Ok((found.spec, Some(name.to_owned())))
}

fn contract(
    parameters: &BTreeMap<String, String>,
    implementation: &ImplementationSpecSpec,
) -> Result<(Metadata, Option<ContractStatus>), Refusal> {
    let metadata = contract::metadata(parameters, implementation);
    let checked = contract::check(implementation, &metadata)
        .map_err(|message| Refusal::invalid(reason::INVALID_CONTRACT, message))?;
    match &checked {
        Some(status) if !status.missing_keys.is_empty() => {
            let message = format!("required parameters are missing: {}", status.missing_keys.join(", "));
            let refusal = Refusal::invalid(reason::MISSING_REQUIRED_METADATA, message);
            Err(Refusal { contract: checked, ..refusal })
        }
        _ => Ok((metadata, checked)),
    }
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
        let mut references = References {
            agent: Some(from(json!({"metadata": {"name": "a"}, "spec": {"providerRef": {"name": "p"}}}))),
            provider: Some(from(json!({"metadata": {"name": "p"}, "spec": {"binary": "b"}}))),
            ..References::default()
        };
        let mut settings = Settings::default();
        settings.runner.runner_image = Some("runner:1".to_owned());
        change(&mut run, &mut references, &mut settings);
        with_references(&run, BTreeMap::new(), references, &settings).err().map(|refusal| refusal.reason)
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
            run.spec.memory_ref = Some(NameRef { name: "m".to_owned() });
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

//! Whether an Agent can be used: what it refers to exists.

use crate::api::Agent;

use super::super::status::reason;
use super::super::text::non_blank;
use super::{Invalid, Verdict};

/// Which of the things an Agent refers to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The provider.
    pub provider: bool,
    /// The Memory.
    pub memory: bool,
}

/// Name of the Agent's Memory.
pub fn memory(agent: &Agent) -> Option<&str> {
    non_blank(&agent.spec.memory_ref.as_ref()?.name)
}

/// The verdict over an Agent.
pub fn check(agent: &Agent, found: Found) -> Verdict {
    let Some(provider) = non_blank(&agent.spec.provider_ref.name) else {
        return Err(Invalid::new(reason::MISSING_PROVIDER_REF, "spec.providerRef.name is blank"));
    };
    if !found.provider {
        let message = format!("AgentProvider {provider:?} does not exist");
        return Err(Invalid::new(reason::MISSING_PROVIDER, message));
    }
    match memory(agent) {
        Some(memory) if !found.memory => {
            Err(Invalid::new(reason::MISSING_MEMORY, format!("Memory {memory:?} does not exist")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("p", None, true, false, None)]
    #[case("p", Some("m"), true, true, None)]
    #[case("p", Some(" "), true, false, None)]
    #[case(" ", None, true, true, Some(reason::MISSING_PROVIDER_REF))]
    #[case("p", None, false, true, Some(reason::MISSING_PROVIDER))]
    #[case("p", Some("m"), false, false, Some(reason::MISSING_PROVIDER))]
    #[case("p", Some("m"), true, false, Some(reason::MISSING_MEMORY))]
    fn an_agent_needs_its_provider_and_the_memory_it_names(
        #[case] provider: &str,
        #[case] memory: Option<&str>,
        #[case] provider_found: bool,
        #[case] memory_found: bool,
        #[case] expected: Option<&str>,
    ) {
        let memory = memory.map(|name| json!({"name": name}));
        let agent: Agent = serde_json::from_value(json!({
            "metadata": {}, "spec": {"providerRef": {"name": provider}, "memoryRef": memory},
        }))
        .unwrap();
        let found = Found { provider: provider_found, memory: memory_found };
        assert_eq!(check(&agent, found).err().map(|invalid| invalid.reason), expected);
    }
}

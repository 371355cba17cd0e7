//! The system prompt: the first of four sources that is not blank.

use crate::api::{AgentRun, SystemPromptRef};
use crate::config::Settings;
use crate::defects::Defect;

use super::super::status::reason;
use super::super::text::{given, non_blank};
use super::{Plan, Refusal, policy};

/// Longest prompt, in characters.
const LIMIT: usize = 16_384;

/// A place where a prompt may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The text itself.
    Text(String),
    /// A key of a Secret or `ConfigMap`.
    Reference(SystemPromptRef),
}

/// All sources in their order of strength; blank texts are left out.
pub fn sources(run: &AgentRun, plan: &Plan) -> Vec<Source> {
    let defaults = plan.agent.spec.defaults.as_ref();
    let reference = |reference: Option<&SystemPromptRef>| reference.cloned().map(Source::Reference);
    let text = |text: Option<&String>| given(text).and(text).cloned().map(Source::Text);
    [
        reference(run.spec.system_prompt_ref.as_deref()),
        text(run.spec.system_prompt.as_ref()),
        reference(defaults.and_then(|defaults| defaults.system_prompt_ref.as_ref())),
        text(defaults.and_then(|defaults| defaults.system_prompt.as_ref())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether the run may read this reference.
pub fn check_reference(reference: &SystemPromptRef, plan: &Plan, settings: &Settings) -> Result<(), Refusal> {
    let (Some(name), Some(_)) = (non_blank(&reference.name), non_blank(&reference.key)) else {
        let message = format!("system prompt reference needs name and key: {reference:?}");
        return Err(Refusal::invalid(reason::INVALID_SYSTEM_PROMPT_REF, message));
    };
    match reference.kind.as_str() {
        "ConfigMap" => Ok(()),
        "Secret" => {
            if !plan.secrets.iter().any(|secret| secret == name) {
                let message = format!("Secret {name:?} of the system prompt is not in spec.secrets");
                return Err(Refusal::invalid(reason::SECRET_NOT_ALLOWED, message));
            }
            policy::allowed_secrets(&plan.agent, [name])?;
            policy::blocked_secrets(&settings.policy, [name])
        }
        other => {
            let message = format!("system prompt reference has kind {other:?}, not Secret or ConfigMap");
            Err(Refusal::invalid(reason::INVALID_SYSTEM_PROMPT_REF, message))
        }
    }
}

/// Checks what stands at the reference, `None` when object or key are missing. A blank text gives `None`.
pub fn check_content(
    reference: &SystemPromptRef,
    content: Option<Vec<u8>>,
) -> Result<Option<String>, Refusal> {
    // Messages name the place and never the content, which may be secret.
    let place = format!("{} {:?}, key {:?}", reference.kind, reference.name, reference.key);
    let content = content.ok_or_else(|| {
        let message = format!("system prompt does not exist: {place}");
        Refusal::invalid(reason::MISSING_SYSTEM_PROMPT_REF, message)
    })?;
    let text = String::from_utf8(content).map_err(|error| {
        let mut message = format!("system prompt is no UTF-8 text: {place}");
        if Defect::MessageQuotesSecret.is_planted() {
            message.push_str(&String::from_utf8_lossy(error.as_bytes()));
        }
        Refusal::invalid(reason::INVALID_SYSTEM_PROMPT, message)
    })?;
    let characters = text.chars().count();
    if characters > LIMIT {
        let message = format!("system prompt has {characters} characters, {LIMIT} are allowed: {place}");
        return Err(Refusal::invalid(reason::SYSTEM_PROMPT_TOO_LONG, message));
    }
    Ok(non_blank(&text).is_some().then_some(text))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn reference(kind: &str, name: &str) -> SystemPromptRef {
        SystemPromptRef { kind: kind.to_owned(), name: name.to_owned(), key: "k".to_owned() }
    }

    #[rstest]
    #[case(reference("ConfigMap", "c"), None)]
    #[case(reference("ConfigMap", " "), Some(reason::INVALID_SYSTEM_PROMPT_REF))]
    #[case(reference("Secret", "s"), None)]
    #[case(reference("Secret", "other"), Some(reason::SECRET_NOT_ALLOWED))]
    fn a_secret_must_be_among_the_runs_own(
        #[case] reference: SystemPromptRef,
        #[case] expected: Option<&str>,
    ) {
        let plan = Plan { secrets: vec!["s".to_owned()], ..Plan::default() };
        let refused = check_reference(&reference, &plan, &Settings::default()).err();
        assert_eq!(refused.map(|refusal| refusal.reason), expected);
    }

    #[rstest]
    #[case(None, Err(reason::MISSING_SYSTEM_PROMPT_REF))]
    #[case(Some(b" ".to_vec()), Ok(None))]
    #[case(Some(b"be kind".to_vec()), Ok(Some("be kind".to_owned())))]
    #[case(Some(vec![0xff]), Err(reason::INVALID_SYSTEM_PROMPT))]
    #[case(Some(vec![b'x'; LIMIT + 1]), Err(reason::SYSTEM_PROMPT_TOO_LONG))]
    fn the_content_decides(#[case] content: Option<Vec<u8>>, #[case] expected: Result<Option<String>, &str>) {
        let checked = check_content(&reference("Secret", "s"), content);
        assert_eq!(checked.map_err(|refusal| refusal.reason), expected);
    }
}

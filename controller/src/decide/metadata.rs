//! Labels, annotation and owner of generated objects.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::ObjectMeta;

use crate::api::AgentRun;
use crate::defects::Defect;

use super::names::{self, Part};
use super::ownership;
use super::validate::Plan;

/// Label with the run's name; Jobs are found by its existence.
pub const RUN_LABEL: &str = "agents.proompteng.ai/agent-run";
/// Annotation with the run's full name.
pub const RUN_ANNOTATION: &str = "agents.proompteng.ai/agent-run-name";
/// Finalizer that holds a run until its Jobs are deleted.
pub const FINALIZER: &str = "agents.proompteng.ai/runtime-cleanup";

/// Labels of all objects of a run.
pub fn labels(run: &AgentRun, plan: &Plan) -> BTreeMap<String, String> {
    let step_index = match plan.part {
        Part::Run => None,
        Part::Attempt { step, .. } => Some((step + 1).to_string()),
    };
    let known = [
        ("agent", Some(plan.agent_name.as_str())),
        ("provider", Some(plan.provider_name.as_str())),
        ("implementation", plan.implementation_name.as_deref()),
        ("step", plan.step_name.as_deref()),
        ("step-index", step_index.as_deref()),
    ];
    let mut labels = BTreeMap::from([(RUN_LABEL.to_owned(), names::run_label(&run.name_any()))]);
    for (key, value) in known {
        if let Some(value) = value.map(label_value).filter(|value| !value.is_empty()) {
            labels.insert(format!("agents.proompteng.ai/{key}"), value);
        }
    }
    labels
}

/// The annotation of all objects of a run.
pub fn annotations(run: &AgentRun) -> BTreeMap<String, String> {
    BTreeMap::from([(RUN_ANNOTATION.to_owned(), run.name_any())])
}

/// Metadata of the generated object with this suffix.
pub fn object(run: &AgentRun, plan: &Plan, suffix: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(names::object(&run.name_any(), suffix)),
        namespace: run.namespace(),
        labels: Some(labels(run, plan)),
        annotations: Some(annotations(run)),
        owner_references: ownership::reference(run)
            .filter(|_| !Defect::NothingIsOwned.is_planted())
            .map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// Turns any text into a valid label value.
fn label_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut replacing = false;
    for c in text.chars().flat_map(char::to_lowercase) {
        let keep = c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
        if keep {
            out.push(c);
        } else if !replacing {
            out.push('-');
        }
        replacing = !keep;
    }
    let alphanumeric = |text: &str| text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
    let cut: String = alphanumeric(&out).chars().take(63).collect();
    alphanumeric(&cut)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Codex Agent!", "codex-agent")]
    #[case("a_b.c-d", "a_b.c-d")]
    #[case("-x-", "x")]
    #[case("§§", "")]
    fn label_values_are_normalised(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(label_value(text), expected);
    }

    proptest! {
        /// [JOB-03]
        #[test]
        fn label_values_are_always_valid(text in ".{0,100}") {
            let value = label_value(&text);
            prop_assert!(value.len() <= 63);
            prop_assert!(value.is_empty() || value.starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(value.is_empty() || value.ends_with(|c: char| c.is_ascii_alphanumeric()));
        }
    }
}

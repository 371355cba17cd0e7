//! Where and as whom the pod runs: the run's runtime settings over the defaults of the environment.

use k8s_openapi::api::core::v1::PodSpec;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::config::RunnerDefaults;

use super::super::text::non_blank;

/// A setting in `spec.runtime.config` has the wrong shape.
#[derive(Debug, Error)]
#[error("runtime.config.{key} is {value}: {source}")]
pub struct ConfigError {
    key: &'static str,
    value: Value,
    source: serde_json::Error,
}

/// Fills the scheduling fields of `pod`.
pub(super) fn apply(
    pod: &mut PodSpec,
    config: Option<&Value>,
    defaults: &RunnerDefaults,
) -> Result<(), ConfigError> {
    pod.service_account_name = effective_service_account(config, defaults);
    pod.node_selector = setting(config, "nodeSelector", defaults.node_selector.as_ref())?;
    pod.tolerations = setting(config, "tolerations", defaults.tolerations.as_ref())?;
    pod.topology_spread_constraints =
        setting(config, "topologySpreadConstraints", defaults.topology_spread_constraints.as_ref())?;
    pod.affinity = setting(config, "affinity", defaults.affinity.as_ref())?;
    pod.security_context = setting(config, "podSecurityContext", defaults.pod_security_context.as_ref())?;
    pod.image_pull_secrets = setting(config, "imagePullSecrets", defaults.image_pull_secrets.as_ref())?;
    pod.priority_class_name = setting(config, "priorityClassName", defaults.priority_class.as_ref())?;
    pod.scheduler_name = setting(config, "schedulerName", defaults.scheduler_name.as_ref())?;
    Ok(())
}

/// The service account of the pod, `None` for the namespace's `default`.
pub fn effective_service_account(config: Option<&Value>, defaults: &RunnerDefaults) -> Option<String> {
    let own = config.and_then(|config| non_blank(config.get("serviceAccount")?.as_str()?));
    own.map(str::to_owned).or_else(|| defaults.service_account.clone())
}

/// The run's value if it gives one, else the default. An explicit empty value clears the default.
fn setting<T: DeserializeOwned + Clone>(
    config: Option<&Value>,
    key: &'static str,
    default: Option<&T>,
) -> Result<Option<T>, ConfigError> {
    match config.and_then(|config| config.get(key)) {
        None | Some(Value::Null) => Ok(default.cloned()),
        Some(value) if is_empty(value) => Ok(None),
        Some(value) => serde_json::from_value(value.clone()).map(Some).map_err(|source| ConfigError {
            key,
            value: value.clone(),
            source,
        }),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => non_blank(text).is_none(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// [JOB-09]
    #[rstest]
    #[case(json!({}), Some("default"))]
    #[case(json!({"priorityClassName": null}), Some("default"))]
    #[case(json!({"priorityClassName": "own"}), Some("own"))]
    #[case(json!({"priorityClassName": ""}), None)]
    fn the_runs_value_wins_and_an_empty_one_clears(#[case] config: Value, #[case] expected: Option<&str>) {
        let defaults =
            RunnerDefaults { priority_class: Some("default".to_owned()), ..RunnerDefaults::default() };
        let mut pod = PodSpec::default();
        apply(&mut pod, Some(&config), &defaults).unwrap();
        assert_eq!(pod.priority_class_name.as_deref(), expected);
    }

    #[test]
    fn a_setting_of_the_wrong_shape_is_named() {
        let error =
            apply(&mut PodSpec::default(), Some(&json!({"tolerations": "x"})), &RunnerDefaults::default());
        assert!(error.unwrap_err().to_string().starts_with("runtime.config.tolerations is \"x\""));
    }
}

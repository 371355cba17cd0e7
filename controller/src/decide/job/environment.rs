//! Environment of the container, in the documented order.

use k8s_openapi::api::core::v1::EnvVar;
use serde_json::Value;

use crate::config::Settings;

use super::super::validate::{Plan, Prompt};
use super::super::{run_files, template};
use super::volumes;

/// Fixed names and the provider's templates; a fixed name wins, wherever it stands.
pub(super) fn build(plan: &Plan, settings: &Settings, context: &Value) -> Vec<EnvVar> {
    let workspace = run_files::WORKSPACE;
    let mut before = vec![
        variable("AGENT_RUN_SPEC", format!("{workspace}/{}", run_files::RUN)),
        variable("AGENT_RUNNER_SPEC_PATH", format!("{workspace}/{}", run_files::RUNNER)),
    ];
    if let Some(auth) = &settings.auth_secret {
        before.push(variable("CODEX_HOME", auth.mount_path.clone()));
        before.push(variable("CODEX_AUTH", format!("{}/{}", auth.mount_path, auth.key)));
    }
    let mut after = vec![variable("AGENT_PROVIDER", plan.provider_name.clone())];
    if matches!(plan.prompt, Prompt::Reference(_)) {
        after.push(variable("CODEX_SYSTEM_PROMPT_PATH", volumes::system_prompt_path()));
    }
    let templates = plan.provider.spec.env_template.iter().flatten();
    let rendered: Vec<EnvVar> = templates
        .filter(|(name, _)| !before.iter().chain(&after).any(|fixed| fixed.name == **name))
        .map(|(name, value)| variable(name, template::render(value, context)))
        .collect();
    before.into_iter().chain(rendered).chain(after).collect()
}

fn variable(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value), value_from: None }
}

//! The two files through which the runner learns what to do: `run.json` and `agent-runner.json`.

use kube::ResourceExt;
use serde_json::{Map, Value, json};

use crate::api::{AgentRun, Memory};
use crate::config::RunnerDefaults;

use super::number;
use super::validate::{Plan, Prompt};

/// Directory of the files in the container.
pub const WORKSPACE: &str = "/workspace";
/// Name of the file with the run.
pub const RUN: &str = "run.json";
/// Name of the file with the runner's own settings.
pub const RUNNER: &str = "agent-runner.json";

/// Metadata keys that stand at the top of `run.json` when they are known.
const WELL_KNOWN: [&str; 9] =
    ["prompt", "repository", "issueNumber", "issueTitle", "issueBody", "issueUrl", "base", "head", "stage"];

/// Content of `run.json`.
pub fn run(run: &AgentRun, plan: &Plan) -> Value {
    let mut content = Map::new();
    let mut put = |key: &str, value: Value| content.insert(key.to_owned(), value);
    put("provider", json!(plan.provider_name));
    put("agentRun", identity(run));
    put("implementation", json!(plan.implementation));
    put("parameters", json!(plan.parameters));
    put("memory", memory(plan.memory.as_ref()));
    put("artifacts", json!(plan.provider.spec.output_artifacts.as_deref().unwrap_or_default()));
    if let Prompt::Inline(text) = &plan.prompt {
        put("systemPrompt", json!(text));
    }
    for key in WELL_KNOWN {
        if let Some(value) = plan.metadata.get(key) {
            put(key, json!(value));
        }
    }
    put("metadata", json!({"map": plan.metadata}));
    Value::Object(content)
}

/// Content of `agent-runner.json`.
pub fn runner(run: &AgentRun, plan: &Plan, defaults: &RunnerDefaults) -> Value {
    let config = run.spec.runtime.config.as_ref();
    let retention = config
        .and_then(|config| number::from_json(config.get("logRetentionSeconds")?))
        .map_or(defaults.log_retention_seconds, number::floor);
    json!({
        "provider": plan.provider_name,
        "inputs": plan.parameters,
        "payloads": {"eventFilePath": format!("{WORKSPACE}/{RUN}")},
        "artifacts": {
            "statusPath": format!("{WORKSPACE}/.agent/status.json"),
            "logPath": format!("{WORKSPACE}/.agent/runner.log"),
            "logRetentionSeconds": retention,
        },
    })
}

/// What templates of the provider can refer to.
pub fn template_context(run: &AgentRun, plan: &Plan) -> Value {
    json!({
        "agentRun": identity(run),
        "agent": {"name": plan.agent_name, "config": plan.agent.spec.config, "env": plan.agent.spec.env},
        "implementation": plan.implementation,
        "parameters": plan.parameters,
        "inputs": plan.parameters,
        "memory": memory(plan.memory.as_ref()),
        "vcs": null,
    })
}

fn identity(run: &AgentRun) -> Value {
    json!({"name": run.name_any(), "uid": run.uid(), "namespace": run.namespace()})
}

fn memory(memory: Option<&Memory>) -> Value {
    memory.map_or(
        Value::Null,
        |memory| json!({"type": memory.spec.type_, "connectionRef": memory.spec.connection.secret_ref}),
    )
}

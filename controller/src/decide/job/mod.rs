//! The Job of a run, complete: the API server adds its defaults and nothing else is changed later,
//! except for the TTL after the end (see [`super::ttl`]).

mod environment;
mod scheduling;
mod volumes;

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Container, EnvFromSource, PodSpec, PodTemplateSpec, ResourceRequirements, SecretEnvSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ObjectMeta;

use crate::api::{AgentRun, WorkloadResources};
use crate::config::Settings;
use crate::defects::Defect;

use super::validate::Plan;
use super::{metadata, number, run_files, template};

pub use scheduling::{ConfigError, effective_service_account};

/// Name of the only container.
pub const CONTAINER: &str = "agent-runner";

/// Builds the Job, or says which runtime setting has the wrong shape.
pub fn build(run: &AgentRun, plan: &Plan, settings: &Settings) -> Result<Job, ConfigError> {
    let context = run_files::template_context(run, plan);
    let (volumes, mounts) = volumes::build(run, plan, settings);
    let args = plan.provider.spec.args_template.iter().flatten();
    let args: Vec<String> = args.map(|arg| template::render(arg, &context)).collect();
    let container = Container {
        name: CONTAINER.to_owned(),
        image: Some(plan.image.clone()),
        command: Some(vec![plan.provider.spec.binary.clone()]),
        args: (!args.is_empty()).then_some(args),
        env: Some(environment::build(plan, settings, &context)),
        env_from: secrets(plan),
        resources: plan
            .workload
            .resources
            .as_ref()
            .filter(|_| !Defect::ResourcesDropped.is_planted())
            .and_then(resources),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    let mut pod = PodSpec {
        containers: vec![container],
        restart_policy: Some(
            if Defect::ContainersRestart.is_planted() { "OnFailure" } else { "Never" }.to_owned(),
        ),
        volumes: Some(volumes),
        ..PodSpec::default()
    };
    scheduling::apply(&mut pod, run.spec.runtime.config.as_ref(), &settings.runner)?;
    let labelled = ObjectMeta {
        labels: (!Defect::PodsWithoutRunLabel.is_planted()).then(|| metadata::labels(run, plan)),
        annotations: Some(metadata::annotations(run)),
        ..ObjectMeta::default()
    };
    Ok(Job {
        metadata: metadata::object(run, plan, &plan.part.job()),
        spec: Some(JobSpec {
            backoff_limit: Some(backoff_limit(run, settings)),
            ttl_seconds_after_finished: Defect::TtlAtCreation.is_planted().then_some(600),
            template: PodTemplateSpec { metadata: Some(labelled), spec: Some(pod) },
            ..JobSpec::default()
        }),
        status: None,
    })
}

fn backoff_limit(run: &AgentRun, settings: &Settings) -> i32 {
    let config = run.spec.runtime.config.as_ref();
    config
        .and_then(|config| number::from_json(config.get("backoffLimit")?))
        .map_or(settings.runner.backoff_limit.max(i32::from(Defect::OnePodRetry.is_planted())), |number| {
            i32::try_from(number::floor(number.trunc()).max(0)).unwrap_or(i32::MAX)
        })
}

fn secrets(plan: &Plan) -> Option<Vec<EnvFromSource>> {
    let sources: Vec<_> = plan
        .secrets
        .iter()
        .map(|name| EnvFromSource {
            secret_ref: Some(SecretEnvSource { name: name.clone(), optional: None }),
            ..EnvFromSource::default()
        })
        .collect();
    (!sources.is_empty()).then_some(sources)
}

fn resources(wanted: &WorkloadResources) -> Option<ResourceRequirements> {
    let quantities = |map: Option<&BTreeMap<String, String>>| {
        let map: BTreeMap<_, _> = map
            .into_iter()
            .flatten()
            .map(|(name, amount)| (name.clone(), Quantity(amount.clone())))
            .collect();
        (!map.is_empty()).then_some(map)
    };
    let requests = quantities(wanted.requests.as_ref());
    let limits = quantities(wanted.limits.as_ref());
    (requests.is_some() || limits.is_some()).then(|| ResourceRequirements {
        requests,
        limits,
        ..ResourceRequirements::default()
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_yaml_snapshot;
    use serde_json::json;

    use crate::config::AuthSecret;

    use super::super::validate::Prompt;
    use super::*;

    fn run(config: &serde_json::Value) -> AgentRun {
        serde_json::from_value(json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun",
            "metadata": {"name": "demo.v1", "namespace": "ns", "uid": "run-uid"},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job", "config": config}},
        }))
        .unwrap()
    }

    fn plan(workload: serde_json::Value) -> Plan {
        let provider = json!({"metadata": {"name": "p"}, "spec": {
            "binary": "/bin/run",
            "argsTemplate": ["{{ agentRun.name }}", "{{ parameters.stage }}"],
            "envTemplate": {"AGENT_PROVIDER": "hidden", "MODEL": "{{ agent.name }}"},
            "inputFiles": [{"path": "/etc/in", "content": "x"}],
        }});
        Plan {
            agent_name: "Agent One".to_owned(),
            provider_name: "p".to_owned(),
            provider: serde_json::from_value(provider).unwrap(),
            parameters: BTreeMap::from([("stage".to_owned(), "plan".to_owned())]),
            image: "runner:1".to_owned(),
            workload: serde_json::from_value(workload).unwrap(),
            ..Plan::default()
        }
    }

    /// [JOB-02] to [JOB-05], [TTL-07]
    #[test]
    fn a_plain_run_gives_this_job() {
        let job = build(&run(&json!({})), &plan(json!({})), &Settings::default()).unwrap();
        assert_yaml_snapshot!(job);
    }

    /// [JOB-08] [JOB-09]
    #[test]
    fn a_run_that_asks_for_everything_gives_this_job() {
        let config = json!({
            "backoffLimit": "2.9", "serviceAccount": "runner", "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "k", "operator": "Exists"}], "priorityClassName": "high",
            "imagePullSecrets": [{"name": "pull"}], "podSecurityContext": {"runAsNonRoot": true},
        });
        let mut plan = plan(json!({
            "resources": {"requests": {"cpu": "100m"}, "limits": {}},
            "volumes": [
                {"type": "emptyDir", "name": "tmp", "mountPath": "/tmp", "sizeLimit": "1Gi"},
                {"type": "pvc", "name": "data", "mountPath": "/data", "claimName": "c", "readOnly": true},
                {"type": "secret", "name": "key", "mountPath": "/key", "secretName": "s"},
            ],
        }));
        plan.secrets = vec!["s2".to_owned(), "s1".to_owned()];
        plan.implementation_name = Some("work".to_owned());
        plan.prompt = Prompt::Reference(
            serde_json::from_value(json!({"kind": "Secret", "name": "s1", "key": "prompt"})).unwrap(),
        );
        let settings = Settings {
            auth_secret: Some(AuthSecret {
                name: "auth".to_owned(),
                key: "auth.json".to_owned(),
                mount_path: "/root/.codex".to_owned(),
            }),
            ..Settings::default()
        };
        assert_yaml_snapshot!(build(&run(&config), &plan, &settings).unwrap());
    }
}

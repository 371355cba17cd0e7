//! A command as the Deployment that nobody applies: what starts, stops and watches processes then need not
//! know that there is none.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{Container, ContainerPort, EnvVar, PodSpec, PodTemplateSpec};
use kube::api::ObjectMeta;

use super::bundle::literal;
use super::implementation::Launch;

/// The Deployment whose pods would be the command in `namespace` with these settings.
pub(super) fn deployment(
    launch: &Launch,
    name: &str,
    namespace: &str,
    settings: BTreeMap<String, String>,
    replicas: u32,
) -> Deployment {
    let filled = |text: &str| {
        // The process' own environment knows its pod, as in a container.
        literal(text).replace("{namespace}", namespace).replace("{pod}", "$(HOSTNAME)")
    };
    let settings = settings.into_iter().map(|(name, value)| (name, literal(&value)));
    // What the file says stands over the settings: it may want to override one.
    let own = launch.environment.iter().map(|(name, value)| (name.clone(), filled(value)));
    let environment: BTreeMap<String, String> = settings.chain(own).collect();
    let container = Container {
        name: name.to_owned(),
        command: Some(launch.run.iter().map(|word| filled(word)).collect()),
        env: Some(
            environment
                .into_iter()
                .map(|(name, value)| EnvVar { name, value: Some(value), ..EnvVar::default() })
                .collect(),
        ),
        ports: Some(
            launch
                .ports
                .iter()
                .map(|port| ContainerPort { container_port: port.port.into(), ..ContainerPort::default() })
                .collect(),
        ),
        ..Container::default()
    };
    let pod = PodSpec {
        containers: vec![container],
        service_account_name: launch.account.as_ref().map(|account| account.value.clone()),
        termination_grace_period_seconds: Some(i64::try_from(launch.grace.as_secs()).unwrap_or(i64::MAX)),
        ..PodSpec::default()
    };
    Deployment {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            // Pods get theirs from it, and no two may have the same.
            uid: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(DeploymentSpec {
            replicas: Some(i32::try_from(replicas).unwrap_or(i32::MAX)),
            template: PodTemplateSpec { spec: Some(pod), ..PodTemplateSpec::default() },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Implementation;
    use crate::subject::pod_template::{PodIdentity, Sources, process};
    use crate::yaml::Source;

    fn started(settings: &[(&str, &str)]) -> crate::subject::pod_template::ProcessTemplate {
        let file = "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {name: n}\nspec:\n  \
                    install:\n    command:\n      \
                    run: [sh, -c, 'echo $HOME $(id) $$ in {namespace}', '{pod}']\n      \
                    environment: {WHERE: '{namespace}/{pod}', TTL: own}\n      \
                    ports: [{port: 8080, env: PORT}]\n      account: me\n      grace: 7s\n  \
                    health: {ready: {port: 8080, path: /readyz}}\n";
        let implementation = Implementation::parse(&Source::new("i.yaml", file)).unwrap();
        let launch = implementation.install.command().unwrap();
        let settings = settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let deployment = deployment(launch, "n", "home", settings.collect(), 1);
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        assert_eq!(pod.service_account_name.as_deref(), Some("me"));
        assert_eq!(pod.termination_grace_period_seconds, Some(7));
        let identity = PodIdentity { name: "n-0-0".to_owned(), ..PodIdentity::default() };
        process(&pod.containers[0], &identity, &Sources::default()).unwrap()
    }

    #[test]
    fn only_the_placeholders_of_the_harness_are_filled_in() {
        let started = started(&[]);
        assert_eq!(started.program, "sh");
        assert_eq!(started.arguments, ["-c", "echo $HOME $(id) $$ in home", "n-0-0"]);
        assert_eq!(started.environment["WHERE"], "home/n-0-0");
    }

    #[test]
    fn settings_arrive_as_they_are_unless_the_file_says_otherwise() {
        let started = started(&[("PRICE", "$(TTL) {pod}"), ("TTL", "5")]);
        assert_eq!(started.environment["PRICE"], "$(TTL) {pod}");
        assert_eq!(started.environment["TTL"], "own");
    }
}

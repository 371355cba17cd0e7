//! Tells processes which ports to use instead of those of their containers.

use k8s_openapi::api::core::v1::Container;

use super::implementation::PortMapping;
use super::pod_template::ProcessTemplate;

/// The mappings whose port the container declares.
pub(super) fn declared<'a>(container: &Container, mappings: &'a [PortMapping]) -> Vec<&'a PortMapping> {
    let declares =
        |number: u16| container.ports.iter().flatten().any(|port| port.container_port == i32::from(number));
    mappings.iter().filter(|mapping| declares(mapping.container_port)).collect()
}

/// Makes the process use `port` in place of the mapping's container port; wins over what the pod template
/// says, which is about the container.
pub(super) fn apply(mapping: &PortMapping, port: u16, process: &mut ProcessTemplate) {
    let number = port.to_string();
    process.arguments.extend(mapping.arguments.iter().map(|text| text.replace("{port}", &number)));
    if let Some(variable) = &mapping.env {
        process.environment.insert(variable.clone(), number);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn only_declared_ports_move() {
        let container: Container = serde_json::from_value(
            json!({"name": "c", "ports": [{"containerPort": 8080}, {"containerPort": 9090}]}),
        )
        .unwrap();
        let mapping = |container_port| PortMapping { container_port, env: None, arguments: Vec::new() };
        let mappings = [mapping(8080), mapping(50051)];
        assert_eq!(declared(&container, &mappings), [&mappings[0]]);
    }

    #[test]
    fn a_moved_port_wins_over_the_template_and_adds_arguments() {
        let mapping = PortMapping {
            container_port: 8080,
            env: Some("PORT".to_owned()),
            arguments: vec!["--bind=:{port}".to_owned()],
        };
        let environment = BTreeMap::from([("PORT".to_owned(), "8080".to_owned())]);
        let mut process =
            ProcessTemplate { program: "/p".to_owned(), arguments: vec!["run".to_owned()], environment };
        apply(&mapping, 20_001, &mut process);
        assert_eq!(process.environment["PORT"], "20001");
        assert_eq!(process.arguments, ["run", "--bind=:20001"]);
    }
}

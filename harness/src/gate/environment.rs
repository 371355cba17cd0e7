//! Variables that containers find in their environment.

use std::collections::BTreeMap;

use serde_json::Value;

use super::finding::Finding;
use super::rules;
use super::workload::{Container, list, text};

/// What changes in the environment of one container; `place` is the object.
pub(super) fn compare(place: &str, old: Container<'_>, new: Container<'_>) -> Vec<Finding> {
    let (before, after) = (variables(old.spec), variables(new.spec));
    let container = new.name;
    let tell = |rule, name: &str, what: String| {
        Finding::new(rule, format!("{place} container {container}"), format!("{container} {name}"), what)
            .mentioned_by([name])
    };
    let mut found = Vec::new();
    for (name, value) in &before {
        match after.get(name) {
            None => found.push(tell(
                rules::ENV_DROPPED,
                name,
                format!("the variable `{name}` is not set any more"),
            )),
            Some(other) if other != value => {
                found.push(tell(rules::ENV_CHANGED, name, format!("`{name}` {value} became {other}")));
            }
            Some(_) => {}
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        found.push(tell(rules::ENV_ADDED, name, format!("the variable `{name}` is new")));
    }
    found
}

/// By name, each with its value or where that comes from. Of a name that stands there twice the last counts,
/// as for the kubelet; what is taken as a whole from elsewhere counts by the name of its source.
fn variables(container: &Value) -> BTreeMap<String, String> {
    let single = list(container, "/env").iter().map(|variable| {
        let value = match (variable.get("value"), variable.get("valueFrom")) {
            (_, Some(from)) => format!("from {from}"),
            (Some(value), None) => value.to_string(),
            (None, None) => "\"\"".to_owned(),
        };
        (text(variable, "/name").to_owned(), value)
    });
    let whole = list(container, "/envFrom").iter().map(|source| {
        let name = ["/configMapRef/name", "/secretRef/name"].map(|pointer| text(source, pointer)).concat();
        (name, format!("all of {source}"))
    });
    whole.chain(single).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dropped_changed_and_new_variables_are_told_apart() {
        let old = json!({"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "C", "value": "3"}]});
        let new = json!({"name": "c", "env": [
            {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "C", "value": "4"}, {"name": "A", "value": "1"},
        ]});
        let pod = json!({});
        let container = |spec| Container { name: "c", spec, pod: &pod };
        let found: Vec<_> = compare("Deployment a", container(&old), container(&new))
            .into_iter()
            .map(|finding| (finding.rule.id, finding.subject, finding.mentions))
            .collect();
        let finding = |id, name: &str| (id, format!("c {name}"), vec![name.to_owned()]);
        assert_eq!(
            found,
            [finding("ENV-DROPPED", "B"), finding("ENV-CHANGED", "C"), finding("ENV-ADDED", "D")]
        );
    }
}

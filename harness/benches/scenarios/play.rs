//! The scenarios, as every tool finds them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Name of the `ConfigMap` in each namespace.
pub(crate) const NAME: &str = "demo";
/// Name of one that is never there.
pub(crate) const ABSENT: &str = "missing";
/// Whoever applies.
pub(crate) const MANAGER: &str = "bench";

/// The object with `data.step` at this value.
pub(crate) fn object(step: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "labels": {"app": "bench"}},
        "data": {"step": step, "text": "the same in all of them"},
    })
}

/// What the patch changes.
pub(crate) fn patch() -> Value {
    json!({"data": {"step": "patched"}})
}

/// Writes the suite of the harness into `folder`, and the objects for other tools.
pub(crate) fn write(folder: &Path, scenarios: u32) -> Result<()> {
    let write = |name: String, text: String| {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    };
    // JSON is YAML.
    write("suite/fixtures/create.yaml".to_owned(), object("created").to_string())?;
    write("suite/fixtures/apply.yaml".to_owned(), object("applied").to_string())?;
    write("create.yaml".to_owned(), object("created").to_string())?;
    write("apply.yaml".to_owned(), object("applied").to_string())?;
    write("patch.json".to_owned(), patch().to_string())?;
    let suite = json!({
        "apiVersion": "hallmark.dev/v1alpha1", "kind": "Suite", "metadata": {"name": "bench"},
        "spec": {"requirements": "requirements.yaml"},
    });
    write("suite/suite.yaml".to_owned(), suite.to_string())?;
    let requirement = json!({
        "id": "BENCH-01", "level": "MUST", "feature": "core", "source": "the bench",
        "statement": "An object is what was written last.",
    });
    let catalogue = json!({
        "apiVersion": "hallmark.dev/v1alpha1", "kind": "Requirements", "requirements": [requirement],
    });
    write("suite/requirements.yaml".to_owned(), catalogue.to_string())?;
    for number in 0..scenarios {
        write(format!("suite/s-{number}.yaml"), scenario(number).to_string())?;
    }
    Ok(())
}

fn scenario(number: u32) -> Value {
    let check = |step: &str| json!({"eventually": {"object": NAME, "matches": {"data": {"step": step}}}});
    json!({
        "apiVersion": "hallmark.dev/v1alpha1", "kind": "Scenario",
        "metadata": {"name": format!("s-{number}"), "labels": {"area": "bench"}},
        "spec": {
            "requirements": ["BENCH-01"],
            "summary": "Eight operations on an object.",
            "given": {"subject": "none"},
            "steps": [
                {"create": {"file": "fixtures/create.yaml", "as": NAME}},
                check("created"),
                {"apply": {"file": "fixtures/apply.yaml", "as": NAME, "fieldManager": MANAGER, "force": true}},
                check("applied"),
                {"patch": {"object": NAME, "merge": patch()}},
                check("patched"),
                {"eventually": {"configMap": {"name": ABSENT}, "exists": false}},
                {"delete": {"object": NAME}},
            ],
        },
    })
}

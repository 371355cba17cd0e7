//! The table "What is installed" of the README names every object that the chart renders, and no other.

use std::collections::BTreeSet;

use hallmark::cluster::provision;
use hallmark::event::EventSink;
use hallmark::subject::{Helm, HelmRelease};
use serde_json::{Value, json};

use crate::{chart, documents, read};

/// Kind and name.
type Object = (String, String);

/// The objects of the table. A row names kinds and, as code, their names; each kind has each of the names.
fn written() -> BTreeSet<Object> {
    let readme = read("README.md");
    let (_, section) = readme.split_once("\n## What is installed\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut objects = BTreeSet::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cell = row.split(" | ").next().unwrap();
        // Kinds stand before the first name, remarks behind the names.
        let kinds = cell.split('`').next().unwrap().split(' ');
        for kind in kinds.filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase())) {
            objects.extend(documents::code(cell).into_iter().map(|name| (kind.to_owned(), name.to_owned())));
        }
    }
    objects
}

async fn rendered(helm: &Helm, value_files: &[&str], values: Value) -> BTreeSet<Object> {
    let folder = chart("");
    let value_files: Vec<_> = value_files.iter().map(|file| chart(file)).collect();
    let release = HelmRelease {
        chart: &folder,
        name: "agents",
        namespace: "agents",
        value_files: &value_files,
        values: &values,
    };
    let objects = helm.template(release, &[]).await.unwrap();
    let text = |object: &Value, path: &str| object.pointer(path).unwrap().as_str().unwrap().to_owned();
    objects.iter().map(|object| (text(object, "/kind"), text(object, "/metadata/name"))).collect()
}

/// The chart makes these names from the release `agents` in the namespace `agents`.
fn with_names(objects: BTreeSet<Object>) -> BTreeSet<Object> {
    let name = |name: String| name.replace("<namespace>", "agents").replace("<release>", "agents");
    objects.into_iter().map(|(kind, it)| (kind, name(it))).collect()
}

#[tokio::test]
async fn the_table_names_every_object_and_no_other() {
    let (events, _receiver) = EventSink::channel();
    let helm = Helm::new(&provision::helm(&events).await.unwrap()).unwrap();
    let everything = ["ci/everything-values.yaml"];
    let one_namespace = json!({"rbac": {"clusterScoped": false}, "controller": {"namespaces": []}, "orchestrationController": {"namespaces": []}});
    let mut objects = rendered(&helm, &[], json!({})).await;
    objects.extend(rendered(&helm, &everything, json!({})).await);
    objects.extend(rendered(&helm, &everything, one_namespace).await);
    let written = with_names(written());
    assert!(objects.len() > 20, "{objects:?}");
    let missing: Vec<_> = objects.difference(&written).collect();
    assert!(missing.is_empty(), "the table lacks {missing:?}");
    let superfluous: Vec<_> = written.difference(&objects).collect();
    assert!(superfluous.is_empty(), "nothing renders {superfluous:?}");
}

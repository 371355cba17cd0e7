//! The examples: one for each kind, both runtimes, and an Application that names what is there.
//!
//! That the API server accepts them is claimed by scenarios.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::{chart, read, values};

fn parse(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn there_is_an_example_of_every_kind_and_of_both_runtimes() {
    let files = |folder: &str| {
        let entries = fs::read_dir(chart(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries
            .filter(|path| path.is_file())
            .map(|path| parse(&fs::read_to_string(path).unwrap()))
            .collect::<Vec<_>>()
    };
    let kinds: BTreeSet<_> = files("crds").iter().map(|it| it["spec"]["names"]["kind"].to_string()).collect();
    let examples = files("examples");
    let shown: BTreeSet<_> = examples.iter().map(|it| it["kind"].to_string()).collect();
    assert_eq!(shown, kinds);
    let runtimes: BTreeSet<_> =
        examples.iter().filter_map(|it| it["spec"]["runtime"]["type"].as_str()).collect();
    assert_eq!(runtimes, BTreeSet::from(["job", "workflow"]));
}

#[test]
fn the_application_installs_this_chart_with_its_definitions() {
    let application = parse(&read("examples/argocd/application.yaml"));
    let source = &application["spec"]["source"];
    assert_eq!(source["path"], "charts/agents");
    assert_eq!(source["helm"]["skipCrds"], false);
    for file in source["helm"]["valueFiles"].as_array().unwrap() {
        assert!(chart(file.as_str().unwrap()).is_file(), "there is no {file}");
    }
    let known = values::data();
    for (key, group) in source["helm"]["valuesObject"].as_object().unwrap() {
        for below in group.as_object().unwrap().keys() {
            assert!(known[key].get(below).is_some(), "there is no key {key}.{below}");
        }
    }
    let options: Vec<_> =
        application["spec"]["syncPolicy"]["syncOptions"].as_array().unwrap().iter().collect();
    assert!(options.contains(&&Value::from("ServerSideApply=true")), "{options:?}");
}

//! Chart and documents speak of the conditions, reasons, metrics and variables that the controller has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::documents::{WITHOUT_KEY, code, documents};
use crate::environment;

/// What the platform gives: the name of the pod is also in `HOSTNAME`, which the kubelet sets.
const GIVEN: [&str; 1] = ["JANGAR_POD_NAME"];

/// A source file of the controller.
fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether every word is CamelCase.
fn is_camel_case(words: &[&str]) -> bool {
    words.iter().all(|word| {
        word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.contains(|other: char| other.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Reasons are written behind their condition, as in `Blocked/RateLimit`.
#[test]
fn every_condition_with_a_reason_in_a_document_exists() {
    let reasons = source("decide/status/reason.rs");
    let mut found = 0;
    for (name, text) in documents() {
        for word in code(&text) {
            let words: Vec<_> = word.split('/').collect();
            if words.len() != 2 || !is_camel_case(&words) {
                continue;
            }
            for word in words {
                assert!(reasons.contains(&format!("\"{word}\"")), "{name}: the controller never says {word}");
            }
            found += 1;
        }
    }
    assert!(found > 10, "only {found} reasons were found");
}

#[test]
fn every_metric_in_a_document_exists() {
    let registry = source("metrics/registry.rs");
    let mut found = 0;
    for (name, text) in documents() {
        for word in code(&text) {
            let Some(metric) = word.strip_prefix("agents_").filter(|metric| !metric.is_empty()) else {
                continue;
            };
            let registered = metric.strip_suffix("_total").unwrap_or(metric);
            assert!(registry.contains(&format!("\"{registered}\"")), "{name}: there is no metric {word}");
            found += 1;
        }
    }
    assert!(found > 15, "only {found} metrics were found");
}

/// [CH-01] A setting that the chart cannot pass on would be out of reach.
#[test]
fn every_variable_that_the_controller_reads_is_rendered_or_documented() {
    let known: BTreeSet<_> = environment::rendered()
        .into_iter()
        .chain(WITHOUT_KEY.into_iter().chain(GIVEN).map(str::to_owned))
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let mut read = BTreeSet::new();
    for text in files {
        // Every second part is inside of quotes; names that are put together from parts are passed over.
        let quoted = text.split('"').skip(1).step_by(2).filter(|it| it.starts_with("JANGAR_"));
        let whole = |it: &&str| it.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        read.extend(quoted.filter(whole).map(str::to_owned));
    }
    let missing: Vec<_> = read.difference(&known).collect();
    assert!(missing.is_empty(), "the chart does not render {missing:?}");
    assert!(read.len() > 30, "only {} variables were found", read.len());
}

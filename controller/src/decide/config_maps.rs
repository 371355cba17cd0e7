//! The `ConfigMap`s of a run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use crate::api::AgentRun;
use crate::config::RunnerDefaults;
use crate::defects::Defect;

use super::validate::Plan;
use super::{metadata, run_files};

/// Key of the input file with this index.
pub fn input_key(index: usize) -> String {
    format!("input-{index}")
}

/// The `ConfigMap` with the run's files, and the one with the provider's input files if it has any.
pub fn build(run: &AgentRun, plan: &Plan, defaults: &RunnerDefaults) -> Vec<ConfigMap> {
    let files = BTreeMap::from([
        (run_files::RUN.to_owned(), run_files::run(run, plan).to_string()),
        (run_files::RUNNER.to_owned(), run_files::runner(run, plan, defaults).to_string()),
    ]);
    let inputs: BTreeMap<String, String> = plan
        .provider
        .spec
        .input_files
        .iter()
        .flatten()
        .enumerate()
        .map(|(index, file)| (input_key(index), file.content.clone()))
        .collect();
    let config_map = |suffix: String, data| ConfigMap {
        metadata: metadata::object(run, plan, &suffix),
        data: Some(data),
        ..ConfigMap::default()
    };
    let mut built = vec![config_map(plan.part.spec(), files)];
    if !inputs.is_empty() {
        built.push(config_map(plan.part.inputs(), inputs));
    }
    if Defect::ConfigMapsWithoutOwner.is_planted() {
        for config_map in &mut built {
            config_map.metadata.owner_references = None;
        }
    }
    built
}

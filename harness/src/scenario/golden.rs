//! Golden files: the whole expected object, as data.

use std::collections::BTreeMap;
use std::path::{Component, PathBuf};
use std::sync::Arc;

use super::case::PlannedCase;
use crate::yaml::{Location, Node, Source};

/// A golden file and the place that refers to it.
#[derive(Debug, Clone)]
pub struct Golden {
    /// Where the file lies, for `--bless`.
    pub path: PathBuf,
    /// Its text; empty if the file does not exist yet and is about to be blessed.
    pub source: Arc<Source>,
    /// Its content, templates such as `${{ objects.run.metadata.uid }}` not yet expanded.
    pub template: Node,
    /// Where the scenario refers to it.
    pub location: Location,
}

impl Golden {
    /// Its name in reports: the path without detours, so that scenarios of all folders have one name for it.
    pub fn name(&self) -> String {
        let mut straight = PathBuf::new();
        for part in self.path.components() {
            let leads_back = part == Component::ParentDir
                && matches!(straight.components().next_back(), Some(Component::Normal(_)));
            if leads_back {
                straight.pop();
            } else {
                straight.push(part);
            }
        }
        straight.display().to_string()
    }
}

/// The golden files of these cases, each once, by name with its text.
pub fn texts<'a>(cases: impl IntoIterator<Item = &'a PlannedCase>) -> BTreeMap<String, String> {
    let goldens = cases.into_iter().flat_map(PlannedCase::goldens);
    goldens.map(|golden| (golden.name(), golden.source.text().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::of_another_folder(
        "scenarios/job-ttl/../expected/run.job.yaml",
        "scenarios/expected/run.job.yaml"
    )]
    #[case::of_its_own("scenarios/jobs/expected/auth.job.yaml", "scenarios/jobs/expected/auth.job.yaml")]
    #[case::above_the_working_folder("../suite/a/../run.yaml", "../suite/run.yaml")]
    fn a_golden_file_has_one_name_however_a_scenario_leads_to_it(#[case] path: &str, #[case] name: &str) {
        let source = Source::new(path, String::new());
        let location = Location::start_of(&source);
        let template = Node { value: crate::yaml::Value::Map(Vec::new()), location: location.clone() };
        assert_eq!(Golden { path: path.into(), source, template, location }.name(), name);
    }
}

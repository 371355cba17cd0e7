//! Which cases files that changed are about.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::PlannedCase;
use super::suite::Suite;

/// Paths of files and folders that changed, whoever names them in whatever way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes(BTreeSet<PathBuf>);

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changed paths, without `.` and `..`, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(PathBuf::as_path)
    }

    /// The cases of a suite that depend on what changed, in their order: by their own file, a fixture or a
    /// golden file, or because every case does.
    pub fn concerned<'a>(&self, suite: &'a Suite) -> Vec<&'a PlannedCase> {
        if self.meet(suite.common_files()) {
            return suite.cases().iter().collect();
        }
        suite.cases().iter().filter(|case| self.meet(&case.files)).collect()
    }

    /// Whether a file of the suite changed, also one that decides no verdict.
    pub fn are_about(&self, suite: &Suite) -> bool {
        self.meet(suite.files().iter().map(|file| file.path()))
    }

    /// A folder that was renamed or removed is told by its own path, so what was in it has changed as well.
    fn meet(&self, files: impl IntoIterator<Item = impl AsRef<Path>>) -> bool {
        files.into_iter().any(|file| plain(file.as_ref()).ancestors().any(|path| self.0.contains(path)))
    }
}

impl Extend<PathBuf> for Changes {
    fn extend<T: IntoIterator<Item = PathBuf>>(&mut self, paths: T) {
        self.0.extend(paths.into_iter().map(|path| plain(&path)));
    }
}

impl FromIterator<PathBuf> for Changes {
    fn from_iter<T: IntoIterator<Item = PathBuf>>(paths: T) -> Self {
        let mut changes = Self::default();
        changes.extend(paths);
        changes
    }
}

/// The absolute path without `.` and `..`. Links are not resolved: whoever watches a folder names what is in
/// it by the name of the folder that was given.
pub fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_no_current_folder| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SUITE: &[(&str, &str)] = &[
        (
            "suite.yaml",
            "apiVersion: hallmark.dev/v1alpha1\nkind: Suite\nmetadata: {name: s}\nspec: {requirements: requirements.yaml}\n",
        ),
        (
            "requirements.yaml",
            "apiVersion: hallmark.dev/v1alpha1\nkind: Requirements\nrequirements:\n  - {id: A-1, statement: a, level: MUST, feature: core, source: s}\n",
        ),
        ("one/one.yaml", "one"),
        ("two/two.yaml", "two"),
        ("shared/fixtures/map.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: map}}"),
        ("two/expected/map.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: map}}"),
    ];

    fn scenario(name: &str) -> String {
        let claim = match name {
            "two" => "golden: expected/map.yaml",
            _ => "exists: true",
        };
        format!(
            "apiVersion: hallmark.dev/v1alpha1
kind: Scenario
metadata: {{name: {name}}}
spec:
  requirements: [A-1]
  summary: A map is there.
  given: {{subject: none, objects: [../shared/fixtures/map.yaml]}}
  cases: [{{name: first}}, {{name: second}}]
  steps:
    - eventually: {{object: map, {claim}}}
"
        )
    }

    fn suite() -> (tempfile::TempDir, Suite) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in SUITE {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = if text.len() == 3 { scenario(text) } else { (*text).to_owned() };
            std::fs::write(path, text).unwrap();
        }
        let suite = Suite::load(folder.path()).unwrap_or_else(|error| panic!("{:#?}", error.diagnostics));
        (folder, suite)
    }

    #[rstest]
    #[case::its_own_file(&["one/one.yaml"], &["one/first", "one/second"])]
    #[case::a_golden_file(&["two/expected/map.yaml"], &["two/first", "two/second"])]
    #[case::a_shared_fixture(&["shared/fixtures/map.yaml"], &["one/first", "one/second", "two/first", "two/second"])]
    #[case::another_way_to_the_fixture(&["one/../shared/./fixtures/map.yaml"], &["one/first", "one/second", "two/first", "two/second"])]
    #[case::a_folder(&["two"], &["two/first", "two/second"])]
    #[case::the_suite(&["suite.yaml"], &["one/first", "one/second", "two/first", "two/second"])]
    #[case::the_catalogue(&["requirements.yaml"], &[])]
    #[case::what_an_editor_leaves(&["one/.one.yaml.swp", "one/4913", "one/one.yaml~"], &[])]
    #[case::nothing(&[], &[])]
    fn a_change_concerns_the_cases_that_read_it(#[case] paths: &[&str], #[case] expected: &[&str]) {
        let (folder, suite) = suite();
        let changes: Changes = paths.iter().map(|path| folder.path().join(path)).collect();
        let found: Vec<String> = changes.concerned(&suite).iter().map(|case| case.id.to_string()).collect();
        assert_eq!(found, expected);
    }
}

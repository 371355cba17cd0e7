//! Whether what a file names as the previous version of its chart can be one. Helm is not asked.

use std::path::Path;

use super::Implementation;
use crate::diagnostic::Diagnostic;
use crate::subject::package::{is_packed, unpack_chart};
use crate::yaml::{Node, Source, parse_documents};

/// The file of a chart that tells its version.
const CHART_FILE: &str = "Chart.yaml";
const WHAT_TO_NAME: &str =
    "name the folder of a chart, or a packed one (`helm package` makes `NAME-VERSION.tgz`)";

impl Implementation {
    /// What is wrong with the previous version of the chart, if the file names one.
    pub(super) fn check_previous(&self) -> Result<(), Box<Diagnostic>> {
        let Some(chart) = self.install.chart() else { return Ok(()) };
        let Some(previous) = &chart.previous else { return Ok(()) };
        let complaint = |message, help: &str| {
            let diagnostic = Diagnostic::new(previous.location.clone(), message);
            Box::new(diagnostic.with_label("relative to this file").with_help(help))
        };
        let path = self.resolve(previous);
        if !path.exists() {
            let message = format!("there is no chart at `{}`", previous.display());
            return Err(complaint(message, &format!("`{}` does not exist", path.display())));
        }
        let version = version(&path).map_err(|reason| {
            complaint(format!("`{}` is no chart: {reason}", previous.display()), WHAT_TO_NAME)
        })?;
        // One that cannot be told is not this file's mistake: helm complains about it.
        let current = self.resolve(&chart.path);
        if self::version(&current).is_ok_and(|current| current == version) {
            let message = format!("the chart and its previous version are both {version}");
            let help = format!(
                "name the version that was released before, or raise `version` in `{}`",
                current.join(CHART_FILE).display()
            );
            return Err(complaint(message, &help));
        }
        Ok(())
    }
}

/// The version of a chart, or why there is none.
fn version(chart: &Path) -> Result<String, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| error.to_string());
    let text = if chart.is_dir() {
        let file = chart.join(CHART_FILE);
        if file.exists() { Some(read(&file)?) } else { None }
    } else if is_packed(chart) {
        let mut files = unpack_chart(read(chart)?.as_slice()).map_err(|error| error.to_string())?;
        files.remove(CHART_FILE)
    } else {
        return Err("it is neither a folder nor packed".to_owned());
    };
    let text = text.ok_or_else(|| format!("it has no {CHART_FILE}"))?;
    let source = Source::new(chart.join(CHART_FILE), String::from_utf8_lossy(&text));
    let documents = parse_documents(&source).map_err(|error| error.to_string())?;
    let version = documents.first().and_then(|chart| chart.get("version")).and_then(Node::as_str);
    version.map(str::to_owned).ok_or_else(|| format!("its {CHART_FILE} has no `version`"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use rstest::rstest;

    use super::super::ImplementationError;
    use super::*;
    use crate::subject::package::pack;

    /// A file beside its chart of version 2.0.0, and other charts and files.
    fn written(folder: &Path, previous: &str) -> PathBuf {
        let write = |path: &str, content: &[u8]| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, content).expect("written");
        };
        write("now/Chart.yaml", b"version: 2.0.0");
        write("old/Chart.yaml", b"version: 1.0.0");
        write("same/Chart.yaml", b"version: 2.0.0");
        write("unnumbered/Chart.yaml", b"name: x");
        write("empty/readme.md", b"");
        write("old.tgz", &pack(&[("mine/Chart.yaml", "version: 1.0.0")]));
        write("same.tgz", &pack(&[("mine/Chart.yaml", "version: 2.0.0")]));
        write("empty.tgz", &pack(&[("mine/readme.md", "")]));
        write("broken.tgz", b"no archive");
        write(
            "mine.yaml",
            format!(
                "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {{name: n}}\nspec:\n  \
                 install: {{chart: {{path: now, previous: {previous}, release: r}}}}\n  \
                 settings: {{namespaces: {{path: n}}}}\n  health: {{ready: {{port: 1, path: /}}}}\n"
            )
            .as_bytes(),
        );
        folder.join("mine.yaml")
    }

    #[rstest]
    #[case::not_there("nowhere", "there is no chart at `nowhere`")]
    #[case::a_folder_of_something_else("empty", "`empty` is no chart: it has no Chart.yaml")]
    #[case::a_package_of_something_else("empty.tgz", "`empty.tgz` is no chart: it has no Chart.yaml")]
    #[case::no_package("broken.tgz", "`broken.tgz` is no chart: ")]
    #[case::a_file("now/Chart.yaml", "`now/Chart.yaml` is no chart: it is neither a folder nor packed")]
    #[case::without_a_version("unnumbered", "`unnumbered` is no chart: its Chart.yaml has no `version`")]
    #[case::the_same_chart("now", "the chart and its previous version are both 2.0.0")]
    #[case::a_folder_of_the_same_version("same", "the chart and its previous version are both 2.0.0")]
    #[case::a_package_of_the_same_version("same.tgz", "the chart and its previous version are both 2.0.0")]
    fn what_is_no_previous_version_is_told_where_it_is_named(#[case] previous: &str, #[case] message: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        match Implementation::load(&written(folder.path(), previous)) {
            Err(ImplementationError::Invalid(diagnostic)) => {
                assert!(diagnostic.message.starts_with(message), "{diagnostic}");
                let span = diagnostic.location.span;
                assert_eq!((span.line, span.column), (5, 42), "{diagnostic}");
                assert!(diagnostic.help.is_some(), "{diagnostic}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::folder("old")]
    #[case::packed("old.tgz")]
    fn releases_that_are_upgraded_begin_with_it_and_the_same_settings(#[case] previous: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut read = Implementation::load(&written(folder.path(), previous)).expect("it is one");
        read.install.values_mut().insert("defect".to_owned(), true.into());
        let now = Arc::new(read);
        let first = now.first();
        assert_eq!(first.chart().expect("a chart"), folder.path().join(previous));
        assert_eq!(first.install.values(), now.install.values());
        assert_eq!(first.first().chart(), first.chart(), "nothing is before the first");
    }

    #[test]
    fn another_version_that_is_given_wins() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = Implementation::load(&written(folder.path(), "old")).expect("it is one");
        let given = read.clone().with_chart("same".into());
        let now = Arc::new(read.succeeding(given));
        assert_eq!(now.first().chart().expect("a chart"), folder.path().join("same"));
        let alone = Arc::new(now.as_ref().clone().with_chart("now".into()));
        assert_eq!(alone.first().chart().expect("a chart"), folder.path().join("same"));
    }
}

//! The task that consumes the events of a run.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::aggregate::Aggregate;
use super::beside::Beside;
use super::error::ReportError;
use super::files;
use super::human::Human;
use super::settings::Settings;
use super::summary::Summary;
use crate::event::Event;

/// Reports a run until every sink of its events is gone; the end is then told and written, however the
/// run came to it.
///
/// Report files are first written before anything happens, as inconclusive: a run that is killed leaves
/// no file of an earlier run behind that could be taken for its own.
pub fn spawn(
    receiver: mpsc::UnboundedReceiver<Event>,
    settings: Settings,
) -> JoinHandle<Result<Summary, ReportError>> {
    tokio::task::spawn_blocking(move || {
        let (folder, step_summary) = (settings.report_dir.clone(), settings.step_summary.clone());
        report(receiver, folder.as_deref(), step_summary.as_deref(), Human::stderr(settings))
    })
}

/// Shows the preparations of a command that has no verdict, until every sink of its events is gone.
pub fn spawn_progress(mut receiver: mpsc::UnboundedReceiver<Event>, settings: Settings) -> JoinHandle<()> {
    tokio::task::spawn_blocking(move || {
        let mut human = Human::stderr(settings);
        let run = Aggregate::default();
        while let Some(event) = receiver.blocking_recv() {
            human.event(&event, &run);
        }
        human.clear();
    })
}

pub(super) fn report<W: Write>(
    mut receiver: mpsc::UnboundedReceiver<Event>,
    folder: Option<&Path>,
    step_summary: Option<&Path>,
    mut human: Human<W>,
) -> Result<Summary, ReportError> {
    let save = |run: &Aggregate| match folder {
        Some(folder) => files::write_all(folder, run, Timestamp::now()),
        None => Ok(()),
    };
    let mut run = Aggregate::default().with(folder.map(Beside::read).unwrap_or_default());
    let mut saved = save(&run);
    while let Some(event) = receiver.blocking_recv() {
        run.apply(&event);
        human.event(&event, &run);
        if matches!(event, Event::RunStarted(_)) {
            saved = saved.and_then(|()| save(&run));
        }
    }
    let last = save(&run).and_then(|()| match step_summary {
        Some(file) => files::append_summary(file, &run),
        None => Ok(()),
    });
    human.finish(&run);
    saved.and(last)?;
    Ok(run.summary())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Human, ReportError, Summary, report};
    use crate::event::{Event, EventSink};
    use crate::exit;
    use crate::report::fixture::{Run, failed, inconclusive, passed, skipped};
    use crate::report::{JUNIT_FILE, REPORT_FILE, Settings};

    fn reported(events: Vec<Event>, folder: &Path) -> Result<Summary, ReportError> {
        let (sink, receiver) = EventSink::channel();
        for event in events {
            sink.send(event);
        }
        drop(sink);
        let summary = folder.parent().map(|parent| parent.join("summary.md"));
        report(receiver, Some(folder), summary.as_deref(), Human::new(std::io::sink(), Settings::default()))
    }

    struct Written {
        summary: Summary,
        junit: quick_junit::Report,
        report: serde_json::Value,
    }

    fn written(run: &Run) -> Written {
        let folder = tempfile::tempdir().expect("a folder");
        let summary = reported(run.events(), &folder.path().join("new")).expect("reports are written");
        let read = |name| std::fs::read_to_string(folder.path().join("new").join(name)).expect("a report");
        let source = crate::yaml::Source::new(REPORT_FILE, read(REPORT_FILE));
        let report = crate::yaml::parse_documents(&source).expect("valid YAML")[0].to_json();
        let junit = quick_junit::Report::deserialize_from_str(&read(JUNIT_FILE)).expect("valid JUnit");
        Written { summary, junit, report }
    }

    #[rstest::rstest]
    #[case::green(Run::of([passed(), passed(), passed()]), exit::CONFORMANT, "conformant", (0, 0))]
    #[case::filtered(Run::of([passed()]).filtered(), exit::CONFORMANT, "notDecided", (0, 0))]
    #[case::failed(Run::of([passed(), failed()]), exit::NON_CONFORMANT, "nonConformant", (1, 0))]
    #[case::inconclusive(Run::of([passed(), inconclusive()]), exit::INCONCLUSIVE, "inconclusive", (0, 1))]
    #[case::both(Run::of([inconclusive(), failed()]), exit::NON_CONFORMANT, "nonConformant", (1, 1))]
    #[case::empty(Run::of([]), exit::NOTHING_RUN, "nothingRun", (0, 1))]
    #[case::skipped_only(Run::of([skipped()]), exit::NOTHING_RUN, "nothingRun", (0, 1))]
    #[case::interrupted(Run::of([passed(), passed()]).without_verdict(1).interrupted(), exit::INCONCLUSIVE, "inconclusive", (0, 1))]
    #[case::interrupted_late(Run::of([passed()]).interrupted(), exit::INCONCLUSIVE, "inconclusive", (0, 1))]
    #[case::interrupted_red(Run::of([failed(), passed()]).without_verdict(1).interrupted(), exit::NON_CONFORMANT, "nonConformant", (1, 1))]
    fn exit_code_junit_and_report_agree(
        #[case] run: Run,
        #[case] code: u8,
        #[case] result: &str,
        #[case] (failures, errors): (usize, usize),
    ) {
        let written = written(&run);
        assert_eq!(written.summary.exit, code);
        assert_eq!(written.report["result"], result);
        assert_eq!((written.junit.failures, written.junit.errors), (failures, errors));
    }

    #[test]
    fn the_summary_of_a_job_is_appended_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("summary.md");
        std::fs::write(&file, "from another step\n").expect("a summary");
        reported(Run::of([passed()]).events(), &folder.path().join("new")).expect("reports are written");
        let text = std::fs::read_to_string(&file).expect("a summary");
        assert!(text.starts_with("from another step\n### "), "{text}");
        assert_eq!(text.matches("### ").count(), 1, "{text}");
    }

    #[test]
    fn files_of_an_earlier_run_do_not_outlive_the_start_of_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(REPORT_FILE);
        std::fs::write(&path, "result: conformant\n").expect("an old report");
        let summary = reported(Vec::new(), folder.path()).expect("reports are written");
        assert_eq!(summary.exit, exit::INCONCLUSIVE);
        assert!(std::fs::read_to_string(&path).expect("a report").contains("result: inconclusive"));
    }

    #[test]
    fn a_report_that_cannot_be_written_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert!(reported(Run::of([passed()]).events(), file.path()).is_err());
    }
}

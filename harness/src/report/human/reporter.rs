//! Which event is worth which words.

use std::collections::HashSet;
use std::io::{IsTerminal as _, Write};
use std::time::Duration;

use super::live::Live;
use super::style::{BOLD, DIM, GREEN, RED, YELLOW, indent, paint, time};
use super::{explain, summary};
use crate::count::count;
use crate::event::{CaseId, CaseResult, Event, RunInfo, Verdict};
use crate::report::aggregate::{Aggregate, Outcome};
use crate::report::settings::{Progress, Settings, Verbosity};

/// Columns where the width of the terminal is not known.
const DEFAULT_WIDTH: u16 = 140;

/// The reporter for people; `W` removes styles if they are not wanted.
pub(in crate::report) struct Human<W> {
    out: W,
    settings: Settings,
    width: u16,
    live: Option<Live>,
    phases: HashSet<String>,
}

impl Human<anstream::AutoStream<std::io::Stderr>> {
    /// The reporter on stderr.
    pub(in crate::report) fn stderr(settings: Settings) -> Self {
        let stderr = std::io::stderr();
        let live = match settings.progress {
            Progress::Live => true,
            Progress::Lines => false,
            Progress::Auto => stderr.is_terminal() && std::env::var_os("CI").is_none(),
        };
        let width = rustix::termios::tcgetwinsize(&stderr).map_or(DEFAULT_WIDTH, |size| size.ws_col.max(60));
        let out = anstream::AutoStream::new(stderr, settings.color);
        let live = (live && settings.verbosity > Verbosity::Quiet).then(Live::new);
        Self { out, settings, width, live, phases: HashSet::new() }
    }
}

impl<W: Write> Human<W> {
    /// The reporter on any stream, with lines instead of spinners.
    pub(in crate::report) fn new(out: W, settings: Settings) -> Self {
        Self { out, settings, width: DEFAULT_WIDTH, live: None, phases: HashSet::new() }
    }

    /// Says what the event is worth; `run` has taken it in already.
    pub(in crate::report) fn event(&mut self, event: &Event, run: &Aggregate) {
        match event {
            Event::Progress { phase, detail } => self.progress(phase, detail),
            Event::ProgressDone { phase, elapsed } => self.progress_done(phase, *elapsed),
            Event::Note { message } => {
                self.say(Verbosity::Normal, &format!("{} {message}", paint(BOLD, "note:")));
            }
            // Without it nobody would know what became of the cases, however little is to be said.
            Event::Trouble { message } => self.say(Verbosity::Quiet, message),
            Event::RunStarted(info) => self.run_started(info),
            Event::CaseFinished(result) => self.case_finished(result, run),
            Event::NothingToRun { .. } | Event::CaseStarted { .. } | Event::RunFinished { .. } => {}
        }
        if matches!(event, Event::RunStarted(_) | Event::CaseStarted { .. } | Event::CaseFinished(_))
            && let Some(live) = &mut self.live
        {
            live.cases(run);
        }
    }

    /// Says how it ended; nothing follows.
    pub(in crate::report) fn finish(&mut self, run: &Aggregate) {
        self.clear();
        let text = summary::render(run, &self.settings, self.width);
        self.print(&text);
    }

    /// Takes spinners and counters from the screen.
    pub(in crate::report) fn clear(&mut self) {
        if let Some(live) = &mut self.live {
            live.clear();
        }
    }

    fn progress(&mut self, phase: &str, detail: &str) {
        if let Some(live) = &mut self.live {
            live.phase(phase, detail);
        } else if self.phases.insert(phase.to_owned()) {
            self.say(Verbosity::Normal, &paint(DIM, &format!("{phase} …")));
        } else if !detail.is_empty() {
            self.say(Verbosity::Verbose, &paint(DIM, &format!("{phase}: {detail}")));
        }
    }

    fn progress_done(&mut self, phase: &str, elapsed: Duration) {
        self.phases.remove(phase);
        if let Some(live) = &mut self.live {
            live.phase_done(phase);
        }
        self.say(Verbosity::Normal, &paint(DIM, &format!("{phase} done in {}", time(elapsed))));
    }

    fn run_started(&mut self, info: &RunInfo) {
        let line = format!(
            "{} {} of suite {} against {} {} on {} {}",
            if info.replayed { "judging again" } else { "running" },
            count(info.cases.len(), "case"),
            info.suite,
            info.implementation.name,
            info.implementation.version,
            info.cluster.backend,
            info.cluster.kubernetes_version,
        );
        self.say(Verbosity::Normal, &paint(BOLD, &line));
    }

    fn case_finished(&mut self, result: &CaseResult, run: &Aggregate) {
        let title = |style, word: &str| {
            let took = paint(DIM, &time(result.elapsed));
            format!("{} {} {took}", paint(style, &format!("{word:<12}")), paint(BOLD, &result.id.to_string()))
        };
        match &result.verdict {
            Verdict::Passed => self.say(Verbosity::Verbose, &title(GREEN, "passed")),
            Verdict::Skipped { reason } => {
                self.say(
                    Verbosity::Verbose,
                    &format!("{}\n{}", title(DIM, "skipped"), indent(reason, 2).trim_end()),
                );
            }
            Verdict::Inconclusive { reason } => {
                let reason = anstream::adapter::strip_str(reason).to_string();
                self.say(
                    Verbosity::Quiet,
                    &format!("{}\n{}", title(YELLOW, "INCONCLUSIVE"), indent(&reason, 2)),
                );
            }
            Verdict::Failed(failure) => {
                let catalogue = run.info().map_or(&[][..], |info| &info.requirements);
                let body = match run.case(&result.id) {
                    Some(case) => explain(case, failure, catalogue, self.width.saturating_sub(2)),
                    None => failure.claim.clone(),
                };
                self.say(Verbosity::Quiet, &format!("{}\n{}", title(RED, "FAILED"), indent(&body, 2)));
            }
        }
        self.area_finished(&result.id, run);
    }

    /// One line when the last case of an area has ended.
    fn area_finished(&mut self, last: &CaseId, run: &Aggregate) {
        let Some(area) = run.case(last).map(|case| case.info.area.as_str()) else { return };
        let mut cases = 0;
        let mut passed = 0;
        let mut total = Duration::ZERO;
        for case in run.cases().filter(|case| case.info.area == area) {
            if !run.finished(&case.info.id) {
                return;
            }
            cases += 1;
            total += case.elapsed;
            if matches!(case.outcome, Outcome::Passed) {
                passed += 1;
            }
        }
        let line =
            format!("{area:<14} {passed} of {} passed {}", count(cases, "case"), paint(DIM, &time(total)));
        self.say(Verbosity::Normal, &line);
    }

    fn say(&mut self, from: Verbosity, line: &str) {
        if self.settings.verbosity >= from {
            self.print(&format!("{line}\n"));
        }
    }

    fn print(&mut self, text: &str) {
        let out = &mut self.out;
        let mut write = || {
            // A closed stderr must not cost the run its verdict and its report files.
            let _reader_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        };
        match &self.live {
            Some(live) => live.suspend(write),
            None => write(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Human;
    use crate::event::{CORE, Event, Level};
    use crate::report::aggregate::Aggregate;
    use crate::report::fixture::{Run, failed, inconclusive, passed, skipped};
    use crate::report::settings::{Settings, Verbosity};

    fn shown(run: &Run, verbosity: Verbosity) -> String {
        let settings = Settings { report_dir: Some("reports".into()), verbosity, ..Settings::default() };
        let mut human = Human::new(anstream::StripStream::new(Vec::new()), settings);
        let mut state = Aggregate::default();
        for event in run.events() {
            state.apply(&event);
            human.event(&event, &state);
        }
        human.finish(&state);
        String::from_utf8(human.out.into_inner()).expect("text")
    }

    #[test]
    fn green_is_short() {
        insta::assert_snapshot!(shown(&Run::of([passed(), passed(), passed()]), Verbosity::Normal));
    }

    #[test]
    fn verbose_shows_every_case() {
        insta::assert_snapshot!(shown(&Run::of([passed(), skipped()]).filtered(), Verbosity::Verbose));
    }

    #[test]
    fn red_is_complete() {
        insta::assert_snapshot!(shown(
            &Run::of([passed(), failed(), inconclusive(), skipped()]),
            Verbosity::Normal
        ));
    }

    #[test]
    fn what_decides_nothing_is_told_below_the_verdict() {
        let should = ["IMG-03", "TTL-01"].map(|id| (id, Level::Should, CORE));
        let run = |third| Run::of([passed(), passed(), third]).leveled(&should);
        let told = |run: &Aggregate| {
            let settings = Settings { verbosity: Verbosity::Quiet, ..Settings::default() };
            let mut human = Human::new(anstream::StripStream::new(Vec::new()), settings);
            human.finish(run);
            String::from_utf8(human.out.into_inner()).expect("text")
        };
        let conformant = "conformant with the 2 requirements that this suite proves; \
                          1 of 5 is not proved (report.yaml lists them)\n";
        let but = "  2 requirements of level SHOULD not met: IMG-03, TTL-01\n  exit code 1: 1 case failed\n";
        assert_eq!(told(&run(failed())), format!("{conformant}{but}"));
        let but = "  exit code 3: nothing is known about 1 case\n";
        assert_eq!(told(&run(inconclusive())), format!("{conformant}{but}"));
    }

    #[test]
    fn a_must_that_nothing_is_known_about_is_named_with_the_reason() {
        let text = shown(&Run::of([passed(), skipped()]), Verbosity::Quiet);
        let why = "nothing is known about IMG-02 (every case was skipped); IMG-03 (no case proves it)\n";
        assert_eq!(text, format!("no verdict on conformance: {why}"));
    }

    #[test]
    fn quiet_still_explains_failures_and_ends_with_the_verdict() {
        let text = shown(&Run::of([passed(), failed()]), Verbosity::Quiet);
        assert!(text.starts_with("FAILED       case-2"), "{text}");
        assert!(text.ends_with("NOT conformant: IMG-02, TTL-01\n"), "{text}");
        assert!(!text.contains("passed"), "{text}");
    }

    #[test]
    fn what_ended_a_run_is_told_however_quiet_it_is() {
        for (verbosity, notes) in [(Verbosity::Quiet, 0), (Verbosity::Normal, 1)] {
            let settings = Settings { verbosity, ..Settings::default() };
            let mut human = Human::new(anstream::StripStream::new(Vec::new()), settings);
            let mut state = Aggregate::default();
            let note = Event::Note { message: "by the way".to_owned() };
            for event in [note, Event::Trouble { message: "the cluster was lost".to_owned() }] {
                state.apply(&event);
                human.event(&event, &state);
            }
            let text = String::from_utf8(human.out.into_inner()).expect("text");
            assert!(text.ends_with("the cluster was lost\n"), "{text}");
            assert_eq!(text.matches("by the way").count(), notes);
            assert_eq!(state.notes(), ["by the way", "the cluster was lost"]);
        }
    }

    #[test]
    fn a_phase_is_two_lines_however_often_it_ticks() {
        let mut human = Human::new(anstream::StripStream::new(Vec::new()), Settings::default());
        let state = Aggregate::default();
        let phase = || "building etcd".to_owned();
        for detail in ["", "10 %", "20 %"] {
            human.event(&Event::Progress { phase: phase(), detail: detail.to_owned() }, &state);
        }
        let elapsed = std::time::Duration::from_secs(65);
        human.event(&Event::ProgressDone { phase: phase(), elapsed }, &state);
        let text = String::from_utf8(human.out.into_inner()).expect("text");
        assert_eq!(text, "building etcd …\nbuilding etcd done in 1m 5.00s\n");
    }
}

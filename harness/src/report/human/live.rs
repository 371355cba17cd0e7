//! Spinners and counters on a terminal.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::report::aggregate::{Aggregate, Outcome};

const TICK: Duration = Duration::from_millis(100);
const PHASE: &str = "{spinner} {prefix} [{elapsed}] {wide_msg:.dim}";
const CASES: &str = "{spinner} {bar:24} {pos}/{len} cases [{elapsed}]{prefix:.red} {wide_msg:.dim}";
/// What is done, its end, and what is left.
const BAR: &str = "━╸─";

/// The part of the screen that is redrawn: one spinner per phase of preparation, one bar for the cases.
pub(super) struct Live {
    screen: MultiProgress,
    phases: HashMap<String, ProgressBar>,
    cases: Option<ProgressBar>,
}

impl Live {
    /// The live part at the end of stderr.
    pub(super) fn new() -> Self {
        Self::on(MultiProgress::new())
    }

    fn on(screen: MultiProgress) -> Self {
        Self { screen, phases: HashMap::new(), cases: None }
    }

    /// Runs `print` while nothing of the live part is on the screen.
    pub(super) fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.screen.suspend(print)
    }

    /// Shows where a phase is.
    pub(super) fn phase(&mut self, phase: &str, detail: &str) {
        let bar = self.phases.entry(phase.to_owned()).or_insert_with(|| {
            let bar = self.screen.add(ProgressBar::new_spinner().with_style(style(PHASE)));
            bar.set_prefix(phase.to_owned());
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_message(detail.to_owned());
    }

    /// Takes a phase from the screen.
    pub(super) fn phase_done(&mut self, phase: &str) {
        if let Some(bar) = self.phases.remove(phase) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }

    /// Shows how many cases have ended, how many badly, and which run.
    pub(super) fn cases(&mut self, run: &Aggregate) {
        let Some(info) = run.info() else { return };
        let bar = self.cases.get_or_insert_with(|| {
            let style = style(CASES).progress_chars(BAR);
            let bar = self.screen.add(ProgressBar::new(0).with_style(style));
            bar.enable_steady_tick(TICK);
            bar
        });
        let done = info.cases.iter().filter(|case| run.finished(&case.id)).count();
        let failed = run.cases().filter(|case| matches!(case.outcome, Outcome::Failed(_))).count();
        bar.set_length(info.cases.len().try_into().unwrap_or(u64::MAX));
        bar.set_position(done.try_into().unwrap_or(u64::MAX));
        bar.set_prefix(if failed == 0 { String::new() } else { format!(" {failed} failed") });
        let running: Vec<String> = run.running().map(ToString::to_string).collect();
        bar.set_message(running.join(", "));
    }

    /// Takes everything from the screen.
    pub(super) fn clear(&mut self) {
        for (_, bar) in self.phases.drain() {
            bar.finish_and_clear();
        }
        if let Some(bar) = self.cases.take() {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;
    use crate::event::Event;
    use crate::report::fixture::{Run, failed, passed};

    #[test]
    fn templates_are_valid() {
        for template in [PHASE, CASES] {
            ProgressStyle::with_template(template).expect("a valid template");
        }
    }

    /// A terminal that remembers all that was written.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(&format!("{line}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("nobody panicked").push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_grows_with_each_case_that_ends_and_counts_what_failed() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let mut live = Live::on(MultiProgress::with_draw_target(target));
        let mut run = Aggregate::default();
        let mut lengths = Vec::new();
        for event in Run::of([passed(), failed(), passed(), passed()]).events() {
            run.apply(&event);
            if !matches!(event, Event::RunStarted(_) | Event::CaseFinished(_)) {
                continue;
            }
            live.cases(&run);
            live.cases.iter().for_each(ProgressBar::force_draw);
            let text = std::mem::take(&mut *screen.0.lock().expect("nobody panicked"));
            let text = anstream::adapter::strip_str(&text).to_string();
            let last = text.rsplit(" cases ").nth(1).expect("the line of the cases").to_owned();
            let (bar, numbers) = last.rsplit_once(' ').expect("bar and numbers");
            lengths.push((bar.matches('━').count(), numbers.to_owned()));
            assert_eq!(text.contains("1 failed"), lengths.len() > 2, "{text}");
        }
        let expected = [(0, "0/4"), (6, "1/4"), (12, "2/4"), (18, "3/4"), (24, "4/4")];
        assert_eq!(lengths, expected.map(|(length, numbers)| (length, numbers.to_owned())));
    }
}

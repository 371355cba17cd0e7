//! Spinners and counters on a terminal.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::report::aggregate::{Aggregate, Outcome};

const TICK: Duration = Duration::from_millis(100);

/// The part of the screen that is redrawn: one spinner per phase of preparation, one bar for the cases.
pub(super) struct Live {
    screen: MultiProgress,
    phases: HashMap<String, ProgressBar>,
    cases: Option<ProgressBar>,
}

impl Live {
    pub(super) fn new() -> Self {
        Self { screen: MultiProgress::new(), phases: HashMap::new(), cases: None }
    }

    /// Runs `print` while nothing of the live part is on the screen.
    pub(super) fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.screen.suspend(print)
    }

    /// Shows where a phase is.
    pub(super) fn phase(&mut self, phase: &str, detail: &str) {
        let bar = self.phases.entry(phase.to_owned()).or_insert_with(|| {
            let bar = self.screen.add(
                ProgressBar::new_spinner()
                    .with_style(style("{spinner} {prefix} [{elapsed}] {wide_msg:.dim}")),
            );
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
            let template = style("{spinner} {pos}/{len} cases [{elapsed}]{prefix:.red} {wide_msg:.dim}");
            let bar = self.screen.add(ProgressBar::new_spinner().with_style(template));
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
    use indicatif::ProgressStyle;

    #[test]
    fn templates_are_valid() {
        for template in [
            "{spinner} {prefix} [{elapsed}] {wide_msg:.dim}",
            "{spinner} {pos}/{len} cases [{elapsed}]{prefix:.red} {wide_msg:.dim}",
        ] {
            ProgressStyle::with_template(template).expect("a valid template");
        }
    }
}

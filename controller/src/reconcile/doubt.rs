//! Whether the cache of Jobs can be believed.
//!
//! A datastore that is put back in time takes Jobs back with it. Each watch notices by itself, in its own
//! time, so that the cache of runs may show what is there now while that of Jobs still shows how a Job ended
//! in the time that was lost. A run must not be ended by that.
//!
//! Nobody can go back in time unnoticed: it breaks the watches. From a break of either watch until the watch
//! of Jobs delivers again the cache is therefore in doubt, and passes ask the API server for the Job that
//! they decide on. They never wait: a watch that goes on where it was broken says nothing until the next
//! change.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use kube::runtime::watcher::{self, Event};

use crate::api::{AgentRun, JobView};
use crate::defects::Defect;

/// Whether a watch was broken and that of Jobs has delivered nothing since.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    is_raised: AtomicBool,
}

impl Doubt {
    /// Takes in what the watch of runs has delivered.
    pub(super) fn observe_runs(&self, event: &watcher::Result<Event<AgentRun>>) {
        if event.is_err() {
            self.is_raised.store(true, Ordering::Release);
        }
    }

    /// Takes in what the watch of Jobs has delivered; the cache must show it already.
    pub(super) fn observe_jobs(&self, event: &watcher::Result<Event<JobView>>) {
        match event {
            Err(_) => self.is_raised.store(true, Ordering::Release),
            Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_)) => {
                self.is_raised.store(false, Ordering::Release);
            }
            // The cache shows what a list brings when the list is complete.
            Ok(Event::Init | Event::InitApply(_)) => {}
        }
    }

    /// Whether the cache of Jobs may show what is not so any more, for longer than a watch usually takes.
    pub(super) fn is_raised(&self) -> bool {
        self.is_raised.load(Ordering::Acquire) && !Defect::JobsAreNeverInDoubt.is_planted()
    }
}

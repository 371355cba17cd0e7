//! One phase of preparation as it is told to reporters: at its beginning, about once per second, at its end.

use std::time::{Duration, Instant};

use crate::event::EventSink;

const EVERY: Duration = Duration::from_secs(1);

/// A phase that has begun.
pub(super) struct Phase<'a> {
    events: &'a EventSink,
    name: String,
    begin: Instant,
    told: Option<Instant>,
}

impl<'a> Phase<'a> {
    /// A phase of which nothing is told before the first [`Phase::tick`].
    pub(super) fn new(events: &'a EventSink, name: String) -> Self {
        Self { events, name, begin: Instant::now(), told: None }
    }

    /// Tells where it is, with the time since its beginning; at most once per second.
    pub(super) fn tick(&mut self, detail: &str) {
        if self.told.is_some_and(|told| told.elapsed() < EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        let seconds = self.begin.elapsed().as_secs();
        self.events.progress(self.name.clone(), format!("{seconds} s, {detail}"));
    }

    /// Tells that it ended well, if anything was told of it.
    pub(super) fn done(self) {
        if self.told.is_some() {
            self.events.progress_done(self.name, self.begin.elapsed());
        }
    }
}

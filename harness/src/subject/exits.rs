//! Tells a crash from an end that the harness wanted.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::context::LogSink;
use crate::record::Observation;

/// An end of a part of the subject that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnexpectedExit {
    /// What ended, how, in words for people.
    pub what: String,
}

/// Collects unexpected exits of one subject over all its starts; clones share them.
#[derive(Clone)]
pub(super) struct Exits {
    first: Arc<watch::Sender<Option<UnexpectedExit>>>,
    log: LogSink,
}

/// Whether exits are wanted at the moment, for the processes or pods of one start.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// From now on, ends are wanted.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Exits {
    pub(super) fn new(log: LogSink) -> Self {
        Self { first: Arc::new(watch::Sender::new(None)), log }
    }

    /// Takes notice of an end; it is a crash unless `wanted`.
    pub(super) fn ended(&self, what: String, wanted: &Wanted) {
        let unexpected = !wanted.0.load(Ordering::SeqCst);
        (self.log)(Observation::Subject { what: what.clone(), unexpected });
        if unexpected {
            self.first.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(UnexpectedExit { what });
                is_first
            });
        }
    }

    /// The first crash since the last start, if there was one.
    pub(super) fn first(&self) -> Option<UnexpectedExit> {
        self.first.borrow().clone()
    }

    /// Resolves with the first crash; never if the subject is dropped before.
    pub(super) fn wait(&self) -> impl Future<Output = UnexpectedExit> + Send + 'static {
        let mut first = self.first.subscribe();
        async move {
            if let Ok(seen) = first.wait_for(Option::is_some).await
                && let Some(exit) = seen.clone()
            {
                return exit;
            }
            std::future::pending().await
        }
    }

    /// Forgets crashes, because the subject is started anew.
    pub(super) fn forget(&self) {
        self.first.send_replace(None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt;

    use super::*;

    #[test]
    fn only_an_end_that_nobody_wanted_is_a_crash() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let exits = Exits::new(Arc::new(move |observation| sink.lock().unwrap().push(observation)));
        let wanted = Wanted::default();
        let mut waiting = Box::pin(exits.wait());

        let stopped = Wanted::default();
        stopped.set();
        exits.ended("a ended".to_owned(), &stopped);
        assert_eq!((exits.first(), waiting.as_mut().now_or_never()), (None, None));

        exits.ended("b ended".to_owned(), &wanted);
        exits.ended("c ended".to_owned(), &wanted);
        let crash = UnexpectedExit { what: "b ended".to_owned() };
        assert_eq!((exits.first(), waiting.now_or_never()), (Some(crash.clone()), Some(crash)));

        exits.forget();
        assert_eq!(exits.first(), None);
        let unexpected: Vec<bool> = seen
            .lock()
            .unwrap()
            .iter()
            .map(|observation| matches!(observation, Observation::Subject { unexpected: true, .. }))
            .collect();
        assert_eq!(unexpected, [false, true, true]);
    }
}

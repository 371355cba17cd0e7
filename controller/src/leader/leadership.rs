//! Whether this replica leads, for those who work and those who write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

/// Number of a time of leading; two times never have the same.
pub type Term = u64;

/// Shared knowledge of who leads.
#[derive(Debug, Clone)]
pub struct Leadership {
    until: Arc<Mutex<Until>>,
    terms: Arc<AtomicU64>,
    term: Arc<watch::Sender<Option<Term>>>,
}

#[derive(Debug, Clone, Copy)]
enum Until {
    Always,
    Never,
    At(Instant),
}

impl Leadership {
    /// The only replica: it always leads.
    pub fn sole() -> Self {
        Self::new(Until::Always, Some(0))
    }

    /// One of several replicas: it has to win first.
    pub fn contested() -> Self {
        Self::new(Until::Never, None)
    }

    fn new(until: Until, term: Option<Term>) -> Self {
        let until = Arc::new(Mutex::new(until));
        Self { until, terms: Arc::default(), term: Arc::new(watch::Sender::new(term)) }
    }

    /// Tells when this replica begins or stops to lead. Even a short interruption shows, since the next
    /// term has another number.
    pub fn subscribe(&self) -> watch::Receiver<Option<Term>> {
        self.term.subscribe()
    }

    /// Whether this replica leads.
    pub fn leads(&self) -> bool {
        self.term.borrow().is_some()
    }

    /// Whether a write may go out now.
    pub fn may_write(&self) -> bool {
        match *self.until.lock().unwrap_or_else(PoisonError::into_inner) {
            Until::Always => true,
            Until::Never => false,
            Until::At(end) => Instant::now() < end,
        }
    }

    /// This replica leads until then, unless it hears more.
    pub(super) fn extend(&self, end: Instant) {
        self.set(Until::At(end));
        self.term.send_if_modified(|term| {
            let begins = term.is_none();
            if begins {
                *term = Some(self.terms.fetch_add(1, Ordering::Relaxed));
            }
            begins
        });
    }

    /// This replica does not lead any more.
    pub(super) fn end(&self) {
        self.set(Until::Never);
        self.term.send_if_modified(|term| term.take().is_some());
    }

    fn set(&self, until: Until) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn even_a_short_interruption_is_another_term() {
        let leadership = Leadership::contested();
        let term = leadership.subscribe();
        assert_eq!(*term.borrow(), None);
        leadership.extend(Instant::now() + Duration::from_mins(1));
        let first = *term.borrow();
        leadership.extend(Instant::now() + Duration::from_mins(1));
        assert_eq!(*term.borrow(), first);
        leadership.end();
        assert!(!leadership.leads() && !leadership.may_write());
        leadership.extend(Instant::now() + Duration::from_mins(1));
        assert!(term.borrow().is_some() && *term.borrow() != first);
    }
}

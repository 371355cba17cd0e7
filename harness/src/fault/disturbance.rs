//! Faults of watches that were asked for, and whether a watch met them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::scenario::fault::{WatchEffect, WatchFault};

/// Faults that a slow watch may leave unread.
const UNREAD: usize = 64;

/// The faults of watches of one subject, on their way to the watches that run.
#[derive(Debug)]
pub(super) struct Disturbances {
    watches: broadcast::Sender<Arc<Disturbance>>,
    asked: Mutex<Vec<Arc<Disturbance>>>,
}

/// A fault that was asked for.
#[derive(Debug)]
pub(super) struct Disturbance {
    fault: WatchFault,
    met: AtomicBool,
}

impl Default for Disturbances {
    fn default() -> Self {
        Self { watches: broadcast::Sender::new(UNREAD), asked: Mutex::default() }
    }
}

impl Disturbances {
    /// Tells all watches that run at present.
    pub(super) fn disturb(&self, fault: WatchFault) {
        let disturbance = Arc::new(Disturbance { fault, met: AtomicBool::new(false) });
        self.asked().push(Arc::clone(&disturbance));
        // That no watch runs is told by `unmet`.
        let _nobody_watches = self.watches.send(disturbance);
    }

    /// What a watch that begins now has to listen to.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Disturbance>> {
        self.watches.subscribe()
    }

    /// The first fault on whose resource no watch was ever disturbed. That a single one met nothing is no mistake:
    /// the subject may have been between two watches, because of the one before.
    pub(super) fn unmet(&self) -> Option<WatchFault> {
        let asked = self.asked();
        let is_met = |resource: &str| {
            asked.iter().any(|it| it.fault.resource == resource && it.met.load(Ordering::Relaxed))
        };
        asked.iter().find(|it| !is_met(&it.fault.resource)).map(|it| it.fault.clone())
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Disturbance>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disturbance {
    /// What it does to a watch on `resource`, if that is meant.
    pub(super) fn meet(&self, resource: &str) -> Option<WatchEffect> {
        let is_meant = self.fault.resource == resource;
        if is_meant {
            self.met.store(true, Ordering::Relaxed);
        }
        is_meant.then_some(self.fault.effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(resource: &str) -> WatchFault {
        WatchFault { resource: resource.to_owned(), effect: WatchEffect::Closed }
    }

    #[test]
    fn a_fault_is_unmet_until_a_watch_of_its_resource_is_disturbed() {
        let disturbances = Disturbances::default();
        assert_eq!(disturbances.unmet(), None);
        let mut watch = disturbances.subscribe();
        disturbances.disturb(closed("jobs"));
        let disturbance = watch.try_recv().unwrap();
        assert_eq!(disturbance.meet("agentruns"), None);
        assert_eq!(disturbances.unmet(), Some(closed("jobs")));
        assert_eq!(disturbance.meet("jobs"), Some(WatchEffect::Closed));
        assert_eq!(disturbances.unmet(), None);
    }

    #[test]
    fn a_second_fault_may_come_between_two_watches() {
        let disturbances = Disturbances::default();
        let mut watch = disturbances.subscribe();
        disturbances.disturb(closed("jobs"));
        watch.try_recv().unwrap().meet("jobs");
        disturbances.disturb(closed("jobs"));
        assert_eq!(disturbances.unmet(), None);
        disturbances.disturb(closed("agentruns"));
        assert_eq!(disturbances.unmet(), Some(closed("agentruns")));
    }
}

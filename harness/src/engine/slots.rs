//! How many cases run at the same time, and which of those that wait is next.
//!
//! A semaphore would serve them in the order in which they begin to wait. Most cases wait for their subject
//! first, so that those with the most to wait for would also come last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Places for cases. Whoever comes first in the plan is served first.
#[derive(Debug, Clone)]
pub(super) struct Slots(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// By place in the plan.
    waiting: BTreeMap<usize, oneshot::Sender<Slot>>,
}

/// A place; free again when dropped.
#[derive(Debug)]
pub(super) struct Slot(Slots);

impl Slots {
    /// This many places, at least one.
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: places.max(1), waiting: BTreeMap::new() })))
    }

    /// Waits for a place; `position` is that of the case in the plan and different for each.
    pub(super) async fn acquire(&self, position: usize) -> Slot {
        loop {
            let receiver = {
                let mut state = self.state();
                if state.free > 0 {
                    state.free -= 1;
                    return Slot(self.clone());
                }
                let (sender, receiver) = oneshot::channel();
                state.waiting.insert(position, sender);
                receiver
            };
            // The sender only vanishes when somebody else waits at the same position.
            if let Ok(slot) = receiver.await {
                return slot;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.state();
            let next = state.waiting.pop_first();
            state.free += usize::from(next.is_none());
            next
        };
        if let Some((_position, sender)) = next {
            // Where nobody waits any more the place comes back, is dropped, and goes to the next one.
            drop(sender.send(Self(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn whoever_comes_first_in_the_plan_is_served_first() {
        let slots = Slots::new(1);
        let first = slots.acquire(9).await;
        let mut late = Box::pin(slots.acquire(7));
        let mut early = Box::pin(slots.acquire(3));
        assert!((&mut late).now_or_never().is_none() && (&mut early).now_or_never().is_none());
        drop(first);
        assert!((&mut late).now_or_never().is_none());
        drop((&mut early).now_or_never().expect("the place is free"));
        assert!((&mut late).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_place_that_nobody_waits_for_any_more_is_not_lost() {
        let slots = Slots::new(0);
        let held = slots.acquire(0).await;
        let mut gives_up = Box::pin(slots.acquire(1));
        let mut served_but_gone = Box::pin(slots.acquire(2));
        let mut waits = Box::pin(slots.acquire(3));
        for waiter in [&mut gives_up, &mut served_but_gone, &mut waits] {
            assert!(waiter.now_or_never().is_none());
        }
        drop(gives_up);
        drop(held);
        drop(served_but_gone);
        assert!((&mut waits).now_or_never().is_some());
    }
}

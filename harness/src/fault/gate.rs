//! Keeps a subject that is about to be killed from doing anything else.

use tokio::sync::watch;

/// Closed from the moment at which a kill is decided until the subject is dead.
#[derive(Debug)]
pub(super) struct Gate {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    closed: bool,
    /// Counts the lives of the subject.
    life: u64,
}

/// The request belongs to a life of the subject that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the subject that asked was killed")]
pub(super) struct Dead;

impl Gate {
    pub(super) fn new() -> Self {
        Self { state: watch::Sender::new(State::default()) }
    }

    /// Closes the gate; `false` if it is closed already, so that one kill answers for both.
    pub(super) fn close(&self) -> bool {
        self.state.send_if_modified(|state| !std::mem::replace(&mut state.closed, true))
    }

    /// Opens the gate for the next life; everything that waits at it belongs to the life before.
    pub(super) fn open(&self) {
        self.state.send_modify(|state| {
            state.closed = false;
            state.life += 1;
        });
    }

    /// Lets a request through while the gate is open. At a closed one it waits for the death of its sender.
    pub(super) async fn pass(&self) -> Result<(), Dead> {
        if self.state.borrow().closed { Err(self.death().await) } else { Ok(()) }
    }

    /// Waits until the gate is open.
    pub(super) async fn opened(&self) {
        // The sender lives as long as the gate.
        let mut state = self.state.subscribe();
        let _open = state.wait_for(|state| !state.closed).await;
    }

    /// Waits until the present life is over.
    pub(super) async fn death(&self) -> Dead {
        let mut state = self.state.subscribe();
        let life = state.borrow().life;
        // The sender lives as long as the gate.
        let _opened = state.wait_for(|state| state.life > life).await;
        Dead
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_waits_at_a_closed_gate_never_passes() {
        let gate = Arc::new(Gate::new());
        assert_eq!(gate.pass().await, Ok(()));
        assert!(gate.close());
        assert!(!gate.close(), "one kill is enough");
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.pass().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        gate.open();
        assert_eq!(waiting.await.unwrap(), Err(Dead));
        assert_eq!(gate.pass().await, Ok(()), "the next life begins with an open gate");
    }
}

//! The order to end a run before all its cases have ended.

use std::convert::Infallible;
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::event::EventSink;

/// The order, given by a signal, by the loss of the cluster, or by the clock.
#[derive(Debug, Clone)]
pub(super) struct Halt {
    /// Cancelled by whoever gives the order.
    pub(super) token: CancellationToken,
    /// Cancelled before it if it was the clock.
    late: CancellationToken,
    deadline: Option<Duration>,
}

impl Halt {
    /// The order that ends with `cancel`, or when a run has lasted for `deadline`.
    pub(super) fn new(cancel: &CancellationToken, deadline: Option<Duration>) -> Self {
        Self { token: cancel.child_token(), late: CancellationToken::new(), deadline }
    }

    /// Gives the order at the deadline, if there is one.
    pub(super) async fn watch(&self, events: &EventSink) -> Infallible {
        if let Some(deadline) = self.deadline {
            tokio::time::sleep(deadline).await;
            events.note(format!("deadline of {} passed; cleaning up", shown(deadline)));
            self.late.cancel();
            self.token.cancel();
        }
        std::future::pending().await
    }

    /// Whether the order was given, by whomever: what has not ended by then is not judged.
    pub(super) fn is_given(&self) -> bool {
        self.token.is_cancelled()
    }

    /// What is said of a case that it cut short, or that it kept from beginning.
    pub(super) fn reason(&self, begun: bool) -> String {
        match self.deadline.filter(|_| self.late.is_cancelled()) {
            Some(deadline) if begun => format!("cut short: deadline of {} passed", shown(deadline)),
            Some(deadline) => format!("not run: deadline of {} passed", shown(deadline)),
            None => "the run was interrupted".to_owned(),
        }
    }
}

fn shown(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_too_long| format!("{duration:?}"), |it| format!("{it:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_clock_gives_the_order() {
        let halt = Halt::new(&CancellationToken::new(), Some(Duration::from_millis(20)));
        let (events, _heard) = EventSink::channel();
        tokio::select! {
            never = halt.watch(&events) => match never {},
            () = halt.token.cancelled() => {}
        }
        assert!(halt.is_given());
        assert_eq!(halt.reason(false), "not run: deadline of 20ms passed");
        assert_eq!(halt.reason(true), "cut short: deadline of 20ms passed");
    }

    #[test]
    fn a_signal_before_the_deadline_is_an_interruption() {
        let cancel = CancellationToken::new();
        let halt = Halt::new(&cancel, Some(Duration::from_mins(10)));
        assert!(!halt.is_given());
        cancel.cancel();
        assert!(halt.is_given());
        assert_eq!(halt.reason(false), "the run was interrupted");
    }
}

//! SIGINT and SIGTERM: the first one asks for an orderly end, the second one ends at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::event::EventSink;
use crate::exit;

/// Cancels `cancel` with the first signal.
pub(super) fn cancel_on_signals(cancel: CancellationToken, events: EventSink) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = cancel.cancelled() => return,
        }
        events.note("interrupted: cleaning up; a second signal ends at once");
        cancel.cancel();
        // The reporter ends when the last sink is gone.
        drop(events);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Children do not outlive the process; see `cluster::process`.
        std::process::exit(i32::from(exit::INCONCLUSIVE));
    });
    Ok(())
}

/// Ends the wait for signals of [`cancel_on_signals`].
pub(super) fn stop(cancel: &CancellationToken) {
    cancel.cancel();
}

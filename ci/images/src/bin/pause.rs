//! The process that holds a pod's sandbox: does nothing until it is told to stop.
//!
//! It is process 1 of its container, for which the kernel ignores every signal without a handler, so it
//! handles the two with which containers are stopped. A sandbox that shares its process namespace with
//! its pod would need a reaper of orphans too; this one is for tests that do not share it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

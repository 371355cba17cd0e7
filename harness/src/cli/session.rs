//! What a command needs that works on a cluster and shows only how far it is.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::args::Output;
use super::console::Console;
use super::signal;
use crate::cluster::process::Supervisor;
use crate::event::EventSink;
use crate::exit;
use crate::report;

/// Owner of child processes, progress, and an end by signal.
pub(super) struct Session {
    pub(super) supervisor: Supervisor,
    pub(super) sink: EventSink,
    pub(super) reporter: JoinHandle<()>,
    pub(super) cancel: CancellationToken,
}

impl Session {
    /// Begins one; what keeps it from that is told, and the exit code returned.
    pub(super) fn begin(output: &Output, console: Console) -> Result<Self, u8> {
        let told = |error: &(dyn std::error::Error + 'static)| {
            console.error(error);
            exit::INCONCLUSIVE
        };
        let supervisor = Supervisor::current_exe().map_err(|error| told(&error))?;
        let (sink, receiver) = EventSink::channel();
        let reporter = report::spawn_progress(receiver, output.settings());
        let cancel = CancellationToken::new();
        signal::cancel_on_signals(cancel.clone(), sink.clone()).map_err(|error| told(&error))?;
        Ok(Self { supervisor, sink, reporter, cancel })
    }
}

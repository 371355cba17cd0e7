//! The log: one JSON object per line.

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Writes what passes the filter. The innermost span says which pass a line belongs to; those of the
/// controller runtime add nothing.
pub(crate) fn lines<W>(filter: &str, to: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_writer(to);
    lines.with_current_span(true).with_span_list(false).with_env_filter(EnvFilter::new(filter)).finish()
}

/// What tests read of the log.
#[cfg(test)]
pub(crate) mod captured {
    use std::io::{Result, Write};
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::Subscriber;

    /// Everything that was logged so far.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    impl Captured {
        /// Writes the log of this test as the process does.
        pub(crate) fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
            let captured = self.clone();
            super::lines("info", move || captured.clone())
        }

        /// The lines.
        pub(crate) fn lines(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }
}

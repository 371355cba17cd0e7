//! How long trouble is borne.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Pauses between two questions whether a started API server is ready, at most.
const READY: Duration = Duration::from_secs(2);
/// How often it is asked.
const READY_TIMES: usize = 8;

/// The pauses after which a request that met trouble is sent again: each twice as long as the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How often a request is sent again.
    pub times: usize,
}

impl Default for Patience {
    /// About 40 seconds: the time that an API server may take to come back.
    fn default() -> Self {
        Self { first: Duration::from_millis(100), longest: Duration::from_secs(10), times: 10 }
    }
}

impl Patience {
    /// The pauses of a request.
    pub(super) fn retry(self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_max_times(self.times)
            .with_jitter()
    }

    /// The pauses while a started API server is awaited.
    pub(super) fn ready(self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_max_delay(self.longest.min(READY))
            .with_max_times(READY_TIMES)
    }
}

//! Waiting with a deadline.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, interval, timeout};

use crate::support::LOOK_AGAIN;

/// The outcome of `work`, or an error that says what took too long.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => bail!("{what} took more than {limit:?}"),
    }
}

/// Looks until it sees what it waits for, and returns that with the time it took. `look` answers `Err`
/// with what it saw instead.
pub(crate) async fn until<T, S: Display>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Result<T, S>>,
) -> Result<(T, Duration)> {
    let begin = Instant::now();
    let mut pause = interval(LOOK_AGAIN);
    loop {
        pause.tick().await;
        match look().await? {
            Ok(seen) => return Ok((seen, begin.elapsed())),
            Err(last) if begin.elapsed() > limit => bail!("{what}: not within {limit:?}; last seen: {last}"),
            Err(_) => {}
        }
    }
}

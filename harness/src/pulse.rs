//! How late the world is.
//!
//! "Promptly" is said of a controller on a machine that has time for it. Where the processors are busy with
//! something else, or the API server is slow, everything is late, and a claim that fails for that says
//! nothing about the controller. So a small request is sent again and again; what it takes longer than it
//! should is time that was lost, and deadlines move by it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kube::Client;
use kube::api::{GetParams, Request};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Pause between two requests.
const PAUSE: Duration = Duration::from_millis(200);
/// What a request, and waking up after the pause, may take.
const FAIR: Duration = Duration::from_millis(20);
/// A deadline becomes at most this many times as late.
const AT_MOST: u32 = 4;

/// Counts lost time until dropped.
#[derive(Debug)]
pub struct Pulse {
    lost: Arc<AtomicU64>,
    _stop: DropGuard,
}

impl Pulse {
    /// Begins to count; whoever waits on this cluster shares it.
    pub fn start(client: Client) -> Arc<Self> {
        let (lost, stop) = (Arc::<AtomicU64>::default(), CancellationToken::new());
        let beat = beat(client, Arc::clone(&lost));
        tokio::spawn(stop.clone().run_until_cancelled_owned(beat));
        Arc::new(Self { lost, _stop: stop.drop_guard() })
    }

    /// The deadline of something that may take this long from now on.
    pub fn patience(&self, within: Duration) -> Patience<'_> {
        Patience { pulse: self, begin: Instant::now(), lost_before: self.lost(), within }
    }

    /// Waits for something that may take this long, not counting what is lost meanwhile; tells how long was waited,
    /// to a tenth of a second, if it was in vain.
    pub async fn wait<T>(&self, within: Duration, future: impl Future<Output = T>) -> Result<T, Duration> {
        let patience = self.patience(within);
        let mut future = pin!(future);
        loop {
            match tokio::time::timeout_at(patience.deadline(), &mut future).await {
                Ok(outcome) => return Ok(outcome),
                Err(_elapsed) if Instant::now() < patience.deadline() => {}
                Err(_elapsed) => {
                    let tenths = patience.begin.elapsed().as_millis() / 100;
                    return Err(Duration::from_millis(u64::try_from(tenths * 100).unwrap_or(u64::MAX)));
                }
            }
        }
    }

    /// As if this were lost now.
    #[cfg(test)]
    pub(crate) fn lose(&self, time: Duration) {
        self.lost.fetch_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn lost(&self) -> Duration {
        Duration::from_millis(self.lost.load(Ordering::Relaxed))
    }
}

async fn beat(client: Client, lost: Arc<AtomicU64>) {
    loop {
        let begin = Instant::now();
        if let Ok(request) = Request::new("").get("livez/ping", &GetParams::default()) {
            // Refused or answered: what counts is how long it took.
            let _answer = client.request_text(request).await;
        }
        tokio::time::sleep(PAUSE).await;
        let late = begin.elapsed().saturating_sub(PAUSE + FAIR);
        lost.fetch_add(u64::try_from(late.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A deadline that moves by the time that is lost.
#[derive(Debug)]
pub struct Patience<'a> {
    pulse: &'a Pulse,
    begin: Instant,
    lost_before: Duration,
    within: Duration,
}

impl Patience<'_> {
    /// The deadline, as far as it is known by now.
    pub fn deadline(&self) -> Instant {
        let lost = self.pulse.lost().saturating_sub(self.lost_before);
        self.begin + self.within + lost.min(self.within * (AT_MOST - 1))
    }

    /// What is to be said of a wait in vain if more time was lost than its deadline moves by: nobody knows then what
    /// would have come on a machine that has time.
    pub fn excuse(&self) -> Option<String> {
        let lost = self.pulse.lost().saturating_sub(self.lost_before);
        let is_excused = !self.within.is_zero() && lost > self.within * (AT_MOST - 1);
        is_excused.then(|| {
            format!(
                "the machine is too busy to tell: of {:.1} s that were waited, {:.1} s went into late answers of the API server",
                self.begin.elapsed().as_secs_f32(),
                lost.as_secs_f32()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse() -> Pulse {
        Pulse { lost: Arc::default(), _stop: CancellationToken::new().drop_guard() }
    }

    #[tokio::test]
    async fn a_deadline_moves_by_the_time_lost_since_and_not_without_end() {
        let pulse = pulse();
        pulse.lose(Duration::from_secs(9));
        let patience = pulse.patience(Duration::from_secs(5));
        let first = patience.deadline();
        assert_eq!(first, patience.begin + Duration::from_secs(5));
        pulse.lose(Duration::from_secs(2));
        assert_eq!(patience.deadline() - first, Duration::from_secs(2));
        pulse.lose(Duration::from_secs(88));
        assert_eq!(patience.deadline() - first, Duration::from_secs(15));
    }

    #[tokio::test]
    async fn a_wait_is_excused_if_more_was_lost_than_its_deadline_moves_by() {
        let pulse = pulse();
        let patience = pulse.patience(Duration::from_secs(5));
        let without = pulse.patience(Duration::ZERO);
        pulse.lose(Duration::from_secs(15));
        assert_eq!(patience.excuse(), None);
        pulse.lose(Duration::from_millis(1));
        assert!(patience.excuse().is_some());
        assert_eq!(without.excuse(), None, "it did not wait");
    }

    #[tokio::test]
    async fn what_is_waited_for_gets_the_time_that_was_lost_and_no_more() {
        let pulse = pulse();
        let ten = Duration::from_millis(10);
        let late = async {
            pulse.lose(40 * ten);
            tokio::time::sleep(2 * ten).await;
        };
        assert_eq!(pulse.wait(ten, late).await, Ok(()));
        let waited = pulse.wait(Duration::from_millis(120), std::future::pending::<()>()).await;
        assert!((100..400).contains(&waited.unwrap_err().as_millis()), "{waited:?}");
    }

    #[tokio::test]
    async fn what_has_no_time_is_given_none() {
        let pulse = pulse();
        let patience = pulse.patience(Duration::ZERO);
        pulse.lose(Duration::from_secs(9));
        assert_eq!(patience.deadline(), patience.begin);
    }
}

//! Publishing Kubernetes Events without ever holding up the work.
//!
//! Events are a courtesy: they go through a bounded queue and at a bounded rate, and what is too much is
//! dropped and counted. The status of a run tells everything all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

use crate::api::{AgentRun, AgentRunStatus};
use crate::decide::events::{Told, between};
use crate::metrics::Metrics;

use super::FIELD_MANAGER;

/// Events that wait for being published.
const QUEUE: usize = 256;
/// Events that may be published at once after a quiet time.
const BURST: u32 = 50;
/// Time after which one more Event may be published.
const REFILL: Duration = Duration::from_millis(200);
/// Longest time for publishing one.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where passes leave what is to be told.
#[derive(Clone)]
pub(super) struct Events {
    queue: mpsc::Sender<(Event, ObjectReference)>,
    metrics: Arc<Metrics>,
}

/// Publishes what passes leave.
pub(super) struct Publisher {
    recorder: Recorder,
    queue: mpsc::Receiver<(Event, ObjectReference)>,
    bucket: Bucket,
    metrics: Arc<Metrics>,
}

/// Both ends of the queue.
pub(super) fn events(client: Client, metrics: &Arc<Metrics>) -> (Events, Publisher) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let publisher = Publisher {
        recorder: Recorder::new(client, FIELD_MANAGER.into()),
        queue: receiver,
        bucket: Bucket { left: BURST, filled_at: Instant::now() },
        metrics: Arc::clone(metrics),
    };
    (Events { queue: sender, metrics: Arc::clone(metrics) }, publisher)
}

impl Events {
    /// Tells what the step from the run's status to this one means.
    pub(super) fn tell(&self, run: &AgentRun, after: &AgentRunStatus) {
        let none = AgentRunStatus::default();
        for told in between(run.status.as_ref().unwrap_or(&none), after) {
            if self.queue.try_send((event(told), run.object_ref(&()))).is_err() {
                self.metrics.event("dropped");
            }
        }
    }
}

fn event(told: Told) -> Event {
    Event {
        type_: if told.warning { EventType::Warning } else { EventType::Normal },
        reason: told.reason,
        note: told.note,
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

impl Publisher {
    /// Publishes until nobody can leave anything any more.
    pub(super) async fn run(mut self) {
        while let Some((event, about)) = self.queue.recv().await {
            if !self.bucket.take(Instant::now()) {
                self.metrics.event("dropped");
                continue;
            }
            let result = match timeout(DEADLINE, self.recorder.publish(&event, &about)).await {
                Ok(Ok(())) => "published",
                Ok(Err(error)) => {
                    debug!("publish an Event: {error}");
                    "refused"
                }
                Err(_) => "refused",
            };
            self.metrics.event(result);
        }
    }
}

/// Lets a burst pass and then a steady rate.
struct Bucket {
    left: u32,
    filled_at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_millis() / REFILL.as_millis();
        let earned = u32::try_from(passed).unwrap_or(BURST).min(BURST);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(BURST);
            self.filled_at = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::mock::{Log, api_server, refusal};
    use super::*;

    fn run() -> AgentRun {
        serde_json::from_value(json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun",
            "metadata": {"name": "r", "namespace": "ns", "uid": "u"},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}},
        }))
        .unwrap()
    }

    fn running() -> AgentRunStatus {
        serde_json::from_value(json!({"phase": "Running", "reason": "Running"})).unwrap()
    }

    fn server(code: u16) -> (Client, Log) {
        api_server(move |asked| if code == 201 { (code, asked.body.clone()) } else { refusal(code, "X") })
    }

    #[tokio::test]
    async fn a_phase_becomes_an_event_about_the_run() {
        let (client, log) = server(201);
        let (events, publisher) = events(client, &Arc::default());
        events.tell(&run(), &running());
        drop(events);
        publisher.run().await;
        let asked = log.lock().unwrap().clone();
        assert_eq!(asked[0].line, "POST /apis/events.k8s.io/v1/namespaces/ns/events");
        let body: &Value = &asked[0].body;
        assert_eq!((&body["reason"], &body["type"]), (&json!("Running"), &json!("Normal")));
        assert_eq!(body["regarding"]["uid"], "u");
    }

    /// Passes only ever put something into a queue: nothing here waits, and all is accounted for.
    #[tokio::test]
    async fn more_events_than_fit_are_dropped_and_a_refusal_is_no_failure() {
        let (metrics, (client, _)) = (Arc::new(Metrics::default()), server(403));
        let (events, publisher) = events(client, &metrics);
        for _ in 0..QUEUE + 10 {
            events.tell(&run(), &running());
        }
        drop(events);
        publisher.run().await;
        let text = metrics.render().unwrap();
        let number = |result: &str| -> usize {
            let name = format!("agents_events_total{{result=\"{result}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned));
            line.unwrap_or_default().parse().unwrap_or_default()
        };
        assert_eq!(number("refused") + number("dropped"), QUEUE + 10, "{text}");
        assert!(number("refused") >= BURST as usize && number("dropped") >= 10, "{text}");
    }

    #[test]
    fn a_burst_passes_and_then_a_steady_rate() {
        let start = Instant::now();
        let mut bucket = Bucket { left: BURST, filled_at: start };
        assert!((0..BURST).all(|_| bucket.take(start)));
        assert!(!bucket.take(start));
        assert!(bucket.take(start + REFILL) && !bucket.take(start + REFILL));
        assert!((0..BURST).all(|_| bucket.take(start + REFILL * 1000)));
        assert!(!bucket.take(start + REFILL * 1000));
    }
}

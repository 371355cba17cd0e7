//! Ends Jobs as if their pods had run.
//!
//! An admission policy keeps pods away (see [`hallmark::engine::PlayedJobs`]), so the Job controller only
//! sets the start time and backs off; the end of each Job is written here, through its status.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agents_controller::api::JobView;
use agents_controller::decide::metadata::RUN_LABEL;
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Jobs that are ended at the same time.
const CONCURRENCY: usize = 32;
/// Pause before a request is repeated that was refused or did not reach the API server.
const AGAIN: Duration = Duration::from_millis(50);

/// How a Job shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With the condition Complete.
    Complete,
    /// With the condition Failed.
    Failed,
}

/// Something that happened to a Job.
#[derive(Debug, Clone)]
pub(crate) enum Played {
    /// The watch delivered it for the first time.
    Appeared(Job),
    /// The API server has acknowledged its end.
    Ended(Job),
}

/// A Job and a moment of its life.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Namespace.
    pub(crate) namespace: String,
    /// Full name of its run.
    pub(crate) run: String,
    /// The moment.
    pub(crate) at: Instant,
}

/// Ends every Job of the controller as soon as it appears, until dropped.
pub(crate) struct Player(JoinHandle<()>);

impl Drop for Player {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Player {
    /// Starts to end the Jobs of a namespace, those that are there included. The name of its run decides
    /// how a Job ends.
    pub(crate) fn start(client: &Client, namespace: &str, ending: fn(&str) -> Ending) -> Self {
        let (played, _nobody_listens) = mpsc::unbounded_channel();
        let jobs = Api::namespaced(client.clone(), namespace);
        Self(tokio::spawn(play(client.clone(), jobs, ending, played)))
    }

    /// Starts to end the Jobs of all namespaces in success, and tells what happens to them.
    pub(crate) fn everywhere(client: &Client) -> (Self, mpsc::UnboundedReceiver<Played>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let jobs = Api::all(client.clone());
        (Self(tokio::spawn(play(client.clone(), jobs, |_| Ending::Complete, sender))), receiver)
    }
}

async fn play(
    client: Client,
    jobs: Api<JobView>,
    ending: fn(&str) -> Ending,
    played: mpsc::UnboundedSender<Played>,
) {
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    let mut known = HashSet::new();
    let watch = watcher::watcher(jobs, watcher::Config::default().labels(RUN_LABEL));
    let mut versions = pin!(watch.applied_objects());
    while let Some(version) = versions.next().await {
        let Ok(job) = version else {
            // An interruption, after which the watch begins anew.
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        if !job.status.conditions.is_empty() || !known.insert(job.uid()) {
            continue;
        }
        let appeared = moment(&job);
        let _nobody_listens = played.send(Played::Appeared(appeared.clone()));
        let (client, permits, played) = (client.clone(), Arc::clone(&permits), played.clone());
        let ending = ending(&appeared.run);
        tokio::spawn(async move {
            let Ok(_permit) = permits.acquire().await else { return };
            end(&client, job, ending).await;
            let _nobody_listens = played.send(Played::Ended(Job { at: Instant::now(), ..appeared }));
        });
    }
}

fn moment(job: &JobView) -> Job {
    let run = job.annotations().get("agents.proompteng.ai/agent-run-name").cloned();
    Job { namespace: job.namespace().unwrap_or_default(), run: run.unwrap_or_default(), at: Instant::now() }
}

/// Writes the end until it is accepted or the Job is gone.
async fn end(client: &Client, mut job: JobView, ending: Ending) {
    let name = job.name_any();
    let api: Api<JobView> = Api::namespaced(client.clone(), &job.namespace().unwrap_or_default());
    loop {
        let patch = Patch::Merge(json!({
            "metadata": {"uid": job.uid()},
            "status": ended_status(&job, ending, Timestamp::now()),
        }));
        let Err(error) = api.patch_status(&name, &PatchParams::default(), &patch).await else { return };
        // The Job controller may have set the start time meanwhile, which then must stay.
        tracing::debug!(job = name, %error, "not ended yet");
        tokio::time::sleep(AGAIN).await;
        match api.get_opt(&name).await {
            Ok(Some(read)) if read.uid() == job.uid() => job = read,
            Ok(_) => return,
            Err(_trouble) => {}
        }
    }
}

/// The status of a finished Job by the rules of the API server's validation: a start time that is there
/// stays, both conditions of an end stand together, only a completed Job has a completion time.
fn ended_status(job: &JobView, ending: Ending, now: Timestamp) -> Value {
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let started = job.status.start_time.as_ref().map_or(now, |time| time.0);
    let (types, reason) = match ending {
        Ending::Complete => (["SuccessCriteriaMet", "Complete"], "CompletionsReached"),
        Ending::Failed => (["FailureTarget", "Failed"], "BackoffLimitExceeded"),
    };
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": "played",
            "lastProbeTime": now.to_string(), "lastTransitionTime": now.to_string(),
        })
    };
    let mut status = json!({
        "startTime": started.to_string(), "conditions": types.map(condition), "ready": 0, "terminating": 0,
        "uncountedTerminatedPods": {},
    });
    let end = match ending {
        Ending::Complete => json!({"succeeded": 1, "completionTime": now.max(started).to_string()}),
        Ending::Failed => json!({"failed": 1}),
    };
    json_patch::merge(&mut status, &end);
    status
}

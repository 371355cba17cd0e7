//! The releases that several cases share: started once, all at the same time, stopped after their last
//! case.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};
use serde_json::json;
use tokio::sync::{OnceCell, Semaphore};

use super::case::chain;
use super::cleanup::RUN_LABEL;
use super::plan::Release;
use crate::record::{Observation, Record};
use crate::subject::{LogSink, ReleaseSpec, Subject, SubjectContext};

/// How many releases are installed at the same time. Each keeps helm, the API server and the new subject
/// busy; more of them at once end no sooner, and on a small machine they run into time-outs.
const STARTS: usize = 6;

/// Why a shared subject is not there: whether it is the subject's fault, and the reason.
pub(super) type StartFailure = (bool, String);

/// A release that several cases share.
pub(super) struct Shared {
    release: Release,
    run_id: String,
    subject: OnceCell<Result<Arc<Subject>, StartFailure>>,
    /// Cases that still need it.
    remaining: AtomicUsize,
    /// Records of the cases that run at present, by namespace.
    records: Arc<Mutex<Vec<(String, Record)>>>,
}

impl Shared {
    /// A release that `cases` cases will use.
    pub(super) fn new(release: Release, run_id: &str) -> Arc<Self> {
        let remaining = AtomicUsize::new(release.watched.len());
        Arc::new(Self {
            release,
            run_id: run_id.to_owned(),
            subject: OnceCell::new(),
            remaining,
            records: Arc::default(),
        })
    }

    /// Lets as many releases start at the same time as is good for all of them.
    pub(super) fn starts() -> Semaphore {
        Semaphore::new(STARTS)
    }

    /// The subject; the first caller starts it, the others wait.
    pub(super) async fn subject(
        &self,
        context: &SubjectContext,
        starts: &Semaphore,
    ) -> Result<Arc<Subject>, StartFailure> {
        let start = || async {
            // The semaphore is never closed, and without it the start would only be slower.
            let _turn = starts.acquire().await;
            self.start(context).await
        };
        self.subject.get_or_init(start).await.clone()
    }

    async fn start(&self, context: &SubjectContext) -> Result<Arc<Subject>, StartFailure> {
        let namespaces: Api<Namespace> = Api::all(context.client.clone());
        let namespace: Namespace = serde_json::from_value(json!({
            "metadata": {"name": self.release.namespace, "labels": {RUN_LABEL: self.run_id}},
        }))
        .unwrap_or_default();
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .map_err(|error| (false, format!("create the namespace {}: {error}", self.release.namespace)))?;
        let release = ReleaseSpec {
            namespace: self.release.namespace.clone(),
            watched: self.release.watched.clone(),
            values: self.release.values.clone(),
            shared: true,
            upgraded: false,
        };
        Subject::start(context, release, self.log_sink())
            .await
            .map(Arc::new)
            .map_err(|error| (error.is_subject_fault(), chain(&error)))
    }

    /// Hands each log line to the case whose namespace it mentions, everything else to all of them: a panic,
    /// for one, names nobody.
    fn log_sink(&self) -> LogSink {
        let records = Arc::clone(&self.records);
        let watched = self.release.watched.clone();
        Arc::new(move |observation| {
            let line = match &observation {
                Observation::Log { line } => line.as_str(),
                _ => None,
            };
            let line = line.filter(|line| watched.iter().any(|namespace| line.contains(namespace.as_str())));
            let records = records.lock().unwrap_or_else(PoisonError::into_inner);
            for (namespace, record) in records.iter() {
                if line.is_none_or(|line| line.contains(namespace.as_str())) {
                    record.append(observation.clone());
                }
            }
        })
    }

    /// From now on the record hears from the subject.
    pub(super) fn join(&self, namespace: &str, record: &Record) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push((namespace.to_owned(), record.clone()));
    }

    /// A case is done; the last one stops the subject.
    pub(super) async fn leave(&self, namespace: &str) {
        {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            records.retain(|(joined, _)| joined != namespace);
        }
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.stop().await;
        }
    }

    /// Stops the subject if it runs.
    pub(super) async fn stop(&self) {
        if let Some(Ok(subject)) = self.subject.get()
            && let Err(error) = subject.retire().await
        {
            tracing::debug!(namespace = %self.release.namespace, error = %chain(&error), "subject not stopped");
        }
    }

    /// Whether its subject runs as it was started, so that further cases can use it.
    pub(super) fn is_sound(&self) -> bool {
        matches!(self.subject.get(), Some(Ok(subject)) if subject.crashed().is_none())
    }

    /// Namespace of the release.
    pub(super) fn namespace(&self) -> &str {
        &self.release.namespace
    }
}

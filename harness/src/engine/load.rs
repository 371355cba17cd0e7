//! Load: what else a machine may have to do while cases run.
//!
//! Controllers go wrong where something takes longer than usual. Three kinds of load make that happen: the
//! processors are busy, the API server is, or the disk.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::cleanup::{self, MANAGER, RUN_LABEL};

/// How many clients write to the API server at the same time.
const CLIENTS: usize = 4;
/// Characters in each of their objects.
const OBJECT: usize = 4096;
/// Bytes between two syncs, and in the file before it is written anew.
const BLOCK: usize = 1 << 20;
const FILE: u64 = 64 << 20;
/// Pause after a request that was refused or not answered.
const PAUSE: Duration = Duration::from_millis(100);
/// Deadline of one request.
const REQUEST: Duration = Duration::from_secs(10);

/// What is kept busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LoadKind {
    /// Every processor, by a thread that counts.
    Cpu,
    /// The API server, by clients that create, change and delete objects in a namespace of their own.
    Api,
    /// The disk under the folder for temporary files, by a file that is synced after every mebibyte.
    Disk,
}

impl LoadKind {
    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Api => "api",
            Self::Disk => "disk",
        }
    }
}

/// Load that lasts until it is stopped or dropped.
#[derive(Default)]
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    clients: JoinSet<Option<()>>,
    cancel: CancellationToken,
    /// The namespace of the clients, and who can delete it.
    namespace: Option<(Client, String)>,
    /// What was counted so far, in words that tell what.
    counts: Vec<(Arc<AtomicU64>, &'static str)>,
}

impl Load {
    /// Begins all of these.
    pub(super) async fn start(
        kinds: &[LoadKind],
        client: &Client,
        run_id: &str,
    ) -> Result<Self, EngineError> {
        let mut load = Self::default();
        for kind in kinds {
            match kind {
                LoadKind::Cpu => load.processors()?,
                LoadKind::Api => load.api_server(client, run_id).await?,
                LoadKind::Disk => load.disk()?,
            }
        }
        Ok(load)
    }

    fn processors(&mut self) -> Result<(), EngineError> {
        let counted = self.count("million additions on the processors");
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..processors {
            let counted = Arc::clone(&counted);
            self.thread("spawn a thread", move || {
                for number in 0..1_000_000_u64 {
                    std::hint::black_box(number);
                }
                counted.fetch_add(1, Ordering::Relaxed);
                true
            })?;
        }
        Ok(())
    }

    fn disk(&mut self) -> Result<(), EngineError> {
        let failed = |action| move |source| EngineError::Load { action, source: Box::new(source) };
        let mut file = tempfile::tempfile().map_err(failed("create a file"))?;
        let counted = self.count("mebibytes synced to the disk");
        let block = vec![0x5a; BLOCK];
        self.thread("spawn a thread", move || {
            // A disk that is full is not what a case is tried under.
            let is_written = written(&mut file, &block).is_ok();
            counted.fetch_add(u64::from(is_written), Ordering::Relaxed);
            is_written
        })
    }

    async fn api_server(&mut self, client: &Client, run_id: &str) -> Result<(), EngineError> {
        let name = format!("load-{run_id}");
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": name, "labels": {RUN_LABEL: run_id}}}))
                .unwrap_or_default();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .map_err(|source| EngineError::Load { action: "create a namespace", source: Box::new(source) })?;
        self.namespace = Some((client.clone(), name.clone()));
        let counted = self.count("requests to the API server");
        for number in 0..CLIENTS {
            let (api, counted) = (Api::namespaced(client.clone(), &name), Arc::clone(&counted));
            let work = requests(api, format!("load-{number}"), counted);
            self.clients.spawn(self.cancel.clone().run_until_cancelled_owned(work));
        }
        Ok(())
    }

    fn count(&mut self, what: &'static str) -> Arc<AtomicU64> {
        let counted = Arc::<AtomicU64>::default();
        self.counts.push((Arc::clone(&counted), what));
        counted
    }

    /// Does something again and again until all is to stop, or it says so itself.
    fn thread(
        &mut self,
        action: &'static str,
        mut work: impl FnMut() -> bool + Send + 'static,
    ) -> Result<(), EngineError> {
        let stop = Arc::clone(&self.stop);
        let again = move || while !stop.load(Ordering::Relaxed) && work() {};
        let thread = std::thread::Builder::new().name("hallmark-load".to_owned()).spawn(again);
        let thread = thread.map_err(|source| EngineError::Load { action, source: Box::new(source) })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Ends all of it; says what it was, so that everybody sees that there was load.
    pub(super) async fn stop(mut self, tidy: bool) -> Vec<String> {
        self.end();
        while self.clients.join_next().await.is_some() {}
        for thread in std::mem::take(&mut self.threads) {
            // Each looks after a moment's work whether it is to stop.
            let _panicked = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        if let Some((client, namespace)) = self.namespace.take().filter(|_| tidy) {
            cleanup::delete_namespace(&client, &namespace).await;
        }
        self.counts.iter().map(|(count, what)| format!("{} {what}", count.load(Ordering::Relaxed))).collect()
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.cancel.cancel();
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes one more block of the file and waits until it is on the disk.
fn written(file: &mut File, block: &[u8]) -> std::io::Result<()> {
    if file.stream_position()? >= FILE {
        file.seek(SeekFrom::Start(0))?;
    }
    file.write_all(block)?;
    file.sync_all()
}

/// Creates, changes and deletes an object for ever.
async fn requests(api: Api<ConfigMap>, name: String, counted: Arc<AtomicU64>) {
    let text = "x".repeat(OBJECT);
    let object: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": name}, "data": {"text": text}}))
            .unwrap_or_default();
    let (creating, deleting) = (PostParams::default(), DeleteParams::default());
    let patching = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    for number in 0_u64.. {
        let change = Patch::Merge(json!({"data": {"number": number.to_string()}}));
        let round = async {
            api.create(&creating, &object).await?;
            api.patch(&name, &patching, &change).await?;
            api.delete(&name, &deleting).await?;
            Ok::<_, kube::Error>(())
        };
        if let Ok(Ok(())) = tokio::time::timeout(REQUEST, round).await {
            counted.fetch_add(3, Ordering::Relaxed);
            continue;
        }
        // An object that is left from a round that failed would make every other one fail.
        let _gone = tokio::time::timeout(REQUEST, api.delete(&name, &deleting)).await;
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client of nobody: neither of the two kinds asks the API server.
    fn client() -> Client {
        let nobody = tower::service_fn(|_request: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("nobody"))
        });
        Client::new(nobody, "default")
    }

    #[tokio::test]
    async fn processors_and_disk_are_busy_until_they_are_stopped() {
        let load = Load::start(&[LoadKind::Cpu, LoadKind::Disk], &client(), "run").await.unwrap();
        let counts: Vec<Arc<AtomicU64>> = load.counts.iter().map(|(count, _)| Arc::clone(count)).collect();
        let all = || counts.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while all().contains(&0) && std::time::Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        let told = load.stop(false).await;
        assert!(told.len() == 2 && !all().contains(&0), "{told:?}");
        let at_the_end = all();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(all(), at_the_end);
    }

    #[tokio::test]
    async fn load_that_cannot_begin_is_told() {
        let error = Load::start(&[LoadKind::Api], &client(), "run").await.err().unwrap();
        assert_eq!(error.to_string(), "create a namespace for the load");
    }
}

//! A local cluster, and releases of the controller on it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use hallmark::cluster::local::{self, LocalCluster};
use hallmark::cluster::process::Supervisor;
use hallmark::cluster::{BackendChoice, ClusterInfo, ClusterSpec, KubeControllers, provision};
use hallmark::engine::PlayedJobs;
use hallmark::event::EventSink;
use hallmark::pulse::Pulse;
use hallmark::record::Observation;
use hallmark::report;
use hallmark::subject::{Helm, Implementation, LogSink, ReleaseSpec, Subject, SubjectContext, crds};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::audit::{self, Request};
use super::objects;

/// The controller under test; a build with the feature `defects` can be given one.
#[cfg(not(feature = "defects"))]
const CONTROLLER: &str = env!("CARGO_BIN_EXE_agents-controller");
#[cfg(feature = "defects")]
const CONTROLLER: &str = env!("CARGO_BIN_EXE_agents-controller-defects");
/// The folder of its logs, one for each namespace with a release.
pub(crate) const LOGS: &str = env!("CARGO_TARGET_TMPDIR");
/// The admission policy that keeps pods away belongs to one cluster, so its name need not be unique.
const RUN_ID: &str = "played";

/// One install of the controller.
#[derive(Debug, Clone)]
pub(crate) struct Install {
    /// Namespace of the release, which is made; its name also is that of the log file.
    pub(crate) namespace: String,
    /// Namespaces to work in; empty means the release's own.
    pub(crate) watched: Vec<String>,
    /// Values of the chart.
    pub(crate) values: Value,
    /// The endpoint whose status 200 ends the start.
    pub(crate) started: &'static str,
}

impl Install {
    /// A release that works in its own namespace.
    pub(crate) fn of(namespace: &str, values: Value) -> Self {
        Self { namespace: namespace.to_owned(), watched: Vec::new(), values, started: "/readyz" }
    }
}

/// Values that lift all limits.
pub(crate) fn unlimited() -> Value {
    const MANY: u32 = 1_000_000;
    json!({"controller": {
        "concurrency": {"perNamespace": MANY, "perAgent": MANY, "cluster": MANY},
        "queue": {"perNamespace": 0, "perRepo": 0, "cluster": 0},
        "rate": {"perNamespace": 0, "perRepo": 0, "cluster": 0},
    }})
}

/// A running local cluster. Its processes end with it, or with this process.
pub(crate) struct Testbed {
    cluster: LocalCluster,
    context: SubjectContext,
    played: PlayedJobs,
}

impl Testbed {
    /// Starts a cluster without the CRDs, with these of Kubernetes' own controllers.
    pub(crate) async fn start(controllers: KubeControllers) -> Result<Self> {
        let (events, receiver) = EventSink::channel();
        // Ends with the last sink, which is part of the context.
        let _reporter = report::spawn_progress(receiver, report::Settings::default());
        let supervisor = Supervisor::current_exe().context("find the running program")?;
        let spec = ClusterSpec {
            backend: BackendChoice::Local,
            controllers,
            supervisor: supervisor.clone(),
            ..ClusterSpec::default()
        };
        let cluster = async { local::start(&spec, &events).await.context("start a cluster") };
        let helm = async { provision::helm(&events).await.context("find Helm") };
        let (cluster, helm) = tokio::try_join!(cluster, helm)?;
        let client = connect(cluster.kubeconfig_path()).await?;
        let context = SubjectContext {
            client: client.clone(),
            pulse: Pulse::start(client.clone()),
            kubeconfig_path: cluster.kubeconfig_path().to_owned(),
            helm: Some(Helm::new(&helm)?),
            implementation: Arc::new(implementation()?),
            supervisor,
            events,
            info: cluster.info().clone(),
            route: None,
        };
        let played = PlayedJobs::install(&client, RUN_ID).await?;
        Ok(Self { cluster, context, played })
    }

    /// The administrator's client.
    pub(crate) fn client(&self) -> &Client {
        &self.context.client
    }

    /// What is known about the cluster.
    pub(crate) fn info(&self) -> &ClusterInfo {
        self.cluster.info()
    }

    /// The cluster itself, to be disturbed.
    pub(crate) fn cluster_mut(&mut self) -> &mut LocalCluster {
        &mut self.cluster
    }

    /// The folder that every process of the cluster has on its command line.
    pub(crate) fn folder(&self) -> &Path {
        self.cluster.kubeconfig_path().parent().unwrap_or(Path::new("/"))
    }

    /// Installs the chart's CRDs and waits until they are served; returns their names.
    pub(crate) async fn install_crds(&self) -> Result<Vec<String>> {
        Ok(crds::apply(&self.context).await?)
    }

    /// Makes a namespace whose Jobs are played, with the Agent that runs refer to. Needs the CRDs.
    pub(crate) async fn workspace(&self, name: &str) -> Result<()> {
        self.namespace(name).await?;
        objects::create_references(self.client(), name).await
    }

    /// Makes a namespace whose Jobs are played.
    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(self.played.labels()),
            ..ObjectMeta::default()
        };
        let namespaces: Api<Namespace> = Api::all(self.client().clone());
        let namespace = Namespace { metadata, ..Namespace::default() };
        match namespaces.create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            outcome => outcome.map(drop).with_context(|| format!("create the namespace {name}")),
        }
    }

    /// Installs the controller and waits until it has started.
    pub(crate) async fn install(&self, install: Install) -> Result<Subject> {
        let Install { namespace, watched, values, started } = install;
        self.namespace(&namespace).await?;
        let mut context = self.context.clone();
        started.clone_into(&mut Arc::make_mut(&mut context.implementation).health.ready.path.value);
        let log = log_file(&namespace)?;
        let shared = watched.iter().any(|watched| *watched != namespace);
        let release = ReleaseSpec { namespace, watched, values, shared, upgraded: false };
        Ok(Subject::start(&context, release, log).await?)
    }

    /// What the controller installed in this namespace has asked of the API server so far.
    pub(crate) fn requests(&self, namespace: &str) -> Result<Vec<Request>> {
        match hallmark::cluster::audit::log_beside(self.cluster.kubeconfig_path()) {
            Some(log) => audit::read(&log, namespace),
            None => bail!("the cluster has no audit log"),
        }
    }

    /// Ends all processes of the cluster.
    pub(crate) async fn stop(self) {
        self.cluster.stop().await;
    }
}

/// The controller's implementation file, with the binary that cargo built for this test or bench.
fn implementation() -> Result<Implementation> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("implementation.yaml");
    let mut implementation = Implementation::load(&file)?;
    let process = implementation.process.as_mut().context("the implementation runs as no process")?;
    for program in process.programs.values_mut() {
        *program = PathBuf::from(CONTROLLER);
    }
    Ok(implementation)
}

async fn connect(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // Whoever disturbs the API server wants to see what that does.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

fn log_file(namespace: &str) -> Result<LogSink> {
    let path = Path::new(LOGS).join(format!("{namespace}.log"));
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let file = Mutex::new(file);
    Ok(Arc::new(move |observation| {
        let line = match observation {
            Observation::Log { line } => line.as_str().map_or_else(|| line.to_string(), str::to_owned),
            Observation::Subject { what, .. } => format!("-- {what}"),
            _ => return,
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not change the outcome.
        let _lost = writeln!(file, "{line}");
    }))
}

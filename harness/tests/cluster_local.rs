//! The `local` backend with real processes: it works, and nothing of it stays behind.
//!
//! The first run on a machine builds the Kubernetes binaries, which takes minutes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests, too"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use hallmark::cluster::process::Supervisor;
use hallmark::cluster::provision::{self, KubernetesBinaries};
use hallmark::cluster::{Backend, BackendChoice, ClusterSpec, KubernetesVersion, audit, local, start};
use hallmark::event::EventSink;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Client, Config};

const HALLMARK: &str = env!("CARGO_BIN_EXE_hallmark");
const DEADLINE: Duration = Duration::from_secs(30);

/// Command lines of running processes that mention `folder`.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(folder))
        .collect()
}

/// Waits until no process mentions `folder`.
fn assert_nothing_runs_in(folder: &Path) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let left = processes_of(folder);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "still running: {left:#?}");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_cluster_starts_acts_and_stops_without_a_trace() {
    let (events, _reports) = EventSink::channel();
    let spec = ClusterSpec {
        backend: BackendChoice::Local,
        supervisor: Supervisor::at(HALLMARK),
        ..ClusterSpec::default()
    };
    let cluster = start(&spec, &events).await.unwrap();
    assert_eq!(cluster.info().backend, Backend::Local);
    assert!(cluster.info().kubernetes_version.starts_with("v1.35."), "{:?}", cluster.info());
    let folder = cluster.kubeconfig_path().parent().unwrap().to_owned();
    assert_eq!(processes_of(&folder).len(), 6, "three components, each with its supervisor");

    let client = cluster.client().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let metadata = ObjectMeta { name: Some("trial".to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let uid = namespaces.create(&PostParams::default(), &namespace).await.unwrap().metadata.uid.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client, "trial");
    let account = await_condition(accounts, "default", |seen: Option<&ServiceAccount>| seen.is_some());
    tokio::time::timeout(DEADLINE, account).await.expect("a default ServiceAccount").unwrap();
    namespaces.delete("trial", &DeleteParams::default()).await.unwrap();
    let gone = await_condition(namespaces, "trial", is_deleted(&uid));
    tokio::time::timeout(DEADLINE, gone).await.expect("the namespace is deleted").unwrap();

    cluster.stop().await.unwrap();
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert!(!folder.exists());
}

/// A client that is the default `ServiceAccount` of a namespace.
async fn as_service_account(admin: &Client, kubeconfig: &Path, namespace: &str) -> Client {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), namespace);
    let exists = await_condition(accounts.clone(), "default", |seen: Option<&ServiceAccount>| seen.is_some());
    tokio::time::timeout(DEADLINE, exists).await.unwrap().unwrap();
    let wanted = TokenRequest::default();
    let token = accounts.create_token_request("default", &PostParams::default(), &wanted).await.unwrap();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.auth_info = AuthInfo { token: Some(token.status.unwrap().token.into()), ..AuthInfo::default() };
    Client::try_from(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_api_server_comes_back_with_its_data_and_its_audit_log() {
    let (events, _reports) = EventSink::channel();
    let spec = ClusterSpec { supervisor: Supervisor::at(HALLMARK), ..ClusterSpec::default() };
    let mut cluster = local::start(&spec, &events).await.unwrap();
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig_path()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let admin = Client::try_from(config).unwrap();
    let account = as_service_account(&admin, cluster.kubeconfig_path(), "default").await;
    let ask = async |name| {
        let answer = Api::<ServiceAccount>::default_namespaced(account.clone()).get(name).await;
        assert!(matches!(answer, Err(kube::Error::Api(status)) if status.is_forbidden()));
    };

    ask("before").await;
    let namespaces: Api<Namespace> = Api::all(admin);
    let metadata = ObjectMeta { name: Some("kept".to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    cluster.kill_apiserver().await;
    cluster.start_apiserver().await.unwrap();
    namespaces.get("kept").await.unwrap();
    ask("after").await;

    let log = fs::read_to_string(audit::log_beside(cluster.kubeconfig_path()).unwrap()).unwrap();
    let asked: Vec<(String, String)> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| {
            let text = |path: &str| event.pointer(path).unwrap().as_str().unwrap().to_owned();
            (text("/user/username"), text("/objectRef/name"))
        })
        .collect();
    let expected =
        ["before", "after"].map(|name| ("system:serviceaccount:default:default".to_owned(), name.to_owned()));
    assert_eq!(asked, expected);
    cluster.stop().await;
}

/// What was given a revision in the time that is lost would otherwise be met again: revisions go on, and who watches
/// from an earlier one is told to list anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_datastore_that_is_put_back_has_what_it_had_and_later_revisions() {
    let (events, _reports) = EventSink::channel();
    let spec = ClusterSpec { supervisor: Supervisor::at(HALLMARK), ..ClusterSpec::default() };
    let mut cluster = local::start(&spec, &events).await.unwrap();
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig_path()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(Client::try_from(config).unwrap());
    let create = async |name: &str| {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = namespaces.create(&PostParams::default(), &namespace).await.unwrap().metadata;
        (created.uid.unwrap(), created.resource_version.unwrap())
    };
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().join("earlier");

    let (uid, _revision) = create("earlier").await;
    cluster.kill_apiserver().await;
    cluster.copy_datastore(&copy).await.unwrap();
    cluster.start_apiserver().await.unwrap();
    let (_uid, lost) = create("later").await;
    cluster.kill_apiserver().await;
    cluster.put_datastore_back(&copy).await.unwrap();
    cluster.start_apiserver().await.unwrap();

    assert_eq!(namespaces.get("earlier").await.unwrap().metadata.uid, Some(uid));
    assert!(namespaces.get_opt("later").await.unwrap().is_none());
    let mut watch = namespaces.watch(&WatchParams::default(), &lost).await.unwrap().boxed();
    let told =
        tokio::time::timeout(DEADLINE, watch.next()).await.expect("who watches is told").unwrap().unwrap();
    assert!(matches!(&told, WatchEvent::Error(status) if status.code == 410), "{told:?}");
    let (_uid, next) = create("next").await;
    let number = |revision: &str| revision.parse::<u64>().unwrap();
    assert!(number(&next) > number(&lost), "{next} comes after {lost}");
    cluster.stop().await;
}

/// A process that owns a cluster, with a cache of its own.
struct Keeper {
    process: Child,
    cache: tempfile::TempDir,
    /// The folder of its cluster.
    folder: PathBuf,
}

impl Keeper {
    /// Starts `hallmark cluster serve` with the binaries that this process would use.
    async fn start() -> Self {
        let (events, _reports) = EventSink::channel();
        let binaries = provision::kubernetes(KubernetesVersion::default(), &events).await.unwrap();
        let cache = tempfile::tempdir().unwrap();
        link(&binaries, cache.path());
        let order = r#"{"backend": "local", "kubernetes": "v1.35.4", "k3sImage": "", "images": []}"#;
        let mut process = Command::new(HALLMARK)
            .args(["cluster", "serve", order])
            .env("HALLMARK_CACHE", cache.path())
            .env("HALLMARK_KUBE_BIN", cache.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: Vec<_> = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
            .take_while(|line| line != r#""ready""#)
            .collect();
        let state = fs::read(cache.path().join("kept.json")).unwrap_or_else(|_| panic!("{lines:#?}"));
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        let kubeconfig = Path::new(state["kubeconfig"].as_str().unwrap());
        let folder = kubeconfig.parent().unwrap().to_owned();
        assert_eq!(processes_of(&folder).len(), 6, "three components, each with its supervisor");
        Self { process, cache, folder }
    }

    fn send(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.process.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

fn link(binaries: &KubernetesBinaries, dir: &Path) {
    for component in [&binaries.etcd, &binaries.apiserver, &binaries.controller_manager] {
        let name = match component.args.first() {
            // A multi-call binary serves several components.
            Some(_component) => "kubernetes",
            None if component == &binaries.etcd => "etcd",
            None if component == &binaries.apiserver => "kube-apiserver",
            None => "kube-controller-manager",
        };
        let link = dir.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(&component.program, link).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_harness_killed_with_sigkill_leaves_no_process() {
    let mut keeper = Keeper::start().await;
    keeper.send(rustix::process::Signal::KILL);
    keeper.process.wait().unwrap();
    assert_nothing_runs_in(&keeper.folder);
    hallmark::scratch::sweep();
    assert!(!keeper.folder.exists(), "the folder of a dead harness is swept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_ends_its_cluster_on_sigterm_and_forgets_it() {
    let mut keeper = Keeper::start().await;
    keeper.send(rustix::process::Signal::TERM);
    assert!(keeper.process.wait().unwrap().success());
    assert_eq!(processes_of(&keeper.folder), Vec::<String>::new());
    assert!(!keeper.folder.exists());
    assert!(!keeper.cache.path().join("kept.json").exists());
}

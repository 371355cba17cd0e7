//! A cluster, content for it, and what can be seen of it from outside.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallmark::backup::{
    self, BackupOptions, BackupReport, Checked, LeaderGuard, Limits, Patience, RestoreOptions,
};
use hallmark::cluster::local::{self, LocalCluster};
use hallmark::cluster::process::Supervisor;
use hallmark::cluster::{BackendChoice, ClusterSpec, KubeControllers, audit};
use hallmark::event::EventSink;
use hallmark::yaml::{Source, parse_documents};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::disturb::{Disturbance, Fate};

/// Whoever backs up and restores in these tests: the audit log tells its requests.
const USER: &str = "system:serviceaccount:default:operator";
/// What must be in no archive.
pub(crate) const CANARY: &str = "canary-8f1d6c";
/// Trouble is over at once here, except where an API server starts again.
pub(crate) const PATIENCE: Patience =
    Patience { first: Duration::from_millis(5), longest: Duration::from_secs(1), times: 30 };
/// Long enough for a busy machine.
const SOON: Duration = Duration::from_mins(1);

pub(crate) const NAMESPACES: [&str; 2] = ["team-a", "team-b"];
const KINDS: [(&str, &str); 7] = [
    ("AgentProvider", "agentproviders"),
    ("Agent", "agents"),
    ("ImplementationSpec", "implementationspecs"),
    ("ImplementationSource", "implementationsources"),
    ("Memory", "memories"),
    ("VersionControlProvider", "versioncontrolproviders"),
    ("AgentRun", "agentruns"),
];

pub(crate) struct Bed {
    cluster: Mutex<LocalCluster>,
    kubeconfig: PathBuf,
    audit_log: PathBuf,
    admin: Client,
    config: Config,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) events: EventSink,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        let (events, _reports) = EventSink::channel();
        let spec = ClusterSpec {
            backend: BackendChoice::Local,
            controllers: KubeControllers::WithoutJobs,
            supervisor: Supervisor::at(env!("CARGO_BIN_EXE_hallmark")),
            ..ClusterSpec::default()
        };
        let cluster = local::start(&spec, &events).await.unwrap();
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig_path()).unwrap();
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig.clone(), &KubeConfigOptions::default()).await.unwrap();
        // New definitions are answered with 429 while their storage comes up.
        let admin = Client::try_from(config.clone()).unwrap();
        config.default_retry = false;
        config.auth_info = AuthInfo { token: Some(operator(&admin).await.into()), ..AuthInfo::default() };
        let folder = tempfile::tempdir().unwrap();
        Self {
            kubeconfig: operator_kubeconfig(kubeconfig, &config.auth_info, folder.path()),
            audit_log: audit::log_beside(cluster.kubeconfig_path()).unwrap(),
            cluster: Mutex::new(cluster),
            admin,
            config,
            folder,
            events,
        }
    }

    pub(crate) async fn stop(self) {
        self.cluster.into_inner().stop().await;
    }

    /// The operator's kubeconfig, for commands.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Kills the API server and starts it again; `meanwhile` is called while it is down.
    pub(crate) async fn restart_apiserver(&self, meanwhile: impl FnOnce()) {
        let mut cluster = self.cluster.lock().await;
        cluster.kill_apiserver().await;
        meanwhile();
        cluster.start_apiserver().await.unwrap();
    }

    /// The operator's client.
    pub(crate) fn client(&self) -> Client {
        Client::try_from(self.config.clone()).unwrap()
    }

    /// The operator's client with something in its way.
    pub(crate) fn disturbed(&self, disturbance: &Disturbance) -> Client {
        disturbance.client(self.config.clone())
    }

    /// The administrator's client, whose requests are not counted.
    pub(crate) fn admin(&self) -> Client {
        self.admin.clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.tar.zst"))
    }

    pub(crate) async fn backup(&self, name: &str) -> (BackupReport, Checked) {
        let path = self.path(name);
        let options = BackupOptions::default();
        let report = backup::take(self.client(), &options, &path, &self.events).await.unwrap();
        let checked = backup::verify(&path, Limits::default()).unwrap();
        assert_eq!(report.sha256, checked.sha256);
        (report, checked)
    }

    /// Options for a cluster without a controller.
    pub(crate) fn options() -> RestoreOptions {
        RestoreOptions {
            guard: LeaderGuard { assume_none: true, ..LeaderGuard::default() },
            lock_duration: Duration::from_secs(1),
            patience: PATIENCE,
            ..RestoreOptions::default()
        }
    }

    pub(crate) fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (kind, plural) = KINDS.into_iter().find(|(name, _plural)| *name == kind).unwrap();
        Api::namespaced_with(self.admin(), namespace, &resource(kind, plural))
    }

    /// Definitions, namespaces, every kind, runs in every phase, Secrets with the canary.
    pub(crate) async fn populate(&self) {
        self.clear().await;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/agents");
        let definitions: Vec<Value> = yaml(&folder.join("crds"));
        hallmark::cluster::kinds::serve(&self.admin(), &definitions).await.unwrap();
        let examples: Vec<Value> = yaml(&folder.join("examples"));
        self.secrets().await;
        for namespace in NAMESPACES {
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prompt"}, "data": {"text": "be brief"}});
            let maps: Api<DynamicObject> =
                Api::namespaced_with(self.admin(), namespace, &core("ConfigMap", "configmaps"));
            maps.create(&PostParams::default(), &dynamic(map)).await.unwrap();
            for example in &examples {
                let kind = example["kind"].as_str().unwrap();
                self.api(kind, namespace)
                    .create(&PostParams::default(), &dynamic(example.clone()))
                    .await
                    .unwrap();
            }
            for (name, phase) in [
                ("won", "Succeeded"),
                ("lost", "Failed"),
                ("stopped", "Cancelled"),
                ("going", "Running"),
                ("queued", "Pending"),
            ] {
                self.run(namespace, name, phase).await;
            }
        }
    }

    /// The namespaces and their Secrets, as far as they are missing.
    pub(crate) async fn secrets(&self) {
        for namespace in NAMESPACES {
            self.namespace(namespace).await;
            self.secret(namespace, "example-memory", "url").await;
            self.secret(namespace, "example-github", "token").await;
        }
    }

    async fn namespace(&self, name: &str) {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"team": name}, "annotations": {"about": "a team"}},
        });
        let api: Api<DynamicObject> = Api::all_with(self.admin(), &core("Namespace", "namespaces"));
        self.until("the namespace can be made", async || {
            let found = api.get_opt(name).await.unwrap();
            found.is_none_or(|found| found.metadata.deletion_timestamp.is_none())
        })
        .await;
        create(&api, namespace).await;
    }

    /// A Secret with one key, whose value is the canary.
    pub(crate) async fn secret(&self, namespace: &str, name: &str, key: &str) {
        let data = json!({key: CANARY});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        create(&Api::namespaced_with(self.admin(), namespace, &core("Secret", "secrets")), secret).await;
    }

    /// A run in its second generation, with a finalizer and the status of its phase.
    pub(crate) async fn run(&self, namespace: &str, name: &str, phase: &str) {
        let api = self.api("AgentRun", namespace);
        let run = json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun",
            "metadata": {"name": name, "labels": {"phase": phase}, "finalizers": ["agents.proompteng.ai/runtime-cleanup"]},
            "spec": {
                "agentRef": {"name": "example"}, "implementationSpecRef": {"name": "example"},
                "runtime": {"type": "job"}, "parameters": {"repository": "a/b"},
                "systemPromptRef": {"kind": "ConfigMap", "name": "prompt", "key": "text"},
            },
        });
        api.create(&PostParams::default(), &dynamic(run)).await.unwrap();
        let edit = json!({"spec": {"parameters": {"stage": "second"}}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
        if phase == "Pending" {
            return;
        }
        let mut status = json!({
            "phase": phase, "observedGeneration": 2, "startedAt": "2026-01-01T00:00:00Z", "specHash": "00",
            "conditions": [{
                "type": "Accepted", "status": "True", "reason": "Submitted", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
            "runtimeRef": {"type": "job", "name": format!("{name}-job"), "namespace": namespace, "uid": "gone"},
        });
        if phase != "Running" {
            status["finishedAt"] = json!("2026-01-01T00:05:00Z");
        }
        let patch = Patch::Merge(json!({"status": status}));
        api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Deletes every object that a backup holds, and every definition, and waits until they are gone. The
    /// namespaces and their Secrets stay: they are to be there before a restore.
    pub(crate) async fn clear(&self) {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.admin());
        for (kind, plural) in KINDS {
            let name = format!("{plural}.agents.proompteng.ai");
            if definitions.get_opt(&name).await.unwrap().is_none() {
                continue;
            }
            let all: Api<DynamicObject> = Api::all_with(self.admin(), &resource(kind, plural));
            for object in all.list(&ListParams::default()).await.unwrap() {
                let api = self.api(kind, object.metadata.namespace.as_deref().unwrap());
                let name = object.metadata.name.as_deref().unwrap();
                let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                api.patch(name, &PatchParams::default(), &free).await.unwrap();
                // Gone already if it was being deleted.
                let _gone = api.delete(name, &DeleteParams::default()).await;
            }
            definitions.delete(&name, &DeleteParams::default()).await.unwrap();
        }
        for namespace in NAMESPACES {
            let maps: Api<DynamicObject> =
                Api::namespaced_with(self.admin(), namespace, &core("ConfigMap", "configmaps"));
            let _absent = maps.delete("prompt", &DeleteParams::default()).await;
        }
        self.until("the definitions are gone", async || {
            definitions.list(&ListParams::default()).await.unwrap().items.is_empty()
        })
        .await;
    }

    /// As [`Bed::clear`], but the namespaces go, too.
    pub(crate) async fn clear_namespaces(&self) {
        self.clear().await;
        let namespaces: Api<Namespace> = Api::all(self.admin());
        for name in NAMESPACES {
            let _absent = namespaces.delete(name, &DeleteParams::default()).await;
        }
        self.until("the namespaces are gone", async || {
            let left = namespaces.list(&ListParams::default()).await.unwrap();
            !left.iter().any(|left| NAMESPACES.contains(&left.metadata.name.as_deref().unwrap()))
        })
        .await;
    }

    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let wait = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(SOON, wait).await.is_ok(), "not in time: {what}");
    }

    /// All objects of the group as this test sees them: what must come back.
    pub(crate) async fn content(&self) -> BTreeMap<String, Value> {
        let mut content = BTreeMap::new();
        for (place, object) in self.objects().await {
            let mut data = object.data;
            if let Some(status) = data.get_mut("status").and_then(Value::as_object_mut) {
                // Given back as far as it says whether the controller has seen the newest generation.
                let observed = status.get("observedGeneration").and_then(Value::as_i64);
                let current = observed.map(|observed| Some(observed) == object.metadata.generation);
                status.insert("observedGeneration".to_owned(), json!(current));
            }
            let metadata = &object.metadata;
            let kept = json!([metadata.labels, metadata.annotations, metadata.finalizers]);
            content.insert(place, json!({"kept": kept, "data": data}));
        }
        content
    }

    /// uid and resourceVersion of everything that a restore could touch.
    pub(crate) async fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        let mut add = |what: String, metadata: &kube::api::ObjectMeta| {
            versions.insert(what, format!("{:?} {:?}", metadata.uid, metadata.resource_version));
        };
        for (place, object) in self.objects().await {
            add(place, &object.metadata);
        }
        for definition in
            Api::<CustomResourceDefinition>::all(self.admin()).list(&ListParams::default()).await.unwrap()
        {
            add(definition.metadata.name.clone().unwrap(), &definition.metadata);
        }
        for (kind, plural) in
            [("Namespace", "namespaces"), ("ConfigMap", "configmaps"), ("Secret", "secrets")]
        {
            let api: Api<DynamicObject> = Api::all_with(self.admin(), &core(kind, plural));
            for object in api.list(&ListParams::default()).await.unwrap() {
                let metadata = &object.metadata;
                add(format!("{kind} {:?} {:?}", metadata.namespace, metadata.name), metadata);
            }
        }
        versions
    }

    async fn objects(&self) -> Vec<(String, DynamicObject)> {
        let mut objects = Vec::new();
        let definitions: Api<CustomResourceDefinition> = Api::all(self.admin());
        for (kind, plural) in KINDS {
            if definitions.get_opt(&format!("{plural}.agents.proompteng.ai")).await.unwrap().is_none() {
                continue;
            }
            let api: Api<DynamicObject> = Api::all_with(self.admin(), &resource(kind, plural));
            for object in api.list(&ListParams::default()).await.unwrap() {
                let metadata = &object.metadata;
                let name = [kind, metadata.namespace.as_deref().unwrap(), metadata.name.as_deref().unwrap()];
                objects.push((name.join(" "), object));
            }
        }
        objects
    }

    /// The operator's requests that changed something, from the audit log: verb and path of each.
    pub(crate) fn writes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.audit_log).unwrap();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events
            .filter(|event| event["user"]["username"] == USER && event["stage"] == "ResponseComplete")
            .filter(|event| !["get", "list", "watch"].contains(&event["verb"].as_str().unwrap()))
            .map(|event| {
                format!("{} {}", event["verb"].as_str().unwrap(), event["requestURI"].as_str().unwrap())
            })
            .filter(|request| !request.contains("dryRun=All"))
            .collect()
    }

    /// Comes back when so many writes of what a restore restores were answered from now on, whoever asked.
    pub(crate) async fn after_writes(&self, number: usize) {
        let mut log = std::fs::File::open(&self.audit_log).unwrap();
        log.seek(SeekFrom::End(0)).unwrap();
        let (mut log, mut line, mut seen) = (BufReader::new(log), String::new(), 0);
        while seen < number {
            // The rest of a line that is still being written is appended to what was read of it.
            log.read_line(&mut line).unwrap();
            if !line.ends_with('\n') {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            let event: Value = serde_json::from_str(&line).unwrap();
            line.clear();
            let text = |field: &str| event[field].as_str().unwrap();
            let restores = text("requestURI").contains("agents.proompteng.ai")
                || text("requestURI").contains("customresourcedefinitions");
            let writes =
                ["create", "update"].contains(&text("verb")) && !text("requestURI").contains("dryRun=All");
            seen += usize::from(restores && writes && text("stage") == "ResponseComplete");
        }
    }

    /// How many requests of the operator the audit log has.
    pub(crate) fn requests(&self) -> usize {
        let log = std::fs::read_to_string(&self.audit_log).unwrap();
        log.lines().filter(|line| line.contains(USER)).count()
    }
}

/// A disturbance that only counts.
pub(crate) fn counting() -> Disturbance {
    Disturbance::new(|_seen| Fate::Pass)
}

/// Writes the kubeconfig of an administrator with somebody else's rights in place of his own.
fn operator_kubeconfig(mut kubeconfig: Kubeconfig, operator: &AuthInfo, folder: &Path) -> PathBuf {
    for user in &mut kubeconfig.auth_infos {
        user.auth_info = Some(operator.clone());
    }
    let path = folder.join("kubeconfig");
    std::fs::write(&path, serde_json::to_string(&kubeconfig).unwrap()).unwrap();
    path
}

/// A token of a `ServiceAccount` that may do everything.
async fn operator(admin: &Client) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), "default");
    let account = json!({"metadata": {"name": "operator"}});
    accounts.create(&PostParams::default(), &serde_json::from_value(account).unwrap()).await.unwrap();
    let binding = json!({
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": "default"}],
    });
    let bindings: Api<k8s_openapi::api::rbac::v1::ClusterRoleBinding> = Api::all(admin.clone());
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    let wanted = TokenRequest::default();
    let token = accounts.create_token_request("operator", &PostParams::default(), &wanted).await.unwrap();
    token.status.unwrap().token
}

/// Creates an object unless it is there.
async fn create(api: &Api<DynamicObject>, object: Value) {
    match api.create(&PostParams::default(), &dynamic(object)).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        created => drop(created.unwrap()),
    }
}

pub(crate) fn dynamic(object: Value) -> DynamicObject {
    serde_json::from_value(object).unwrap()
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: "agents.proompteng.ai".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "agents.proompteng.ai/v1alpha1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

pub(crate) fn core(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: String::new(),
        version: "v1".to_owned(),
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

/// The documents of the YAML files right in a folder.
fn yaml(folder: &Path) -> Vec<Value> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let parse = |path: &PathBuf| {
        let source = Source::new(path, std::fs::read_to_string(path).unwrap());
        parse_documents(&source).unwrap().into_iter().map(|node| node.to_json()).collect::<Vec<_>>()
    };
    files.iter().flat_map(parse).collect()
}

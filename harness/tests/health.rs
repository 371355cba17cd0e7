//! What the reference controller says about itself while its CRDs come and go. A CRD belongs to the whole
//! cluster, so this needs a cluster that no scenario uses.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark::cluster::process::Supervisor;
use hallmark::cluster::{BackendChoice, Cluster, ClusterSpec, provision, start};
use hallmark::event::EventSink;
use hallmark::pulse::Pulse;
use hallmark::subject::{self, Answer, Helm, Implementation, ReleaseSpec, Subject, SubjectContext, crds};
use hallmark::yaml::{Source, to_yaml};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use serde_json::{Value, json};

/// What the specification allows between the return of a CRD and readiness, and as much for the fall.
const SOON: Duration = Duration::from_secs(10);

/// The reference controller, called ready as soon as it is alive: here readiness is what is judged.
fn implementation() -> Implementation {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/implementation.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut document =
        hallmark::yaml::parse_documents(&Source::new(&path, text)).unwrap().remove(0).to_json();
    *document.pointer_mut("/spec/health/ready/path").unwrap() = "/livez".into();
    Implementation::parse(&Source::new(&path, to_yaml(&document))).unwrap()
}

async fn prepare(events: &EventSink) -> (Cluster, SubjectContext) {
    let supervisor = Supervisor::at(env!("CARGO_BIN_EXE_hallmark"));
    let spec = ClusterSpec {
        backend: BackendChoice::Local,
        supervisor: supervisor.clone(),
        ..ClusterSpec::default()
    };
    let implementation = implementation();
    let process = implementation.process.clone().unwrap();
    subject::build(&implementation, &process.build.unwrap(), events).await.unwrap();
    let cluster = start(&spec, events).await.unwrap();
    let client = cluster.client().await.unwrap();
    let context = SubjectContext {
        pulse: Pulse::start(client.clone()),
        client,
        kubeconfig_path: cluster.kubeconfig_path().to_owned(),
        helm: Some(helm(events).await),
        implementation: Arc::new(implementation),
        supervisor,
        events: events.clone(),
        info: cluster.info().clone(),
        route: None,
    };
    (cluster, context)
}

async fn helm(events: &EventSink) -> Helm {
    let found = provision::helm(events).await.unwrap();
    Helm::new(&found).unwrap()
}

/// Asks until the answer is as wanted.
async fn until(subject: &Subject, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let begin = Instant::now();
    loop {
        let answer = subject.get(path).await.unwrap();
        if wanted(&answer) {
            return answer;
        }
        assert!(begin.elapsed() < SOON, "{path}: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn start_subject(context: &SubjectContext, namespace: &str) -> Subject {
    let namespaces: Api<Namespace> = Api::all(context.client.clone());
    let metadata = ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() };
    let object = Namespace { metadata, ..Namespace::default() };
    namespaces.create(&PostParams::default(), &object).await.unwrap();
    let release = ReleaseSpec {
        namespace: namespace.to_owned(),
        watched: Vec::new(),
        values: json!({"runner": {"image": {"repository": "hallmark.dev/runner", "tag": "v1"}}}),
        shared: false,
        upgraded: false,
    };
    Subject::start(context, release, Arc::new(|_observation| {})).await.unwrap()
}

/// [HL-01] [HL-02] [HL-05]
#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_crds_and_liveness_does_not() {
    let (events, _reports) = EventSink::channel();
    let (cluster, context) = prepare(&events).await;
    // Not a single CRD is there.
    let subject = start_subject(&context, "trial").await;
    let process = subject.describe().await;
    let answer = until(&subject, "/readyz", |answer| answer.body.contains("agentruns")).await;
    assert_eq!(answer.status, 503, "{answer}");
    for kind in ["agents", "agentproviders", "implementationspecs", "implementationsources", "memories"] {
        assert!(answer.body.contains(&format!("{kind}.agents.proompteng.ai")), "{kind}: {answer}");
    }
    assert_eq!(subject.get("/livez").await.unwrap().status, 200);

    crds::apply(&context).await.unwrap();
    until(&subject, "/readyz", |answer| answer.status == 200).await;

    // One of them vanishes and returns.
    let definitions: Api<CustomResourceDefinition> = Api::all(context.client.clone());
    let name = "memories.agents.proompteng.ai";
    definitions.delete(name, &DeleteParams::default()).await.unwrap();
    let answer = until(&subject, "/readyz", |answer| answer.status == 503).await;
    assert!(answer.body.contains(name), "{answer}");
    assert!(!answer.body.contains("agentruns"), "only what is missing is named: {answer}");
    let report = subject.get("/health").await.unwrap();
    let report: Value = serde_json::from_str(&report.body).unwrap_or_else(|_| panic!("{report}"));
    assert_eq!(report["status"], "degraded");
    assert_eq!(report["agentsController"]["crdsReady"], false);
    assert_eq!(subject.get("/livez").await.unwrap().status, 200);
    crds::apply(&context).await.unwrap();
    until(&subject, "/readyz", |answer| answer.status == 200).await;

    assert_eq!(subject.describe().await, process, "it is the same process all the time");
    assert_eq!(subject.crashed(), None);

    // The API server vanishes.
    cluster.stop().await.unwrap();
    assert_eq!(subject.get("/livez").await.unwrap().status, 200);
    assert_eq!(subject.crashed(), None);
    subject.stop().await.unwrap();
}

//! The requests of subjects, read from the audit log of the API server while it grows.
//!
//! A request belongs to the case in whose namespace the service account of its subject lives, or, where a
//! subject serves several cases, to the case whose namespace it is about. What such a subject does where no
//! case is belongs to all of its cases.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::entry::{Observation, Request};
use super::log::Record;

/// Pause at the end of the log.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What stands before namespace and name of a service account in the name of its user.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Follows the log and hands its requests to the records of the cases.
#[derive(Debug)]
pub struct RequestHub {
    routes: Arc<Mutex<Routes>>,
    cancel: CancellationToken,
}

/// Where requests go.
#[derive(Debug, Default)]
struct Routes {
    open: Vec<Route>,
    /// The namespaces of all cases, ended ones and those that have not begun included.
    known: BTreeSet<String>,
}

/// Which requests a record gets.
#[derive(Debug)]
struct Route {
    /// Namespace of the case.
    namespace: String,
    /// Namespace of the subject's service account.
    subject: String,
    record: Record,
}

impl RequestHub {
    /// Follows the log at `path` from its present end on.
    ///
    /// `mark` is the name of the `ConfigMap` whose reading is recorded as [`Observation::RequestMark`].
    pub async fn start(path: PathBuf, mark: &'static str) -> std::io::Result<Self> {
        let mut file = File::open(&path).await?;
        tokio::io::AsyncSeekExt::seek(&mut file, std::io::SeekFrom::End(0)).await?;
        let hub = Self { routes: Arc::default(), cancel: CancellationToken::new() };
        let (routes, cancel) = (Arc::clone(&hub.routes), hub.cancel.child_token());
        tokio::spawn(async move {
            if let Some(Err(error)) = cancel.run_until_cancelled(follow(file, &routes, mark)).await {
                tracing::debug!(path = %path.display(), %error, "audit log not read any more");
            }
        });
        Ok(hub)
    }

    /// These namespaces belong to cases: what a subject does there concerns nobody else.
    pub fn expect<'a>(&self, namespaces: impl Iterator<Item = &'a str>) {
        lock(&self.routes).known.extend(namespaces.map(ToOwned::to_owned));
    }

    /// From now on `record` gets the requests of the subject in namespace `subject`: all of them if that is
    /// the namespace of the case, else those about `namespace` and those that concern no case.
    pub fn route(&self, namespace: &str, subject: &str, record: &Record) {
        let (namespace, subject) = (namespace.to_owned(), subject.to_owned());
        let mut routes = lock(&self.routes);
        routes.known.insert(namespace.clone());
        routes.open.push(Route { namespace, subject, record: record.clone() });
    }

    /// Requests are no longer kept for the case in `namespace`.
    pub fn forget(&self, namespace: &str) {
        lock(&self.routes).open.retain(|route| route.namespace != namespace);
    }
}

impl Drop for RequestHub {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn lock(routes: &Mutex<Routes>) -> std::sync::MutexGuard<'_, Routes> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn follow(mut file: File, routes: &Mutex<Routes>, mark: &str) -> std::io::Result<()> {
    let mut unread = Vec::new();
    let mut pause = tokio::time::interval(LOOK_EVERY);
    loop {
        if file.read_buf(&mut unread).await? == 0 {
            pause.tick().await;
            continue;
        }
        let Some(end) = unread.iter().rposition(|byte| *byte == b'\n') else { continue };
        let rest = unread.split_off(end + 1);
        for line in std::mem::replace(&mut unread, rest).split(|byte| *byte == b'\n') {
            if let Ok(event) = serde_json::from_slice::<Value>(line) {
                deliver(&event, &lock(routes), mark);
            }
        }
    }
}

fn deliver(event: &Value, routes: &Routes, mark: &str) {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let namespace = text("/objectRef/namespace");
    let user = text("/user/username");
    let Some((account_namespace, _)) = user.strip_prefix(SERVICE_ACCOUNT).and_then(|it| it.split_once(':'))
    else {
        let marked = text("/objectRef/name") == mark && text("/stage") == "ResponseComplete";
        for route in routes.open.iter().filter(|route| marked && route.namespace == namespace) {
            route.record.append(Observation::RequestMark);
        }
        return;
    };
    let is_stray =
        !namespace.is_empty() && namespace != account_namespace && !routes.known.contains(namespace);
    let concerned = |route: &&Route| {
        let is_own = route.subject == route.namespace;
        let is_inside = route.namespace == namespace;
        route.subject == account_namespace && (is_own || is_inside || is_stray)
    };
    for route in routes.open.iter().filter(concerned) {
        route.record.append(Observation::Request(Request {
            id: text("/auditID").to_owned(),
            request: Arc::new(request(event)),
        }));
    }
}

/// The parts of an audit event that claims look at.
fn request(event: &Value) -> Value {
    let fields = [
        ("verb", "/verb"),
        ("user", "/user/username"),
        ("path", "/requestURI"),
        ("group", "/objectRef/apiGroup"),
        ("resource", "/objectRef/resource"),
        ("subresource", "/objectRef/subresource"),
        ("namespace", "/objectRef/namespace"),
        ("name", "/objectRef/name"),
        ("code", "/responseStatus/code"),
    ];
    let found = fields.into_iter().filter_map(|(name, pointer)| {
        let value = event.pointer(pointer).filter(|value| **value != json!(""))?;
        Some((name.to_owned(), value.clone()))
    });
    Value::Object(found.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CaseId;
    use crate::record::RecordWriter;

    fn route(namespace: &str, subject: &str) -> Route {
        let id = CaseId { scenario: "s".to_owned(), case: String::new() };
        Route {
            namespace: namespace.to_owned(),
            subject: subject.to_owned(),
            record: Record::new(id, RecordWriter::none()),
        }
    }

    fn event(user: &str, namespace: &str) -> Value {
        json!({
            "auditID": "a1", "stage": "ResponseComplete", "verb": "patch", "requestURI": "/apis/…",
            "user": {"username": user},
            "objectRef": {
                "apiGroup": "batch", "resource": "jobs", "namespace": namespace, "name": "demo-job",
                "subresource": "",
            },
            "responseStatus": {"code": 200},
        })
    }

    #[test]
    fn a_request_goes_to_the_case_of_its_subject_or_of_its_namespace() {
        let own = Routes {
            open: vec![route("one", "one"), route("two", "shared"), route("three", "shared")],
            known: ["one", "two", "three", "four"].map(str::to_owned).into(),
        };
        for (user, namespace, expected) in [
            ("system:serviceaccount:one:agents-sa", "one", [1, 0, 0]),
            // What a subject of one case does elsewhere is that case's business, too.
            ("system:serviceaccount:one:agents-sa", "elsewhere", [2, 0, 0]),
            ("system:serviceaccount:shared:agents-sa", "two", [2, 1, 0]),
            // Another case, not yet begun or ended, and the subject's own namespace.
            ("system:serviceaccount:shared:agents-sa", "four", [2, 1, 0]),
            ("system:serviceaccount:shared:agents-sa", "shared", [2, 1, 0]),
            // What concerns no case is the business of all that the subject serves.
            ("system:serviceaccount:shared:agents-sa", "elsewhere", [2, 2, 1]),
            ("system:serviceaccount:shared:agents-sa", "three", [2, 2, 2]),
            // About the whole cluster, from which nobody can tell on behalf of which case.
            ("system:serviceaccount:shared:agents-sa", "", [2, 2, 2]),
            ("system:serviceaccount:other:agents-sa", "three", [2, 2, 2]),
            ("somebody", "three", [2, 2, 2]),
        ] {
            deliver(&event(user, namespace), &own, "mark");
            let lengths: Vec<usize> = own.open.iter().map(|route| route.record.snapshot().len()).collect();
            assert_eq!(lengths, expected, "{user} {namespace}");
        }
    }

    #[test]
    fn a_request_holds_what_it_has_and_nothing_else() {
        let own = Routes { open: vec![route("one", "one")], known: BTreeSet::new() };
        deliver(&event("system:serviceaccount:one:agents-sa", "one"), &own, "mark");
        let entry = own.open[0].record.snapshot().remove(0);
        let Observation::Request(request) = &entry.observation else { panic!("{entry:?}") };
        assert_eq!(
            *request.request,
            json!({
                "verb": "patch", "user": "system:serviceaccount:one:agents-sa", "path": "/apis/…",
                "group": "batch", "resource": "jobs", "namespace": "one", "name": "demo-job", "code": 200,
            })
        );
        assert_eq!(request.describe(), "patch jobs one/demo-job");
    }

    #[tokio::test]
    async fn a_line_is_taken_when_it_is_complete_and_nothing_from_before_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let line = event("system:serviceaccount:one:agents-sa", "one").to_string();
        std::fs::write(&path, format!("{line}\n")).unwrap();
        let hub = RequestHub::start(path.clone(), "mark").await.unwrap();
        let record = route("one", "one").record;
        hub.route("one", "one", &record);
        let mut log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let (first, rest) = line.split_at(20);
        std::io::Write::write_all(&mut log, first.as_bytes()).unwrap();
        std::io::Write::write_all(&mut log, format!("{rest}\nnonsense\n{line}\n").as_bytes()).unwrap();
        let mut length = record.length();
        let arrived = length.wait_for(|length| *length == 2);
        tokio::time::timeout(Duration::from_secs(5), arrived).await.unwrap().unwrap();
        hub.forget("one");
        assert!(lock(&hub.routes).open.is_empty());
    }
}

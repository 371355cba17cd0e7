//! Requests about objects of any kind: deadlines, retries and typed refusals.
//!
//! Objects are plain JSON here. A typed or dynamic object would lose what its type does not know, and
//! `PostParams` has no strict field validation.

use std::num::NonZeroU32;
use std::time::Duration;

use backon::Retryable as _;
use kube::Client;
use kube::api::{DeleteParams, GetParams, ListParams, PostParams, Preconditions, Request};
use kube::core::Status;
use kube::core::request::Error as BuildError;
use serde_json::Value;

use super::defects::Defect;
use super::kind::Kind;
use super::patience::Patience;

/// Deadline of one request. Pages of large objects from a busy server take their time.
const REQUEST: Duration = Duration::from_secs(30);

/// Objects per request of a list, as kubectl and Velero ask.
pub(super) const PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(499);

/// Who writes, in managedFields.
pub(super) const MANAGER: &str = "hallmark-restore";

/// A request that did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{action} {object}")]
pub struct ApiError {
    /// For example `create`.
    action: &'static str,
    /// For example `agents.example.dev team/demo`.
    object: String,
    #[source]
    fault: Fault,
}

/// Why.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// The API server understood and said no.
    #[error("{}", .0.message)]
    Refused(Box<Status>),
    /// The API server or the way to it is in trouble.
    #[error(transparent)]
    Trouble(Box<kube::Error>),
    /// The answer did not come.
    #[error("no answer within {} s", REQUEST.as_secs())]
    Silent,
    /// The request makes no sense.
    #[error(transparent)]
    Unsendable(Box<BuildError>),
}

impl ApiError {
    fn status(&self) -> Option<&Status> {
        match &self.fault {
            Fault::Refused(status) => Some(status),
            _ => None,
        }
    }

    /// Whether the object, or its kind, does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(Status::is_not_found)
    }

    /// Whether an object of this name exists already.
    pub fn is_already_exists(&self) -> bool {
        self.status().is_some_and(Status::is_already_exists)
    }

    /// Whether somebody else changed the object in between.
    pub fn is_conflict(&self) -> bool {
        self.status().is_some_and(|status| status.is_conflict() && !status.is_already_exists())
    }

    /// Whether the user may not do this, or a policy or quota forbids it.
    pub fn is_forbidden(&self) -> bool {
        self.status().is_some_and(Status::is_forbidden)
    }

    /// Whether the user is not known or may not do this.
    fn is_denial(&self) -> bool {
        self.status().is_some_and(|status| matches!(status.code, 401 | 403))
    }

    /// Whether a revision is no longer kept.
    pub fn is_gone(&self) -> bool {
        self.status().is_some_and(|status| status.code == 410)
    }

    /// Whether the API server answered at all.
    pub fn is_refusal(&self) -> bool {
        self.status().is_some()
    }

    /// The answer of the API server, or what kept it from answering.
    pub fn reason(&self) -> String {
        self.fault.to_string()
    }

    /// 429, 5xx and everything without an answer may be over in a moment.
    fn is_passing(&self) -> bool {
        match &self.fault {
            // A webhook that does not answer is part of the configuration, not of the moment.
            Fault::Refused(status) if status.message.contains("failed calling webhook") => false,
            Fault::Refused(status) => matches!(status.code, 408 | 429 | 500 | 502..=504),
            Fault::Trouble(error)
                if is_refused_connection(error) && Defect::RefusedConnectionIsFinal.is_planted() =>
            {
                false
            }
            Fault::Trouble(error) => !matches!(
                error.as_ref(),
                kube::Error::SerdeError(_) | kube::Error::BuildRequest(_) | kube::Error::Auth(_)
            ),
            Fault::Silent => true,
            Fault::Unsendable(_) => false,
        }
    }

    /// How long the API server wants to be left alone.
    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.status()?.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
    }
}

/// All pages of a list.
#[derive(Debug)]
pub(super) struct Listed {
    /// The moment that it shows.
    pub(super) resource_version: String,
    /// The objects.
    pub(super) items: Vec<Value>,
}

/// Which objects, and at which moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Which<'a> {
    /// Only of this namespace.
    pub(super) namespace: Option<&'a str>,
    /// Only the one of this name.
    pub(super) name: Option<&'a str>,
    /// Exactly at this revision.
    pub(super) revision: Option<&'a str>,
}

/// A client that sees plain objects.
#[derive(Clone)]
pub(super) struct ObjectApi {
    client: Client,
    patience: Patience,
    page: NonZeroU32,
}

impl std::fmt::Debug for ObjectApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectApi").finish_non_exhaustive()
    }
}

impl ObjectApi {
    pub(super) fn new(client: Client, patience: Patience) -> Self {
        Self { client, patience, page: PAGE }
    }

    /// The same with other pages.
    pub(super) fn paged(self, page: NonZeroU32) -> Self {
        Self { page, ..self }
    }

    /// The client underneath.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// All objects, page by page. With a moment that is gone in between the error [`ApiError::is_gone`]: the
    /// pages so far and those to come would belong to two moments.
    pub(super) async fn list(&self, kind: &Kind, which: Which<'_>) -> Result<Listed, ApiError> {
        let mut params = ListParams::default().limit(self.page.get());
        if let Some(name) = which.name {
            params = params.fields(&format!("metadata.name={name}"));
        }
        if let Some(revision) = which.revision {
            params = params.at(revision).matching(kube::api::VersionMatch::Exact);
        }
        let mut all = Listed { resource_version: String::new(), items: Vec::new() };
        loop {
            let mut page = match self.page(kind, which.namespace, &params).await {
                Err(error) if error.is_gone() && Defect::RestOfListForgotten.is_planted() => return Ok(all),
                page => page?,
            };
            let metadata = |field: &str| {
                let value = page.get("metadata").and_then(|metadata| metadata.get(field));
                value.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let token = metadata("continue");
            all.resource_version = metadata("resourceVersion");
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                all.items.extend(items);
            }
            if token.is_empty() {
                return Ok(all);
            }
            // The token knows the moment; the server refuses to be told it again.
            params.resource_version = None;
            params.version_match = None;
            params.continue_token = Some(token);
        }
    }

    /// The revision of a kind now.
    pub(super) async fn revision(&self, kind: &Kind) -> Result<u64, ApiError> {
        let page = self.page(kind, None, &ListParams::default().limit(1)).await?;
        let text = page.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    async fn page(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        params: &ListParams,
    ) -> Result<Value, ApiError> {
        let request = Request::new(kind.url(namespace));
        self.send("list", || kind.resource(), || request.list(params)).await
    }

    /// One object; `None` if it does not exist.
    pub(super) async fn get(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, ApiError> {
        let request = Request::new(kind.url(namespace));
        let object = || describe(kind, namespace, name);
        match self.send("get", object, || request.get(name, &GetParams::default())).await {
            Err(error) if error.is_not_found() => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// Creates an object; unknown fields are an error. A lost answer may mean that it exists now.
    pub(super) async fn create(&self, kind: &Kind, object: &Value, dry_run: bool) -> Result<Value, ApiError> {
        let (namespace, name) = place(object);
        let request = Request::new(kind.url(namespace));
        let params = post(dry_run);
        let bytes = object.to_string().into_bytes();
        let action = if dry_run { "try to create" } else { "create" };
        let describe = || describe(kind, namespace, name);
        self.send(action, describe, || request.create(&params, bytes.clone()).map(strict)).await
    }

    /// Replaces an object, or its status, as long as it has the resourceVersion that `object` has.
    pub(super) async fn replace(&self, kind: &Kind, object: &Value, status: bool) -> Result<Value, ApiError> {
        let (namespace, name) = place(object);
        let request = Request::new(kind.url(namespace));
        let bytes = object.to_string().into_bytes();
        let build = || {
            let request = if status {
                request.replace_subresource("status", name, &post(false), bytes.clone())
            } else {
                request.replace(name, &post(false), bytes.clone())
            };
            request.map(strict)
        };
        let action = if status { "write the status of" } else { "replace" };
        self.send(action, || describe(kind, namespace, name), build).await
    }

    /// Deletes an object if it still has this uid.
    pub(super) async fn delete(&self, kind: &Kind, object: &Value, uid: &str) -> Result<(), ApiError> {
        let (namespace, name) = place(object);
        let request = Request::new(kind.url(namespace));
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        let describe = || describe(kind, namespace, name);
        match self.send("delete", describe, || request.delete(name, &params)).await {
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    async fn send(
        &self,
        action: &'static str,
        object: impl Fn() -> String,
        build: impl Fn() -> Result<http::Request<Vec<u8>>, BuildError>,
    ) -> Result<Value, ApiError> {
        let failed = |fault| ApiError { action, object: object(), fault };
        let attempt = || async {
            let request = build().map_err(|error| failed(Fault::Unsendable(Box::new(error))))?;
            match tokio::time::timeout(REQUEST, self.client.request(request)).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(kube::Error::Api(status))) => Err(failed(Fault::Refused(status))),
                Ok(Err(error)) => Err(failed(Fault::Trouble(Box::new(error)))),
                Err(_elapsed) => Err(failed(Fault::Silent)),
            }
        };
        let retried = || {
            let again = |error: &ApiError| error.is_passing() && !Defect::FirstTroubleIsFinal.is_planted();
            attempt.retry(self.patience.retry()).when(again).adjust(|error, planned| {
                planned.map(|planned| planned.max(error.retry_after().unwrap_or_default()))
            })
        };
        match retried().await {
            // An API server that has just started knows neither roles nor service accounts yet.
            Err(error) if error.is_denial() => {
                self.ready().await;
                retried().await
            }
            outcome => outcome,
        }
    }

    /// Waits until the API server says that it is ready, but for some seconds only: it may not tell everybody.
    async fn ready(&self) {
        let ask = || async {
            let request = http::Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
            let answer = tokio::time::timeout(REQUEST, self.client.request_text(request)).await;
            answer.unwrap_or_else(|_elapsed| Err(kube::Error::Service("no answer".into())))
        };
        let ready = ask.retry(self.patience.ready()).await;
        tracing::debug!(ready = ready.is_ok(), "asked for readiness after a denial");
    }
}

/// Whether nobody listens where the API server should.
fn is_refused_connection(error: &kube::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        next = error.source();
    }
    false
}

fn post(dry_run: bool) -> PostParams {
    PostParams { dry_run, field_manager: Some(MANAGER.to_owned()) }
}

/// Without it the API server drops fields that it does not know, and says so in a header only.
fn strict(mut request: http::Request<Vec<u8>>) -> http::Request<Vec<u8>> {
    let separator = if request.uri().query().is_some_and(|query| !query.is_empty()) { "&" } else { "?" };
    let uri = request.uri().to_string();
    let uri = format!("{}{separator}fieldValidation=Strict", uri.trim_end_matches('?'));
    if let Ok(uri) = uri.parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn place(object: &Value) -> (Option<&str>, &str) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    (text("/metadata/namespace"), text("/metadata/name").unwrap_or_default())
}

fn describe(kind: &Kind, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{} {namespace}/{name}", kind.resource()),
        None => format!("{} {name}", kind.resource()),
    }
}

#[cfg(test)]
mod tests {
    use kube::api::{PostParams, Request};

    use super::{post, strict};

    #[test]
    fn writes_are_validated_strictly_with_and_without_other_parameters() {
        let uri = |params: &PostParams| {
            strict(Request::new("/apis/a").create(params, Vec::new()).unwrap()).uri().to_string()
        };
        assert_eq!(uri(&PostParams::default()), "/apis/a?fieldValidation=Strict");
        let uri = uri(&post(true));
        assert!(uri.contains("dryRun=All") && uri.ends_with("&fieldValidation=Strict"), "{uri}");
    }
}

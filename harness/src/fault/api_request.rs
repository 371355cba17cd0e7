//! What an HTTP request asks of the API server (Kubernetes' "API concepts": verbs and resource paths).

use std::fmt;

use http::{Method, Uri};

use crate::scenario::fault::Verb;

/// A request about a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiRequest {
    /// What is done.
    pub(super) verb: Verb,
    /// Plural name of the resource, with its subresource: `jobs`, `agentruns/status`.
    pub(super) resource: String,
    /// Namespace; empty for objects of the cluster.
    pub(super) namespace: String,
    /// Name; empty for collections and creations.
    pub(super) name: String,
    /// Whether the API server is only asked what it would do.
    pub(super) dry_run: bool,
}

impl ApiRequest {
    /// Reads method and path; `None` for what is about neither a resource nor an API group.
    pub(super) fn parse(method: &Method, uri: &Uri) -> Option<Self> {
        let mut segments = uri.path().split('/').filter(|segment| !segment.is_empty());
        let group = match segments.next()? {
            "api" => "",
            "apis" => segments.next()?,
            _ => return None,
        };
        let _version = segments.next()?;
        let rest: Vec<&str> = segments.collect();
        if rest.is_empty() {
            let resource = group.to_owned();
            let (namespace, name) = (String::new(), String::new());
            return Some(Self { verb: Verb::Discover, resource, namespace, name, dry_run: false });
        }
        let (namespace, rest) = match rest.as_slice() {
            // `/namespaces/NAME` and its subresources are about the namespace itself.
            ["namespaces", namespace, resource, rest @ ..] if !matches!(*resource, "status" | "finalize") => {
                ((*namespace).to_owned(), [&[*resource], rest].concat())
            }
            rest => (String::new(), rest.to_vec()),
        };
        let (resource, name, subresource) = match rest.as_slice() {
            [resource] => (*resource, "", ""),
            [resource, name] => (*resource, *name, ""),
            [resource, name, subresource, ..] => (*resource, *name, *subresource),
            [] => return None,
        };
        let verb = match *method {
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE if name.is_empty() => Verb::DeleteCollection,
            Method::DELETE => Verb::Delete,
            _ if watches(uri) => Verb::Watch,
            _ if name.is_empty() => Verb::List,
            _ => Verb::Get,
        };
        let resource = match subresource {
            "" => resource.to_owned(),
            subresource => format!("{resource}/{subresource}"),
        };
        let dry_run = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "dryRun=All"));
        Some(Self { verb, resource, namespace, name: name.to_owned(), dry_run })
    }

    /// Whether something is different afterwards.
    pub(super) fn changes(&self) -> bool {
        self.verb.writes() && !self.dry_run
    }

    /// Whether a controller makes the request whatever happens to its objects: discovery, leader election and
    /// Events.
    pub(super) fn is_bookkeeping(&self) -> bool {
        self.verb == Verb::Discover || matches!(self.resource.as_str(), "leases" | "events")
    }
}

/// `patch agentruns/status demo`, for people; the namespace is the scenario's own nearly always.
impl fmt::Display for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        match self.name.as_str() {
            "" => Ok(()),
            name => write!(f, " {name}"),
        }
    }
}

fn watches(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1" | "watch"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("GET", "/api/v1/namespaces/one/configmaps/demo", "get configmaps demo", "one")]
    #[case("GET", "/apis/batch/v1/jobs?limit=500", "list jobs", "")]
    #[case("GET", "/apis/batch/v1/jobs?limit=500&watch=true", "watch jobs", "")]
    #[case("GET", "/apis/batch/v1/namespaces/one/jobs?watch=1", "watch jobs", "one")]
    #[case("POST", "/apis/batch/v1/namespaces/one/jobs", "create jobs", "one")]
    #[case("PUT", "/apis/x.dev/v1/namespaces/one/things/a/status", "update things/status a", "one")]
    #[case("PATCH", "/apis/x.dev/v1/namespaces/one/things/a", "patch things a", "one")]
    #[case("DELETE", "/apis/x.dev/v1/namespaces/one/things/a", "delete things a", "one")]
    #[case("DELETE", "/apis/x.dev/v1/namespaces/one/things", "deletecollection things", "one")]
    #[case("GET", "/apis/x.dev/v1", "discover x.dev", "")]
    #[case("GET", "/api/v1/namespaces/one", "get namespaces one", "")]
    #[case("PUT", "/api/v1/namespaces/one/finalize", "update namespaces/finalize one", "")]
    fn paths_are_read(#[case] method: &str, #[case] path: &str, #[case] text: &str, #[case] namespace: &str) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = ApiRequest::parse(&method, &path.parse().unwrap()).unwrap();
        assert_eq!((request.to_string().as_str(), request.namespace.as_str()), (text, namespace));
    }

    #[rstest]
    #[case("/api/v1/namespaces/one/pods?dryRun=All&fieldValidation=Strict", false)]
    #[case("/api/v1/namespaces/one/pods?fieldValidation=Strict", true)]
    fn what_is_only_tried_changes_nothing(#[case] path: &str, #[case] changes: bool) {
        let request = ApiRequest::parse(&Method::POST, &path.parse().unwrap()).unwrap();
        assert_eq!(request.changes(), changes);
    }

    #[rstest]
    #[case("/version")]
    #[case("/api")]
    #[case("/apis/batch")]
    #[case("/readyz")]
    fn what_is_about_no_resource_is_no_api_request(#[case] path: &str) {
        assert_eq!(ApiRequest::parse(&Method::GET, &path.parse().unwrap()), None);
    }
}

//! The HTTP server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::decide::heartbeat::Objectives;
use crate::defects::Defect;
use crate::metrics::Metrics;

use super::backupz::{self, Check, Facts, Status};
use super::census::{Census, Count};
use super::health::Health;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const HEALTH_JSON: &str = "application/health+json";

/// Why the server does not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The port is taken or not allowed.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Connections cannot be accepted any more.
    #[error("accept connections")]
    Accept(#[source] std::io::Error),
}

/// What the server tells about.
#[derive(Clone)]
pub struct Site {
    /// State of the process.
    pub health: Arc<Health>,
    /// The caches.
    pub census: Arc<Census>,
    /// What is expected of backups, if anything.
    pub backups: Option<Objectives>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Path of the metrics, unless they are switched off.
    pub metrics_path: Option<String>,
}

/// Serves until `stop` is cancelled.
pub async fn serve(port: u16, site: Site, stop: CancellationToken) -> Result<(), ServeError> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener =
        TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    axum::serve(listener, router(site))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(ServeError::Accept)
}

fn router(site: Site) -> Router {
    // Answering at all is the proof of life: the answer comes from the same event loop as the work.
    let mut router = Router::new()
        .route("/livez", get(livez))
        .route("/healthz", get(livez))
        .route("/readyz", get(readyz))
        .route("/health", get(report))
        .route("/backupz", get(all_checks))
        .route("/backupz/{check}", get(one_check));
    if let Some(path) = &site.metrics_path {
        router = router.route(path, get(metrics));
    }
    router.with_state(site)
}

async fn livez(State(site): State<Site>) -> (StatusCode, &'static str) {
    if Defect::LivenessNeedsCrds.is_planted() && !site.health.obstacles().is_empty() {
        return (StatusCode::SERVICE_UNAVAILABLE, "failed");
    }
    if Defect::LivenessNeedsTheApi.is_planted() && site.health.missing_crds().is_none() {
        return (StatusCode::SERVICE_UNAVAILABLE, "failed");
    }
    (StatusCode::OK, "ok")
}

async fn readyz(State(site): State<Site>) -> (StatusCode, String) {
    let mut obstacles = site.health.obstacles();
    if Defect::ReadinessNeedsBackup.is_planted() && !backupz(&site, "", |_| true).status().is_success() {
        obstacles.push("no moment for a backup".to_owned());
    }
    let code = if obstacles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let warnings = site.health.warnings().into_iter().map(|warning| format!("warning: {warning}"));
    let verdict = if obstacles.is_empty() { vec!["ok".to_owned()] } else { obstacles };
    let lines: Vec<String> = verdict.into_iter().chain(warnings).collect();
    (code, lines.join("\n"))
}

async fn report(State(site): State<Site>) -> (StatusCode, Json<Value>) {
    let ready = site.health.obstacles().is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(site.health.report()))
}

async fn metrics(State(site): State<Site>) -> Response {
    // Counting on demand costs nothing while nobody asks.
    let now = Timestamp::now();
    let count = site.census.count(now);
    for check in backupz::checks(&facts(&site, count.clone()), now) {
        site.metrics.backup_ready(check.name, check.status != Status::Fail);
    }
    let count = count.unwrap_or_default();
    site.metrics.runs(&count.phases, &count.blocked);
    match site.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn all_checks(State(site): State<Site>, RawQuery(query): RawQuery) -> Response {
    backupz(&site, &query.unwrap_or_default(), |_| true)
}

async fn one_check(
    State(site): State<Site>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if backupz::NAMES.contains(&name.as_str()) {
        backupz(&site, &query.unwrap_or_default(), |check| check.name == name)
    } else {
        (StatusCode::NOT_FOUND, format!("there is no check {name}")).into_response()
    }
}

fn backupz(site: &Site, query: &str, wanted: impl Fn(&Check) -> bool) -> Response {
    let now = Timestamp::now();
    let count = site.census.count(now);
    let revisions = count.as_ref().map(|count| count.revisions.clone()).unwrap_or_default();
    let facts = facts(site, count);
    let excluded = parameter(query, "exclude").unwrap_or_default().replace("%2C", ",").replace("%2c", ",");
    let is_excluded = |check: &Check| excluded.split(',').any(|name| name.trim() == check.name);
    let checks: Vec<Check> = backupz::checks(&facts, now)
        .into_iter()
        .filter(|check| wanted(check) && !is_excluded(check))
        .collect();
    let status = match backupz::overall(&checks) {
        Status::Fail => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    if parameter(query, "verbose").is_some() {
        return (status, backupz::text(&checks)).into_response();
    }
    let body = backupz::body(&checks, &revisions, now).to_string();
    (status, [(CONTENT_TYPE, HEALTH_JSON)], body).into_response()
}

fn facts(site: &Site, count: Option<Count>) -> Facts {
    Facts {
        role: site.health.role(),
        missing_crds: site.health.missing_crds(),
        held: site.health.held(),
        count,
        busy: site.metrics.busy(),
        store: site.health.store_state(),
        backups: site.backups.clone().map(|objectives| (objectives, site.health.last_heartbeat())),
    }
}

/// The value of a parameter of the query; empty when it has none.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use rstest::rstest;
    use tower::ServiceExt as _;

    use crate::decide::hold::Hold;
    use crate::leader::Leadership;

    use super::*;

    fn site(enabled: bool) -> Site {
        let health = Health::new(enabled, Leadership::sole(), Duration::from_mins(1));
        health.hold(Hold::Released);
        Site {
            health: Arc::new(health),
            census: Arc::default(),
            backups: None,
            metrics: Arc::default(),
            metrics_path: Some("/numbers".to_owned()),
        }
    }

    async fn ask(site: Site, method: &str, uri: &str) -> (u16, String, String) {
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
        let answer = router(site).oneshot(request).await.unwrap();
        let type_ = answer.headers().get(CONTENT_TYPE).map(|type_| type_.to_str().unwrap().to_owned());
        let code = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (code, type_.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    /// [HL-05] Nothing is known of the API server here, and the process is alive all the same.
    #[rstest]
    #[case("/livez", true, 200)]
    #[case("/healthz", true, 200)]
    #[case("/readyz", true, 503)]
    #[case("/readyz", false, 200)]
    #[case("/health", true, 503)]
    #[case("/health", false, 200)]
    #[case("/numbers", true, 200)]
    #[case("/metrics", true, 404)]
    #[tokio::test]
    async fn each_path_has_its_answer(#[case] path: &str, #[case] enabled: bool, #[case] expected: u16) {
        assert_eq!(ask(site(enabled), "GET", path).await.0, expected);
    }

    /// [HL-03]
    #[rstest]
    #[case("/backupz", 503, HEALTH_JSON, "\"status\":\"fail\"")]
    #[case("/backupz?verbose", 503, "text/plain; charset=utf-8", "[-]crds-established failed")]
    #[case(
        "/backupz?exclude=crds-established,informers-synced,leader",
        200,
        HEALTH_JSON,
        "\"status\":\"warn\""
    )]
    #[case("/backupz?exclude=crds-established%2Cinformers-synced", 200, HEALTH_JSON, "\"leader\"")]
    #[case("/backupz/restore-hold", 200, HEALTH_JSON, "\"status\":\"pass\"")]
    #[case("/backupz/restore-hold?verbose=1", 200, "text/plain; charset=utf-8", "[+]restore-hold ok")]
    #[case("/backupz/informers-synced", 503, HEALTH_JSON, "CachesNotFilled")]
    #[case("/backupz/weather", 404, "text/plain; charset=utf-8", "weather")]
    #[tokio::test]
    async fn backupz_answers_as_json_or_text_for_all_or_some_checks(
        #[case] uri: &str,
        #[case] code: u16,
        #[case] type_: &str,
        #[case] part: &str,
    ) {
        let (found_code, found_type, body) = ask(site(true), "GET", uri).await;
        assert_eq!((found_code, found_type.as_str()), (code, type_));
        assert!(body.contains(part), "{body}");
        let (head_code, head_type, head) = ask(site(true), "HEAD", uri).await;
        assert_eq!((head_code, head_type.as_str(), head.as_str()), (code, type_, ""));
    }

    /// [HL-03]
    #[tokio::test]
    async fn backupz_changes_nothing() {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(ask(site(true), method, "/backupz").await.0, 405, "{method}");
        }
    }
}

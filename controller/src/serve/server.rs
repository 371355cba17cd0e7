//! The HTTP server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::health::Health;

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

/// Serves until `stop` is cancelled.
pub async fn serve(port: u16, health: Arc<Health>, stop: CancellationToken) -> Result<(), ServeError> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener =
        TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    // Answering at all is the proof of life: the answer comes from the same event loop as the work.
    let router = Router::new()
        .route("/livez", get(async || "ok"))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(readyz))
        .route("/health", get(report))
        .with_state(health);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(ServeError::Accept)
}

async fn readyz(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    let obstacles = health.obstacles();
    if obstacles.is_empty() {
        (StatusCode::OK, "ok".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, obstacles.join("\n"))
    }
}

async fn report(State(health): State<Arc<Health>>) -> (StatusCode, Json<Value>) {
    let status = if health.obstacles().is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.report()))
}

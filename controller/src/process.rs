//! The running process: settings, client, controller, server and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use kube::Config;
use kube::client::ClientBuilder;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{EnvReader, Settings, SettingsError};
use crate::decide::hold::Hold;
use crate::defects::Defect;
use crate::leader::{Election, Leadership, WriteGate, identity};
use crate::log;
use crate::metrics::{CountRequests, Metrics};
use crate::reconcile::Supervisor;
use crate::serve::{Health, ServeError, Site, serve};

/// Longest time open connections may keep the process after its work has ended.
const CONNECTIONS: Duration = Duration::from_secs(2);

/// Why the process could not run.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The environment is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is no usable kubeconfig and no service account.
    #[error("find a Kubernetes configuration")]
    Infer(#[source] kube::config::InferConfigError),
    /// The configuration gives no client.
    #[error("build a Kubernetes client")]
    Client(#[source] kube::Error),
    /// Signals cannot be listened to.
    #[error("listen to signals")]
    Signals(#[source] std::io::Error),
    /// The HTTP server does not run.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run() -> Result<(), ProcessError> {
    let (settings, warnings) = Settings::read(EnvReader::new(std::env::vars()))?;
    log::lines(&settings.log_level, std::io::stdout).init();
    for problem in &warnings {
        warn!(variable = problem.variable, value = problem.value, "configuration: expected {}", problem.rule);
    }
    for later in &settings.later {
        warn!(variable = later.variable, "{} is switched on and has no effect yet", later.part);
    }
    let leadership = match &settings.leader_election {
        Some(_) if settings.enabled && !Defect::StandbyActs.is_planted() => Leadership::contested(),
        _ => Leadership::sole(),
    };
    let patience = settings.leader_election.as_ref().map(|election| election.terms.renew).unwrap_or_default();
    let metrics = Arc::new(Metrics::default());
    metrics.configuration_warnings(warnings.len());
    let site = Site {
        health: Arc::new(Health::new(settings.enabled, leadership.clone(), patience)),
        census: Arc::default(),
        backups: settings.backup.clone(),
        metrics,
        metrics_path: settings.metrics_path.clone(),
    };
    let stop_work = stop_on_signal(Arc::clone(&site.health))?;
    let stop_server = CancellationToken::new();
    let server = tokio::spawn(serve(settings.port, site.clone(), stop_server.clone()));
    let work = work(settings, site, leadership, stop_work.clone());
    tokio::pin!(server);
    tokio::select! {
        worked = work => worked?,
        // The server ends early only when it cannot serve, and then nobody could tell that we are alive.
        ended = &mut server => return ended.unwrap_or(Ok(())).map_err(ProcessError::from),
    }
    stop_server.cancel();
    // A peer that keeps its connection open is not waited for.
    if let Ok(Ok(ended)) = timeout(CONNECTIONS, server).await {
        ended?;
    }
    info!("stopped");
    Ok(())
}

async fn work(
    settings: Settings,
    site: Site,
    leadership: Leadership,
    stop: CancellationToken,
) -> Result<(), ProcessError> {
    if !settings.enabled {
        info!("the controller is switched off, serving health only");
        stop.cancelled().await;
        return Ok(());
    }
    let mut config = Config::infer().await.map_err(ProcessError::Infer)?;
    // Failed passes are repeated with a back-off of their own; hidden retries would only delay them.
    config.default_retry = false;
    let count = CountRequests::new(Arc::clone(&site.metrics));
    let ungated = || ClientBuilder::try_from(config.clone()).map_err(ProcessError::Client);
    let hold = watch::Sender::new(Hold::default());
    let gate = WriteGate::new(leadership.clone(), hold.subscribe());
    let client = ungated()?.with_layer(&count).with_layer(&gate).build();
    let election = match &settings.leader_election {
        None => None,
        Some(election) => {
            // Connections of its own keep renewals out of the queues of the work.
            let client = ungated()?.with_layer(&count).build();
            let me = identity(election.pod.as_deref());
            let health = Arc::clone(&site.health);
            let contact = move || health.contact();
            Some(Election::new(client, election, me, leadership.clone(), contact))
        }
    };
    let supervisor = Supervisor {
        client,
        settings: Arc::new(settings),
        health: site.health,
        census: site.census,
        metrics: site.metrics,
        leadership,
        hold,
    };
    Box::pin(supervisor.run(election, stop)).await;
    Ok(())
}

/// A token that is cancelled by SIGTERM and SIGINT; readiness falls at the same moment.
fn stop_on_signal(health: Arc<Health>) -> Result<CancellationToken, ProcessError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ProcessError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ProcessError::Signals)?;
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        health.terminating();
        info!("stopping");
        cancel.cancel();
    });
    Ok(stop)
}

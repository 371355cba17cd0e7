//! What `cluster serve` is told on its command line and what it tells `cluster up`, one JSON line each.

use serde::{Deserialize, Serialize};

use crate::cluster::info::KubernetesVersion;
use crate::cluster::process::Supervisor;
use crate::cluster::{BackendChoice, ClusterError, ClusterSpec, KubeControllers};
use crate::event::{Event, EventSink};

/// The part of a [`ClusterSpec`] that a kept cluster can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Order {
    backend: Choice,
    kubernetes: String,
    k3s_image: String,
    images: Vec<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Choice {
    Auto,
    Local,
    K3s,
}

impl Order {
    pub(super) fn of(spec: &ClusterSpec) -> Result<Self, ClusterError> {
        let backend = match spec.backend {
            BackendChoice::Auto => Choice::Auto,
            BackendChoice::Local => Choice::Local,
            BackendChoice::K3s => Choice::K3s,
            BackendChoice::Kept | BackendChoice::Kubeconfig => {
                return Err(ClusterError::Keeper("only a local or k3s cluster can be kept".to_owned()));
            }
        };
        Ok(Self {
            backend,
            kubernetes: spec.kubernetes.full().to_owned(),
            k3s_image: spec.k3s_image.clone(),
            images: spec.images.clone(),
        })
    }

    pub(super) fn spec(self) -> Result<ClusterSpec, ClusterError> {
        let kubernetes: KubernetesVersion =
            self.kubernetes.parse().map_err(|error| ClusterError::Keeper(format!("{error}")))?;
        Ok(ClusterSpec {
            backend: match self.backend {
                Choice::Auto => BackendChoice::Auto,
                Choice::Local => BackendChoice::Local,
                Choice::K3s => BackendChoice::K3s,
            },
            kubernetes,
            k3s_image: self.k3s_image,
            images: self.images,
            controllers: KubeControllers::All,
            kinds: Vec::new(),
            context: None,
            supervisor: Supervisor::default(),
        })
    }
}

/// A line from `cluster serve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Message {
    Progress(String, String),
    ProgressDone(String, std::time::Duration),
    Note(String),
    Ready,
    Failed(String),
}

impl Message {
    /// The events of a start; others do not occur.
    pub(super) fn of(event: Event) -> Option<Self> {
        match event {
            Event::Progress { phase, detail } => Some(Self::Progress(phase, detail)),
            Event::ProgressDone { phase, elapsed } => Some(Self::ProgressDone(phase, elapsed)),
            Event::Note { message } => Some(Self::Note(message)),
            _ => None,
        }
    }

    /// Hands an event on; true if it was one.
    pub(super) fn tell(self, events: &EventSink) -> Result<(), Self> {
        match self {
            Self::Progress(phase, detail) => events.progress(phase, detail),
            Self::ProgressDone(phase, elapsed) => events.progress_done(phase, elapsed),
            Self::Note(message) => events.note(message),
            end @ (Self::Ready | Self::Failed(_)) => return Err(end),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_the_command_line() {
        let spec = ClusterSpec {
            backend: BackendChoice::Local,
            kubernetes: KubernetesVersion::V1_36,
            ..ClusterSpec::default()
        };
        let order = Order::of(&spec).unwrap();
        let text = serde_json::to_string(&order).unwrap();
        let back = serde_json::from_str::<Order>(&text).unwrap().spec().unwrap();
        assert_eq!((back.backend, back.kubernetes), (spec.backend, spec.kubernetes));
    }

    #[test]
    fn a_cluster_of_the_user_cannot_be_kept() {
        let spec = ClusterSpec { backend: BackendChoice::Kubeconfig, ..ClusterSpec::default() };
        assert!(Order::of(&spec).is_err());
    }
}

//! The subject as pods of a cluster with a node.
//!
//! The Deployments run as they were installed. Stopping and killing scales them to zero and deletes their
//! pods; starting scales them back, so that "down" is a state here, too.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::call::request;
use super::context::{LogSink, SubjectContext, tell};
use super::endpoint::{Endpoint, until_ready};
use super::error::SubjectError;
use super::exits::{Exits, Wanted};
use super::install::{pod_spec, replicas};
use super::pod_status::{Obstacle, is_current, obstacle};
use super::pod_watch::PodWatch;
use crate::count::agree;

/// Pause between two questions for readiness; each one goes through API server and node.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long pods may take to disappear beyond their grace period.
const GONE: Duration = Duration::from_secs(30);
/// Lines of a pod's log in error messages.
const TAIL: i64 = 20;

/// The running pods of one start.
pub(super) struct Pods {
    groups: Vec<Group>,
    wanted: Wanted,
    client: kube::Client,
    /// Kept while logs and restarts are followed.
    _watches: Vec<PodWatch>,
}

/// The pods of one Deployment.
#[derive(Clone)]
struct Group {
    deployment: String,
    namespace: String,
    selector: String,
    replicas: u32,
    grace: Duration,
    /// Container ports that its containers declare.
    ports: Vec<u16>,
    /// Names of the pods that were ready at the end of the start.
    pods: Vec<String>,
}

impl Pods {
    /// Waits until every Deployment has the pods it wants and all of them are ready.
    pub(super) async fn start(
        context: &SubjectContext,
        deployments: &[Deployment],
        log: &LogSink,
        exits: &Exits,
    ) -> Result<Self, SubjectError> {
        let groups: Vec<Group> = deployments.iter().map(Group::new).collect();
        let wanted = Wanted::default();
        let client = context.client.clone();
        let watches = groups.iter().map(|group| {
            let api = Api::namespaced(client.clone(), &group.namespace);
            PodWatch::start(api, &group.selector, log, exits, &wanted)
        });
        let watches: Vec<PodWatch> = watches.collect();
        let crash = exits.wait();
        let ready = try_join_all(groups.into_iter().map(|group| group.bring_up(context)));
        let outcome = tokio::select! {
            biased;
            outcome = ready => outcome,
            exit = crash => Err(SubjectError::Exited {
                name: exit.what,
                how: "ended".to_owned(),
                log: watches.iter().flat_map(PodWatch::tail).collect(),
            }),
        };
        let groups = outcome.inspect_err(|_| wanted.set())?;
        let pods = Self { groups, wanted, client, _watches: watches };
        tell(log, format!("{} are ready", pods.describe()));
        Ok(pods)
    }

    /// Takes all pods down and waits until they are gone; `grace` replaces the pods' own, in seconds.
    pub(super) async fn stop(self, grace: Option<u32>) -> Result<(), SubjectError> {
        self.wanted.set();
        try_join_all(self.groups.iter().map(|group| group.take_down(&self.client, grace))).await.map(drop)
    }

    /// Deletes one pod without any grace; the cluster puts another one into its place.
    pub(super) async fn kill_pod(&mut self, pod: &str) -> Result<(), SubjectError> {
        for group in &mut self.groups {
            if !group.pods.iter().any(|name| name == pod) {
                continue;
            }
            let api: Api<Pod> = Api::namespaced(self.client.clone(), &group.namespace);
            let parameters = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
            request(&format!("delete pod `{}/{pod}`", group.namespace), api.delete(pod, &parameters)).await?;
            group.pods.retain(|name| name != pod);
        }
        Ok(())
    }

    /// Names of the pods that were ready at the end of the start.
    pub(super) fn pods(&self) -> BTreeSet<String> {
        self.groups.iter().flat_map(|group| group.pods.iter().cloned()).collect()
    }

    /// Where container port `port` is reached, in each pod that declares it.
    pub(super) fn endpoints(&self, port: u16) -> Vec<Endpoint> {
        let having = self.groups.iter().filter(|group| group.ports.contains(&port));
        having.flat_map(|group| group.endpoints(&self.client, port)).collect()
    }

    /// The pods in words for people.
    pub(super) fn describe(&self) -> String {
        let pods: Vec<_> =
            self.groups.iter().flat_map(|group| group.pods.iter().map(String::as_str)).collect();
        format!("pods {}", pods.join(", "))
    }
}

impl Group {
    fn new(deployment: &Deployment) -> Self {
        let pod = pod_spec(deployment);
        let labels = deployment.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone());
        let selector: Vec<_> = labels.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
        let grace = pod.termination_grace_period_seconds.unwrap_or(30);
        let ports = pod.containers.iter().flat_map(|container| container.ports.iter().flatten());
        Self {
            deployment: deployment.name_any(),
            namespace: deployment.namespace().unwrap_or_default(),
            selector: selector.join(","),
            replicas: replicas(deployment),
            grace: Duration::from_secs(u64::try_from(grace).unwrap_or(0)),
            ports: ports.filter_map(|port| u16::try_from(port.container_port).ok()).collect(),
            pods: Vec::new(),
        }
    }

    /// Scales up and waits for ready pods; fills in their names.
    async fn bring_up(mut self, context: &SubjectContext) -> Result<Self, SubjectError> {
        let client = &context.client;
        self.scale(client, self.replicas).await?;
        let ready = &context.implementation.health.ready;
        let api: Api<Deployment> = Api::namespaced(client.clone(), &self.namespace);
        let complete =
            await_condition(api, &self.deployment, |seen: Option<&Deployment>| seen.is_some_and(is_current));
        if let Err(waited) = context.pulse.wait(ready.within, Box::pin(complete)).await {
            return Err(self.explain(client, waited).await);
        }
        self.pods = self.list(client).await?.iter().map(ResourceExt::name_any).collect();
        if self.ports.contains(&ready.port) {
            let answers = self.endpoints(client, ready.port).into_iter().map(|endpoint| async move {
                until_ready(&endpoint, ready, ASK_EVERY, &context.pulse).await
            });
            for outcome in join_all(answers).await {
                outcome.map_err(|(within, last_answer)| SubjectError::NotReady {
                    name: self.describe(),
                    within,
                    last_answer,
                    log: Vec::new(),
                })?;
            }
        }
        Ok(self)
    }

    async fn take_down(&self, client: &kube::Client, grace: Option<u32>) -> Result<(), SubjectError> {
        self.scale(client, 0).await?;
        let api: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
        let within = GONE + grace.map_or(self.grace, |seconds| Duration::from_secs(seconds.into()));
        let parameters = DeleteParams { grace_period_seconds: grace, ..DeleteParams::default() };
        try_join_all(self.list(client).await?.into_iter().map(|pod| {
            let (api, parameters) = (api.clone(), parameters.clone());
            async move {
                let (name, uid) = (pod.name_any(), pod.uid().unwrap_or_default());
                let action = format!("delete pod `{}/{name}`", self.namespace);
                match request(&action, api.delete(&name, &parameters)).await {
                    Err(SubjectError::Api { source, .. }) if is_not_found(&source) => return Ok(()),
                    outcome => outcome.map(drop)?,
                }
                let gone = await_condition(api, &name, is_deleted(&uid));
                let gone = tokio::time::timeout(within, gone).await;
                gone.map(drop).map_err(|_elapsed| SubjectError::Deadline {
                    action,
                    within,
                    last_seen: "it is still there".to_owned(),
                })
            }
        }))
        .await
        .map(drop)
    }

    async fn scale(&self, client: &kube::Client, replicas: u32) -> Result<(), SubjectError> {
        let api: Api<Deployment> = Api::namespaced(client.clone(), &self.namespace);
        let action = format!("scale {} to {replicas}", self.describe());
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        request(&action, api.patch_scale(&self.deployment, &PatchParams::default(), &patch)).await.map(drop)
    }

    /// The pods that are not on their way out.
    async fn list(&self, client: &kube::Client) -> Result<Vec<Pod>, SubjectError> {
        let api: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
        let action = format!("list the pods of {}", self.describe());
        let mut pods = request(&action, api.list(&ListParams::default().labels(&self.selector))).await?.items;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(pods)
    }

    fn endpoints(&self, client: &kube::Client, port: u16) -> Vec<Endpoint> {
        self.pods.iter().map(|pod| Endpoint::pod(client.clone(), &self.namespace, pod, port)).collect()
    }

    /// Why the pods did not become ready: because of the cluster, or because of the subject.
    async fn explain(&self, client: &kube::Client, within: Duration) -> SubjectError {
        let pods = match self.list(client).await {
            Ok(pods) => pods,
            Err(error) => return error,
        };
        let mut log = Vec::new();
        let mut states = Vec::new();
        for pod in &pods {
            let seen = obstacle(pod);
            if let Some(Obstacle::Cluster(last_seen)) = seen {
                let action = format!("wait for the pods of {}", self.describe());
                return SubjectError::Deadline { action, within, last_seen };
            }
            states.extend(seen.map(|seen| seen.to_string()));
            let api: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
            let parameters =
                kube::api::LogParams { tail_lines: Some(TAIL), ..kube::api::LogParams::default() };
            let name = pod.name_any();
            let text = request(&format!("read the log of pod `{name}`"), api.logs(&name, &parameters)).await;
            log.extend(text.unwrap_or_default().lines().map(str::to_owned));
        }
        if states.is_empty() {
            states.push(format!(
                "{} of {} {}",
                pods.len(),
                self.replicas,
                agree(&self.replicas, "pod exists", "pods exist")
            ));
        }
        SubjectError::NotReady { name: self.describe(), within, last_answer: states.join(", "), log }
    }

    fn describe(&self) -> String {
        format!("Deployment `{}/{}`", self.namespace, self.deployment)
    }
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

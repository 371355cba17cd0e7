//! The command lines of the three components.
//!
//! What deviates from a production cluster only makes a short-lived one quicker; nothing changes what the
//! API accepts, defaults, validates or garbage-collects.

use std::path::Path;

use super::certificates::Certificates;
use super::ports::Ports;
use crate::cluster::KubeControllers;

/// The controllers that always run: they act without pods. Names are those that Kubernetes 1.34 to 1.36 share.
const CONTROLLERS: [&str; 8] = [
    "cronjob-controller",
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "ttl-after-finished-controller",
];

/// The controller of Jobs.
const OF_JOBS: [&str; 1] = ["job-controller"];

/// Controllers that bring about everything round a Deployment but its pods.
const OF_PODS: [&str; 6] = [
    "deployment-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
];

/// Arguments of etcd.
pub(super) fn etcd(data: &Path, ports: Ports) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    vec![
        "--name=default".to_owned(),
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // The data does not outlive the process, so nothing is gained by waiting for the disk.
        "--unsafe-no-fsync".to_owned(),
        // A lone member elects itself after this many milliseconds; the default is one second.
        "--heartbeat-interval=10".to_owned(),
        "--election-timeout=100".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

/// Arguments of kube-apiserver.
pub(super) fn apiserver(certificates: &Certificates, ports: Ports) -> Vec<String> {
    vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.apiserver),
        format!("--tls-cert-file={}", certificates.server.display()),
        format!("--tls-private-key-file={}", certificates.server_key.display()),
        format!("--token-auth-file={}", certificates.tokens.display()),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", certificates.service_account_public.display()),
        format!("--service-account-signing-key-file={}", certificates.service_account_key.display()),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--allow-privileged=true".to_owned(),
        // 127.0.0.1 is no valid endpoint address, and without a node nobody uses the Service.
        "--endpoint-reconciler-type=none".to_owned(),
        // Every scenario shares this server: answers 429 are faults that a scenario asks for, never
        // chance. Without priority and fairness these limits are the only ones.
        "--enable-priority-and-fairness=false".to_owned(),
        "--max-requests-inflight=3000".to_owned(),
        "--max-mutating-requests-inflight=1000".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

/// Arguments of kube-controller-manager.
pub(super) fn controller_manager(
    certificates: &Certificates,
    kubeconfig: &Path,
    wanted: KubeControllers,
) -> Vec<String> {
    let mut controllers = CONTROLLERS.to_vec();
    match wanted {
        KubeControllers::All => controllers.extend(OF_JOBS.iter().chain(&OF_PODS)),
        KubeControllers::WithoutPods => controllers.extend(OF_JOBS),
        KubeControllers::WithoutJobs => {}
    }
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--controllers={}", controllers.join(",")),
        "--use-service-account-credentials=true".to_owned(),
        format!("--root-ca-file={}", certificates.ca.display()),
        format!("--service-account-private-key-file={}", certificates.service_account_key.display()),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--profiling=false".to_owned(),
        // The default of 20 requests per second would be the bottleneck of every burst.
        "--kube-api-qps=1000".to_owned(),
        "--kube-api-burst=2000".to_owned(),
        "--concurrent-job-syncs=10".to_owned(),
        "--concurrent-ttl-after-finished-syncs=10".to_owned(),
        "--concurrent-gc-syncs=20".to_owned(),
        "--concurrent-namespace-syncs=10".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_listens_on_the_loopback_address_only() {
        let ports = Ports { etcd: 1, peer: 2, apiserver: 3 };
        for flag in etcd(Path::new("/data"), ports) {
            if let Some((_, url)) = flag.split_once("://") {
                assert!(url.starts_with("127.0.0.1:"), "{flag}");
            }
        }
    }
}

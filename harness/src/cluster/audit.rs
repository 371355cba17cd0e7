//! The log of requests: which requests an API server writes down, and where it can be read.
//!
//! Only requests of service accounts are of interest, which is what subjects are, and none of the cluster's
//! own controllers. One request of the harness is logged, too: it marks how far the log has come.

use std::path::{Path, PathBuf};

use serde_json::json;

/// The log, in the folder of the kubeconfig.
const LOG: &str = "audit.log";
/// The `ConfigMap` that is asked for to leave a mark in the log; it never exists.
pub const MARK: &str = "hallmark-request-mark";

/// Where the log of the cluster lies whose kubeconfig is this one.
pub(super) fn beside(kubeconfig: &Path) -> PathBuf {
    kubeconfig.with_file_name(LOG)
}

/// The log of the cluster whose kubeconfig lies at `kubeconfig`; `None` if it writes none.
pub fn log_beside(kubeconfig: &Path) -> Option<PathBuf> {
    Some(beside(kubeconfig)).filter(|log| log.exists())
}

/// What the API server is to write down, as the file that it reads.
pub(super) fn policy() -> String {
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        // Watches are told of when they begin: `ResponseComplete` comes only with their end.
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "Metadata", "verbs": ["get"], "resources": [
                {"group": "", "resources": ["configmaps"], "resourceNames": [MARK]},
            ]},
            {"level": "None"},
        ],
    })
    .to_string()
}

/// The flags of an API server that reads its policy from `policy` and writes to `log`; `-` is its standard output.
pub(super) fn flags(policy: &str, log: &str) -> [String; 4] {
    [
        format!("--audit-policy-file={policy}"),
        format!("--audit-log-path={log}"),
        // The default: a request is answered only after it was logged, so the log is never behind.
        "--audit-log-mode=blocking".to_owned(),
        // In megabytes: never cut while it is read.
        "--audit-log-maxsize=100000".to_owned(),
    ]
}

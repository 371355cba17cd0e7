//! The log of requests: which requests the API server writes down, and where.
//!
//! Only requests of service accounts are of interest, which is what subjects are, and none of the cluster's
//! own controllers. One request of the harness is logged, too: it marks how far the log has come.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cluster::ClusterError;

/// The log in the folder of the cluster.
const LOG: &str = "audit.log";
/// The `ConfigMap` that is asked for to leave a mark in the log; it never exists.
pub const MARK: &str = "hallmark-request-mark";

/// The log of the cluster whose kubeconfig lies at `kubeconfig`; `None` if it writes none.
pub fn log_beside(kubeconfig: &Path) -> Option<PathBuf> {
    Some(kubeconfig.with_file_name(LOG)).filter(|log| log.exists())
}

/// Writes the policy and an empty log into `folder`; returns the flags of the API server.
pub(super) fn flags(folder: &Path) -> Result<Vec<String>, ClusterError> {
    let (policy, log) = (folder.join("audit-policy.json"), folder.join(LOG));
    let rules = json!({
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
    });
    std::fs::write(&policy, rules.to_string()).map_err(ClusterError::io("write", &policy))?;
    std::fs::write(&log, "").map_err(ClusterError::io("write", &log))?;
    Ok(vec![
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", log.display()),
        // The default: a request is answered only after it was logged, so the log is never behind.
        "--audit-log-mode=blocking".to_owned(),
        // In megabytes: never cut while it is read.
        "--audit-log-maxsize=100000".to_owned(),
    ])
}

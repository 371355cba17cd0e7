//! From the kubeconfig of a node to one that works outside of its container.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use kube::config::Kubeconfig;

/// Points every cluster of the kubeconfig to the API server's port on this machine.
pub(super) fn point_to_port(kubeconfig: &mut Kubeconfig, port: u16) {
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        cluster.server = Some(format!("https://127.0.0.1:{port}"));
    }
}

/// Writes the kubeconfig to a file that only this user can read. JSON, which every reader of YAML reads.
pub(super) fn write(kubeconfig: &Kubeconfig, path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(serde_json::to_writer(file, kubeconfig)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM_NODE: &str = "\
apiVersion: v1
kind: Config
current-context: default
clusters: [{name: default, cluster: {server: 'https://127.0.0.1:6443', certificate-authority-data: Y2E=}}]
contexts: [{name: default, context: {cluster: default, user: default}}]
users: [{name: default, user: {client-certificate-data: Yw==, client-key-data: c2VjcmV0}}]
";

    #[test]
    fn the_written_file_holds_the_credentials_and_the_published_port() {
        let mut kubeconfig = Kubeconfig::from_yaml(FROM_NODE).unwrap();
        point_to_port(&mut kubeconfig, 32768);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        write(&kubeconfig, &path).unwrap();
        let read = Kubeconfig::read_from(&path).unwrap();
        let cluster = read.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:32768"));
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("Y2E="));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("c2VjcmV0"), "the client key is lost: {text}");
    }
}

//! The image and how its container is set up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::{ContainerPort, WaitFor};
use testcontainers::{ContainerRequest, CopyToContainer, Image, ImageExt};

use super::super::audit;

/// The image that is used if none is named.
pub const DEFAULT_IMAGE: &str = "rancher/k3s:v1.35.4-k3s1";

/// Where the API server listens in the container.
pub(super) const API_PORT: ContainerPort = ContainerPort::Tcp(6443);

/// The node's name, fixed so that it can be watched before it exists.
pub(super) const NODE_NAME: &str = "hallmark";

/// Where the node writes its kubeconfig.
pub(super) const KUBECONFIG_PATH: &str = "/etc/rancher/k3s/k3s.yaml";

/// Where the node looks for image archives when it starts.
const IMAGE_FOLDER: &str = "/var/lib/rancher/k3s/agent/images";

/// How long Docker may take to start the container; what happens inside has a deadline of its own.
const CONTAINER_START_DEADLINE: Duration = Duration::from_mins(1);

const ARGUMENTS: &[&str] = &[
    "server",
    "--disable=traefik,servicelb,metrics-server,coredns,local-storage",
    "--disable-network-policy",
    "--disable-cloud-controller",
    "--disable-helm-controller",
    "--tls-san=127.0.0.1",
    // The default of 20 requests per second would be measured instead of the controller under test.
    "--kube-controller-manager-arg=kube-api-qps=500",
    "--kube-controller-manager-arg=kube-api-burst=1000",
    // From 1.35 on the kubelet refuses cgroup v1 unless told otherwise.
    "--kubelet-arg=fail-cgroupv1=false",
];

/// k3s, or an image with its contract.
#[derive(Debug, Clone)]
pub(super) struct K3sImage {
    name: String,
    tag: String,
    files: Vec<CopyToContainer>,
}

impl K3sImage {
    /// `reference` is `repository:tag`, `repository@digest` or `repository`; `images` are archives that the
    /// node loads before it is Ready.
    pub(super) fn new(reference: &str, images: &[PathBuf]) -> Self {
        let (name, tag) = split_reference(reference);
        // Copied instead of mounted: the daemon need not see this machine's files.
        let images = images
            .iter()
            .enumerate()
            .map(|(index, path)| CopyToContainer::new(path.clone(), format!("{IMAGE_FOLDER}/{index}.tar")));
        let policy = CopyToContainer::new(audit::policy().into_bytes(), super::audit::POLICY);
        Self { name: name.to_owned(), tag: tag.to_owned(), files: images.chain([policy]).collect() }
    }
}

impl Image for K3sImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn tag(&self) -> &str {
        &self.tag
    }

    // Log lines change between versions; readiness is asked of the API server.
    fn ready_conditions(&self) -> Vec<WaitFor> {
        Vec::new()
    }

    fn cmd(&self) -> impl IntoIterator<Item = impl Into<Cow<'_, str>>> {
        let node = format!("--node-name={NODE_NAME}");
        let made = super::audit::arguments().chain([node]).map(Cow::Owned);
        ARGUMENTS.iter().map(|argument| Cow::Borrowed(*argument)).chain(made)
    }

    fn expose_ports(&self) -> &[ContainerPort] {
        &[API_PORT]
    }

    fn copy_to_sources(&self) -> impl IntoIterator<Item = &CopyToContainer> {
        &self.files
    }
}

/// Splits at the colon before tag or digest, which is how testcontainers joins name and tag again.
fn split_reference(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        // The colon of a registry's port stands before a slash.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

/// The rights of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privileges {
    /// `--privileged`, what k3s asks for.
    Privileged,
    /// Everything else by name: for a daemon that lacks `CAP_SYS_RESOURCE` itself and so refuses the former.
    Capabilities,
}

impl fmt::Display for Privileges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privileged => "privileged",
            Self::Capabilities => "with every capability but CAP_SYS_RESOURCE",
        })
    }
}

/// A request for a container that is reachable from this machine only.
pub(super) fn request(
    image: K3sImage,
    container: &str,
    labels: HashMap<String, String>,
    privileges: Privileges,
) -> ContainerRequest<K3sImage> {
    let request = image
        .with_container_name(container)
        .with_labels(labels)
        .with_startup_timeout(CONTAINER_START_DEADLINE)
        .with_host_config_modifier(move |host| configure_host(host, privileges));
    match privileges {
        Privileges::Privileged => request.with_privileged(true),
        Privileges::Capabilities => request
            .with_cap_add("ALL")
            .with_cap_drop("SYS_RESOURCE")
            .with_security_opt("seccomp=unconfined")
            .with_security_opt("apparmor=unconfined"),
    }
}

fn configure_host(host: &mut HostConfig, privileges: Privileges) {
    let loopback = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
    host.publish_all_ports = Some(false);
    host.port_bindings = Some(HashMap::from([(API_PORT.to_string(), Some(vec![loopback]))]));
    host.tmpfs = Some(["/run", "/tmp"].map(|path| (path.to_owned(), String::new())).into());
    if privileges == Privileges::Capabilities {
        // What `systempaths=unconfined` and `-v` mean on the command line. `--privileged` implies both.
        host.masked_paths = Some(Vec::new());
        host.readonly_paths = Some(Vec::new());
        host.binds = Some(vec!["/sys/fs/cgroup:/sys/fs/cgroup:rw".to_owned()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn testcontainers_gets_back_the_reference_it_was_given() {
        for reference in ["rancher/k3s:v1", "k3s:v1", "localhost:5000/k3s:v1", "k3s@sha256:0123"] {
            let (name, tag) = split_reference(reference);
            assert_eq!(format!("{name}:{tag}"), reference);
        }
        assert_eq!(split_reference("localhost:5000/k3s"), ("localhost:5000/k3s", "latest"));
        assert_eq!(split_reference("k3s"), ("k3s", "latest"));
    }

    #[test]
    fn the_api_port_is_published_on_the_loopback_interface_only() {
        for privileges in [Privileges::Privileged, Privileges::Capabilities] {
            let mut host = HostConfig { publish_all_ports: Some(true), ..HostConfig::default() };
            configure_host(&mut host, privileges);
            let bindings = host.port_bindings.unwrap();
            assert_eq!(bindings.keys().collect::<Vec<_>>(), ["6443/tcp"]);
            assert_eq!(bindings["6443/tcp"].as_ref().unwrap()[0].host_ip.as_deref(), Some("127.0.0.1"));
            assert_eq!(host.publish_all_ports, Some(false));
        }
    }
}

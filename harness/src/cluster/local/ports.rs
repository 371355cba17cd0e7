//! Free ports for processes that must be told their port.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::cluster::ClusterError;

/// Ports on 127.0.0.1 that were free a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    /// etcd for its client.
    pub(super) etcd: u16,
    /// etcd for its peers, of which there are none.
    pub(super) peer: u16,
    /// The API server.
    pub(super) apiserver: u16,
}

/// Asks the system for three different free ports.
///
/// Another process may take one before its user binds it; [`lost_race`] recognises that.
pub(super) fn free() -> Result<Ports, ClusterError> {
    // All are held until all are chosen, so that they differ.
    let bind = || -> Result<(TcpListener, u16), ClusterError> {
        let failed = |source| ClusterError::Io {
            action: "bind a port on",
            path: Path::new("127.0.0.1").to_owned(),
            source,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok((listener, port))
    };
    let (_held_etcd, etcd) = bind()?;
    let (_held_peer, peer) = bind()?;
    let (_held_apiserver, apiserver) = bind()?;
    Ok(Ports { etcd, peer, apiserver })
}

/// Whether the end of a component's log says that its port was taken meanwhile.
pub(super) fn lost_race(log: &str) -> bool {
    log.contains("address already in use")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ() {
        let ports = free().unwrap();
        assert!(ports.etcd != ports.peer && ports.peer != ports.apiserver && ports.etcd != ports.apiserver);
    }

    #[test]
    fn a_taken_port_is_recognised_in_the_logs_of_both_servers() {
        assert!(lost_race(
            r#"{"level":"fatal","caller":"etcdmain/etcd.go:204","msg":"discovery failed","error":"listen tcp 127.0.0.1:2379: bind: address already in use"}"#
        ));
        assert!(lost_race(
            "failed to create listener: failed to listen on 127.0.0.1:6443: listen tcp 127.0.0.1:6443: bind: address already in use"
        ));
        assert!(!lost_race("context deadline exceeded"));
    }
}

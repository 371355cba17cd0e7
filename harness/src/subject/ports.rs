//! Ports for processes that share the host.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// The ports that are given out.
///
/// They lie below the range from which Linux takes the local ports of outgoing connections (32768 and
/// up): the hundreds of connections of a run would otherwise now and then sit on a port between the
/// moment it is given out and the moment the subject binds it.
const RANGE: Range<u16> = 20_000..32_000;

/// How many ports this process has looked at, so that one that was given back rests for a while.
static LOOKED_AT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 that no other run of the harness on this host gets while this lives.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    /// Bound to the name that goes with the port; the system frees it when the process ends, however it ends.
    _claim: UnixListener,
}

/// All ports are taken.
#[derive(Debug, thiserror::Error)]
#[error("no free port from {} to {} on 127.0.0.1", RANGE.start, RANGE.end - 1)]
pub struct NoFreePort;

impl Port {
    /// A port on which nothing listens and that was not given out, here or by another run of the harness.
    ///
    /// That nothing listens is not enough: the process that gets the port binds it a moment later. An abstract
    /// Unix socket says who has it, because its name is as wide as the port: it is seen by every user and from
    /// every folder of one network namespace, and of no other.
    pub(super) fn take() -> Result<Self, NoFreePort> {
        for _ in RANGE {
            let number = RANGE.start + LOOKED_AT.fetch_add(1, Ordering::Relaxed) % (RANGE.end - RANGE.start);
            if let Ok(claim) = claim(number)
                && is_free(number)
            {
                return Ok(Self { number, _claim: claim });
            }
        }
        Err(NoFreePort)
    }

    /// The number.
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

/// Fails while somebody else holds the claim.
fn claim(number: u16) -> io::Result<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("hallmark-port-{number}"))?;
    UnixListener::bind_addr(&name)
}

/// Whether nothing listens there; both addresses are tried because programs bind either one of them.
fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_port_that_was_given_out_is_not_given_again_until_it_is_dropped() {
        let taken = Port::take().unwrap();
        let number = taken.number();
        assert!(claim(number).is_err());
        drop(taken);
        assert!(claim(number).is_ok());
    }

    #[test]
    fn ports_in_use_or_of_another_run_are_passed_over() {
        let first = Port::take().unwrap();
        let next = first.number() + 1;
        let _bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, next));
        let _of_another_run = claim(next + 1);
        LOOKED_AT.store(first.number() - RANGE.start, Ordering::Relaxed);
        let second = Port::take().unwrap();
        assert!(![first.number(), next, next + 1].contains(&second.number()), "{second:?}");
    }

    #[test]
    fn everybody_who_asks_at_once_gets_another_one() {
        let take_ten = || {
            LOOKED_AT.store(0, Ordering::Relaxed);
            (0..10).map(|_| Port::take().unwrap()).collect::<Vec<_>>()
        };
        let ports: Vec<Port> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..8).map(|_| scope.spawn(take_ten)).collect();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        let numbers: BTreeSet<_> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 80);
    }
}

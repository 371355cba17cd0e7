//! Ports for processes that share the host, given out in one place.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

/// The ports that are given out.
///
/// They lie below the range from which Linux takes the local ports of outgoing connections (32768 and
/// up): the hundreds of connections of a run would otherwise now and then sit on a port between the
/// moment it is given out and the moment the subject binds it.
const RANGE: RangeInclusive<u16> = 20_000..=32_000;

/// Hands out ports of 127.0.0.1; clones share one pool.
#[derive(Debug, Clone, Default)]
pub struct PortPool(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    ports: BTreeSet<u16>,
    next: u16,
}

/// A port that nobody else gets while this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    pool: PortPool,
}

/// No port of the range is free.
#[derive(Debug, thiserror::Error)]
#[error("no free port between {} and {} on 127.0.0.1", RANGE.start(), RANGE.end())]
pub struct NoFreePort;

impl PortPool {
    /// A port on which nothing listens and that was not given out.
    pub fn take(&self) -> Result<Port, NoFreePort> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = RANGE.end() - RANGE.start() + 1;
        // Runs of the harness at the same time on one host start at different places, so they seldom
        // race for a port; the process id is good enough for that.
        let start = u16::try_from(std::process::id().wrapping_mul(37) % u32::from(size)).unwrap_or(0);
        for step in 0..size {
            let offset = u32::from(start) + u32::from(taken.next) + u32::from(step);
            let number = RANGE.start() + u16::try_from(offset % u32::from(size)).unwrap_or(0);
            // Both addresses are tried because programs bind either one of them.
            let free = !taken.ports.contains(&number)
                && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
                && TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok();
            if free {
                taken.ports.insert(number);
                taken.next = (taken.next + step + 1) % size;
                return Ok(Port { number, pool: self.clone() });
            }
        }
        Err(NoFreePort)
    }
}

impl Port {
    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).ports.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_use_or_given_out_are_not_given_again() {
        let pool = PortPool::default();
        let first = pool.take().unwrap();
        let second = pool.clone().take().unwrap();
        assert_ne!(first.number(), second.number());

        let blocked = second.number() + 1;
        let _listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, blocked));
        assert_ne!(pool.take().unwrap().number(), blocked);
    }

    #[test]
    fn a_dropped_port_may_be_given_again() {
        let pool = PortPool::default();
        let number = pool.take().unwrap().number();
        assert!(!pool.0.lock().unwrap().ports.contains(&number));
    }
}

//! Whose container is it? Labels that outlive the process that made it.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::super::process::ProcessIdentity;

/// Label on every container: the run that made it.
pub(super) const RUN: &str = "hallmark.run";
const PID: &str = "hallmark.owner.pid";
const STARTED: &str = "hallmark.owner.started";
const MACHINE: &str = "hallmark.owner.machine";

/// The process that made a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    process: ProcessIdentity,
    /// Where the process number means something: one boot of a machine and one process namespace on it.
    machine: String,
}

impl Owner {
    /// The running process.
    pub(super) fn current() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let machine = format!("{} {}", boot.trim(), namespace.display());
        Self { process: ProcessIdentity::current(), machine: machine.trim().to_owned() }
    }

    /// The labels of a container of this process, with a fresh name of the run.
    pub(super) fn labels(&self, run: &str) -> HashMap<String, String> {
        HashMap::from([
            (RUN.to_owned(), run.to_owned()),
            (PID.to_owned(), self.process.pid.to_string()),
            (STARTED.to_owned(), self.process.started.to_string()),
            (MACHINE.to_owned(), self.machine.clone()),
        ])
    }

    /// The owner that a container's labels name.
    fn of(labels: &HashMap<String, String>) -> Option<Self> {
        let process = ProcessIdentity {
            pid: labels.get(PID)?.parse().ok()?,
            started: labels.get(STARTED)?.parse().ok()?,
        };
        Some(Self { process, machine: labels.get(MACHINE)?.clone() })
    }

    /// Whether a container with these labels belongs to nobody, as seen by this process. A daemon may be
    /// shared with processes that cannot be seen from here: theirs are left alone.
    pub(super) fn sees_orphan(&self, labels: &HashMap<String, String>) -> bool {
        Self::of(labels).is_some_and(|other| other.machine == self.machine && !other.process.is_alive())
    }
}

/// A name for one container, different for each call.
pub(super) fn fresh_run_name() -> String {
    let mut hash = Sha256::new();
    hash.update(std::process::id().to_be_bytes());
    hash.update(jiff::Timestamp::now().as_nanosecond().to_be_bytes());
    hex::encode(hash.finalize()).chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_of_a_living_process_is_no_orphan() {
        let own = Owner::current();
        assert!(!own.sees_orphan(&own.labels("r")));
    }

    #[test]
    fn the_container_of_an_earlier_process_with_the_same_number_is_an_orphan() {
        let own = Owner::current();
        let mut dead = own.clone();
        dead.process.started += 1;
        assert!(own.sees_orphan(&dead.labels("r")));
    }

    #[test]
    fn containers_of_other_machines_and_of_others_are_left_alone() {
        let own = Owner::current();
        let mut elsewhere = own.clone();
        elsewhere.process.started += 1;
        elsewhere.machine.push('x');
        assert!(!own.sees_orphan(&elsewhere.labels("r")));
        assert!(!own.sees_orphan(&HashMap::from([(RUN.to_owned(), "r".to_owned())])));
    }
}

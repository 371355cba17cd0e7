//! Telling a process from a later one with the same number.

use serde::{Deserialize, Serialize};

/// A process, identified beyond the reuse of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: u32,
    /// When it started, in clock ticks since the boot; 0 where the system does not tell.
    pub started: u64,
}

impl ProcessIdentity {
    /// The running process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self { pid, started: start_time(pid).unwrap_or(0) }
    }

    /// Whether exactly this process still runs; a zombie does not.
    pub fn is_alive(self) -> bool {
        if cfg!(target_os = "linux") { start_time(self.pid) == Some(self.started) } else { exists(self.pid) }
    }
}

fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

fn start_time(pid: u32) -> Option<u64> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads the start time out of `/proc/PID/stat` (proc(5), field 22); `None` for a zombie.
fn parse_stat(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses and may itself hold blanks and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_process_is_alive_and_an_earlier_one_of_its_number_is_not() {
        let own = ProcessIdentity::current();
        assert!(own.is_alive());
        assert!(!ProcessIdentity { started: own.started + 1, ..own }.is_alive());
    }

    #[test]
    fn start_time_is_found_behind_a_name_with_blanks_and_parentheses() {
        let fields = (4..=52).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(parse_stat(&format!("7 (a) b) S {fields}")), Some(22));
        assert_eq!(parse_stat(&format!("7 (a) Z {fields}")), None);
    }
}

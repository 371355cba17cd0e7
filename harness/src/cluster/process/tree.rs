//! Signals to a process group and to what escaped from it.

use std::fs;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Sends `signal` to a process group; a group that is gone already is fine.
pub(super) fn signal_group(leader: Pid, signal: Signal) {
    let _gone = kill_process_group(leader, signal);
}

/// Kills every child of the calling process.
///
/// The supervisor is the reaper of its orphaned descendants, so those that left the process group by a
/// session of their own are among its children once their parents are dead.
pub(super) fn kill_children() {
    for pid in children() {
        let _gone = kill_process(pid, Signal::KILL);
    }
}

fn children() -> Vec<Pid> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(parse_pid).collect::<Vec<_>>())
        .collect()
}

fn parse_pid(text: &str) -> Option<Pid> {
    text.parse().ok().and_then(Pid::from_raw)
}

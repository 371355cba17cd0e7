//! What processes use, told by the system.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Ticks per second in `/proc`, the same on every Linux (`USER_HZ`).
const TICKS: f64 = 100.0;

/// The fields of `/proc/ID/stat` after the name: the first of them is field 3 of proc(5).
fn stat(id: u32) -> Result<Vec<String>> {
    let path = format!("/proc/{id}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let (_, rest) = text.rsplit_once(')').with_context(|| format!("understand {path}"))?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

fn ticks(stat: &[String], fields: [usize; 2]) -> f64 {
    fields.iter().filter_map(|field| stat.get(*field)?.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// Processor seconds of a process so far.
pub(crate) fn cpu_seconds(id: u32) -> Result<f64> {
    Ok(ticks(&stat(id)?, [11, 12]))
}

/// Processor seconds of all children of this process that have ended, and of theirs.
pub(crate) fn cpu_seconds_of_children() -> Result<f64> {
    Ok(ticks(&stat(std::process::id())?, [13, 14]))
}

/// Resident memory of a process and all its descendants, in mebibytes.
pub(crate) fn resident(root: u32) -> f64 {
    let Ok(processes) = fs::read_dir("/proc") else { return 0.0 };
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parents: BTreeMap<u32, u32> =
        ids.filter_map(|id| Some((id, stat(id).ok()?.get(1)?.parse().ok()?))).collect();
    let is_of_root = |id: u32| {
        let mut next = Some(id);
        // Ids may be taken anew while they are read, so nobody is followed for ever.
        for _ in 0..64 {
            match next {
                Some(found) if found == root => return true,
                Some(found) => next = parents.get(&found).copied(),
                None => return false,
            }
        }
        false
    };
    parents.keys().copied().filter(|id| is_of_root(*id)).filter_map(memory).sum()
}

fn memory(id: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kibibytes| kibibytes / 1024.0)
}

/// The API server of the cluster whose files lie in `folder`.
pub(crate) fn api_server(folder: &Path) -> Result<u32> {
    let folder = folder.to_string_lossy();
    let processes = fs::read_dir("/proc").context("list processes")?;
    let found = processes.filter_map(Result::ok).find_map(|process| {
        let id: u32 = process.file_name().to_str()?.parse().ok()?;
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let is_it =
            line.contains(&*folder) && line.contains("--etcd-servers") && !line.contains(" supervise ");
        is_it.then_some(id)
    });
    found.context("find the API server among the processes")
}

/// Average number of processes that wanted a processor during the last minute.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

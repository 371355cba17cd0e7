//! What processes have used, told by the system.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// What the API server's process is called here.
pub(crate) const API_SERVER: &str = "API server";
/// What the datastore's process is called here.
pub(crate) const ETCD: &str = "etcd";

/// Memory of a process in mebibytes.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: f64,
    /// The most that ever was resident.
    pub(crate) peak: f64,
}

/// Memory of a process.
pub(crate) fn memory(id: u32) -> Result<Memory> {
    let path = format!("/proc/{id}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let mebibytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kibibytes.map(|kibibytes| kibibytes / 1024.0).with_context(|| format!("{path} has no {field}"))
    };
    Ok(Memory { resident: mebibytes("VmRSS:")?, peak: mebibytes("VmHWM:")? })
}

/// Processor seconds of a process so far, in user and in kernel mode together.
pub(crate) fn cpu_seconds(id: u32) -> Result<f64> {
    let path = format!("/proc/{id}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The second field is the program's name in parentheses, which may hold anything.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    // Fields 14 and 15 of the line; the third is the first of the rest.
    let ticks = [11, 12].map(|field| fields.get(field).and_then(|text| text.parse::<u32>().ok()));
    let [Some(user), Some(system)] = ticks else { anyhow::bail!("{path} has no processor times") };
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
    Ok((f64::from(user) + f64::from(system)) / f64::from(per_second))
}

/// The components of a cluster: short names and process ids of all processes that have `folder` on their
/// command line and are no supervisors.
pub(crate) fn components(folder: &Path) -> Vec<(String, u32)> {
    const NAMES: [(&str, &str); 3] =
        [("--etcd-servers", API_SERVER), ("--root-ca-file", "controller manager"), ("--data-dir", ETCD)];
    let folder = folder.to_string_lossy();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let named = processes.filter_map(Result::ok).filter_map(|process| {
        let id: u32 = process.file_name().to_str()?.parse().ok()?;
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if !line.contains(&*folder) || line.contains(" supervise ") {
            return None;
        }
        let name = NAMES.iter().find_map(|(flag, name)| line.contains(flag).then_some(*name))?;
        Some((name.to_owned(), id))
    });
    let mut named: Vec<_> = named.collect();
    named.sort();
    named
}

/// Name of the processor.
pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// Average number of processes that wanted a processor during the last minute.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

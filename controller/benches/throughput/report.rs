//! The measurement as a table for people.

use comfy_table::{Table, presets};

use crate::measure::{Latency, Measurement};
use crate::usage;

/// What the controller promises for a thousand runs in one namespace on two shared cores.
const RUNS_PER_SECOND: f64 = 100.0;
const REQUESTS_PER_RUN: f64 = 8.0;
/// With ten thousand runs.
const RESIDENT: f64 = 80.0;

/// The processes that every controller needs, as `cpu_seconds` names them.
const CLUSTER: [&str; 2] = [usage::API_SERVER, usage::ETCD];

/// The table.
pub(crate) fn table(measured: &Measurement) -> String {
    let Measurement { machine, memory, memory_after_restart, .. } = measured;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut row = |name: &str, value: String| {
        table.add_row([name, &value]);
    };
    let plural = if measured.namespaces == 1 { "" } else { "s" };
    row("runs", format!("{} in {} namespace{plural}", measured.runs, measured.namespaces));
    row("from first creation to last end", format!("{:.2} s", measured.seconds));
    row("runs per second", target(measured.runs_per_second, RUNS_PER_SECOND, f64::ge, 1));
    row("  that the cluster would allow", cluster_limit(measured));
    let (creation, creators) = (measured.creation_seconds, measured.creators);
    row("creation alone", format!("{creation:.2} s, {creators} at a time"));
    row("creation to Job", latency(measured.create_to_job));
    row("end of Job to terminal status", latency(measured.end_to_status));
    row("API requests per run", target(measured.requests_per_run, REQUESTS_PER_RUN, f64::le, 2));
    for (what, times) in &measured.requests {
        row(&format!("  {what}"), times.to_string());
    }
    row("resident memory, MiB", target(memory.resident, RESIDENT, f64::le, 1));
    row("  at its peak", format!("{:.1}", memory.peak));
    row("  after a restart", format!("{:.1}", memory_after_restart.resident));
    row("  at the peak of that", format!("{:.1}", memory_after_restart.peak));
    for (process, seconds) in &measured.cpu_seconds {
        row(&format!("CPU of {process}"), format!("{seconds:.2} s"));
    }
    let load = machine.load_before.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}"));
    row("controller", format!("{} ({})", machine.controller, machine.profile));
    row("Kubernetes", machine.kubernetes.clone());
    row("machine", format!("{} cores, {}", machine.cores, machine.processor));
    row("load before", load);
    table.trim_fmt()
}

/// What no controller could exceed that makes the same writes: etcd and API server with all processors to
/// themselves.
fn cluster_limit(measured: &Measurement) -> String {
    let seconds: f64 = CLUSTER.iter().filter_map(|process| measured.cpu_seconds.get(*process)).sum();
    if seconds == 0.0 {
        return "unknown".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "neither has 2^52 runs nor processors")]
    let limit = measured.runs as f64 / seconds * measured.machine.cores as f64;
    format!("{limit:.1}")
}

/// A value and whether it keeps its promise.
fn target(value: f64, promise: f64, keeps: fn(&f64, &f64) -> bool, digits: usize) -> String {
    let verdict = if keeps(&value, &promise) { "kept" } else { "NOT KEPT" };
    let relation = if keeps(&f64::INFINITY, &promise) { "at least" } else { "at most" };
    format!("{value:.digits$} ({relation} {promise} promised: {verdict})")
}

fn latency(latency: Latency) -> String {
    format!("p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms", latency.p50, latency.p99, latency.max)
}

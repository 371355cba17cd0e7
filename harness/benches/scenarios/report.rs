//! The measurement as a table for people.

use comfy_table::{Table, presets};

use crate::measure::{Bench, Measured};

/// What the harness promises for a hundred scenarios, 32 in flight, on two processors with nothing else to do:
/// seconds, times the oracle, requests per scenario.
const WORK: f64 = 2.2;
const RATIO: f64 = 1.25;
const REQUESTS: f64 = 12.0;

/// Verbs with fewer requests per scenario are put together.
const FEW: f64 = 0.05;

/// The table.
pub(crate) fn table(bench: &Bench) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "scenarios",
        "tool",
        "wall s",
        "start s",
        "work s",
        "work / oracle",
        "CPU s",
        "API server CPU s",
        "MiB",
        "requests / scenario",
        "by verb",
    ]);
    for run in &bench.runs {
        let ratio = ratio(bench, run).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let maybe = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |it| format!("{it:.2}"));
        table.add_row([
            run.scenarios.to_string(),
            run.tool.clone(),
            format!("{:.2}", run.wall),
            maybe(run.start),
            maybe(run.work),
            ratio,
            format!("{:.2}", run.cpu),
            format!("{:.2}", run.cpu_of_api_server),
            format!("{:.0}", run.resident),
            format!("{:.1}", per_scenario(run)),
            by_verb(run),
        ]);
    }
    let load = bench.load.map(|load| load.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.1}")));
    let about = format!(
        "{} build, Kubernetes {}, {} cores, {} in flight, load {} before and {} after",
        bench.profile, bench.kubernetes, bench.cores, bench.in_flight, load[0], load[1]
    );
    let promises: Vec<String> =
        bench.runs.iter().filter(|run| run.tool == "hallmark").flat_map(|run| promises(bench, run)).collect();
    format!("{}\n{about}\n{}", table.trim_fmt(), promises.concat())
}

/// What was promised, and whether it was kept.
fn promises(bench: &Bench, run: &Measured) -> Vec<String> {
    let line = |what: &str, value: f64, promise: f64| {
        let kept = if value <= promise { "kept" } else { "NOT KEPT" };
        format!("{} scenarios, {what}: {value:.2} (at most {promise} promised: {kept})\n", run.scenarios)
    };
    let mut lines = Vec::new();
    if let Some(work) = run.work.filter(|_| run.scenarios == 100) {
        lines.push(line("seconds of work", work, WORK));
    }
    lines.extend(ratio(bench, run).map(|ratio| line("times the oracle", ratio, RATIO)));
    lines.push(line("requests per scenario", per_scenario(run), REQUESTS));
    lines
}

/// How many times as long as the oracle.
fn ratio(bench: &Bench, run: &Measured) -> Option<f64> {
    let oracle = bench.runs.iter().find(|it| it.tool == "oracle" && it.scenarios == run.scenarios)?.work?;
    Some(run.work.unwrap_or(run.wall) / oracle)
}

fn per_scenario(run: &Measured) -> f64 {
    run.requests.values().sum::<f64>() / f64::from(run.scenarios.max(1))
}

fn by_verb(run: &Measured) -> String {
    let each = |count: &f64| count / f64::from(run.scenarios.max(1));
    let (many, few): (Vec<_>, Vec<_>) = run.requests.iter().partition(|(_, count)| each(count) >= FEW);
    let mut parts: Vec<String> =
        many.iter().map(|(verb, count)| format!("{verb} {:.1}", each(count))).collect();
    let rest: f64 = few.iter().map(|(_, count)| each(count)).sum();
    if rest >= FEW {
        parts.push(format!("others {rest:.1}"));
    }
    parts.join(", ")
}

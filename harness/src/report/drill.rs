//! What is said about a drill: its moments, its claims, and a verdict.

use comfy_table::{Table, presets};

pub use super::drill_page::page;
use crate::count::count;
use crate::drill::{Claim, Drill, Verdict};
use crate::exit;

/// Exit code of the command.
pub fn exit(drill: &Drill) -> u8 {
    if drill.any(Verdict::Broken) {
        exit::NON_CONFORMANT
    } else if drill.any(Verdict::Open) {
        exit::INCONCLUSIVE
    } else {
        exit::CONFORMANT
    }
}

/// The verdict in one line.
pub fn verdict(drill: &Drill) -> String {
    let claims = count(drill.claims.len(), "claim");
    let runs = count(drill.runs, "run");
    let broken: Vec<&str> = drill
        .claims
        .iter()
        .filter(|claim| claim.verdict == Verdict::Broken)
        .map(|claim| claim.claim)
        .collect();
    if !broken.is_empty() {
        return format!("{} of {claims} broken: {}", broken.len(), broken.join("; "));
    }
    let recovery = drill.recovery_seconds.map_or_else(String::new, |time| format!(" in {time:.1} s"));
    if drill.any(Verdict::Open) {
        return format!("no claim broken, but not all were judged, of a recovery of {runs}");
    }
    format!("{runs} recovered{recovery}, all {claims} kept")
}

/// All of it for people.
pub fn text(drill: &Drill) -> String {
    let mut moments = table();
    moments.set_header(["", "moment", "since the loss"]);
    for mark in &drill.timeline {
        moments.add_row([mark.name.to_owned(), mark.what.to_owned(), format!("{:.3} s", mark.seconds)]);
    }
    let mut claims = table();
    claims.set_header(["", "claim", "found"]);
    for Claim { claim, verdict, found } in &drill.claims {
        claims.add_row([word(*verdict), claim, found.as_str()]);
    }
    let facts: Vec<String> =
        facts(drill).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{}\n\n{}\n\n{}\n\n{}", moments.trim_fmt(), claims.trim_fmt(), facts.join("\n"), verdict(drill))
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// The word for a verdict.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Kept => "kept",
        Verdict::Broken => "BROKEN",
        Verdict::Open => "open",
    }
}

/// What was measured, and where.
pub(super) fn facts(drill: &Drill) -> Vec<(&'static str, String)> {
    let Drill { implementation, machine, states, lost, restored, memory, .. } = drill;
    let load = machine.load_before.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}"));
    let rate =
        restored.per_second.map_or_else(String::new, |rate| format!(", {rate} objects/s while written"));
    let mut facts = vec![
        ("controller", format!("{} {}", implementation.name, implementation.version)),
        (
            "runs",
            format!(
                "{} ({} ended, {} active, {} waiting; {})",
                drill.runs,
                states.ended,
                states.active,
                states.waiting,
                count(states.workflows, "workflow")
            ),
        ),
        ("archive", format!("{} bytes, sha256 {}", drill.archive_bytes, drill.archive)),
        (
            "recovery time, t1 to t8",
            drill.recovery_seconds.map_or_else(|| "not reached".to_owned(), |time| format!("{time:.3} s")),
        ),
        (
            "lost",
            format!(
                "{} of {}, those of the last {:.1} s",
                lost.writes,
                count(lost.of, "write"),
                lost.seconds
            ),
        ),
        ("restore", format!("{} in {:.3} s{rate}", count(restored.objects, "object"), restored.seconds)),
        (
            "memory at most",
            format!(
                "hallmark {}, the controller {}",
                mebibytes(memory.hallmark),
                mebibytes(memory.controller)
            ),
        ),
        (
            "machine",
            format!(
                "{}, load {load} before; hallmark built for {}; Kubernetes {}",
                count(machine.cores, "core"),
                machine.profile,
                machine.kubernetes
            ),
        ),
    ];
    if let Some(defect) = &drill.defect {
        facts.push(("planted", defect.clone()));
    }
    facts
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20))
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::drill::{Lost, Machine, Mark, Memory, Restored, States};
    use crate::event::ImplementationInfo;

    /// A drill with claims of these verdicts.
    pub(in crate::report) fn drill(verdicts: &[Verdict]) -> Drill {
        Drill {
            implementation: ImplementationInfo {
                name: "controller</script>".to_owned(),
                version: "1".to_owned(),
                url: String::new(),
                organization: String::new(),
            },
            defect: None,
            machine: Machine {
                kubernetes: "v1.35.4".to_owned(),
                profile: "debug",
                cores: 2,
                load_before: None,
            },
            runs: 50,
            states: States { ended: 46, active: 2, waiting: 2, workflows: 6 },
            archive: "abc".to_owned(),
            archive_bytes: 1,
            timeline: vec![Mark {
                name: "t1",
                what: "API server ready",
                at: Timestamp::UNIX_EPOCH,
                seconds: 4.5,
            }],
            recovery_seconds: Some(12.34),
            lost: Lost { writes: 3, of: 53, seconds: 1.0 },
            restored: Restored { objects: 55, seconds: 2.0, per_second: Some(30.0) },
            memory: Memory { hallmark: Some(50 << 20), controller: Some(20 << 20) },
            claims: verdicts
                .iter()
                .map(|verdict| Claim { claim: "no run repeats", verdict: *verdict, found: "f".to_owned() })
                .collect(),
        }
    }

    #[rstest]
    #[case::all_kept(&[Verdict::Kept, Verdict::Kept], exit::CONFORMANT, "50 runs recovered in 12.3 s, all 2")]
    #[case::a_broken_one_wins(&[Verdict::Open, Verdict::Broken], exit::NON_CONFORMANT, "1 of 2 claims broken: no run repeats")]
    #[case::the_only_one_is_broken(&[Verdict::Broken], exit::NON_CONFORMANT, "1 of 1 claim broken: no run repeats")]
    #[case::not_judged(&[Verdict::Kept, Verdict::Open], exit::INCONCLUSIVE, "not all were judged")]
    fn the_worst_claim_decides(#[case] verdicts: &[Verdict], #[case] code: u8, #[case] said: &str) {
        let drill = drill(verdicts);
        assert_eq!(exit(&drill), code);
        assert!(text(&drill).lines().last().expect("a verdict").contains(said), "{}", text(&drill));
    }
}

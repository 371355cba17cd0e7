//! What the commands would have written.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hallmark::check::{Chance, Divergence, Moment, Place, Side, Turning};
use hallmark::drill::{Claim, Drill, Lost, Machine, Mark, Memory, Restored, States, Verdict};
use hallmark::engine::{BrokenClaim, Life, LoadKind, Missed, Noticed, Placement, Proof, WriteOutcome};
use hallmark::event::{ImplementationInfo, Level};
use hallmark::exit;
use hallmark::gate::chart::Chart;
use hallmark::gate::judgement::Evidence;
use hallmark::gate::{Finding, Judgement, rules};
use hallmark::report::comparison::{ComparedCase, ComparedRequirement, Ended, Likeness, Party, Word};
use hallmark::report::{self, Comparison, Exploration, Group, Proofs, Repetition, Stress};
use hallmark::subject::Defect;

/// Writes a page of each kind.
pub(crate) fn write(folder: &Path) {
    let proof = |name: &str, noticed, missed| {
        let requirements = vec!["A-1".to_owned()];
        let defect = Defect { name: name.to_owned(), requirements, summary: "forgets <b>".to_owned() };
        Proof::new(defect, noticed, missed, Duration::from_secs(2))
    };
    let broken = BrokenClaim { by: "case/row".into(), claim: "never two Jobs".into() };
    let noticed = Noticed { requirement: "A-1".into(), broken };
    let missed = |trouble| Missed { requirement: "A-1".into(), passed: 3, otherwise: None, trouble };
    let proofs = Proofs {
        defects: vec![
            proof("noticed-one", vec![noticed], Vec::new()),
            proof("survivor", Vec::new(), vec![missed(None)]),
            proof("unknown", Vec::new(), vec![missed(Some("no cluster".into()))]),
        ],
        reporters: Vec::new(),
        musts_without_defect: vec!["A-9".to_owned()],
        complete: true,
    };
    report::save(folder, "prove", &proofs, &proofs.page().unwrap()).unwrap();
    let write = |before, after| WriteOutcome { request: "create jobs demo".to_owned(), before, after };
    let differences = vec!["Job demo was made 2 times, not 1".to_owned()];
    let writes = vec![
        write(Placement::Same, Placement::Different { differences }),
        write(Placement::Same, Placement::Same),
    ];
    let exploration = Exploration {
        defect: None,
        lives: vec![
            Life { case: "a-life".to_owned(), trouble: None, writes },
            Life { case: "another-life".to_owned(), trouble: Some("it failed".into()), writes: Vec::new() },
        ],
        complete: true,
    };
    report::save(folder, "explore", &exploration, &exploration.page().unwrap()).unwrap();
    let comparison = comparison();
    report::save(folder, "compare", &comparison, &comparison.page().unwrap()).unwrap();
    let judgement = judgement();
    report::save(folder, "gate", &judgement, &judgement.page().unwrap()).unwrap();
    let drill = drill();
    report::save(folder, "drill", &drill, &report::drill::page(&drill).unwrap()).unwrap();
    let stress = stress();
    report::save(folder, "stress", &stress, &stress.page().unwrap()).unwrap();
}

/// Two breaking findings, one harmless one, a version that is not raised enough, and something that is not known.
fn judgement() -> Judgement {
    let chart = |version: &str| {
        let text = format!("version: {version}\n");
        Chart::read("charts/agents", &BTreeMap::from([("Chart.yaml".to_owned(), text.into())])).unwrap()
    };
    let mut dropped = Finding::new(
        rules::ENV_DROPPED,
        "Deployment agents container agents",
        "agents JANGAR_AGENTS_CONTROLLER_WEBHOOK_QUEUE_SIZE",
        "`JANGAR_AGENTS_CONTROLLER_WEBHOOK_QUEUE_SIZE` is not set any more",
    );
    dropped.renderings = ["no values", "ci/two-deployments-values.yaml"].map(str::to_owned).into();
    let findings = vec![
        Finding::new(
            rules::CRD_FIELD_REMOVED,
            "crds/agents.proompteng.ai_agentruns.yaml:417",
            "agentruns.agents.proompteng.ai v1alpha1 spec.idempotencyKey",
            "the field is gone <b>",
        ),
        dropped,
        Finding::new(rules::VALUES_KEY_ADDED, "values.yaml:3", "logging.format", "it is new"),
    ];
    let notes = vec!["the suite was not run (--no-suite)".to_owned()];
    let open = vec!["upgrade: no cluster".to_owned()];
    let evidence = Evidence { findings, notes, open, ..Evidence::default() };
    Judgement::new(("v0.1.0", &chart("0.1.0")), ("charts/agents", &chart("0.1.1")), evidence)
}

/// A recovery with a claim of each verdict.
fn drill() -> Drill {
    let claim = |claim, verdict, found: &str| Claim { claim, verdict, found: found.to_owned() };
    Drill {
        implementation: ImplementationInfo {
            name: "agents-controller".to_owned(),
            version: "0.1.0".to_owned(),
            url: String::new(),
            organization: String::new(),
        },
        defect: Some("restored-runs-begin-again".to_owned()),
        machine: Machine {
            kubernetes: "v1.35.4".to_owned(),
            profile: "release",
            cores: 2,
            load_before: Some(0.5),
        },
        runs: 50,
        states: States { ended: 46, active: 2, waiting: 2, workflows: 6 },
        archive: "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea".to_owned(),
        archive_bytes: 48_213,
        timeline: vec![Mark {
            name: "t1",
            what: "the API server is ready",
            at: jiff::Timestamp::UNIX_EPOCH,
            seconds: 4.5,
        }],
        recovery_seconds: Some(12.34),
        lost: Lost { writes: 3, of: 53, seconds: 1.0 },
        restored: Restored { objects: 55, seconds: 2.0, per_second: Some(30.0) },
        memory: Memory { hallmark: Some(50 << 20), controller: Some(20 << 20) },
        claims: vec![
            claim("no run is executed twice", Verdict::Broken, "4 runs <b> were executed twice"),
            claim("what had ended has ended", Verdict::Kept, "46 of 46"),
            claim("what waited starts", Verdict::Open, "the drill did not get that far"),
        ],
    }
}

/// A case that is steady and one that is not.
fn stress() -> Stress {
    let verdicts = |all: &[(&'static str, usize)]| all.iter().copied().collect::<BTreeMap<_, _>>();
    let side = |value: &str| Side { value: value.to_owned(), turning: Turning::Takes, at: Some(812) };
    let divergence = Divergence {
        object: "Job demo".to_owned(),
        place: Place::Field("spec.ttlSecondsAfterFinished".to_owned()),
        a: side("30"),
        b: side("5"),
        chance: None,
    };
    let group = |runs: std::ops::Range<u32>, verdict, divergence| Group {
        verdicts: verdicts(&[(verdict, runs.len())]),
        runs: runs.collect(),
        divergence,
    };
    let flaky = Repetition {
        name: "ttl/five".to_owned(),
        runs: 10,
        verdicts: verdicts(&[("failed", 1), ("passed", 9)]),
        histories: 2,
        groups: vec![group(1..10, "passed", None), group(10..11, "failed", Some(divergence))],
        flaky: true,
    };
    let steady = Repetition {
        name: "calm".to_owned(),
        runs: 10,
        verdicts: verdicts(&[("passed", 10)]),
        histories: 1,
        groups: vec![group(1..11, "passed", None)],
        flaky: false,
    };
    Stress::of(vec![steady, flaky], vec![LoadKind::Cpu], " --cluster local", exit::NON_CONFORMANT)
}

/// Two cases, one of which has another verdict.
fn comparison() -> Comparison {
    let party = |name: &str, defect: Option<&str>| Party {
        implementation: ImplementationInfo {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            url: String::new(),
            organization: String::new(),
        },
        defect: defect.map(str::to_owned),
        source: format!("{name}.yaml"),
        suite_digest: "5u17e".to_owned(),
    };
    let ended = |verdict, reason: &str, at| Ended {
        verdict,
        reason: reason.to_owned(),
        timeline: vec![Moment {
            at,
            lane: "Job demo".to_owned(),
            text: "added <b>".to_owned(),
            changes: Vec::new(),
            bad: false,
        }],
    };
    let side = |value: &str| Side { value: value.to_owned(), turning: Turning::Takes, at: Some(10) };
    let divergence = |path: &str, chance| Divergence {
        object: "Job demo".to_owned(),
        place: Place::Field(path.to_owned()),
        a: side("30"),
        b: side("5"),
        chance,
    };
    let case = |name: &str, likeness, a, b, divergences| ComparedCase {
        name: name.to_owned(),
        summary: "It has a time to live.".to_owned(),
        requirements: vec!["A-1".to_owned()],
        likeness,
        a,
        b,
        divergences,
    };
    Comparison {
        a: party("mine", None),
        b: party("theirs", Some("late")),
        requirements: vec![ComparedRequirement {
            id: "A-1".to_owned(),
            level: Level::Must,
            statement: "A Job has a time to live.".to_owned(),
            a: Word::Passed,
            b: Word::Failed,
        }],
        cases: vec![
            case(
                "alike",
                Likeness::Same,
                ended(Word::Passed, "", 10),
                ended(Word::Passed, "", 20),
                Vec::new(),
            ),
            case(
                "other",
                Likeness::Verdict,
                ended(Word::Passed, "", 10),
                ended(Word::Failed, "ttl = 30: it is <5>", 20),
                vec![divergence("spec.ttl", None), divergence("status.step", Some(Chance::Merged))],
            ),
        ],
    }
}

//! The pages of `prove`, `explore` and `compare` in a real browser: they open without errors and their filters work.
//!
//! Without Chromium on this machine the tests count as ignored, which CI does not let pass.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod browser;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use browser::Expectation;
use hallmark::check::{Chance, Divergence, Moment, Place, Side, Turning};
use hallmark::engine::{Life, Outcome, Placement, Proof, WriteOutcome};
use hallmark::event::{ImplementationInfo, Level};
use hallmark::report::comparison::{ComparedCase, ComparedRequirement, Ended, Likeness, Party, Word};
use hallmark::report::{self, Comparison, Exploration, Proofs};
use hallmark::subject::Defect;
use libtest_mimic::{Arguments, Trial};

static EXPECTATIONS: [Expectation; 7] = [
    Expectation {
        name: "every_defect_is_shown_with_what_noticed_it",
        address: "prove.html",
        counts: &[("row-count", "3 defects")],
        shown: &["1 of 3 defects noticed", "no defect breaks A-9", "case/row", "planted: forgets &lt;b&gt;"],
    },
    Expectation {
        name: "defects_are_filtered_by_their_outcome",
        address: "prove.html#outcome=survived",
        counts: &[("row-count", "1 of 3 defects")],
        shown: &["<tr hidden=\"\"><th class=\"\" scope=\"row\">noticed-one"],
    },
    Expectation {
        name: "defects_are_searched_by_claim",
        address: "prove.html#search=NEVER%20two%20jobs",
        counts: &[("row-count", "1 of 3 defects")],
        shown: &[],
    },
    Expectation {
        name: "every_kill_of_a_life_is_shown_with_its_differences",
        address: "explore.html",
        counts: &[("row-count", "2 writes")],
        shown: &["a-life", "Job demo was made 2 times, not 1", "not explored: it failed"],
    },
    Expectation {
        name: "kills_are_filtered_by_their_outcome",
        address: "explore.html#outcome=OTHER+END",
        counts: &[("row-count", "1 of 2 writes")],
        shown: &["<section hidden=\"\"><h2>another-life</h2>"],
    },
    Expectation {
        name: "both_verdicts_are_shown_and_what_was_compared",
        address: "compare.html",
        counts: &[("case-count", "2 cases"), ("requirement-count", "1 requirements")],
        shown: &[
            "2 cases compared: 1 with another verdict",
            "theirs 1.0.0 with the defect late",
            "OTHER VERDICT",
        ],
    },
    Expectation {
        name: "a_case_that_is_looked_for_shows_where_its_histories_part_and_both_on_one_axis",
        address: "compare.html#outcome=OTHER+VERDICT",
        counts: &[("case-count", "1 of 2 cases")],
        shown: &[
            "spec.ttl",
            "a state on the way was left out",
            "failed in B: ttl = 30: it is &lt;5&gt;",
            "aria-label=\"A, +0.010 s: added &lt;b&gt;\"",
            "aria-label=\"B, +0.020 s: added &lt;b&gt;\"",
        ],
    },
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let browser = browser::find();
    let ignored = browser.is_none();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    write_pages(folder.path());
    let trials = EXPECTATIONS.iter().map(|expected| {
        let (browser, folder) = (browser.clone(), Arc::clone(&folder));
        let check = move || browser::check(&browser.ok_or("there is no Chromium")?, folder.path(), expected);
        Trial::test(expected.name, check).with_ignored_flag(ignored)
    });
    let narrow = ["prove.html", "explore.html"].map(|address| {
        let (browser, folder) = (browser.clone(), Arc::clone(&folder));
        let check =
            move || browser::check_narrow(&browser.ok_or("there is no Chromium")?, folder.path(), address);
        Trial::test(format!("a_telephone_shows_all_of::{address}"), check).with_ignored_flag(ignored)
    });
    let trials = trials.chain(narrow).collect();
    drop(folder);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Writes what `prove`, `explore` and `compare` would have written.
fn write_pages(folder: &Path) {
    let proof = |name: &str, outcome| Proof {
        defect: Defect {
            name: name.to_owned(),
            requirements: vec!["A-1".to_owned()],
            summary: "forgets <b>".to_owned(),
        },
        outcome,
        elapsed: Duration::from_secs(2),
    };
    let proofs = Proofs {
        defects: vec![
            proof(
                "noticed-one",
                Outcome::Killed { by: "case/row".into(), claim: "never two Jobs".into(), broken: Vec::new() },
            ),
            proof("survivor", Outcome::Survived { cases: 3 }),
            proof("unknown", Outcome::Inconclusive { reason: "no cluster".into() }),
        ],
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
        lives: vec![
            Life { case: "a-life".to_owned(), trouble: None, writes },
            Life { case: "another-life".to_owned(), trouble: Some("it failed".into()), writes: Vec::new() },
        ],
        complete: true,
    };
    report::save(folder, "explore", &exploration, &exploration.page().unwrap()).unwrap();
    let comparison = comparison();
    report::save(folder, "compare", &comparison, &comparison.page().unwrap()).unwrap();
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

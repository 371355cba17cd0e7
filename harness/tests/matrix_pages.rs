//! The pages of `prove` and `explore` in a real browser: they open without errors and their filters work.
//!
//! Without Chromium on this machine the tests count as ignored, which CI does not let pass.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod browser;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use browser::Expectation;
use hallmark::engine::{Life, Outcome, Placement, Proof, WriteOutcome};
use hallmark::report::{self, Exploration, Proofs};
use hallmark::subject::Defect;
use libtest_mimic::{Arguments, Trial};

static EXPECTATIONS: [Expectation; 5] = [
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

/// Writes what `prove` and `explore` would have written.
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
            proof("noticed-one", Outcome::Killed { by: "case/row".into(), claim: "never two Jobs".into() }),
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
}

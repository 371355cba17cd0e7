//! The pages beside the report of a run in a real browser: they open without errors, their filters work, and
//! they can be read on every screen, in light and dark, and used with the keyboard.
//!
//! Without Chromium on this machine the tests count as ignored, which CI does not let pass.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

#[path = "../browser/mod.rs"]
mod browser;
mod examples;

use std::process::ExitCode;
use std::sync::Arc;

use browser::Expectation;
use libtest_mimic::{Arguments, Trial};

static EXPECTATIONS: [Expectation; 11] = [
    Expectation {
        name: "every_defect_is_shown_with_what_noticed_it",
        address: "prove.html",
        counts: &[("row-count", "3 broken requirements")],
        shown: &["1 of 3 defects noticed", "no defect breaks A-9", "case/row", "planted: forgets &lt;b&gt;"],
    },
    Expectation {
        name: "defects_are_filtered_by_their_outcome",
        address: "prove.html#outcome=survived",
        counts: &[("row-count", "1 of 3 broken requirements")],
        shown: &["<tr hidden=\"\"><th class=\"\" scope=\"row\">noticed-one"],
    },
    Expectation {
        name: "defects_are_searched_by_claim",
        address: "prove.html#search=NEVER%20two%20jobs",
        counts: &[("row-count", "1 of 3 broken requirements")],
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
        counts: &[("case-count", "2 cases"), ("requirement-count", "1 requirement")],
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
    Expectation {
        name: "every_change_of_a_chart_is_shown_with_what_was_decided_and_what_to_do",
        address: "gate.html",
        counts: &[("row-count", "4 findings")],
        shown: &[
            "REFUSED: 3 breaking, 0 notices, 1 harmless",
            "not known: upgrade: no cluster",
            "CRD-FIELD-REMOVED",
            "<wbr>agentruns.<wbr>yaml:417",
            "Keep the field: the API server drops it",
        ],
    },
    Expectation {
        name: "changes_of_a_chart_are_filtered_by_their_severity",
        address: "gate.html#outcome=harmless",
        counts: &[("row-count", "1 of 4 findings")],
        shown: &["VALUES-KEY-ADDED"],
    },
    Expectation {
        name: "what_a_recovery_broke_is_found",
        address: "drill.html#outcome=BROKEN",
        counts: &[("row-count", "1 of 13 lines")],
        shown: &["4 runs &lt;b&gt; were executed twice", "<section hidden=\"\"><h2>Moments</h2>"],
    },
    Expectation {
        name: "flaky_cases_are_shown_with_how_to_see_it_again",
        address: "stress.html",
        counts: &[("row-count", "2 cases")],
        shown: &["hallmark stress --cluster local --name ttl/five --times 29 --load cpu", "9 (90 %)"],
    },
];

/// What every screen has to show; of cases one that is open.
const ADDRESSES: [&str; 6] = [
    "prove.html",
    "explore.html",
    "compare.html#outcome=OTHER+VERDICT",
    "gate.html",
    "drill.html",
    "stress.html",
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let browser = browser::find();
    let ignored = browser.is_none();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    examples::write(folder.path());
    let trials = EXPECTATIONS.iter().map(|expected| {
        let (browser, folder) = (browser.clone(), Arc::clone(&folder));
        let check = move || browser::check(&browser.ok_or("there is no Chromium")?, folder.path(), expected);
        Trial::test(expected.name, check).with_ignored_flag(ignored)
    });
    let screens = ADDRESSES.into_iter().flat_map(|address| browser::SCHEMES.map(|scheme| (address, scheme)));
    let screens = screens.map(|(address, scheme)| {
        let (browser, folder) = (browser.clone(), Arc::clone(&folder));
        let check = move || {
            browser::check_screens(&browser.ok_or("there is no Chromium")?, folder.path(), address, scheme)
        };
        let name = format!("every_screen_shows_all_of::{address}::{}", scheme.name());
        Trial::test(name, check).with_ignored_flag(ignored)
    });
    let trials = trials.chain(screens).collect();
    drop(folder);
    libtest_mimic::run(&arguments, trials).exit_code()
}

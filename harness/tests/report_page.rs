//! The HTML report in a real browser: it opens without errors and its filters work.
//!
//! Without Chromium on this machine the tests count as ignored, which CI does not let pass.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod browser;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use browser::Expectation;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

/// The planted suite has a case and a requirement for each verdict.
static EXPECTATIONS: [Expectation; 7] = [
    Expectation {
        name: "everything_is_shown_without_filters",
        address: "report.html",
        counts: &[("requirement-count", "4 requirements"), ("case-count", "4 cases")],
        shown: &["NOT conformant", "1 passed", "1 failed", "1 inconclusive", "1 skipped"],
    },
    Expectation {
        name: "filters_leave_what_fits_and_open_a_case_that_is_alone",
        address: "report.html#verdict=failed",
        counts: &[("requirement-count", "1 of 4 requirements"), ("case-count", "1 of 4 cases")],
        shown: &["What was claimed", "Where it is written", "What happened", "claim-that-fails.yaml:"],
    },
    Expectation {
        name: "the_search_finds_requirements_by_their_cases",
        address: "report.html#search=claim-that-holds",
        counts: &[("requirement-count", "1 of 4 requirements"), ("case-count", "1 of 4 cases")],
        shown: &["HOLDS-01"],
    },
    Expectation {
        name: "a_search_for_nonsense_finds_nothing",
        address: "report.html#search=no-such-thing",
        counts: &[("requirement-count", "0 of 4 requirements"), ("case-count", "0 of 4 cases")],
        shown: &[],
    },
    Expectation {
        name: "a_link_to_a_case_opens_it",
        address: "report.html#case-claim-that-holds",
        counts: &[("requirement-count", "4 requirements"), ("case-count", "4 cases")],
        shown: &["What happened"],
    },
    Expectation {
        name: "a_requirement_without_a_case_is_a_hole",
        address: "unproved.html#hole=no%20case",
        counts: &[("requirement-count", "1 of 4 requirements")],
        shown: &["MUSTs without a case: 1."],
    },
    Expectation {
        name: "an_invariant_that_cases_were_judged_on_is_no_hole",
        address: "standing.html",
        counts: &[("requirement-count", "4 requirements")],
        shown: &["Every MUST has a case, or a reason why no scenario proves it.", "judged on 3 cases"],
    },
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let browser = browser::find();
    let ignored = browser.is_none();
    let page =
        browser.filter(|_| !arguments.list).map(|browser| Arc::new(Page::of_the_planted_suite(browser)));
    let trials = EXPECTATIONS.iter().map(|expected| {
        let page = page.clone();
        let check = move || {
            let page = page.ok_or("there is no Chromium")?;
            browser::check(&page.browser, page.folder.path(), expected)
        };
        Trial::test(expected.name, check).with_ignored_flag(ignored)
    });
    let addresses = ["report.html", "report.html#verdict=failed"];
    let screens = addresses.into_iter().flat_map(|address| browser::SCHEMES.map(|scheme| (address, scheme)));
    let screens = screens.map(|(address, scheme)| {
        let page = page.clone();
        let check = move || {
            let page = page.ok_or("there is no Chromium")?;
            browser::check_screens(&page.browser, page.folder.path(), address, scheme)
        };
        let name = format!("every_screen_shows_all_of::{address}::{}", scheme.name());
        Trial::test(name, check).with_ignored_flag(ignored)
    });
    let trials = trials.chain(screens).collect();
    drop(page);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A report in a folder that goes with it, and what shows it.
struct Page {
    folder: tempfile::TempDir,
    browser: PathBuf,
}

impl Page {
    fn of_the_planted_suite(browser: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
            .args(["run", "planted", "--cluster", "local", "--quiet", "--report-dir"])
            .arg(folder.path())
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let page = Self { folder, browser };
        page.vary("unproved.html", |requirement| requirement["scenarios"] = json!([]));
        page.vary("standing.html", |requirement| {
            requirement["scenarios"] = json!([]);
            requirement["judged"] = json!(3);
        });
        page
    }

    /// The page of a report in which `HOLDS-01` is changed.
    fn vary(&self, name: &str, change: impl FnOnce(&mut Value)) {
        const BEGIN: &str = r#"<script id="data" type="application/json">"#;
        let page = fs::read_to_string(self.folder.path().join("report.html")).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (data, after) = rest.split_once("</script>").unwrap();
        let mut data: Value = serde_json::from_str(data).unwrap();
        let requirements = data.pointer_mut("/report/requirements").and_then(Value::as_array_mut).unwrap();
        change(requirements.iter_mut().find(|requirement| requirement["id"] == "HOLDS-01").unwrap());
        fs::write(self.folder.path().join(name), format!("{before}{BEGIN}{data}</script>{after}")).unwrap();
    }
}

//! The HTML report in a real browser: it opens without errors and its filters work.
//!
//! Without Chromium on this machine the tests count as ignored, which CI does not let pass.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests, too")]

mod browser;
#[path = "report_page/example.rs"]
mod example;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use browser::Expectation;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

/// The planted suite has a case and a requirement for each verdict; the made-up runs have everything else.
static EXPECTATIONS: [Expectation; 17] = [
    Expectation {
        name: "everything_is_shown_without_filters",
        address: "report.html",
        counts: &[("requirement-count", "4 requirements"), ("case-count", "4 cases")],
        shown: &["NOT conformant", "1 passed", "1 failed", "1 inconclusive", "1 skipped"],
    },
    Expectation {
        name: "a_drill_in_the_same_folder_is_shown_with_what_it_promised_and_measured",
        address: "report.html",
        counts: &[],
        shown: &[
            "a cluster with 50 runs destroyed",
            "recovered in 12.34 s",
            "1 broken",
            "18.5 s &lt;b&gt;, at most 60 s",
        ],
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
    Expectation {
        name: "a_failed_golden_claim_shows_its_differences_its_diff_and_what_happened_on_every_lane",
        address: "failing/report.html#search=ttl-is-clamped%2Fbelow",
        counts: &[("requirement-count", "2 of 7 requirements"), ("case-count", "1 of 6 cases")],
        shown: &[
            "<td data-column=\"Expected\" class=\"mono\">30</td><td data-column=\"Actual\" class=\"mono\">5</td>",
            "<span class=\"del\">-  ttlSecondsAfterFinished: 30\n</span><span class=\"add\">+  ttlSecondsAfterFinished: 5\n</span>",
            "the whole object, as expected and as it is",
            "a standing invariant",
            "aria-label=\"+2.090 s: step 5 failed: eventually\" class=\"bad\"",
            "<span title=\"requests\">requests</span>",
            "<span title=\"events\">events</span>",
            "status.phase: absent → \"Running\"",
        ],
    },
    Expectation {
        name: "faults_and_the_log_of_the_controller_have_lanes_of_their_own",
        address: "failing/report.html#search=refusals-are-survived",
        counts: &[("case-count", "1 of 6 cases")],
        shown: &[
            "<span title=\"faults\">faults</span>",
            "aria-label=\"+0.120 s: patch agentruns/status demo was refused with 409 Conflict\"",
            "<span title=\"controller\">controller</span>",
            "aria-label=\"+0.700 s: the process ended with signal 9\" class=\"bad\"",
        ],
    },
    Expectation {
        name: "a_golden_claim_that_held_shows_the_whole_object_too",
        address: "failing/report.html#search=a-whole-job-is-compared",
        counts: &[("case-count", "1 of 6 cases")],
        shown: &[
            "compared as a whole with <span class=\"mono\">scenarios/expected/run.job.yaml</span>",
            "name: ${{ objects.run.metadata.name }}-job",
        ],
    },
    Expectation {
        name: "a_defect_is_shown_with_the_case_and_the_claim_that_noticed_it",
        address: "failing/report.html",
        counts: &[("requirement-count", "7 requirements"), ("case-count", "6 cases")],
        shown: &[
            "<span class=\"passed\">jobs-made-twice: noticed</span><div>by <a href=\"#case-refusals-are-survived/a-conflict-at-the-first-status\" class=\"passed\">",
            "<span class=\"failed\">jobs-made-twice: NOT noticed</span><div>although another claim failed in a-case-of-another-suite</div><div class=\"dim\">exactly 1 Job of run &lt;b&gt;</div>",
            "<span class=\"failed\">image-forgotten: NOT noticed</span>",
            "<span class=\"inconclusive\">limits-ignored: inconclusive</span><div class=\"dim\">the cluster was lost</div>",
            "MUSTs without a defect: 1.",
        ],
    },
    Expectation {
        name: "the_level_filter_leaves_requirements_of_the_level_and_their_cases",
        address: "failing/report.html#level=SHOULD",
        counts: &[("requirement-count", "1 of 7 requirements"), ("case-count", "1 of 6 cases")],
        shown: &["always object run: self.status.observedGeneration"],
    },
    Expectation {
        name: "the_area_filter_leaves_cases_of_the_area_and_what_they_prove",
        address: "failing/report.html#area=limits",
        counts: &[("requirement-count", "1 of 7 requirements"), ("case-count", "1 of 6 cases")],
        shown: &["the watch of batch/v1 Job was interrupted and could not be taken up again"],
    },
    Expectation {
        name: "filters_are_taken_together",
        address: "failing/report.html#level=MUST&verdict=failed&area=job-ttl",
        counts: &[("requirement-count", "2 of 7 requirements"), ("case-count", "1 of 6 cases")],
        shown: &[],
    },
    Expectation {
        name: "the_programs_and_the_machine_of_a_run_are_told",
        address: "failing/report.html",
        counts: &[],
        shown: &[
            "../target/release/other-controller, sha256:4444",
            "<summary>4 files</summary><div>manifests/a.yaml, sha256:5555",
            "Debian GNU/Linux 13 (trixie), kernel 6.12.0-amd64, x86_64, 2 cores",
            "2.00 s added to the deadline of every wait",
        ],
    },
    Expectation {
        name: "what_does_not_decide_stands_beside_the_verdict",
        address: "conformant/report.html",
        counts: &[],
        shown: &[
            "<span class=\"passed\">conformant</span> with 4 of 7 requirements",
            "Requirements of level SHOULD that are not met, and do not decide: LC-07.",
        ],
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
    let addresses = [
        "report.html",
        "report.html#verdict=failed",
        "failing/report.html",
        "failing/report.html#search=ttl-is-clamped%2Fbelow",
        "failing/report.html#search=refusals-are-survived",
        "conformant/report.html",
    ];
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

/// What `hallmark drill` leaves, as far as the page shows it.
fn drill() -> Value {
    json!({
        "implementation": {"name": "agents-controller", "version": "0.1.0"},
        "runs": 50,
        "recoverySeconds": 12.34,
        "claims": [
            {"claim": "the recovery takes no longer than promised", "verdict": "kept", "found": "18.5 s <b>, at most 60 s"},
            {"claim": "no run that had ended gets a Job", "verdict": "broken", "found": "drill-00001 got 1"},
        ],
    })
}

/// A report in a folder that goes with it, and what shows it.
struct Page {
    folder: tempfile::TempDir,
    browser: PathBuf,
}

impl Page {
    fn of_the_planted_suite(browser: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("drill.json"), drill().to_string()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
            .args(["run", "planted", "--cluster", "local", "--quiet", "--report-dir"])
            .arg(folder.path())
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        example::write(folder.path());
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

//! The HTML pages in a real browser: they open without errors and their filters work.
//!
//! Without Chromium on this machine the tests count as ignored, which CI does not let pass.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use hallmark::engine::{Life, Outcome, Placement, Proof, WriteOutcome};
use hallmark::report::{self, Exploration, Proofs};
use hallmark::subject::Defect;
use libtest_mimic::{Arguments, Failed, Trial};

/// What the page shows at an address, and what it does not.
struct Expectation {
    name: &'static str,
    /// The file, and the filters, as they stand in the address.
    address: &'static str,
    /// What is counted, and how much of it is shown.
    counts: &'static [(&'static str, &'static str)],
    shown: &'static [&'static str],
}

/// The planted suite has a case and a requirement for each verdict.
static EXPECTATIONS: [Expectation; 10] = [
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
    let browser = browser();
    let ignored = browser.is_none();
    let page =
        browser.filter(|_| !arguments.list).map(|browser| Arc::new(Page::of_the_planted_suite(browser)));
    let trials = EXPECTATIONS
        .iter()
        .map(|expected| {
            let page = page.clone();
            let check = move || page.ok_or("there is no Chromium")?.shows(expected);
            Trial::test(expected.name, check).with_ignored_flag(ignored)
        })
        .collect();
    drop(page);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Chromium, where it is installed.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

/// Writes what `prove` and `explore` would have written.
fn write_matrices(folder: &Path) {
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
        write_matrices(folder.path());
        Self { folder, browser }
    }

    fn shows(&self, expected: &Expectation) -> Result<(), Failed> {
        let profile = tempfile::tempdir()?;
        let output = Command::new(&self.browser)
            // Containers run it as root and without a display.
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}/{}", self.folder.path().display(), expected.address))
            .output()?;
        let (page, log) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        if let Some(error) = log.lines().find(|line| line.contains(":CONSOLE")) {
            return Err(format!("the console says: {error}").into());
        }
        for (id, count) in expected.counts {
            let element = format!("id=\"{id}\" aria-live=\"polite\">{count}</span>");
            if !page.contains(&element) {
                return Err(format!("{id} is not `{count}`; {log}").into());
            }
        }
        let (_, body) = page.split_once("<body>").ok_or("there is no body")?;
        let (body, _) = body.split_once("<script").ok_or("there is no script")?;
        match expected.shown.iter().find(|text| !body.contains(**text)) {
            Some(text) => Err(format!("`{text}` is not shown").into()),
            None => Ok(()),
        }
    }
}

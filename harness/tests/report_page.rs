//! The HTML report in a real browser: it opens without errors and its filters work.
//!
//! Without Chromium on this machine the tests count as ignored, which CI does not let pass.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

/// What the page shows at an address, and what it does not.
struct Expectation {
    name: &'static str,
    /// The filters, as they stand in the address.
    address: &'static str,
    /// Numbers of shown requirements and cases.
    counts: [&'static str; 2],
    shown: &'static [&'static str],
}

/// The planted suite has a case and a requirement for each verdict.
static EXPECTATIONS: [Expectation; 5] = [
    Expectation {
        name: "everything_is_shown_without_filters",
        address: "",
        counts: ["4 requirements", "4 cases"],
        shown: &["NOT conformant", "1 passed", "1 failed", "1 inconclusive", "1 skipped"],
    },
    Expectation {
        name: "filters_leave_what_fits_and_open_a_case_that_is_alone",
        address: "#verdict=failed",
        counts: ["1 of 4 requirements", "1 of 4 cases"],
        shown: &["What was claimed", "Where it is written", "What happened", "claim-that-fails.yaml:"],
    },
    Expectation {
        name: "the_search_finds_requirements_by_their_cases",
        address: "#search=claim-that-holds",
        counts: ["1 of 4 requirements", "1 of 4 cases"],
        shown: &["HOLDS-01"],
    },
    Expectation {
        name: "a_search_for_nonsense_finds_nothing",
        address: "#search=no-such-thing",
        counts: ["0 of 4 requirements", "0 of 4 cases"],
        shown: &[],
    },
    Expectation {
        name: "a_link_to_a_case_opens_it",
        address: "#case-claim-that-holds",
        counts: ["4 requirements", "4 cases"],
        shown: &["What happened"],
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
        Self { folder, browser }
    }

    fn shows(&self, expected: &Expectation) -> Result<(), Failed> {
        let profile = tempfile::tempdir()?;
        let output = Command::new(&self.browser)
            // Containers run it as root and without a display.
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}/report.html{}", self.folder.path().display(), expected.address))
            .output()?;
        let (page, log) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        if let Some(error) = log.lines().find(|line| line.contains(":CONSOLE")) {
            return Err(format!("the console says: {error}").into());
        }
        for (id, count) in ["requirement-count", "case-count"].iter().zip(expected.counts) {
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

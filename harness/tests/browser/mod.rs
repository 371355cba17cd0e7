//! Pages in a headless Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Failed;

/// What a page shows at an address, and what it does not.
pub(crate) struct Expectation {
    pub(crate) name: &'static str,
    /// The file, and the filters, as they stand in the address.
    pub(crate) address: &'static str,
    /// What is counted, by the id of its element, and how much of it is shown.
    pub(crate) counts: &'static [(&'static str, &'static str)],
    pub(crate) shown: &'static [&'static str],
}

/// Chromium, where it is installed.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

/// Opens a page of a folder and compares what its script made of it.
pub(crate) fn check(browser: &Path, folder: &Path, expected: &Expectation) -> Result<(), Failed> {
    let profile = tempfile::tempdir()?;
    let output = Command::new(browser)
        // Containers run it as root and without a display.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}/{}", folder.display(), expected.address))
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

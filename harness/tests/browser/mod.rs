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
    let page = opened(browser, folder, expected.address, Scheme::Light)?;
    for (id, count) in expected.counts {
        let element = format!("id=\"{id}\" aria-live=\"polite\">{count}</span>");
        if !page.contains(&element) {
            let shown = page.split_once(&format!("id=\"{id}\" aria-live=\"polite\">")).map(|(_, rest)| rest);
            let shown = shown.and_then(|rest| rest.split_once('<')).map_or("absent", |(shown, _)| shown);
            return Err(format!("{id} is `{shown}`, not `{count}`").into());
        }
    }
    let (_, body) = page.split_once("<body>").ok_or("there is no body")?;
    let (body, _) = body.split_once("<script").ok_or("there is no script")?;
    match expected.shown.iter().find(|text| !body.contains(**text)) {
        Some(text) => Err(format!("`{text}` is not shown").into()),
        None => Ok(()),
    }
}

/// How people want to see pages.
#[derive(Clone, Copy)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// All of them.
pub(crate) const SCHEMES: [Scheme; 2] = [Scheme::Light, Scheme::Dark];

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The setting of Chromium: 0 is dark and 1 is light.
    fn argument(self) -> String {
        format!("--blink-settings=preferredColorScheme={}", i32::from(matches!(self, Self::Light)))
    }
}

/// Looks at a page as a telephone and a desk show it: nothing reaches over its edge but what scrolls in a box of
/// its own, all text is large and clear enough to be read, what is tapped is large enough to be hit, and all that
/// can be used is reached with the keyboard and has a name.
pub(crate) fn check_screens(
    browser: &Path,
    folder: &Path,
    address: &str,
    scheme: Scheme,
) -> Result<(), Failed> {
    // A page that shows the other one as wide as each of them, and measures it.
    let frame = tempfile::Builder::new().suffix(".html").tempfile_in(folder)?;
    std::fs::write(frame.path(), include_str!("frame.html"))?;
    let name = frame.path().file_name().and_then(|name| name.to_str()).ok_or("no name")?;
    let page = opened(browser, folder, &format!("{name}?{}#{address}", scheme.name()), scheme)?;
    let (_, found) = page.split_once("<pre id=\"found\">").ok_or("nothing was measured")?;
    let (found, _) = found.split_once("</pre>").ok_or("nothing was measured")?;
    if found == "as it should be" { Ok(()) } else { Err(found.to_owned().into()) }
}

/// What the scripts of a page make of it. That one of them complains is an error.
fn opened(browser: &Path, folder: &Path, address: &str, scheme: Scheme) -> Result<String, Failed> {
    let profile = tempfile::tempdir()?;
    let output = Command::new(browser)
        // Containers run it as root and without a display.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"])
        // The frame looks into the page that it shows.
        .arg("--allow-file-access-from-files")
        .arg(scheme.argument())
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}/{address}", folder.display()))
        .output()?;
    let (page, log) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
    match log.lines().find(|line| line.contains(":CONSOLE")) {
        Some(error) => Err(format!("the console says: {error}").into()),
        None => Ok(page),
    }
}

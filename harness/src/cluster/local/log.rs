//! The end of a component's log, for error messages.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How many bytes are looked at.
const BYTES: u64 = 16 * 1024;
/// How many lines are shown.
const LINES: usize = 15;

/// The last lines of the file at `path`; a sentence if there is none.
pub(super) fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(last_lines(&String::from_utf8_lossy(&bytes)))
    };
    match read() {
        Ok(text) if text.is_empty() => "(nothing was logged)".to_owned(),
        Ok(text) => text,
        Err(error) => format!("(no log: {error})"),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().rev().take(LINES).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_shown_in_order() {
        let lines: Vec<_> = (0..100).map(|n| format!("line {n}")).collect();
        let shown = last_lines(&lines.join("\n"));
        assert!(shown.starts_with("line 85\n") && shown.ends_with("line 99"), "{shown}");
    }
}

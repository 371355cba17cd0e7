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
    match end(path).map(|text| last_lines(&text)) {
        Ok(text) if text.is_empty() => "(nothing was logged)".to_owned(),
        Ok(text) => text,
        Err(error) => format!("(no log: {error})"),
    }
}

/// Whether the component whose log is at `path` ended because its disk was full. It says so before the
/// stack of its panic, which alone fills the last lines.
pub(super) fn tells_full_disk(path: &Path) -> bool {
    end(path).is_ok_and(|text| text.contains("no space left on device"))
}

fn end(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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

    #[test]
    fn a_full_disk_is_told_by_what_comes_before_the_stack() {
        let stack = "\nmain.main()\n\tmain.go:31 +0x28".repeat(20);
        let log = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(log.path(), format!("panic: write wal.tmp: no space left on device{stack}")).unwrap();
        assert!(tells_full_disk(log.path()));
        std::fs::write(log.path(), format!("panic: no leader{stack}")).unwrap();
        assert!(!tells_full_disk(log.path()));
    }
}

//! How much memory the two sides of a drill take.

use serde::Serialize;

/// The most memory that each had at the same time, in bytes; `None` where nobody could tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// This process, with the archive and all that the watches delivered.
    pub hallmark: Option<u64>,
    /// The largest process of the controller, in either cluster.
    pub controller: Option<u64>,
}

/// The most memory that a process ever had in RAM, by its id, or `self`.
pub(super) fn peak(process: &str) -> Option<u64> {
    parse(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

/// Reads the high water mark out of `/proc/ID/status`, which holds it in kibibytes.
fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_in_bytes() {
        assert_eq!(parse("Name:\thallmark\nVmHWM:\t    2048 kB\nVmRSS:\t     12 kB\n"), Some(2 << 20));
        assert_eq!(parse("Name:\ta zombie has none\n"), None);
        assert!(peak("self").is_some_and(|bytes| bytes > 1 << 20));
    }
}

//! The machine that a run is made on.

use crate::event::HostInfo;

impl HostInfo {
    /// This machine.
    pub(super) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            os: os_name(&read("/etc/os-release")).to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
        }
    }
}

/// The name for people in the text of `/etc/os-release`.
fn os_name(release: &str) -> &str {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or(std::env::consts::OS, |name| name.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_named_as_it_names_itself() {
        let release = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n";
        assert_eq!(os_name(release), "Debian GNU/Linux 13 (trixie)");
        assert_eq!(os_name(""), "linux");
    }

    #[test]
    fn this_machine_has_a_kernel_and_a_processor() {
        let here = HostInfo::here();
        assert!(here.kernel.starts_with(|first: char| first.is_ascii_digit()), "{here:?}");
        assert!(here.cores > 0 && !here.os.is_empty(), "{here:?}");
    }
}

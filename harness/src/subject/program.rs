//! Programs of this host that are named without a path.

use std::path::{Path, PathBuf};

/// Whether a program is looked for in `PATH`.
pub(super) fn is_bare(name: &Path) -> bool {
    name.components().count() == 1 && !name.is_absolute()
}

/// The first file of that name in the folders of `PATH`.
pub(super) fn in_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_alone_is_looked_for() {
        assert!(is_bare(Path::new("sh")) && !is_bare(Path::new("bin/sh")) && !is_bare(Path::new("/sh")));
        // `./x` is the file of the folder, as in a shell.
        assert!(!is_bare(Path::new("./sh")));
        assert!(in_path(Path::new("sh")).is_some_and(|found| found.is_absolute()));
        assert_eq!(in_path(Path::new("no-such-program-here")), None);
    }
}

//! Whether Go can build what is lacking, as far as can be told without building.

use std::env;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::error::ProvisionError;
use super::recipe::Recipe;

/// How long Go may take to tell its version; it may have to fetch itself first.
const ANSWER: Duration = Duration::from_mins(1);

/// From this version on Go fetches another one by itself.
const FETCHES: (u32, u32) = (1, 21);

/// Whether Go is there and can build `recipe`.
pub(super) async fn check(recipe: &Recipe) -> Result<(), ProvisionError> {
    let name = format!("{} {}", recipe.name, recipe.version);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ProvisionError::NoGo { name: name.clone() },
        _ => ProvisionError::Go { name: name.clone(), source },
    };
    let run = Command::new("go")
        .args(["env", "GOVERSION", "GOTOOLCHAIN"])
        // Away from modules of the user, which may name another version.
        .current_dir(env::temp_dir())
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(ANSWER, run)
        .await
        .map_err(|_elapsed| failed(io::ErrorKind::TimedOut.into()))?
        .map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let (version, toolchain) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if !output.status.success() || version.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(io::Error::other(format!("`go env` {}: {}", output.status, said.trim()))));
    }
    if suffices(recipe.go_version(), version, toolchain) {
        return Ok(());
    }
    let wanted = recipe.go_version().to_owned();
    Err(ProvisionError::OldGo { name, wanted, found: version.to_owned() })
}

/// Whether a Go of this version, with this `GOTOOLCHAIN`, builds a module that wants `wanted`. What cannot be read
/// is left to Go.
fn suffices(wanted: &str, version: &str, toolchain: &str) -> bool {
    let (Some(wanted), Some(version)) = (minor(wanted), minor(version)) else { return true };
    let fetches = toolchain == "auto" || toolchain.ends_with("+auto");
    version >= wanted || (version >= FETCHES && fetches)
}

/// Major and minor number of `1.26.0`, `go1.26rc1` or `devel go1.27-0123abcd`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    version.split_whitespace().find_map(|word| {
        let (major, rest) = word.trim_start_matches("go").split_once('.')?;
        Some((major.parse().ok()?, digits(rest)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::the_same("go1.26.0", "local", true)]
    #[case::newer("go1.27.1", "local", true)]
    #[case::two_digits("go1.100", "local", true)]
    #[case::candidate("go1.26rc1", "local", true)]
    #[case::development("devel go1.27-0123abcd Mon Jan 5", "local", true)]
    #[case::fetches_itself("go1.21.0", "auto", true)]
    #[case::fetches_itself_from_a_least_one("go1.25.0", "go1.24.0+auto", true)]
    #[case::must_not_fetch("go1.25.9", "local", false)]
    #[case::fixed("go1.25.0", "go1.25.0", false)]
    #[case::cannot_fetch("go1.20.14", "", false)]
    #[case::too_old_for_what_it_is_told("go1.20.14", "auto", false)]
    #[case::unreadable("tip", "local", true)]
    fn go_must_be_new_enough_or_fetch_one_that_is(
        #[case] version: &str,
        #[case] toolchain: &str,
        #[case] enough: bool,
    ) {
        assert_eq!(suffices("1.26.0", version, toolchain), enough);
    }

    #[test]
    fn every_recipe_says_which_go_it_wants() {
        let wanted = crate::cluster::KubernetesVersion::default();
        for recipe in [Recipe::etcd(), Recipe::kubernetes(wanted), Recipe::helm()] {
            assert!(minor(recipe.go_version()).is_some(), "{}: `{}`", recipe.name, recipe.go_version());
        }
    }
}

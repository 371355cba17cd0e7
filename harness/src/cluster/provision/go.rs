//! Whether Go can build what is lacking, as far as can be told without building.

use std::env;
use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::error::ProvisionError;
use super::recipe::Recipe;

/// How long Go may take to answer; it may have to fetch itself first, or to ask a proxy that is far away.
const ANSWER: Duration = Duration::from_mins(1);

/// From this version on Go fetches another one by itself.
const FETCHES: (u32, u32) = (1, 21);

/// Whether Go is there, is new enough for `recipe`, and finds what that builds.
pub(super) async fn check(recipe: &Recipe) -> Result<(), ProvisionError> {
    is_new_enough(recipe).await?;
    finds_module(recipe).await
}

async fn is_new_enough(recipe: &Recipe) -> Result<(), ProvisionError> {
    let output = ask(recipe, &["env", "GOVERSION", "GOTOOLCHAIN"]).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let (version, toolchain) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if !output.status.success() || version.is_empty() {
        let said = format!("`go env` {}: {}", output.status, said(&output));
        return Err(ProvisionError::Go { name: name(recipe), source: io::Error::other(said) });
    }
    if suffices(recipe.go_version(), version, toolchain) {
        return Ok(());
    }
    let wanted = recipe.go_version().to_owned();
    Err(ProvisionError::OldGo { name: name(recipe), wanted, found: version.to_owned() })
}

/// Asks for one small file, which tells a machine without network from one with it. What Go has fetched before it
/// finds without any.
async fn finds_module(recipe: &Recipe) -> Result<(), ProvisionError> {
    let module = format!("{}@{}", recipe.module, recipe.version);
    let output = ask(recipe, &["list", "-m", &module]).await?;
    if output.status.success() {
        return Ok(());
    }
    Err(ProvisionError::NoModule { name: name(recipe), said: said(&output) })
}

async fn ask(recipe: &Recipe, arguments: &[&str]) -> Result<Output, ProvisionError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ProvisionError::NoGo { name: name(recipe) },
        _ => ProvisionError::Go { name: name(recipe), source },
    };
    let run = Command::new("go")
        .args(arguments)
        // Away from modules of the user, which may name another version.
        .current_dir(env::temp_dir())
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(ANSWER, run)
        .await
        .map_err(|_elapsed| failed(io::ErrorKind::TimedOut.into()))?
        .map_err(failed)
}

fn name(recipe: &Recipe) -> String {
    format!("{} {}", recipe.name, recipe.version)
}

/// What Go complained of, on one line.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().map(|line| line.trim().trim_start_matches("go: "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
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

    #[tokio::test]
    async fn what_go_cannot_find_is_told_on_one_line() {
        // A path that Go refuses without asking anybody.
        let mut recipe = Recipe::etcd();
        recipe.module = "no module";
        let error = check(&recipe).await.unwrap_err();
        assert!(matches!(error, ProvisionError::NoModule { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("malformed module path") && !text.contains('\n'), "{text}");
        check(&Recipe::etcd()).await.unwrap();
    }
}

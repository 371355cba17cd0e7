//! Helm: the user's if it is new enough, else built.

use std::env;
use std::path::PathBuf;

use tokio::process::Command;

use super::build::build;
use super::error::ProvisionError;
use super::recipe::Recipe;
use crate::event::EventSink;

/// A usable Helm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helm {
    /// The binary.
    pub path: PathBuf,
    /// Its version, for example `v3.18.4`.
    pub version: String,
    /// Whether `helm serve-calls` answers many calls in one process, as the one that is built does.
    pub serves_calls: bool,
}

/// Finds Helm 3.12 or newer, or Helm 4, in `PATH`; builds Helm 4 otherwise.
pub async fn helm(events: &EventSink) -> Result<Helm, ProvisionError> {
    if let Some(path) = in_path() {
        match ask_version(&path).await {
            Some(version) if is_supported(&version) => {
                return Ok(Helm { path, version, serves_calls: false });
            }
            version => events.note(format!(
                "`{}` is not used: it is Helm {}, and 3.12 or newer is needed",
                path.display(),
                version.as_deref().unwrap_or("of an unknown version")
            )),
        }
    }
    let recipe = Recipe::helm();
    let path = build(&recipe, events).await?;
    Ok(Helm { path, version: recipe.version, serves_calls: true })
}

fn in_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join("helm")).find(|file| file.is_file())
}

async fn ask_version(helm: &PathBuf) -> Option<String> {
    let output = Command::new(helm)
        .args(["version", "--template", "{{.Version}}"])
        .kill_on_drop(true)
        .output()
        .await
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `helm template` of older releases does not know what the chart uses.
fn is_supported(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(3), Some(minor)) => minor >= 12,
        (Some(major), _) => major == 4,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_versions() {
        for (version, expected) in [
            ("v3.12.0", true),
            ("v3.11.9", false),
            ("v3.18.4+gabc", true),
            ("v4.3.1", true),
            ("v4.3", true),
            ("v2.17.0", false),
            ("", false),
            ("unknown", false),
        ] {
            assert_eq!(is_supported(version), expected, "{version}");
        }
    }
}

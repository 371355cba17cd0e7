//! Limits of what the runner's side reports as artifacts.

use crate::api::Artifact;

use super::super::spec_hash::sha256_hex;
use super::super::text::non_blank;
use super::reason;

/// Longest address, in characters.
const URL_LIMIT: usize = 2048;

/// Artifacts within the limits, and what was dropped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limited {
    /// What is kept, in its order.
    pub kept: Vec<Artifact>,
    /// First reason for dropping something.
    pub reason: Option<&'static str>,
}

/// Drops what breaks a rule, then the oldest of too many.
pub(super) fn limit(artifacts: &[Artifact], maximum: usize) -> Limited {
    let mut reason = None;
    let mut kept: Vec<Artifact> = artifacts
        .iter()
        .filter(|artifact| {
            let broken = broken_rule(artifact);
            reason = reason.or(broken);
            broken.is_none()
        })
        .cloned()
        .collect();
    let surplus = kept.len().saturating_sub(maximum);
    if surplus > 0 {
        kept.drain(..surplus);
        reason = reason.or(Some(reason::TOO_MANY_ARTIFACTS));
    }
    Limited { kept, reason }
}

/// What people are told after something was dropped. The digest tells this list from the next one that the
/// runner's side reports, also after a restart.
pub(super) fn left(kept: &[Artifact]) -> String {
    let json = serde_json::to_vec(kept).unwrap_or_default();
    let digest = sha256_hex(&json);
    let digest = digest.get(..8).unwrap_or_default();
    format!(
        "artifacts outside the limits were dropped; those that are left: {} (digest {digest})",
        kept.len()
    )
}

fn broken_rule(artifact: &Artifact) -> Option<&'static str> {
    let url = artifact.url.as_deref().unwrap_or_default().trim_start();
    if non_blank(&artifact.name).is_none() {
        Some(reason::MISSING_NAME)
    } else if url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        Some(reason::INLINE_URL_DISALLOWED)
    } else if url.chars().count() > URL_LIMIT {
        Some(reason::URL_TOO_LONG)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn artifact(name: &str, url: &str) -> Artifact {
        Artifact { name: name.to_owned(), url: Some(url.to_owned()), ..Artifact::default() }
    }

    #[rstest]
    #[case(artifact(" ", ""), Some(reason::MISSING_NAME))]
    #[case(artifact("a", "data:text/plain,x"), Some(reason::INLINE_URL_DISALLOWED))]
    #[case(artifact("a", &"u".repeat(2049)), Some(reason::URL_TOO_LONG))]
    #[case(artifact("a", &"u".repeat(2048)), None)]
    fn broken_entries_are_dropped(#[case] entry: Artifact, #[case] expected: Option<&str>) {
        assert_eq!(limit(&[entry], 50).reason, expected);
    }

    #[test]
    fn the_oldest_of_too_many_go() {
        let limited = limit(&[artifact("old", ""), artifact("new", "")], 1);
        assert_eq!(
            limited,
            Limited { kept: vec![artifact("new", "")], reason: Some(reason::TOO_MANY_ARTIFACTS) }
        );
    }
}

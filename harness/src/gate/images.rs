//! Images of containers.

use super::finding::Finding;
use super::rules;
use super::workload::{Container, text};

/// What changes in the image of one container; `place` is the object.
pub(super) fn compare(place: &str, old: Container<'_>, new: Container<'_>) -> Option<Finding> {
    let (before, after) = (text(old.spec, "/image"), text(new.spec, "/image"));
    let (old_repository, repository) = (repository(before), repository(after));
    let rule = match before == after {
        true => return None,
        false if old_repository == repository => rules::IMAGE_TAG_CHANGED,
        false => rules::IMAGE_CHANGED,
    };
    let place = format!("{place} container {}", new.name);
    let what = format!("the image `{before}` became `{after}`");
    Some(Finding::new(rule, place, new.name, what).mentioned_by([repository, old_repository]))
}

/// The reference without tag and digest; a port of the registry is no tag.
fn repository(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _digest)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("a/b:v1", "a/b")]
    #[case("a/b@sha256:0", "a/b")]
    #[case("registry:5000/a:v1@sha256:0", "registry:5000/a")]
    #[case("registry:5000/a", "registry:5000/a")]
    fn tag_and_digest_are_no_part_of_the_repository(#[case] reference: &str, #[case] expected: &str) {
        assert_eq!(repository(reference), expected);
    }
}

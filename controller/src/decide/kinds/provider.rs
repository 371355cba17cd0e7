//! Whether an `AgentProvider` can be used: it names a program.

use crate::api::AgentProvider;

use super::super::status::reason;
use super::super::text::non_blank;
use super::{Invalid, Verdict};

/// The verdict over a provider.
pub fn check(provider: &AgentProvider) -> Verdict {
    match non_blank(&provider.spec.binary) {
        Some(_) => Ok(()),
        None => Err(Invalid::new(reason::MISSING_BINARY, "spec.binary is blank")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/bin/runner", None)]
    #[case("", Some(reason::MISSING_BINARY))]
    #[case(" \t", Some(reason::MISSING_BINARY))]
    fn a_provider_needs_a_binary(#[case] binary: &str, #[case] expected: Option<&str>) {
        let mut provider = AgentProvider::default();
        binary.clone_into(&mut provider.spec.binary);
        assert_eq!(check(&provider).err().map(|invalid| invalid.reason), expected);
    }
}

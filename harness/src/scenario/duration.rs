//! Durations as people write them.

use std::time::Duration;

use jiff::SignedDuration;

use crate::diagnostic::Diagnostic;
use crate::yaml::Located;

/// Reads `5s`, `1m30s` or `PT1M`; negative ones and bare numbers are refused.
pub(super) fn read(text: &Located<String>, problems: &mut Vec<Diagnostic>) -> Option<Duration> {
    let parsed = text.value.parse::<SignedDuration>().ok().and_then(|value| Duration::try_from(value).ok());
    if parsed.is_none() {
        problems.push(
            Diagnostic::new(text.location.clone(), format!("`{}` is no duration", text.value))
                .with_help("write a number with a unit: `500ms`, `5s`, `1m30s`, `2h`"),
        );
    }
    parsed
}

//! How much is logged.

use super::env::{EnvReader, Problem};

const VARIABLE: &str = "JANGAR_LOG_LEVEL";
const DEFAULT: &str = "info";
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// The filter of the log: a level, or levels of parts of the program as in `info,kube=debug`.
///
/// The library that filters takes any other word for the name of a part, which is then all that is logged.
/// A slip of the pen would silence the process.
pub(super) fn read(env: &mut EnvReader) -> String {
    let Some(value) = env.text(VARIABLE) else { return DEFAULT.to_owned() };
    if value.split(',').all(is_directive) {
        return value;
    }
    let rule = format!(
        "one of {}, or such levels for parts as in info,kube=debug; using {DEFAULT}",
        LEVELS.join(", ")
    );
    env.warnings.push(Problem { variable: VARIABLE, value, rule });
    DEFAULT.to_owned()
}

fn is_directive(text: &str) -> bool {
    let is_level = |text: &str| LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level));
    text.split_once('=').map_or_else(|| is_level(text), |(part, level)| is_part(part) && is_level(level))
}

/// Parts are modules, so their names are paths.
fn is_part(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "info", 0)]
    #[case(" debug ", "debug", 0)]
    #[case("WARN", "WARN", 0)]
    #[case("info,kube=debug,kube_runtime::watcher=off", "info,kube=debug,kube_runtime::watcher=off", 0)]
    #[case("inof", "info", 1)]
    #[case("info,kube", "info", 1)]
    #[case("kube=loud", "info", 1)]
    #[case("=debug", "info", 1)]
    #[case("3", "info", 1)]
    #[case("info,", "info", 1)]
    #[case("info, kube=debug", "info", 1)]
    fn a_word_that_is_no_level_silences_nothing(
        #[case] value: &str,
        #[case] expected: &str,
        #[case] warnings: usize,
    ) {
        let mut env = EnvReader::new([(VARIABLE.to_owned(), value.to_owned())]);
        assert_eq!(read(&mut env), expected);
        assert_eq!(env.warnings.len(), warnings);
    }
}

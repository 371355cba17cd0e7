//! Patterns of policies: literal text in which `*` stands for any characters.

/// Whether the whole `text` matches `pattern`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|prefix| text.strip_prefix(prefix)) else { return false };
    let mut last = None;
    for part in parts {
        // The part before this one is followed by another star, so its first occurrence is good enough.
        if let Some(middle) = last.replace(part) {
            match rest.split_once(middle) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |suffix: &str| rest.ends_with(suffix))
}

/// The first pattern that matches `text`.
pub fn first<'a>(patterns: &'a [String], text: &str) -> Option<&'a str> {
    patterns.iter().map(String::as_str).find(|pattern| matches(pattern, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a", "a", true)]
    #[case("a", "ab", false)]
    #[case("a*", "ab", true)]
    #[case("*", "", true)]
    #[case("*:latest", "repo:latest", true)]
    #[case("*:latest", "repo:1", false)]
    #[case("reg/*/x:*", "reg/team/x:1", true)]
    #[case("reg/*/x:*", "reg/team/y:1", false)]
    #[case("a*b*a", "aba", true)]
    #[case("a*a", "a", false)]
    #[case("a*b*c*d", "a-b-c", false)]
    fn a_star_stands_for_any_characters(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(matches(pattern, text), expected);
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_with_any_stretch_starred(head in "[a-c]{0,4}", cut in "[a-c]{0,4}", tail in "[a-c]{0,4}") {
            let pattern = format!("{head}*{tail}");
            let text = format!("{head}{cut}{tail}");
            prop_assert!(matches(&pattern, &text));
        }
    }
}

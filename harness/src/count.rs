//! Numbers with their nouns, for people.

use std::fmt::Display;

/// `1 case`, `2 cases`: a noun whose plural ends in `s`.
pub(crate) fn count<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = agree(&number, "", "s");
    format!("{number} {noun}{ending}")
}

/// The word for this number, such as `life` and `lives`, or `is` and `are`.
pub(crate) fn agree<'a, N: PartialEq + From<u8>>(number: &N, one: &'a str, other: &'a str) -> &'a str {
    if *number == N::from(1) { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(0, "0 cases")]
    #[case(1, "1 case")]
    #[case(2, "2 cases")]
    #[case(11, "11 cases")]
    #[case(21, "21 cases")]
    fn only_one_is_singular(#[case] number: usize, #[case] text: &str) {
        assert_eq!(count(number, "case"), text);
        assert_eq!(agree(&number, "one", "many") == "one", number == 1);
    }
}

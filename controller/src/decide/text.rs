//! Blank texts: absent, empty and white space all count as unset.

/// The trimmed text, or `None` when it is blank.
pub fn non_blank(text: &str) -> Option<&str> {
    let trimmed = text.trim();
    (!trimmed.is_empty()).then_some(trimmed)
}

/// The trimmed text, or `None` when it is absent or blank.
pub fn given(text: Option<&String>) -> Option<&str> {
    text.and_then(|text| non_blank(text))
}

/// Trimmed entries without the blank ones, in their order.
pub fn entries(list: Option<&Vec<String>>) -> Vec<&str> {
    list.into_iter().flatten().filter_map(|entry| non_blank(entry)).collect()
}

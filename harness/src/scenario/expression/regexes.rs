//! Regular expressions of scenarios, compiled once.
//!
//! The interpreter compiles the pattern at every call, and an invariant that looks at each condition of each
//! version makes thousands of them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use kube::core::cel::cel::extractors::This;
use kube::core::cel::cel::{ExecutionError, FunctionContext};
use regex::Regex;

/// How many patterns are kept. Those of a suite are some dozens; only patterns that are made of data are more.
const KEPT: usize = 256;

static COMPILED: LazyLock<Mutex<HashMap<Arc<String>, Regex>>> = LazyLock::new(Mutex::default);

/// `text.matches(pattern)`: whether the pattern occurs in the text.
pub(super) fn matches(
    context: &FunctionContext<'_, '_>,
    This(text): This<Arc<String>>,
    pattern: Arc<String>,
) -> Result<bool, ExecutionError> {
    let known = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known().get(&pattern).cloned();
    if let Some(found) = found {
        return Ok(found.is_match(&text));
    }
    let new = Regex::new(&pattern)
        .map_err(|error| context.error(format!("'{pattern}' is no regular expression: {error}")))?;
    let matched = new.is_match(&text);
    let mut known = known();
    if known.len() >= KEPT {
        known.clear();
    }
    known.insert(pattern, new);
    Ok(matched)
}

//! Subset match of an expected tree against an object.
//!
//! | expected | holds of the value there |
//! |---|---|
//! | a mapping | it is a mapping and every key of the expected one holds; other keys do not matter |
//! | `{}` | it is a mapping |
//! | `null` | it is absent or null |
//! | a scalar | it is equal; whole numbers equal floats of equal value, strings never equal numbers |
//! | a list of mappings that all have a key (see below) | for each one, the element with that key holds |
//! | any other list | it is a list of the same length, and every position holds |
//! | `$absent: true` | it is absent or null |
//! | `$present: true` | it is neither absent nor null |
//! | `$equals: v` | it is `v` as a whole, nothing more and nothing less |
//! | `$not: m` | `m` does not hold, which an absent value also fulfils |
//! | `$matches: r` | it is a string in which the regular expression `r` finds something; anchor it with `^` and `$` |
//! | `$cel: e` | the CEL expression `e` over `self` is `true`; an error of the data counts as `false` |
//! | `$any: m` | it is a list, and `m` holds of an element |
//! | `$all: m` | it is a list with at least one element, and `m` holds of every element |
//! | `$none: m` | it is absent, null or a list, and `m` holds of no element |
//! | `$exactly: {count: n, of: m}` | it is a list (for `n` = 0 also absent), and `m` holds of `n` elements |
//! | `$ordered: [m…]` | it is a list of the same length, and every position holds |
//! | `$contains: [m…]` | it is a list, and each `m` holds of some element |
//! | `$length: n` | it is a list, mapping or string (characters) of that size; `0` also if absent |
//! | `$oneOf: [m…]` | at least one `m` holds |
//! | `$json: m` | it is a string that is JSON, and `m` holds of its value |
//!
//! The children of an expected mapping are judged even where the mapping is absent, so that
//! `status: {reason: {$absent: true}}` holds of an object without status.
//!
//! Keys that tell list elements apart, the first that all expected elements have with different values is
//! taken: `name`, `type`, `key`, `containerPort`, `port`, `mountPath`, `devicePath`, `topologyKey`, `ip`,
//! `uid`. If several elements have the same key, those that also agree in the other keys of this list,
//! `kind` and `protocol` are meant, and all of them have to hold: a variable of the environment that is
//! set twice does not pass because of one of its values.

mod compile;
mod pattern;
mod walk;

pub use compile::validate;
pub use pattern::Pattern;
pub use walk::Mismatch;

pub(super) use pattern::{ELEMENT_KEYS, value_eq};

#[cfg(test)]
mod tests;

//! Whole objects against golden files.
//!
//! Both sides are [`normalize`]d: what the API server adds by itself is removed, so that a golden file
//! holds what the controller decided and nothing else. Texts inside objects, such as JSON in the data of a
//! `ConfigMap`, are compared as texts.

mod bless;
mod compare;
mod defaults;
mod normalize;

pub use bless::bless;
pub use compare::{Comparison, Diff, compare, equal};
pub use normalize::normalize;

#[cfg(test)]
mod tests;

//! Pure judgement: assertions over a recorded history.
//!
//! [`judge`] answers whether an [`Assertion`](crate::scenario::assertion::Assertion) holds on the entries
//! of a record; it needs no cluster, no clock and no files, so that a stored record is judged exactly
//! like a live one. [`explain`] says, once, why it did not.

pub mod bindings;
mod broken;
pub mod cel;
mod changes;
mod ending;
mod explain;
mod failure;
pub mod golden;
mod history;
mod managed;
pub mod matching;
mod origin;
mod path;
mod plain;
mod select;
#[cfg(test)]
mod semantics;
mod temporal;
#[cfg(test)]
mod testing;
mod timeline;
mod trail;

pub use broken::broken;
pub use ending::Ending;
pub use explain::{describe, explain};
pub use failure::{Broken, Difference, Failure, Since, SourceExcerpt};
pub use history::{Chance, Divergence, History, Place, Rules, Side, Turning};
pub use path::{Path, Segment};
pub use select::present;
pub use temporal::{Judgement, judge, missed};
pub use timeline::{Moment, timeline};
pub use trail::trail;

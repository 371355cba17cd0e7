//! What other commands left in the folder of a run's reports.

use std::path::Path;

use super::drilled::Drilled;
use super::proved::Proved;

/// What the page of a run shows besides the run.
#[derive(Debug, Default)]
pub struct Beside {
    pub(super) proved: Option<Proved>,
    pub(super) drilled: Option<Drilled>,
}

impl Beside {
    /// Reads what there is.
    pub fn read(folder: &Path) -> Self {
        Self { proved: Proved::read(folder), drilled: Drilled::read(folder) }
    }
}

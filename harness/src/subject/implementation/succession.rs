//! Two versions of one implementation: the chart of another one, and which comes first.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Implementation, Install};

impl Implementation {
    /// The same implementation with the chart in another folder, which is absolute; one without a chart stays
    /// as it is.
    #[must_use]
    pub fn with_chart(mut self, folder: PathBuf) -> Self {
        if let Install::Chart(chart) = &mut self.install {
            chart.path.value = folder;
        }
        self
    }

    /// The same implementation, whose releases begin with another version: the first upgrade takes them to
    /// this one, and its rollback back.
    #[must_use]
    pub fn succeeding(self, before: Self) -> Self {
        Self { before: Some(Arc::new(before)), ..self }
    }

    /// The version with which releases begin.
    pub fn first(self: &Arc<Self>) -> Arc<Self> {
        self.before.clone().unwrap_or_else(|| Arc::clone(self))
    }
}

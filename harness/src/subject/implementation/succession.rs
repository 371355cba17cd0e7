//! Two versions of one implementation: the chart of another one, and which comes first.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Implementation, Install};

impl Implementation {
    /// The same implementation with another chart, a folder or a packed one, and without any version before
    /// it; one without a chart stays as it is.
    ///
    /// A path that is not absolute is relative to the implementation file.
    #[must_use]
    pub fn with_chart(mut self, path: PathBuf) -> Self {
        if let Install::Chart(chart) = &mut self.install {
            chart.path.value = path;
            chart.previous = None;
        }
        self
    }

    /// The same implementation, after another version: a release that will be upgraded begins with that one,
    /// the first upgrade takes it to this one, and its rollback back. What the file says of an earlier
    /// version no longer counts.
    #[must_use]
    pub fn succeeding(self, before: Self) -> Self {
        Self { before: Some(Arc::new(before)), ..self }
    }

    /// The version with which a release begins that will be upgraded.
    ///
    /// Of one that the file names only the chart is another one: made anew from this version each time, it
    /// has the same programs, settings and defects, whatever was changed since the file was read.
    pub fn first(self: &Arc<Self>) -> Arc<Self> {
        let previous = self.install.chart().and_then(|chart| chart.previous.clone());
        match (&self.before, previous) {
            (Some(before), _) => Arc::clone(before),
            (None, Some(previous)) => Arc::new(self.as_ref().clone().with_chart(previous.value)),
            (None, None) => Arc::clone(self),
        }
    }
}

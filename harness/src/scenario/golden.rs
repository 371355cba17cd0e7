//! Golden files: the whole expected object, as data.

use std::path::PathBuf;
use std::sync::Arc;

use crate::yaml::{Location, Node, Source};

/// A golden file and the place that refers to it.
#[derive(Debug, Clone)]
pub struct Golden {
    /// Where the file lies, for `--bless`.
    pub path: PathBuf,
    /// Its text; empty if the file does not exist yet and is about to be blessed.
    pub source: Arc<Source>,
    /// Its content, templates such as `${{ objects.run.metadata.uid }}` not yet expanded.
    pub template: Node,
    /// Where the scenario refers to it.
    pub location: Location,
}

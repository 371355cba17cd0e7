//! Reading the files of a suite, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::diagnostic::Diagnostic;
use crate::yaml::{Located, Location, Node, Source, parse_documents};

/// The files that were read so far.
#[derive(Debug, Default)]
pub(super) struct Files {
    read: BTreeMap<PathBuf, (Arc<Source>, Vec<Node>)>,
    used: BTreeSet<PathBuf>,
}

impl Files {
    /// The documents of a file, or nothing and a problem at `referrer`, the place that names the file.
    pub(super) fn documents(
        &mut self,
        path: &Path,
        referrer: Option<&Location>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<(Arc<Source>, Vec<Node>)> {
        self.used.insert(path.to_owned());
        if let Some((source, documents)) = self.read.get(path) {
            return Some((Arc::clone(source), documents.clone()));
        }
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let place = referrer
                    .cloned()
                    .unwrap_or_else(|| Location::start_of(&Source::new(path, String::new())));
                problems.push(
                    Diagnostic::new(place, format!("cannot read `{}`: {error}", path.display()))
                        .with_help("paths are relative to the file that names them"),
                );
                return None;
            }
        };
        let source = Source::new(path, text);
        let documents = match parse_documents(&source) {
            Ok(documents) => documents,
            Err(error) => {
                problems.push(*error.0);
                return None;
            }
        };
        self.read.insert(path.to_owned(), (Arc::clone(&source), documents.clone()));
        Some((source, documents))
    }

    /// The only document of a file that `name` refers to, relative to `folder`.
    pub(super) fn document(
        &mut self,
        folder: &Path,
        name: &Located<String>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<(Arc<Source>, Node)> {
        let path = folder.join(&name.value);
        let (source, mut documents) = self.documents(&path, Some(&name.location), problems)?;
        if documents.len() != 1 {
            problems.push(Diagnostic::new(
                name.location.clone(),
                format!("`{}` holds {} documents, one is expected", path.display(), documents.len()),
            ));
            return None;
        }
        documents.pop().map(|document| (source, document))
    }

    /// The files that were asked for since the last call.
    pub(super) fn take_used(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.used)
    }

    /// The files that were read, by path.
    pub(super) fn sources(&self) -> Vec<Arc<Source>> {
        self.read.values().map(|(source, _)| Arc::clone(source)).collect()
    }

    /// SHA-256 over paths (relative to `root`) and contents of all files that were read.
    pub(super) fn digest(&self, root: &Path) -> String {
        let mut hash = Sha256::new();
        for (path, (source, _)) in &self.read {
            hash.update(path.strip_prefix(root).unwrap_or(path).to_string_lossy().as_bytes());
            hash.update([0]);
            hash.update(source.text().as_bytes());
            hash.update([0]);
        }
        format!("sha256:{}", hex::encode(hash.finalize()))
    }
}

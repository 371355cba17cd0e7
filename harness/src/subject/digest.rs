//! Digests of files and of charts.

use std::fs::File;
use std::io::{Error, copy};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// SHA-256 of a file, as `sha256sum` tells it; of a folder, over the paths and contents of all files below it.
///
/// What could not be read is told with its path.
pub(crate) fn digest(path: &Path) -> Result<String, (PathBuf, Error)> {
    let mut hash = Sha256::new();
    if path.is_dir() {
        let mut files = Vec::new();
        collect(path, &mut files)?;
        files.sort();
        for file in files {
            let content = std::fs::read(&file).map_err(|error| (file.clone(), error))?;
            hash.update(file.strip_prefix(path).unwrap_or(&file).to_string_lossy().as_bytes());
            hash.update([0]);
            hash.update(content.len().to_le_bytes());
            hash.update(content);
        }
    } else {
        let read = File::open(path).and_then(|mut file| copy(&mut file, &mut hash));
        read.map_err(|error| (path.to_owned(), error))?;
    }
    Ok(format!("sha256:{}", hex::encode(hash.finalize())))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), (PathBuf, Error)> {
    let failed = |error| (folder.to_owned(), error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

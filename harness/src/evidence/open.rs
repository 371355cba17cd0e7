//! From a file to a bundle whose every byte is what was written.

use std::collections::BTreeMap;
use std::path::Path;

use super::manifest::{FORMAT, Manifest};
use crate::archive::{
    Limits, MANIFEST_FILE, VerifyError, digest, fetch_file, manifest_value, unpack, verify_content,
    verify_digest,
};

/// A bundle whose digests are right. Only [`open`] and [`open_bytes`] make one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Bundle {
    /// SHA-256 of the file.
    pub sha256: String,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its other entries, by path.
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// Reads a bundle and checks every digest, also that of the digest file if it stands beside the bundle.
///
/// A bundle alone is enough: it is handed around, and its manifest covers all of it.
pub fn open(path: &Path) -> Result<Bundle, VerifyError> {
    let found = fetch_file(path, Limits::default())?;
    open_bytes(&found.bytes, found.digest_line.as_deref())
}

/// Checks the bytes of a bundle, with the line of its digest file if there is one.
pub fn open_bytes(bytes: &[u8], digest_line: Option<&str>) -> Result<Bundle, VerifyError> {
    match digest_line.map_or_else(|| Ok(digest(bytes)), |line| verify_digest(bytes, line)) {
        Ok(sha256) => content(bytes, sha256),
        Err(VerifyError::Outer { expected, found, .. }) => {
            // The file is refused anyway; what can still be read may tell which entry is concerned.
            let inside = content(bytes, found.clone()).err().map(Box::new);
            Err(VerifyError::Outer { expected, found, inside })
        }
        Err(error) => Err(error),
    }
}

fn content(bytes: &[u8], sha256: String) -> Result<Bundle, VerifyError> {
    let mut entries = unpack(bytes, Limits::default())?.into_iter();
    let manifest: Manifest = match entries.next() {
        Some(first) if first.path == MANIFEST_FILE => {
            serde_json::from_value(manifest_value(&first.content, FORMAT)?).map_err(VerifyError::Manifest)?
        }
        _ => return Err(VerifyError::NoManifest),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        if files.contains_key(&entry.path) {
            return Err(VerifyError::Duplicate { path: entry.path });
        }
        let listed = manifest.entries.iter().find(|listed| listed.path == entry.path);
        let Some(listed) = listed else { return Err(VerifyError::Extra { path: entry.path }) };
        verify_content(&entry.path, &entry.content, listed.size, &listed.sha256)?;
        files.insert(entry.path, entry.content);
    }
    let mut missing = manifest.entries.iter().filter(|listed| !files.contains_key(&listed.path));
    if let Some(first) = missing.next() {
        return Err(VerifyError::Missing { path: first.path.clone(), others: missing.count() });
    }
    Ok(Bundle { sha256, manifest, files })
}

//! Is an archive exactly what was written?
//!
//! The order: 1 the digest over the file, 2 decompression to the end, 3 the manifest and its version, 4 the
//! set of entries, 5 the digest of each, 6 what the parts say about each other. The first contradiction
//! refuses the archive. Digests find damage; they do not stop somebody who computes all of them anew.

mod cross;
mod salvage;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::defects::Defect;
use super::manifest::{Entry, FORMAT, JOBS_FILE, Manifest, VERSION_FILE};
use super::object_path::ObjectPath;
use crate::archive::{
    self, Address, Fetched, Limits, MANIFEST_FILE, Unpacked, VerifyError, Warning, digest, manifest_value,
    unpack, verify_content, verify_digest,
};

/// An archive that passed. Only [`verify`] and [`verify_bytes`] make one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Checked {
    /// SHA-256 of the file.
    pub sha256: String,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its objects, by path.
    pub objects: Vec<Stored>,
    /// What is odd about its content, but not wrong with the archive.
    pub warnings: Vec<Warning>,
}

/// One object of an archive.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Where it stands.
    pub path: ObjectPath,
    /// What the manifest says about it.
    pub entry: Entry,
    /// Its portable form.
    pub value: Value,
}

/// Verifies the archive at `path` with the digest file beside it.
pub fn verify(path: &Path, limits: Limits) -> Result<Checked, VerifyError> {
    verify_fetched(&archive::fetch_file(path, limits)?, limits)
}

/// Verifies an archive wherever it is, with the digest beside it.
pub async fn verify_at(archive: &Address, limits: Limits) -> Result<Checked, VerifyError> {
    verify_fetched(&archive::fetch(archive, limits).await?, limits)
}

/// Verifies what was fetched.
pub(super) fn verify_fetched(fetched: &Fetched, limits: Limits) -> Result<Checked, VerifyError> {
    match &fetched.digest_line {
        Some(line) => verify_bytes(&fetched.bytes, line, limits),
        None => Err(VerifyError::NotPublished { digest_file: fetched.archive.digest() }),
    }
}

/// Verifies the bytes of an archive with the line of its digest file, in the form of `sha256sum`.
pub fn verify_bytes(bytes: &[u8], digest_line: &str, limits: Limits) -> Result<Checked, VerifyError> {
    if Defect::VerificationSkipped.is_planted() {
        return salvage::salvage(bytes);
    }
    match verify_digest(bytes, digest_line) {
        Err(VerifyError::Outer { found, .. }) if Defect::FileDigestIgnored.is_planted() => {
            content(bytes, found, limits)
        }
        Ok(sha256) => content(bytes, sha256, limits),
        Err(VerifyError::Outer { expected, found, .. }) => {
            // The file is refused anyway; what can still be read may tell which object is concerned.
            let inside = content(bytes, found.clone(), limits).err().map(Box::new);
            Err(VerifyError::Outer { expected, found, inside })
        }
        Err(error) => Err(error),
    }
}

/// Steps 2 to 6.
fn content(bytes: &[u8], sha256: String, limits: Limits) -> Result<Checked, VerifyError> {
    let mut entries = unpack(bytes, limits)?.into_iter();
    let manifest = match entries.next() {
        Some(first) if first.path == MANIFEST_FILE => manifest(&first.content)?,
        _ => return Err(VerifyError::NoManifest),
    };
    let objects = objects(&manifest, entries.collect())?;
    cross::check(&manifest, &objects)?;
    let warnings = cross::warnings(&manifest, &objects);
    Ok(Checked { sha256, manifest, objects, warnings })
}

/// Step 3.
fn manifest(bytes: &[u8]) -> Result<Manifest, VerifyError> {
    serde_json::from_value(manifest_value(bytes, FORMAT)?).map_err(VerifyError::Manifest)
}

/// Steps 4 and 5.
fn objects(manifest: &Manifest, entries: Vec<Unpacked>) -> Result<Vec<Stored>, VerifyError> {
    let mut listed: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in &manifest.entries {
        if listed.insert(&entry.path, entry).is_some() {
            return Err(VerifyError::Duplicate { path: entry.path.clone() });
        }
    }
    let mut missing: BTreeSet<&str> = listed.keys().copied().chain([VERSION_FILE, JOBS_FILE]).collect();
    let mut seen = BTreeSet::new();
    let mut contents = Vec::with_capacity(entries.len());
    for Unpacked { path, content } in entries {
        let again = !seen.insert(path.clone()) || path == MANIFEST_FILE;
        if again && Defect::DuplicateEntriesPass.is_planted() {
            continue;
        }
        if again {
            return Err(VerifyError::Duplicate { path });
        }
        if !missing.remove(path.as_str()) {
            if Defect::ExtraEntriesPass.is_planted() {
                continue;
            }
            return Err(VerifyError::Extra { path });
        }
        contents.push((path, content));
    }
    if let Some(path) = missing.first().filter(|_| !Defect::MissingEntriesPass.is_planted()) {
        return Err(VerifyError::Missing { path: (*path).to_owned(), others: missing.len() - 1 });
    }
    let mut objects = Vec::with_capacity(contents.len());
    for (path, content) in contents {
        match path.as_str() {
            VERSION_FILE => {
                let version = manifest.format.as_bytes();
                verify_content(&path, &content, version.len() as u64, &digest(version))?;
            }
            JOBS_FILE => verify_content(&path, &content, manifest.evidence.size, &manifest.evidence.sha256)?,
            _ => {
                let Some(entry) = listed.get(path.as_str()) else { return Err(VerifyError::Extra { path }) };
                verify_content(&path, &content, entry.size, &entry.sha256)?;
                let value = serde_json::from_slice(&content)
                    .map_err(|source| VerifyError::Object { path: path.clone(), source })?;
                let place = path.parse().map_err(|_no_path| VerifyError::UnsafePath { path })?;
                objects.push(Stored { path: place, entry: (*entry).clone(), value });
            }
        }
    }
    objects.sort_by(|one, other| one.entry.path.cmp(&other.entry.path));
    Ok(objects)
}

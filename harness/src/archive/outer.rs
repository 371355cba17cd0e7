//! What every archive is asked before its entries: its size, its digest, its manifest.

use std::path::Path;

use serde_json::Value;

use super::canonical::{digest, digest_of_manifest};
use super::error::VerifyError;
use crate::backup::defects::Defect;

/// Name of the first entry of every archive.
pub(crate) const MANIFEST_FILE: &str = "manifest.json";

/// Sizes beyond which an archive is not read, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The archive file.
    pub file: u64,
    /// Everything in it, decompressed.
    pub total: u64,
    /// One entry.
    pub entry: u64,
}

impl Default for Limits {
    /// Room for about a million objects, and for objects far above etcd's limit of 1.5 MiB.
    fn default() -> Self {
        const GIB: u64 = 1 << 30;
        Self { file: GIB, total: 4 * GIB, entry: GIB / 2 }
    }
}

/// The bytes of an archive that is not too large.
pub(crate) fn read(path: &Path, limits: Limits) -> Result<Vec<u8>, VerifyError> {
    let failed = |source| VerifyError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > limits.file {
        return Err(VerifyError::TooLarge { what: "the file".to_owned(), limit: limits.file });
    }
    std::fs::read(path).map_err(failed)
}

/// Compares the bytes with the line of a digest file, in the form of `sha256sum`, and returns their digest.
///
/// [`VerifyError::Outer`] tells that they are others than were written.
pub fn verify_digest(bytes: &[u8], digest_line: &str) -> Result<String, VerifyError> {
    let expected = digest_line.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    if expected.len() != 64 || !expected.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(VerifyError::DigestFile);
    }
    let found = digest(bytes);
    if found == expected { Ok(found) } else { Err(VerifyError::Outer { expected, found, inside: None }) }
}

/// A manifest of a format that can be read, and with the digest that it names.
pub(crate) fn manifest_value(bytes: &[u8], supported: &'static str) -> Result<Value, VerifyError> {
    let value: Value = serde_json::from_slice(bytes).map_err(VerifyError::Manifest)?;
    // Before anything else: a newer format may look entirely different.
    let format = value.get("format").and_then(Value::as_str).unwrap_or_default();
    let major = |version: &str| version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    match major(format) {
        None => return Err(VerifyError::NoFormat { found: format.to_owned() }),
        Some(found) if Some(found) > major(supported) && !Defect::NewerFormatRead.is_planted() => {
            return Err(VerifyError::NewerFormat { found: format.to_owned(), supported });
        }
        Some(_known) => {}
    }
    let expected = value.get("manifestDigest").and_then(Value::as_str).unwrap_or_default();
    let found = digest_of_manifest(&value);
    if expected != found {
        let (path, expected) = (MANIFEST_FILE.to_owned(), expected.to_owned());
        return Err(VerifyError::Digest { path, expected, found });
    }
    Ok(value)
}

/// Compares an entry with what its manifest says about it.
pub(crate) fn verify_content(path: &str, content: &[u8], size: u64, sha256: &str) -> Result<(), VerifyError> {
    let found = digest(content);
    if content.len() as u64 != size || found != sha256 {
        return Err(VerifyError::Digest { path: path.to_owned(), expected: sha256.to_owned(), found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar.zst");
        std::fs::write(&path, [0; 9]).unwrap();
        let limits = |file| Limits { file, ..Limits::default() };
        assert_eq!(read(&path, limits(9)).unwrap(), [0; 9]);
        let error = read(&path, limits(8)).unwrap_err();
        assert_eq!(error.to_string(), "the file is larger than 8 bytes");
    }
}

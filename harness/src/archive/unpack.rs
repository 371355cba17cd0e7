//! Bytes to entries, with distrust.

use std::io::Read as _;

use tar::EntryType;

use super::error::VerifyError;
use super::outer::Limits;
use crate::backup::defects::Defect;

/// Size of a block of a tar archive.
const BLOCK: u64 = 512;

/// One entry: a path that leads nowhere else, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// Path in the archive.
    pub(crate) path: String,
    /// Content.
    pub(crate) content: Vec<u8>,
}

/// Reads the frame and the archive in it to their ends.
pub(crate) fn unpack(bytes: &[u8], limits: Limits) -> Result<Vec<Unpacked>, VerifyError> {
    let tar = decompress(bytes, limits)?;
    let mut entries: Vec<Unpacked> = Vec::new();
    let mut end = 0;
    let mut archive = tar::Archive::new(tar.as_slice());
    for entry in archive.entries().map_err(VerifyError::Tar)? {
        let mut entry = entry.map_err(VerifyError::Tar)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != EntryType::Regular && !Defect::LinksPass.is_planted() {
            return Err(VerifyError::EntryType { path });
        }
        if !is_safe(&path) && !Defect::ClimbingPathsPass.is_planted() {
            return Err(VerifyError::UnsafePath { path });
        }
        if entry.size() > limits.entry && !Defect::OversizeEntriesPass.is_planted() {
            return Err(VerifyError::TooLarge { what: format!("entry `{path}`"), limit: limits.entry });
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(VerifyError::Tar)?;
        if content.len() as u64 != entry.size() {
            return Err(VerifyError::Short { path });
        }
        end = (entry.raw_file_position() + entry.size()).next_multiple_of(BLOCK);
        entries.push(Unpacked { path, content });
    }
    // What stands behind the end marker is read by no tar program, but by those that search for entries.
    let rest = usize::try_from(end).ok().and_then(|end| tar.get(end..)).unwrap_or_default();
    if (rest.len() as u64) < 2 * BLOCK || rest.iter().any(|byte| *byte != 0) {
        return Err(VerifyError::Trailing);
    }
    Ok(entries)
}

/// Decompresses to the very end, where the checksum of the content is.
fn decompress(bytes: &[u8], limits: Limits) -> Result<Vec<u8>, VerifyError> {
    let decoder = zstd::Decoder::new(bytes).map_err(VerifyError::Decompress)?;
    let mut tar = Vec::new();
    decoder.take(limits.total + 1).read_to_end(&mut tar).map_err(VerifyError::Decompress)?;
    if tar.len() as u64 > limits.total {
        return Err(VerifyError::TooLarge { what: "the content".to_owned(), limit: limits.total });
    }
    Ok(tar)
}

/// A relative path without anything that a file system could take for another place.
fn is_safe(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\\', '\0', '\u{fffd}'])
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

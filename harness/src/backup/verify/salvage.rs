//! What an engine that does not verify would take from an archive. No sound engine asks for it.

use std::io::Read as _;

use super::{Checked, Stored, digest};
use crate::archive::VerifyError;
use crate::backup::manifest::Manifest;

/// Everything that can still be read, as if it were all.
pub(super) fn salvage(bytes: &[u8]) -> Result<Checked, VerifyError> {
    let mut tar = Vec::new();
    let mut decoder = zstd::Decoder::new(bytes).map_err(VerifyError::Decompress)?;
    // What was read before the damage was noticed is there.
    let _damaged = decoder.read_to_end(&mut tar);
    let mut archive = tar::Archive::new(tar.as_slice());
    let mut contents = archive.entries().map_err(VerifyError::Tar)?.map_while(|entry| {
        let mut entry = entry.ok()?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        Some((path, content))
    });
    let (_path, first) = contents.next().ok_or(VerifyError::NoManifest)?;
    let manifest: Manifest = serde_json::from_slice(&first).map_err(VerifyError::Manifest)?;
    let objects = contents.filter_map(|(path, content)| {
        let entry = manifest.entries.iter().find(|entry| entry.path == path)?.clone();
        Some(Stored { path: path.parse().ok()?, entry, value: serde_json::from_slice(&content).ok()? })
    });
    let objects = objects.collect();
    Ok(Checked { sha256: digest(bytes), manifest, objects, warnings: Vec::new() })
}

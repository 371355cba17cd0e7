//! Images out of a few files, in the format of `docker save`.
//!
//! One layer, no base image: what a static binary needs. The archive is loaded by `docker load`, by
//! containerd and by a node's image folder; no builder and no registry takes part. Equal content gives
//! equal bytes. This is no general image tool: no layers on top of others, no pushing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// What an image holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageContent {
    /// The name it is known by, `repository:tag`.
    pub reference: String,
    /// Its files; folders come to be as needed.
    pub files: Vec<ImageFile>,
    /// What runs, with arguments.
    pub entrypoint: Vec<String>,
    /// Numeric user and group as whom it runs, `65532:65532`; empty means root.
    pub user: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A file in an image, owned by root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Absolute path in the image.
    pub path: String,
    /// The file on this machine that holds the content.
    pub source: PathBuf,
    /// Permission bits, for example `0o755`.
    pub mode: u32,
}

impl ImageContent {
    /// An image that runs one static binary as its only file, as a user without rights.
    pub fn of_static_binary(reference: impl Into<String>, binary: impl Into<PathBuf>) -> Self {
        let source = binary.into();
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("/{name}");
        Self {
            reference: reference.into(),
            entrypoint: vec![path.clone()],
            files: vec![ImageFile { path, source, mode: 0o755 }],
            user: "65532:65532".to_owned(),
            labels: BTreeMap::new(),
        }
    }
}

/// An archive that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file of the image is not readable.
    #[error("read `{}` for the image `{image}`", path.display())]
    Source {
        /// The image.
        image: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive is not writable.
    #[error("write the image `{image}` to `{}`", path.display())]
    Write {
        /// The image.
        image: String,
        /// The archive.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes an image as an archive to `out`, which is replaced only when the archive is complete.
pub fn docker_archive(image: &ImageContent, out: &Path) -> Result<(), ArchiveError> {
    let unwritable =
        |source| ArchiveError::Write { image: image.reference.clone(), path: out.to_owned(), source };
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (mut layer, layer_digest) = write_layer(image, folder).map_err(|failure| match failure {
        LayerFailure::Source { path, source } => {
            ArchiveError::Source { image: image.reference.clone(), path, source }
        }
        LayerFailure::Write(source) => unwritable(source),
    })?;

    let config = config(image, &layer_digest).to_string();
    let config_name = format!("{}.json", hex::encode(Sha256::digest(&config)));
    let layer_name = format!("{layer_digest}/layer.tar");
    let manifest =
        json!([{"Config": config_name, "RepoTags": [image.reference], "Layers": [layer_name]}]).to_string();

    let write = || -> io::Result<()> {
        let archive = tempfile::NamedTempFile::new_in(folder)?;
        let mut tar = Builder::new(archive);
        let size = layer.metadata()?.len();
        layer.rewind()?;
        tar.append_data(&mut header(EntryType::Regular, 0o644, size), layer_name, &mut layer)?;
        for (name, content) in [(config_name.as_str(), &config), ("manifest.json", &manifest)] {
            let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
            tar.append_data(&mut header(EntryType::Regular, 0o644, size), name, content.as_bytes())?;
        }
        tar.into_inner()?.persist(out)?;
        Ok(())
    };
    write().map_err(unwritable)
}

enum LayerFailure {
    Source { path: PathBuf, source: io::Error },
    Write(io::Error),
}

/// Writes the layer to an unnamed file and returns it with its digest.
fn write_layer(image: &ImageContent, folder: &Path) -> Result<(File, String), LayerFailure> {
    let file = tempfile::tempfile_in(folder).map_err(LayerFailure::Write)?;
    let mut tar = Builder::new(HashingWriter { file, hash: Sha256::new() });
    for entry in &image.files {
        let unreadable = |source| LayerFailure::Source { path: entry.source.clone(), source };
        let content = File::open(&entry.source).map_err(unreadable)?;
        let size = content.metadata().map_err(unreadable)?.len();
        let mut header = header(EntryType::Regular, entry.mode, size);
        tar.append_data(&mut header, entry.path.trim_start_matches('/'), content)
            .map_err(LayerFailure::Write)?;
    }
    let HashingWriter { file, hash } = tar.into_inner().map_err(LayerFailure::Write)?;
    Ok((file, hex::encode(hash.finalize())))
}

/// The image's configuration after the OCI image specification.
fn config(image: &ImageContent, layer_digest: &str) -> Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": image.entrypoint, "User": image.user, "Labels": image.labels},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
        "history": [{"created_by": "hallmark"}],
    })
}

/// A header with nothing in it that differs between two runs.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Hashes what it writes.
struct HashingWriter {
    file: File,
    hash: Sha256,
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn read(archive: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
        let mut tar = tar::Archive::new(archive);
        let entries = tar.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            (path, (entry.header().mode().unwrap(), content))
        });
        entries.collect()
    }

    fn archive_of(content: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("program");
        std::fs::write(&binary, content).unwrap();
        let out = folder.path().join("out.tar");
        docker_archive(&ImageContent::of_static_binary("example.org/program:v1", binary), &out).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "something is left over");
        std::fs::read(out).unwrap()
    }

    #[test]
    fn names_and_digests_of_the_parts_fit_together() {
        let files = read(&archive_of("content"));
        let manifest: Value = serde_json::from_slice(&files["manifest.json"].1).unwrap();
        assert_eq!(manifest[0]["RepoTags"], json!(["example.org/program:v1"]));

        let config_bytes = &files[manifest[0]["Config"].as_str().unwrap()].1;
        let named = format!("{}.json", hex::encode(Sha256::digest(config_bytes)));
        assert_eq!(manifest[0]["Config"], json!(named));

        let config: Value = serde_json::from_slice(config_bytes).unwrap();
        let layer = &files[manifest[0]["Layers"][0].as_str().unwrap()].1;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(layer)));
        assert_eq!(config["rootfs"]["diff_ids"], json!([digest]));
        assert_eq!(config["config"]["Entrypoint"], json!(["/program"]));
        assert_eq!(config["config"]["User"], json!("65532:65532"));
        assert_eq!(read(layer)["program"], (0o755, b"content".to_vec()));
    }

    #[test]
    fn equal_content_gives_equal_bytes_and_other_content_other_bytes() {
        assert_eq!(archive_of("content"), archive_of("content"));
        assert_ne!(archive_of("content"), archive_of("contenT"));
    }

    #[test]
    fn a_missing_file_is_named_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.tar");
        let image = ImageContent::of_static_binary("r:v1", folder.path().join("absent"));
        let error = docker_archive(&image, &out).unwrap_err();
        assert!(matches!(&error, ArchiveError::Source { path, .. } if path.ends_with("absent")), "{error:?}");
        assert!(!out.exists());
    }
}

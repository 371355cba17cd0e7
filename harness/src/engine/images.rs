//! The images that a node is given: made here, so that no registry is needed.

use std::path::PathBuf;

use tempfile::TempDir;

use super::EngineError;
use crate::cluster::k3s::archive::{ImageContent, ImageFile, docker_archive};
use crate::event::EventSink;
use crate::scratch::{self, Scratch};
use crate::subject::implementation::Image;
use crate::subject::{self, Implementation};

/// Image archives in a temporary folder, which is removed with this value.
pub(super) struct Images {
    pub(super) archives: Vec<PathBuf>,
    _folder: TempDir,
}

/// Builds the programs of an implementation's images and packs them.
pub(super) async fn archives(
    implementation: &Implementation,
    events: &EventSink,
) -> Result<Images, EngineError> {
    let folder = scratch::folder(Scratch::Images).map_err(EngineError::ImageFolder)?;
    let mut archives = Vec::new();
    for (index, image) in implementation.images.iter().enumerate() {
        if let Some(build) = &image.build {
            subject::build(implementation, build, events).await?;
        }
        let archive = folder.path().join(format!("{index}.tar"));
        docker_archive(&content(implementation, image), &archive)
            .map_err(|source| EngineError::Image { reference: image.reference.clone(), source })?;
        archives.push(archive);
    }
    Ok(Images { archives, _folder: folder })
}

/// The programs of an image as its files; the first one is what runs unless a pod says otherwise.
fn content(implementation: &Implementation, image: &Image) -> ImageContent {
    let files: Vec<ImageFile> = image
        .programs
        .iter()
        .map(|(path, program)| ImageFile {
            path: path.display().to_string(),
            source: implementation.resolve(program),
            mode: 0o755,
        })
        .collect();
    ImageContent {
        reference: image.reference.clone(),
        entrypoint: files.first().map(|file| file.path.clone()).into_iter().collect(),
        files,
        user: "65532:65532".to_owned(),
        ..ImageContent::default()
    }
}

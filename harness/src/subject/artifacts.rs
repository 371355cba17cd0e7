//! Digests by which the same subject is known again: of its file, what that names, and its programs. That of the
//! chart itself stands beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::digest::digest;
use super::implementation::Implementation;
use super::{bundle, program};
use crate::event::{Artifact, ArtifactKind};

/// Where the programs of a subject come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Programs {
    /// They are processes of this host.
    Processes,
    /// They are in images that the harness makes.
    Images,
    /// They are in images of which only the names are known.
    Elsewhere,
}

impl Implementation {
    /// What it is made of, each file with its SHA-256, as `sha256sum` tells it; a previous version of the chart
    /// that is a folder has the digest of one. A file that cannot be read is left out: nothing of it is run or
    /// applied.
    pub fn artifacts(&self, programs: Programs) -> Vec<Artifact> {
        let own = self.file().file_name().unwrap_or_default();
        let mut found = vec![Artifact {
            kind: ArtifactKind::Implementation,
            name: own.to_string_lossy().into_owned(),
            sha256: format!("sha256:{}", hex::encode(Sha256::digest(self.text()))),
        }];
        let previous = self.install.chart().and_then(|chart| chart.previous.as_ref());
        found.extend(
            previous.and_then(|named| artifact(ArtifactKind::PreviousChart, named, &self.resolve(named))),
        );
        let values = self.install.chart().map(|chart| chart.value_files.as_slice()).unwrap_or_default();
        let values = values.iter().map(|named| (named.value.clone(), self.resolve(named)));
        found.extend(values.filter_map(|(name, path)| artifact(ArtifactKind::Values, &name, &path)));
        for named in self.install.manifests() {
            let root = self.resolve(named);
            for file in bundle::files(&root, named).unwrap_or_default() {
                // Joining an empty path would add a slash to the name of a file.
                let inside = file.strip_prefix(&root).ok().filter(|inside| !inside.as_os_str().is_empty());
                let name = inside.map_or_else(|| named.value.clone(), |inside| named.join(inside));
                found.extend(artifact(ArtifactKind::Manifest, &name, &file));
            }
        }
        let programs = self.programs(programs);
        found.extend(programs.iter().filter_map(|(name, path)| artifact(ArtifactKind::Program, name, path)));
        found
    }

    /// The files of the programs, by the names that the file gives them.
    fn programs(&self, programs: Programs) -> BTreeMap<PathBuf, PathBuf> {
        let named = |name: &Path| (name.to_owned(), self.resolve(name));
        if let Some(launch) = self.install.command() {
            let first = launch.run.first().map(PathBuf::from).into_iter().map(|name| {
                let in_path = program::is_bare(&name).then(|| program::in_path(&name)).flatten();
                let path = in_path.unwrap_or_else(|| self.resolve(&name));
                (name, path)
            });
            // A script or an interpreter is told by its arguments what it runs.
            let folder = self.resolve(&launch.directory);
            let others = launch.run.iter().skip(1).map(|word| (PathBuf::from(word), folder.join(word)));
            return first.chain(others.filter(|(_, path)| path.is_file())).collect();
        }
        match programs {
            Programs::Processes => {
                let process = self.process.iter().flat_map(|process| process.programs.values());
                process.map(|name| named(name)).collect()
            }
            Programs::Images => {
                let images = self.images.iter().flat_map(|image| image.programs.values());
                images.map(|name| named(name)).collect()
            }
            Programs::Elsewhere => BTreeMap::new(),
        }
    }
}

fn artifact(kind: ArtifactKind, name: &Path, path: &Path) -> Option<Artifact> {
    let sha256 = digest(path).ok()?;
    Some(Artifact { kind, name: name.display().to_string(), sha256 })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::subject::package;

    /// SHA-256 of nothing.
    const NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn implementation(folder: &Path, install: &str) -> Implementation {
        let file = folder.join("mine.yaml");
        let text = format!(
            "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {{name: n}}\nspec:\n  \
             install: {install}\n  settings: {{namespaces: {{path: n}}}}\n  \
             health: {{ready: {{port: 8080, path: /readyz}}}}\n"
        );
        std::fs::write(&file, text).unwrap();
        Implementation::load(&file).unwrap()
    }

    fn names(artifacts: &[Artifact]) -> Vec<(ArtifactKind, &str)> {
        artifacts.iter().map(|artifact| (artifact.kind, artifact.name.as_str())).collect()
    }

    #[test]
    fn a_command_is_known_by_its_program_what_that_runs_and_what_is_applied_before() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("run.sh", "");
        write("binary", "one");
        write("rbac.yaml", "{apiVersion: v1, kind: ServiceAccount, metadata: {name: me}}");
        let install = "{command: {run: [./run.sh, binary, --flag], prepare: [rbac.yaml]}}";
        let found = implementation(folder.path(), install).artifacts(Programs::Elsewhere);
        let expected = [
            (ArtifactKind::Implementation, "mine.yaml"),
            (ArtifactKind::Manifest, "rbac.yaml"),
            (ArtifactKind::Program, "./run.sh"),
            (ArtifactKind::Program, "binary"),
        ];
        assert_eq!(names(&found), expected);
        assert_eq!(found[2].sha256, NOTHING);
        write("binary", "two");
        let rebuilt = implementation(folder.path(), install).artifacts(Programs::Elsewhere);
        assert_eq!(found[..3], rebuilt[..3]);
        assert_ne!(found[3], rebuilt[3], "another program is told");
    }

    #[test]
    fn the_previous_version_of_a_chart_is_told_whether_packed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        for (chart, version) in [("now", "2.0.0"), ("old", "1.0.0")] {
            std::fs::create_dir(folder.path().join(chart)).unwrap();
            let file = folder.path().join(chart).join("Chart.yaml");
            std::fs::write(file, format!("version: {version}")).unwrap();
        }
        let packed = package::pack(&[("mine/Chart.yaml", "version: 1.0.0")]);
        std::fs::write(folder.path().join("old.tgz"), packed).unwrap();
        let mut digests = BTreeSet::new();
        for previous in ["old", "old.tgz"] {
            let install = format!("{{chart: {{path: now, release: r, previous: {previous}}}}}");
            let found = implementation(folder.path(), &install).artifacts(Programs::Images);
            let expected =
                [(ArtifactKind::Implementation, "mine.yaml"), (ArtifactKind::PreviousChart, previous)];
            assert_eq!(names(&found), expected);
            digests.insert(found[1].sha256.clone());
        }
        assert_eq!(digests.len(), 2);
    }

    #[test]
    fn every_file_of_a_folder_of_manifests_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("all")).unwrap();
        let deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}";
        for name in ["a.yaml", "b.yaml"] {
            std::fs::write(folder.path().join("all").join(name), deployment).unwrap();
        }
        let found = implementation(folder.path(), "{manifests: {files: [all]}}").artifacts(Programs::Images);
        let expected = [
            (ArtifactKind::Implementation, "mine.yaml"),
            (ArtifactKind::Manifest, "all/a.yaml"),
            (ArtifactKind::Manifest, "all/b.yaml"),
        ];
        assert_eq!(names(&found), expected);
    }
}

//! Steps that act on objects: what they bring, and which object they mean.

use std::time::Duration;

use super::Reader;
use super::claims::{self, describe, job};
use crate::diagnostic::Diagnostic;
use crate::scenario::assertion::Target;
use crate::scenario::document::{
    DeleteDocument, FinishDocument, ManifestDocument, PatchDocument, PlayDocument, Propagation,
};
use crate::scenario::set;
use crate::scenario::step::{Action, Finish, Manifest};
use crate::yaml::{Located, Location, Node, Value};

impl Reader<'_> {
    pub(super) fn create(&mut self, create: ManifestDocument) -> Option<(Action, String)> {
        let refused = create.refused.and_then(|pattern| self.regex(&pattern));
        let mut manifest = self.manifest(&create.file, create.alias, create.set.as_ref())?;
        let mut summary = format!("create {} {}", manifest.kind, manifest.alias);
        if let Some((index, count)) = self.index {
            if index == 1 {
                summary = format!("create {count} {}s {}", manifest.kind, manifest.alias);
            }
            let suffix = format!("-{index:0width$}", width = count.to_string().len());
            manifest.alias.push_str(&suffix);
            append_to_name(&mut manifest.object, &suffix);
        }
        Some((Action::Create { manifests: vec![manifest], refused }, summary))
    }

    pub(super) fn play(&mut self, play: PlayDocument) -> Option<(Action, String)> {
        let after = self.duration_or(play.after.as_ref(), Duration::ZERO)?;
        let finish = Finish {
            job: job(play.job),
            outcome: play.outcome,
            reason: play.reason,
            message: play.message,
            ago: Duration::ZERO,
            counted: true,
        };
        let summary = format!("play every {}: {:?}", describe(&finish.job), finish.outcome).to_lowercase();
        Some((Action::Play { finish, after }, summary))
    }

    /// Reads a manifest and puts in what the step sets.
    pub(in crate::scenario) fn manifest(
        &mut self,
        file: &Located<String>,
        alias: Option<Located<String>>,
        assignments: Option<&Node>,
    ) -> Option<Manifest> {
        let (_, document) = self.files.document(self.folder, file, self.problems)?;
        let mut object = self.expand(&document);
        if let Some(assignments) = assignments {
            set::set_all(&mut object, assignments, self.problems);
        }
        let text = |keys: [&str; 2]| {
            let outer = object.get(keys[0])?;
            if keys[1].is_empty() { outer.as_str() } else { outer.get(keys[1])?.as_str() }
        };
        let (Some(api_version), Some(kind), Some(name)) =
            (text(["apiVersion", ""]), text(["kind", ""]), text(["metadata", "name"]))
        else {
            self.problems.push(Diagnostic::new(
                file.location.clone(),
                format!("`{}` needs apiVersion, kind and metadata.name", file.value),
            ));
            return None;
        };
        let alias = alias.map_or_else(|| name.to_owned(), |alias| alias.value);
        Some(Manifest { api_version: api_version.to_owned(), kind: kind.to_owned(), alias, object })
    }

    /// The target of a step that acts on one object, given in every way in which it can be named.
    pub(super) fn one_object(&mut self, ways: [Option<Target>; 4], at: &Location) -> Option<Target> {
        let mut named = ways.into_iter().flatten();
        let (Some(target), None) = (named.next(), named.next()) else {
            self.problems
                .push(Diagnostic::new(at.clone(), "name exactly one object").with_help(
                    "write `object: alias`, or `job`, `configMap` or `resource` with `of: alias`",
                ));
            return None;
        };
        Some(target)
    }

    pub(super) fn patch(&mut self, patch: PatchDocument, at: &Location) -> Option<(Action, String)> {
        let ways = claims::ways(patch.object, patch.job, patch.config_map, patch.resource);
        let target = self.one_object(ways, at)?;
        let status = patch.subresource.is_some();
        let refused = patch.refused.and_then(|pattern| self.regex(&pattern));
        let summary = format!("patch {}{}", describe(&target), if status { " status" } else { "" });
        Some((Action::Patch { target, merge: patch.merge, status, refused }, summary))
    }

    pub(super) fn delete(&mut self, delete: DeleteDocument, at: &Location) -> Option<(Action, String)> {
        let ways = claims::ways(delete.object, delete.job, delete.config_map, delete.resource);
        let target = self.one_object(ways, at)?;
        let owned = match delete.propagation {
            Propagation::Background => "",
            Propagation::Foreground => ", what it owns first",
            Propagation::Orphan => ", not what it owns",
        };
        let summary = format!("delete {}{owned}", describe(&target));
        Some((Action::Delete { target, propagation: delete.propagation }, summary))
    }

    pub(super) fn finish(&mut self, finish: FinishDocument) -> Option<Finish> {
        let ago = self.duration_or(finish.ago.as_ref(), Duration::ZERO)?;
        Some(Finish {
            job: job(finish.job),
            outcome: finish.outcome,
            reason: finish.reason,
            message: finish.message,
            ago,
            counted: finish.counted.unwrap_or(true),
        })
    }
}

/// Lengthens `metadata.name`, which [`Reader::manifest`] has seen to be there.
fn append_to_name(object: &mut Node, suffix: &str) {
    fn child<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
        match &mut node.value {
            Value::Map(entries) => entries.iter_mut().find(|it| it.key == key).map(|it| &mut it.value),
            _ => None,
        }
    }
    let name = child(object, "metadata").and_then(|metadata| child(metadata, "name"));
    if let Some(Value::String(name)) = name.map(|name| &mut name.value) {
        name.push_str(suffix);
    }
}

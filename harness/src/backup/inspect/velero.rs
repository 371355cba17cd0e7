//! Archives of Velero (<https://velero.io/docs/main/output-file-format/>).
//!
//! Velero restores no status unless it is told to, by a flag of the restore or, since 1.16, by an annotation
//! of the object: <https://velero.io/docs/main/restore-reference/>. Only the annotation is in the archive.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::{ArchiveKind, InspectError, Inspection, KindSummary};
use crate::archive::digest;
use crate::archive::{Limits, Warning};
use crate::backup::phase::{has_begun, is_terminal, phase};
use crate::backup::take::required_secrets;

/// The annotation by which an object asks for its status since Velero 1.16.
const RESTORE_STATUS: &str = "/metadata/annotations/velero.io~1restore-status";

/// What an archive of Velero holds.
pub(super) fn inspect(bytes: &[u8], last: &[String], limits: Limits) -> Result<Inspection, InspectError> {
    let objects = objects(bytes, limits)?;
    let mut found = Inspection {
        archive: ArchiveKind::Velero,
        sha256: digest(bytes),
        content_digest: None,
        created: None,
        kubernetes: None,
        listing: None,
        kinds: Vec::new(),
        terminal_runs: 0,
        executed_again: Vec::new(),
        undecided: BTreeMap::new(),
        jobs_again: Vec::new(),
        plan: None,
        required_secrets: required_secrets(objects.iter().map(|object| &object.value), true),
        terminating: Vec::new(),
        warnings: vec![Warning {
            about: "an archive of Velero".to_owned(),
            message: "carries no digests: nothing proves that it is whole".to_owned(),
        }],
    };
    let mut kinds: BTreeMap<&str, KindSummary> = BTreeMap::new();
    for object in &objects {
        let summary = kinds.entry(&object.resource).or_insert_with(|| KindSummary {
            resource: object.resource.clone(),
            count: 0,
            phases: BTreeMap::new(),
        });
        summary.count += 1;
        let phase = phase(&object.value);
        if let Some(phase) = phase {
            *summary.phases.entry(phase.to_owned()).or_default() += 1;
        }
        let plural = object.resource.split('.').next().unwrap_or_default();
        if last.iter().any(|run| run == plural) {
            run(object, phase.unwrap_or("none"), &mut found);
        } else if object.resource == "jobs.batch" && object.value.pointer("/status/completionTime").is_none()
        {
            // Velero leaves out Jobs that succeeded; all others begin again.
            found.jobs_again.push(object.describe());
        }
    }
    found.kinds = kinds.into_values().collect();
    Ok(found)
}

fn run(object: &Object, phase: &str, found: &mut Inspection) {
    if is_terminal(phase) {
        found.terminal_runs += 1;
    } else {
        *found.undecided.entry(phase.to_owned()).or_default() += 1;
    }
    let keeps_status = object.value.pointer(RESTORE_STATUS).and_then(Value::as_str) == Some("true");
    if has_begun(&object.value) && !keeps_status {
        found.executed_again.push(object.describe());
    }
}

/// An object of the archive.
struct Object {
    resource: String,
    value: Value,
}

impl Object {
    fn describe(&self) -> String {
        let text = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_str);
        let name = text("/metadata/name").unwrap_or_default();
        match text("/metadata/namespace") {
            Some(namespace) => format!("{} {namespace}/{name}", self.resource),
            None => format!("{} {name}", self.resource),
        }
    }
}

/// The objects, each once: a second copy stands under the name of its version.
fn objects(bytes: &[u8], limits: Limits) -> Result<Vec<Object>, InspectError> {
    let mut tar = Vec::new();
    let decoder = MultiGzDecoder::new(bytes);
    // To the end: the checksum comes last.
    decoder.take(limits.total + 1).read_to_end(&mut tar).map_err(InspectError::Damaged)?;
    if tar.len() as u64 > limits.total {
        return Err(InspectError::TooLarge { limit: limits.total });
    }
    let mut objects = Vec::new();
    let mut archive = tar::Archive::new(tar.as_slice());
    for entry in archive.entries().map_err(InspectError::Damaged)? {
        let mut entry = entry.map_err(InspectError::Damaged)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let parts: Vec<&str> = path.trim_start_matches("./").split('/').collect();
        let resource = match parts.as_slice() {
            ["resources", resource, "cluster", name] | ["resources", resource, "namespaces", _, name]
                if name.strip_suffix(".json").is_some() =>
            {
                (*resource).to_owned()
            }
            _ => continue,
        };
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(InspectError::Damaged)?;
        let value = serde_json::from_slice(&content)
            .map_err(|source| InspectError::Object { path: path.clone(), source })?;
        objects.push(Object { resource, value });
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn tarball(objects: &[(&str, Value)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, object) in objects {
            let bytes = object.to_string().into_bytes();
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, path, bytes.as_slice()).unwrap();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&builder.into_inner().unwrap()).unwrap();
        encoder.finish().unwrap()
    }

    fn run(name: &str, phase: &str, annotation: Option<&str>) -> Value {
        let mut run = json!({
            "metadata": {"name": name, "namespace": "team"},
            "spec": {"secrets": ["token"]}, "status": {"phase": phase},
        });
        if let Some(value) = annotation {
            run["metadata"]["annotations"] = json!({"velero.io/restore-status": value});
        }
        run
    }

    fn at(name: &str) -> String {
        format!("resources/agentruns.example.dev/namespaces/team/{name}.json")
    }

    #[test]
    fn runs_that_have_begun_and_whose_status_is_not_asked_for_would_run_again() {
        let doubled = "resources/agentruns.example.dev/v1-preferredversion/namespaces/team/plain.json";
        let job = json!({"metadata": {"name": "j", "namespace": "team"}, "status": {"active": 1}});
        let bytes = tarball(&[
            ("metadata/version", json!("1.1.0")),
            (&at("plain"), run("plain", "Succeeded", None)),
            (doubled, run("plain", "Succeeded", None)),
            (&at("marked"), run("marked", "Failed", Some("true"))),
            (&at("refused"), run("refused", "Failed", Some("false"))),
            (&at("going"), run("going", "Running", None)),
            (&at("watched"), run("watched", "Running", Some("true"))),
            (&at("waiting"), run("waiting", "Pending", None)),
            ("resources/jobs.batch/namespaces/team/j.json", job),
        ]);
        let found = inspect(&bytes, &["agentruns".to_owned()], Limits::default()).unwrap();
        assert_eq!(found.terminal_runs, 3);
        let again = ["plain", "refused", "going"].map(|name| format!("agentruns.example.dev team/{name}"));
        assert_eq!(found.executed_again, again);
        assert_eq!(found.undecided, BTreeMap::from([("Pending".to_owned(), 1), ("Running".to_owned(), 2)]));
        assert_eq!(found.jobs_again, ["jobs.batch team/j"]);
        assert_eq!(found.required_secrets[0].referrers, 6);
    }

    #[test]
    fn a_damaged_archive_is_noticed_where_gzip_can_tell() {
        let mut bytes = tarball(&[(&at("a"), run("a", "Succeeded", None))]);
        let trailer = bytes.len() - 5;
        bytes[trailer] ^= 1;
        assert!(matches!(inspect(&bytes, &[], Limits::default()), Err(InspectError::Damaged(_))));
    }
}

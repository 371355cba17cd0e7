//! Archives that are not as they were written. Pure.
//!
//! Entries are read and written here as a forger would do it, without the care of [`crate::archive`].

use std::io::{self, Read as _, Write as _};

use serde_json::{Value, json};
use tar::{Archive, Builder, EntryType, Header};

use crate::archive::{MANIFEST_FILE, digest, digest_of_manifest, to_canonical};
use crate::backup::{ObjectPath, content_digest};
use crate::scenario::document::Damage;
use crate::scenario::step::Harm;

/// Where the objects stand.
const OBJECTS: &str = "resources/";
/// The entry with the version of the format.
const VERSION: &str = "metadata/version";
/// What an entry claims that is larger than any object can be, in bytes.
const OVERSIZE: u64 = 1 << 30;

/// What became of an archive.
#[derive(Debug)]
pub(super) struct Damaged {
    /// The file.
    pub(super) bytes: Vec<u8>,
    /// Whether the digest of the file is made to fit.
    pub(super) sealed: bool,
}

/// Does to an archive what a scenario wants.
pub(super) fn damaged(mut bytes: Vec<u8>, how: &Harm) -> io::Result<Damaged> {
    match how {
        Harm::Bytes(kind, share) => {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place in a file of some kilobytes, of which nobody needs the exact one"
            )]
            let place = (bytes.len() as f64 * share) as usize;
            if *kind == Damage::Truncated {
                bytes.truncate(place);
            } else if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << (place % 8);
            }
            Ok(Damaged { bytes, sealed: false })
        }
        Harm::Entries(kind) => {
            let mut entries = unpacked(&bytes)?;
            change(&mut entries, *kind);
            Ok(Damaged { bytes: packed(&entries)?, sealed: *kind != Damage::EditedEntry })
        }
        Harm::Format(format) => {
            let mut entries = unpacked(&bytes)?;
            for entry in entries.iter_mut().filter(|entry| entry.path == VERSION) {
                *entry = RawEntry::file(VERSION, format.as_bytes());
            }
            edit_manifest(&mut entries, |manifest| set(manifest, "format", json!(format)));
            Ok(Damaged { bytes: packed(&entries)?, sealed: true })
        }
    }
}

/// An entry as it is packed, whatever it may be.
#[derive(Debug, Clone, PartialEq)]
struct RawEntry {
    path: String,
    kind: EntryType,
    content: Vec<u8>,
    /// The size that it claims to have.
    size: u64,
}

impl RawEntry {
    fn file(path: &str, content: &[u8]) -> Self {
        let size = content.len() as u64;
        Self { path: path.to_owned(), kind: EntryType::Regular, content: content.to_vec(), size }
    }
}

fn change(entries: &mut Vec<RawEntry>, kind: Damage) {
    let lives_in_namespace =
        |entry: &RawEntry| entry.path.parse().is_ok_and(|path: ObjectPath| path.namespace.is_some());
    let last = entries.iter().rposition(lives_in_namespace);
    let Some((last, object)) = last.and_then(|last| Some((last, entries.get(last)?.clone()))) else { return };
    match kind {
        Damage::MissingEntry => drop(entries.remove(last)),
        Damage::ExtraEntry => {
            let path = format!("{}-unknown.json", object.path.trim_end_matches(".json"));
            entries.push(RawEntry { path, ..object });
        }
        Damage::DuplicateEntry => entries.push(object),
        Damage::ClimbingPath => entries.push(RawEntry::file("../escaped.json", b"{}")),
        Damage::Link => {
            let link = RawEntry::file("resources/link.json", b"");
            entries.push(RawEntry { kind: EntryType::Symlink, ..link });
        }
        Damage::OversizeEntry => entries.push(RawEntry { size: OVERSIZE, ..object }),
        Damage::EditedEntry => edit_object(entries, last),
        Damage::FlippedBit | Damage::Truncated | Damage::OtherFormat => {}
    }
}

/// Makes the object at `place` another one, and everything within the archive fit it.
fn edit_object(entries: &mut [RawEntry], place: usize) {
    let Some(entry) = entries.get_mut(place) else { return };
    let Ok(mut object) = serde_json::from_slice::<Value>(&entry.content) else { return };
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.insert("labels".to_owned(), json!({"edited": "true"}));
    }
    *entry = RawEntry::file(&entry.path, &to_canonical(&object));
    let (path, sha256, size) = (entry.path.clone(), digest(&entry.content), entry.size);
    let objects: Vec<(String, Value)> = entries
        .iter()
        .filter(|entry| entry.path.starts_with(OBJECTS))
        .filter_map(|entry| Some((entry.path.clone(), serde_json::from_slice(&entry.content).ok()?)))
        .collect();
    let content = content_digest(objects.iter().map(|(path, object)| (path.clone(), object)));
    edit_manifest(entries, |manifest| {
        let listed = manifest.get_mut("entries").and_then(Value::as_array_mut);
        for entry in listed.into_iter().flatten().filter(|entry| entry.get("path") == Some(&json!(path))) {
            set(entry, "sha256", json!(sha256));
            set(entry, "size", json!(size));
        }
        set(manifest, "contentDigest", json!(content));
    });
}

/// Changes the manifest and gives it a fitting digest of its own.
fn edit_manifest(entries: &mut [RawEntry], edit: impl FnOnce(&mut Value)) {
    let Some(entry) = entries.iter_mut().find(|entry| entry.path == MANIFEST_FILE) else { return };
    let Ok(mut manifest) = serde_json::from_slice::<Value>(&entry.content) else { return };
    edit(&mut manifest);
    let sealed = digest_of_manifest(&manifest);
    set(&mut manifest, "manifestDigest", json!(sealed));
    *entry = RawEntry::file(MANIFEST_FILE, &to_canonical(&manifest));
}

fn set(object: &mut Value, field: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(field.to_owned(), value);
    }
}

fn unpacked(bytes: &[u8]) -> io::Result<Vec<RawEntry>> {
    let tar = zstd::decode_all(bytes)?;
    let mut archive = Archive::new(tar.as_slice());
    let mut entries = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        entries.push(RawEntry::file(&path, &content));
    }
    Ok(entries)
}

fn packed(entries: &[RawEntry]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL)?;
    encoder.include_checksum(true)?;
    let mut builder = Builder::new(encoder);
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(entry.kind);
        header.set_mode(0o644);
        header.set_size(entry.size);
        if entry.kind == EntryType::Symlink {
            header.set_link_name("/etc/passwd")?;
        }
        if builder.append_data(&mut header, &entry.path, entry.content.as_slice()).is_err() {
            // The library refuses paths that lead out; whoever writes one does it by hand.
            for (slot, byte) in header.as_old_mut().name.iter_mut().zip(entry.path.bytes().chain([0])) {
                *slot = byte;
            }
            header.set_cksum();
            builder.append(&header, entry.content.as_slice())?;
        }
    }
    let mut encoder = builder.into_inner()?;
    encoder.flush()?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::archive::Limits;
    use crate::backup::{VerifyError, fixture, verify_bytes};

    fn refusal(how: &Harm) -> Option<VerifyError> {
        let sound = fixture::archive();
        let Damaged { bytes, sealed } = damaged(sound.clone(), how).unwrap();
        let line = fixture::line(if sealed { &bytes } else { &sound });
        verify_bytes(&bytes, &line, Limits::default()).err()
    }

    #[rstest]
    #[case(Damage::MissingEntry, "is missing")]
    #[case(Damage::ExtraEntry, "is not listed")]
    #[case(Damage::DuplicateEntry, "stands there twice")]
    #[case(Damage::ClimbingPath, "../escaped.json` has a path")]
    #[case(Damage::Link, "is a link")]
    #[case(Damage::OversizeEntry, "is larger than")]
    #[case(Damage::EditedEntry, "the file has the digest")]
    fn a_damage_is_what_it_says_and_nothing_else(#[case] kind: Damage, #[case] message: &str) {
        let error = refusal(&Harm::Entries(kind)).unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn an_edited_entry_fits_everything_but_the_digest_of_the_file() {
        let damaged = damaged(fixture::archive(), &Harm::Entries(Damage::EditedEntry)).unwrap();
        let checked =
            verify_bytes(&damaged.bytes, &fixture::line(&damaged.bytes), Limits::default()).unwrap();
        let edited = |object: &crate::backup::Stored| object.value["metadata"]["labels"]["edited"] == "true";
        assert_eq!(checked.objects.iter().filter(|object| edited(object)).count(), 1);
    }

    #[test]
    fn another_format_is_sound_apart_from_that() {
        assert!(refusal(&Harm::Format("0.9.0".to_owned())).is_none());
        let error = refusal(&Harm::Format("2.0.0".to_owned())).unwrap();
        assert!(matches!(error, VerifyError::NewerFormat { .. }), "{error}");
    }

    #[test]
    fn what_is_not_changed_is_packed_as_it_was() {
        let sound = fixture::archive();
        let entries = unpacked(&sound).unwrap();
        assert_eq!(unpacked(&packed(&entries).unwrap()).unwrap(), entries);
    }
}

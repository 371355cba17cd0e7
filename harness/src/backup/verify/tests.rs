//! Every change to an archive is noticed.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Checked, Stored, verify_bytes};
use crate::archive::{Limits, VerifyError, digest_of_manifest, pack, unpack};
use crate::backup::fixture::{self, line};
use crate::backup::portable::without_rewritten;
use crate::backup::take::assemble;
use crate::backup::{RequiredSecret, digest, to_canonical};

type Entries = Vec<(String, Vec<u8>)>;

fn check(bytes: &[u8]) -> Result<Checked, VerifyError> {
    verify_bytes(bytes, &line(bytes), Limits::default())
}

/// What stands in the sound archive.
fn entries() -> Entries {
    entries_of(&fixture::archive())
}

fn entries_of(archive: &[u8]) -> Entries {
    let unpacked = unpack(archive, Limits::default()).unwrap();
    unpacked.into_iter().map(|entry| (entry.path, entry.content)).collect()
}

fn packed(entries: &Entries) -> Vec<u8> {
    pack(entries.iter().map(|(path, content)| (path.as_str(), content.as_slice()))).unwrap()
}

/// Changes the entries, packs them cleanly and verifies them with a new digest of the file.
fn repacked(change: impl FnOnce(&mut Entries)) -> Result<Checked, VerifyError> {
    let mut entries = entries();
    change(&mut entries);
    check(&packed(&entries))
}

/// Changes the manifest and gives it a fitting digest of its own.
fn with_manifest(change: impl FnOnce(&mut Value)) -> Result<Checked, VerifyError> {
    check(&packed(&edited(entries(), change)))
}

fn edited(mut entries: Entries, change: impl FnOnce(&mut Value)) -> Entries {
    let mut manifest: Value = serde_json::from_slice(&entries[0].1).unwrap();
    change(&mut manifest);
    manifest["manifestDigest"] = digest_of_manifest(&manifest).into();
    entries[0].1 = to_canonical(&manifest);
    entries
}

fn position(entries: &Entries, part: &str) -> usize {
    entries.iter().position(|(path, _content)| path.contains(part)).unwrap()
}

#[test]
fn the_sound_archive_passes_and_tells_what_it_holds() {
    let checked = check(&fixture::archive()).unwrap();
    let paths: Vec<&str> = checked.objects.iter().map(|object| object.entry.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "resources/agents.example.dev/v1/namespaces/team/agent.json",
            "resources/configmaps/v1/namespaces/team/prompt.json",
            "resources/customresourcedefinitions.apiextensions.k8s.io/v1/cluster/agents.example.dev.json",
            "resources/customresourcedefinitions.apiextensions.k8s.io/v1/cluster/runs.example.dev.json",
            "resources/namespaces/v1/cluster/team.json",
            "resources/runs.example.dev/v1/namespaces/team/failed.json",
            "resources/runs.example.dev/v1/namespaces/team/pending.json",
            "resources/runs.example.dev/v1/namespaces/team/running.json",
            "resources/runs.example.dev/v1/namespaces/team/succeeded.json",
        ]
    );
    assert_eq!(checked.manifest.required_secrets[0].name, "token");
    assert_eq!(checked.manifest.required_secrets[0].referrers, 4);
    assert_eq!(checked.manifest.evidence.jobs, 1);
    assert_eq!(checked.warnings, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against the digest that was published, and also if that is made to fit: then what is inside counts.
    #[test]
    fn a_flipped_bit_is_noticed(seed in any::<u64>()) {
        let sound = fixture::archive();
        let mut damaged = sound.clone();
        let bit = usize::try_from(seed % (8 * sound.len() as u64)).unwrap();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let refused = verify_bytes(&damaged, &line(&sound), Limits::default());
        let outer = matches!(refused, Err(VerifyError::Outer { .. }));
        prop_assert!(outer);
        if let Ok(checked) = check(&damaged) {
            // Some bits of a zstd frame mean nothing: the content is what it was, to the byte.
            let unchanged = unpack(&damaged, Limits::default()).unwrap() == unpack(&sound, Limits::default()).unwrap();
            prop_assert!(unchanged, "{checked:?}");
        }
    }

    #[test]
    fn a_truncated_file_is_noticed_even_with_a_fitting_digest(share in 0.0..1.0_f64) {
        let sound = fixture::archive();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "a share of a small number")]
        let length = (sound.len() as f64 * share) as usize;
        prop_assert!(check(&sound[..length]).is_err());
    }

    /// Any byte of any entry, cleanly packed again with new digests of entry, manifest and file: the
    /// digest of the whole content is left, which ignores nothing but what a restore rewrites.
    #[test]
    fn a_changed_object_is_noticed(which in 0..9_usize, at in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let outcome = repacked(|entries| {
            let object = entries.iter_mut().filter(|(path, _)| path.starts_with("resources/")).nth(which).unwrap();
            let at = at.index(object.1.len());
            object.1[at] ^= by;
            let (path, bytes) = (object.0.clone(), object.1.clone());
            let mut manifest: Value = serde_json::from_slice(&entries[0].1).unwrap();
            let listed = manifest["entries"].as_array_mut().unwrap();
            let entry = listed.iter_mut().find(|entry| entry["path"] == path.as_str()).unwrap();
            entry["sha256"] = digest(&bytes).into();
            manifest["manifestDigest"] = digest_of_manifest(&manifest).into();
            entries[0].1 = to_canonical(&manifest);
        });
        if let Ok(checked) = outcome {
            let sound = check(&fixture::archive()).unwrap();
            let pairs = checked.objects.iter().zip(&sound.objects);
            let equal = |one: &Stored, other: &Stored| without_rewritten(&one.value) == without_rewritten(&other.value);
            let unchanged = pairs.into_iter().all(|(one, other)| equal(one, other));
            prop_assert!(unchanged, "{:?}", checked.objects);
        }
    }
}

#[test]
fn a_missing_object_is_named() {
    let error = repacked(|entries| drop(entries.remove(position(entries, "succeeded")))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "entry `resources/runs.example.dev/v1/namespaces/team/succeeded.json` is missing"
    );
}

#[test]
fn a_missing_object_is_named_also_if_the_digest_file_is_the_old_one() {
    let mut entries = entries();
    entries.remove(position(&entries, "succeeded"));
    let outcome = verify_bytes(&packed(&entries), &line(&fixture::archive()), Limits::default());
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains("digest") && text.contains("succeeded.json` is missing"), "{text}");
}

#[test]
fn a_changed_an_extra_and_a_doubled_object_are_named() {
    let changed = repacked(|entries| {
        let at = position(entries, "failed");
        entries[at].1 = String::from_utf8_lossy(&entries[at].1).replace("token", "other").into_bytes();
    });
    assert!(matches!(changed, Err(VerifyError::Digest { path, .. }) if path.contains("failed")));
    let extra = repacked(|entries| {
        let path = "resources/runs.example.dev/v1/namespaces/team/new.json".to_owned();
        entries.push((path, b"{}".to_vec()));
    });
    assert!(matches!(extra, Err(VerifyError::Extra { path }) if path.contains("new")));
    let doubled = repacked(|entries| entries.push(entries[position(entries, "failed")].clone()));
    assert!(matches!(doubled, Err(VerifyError::Duplicate { path }) if path.contains("failed")));
    let manifest = repacked(|entries| entries.push(entries[0].clone()));
    assert!(matches!(manifest, Err(VerifyError::Duplicate { path }) if path == "manifest.json"));
}

#[test]
fn the_manifest_comes_first() {
    let swapped = repacked(|entries| entries.swap(0, 1));
    assert!(matches!(swapped, Err(VerifyError::NoManifest)));
    let nothing = repacked(Vec::clear);
    assert!(matches!(nothing, Err(VerifyError::NoManifest)));
}

#[rstest::rstest]
#[case::counts("/kinds/4/count", json!(3))]
#[case::phases("/kinds/4/phases/Succeeded", json!(2))]
#[case::phase("/entries/8/phase", json!("Pending"))]
#[case::path("/entries/8/path", json!("resources/runs.example.dev/v1/namespaces/team/other.json"))]
#[case::digest("/entries/8/sha256", json!("00"))]
#[case::size("/entries/8/size", json!(1))]
#[case::content("/contentDigest", json!("00"))]
#[case::schema("/definitions/0/schemaSha256", json!("00"))]
#[case::secrets("/requiredSecrets", json!([]))]
#[case::evidence("/evidence/sha256", json!("00"))]
#[case::format("/format", json!("1.9.0"))]
#[case::kind("/kinds/4/kind/kind", json!("Other"))]
fn an_edited_manifest_with_fitting_digests_is_refused(#[case] pointer: &str, #[case] value: Value) {
    let edit = |manifest: &mut Value| *manifest.pointer_mut(pointer).unwrap() = value.clone();
    let error = with_manifest(edit);
    assert!(error.is_err(), "{error:?}");
}

#[test]
fn an_archive_from_before_secrets_of_projected_volumes_were_listed_is_sound() {
    let mut collected = fixture::collected();
    let agents = collected.lists.iter_mut().find(|list| list.kind.plural == "agents").unwrap();
    agents.items[0]["spec"]["projected"] = json!({"sources": [{"secret": {"name": "mounted"}}]});
    let bytes = assemble(&collected).unwrap().bytes;
    let names = |secrets: &[RequiredSecret]| secrets.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&check(&bytes).unwrap().manifest.required_secrets), ["mounted", "token"]);
    let older = edited(entries_of(&bytes), |manifest| {
        manifest["requiredSecrets"].as_array_mut().unwrap().remove(0);
    });
    assert_eq!(names(&check(&packed(&older)).unwrap().manifest.required_secrets), ["token"]);
}

#[test]
fn an_edited_manifest_without_a_new_digest_of_its_own_is_refused() {
    let outcome = repacked(|entries| {
        let text = String::from_utf8_lossy(&entries[0].1).replace("u-succeeded", "u-forged");
        entries[0].1 = text.into_bytes();
    });
    assert!(matches!(outcome, Err(VerifyError::Digest { path, .. }) if path == "manifest.json"));
}

#[test]
fn a_newer_major_format_is_refused_and_an_older_minor_one_read() {
    let newer = with_manifest(|manifest| manifest["format"] = json!("2.0.0"));
    let text = newer.unwrap_err().to_string();
    assert!(text.contains("2.0.0") && text.contains("newer hallmark"), "{text}");
    let older = repacked(|entries| {
        let mut manifest: Value = serde_json::from_slice(&entries[0].1).unwrap();
        manifest["format"] = json!("1.0.0-rc.1");
        manifest["fieldOfAnotherVersion"] = json!(true);
        manifest["manifestDigest"] = digest_of_manifest(&manifest).into();
        entries[0].1 = to_canonical(&manifest);
        let version = position(entries, "metadata/version");
        entries[version].1 = b"1.0.0-rc.1".to_vec();
    });
    assert_eq!(older.unwrap().manifest.format, "1.0.0-rc.1");
}

/// A tar archive that the `tar` crate would not write.
fn crafted(path: &str, kind: tar::EntryType, link: Option<&str>) -> Vec<u8> {
    let mut builder = tar::Builder::new(zstd::Encoder::new(Vec::new(), 0).unwrap());
    let (manifest_path, manifest) = entries().remove(0);
    let mut header = tar::Header::new_gnu();
    header.set_size(manifest.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, manifest_path, manifest.as_slice()).unwrap();
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_cksum();
    builder.append(&header, std::io::empty()).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

#[rstest::rstest]
#[case::up("resources/../../etc/passwd")]
#[case::absolute("/etc/passwd")]
#[case::dot("./manifest.json")]
fn a_path_that_leads_elsewhere_is_refused(#[case] path: &str) {
    let outcome = check(&crafted(path, tar::EntryType::Regular, None));
    assert!(matches!(&outcome, Err(VerifyError::UnsafePath { path: named }) if named == path), "{outcome:?}");
}

#[rstest::rstest]
#[case::symbolic(tar::EntryType::Symlink)]
#[case::hard(tar::EntryType::Link)]
#[case::folder(tar::EntryType::Directory)]
#[case::device(tar::EntryType::Char)]
fn links_and_special_files_are_refused(#[case] kind: tar::EntryType) {
    let outcome = check(&crafted("resources/link", kind, Some("/etc/passwd")));
    assert!(matches!(&outcome, Err(VerifyError::EntryType { .. })), "{outcome:?}");
}

#[test]
fn sizes_are_limited() {
    let bytes = fixture::archive();
    let entry = Limits { entry: 1000, ..Limits::default() };
    assert!(matches!(verify_bytes(&bytes, &line(&bytes), entry), Err(VerifyError::TooLarge { .. })));
    let total = Limits { total: 1000, ..Limits::default() };
    assert!(matches!(verify_bytes(&bytes, &line(&bytes), total), Err(VerifyError::TooLarge { .. })));
}

#[test]
fn nothing_may_stand_behind_the_archive() {
    let mut bytes = fixture::archive();
    let more = zstd::encode_all(b"more".as_slice(), 0).unwrap();
    bytes.extend(more);
    assert!(matches!(check(&bytes), Err(VerifyError::Trailing)));
    let mut bytes = fixture::archive();
    bytes.extend(b"more");
    assert!(matches!(check(&bytes), Err(VerifyError::Decompress(_))));
}

#[test]
fn runs_that_contradict_themselves_are_named() {
    let mut collected = fixture::collected();
    let runs = &mut collected.lists.last_mut().unwrap().items;
    runs[0]["status"].as_object_mut().unwrap().shift_remove("finishedAt");
    let warnings = check(&assemble(&collected).unwrap().bytes).unwrap().warnings;
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["runs.example.dev team/succeeded is in a terminal phase without a time of its end"]);
}

#[test]
fn objects_that_are_being_deleted_are_recorded_and_not_archived() {
    let mut collected = fixture::collected();
    let runs = &mut collected.lists.last_mut().unwrap().items;
    runs[3]["metadata"]["deletionTimestamp"] = json!("2026-01-03T00:00:00Z");
    let checked = check(&assemble(&collected).unwrap().bytes).unwrap();
    let path = "resources/runs.example.dev/v1/namespaces/team/pending.json";
    assert_eq!(checked.manifest.terminating[0].path, path);
    assert!(checked.objects.iter().all(|object| object.entry.path != path));
}

#[test]
fn the_content_digest_ignores_what_a_restore_changes_and_nothing_else() {
    let of = |change: &dyn Fn(&mut Value)| {
        let mut collected = fixture::collected();
        change(&mut collected.lists.last_mut().unwrap().items[0]);
        assemble(&collected).unwrap().manifest.content_digest
    };
    let unchanged = of(&|_run| {});
    let restored = of(&|run| {
        run["metadata"]["uid"] = json!("new");
        run["metadata"]["generation"] = json!(1);
        run["metadata"]["resourceVersion"] = json!("99");
        run["metadata"]["creationTimestamp"] = json!("2027-01-01T00:00:00Z");
        run["status"]["observedGeneration"] = json!(1);
    });
    assert_eq!(unchanged, restored);
    assert_ne!(unchanged, of(&|run| run["status"]["phase"] = json!("Failed")));
    assert_ne!(unchanged, of(&|run| run["metadata"]["labels"] = json!({"a": "b"})));
    assert_ne!(unchanged, of(&|run| run["metadata"]["finalizers"] = json!([])));
}

//! What disks, transfers and people do to archives.

use futures::StreamExt as _;
use hallmark::backup::archive;
use tokio::process::Command;

use crate::bed::Bed;

/// Processes at the same time.
const AT_ONCE: usize = 4;

/// A damaged archive.
struct Damaged {
    what: String,
    bytes: Vec<u8>,
    /// Whether the digest beside it is its own.
    sealed: bool,
}

type Entries = Vec<(String, Vec<u8>)>;

/// What is done to the entry at a place.
type Change = fn(&mut Entries, usize);

/// [DR-V01] [DR-V02] [DR-V03] Each with the command, as people would meet it.
pub(crate) async fn two_hundred_damaged_archives_change_nothing(bed: &Bed) {
    bed.populate().await;
    let (_report, _checked) = bed.backup("sound").await;
    let sound = std::fs::read(bed.path("sound")).unwrap();
    let damages: Vec<Damaged> =
        flipped(&sound).into_iter().chain(truncated(&sound)).chain(packed_again(&sound)).collect();
    assert_eq!(damages.len(), 200);
    bed.clear().await;
    bed.secrets().await;
    let versions = bed.versions().await;
    let digest_of_sound = archive::digest(&sound);
    let attempts = damages.into_iter().enumerate().map(async |(number, damaged)| {
        let Damaged { what, bytes, sealed } = damaged;
        let path = bed.path(&format!("damaged-{number}"));
        let digest = if sealed { archive::digest(&bytes) } else { digest_of_sound.clone() };
        std::fs::write(archive::digest_path(&path), digest).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let output = restore(bed, &path).output().await.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let refused = Some(i32::from(hallmark::exit::REFUSED));
        assert_eq!(output.status.code(), refused, "{what}: {stderr}");
        assert_ne!(stderr.contains("the file has the digest"), sealed, "{what}: {stderr}");
    });
    futures::stream::iter(attempts).buffer_unordered(AT_ONCE).collect::<()>().await;
    assert_eq!(bed.versions().await, versions);
    // The same command with the sound file does its work.
    let output = restore(bed, &bed.path("sound")).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

fn restore(bed: &Bed, path: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    command.arg("restore").arg(path).arg("--kubeconfig").arg(bed.kubeconfig()).arg("--assume-no-controller");
    command
}

/// One bit in each of 120 parts of the file.
fn flipped(sound: &[u8]) -> Vec<Damaged> {
    let bits = 8 * sound.len();
    let flip = |part: usize| {
        let bit = part * bits / 120 + (part * 7919) % (bits / 120);
        let mut bytes = sound.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Damaged { what: format!("bit {bit} of {bits}"), bytes, sealed: false }
    };
    (0..120).map(flip).collect()
}

/// From nothing to all but the last byte.
fn truncated(sound: &[u8]) -> Vec<Damaged> {
    let cut = |part: usize| {
        let length = part * (sound.len() - 1) / 39;
        Damaged { what: format!("{length} bytes"), bytes: sound[..length].to_vec(), sealed: false }
    };
    (0..40).map(cut).collect()
}

/// Something is done to five objects, one after the other, and the archive is packed again with a digest of its own.
fn packed_again(sound: &[u8]) -> Vec<Damaged> {
    let changes: [(&str, Change); 8] = [
        ("is missing", |entries, at| drop(entries.remove(at))),
        ("stands there twice", |entries, at| entries.push(entries[at].clone())),
        ("has a copy", |entries, at| {
            let (path, content) = entries[at].clone();
            entries.push((path.replace(".json", "-copy.json"), content));
        }),
        ("has another name", |entries, at| entries[at].0 = entries[at].0.replace(".json", "-other.json")),
        ("has another byte", |entries, at| entries[at].1[9] ^= 1),
        ("is shorter", |entries, at| {
            let _last = entries[at].1.pop();
        }),
        ("has the content of the one before", |entries, at| entries[at].1 = entries[at - 1].1.clone()),
        ("is listed with another name", |entries, at| {
            let listed = entries[at].0.replace(".json", "-other.json");
            let manifest = String::from_utf8(entries[0].1.clone()).unwrap();
            entries[0].1 = manifest.replace(&entries[at].0, &listed).into_bytes();
        }),
    ];
    let entries = unpacked(sound);
    let first = entries.iter().position(|(path, _content)| path.starts_with("resources/")).unwrap();
    let objects = entries.len() - first;
    let mut damages = Vec::new();
    for (change, apply) in changes {
        for part in 0..5 {
            let at = first + part * (objects - 1) / 4;
            let mut entries = entries.clone();
            apply(&mut entries, at);
            let packed = entries.iter().map(|(path, content)| (path.as_str(), content.as_slice()));
            let bytes = archive::pack(packed).unwrap();
            damages.push(Damaged { what: format!("entry {at} {change}"), bytes, sealed: true });
        }
    }
    damages
}

fn unpacked(archive: &[u8]) -> Entries {
    let tar = zstd::decode_all(archive).unwrap();
    let mut archive = tar::Archive::new(tar.as_slice());
    let entry = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        (path, content)
    };
    archive.entries().unwrap().map(entry).collect()
}

//! Archives in buckets: the command as people call it, with a real S3 server.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use http::Method;
use http::request::Parts;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::bed::{Bed, core, dynamic};
use crate::store::{Fate, Store};

/// An upload of this size needs more than one request: it is above 8 MiB also when it is compressed.
const LARGE_MAPS: usize = 13;

/// A kubeconfig that leads to no cluster.
const NOWHERE: &str = "\
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: nobody, user: {}}]
";

/// The command with the store's settings and no other of its kind.
fn command(store: &Store, kubeconfig: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    for (name, _value) in std::env::vars().filter(|(name, _value)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(store.environment()).env("NO_PROXY", "127.0.0.1");
    if ["backup", "restore"].contains(&arguments[0]) {
        command.arg("--kubeconfig").arg(kubeconfig);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn run(store: &Store, bed: &Bed, arguments: &[&str]) -> Output {
    command(store, bed.kubeconfig(), arguments).output().await.unwrap()
}

#[track_caller]
fn came_to(output: &Output, code: u8, message: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(code)), "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
}

fn is_write_of(request: &Parts, end: &str) -> bool {
    request.method == Method::PUT && request.uri.path().ends_with(end)
}

/// A digest of the cluster's state that both ways of backing up must agree on.
fn content_digest(output: &Output) -> Value {
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["contentDigest"].clone()
}

/// [DR-R01] [DR-X05]
pub(crate) async fn an_archive_in_a_bucket_comes_back_equal(bed: &Bed) {
    let store = Store::start().await;
    bed.populate().await;
    let before = bed.content().await;
    let (file, _checked) = bed.backup("beside-a-bucket").await;

    let output = run(&store, bed, &["backup", "--to", "s3://archives/nightly/"]).await;
    came_to(&output, hallmark::exit::CONFORMANT, "SHA-256");
    let address = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let key = address.strip_prefix("s3://archives/").unwrap();
    assert!(key.starts_with("nightly/agents-2") && key.ends_with("Z.tar.zst"), "{address}");
    assert_eq!(store.keys(), [key.to_owned(), format!("{key}.sha256")]);

    let verified = run(&store, bed, &["verify", &address, "--json"]).await;
    came_to(&verified, hallmark::exit::CONFORMANT, &format!("{address} is whole"));
    assert_eq!(content_digest(&verified), file.manifest.content_digest);
    let inspected = run(&store, bed, &["inspect", &address, "--json"]).await;
    came_to(&inspected, hallmark::exit::CONFORMANT, "");
    assert_eq!(content_digest(&inspected), file.manifest.content_digest);

    bed.clear().await;
    bed.secrets().await;
    let restored = run(&store, bed, &["restore", &address, "--assume-no-controller"]).await;
    came_to(&restored, hallmark::exit::CONFORMANT, "Completed");
    assert_eq!(bed.content().await, before);

    // The name is taken now; neither object is touched.
    let bytes = || store.keys().iter().map(|key| std::fs::read(store.file(key)).unwrap()).collect::<Vec<_>>();
    let first = bytes();
    let again = run(&store, bed, &["backup", &address]).await;
    came_to(&again, hallmark::exit::USAGE, &format!("the archive `{address}` exists already"));
    assert_eq!(bytes(), first);
}

/// [DR-V01] [DR-V02]
pub(crate) async fn a_damaged_object_changes_nothing(bed: &Bed) {
    let store = Store::start().await;
    bed.populate().await;
    let address = "s3://archives/a.tar.zst";
    came_to(&run(&store, bed, &["backup", address]).await, hallmark::exit::CONFORMANT, "");
    let file = store.file("a.tar.zst");
    let sound = std::fs::read(&file).unwrap();
    bed.clear().await;
    bed.secrets().await;
    let versions = bed.versions().await;
    let restore = ["restore", address, "--assume-no-controller"];
    for damage in ["flipped", "truncated", "without digest", "gone"] {
        let mut bytes = sound.clone();
        let expected = match damage {
            "flipped" => {
                bytes[sound.len() / 2] ^= 1;
                "the file has the digest"
            }
            "truncated" => {
                bytes.truncate(sound.len() - 1);
                "the file has the digest"
            }
            "without digest" => {
                std::fs::remove_file(store.file("a.tar.zst.sha256")).unwrap();
                "`s3://archives/a.tar.zst.sha256` is missing"
            }
            _ => "there is no object `s3://archives/a.tar.zst`",
        };
        std::fs::write(&file, bytes).unwrap();
        if damage == "gone" {
            std::fs::remove_file(&file).unwrap();
        }
        for arguments in [&restore[..], &["verify", address], &["inspect", address]] {
            came_to(&run(&store, bed, arguments).await, hallmark::exit::REFUSED, expected);
        }
    }
    assert_eq!(bed.versions().await, versions);
}

/// [DR-B09] Cut off by a kill and by a refusal, in one request and in parts.
pub(crate) async fn an_upload_that_is_cut_off_is_no_archive(bed: &Bed) {
    let store = Store::start().await;
    bed.populate().await;
    let maps: Api<DynamicObject> =
        Api::namespaced_with(bed.admin(), "team-a", &core("ConfigMap", "configmaps"));
    for number in 0..LARGE_MAPS {
        maps.create(&PostParams::default(), &dynamic(large(number))).await.unwrap();
    }
    let backup = ["backup", "s3://archives/large.tar.zst", "--config-maps", "all"];
    let verify = ["verify", "s3://archives/large.tar.zst"];
    let second_part = |request: &Parts| {
        request.uri.query().is_some_and(|query| query.contains("partNumber=2"))
            && is_write_of(request, ".tar.zst")
    };

    store.rule(move |request| if second_part(request) { Fate::Hold } else { Fate::Pass });
    let mut killed = command(&store, bed.kubeconfig(), &backup).spawn().unwrap();
    tokio::time::timeout(Duration::from_mins(1), store.held()).await.unwrap();
    killed.kill().await.unwrap();
    assert_ne!(store.parts(), Vec::<String>::new(), "the upload had begun");
    assert_eq!(store.keys(), Vec::<String>::new());
    came_to(&run(&store, bed, &verify).await, hallmark::exit::REFUSED, "there is no object");

    let left = store.parts().len();
    store.rule(move |request| if second_part(request) { Fate::Refuse(400) } else { Fate::Pass });
    let refused = run(&store, bed, &backup).await;
    came_to(&refused, hallmark::exit::INCONCLUSIVE, "upload a part of `s3://archives/large.tar.zst`");
    assert_eq!(store.keys(), Vec::<String>::new());
    assert_eq!(store.parts().len(), left, "the parts of the upload that failed are removed");

    // The archive is there as a whole, but nothing says so.
    store.rule(|request| if is_write_of(request, ".sha256") { Fate::Hold } else { Fate::Pass });
    let mut killed = command(&store, bed.kubeconfig(), &backup).spawn().unwrap();
    tokio::time::timeout(Duration::from_mins(1), store.held()).await.unwrap();
    killed.kill().await.unwrap();
    assert_eq!(store.keys(), ["large.tar.zst"]);
    came_to(&run(&store, bed, &verify).await, hallmark::exit::REFUSED, "large.tar.zst.sha256` is missing");

    store.rule(|_request| Fate::Pass);
    let backup = ["backup", "s3://archives/whole.tar.zst", "--config-maps", "all"];
    came_to(&run(&store, bed, &backup).await, hallmark::exit::CONFORMANT, "");
    let size = std::fs::metadata(store.file("whole.tar.zst")).unwrap().len();
    assert!(size > 8 << 20, "it is uploaded in parts: {size}");
    let verify = ["verify", "s3://archives/whole.tar.zst"];
    came_to(&run(&store, bed, &verify).await, hallmark::exit::CONFORMANT, "is whole");
    for number in 0..LARGE_MAPS {
        maps.delete(&format!("large-{number}"), &DeleteParams::default()).await.unwrap();
    }
}

/// With conditional writes nobody's archive is overwritten, even if both have found that the name is free.
pub(crate) async fn of_two_backups_of_one_name_one_is_published(bed: &Bed) {
    let store = Store::start().await;
    bed.populate().await;
    let backup = ["backup", "s3://archives/a.tar.zst"];
    store.rule(|request| if is_write_of(request, ".sha256") { Fate::Hold } else { Fate::Pass });
    let first = command(&store, bed.kubeconfig(), &backup).spawn().unwrap();
    tokio::time::timeout(Duration::from_mins(1), store.held()).await.unwrap();
    let archive = std::fs::read(store.file("a.tar.zst")).unwrap();
    for environment in [None, Some(("AWS_CONDITIONAL_PUT", "disabled"))] {
        let second = command(&store, bed.kubeconfig(), &backup).envs(environment).output().await.unwrap();
        came_to(&second, hallmark::exit::USAGE, "`s3://archives/a.tar.zst` is there without its digest");
        assert_eq!(std::fs::read(store.file("a.tar.zst")).unwrap(), archive);
    }
    store.release();
    let first = first.wait_with_output().await.unwrap();
    came_to(&first, hallmark::exit::CONFORMANT, "");
    let verify = ["verify", "s3://archives/a.tar.zst"];
    came_to(&run(&store, bed, &verify).await, hallmark::exit::CONFORMANT, "is whole");
}

/// And before the cluster is read: nothing listens at the address of this one.
pub(crate) async fn trouble_with_a_store_names_what_to_look_at(bed: &Bed) {
    let store = Store::start().await;
    let nowhere = bed.folder.path().join("nowhere.yaml");
    std::fs::write(&nowhere, NOWHERE).unwrap();
    let stranger = [("AWS_SECRET_ACCESS_KEY", "another")];
    let nobody = [("AWS_ACCESS_KEY_ID", "nobody")];
    let address = "s3://archives/a.tar.zst";
    let elsewhere = "s3://elsewhere/a.tar.zst";
    let endpoint = &store.environment()[0].1;
    for (address, environment, expected) in [
        (
            address,
            &stranger[..],
            vec!["refuses the credentials (SignatureDoesNotMatch)", "AWS_SECRET_ACCESS_KEY"],
        ),
        (address, &nobody[..], vec!["refuses the credentials (NotSignedUp)", endpoint]),
        (elsewhere, &[][..], vec!["has no bucket `elsewhere`", endpoint, "AWS_ENDPOINT_URL"]),
    ] {
        for words in ["backup", "verify", "inspect", "restore"] {
            let mut command = command(&store, &nowhere, &[words, address]);
            let output = command.envs(environment.iter().copied()).output().await.unwrap();
            came_to(&output, hallmark::exit::USAGE, "help: ");
            for expected in &expected {
                came_to(&output, hallmark::exit::USAGE, expected);
            }
            came_to(&output, hallmark::exit::USAGE, &format!("`{address}"));
        }
    }
    assert_eq!(store.keys(), Vec::<String>::new());
}

/// A `ConfigMap` that people made, of a size near the greatest, and hardly to be compressed.
fn large(number: usize) -> Value {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (number as u64);
    let text: String = (0..1_000_000)
        .map(|_| {
            // Xorshift: it need not be random, only without repetition.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state % 64) as usize],
            )
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("large-{number}")}, "data": {"text": text}})
}

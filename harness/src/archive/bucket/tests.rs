//! Publication in a store in memory, which knows conditional writes. A real server is asked by `tests/backup`.

use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt as _, PutPayload};

use super::*;
use crate::archive::{Address, PublishError, VerifyError};
use crate::backup::{fixture, verify_bytes};

fn bucket() -> Bucket {
    Bucket { store: Arc::new(InMemory::new()), endpoint: "memory".to_owned() }
}

fn address() -> ObjectAddress {
    ObjectAddress { bucket: "b".to_owned(), key: "nightly/a.tar.zst".to_owned() }
}

async fn publish(bucket: &Bucket, bytes: &[u8]) -> Result<String, PublishError> {
    let verify = |bytes: &[u8], line: &str| verify_bytes(bytes, line, Limits::default());
    bucket.publish(bytes, &address(), verify).await
}

/// As if somebody had uploaded it and gone away.
async fn leave(bucket: &Bucket, address: &ObjectAddress, bytes: &[u8]) {
    bucket.store.put(&key(address), PutPayload::from(bytes.to_vec())).await.unwrap();
}

async fn keys(bucket: &Bucket) -> Vec<String> {
    let found: Vec<_> = bucket.store.list(None).try_collect().await.unwrap();
    found.into_iter().map(|object| object.location.to_string()).collect()
}

#[tokio::test]
async fn a_published_archive_verifies_and_is_not_overwritten() {
    let (bucket, archive) = (bucket(), fixture::archive());
    let sha256 = publish(&bucket, &archive).await.unwrap();
    let line = bucket.digest_line(&address()).await.unwrap().unwrap();
    assert_eq!(line, format!("{sha256}  a.tar.zst\n"));
    let read = bucket.read(&address(), Limits::default()).await.unwrap();
    assert_eq!(verify_bytes(&read, &line, Limits::default()).unwrap().sha256, sha256);
    assert_eq!(keys(&bucket).await, ["nightly/a.tar.zst", "nightly/a.tar.zst.sha256"]);
    let again = publish(&bucket, &archive).await;
    assert!(matches!(again, Err(PublishError::Exists(Address::Object(_)))), "{again:?}");
}

#[tokio::test]
async fn another_archive_without_digest_is_neither_overwritten_nor_completed() {
    let bucket = bucket();
    leave(&bucket, &address(), b"another").await;
    let refused = publish(&bucket, &fixture::archive()).await;
    assert!(matches!(refused, Err(PublishError::Unfinished { .. })), "{refused:?}");
    assert_eq!(bucket.read(&address(), Limits::default()).await.unwrap(), b"another");
    assert_eq!(keys(&bucket).await, ["nightly/a.tar.zst"]);
}

#[tokio::test]
async fn the_same_archive_without_digest_is_completed() {
    let bucket = bucket();
    leave(&bucket, &address(), &fixture::archive()).await;
    publish(&bucket, &fixture::archive()).await.unwrap();
    assert_eq!(keys(&bucket).await.len(), 2);
}

#[tokio::test]
async fn bytes_that_are_no_archive_get_no_digest() {
    let bucket = bucket();
    let refused = publish(&bucket, b"nonsense").await;
    assert!(matches!(refused, Err(PublishError::Unsound(_))), "{refused:?}");
    assert_eq!(keys(&bucket).await, ["nightly/a.tar.zst"]);
}

#[tokio::test]
async fn what_does_not_fit_into_one_request_comes_back_as_it_went() {
    let bucket = bucket();
    let bytes: Vec<u8> = (0..2 * PART + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
    bucket
        .publish(&bytes, &address(), |written, _line| {
            assert!(written == bytes, "other bytes came back");
            Ok(())
        })
        .await
        .unwrap();
    assert!(bucket.read(&address(), Limits::default()).await.unwrap() == bytes);
}

#[tokio::test]
async fn an_object_above_the_limit_is_not_read() {
    let bucket = bucket();
    leave(&bucket, &address(), b"12345").await;
    let limits = Limits { file: 4, ..Limits::default() };
    assert!(matches!(bucket.read(&address(), limits).await, Err(VerifyError::TooLarge { limit: 4, .. })));
}

#[tokio::test]
async fn an_object_that_is_not_there_is_named() {
    let error = bucket().read(&address(), Limits::default()).await.unwrap_err();
    assert!(error.to_string().contains("there is no object `s3://b/nightly/a.tar.zst`"), "{error}");
}

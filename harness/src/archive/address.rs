//! Where an archive is: a file, or an object of an S3-compatible store.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::publish::digest_path;

/// What the addresses of objects begin with.
const SCHEME: &str = "s3://";

/// Where an archive is, or the folder of archives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A file or folder of this machine.
    File(PathBuf),
    /// In a bucket.
    Object(ObjectAddress),
}

/// A place in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAddress {
    /// Name of the bucket.
    pub bucket: String,
    /// Key of the object, or a prefix of keys without the last slash; empty for the bucket itself.
    pub key: String,
}

/// An address that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Only files and S3 are known.
    #[error("`{0}` is no place for archives; help: name a file, or an object as {SCHEME}BUCKET/KEY")]
    Scheme(String),
    /// The bucket is missing.
    #[error("`{0}` names no bucket; help: write {SCHEME}BUCKET/KEY")]
    NoBucket(String),
    /// The key has parts which stores and tools read in different ways.
    #[error(
        "`{address}` has a key with the part `{part}`; help: use no `//`, `.`, `..` and control characters"
    )]
    Part {
        /// All of it.
        address: String,
        /// The part between two slashes.
        part: String,
    },
}

impl Address {
    /// Understands what stands on a command line. A file whose name looks like an address is named `./s3:/…`.
    pub fn parse(text: OsString) -> Result<Self, AddressError> {
        let Some(known) = text.to_str().map(str::to_owned) else { return Ok(Self::File(text.into())) };
        let Some(place) = known.strip_prefix(SCHEME) else {
            return if known.contains("://") {
                Err(AddressError::Scheme(known))
            } else {
                Ok(Self::File(text.into()))
            };
        };
        let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(AddressError::NoBucket(known));
        }
        let key = key.strip_suffix('/').unwrap_or(key);
        if !key.is_empty()
            && let Some(part) = key.split('/').find(|part| is_odd(part))
        {
            let part = part.to_owned();
            return Err(AddressError::Part { address: known, part });
        }
        Ok(Self::Object(ObjectAddress { bucket: bucket.to_owned(), key: key.to_owned() }))
    }

    /// Its last part.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::File(path) => path.file_name().unwrap_or_default().to_string_lossy(),
            Self::Object(object) => Cow::Borrowed(object.name()),
        }
    }

    /// The file or object with the digest of this archive: its presence means that the archive is complete.
    #[must_use]
    pub fn digest(&self) -> Self {
        match self {
            Self::File(path) => Self::File(digest_path(path)),
            Self::Object(object) => Self::Object(object.digest()),
        }
    }

    /// What has a name in this folder.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::File(folder) => Self::File(folder.join(name)),
            Self::Object(ObjectAddress { bucket, key }) => {
                let key = if key.is_empty() { name.to_owned() } else { format!("{key}/{name}") };
                Self::Object(ObjectAddress { bucket: bucket.clone(), key })
            }
        }
    }
}

impl ObjectAddress {
    /// The last part of the key.
    pub(crate) fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// The object with the digest of this archive: its presence means that the archive is complete.
    pub(crate) fn digest(&self) -> Self {
        Self { bucket: self.bucket.clone(), key: format!("{}.sha256", self.key) }
    }
}

fn is_odd(part: &str) -> bool {
    ["", ".", ".."].contains(&part) || part.chars().any(char::is_control)
}

impl From<ObjectAddress> for Address {
    fn from(object: ObjectAddress) -> Self {
        Self::Object(object)
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Address {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parse(text: &str) -> Result<Address, AddressError> {
        Address::parse(text.into())
    }

    #[rstest]
    #[case("s3://b/x.tar.zst", "b", "x.tar.zst")]
    #[case("s3://b/a/x.tar.zst", "b", "a/x.tar.zst")]
    #[case("s3://b/a/", "b", "a")]
    #[case("s3://b/", "b", "")]
    #[case("s3://b", "b", "")]
    fn an_object_has_a_bucket_and_a_key(#[case] text: &str, #[case] bucket: &str, #[case] key: &str) {
        let expected = ObjectAddress { bucket: bucket.to_owned(), key: key.to_owned() };
        assert_eq!(parse(text), Ok(Address::Object(expected)));
    }

    #[test]
    fn everything_without_a_scheme_is_a_file() {
        for text in ["x.tar.zst", "/a/b:c.tar.zst", "s3:/b/x", "./s3:/b"] {
            assert_eq!(parse(text), Ok(Address::File(text.into())));
        }
    }

    #[rstest]
    #[case("gs://b/x.tar.zst", "help: name a file, or an object as s3://BUCKET/KEY")]
    #[case("S3://b/x.tar.zst", "no place for archives")]
    #[case("s3:///x.tar.zst", "names no bucket")]
    #[case("s3://b//x.tar.zst", "the part ``")]
    #[case("s3://b/a/../x.tar.zst", "the part `..`")]
    #[case("s3://b/a\tb/x.tar.zst", "control characters")]
    fn what_would_be_read_in_two_ways_is_refused(#[case] text: &str, #[case] message: &str) {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(message) && error.contains(text), "{error}");
    }

    #[rstest]
    #[case("s3://b", "s3://b/x.tar.zst")]
    #[case("s3://b/a/", "s3://b/a/x.tar.zst")]
    #[case("backups", "backups/x.tar.zst")]
    fn a_name_is_put_into_a_folder(#[case] folder: &str, #[case] expected: &str) {
        let joined = parse(folder).unwrap().join("x.tar.zst");
        assert_eq!(joined.to_string(), expected);
        assert_eq!(joined.name(), "x.tar.zst");
    }
}

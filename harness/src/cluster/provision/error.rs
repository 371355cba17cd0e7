//! Why a binary is not there.

use std::io;
use std::path::{Path, PathBuf};

/// A binary that was neither found nor built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// Neither a binary nor Go.
    #[error(
        "build {name}: `go` was not found in PATH\n  \
         help: install Go 1.26 or newer, name a folder of binaries in HALLMARK_KUBE_BIN, or use Docker with `--cluster k3s`"
    )]
    NoGo {
        /// What was to be built.
        name: String,
    },
    /// Go is too old, and may not fetch a newer one.
    #[error(
        "build {name}: Go {wanted} or newer is needed, `go` is {found} and does not fetch another (`go env GOTOOLCHAIN`)"
    )]
    OldGo {
        /// What is to be built.
        name: String,
        /// The least version.
        wanted: String,
        /// The version of `go`.
        found: String,
    },
    /// Go does not find the sources.
    #[error("build {name}: Go cannot get its modules: {said}")]
    NoModule {
        /// What is to be built.
        name: String,
        /// What Go says.
        said: String,
    },
    /// Go does not run.
    #[error("run `go` to build {name}")]
    Go {
        /// What was to be built.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Go refused or failed.
    #[error("build {name}: go {status}; the end of its output:\n{output}")]
    Build {
        /// What was to be built.
        name: String,
        /// How Go ended.
        status: String,
        /// Its last lines.
        output: String,
    },
    /// A build needs several gigabytes for Go's own cache.
    #[error(
        "build {name}: no space left on the disk of `{}` or of Go's cache (`go env GOCACHE`, `GOTMPDIR`)",
        .path.display()
    )]
    DiskFull {
        /// What was to be built.
        name: String,
        /// The folder of our cache.
        path: PathBuf,
    },
    /// A file of the cache.
    #[error("{action} `{}`", .path.display())]
    Cache {
        /// What was done.
        action: &'static str,
        /// With which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no place for the cache.
    #[error("find a cache folder: none of HALLMARK_CACHE, XDG_CACHE_HOME and HOME is set")]
    NoCacheFolder,
    /// A folder that the user named does not exist.
    #[error("{variable} names `{}`, which is no folder", .path.display())]
    NoFolder {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// A binary that the user named is of another version.
    #[error("{variable} has {component} {found}, but {wanted} is wanted")]
    Version {
        /// The environment variable.
        variable: &'static str,
        /// The component.
        component: &'static str,
        /// Its version.
        found: String,
        /// The version that is wanted.
        wanted: String,
    },
    /// A binary that the user named does not tell its version.
    #[error("ask `{}` for its version: {reason}", .path.display())]
    Unusable {
        /// The binary.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

impl ProvisionError {
    /// Wraps an error about a path of the cache; a full disk is told as such.
    pub(super) fn cache(
        name: &str,
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self + use<> {
        let (name, path) = (name.to_owned(), path.to_owned());
        move |source| {
            if source.kind() == io::ErrorKind::StorageFull {
                Self::DiskFull { name, path }
            } else {
                Self::Cache { action, path, source }
            }
        }
    }
}

//! Where the output of a child goes.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// One of the two output streams of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes one line of output.
pub type LineSink = Arc<dyn Fn(Stream, &str) + Send + Sync>;

/// What is done with a child's standard output and standard error.
#[derive(Clone, Default)]
pub enum Output {
    /// Nothing.
    #[default]
    Discard,
    /// Both are appended to this file.
    File(PathBuf),
    /// Called once per line, without the line's end, invalid UTF-8 replaced.
    ///
    /// Lines of one stream arrive in order; the two streams are not ordered against each other.
    Lines(LineSink),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discard => f.write_str("Discard"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Lines(_) => f.write_str("Lines"),
        }
    }
}

impl Output {
    /// Standard output and standard error for the child.
    pub(super) fn open(&self) -> io::Result<(Stdio, Stdio)> {
        Ok(match self {
            Self::Discard => (Stdio::null(), Stdio::null()),
            Self::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                (file.try_clone()?.into(), file.into())
            }
            Self::Lines(_) => (Stdio::piped(), Stdio::piped()),
        })
    }

    /// Reads `pipe` to its end.
    pub(super) async fn forward(self, stream: Stream, pipe: impl AsyncRead + Unpin) {
        let Self::Lines(line) = self else { return };
        let mut pipe = BufReader::new(pipe);
        let mut buffer = Vec::new();
        // A pipe that cannot be read has the same meaning as one that ended: nothing more will come.
        while let Ok(1..) = pipe.read_until(b'\n', &mut buffer).await {
            let text = String::from_utf8_lossy(&buffer);
            line(stream, text.trim_end_matches(['\n', '\r']));
            buffer.clear();
        }
    }
}

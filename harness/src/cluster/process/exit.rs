//! How a process ended, and how that travels from the supervisor to the harness.

use std::fmt;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// The supervisor vanished without saying; the child is gone with it.
    Unknown,
}

impl Exit {
    /// Whether it exited with code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

/// A line from the supervisor to the harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// The child runs with this process id, which is also its process group.
    Started(i32),
    /// The child ended.
    Ended(Exit),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(pid) => write!(f, "started {pid}"),
            Self::Ended(Exit::Code(code)) => write!(f, "code {code}"),
            Self::Ended(Exit::Signal(signal)) => write!(f, "signal {signal}"),
            Self::Ended(Exit::Unknown) => f.write_str("unknown 0"),
        }
    }
}

impl Message {
    /// Reads a line; `None` if it is no message.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (word, number) = line.trim_end().split_once(' ')?;
        let number = number.parse().ok()?;
        match word {
            "started" => Some(Self::Started(number)),
            "code" => Some(Self::Ended(Exit::Code(number))),
            "signal" => Some(Self::Ended(Exit::Signal(number))),
            "unknown" => Some(Self::Ended(Exit::Unknown)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_socket() {
        for message in [
            Message::Started(42),
            Message::Ended(Exit::Code(0)),
            Message::Ended(Exit::Code(255)),
            Message::Ended(Exit::Signal(9)),
            Message::Ended(Exit::Unknown),
        ] {
            assert_eq!(Message::parse(&format!("{message}\n")), Some(message));
        }
    }

    #[test]
    fn other_output_on_the_socket_is_no_message() {
        for line in ["", "started", "started x", "running 3 tests", "code"] {
            assert_eq!(Message::parse(line), None, "{line:?}");
        }
    }
}

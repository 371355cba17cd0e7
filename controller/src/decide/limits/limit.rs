//! Why a run may not start now, in words for its status.

use jiff::Timestamp;

use super::super::status::reason;

/// Where a limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One namespace.
    Namespace,
    /// One Agent of a namespace.
    Agent,
    /// One repository.
    Repository,
    /// All watched namespaces.
    Cluster,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Namespace, Self::Agent, Self::Repository, Self::Cluster];

    /// The word for people and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Agent => "agent",
            Self::Repository => "repository",
            Self::Cluster => "cluster",
        }
    }
}

/// The limit that a run has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many runs are in flight.
    Concurrency {
        /// Where.
        scope: Scope,
        /// How many are allowed.
        most: usize,
    },
    /// So many older runs wait.
    Queue {
        /// Where.
        scope: Scope,
        /// How many may wait in front.
        most: usize,
    },
    /// So many runs were started a short while ago.
    Rate {
        /// Where.
        scope: Scope,
        /// How many starts are allowed in the window.
        most: usize,
        /// When the next one is possible.
        free_at: Timestamp,
    },
}

impl Limit {
    /// Reason of the condition Blocked.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Concurrency { .. } => reason::CONCURRENCY_LIMIT,
            Self::Queue { .. } => reason::QUEUE_LIMIT,
            Self::Rate { .. } => reason::RATE_LIMIT,
        }
    }

    /// Which limit of which scope this is; does not change while the run waits for the same thing.
    pub fn description(&self) -> String {
        match self {
            Self::Concurrency { scope, most } => {
                format!("the {} is at its limit of {most} runs in flight", scope.word())
            }
            Self::Queue { scope, most } => {
                format!("the {} is at its limit of {most} older waiting runs", scope.word())
            }
            Self::Rate { scope, most, .. } => {
                format!("the {} is at its rate limit of {most} starts per window", scope.word())
            }
        }
    }

    /// The description, for a rate with the time to wait.
    pub fn message(&self, now: Timestamp) -> String {
        match self {
            Self::Rate { free_at, .. } => {
                let seconds = (free_at.as_second() - now.as_second()).max(1);
                format!("{}; the next start is possible in {seconds} s", self.description())
            }
            _ => self.description(),
        }
    }

    /// Whether both are about the same limit, whatever the time to wait.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rate { scope: a, .. }, Self::Rate { scope: b, .. }) => a == b,
            _ => self == other,
        }
    }
}

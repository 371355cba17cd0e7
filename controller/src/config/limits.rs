//! How many runs may be in flight, wait and start.

use std::collections::BTreeMap;
use std::time::Duration;

use super::env::EnvReader;

/// All limits. What is no limit is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most runs in flight.
    pub concurrency: Concurrency,
    /// Most waiting runs in front of one that may still start.
    pub queue: Bounds,
    /// Most starts within `window`.
    pub rate: Bounds,
    /// Length of the sliding window of `rate`.
    pub window: Duration,
}

/// Most runs in flight, per scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// In one namespace.
    pub namespace: usize,
    /// Of one Agent.
    pub agent: usize,
    /// In all watched namespaces.
    pub cluster: usize,
    /// On one repository, unless `repositories` says otherwise.
    pub repository: Option<usize>,
    /// On single repositories, by their lower-case name.
    pub repositories: BTreeMap<String, Option<usize>>,
}

/// One bound for each scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// In one namespace.
    pub namespace: Option<usize>,
    /// On one repository.
    pub repository: Option<usize>,
    /// In all watched namespaces.
    pub cluster: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self::read(&mut EnvReader::default())
    }
}

impl Limits {
    /// Reads the `JANGAR_AGENTS_CONTROLLER_{CONCURRENCY,REPO_CONCURRENCY,QUEUE,RATE}_*` variables.
    pub(super) fn read(env: &mut EnvReader) -> Self {
        Self {
            concurrency: Concurrency::read(env),
            queue: Bounds {
                namespace: bound(env, "JANGAR_AGENTS_CONTROLLER_QUEUE_NAMESPACE", 200),
                repository: bound(env, "JANGAR_AGENTS_CONTROLLER_QUEUE_REPO", 50),
                cluster: bound(env, "JANGAR_AGENTS_CONTROLLER_QUEUE_CLUSTER", 1000),
            },
            rate: Bounds {
                namespace: bound(env, "JANGAR_AGENTS_CONTROLLER_RATE_NAMESPACE", 120),
                repository: bound(env, "JANGAR_AGENTS_CONTROLLER_RATE_REPO", 30),
                cluster: bound(env, "JANGAR_AGENTS_CONTROLLER_RATE_CLUSTER", 600),
            },
            window: env.seconds("JANGAR_AGENTS_CONTROLLER_RATE_WINDOW_SECONDS", 60, 1),
        }
    }
}

impl Concurrency {
    fn read(env: &mut EnvReader) -> Self {
        let on = env.switch("JANGAR_AGENTS_CONTROLLER_REPO_CONCURRENCY_ENABLED", false);
        let repository = bound(env, "JANGAR_AGENTS_CONTROLLER_REPO_CONCURRENCY_DEFAULT", 0);
        let repositories = env.amounts("JANGAR_AGENTS_CONTROLLER_REPO_CONCURRENCY_OVERRIDES");
        let repositories = repositories.into_iter().map(|(name, most)| (name, positive(most)));
        Self {
            namespace: count(env.integer("JANGAR_AGENTS_CONTROLLER_CONCURRENCY_NAMESPACE", 10, 1)),
            agent: count(env.integer("JANGAR_AGENTS_CONTROLLER_CONCURRENCY_AGENT", 5, 1)),
            cluster: count(env.integer("JANGAR_AGENTS_CONTROLLER_CONCURRENCY_CLUSTER", 100, 1)),
            repository: repository.filter(|_| on),
            repositories: if on { repositories.collect() } else { BTreeMap::new() },
        }
    }

    /// Most runs in flight on this repository.
    pub fn of_repository(&self, name: &str) -> Option<usize> {
        self.repositories.get(name).copied().unwrap_or(self.repository)
    }
}

/// A bound whose zero means that there is none.
fn bound(env: &mut EnvReader, variable: &'static str, default: i64) -> Option<usize> {
    positive(env.integer(variable, default, 0))
}

fn positive(value: i64) -> Option<usize> {
    Some(count(value)).filter(|most| *most > 0)
}

fn count(value: i64) -> usize {
    usize::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Limits, usize) {
        let variables = variables
            .iter()
            .map(|(key, value)| (format!("JANGAR_AGENTS_CONTROLLER_{key}"), (*value).to_owned()));
        let mut env = EnvReader::new(variables);
        (Limits::read(&mut env), env.warnings.len())
    }

    #[test]
    fn the_documented_defaults_hold() {
        let (limits, warnings) = read(&[]);
        let concurrency = &limits.concurrency;
        assert_eq!((concurrency.namespace, concurrency.agent, concurrency.cluster), (10, 5, 100));
        assert_eq!(concurrency.of_repository("a/b"), None);
        assert_eq!(limits.queue.namespace, Some(200));
        assert_eq!(limits.rate.cluster, Some(600));
        assert_eq!((limits.window, warnings), (Duration::from_mins(1), 0));
    }

    #[test]
    fn zero_lifts_queue_and_rate_but_is_no_concurrency() {
        let (limits, warnings) =
            read(&[("QUEUE_NAMESPACE", "0"), ("RATE_REPO", "0"), ("CONCURRENCY_AGENT", "0")]);
        assert_eq!((limits.queue.namespace, limits.rate.repository), (None, None));
        assert_eq!((limits.concurrency.agent, warnings), (5, 1));
    }

    #[test]
    fn single_repositories_have_their_own_limit_once_it_is_switched_on() {
        let overrides = [
            ("REPO_CONCURRENCY_DEFAULT", "2"),
            ("REPO_CONCURRENCY_OVERRIDES", r#"{" Acme/Big ": 9, "acme/free": 0}"#),
        ];
        let (off, _) = read(&overrides);
        assert_eq!(off.concurrency.of_repository("acme/big"), None);
        let on = [&overrides[..], &[("REPO_CONCURRENCY_ENABLED", "true")]].concat();
        let (on, warnings) = read(&on);
        let of = |name| on.concurrency.of_repository(name);
        assert_eq!((of("acme/big"), of("acme/free"), of("acme/other")), (Some(9), None, Some(2)));
        assert_eq!(warnings, 0);
    }
}

//! Settings of the leader election.

use std::time::Duration;

use super::env::{EnvReader, Problem};
use crate::decide::lease::Terms;

const LEASE: &str = "JANGAR_LEADER_ELECTION_LEASE_DURATION_SECONDS";
const RENEW: &str = "JANGAR_LEADER_ELECTION_RENEW_DEADLINE_SECONDS";
const RETRY: &str = "JANGAR_LEADER_ELECTION_RETRY_PERIOD_SECONDS";

/// How one of several replicas is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderElection {
    /// Name of the Lease.
    pub name: String,
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the pod, as part of the identity.
    pub pod: Option<String>,
    /// How long things take.
    pub terms: Terms,
}

impl LeaderElection {
    /// Reads the `JANGAR_LEADER_ELECTION_*` variables. Times that cannot work stop the start: with them
    /// two replicas could act at once, or none.
    pub(super) fn read(env: &mut EnvReader) -> Option<Self> {
        if !env.switch("JANGAR_LEADER_ELECTION_ENABLED", false) {
            return None;
        }
        let mut seconds = |variable, default| env.integer(variable, default, 1);
        let (lease, renew, retry) = (seconds(LEASE, 30), seconds(RENEW, 20), seconds(RETRY, 5));
        if !(retry < renew && renew < lease) {
            env.fatal.push(Problem {
                variable: RENEW,
                value: renew.to_string(),
                rule: format!("more than {RETRY} ({retry}) and less than {LEASE} ({lease})"),
            });
        }
        if i32::try_from(lease).is_err() {
            let rule = format!("at most {} seconds", i32::MAX);
            env.fatal.push(Problem { variable: LEASE, value: lease.to_string(), rule });
        }
        let duration = |seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let own = || env.text("JANGAR_POD_NAMESPACE").unwrap_or_else(|| "agents".to_owned());
        Some(Self {
            name: env
                .text("JANGAR_LEADER_ELECTION_LEASE_NAME")
                .unwrap_or_else(|| "agents-controller-leader".to_owned()),
            namespace: env.text("JANGAR_LEADER_ELECTION_LEASE_NAMESPACE").unwrap_or_else(own),
            pod: env.text("JANGAR_POD_NAME").or_else(|| env.text("HOSTNAME")),
            terms: Terms { lease: duration(lease), renew: duration(renew), retry: duration(retry) },
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Option<LeaderElection>, Vec<&'static str>) {
        let mut env = EnvReader::new(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let election = LeaderElection::read(&mut env);
        (election, env.fatal.iter().map(|problem| problem.variable).collect())
    }

    #[test]
    fn it_is_off_unless_switched_on_and_has_the_documented_defaults() {
        assert_eq!(read(&[]).0, None);
        let on = ("JANGAR_LEADER_ELECTION_ENABLED", "true");
        let expected = LeaderElection {
            name: "agents-controller-leader".to_owned(),
            namespace: "here".to_owned(),
            pod: Some("pod-1".to_owned()),
            terms: Terms {
                lease: Duration::from_secs(30),
                renew: Duration::from_secs(20),
                retry: Duration::from_secs(5),
            },
        };
        let (election, fatal) = read(&[on, ("JANGAR_POD_NAMESPACE", "here"), ("HOSTNAME", "pod-1")]);
        assert_eq!((election, fatal), (Some(expected), Vec::new()));
    }

    /// [LC-19]
    #[rstest]
    #[case("15", "10", "2", &[])]
    #[case("10", "10", "2", &[RENEW])]
    #[case("15", "10", "10", &[RENEW])]
    #[case("5", "10", "20", &[RENEW])]
    #[case("3000000000", "10", "2", &[LEASE])]
    fn times_that_cannot_work_stop_the_start(
        #[case] lease: &str,
        #[case] renew: &str,
        #[case] retry: &str,
        #[case] expected: &[&str],
    ) {
        let on = ("JANGAR_LEADER_ELECTION_ENABLED", "1");
        assert_eq!(read(&[on, (LEASE, lease), (RENEW, renew), (RETRY, retry)]).1, expected);
    }
}

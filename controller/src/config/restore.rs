//! Settings for the time during and after a restore.

use std::time::Duration;

use super::env::{EnvReader, Problem};

const POLICY: &str = "JANGAR_AGENTS_CONTROLLER_RESTORE_INFLIGHT_POLICY";

/// What a restore means for the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// Whether the process begins with a hold, which then lasts as long as the process.
    pub hold: bool,
    /// Name of the `ConfigMap` that announces a hold.
    pub hold_config_map: String,
    /// Its namespace: that of the controller itself.
    pub hold_namespace: String,
    /// What becomes of runs that were in flight.
    pub in_flight: InFlightPolicy,
    /// How long retention deletes nothing after a hold.
    pub retention_grace: Duration,
}

/// What becomes of a restored run that was in flight. Its Job is lost with the cluster it ran in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InFlightPolicy {
    /// It fails: what it did outside of the cluster was not undone, so only its owner may repeat it.
    #[default]
    Fail,
    /// It is executed again.
    Retry,
}

impl Default for Restore {
    fn default() -> Self {
        Self::read(&mut EnvReader::default())
    }
}

impl Restore {
    /// Reads the variables of the restore hold.
    pub(super) fn read(env: &mut EnvReader) -> Self {
        let or = |variable, default: &str| env.text(variable).unwrap_or_else(|| default.to_owned());
        let hold_config_map = or("JANGAR_AGENTS_CONTROLLER_RESTORE_HOLD_CONFIGMAP", "agents-restore-hold");
        let hold_namespace = or("JANGAR_POD_NAMESPACE", "agents");
        Self {
            hold: env.switch("JANGAR_AGENTS_CONTROLLER_RESTORE_HOLD", false),
            hold_config_map,
            hold_namespace,
            in_flight: in_flight(env),
            retention_grace: env.seconds(
                "JANGAR_AGENTS_CONTROLLER_RETENTION_GRACE_AFTER_HOLD_SECONDS",
                600,
                0,
            ),
        }
    }
}

fn in_flight(env: &mut EnvReader) -> InFlightPolicy {
    match env.text(POLICY).as_deref() {
        None | Some("fail") => InFlightPolicy::Fail,
        Some("retry") => InFlightPolicy::Retry,
        Some(value) => {
            let rule = "fail or retry, using fail".to_owned();
            env.warnings.push(Problem { variable: POLICY, value: value.to_owned(), rule });
            InFlightPolicy::Fail
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(variable: &str, value: &str) -> (Restore, usize) {
        let mut env = EnvReader::new([(variable.to_owned(), value.to_owned())]);
        (Restore::read(&mut env), env.warnings.len())
    }

    #[rstest]
    #[case("", InFlightPolicy::Fail, 0)]
    #[case("fail", InFlightPolicy::Fail, 0)]
    #[case("retry", InFlightPolicy::Retry, 0)]
    #[case("again", InFlightPolicy::Fail, 1)]
    fn only_the_word_retry_repeats_anything(
        #[case] value: &str,
        #[case] expected: InFlightPolicy,
        #[case] warned: usize,
    ) {
        let (restore, warnings) = read(POLICY, value);
        assert_eq!((restore.in_flight, warnings), (expected, warned));
    }

    #[rstest]
    #[case("", 600)]
    #[case("0", 0)]
    #[case("-1", 600)]
    #[case("5", 5)]
    fn the_grace_may_be_switched_off_but_not_by_mistake(#[case] value: &str, #[case] seconds: u64) {
        let (restore, _) = read("JANGAR_AGENTS_CONTROLLER_RETENTION_GRACE_AFTER_HOLD_SECONDS", value);
        assert_eq!(restore.retention_grace, Duration::from_secs(seconds));
    }

    #[test]
    fn the_object_is_looked_for_where_the_controller_is() {
        let (restore, _) = read("JANGAR_POD_NAMESPACE", "here");
        assert_eq!(
            (restore.hold_namespace.as_str(), restore.hold_config_map.as_str(), restore.hold),
            ("here", "agents-restore-hold", false)
        );
    }
}

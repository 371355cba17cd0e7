//! How long a finished Job lives.
//!
//! The Job gets its TTL only after the run's terminal status was written; before that a TTL could remove
//! the Job before its result was read.

use serde_json::Value;

use super::number;
use crate::config::Problem;
use crate::defects::Defect;

/// The key of a run's own value in its `runtime.config`.
pub const KEY: &str = "ttlSecondsAfterFinished";
/// Shortest TTL a Job gets, in seconds.
pub const MINIMUM: i64 = 30;
/// Longest TTL a Job gets, in seconds: seven days.
pub const MAXIMUM: i64 = 604_800;
/// TTL when nothing is configured, in seconds.
pub const DEFAULT: i32 = 600;

/// The TTL of runs that set none, and what was wrong with the variable that should set it.
#[derive(Debug, Clone, PartialEq)]
pub struct TtlDefault {
    ttl: Ttl,
    written: Option<String>,
}

impl Default for TtlDefault {
    fn default() -> Self {
        Self::from_env(None)
    }
}

impl TtlDefault {
    /// Reads the value of the environment, `None` when it is absent or blank.
    pub fn from_env(value: Option<&str>) -> Self {
        let seconds = if Defect::WrongTtlDefault.is_planted() { 300 } else { DEFAULT };
        let default = Ttl { seconds: Some(seconds), remark: Remark::None };
        let value = value.filter(|_| !Defect::EnvironmentTtlIgnored.is_planted());
        let Some(value) = value else { return Self { ttl: default, written: None } };
        let ttl = number::parse(value).map_or(Ttl { remark: Remark::Unusable, ..default }, Ttl::from_number);
        Self { ttl, written: Some(value.to_owned()) }
    }

    /// Seconds, or `None` when the TTL is switched off.
    pub fn seconds(&self) -> Option<i32> {
        self.ttl.seconds
    }

    /// What is wrong with `variable`, if anything.
    pub fn problem(&self, variable: &'static str) -> Option<Problem> {
        let rule = match self.ttl.remark {
            Remark::None => return None,
            Remark::Unusable => format!("a number of seconds, using {DEFAULT}"),
            Remark::Clamped => format!("{MINIMUM} to {MAXIMUM} seconds, or 0 to switch the TTL off"),
        };
        Some(Problem { variable, value: self.written.clone().unwrap_or_default(), rule })
    }
}

/// A decided TTL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl {
    /// Seconds for the Job, or `None` for no TTL at all.
    pub seconds: Option<i32>,
    /// What the user should know about the value that was given.
    pub remark: Remark,
}

/// What is odd about a given value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// Nothing.
    None,
    /// It is no number and was passed over.
    Unusable,
    /// It was outside the limits.
    Clamped,
}

impl Ttl {
    fn from_number(number: f64) -> Self {
        if number <= 0.0 && Defect::ZeroTtlBecomesOneSecond.is_planted() {
            return Self { seconds: Some(1), remark: Remark::None };
        }
        if number <= 0.0 {
            // The documented way to switch the TTL off, hence no remark and no look at the next source.
            return Self { seconds: None, remark: Remark::None };
        }
        let floored = number::floor(number);
        let lowest = if Defect::TtlWithoutMinimum.is_planted() { 1 } else { MINIMUM };
        let lowest = if Defect::TtlMinimumOffByOne.is_planted() { MINIMUM + 1 } else { lowest };
        let highest = if Defect::TtlWithoutMaximum.is_planted() { i64::from(i32::MAX) } else { MAXIMUM };
        let clamped = floored.clamp(lowest, highest);
        let remark = if clamped == floored { Remark::None } else { Remark::Clamped };
        Self { seconds: i32::try_from(clamped).ok(), remark }
    }
}

/// The TTL for the Job of a run: the run's own value if it is a number, else the default.
pub fn for_run(runtime_config: Option<&Value>, default: &TtlDefault) -> Ttl {
    let inherited = Ttl { seconds: default.seconds(), remark: Remark::None };
    let runtime_config = runtime_config.filter(|_| !Defect::OwnTtlIgnored.is_planted());
    match runtime_config.and_then(|config| config.get(KEY)) {
        None => inherited,
        Some(value) => {
            number::from_json(value).map_or(Ttl { remark: Remark::Unusable, ..inherited }, Ttl::from_number)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn decided(value: Option<Value>, env: Option<&str>) -> Option<i32> {
        let config = value.map(|value| json!({"ttlSecondsAfterFinished": value}));
        for_run(config.as_ref(), &TtlDefault::from_env(env)).seconds
    }

    /// [TTL-01] to [TTL-06], [TTL-11] to [TTL-15]
    #[rstest]
    #[case(None, None, Some(600))]
    #[case(None, Some("90"), Some(90))]
    #[case(Some(json!(120)), Some("90"), Some(120))]
    #[case(Some(json!("120")), Some("90"), Some(120))]
    #[case(Some(json!(" 120 ")), Some("90"), Some(120))]
    #[case(Some(json!(5)), None, Some(30))]
    #[case(Some(json!(29.9)), None, Some(30))]
    #[case(Some(json!(0.5)), None, Some(30))]
    #[case(Some(json!("5")), None, Some(30))]
    #[case(Some(json!(30)), None, Some(30))]
    #[case(Some(json!(31)), None, Some(31))]
    #[case(Some(json!(59.9)), None, Some(59))]
    #[case(Some(json!(604_799)), None, Some(604_799))]
    #[case(Some(json!(604_800)), None, Some(604_800))]
    #[case(Some(json!(604_801)), None, Some(604_800))]
    #[case(Some(json!(1e6)), None, Some(604_800))]
    #[case(Some(json!("1e+06")), None, Some(604_800))]
    #[case(Some(json!(0)), Some("90"), None)]
    #[case(Some(json!(-1)), Some("90"), None)]
    #[case(Some(json!(-0.5)), Some("90"), None)]
    #[case(Some(json!("0")), Some("90"), None)]
    #[case(Some(json!("abc")), Some("90"), Some(90))]
    #[case(Some(json!("120abc")), Some("90"), Some(90))]
    #[case(Some(json!("Infinity")), Some("90"), Some(90))]
    #[case(Some(json!("")), Some("90"), Some(90))]
    #[case(Some(json!(true)), Some("90"), Some(90))]
    #[case(Some(json!(null)), Some("90"), Some(90))]
    #[case(Some(json!([])), Some("90"), Some(90))]
    #[case(Some(json!({})), Some("90"), Some(90))]
    #[case(Some(json!("abc")), Some("abc"), Some(600))]
    #[case(None, Some("NaN"), Some(600))]
    #[case(None, Some("0"), None)]
    #[case(None, Some("-5"), None)]
    #[case(None, Some("12"), Some(30))]
    #[case(None, Some("1e2"), Some(100))]
    #[case(None, Some("1e+06"), Some(604_800))]
    fn the_documented_table_holds(
        #[case] value: Option<Value>,
        #[case] env: Option<&str>,
        #[case] expected: Option<i32>,
    ) {
        assert_eq!(decided(value, env), expected);
    }

    proptest! {
        /// [TTL-04] [TTL-05] [TTL-13]
        #[test]
        fn a_ttl_is_never_outside_the_limits(number in any::<f64>(), env in any::<f64>()) {
            let ttl = decided(Some(json!(number)), Some(&env.to_string()));
            prop_assert!(ttl.is_none_or(|seconds| (30..=604_800).contains(&seconds)));
        }
    }
}

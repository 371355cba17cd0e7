//! All settings together, and the rules for reading them.

use std::fmt::Write as _;
use std::time::Duration;

use thiserror::Error;

use crate::decide::heartbeat::Objectives;
use crate::defects::{self, Defect};

use super::backup;
use super::database::Database;
use super::env::{EnvReader, Problem};
use super::later::{Later, VCS_PROVIDERS};
use super::leader_election::LeaderElection;
use super::limits::Limits;
use super::log_level;
use super::restore::Restore;
use super::workload::RunnerDefaults;

/// Settings of the process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Whether this process runs the controller at all.
    pub enabled: bool,
    /// Where it works.
    pub namespaces: Namespaces,
    /// Port of the HTTP server.
    pub port: u16,
    /// Path of the metrics, unless they are switched off.
    pub metrics_path: Option<String>,
    /// Which replica works, unless there is only one.
    pub leader_election: Option<LeaderElection>,
    /// What is switched on and has no effect yet.
    pub later: Vec<Later>,
    /// Filter of the log, for example `info`.
    pub log_level: String,
    /// Defaults for pods.
    pub runner: RunnerDefaults,
    /// What runs may not do.
    pub policy: Policy,
    /// A Secret that every run gets.
    pub auth_secret: Option<AuthSecret>,
    /// How many runs may be in flight, wait and start.
    pub limits: Limits,
    /// How long terminal runs are kept that say nothing themselves, in seconds; 0 keeps them for ever.
    pub retention_seconds: i64,
    /// Most runs of one namespace that retention deletes within a minute.
    pub retention_max_deletes: usize,
    /// What is expected of backups, if anything.
    pub backup: Option<Objectives>,
    /// What remembers idempotency keys and the history of runs, if anything.
    pub database: Option<Database>,
    /// What a restore means.
    pub restore: Restore,
    /// How long a Job may be missing before its run fails.
    pub job_missing_grace: Duration,
    /// Whether a changed spec ends an accepted run.
    pub immutability_enforced: bool,
    /// Artifacts a run may report, at most 50.
    pub artifacts_max: usize,
    /// Whether too many or malformed artifacts fail the run.
    pub artifacts_strict: bool,
}

/// Where the controller works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// Everywhere, with cluster-wide watches.
    #[default]
    All,
    /// Only in these, with one watch each, so that namespaced Roles suffice.
    Named(Vec<String>),
}

/// Admission rules. Empty lists allow everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Label keys that need a value.
    pub labels_required: Vec<String>,
    /// Patterns every label key must match one of.
    pub labels_allowed: Vec<String>,
    /// Patterns no label key may match.
    pub labels_denied: Vec<String>,
    /// Patterns the image must match one of.
    pub images_allowed: Vec<String>,
    /// Patterns the image may not match.
    pub images_denied: Vec<String>,
    /// Names of Secrets no run may use.
    pub blocked_secrets: Vec<String>,
}

/// A Secret that is mounted into every run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSecret {
    /// Name of the Secret.
    pub name: String,
    /// Key that is mounted.
    pub key: String,
    /// Directory it is mounted in.
    pub mount_path: String,
}

/// The environment does not allow a start.
#[derive(Debug, Error)]
#[error("read the environment:{}", lines(.problems))]
pub struct SettingsError {
    /// Everything that is wrong, the warnings included.
    pub problems: Vec<Problem>,
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut text, problem| {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {problem}");
        text
    })
}

impl Settings {
    /// Whether version control providers are switched on, so that their CRD is required.
    pub fn vcs_providers(&self) -> bool {
        self.later.iter().any(|later| later.variable == VCS_PROVIDERS)
    }

    /// Reads all settings. Returns them with the warnings, or everything that is wrong.
    pub fn read(mut env: EnvReader) -> Result<(Self, Vec<Problem>), SettingsError> {
        let settings = Self {
            enabled: env.switch("JANGAR_AGENTS_CONTROLLER_ENABLED", false),
            namespaces: namespaces(&mut env),
            port: port(&mut env),
            metrics_path: metrics_path(&mut env),
            leader_election: LeaderElection::read(&mut env),
            later: Later::read(&mut env),
            log_level: log_level::read(&mut env),
            runner: RunnerDefaults::read(&mut env),
            policy: policy(&mut env),
            auth_secret: auth_secret(&env),
            limits: Limits::read(&mut env),
            retention_seconds: env.integer(
                "JANGAR_AGENTS_CONTROLLER_AGENTRUN_RETENTION_SECONDS",
                if Defect::UnreadableRetentionMeansSoon.is_planted() { 3 } else { 2_592_000 },
                0,
            ),
            retention_max_deletes: retention_max_deletes(&mut env),
            backup: backup::read(&mut env),
            database: Database::read(&mut env),
            restore: Restore::read(&mut env),
            job_missing_grace: env.seconds("JANGAR_AGENTS_CONTROLLER_JOB_MISSING_GRACE_SECONDS", 10, 0),
            immutability_enforced: env.switch("JANGAR_AGENTRUN_IMMUTABILITY_ENFORCED", true),
            artifacts_max: artifacts_max(&mut env),
            artifacts_strict: env.switch("JANGAR_AGENTRUN_ARTIFACTS_STRICT", false),
        };
        env.check(defects::VARIABLE, defects::refused);
        if env.fatal.is_empty() {
            Ok((settings, env.warnings))
        } else {
            let problems = env.fatal.into_iter().chain(env.warnings).collect();
            Err(SettingsError { problems })
        }
    }
}

fn retention_max_deletes(env: &mut EnvReader) -> usize {
    let value = env.integer("JANGAR_AGENTS_CONTROLLER_AGENTRUN_RETENTION_MAX_DELETES_PER_NAMESPACE", 100, 1);
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn namespaces(env: &mut EnvReader) -> Namespaces {
    let mut names = env.list("JANGAR_AGENTS_CONTROLLER_NAMESPACES");
    if names.iter().any(|name| name == "*") {
        return Namespaces::All;
    }
    if names.is_empty() {
        names.push(env.text("JANGAR_POD_NAMESPACE").unwrap_or_else(|| "agents".to_owned()));
    }
    names.sort();
    names.dedup();
    Namespaces::Named(names)
}

fn port(env: &mut EnvReader) -> u16 {
    const DEFAULT: u16 = 8080;
    let value = env.integer("PORT", i64::from(DEFAULT), 0);
    u16::try_from(value).unwrap_or_else(|_| {
        env.warnings.push(Problem {
            variable: "PORT",
            value: value.to_string(),
            rule: format!("a port number, using {DEFAULT}"),
        });
        DEFAULT
    })
}

fn metrics_path(env: &mut EnvReader) -> Option<String> {
    const VARIABLE: &str = "JANGAR_PROMETHEUS_METRICS_PATH";
    const DEFAULT: &str = "/metrics";
    if !env.switch("JANGAR_PROMETHEUS_METRICS_ENABLED", true) {
        return None;
    }
    let path = env.text(VARIABLE).unwrap_or_else(|| DEFAULT.to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    if path.starts_with('/') && path.len() > 1 && path.chars().all(plain) && !is_served(&path) {
        return Some(path);
    }
    let rule = format!("a path of its own that begins with a slash, using {DEFAULT}");
    env.warnings.push(Problem { variable: VARIABLE, value: path, rule });
    Some(DEFAULT.to_owned())
}

/// Whether another endpoint has this path.
fn is_served(path: &str) -> bool {
    let own = ["/livez", "/healthz", "/readyz", "/health", "/backupz"];
    own.contains(&path) || path.starts_with("/backupz/")
}

fn policy(env: &mut EnvReader) -> Policy {
    Policy {
        labels_required: env.list("JANGAR_AGENTS_CONTROLLER_LABELS_REQUIRED"),
        labels_allowed: env.list("JANGAR_AGENTS_CONTROLLER_LABELS_ALLOWED"),
        labels_denied: env.list("JANGAR_AGENTS_CONTROLLER_LABELS_DENIED"),
        images_allowed: env.list("JANGAR_AGENTS_CONTROLLER_IMAGES_ALLOWED"),
        images_denied: env.list("JANGAR_AGENTS_CONTROLLER_IMAGES_DENIED"),
        blocked_secrets: env.list("JANGAR_AGENTS_CONTROLLER_BLOCKED_SECRETS"),
    }
}

fn auth_secret(env: &EnvReader) -> Option<AuthSecret> {
    let or = |variable, default: &str| env.text(variable).unwrap_or_else(|| default.to_owned());
    let mount_path = or("JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_MOUNT_PATH", "/root/.codex");
    Some(AuthSecret {
        name: env.text("JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_NAME")?,
        key: or("JANGAR_AGENTS_CONTROLLER_AUTH_SECRET_KEY", "auth.json"),
        mount_path: mount_path.trim_end_matches('/').to_owned(),
    })
}

fn artifacts_max(env: &mut EnvReader) -> usize {
    let value = env.integer("JANGAR_AGENTRUN_ARTIFACTS_MAX", 50, 0);
    usize::try_from(value).unwrap_or_default().min(50)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Settings, Vec<Problem>), SettingsError> {
        Settings::read(EnvReader::new(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))))
    }

    #[rstest]
    #[case(&[], &["agents"])]
    #[case(&[("JANGAR_POD_NAMESPACE", "here")], &["here"])]
    #[case(&[("JANGAR_AGENTS_CONTROLLER_NAMESPACES", "b,a,b"), ("JANGAR_POD_NAMESPACE", "here")], &["a", "b"])]
    #[case(&[("JANGAR_AGENTS_CONTROLLER_NAMESPACES", r#"["a"]"#)], &["a"])]
    fn namespaces_fall_back_to_the_pods_own(#[case] variables: &[(&str, &str)], #[case] expected: &[&str]) {
        let (settings, _) = read(variables).unwrap();
        let expected = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(settings.namespaces, Namespaces::Named(expected));
    }

    #[test]
    fn a_star_means_all_namespaces() {
        let (settings, _) = read(&[("JANGAR_AGENTS_CONTROLLER_NAMESPACES", "*")]).unwrap();
        assert_eq!(settings.namespaces, Namespaces::All);
    }

    /// [SEC-01] A broken policy must not become "no policy".
    #[test]
    fn broken_policies_stop_the_start_and_every_problem_is_named() {
        let error = read(&[
            ("JANGAR_AGENTS_CONTROLLER_IMAGES_DENIED", "[\"a\""),
            ("JANGAR_AGENTS_CONTROLLER_BLOCKED_SECRETS", "{}"),
            ("PORT", "http"),
        ])
        .unwrap_err();
        let named: Vec<_> = error.problems.iter().map(|problem| problem.variable).collect();
        assert_eq!(
            named,
            ["JANGAR_AGENTS_CONTROLLER_IMAGES_DENIED", "JANGAR_AGENTS_CONTROLLER_BLOCKED_SECRETS", "PORT"]
        );
        assert!(error.to_string().contains(r#"PORT="http": expected a number"#), "{error}");
    }

    /// [RET-08] [RET-09]
    #[rstest]
    #[case("", 2_592_000, 0)]
    #[case("0", 0, 0)]
    #[case("2.592e+06", 2_592_000, 0)]
    #[case("59.9", 59, 0)]
    #[case("-1", 2_592_000, 1)]
    #[case("3d", 2_592_000, 1)]
    fn a_retention_that_cannot_be_read_never_means_soon(
        #[case] value: &str,
        #[case] expected: i64,
        #[case] warned: usize,
    ) {
        let variable = "JANGAR_AGENTS_CONTROLLER_AGENTRUN_RETENTION_SECONDS";
        let (settings, warnings) = read(&[(variable, value)]).unwrap();
        assert_eq!((settings.retention_seconds, warnings.len()), (expected, warned));
    }

    #[rstest]
    #[case(&[], Some("/metrics"), 0)]
    #[case(&[("JANGAR_PROMETHEUS_METRICS_PATH", "/prometheus")], Some("/prometheus"), 0)]
    #[case(&[("JANGAR_PROMETHEUS_METRICS_PATH", "metrics")], Some("/metrics"), 1)]
    #[case(&[("JANGAR_PROMETHEUS_METRICS_PATH", "/{name}")], Some("/metrics"), 1)]
    #[case(&[("JANGAR_PROMETHEUS_METRICS_PATH", "/readyz")], Some("/metrics"), 1)]
    #[case(&[("JANGAR_PROMETHEUS_METRICS_PATH", "/backupz/leader")], Some("/metrics"), 1)]
    #[case(&[("JANGAR_PROMETHEUS_METRICS_ENABLED", "false")], None, 0)]
    fn metrics_have_a_path_of_their_own(
        #[case] variables: &[(&str, &str)],
        #[case] expected: Option<&str>,
        #[case] warned: usize,
    ) {
        let (settings, warnings) = read(variables).unwrap();
        assert_eq!(settings.metrics_path.as_deref(), expected);
        assert_eq!(warnings.len(), warned);
    }

    #[test]
    fn mistakes_outside_policies_are_warnings() {
        let (settings, warnings) = read(&[("JANGAR_AGENT_RUNNER_JOB_TTL_SECONDS", "abc")]).unwrap();
        assert_eq!(settings.runner.job_ttl.seconds(), Some(600));
        assert_eq!(warnings.len(), 1);
    }
}

//! `/backupz`: whether now is a good moment for a backup.
//!
//! The answer holds numbers and words of this program only. It is meant for whoever takes backups, never
//! for a probe: a problem with backups must not restart or unplug a controller that works.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::decide::heartbeat::{Heartbeat, News, Objectives};
use crate::defects::Defect;
use crate::store::StoreState;

use super::census::Count;
use super::health::Role;

/// Names of all checks.
pub const NAMES: [&str; 11] = [
    "crds-established",
    "informers-synced",
    "leader",
    "writes-settled",
    "status-current",
    "idempotency-store",
    "restore-hold",
    "runs-in-flight",
    "last-backup-age",
    "last-backup-verified",
    "last-restore-drill-age",
];

/// Everything the checks look at.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What this replica does.
    pub role: Role,
    /// CRDs that are missing; nothing while that is not known.
    pub missing_crds: Option<Vec<String>>,
    /// Why nothing may be written, if a restore forbids it.
    pub held: Option<String>,
    /// What the caches hold; nothing without caches.
    pub count: Option<Count>,
    /// Passes and writes that are under way.
    pub busy: usize,
    /// How the database stands.
    pub store: StoreState,
    /// What is expected of backups and what was heard of them, if a backup system is configured.
    pub backups: Option<(Objectives, Heartbeat)>,
}

/// How a check went, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All is well.
    Pass,
    /// Nothing is known; counts as a warning.
    Unknown,
    /// A backup is possible, with a remark.
    Warn,
    /// This is no moment for a backup.
    Fail,
}

impl Status {
    /// The word in the answer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// How it went.
    pub status: Status,
    /// Why, as a code.
    pub reason: Option<&'static str>,
    /// Why, for people.
    pub output: String,
    /// What was counted, and its unit.
    pub observed: Option<(usize, &'static str)>,
}

impl Check {
    fn new(name: &'static str, status: Status) -> Self {
        Self { name, status, reason: None, output: String::new(), observed: None }
    }

    fn pass(name: &'static str) -> Self {
        Self::new(name, Status::Pass)
    }

    fn because(self, reason: &'static str, output: impl Into<String>) -> Self {
        Self { reason: Some(reason), output: output.into(), ..self }
    }

    /// A number that should be zero.
    fn count(name: &'static str, number: Option<usize>, unit: &'static str, reason: &'static str) -> Self {
        match number {
            None => Self::new(name, Status::Unknown).because("NoCaches", "this replica keeps no caches"),
            Some(0) => Self { observed: Some((0, unit)), ..Self::pass(name) },
            Some(number) => Self {
                observed: Some((number, unit)),
                ..Self::new(name, Status::Warn).because(reason, format!("{number} {unit}"))
            },
        }
    }
}

/// All checks in their order.
pub fn checks(facts: &Facts, now: Timestamp) -> Vec<Check> {
    let count = facts.count.as_ref();
    let unsettled = count.map(|count| facts.busy + count.untouched);
    let of_backups = |name, look: &dyn Fn(&Objectives, &News) -> Check| match &facts.backups {
        None => {
            Check::new(name, Status::Unknown).because("NotConfigured", "no backup system is configured here")
        }
        Some((_, Heartbeat::Unknown)) => {
            Check::new(name, Status::Unknown).because("HeartbeatUnknown", "its Lease cannot be read")
        }
        Some((objectives, Heartbeat::Read(news))) => look(objectives, news),
    };
    vec![
        crds(facts),
        informers(facts),
        leader(facts.role),
        Check::count("writes-settled", unsettled, "writes", "WritesPending"),
        Check::count("status-current", count.map(|count| count.outdated), "runs", "StatusBehind"),
        store(facts.store),
        hold(facts.held.as_deref()),
        Check::count("runs-in-flight", count.map(|count| count.in_flight), "runs", "RunsInFlight"),
        of_backups("last-backup-age", &|objectives, news| backup_age(objectives, news, now)),
        of_backups("last-backup-verified", &|_, news| backup_verified(news)),
        of_backups("last-restore-drill-age", &|objectives, news| drill_age(objectives, news, now)),
    ]
}

fn backup_age(objectives: &Objectives, news: &News, now: Timestamp) -> Check {
    let name = "last-backup-age";
    let Some(at) = news.backup_at else {
        // Nothing is known that is too old, and the first backup must not wait for itself.
        return Check::new(name, Status::Warn).because("NoBackup", "there was no verified backup yet");
    };
    let (age, most) = (age(at, now), whole_seconds(objectives.recovery_point.as_secs()));
    let output = format!("the last verified backup is {age} s old, {most} s are allowed");
    let check = if age > most && !Defect::OldBackupsPass.is_planted() {
        Check::new(name, Status::Fail).because("BackupTooOld", output)
    } else if age > most / 5 * 4 {
        Check::new(name, Status::Warn).because("BackupAging", output)
    } else {
        Check::pass(name)
    };
    Check { observed: Some((age, "s")), ..check }
}

fn backup_verified(news: &News) -> Check {
    let name = "last-backup-verified";
    if news.verification_failed {
        Check::new(name, Status::Fail).because("VerificationFailed", "the last verification has failed")
    } else if news.backup_at.is_none() {
        Check::new(name, Status::Warn).because("NeverVerified", "no backup was verified yet")
    } else {
        Check::pass(name)
    }
}

/// A drill that is due is a matter for people; it never stands in the way of a backup.
fn drill_age(objectives: &Objectives, news: &News, now: Timestamp) -> Check {
    let name = "last-restore-drill-age";
    let Some(at) = news.drill_at else {
        return Check::new(name, Status::Warn).because("NoDrill", "no restore drill is known");
    };
    let (age, most) = (age(at, now), whole_seconds(objectives.drill.as_secs()));
    let check = if age > most {
        Check::new(name, Status::Warn)
            .because("DrillTooOld", format!("the last restore drill was {age} s ago"))
    } else {
        Check::pass(name)
    };
    Check { observed: Some((age, "s")), ..check }
}

/// Whole seconds since then; a clock that is ahead gives none.
fn age(at: Timestamp, now: Timestamp) -> usize {
    let age: SignedDuration = now.duration_since(at);
    usize::try_from(age.as_secs()).unwrap_or_default()
}

fn whole_seconds(seconds: u64) -> usize {
    usize::try_from(seconds).unwrap_or(usize::MAX)
}

fn crds(facts: &Facts) -> Check {
    let name = "crds-established";
    match &facts.missing_crds {
        Some(missing) if missing.is_empty() => Check::pass(name),
        Some(missing) => Check {
            observed: Some((missing.len(), "CRDs")),
            ..Check::new(name, Status::Fail).because("CrdsMissing", missing.join(", "))
        },
        None => Check::new(name, Status::Fail).because("CrdsUnknown", "the API server was not asked yet"),
    }
}

fn informers(facts: &Facts) -> Check {
    let name = "informers-synced";
    match &facts.count {
        Some(count) if count.unfilled == 0 => Check::pass(name),
        Some(count) => Check {
            observed: Some((count.unfilled, "caches")),
            ..Check::new(name, Status::Fail).because("CachesNotFilled", "caches are not filled yet")
        },
        None if facts.role == Role::Standby => {
            Check::new(name, Status::Warn).because("Standby", "a standby keeps no caches, ask the leader")
        }
        None => Check::new(name, Status::Fail).because("CachesNotFilled", "there are no caches yet"),
    }
}

fn leader(role: Role) -> Check {
    let name = "leader";
    match role {
        Role::Leader => Check::pass(name),
        Role::Standby => {
            Check::new(name, Status::Warn).because("Standby", "this replica is a standby, ask the leader")
        }
        Role::Lost => {
            Check::new(name, Status::Fail).because("NoLeader", "it is not known who leads, if anybody does")
        }
        Role::Off => {
            Check::new(name, Status::Fail).because("ControllerOff", "no controller runs in this process")
        }
    }
}

fn store(state: StoreState) -> Check {
    let name = "idempotency-store";
    match state {
        // A backup needs nothing of a database that is not there.
        StoreState::Off | StoreState::Ready => Check::pass(name),
        StoreState::Down(_) if Defect::StoreTroublePasses.is_planted() => Check::pass(name),
        StoreState::Idle => Check::new(name, Status::Warn)
            .because("StoreNotAsked", "this replica does not work, and does not ask the database"),
        StoreState::Opening => {
            Check::new(name, Status::Fail).because("StoreOpening", "the database is being brought up to date")
        }
        StoreState::Down(reason) => Check::new(name, Status::Fail)
            .because(reason, "the database cannot be used, runs with an idempotency key wait"),
    }
}

fn hold(held: Option<&str>) -> Check {
    let name = "restore-hold";
    match held {
        None => Check::pass(name),
        Some(held) => Check::new(name, Status::Fail).because("RestoreHold", held),
    }
}

/// The worst of all, except that what is not known is a warning at most.
pub fn overall(checks: &[Check]) -> Status {
    if Defect::BackupAlwaysReady.is_planted() {
        return Status::Pass;
    }
    let worst = checks.iter().map(|check| check.status).max().unwrap_or(Status::Pass);
    match worst {
        Status::Unknown if Defect::UnknownBackupsFail.is_planted() => Status::Fail,
        Status::Unknown => Status::Warn,
        known => known,
    }
}

/// The answer as JSON, after the draft of `application/health+json`.
pub fn body(checks: &[Check], revisions: &BTreeMap<&'static str, u64>, now: Timestamp) -> Value {
    let mut reasons: Vec<&str> = checks.iter().filter_map(|check| check.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let details: Map<String, Value> = checks
        .iter()
        .map(|check| {
            let mut detail = Map::from_iter([
                ("status".to_owned(), json!(check.status.word())),
                ("time".to_owned(), json!(now)),
            ]);
            if let Some((number, unit)) = check.observed {
                detail.insert("observedValue".to_owned(), json!(number));
                detail.insert("observedUnit".to_owned(), json!(unit));
            }
            if !check.output.is_empty() {
                detail.insert("output".to_owned(), json!(check.output));
            }
            (check.name.to_owned(), json!([detail]))
        })
        .collect();
    let versions: Map<String, Value> =
        revisions.iter().map(|(kind, version)| ((*kind).to_owned(), json!(version.to_string()))).collect();
    json!({
        "schemaVersion": "1",
        "status": overall(checks).word(),
        "generatedAt": now,
        "reasonCodes": reasons,
        "checks": details,
        "revisions": versions,
    })
}

/// The answer as text, in the way of Kubernetes' own health endpoints.
pub fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        // Writing to a String cannot fail.
        let _ = match check.status {
            Status::Fail => writeln!(text, "[-]{} failed: {}", check.name, check.output),
            Status::Pass => writeln!(text, "[+]{} ok", check.name),
            status => writeln!(text, "[+]{} ok ({}: {})", check.name, status.word(), check.output),
        };
    }
    let _ =
        writeln!(text, "backupz check {}", if overall(checks) == Status::Fail { "failed" } else { "passed" });
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    /// The facts with a backup and a drill of this age, where 100 and 50 seconds are allowed.
    fn backed_up(backup: Option<i64>, drill: Option<i64>, verification_failed: bool) -> Facts {
        let ago = |age: Option<i64>| age.map(|age| Timestamp::from_second(NOW - age).unwrap());
        let objectives = Objectives {
            lease: "l".to_owned(),
            recovery_point: Duration::from_secs(100),
            drill: Duration::from_secs(50),
        };
        let news = News { backup_at: ago(backup), verification_failed, drill_at: ago(drill) };
        Facts { backups: Some((objectives, Heartbeat::Read(news))), ..facts() }
    }

    fn facts() -> Facts {
        Facts {
            role: Role::Leader,
            missing_crds: Some(Vec::new()),
            held: None,
            count: Some(Count::default()),
            busy: 0,
            store: StoreState::Off,
            backups: None,
        }
    }

    /// The facts with a change to what the caches hold.
    fn counting(change: impl FnOnce(&mut Count)) -> Facts {
        let mut count = Count::default();
        change(&mut count);
        Facts { count: Some(count), ..facts() }
    }

    fn status(facts: &Facts, name: &str) -> Status {
        checks(facts, now()).into_iter().find(|check| check.name == name).unwrap().status
    }

    /// [HL-03]
    #[rstest]
    #[case("crds-established", facts(), Status::Pass)]
    #[case("crds-established", Facts { missing_crds: Some(vec!["agents.x".to_owned()]), ..facts() }, Status::Fail)]
    #[case("crds-established", Facts { missing_crds: None, ..facts() }, Status::Fail)]
    #[case("informers-synced", facts(), Status::Pass)]
    #[case("informers-synced", counting(|count| count.unfilled = 1), Status::Fail)]
    #[case("informers-synced", Facts { count: None, ..facts() }, Status::Fail)]
    #[case("informers-synced", Facts { count: None, role: Role::Standby, ..facts() }, Status::Warn)]
    #[case("leader", facts(), Status::Pass)]
    #[case("leader", Facts { role: Role::Standby, ..facts() }, Status::Warn)]
    #[case("leader", Facts { role: Role::Lost, ..facts() }, Status::Fail)]
    #[case("leader", Facts { role: Role::Off, ..facts() }, Status::Fail)]
    #[case("writes-settled", facts(), Status::Pass)]
    #[case("writes-settled", Facts { busy: 1, ..facts() }, Status::Warn)]
    #[case("writes-settled", counting(|count| count.untouched = 1), Status::Warn)]
    #[case("status-current", facts(), Status::Pass)]
    #[case("status-current", counting(|count| count.outdated = 1), Status::Warn)]
    #[case("runs-in-flight", counting(|count| count.in_flight = 9), Status::Warn)]
    #[case("idempotency-store", facts(), Status::Pass)]
    #[case("idempotency-store", Facts { store: StoreState::Ready, ..facts() }, Status::Pass)]
    #[case("idempotency-store", Facts { store: StoreState::Idle, ..facts() }, Status::Warn)]
    #[case("idempotency-store", Facts { store: StoreState::Opening, ..facts() }, Status::Fail)]
    #[case("idempotency-store", Facts { store: StoreState::Down("StoreUnreachable"), ..facts() }, Status::Fail)]
    #[case("restore-hold", facts(), Status::Pass)]
    #[case("restore-hold", Facts { held: Some("why".to_owned()), ..facts() }, Status::Fail)]
    #[case("last-backup-age", facts(), Status::Unknown)]
    fn each_check_answers_as_documented(#[case] name: &str, #[case] facts: Facts, #[case] expected: Status) {
        assert_eq!(status(&facts, name), expected);
    }

    /// [DR-H05] [DR-H06]
    #[rstest]
    #[case::fresh(backed_up(Some(80), Some(50), false), Status::Pass, Status::Pass, Status::Pass)]
    #[case::aging(backed_up(Some(81), Some(51), false), Status::Warn, Status::Pass, Status::Warn)]
    #[case::just_in_time(backed_up(Some(100), None, false), Status::Warn, Status::Pass, Status::Warn)]
    #[case::too_old(backed_up(Some(101), None, false), Status::Fail, Status::Pass, Status::Warn)]
    #[case::clock_ahead(backed_up(Some(-9), None, false), Status::Pass, Status::Pass, Status::Warn)]
    #[case::not_verified(backed_up(Some(1), None, true), Status::Pass, Status::Fail, Status::Warn)]
    #[case::never(backed_up(None, None, false), Status::Warn, Status::Warn, Status::Warn)]
    #[case::not_configured(facts(), Status::Unknown, Status::Unknown, Status::Unknown)]
    #[case::unreadable(
        Facts { backups: backed_up(None, None, false).backups.map(|(it, _)| (it, Heartbeat::Unknown)), ..facts() },
        Status::Unknown, Status::Unknown, Status::Unknown
    )]
    fn backups_are_judged_only_where_they_are_known(
        #[case] facts: Facts,
        #[case] age: Status,
        #[case] verified: Status,
        #[case] drill: Status,
    ) {
        let found = ["last-backup-age", "last-backup-verified", "last-restore-drill-age"];
        assert_eq!(found.map(|name| status(&facts, name)), [age, verified, drill]);
    }

    #[test]
    fn the_names_are_those_of_the_checks() {
        assert_eq!(checks(&facts(), now()).into_iter().map(|check| check.name).collect::<Vec<_>>(), NAMES);
    }

    #[test]
    fn the_worst_check_wins_and_what_is_unknown_is_a_warning_at_most() {
        assert_eq!(overall(&checks(&facts(), now())), Status::Warn);
        let known: Vec<_> =
            checks(&facts(), now()).into_iter().filter(|check| check.status == Status::Pass).collect();
        assert_eq!(overall(&known), Status::Pass);
        assert_eq!(overall(&checks(&Facts { role: Role::Lost, ..facts() }, now())), Status::Fail);
    }

    #[test]
    fn the_answer_names_reasons_numbers_and_versions() {
        let facts = Facts { busy: 2, ..facts() };
        let body = body(&checks(&facts, now()), &BTreeMap::from([("AgentRun", 42)]), now());
        assert_eq!(body["status"], "warn");
        assert_eq!(body["reasonCodes"], json!(["NotConfigured", "WritesPending"]));
        assert_eq!(body["revisions"], json!({"AgentRun": "42"}));
        let settled = &body["checks"]["writes-settled"][0];
        assert_eq!((&settled["status"], &settled["observedValue"]), (&json!("warn"), &json!(2)));
    }

    #[test]
    fn the_text_marks_failures() {
        let text = text(&checks(&Facts { role: Role::Off, ..facts() }, now()));
        assert!(text.contains("[+]crds-established ok\n"), "{text}");
        assert!(text.contains("[-]leader failed: no controller runs in this process\n"), "{text}");
        assert!(text.ends_with("backupz check failed\n"), "{text}");
    }
}

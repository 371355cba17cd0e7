//! All metrics and the events that move them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::decide::status::phase;

use super::labels::{Bounded, Counters, Gauges, Labels};
use super::share::Share;

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reasons: Bounded,
    runs: Gauges<1>,
    blocked_now: Gauges<1>,
    terminal: Counters<2>,
    blocked: Counters<1>,
    in_flight: Gauges<1>,
    limit: Gauges<1>,
    waiting: Gauge,
    reconciles: Family<Labels<2>, Histogram>,
    reconcile_errors: Counters<2>,
    status_writes: Counters<1>,
    job_ttl_patches: Counter,
    retention_deletions: Counter,
    retention_backlog: Gauge,
    events: Counters<1>,
    configuration_warnings: Gauge,
    leader: Gauge,
    crds_ready: Gauge,
    restore_hold: Gauge,
    backup_ready: Gauges<1>,
    last_backup: Gauge,
    api_requests: Counters<2>,
    active: Gauge,
    writes: Gauge,
    store: Store,
}

/// What the optional database is about.
#[derive(Debug, Default)]
struct Store {
    up: Gauge,
    waiting: Gauge,
    keys: Counters<1>,
    errors: Counters<1>,
    history: Counters<1>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("agents");
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "Version of this program", Info::new(build));
        let reconciles = reconciles();
        registry.register_with_unit(
            "reconcile_duration",
            "Time of a pass over one object, by kind and result",
            Unit::Seconds,
            reconciles.clone(),
        );
        let metrics = Self {
            reasons: Bounded::default(),
            runs: Gauges::default(),
            blocked_now: Gauges::default(),
            terminal: Counters::default(),
            blocked: Counters::default(),
            in_flight: Gauges::default(),
            limit: Gauges::default(),
            waiting: Gauge::default(),
            reconciles,
            reconcile_errors: Counters::default(),
            status_writes: Counters::default(),
            job_ttl_patches: Counter::default(),
            retention_deletions: Counter::default(),
            retention_backlog: Gauge::default(),
            events: Counters::default(),
            configuration_warnings: Gauge::default(),
            leader: Gauge::default(),
            crds_ready: Gauge::default(),
            restore_hold: Gauge::default(),
            backup_ready: Gauges::default(),
            last_backup: Gauge::default(),
            api_requests: Counters::default(),
            active: Gauge::default(),
            writes: Gauge::default(),
            store: Store::default(),
            registry: Registry::default(),
        };
        metrics.register_runs(&mut registry);
        metrics.register_process(&mut registry);
        metrics.store.register(&mut registry);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register_runs(&self, registry: &mut Registry) {
        registry.register("runs", "Runs that are there, by phase", self.runs.clone());
        registry.register(
            "runs_blocked_now",
            "Runs that wait for capacity, by the reason they show",
            self.blocked_now.clone(),
        );
        registry.register("runs_terminal", "Runs that ended, by phase and reason", self.terminal.clone());
        registry.register("runs_blocked", "Times a run was blocked, by reason", self.blocked.clone());
        registry.register(
            "runs_in_flight",
            "Runs that hold a slot, of the fullest of each scope",
            self.in_flight.clone(),
        );
        registry.register("runs_limit", "Slots for runs, by scope; the default of each", self.limit.clone());
        registry.register("runs_waiting", "Runs in the queue for a slot", self.waiting.clone());
        registry.register(
            "job_ttl_patches",
            "Finished Jobs that were given their time to live",
            self.job_ttl_patches.clone(),
        );
        registry.register(
            "retention_deletions",
            "Runs that were deleted at the end of their retention",
            self.retention_deletions.clone(),
        );
        registry.register(
            "retention_backlog",
            "Runs whose retention is over and that are still there",
            self.retention_backlog.clone(),
        );
    }

    fn register_process(&self, registry: &mut Registry) {
        registry.register(
            "reconcile_errors",
            "Passes that failed, by kind and reason",
            self.reconcile_errors.clone(),
        );
        registry.register(
            "reconciles_active",
            "Passes that are under way, or wait for their turn",
            self.active.clone(),
        );
        registry.register(
            "api_writes_active",
            "Writes that the API server has not answered yet",
            self.writes.clone(),
        );
        registry.register("status_writes", "Statuses that were written, by kind", self.status_writes.clone());
        registry.register("events", "Kubernetes Events, by what became of them", self.events.clone());
        registry.register(
            "configuration_warnings",
            "Variables that were replaced by their default",
            self.configuration_warnings.clone(),
        );
        registry.register("leader", "Whether this replica does the work", self.leader.clone());
        registry.register("crds_ready", "Whether all required CRDs are served", self.crds_ready.clone());
        registry.register("restore_hold", "Whether a restore holds the work", self.restore_hold.clone());
        registry.register(
            "backup_ready",
            "Whether a backup may be taken as far as this check can tell",
            self.backup_ready.clone(),
        );
        registry.register(
            "last_backup_timestamp_seconds",
            "Time of the last verified backup; 0 while none is known",
            self.last_backup.clone(),
        );
        registry.register(
            "api_requests",
            "Requests to the API server, by verb and code; code 0 is no answer",
            self.api_requests.clone(),
        );
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// How many runs there are in each phase, and how many show each reason for waiting.
    pub fn runs(&self, phases: &BTreeMap<&'static str, usize>, blocked: &BTreeMap<String, usize>) {
        for phase in phase::ALL {
            let number = phases.get(phase).copied().unwrap_or_default();
            self.runs.get_or_create(&one("phase", phase)).set(gauge(number));
        }
        // A reason that nobody shows any more goes away.
        self.blocked_now.clear();
        for (reason, number) in blocked {
            let labels = one("reason", self.reasons.value(reason));
            self.blocked_now.get_or_create(&labels).inc_by(gauge(*number));
        }
    }

    /// A run has ended.
    pub fn ended(&self, phase: &str, reason: &str) {
        let labels = two("phase", self.reasons.value(phase), "reason", self.reasons.value(reason));
        self.terminal.get_or_create(&labels).inc();
    }

    /// A run was told to wait for capacity.
    pub fn blocked(&self, reason: &str) {
        self.blocked.get_or_create(&one("reason", self.reasons.value(reason))).inc();
    }

    /// Runs that hold a slot of this scope.
    pub fn in_flight(&self, scope: &'static str) -> Share {
        Share::of(&self.in_flight.get_or_create(&one("scope", scope)))
    }

    /// There are so many slots in this scope.
    pub fn limit(&self, scope: &'static str, number: usize) {
        self.limit.get_or_create(&one("scope", scope)).set(gauge(number));
    }

    /// Runs that wait for a slot.
    pub fn waiting(&self) -> Share {
        Share::of(&self.waiting)
    }

    /// A pass is under way while the answer lives.
    pub fn reconciling(&self) -> Share {
        Share::one(&self.active)
    }

    /// A write is under way while the answer lives.
    pub fn writing(&self) -> Share {
        Share::one(&self.writes)
    }

    /// Passes and writes that are under way.
    pub fn busy(&self) -> usize {
        usize::try_from(self.active.get().saturating_add(self.writes.get())).unwrap_or_default()
    }

    /// A pass over an object of this kind has ended.
    pub fn reconciled(&self, kind: &'static str, result: &'static str, took: Duration) {
        self.reconciles.get_or_create(&two("kind", kind, "result", result)).observe(took.as_secs_f64());
    }

    /// A pass failed.
    pub fn reconcile_failed(&self, kind: &'static str, reason: &'static str) {
        self.reconcile_errors.get_or_create(&two("kind", kind, "reason", reason)).inc();
    }

    /// The status of an object of this kind was written.
    pub fn status_written(&self, kind: &'static str) {
        self.status_writes.get_or_create(&one("kind", kind)).inc();
    }

    /// A finished Job was given its time to live.
    pub fn job_ttl_patched(&self) {
        self.job_ttl_patches.inc();
    }

    /// A run was deleted at the end of its retention.
    pub fn retention_deleted(&self) {
        self.retention_deletions.inc();
    }

    /// Runs that are there although their retention is over.
    pub fn retention_backlog(&self) -> Share {
        Share::of(&self.retention_backlog)
    }

    /// A Kubernetes Event was published, dropped or refused.
    pub fn event(&self, result: &'static str) {
        self.events.get_or_create(&one("result", result)).inc();
    }

    /// So many variables were replaced by their default.
    pub fn configuration_warnings(&self, number: usize) {
        self.configuration_warnings.set(gauge(number));
    }

    /// Whether this replica does the work.
    pub fn leading(&self, leading: bool) {
        self.leader.set(i64::from(leading));
    }

    /// Whether all required CRDs are served.
    pub fn crds_ready(&self, ready: bool) {
        self.crds_ready.set(i64::from(ready));
    }

    /// Whether a restore holds the work.
    pub fn restore_hold(&self, active: bool) {
        self.restore_hold.set(i64::from(active));
    }

    /// Whether this check of `/backupz` lets a backup be taken.
    pub fn backup_ready(&self, check: &'static str, ready: bool) {
        self.backup_ready.get_or_create(&one("check", check)).set(i64::from(ready));
    }

    /// A verified backup was taken at this time.
    pub fn last_backup(&self, at: Timestamp) {
        self.last_backup.set(at.as_second());
    }

    /// Whether the database can be used.
    pub fn store_up(&self, up: bool) {
        self.store.up.set(i64::from(up));
    }

    /// Runs that wait for the database.
    pub fn store_waiting(&self) -> Share {
        Share::of(&self.store.waiting)
    }

    /// A call to the database failed.
    pub fn store_failed(&self, reason: &'static str) {
        self.store.errors.get_or_create(&one("reason", reason)).inc();
    }

    /// A run with a key asked for it.
    pub fn key(&self, result: &'static str) {
        self.store.keys.get_or_create(&one("result", result)).inc();
    }

    /// So many runs went into the history.
    pub fn history_written(&self, number: usize) {
        self.store
            .history
            .get_or_create(&one("result", "written"))
            .inc_by(u64::try_from(number).unwrap_or(0));
    }

    /// A run stays out of the history unless it is seen again, as too many wait for the database.
    pub fn history_dropped(&self) {
        self.store.history.get_or_create(&one("result", "dropped")).inc();
    }

    /// The API server answered a request, or did not (code 0).
    pub fn requested(&self, verb: &'static str, code: u16) {
        self.api_requests.get_or_create(&two("verb", verb, "code", code.to_string())).inc();
    }
}

impl Store {
    fn register(&self, registry: &mut Registry) {
        registry.register("store_up", "Whether the database can be used, if there is one", self.up.clone());
        registry.register("store_runs_waiting", "Runs with a key that wait for it", self.waiting.clone());
        registry.register(
            "store_errors",
            "Calls to the database that failed, by reason",
            self.errors.clone(),
        );
        registry.register(
            "idempotency_keys",
            "Keys that runs asked for, by what became of it",
            self.keys.clone(),
        );
        registry.register(
            "history_runs",
            "Finished runs that were written to the history or dropped; a repetition counts",
            self.history.clone(),
        );
    }
}

fn reconciles() -> Family<Labels<2>, Histogram> {
    // From 1 ms to 33 s, which is a little more than a pass may take.
    Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 16)))
}

fn one(name: &'static str, value: impl Into<Cow<'static, str>>) -> Labels<1> {
    [(name, value.into())]
}

fn two(
    name: &'static str,
    value: impl Into<Cow<'static, str>>,
    other_name: &'static str,
    other_value: impl Into<Cow<'static, str>>,
) -> Labels<2> {
    [(name, value.into()), (other_name, other_value.into())]
}

/// The number as gauges take it.
pub(super) fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [HL-04]
    #[test]
    fn everything_an_operator_asks_for_is_there_under_its_documented_name() {
        let metrics = Metrics::default();
        metrics.runs(&BTreeMap::from([(phase::RUNNING, 2)]), &BTreeMap::from([("QueueLimit".to_owned(), 3)]));
        metrics.ended("Failed", "JobMissing");
        metrics.blocked("RateLimit");
        let shares = [
            metrics.in_flight("cluster"),
            metrics.waiting(),
            metrics.retention_backlog(),
            metrics.store_waiting(),
        ];
        for (share, number) in shares.iter().zip([4, 5, 6, 8]) {
            share.set(number);
        }
        metrics.limit("cluster", 100);
        metrics.reconciled("AgentRun", "ok", Duration::from_millis(3));
        metrics.reconcile_failed("AgentRun", "Submit");
        metrics.status_written("AgentRun");
        metrics.job_ttl_patched();
        metrics.retention_deleted();
        metrics.event("published");
        metrics.configuration_warnings(1);
        metrics.leading(true);
        metrics.crds_ready(true);
        metrics.restore_hold(true);
        metrics.backup_ready("leader", false);
        metrics.last_backup(Timestamp::from_second(7).unwrap());
        metrics.requested("patch", 409);
        metrics.store_up(true);
        metrics.store_failed("StoreTimeout");
        metrics.key("refused");
        metrics.history_written(9);
        metrics.history_dropped();
        let text = metrics.render().unwrap();
        for line in [
            "agents_runs{phase=\"Pending\"} 0",
            "agents_runs{phase=\"Running\"} 2",
            "agents_runs_blocked_now{reason=\"QueueLimit\"} 3",
            "agents_runs_terminal_total{phase=\"Failed\",reason=\"JobMissing\"} 1",
            "agents_runs_blocked_total{reason=\"RateLimit\"} 1",
            "agents_runs_in_flight{scope=\"cluster\"} 4",
            "agents_runs_limit{scope=\"cluster\"} 100",
            "agents_runs_waiting 5",
            "agents_reconcile_duration_seconds_count{kind=\"AgentRun\",result=\"ok\"} 1",
            "agents_reconcile_errors_total{kind=\"AgentRun\",reason=\"Submit\"} 1",
            "agents_status_writes_total{kind=\"AgentRun\"} 1",
            "agents_job_ttl_patches_total 1",
            "agents_retention_deletions_total 1",
            "agents_retention_backlog 6",
            "agents_events_total{result=\"published\"} 1",
            "agents_configuration_warnings 1",
            "agents_leader 1",
            "agents_crds_ready 1",
            "agents_restore_hold 1",
            "agents_backup_ready{check=\"leader\"} 0",
            "agents_last_backup_timestamp_seconds 7",
            "agents_api_requests_total{verb=\"patch\",code=\"409\"} 1",
            "agents_store_up 1",
            "agents_store_runs_waiting 8",
            "agents_store_errors_total{reason=\"StoreTimeout\"} 1",
            "agents_idempotency_keys_total{result=\"refused\"} 1",
            "agents_history_runs_total{result=\"written\"} 9",
            "agents_history_runs_total{result=\"dropped\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("agents_build_info{version="), "{text}");
    }

    #[test]
    fn what_is_under_way_is_counted_until_it_ends() {
        let metrics = Metrics::default();
        let (pass, write) = (metrics.reconciling(), metrics.writing());
        assert_eq!(metrics.busy(), 2);
        drop((pass, write));
        assert_eq!(metrics.busy(), 0);
    }

    #[test]
    fn a_reason_that_no_run_shows_any_more_is_gone() {
        let metrics = Metrics::default();
        metrics.runs(&BTreeMap::new(), &BTreeMap::from([("RateLimit".to_owned(), 1)]));
        metrics.runs(&BTreeMap::new(), &BTreeMap::new());
        assert!(!metrics.render().unwrap().contains("RateLimit"));
    }
}

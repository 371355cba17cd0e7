//! Filling the first cluster: every run is brought into the state that it shall be lost in.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::claims::{Effect, Write};
use super::error::DrillError;
use super::ledger::{Ledger, Version};
use super::plan::{Fate, LateWrite, PlannedRun, RunPlan};
use super::witness::Witness;
use crate::count::count;
use crate::engine::{RequestError, request};
use crate::event::EventSink;
use crate::scenario::step::Manifest;
use crate::scenario::suite::DrillSetting;

/// Runs that are created at the same time.
const CREATORS: usize = 16;
/// How long the runs may take, however few there are, and in addition for each of them.
const FILLED: Duration = Duration::from_mins(1);
const PER_RUN: Duration = Duration::from_millis(150);
/// When nothing changes for so long everything has been worked through.
const SILENCE: Duration = Duration::from_millis(500);
/// What a late write puts on a run.
const LATE_LABEL: &str = "hallmark.dev/late";

/// Runs that are created together, and what they are waited for.
struct Lot {
    fates: &'static [Fate],
    /// What is said if they do not come that far.
    missing: &'static str,
    arrived: fn(&Ledger, &PlannedRun) -> bool,
}

const LOTS: [Lot; 3] = [
    Lot {
        fates: &[Fate::Succeeds, Fate::Fails],
        missing: "not every run came to its end",
        arrived: has_ended,
    },
    Lot { fates: &[Fate::Runs], missing: "not every run became active", arrived: is_active },
    Lot { fates: &[Fate::Waits], missing: "not every run was told to wait", arrived: waits },
];

/// Writes objects into the namespace of the runs.
pub(super) struct Filler<'a> {
    pub(super) client: &'a Client,
    pub(super) namespace: &'a str,
    pub(super) setting: &'a DrillSetting,
    /// Of runs.
    pub(super) resource: &'a ApiResource,
    pub(super) events: &'a EventSink,
}

impl Filler<'_> {
    /// Creates what runs refer to.
    pub(super) async fn objects(&self, resources: &[ApiResource]) -> Result<(), DrillError> {
        for (manifest, resource) in self.setting.objects.iter().zip(resources) {
            self.create(manifest, resource, &manifest.alias).await?;
        }
        Ok(())
    }

    /// Creates all runs and waits until each is in its state: first those that end, then those that are active,
    /// which take all places, and then those that have to wait for one.
    pub(super) async fn runs(&self, plan: &RunPlan, witness: &Witness) -> Result<Vec<Write>, DrillError> {
        const PHASE: &str = "filling the cluster";
        let begin = Instant::now();
        let mut writes = Vec::new();
        for Lot { fates, missing, arrived } in LOTS {
            let runs: Vec<&PlannedRun> = plan.runs().iter().filter(|run| fates.contains(&run.fate)).collect();
            self.events.progress(PHASE, format!("{} of {}", writes.len(), count(plan.runs().len(), "run")));
            let created = stream::iter(&runs).map(|run| self.run(run)).buffer_unordered(CREATORS);
            writes.extend(created.try_collect::<Vec<_>>().await?);
            let within = FILLED + PER_RUN * u32::try_from(runs.len()).unwrap_or(u32::MAX);
            if !witness.until(within, |ledger| runs.iter().all(|run| arrived(ledger, run))).await {
                let ledger = witness.ledger();
                return Err(unprepared(
                    missing,
                    within,
                    &ledger,
                    runs.iter().find(|run| !arrived(&ledger, run)),
                ));
            }
        }
        if !witness.silent(SILENCE, FILLED).await {
            return Err(unprepared("the controller did not come to rest", FILLED, &witness.ledger(), None));
        }
        self.events.progress_done(PHASE, begin.elapsed());
        Ok(writes)
    }

    async fn run(&self, run: &PlannedRun) -> Result<Write, DrillError> {
        let manifest = if run.workflow { &self.setting.workflow } else { &self.setting.run };
        self.create(manifest, self.resource, &run.name).await
    }

    async fn create(
        &self,
        manifest: &Manifest,
        resource: &ApiResource,
        name: &str,
    ) -> Result<Write, DrillError> {
        let mut object = manifest.object.to_json();
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            metadata.insert("name".to_owned(), name.into());
        }
        let failed = |reason: String| DrillError::Write { action: format!("create {name}"), reason };
        let object: DynamicObject =
            serde_json::from_value(object).map_err(|error| failed(error.to_string()))?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), self.namespace, resource);
        let parameters = PostParams::default();
        let created = request(|| async { api.create(&parameters, &object).await }).await;
        acknowledged(name, Effect::Created, created.map_err(|error| failed(error.to_string()))?.metadata)
    }

    /// Writes what no restore can bring back, and waits until the watches have shown all of it.
    pub(super) async fn late(&self, plan: &RunPlan, witness: &Witness) -> Result<Vec<Write>, DrillError> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), self.namespace, self.resource);
        let mut writes = Vec::new();
        for late in plan.late() {
            let failed = |action: &str, name: &str, error: RequestError| DrillError::Write {
                action: format!("{action} {name}"),
                reason: error.to_string(),
            };
            writes.push(match late {
                LateWrite::Create(name) => self.create(&self.setting.run, self.resource, &name).await?,
                LateWrite::Label(name) => {
                    let patch = Patch::Merge(json!({"metadata": {"labels": {LATE_LABEL: "yes"}}}));
                    let parameters = PatchParams::default();
                    let patched = request(|| async { api.patch(&name, &parameters, &patch).await }).await;
                    let patched = patched.map_err(|error| failed("label", &name, error))?;
                    acknowledged(&name, Effect::Changed, patched.metadata)?
                }
                LateWrite::Delete(name) => {
                    let parameters = DeleteParams::background();
                    let deleted = request(|| async { api.delete(&name, &parameters).await }).await;
                    deleted.map_err(|error| failed("delete", &name, error))?;
                    Write { run: name, effect: Effect::Deleted, revision: None, at: Timestamp::now() }
                }
            });
        }
        let seen = |ledger: &Ledger, write: &Write| match write.revision {
            Some(revision) => ledger.run(&write.run).iter().any(|version| version.revision >= revision),
            None => ledger.latest(&write.run).is_none(),
        };
        if !witness.until(FILLED, |ledger| writes.iter().all(|write| seen(ledger, write))).await {
            let what = "not every run that was deleted went away";
            return Err(unprepared(what, FILLED, &witness.ledger(), None));
        }
        Ok(writes)
    }
}

fn acknowledged(name: &str, effect: Effect, metadata: kube::api::ObjectMeta) -> Result<Write, DrillError> {
    let revision = metadata.resource_version.and_then(|text| text.parse().ok());
    let revision = revision.ok_or_else(|| DrillError::Write {
        action: format!("write {name}"),
        reason: "the answer has no resourceVersion".to_owned(),
    })?;
    Ok(Write { run: name.to_owned(), effect, revision: Some(revision), at: Timestamp::now() })
}

fn has_ended(ledger: &Ledger, run: &PlannedRun) -> bool {
    ledger.latest(&run.name).is_some_and(Version::is_terminal)
}

/// The controller has written the run after it made the last Job: it knows of it.
fn is_active(ledger: &Ledger, run: &PlannedRun) -> bool {
    let wanted = if run.workflow { 2 } else { 1 };
    let known = |job: u64| ledger.latest(&run.name).is_some_and(|version| version.revision > job);
    ledger.jobs_of(&run.name) == wanted && ledger.last_job_of(&run.name).is_some_and(known)
}

fn waits(ledger: &Ledger, run: &PlannedRun) -> bool {
    ledger.latest(&run.name).is_some_and(|version| version.has_status)
}

fn unprepared(
    what: &'static str,
    within: Duration,
    ledger: &Ledger,
    example: Option<&&PlannedRun>,
) -> DrillError {
    let example = example.map_or_else(
        || "something is written all the time".to_owned(),
        |run| {
            let phase = ledger.latest(&run.name).map_or("none", |version| version.phase.as_str());
            format!("{} has the phase `{phase}` and {}", run.name, count(ledger.jobs_of(&run.name), "Job"))
        },
    );
    DrillError::Unprepared { what, seconds: within.as_secs(), example }
}

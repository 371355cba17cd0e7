//! One pass over one run: the finalizer first, then whatever the run's stage asks for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::{Instrument as _, info_span, warn};

use crate::api::AgentRun;
use crate::decide::metadata::FINALIZER;
use crate::decide::restored;
use crate::decide::stage::Stage;
use crate::decide::status::Draft;
use crate::defects::Defect;

use super::context::Context;
use super::error::Error;
use super::reconcile_id;
use super::status::write;
use super::{cleanup, follow, submit, ttl};

/// What metrics call the objects of a pass.
pub(super) const KIND: &str = "AgentRun";

/// Longest time for a pass. A pass can be cut off anywhere, since the next one starts from the cluster.
const DEADLINE: Duration = Duration::from_secs(30);

/// When a run is looked at again whose cached copy is behind; the watch usually is faster.
const CATCH_UP_POLL: Duration = Duration::from_millis(250);
/// When a run is looked at again that turned out not to exist, unless its deletion comes before.
const GONE_POLL: Duration = Duration::from_secs(1);

/// Brings one run forward. Whatever fails is logged and repeated later, so towards the controller
/// runtime a pass never fails.
pub(super) async fn reconcile(run: Arc<AgentRun>, context: Arc<Context>) -> Result<Action, Infallible> {
    if context.is_behind(run.as_ref()) {
        return Ok(Action::requeue(CATCH_UP_POLL));
    }
    // Every line that is logged on the way carries these, so that one pass can be told from the next.
    let span =
        info_span!("pass", namespace = run.namespace(), run = run.name_any(), reconcile_id = reconcile_id(),);
    Ok(observed(run, &context).instrument(span).await)
}

async fn observed(run: Arc<AgentRun>, context: &Context) -> Action {
    let _active = context.metrics.reconciling();
    let Ok(_permit) = context.permits.acquire().await else { return Action::await_change() };
    let uid = run.uid().unwrap_or_default();
    let name = run.name_any();
    let began = Instant::now();
    let passed = timeout(DEADLINE, pass(Arc::clone(&run), context)).await;
    let passed = passed.unwrap_or(Err(Error::Deadline { run: name, deadline: DEADLINE }));
    context.metrics.reconciled(KIND, result(&passed), began.elapsed());
    match passed {
        Ok(action) => {
            context.backoff.succeeded(&uid);
            action
        }
        Err(error) => after_error(&run, &error, context),
    }
}

/// Decides when a failed pass is repeated.
fn after_error(run: &AgentRun, error: &Error, context: &Context) -> Action {
    if error.is_gone() {
        // The failure is not counted: no pass comes after that could forget it.
        return Action::requeue(GONE_POLL);
    }
    let outdated = error.is_outdated();
    let delay = context.backoff.failed(&run.uid().unwrap_or_default(), outdated);
    if !outdated {
        if !Defect::ErrorsNotCounted.is_planted() {
            context.metrics.reconcile_failed(KIND, error.reason());
        }
        warn!(
            namespace = run.namespace(),
            run = run.name_any(),
            retry_in = ?delay,
            cause = error.cause(),
            "pass failed to {error}"
        );
    }
    Action::requeue(delay)
}

fn result(passed: &Result<Action, Error>) -> &'static str {
    match passed {
        Ok(_) => "ok",
        Err(error) if error.is_outdated() => "outdated",
        Err(_) => "error",
    }
}

async fn pass(run: Arc<AgentRun>, context: &Context) -> Result<Action, Error> {
    // Decisions need all Jobs; without them an existing one could be taken for missing.
    context.until_filled(&context.jobs_filled).await?;
    let is_new = Stage::of(&run) == Stage::New && run.metadata.deletion_timestamp.is_none();
    if is_new && Defect::FinalizerAfterJob.is_planted() {
        return apply(&run, context).await;
    }
    let place = run.finalizers().iter().position(|finalizer| finalizer == FINALIZER);
    if run.metadata.deletion_timestamp.is_some() {
        let Some(place) = place else { return Ok(Action::await_change()) };
        let action = cleanup::delete_jobs(&run, context).await?;
        unmark(&run, place, context).await?;
        return Ok(action);
    }
    if place.is_none() {
        mark(&run, &restored::annotations(&run), context).await?;
        return Ok(Action::await_change());
    }
    apply(&run, context).await
}

/// Takes the finalizer away, and nothing from an object that has the name by now.
async fn unmark(run: &AgentRun, place: usize, context: &Context) -> Result<(), Error> {
    let entry = format!("/metadata/finalizers/{place}");
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": run.uid()},
        {"op": "test", "path": entry, "value": FINALIZER},
        {"op": "remove", "path": entry},
    ]);
    let name = run.name_any();
    let failed = |source| Error::Finalizer { run: name.clone(), source };
    let operations =
        serde_json::from_value(operations).map_err(|error| failed(kube::Error::SerdeError(error)))?;
    let (params, patch) = (PatchParams::default(), Patch::<()>::Json(operations));
    context.api::<AgentRun>(run).patch_metadata(&name, &params, &patch).await.map_err(failed)?;
    Ok(())
}

/// Adds the finalizer, and with the same write what tells after a restore that this run may have been
/// executed. It only lands on the version that was read, so that finalizers of others stay.
pub(super) async fn mark(run: &AgentRun, annotations: &Value, context: &Context) -> Result<(), Error> {
    let others = run.finalizers().iter().map(String::as_str).filter(|finalizer| *finalizer != FINALIZER);
    let finalizers: Vec<&str> = others.chain([FINALIZER]).collect();
    let patch = json!({"metadata": {
        "uid": run.uid(),
        "resourceVersion": run.resource_version(),
        "finalizers": finalizers,
        "annotations": annotations,
    }});
    let (name, params) = (run.name_any(), PatchParams::default());
    match context.api::<AgentRun>(run).patch_metadata(&name, &params, &Patch::Merge(&patch)).await {
        Ok(marked) => {
            context.wrote(&marked);
            Ok(())
        }
        Err(source) => Err(Error::Finalizer { run: name, source }),
    }
}

async fn apply(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    if restored::is_restored(run) && Defect::RestoredRunsBeginAgain.is_planted() {
        let mut draft = Draft::of(run, Timestamp::now());
        draft.pending_again();
        write(run, draft, context).await?;
    }
    match Stage::of(run) {
        // As a whole, and whatever the limits say, which would hold it back until nobody looks any more.
        Stage::Terminal if restored::is_restored(run) && Defect::RestoredRunsStartAfresh.is_planted() => {
            let name = run.name_any();
            let whole = context.api::<AgentRun>(run).get(&name).await;
            let whole = whole.map_err(|source| Error::ReadReference { kind: KIND, name, source })?;
            Box::pin(submit::again(&whole, context)).await
        }
        // Submitting holds whole objects across its calls; boxed, the other passes stay small.
        Stage::New => Box::pin(submit::submit(run, context)).await,
        Stage::Accepted => follow::follow(run, context).await,
        Stage::Terminal => ttl::heal_terminal(run, context).await,
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use kube::runtime::watcher;
    use tracing::instrument::WithSubscriber as _;

    use super::super::mock::{api_server, complete, context, job, refusal, run};
    use super::*;
    use crate::config::Settings;
    use crate::log::captured::Captured;

    /// [LC-02] [DR-C02] An object of the same name may be there by then, a restored one for example.
    #[tokio::test]
    async fn the_finalizer_is_only_taken_from_the_run_that_was_deleted() {
        let mut run = run(&json!({}), &json!({"phase": "Succeeded"}));
        run.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        run.metadata.finalizers = Some(vec!["other".to_owned(), FINALIZER.to_owned()]);
        let (client, log) = api_server(|asked| match asked.line.split_once(' ').unwrap() {
            ("PATCH", _) => (200, json!({"metadata": {"name": "r"}})),
            _ => refusal(404, "NotFound"),
        });
        reconcile(run.into(), context(client, reflector::store().0, Settings::default())).await.unwrap();
        let asked = log.lock().unwrap().clone();
        let patches: Vec<_> = asked.iter().filter(|asked| asked.line.starts_with("PATCH ")).collect();
        let [patch] = patches.as_slice() else { panic!("{asked:?}") };
        assert_eq!(
            patch.body,
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/metadata/finalizers/1", "value": FINALIZER},
                {"op": "remove", "path": "/metadata/finalizers/1"},
            ])
        );
    }

    #[tokio::test]
    async fn what_a_pass_logs_tells_which_look_at_which_run_it_was() {
        let log = Captured::default();
        for _ in 0..2 {
            let (jobs, mut writer) = reflector::store();
            let done = serde_json::from_value(job("r-job", &complete())).unwrap();
            writer.apply_watcher_event(&watcher::Event::Apply(done));
            let (client, _) = api_server(|asked| match asked.line.split_once(' ').unwrap() {
                ("GET", _) => refusal(404, "NotFound"),
                _ => (200, asked.body.clone()),
            });
            let run = Arc::new(run(&json!({}), &json!({"phase": "Running"})));
            let pass = reconcile(run, context(client, jobs, Settings::default()));
            pass.with_subscriber(log.subscriber()).await.unwrap();
        }
        let lines = log.lines();
        let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&first["message"], &first["phase"]), (&json!("phase"), &json!("Succeeded")));
        assert_eq!((&first["span"]["namespace"], &first["span"]["run"]), (&json!("ns"), &json!("r")));
        let id = |line: &Value| line["span"]["reconcile_id"].as_u64().unwrap();
        assert_ne!(id(first), id(second));
    }
}

//! Telling users in the status of Agents, `AgentProvider`s and `ImplementationSpec`s whether these can be used.
//!
//! One controller per kind, fed by the same watches that fill the caches of references. A verdict is taken
//! from the caches; before it is written, what they lack is looked for directly, so that objects which are
//! created together do not blame each other for a moment.

mod checked;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{self, BoxFuture};
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::Controller;
use kube::runtime::controller::{self, Action, Config};
use kube::runtime::reflector::Store;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info, info_span, warn};

use crate::decide::kinds::patch;
use crate::metrics::Metrics;

use super::backoff::Backoff;
use super::caches::{Caches, Objects, Streams};
use super::error::{Error, api_code};
use super::{FIELD_MANAGER, reconcile_id};
use checked::Checked;

/// Verdicts of one kind at the same time.
const CONCURRENCY: u16 = 4;
/// Longest time for a verdict.
const DEADLINE: Duration = Duration::from_secs(15);
/// When a verdict is taken that the caches were not filled for.
const UNFILLED_POLL: Duration = Duration::from_millis(100);

/// What all verdicts share.
struct Context {
    client: Client,
    caches: Caches,
    metrics: Arc<Metrics>,
    backoff: Backoff,
}

/// Sets up the controllers of one namespace, or of all of them. They stop when `stop` is cancelled.
pub(super) fn prepare(
    client: &Client,
    caches: &Caches,
    streams: Streams,
    metrics: &Arc<Metrics>,
    stop: &CancellationToken,
) -> BoxFuture<'static, ()> {
    let context = Arc::new(Context {
        client: client.clone(),
        caches: caches.clone(),
        metrics: Arc::clone(metrics),
        backoff: Backoff::default(),
    });
    // Only Agents refer to anything.
    let agents = run(streams.agents, caches.agents.clone(), each(streams.referenced_changed), &context, stop);
    let providers = run(streams.providers, caches.providers.clone(), stream::pending(), &context, stop);
    let implementations =
        run(streams.implementations, caches.implementations.clone(), stream::pending(), &context, stop);
    future::join3(agents, providers, implementations).map(|_| ()).boxed()
}

/// One item for each change, or for several that come faster than they are used.
fn each(changed: watch::Receiver<()>) -> impl Stream<Item = ()> + Send {
    stream::unfold(changed, async |mut changed| {
        changed.changed().await.ok()?;
        Some(((), changed))
    })
}

fn run<K: Checked>(
    objects: Objects<K>,
    store: Store<K>,
    all_again: impl Stream<Item = ()> + Send + 'static,
    context: &Arc<Context>,
    stop: &CancellationToken,
) -> BoxFuture<'static, ()> {
    Controller::for_stream(objects, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_all_on(all_again)
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(reconcile, |_, never, _| match *never {}, Arc::clone(context))
        .for_each(|outcome| {
            if let Err(controller::Error::ObjectNotFound(object)) = outcome {
                debug!(%object, "object is gone");
            }
            future::ready(())
        })
        .boxed()
}

async fn reconcile<K: Checked>(object: Arc<K>, context: Arc<Context>) -> Result<Action, Infallible> {
    let span = info_span!(
        "verdict",
        kind = K::KIND,
        namespace = object.namespace(),
        object = object.name_any(),
        reconcile_id = reconcile_id(),
    );
    Ok(observed(&*object, &context).instrument(span).await)
}

async fn observed<K: Checked>(object: &K, context: &Context) -> Action {
    if object.meta().deletion_timestamp.is_some() {
        return Action::await_change();
    }
    if !context.caches.filled.iter().all(|filled| *filled.borrow()) {
        return Action::requeue(UNFILLED_POLL);
    }
    let uid = object.uid().unwrap_or_default();
    let began = Instant::now();
    let judged = timeout(DEADLINE, judge(object, context)).await;
    let judged = judged.unwrap_or_else(|_| {
        Err(Error::JudgeDeadline { kind: K::KIND, name: object.name_any(), deadline: DEADLINE })
    });
    let outdated = judged.as_ref().is_err_and(Error::is_outdated);
    let result = match &judged {
        Ok(()) => "ok",
        Err(_) if outdated => "outdated",
        Err(_) => "error",
    };
    context.metrics.reconciled(K::KIND, result, began.elapsed());
    let Err(error) = judged else {
        context.backoff.succeeded(&uid);
        return Action::await_change();
    };
    let delay = context.backoff.failed(&uid, outdated);
    if !outdated {
        context.metrics.reconcile_failed(K::KIND, error.reason());
        warn!(retry_in = ?delay, cause = error.cause(), "verdict failed to {error}");
    }
    Action::requeue(delay)
}

/// Writes the verdict if the status does not say so already.
async fn judge<K: Checked>(object: &K, context: &Context) -> Result<(), Error> {
    let now = Timestamp::now();
    if patch(object, &object.verdict(&context.caches), now).is_none() {
        return Ok(());
    }
    let verdict = object.confirmed(&context.client, &context.caches).await?;
    let Some(patch) = patch(object, &verdict, now) else { return Ok(()) };
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch_status(&name, &params, &Patch::Merge(&patch)).await {
        Ok(_) => {
            context.metrics.status_written(K::KIND);
            match verdict {
                Ok(()) => info!("valid"),
                Err(invalid) => info!(reason = invalid.reason, "invalid: {}", invalid.message),
            }
            Ok(())
        }
        // An object that is gone needs no status.
        Err(error) if api_code(&error) == Some(404) => Ok(()),
        Err(source) => Err(Error::WriteVerdict { kind: K::KIND, name, source }),
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::{reflector, watcher::Event};
    use rstest::rstest;
    use serde_json::{Value, json};
    use tracing::instrument::WithSubscriber as _;

    use crate::api::{Agent, AgentProvider, Memory};

    use super::super::mock::{Asked, Log, api_server, refusal};
    use super::*;
    use crate::log::captured::Captured;

    const AGENT: &str = "/apis/agents.proompteng.ai/v1alpha1/namespaces/ns/agents/a/status";
    const PROVIDER: &str = "/apis/agents.proompteng.ai/v1alpha1/namespaces/ns/agentproviders/p";

    fn agent(status: &Value) -> Agent {
        serde_json::from_value(json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "Agent",
            "metadata": {"name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "7", "generation": 1},
            "spec": {"providerRef": {"name": "p"}}, "status": status,
        }))
        .unwrap()
    }

    fn provider() -> AgentProvider {
        let mut provider = AgentProvider::new("p", serde_json::from_value(json!({"binary": "b"})).unwrap());
        provider.metadata.namespace = Some("ns".to_owned());
        provider
    }

    /// Caches with these providers, and an API server on which the provider is served or not.
    fn context(present: Vec<AgentProvider>, served: bool, filled: bool) -> (Context, Log) {
        let (providers, mut writer) = reflector::store();
        for provider in present {
            writer.apply_watcher_event(&Event::Apply(provider));
        }
        let (memories, _) = reflector::store::<Memory>();
        let (agents, implementations) = (reflector::store().0, reflector::store().0);
        let filled = [(); 4].map(|()| watch::channel(filled).1);
        let caches = Caches { agents, providers, implementations, memories, filled };
        let (client, log) = api_server(move |asked: &Asked| match asked.line.split_once(' ').unwrap() {
            ("GET", PROVIDER) if served => (200, json!({"metadata": {"name": "p"}})),
            ("PATCH", AGENT) => (200, serde_json::to_value(agent(&asked.body["status"])).unwrap()),
            _ => refusal(404, "NotFound"),
        });
        let metrics = Arc::new(Metrics::default());
        (Context { client, caches, metrics, backoff: Backoff::default() }, log)
    }

    fn ready(log: &Log) -> Vec<(String, String)> {
        let asked = log.lock().unwrap();
        let patches = asked.iter().filter(|asked| asked.line.starts_with("PATCH"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        patches
            .map(|patch| &patch.body["status"]["conditions"][0])
            .map(|ready| (text(&ready["status"]), text(&ready["reason"])))
            .collect()
    }

    /// An object that is created together with what it needs must not blame it for a moment.
    #[rstest]
    #[case(true, true, "True", "ValidSpec", 1)]
    #[case(false, true, "True", "ValidSpec", 2)]
    #[case(false, false, "False", "MissingProvider", 2)]
    #[tokio::test]
    async fn what_a_cache_lacks_is_looked_for_before_anything_is_said(
        #[case] cached: bool,
        #[case] served: bool,
        #[case] status: &str,
        #[case] reason: &str,
        #[case] requests: usize,
    ) {
        let (context, log) = context(cached.then(provider).into_iter().collect(), served, true);
        assert_eq!(observed(&agent(&json!({})), &context).await, Action::await_change());
        assert_eq!(ready(&log), [(status.to_owned(), reason.to_owned())]);
        assert_eq!(log.lock().unwrap().len(), requests);
    }

    /// [LC-16]
    #[tokio::test]
    async fn a_status_that_says_so_already_costs_no_request() {
        let (context, log) = context(vec![provider()], true, true);
        let fresh = agent(&json!({}));
        let patch = patch(&fresh, &Ok(()), Timestamp::now()).unwrap();
        observed(&agent(&patch["status"]), &context).await;
        assert_eq!(*log.lock().unwrap(), []);
    }

    #[tokio::test]
    async fn what_a_verdict_logs_tells_which_look_at_which_object_it_was() {
        let log = Captured::default();
        for _ in 0..2 {
            let (context, _) = context(vec![provider()], true, true);
            let verdict = reconcile(Arc::new(agent(&json!({}))), Arc::new(context));
            verdict.with_subscriber(log.subscriber()).await.unwrap();
        }
        let lines = log.lines();
        let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&first["message"], &first["span"]["kind"]), (&json!("valid"), &json!("Agent")));
        assert_eq!((&first["span"]["namespace"], &first["span"]["object"]), (&json!("ns"), &json!("a")));
        let id = |line: &Value| line["span"]["reconcile_id"].as_u64().unwrap();
        assert_ne!(id(first), id(second));
    }

    #[tokio::test]
    async fn nothing_is_said_while_the_caches_are_not_filled() {
        let (context, log) = context(Vec::new(), false, false);
        assert_eq!(observed(&agent(&json!({})), &context).await, Action::requeue(UNFILLED_POLL));
        assert_eq!(*log.lock().unwrap(), []);
    }
}

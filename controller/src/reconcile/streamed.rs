//! Watches that begin with all that is there (KEP-3157): one request instead of a list and a watch, and no page
//! of a list to be held in memory.
//!
//! The API server sends what it has cached, which may be a moment older than what it has stored. For what runs
//! refer to that is no news: what is missed is asked for, and an edit may always come late. Runs and Jobs are
//! listed, for the ledger must not start from the past.

use std::fmt::Debug;

use futures::{Stream, StreamExt as _, stream};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::info;

use crate::defects::Defect;

/// Events of all objects of `api`; with a list in pages of `page` objects where initial events are refused.
pub(super) fn streamed<K>(api: Api<K>, page: u32) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let begin = watcher(api.clone(), watcher::Config::default().streaming_lists()).boxed();
    stream::unfold((begin, Some(api)), move |(mut events, mut otherwise)| async move {
        let event = events.next().await?;
        if is_refused(&event)
            && let Some(api) = otherwise.take()
        {
            info!(kind = %K::kind(&()), "the API server sends nothing at the start of a watch: listing instead");
            events = watcher(api, watcher::Config::default().page_size(page)).boxed();
            return Some((events.next().await?, (events, None)));
        }
        Some((event, (events, otherwise)))
    })
}

/// Whether the request itself is the trouble: API servers that do not know the parameters, or have the feature
/// `WatchList` switched off, call it invalid.
fn is_refused<K>(event: &watcher::Result<Event<K>>) -> bool {
    match event {
        Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) => {
            matches!(status.code, 400 | 422) && !Defect::InitialEventsAreDemanded.is_planted()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::mock::{Asked, api_server, refusal};
    use super::*;
    use crate::api::Memory;

    fn memory() -> Value {
        json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "Memory",
            "metadata": {"name": "m", "namespace": "ns", "resourceVersion": "5"},
            "spec": {"type": "redis", "connection": {"secretRef": {"name": "s"}}},
        })
    }

    /// The first events of a watch, by what the API server answers, and the queries it was asked.
    async fn begin(
        answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
        events: usize,
    ) -> (Vec<String>, Vec<String>) {
        let (client, log) = api_server(answer);
        let events = streamed(Api::<Memory>::namespaced(client, "ns"), 7).take(events);
        let told = events.map(|event| match event {
            Ok(Event::Init) => "init".to_owned(),
            Ok(Event::InitApply(memory)) => format!("there: {}", memory.metadata.name.unwrap_or_default()),
            Ok(Event::InitDone) => "done".to_owned(),
            Ok(_) => "later".to_owned(),
            Err(_) => "error".to_owned(),
        });
        let told = told.collect().await;
        let asked = log.lock().unwrap().iter().map(|asked| asked.query.clone()).collect();
        (told, asked)
    }

    fn is_streaming(asked: &Asked) -> bool {
        asked.query.contains("sendInitialEvents=true")
    }

    /// [LC-15]
    #[tokio::test]
    async fn an_api_server_that_sends_no_initial_events_is_asked_for_a_list() {
        let list = json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "MemoryList",
            "metadata": {"resourceVersion": "9"}, "items": [memory()],
        });
        for code in [400, 422] {
            let list = list.clone();
            let answer = move |asked: &Asked| {
                if is_streaming(asked) { refusal(code, "Invalid") } else { (200, list.clone()) }
            };
            let (told, asked) = begin(answer, 3).await;
            assert_eq!(told, ["init", "there: m", "done"]);
            assert_eq!(asked.len(), 2);
            assert!(asked[1].contains("limit=7"), "{asked:?}");
        }
    }

    /// [LC-15]
    #[tokio::test]
    async fn an_api_server_in_trouble_is_asked_again_for_initial_events() {
        let (told, asked) = begin(|_| refusal(503, "ServiceUnavailable"), 2).await;
        assert_eq!(told, ["error", "error"]);
        assert!(asked.iter().all(|query| query.contains("sendInitialEvents=true")), "{asked:?}");
    }
}

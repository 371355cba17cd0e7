//! Watching for the object that announces a restore.
//!
//! Every replica does so, whether it leads or not: whoever restores waits until all of them have said
//! that they hold still.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watch_object};
use kube::{Api, Client};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::config::Restore;
use crate::decide::hold::{Announcement, Notice};

use super::backoff::WatchBackoff;
use super::error::api_code;

/// How often the object is asked for while its watch is interrupted.
const ASK: Duration = Duration::from_secs(1);
/// Longest time for one answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long the last answer is believed while the API server gives none. Whoever gets no answer can
/// hardly write to runs either.
const BELIEVED: Duration = Duration::from_secs(15);

/// Tells what is known of the object, at the start and whenever that may have changed. Never ends.
pub(super) async fn follow(client: &Client, restore: &Restore, mut tell: impl FnMut(Announcement)) {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &restore.hold_namespace);
    let name = &restore.hold_config_map;
    let mut versions = pin!(versions(&api, name));
    // Since when nothing is heard: an interrupted watch goes on without saying so.
    let mut doubt = Some(Instant::now());
    // Who may read the object but not watch it would learn too late of a hold.
    let mut refused = false;
    loop {
        let (answer, watched) = tokio::select! {
            version = versions.next() => match version {
                Some(version) => (version.map_err(|error| refusal(&error)), true),
                None => std::future::pending().await,
            },
            asked = ask(&api, name), if doubt.is_some() && !refused => (asked, false),
        };
        match answer {
            Ok(object) => {
                (doubt, refused) = (None, false);
                tell(object.map_or(Announcement::Absent, |object| Announcement::Present(notice(&object))));
            }
            Err(is_refusal) => {
                refused |= watched && is_refusal;
                let since = doubt.get_or_insert_with(Instant::now);
                if is_refusal || since.elapsed() > BELIEVED {
                    tell(Announcement::Unreadable);
                }
            }
        }
    }
}

fn versions(
    api: &Api<ConfigMap>,
    name: &str,
) -> impl Stream<Item = watcher::Result<Option<ConfigMap>>> + use<> {
    let name = name.to_owned();
    let warned = name.clone();
    watch_object(api.clone(), &name)
        .backoff(WatchBackoff::default())
        .inspect_err(move |error| warn!(name = warned, "watch of the restore hold failed: {error}"))
}

/// Reads the object after a moment; an error tells whether the API server refuses to show it.
async fn ask(api: &Api<ConfigMap>, name: &str) -> Result<Option<ConfigMap>, bool> {
    sleep(ASK).await;
    match timeout(DEADLINE, api.get_opt(name)).await {
        Ok(Ok(object)) => Ok(object),
        Ok(Err(error)) => {
            debug!(name, "read the restore hold: {error}");
            Err(api_code(&error).is_some_and(is_refusal))
        }
        Err(_) => Err(false),
    }
}

fn refusal(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            api_code(error).is_some_and(is_refusal)
        }
        watcher::Error::WatchError(status) => is_refusal(status.code),
        _ => false,
    }
}

/// Whether trying again is not enough. A watch that has become too old (410) is.
fn is_refusal(code: u16) -> bool {
    matches!(code, 401 | 403)
}

fn notice(object: &ConfigMap) -> Notice {
    let text = |key: &str| {
        let text = object.data.as_ref()?.get(key)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let time = |key: &str| {
        let text = text(key)?;
        let time = text.parse::<Timestamp>().ok();
        if time.is_none() {
            warn!(key, value = text, "the restore hold has a time that cannot be read");
        }
        time
    };
    let created = object.metadata.creation_timestamp.as_ref().map(|created| created.0);
    Notice {
        owner: text("owner"),
        reason: text("reason"),
        since: time("since").or(created),
        expires: time("expires"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::mock::{api_server, refusal};
    use super::*;

    fn list(items: &[Value]) -> (u16, Value) {
        (
            200,
            json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items}),
        )
    }

    fn hold() -> Value {
        json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"name": "agents-restore-hold", "namespace": "agents", "resourceVersion": "7"},
            "data": {"owner": " me ", "since": "2026-01-01T00:00:00Z", "expires": "soon"},
        })
    }

    fn announced() -> Announcement {
        Announcement::Present(Notice {
            owner: Some("me".to_owned()),
            since: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            ..Notice::default()
        })
    }

    /// [DR-H03] [SEC-04]
    #[rstest]
    #[case::absent(list(&[]), Announcement::Absent)]
    #[case::present(list(&[hold()]), announced())]
    #[case::forbidden(refusal(403, "Forbidden"), Announcement::Unreadable)]
    #[tokio::test]
    async fn the_first_answer_tells_and_a_refusal_is_no_absence(
        #[case] answer: (u16, Value),
        #[case] expected: Announcement,
    ) {
        let (client, log) = api_server(move |_| answer.clone());
        let told = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&told);
        let restore = Restore::default();
        let following = follow(&client, &restore, |announcement| all.lock().unwrap().push(announcement));
        let _ended = timeout(Duration::from_millis(300), following).await;
        assert_eq!(told.lock().unwrap().first(), Some(&expected));
        assert_eq!(log.lock().unwrap()[0].line, "GET /api/v1/namespaces/agents/configmaps");
    }

    /// The right to read every `ConfigMap` by its name is not enough.
    #[tokio::test]
    async fn who_may_not_watch_does_not_believe_a_direct_answer() {
        let (client, _) = api_server(|asked| {
            let is_list = asked.line.ends_with("/configmaps");
            refusal(if is_list { 403 } else { 404 }, if is_list { "Forbidden" } else { "NotFound" })
        });
        let mut told = Vec::new();
        let restore = Restore::default();
        let following = follow(&client, &restore, |announcement| told.push(announcement));
        let _ended = timeout(ASK + ASK / 2, following).await;
        assert!(!told.is_empty() && told.iter().all(|told| *told == Announcement::Unreadable), "{told:?}");
    }

    /// Without any answer nothing is told, and what was told before stays.
    #[tokio::test]
    async fn a_server_that_does_not_answer_is_no_reason_to_hold_at_once() {
        let (client, _) = api_server(|_| refusal(500, "InternalError"));
        let mut told = Vec::new();
        let restore = Restore::default();
        let following = follow(&client, &restore, |announcement| told.push(announcement));
        let _ended = timeout(Duration::from_millis(300), following).await;
        assert_eq!(told, []);
    }
}

//! Reading the Lease that a backup system renews.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::decide::heartbeat::{Heartbeat, News};

/// How often the Lease is read. Backups are hours apart, and whoever waits for an answer waits for minutes.
const EVERY: Duration = Duration::from_secs(5);
/// Longest time for one answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// Tells what the Lease says, again and again. Never ends.
pub(super) async fn follow(client: &Client, namespace: &str, name: &str, mut tell: impl FnMut(Heartbeat)) {
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let mut was_read = true;
    loop {
        let heartbeat = match timeout(DEADLINE, leases.get_opt(name)).await {
            Ok(Ok(lease)) => Heartbeat::Read(lease.map(|lease| News::of(&lease)).unwrap_or_default()),
            failed => {
                if was_read {
                    let cause = match failed {
                        Ok(Err(error)) => error.to_string(),
                        _ => format!("no answer within {DEADLINE:?}"),
                    };
                    warn!(name, cause, "could not read the Lease of the backup system");
                }
                Heartbeat::Unknown
            }
        };
        was_read = heartbeat != Heartbeat::Unknown;
        tell(heartbeat);
        sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::mock::{api_server, refusal};
    use super::*;

    #[rstest]
    #[case::renewed((200, json!({"metadata": {"name": "l"}, "spec": {"renewTime": "2026-01-02T00:00:00.000000Z"}})), true, true)]
    #[case::absent(refusal(404, "NotFound"), true, false)]
    #[case::forbidden(refusal(403, "Forbidden"), false, false)]
    #[tokio::test]
    async fn what_cannot_be_read_is_unknown_and_no_missing_backup(
        #[case] answer: (u16, Value),
        #[case] is_known: bool,
        #[case] is_renewed: bool,
    ) {
        let (client, log) = api_server(move |_| answer.clone());
        let mut told = Vec::new();
        let following = follow(&client, "agents", "l", |heartbeat| told.push(heartbeat));
        let _ended = timeout(Duration::from_millis(200), following).await;
        let news = match &told[0] {
            Heartbeat::Read(news) => Some(news.backup_at.is_some()),
            Heartbeat::Unknown => None,
        };
        assert_eq!(news, is_known.then_some(is_renewed));
        assert_eq!(
            log.lock().unwrap()[0].line,
            "GET /apis/coordination.k8s.io/v1/namespaces/agents/leases/l"
        );
    }
}

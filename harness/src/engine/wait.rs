//! Waiting on the record: judged again with every entry, never by the clock alone.

use std::sync::Arc;
use std::time::Duration;

use super::case::{CaseRun, Stop};
use crate::check::bindings::expand_assertion;
use crate::check::{Judgement, explain, judge, missed};
use crate::record::Entry;
use crate::scenario::assertion::{Assertion, Operator, Target};
use crate::yaml::Location;

use super::act::Reference;
use super::api::{RequestError, request};

/// How long a step waits for the object that it acts on.
const OBJECT: Duration = Duration::from_secs(5);
/// How long the subject may take to process the sentinel, or to come to the request that a fault is for: the
/// specification's "promptly", and time for a subject that was just restarted.
const PROCESSED: Duration = Duration::from_secs(15);

/// What is waited for, which decides how long.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// What the scenario gives the subject this long for.
    Claimed(Duration),
    /// The object that a step acts on.
    Object,
    /// The sentinel of a fence.
    Fence,
    /// The request that a fault is for.
    Request,
    /// Something of the cluster or the harness, which no subject makes late.
    Own(Duration),
}

impl Wait {
    /// How long it may take where the subject has this slack.
    pub(super) fn within(self, slack: Duration) -> Duration {
        match self {
            Self::Claimed(within) => within + slack,
            Self::Object => OBJECT + slack,
            Self::Fence | Self::Request => PROCESSED + slack,
            Self::Own(within) => within,
        }
    }
}

impl CaseRun<'_> {
    /// Judges the record now and with every new entry until it is decided or the time is over, not counting
    /// what is lost because the cluster is late. Where too much was lost nothing is known.
    pub(super) async fn wait_for(
        &self,
        wait: Wait,
        mut judgement: impl FnMut(&[Arc<Entry>]) -> Judgement,
    ) -> Result<Judgement, Stop> {
        let mut length = self.record.length();
        let patience = self.run.pulse.patience(wait.within(self.run.slack));
        loop {
            length.mark_unchanged();
            let judged = judgement(&self.record.snapshot());
            if !matches!(judged, Judgement::NotYet) {
                return Ok(judged);
            }
            tokio::select! {
                () = self.run.cancel.cancelled() => {
                    return Err(Stop::Inconclusive("the run was interrupted".to_owned()));
                }
                changed = tokio::time::timeout_at(patience.deadline(), length.changed()) => {
                    let is_over = tokio::time::Instant::now() >= patience.deadline();
                    match changed {
                        Ok(Ok(())) => {}
                        Err(_elapsed) if !is_over => {}
                        _ => {
                            let judged = judgement(&self.record.snapshot());
                            let excuse = patience.excuse().filter(|_| matches!(judged, Judgement::NotYet));
                            return excuse.map_or(Ok(judged), |excuse| Err(Stop::Inconclusive(excuse)));
                        }
                    }
                }
            }
        }
    }

    /// Judges an assertion; `eventually` waits, all others need a fence before them.
    pub(super) async fn assert(&mut self, assertion: &Assertion) -> Result<(), Stop> {
        let bindings = self.fresh_bindings();
        let assertion = expand_assertion(assertion, &bindings)
            .map_err(|problem| Stop::Inconclusive(problem.to_string()))?;
        let wait = match &assertion.operator {
            Operator::Eventually { within, .. } => Wait::Claimed(*within),
            _ => Wait::Own(Duration::ZERO),
        };
        let window = self.window;
        let begin = tokio::time::Instant::now();
        let mut length = 0;
        let judged = self
            .wait_for(wait, |history| {
                length = history.len();
                judge(&assertion, history, window, &bindings)
            })
            .await?;
        self.judged = Some(length as u64);
        match judged {
            Judgement::Holds => Ok(()),
            Judgement::Inconclusive(reason) => Err(Stop::Inconclusive(reason)),
            Judgement::NotYet | Judgement::Impossible | Judgement::Violated => {
                if self.run.bless && self.bless(&assertion, &bindings)? {
                    return Ok(());
                }
                let mut history = self.record.snapshot();
                history.truncate(length);
                if let Some(reason) = missed(&judged, &assertion, &history, &bindings) {
                    return Err(Stop::Inconclusive(reason));
                }
                if matches!(judged, Judgement::NotYet)
                    && let Err(stop) = self.still_answered().await
                {
                    // The claim did not decide this, so nobody who judges the record again may take it to have.
                    self.judged = None;
                    return Err(stop);
                }
                let waits = matches!(wait, Wait::Claimed(_));
                let waited = waits.then(|| tenths(begin.elapsed()));
                Err(Stop::Failed(Box::new(explain(&assertion, &history, window, &bindings, waited))))
            }
        }
    }

    /// The one object that a step acts on, as the record shows it; waits until it is there.
    pub(super) async fn reference(&self, target: &Target, at: &Location) -> Result<Reference, Stop> {
        let bindings = self.fresh_bindings();
        let mut found = Vec::new();
        let judged = self
            .wait_for(Wait::Object, |history| {
                found = crate::check::present(target, history, &bindings);
                if found.len() == 1 { Judgement::Holds } else { Judgement::NotYet }
            })
            .await?;
        match (judged, found.pop()) {
            (Judgement::Holds, Some(version)) => Ok(Reference {
                place: self.place(&version.api_version, &version.kind)?.clone(),
                name: version.name,
                uid: version.uid,
            }),
            (_, one) => {
                self.still_answered().await?;
                let count = found.len() + usize::from(one.is_some());
                Err(self.refused(
                    &format!("{} is exactly one object", crate::scenario::describe_target(target)),
                    "",
                    &format!(
                        "{count} such objects are there after {} s",
                        Wait::Object.within(self.run.slack).as_secs()
                    ),
                    at,
                ))
            }
        }
    }

    /// Nothing that was waited for in vain says anything of the subject if the API server is away.
    pub(super) async fn still_answered(&self) -> Result<(), Stop> {
        match request(|| async { self.client().apiserver_version().await }).await {
            Err(RequestError::Trouble(reason)) => {
                Err(Stop::Inconclusive(format!("the API server does not answer any more: {reason}")))
            }
            Ok(_) | Err(RequestError::Refused(_)) => Ok(()),
        }
    }
}

/// Without what nobody wants to read.
fn tenths(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) / 100 * 100)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use kube::Client;
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::engine::case::RunContext;
    use crate::engine::kinds::Kinds;
    use crate::engine::plan::PlacedCase;
    use crate::event::{CaseId, EventSink};
    use crate::pulse::Pulse;
    use crate::record::{Record, RecordWriter};
    use crate::scenario::assertion::BoundObject;
    use crate::scenario::step::Action;
    use crate::scenario::suite::Suite;

    #[test]
    fn whatever_waits_for_the_subject_gets_the_slack_and_nothing_else_does() {
        let (second, slack) = (Duration::from_secs(1), Duration::from_millis(2500));
        for wait in
            [Wait::Claimed(second), Wait::Claimed(Duration::ZERO), Wait::Object, Wait::Fence, Wait::Request]
        {
            assert_eq!(wait.within(slack), wait.within(Duration::ZERO) + slack, "{wait:?}");
        }
        assert_eq!(Wait::Claimed(second).within(Duration::ZERO), second);
        assert_eq!(Wait::Own(second).within(slack), second);
    }

    /// A client of an API server that is there and has nothing.
    fn client() -> Client {
        let version = json!({
            "major": "1", "minor": "35", "gitVersion": "v1.35.4", "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
        });
        let answer = tower::service_fn(move |_request: http::Request<kube::client::Body>| {
            let body = version.to_string().into_bytes();
            async { Ok::<_, std::io::Error>(http::Response::new(kube::client::Body::from(body))) }
        });
        Client::new(answer, "default")
    }

    #[tokio::test]
    async fn an_eventually_fails_only_after_the_slack() {
        let slack = Duration::from_millis(900);
        let begin = Instant::now();
        let stop = settings_are_awaited_in_vain(slack, Duration::ZERO).await;
        assert!(matches!(stop, Stop::Failed(_)), "{stop:?}");
        assert!(begin.elapsed() >= slack, "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn nothing_fails_on_a_machine_that_is_too_busy_to_tell() {
        let stop = settings_are_awaited_in_vain(Duration::ZERO, Duration::from_mins(1)).await;
        assert!(matches!(&stop, Stop::Inconclusive(reason) if reason.contains("too busy")), "{stop:?}");
    }

    /// How an `eventually` ends for which nothing comes, while this time is lost.
    async fn settings_are_awaited_in_vain(slack: Duration, lost: Duration) -> Stop {
        let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites/patient");
        let case = Suite::load(&suite).unwrap().cases()[0].clone();
        let client = client();
        let run = RunContext {
            run_id: "run".to_owned(),
            client: client.clone(),
            subjects: None,
            kinds: Kinds::default(),
            renderings: Arc::default(),
            pulse: Pulse::start(client),
            fence: None,
            events: EventSink::silent(),
            cancel: CancellationToken::new(),
            slack,
            bless: false,
            engine_defect: None,
            own_clusters: None,
            first_revision: 0,
        };
        let claims = case.actions().filter_map(|action| match action {
            Action::Assert(assertion) => Some(assertion.as_ref().clone()),
            _ => None,
        });
        let mut claim =
            claims.into_iter().find(|claim| matches!(claim.operator, Operator::Eventually { .. })).unwrap();
        // Less than what a deadline may move by lost time, were there no slack.
        let Operator::Eventually { within, .. } = &mut claim.operator else { unreachable!() };
        *within = Duration::from_millis(50);
        let placed =
            PlacedCase { case, namespace: "ns".to_owned(), release: None, skip: None, declined: false };
        let id = CaseId { scenario: "s".to_owned(), case: String::new() };
        let mut running = CaseRun::new(&run, &placed, Record::new(id, RecordWriter::none()), None);
        let settings = BoundObject {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: "ns".to_owned(),
            name: "settings".to_owned(),
            uid: "1".to_owned(),
            latest: Arc::default(),
        };
        running.bindings.objects.insert("settings".to_owned(), settings);
        let pulse = Arc::clone(&run.pulse);
        let losing = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            pulse.lose(lost);
        };
        let (asserted, ()) = tokio::join!(running.assert(&claim), losing);
        assert_eq!(running.judged.is_some(), lost.is_zero(), "what was lost decides, or the claim");
        asserted.unwrap_err()
    }
}

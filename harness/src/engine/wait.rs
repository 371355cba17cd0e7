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

impl CaseRun<'_> {
    /// Judges the record now and with every new entry until it is decided or the time is over, not counting
    /// what is lost because the cluster is late.
    pub(super) async fn wait_for(
        &self,
        within: Duration,
        mut judgement: impl FnMut(&[Arc<Entry>]) -> Judgement,
    ) -> Result<Judgement, Stop> {
        let mut length = self.record.length();
        let patience = self.run.pulse.patience(within);
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
                        _ => return Ok(judgement(&self.record.snapshot())),
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
        let within = match &assertion.operator {
            Operator::Eventually { within, .. } => *within + self.run.slack,
            _ => Duration::ZERO,
        };
        let window = self.window;
        let begin = tokio::time::Instant::now();
        let mut length = 0;
        let judged = self
            .wait_for(within, |history| {
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
                if matches!(judged, Judgement::NotYet) {
                    self.still_answered().await?;
                }
                let waited = (!within.is_zero()).then(|| tenths(begin.elapsed()));
                Err(Stop::Failed(Box::new(explain(&assertion, &history, window, &bindings, waited))))
            }
        }
    }

    /// The one object that a step acts on, as the record shows it; waits until it is there.
    pub(super) async fn reference(&self, target: &Target, at: &Location) -> Result<Reference, Stop> {
        let bindings = self.fresh_bindings();
        let within = OBJECT + self.run.slack;
        let mut found = Vec::new();
        let judged = self
            .wait_for(within, |history| {
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
                    &format!("{count} such objects are there after {} s", within.as_secs()),
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

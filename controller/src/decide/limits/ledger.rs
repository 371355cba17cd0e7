//! The ledger: who is in flight, who waits, and who may start next.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::api::AgentRun;
use crate::config::Limits;
use crate::defects::Defect;

use super::super::stage::Stage;
use super::counts::Counts;
use super::limit::{Limit, Scope};
use super::scopes::{Position, Scopes};
use super::starts::Starts;

/// Everything the limits are about, for all watched namespaces.
#[derive(Debug)]
pub struct Ledger {
    limits: Limits,
    /// Runs that are neither terminal nor gone, by uid.
    runs: HashMap<String, Entry>,
    /// Those that wait, in the order in which they may start.
    waiting: BTreeMap<Position, Scopes>,
    in_flight: Counts,
    starts: Starts,
}

#[derive(Debug)]
struct Entry {
    position: Position,
    scopes: Scopes,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the queue; `told` is what its status says about that.
    Waiting { told: Option<Limit> },
    /// Cannot start for a reason of its own, and neither waits for a slot nor holds one.
    Parked,
    /// May start, which its status does not show yet.
    Admitted,
    /// Started.
    Started,
}

impl State {
    fn is_in_flight(self) -> bool {
        matches!(self, Self::Admitted | Self::Started)
    }
}

/// What a look at the queue has led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Advance {
    /// Runs that have to be looked at: they were admitted, or wait for something else now.
    pub woken: Vec<Position>,
    /// When a look is worthwhile although nothing happens until then.
    pub again_at: Option<Timestamp>,
}

/// Whether a run may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It has its slot.
    Start,
    /// It waits.
    Wait(Limit),
}

impl Ledger {
    /// An empty ledger.
    pub fn new(limits: Limits) -> Self {
        Self {
            starts: Starts::within(limits.window),
            limits,
            runs: HashMap::new(),
            waiting: BTreeMap::new(),
            in_flight: Counts::default(),
        }
    }

    /// Takes in a version of a run. `owns_job` tells whether a Job of the run is known, which counts as
    /// started even while the status does not show it.
    pub fn observe(&mut self, run: &AgentRun, owns_job: bool, now: Timestamp) {
        let position = Position::of(run);
        let scopes = Scopes::of(run);
        let stage = Stage::of(run);
        let started_at = run.status.as_ref().and_then(|status| status.started_at.as_ref());
        if let Some(started_at) = started_at.filter(|_| stage != Stage::New) {
            self.starts.add(&position.uid, &scopes, started_at.0, now);
        }
        let before = self.runs.get(&position.uid).map(|entry| entry.state);
        let state = match stage {
            Stage::Terminal => {
                if before == Some(State::Admitted) && started_at.is_none() {
                    self.starts.cancel(&position.uid);
                }
                None
            }
            Stage::Accepted if before.is_none() && Defect::RestartForgetsSlots.is_planted() => {
                Some(State::Parked)
            }
            Stage::Accepted => Some(State::Started),
            Stage::New if owns_job => Some(State::Started),
            Stage::New => match before {
                // A slot is kept while its use is not visible: a Job may be there already.
                Some(known) if known.is_in_flight() => Some(known),
                // A run that is going away never starts.
                _ if run.metadata.deletion_timestamp.is_some() => None,
                Some(known) => Some(known),
                None => Some(State::Waiting { told: None }),
            },
        };
        self.enter(position, scopes, state);
    }

    /// The run is gone.
    pub fn forget(&mut self, run: &AgentRun) {
        self.enter(Position::of(run), Scopes::of(run), None);
    }

    /// Keeps only the runs that `exists` knows, after a watch has missed deletions.
    pub fn retain(&mut self, exists: impl Fn(&Position) -> bool) {
        let gone: Vec<_> = self.runs.values().filter(|entry| !exists(&entry.position)).collect();
        let gone: Vec<_> = gone.iter().map(|entry| (entry.position.clone(), entry.scopes.clone())).collect();
        for (position, scopes) in gone {
            self.enter(position, scopes, None);
        }
    }

    /// Takes back the slot of a run that was admitted and turned out not to start.
    pub fn park(&mut self, run: &AgentRun) {
        let position = Position::of(run);
        self.starts.cancel(&position.uid);
        self.enter(position, Scopes::of(run), Some(State::Parked));
    }

    /// Whether this run may start now. It joins the queue if it is not known, or was parked.
    pub fn ask(&mut self, run: &AgentRun, now: Timestamp) -> (Answer, Advance) {
        let position = Position::of(run);
        let waits = match self.runs.get(&position.uid).map(|entry| entry.state) {
            Some(State::Admitted | State::Started) => return (Answer::Start, Advance::default()),
            Some(State::Waiting { .. }) => true,
            Some(State::Parked) | None => false,
        };
        let scopes = Scopes::of(run);
        if !waits {
            self.enter(position.clone(), scopes.clone(), Some(State::Waiting { told: None }));
        }
        let mut advance = self.advance(now);
        let is_in_flight = |entry: Option<&Entry>| entry.is_some_and(|entry| entry.state.is_in_flight());
        if is_in_flight(self.runs.get(&position.uid)) {
            // The one who asks needs no waking.
            advance.woken.retain(|woken| woken.uid != position.uid);
            return (Answer::Start, advance);
        }
        let mut ahead = Counts::default();
        for older in self.waiting.range(..&position).map(|(_, scopes)| scopes) {
            ahead.add(older);
        }
        match self.limit(&scopes, &ahead) {
            None => (Answer::Start, advance),
            Some(limit) => {
                if let Some(entry) = self.runs.get_mut(&position.uid) {
                    entry.state = State::Waiting { told: Some(limit) };
                }
                (Answer::Wait(limit), advance)
            }
        }
    }

    /// Admits every waiting run that may start, the oldest first.
    pub fn advance(&mut self, now: Timestamp) -> Advance {
        self.starts.expire(now);
        let mut ahead = Counts::default();
        let mut advance = Advance::default();
        let mut admitted = Vec::new();
        for (position, scopes) in &self.waiting {
            if self.in_flight.all() >= self.limits.concurrency.cluster {
                break;
            }
            let Some(limit) = self.limit(scopes, &ahead) else {
                self.in_flight.add(scopes);
                self.starts.add(&position.uid, scopes, now, now);
                admitted.push(position.clone());
                continue;
            };
            ahead.add(scopes);
            if let Limit::Rate { free_at, .. } = limit {
                advance.again_at = advance.again_at.into_iter().chain([free_at]).min();
            }
            let told = self.runs.get(&position.uid).map(|entry| entry.state);
            if let Some(State::Waiting { told: Some(told) }) = told
                && !told.is_same(&limit)
            {
                advance.woken.push(position.clone());
            }
        }
        for position in admitted {
            self.waiting.remove(&position);
            if let Some(entry) = self.runs.get_mut(&position.uid) {
                entry.state = State::Admitted;
            }
            if !Defect::NobodyIsWoken.is_planted() {
                advance.woken.push(position);
            }
        }
        advance
    }

    /// Runs in flight, per scope.
    pub fn in_flight(&self) -> &Counts {
        &self.in_flight
    }

    /// Number of runs in the queue.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The first limit that a run with these scopes has reached, `ahead` being the waiting runs in front.
    fn limit(&self, scopes: &Scopes, ahead: &Counts) -> Option<Limit> {
        let has_repository = scopes.repository.as_ref();
        let concurrency = &self.limits.concurrency;
        let flying = &self.in_flight;
        let in_flight = [
            (Scope::Agent, flying.agent(scopes), Some(concurrency.agent)),
            (
                Scope::Repository,
                flying.repository(scopes),
                has_repository.and_then(|name| concurrency.of_repository(name)),
            ),
            (Scope::Namespace, flying.namespace(scopes), Some(concurrency.namespace)),
            (Scope::Cluster, flying.all(), Some(concurrency.cluster)),
        ];
        let in_flight = in_flight.map(|(scope, count, most)| {
            (scope, count, most.map(|most| most + usize::from(Defect::LimitsOffByOne.is_planted())))
        });
        if let Some((scope, _, most)) = first_reached(in_flight) {
            return Some(Limit::Concurrency { scope, most });
        }
        let queue = &self.limits.queue;
        let queued = [
            (Scope::Namespace, ahead.namespace(scopes), queue.namespace),
            (Scope::Cluster, ahead.all(), queue.cluster),
            (
                Scope::Repository,
                ahead.repository(scopes),
                queue.repository.filter(|_| has_repository.is_some()),
            ),
        ];
        if let Some((scope, _, most)) = first_reached(queued)
            && !Defect::QueueWithoutLimit.is_planted()
        {
            return Some(Limit::Queue { scope, most });
        }
        let rate = &self.limits.rate;
        let starts = self.starts.counts();
        let started = [
            (Scope::Cluster, starts.all(), rate.cluster),
            (Scope::Namespace, starts.namespace(scopes), rate.namespace),
            (
                Scope::Repository,
                starts.repository(scopes),
                rate.repository.filter(|_| has_repository.is_some()),
            ),
        ];
        let (scope, count, most) = first_reached(started)?;
        let free_at = self.starts.free_at(scopes, scope, count, most);
        Some(Limit::Rate { scope, most, free_at })
    }

    /// Puts a run into a state, or out of the ledger, and keeps queue and counts in step.
    fn enter(&mut self, position: Position, scopes: Scopes, state: Option<State>) {
        if let Some(before) = self.runs.remove(&position.uid) {
            if before.state.is_in_flight() {
                self.in_flight.remove(&before.scopes);
            }
            self.waiting.remove(&before.position);
        }
        let Some(state) = state else { return };
        match state {
            State::Waiting { .. } => {
                self.waiting.insert(position.clone(), scopes.clone());
            }
            State::Admitted | State::Started => self.in_flight.add(&scopes),
            State::Parked => {}
        }
        self.runs.insert(position.uid.clone(), Entry { position, scopes, state });
    }
}

fn first_reached<const N: usize>(
    checks: [(Scope, usize, Option<usize>); N],
) -> Option<(Scope, usize, usize)> {
    checks
        .into_iter()
        .find_map(|(scope, count, most)| Some((scope, count, most.filter(|most| count >= *most)?)))
}

#[cfg(test)]
mod tests;

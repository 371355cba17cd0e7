//! The ledger: who is in flight, who waits, and who may start next.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::AgentRun;
use crate::config::{Bounds, Limits};
use crate::defects::Defect;

use super::super::metadata::FINALIZER;
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
    /// Those of them that were not looked at yet.
    fresh: BTreeSet<Position>,
    /// Those of them whose status names queue or rate, which come after the runs in flight.
    told_turn: BTreeSet<Position>,
    /// Whether somebody who was looked at may start now, because somebody else left.
    has_room: bool,
    /// When somebody who was looked at may start although nothing happens until then.
    again_at: Option<Timestamp>,
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

impl Advance {
    fn look_again(&mut self, limit: &Limit) {
        if let Limit::Rate { free_at, .. } = limit {
            self.again_at = self.again_at.into_iter().chain([*free_at]).min();
        }
    }
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
            fresh: BTreeSet::new(),
            told_turn: BTreeSet::new(),
            has_room: false,
            again_at: None,
            in_flight: Counts::default(),
        }
    }

    /// Takes in a version of a run. `unrecorded` tells when a Job of the run was made that its status does not show
    /// yet, which counts as started. Returns whether that changes anything.
    pub fn observe(&mut self, run: &AgentRun, unrecorded: Option<Timestamp>, now: Timestamp) -> bool {
        let position = Position::of(run);
        let scopes = Scopes::of(run);
        let stage = Stage::of(run);
        let started_at = run.status.as_ref().and_then(|status| status.started_at.as_ref());
        let started_at = started_at.filter(|_| stage != Stage::New).map(|started_at| started_at.0);
        if let Some(started_at) = started_at.or(unrecorded) {
            self.starts.add(&position.uid, &scopes, started_at, now);
        }
        let before = self.runs.get(&position.uid).map(|entry| entry.state);
        let next = match stage {
            // Its Jobs are gone, and what keeps the object is the business of somebody else.
            _ if is_let_go(run) => None,
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
            Stage::New if unrecorded.is_some() => Some(State::Started),
            Stage::New => match before {
                // A slot is kept while its use is not visible: a Job may be there already.
                Some(known) if known.is_in_flight() => Some(known),
                // A run that is going away never starts.
                _ if run.metadata.deletion_timestamp.is_some() => None,
                Some(known) => Some(known),
                None => Some(State::Waiting { told: None }),
            },
        };
        let known = self.runs.get(&position.uid);
        let is_known = known.map(|entry| (&entry.position, &entry.scopes, entry.state))
            == next.map(|next| (&position, &scopes, next));
        if !is_known {
            self.enter(position, scopes, next);
        }
        !is_known
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

    /// Whether this run may start now. It joins the queue if it is not known, was parked, or counts towards
    /// something else by now.
    pub fn ask(&mut self, run: &AgentRun, now: Timestamp) -> (Answer, Advance) {
        let (position, scopes) = (Position::of(run), Scopes::of(run));
        let waits = match self.runs.get(&position.uid) {
            Some(entry) if entry.state.is_in_flight() => return (Answer::Start, Advance::default()),
            Some(Entry { state: State::Waiting { .. }, scopes: known, .. }) => *known == scopes,
            Some(_) | None => false,
        };
        if !waits {
            self.enter(position.clone(), scopes.clone(), Some(State::Waiting { told: None }));
        }
        let mut advance = self.advance(now);
        let is_in_flight = |entry: Option<&Entry>| entry.is_some_and(|entry| entry.state.is_in_flight());
        let answer = if is_in_flight(self.runs.get(&position.uid)) {
            Answer::Start
        } else if let Some(limit) = self.limit(&scopes, &position) {
            if let Some(entry) = self.runs.get_mut(&position.uid) {
                entry.state = State::Waiting { told: Some(limit) };
            }
            if matches!(limit, Limit::Concurrency { .. }) {
                self.told_turn.remove(&position);
            } else {
                self.told_turn.insert(position.clone());
            }
            Answer::Wait(limit)
        } else {
            // Whoever is told to start has a slot, whatever kept the look at the queue from giving it.
            self.admit(position.clone(), &scopes, now, &mut advance);
            Answer::Start
        };
        // The one who asks needs no waking.
        advance.woken.retain(|woken| woken.uid != position.uid);
        (answer, advance)
    }

    /// Admits every waiting run that may start, the oldest first.
    ///
    /// After each call nobody is left who could start. So a run that joins the queue is all that has to be
    /// looked at until somebody leaves or a rate's window moves, however long the queue is.
    pub fn advance(&mut self, now: Timestamp) -> Advance {
        self.starts.expire(now);
        let all = self.has_room || self.again_at.is_some_and(|at| at <= now);
        let mut advance = if all { self.look_at_all(now) } else { self.look_at_fresh(now) };
        self.has_room = false;
        self.fresh.clear();
        if all {
            self.again_at = None;
        }
        self.again_at = self.again_at.into_iter().chain(advance.again_at).min();
        advance.again_at = self.again_at;
        if self.is_full() {
            // Nobody's turn comes before somebody leaves. Each is woken once, and learns that by asking.
            advance.woken.extend(std::mem::take(&mut self.told_turn));
        }
        advance
    }

    /// Whether nobody can start, whoever it is.
    fn is_full(&self) -> bool {
        self.in_flight.all() >= self.limits.concurrency.cluster
    }

    fn look_at_fresh(&mut self, now: Timestamp) -> Advance {
        let mut advance = Advance::default();
        for position in std::mem::take(&mut self.fresh) {
            let Some(scopes) = self.waiting.get(&position).cloned() else { continue };
            match self.limit(&scopes, &position) {
                None => self.admit(position, &scopes, now, &mut advance),
                Some(limit) => advance.look_again(&limit),
            }
        }
        advance
    }

    fn look_at_all(&mut self, now: Timestamp) -> Advance {
        let mut advance = Advance::default();
        let mut ahead = Counts::default();
        // Nothing that is called on the way looks at the queue, and a copy would cost more than the look.
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut admitted = Vec::new();
        for (position, scopes) in &waiting {
            if self.is_full() {
                break;
            }
            let limit = self.concurrency_limit(scopes).or_else(|| self.turn_limit(scopes, &ahead));
            let Some(limit) = limit else {
                self.admit(position.clone(), scopes, now, &mut advance);
                admitted.push(position.clone());
                continue;
            };
            ahead.add(scopes);
            advance.look_again(&limit);
            let told = self.runs.get(&position.uid).map(|entry| entry.state);
            if let Some(State::Waiting { told: Some(told) }) = told
                && !told.is_same(&limit)
            {
                advance.woken.push(position.clone());
                self.told_turn.remove(position);
            }
        }
        for position in admitted {
            waiting.remove(&position);
        }
        self.waiting = waiting;
        advance
    }

    fn admit(&mut self, position: Position, scopes: &Scopes, now: Timestamp, advance: &mut Advance) {
        self.waiting.remove(&position);
        self.told_turn.remove(&position);
        self.in_flight.add(scopes);
        self.starts.add(&position.uid, scopes, now, now);
        if let Some(entry) = self.runs.get_mut(&position.uid) {
            entry.state = State::Admitted;
        }
        if !Defect::NobodyIsWoken.is_planted() {
            advance.woken.push(position);
        }
    }

    /// Runs in flight, per scope.
    pub fn in_flight(&self) -> &Counts {
        &self.in_flight
    }

    /// Number of runs in the queue.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The first limit that the run at this position has reached.
    fn limit(&self, scopes: &Scopes, position: &Position) -> Option<Limit> {
        self.concurrency_limit(scopes).or_else(|| {
            let mut ahead = Counts::default();
            if self.limits.queue != Bounds::default() {
                self.waiting.range(..position).for_each(|(_, older)| ahead.add(older));
            }
            self.turn_limit(scopes, &ahead)
        })
    }

    fn concurrency_limit(&self, scopes: &Scopes) -> Option<Limit> {
        let concurrency = &self.limits.concurrency;
        let flying = &self.in_flight;
        let of_repository = scopes.repository.as_ref().and_then(|name| concurrency.of_repository(name));
        let in_flight = [
            (Scope::Agent, flying.agent(scopes), Some(concurrency.agent)),
            (Scope::Repository, flying.repository(scopes), of_repository),
            (Scope::Namespace, flying.namespace(scopes), Some(concurrency.namespace)),
            (Scope::Cluster, flying.all(), Some(concurrency.cluster)),
        ];
        let in_flight = in_flight.map(|(scope, count, most)| {
            (scope, count, most.map(|most| most + usize::from(Defect::LimitsOffByOne.is_planted())))
        });
        first_reached(in_flight).map(|(scope, _, most)| Limit::Concurrency { scope, most })
    }

    /// Queue and rate, `ahead` being the waiting runs in front.
    fn turn_limit(&self, scopes: &Scopes, ahead: &Counts) -> Option<Limit> {
        let on_repository = |most: Option<usize>| most.filter(|_| scopes.repository.is_some());
        let queue = &self.limits.queue;
        let queued = [
            (Scope::Namespace, ahead.namespace(scopes), queue.namespace),
            (Scope::Cluster, ahead.all(), queue.cluster),
            (Scope::Repository, ahead.repository(scopes), on_repository(queue.repository)),
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
            (Scope::Repository, starts.repository(scopes), on_repository(rate.repository)),
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
            self.fresh.remove(&before.position);
            self.told_turn.remove(&before.position);
            // A start that becomes visible frees nothing.
            let stays = state.is_some_and(State::is_in_flight) && before.state.is_in_flight();
            self.has_room |= !stays || before.scopes != scopes;
        }
        let Some(state) = state else { return };
        match state {
            State::Waiting { .. } => {
                self.waiting.insert(position.clone(), scopes.clone());
                self.fresh.insert(position.clone());
            }
            State::Admitted | State::Started => self.in_flight.add(&scopes),
            State::Parked => {}
        }
        self.runs.insert(position.uid.clone(), Entry { position, scopes, state });
    }
}

/// Whether the run is being deleted, and its Jobs were.
fn is_let_go(run: &AgentRun) -> bool {
    run.metadata.deletion_timestamp.is_some() && !run.finalizers().iter().any(|name| name == FINALIZER)
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

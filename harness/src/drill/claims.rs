//! What a drill claims, judged by the ledgers of both clusters. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::ledger::{Key, Ledger, Version};
use super::memory::Memory;
use super::objectives::{self, WRITES_PER_RUN};
use super::requests::Asked;
use super::timeline::{Moment, Timeline};
use crate::count::count;

/// How many objects a broken claim names.
const NAMED: usize = 5;

/// A claim and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// What has to be true.
    pub claim: &'static str,
    /// Whether it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
}

/// Whether a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It does.
    Kept,
    /// It does not.
    Broken,
    /// The drill did not get that far.
    Open,
}

/// A write that the API server acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    /// The run.
    pub(super) run: String,
    /// What was written.
    pub(super) effect: Effect,
    /// The revision of the answer; a deletion has none, and is told by its time.
    pub(super) revision: Option<u64>,
    /// When it was acknowledged.
    pub(super) at: Timestamp,
}

/// What a write did to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is there.
    Created,
    /// It is not what it was.
    Changed,
    /// It is gone.
    Deleted,
}

/// What a restore said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RestoreEnd {
    /// Whether everything is as in the archive.
    pub(super) complete: bool,
    /// In words.
    pub(super) said: String,
}

/// All that is known of a drill.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    /// The kind of runs.
    pub(super) run_kind: &'a str,
    /// Its plural.
    pub(super) run_resource: &'a str,
    /// The first cluster.
    pub(super) before: &'a Ledger,
    /// The second one.
    pub(super) after: &'a Ledger,
    /// The revision of the snapshot of each kind.
    pub(super) snapshot: &'a BTreeMap<String, u64>,
    /// When the snapshot was complete.
    pub(super) taken: Timestamp,
    /// The acknowledged writes.
    pub(super) writes: &'a [Write],
    /// How the restore ended.
    pub(super) restore: &'a RestoreEnd,
    /// When the restore had ended.
    pub(super) restored: Timestamp,
    /// The moments.
    pub(super) timeline: &'a Timeline,
    /// The names of runs that did not settle; `None` if that was not waited for.
    pub(super) unsettled: Option<&'a [String]>,
    /// What the controller wrote from the release on; `None` if there was none.
    pub(super) asked: Option<&'a [Asked]>,
    /// How many of these writes came before all had settled; `None` if that did not happen.
    pub(super) before_rest: Option<usize>,
    /// How long nobody was to write.
    pub(super) quiet: Duration,
    /// What the controller ended by, although nobody asked.
    pub(super) crash: Option<&'a str>,
    /// Promised time from t1 to t8.
    pub(super) promised: Option<Duration>,
    /// What was taken, by both sides.
    pub(super) memory: Memory,
}

impl Evidence<'_> {
    /// What the snapshot holds.
    pub(super) fn expected(&self) -> BTreeMap<Key, Version> {
        self.before.at_revision(|kind| self.snapshot.get(kind).copied())
    }

    /// The writes that the restore did not bring back.
    pub(super) fn lost(&self) -> Vec<&Write> {
        let found = self.after.at_time(self.restored);
        let is_lost = |write: &&Write| {
            let key = (self.run_kind.to_owned(), write.run.clone());
            match (write.effect, found.get(&key)) {
                (Effect::Created, there) => there.is_none(),
                (Effect::Deleted, there) => there.is_some(),
                (Effect::Changed, Some(there)) => {
                    let mut since = self.before.versions(&key).iter();
                    !since.any(|version| {
                        Some(version.revision) >= write.revision && version.digest == there.digest
                    })
                }
                (Effect::Changed, None) => true,
            }
        };
        self.writes.iter().filter(is_lost).collect()
    }

    /// All claims, in the order of the procedure.
    pub(super) fn judge(&self) -> Vec<Claim> {
        let expected = self.expected();
        vec![
            self.complete(),
            self.faithful(&expected),
            self.loses_exactly(),
            self.executions(&expected, Sort::Ended),
            self.executions(&expected, Sort::Active),
            self.executions(&expected, Sort::Waiting),
            self.strays(&expected),
            self.settled(),
            self.stays(&expected),
            self.frugal(&expected),
            self.quiet(),
            self.alive(),
            self.objective(),
            self.bounded(expected.keys().filter(|(kind, _)| kind == self.run_kind).count()),
        ]
    }

    /// Whether the hold may be released: nobody would let a controller work on anything else.
    pub(super) fn is_whole(&self) -> bool {
        let expected = self.expected();
        self.complete().verdict == Verdict::Kept && self.faithful(&expected).verdict == Verdict::Kept
    }

    fn complete(&self) -> Claim {
        let verdict = if self.restore.complete { Verdict::Kept } else { Verdict::Broken };
        claim("the restore is complete", verdict, self.restore.said.clone())
    }

    /// Compared with what the watches of the first cluster delivered, not with the archive.
    fn faithful(&self, expected: &BTreeMap<Key, Version>) -> Claim {
        let found = self.after.at_time(self.restored);
        let differs = |(key, version): (&Key, &Version)| match found.get(key) {
            Some(there) if there.digest == version.digest => None,
            Some(_) => Some(format!("{} {} is another one", key.0, key.1)),
            None => Some(format!("{} {} is missing", key.0, key.1)),
        };
        let mut wrong: Vec<String> = expected.iter().filter_map(differs).collect();
        let more = found.keys().filter(|key| !expected.contains_key(*key));
        wrong.extend(more.map(|key| format!("{} {} was not in the snapshot", key.0, key.1)));
        judged(
            "spec, status and metadata of every object are those of the snapshot",
            &wrong,
            format!("{} with equal digests", count(expected.len(), "object")),
        )
    }

    /// Neither more nor less.
    fn loses_exactly(&self) -> Claim {
        let lost = self.lost();
        let snapshot = self.snapshot.get(self.run_kind).copied().unwrap_or_default();
        let is_late = |write: &Write| match write.revision {
            Some(revision) => revision > snapshot,
            None => write.at > self.taken,
        };
        let names = |writes: &[&Write]| writes.iter().map(|write| write.run.clone()).collect::<BTreeSet<_>>();
        let late: Vec<&Write> = self.writes.iter().filter(|write| is_late(write)).collect();
        let (lost_names, late_names) = (names(&lost), names(&late));
        let mut wrong: Vec<String> = lost
            .iter()
            .filter(|write| !is_late(write))
            .map(|write| format!("{} was lost", write.run))
            .collect();
        wrong.extend(late_names.difference(&lost_names).map(|run| format!("{run} is as after the snapshot")));
        judged(
            "lost are the writes after the snapshot, and no other",
            &wrong,
            format!("{} of {}, all after revision {snapshot}", lost.len(), count(self.writes.len(), "write")),
        )
    }

    /// How many Jobs the runs of a sort got after the restore.
    fn executions(&self, expected: &BTreeMap<Key, Version>, sort: Sort) -> Claim {
        let runs: Vec<&str> = expected
            .iter()
            .filter(|((kind, name), version)| {
                kind == self.run_kind && Sort::of(version, self.jobs_at_snapshot(name)) == sort
            })
            .map(|((_, name), _)| name.as_str())
            .collect();
        let (text, allowed) = match sort {
            Sort::Ended => ("no run that had ended gets a Job", 0),
            Sort::Active => ("no run that was active is executed again", 0),
            Sort::Waiting => ("every run that waited gets one Job", 1),
        };
        let released = self.timeline.get(Moment::T6).is_some();
        let wrong: Vec<String> = runs
            .iter()
            .map(|run| (run, self.after.jobs_of(run)))
            .filter(|(_, jobs)| *jobs > allowed || (released && *jobs < allowed))
            .map(|(run, jobs)| format!("{run} got {jobs}"))
            .collect();
        let judged = judged(text, &wrong, count(runs.len(), "run"));
        self.after_release(judged)
    }

    /// Jobs that a run had when the snapshot was taken.
    fn jobs_at_snapshot(&self, run: &str) -> usize {
        let snapshot = self.snapshot.get(self.run_kind).copied().unwrap_or_default();
        self.before.jobs_of_until(run, snapshot)
    }

    fn strays(&self, expected: &BTreeMap<Key, Version>) -> Claim {
        let known = |run: &String| expected.contains_key(&(self.run_kind.to_owned(), run.clone()));
        let stray = self.after.jobs().filter(|job| !job.run.as_ref().is_some_and(known));
        let wrong: Vec<String> = stray.map(|job| job.name.clone()).collect();
        let found = format!("{} in all", count(self.after.jobs().count(), "Job"));
        self.after_release(judged("every Job belongs to a run of the archive", &wrong, found))
    }

    fn settled(&self) -> Claim {
        const TEXT: &str = "every run has come to its end";
        match self.unsettled {
            None => claim(TEXT, Verdict::Open, NOT_RELEASED.to_owned()),
            Some(names) => judged(TEXT, names, "all of them".to_owned()),
        }
    }

    /// From the release on, over all versions; and over all requests, of which one that changes nothing makes
    /// none.
    fn stays(&self, expected: &BTreeMap<Key, Version>) -> Claim {
        let ended: Vec<_> = expected
            .iter()
            .filter(|((kind, _), version)| kind == self.run_kind && version.is_terminal())
            .collect();
        let costs = self.costs();
        let wrong: Vec<String> = ended
            .iter()
            .filter(|(key, version)| {
                let versions = self.after.versions(key).iter();
                let mut late = versions.filter(|later| later.at > self.restored);
                let differs = late.any(|later| later.deleted || later.digest != version.digest);
                differs || costs.contains_key(key.1.as_str())
            })
            .map(|((_, name), _)| name.clone())
            .collect();
        let found = count(ended.len(), "run");
        self.after_release(judged("what had ended stays as it was", &wrong, found))
    }

    /// How often each run was written from the release on.
    fn costs(&self) -> BTreeMap<&str, usize> {
        let mut costs = BTreeMap::new();
        let of_runs = |write: &&Asked| write.accepted && write.resource == self.run_resource;
        for write in self.asked.unwrap_or_default().iter().filter(of_runs) {
            *costs.entry(write.name.as_str()).or_default() += 1;
        }
        costs
    }

    /// Requests are counted, so that writing without a difference counts, too.
    fn frugal(&self, expected: &BTreeMap<Key, Version>) -> Claim {
        const TEXT: &str = "no run that had not ended costs more than a few writes";
        let Some(asked) = self.asked else { return claim(TEXT, Verdict::Open, NOT_RELEASED.to_owned()) };
        let has_ended = |run: &str| {
            expected.get(&(self.run_kind.to_owned(), run.to_owned())).is_some_and(Version::is_terminal)
        };
        let mut costs = self.costs();
        costs.retain(|run, _| !has_ended(run));
        let dear = costs.iter().filter(|(_, cost)| **cost > WRITES_PER_RUN);
        let wrong: Vec<String> =
            dear.map(|(run, cost)| format!("{run} cost {cost} of at most {WRITES_PER_RUN}")).collect();
        let most = costs.values().max().copied().unwrap_or_default();
        judged(TEXT, &wrong, format!("{most} at most; {} of whatever kind", count(asked.len(), "write")))
    }

    fn quiet(&self) -> Claim {
        const TEXT: &str = "nothing is written once all have settled";
        let Some((asked, before)) = self.asked.zip(self.before_rest) else {
            return claim(TEXT, Verdict::Open, "nobody looked".to_owned());
        };
        let late: Vec<String> = asked.iter().skip(before).map(|write| write.text.clone()).collect();
        judged(TEXT, &late, format!("for {} s", self.quiet.as_secs_f64()))
    }

    fn alive(&self) -> Claim {
        let wrong: Vec<String> = self.crash.map(str::to_owned).into_iter().collect();
        judged("the controller keeps running", &wrong, "it did".to_owned())
    }

    fn objective(&self) -> Claim {
        const TEXT: &str = "the recovery takes no longer than promised";
        let Some(took) = self.timeline.between(Moment::T1, Moment::T8) else {
            return claim(TEXT, Verdict::Open, "it did not end".to_owned());
        };
        let Some(promised) = self.promised else {
            return claim(TEXT, Verdict::Kept, format!("{took:.1} s; for so many runs nothing is promised"));
        };
        let promised = promised.as_secs_f64();
        let verdict = if took <= promised { Verdict::Kept } else { Verdict::Broken };
        claim(TEXT, verdict, format!("{took:.1} s from t1 to t8, at most {promised} s"))
    }

    fn bounded(&self, runs: usize) -> Claim {
        const TEXT: &str = "memory stays within its bounds";
        let bounds = objectives::memory(runs);
        let sides = [
            ("hallmark", self.memory.hallmark.zip(bounds.hallmark)),
            ("the controller", self.memory.controller.zip(bounds.controller)),
        ];
        let mut said = Vec::new();
        let mut verdict = Verdict::Kept;
        for (side, measured) in sides {
            let Some((took, bound)) = measured else {
                return claim(TEXT, Verdict::Open, format!("nobody knows what {side} took"));
            };
            if took > bound {
                verdict = Verdict::Broken;
            }
            said.push(format!("{side} {} MiB, at most {}", took >> 20, bound >> 20));
        }
        claim(TEXT, verdict, said.join("; "))
    }

    /// What was not yet to happen proves nothing by not happening.
    fn after_release(&self, claim: Claim) -> Claim {
        if claim.verdict == Verdict::Kept && self.timeline.get(Moment::T6).is_none() {
            return Claim { verdict: Verdict::Open, found: NOT_RELEASED.to_owned(), ..claim };
        }
        claim
    }
}

const NOT_RELEASED: &str = "the hold was not released";

/// What a run was when the snapshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Ended,
    Active,
    Waiting,
}

impl Sort {
    fn of(version: &Version, jobs: usize) -> Self {
        match (version.is_terminal(), jobs) {
            (true, _) => Self::Ended,
            (false, 0) => Self::Waiting,
            (false, _) => Self::Active,
        }
    }
}

fn claim(claim: &'static str, verdict: Verdict, found: String) -> Claim {
    Claim { claim, verdict, found }
}

/// Broken if something is wrong, and then the first of it is named.
fn judged(text: &'static str, wrong: &[String], found: String) -> Claim {
    if wrong.is_empty() {
        return claim(text, Verdict::Kept, found);
    }
    let mut named = wrong.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if wrong.len() > NAMED {
        named = format!("{named} and {} more", wrong.len() - NAMED);
    }
    claim(text, Verdict::Broken, named)
}

/// The promise that counts: that of the command line, or else that for so many runs.
pub(super) fn promise(asked: Option<Duration>, runs: usize) -> Option<Duration> {
    asked.or_else(|| objectives::promised(runs))
}

#[cfg(test)]
mod tests;

//! All runs that will expire, in the order of their expiry.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::budget::Budget;

/// A run whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Expiries by namespace, and how many deletions each namespace has left.
#[derive(Debug)]
pub struct Queue {
    most_per_minute: usize,
    namespaces: HashMap<String, Namespace>,
    expiries: HashMap<String, (Timestamp, String, String)>,
    /// Expiries of the runs whose deletion is tried again later, by uid.
    failed: HashMap<String, Timestamp>,
}

#[derive(Debug, Default)]
struct Namespace {
    /// Time, name and uid of each run.
    runs: BTreeSet<(Timestamp, String, String)>,
    budget: Budget,
}

impl Queue {
    /// An empty queue that gives out at most so many runs of a namespace within any minute.
    pub fn new(most_per_minute: usize) -> Self {
        Self { most_per_minute, namespaces: HashMap::new(), expiries: HashMap::new(), failed: HashMap::new() }
    }

    /// The run expires at this time, or never. An earlier entry is replaced.
    pub fn set(&mut self, run: Due, expiry: Option<Timestamp>) {
        self.remove(&run.uid);
        let Some(at) = expiry else { return };
        let Due { namespace, name, uid } = run;
        self.namespaces.entry(namespace.clone()).or_default().runs.insert((at, name.clone(), uid.clone()));
        self.expiries.insert(uid, (at, namespace, name));
    }

    /// The run expired at this time, could not be deleted, and is to be taken out again at a later one.
    pub fn try_again(&mut self, run: Due, expiry: Timestamp, at: Timestamp) {
        let uid = run.uid.clone();
        self.set(run, Some(at));
        self.failed.insert(uid, expiry);
    }

    /// The run is gone.
    pub fn remove(&mut self, uid: &str) {
        self.failed.remove(uid);
        let Some((at, namespace, name)) = self.expiries.remove(uid) else { return };
        if let Some(entry) = self.namespaces.get_mut(&namespace) {
            entry.runs.remove(&(at, name, uid.to_owned()));
        }
    }

    /// Keeps only the runs that `exists` knows, after a watch has missed deletions.
    pub fn retain(&mut self, exists: impl Fn(&Due) -> bool) {
        let entries = self.expiries.iter().map(|(uid, (_, namespace, name))| Due {
            namespace: namespace.clone(),
            name: name.clone(),
            uid: uid.clone(),
        });
        let gone: Vec<_> = entries.filter(|run| !exists(run)).map(|run| run.uid).collect();
        for uid in gone {
            self.remove(&uid);
        }
    }

    /// Takes out what has expired, the oldest expiry of each namespace first, as far as its budget goes.
    pub fn take_due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        for (name, namespace) in &mut self.namespaces {
            while namespace.runs.first().is_some_and(|(at, ..)| *at <= now)
                && namespace.budget.spend(now, self.most_per_minute)
            {
                let Some((_, run, uid)) = namespace.runs.pop_first() else { break };
                self.expiries.remove(&uid);
                self.failed.remove(&uid);
                due.push(Due { namespace: name.clone(), name: run, uid });
            }
        }
        self.namespaces.retain(|_, entry| !entry.runs.is_empty() || !entry.budget.is_untouched(now));
        due
    }

    /// When the next run can be taken out.
    pub fn next_at(&self) -> Option<Timestamp> {
        let next = |namespace: &Namespace| {
            let (at, ..) = namespace.runs.first()?;
            Some((*at).max(namespace.budget.free_at(self.most_per_minute)))
        };
        self.namespaces.values().filter_map(next).min()
    }

    /// Runs that have expired and are still in the queue, whenever their deletion is tried again.
    pub fn backlog(&self, now: Timestamp) -> usize {
        let is_put_off = |uid: &str| self.expiries.get(uid).is_some_and(|(at, ..)| *at > now);
        let failed = self.failed.iter().filter(|(uid, expiry)| **expiry <= now && is_put_off(uid)).count();
        let late = |namespace: &Namespace| namespace.runs.iter().take_while(|(at, ..)| *at <= now).count();
        failed + self.namespaces.values().map(late).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn run(namespace: &str, name: &str) -> Due {
        Due { namespace: namespace.to_owned(), name: name.to_owned(), uid: format!("{namespace}-{name}") }
    }

    fn names(due: &[Due]) -> Vec<&str> {
        due.iter().map(|run| run.name.as_str()).collect()
    }

    /// [RET-13]
    #[test]
    fn the_oldest_expiries_go_first_and_the_rest_follows_when_the_minute_is_over() {
        let mut queue = Queue::new(2);
        for (name, expiry) in [("c", 3), ("a", 1), ("b", 2), ("later", 500)] {
            queue.set(run("ns", name), Some(at(expiry)));
        }
        queue.set(run("other", "o"), Some(at(1)));
        assert_eq!(queue.next_at(), Some(at(1)));
        let mut due = queue.take_due(at(10));
        due.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(names(&due), ["a", "b", "o"]);
        assert_eq!((queue.backlog(at(10)), queue.next_at()), (1, Some(at(70))));
        assert_eq!(queue.take_due(at(69)), []);
        assert_eq!(names(&queue.take_due(at(70))), ["c"]);
        assert_eq!(queue.next_at(), Some(at(500)));
    }

    #[test]
    fn a_changed_decision_replaces_the_earlier_one() {
        let mut queue = Queue::new(10);
        queue.set(run("ns", "a"), Some(at(1)));
        queue.set(run("ns", "a"), Some(at(100)));
        assert_eq!(queue.take_due(at(50)), []);
        queue.set(run("ns", "a"), None);
        assert_eq!(queue.next_at(), None);
    }

    #[test]
    fn runs_that_are_gone_leave_the_queue() {
        let mut queue = Queue::new(10);
        queue.set(run("ns", "a"), Some(at(1)));
        queue.set(run("ns", "b"), Some(at(1)));
        queue.set(run("other", "c"), Some(at(1)));
        queue.remove("ns-a");
        queue.retain(|run| run.namespace != "other");
        assert_eq!(names(&queue.take_due(at(1))), ["b"]);
    }

    /// [HL-04]
    #[test]
    fn a_run_that_could_not_be_deleted_stays_in_the_backlog() {
        let mut queue = Queue::new(10);
        queue.set(run("ns", "a"), Some(at(1)));
        let [due] = queue.take_due(at(2)).try_into().unwrap();
        queue.try_again(due, at(1), at(60));
        assert_eq!((queue.backlog(at(3)), queue.next_at()), (1, Some(at(60))));
        assert_eq!((queue.take_due(at(59)), queue.backlog(at(60))), (Vec::new(), 1));
        assert_eq!(names(&queue.take_due(at(60))), ["a"]);
        assert_eq!(queue.backlog(at(60)), 0);
        // A new decision about the run is no failure any more.
        queue.try_again(run("ns", "a"), at(1), at(90));
        queue.set(run("ns", "a"), Some(at(300)));
        assert_eq!(queue.backlog(at(100)), 0);
    }

    proptest! {
        /// [RET-03] [RET-13]
        #[test]
        fn nothing_is_early_and_no_minute_holds_more_than_the_budget(
            expiries in prop::collection::vec(0..300_i64, 0..60),
            looks in prop::collection::vec(0..20_i64, 0..60),
            most in 1..5_usize,
        ) {
            let mut queue = Queue::new(most);
            for (index, expiry) in expiries.iter().enumerate() {
                queue.set(run("ns", &format!("{index}")), Some(at(*expiry)));
            }
            let (mut now, mut taken) = (0, Vec::new());
            for step in looks {
                now += step;
                for due in queue.take_due(at(now)) {
                    let index: usize = due.name.parse().unwrap();
                    prop_assert!(expiries[index] <= now);
                    taken.push(now);
                }
                let in_last_minute = taken.iter().filter(|time| **time > now - 60).count();
                prop_assert!(in_last_minute <= most);
                prop_assert!(queue.next_at().is_none_or(|next| next > at(now)));
            }
        }
    }
}

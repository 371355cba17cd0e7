//! Which runs a drill makes, what becomes of each before the loss, and what is written too late. Pure.

use std::collections::HashMap;

/// The fewest runs among which there is one of every sort.
pub const MINIMUM: usize = 10;

/// What becomes of a run before the cluster is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its Jobs end well.
    Succeeds,
    /// Its Job fails.
    Fails,
    /// Its last Job does not end; of a workflow the first one has.
    Runs,
    /// It waits for its turn.
    Waits,
}

impl Fate {
    /// Whether the run ends before the loss.
    pub(super) fn ends(self) -> bool {
        matches!(self, Self::Succeeds | Self::Fails)
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedRun {
    /// Its name.
    pub(super) name: String,
    /// Whether it has several Jobs, one after the other.
    pub(super) workflow: bool,
    /// What becomes of it.
    pub(super) fate: Fate,
}

/// A write after the backup, which a restore cannot bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LateWrite {
    /// A run is created.
    Create(String),
    /// A run that ended gets a label.
    Label(String),
    /// A run that ended is deleted.
    Delete(String),
}

/// All runs of a drill.
#[derive(Debug, Clone)]
pub(super) struct RunPlan {
    runs: Vec<PlannedRun>,
    by_name: HashMap<String, usize>,
}

impl RunPlan {
    /// So many runs, at least [`MINIMUM`]: one in twenty is active at the loss, as many wait, and the others
    /// have ended, one in seven of them badly. One in ten is a workflow.
    pub(super) fn new(number: usize) -> Self {
        let number = number.max(MINIMUM);
        let share = (number / 20).max(2);
        let ended = number - 2 * share;
        let fate = |index: usize| match index {
            _ if index >= ended + share => Fate::Waits,
            _ if index >= ended => Fate::Runs,
            _ if index % 7 == 3 => Fate::Fails,
            _ => Fate::Succeeds,
        };
        // The first of each sort is one, so that none lacks them, but a run that waits has one Job to be
        // counted.
        let workflow = |index: usize| match fate(index) {
            Fate::Waits | Fate::Fails => false,
            Fate::Runs => (index - ended).is_multiple_of(10),
            Fate::Succeeds => index.is_multiple_of(10),
        };
        let runs: Vec<_> = (0..number)
            .map(|index| PlannedRun {
                name: format!("drill-{index:05}"),
                workflow: workflow(index),
                fate: fate(index),
            })
            .collect();
        let by_name = runs.iter().enumerate().map(|(index, run)| (run.name.clone(), index)).collect();
        Self { runs, by_name }
    }

    /// All runs.
    pub(super) fn runs(&self) -> &[PlannedRun] {
        &self.runs
    }

    /// The runs of a fate, in the order of their creation.
    pub(super) fn of(&self, fate: Fate) -> impl Iterator<Item = &PlannedRun> {
        self.runs.iter().filter(move |run| run.fate == fate)
    }

    /// The run of a name.
    pub(super) fn named(&self, name: &str) -> Option<&PlannedRun> {
        self.by_name.get(name).and_then(|index| self.runs.get(*index))
    }

    /// How many runs are active at the loss: all that the controller may start, so that the next ones wait.
    pub(super) fn active(&self) -> usize {
        self.of(Fate::Runs).count()
    }

    /// What is written after the backup: one new run for fifty, a label for each hundred, and one deletion.
    pub(super) fn late(&self) -> Vec<LateWrite> {
        let number = self.runs.len();
        let created = (0..(number / 50).max(1)).map(|index| LateWrite::Create(format!("late-{index:05}")));
        let mut ended = self.runs.iter().filter(|run| run.fate.ends()).map(|run| run.name.clone());
        let deleted = ended.next().map(LateWrite::Delete);
        let labelled = ended.take((number / 100).max(1)).map(LateWrite::Label);
        created.chain(labelled).chain(deleted).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fewest(0, 10)]
    #[case::few(50, 50)]
    #[case::many(1000, 1000)]
    fn every_plan_has_every_sort_of_run_and_most_have_ended(#[case] wanted: usize, #[case] number: usize) {
        let plan = RunPlan::new(wanted);
        assert_eq!(plan.runs().len(), number);
        let names: BTreeSet<&str> = plan.runs().iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names.len(), number);
        for fate in [Fate::Succeeds, Fate::Fails, Fate::Runs, Fate::Waits] {
            assert!(plan.of(fate).count() >= 1, "{fate:?}");
        }
        for fate in [Fate::Succeeds, Fate::Runs] {
            assert!(plan.of(fate).any(|run| run.workflow) && plan.of(fate).any(|run| !run.workflow));
        }
        assert!(plan.runs().iter().filter(|run| run.fate.ends()).count() * 2 > number);
        assert_eq!(plan.named("drill-00003"), plan.runs().get(3));
    }

    #[test]
    fn what_is_written_too_late_touches_no_run_twice_and_none_that_is_not_over() {
        let plan = RunPlan::new(1000);
        let late = plan.late();
        let touched: BTreeSet<&String> = late
            .iter()
            .map(|(LateWrite::Create(name) | LateWrite::Label(name) | LateWrite::Delete(name))| name)
            .collect();
        assert_eq!((late.len(), touched.len()), (31, 31));
        for write in &late {
            match write {
                LateWrite::Create(name) => assert!(plan.named(name).is_none()),
                LateWrite::Label(name) | LateWrite::Delete(name) => {
                    assert!(plan.named(name).expect("planned").fate.ends());
                }
            }
        }
    }
}

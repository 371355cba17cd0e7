//! The moments of a recovery. Pure.

use jiff::Timestamp;
use serde::Serialize;

/// A moment of a recovery, in the order in which it is worked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Moment {
    /// API server, datastore and controller are killed, and the data removed.
    T0,
    /// The API server of a new cluster is ready and its controllers act.
    T1,
    /// The archive is verified.
    T2,
    /// The definitions are established and served.
    T3,
    /// The last object of the archive exists.
    T4,
    /// The last of them has its status.
    T5,
    /// The hold is gone.
    T6,
    /// The controller answers that it is ready, without hold.
    T7,
    /// The last run has settled.
    T8,
}

impl Moment {
    /// `t0` to `t8`.
    pub fn name(self) -> &'static str {
        ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"].get(self as usize).copied().unwrap_or_default()
    }

    /// What is true then.
    pub fn what(self) -> &'static str {
        match self {
            Self::T0 => "cluster and controller killed, data removed",
            Self::T1 => "API server of the new cluster ready",
            Self::T2 => "archive verified",
            Self::T3 => "definitions established",
            Self::T4 => "last object written",
            Self::T5 => "last status written",
            Self::T6 => "hold released",
            Self::T7 => "controller ready",
            Self::T8 => "last run settled",
        }
    }
}

/// When a moment was.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// `t0` to `t8`.
    pub name: &'static str,
    /// What is true then.
    pub what: &'static str,
    /// By the clock.
    pub at: Timestamp,
    /// Seconds since the loss.
    pub seconds: f64,
}

/// The moments that were reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline(Vec<(Moment, Timestamp)>);

impl Timeline {
    /// A moment is reached now.
    pub(super) fn reached(&mut self, moment: Moment) -> Timestamp {
        let now = Timestamp::now();
        self.at(moment, now);
        now
    }

    /// A moment was reached at that time.
    pub(super) fn at(&mut self, moment: Moment, time: Timestamp) {
        self.0.push((moment, time));
    }

    /// When a moment was reached.
    pub(super) fn get(&self, moment: Moment) -> Option<Timestamp> {
        self.0.iter().find(|(reached, _)| *reached == moment).map(|(_, time)| *time)
    }

    /// Seconds from one moment to another.
    pub(super) fn between(&self, from: Moment, to: Moment) -> Option<f64> {
        Some(seconds(self.get(from)?, self.get(to)?))
    }

    /// All of them, by number.
    pub(super) fn marks(&self) -> Vec<Mark> {
        let Some(loss) = self.get(Moment::T0) else { return Vec::new() };
        let mut moments = self.0.clone();
        moments.sort();
        let mark = |(moment, at): (Moment, Timestamp)| Mark {
            name: moment.name(),
            what: moment.what(),
            at,
            seconds: seconds(loss, at),
        };
        moments.into_iter().map(mark).collect()
    }
}

/// From one time to another, to the millisecond.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_loss_and_stand_in_the_order_of_the_procedure() {
        let mut timeline = Timeline::default();
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        timeline.at(Moment::T0, at(1000));
        timeline.at(Moment::T2, at(1250));
        timeline.at(Moment::T1, at(6000));
        let marks: Vec<_> = timeline.marks().into_iter().map(|mark| (mark.name, mark.seconds)).collect();
        assert_eq!(marks, [("t0", 0.0), ("t1", 5.0), ("t2", 0.25)]);
        assert_eq!(timeline.between(Moment::T2, Moment::T1), Some(4.75));
        assert_eq!(timeline.between(Moment::T1, Moment::T8), None);
    }
}

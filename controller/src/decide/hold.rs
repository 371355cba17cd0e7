//! The restore hold: whether a restore forbids all work.
//!
//! While objects come back one by one, the controller would take half of a restore for the truth: runs
//! without their status look new, and references seem to be missing. So whoever restores announces it by
//! an object of this name, outside of what is restored, and takes it away when all is there.

use jiff::{SignedDuration, Timestamp};

use crate::defects::Defect;

/// What is known of the object that announces a hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Announcement {
    /// Nothing yet.
    #[default]
    Unknown,
    /// Nothing, because it cannot be read.
    Unreadable,
    /// It is not there.
    Absent,
    /// It is there.
    Present(Notice),
}

/// What the object says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// Who holds.
    pub owner: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Until when the hold was meant to last. It ends by hand all the same.
    pub expires: Option<Timestamp>,
}

/// Whether work is forbidden, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Work is allowed.
    Released,
    /// A setting of the process forbids it.
    Switched,
    /// It was not read yet whether there is an object.
    Unknown,
    /// It cannot be read whether there is an object, which counts as if there was one.
    Unreadable,
    /// The object forbids it.
    Announced(Notice),
}

impl Default for Hold {
    fn default() -> Self {
        Self::of(false, &Announcement::default())
    }
}

impl Hold {
    /// Decides from the setting and from what is known of the object.
    pub fn of(switched_on: bool, announcement: &Announcement) -> Self {
        if Defect::HoldIgnored.is_planted() {
            return Self::Released;
        }
        match announcement {
            Announcement::Present(notice) => Self::Announced(notice.clone()),
            _ if switched_on => Self::Switched,
            Announcement::Unknown => Self::Unknown,
            Announcement::Unreadable if Defect::UnreadableHoldIsNone.is_planted() => Self::Released,
            Announcement::Unreadable => Self::Unreadable,
            Announcement::Absent => Self::Released,
        }
    }

    /// Whether nothing may be written.
    pub fn is_active(&self) -> bool {
        *self != Self::Released
    }

    /// Whether the hold has lasted longer than it was meant to. That releases nothing: what it protects
    /// may still be half restored.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        match self {
            Self::Announced(notice) => notice.expires.is_some_and(|expires| expires <= now),
            _ => false,
        }
    }

    /// Why nothing is written, in words of this program only: what the object says is for the log.
    pub fn description(&self, now: Timestamp) -> String {
        let age = |since: Timestamp| now.duration_since(since).as_secs().max(0);
        match self {
            Self::Released => "there is no hold".to_owned(),
            Self::Switched => "the controller was started with a hold".to_owned(),
            Self::Unknown => "it was not asked yet whether a restore was announced".to_owned(),
            Self::Unreadable => "it cannot be read whether a restore was announced".to_owned(),
            Self::Announced(Notice { since: Some(since), .. }) => {
                format!("a restore was announced {} s ago", age(*since))
            }
            Self::Announced(_) => "a restore was announced".to_owned(),
        }
    }
}

/// When work was allowed again, as far as this process has seen it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Releases {
    /// The first time that work was allowed.
    first: Option<Timestamp>,
    /// The last time that an announced hold went away.
    last: Option<Timestamp>,
}

impl Releases {
    /// Takes in that one decision followed another.
    pub fn note(&mut self, before: &Hold, after: &Hold, now: Timestamp) {
        if after.is_active() {
            return;
        }
        self.first.get_or_insert(now);
        if matches!(before, Hold::Announced(_)) {
            self.last = Some(now);
        }
    }

    /// Until when retention deletes nothing, and until when nothing that was restored.
    pub fn grace(&self, length: SignedDuration) -> Grace {
        let end = |from: Timestamp| from.saturating_add(length).unwrap_or(Timestamp::MAX);
        let length = |from: Option<Timestamp>| from.map_or(Timestamp::MIN, end);
        // A hold that ended with an earlier process is known by what was restored under it.
        let unseen = self.first.filter(|_| self.last.is_none());
        Grace { all: length(self.last), restored: length(unseen) }
    }
}

/// Times before which retention deletes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// For all runs.
    pub all: Timestamp,
    /// For runs that came through a restore under a hold that this process has not seen.
    pub restored: Timestamp,
}

impl Default for Grace {
    fn default() -> Self {
        Self { all: Timestamp::MIN, restored: Timestamp::MIN }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn notice(expires: Option<i64>) -> Announcement {
        Announcement::Present(Notice {
            since: Some(at(0)),
            expires: expires.map(at),
            owner: Some("somebody".to_owned()),
            ..Notice::default()
        })
    }

    /// [DR-H03] What is not known counts as held.
    #[rstest]
    #[case(false, Announcement::Absent, false)]
    #[case(false, Announcement::Unknown, true)]
    #[case(false, Announcement::Unreadable, true)]
    #[case(false, notice(None), true)]
    #[case(true, Announcement::Absent, true)]
    #[case(true, Announcement::Unknown, true)]
    #[case(true, notice(None), true)]
    fn only_an_object_that_is_known_to_be_absent_lets_work_begin(
        #[case] switched_on: bool,
        #[case] announcement: Announcement,
        #[case] held: bool,
    ) {
        assert_eq!(Hold::of(switched_on, &announcement).is_active(), held);
    }

    #[rstest]
    #[case(None, false)]
    #[case(Some(11), false)]
    #[case(Some(10), true)]
    fn a_hold_that_expires_goes_on(#[case] expires: Option<i64>, #[case] expired: bool) {
        let hold = Hold::of(false, &notice(expires));
        assert_eq!((hold.is_active(), hold.is_expired(at(10))), (true, expired));
    }

    #[test]
    fn the_description_repeats_nothing_that_the_object_says() {
        let description = Hold::of(false, &notice(Some(3))).description(at(10));
        assert_eq!(description, "a restore was announced 10 s ago");
    }

    /// [DR-C12]
    #[rstest]
    #[case::ordinary_start(&[(0, Announcement::Unknown), (1, Announcement::Absent)], None, Some(601))]
    #[case::released(&[(1, Announcement::Absent), (5, notice(None)), (9, Announcement::Absent)], Some(609), None)]
    #[case::started_under_hold(&[(5, notice(None)), (9, Announcement::Absent)], Some(609), None)]
    #[case::outage(&[(1, Announcement::Absent), (5, Announcement::Unreadable), (9, Announcement::Absent)], None, Some(601))]
    #[case::held(&[(5, notice(None))], None, None)]
    fn retention_waits_after_a_hold_and_for_restored_runs_after_a_start(
        #[case] seen: &[(i64, Announcement)],
        #[case] all: Option<i64>,
        #[case] restored: Option<i64>,
    ) {
        let (mut releases, mut hold) = (Releases::default(), Hold::default());
        for (second, announcement) in seen {
            let next = Hold::of(false, announcement);
            releases.note(&hold, &next, at(*second));
            hold = next;
        }
        let until = |second: Option<i64>| second.map_or(Timestamp::MIN, at);
        let grace = releases.grace(SignedDuration::from_secs(600));
        assert_eq!(grace, Grace { all: until(all), restored: until(restored) });
    }
}

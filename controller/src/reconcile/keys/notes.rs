//! What the database has to be told, until it could be.

use std::collections::VecDeque;

use crate::decide::idempotency::{Finished, Key};

/// Notes that are kept while the database is away. Each is a few hundred bytes, and what is dropped of
/// runs that are still there comes again with the next start.
const MOST: usize = 50_000;
/// Notes that are written with one statement.
const BATCH: usize = 500;

/// Something for the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// A run has ended.
    Finished(Finished),
    /// The run with this key and uid is gone.
    Gone(Key, String),
}

/// Notes in the order in which they were taken.
#[derive(Debug, Default)]
pub(super) struct Notes(VecDeque<Note>);

/// Notes that go out together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// Runs that have ended.
    pub(super) finished: Vec<Finished>,
    /// Keys and uids of runs that are gone.
    pub(super) gone: Vec<(Key, String)>,
}

impl Notes {
    /// Adds a note, in place of the oldest one if there are too many. Returns whether there was room.
    pub(super) fn add(&mut self, note: Note) -> bool {
        let has_room = self.0.len() < MOST;
        if !has_room {
            self.0.pop_front();
        }
        self.0.push_back(note);
        has_room
    }

    /// Takes the oldest notes.
    pub(super) fn take(&mut self) -> Batch {
        let mut batch = Batch::default();
        for note in self.0.drain(..self.0.len().min(BATCH)) {
            match note {
                Note::Finished(finished) => batch.finished.push(finished),
                Note::Gone(key, uid) => batch.gone.push((key, uid)),
            }
        }
        batch
    }

    /// Takes notes back that could not be written.
    pub(super) fn give_back(&mut self, batch: Batch) {
        let finished = batch.finished.into_iter().map(Note::Finished);
        let gone = batch.gone.into_iter().map(|(key, uid)| Note::Gone(key, uid));
        for note in finished.chain(gone) {
            self.0.push_front(note);
        }
        self.0.truncate(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(number: usize) -> Note {
        let text = || "x".to_owned();
        Note::Gone(Key { namespace: text(), agent: text(), digest: text() }, number.to_string())
    }

    #[test]
    fn notes_go_out_in_batches_and_come_back_when_that_failed() {
        let mut notes = Notes::default();
        assert!((0..=BATCH).all(|number| notes.add(gone(number))));
        let batch = notes.take();
        assert_eq!(batch.gone.len(), BATCH);
        notes.give_back(batch);
        let sizes = [0; 3].map(|_| notes.take().gone.len());
        assert_eq!(sizes, [BATCH, 1, 0]);
    }

    #[test]
    fn the_oldest_notes_make_room_for_new_ones() {
        let mut notes = Notes::default();
        assert!((0..MOST).all(|number| notes.add(gone(number))));
        assert!(!notes.add(gone(MOST)));
        assert_eq!((notes.0.len(), notes.0.front()), (MOST, Some(&gone(1))));
    }
}

//! What is known of recordings: of each that has audio, and of as many deleted ones as the API is shown.
//!
//! A recording with audio is never forgotten, or nobody would delete it when its time is over, and nobody could hear
//! it until then. How many there are the disk decides, which a tape costs 32 kB a second, and `retention_days`.

use super::RecordingRecord;
use crate::id::RecordingId;
use crate::limits;
use crate::time::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// The records, in the order in which the tapes began.
#[derive(Default)]
pub(super) struct Tapes {
    records: BTreeMap<RecordingId, RecordingRecord>,
    /// Those with audio whose time will be over, by when.
    ends: BTreeSet<(DateTime<Utc>, RecordingId)>,
    deleted: BTreeSet<RecordingId>,
}

impl Tapes {
    /// Those the disk has handed back.
    pub(super) fn of(records: Vec<RecordingRecord>) -> Tapes {
        let mut tapes = Tapes::default();
        records.into_iter().for_each(|record| tapes.put(record));
        tapes
    }

    /// Holds a record as it is now; beyond `limits::RECORDINGS` deleted ones the oldest of them is forgotten.
    pub(super) fn put(&mut self, record: RecordingRecord) {
        let id = record.id;
        if let Some(end) = self.records.get(&id).and_then(end_of) {
            self.ends.remove(&(end, id));
        }
        if let Some(end) = end_of(&record) {
            self.ends.insert((end, id));
        }
        if record.deleted_at.is_some() {
            self.deleted.insert(id);
        }
        self.records.insert(id, record);
        if self.deleted.len() > limits::RECORDINGS
            && let Some(oldest) = self.deleted.pop_first()
        {
            self.records.remove(&oldest);
        }
    }

    /// Nothing is known of it any more.
    pub(super) fn forget(&mut self, id: RecordingId) {
        if let Some(end) = self.records.remove(&id).as_ref().and_then(end_of) {
            self.ends.remove(&(end, id));
        }
        self.deleted.remove(&id);
    }

    pub(super) fn get(&self, id: RecordingId) -> Option<&RecordingRecord> {
        self.records.get(&id)
    }

    /// One that has audio, or will have.
    pub(super) fn kept(&self, id: RecordingId) -> Option<&RecordingRecord> {
        self.get(id).filter(|record| record.deleted_at.is_none())
    }

    /// All that are known, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RecordingRecord> {
        self.records.values()
    }

    /// When the next one's time is over.
    pub(super) fn next_end(&self) -> Option<DateTime<Utc>> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Those whose time is over.
    pub(super) fn over(&self, now: DateTime<Utc>) -> Vec<RecordingId> {
        self.ends.iter().take_while(|(end, _)| *end <= now).map(|(_, id)| *id).collect()
    }
}

/// When the audio is to be deleted, if it is there and nobody holds it.
fn end_of(record: &RecordingRecord) -> Option<DateTime<Utc>> {
    record.retain_until.filter(|_| record.deleted_at.is_none() && !record.legal_hold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CallRef;
    use crate::switch::Consent;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + secs, 0).expect("an instant")
    }

    fn tape(n: u64) -> RecordingRecord {
        RecordingRecord {
            id: RecordingId(ulid::Ulid::from_parts(n, 0)),
            call: CallRef(ulid::Ulid::from_parts(n, 0)),
            task: None,
            agent: None,
            number: String::new(),
            started_at: at(0),
            ended_at: Some(at(60)),
            samples: 480_000,
            notice_played: true,
            consent: Consent::default(),
            pauses: Vec::new(),
            retain_until: Some(at(1_000 + i64::try_from(n).expect("a small number"))),
            legal_hold: false,
            deleted_at: None,
            stopped: None,
            path: None,
            bytes: 0,
        }
    }

    // S5.25: however many recordings there are, the oldest is deleted when its time is over.
    #[test]
    fn no_recording_is_forgotten_while_it_has_audio() {
        let many = u64::try_from(limits::RECORDINGS).expect("a limit") + 10;
        let mut tapes = Tapes::of((0..many).map(tape).collect());

        assert_eq!(tapes.next_end(), Some(at(1_000)));
        assert_eq!(tapes.over(at(1_002)), [0, 1, 2].map(|n| tape(n).id));
        for n in 0..many {
            tapes.put(RecordingRecord { deleted_at: Some(at(2_000)), ..tape(n) });
        }

        assert_eq!((tapes.next_end(), tapes.iter().count()), (None, limits::RECORDINGS));
        assert!(tapes.get(tape(9).id).is_none() && tapes.get(tape(10).id).is_some(), "the oldest are forgotten");
        assert!(tapes.kept(tape(10).id).is_none());
    }

    #[test]
    fn a_held_recording_has_no_end_until_it_is_released() {
        let mut tapes = Tapes::of(vec![tape(1), tape(2)]);

        tapes.put(RecordingRecord { legal_hold: true, ..tape(1) });
        assert_eq!((tapes.next_end(), tapes.over(at(9_000))), (Some(at(1_002)), vec![tape(2).id]));
        tapes.put(tape(1));

        assert_eq!(tapes.next_end(), Some(at(1_001)));
    }
}

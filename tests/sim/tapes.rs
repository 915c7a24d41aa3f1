//! Law 8: a tape is as long as the talk. It begins when two are joined, ends when one of them goes, and what is said of
//! it afterwards is what it has; one that the disk has no room for any more ends before, and that is told.

use ringback::callback::task::{Attempt, Outcome};
use ringback::id::{LegRef, RecordingId};
use ringback::media::Command;
use ringback::switch::Change;
use ringback::switch::event::Event;
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// A frame of audio, and its samples.
const FRAME: Duration = Duration::from_millis(20);
const SAMPLES: u64 = 160;
/// What is said in whole seconds.
const SECOND: u64 = 1_000;

/// See the module.
#[derive(Default)]
pub struct Tapes {
    /// When two legs were joined first.
    joined: BTreeMap<[LegRef; 2], Tick>,
    running: BTreeMap<RecordingId, (Tick, [LegRef; 2])>,
    /// How long they were, in milliseconds, and whether their talk began with them.
    ended: BTreeMap<RecordingId, (u64, bool)>,
    /// Ended while both legs were there.
    early: Option<(RecordingId, [LegRef; 2])>,
    /// Those that have ended within this input, with the samples their talk took.
    pub taped: Vec<(RecordingId, u64)>,
    /// When this life of the switch began: what it joins in that instant talked before.
    began: Tick,
}

impl Tapes {
    pub fn on_start(&mut self, now: Tick) {
        *self = Tapes { began: now, ..Tapes::default() };
    }

    /// The switch tells a shard something.
    pub fn on_media(&mut self, now: Tick, command: &Command) {
        match command {
            Command::Bridge { a, b } => drop(self.joined.entry(pair(*a, *b)).or_insert(now)),
            Command::Record { recording, left, right } => {
                let talk = pair(*left, *right);
                let late = self.joined.get(&talk).map(|since| now.since(*since));
                assert!(
                    late.is_some_and(|late| late <= FRAME),
                    "law 8: tape {recording} begins {late:?} after its talk"
                );
                self.running.insert(*recording, (now, talk));
            }
            Command::StopRecord { recording } => {
                self.early = self.running.get(recording).map(|(_, talk)| (*recording, *talk));
                self.end(now, *recording);
            }
            Command::Close { leg } => {
                self.early.take_if(|(_, talk)| talk.contains(leg));
                self.joined.retain(|talk, _| !talk.contains(leg));
                let its = self.running.iter().filter(|(_, (_, talk))| talk.contains(leg)).map(|(id, _)| *id);
                its.collect::<Vec<_>>().into_iter().for_each(|id| self.end(now, id));
            }
            _ => {} // Is on no tape, or as before.
        }
    }

    fn end(&mut self, now: Tick, recording: RecordingId) {
        if let Some((since, _)) = self.running.remove(&recording) {
            let long = u64::try_from(now.since(since).as_millis()).expect("a call is shorter");
            self.ended.insert(recording, (long, since > self.began));
        }
    }

    /// The switch says what happened.
    pub fn on_event(&mut self, event: &Event) {
        if let Event::RecordingStopped { recording } = event {
            self.early.take_if(|(early, _)| early == recording);
            self.ended.remove(recording); // Shorter than its talk, which was told.
        }
    }

    /// The switch has done all that an input asked of it.
    pub fn on_settled(&self) {
        assert!(self.early.is_none(), "law 8: a tape ends before its talk: {:?}", self.early);
    }

    /// Something is on its way to the disk.
    pub fn on_change(&mut self, change: &Change) {
        match change {
            Change::PutRecording(record) if record.path.is_some() && record.deleted_at.is_none() => {
                let Some((long, _)) = self.ended.get(&record.id) else { return };
                let (said, had) = (record.samples, long * 8);
                assert!(said.abs_diff(had) <= SAMPLES, "law 8: {} samples are said of a tape of {had}", said);
            }
            Change::PutAttempt(attempt) => self.on_attempt(attempt),
            _ => {} // Has no tape.
        }
    }

    fn on_attempt(&self, attempt: &Attempt) {
        let has_talked = matches!(attempt.outcome, Some(Outcome::Success | Outcome::ShortTalk));
        let tape = attempt.recording.filter(|_| has_talked).and_then(|recording| self.ended.get(&recording));
        // A talk of an earlier life may not have been taken up by both: then it was as long as the disk knew.
        let Some((long, true)) = tape else { return };
        let said = attempt.talk_secs * SECOND;
        let is_so = *long < said + SECOND + 20 && long + 20 >= said;
        assert!(is_so, "law 8: a talk of {} s has a tape of {long} ms", attempt.talk_secs);
    }

    /// What a real engine has taped, in samples, where the talk took so many.
    pub fn compare(recording: RecordingId, taped: u64, talk: u64) {
        let is_so = taped.abs_diff(talk) <= SAMPLES;
        assert!(is_so, "law 8: tape {recording} has {taped} samples of a talk of {talk}");
    }
}

fn pair(a: LegRef, b: LegRef) -> [LegRef; 2] {
    if a < b { [a, b] } else { [b, a] }
}

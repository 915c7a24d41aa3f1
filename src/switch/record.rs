//! Recordings: a tape runs from the moment two parties are joined (agent left, customer right) until they part. The
//! shell writes the file; here is what is known of it.

use super::command::{Refused, Reply};
use super::durable::{Owed, Pending};
use super::{
    Change, Consent, NotStored, Output, Pause, Recorded, RecordingFailed, RecordingRecord, Stopped, Switch, event,
    media, view,
};
use crate::id::{CallRef, LegRef, RecordingId, ReplyTo};
use crate::time::Now;
use chrono::TimeDelta;
use std::time::Duration;

/// How long recordings are kept that no profile speaks of: those of live calls.
const RETENTION: Duration = Duration::from_secs(90 * 86_400);
/// Files that could not be deleted are tried again after so long.
const ERASE_AGAIN: Duration = Duration::from_secs(3_600);
/// Why nothing else is done with a recording for the moment.
const HOLD_IS_STORED: &str = "a legal hold of the recording, or the end of one, is being stored";

/// A recording as it is to be kept, on its way to the disk: held whatever its age, or no longer.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) to: ReplyTo,
    record: RecordingRecord,
}

/// Who is on which side.
pub(super) struct Tape {
    pub(super) left: LegRef,
    pub(super) right: LegRef,
}

impl Switch {
    /// A tape begins. `consent` says how the other party knows of it.
    pub(super) fn begin_tape(&mut self, now: Now, id: CallRef, tape: Tape, consent: Consent) {
        let recording = RecordingId(self.entropy.ulid(now.utc));
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.recording = Some(recording);
        let (shard, agent, task) = (call.shard, call.agent.clone(), call.task);
        let number = call.customer.as_ref().map_or_else(|| call.from.clone(), ToString::to_string);
        // An attempt keeps the settings that it was loaded with.
        let kept = self.loaded(id).map_or(RETENTION, |profile| profile.retention);
        let record = RecordingRecord {
            id: recording,
            call: id,
            task,
            agent,
            number,
            started_at: now.utc,
            ended_at: None,
            samples: 0,
            notice_played: consent.complete,
            consent,
            pauses: Vec::new(),
            retain_until: TimeDelta::from_std(kept).ok().and_then(|kept| now.utc.checked_add_signed(kept)),
            legal_hold: false,
            deleted_at: None,
            stopped: None,
            path: None,
            bytes: 0,
        };
        self.keep_recording(record);
        self.media(shard, media::Command::Record { recording, left: tape.left, right: tape.right });
        self.plan_retention();
    }

    /// Holds a record as it is now, and tells the disk: the next life finds the file and closes or deletes it.
    fn keep_recording(&mut self, record: RecordingRecord) {
        self.tapes.put(record.clone());
        self.commit(vec![Change::PutRecording(Box::new(record))], Pending::Told);
    }

    /// The agent pauses the tape, or lets it go on.
    pub(super) fn pause_tape(&mut self, now: Now, id: CallRef, paused: bool) {
        let Some((shard, recording)) = self.calls.get(&id).and_then(|call| Some((call.shard, call.recording?))) else {
            return;
        };
        let Some(mut record) = self.tapes.get(recording).filter(|record| runs(record)).cloned() else {
            return;
        };
        match (record.pauses.last_mut().filter(|pause| pause.until.is_none()), paused) {
            (None, true) => record.pauses.push(Pause { from: now.utc, until: None }),
            (Some(pause), false) => pause.until = Some(now.utc),
            (Some(_), true) | (None, false) => return, // It is so already.
        }
        self.media(shard, media::Command::PauseRecord { recording, paused });
        self.note(now, id, if paused { "recording paused" } else { "recording goes on" });
        self.keep_recording(record);
    }

    /// The tape of a call ends, if one runs.
    pub(super) fn end_tape(&mut self, id: CallRef) {
        let Some((shard, recording)) = self.calls.get(&id).and_then(|call| Some((call.shard, call.recording?))) else {
            return;
        };
        self.media(shard, media::Command::StopRecord { recording });
    }

    /// A call that should be recorded is not; its two talk all the same.
    pub(super) fn not_recorded(&mut self, now: Now, id: CallRef, why: view::NotRecorded) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.not_recorded = Some(why);
        self.note(now, id, format!("{}: not recorded", why.told()));
        self.publish(event::Event::NotRecorded { call: id, why: why.word() });
    }

    /// The tape of a call ends before its call does; what it has is kept.
    pub(super) fn stop_tape(&mut self, now: Now, id: CallRef, recording: RecordingId, why: Stopped) {
        let Some(mut record) = self.tapes.get(recording).filter(|record| runs(record)).cloned() else { return };
        record.stopped = Some(why);
        self.keep_recording(record);
        self.end_tape(id);
        self.note(now, id, "the disk is nearly full: the recording ends");
        self.publish(event::Event::RecordingStopped { recording });
    }

    /// The file is closed, or is not.
    pub(super) fn on_recorded(&mut self, now: Now, recorded: Recorded) {
        let Some(mut record) = self.tapes.get(recorded.id).cloned() else { return };
        record.ended_at = Some(now.utc);
        let happened = match recorded.file {
            Ok(file) => {
                record.path = Some(file.path);
                record.samples = file.samples;
                record.bytes = file.bytes;
                event::Event::RecordingStored { recording: recorded.id }
            }
            Err(RecordingFailed) => event::Event::RecordingFailed { recording: recorded.id },
        };
        self.keep_recording(record);
        self.publish(happened);
    }

    /// The next recording whose time will be over.
    pub(super) fn plan_retention(&mut self) {
        self.retention_at = self.tapes.next_end();
    }

    /// Recordings whose time is over are deleted (S5.25, S1.B15).
    pub(super) fn retention_ends(&mut self, now: Now) {
        let over = self.tapes.over(now.utc);
        for id in &over {
            // One that somebody wants to hold is looked at again when the disk has answered him.
            if !self.hold_is_stored(*id) {
                self.out.push_back(Output::Erase(*id));
            }
        }
        if over.is_empty() {
            self.plan_retention();
        } else {
            // What the shell cannot delete is asked for again; what it has deleted is planned around.
            self.retention_at = Some(now.utc + ERASE_AGAIN);
        }
    }

    /// The shell has deleted the files of a recording, or could not.
    pub(super) fn on_erased(&mut self, now: Now, id: RecordingId, erased: Result<(), RecordingFailed>) {
        let Some(mut record) = self.tapes.kept(id).cloned() else { return };
        match erased {
            Ok(()) => {
                record.deleted_at = Some(now.utc);
                record.path = None;
                self.keep_recording(record);
                self.publish(event::Event::RecordingDeleted { recording: id });
                self.plan_retention();
            }
            Err(RecordingFailed) => {
                self.publish(event::Event::RecordingNotDeleted { recording: id });
            }
        }
    }

    /// A person deletes a recording.
    pub(super) fn delete_recording(&mut self, id: RecordingId) -> Result<Reply, Refused> {
        let record = self.kept_recording(id)?;
        let conflict = |detail: &str| Err(Refused::Conflict { detail: detail.to_owned() });
        if record.legal_hold {
            return conflict("the recording is under legal hold");
        }
        if record.ended_at.is_none() {
            return conflict("the recording still runs");
        }
        if self.hold_is_stored(id) {
            return conflict(HOLD_IS_STORED);
        }
        self.out.push_back(Output::Erase(id));
        Ok(Reply::Recording(Box::new(record)))
    }

    /// A recording is to be kept whatever its age, or no longer: so it is when the disk has it, and not before.
    pub(super) fn hold_recording(&mut self, id: RecordingId, legal_hold: bool, to: ReplyTo) -> Result<(), Refused> {
        let record = self.kept_recording(id)?;
        if self.hold_is_stored(id) {
            return Err(Refused::Conflict { detail: HOLD_IS_STORED.to_owned() });
        }
        self.store_hold(Hold { to, record: RecordingRecord { legal_hold, ..record } });
        Ok(())
    }

    /// Whether a hold of it, or the end of one, is on its way to the disk.
    fn hold_is_stored(&self, id: RecordingId) -> bool {
        self.commits.values().any(|(pending, _)| matches!(pending, Pending::Hold(hold) if hold.record.id == id))
    }

    fn store_hold(&mut self, hold: Hold) {
        self.commit(vec![Change::PutRecording(Box::new(hold.record.clone()))], Pending::Hold(Box::new(hold)));
    }

    /// The disk has answered. After a fault in the middle it is done once more.
    pub(super) fn hold_committed(&mut self, hold: Hold, stored: Result<(), NotStored>) {
        let Hold { to, record } = hold;
        let id = record.id;
        let reply = match (stored, self.tapes.kept(id).cloned()) {
            (Err(_), _) => Reply::Refused(Refused::NotStored),
            (Ok(()), None) => Reply::Refused(no_recording(id)), // Its person was forgotten meanwhile.
            (Ok(()), Some(as_it_is)) => {
                let as_held = RecordingRecord { legal_hold: record.legal_hold, ..as_it_is };
                let follows = self.commits.values().any(|(_, owed)| owed.contains(&Owed::Recording(id)));
                if follows || as_held != record {
                    // The tape has gone on in between, and what was written of it knew nothing of this.
                    return self.store_hold(Hold { to, record: as_held });
                }
                self.tapes.put(as_held.clone());
                Reply::Recording(Box::new(as_held))
            }
        };
        self.plan_retention();
        self.reply(to, reply);
    }

    fn kept_recording(&self, id: RecordingId) -> Result<RecordingRecord, Refused> {
        let record = self.tapes.kept(id).cloned();
        record.ok_or_else(|| no_recording(id))
    }
}

fn no_recording(id: RecordingId) -> Refused {
    Refused::NotFound { kind: "recording", name: id.to_string() }
}

/// Whether the tape goes on.
fn runs(record: &RecordingRecord) -> bool {
    record.ended_at.is_none() && record.stopped.is_none()
}

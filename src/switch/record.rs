//! Recordings: a tape runs from the moment two parties are joined (agent left, customer right) until they part. The
//! shell writes the file; here is what is known of it.

use super::durable::Pending;
use super::{Change, Recorded, RecordingRecord, Switch, event, media};
use crate::id::{CallRef, LegRef, RecordingId};
use crate::limits;
use crate::settings::Sound;
use crate::time::Now;

/// Who is on which side.
pub(super) struct Tape {
    pub(super) left: LegRef,
    pub(super) right: LegRef,
}

impl Switch {
    /// A tape begins.
    pub(super) fn begin_tape(&mut self, now: Now, id: CallRef, tape: Tape) {
        let recording = RecordingId(self.entropy.ulid(now.utc));
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.recording = Some(recording);
        let (shard, agent, task, queue) = (call.shard, call.agent.clone(), call.task, call.queue.clone());
        let number = call.customer.as_ref().map_or_else(|| call.from.clone(), ToString::to_string);
        let notice_played = match task.and_then(|task| self.planner.get(task)) {
            Some(task) => {
                self.settings.profile(&task.profile).is_some_and(|profile| profile.record_notice != Sound::Silent)
            }
            None => queue
                .and_then(|queue| self.settings.queue(&queue))
                .is_some_and(|queue| queue.record_notice != Sound::Silent),
        };
        let record = RecordingRecord {
            id: recording,
            call: id,
            task,
            agent,
            number,
            started_at: now.utc,
            ended_at: None,
            samples: 0,
            notice_played,
            path: None,
            bytes: 0,
        };
        // Known to the next life, too, which finds the file and closes it.
        self.commit(vec![Change::PutRecording(Box::new(record.clone()))], Pending::Told);
        self.recordings.insert(recording, record);
        if self.recordings.len() > limits::RECORDINGS {
            self.recordings.pop_first();
        }
        self.media(shard, media::Command::Record { recording, left: tape.left, right: tape.right });
    }

    /// The tape of a call ends, if one runs.
    pub(super) fn end_tape(&mut self, id: CallRef) {
        let Some((shard, recording)) = self.calls.get(&id).and_then(|call| Some((call.shard, call.recording?))) else {
            return;
        };
        self.media(shard, media::Command::StopRecord { recording });
    }

    /// The file is closed, or is not.
    pub(super) fn on_recorded(&mut self, now: Now, recorded: Recorded) {
        let Some(record) = self.recordings.get_mut(&recorded.id) else { return };
        record.ended_at = Some(now.utc);
        let happened = match recorded.file {
            Ok(file) => {
                record.path = Some(file.path);
                record.samples = file.samples;
                record.bytes = file.bytes;
                event::Event::RecordingStored { recording: recorded.id }
            }
            Err(super::RecordingFailed) => event::Event::RecordingFailed { recording: recorded.id },
        };
        let record = Box::new(record.clone());
        self.commit(vec![Change::PutRecording(record)], Pending::Told);
        self.publish(happened);
    }
}

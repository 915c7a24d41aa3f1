//! Talks that outlive the process (durability.md P8).
//!
//! Whoever talks is on the disk: `keep_talk` writes it when two are joined, `forget_talk` takes it away when they part.
//! Neither is waited for. A talk found at start is a talk again before anything is sent: the same ports are opened, the
//! two are joined, and both sides are asked by re-INVITE whether they go on (RFC 3261 §14.1), a few at a time. The
//! attempt of a callback stays open meanwhile: it is the same one, and nobody is rung.
//!
//! `Reviving → Joined` when both have answered. A side whose dialog is gone (481, 408), or of which nothing is heard
//! for `PATIENCE`, neither SIP nor sound, has left. Its talk was cut by us: a caller goes back to the head of his
//! line, an attempt is settled as one that was answered. When the process was away for longer than `AWAY`, nobody
//! sits there any more, and every talk is ended.
//!
//! The surprise: a pulse is written while anybody talks, or a start could not know how long nobody was there.

mod record;
mod waiting;

pub use record::TalkRecord;
pub use waiting::KeptCaller;

use super::attempt::{Loaded, Said};
use super::call::{Call, Story};
use super::durable::Pending;
use super::end::EndCause;
use super::legs::ReadLeg;
use super::place::Place;
use super::record::Tape;
use super::talk::{Purpose, Stage, Talk};
use super::{CallTimer, Change, Consent, Switch, Timer, event, view};
use crate::callback::task::{Task, TaskState};
use crate::id::{CallRef, LegRef, RecordingId, Shard, TaskId};
use crate::queue::line::Standing;
use crate::time::{DateTime, Now, Tick, Utc};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// So often it is written that this life goes on.
const PULSE: Duration = Duration::from_secs(10);
/// Whoever has heard nothing for longer has hung up.
const AWAY: TimeDelta = TimeDelta::seconds(60);
/// So often so many talks are asked: 200 a second, without flooding anybody's socket.
const PACE: Duration = Duration::from_millis(10);
const AT_ONCE: usize = 2;
/// A side of which nothing is heard for so long is gone: long enough for four copies of a re-INVITE (RFC 3261
/// §17.1.1.2), and for one more after a 491 (§14.1).
const PATIENCE: Duration = Duration::from_millis(4_500);

/// Talks as the disk knows them, and those of an earlier life that are still to be asked.
#[derive(Debug, Default)]
pub(super) struct Talks {
    pub(super) kept: BTreeMap<CallRef, TalkRecord>,
    asking: VecDeque<CallRef>,
}

impl Talks {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.asking.is_empty()
    }
}

/// A talk of an earlier life that is not known to go on yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reviving {
    /// Since when it is a talk again.
    since: Tick,
    /// How long they had talked then, the pause included.
    pub(super) before: Duration,
    a: Side,
    b: Side,
}

impl Reviving {
    /// Both have said that they go on.
    fn is_over(&self) -> bool {
        (self.a, self.b) == (Side::There, Side::There)
    }
}

/// How much is known of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Silent,
    /// Its sound comes, or a request of its own.
    Heard,
    /// It has answered.
    There,
}

// --- On the disk ---
impl Switch {
    /// Two are joined, or something lasting about them has changed: the next life can go on with them.
    pub(super) fn keep_talk(&mut self, now: Now, id: CallRef) {
        let Some(record) = self.talk_record(now, id) else { return };
        if self.talks.kept.get(&id).is_none_or(|held| held.lasting() != record.lasting()) {
            self.store_talk(now, record);
        }
    }

    fn store_talk(&mut self, now: Now, record: TalkRecord) {
        self.begin_pulse(now);
        self.talks.kept.insert(record.call, record.clone());
        self.commit(vec![Change::PutTalk(Box::new(record))], Pending::Told);
    }

    /// They have parted.
    pub(super) fn forget_talk(&mut self, id: CallRef) {
        if self.talks.kept.remove(&id).is_some() {
            self.commit(vec![Change::RemoveTalk(id)], Pending::Told);
            self.rest_pulse();
        }
    }

    /// Talks whose call has gone without a word are not to be taken up.
    pub(super) fn mend_talks(&mut self, now: Now) {
        let gone: Vec<CallRef> =
            self.talks.kept.keys().copied().filter(|call| !self.calls.contains_key(call)).collect();
        gone.into_iter().for_each(|call| self.forget_talk(call));
        if self.keeps_anybody() {
            self.begin_pulse(now);
        }
        if !self.talks.asking.is_empty() {
            self.timers.set(Timer::AskTalks, now.tick);
        }
    }

    /// The wall clock was set: they have talked as long as they have.
    pub(super) fn move_talks(&mut self, _: Now, by: TimeDelta) {
        self.talks.kept.values_mut().for_each(|talk| talk.shift(by));
        let talks: Vec<Change> = self.talks.kept.values().map(|talk| Change::PutTalk(Box::new(talk.clone()))).collect();
        if !talks.is_empty() {
            self.commit(talks, Pending::Told);
        }
    }

    /// Somebody is kept whom the next life may take up.
    pub(super) fn begin_pulse(&mut self, now: Now) {
        self.timers.set_earliest(Timer::Pulse, now.tick + PULSE);
    }

    /// Somebody is not kept any more.
    pub(super) fn rest_pulse(&mut self) {
        if !self.keeps_anybody() {
            self.timers.cancel(&Timer::Pulse);
        }
    }

    fn keeps_anybody(&self) -> bool {
        !self.talks.kept.is_empty() || self.entries.values().any(|entry| entry.caller.is_some())
    }

    /// This life goes on: at once where the next one would count from a clock that does not show it any more.
    pub(super) fn pulse_if_kept(&mut self, now: Now) {
        if self.keeps_anybody() {
            self.pulse(now);
        }
    }

    /// This life goes on.
    pub(super) fn pulse(&mut self, now: Now) {
        self.commit(vec![Change::PutPulse(now.utc)], Pending::Told);
        self.timers.set(Timer::Pulse, now.tick + PULSE);
    }

    fn talk_record(&self, now: Now, id: CallRef) -> Option<TalkRecord> {
        let call = self.calls.get(&id)?;
        let Story::Talking(talk) = &call.story else { return None };
        if matches!(talk.stage, Stage::Notice(_)) {
            return None;
        }
        Some(TalkRecord {
            call: id,
            task: call.task,
            attempt: call.task.and_then(|task| self.attempts.get(&task)?.last()).map(|attempt| attempt.id),
            profile: call.loaded.as_ref().map(|loaded| loaded.profile.name.clone()),
            kind: call.kind,
            purpose: talk.purpose,
            from: call.from.clone(),
            to: call.to.clone(),
            customer: call.customer.clone(),
            ani: call.ani.clone(),
            in_trunk: call.in_trunk.clone(),
            queue: call.queue.clone(),
            agent: call.agent.clone(),
            origin: call.origin,
            started_at: call.started_at,
            answered_at: call.answered_at,
            joined_at: self.talks.kept.get(&id).map_or(now.utc, |held| held.joined_at),
            recording: call.recording,
            agent_asks: self.said(id) == Said::AgentAsks,
            saved_at: now.utc,
            legs: [self.kept_leg(talk.a)?, self.kept_leg(talk.b)?],
        })
    }
}

// --- At the start ---
impl Switch {
    /// Goes on with the talks of the last life, or ends them. Afterwards `attempt_calls` names callbacks among them.
    pub(super) fn take_up_talks(
        &mut self,
        now: Now,
        mut talks: Vec<TalkRecord>,
        pulse: Option<DateTime<Utc>>,
        tasks: &[Task],
    ) {
        let is_back_in_time = is_back_in_time(now, talks.iter().map(|talk| talk.saved_at).chain(pulse));
        // Of two that claim the same port, the older had ended, and the disk did not hear of it any more.
        talks.sort_by_key(|talk| std::cmp::Reverse((talk.saved_at, talk.call)));
        let wanted: BTreeSet<TaskId> = talks.iter().filter_map(|talk| talk.task).collect();
        let of_talks = tasks.iter().filter(|task| !task.state.is_final() && wanted.contains(&task.id));
        let open: BTreeSet<TaskId> = of_talks.map(|task| task.id).collect();
        for talk in talks {
            let ago = between(talk.saved_at, now.utc);
            let may_go_on = is_back_in_time && self.may_go_on(&talk, &open);
            match self.read_legs(&talk.legs, ago).filter(|_| may_go_on) {
                Some(legs) => self.take_up_talk(now, &talk, legs),
                None => self.end_lost_talk(now, &talk, ago),
            }
        }
    }

    /// All have been taken up who could be: asks them whether they go on.
    pub(super) fn ask_all(&mut self, now: Now) {
        self.pulse_if_kept(now);
        self.ask_talks(now);
    }

    /// Whether a talk is one still: a callback's attempt is open.
    fn may_go_on(&self, talk: &TalkRecord, open: &BTreeSet<TaskId>) -> bool {
        match talk.task {
            Some(id) => {
                let profile = talk.profile.as_ref().and_then(|profile| self.settings.profile(profile));
                let is_first = !self.attempt_calls.contains_key(&id);
                self.is_of_open_attempt(talk) && open.contains(&id) && profile.is_some() && is_first
            }
            None => talk.purpose != Purpose::Callback,
        }
    }

    /// Whether a talk belongs to an attempt that is open. That another one of its task is says nothing: the disk may
    /// have refused to forget the talk when its attempt ended.
    fn is_of_open_attempt(&self, talk: &TalkRecord) -> bool {
        let attempt = talk.task.and_then(|task| self.attempts.get(&task)?.last());
        attempt.is_some_and(|it| it.outcome.is_none() && talk.attempt.is_none_or(|attempt| attempt == it.id))
    }

    fn take_up_talk(&mut self, now: Now, talk: &TalkRecord, legs: [ReadLeg<'_>; 2]) {
        let id = talk.call;
        let call = self.call_of(talk);
        self.calls.insert(id, call);
        let [a, b] = legs.map(|leg| self.take_up_leg(now, id, leg));
        let reviving =
            Reviving { since: now.tick, before: between(talk.joined_at, now.utc), a: Side::Silent, b: Side::Silent };
        let stage = Stage::Reviving(reviving);
        if let Some(call) = self.calls.get_mut(&id) {
            call.story = Story::Talking(Talk { a, b, purpose: talk.purpose, stage, record: None, star: None });
        }
        if let Some(task) = talk.task {
            self.attempt_calls.insert(task, id);
        }
        self.talks.kept.insert(id, talk.clone());
        self.talks.asking.push_back(id);
        self.note(now, id, "taken up after a restart");
        self.bridge(a, b);
        for leg in [a, b] {
            if self.holds_us(leg) {
                self.talk_held(id, leg);
            }
        }
        self.tape_on(now, id, Tape { left: a, right: b }, talk.recording);
        self.keep_talk(now, id);
    }

    fn call_of(&mut self, talk: &TalkRecord) -> Call {
        let profile = talk.profile.as_ref().and_then(|name| self.settings.profile(name)).cloned().map(Arc::new);
        let said = if talk.agent_asks { Said::AgentAsks } else { Said::Nothing };
        let shards = u64::from(self.settings.server.shards.max(1));
        Call {
            id: talk.call,
            kind: talk.kind,
            shard: Shard(u16::try_from(self.shard_turn.take() % shards).expect("below a u16")),
            from: talk.from.clone(),
            to: talk.to.clone(),
            customer: talk.customer.clone(),
            ani: talk.ani.clone(),
            in_trunk: talk.in_trunk.clone(),
            place: None,
            hops: 0,
            queue: talk.queue.clone(),
            agent: talk.agent.clone(),
            task: talk.task,
            origin: talk.origin,
            loaded: profile.map(|profile| Loaded { profile, said }),
            started_at: talk.started_at,
            answered_at: talk.answered_at,
            ended: None,
            recording: talk.recording,
            not_recorded: None,
            ladder: Vec::new(),
            story: Story::Over,
        }
    }

    /// A tape that ran goes on in a file of its own, under the same consent; the part before the kill is mended by
    /// itself. One that was paused stays so: whoever speaks card data is still speaking.
    fn tape_on(&mut self, now: Now, id: CallRef, tape: Tape, recording: Option<RecordingId>) {
        let Some(before) = recording.and_then(|recording| self.tapes.get(recording)) else { return };
        if before.stopped.is_some() {
            return;
        }
        if !self.may_record(self.must_record(id)) {
            return self.not_recorded(now, id, view::NotRecorded::DiskSpace);
        }
        let consent: Consent = before.consent.clone();
        let is_paused = before.pauses.last().is_some_and(|pause| pause.until.is_none());
        self.begin_tape(now, id, tape, consent);
        if is_paused {
            self.pause_tape(now, id, true);
        }
    }

    /// A task whose customer talks: it is neither judged nor merged, and nobody else may serve it.
    pub(super) fn restore_talking(&mut self, now: Now, mut task: Task) {
        let settings = self.settings.clone();
        task.state = TaskState::Talking;
        self.line_up(&task);
        if let Some(line) = self.lines.get_mut(&task.queue)
            && let Some(ticket) = line.ticket_of(task.id)
        {
            line.set_standing(ticket, Standing::Offered);
        }
        self.planner.put(now.utc, &settings, task);
    }

    /// Nobody goes on with it. The legs of an attempt that is open are ended when it is settled; of others it is not
    /// known whether they have heard of their end.
    fn end_lost_talk(&mut self, now: Now, talk: &TalkRecord, ago: Duration) {
        if !self.is_of_open_attempt(talk) {
            talk.legs.iter().for_each(|leg| self.end_kept(now, leg, ago));
        }
        self.commit(vec![Change::RemoveTalk(talk.call)], Pending::Told);
    }
}

// --- Asking both sides ---
impl Switch {
    /// Asks the next ones.
    pub(super) fn ask_talks(&mut self, now: Now) {
        for _ in 0..AT_ONCE {
            let Some(id) = self.talks.asking.pop_front() else { return };
            self.suspect_call(id);
            self.ask_caller(now, id, PATIENCE);
            if let Some((talk, _)) = self.reviving(id) {
                let (a, b) = (talk.a, talk.b);
                self.ask_leg(now, a);
                self.ask_leg(now, b);
                // Numbers go on from here, whatever a clock makes of the time between two lives.
                if let Some(record) = self.talk_record(now, id) {
                    self.store_talk(now, record);
                }
                self.timers.set(Timer::Call(id, CallTimer::Revive), now.tick + PATIENCE);
            }
        }
        if !self.talks.asking.is_empty() {
            self.timers.set(Timer::AskTalks, now.tick + PACE);
        }
    }

    fn reviving(&mut self, id: CallRef) -> Option<(&mut Talk, Reviving)> {
        match &mut self.calls.get_mut(&id)?.story {
            Story::Talking(talk) => match talk.stage {
                Stage::Reviving(reviving) => Some((talk, reviving)),
                Stage::Notice(_) | Stage::Joined { .. } => None,
            },
            _ => None, // Every other story is of this life alone.
        }
    }

    /// A party has answered, accepting or not: its dialog is there.
    pub(super) fn leg_answers(&mut self, now: Now, leg: LegRef) {
        let Some(id) = self.legs.get(&leg).map(|entry| entry.call) else { return };
        self.hear_of(now, id, leg, Side::There);
        self.keep_talk(now, id);
        self.keep_caller(now, id);
    }

    /// A party is heard: its sound comes, or it asks for something.
    pub(super) fn leg_heard(&mut self, now: Now, leg: LegRef) {
        if let Some(id) = self.legs.get(&leg).map(|entry| entry.call) {
            self.hear_of(now, id, leg, Side::Heard);
        }
    }

    fn hear_of(&mut self, now: Now, id: CallRef, leg: LegRef, sign: Side) {
        let Some((talk, mut reviving)) = self.reviving(id) else { return self.caller_heard(now, id) };
        let side = if talk.a == leg { &mut reviving.a } else { &mut reviving.b };
        *side = sign.max(*side);
        if !reviving.is_over() {
            talk.stage = Stage::Reviving(reviving);
            return;
        }
        talk.stage = Stage::Joined { since: reviving.since, before: reviving.before };
        let is_callback = talk.purpose == Purpose::Callback;
        self.timers.cancel(&Timer::Call(id, CallTimer::Revive));
        if is_callback {
            self.await_kept(id, reviving.since, reviving.before);
        }
        self.note(now, id, "both go on");
        self.publish(event::Event::CallTakenUp { call: id });
    }

    /// Long enough: whoever has not been heard at all is gone.
    pub(super) fn revive_timeout(&mut self, now: Now, id: CallRef) {
        let Some((talk, reviving)) = self.reviving(id) else { return self.caller_gone(now, id) };
        let gone = match (reviving.a, reviving.b) {
            (Side::Silent, _) => talk.a,
            (_, Side::Silent) => talk.b,
            (Side::Heard | Side::There, Side::Heard | Side::There) => return, // Its transaction decides.
        };
        self.end_leg(now, gone, EndCause::SignallingLost);
    }

    /// The talk of a callback was cut, and one of the two is gone: what is known of it decides.
    pub(super) fn attempt_cut(&mut self, now: Now, id: CallRef) {
        let Some((task, recording)) = self.calls.get(&id).and_then(|call| Some((call.task?, call.recording))) else {
            return;
        };
        if let Some(attempt) = self.open_attempt(task) {
            attempt.recording = recording;
        }
        self.lose_attempt(now, task);
    }

    /// The agent of a talk that was cut is gone: his caller waits again, at the place of his call. False when his line
    /// is gone, too.
    pub(super) fn wait_again(&mut self, now: Now, id: CallRef, caller: LegRef) -> bool {
        let Some(queue) = self.queue_of(id).map(|queue| queue.name.clone()) else { return false };
        self.end_tape(id);
        self.rest_after(now, id, Purpose::Queue);
        self.cancel_call_timers(id);
        self.note(now, id, "the agent is gone: back in line");
        let Some(call) = self.calls.get_mut(&id) else { return false };
        (call.agent, call.answered_at, call.recording) = (None, None, None);
        let since = call.started_at;
        self.hush(caller);
        let place = Place { priority: 5, virtual_start: since };
        self.stand_in_line(now, id, caller, &queue, place, Duration::ZERO);
        self.forget_talk(id); // Last: the disk knows him as both rather than as neither.
        true
    }
}

/// Whether whoever was there when a sign of life was written last may be there still.
pub(super) fn is_back_in_time(now: Now, signs: impl Iterator<Item = DateTime<Utc>>) -> bool {
    signs.max().is_some_and(|seen| now.utc.signed_duration_since(seen) <= AWAY)
}

fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    to.signed_duration_since(from).to_std().unwrap_or_default()
}

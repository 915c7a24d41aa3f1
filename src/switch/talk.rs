//! Talking: two legs joined, whoever brought them together. A notice may come first; a tape may run beside it.

use super::call::{Kind, Story};
use super::end::EndCause;
use super::record::Tape;
use super::revive::Reviving;
use super::{Consent, Switch, event, say, view};
use crate::id::{CallRef, LegRef, Name, PlayRef};
use crate::media::Play;
use crate::time::{Now, Tick};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How soon the second key of a command follows its `*`.
const STAR: Duration = Duration::from_secs(3);

/// What brought the two together, and what follows when they part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// A waiting caller and an agent.
    Queue,
    /// An agent and a customer who was promised a callback.
    Callback,
    /// Anybody else.
    Direct,
}

/// Two legs.
#[derive(Debug)]
pub(super) struct Talk {
    /// The agent, or whoever called directly: left on a tape.
    pub(super) a: LegRef,
    /// The customer, or whoever was called: right on a tape.
    pub(super) b: LegRef,
    pub(super) purpose: Purpose,
    pub(super) stage: Stage,
    /// How the customer knows that the talk is recorded once it begins; `None`: it is not.
    pub(super) record: Option<Consent>,
    /// When the agent has pressed `*`: the next key is a command.
    pub(super) star: Option<Tick>,
}

/// The two ends of a queue's call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) agent: LegRef,
    pub(super) caller: LegRef,
}

/// How far a talk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// `b` hears a notice; they are joined when it has been played to its end.
    Notice(Option<PlayRef>),
    /// Joined since, and how long before a restart.
    Joined { since: Tick, before: Duration },
    /// Joined again after a restart: not both have said that they go on.
    Reviving(Reviving),
}

impl Talk {
    /// How long they have been joined.
    pub(super) fn talked(&self, now: Now) -> Duration {
        match self.stage {
            Stage::Notice(_) => Duration::ZERO,
            Stage::Joined { since, before } => before + now.tick.since(since),
            Stage::Reviving(reviving) => reviving.before,
        }
    }
}

impl Switch {
    /// An agent has answered a waiting caller. Who was just asked something (`breaks_in`) is told why no more of it.
    pub(super) fn begin_queue_talk(&mut self, now: Now, id: CallRef, ends: Ends, queue: &Name, breaks_in: bool) {
        let Ends { agent, caller } = ends;
        let settings = self.settings.clone();
        let (mut notice, record) =
            settings.queue(queue).filter(|queue| queue.record).map_or((Vec::new(), None), |queue| {
                let notice = say::queue_notice(queue);
                self.record_if_there_is_room(now, id, notice, queue.record_required)
            });
        if breaks_in {
            notice.insert(0, say::AGENT_AVAILABLE.into());
        }
        self.begin_talk(
            now,
            id,
            Talk { a: agent, b: caller, purpose: Purpose::Queue, stage: Stage::Notice(None), record, star: None },
            notice,
        );
    }

    /// The notice before a recording and the consent by it; neither when the disk has no room for the recording: nobody
    /// is told that he is recorded who is not.
    pub(super) fn record_if_there_is_room(
        &mut self,
        now: Now,
        id: CallRef,
        notice: Vec<Name>,
        required: bool,
    ) -> (Vec<Name>, Option<Consent>) {
        if self.may_record(required) {
            let consent = Consent::by(&notice);
            return (notice, Some(consent));
        }
        self.not_recorded(now, id, view::NotRecorded::DiskSpace);
        (Vec::new(), None)
    }

    /// Two parties are there: a notice first, if there is one, then they are joined.
    pub(super) fn begin_talk(&mut self, now: Now, id: CallRef, mut talk: Talk, notice: Vec<Name>) {
        let joined = notice.is_empty();
        if !joined {
            // Early media has let `a` hear `b`: not while `b` is told that he will be recorded.
            self.unbridge(talk.a);
            self.hush(talk.a);
            if let Some(consent) = &mut talk.record {
                consent.played_at = Some(now.utc);
            }
            let notice = self.in_language_of(id, notice);
            talk.stage = Stage::Notice(self.play(talk.b, Play::Clips { clips: notice, then: None }));
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.answered_at = Some(now.utc);
            call.story = Story::Talking(talk);
        }
        if joined {
            self.join(now, id);
        }
    }

    /// The notice has been heard to its end.
    pub(super) fn talk_played(&mut self, now: Now, id: CallRef, play: PlayRef, whole: bool) {
        let Some(Story::Talking(talk)) = self.calls.get_mut(&id).map(|call| &mut call.story) else { return };
        if talk.stage != Stage::Notice(Some(play)) {
            return;
        }
        // Fail closed: who was not told to the end is not recorded (S5.27).
        let refused = !whole && talk.record.take().is_some();
        if let Some(consent) = &mut talk.record {
            consent.complete = consent.prompt.is_some();
        }
        if refused {
            self.not_recorded(now, id, view::NotRecorded::NoticeFailed);
            self.publish(event::Event::NoticeFailed { call: id });
        }
        self.join(now, id);
    }

    fn join(&mut self, now: Now, id: CallRef) {
        let Some(Story::Talking(talk)) = self.calls.get_mut(&id).map(|call| &mut call.story) else { return };
        talk.stage = Stage::Joined { since: now.tick, before: Duration::ZERO };
        let (a, b, purpose, record) = (talk.a, talk.b, talk.purpose, talk.record.take());
        self.bridge(a, b);
        match record {
            // There may have been room when the notice began.
            Some(_) if !self.may_record(self.must_record(id)) => {
                self.not_recorded(now, id, view::NotRecorded::DiskSpace);
            }
            Some(consent) => self.begin_tape(now, id, Tape { left: a, right: b }, consent),
            None => {}
        }
        self.note(now, id, "joined");
        if purpose == Purpose::Callback {
            self.attempt_joined(now, id);
        }
        self.keep_talk(now, id);
        self.forget_entry(id); // Last: the disk knows him as both rather than as neither.
    }

    /// A key of somebody who talks. The agent's `*1` pauses the tape, `*2` lets it go on (DTMF map of model.md).
    pub(super) fn talker_key(&mut self, now: Now, id: CallRef, leg: LegRef, key: char) {
        let Some(Story::Talking(talk)) = self.calls.get_mut(&id).map(|call| &mut call.story) else { return };
        if talk.a != leg {
            return;
        }
        let was_star = talk.star.take().is_some_and(|at| now.tick.since(at) <= STAR);
        match (was_star, key) {
            (true, '1') => self.pause_tape(now, id, true),
            (true, '2') => self.pause_tape(now, id, false),
            (_, '*') => talk.star = Some(now.tick),
            (_, _) => {} // meant for the other party, who hears it
        }
    }

    /// A party has put the other on hold, or is back: music instead of silence.
    pub(super) fn talk_held(&mut self, id: CallRef, leg: LegRef) {
        let settings = self.settings.clone();
        let Some(call) = self.calls.get(&id) else { return };
        let Story::Talking(Talk { a, b, stage: Stage::Joined { .. } | Stage::Reviving(_), .. }) = &call.story else {
            return;
        };
        let (a, b, queue) = (*a, *b, call.queue.clone());
        let other = if leg == a { b } else { a };
        if self.holds_us(leg) {
            let music = queue.and_then(|queue| settings.queue(&queue)).map_or_else(|| say::HOLD.into(), say::hold);
            self.unbridge(other);
            self.play(other, Play::Hold(music));
        } else {
            self.hush(other);
            self.bridge(a, b);
        }
    }

    /// One party is gone: so is the other. Law 3: no leg outlives the other in silence.
    pub(super) fn talker_left(&mut self, now: Now, id: CallRef, leg: LegRef, cause: Option<EndCause>) {
        let Some(Story::Talking(talk)) = self.calls.get(&id).map(|call| &call.story) else { return };
        let (a, b, purpose, talked) = (talk.a, talk.b, talk.purpose, talk.talked(now));
        let was_joined = !matches!(talk.stage, Stage::Notice(_));
        let was_cut = matches!(talk.stage, Stage::Reviving(_));
        let other = if leg == a { b } else { a };
        self.let_go(leg, false);
        let agent_lost = was_cut && other == b && cause == Some(EndCause::SignallingLost);
        if agent_lost && purpose == Purpose::Queue && self.wait_again(now, id, b) {
            return;
        }
        if purpose == Purpose::Callback && !was_joined && leg == a && cause != Some(EndCause::Fault) {
            self.attempt_agent_left_notice(now, id, b);
            return;
        }
        self.hang_up(now, other, None);
        self.end_tape(id);
        let cause = cause.unwrap_or(if leg == a { EndCause::AgentHungUp } else { EndCause::CallerHungUp });
        match purpose {
            Purpose::Queue | Purpose::Direct => {}
            Purpose::Callback if cause == EndCause::Fault => self.attempt_talk_cut(now, id, talked),
            Purpose::Callback if was_cut => self.attempt_cut(now, id),
            Purpose::Callback => self.attempt_talk_over(now, id, talked, was_joined, leg == a),
        }
        if let Some(call) = self.calls.get_mut(&id).filter(|_| !was_joined && purpose != Purpose::Callback) {
            call.answered_at = None; // He heard the notice, and nobody (C18).
        }
        self.rest_after(now, id, purpose);
        self.end_call(now, id, if purpose == Purpose::Callback { EndCause::AttemptOver } else { cause });
    }

    /// Both legs are told to go: an admin, or media that never came back.
    pub(super) fn end_talk(&mut self, now: Now, id: CallRef, cause: EndCause) {
        let Some(Story::Talking(talk)) = self.calls.get(&id).map(|call| &call.story) else { return };
        let b = talk.b;
        self.ua.hang_up(now.tick, b, None);
        self.talker_left(now, id, b, Some(cause));
    }

    pub(super) fn rest_after(&mut self, now: Now, id: CallRef, purpose: Purpose) {
        let Some(call) = self.calls.get(&id) else { return };
        // A customer who was put through to an agent was served like one of a queue; a colleague was not.
        if purpose == Purpose::Direct && call.kind != Kind::Inbound {
            return;
        }
        let Some(agent) = call.agent.clone() else { return };
        // The queue may be gone since the call came, or have another name.
        let own = call.queue.as_ref().filter(|queue| self.settings.queue(queue).is_some());
        let of_agent = || self.settings.queues.iter().find(|queue| queue.members.iter().any(|it| it.agent == agent));
        let queue = own.cloned().or_else(|| of_agent().map(|queue| queue.name.clone()));
        self.agent_rests(now, &agent, queue.as_ref());
    }
}

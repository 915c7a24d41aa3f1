//! Calls: one party's story, with all legs made for it. The story is an enum, and what only one chapter needs lives
//! in that chapter; a leg's role follows from where the story names it.

use super::attempt::{Attempting, Loaded};
use super::direct::Direct;
use super::end::EndCause;
use super::menu::Menu;
use super::talk::Talk;
use super::wait::Waiting;
use super::{Switch, event, view};
use crate::callback::task::MissedBy;
use crate::id::{CallRef, LegRef, Name, PlayRef, RecordingId, Shard, TaskId};
use crate::limits;
use crate::number::Party;
use crate::time::{DateTime, Now, Utc, shifted};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// What kind of call this is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Somebody called us: a queue, a menu, an agent.
    Inbound,
    /// We call somebody back.
    Callback,
    /// Phone to phone.
    Internal,
    /// An agent's phone calls outside.
    Outbound,
    /// A feature code.
    Service,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Kind::Inbound => "inbound",
            Kind::Callback => "callback",
            Kind::Internal => "internal",
            Kind::Outbound => "outbound",
            Kind::Service => "service",
        }
    }
}

/// Where a call is.
#[derive(Debug)]
pub(super) enum Story {
    /// In a queue's line.
    Waiting(Box<Waiting>),
    /// In a menu of keys.
    Menu(Menu),
    /// One phone rings another, or somebody outside.
    Direct(Direct),
    /// A promise is being kept.
    Attempt(Box<Attempting>),
    /// Two parties are joined, or are about to be.
    Talking(Talk),
    /// One party hears an announcement, then it is over.
    Announcing {
        /// Who hears it.
        leg: LegRef,
        /// Its end is the call's.
        play: Option<PlayRef>,
        /// Why the call ends.
        cause: EndCause,
    },
    /// Over: only its record is left.
    Over,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallRef,
    pub(super) kind: Kind,
    /// Both legs of a bridge live on one shard, so the call has it, not the leg.
    pub(super) shard: Shard,
    /// The customer or the calling agent, for people.
    pub(super) from: String,
    /// What was dialled, for people.
    pub(super) to: String,
    pub(super) customer: Option<Party>,
    /// As signalled; empty when withheld.
    pub(super) ani: String,
    /// The trunk it came by; `None` when a phone of ours began it, or we did.
    pub(super) in_trunk: Option<Name>,
    /// Where it was sent last: who has missed it when it ends before an agent answers (C18).
    pub(super) place: Option<MissedBy>,
    /// How often it was sent on (law 9).
    pub(super) hops: u8,
    pub(super) queue: Option<Name>,
    pub(super) agent: Option<Name>,
    pub(super) task: Option<TaskId>,
    /// The call that its callback returns.
    pub(super) origin: Option<CallRef>,
    /// What its attempt goes by.
    pub(super) loaded: Option<Loaded>,
    pub(super) started_at: DateTime<Utc>,
    pub(super) answered_at: Option<DateTime<Utc>>,
    pub(super) ended: Option<(DateTime<Utc>, EndCause)>,
    pub(super) recording: Option<RecordingId>,
    pub(super) not_recorded: Option<view::NotRecorded>,
    pub(super) ladder: Vec<view::LadderStep>,
    pub(super) story: Story,
}

/// What a leg is to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Waits in line.
    WaitingCaller,
    /// Rings for a waiting caller.
    RungAgent,
    /// Chooses from a menu.
    MenuCaller,
    /// Calls another phone or outside.
    DirectCaller,
    /// Is called directly.
    DirectCallee,
    /// Rings, or has answered, for an attempt.
    AttemptAgent,
    /// Is being called back.
    AttemptCustomer,
    /// One of the two who talk.
    Talker,
    /// Hears an announcement.
    Listener,
}

impl Call {
    /// The wall clock was set: it has lasted as long as it has.
    pub(super) fn shift(&mut self, by: TimeDelta) {
        self.started_at = shifted(self.started_at, by);
        self.answered_at = self.answered_at.map(|at| shifted(at, by));
        if let Story::Waiting(waiting) = &mut self.story {
            waiting.virtual_start = shifted(waiting.virtual_start, by);
        }
    }

    /// What `leg` is to this call; `None` when the story has left it behind.
    pub(super) fn role(&self, leg: LegRef) -> Option<Role> {
        match &self.story {
            Story::Waiting(waiting) if waiting.caller == leg => Some(Role::WaitingCaller),
            Story::Waiting(waiting) => {
                waiting.ring.as_ref().is_some_and(|ring| ring.has(leg)).then_some(Role::RungAgent)
            }
            Story::Menu(menu) => (menu.caller == leg).then_some(Role::MenuCaller),
            Story::Direct(direct) if direct.caller == leg => Some(Role::DirectCaller),
            Story::Direct(direct) => direct.callees.contains(&leg).then_some(Role::DirectCallee),
            Story::Attempt(attempt) if attempt.is_agent(leg) => Some(Role::AttemptAgent),
            Story::Attempt(attempt) => attempt.is_customer(leg).then_some(Role::AttemptCustomer),
            Story::Talking(talk) => (talk.a == leg || talk.b == leg).then_some(Role::Talker),
            Story::Announcing { leg: listener, .. } => (*listener == leg).then_some(Role::Listener),
            Story::Over => None,
        }
    }

    /// What people and programs see of it.
    pub(super) fn view(&self, with_ladder: bool) -> view::Call {
        view::Call {
            id: self.id,
            kind: self.kind.word(),
            from: self.from.clone(),
            to: self.to.clone(),
            state: self.state(),
            queue: self.queue.clone(),
            agent: self.agent.clone(),
            callback: self.task,
            origin_call: self.origin,
            started_at: self.started_at,
            answered_at: self.answered_at,
            ended_at: self.ended.map(|(at, _)| at),
            end_cause: self.ended.map(|(_, cause)| cause.word()),
            recording: self.recording,
            not_recorded: self.not_recorded,
            ladder: with_ladder.then(|| self.ladder.clone()),
        }
    }

    /// One word for people.
    pub(super) fn state(&self) -> &'static str {
        match &self.story {
            Story::Waiting(waiting) if waiting.ring.is_some() => "ringing",
            Story::Waiting(waiting) if !waiting.offer.is_closed() => "in_dialogue",
            Story::Waiting(_) => "waiting",
            Story::Menu(_) => "in_menu",
            Story::Direct(_) => "ringing",
            Story::Attempt(attempt) => attempt.word(),
            Story::Talking(_) => "talking",
            Story::Announcing { .. } => "announcement",
            Story::Over => "ended",
        }
    }
}

/// What a call begins with.
pub(super) struct NewCall {
    pub(super) kind: Kind,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) customer: Option<Party>,
}

impl Switch {
    /// A call begins: it gets its id and its shard. Its story follows at once.
    pub(super) fn begin_call(&mut self, now: Now, new: NewCall) -> CallRef {
        let id = CallRef(self.entropy.ulid(now.utc));
        self.suspect_call(id);
        let shards = u64::from(self.settings.server.shards.max(1));
        let shard = Shard(u16::try_from(self.shard_turn.take() % shards).expect("below a u16"));
        let call = Call {
            id,
            kind: new.kind,
            shard,
            from: new.from,
            to: new.to,
            customer: new.customer,
            ani: String::new(),
            in_trunk: None,
            place: None,
            hops: 0,
            queue: None,
            agent: None,
            task: None,
            origin: None,
            loaded: None,
            started_at: now.utc,
            answered_at: None,
            ended: None,
            recording: None,
            not_recorded: None,
            ladder: std::mem::take(&mut self.early_ladder),
            story: Story::Over,
        };
        let arrived = event::Event::CallArrived { call: id, from: call.from.clone(), to: call.to.clone() };
        self.calls.insert(id, call);
        self.publish(arrived);
        id
    }

    /// The shard of a call; the first when it has just gone.
    pub(super) fn shard_of(&self, call: CallRef) -> Shard {
        self.calls.get(&call).map_or(Shard(0), |call| call.shard)
    }

    /// A call is over: its record is kept for people, its timers are gone. Its legs are gone already.
    pub(super) fn end_call(&mut self, now: Now, id: CallRef, cause: EndCause) {
        self.cancel_call_timers(id);
        self.forget_talk(id);
        let Some(mut call) = self.calls.remove(&id) else { return };
        call.story = Story::Over;
        call.ended = Some((now.utc, cause));
        self.call_is_over(now, &call, cause);
        self.publish(event::Event::CallEnded { call: id, cause: cause.word() });
        self.past.push_back(call);
        if self.past.len() > limits::REMEMBERED {
            self.past.pop_front();
        }
        self.serve_wanted = true;
    }

    /// Adds what the switch itself did to the ladder of a call.
    pub(super) fn note(&mut self, now: Now, id: CallRef, what: impl Into<String>) {
        if let Some(call) = self.calls.get_mut(&id).filter(|call| call.ladder.len() < limits::LADDER_STEPS) {
            let here = "ringback".to_owned();
            call.ladder.push(view::LadderStep { at: now.utc, from: here.clone(), to: here, what: what.into() });
        }
    }

    /// Answers, says one thing, then hangs up.
    pub(super) fn announce_and_end(&mut self, now: Now, id: CallRef, leg: LegRef, clips: Vec<Name>) {
        self.answer_leg(now, leg);
        self.say_and_end(id, leg, clips, EndCause::Announced);
    }

    /// Clips in the language of the queue that a call is for.
    pub(super) fn in_language_of(&self, id: CallRef, clips: Vec<Name>) -> Vec<Name> {
        let queue = self.calls.get(&id).and_then(|call| self.settings.queue(call.queue.as_deref()?));
        super::say::in_language(queue.map_or("en", |queue| &queue.language), clips)
    }

    /// Says one thing to the party that is left, then hangs up.
    pub(super) fn say_and_end(&mut self, id: CallRef, leg: LegRef, clips: Vec<Name>, cause: EndCause) {
        let clips = self.in_language_of(id, clips);
        let play = self.play(leg, crate::media::Play::Clips { clips, then: None });
        if let Some(call) = self.calls.get_mut(&id) {
            call.story = Story::Announcing { leg, play, cause };
        }
    }
}

//! Callers in line who outlive the process: the leg of each lies with his place (`QueueEntry`) once he has acknowledged
//! our answer. Found at start he is in line again, at that place and with music, before he is asked by re-INVITE
//! whether he is still there; until he is heard, no agent is rung for him. Whoever does not go on has left the line,
//! and is a missed call like anybody who has.

use super::super::call::{Call, Kind, Story};
use super::super::durable::Pending;
use super::super::end::EndCause;
use super::super::legs::KeptLeg;
use super::super::place::Place;
use super::super::{CallTimer, Change, QueueEntry, Switch, Timer, event};
use super::between;
use crate::callback::task::MissedBy;
use crate::id::{CallRef, LegRef, Shard};
use crate::time::{DateTime, Now, Utc, shifted};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A caller in line as far as his leg is concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptCaller {
    from: String,
    leg: KeptLeg,
    /// Written then; sequence numbers go on from here.
    saved_at: DateTime<Utc>,
    /// How long he had waited then. An older version has not said so: he waits anew.
    #[serde(default)]
    waited: Duration,
}

impl KeptCaller {
    /// The wall clock was set: what was so long ago still is.
    pub(in crate::switch) fn shift(&mut self, by: TimeDelta) {
        self.saved_at = shifted(self.saved_at, by);
    }

    /// When it was written.
    pub(in crate::switch) fn saved_at(&self) -> DateTime<Utc> {
        self.saved_at
    }

    /// The same with all that every message changes left out.
    fn lasting(&self) -> (&str, KeptLeg) {
        (&self.from, self.leg.lasting())
    }
}

// --- On the disk ---
impl Switch {
    /// A caller in line can be gone on with from now on, or something lasting about him has changed.
    pub(in crate::switch) fn keep_caller(&mut self, now: Now, id: CallRef) {
        let Some(kept) = self.kept_caller(now, id) else { return };
        let held = self.entries.get(&id).and_then(|entry| entry.caller.as_ref());
        if held.is_some_and(|held| held.lasting() == kept.lasting()) {
            return;
        }
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.caller = Some(kept);
        let entry = entry.clone();
        self.begin_pulse(now);
        self.commit(vec![Change::PutEntry(Box::new(entry))], Pending::Told);
    }

    /// What is to be kept of a caller's leg; `None`: he has not been answered yet.
    pub(in crate::switch) fn kept_caller(&self, now: Now, id: CallRef) -> Option<KeptCaller> {
        let call = self.calls.get(&id)?;
        let Story::Waiting(waiting) = &call.story else { return None };
        let (from, leg) = (call.from.clone(), self.kept_leg(waiting.caller)?);
        Some(KeptCaller { from, leg, saved_at: now.utc, waited: waiting.waited(now) })
    }
}

// --- At the start ---
impl Switch {
    /// Puts a caller of the last life into his line again. False when he cannot be.
    pub(in crate::switch) fn take_up_caller(&mut self, now: Now, entry: &QueueEntry) -> bool {
        let Some(kept) = entry.caller.as_ref().filter(|_| self.settings.queue(&entry.queue).is_some()) else {
            return false;
        };
        let id = entry.call;
        let Some(leg) = self.read_leg(&kept.leg, between(kept.saved_at, now.utc)) else { return false };
        let call = self.call_of_caller(entry, kept);
        self.calls.insert(id, call);
        self.entries.insert(id, entry.clone());
        let caller = self.take_up_leg(now, id, leg);
        self.note(now, id, "taken up after a restart");
        let place = Place { priority: entry.priority, virtual_start: entry.virtual_start };
        let waited = kept.waited + between(kept.saved_at, now.utc);
        self.stand_in_line(now, id, caller, &entry.queue, place, waited);
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.reviving = true;
            self.keep_standing(id);
            self.talks.asking.push_back(id);
        }
        true
    }

    /// Ends the leg of a caller of the last life who is not in line any more.
    pub(in crate::switch) fn end_caller(&mut self, now: Now, entry: &QueueEntry) {
        if let Some(kept) = &entry.caller {
            self.end_kept(now, &kept.leg, between(kept.saved_at, now.utc));
        }
    }

    fn call_of_caller(&mut self, entry: &QueueEntry, kept: &KeptCaller) -> Call {
        let shards = u64::from(self.settings.server.shards.max(1));
        Call {
            id: entry.call,
            kind: Kind::Inbound,
            shard: Shard(u16::try_from(self.shard_turn.take() % shards).expect("below a u16")),
            from: kept.from.clone(),
            to: entry.dnis.clone(),
            customer: Some(entry.number.clone()),
            ani: entry.ani.clone(),
            in_trunk: Some(entry.in_trunk.clone()),
            place: Some(MissedBy::Queue(entry.queue.clone())),
            hops: 0,
            queue: Some(entry.queue.clone()),
            agent: None,
            task: None,
            origin: None,
            loaded: None,
            started_at: entry.arrived_at,
            answered_at: None,
            ended: None,
            recording: None,
            not_recorded: None,
            ladder: Vec::new(),
            story: Story::Over,
        }
    }
}

// --- Asking him ---
impl Switch {
    /// The leg of a caller of whom nothing has been heard in this life.
    pub(super) fn reviving_caller(&self, id: CallRef) -> Option<LegRef> {
        self.waiting(id).filter(|waiting| waiting.reviving).map(|waiting| waiting.caller)
    }

    /// Asks him whether he is still there.
    pub(super) fn ask_caller(&mut self, now: Now, id: CallRef, patience: Duration) {
        let Some(leg) = self.reviving_caller(id) else { return };
        self.ask_leg(now, leg);
        self.timers.set(Timer::Call(id, CallTimer::Revive), now.tick + patience);
    }

    /// He is: agents may be rung for him.
    pub(super) fn caller_heard(&mut self, now: Now, id: CallRef) {
        let Some(waiting) = self.waiting_mut(id).filter(|waiting| waiting.reviving) else { return };
        waiting.reviving = false;
        self.timers.cancel(&Timer::Call(id, CallTimer::Revive));
        self.note(now, id, "goes on waiting");
        self.keep_standing(id);
        self.publish(event::Event::CallTakenUp { call: id });
    }

    /// He is not, or nothing tells it.
    pub(super) fn caller_gone(&mut self, now: Now, id: CallRef) {
        if let Some(leg) = self.reviving_caller(id) {
            self.end_leg(now, leg, EndCause::SignallingLost);
        }
    }
}

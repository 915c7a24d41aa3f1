//! Leaving a line without having been served: after `max_wait`, by the exit key, or because nobody is there to serve
//! (S1.B8, S2.B6); and not getting into it, because it is closed or full.
//!
//! Wherever the site names a destination the caller is sent there; otherwise he hears why, and goodbye. A promise whose
//! place he had taken stands on its own again.

use super::end::EndCause;
use super::offer::Offer;
use super::wait::Waiting;
use super::{CallTimer, Switch, Timer, event};
use crate::id::{CallRef, LegRef, Name};
use crate::settings::{NoAgents, Queue};
use crate::time::{Now, Tick};
use std::time::Duration;

/// Whoever is choosing, or about to be answered, is looked at again after so long.
const LATER: Duration = Duration::from_secs(5);

/// RFC 3261 §21.4.24: no room for another caller.
const BUSY_HERE: u16 = 486;

impl Switch {
    /// The line is closed: the caller does not get into it.
    pub(super) fn find_closed(&mut self, now: Now, id: CallRef, caller: LegRef, queue: &Queue) {
        self.go_or_say(now, id, caller, queue.overflow.as_ref(), &["closed"], EndCause::Announced);
    }

    /// The line is full: the caller does not get into it.
    pub(super) fn find_full(&mut self, now: Now, id: CallRef, caller: LegRef, queue: &Queue) {
        match &queue.overflow {
            Some(overflow) => self.go_to(now, id, caller, overflow),
            None => self.turn_away(now, id, caller, BUSY_HERE, vec!["call_later".into()], EndCause::Busy),
        }
    }

    /// `max_wait` is over.
    pub(super) fn waited_too_long(&mut self, now: Now, id: CallRef) {
        let Some(waiting) = self.waiting(id) else { return };
        // The site may have been changed while he waited.
        let Some(longest) = self.settings.queue(&waiting.queue).and_then(|queue| queue.max_wait) else { return };
        let until = waiting.joined + longest.saturating_sub(waiting.waited_before);
        if until > now.tick {
            self.timers.set(Timer::Call(id, CallTimer::MaxWait), until);
            return;
        }
        if self.is_in_use(id) {
            // Somebody is about to answer, the caller is choosing, or he is asked whether he is there at all: let that
            // come to its end first.
            self.timers.set(Timer::Call(id, CallTimer::MaxWait), now.tick + LATER);
            return;
        }
        self.overflow(now, id);
    }

    /// Nobody has been there for as long as a caller waits for that.
    pub(super) fn nobody_there(&mut self, now: Now, id: CallRef) {
        let queue = self.waiting(id).and_then(|waiting| self.settings.queue(&waiting.queue));
        if queue.is_none_or(|queue| no_agents_after(queue).is_none()) {
            return;
        }
        if self.is_in_use(id) {
            self.timers.set(Timer::Call(id, CallTimer::NoAgents), now.tick + LATER);
            return;
        }
        self.overflow(now, id);
    }

    fn is_in_use(&self, id: CallRef) -> bool {
        let is_in_use = |it: &Waiting| it.ring.is_some() || !it.offer.is_closed() || it.reviving;
        self.waiting(id).is_some_and(is_in_use)
    }

    fn overflow(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let Some((caller, queue)) = self.leave_line(now, id) else { return };
        let overflow = settings.queue(&queue).and_then(|queue| queue.overflow.as_ref());
        self.go_or_say(now, id, caller, overflow, &["call_later"], EndCause::WaitedTooLong);
    }

    /// Whether `key` leads out of the line now: not inside the number dialogue, where it may be a digit.
    pub(super) fn is_exit_key(&self, id: CallRef, key: char) -> bool {
        self.waiting(id).is_some_and(|waiting| {
            let queue = self.settings.queue(&waiting.queue);
            matches!(waiting.offer, Offer::Closed | Offer::Open)
                && queue.is_some_and(|queue| queue.exit_key == Some(key))
        })
    }

    /// The caller leaves by key.
    pub(super) fn exit_line(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        self.note(now, id, "leaves by key");
        let Some((caller, queue)) = self.leave_line(now, id) else { return };
        let exit = settings.queue(&queue).and_then(|queue| queue.exit.as_ref());
        self.go_or_say(now, id, caller, exit, &[], EndCause::LeftByKey);
    }

    /// Takes a caller out of his line: his leg, and the line it was.
    pub(super) fn leave_line(&mut self, now: Now, id: CallRef) -> Option<(LegRef, Name)> {
        self.withdraw_ring(now, id);
        let kept = self.give_back_place(id);
        let waiting = self.waiting(id)?;
        let (caller, queue, ticket) = (waiting.caller, waiting.queue.clone(), waiting.ticket);
        if let Some(line) = self.lines.get_mut(&queue).filter(|_| !kept) {
            line.leave(ticket);
        }
        let wait_secs = self.waited_secs(now, id);
        self.publish(event::Event::CallAbandoned { call: id, queue: queue.clone(), wait_secs });
        self.cancel_call_timers(id);
        self.serve_wanted = true;
        Some((caller, queue))
    }

    /// A caller has joined a line: nobody may be there to serve it.
    pub(super) fn watch_staff(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let queue = self.waiting(id).and_then(|waiting| settings.queue(&waiting.queue));
        let Some((queue, after)) = queue.and_then(|queue| Some((queue, no_agents_after(queue)?))) else { return };
        if !self.is_staffed(queue) {
            self.timers.set(Timer::Call(id, CallTimer::NoAgents), now.tick + after);
        }
    }

    /// Agents come and go: whoever waits in a line without any goes elsewhere after a while.
    pub(super) fn watch_all_staff(&mut self, now: Now) {
        let settings = self.settings.clone();
        for queue in &settings.queues {
            let Some(after) = no_agents_after(queue) else { continue };
            let is_staffed = self.is_staffed(queue);
            let was_staffed = !self.unstaffed.contains(&queue.name);
            if is_staffed == was_staffed {
                continue;
            }
            if is_staffed {
                self.unstaffed.remove(&queue.name);
            } else {
                self.unstaffed.insert(queue.name.clone());
            }
            self.time_callers(&queue.name, (!is_staffed).then(|| now.tick + after));
        }
    }

    fn time_callers(&mut self, queue: &Name, until: Option<Tick>) {
        let callers: Vec<CallRef> = self.callers_in(queue).collect();
        for call in callers {
            let timer = Timer::Call(call, CallTimer::NoAgents);
            match until {
                Some(until) => self.timers.set(timer, until),
                None => self.timers.cancel(&timer),
            }
        }
    }

    fn callers_in(&self, queue: &Name) -> impl Iterator<Item = CallRef> {
        let entries = self.lines.get(queue).into_iter().flat_map(crate::queue::line::Line::callers);
        entries.filter_map(|entry| match entry.kind {
            crate::queue::line::Kind::Live(call) => Some(call),
            crate::queue::line::Kind::Promise(_) => None,
        })
    }

    /// Whether an agent of the queue is there at all: logged in, with a phone, whatever he does.
    fn is_staffed(&self, queue: &Queue) -> bool {
        let desks = queue.members.iter().filter_map(|member| self.agents.get(&member.agent));
        desks.into_iter().any(|desk| desk.is_in(&queue.name) && desk.facts().reachable)
    }
}

/// How long a caller waits for somebody to come; without a destination he waits on (interface.md, Settled 5).
fn no_agents_after(queue: &Queue) -> Option<Duration> {
    match (queue.no_agents, &queue.overflow) {
        (NoAgents::Overflow(after), Some(_)) => Some(after),
        (NoAgents::Overflow(_), None) | (NoAgents::Wait, _) => None,
    }
}

//! Announcing the offer to callers who wait (S2.12, S3.15; interface.md, Settled 5).

use super::call::Story;
use super::offer::Offer;
use super::{CallTimer, Switch, Timer, say};
use crate::callback::rule::{self, Announcement, Crowd, Moment};
use crate::id::CallRef;
use crate::media::Play;
use crate::time::Now;
use std::time::Duration;

/// A caller in dialogue, or for whom a phone rings, is looked at again after so long.
const BUSY: Duration = Duration::from_secs(5);

impl Switch {
    /// Sets the timer of the next announcement, if this caller gets any.
    pub(super) fn plan_announcement(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let timer = Timer::Call(id, CallTimer::Announce);
        let Some(call) = self.calls.get(&id) else { return };
        let Story::Waiting(waiting) = &call.story else { return };
        let rule = settings.queue(&waiting.queue).and_then(|queue| rule::announcing(&settings, queue));
        let Some(rule) = rule else { return };
        let waited = now.utc.signed_duration_since(call.started_at).to_std().unwrap_or_default();
        let crowd = self.crowd(now, waiting.queue.clone(), waiting.ticket);
        let last =
            waiting.announced_at.map(|at| at.signed_duration_since(call.started_at).to_std().unwrap_or_default());
        match rule::announcement(rule, waited, last, crowd) {
            Announcement::Now => self.timers.set(timer, now.tick),
            Announcement::At(at) => self.timers.set(timer, now.tick + at.saturating_sub(waited)),
            Announcement::Never => self.timers.cancel(&timer),
        }
    }

    fn crowd(&self, now: Now, queue: crate::id::Name, ticket: crate::id::Ticket) -> Crowd {
        let members = self.settings.queue(&queue).map_or(&[][..], |queue| &queue.members);
        Crowd {
            agent_free: !self.ready_in(&queue, members, now).is_empty(),
            ahead: self.lines.get(&queue).and_then(|line| line.position(ticket)).unwrap_or(1) - 1,
        }
    }

    /// The instant of an announcement has come; its gates are asked again.
    pub(super) fn announce(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let Some(call) = self.calls.get(&id) else { return };
        let Story::Waiting(waiting) = &call.story else { return };
        if waiting.ring.is_some() || !matches!(waiting.offer, Offer::Closed) {
            self.timers.set(Timer::Call(id, CallTimer::Announce), now.tick + BUSY);
            return;
        }
        let Some(queue) = settings.queue(&waiting.queue) else { return };
        let Some(rule) = rule::announcing(&settings, queue) else { return };
        let waited = now.utc.signed_duration_since(call.started_at).to_std().unwrap_or_default();
        let last =
            waiting.announced_at.map(|at| at.signed_duration_since(call.started_at).to_std().unwrap_or_default());
        let (caller, crowd) = (waiting.caller, self.crowd(now, waiting.queue.clone(), waiting.ticket));
        let moment = Moment { utc: now.utc, offered: true, pending: self.planner.pending_of(&rule.name) };
        let is_due = rule::announcement(rule, waited, last, crowd) == Announcement::Now;
        if is_due && rule::takes(&settings, rule, moment).is_ok() {
            let play = self.play(caller, Play::Clips { clips: say::offer(rule), then: Some(say::hold(queue)) });
            if let Some(waiting) = self.waiting_mut(id) {
                waiting.offer.announce();
                waiting.announced_at = Some(now.utc);
                waiting.rule = Some(rule.name.clone());
                waiting.play = play;
            }
        } else if is_due {
            // Offered, but the request would be refused now: looked at again when that may have changed.
            self.timers.set(Timer::Call(id, CallTimer::Announce), now.tick + BUSY);
            return;
        }
        self.plan_announcement(now, id);
    }
}

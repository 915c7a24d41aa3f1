//! Sending a call somewhere: a queue, an agent, a group, a menu, or away. The caller may be unanswered still (he has
//! just arrived) or on the line already (from a menu, or out of a queue); either way the same destinations hold.
//!
//! Where a call was sent last is remembered with it: when it ends before an agent has answered, that place has missed
//! it (`missed`).

use super::Switch;
use super::call::Story;
use super::end::EndCause;
use super::legs::Phase;
use crate::callback::task::MissedBy;
use crate::callback::window::Window;
use crate::id::{CallRef, LegRef, Name};
use crate::limits;
use crate::settings::Destination;
use crate::time::Now;

/// RFC 3261 §21.4.18: nobody can be reached here now.
const UNAVAILABLE: u16 = 480;

impl Switch {
    /// Sends a call, answered or not, to a destination. Whatever it was in before has let go of it.
    pub(super) fn go_to(&mut self, now: Now, id: CallRef, leg: LegRef, to: &Destination) {
        self.cancel_call_timers(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.hops = call.hops.saturating_add(1);
        if call.hops > limits::HOPS {
            self.turn_away(now, id, leg, UNAVAILABLE, Vec::new(), EndCause::NotReachable);
            return;
        }
        let place = match to {
            Destination::Queue(name) => Some(MissedBy::Queue(name.clone())),
            Destination::Agent(name) => Some(MissedBy::Agent(name.clone())),
            Destination::Group(name) => Some(MissedBy::Group(name.clone())),
            Destination::Ivr(name) => Some(MissedBy::Ivr(name.clone())),
            Destination::Hangup(_) => None, // Whoever had it last has lost it.
        };
        call.place = place.or(call.place.take());
        call.story = Story::Over; // The destination begins its own.
        self.forget_entry(id);
        match to {
            Destination::Queue(queue) => self.enter_queue(now, id, leg, queue),
            Destination::Agent(agent) => self.call_agent(now, id, leg, agent),
            Destination::Group(group) => self.call_group(now, id, leg, group),
            Destination::Ivr(ivr) => self.enter_menu(now, id, leg, ivr),
            Destination::Hangup(status) => {
                self.turn_away(now, id, leg, *status, Vec::new(), EndCause::NotReachable);
            }
        }
    }

    /// The way on when there is one; otherwise the caller hears `clips`, and goodbye.
    pub(super) fn go_or_say(
        &mut self,
        now: Now,
        id: CallRef,
        leg: LegRef,
        to: Option<&Destination>,
        clips: &[&str],
        cause: EndCause,
    ) {
        match to {
            Some(to) => self.go_to(now, id, leg, to),
            None => {
                self.answer_once(now, leg);
                let clips = clips.iter().map(|clip| Name::from(*clip)).collect();
                self.turn_away(now, id, leg, UNAVAILABLE, clips, cause);
            }
        }
    }

    /// Ends a call: with a status when it was not answered, else with `clips` and goodbye.
    pub(super) fn turn_away(
        &mut self,
        now: Now,
        id: CallRef,
        leg: LegRef,
        status: u16,
        mut clips: Vec<Name>,
        cause: EndCause,
    ) {
        self.cancel_call_timers(id);
        if self.is_answered(leg) {
            clips.push("goodbye".into());
            self.say_and_end(id, leg, clips, cause);
        } else {
            self.refuse_call(now, id, leg, status, cause);
        }
    }

    /// Sends the 200 of a caller's leg, unless it has been sent.
    pub(super) fn answer_once(&mut self, now: Now, leg: LegRef) {
        if !self.is_answered(leg) {
            self.answer_leg(now, leg);
        }
    }

    /// Whether a caller's leg has been answered.
    pub(super) fn is_answered(&self, leg: LegRef) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.phase == Phase::Up)
    }

    /// Whether a schedule is open now; without one it always is.
    pub(super) fn is_open(&self, now: Now, schedule: Option<&Name>) -> bool {
        let schedule = schedule.and_then(|name| self.settings.schedule(name));
        Window::new(&self.settings.zones, schedule).is_open(now.utc)
    }
}

//! Places in line that outlast a call: that of a caller who drops and comes back (S1.B9), and that of a promise whose
//! customer rings in (interface.md, Settled 8).
//!
//! With `on_call_in = cancel` his new call takes the place over, and the promise is closed. With `menu` the promise is
//! not touched before he says so, or an agent answers him: he only stands in its place, is asked, and it has its place
//! back when he hangs up. So nobody loses what he was promised by asking.

use super::call::Story;
use super::durable::Pending;
use super::end::EndCause;
use super::offer::{Offer, Wish};
use super::promise::Promise;
use super::{Change, Switch, say};
use crate::callback::retry;
use crate::callback::task::{CloseReason, Task, TaskState};
use crate::id::{CallRef, Name, TaskId, Ticket};
use crate::limits;
use crate::media::Play;
use crate::number::Party;
use crate::settings::OnCallIn;
use crate::time::{DateTime, Now, Utc, shifted};
use chrono::TimeDelta;
use std::collections::{BTreeMap, VecDeque};

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) priority: u8,
    pub(super) virtual_start: DateTime<Utc>,
}

/// The places of those who have dropped, for as long as they may come back to them.
#[derive(Debug, Default)]
pub(super) struct LeftPlaces {
    places: BTreeMap<(Name, Party), (Place, DateTime<Utc>)>,
    order: VecDeque<(Name, Party)>,
}

impl LeftPlaces {
    /// Remembers a place until then; beyond the limit the oldest is forgotten.
    fn keep(&mut self, now: DateTime<Utc>, queue: Name, party: Party, place: Place, until: DateTime<Utc>) {
        let stale = |left: &LeftPlaces| {
            let oldest = left.order.front()?;
            let is_over = left.places.get(oldest).is_none_or(|(_, until)| *until <= now);
            (is_over || left.order.len() >= limits::LEFT_PLACES).then(|| oldest.clone())
        };
        while let Some(oldest) = stale(self) {
            self.order.pop_front();
            self.places.remove(&oldest);
        }
        let key = (queue, party);
        if self.places.insert(key.clone(), (place, until)).is_none() {
            self.order.push_back(key);
        }
    }

    /// Nobody comes back to the places of this party.
    pub(super) fn forget(&mut self, party: &Party) {
        self.places.retain(|(_, who), _| who != party);
        self.order.retain(|(_, who)| who != party);
    }

    /// The wall clock was set.
    pub(super) fn shift(&mut self, by: TimeDelta) {
        for (place, until) in self.places.values_mut() {
            place.virtual_start = shifted(place.virtual_start, by);
            *until = shifted(*until, by);
        }
    }

    /// The place of somebody who comes back in time; it is his again, and nobody else's.
    fn take(&mut self, now: DateTime<Utc>, queue: &Name, party: &Party) -> Option<Place> {
        let (place, until) = self.places.remove(&(queue.clone(), party.clone()))?;
        self.order.retain(|(of, who)| of != queue || who != party);
        (until > now).then_some(place)
    }
}

impl Switch {
    /// Where a caller stands who joins `queue` now and has come `since` then: at the earliest place that is his
    /// already.
    pub(super) fn place_for(&mut self, now: Now, fresh: Place, customer: Option<&Party>, queue: &Name) -> Place {
        let Some(party) = customer else { return fresh };
        let left = self.left_places.take(now.utc, queue, party);
        let heir = self.heir_of(party, queue).map(|(virtual_start, priority)| Place { priority, virtual_start });
        let mine = [left, heir].into_iter().flatten();
        mine.fold(fresh, |one, other| Place {
            priority: one.priority.min(other.priority),
            virtual_start: one.virtual_start.min(other.virtual_start),
        })
    }

    /// A caller has dropped: his place waits for him a while.
    pub(super) fn remember_place(&mut self, now: Now, id: CallRef) {
        let Some(call) = self.calls.get(&id) else { return };
        let (Story::Waiting(waiting), Some(party)) = (&call.story, &call.customer) else { return };
        let within = self.settings.queue(&waiting.queue).map_or(std::time::Duration::ZERO, |queue| queue.resume_within);
        if !within.is_zero() {
            let place = Place { priority: waiting.priority, virtual_start: waiting.virtual_start };
            self.left_places.keep(now.utc, waiting.queue.clone(), party.clone(), place, now.utc + within);
        }
    }

    /// A caller is in line: what he was promised before is not needed any more, or he is asked about it.
    pub(super) fn take_over(&mut self, now: Now, id: CallRef, customer: Option<&Party>, queue: &Name) {
        let Some(party) = customer else { return };
        let open: Vec<Task> =
            self.planner.of_number(party).filter(|task| task.state != TaskState::Talking).cloned().collect();
        let mut pending = None;
        for task in open {
            if !self.is_asked_about(&task) {
                self.cancel_task(now, task.id, CloseReason::CustomerCalled, Pending::Told);
            } else if task.queue == *queue && pending.is_none() {
                pending = Some(task.id);
            }
        }
        let Some(task) = pending else { return };
        if let Some(line) = self.lines.get_mut(queue)
            && let Some(ticket) = line.ticket_of(task)
        {
            line.leave(ticket);
        }
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.pending = Some(task);
        }
    }

    /// Whether the customer is asked when he rings in: not about a missed call, of whose callback he knows nothing; not
    /// about one that is left over with every attempt used up, which he could only be told is kept, nor about one that
    /// a restart has cut; and not while we are dialling for him, when an agent is on the line already and he is served
    /// at once.
    fn is_asked_about(&self, task: &Task) -> bool {
        let rule = task.rule.as_deref().and_then(|rule| self.settings.rule(rule));
        let was_asked_for = !task.source.is_missed();
        let profile = self.settings.profile(&task.profile);
        let is_past = task.state == TaskState::Overflow && profile.is_some_and(|it| retry::is_used_up(it, task));
        let is_past = is_past || task.hold_reason.is_some();
        was_asked_for && !is_past && !task.state.is_live() && rule.is_some_and(|rule| rule.on_call_in == OnCallIn::Menu)
    }

    /// The promise whose place a waiting caller has taken, if it is open still.
    pub(super) fn pending_task(&self, id: CallRef) -> Option<TaskId> {
        let task = self.waiting(id)?.pending?;
        self.planner.get(task).map(|task| task.id)
    }

    /// Asks a caller what shall become of his promise; false when he has none.
    pub(super) fn ask_pending(&mut self, now: Now, id: CallRef) -> bool {
        let settings = self.settings.clone();
        let task = self.pending_task(id).and_then(|task| self.planner.get(task));
        let rule = task.and_then(|task| settings.rule(task.rule.as_deref()?));
        let queue = self.waiting(id).and_then(|waiting| settings.queue(&waiting.queue));
        let (Some(rule), Some(queue)) = (rule, queue) else { return false };
        self.note(now, id, "asks about the callback");
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.offer = Offer::ask_pending(now.tick, rule);
            waiting.rule = Some(rule.name.clone());
            let caller = waiting.caller;
            let clips = say::in_language(&queue.language, vec!["pending_menu".into()]);
            let play = self.play(caller, Play::Clips { clips, then: None });
            if let Some(waiting) = self.waiting_mut(id) {
                waiting.play = play;
            }
        }
        self.set_dialogue_timer(id);
        true
    }

    /// The promise stands in its own place again, and the caller in none; false when there is no such promise.
    pub(super) fn give_back_place(&mut self, id: CallRef) -> bool {
        let Some(task) = self.pending_task(id).and_then(|task| self.planner.get(task)).cloned() else { return false };
        let Some(waiting) = self.waiting_mut(id) else { return false };
        waiting.pending = None;
        let (queue, ticket) = (waiting.queue.clone(), waiting.ticket);
        if let Some(line) = self.lines.get_mut(&queue) {
            line.leave(ticket);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.task = Some(task.id); // Whatever becomes of the call, it was not lost.
        }
        self.line_up(&task);
        self.serve_wanted = true;
        true
    }

    /// The caller keeps his promise, and is about to be told so; false when it is gone meanwhile: he waits on.
    pub(super) fn keep_pending(&mut self, now: Now, id: CallRef) -> bool {
        let is_kept = self.give_back_place(id);
        if is_kept {
            self.withdraw_ring(now, id);
        }
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.offer = if is_kept { Offer::Made } else { Offer::Closed };
        }
        is_kept
    }

    /// The caller does not want to be called any more. Nobody calls him from here on, but he is told so once the disk
    /// knows, or the next life might.
    pub(super) fn withdraw_pending(&mut self, now: Now, id: CallRef) {
        let Some(task) = self.pending_task(id) else {
            self.say_withdrawn(now, id); // It was closed meanwhile.
            return;
        };
        self.withdraw_ring(now, id);
        let Some(waiting) = self.waiting(id) else { return };
        let (caller, queue, ticket) = (waiting.caller, waiting.queue.clone(), waiting.ticket);
        self.hush(caller);
        self.cancel_task(now, task, CloseReason::ByCaller, Pending::Withdrawal { call: id, queue, ticket });
        if let Some(call) = self.calls.get_mut(&id) {
            call.task = Some(task);
        }
        self.keep_standing(id);
    }

    /// The disk has answered a caller who has cancelled his callback. One who hears the apology waits on in person.
    pub(super) fn withdrawal_committed(&mut self, now: Now, id: CallRef, queue: &Name, ticket: Ticket, stored: bool) {
        if self.is_overtaken(id) {
            return; // He has heard the apology and wishes for something else, which has its own answer.
        }
        if self.left_promising.remove(&id) {
            if let Some(line) = self.lines.get_mut(queue) {
                line.leave(ticket);
            }
            self.serve_wanted = true;
            return;
        }
        let waits = self.waiting(id).is_some_and(|waiting| matches!(waiting.offer, Offer::Promising { .. }));
        match (waits, stored) {
            (true, true) => self.say_withdrawn(now, id),
            (true, false) => {
                self.step_stored(now, id, false);
                self.keep_standing(id);
            }
            (false, _) => {} // He has heard the apology.
        }
    }

    fn say_withdrawn(&mut self, now: Now, id: CallRef) {
        let Some((caller, queue)) = self.leave_line(now, id) else { return };
        let language = self.settings.queue(&queue).map_or("en", |queue| &queue.language);
        let clips = say::in_language(language, vec!["pending_cancelled".into(), "goodbye".into()]);
        self.say_and_end(id, caller, clips, EndCause::Announced);
    }

    /// The promise gets another number: onto the disk with it, as with a new one.
    pub(super) fn store_change(&mut self, now: Now, id: CallRef, task: TaskId, wish: Wish) {
        let Some(before) = self.planner.get(task).cloned() else { return };
        let mut task = before.clone();
        let Some(waiting) = self.waiting(id) else { return };
        let (queue, ticket) = (waiting.queue.clone(), waiting.ticket);
        task.number = wish.party;
        task.number_raw = wish.raw;
        if self.may_promise(&task).is_err() {
            self.promised_already(now, id);
            return;
        }
        self.settle_origin(now, id, &mut task);
        let older = self.merge(&mut task);
        self.keep_standing(id);
        let change = Change::PutTask(Box::new(task.clone()));
        let change_of = Some(Box::new(before));
        let promise = Promise { call: id, queue, ticket, task: Box::new(task), older, change_of };
        self.commit(vec![change], Pending::Promise(Box::new(promise)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(secs: u64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(secs)
    }

    fn party(n: usize) -> Party {
        Party::Number(format!("+1202555{n:06}").into())
    }

    fn place(n: u64) -> Place {
        Place { priority: 5, virtual_start: at(n) }
    }

    #[test]
    fn a_place_is_taken_once_and_in_time() {
        let mut left = LeftPlaces::default();
        left.keep(at(100), "support".into(), party(1), place(7), at(160));
        left.keep(at(100), "support".into(), party(2), place(8), at(160));

        assert_eq!(left.take(at(159), &"sales".into(), &party(1)), None);
        assert_eq!(left.take(at(159), &"support".into(), &party(1)), Some(place(7)));
        assert_eq!(left.take(at(159), &"support".into(), &party(1)), None);
        assert_eq!(left.take(at(160), &"support".into(), &party(2)), None);
        assert!(left.places.is_empty() && left.order.is_empty());
    }

    #[test]
    fn the_places_of_many_are_bounded_and_the_oldest_is_forgotten() {
        let mut left = LeftPlaces::default();
        for n in 0..=limits::LEFT_PLACES {
            left.keep(at(100), "support".into(), party(n), place(7), at(160));
        }
        assert_eq!((left.places.len(), left.order.len()), (limits::LEFT_PLACES, limits::LEFT_PLACES));
        assert_eq!(left.take(at(101), &"support".into(), &party(0)), None);
        assert_eq!(left.take(at(101), &"support".into(), &party(1)), Some(place(7)));

        left.keep(at(161), "support".into(), party(0), place(9), at(200));
        assert_eq!(left.places.len(), 1, "what is over is forgotten on the way");
    }
}

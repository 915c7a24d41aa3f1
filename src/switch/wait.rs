//! Waiting in a queue's line: joining it, an agent's phone ringing, hanging up. The line's order is `queue`'s; what
//! a caller hears is in `announce` and `dialogue`, how he is sent on in `leave`, and whose place he takes in `place`.

use super::announce::Told;
use super::call::Story;
use super::end::EndCause;
use super::offer::Offer;
use super::outcome::Refusal;
use super::place::Place;
use super::ring::{ELSEWHERE, NOT_THERE, NoAnswer, Ring, Shown, only};
use super::talk::Ends;
use super::{CallTimer, Switch, Timer, event};
use crate::callback::task::{CloseReason, LegRecord};
use crate::id::{CallRef, LegRef, Name, PlayRef, TaskId, Ticket};
use crate::queue::line::{Joining, Kind as EntryKind, Standing};
use crate::time::{DateTime, Now, Tick, Utc};
use std::time::Duration;

/// A caller in line.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) caller: LegRef,
    pub(super) queue: Name,
    pub(super) ticket: Ticket,
    /// When he joined this line, or stood in it again after a restart.
    pub(super) joined: Tick,
    /// How long he had waited then.
    pub(super) waited_before: Duration,
    /// The place in line, which may be older than the call.
    pub(super) virtual_start: DateTime<Utc>,
    pub(super) priority: u8,
    /// As signalled; empty when withheld.
    pub(super) ani: String,
    /// What was dialled.
    pub(super) dnis: String,
    pub(super) offer: Offer,
    /// What a pause has just ended, and when: a key may still belong to it.
    pub(super) before: Option<(Tick, Offer)>,
    /// The rule of the offer in progress, by name.
    pub(super) rule: Option<Name>,
    /// The promise whose place he has taken for as long as he is on the line.
    pub(super) pending: Option<TaskId>,
    /// What he has been told of his waiting.
    pub(super) told: Told,
    /// The prompt in progress.
    pub(super) play: Option<PlayRef>,
    /// The agent's phones that ring for this caller.
    pub(super) ring: Option<Ring>,
    /// He was in line before a restart, and has not been heard since.
    pub(super) reviving: bool,
}

impl Waiting {
    /// How long he has waited, restarts included.
    pub(super) fn waited(&self, now: Now) -> Duration {
        self.waited_before + now.tick.since(self.joined)
    }
}

impl Switch {
    /// A call comes into a queue, answered already or not: from now on it is answered, in line, and hears music.
    pub(super) fn enter_queue(&mut self, now: Now, id: CallRef, caller: LegRef, queue: &Name) {
        let settings = self.settings.clone();
        if let Some(queue) = settings.queue(queue) {
            if !self.is_open(now, queue.schedule.as_ref()) {
                self.find_closed(now, id, caller, queue);
                return;
            }
            let live = self.lines.get(&queue.name).map_or(0, crate::queue::line::Line::live);
            if queue.max_callers.is_some_and(|most| live >= most as usize) {
                self.find_full(now, id, caller, queue);
                return;
            }
        }
        let place = Place { priority: 5, virtual_start: now.utc };
        self.stand_in_line(now, id, caller, queue, place, Duration::ZERO);
    }

    /// The same for somebody whom the line has let in, closed or full though it may be by now. He has this place, if he
    /// has no better one, and has waited for so long.
    pub(super) fn stand_in_line(
        &mut self,
        now: Now,
        id: CallRef,
        caller: LegRef,
        queue: &Name,
        place: Place,
        waited: Duration,
    ) {
        let settings = self.settings.clone();
        let Some(queue) = settings.queue(queue) else {
            // The site has no such line any more.
            self.turn_away(now, id, caller, 404, vec!["call_later".into()], EndCause::NotReachable);
            return;
        };
        let Some(call) = self.calls.get(&id) else { return };
        let (customer, ani, dnis) = (call.customer.clone(), call.ani.clone(), call.to.clone());
        let place = self.place_for(now, place, customer.as_ref(), &queue.name);
        let priority = customer.as_ref().map_or(place.priority, |party| self.class_of(party, place.priority, now.utc));
        let joining = Joining { kind: EntryKind::Live(id), priority, virtual_start: place.virtual_start, agent: None };
        let line = self.lines.get_mut(&queue.name).expect("every queue has its line");
        let Ok(ticket) = line.join(&mut self.tickets, joining) else {
            self.find_full(now, id, caller, queue);
            return;
        };
        let waiting = Waiting {
            caller,
            queue: queue.name.clone(),
            ticket,
            joined: now.tick,
            waited_before: waited,
            virtual_start: place.virtual_start,
            priority,
            ani,
            dnis,
            offer: Offer::Closed,
            before: None,
            rule: None,
            pending: None,
            told: Told::default(),
            play: None,
            ring: None,
            reviving: false,
        };
        if let Some(call) = self.calls.get_mut(&id) {
            call.queue = Some(queue.name.clone());
            call.story = Story::Waiting(Box::new(waiting));
        }
        self.take_over(now, id, customer.as_ref(), &queue.name);
        self.store_entry(now, id, place.virtual_start, place.priority);
        self.answer_once(now, caller);
        if let Some(longest) = queue.max_wait {
            self.timers.set(Timer::Call(id, CallTimer::MaxWait), now.tick + longest.saturating_sub(waited));
        }
        self.watch_staff(now, id);
        if !self.ask_pending(now, id) {
            self.welcome(now, id);
        }
        // Counted last: what he was promised before stood in front of him.
        let position = self.lines.get(&queue.name).and_then(|line| line.position(ticket)).unwrap_or(1);
        self.publish(event::Event::CallQueued { call: id, queue: queue.name.clone(), position, priority });
        self.serve_wanted = true;
    }

    /// The caller has decided for a callback: no agent is rung for him any more, and the one who was is not blamed.
    pub(super) fn withdraw_ring(&mut self, now: Now, id: CallRef) {
        let Some(ring) = self.waiting_mut(id).and_then(|waiting| waiting.ring.take()) else { return };
        self.timers.cancel(&Timer::Call(id, CallTimer::Ring));
        self.stop_ring(now, ring, None, None);
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = None;
        }
    }

    /// A caller whose wish is being stored, or of whom it is not known whether he is still there, keeps the place but
    /// is passed over; everybody else may be served.
    pub(super) fn keep_standing(&mut self, id: CallRef) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let (queue, ticket) = (waiting.queue.clone(), waiting.ticket);
        let standing = match (&waiting.ring, waiting.offer.is_confirmed() || waiting.reviving) {
            (Some(_), _) => Standing::Offered,
            (None, true) => Standing::Held,
            (None, false) => Standing::Open,
        };
        // Once the promise holds the place, what the caller still hears changes nothing about it.
        if let Some(line) = self.lines.get_mut(&queue)
            && line.entry(ticket).is_some_and(|entry| entry.kind == EntryKind::Live(id))
        {
            line.set_standing(ticket, standing);
        }
        self.serve_wanted = true;
    }

    /// The caller has hung up.
    pub(super) fn waiting_caller_left(&mut self, now: Now, id: CallRef, cause: EndCause) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let (queue, ticket, caller) = (waiting.queue.clone(), waiting.ticket, waiting.caller);
        let ring = waiting.ring.take();
        let confirmed = waiting.offer.is_confirmed();
        let made = waiting.offer == Offer::Made;
        if matches!(waiting.offer, Offer::Promising { .. }) {
            self.left_promising.insert(id);
        }
        if let Some(ring) = ring {
            self.stop_ring(now, ring, None, None);
        }
        self.let_go(caller, false);
        if !confirmed && self.give_back_place(id) {
            // The promise he had before he rang in stands as it stood.
            self.end_call(now, id, EndCause::CallbackPromised);
            return;
        }
        if !confirmed {
            // A place that a promise holds, or will hold once it is stored, stays (S2.3).
            if let Some(line) = self.lines.get_mut(&queue) {
                line.leave(ticket);
            }
            self.remember_place(now, id);
            let wait_secs = self.waited_secs(now, id);
            self.publish(event::Event::CallAbandoned { call: id, queue, wait_secs });
        }
        self.end_call(now, id, if made { EndCause::CallbackPromised } else { cause });
    }

    /// So long since the caller joined, in whole seconds.
    pub(super) fn waited_secs(&self, now: Now, id: CallRef) -> u64 {
        self.waiting(id).map_or(0, |waiting| waiting.waited(now).as_secs())
    }

    /// Agents are rung for a waiting caller: one, or all at once.
    pub(super) fn ring_for_caller(&mut self, now: Now, id: CallRef, agents: &[Name]) {
        let settings = self.settings.clone();
        let Some(call) = self.calls.get(&id) else { return };
        let shown = Shown { display: call.from.clone(), user: call.from.clone() };
        let Some(queue) = call.queue.clone().and_then(|queue| settings.queue(&queue)) else { return };
        let (mut ring, of) = (Ring::default(), self.entropy.token());
        let names = |agent: &Name| self.phones_of(agent, |contact| format!("{of} {agent} {contact}"));
        let phones: Vec<LegRecord> = agents.iter().flat_map(names).collect();
        for agent in agents {
            match self.ring_phones(now, id, agent, &shown, None, &phones) {
                Some(phones) => ring.join(phones),
                // Its phone has just gone, or no port is free: asked again in a moment.
                None => self.exclude(id, agent, Some(now.tick + NOT_THERE)),
            }
        }
        if ring.is_over() {
            return;
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = only(agents);
        }
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.ring = Some(ring);
        }
        self.store_ringing(id, phones);
        self.keep_standing(id);
        self.timers.set(Timer::Call(id, CallTimer::Ring), now.tick + queue.ring);
    }

    /// One of the agent's phones rings.
    pub(super) fn rung_agent_rings(&mut self, id: CallRef, leg: LegRef) {
        if let Some(ring) = self.waiting_mut(id).and_then(|waiting| waiting.ring.as_mut()) {
            ring.rings(leg);
        }
    }

    /// One of the agent's phones has refused, or (`leg` unset) the ring time is over.
    pub(super) fn rung_agent_refused(&mut self, now: Now, id: CallRef, leg: Option<LegRef>, refusal: Refusal) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let Some(ring) = waiting.ring.as_mut() else { return };
        let gone = match leg {
            Some(leg) => Vec::from_iter(ring.refused(leg, refusal)),
            None => ring.give_up(),
        };
        if (leg.is_none() || ring.is_over())
            && let Some(ring) = waiting.ring.take()
        {
            self.timers.cancel(&Timer::Call(id, CallTimer::Ring));
            self.stop_ring(now, ring, None, None);
            if let Some(call) = self.calls.get_mut(&id) {
                call.agent = None;
            }
        }
        for (agent, answer) in gone {
            match answer {
                NoAnswer::Declined => {
                    // Not offered the same call again in this session (S2.B11).
                    self.exclude(id, &agent, None);
                    if let Some(desk) = self.agents.get_mut(&agent) {
                        desk.declined(now);
                    }
                }
                NoAnswer::LetRing => {
                    self.agent_let_ring(now, &agent);
                    self.tried(id, &agent);
                }
                NoAnswer::NotThere => self.exclude(id, &agent, Some(now.tick + NOT_THERE)),
            }
        }
        self.keep_standing(id);
        self.plan_announcement(now, id);
    }

    /// This agent is not offered this caller again: at all, or until then.
    fn exclude(&mut self, id: CallRef, agent: &Name, until: Option<Tick>) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let (queue, ticket) = (waiting.queue.clone(), waiting.ticket);
        if let Some(line) = self.lines.get_mut(&queue) {
            line.exclude(ticket, agent, until);
        }
        self.serve_wanted = true;
    }

    /// The agent has answered: the two talk, whatever prompt was playing.
    pub(super) fn rung_agent_answered(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let Some(ring) = waiting.ring.take() else { return };
        let (caller, queue, ticket) = (waiting.caller, waiting.queue.clone(), waiting.ticket);
        let breaks_in = waiting.offer.is_a_dialogue();
        let Some(agent) = ring.agent_of(leg).cloned() else { return };
        self.stop_ring(now, ring, Some(leg), Some(ELSEWHERE));
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = Some(agent.clone());
        }
        self.cancel_call_timers(id);
        if let Some(line) = self.lines.get_mut(&queue) {
            line.leave(ticket);
        }
        if let Some(pace) = self.paces.get_mut(&queue) {
            pace.served(now.tick);
        }
        if let Some(party) = self.calls.get(&id).and_then(|call| call.customer.clone()) {
            // Served otherwise: nobody has to call back any more.
            self.close_open_tasks(now, &party, CloseReason::CustomerCalled);
        }
        let wait_secs = self.waited_secs(now, id);
        self.publish(event::Event::CallAnswered { call: id, agent, wait_secs });
        self.begin_queue_talk(now, id, Ends { agent: leg, caller }, &queue, breaks_in);
        self.store_answered(now, id, leg);
    }
}

//! Waiting in a queue's line: music, the offer, an agent's phone ringing. The line's order is `queue`'s; what a key
//! means is `offer`'s; here is what the caller hears and when it ends.

use super::call::Story;
use super::end::EndCause;
use super::offer::{BadTry, Caller, Offer, Step, Wish};
use super::outcome::Refusal;
use super::ring::{ELSEWHERE, NOT_THERE, NoAnswer, Ring, Shown, only};
use super::{CallTimer, Switch, Timer, event, say};
use crate::callback::rule;
use crate::callback::task::CloseReason;
use crate::id::{CallRef, LegRef, Name, PlayRef, Ticket};
use crate::media::Play;
use crate::number::Party;
use crate::queue::line::{Joining, Kind as EntryKind, Standing};
use crate::settings::CallbackRule;
use crate::time::{DateTime, Now, Tick, Utc};

/// A caller in line.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) caller: LegRef,
    pub(super) queue: Name,
    pub(super) ticket: Ticket,
    /// The place in line, which may be older than the call.
    pub(super) virtual_start: DateTime<Utc>,
    pub(super) priority: u8,
    /// As signalled; empty when withheld.
    pub(super) ani: String,
    /// What was dialled.
    pub(super) dnis: String,
    pub(super) offer: Offer,
    /// The rule of the offer in progress, by name.
    pub(super) rule: Option<Name>,
    /// When the offer was last announced.
    pub(super) announced_at: Option<DateTime<Utc>>,
    /// The prompt in progress.
    pub(super) play: Option<PlayRef>,
    /// The agent's phones that ring for this caller.
    pub(super) ring: Option<Ring>,
}

impl Switch {
    /// A call comes into a queue: answered, unless it is already, in line, and hears music.
    pub(super) fn enter_queue(&mut self, now: Now, call: CallRef, leg: LegRef, queue: &Name) {
        let settings = self.settings.clone();
        let Some(queue) = settings.queue(queue) else { return };
        let live = self.lines.get(&queue.name).map_or(0, crate::queue::line::Line::live);
        if queue.max_callers.is_some_and(|most| live >= most as usize) {
            self.turn_away(now, call, leg, 486, vec!["all_busy".into()], EndCause::Busy);
            return;
        }
        let Some((customer, ani, dnis)) =
            self.calls.get(&call).map(|call| (call.customer.clone(), call.ani.clone(), call.to.clone()))
        else {
            return;
        };
        let heir = customer.as_ref().and_then(|party| self.heir_of(party, &queue.name));
        let (virtual_start, priority) = heir.unwrap_or((now.utc, 5));
        let joining = Joining { kind: EntryKind::Live(call), priority, virtual_start, agent: None };
        let line = self.lines.get_mut(&queue.name).expect("every queue has its line");
        let Ok(ticket) = line.join(&mut self.tickets, joining) else {
            self.turn_away(now, call, leg, 486, vec!["all_busy".into()], EndCause::Busy);
            return;
        };
        let position = line.position(ticket).unwrap_or(1);
        if let Some(party) = &customer {
            // In line now, so the promise is not needed any more; its place has been taken over.
            self.close_open_tasks(now, party, CloseReason::CustomerCalled);
        }
        self.answer_once(now, leg);
        let waiting = Waiting {
            caller: leg,
            queue: queue.name.clone(),
            ticket,
            virtual_start,
            priority,
            ani,
            dnis,
            offer: Offer::Closed,
            rule: None,
            announced_at: None,
            play: None,
            ring: None,
        };
        if let Some(call) = self.calls.get_mut(&call) {
            call.queue = Some(queue.name.clone());
            call.story = Story::Waiting(Box::new(waiting));
        }
        self.play(leg, Play::Hold(say::hold(queue)));
        if let Some(longest) = queue.max_wait {
            self.timers.set(Timer::Call(call, CallTimer::MaxWait), now.tick + longest);
        }
        self.plan_announcement(now, call);
        self.publish(event::Event::CallQueued { call, queue: queue.name.clone(), position, priority });
        self.serve_wanted = true;
    }

    /// A key of a waiting caller.
    pub(super) fn waiting_key(&mut self, now: Now, id: CallRef, key: char) {
        let Some((rule, step)) = self.with_offer(id, |switch, offer, call| {
            let rule = switch.rule_for_key(now, call, offer, key)?;
            let caller = switch.caller_of(now, call, rule);
            let read = |digits: &str| switch.read_number(now, call, digits, rule);
            let step = offer.key(now.tick, key, &Caller { rule, ani: caller, read: &read });
            Some((rule.name.clone(), step))
        }) else {
            return;
        };
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.rule = Some(rule);
        }
        self.take_step(now, id, step);
    }

    /// A pause in the dialogue, or the disk that takes too long.
    pub(super) fn waiting_pause(&mut self, now: Now, id: CallRef) {
        let Some(step) = self.with_offer(id, |switch, offer, call| {
            let rule = switch.rule_in_force(call)?;
            let caller = switch.caller_of(now, call, rule);
            let read = |digits: &str| switch.read_number(now, call, digits, rule);
            Some(offer.pause(now.tick, &Caller { rule, ani: caller, read: &read }))
        }) else {
            return;
        };
        self.take_step(now, id, step);
    }

    /// A prompt has been heard to its end.
    pub(super) fn waiting_played(&mut self, now: Now, id: CallRef, play: PlayRef) {
        let settings = self.settings.clone();
        let Some(waiting) = self.waiting_mut(id).filter(|waiting| waiting.play == Some(play)) else { return };
        waiting.play = None;
        if waiting.offer == Offer::Made {
            let caller = waiting.caller;
            // The promise has been heard: the system hangs up (S2.16, S3.12).
            self.hang_up(now, caller, None);
            self.end_call(now, id, EndCause::CallbackPromised);
            return;
        }
        if let Some(rule) = waiting.rule.clone().and_then(|rule| settings.rule(&rule)) {
            waiting.offer.played(now.tick, rule);
        }
        self.set_dialogue_timer(id);
    }

    /// Runs the offer of a waiting call beside the switch, so that it may ask the switch while it decides.
    fn with_offer<T>(
        &mut self,
        id: CallRef,
        run: impl FnOnce(&Switch, &mut Offer, &super::call::Call) -> Option<T>,
    ) -> Option<T> {
        let mut offer = std::mem::take(&mut self.waiting_mut(id)?.offer);
        let result = self.calls.get(&id).and_then(|call| run(self, &mut offer, call));
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.offer = offer;
        }
        result
    }

    /// What the dialogue leads to, made audible.
    pub(super) fn take_step(&mut self, now: Now, id: CallRef, step: Step) {
        let settings = self.settings.clone();
        if let Some(noted) = step.noted() {
            self.note(now, id, noted);
        }
        let Some((caller, queue, rule)) = self.waiting_mut(id).and_then(|waiting| {
            Some((waiting.caller, settings.queue(&waiting.queue)?, settings.rule(waiting.rule.as_deref()?)?))
        }) else {
            return;
        };
        let hold = || Some(say::hold(queue));
        let (clips, then) = match step {
            Step::Nothing => {
                self.set_dialogue_timer(id);
                return;
            }
            Step::Hush => {
                self.hush(caller);
                self.set_dialogue_timer(id);
                return;
            }
            Step::Store(wish) => {
                self.withdraw_ring(now, id);
                self.hush(caller);
                self.set_dialogue_timer(id);
                self.store_promise(now, id, wish);
                return;
            }
            Step::AskNumber { known } => (say::ask_number(rule, known), None),
            Step::AskAgain { known, why } => {
                let mut clips = say::bad_try(why);
                clips.extend(say::ask_number(rule, known));
                (clips, None)
            }
            Step::ReadBack(party) => (say::read_back(&party), None),
            Step::BackToHold => (vec!["back_to_hold".into()], hold()),
            Step::Promise => (say::promise(rule), None),
            Step::Apologise => (say::apology(rule), hold()),
        };
        if clips.is_empty() && then.is_none() {
            // A silenced prompt is over at once.
            let play = PlayRef(0);
            if let Some(waiting) = self.waiting_mut(id) {
                waiting.play = Some(play);
            }
            self.hush(caller);
            self.waiting_played(now, id, play);
            return;
        }
        let play = self.play(caller, Play::Clips { clips, then });
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.play = play;
            self.keep_standing(id);
        }
        self.set_dialogue_timer(id);
    }

    /// The caller has decided for a callback: no agent is rung for him any more, and the one who was is not blamed.
    fn withdraw_ring(&mut self, now: Now, id: CallRef) {
        let Some(ring) = self.waiting_mut(id).and_then(|waiting| waiting.ring.take()) else { return };
        self.timers.cancel(&Timer::Call(id, CallTimer::Ring));
        self.stop_ring(now, ring, None, None);
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = None;
        }
    }

    /// A caller whose wish is being stored keeps the place but is passed over; everybody else may be served.
    pub(super) fn keep_standing(&mut self, id: CallRef) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let (queue, ticket) = (waiting.queue.clone(), waiting.ticket);
        let standing = match (&waiting.ring, waiting.offer.is_confirmed()) {
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

    fn set_dialogue_timer(&mut self, id: CallRef) {
        let deadline = self.waiting_mut(id).and_then(|waiting| waiting.offer.deadline());
        let timer = Timer::Call(id, CallTimer::Dialogue);
        match deadline {
            Some(at) => self.timers.set(timer, at),
            None => self.timers.cancel(&timer),
        }
    }

    pub(super) fn waiting_mut(&mut self, id: CallRef) -> Option<&mut Waiting> {
        match &mut self.calls.get_mut(&id)?.story {
            Story::Waiting(waiting) => Some(waiting),
            Story::Menu(_)
            | Story::Direct(_)
            | Story::Attempt(_)
            | Story::Talking(_)
            | Story::Announcing { .. }
            | Story::Over => None,
        }
    }

    fn rule_in_force(&self, call: &super::call::Call) -> Option<&CallbackRule> {
        let Story::Waiting(waiting) = &call.story else { return None };
        self.settings.rule(waiting.rule.as_deref()?)
    }

    /// The rule that a key speaks to: the one in force while a dialogue runs, else the first that offers by this key.
    fn rule_for_key(&self, now: Now, call: &super::call::Call, offer: &Offer, key: char) -> Option<&CallbackRule> {
        let Story::Waiting(waiting) = &call.story else { return None };
        if !matches!(offer, Offer::Closed | Offer::Open) {
            return self.rule_in_force(call);
        }
        let queue = self.settings.queue(&waiting.queue)?;
        let rule = rule::by_key(&self.settings, queue, key)?;
        let offered = waiting.announced_at.is_some();
        let moment = rule::Moment { utc: now.utc, offered, pending: self.planner.pending_of(&rule.name) };
        rule::takes(&self.settings, rule, moment).ok().map(|()| rule)
    }

    /// The calling number, when it may be called back (S2.9, S2.11).
    fn caller_of(&self, now: Now, call: &super::call::Call, rule: &CallbackRule) -> Option<Wish> {
        let Story::Waiting(waiting) = &call.story else { return None };
        let party = call.customer.clone()?;
        self.policy.judge(&party, rule.number_policy.as_deref(), now.utc).ok()?;
        Some(Wish { party, raw: waiting.ani.clone() })
    }

    /// Reads typed digits and judges them: an extension of ours, or a number that may be called.
    fn read_number(
        &self,
        now: Now,
        call: &super::call::Call,
        digits: &str,
        rule: &CallbackRule,
    ) -> Result<Party, BadTry> {
        let party = self.policy.read(digits).map_err(|_| BadTry::NotANumber)?;
        // An extension is as long as it is; `min_digits` speaks of numbers.
        if matches!(party, Party::Number(_)) && digits.len() < usize::from(rule.min_digits) {
            return Err(BadTry::NotANumber);
        }
        self.policy.judge(&party, rule.number_policy.as_deref(), now.utc).map_err(|_| BadTry::NotAllowed)?;
        // Nobody has a stranger rung for him again and again (security.md T31).
        let is_own = call.customer.as_ref() == Some(&party) || matches!(party, Party::Extension(_));
        let source = call.customer.as_ref().map_or("", Party::as_str);
        if !is_own && !source.is_empty() && !self.planner.ledger().may_name(now.utc, source) {
            return Err(BadTry::NotAllowed);
        }
        Ok(party)
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
        if !confirmed {
            // A place that a promise holds, or will hold once it is stored, stays (S2.3).
            if let Some(line) = self.lines.get_mut(&queue) {
                line.leave(ticket);
            }
            let wait_secs = self.waited_secs(now, id);
            self.publish(event::Event::CallAbandoned { call: id, queue, wait_secs });
        }
        self.end_call(now, id, if made { EndCause::CallbackPromised } else { cause });
    }

    /// So long since the caller joined, in whole seconds.
    pub(super) fn waited_secs(&self, now: Now, id: CallRef) -> u64 {
        self.calls
            .get(&id)
            .map_or(0, |call| u64::try_from(now.utc.signed_duration_since(call.started_at).num_seconds()).unwrap_or(0))
    }

    /// `max_wait` is over.
    pub(super) fn waited_too_long(&mut self, now: Now, id: CallRef) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        if waiting.ring.is_some() || !waiting.offer.is_closed() {
            // Somebody is about to answer, or the caller is choosing: let that come to its end first.
            let soon = now.tick + std::time::Duration::from_secs(5);
            self.timers.set(Timer::Call(id, CallTimer::MaxWait), soon);
            return;
        }
        let caller = waiting.caller;
        let (queue, ticket) = (waiting.queue.clone(), waiting.ticket);
        if let Some(line) = self.lines.get_mut(&queue) {
            line.leave(ticket);
        }
        let wait_secs = self.waited_secs(now, id);
        self.publish(event::Event::CallAbandoned { call: id, queue, wait_secs });
        self.cancel_call_timers(id);
        self.say_and_end(id, caller, vec!["all_busy".into(), "goodbye".into()], EndCause::WaitedTooLong);
    }

    /// Agents are rung for a waiting caller: one, or all at once.
    pub(super) fn ring_for_caller(&mut self, now: Now, id: CallRef, agents: &[Name]) {
        let settings = self.settings.clone();
        let Some(call) = self.calls.get(&id) else { return };
        let shown = Shown { display: call.from.clone(), user: call.from.clone() };
        let Some(queue) = call.queue.clone().and_then(|queue| settings.queue(&queue)) else { return };
        let mut ring = Ring::default();
        for agent in agents {
            match self.ring_phones(now, id, agent, &shown, None) {
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
    }

    /// This agent is not offered this caller again: at all, or until then.
    fn exclude(&mut self, id: CallRef, agent: &Name, until: Option<Tick>) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let (queue, ticket) = (waiting.queue.clone(), waiting.ticket);
        if let Some(line) = self.lines.get_mut(&queue) {
            line.exclude(ticket, agent, until);
        }
        if let Some(until) = until {
            self.look_at(until);
        }
        self.serve_wanted = true;
    }

    /// The agent has answered: the two talk, whatever prompt was playing.
    pub(super) fn rung_agent_answered(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let Some(ring) = waiting.ring.take() else { return };
        let (caller, queue, ticket) = (waiting.caller, waiting.queue.clone(), waiting.ticket);
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
        let wait_secs = self.waited_secs(now, id);
        self.publish(event::Event::CallAnswered { call: id, agent, wait_secs });
        self.begin_queue_talk(now, id, leg, caller, &queue);
    }
}

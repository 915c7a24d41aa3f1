//! The dialogue of a waiting caller: what a key means while he waits (`offer` decides), and what he hears of it.

use super::call::{Call, Story};
use super::end::EndCause;
use super::offer::{BadTry, Caller, KEY_GRACE, Offer, Step, Wish};
use super::wait::Waiting;
use super::{CallTimer, Switch, Timer, say};
use crate::callback::rule;
use crate::id::{CallRef, LegRef, Name, PlayRef};
use crate::media::Play;
use crate::number::Party;
use crate::settings::{Anonymous, CallbackRule};
use crate::time::Now;

impl Switch {
    /// A key of a waiting caller.
    pub(super) fn waiting_key(&mut self, now: Now, id: CallRef, key: char) {
        if self.late_key(now, id, key) {
            return;
        }
        if self.is_exit_key(id, key) {
            self.exit_line(now, id);
            return;
        }
        let Some((rule, step)) = self.with_offer(id, |switch, offer, call| {
            let rule = switch.rule_for_key(now, call, offer, key)?;
            if matches!(offer, Offer::Closed | Offer::Open) && !switch.may_request(id, rule) {
                *offer = Offer::Closed;
                return Some((rule.name.clone(), Step::Apologise));
            }
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

    /// A key that still belongs to what a pause has just ended; true when it is dealt with.
    fn late_key(&mut self, now: Now, id: CallRef, key: char) -> bool {
        let Some(waiting) = self.waiting_mut(id) else { return false };
        let Some((at, before)) = waiting.before.take().filter(|(at, _)| now.tick.since(*at) <= KEY_GRACE) else {
            return false;
        };
        let found = self.with_offer(id, |switch, offer, call| {
            let rule = switch.rule_in_force(call)?;
            let caller = switch.caller_of(now, call, rule);
            let read = |digits: &str| switch.read_number(now, call, digits, rule);
            let (then, step) = Offer::late_key(&before, now.tick, key, &Caller { rule, ani: caller, read: &read })?;
            *offer = then;
            Some(step)
        });
        match found {
            Some(step) => self.take_step(now, id, step),
            None => {
                if let Some(waiting) = self.waiting_mut(id) {
                    waiting.before = Some((at, before));
                }
            }
        }
        true
    }

    /// A pause in the dialogue, or the disk that takes too long.
    pub(super) fn waiting_pause(&mut self, now: Now, id: CallRef) {
        let before = self.waiting(id).map(|waiting| (now.tick, waiting.offer.clone()));
        let Some(step) = self.with_offer(id, |switch, offer, call| {
            let rule = switch.rule_in_force(call)?;
            let caller = switch.caller_of(now, call, rule);
            let read = |digits: &str| switch.read_number(now, call, digits, rule);
            Some(offer.pause(now.tick, &Caller { rule, ani: caller, read: &read }))
        }) else {
            return;
        };
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.before = before;
        }
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
        self.music_goes_on(now, id);
    }

    /// Runs the offer of a waiting call beside the switch, so that it may ask the switch while it decides.
    fn with_offer<T>(&mut self, id: CallRef, run: impl FnOnce(&Switch, &mut Offer, &Call) -> Option<T>) -> Option<T> {
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
        let Some((clips, music)) = self.words_of(now, id, caller, rule, step) else {
            self.set_dialogue_timer(id);
            return;
        };
        if clips.is_empty() && !music {
            // A silenced prompt is over at once.
            let play = PlayRef(0);
            if let Some(waiting) = self.waiting_mut(id) {
                waiting.play = Some(play);
            }
            self.hush(caller);
            self.waiting_played(now, id, play);
            return;
        }
        let clips = say::in_language(&queue.language, clips);
        let play = self.play(caller, Play::Clips { clips, then: music.then(|| say::hold(queue)) });
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.play = play;
            self.keep_standing(id);
        }
        self.set_dialogue_timer(id);
    }

    /// Does what a step asks for. What is said then, and whether the music follows; `None`: nothing is.
    fn words_of(
        &mut self,
        now: Now,
        id: CallRef,
        caller: LegRef,
        rule: &CallbackRule,
        step: Step,
    ) -> Option<(Vec<Name>, bool)> {
        let words = match step {
            Step::Nothing => return None,
            Step::Hush => {
                self.hush(caller);
                if let Some(waiting) = self.waiting_mut(id) {
                    waiting.play = None;
                }
                return None;
            }
            Step::Store(wish) => {
                self.withdraw_ring(now, id);
                self.hush(caller);
                match self.pending_task(id) {
                    Some(task) => self.store_change(now, id, task, wish),
                    None => self.store_promise(now, id, wish),
                }
                return None;
            }
            Step::Withdraw => {
                self.withdraw_pending(now, id);
                return None;
            }
            Step::Keep if self.keep_pending(now, id) => (say::pending_kept(rule), false),
            Step::Keep | Step::BackToHold => (vec!["back_to_hold".into()], true),
            Step::AskNumber { known } => (say::ask_number(rule, known), false),
            Step::AskAgain { known, why } => {
                let mut clips = say::bad_try(why);
                clips.extend(say::ask_number(rule, known));
                (clips, false)
            }
            Step::ReadBack(party) => (say::read_back(&party), false),
            Step::Promise if self.waiting(id).is_some_and(|waiting| waiting.pending.is_some()) => {
                (say::pending_changed(rule), false)
            }
            Step::Promise => (say::promise(rule), false),
            Step::Apologise => (say::apology(rule), true),
            Step::Already => (vec!["pending_kept".into(), "back_to_hold".into()], true),
        };
        Some(words)
    }

    pub(super) fn set_dialogue_timer(&mut self, id: CallRef) {
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

    fn rule_in_force(&self, call: &Call) -> Option<&CallbackRule> {
        let Story::Waiting(waiting) = &call.story else { return None };
        self.settings.rule(waiting.rule.as_deref()?)
    }

    /// The rule that a key speaks to: the one in force while a dialogue runs, else the first that offers by this key.
    fn rule_for_key(&self, now: Now, call: &Call, offer: &Offer, key: char) -> Option<&CallbackRule> {
        let Story::Waiting(waiting) = &call.story else { return None };
        if !matches!(offer, Offer::Closed | Offer::Open) {
            return self.rule_in_force(call);
        }
        let queue = self.settings.queue(&waiting.queue)?;
        let rule = rule::by_key(&self.settings, queue, key)?;
        let offered = waiting.told.offer.is_some();
        let pending = self.planner.pending_of(&rule.name);
        let moment = rule::Moment { queue: &queue.name, utc: now.utc, offered, pending };
        rule::takes(&self.settings, rule, moment).ok().map(|()| rule)
    }

    /// Whether this caller may ask for a callback at all: a rule may refuse those who withhold their number.
    pub(super) fn may_request(&self, id: CallRef, rule: &CallbackRule) -> bool {
        let is_known = self.calls.get(&id).is_some_and(|call| call.customer.is_some());
        let policy = rule.number_policy.as_deref().and_then(|policy| self.settings.number_policy(policy));
        is_known || policy.is_none_or(|policy| policy.anonymous == Anonymous::AskNumber)
    }

    /// The calling number, when it may be called back (S2.9, S2.11).
    fn caller_of(&self, now: Now, call: &Call, rule: &CallbackRule) -> Option<Wish> {
        let Story::Waiting(waiting) = &call.story else { return None };
        let party = call.customer.clone()?;
        self.policy.judge(&party, rule.number_policy.as_deref(), now.utc).ok()?;
        Some(Wish { party, raw: waiting.ani.clone() })
    }

    /// Reads typed digits and judges them: an extension of ours, or a number that may be called.
    fn read_number(&self, now: Now, call: &Call, digits: &str, rule: &CallbackRule) -> Result<Party, BadTry> {
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
}

//! What a waiting caller is told between the music: the welcome, his place and the expected wait, a comforting word,
//! and the offer of a callback (S1.B7, S2.12, S3.14–S3.16).
//!
//! One voice speaks at a time. Whenever a caller hears nothing but music, it is decided what is said next and when;
//! while a prompt, the dialogue or an agent's phone has him, nothing is. The offer comes first and to the second:
//! what would still be playing at its instant waits until it has been made. After each word the music goes on.

use super::call::Story;
use super::wait::Waiting;
use super::{CallTimer, Switch, Timer, say};
use crate::callback::rule::{self, Announcement, Crowd, Moment};
use crate::id::{CallRef, Name};
use crate::media::Play;
use crate::settings::{AnnouncePosition, CallbackRule, Queue, Sound, Trigger};
use crate::time::Now;
use std::time::Duration;

/// What may not be said now is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Nothing else is begun so shortly before an offer, or it would be late.
const CLEAR: Duration = Duration::from_secs(10);

/// So much music is between two words; the offer waits for none.
const MUSIC: Duration = Duration::from_secs(3);

/// What a caller has been told, each after so long of waiting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// Since when he has heard music.
    music: Duration,
    pub(super) offer: Option<Duration>,
    place: Option<Duration>,
    comfort: Option<Duration>,
}

/// One thing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// A callback can be had.
    Offer,
    /// The place in line, and the expected wait.
    Place,
    /// `periodic_prompt`.
    Comfort,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// This, at this moment.
    Say(Word),
    /// Look again when the caller has waited so long.
    At(Duration),
    /// Nothing any more.
    Never,
}

impl Next {
    /// The earlier of two; what is due now in the order they are given.
    fn or(self, other: Next) -> Next {
        match (self, other) {
            (Next::Say(word), _) => Next::Say(word),
            (_, Next::Say(word)) => Next::Say(word),
            (Next::At(one), Next::At(other)) => Next::At(one.min(other)),
            (Next::At(at), Next::Never) | (Next::Never, Next::At(at)) => Next::At(at),
            (Next::Never, Next::Never) => Next::Never,
        }
    }
}

/// The rule that makes the offers, and whether a request would be taken now.
#[derive(Clone, Copy)]
struct Offering<'a> {
    rule: &'a CallbackRule,
    is_taken: bool,
}

/// What a caller who has `waited` is told next.
fn next(queue: &Queue, offering: Option<Offering<'_>>, told: Told, waited: Duration, crowd: Crowd) -> Next {
    let offer = offering.map_or(Next::Never, |it| match rule::announcement(it.rule, waited, told.offer, crowd) {
        Announcement::Now if it.is_taken => Next::Say(Word::Offer),
        // A request would be refused now: that may change.
        Announcement::Now => Next::At(waited + LOOK_AGAIN),
        Announcement::At(at) => Next::At(at),
        Announcement::Never => Next::Never,
    });
    let soon = offering
        .filter(|it| it.is_taken)
        .and_then(|it| offer_due(it.rule, told.offer))
        .filter(|due| *due > waited && *due <= waited + CLEAR);
    let others = place(queue, told, waited).or(comfort(queue, told, waited, crowd));
    match (soon, others) {
        (Some(due), Next::Say(_)) => Next::At(due),
        (Some(_) | None, _) => offer.or(others),
    }
}

/// The instant of the next offer, whatever its gates will say then; `None` when it has none.
fn offer_due(rule: &CallbackRule, last: Option<Duration>) -> Option<Duration> {
    let is_timed = |trigger: &Trigger| matches!(trigger, Trigger::AfterWait | Trigger::Announced);
    match last {
        None => rule.triggers.iter().any(is_timed).then_some(rule.offer_after),
        Some(last) => rule.offer_repeat.map(|repeat| last + repeat),
    }
}

fn place(queue: &Queue, told: Told, waited: Duration) -> Next {
    match queue.announce_position {
        AnnouncePosition::OnJoin => Next::Never,
        AnnouncePosition::Off if !queue.announce_ewt => Next::Never,
        AnnouncePosition::Off | AnnouncePosition::Periodic => {
            due(Word::Place, told.place, queue.announce_interval, told, waited)
        }
    }
}

fn comfort(queue: &Queue, told: Told, waited: Duration, crowd: Crowd) -> Next {
    if queue.periodic_prompt == Sound::Silent {
        return Next::Never;
    }
    match due(Word::Comfort, told.comfort, queue.periodic_interval, told, waited) {
        Next::Say(_) if queue.periodic_only_when_all_busy && crowd.agent_free => Next::At(waited + LOOK_AGAIN),
        next => next,
    }
}

fn due(word: Word, last: Option<Duration>, interval: Duration, told: Told, waited: Duration) -> Next {
    let music = if told.music.is_zero() { Duration::ZERO } else { told.music + MUSIC };
    let due = (last.unwrap_or_default() + interval).max(music);
    if waited >= due { Next::Say(word) } else { Next::At(due) }
}

impl Waiting {
    /// Whether nothing but music is heard, and nobody is about to answer.
    fn hears_music(&self) -> bool {
        self.play.is_none() && self.ring.is_none() && self.offer.is_closed()
    }
}

impl Switch {
    /// The first words to a caller who has just joined; then the music.
    pub(super) fn welcome(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let Some(waiting) = self.waiting(id) else { return };
        let Some(queue) = settings.queue(&waiting.queue) else { return };
        let mut clips = say::welcome(queue);
        if queue.announce_position == AnnouncePosition::OnJoin {
            clips.extend(self.place_of(now, queue, waiting));
        }
        let caller = waiting.caller;
        if clips.is_empty() {
            self.play(caller, Play::Hold(say::hold(queue)));
        } else {
            self.tell(id, queue, clips);
        }
        self.plan_announcement(now, id);
    }

    /// The music goes on: what is to be said next, and when.
    pub(super) fn music_goes_on(&mut self, now: Now, id: CallRef) {
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.told.music = now.tick.since(waiting.joined);
        }
        self.plan_announcement(now, id);
    }

    /// Decides what is said next, and says it when its instant has come. Asked again whenever the music goes on.
    pub(super) fn plan_announcement(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let timer = Timer::Call(id, CallTimer::Announce);
        // Each word is said once for its interval, so this comes to an end; the bound is for the eye.
        for _ in 0..3 {
            let Some(waiting) = self.waiting(id).filter(|waiting| waiting.hears_music()) else { break };
            let Some(queue) = settings.queue(&waiting.queue) else { break };
            let waited = now.tick.since(waiting.joined);
            let crowd = self.crowd(now, waiting.queue.clone(), waiting.ticket);
            let rule = rule::announcing(&settings, queue).filter(|rule| self.may_request(id, rule));
            let offering = rule.map(|rule| {
                let pending = self.planner.pending_of(&rule.name);
                let moment = Moment { queue: &queue.name, utc: now.utc, offered: true, pending };
                Offering { rule, is_taken: self.may_promise_more() && rule::takes(&settings, rule, moment).is_ok() }
            });
            match next(queue, offering, waiting.told, waited, crowd) {
                Next::Say(word) => self.say_word(now, id, queue, rule, word),
                Next::At(at) => {
                    self.timers.set(timer, now.tick + at.saturating_sub(waited));
                    return;
                }
                Next::Never => break,
            }
        }
        self.timers.cancel(&timer);
    }

    fn crowd(&self, now: Now, queue: Name, ticket: crate::id::Ticket) -> Crowd {
        let members = self.settings.queue(&queue).map_or(&[][..], |queue| &queue.members);
        let position = self.lines.get(&queue).and_then(|line| line.position(ticket)).unwrap_or(1);
        Crowd {
            agent_free: !self.ready_in(&queue, members, now).is_empty(),
            ahead: position - 1,
            ewt: self.expected_wait(&queue, position, now),
        }
    }

    /// Says one word.
    fn say_word(&mut self, now: Now, id: CallRef, queue: &Queue, rule: Option<&CallbackRule>, word: Word) {
        let Some(waiting) = self.waiting(id) else { return };
        let waited = now.tick.since(waiting.joined);
        let clips = match word {
            Word::Offer => rule.map_or_else(Vec::new, say::offer),
            Word::Place => self.place_of(now, queue, waiting),
            Word::Comfort => say::comfort(queue),
        };
        let Some(waiting) = self.waiting_mut(id) else { return };
        match word {
            Word::Offer => {
                waiting.told.offer = Some(waited);
                waiting.offer.announce();
                waiting.rule = rule.map(|rule| rule.name.clone());
            }
            Word::Place => waiting.told.place = Some(waited),
            Word::Comfort => waiting.told.comfort = Some(waited),
        }
        // An offer without words opens the way for the key all the same.
        if !clips.is_empty() || word == Word::Offer {
            self.tell(id, queue, clips);
        }
    }

    /// The place in line and the expected wait, as far as they are to be said; of a wait that is not known nothing is.
    fn place_of(&self, now: Now, queue: &Queue, waiting: &Waiting) -> Vec<Name> {
        let Some(position) = self.lines.get(&queue.name).and_then(|line| line.position(waiting.ticket)) else {
            return Vec::new();
        };
        // Who is next for an agent who is free does not wait any more.
        let expected = self.expected_wait(&queue.name, position, now).filter(|wait| !wait.is_zero());
        let mut clips = Vec::new();
        if queue.announce_position != AnnouncePosition::Off {
            clips.extend(say::position(position));
        }
        if let Some(expected) = expected.filter(|_| queue.announce_ewt) {
            clips.extend(say::expected_wait(expected, queue.ewt_round));
        }
        clips
    }

    /// Clips to the caller, then the music again.
    fn tell(&mut self, id: CallRef, queue: &Queue, clips: Vec<Name>) {
        let Some(caller) = self.waiting(id).map(|waiting| waiting.caller) else { return };
        let clips = say::in_language(&queue.language, clips);
        let play = self.play(caller, Play::Clips { clips, then: Some(say::hold(queue)) });
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.play = play;
        }
    }

    pub(super) fn waiting(&self, id: CallRef) -> Option<&Waiting> {
        match &self.calls.get(&id)?.story {
            Story::Waiting(waiting) => Some(waiting),
            Story::Menu(_)
            | Story::Direct(_)
            | Story::Attempt(_)
            | Story::Talking(_)
            | Story::Announcing { .. }
            | Story::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Crowd = Crowd { agent_free: false, ahead: 2, ewt: None };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn queue() -> Queue {
        Queue {
            announce_position: AnnouncePosition::Periodic,
            announce_interval: secs(30),
            periodic_prompt: Sound::BuiltIn,
            periodic_interval: secs(60),
            ..Queue::named("support", "5000")
        }
    }

    fn rule() -> CallbackRule {
        CallbackRule {
            triggers: vec![Trigger::AfterWait],
            offer_after: secs(60),
            ..CallbackRule::named("offer", "standard")
        }
    }

    fn offering(rule: &CallbackRule) -> Offering<'_> {
        Offering { rule, is_taken: true }
    }

    #[test]
    fn what_is_due_at_once_is_said_in_order_the_offer_first() {
        let (queue, rule) = (queue(), rule());
        let mut told = Told::default();

        assert_eq!(next(&queue, Some(offering(&rule)), told, secs(60), BUSY), Next::Say(Word::Offer));
        told.offer = Some(secs(60));
        told.music = secs(62);
        assert_eq!(next(&queue, Some(offering(&rule)), told, secs(62), BUSY), Next::At(secs(65)), "some music first");
        assert_eq!(next(&queue, Some(offering(&rule)), told, secs(65), BUSY), Next::Say(Word::Place));
        told.place = Some(secs(65));
        assert_eq!(next(&queue, Some(offering(&rule)), told, secs(66), BUSY), Next::Say(Word::Comfort));
        told.comfort = Some(secs(66));
        assert_eq!(next(&queue, Some(offering(&rule)), told, secs(70), BUSY), Next::At(secs(95)));
    }

    #[test]
    fn nothing_is_begun_that_would_delay_the_offer() {
        let (queue, rule) = (queue(), rule());

        assert_eq!(next(&queue, Some(offering(&rule)), Told::default(), secs(49), BUSY), Next::Say(Word::Place));
        assert_eq!(next(&queue, Some(offering(&rule)), Told::default(), secs(50), BUSY), Next::At(secs(60)));
        assert_eq!(next(&queue, None, Told::default(), secs(50), BUSY), Next::Say(Word::Place));
    }

    #[test]
    fn an_offer_whose_gates_are_shut_silences_nobody_else() {
        let (queue, mut rule) = (queue(), rule());
        rule.min_ahead = 5;
        let told = Told { place: Some(secs(40)), comfort: Some(secs(55)), ..Told::default() };

        assert_eq!(next(&queue, Some(offering(&rule)), told, secs(71), BUSY), Next::Say(Word::Place));
    }

    #[test]
    fn an_offer_that_would_be_refused_silences_nobody_else() {
        let (queue, rule) = (queue(), rule());
        let full = Offering { rule: &rule, is_taken: false };
        let told = Told { place: Some(secs(40)), comfort: Some(secs(55)), ..Told::default() };

        assert_eq!(next(&queue, Some(full), told, secs(70), BUSY), Next::Say(Word::Place));
        let told = Told { place: Some(secs(70)), ..told };
        assert_eq!(next(&queue, Some(full), told, secs(71), BUSY), Next::At(secs(76)));
    }

    // S3.15: the additional notification is played only when all employees are busy.
    #[test]
    fn the_comfort_is_for_callers_whom_nobody_can_take() {
        let mut queue = Queue { announce_position: AnnouncePosition::Off, ..queue() };
        let free = Crowd { agent_free: true, ahead: 0, ewt: None };

        assert_eq!(next(&queue, None, Told::default(), secs(60), free), Next::At(secs(65)));
        queue.periodic_only_when_all_busy = false;
        assert_eq!(next(&queue, None, Told::default(), secs(60), free), Next::Say(Word::Comfort));
    }
}

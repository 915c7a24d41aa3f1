//! Agents: what they have chosen, what is so, and the state that follows.
//!
//! Chosen by the agent: logged in or not, paused or not. So by fact, told by the switch: whether a phone can be
//! reached, which calls are live, whether one is reserved or ringing. The state is derived from both each time, so
//! that it heals itself (law 5): there is no way to be stuck in `Ringing` when no leg rings. Feature codes are
//! parsed here, since they are words of the trade.

pub mod places;

use crate::id::Name;
use crate::settings::{self, Settings, Tz};
use crate::time::{DateTime, Now, Tick, Utc};
use chrono::NaiveDate;
use places::Places;
use std::collections::BTreeSet;
use std::time::Duration;

/// The pause reason of an agent that let too many calls ring.
pub const NO_ANSWER: &str = "no_answer";
/// The pause reason of an agent that pauses without saying why, or registers without `auto_ready`.
pub const NOT_READY: &str = "not_ready";

/// What an agent does, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Takes no queue calls.
    LoggedOut,
    /// Paused, with reason.
    NotReady(Name),
    /// May be offered a call.
    Ready,
    /// Chosen for a call that is on its way to the disk.
    Reserved,
    /// The phone rings with a queue call or a callback.
    Ringing,
    /// Talks to a customer of a queue, or is part of a callback.
    QueueCall,
    /// Talks otherwise.
    OtherCall,
    /// Rests after a call.
    WrapUp,
    /// Logged in, but no phone is registered.
    Unreachable,
}

impl State {
    /// The word of `interface.md`.
    pub const fn word(&self) -> &'static str {
        match self {
            State::LoggedOut => "logged_out",
            State::NotReady(_) => "not_ready",
            State::Ready => "ready",
            State::Reserved => "reserved",
            State::Ringing => "ringing",
            State::QueueCall => "queue_call",
            State::OtherCall => "other_call",
            State::WrapUp => "wrap_up",
            State::Unreachable => "unreachable",
        }
    }
}

/// What an agent has chosen; stored, since a restart must not forget it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Takes queue calls when reachable.
    pub logged_in: bool,
    /// Does not for now, with reason.
    pub paused: Option<Name>,
    /// Queues it has logged out of, while it takes calls of others.
    pub not_in: BTreeSet<Name>,
    /// Queues it takes no calls of for now, while it takes those of others.
    pub not_ready_in: BTreeSet<Name>,
}

impl Chosen {
    /// Logged in or out, with or without a pause, for all queues alike.
    pub fn of(logged_in: bool, paused: Option<&str>) -> Chosen {
        let paused = paused.map(Into::into);
        Chosen { logged_in, paused, not_in: BTreeSet::new(), not_ready_in: BTreeSet::new() }
    }
}

/// What is so, told by the switch whenever it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// A phone is registered.
    pub reachable: bool,
    /// Reserved for a call.
    pub reserved: bool,
    /// A queue call or a callback rings at the agent's phone.
    pub ringing: bool,
    /// Answered queue calls and callbacks.
    pub queue_calls: u8,
    /// Every other live call, ringing or answered, in or out.
    pub other_calls: u8,
}

/// One agent.
#[derive(Clone, Debug)]
pub struct Agent {
    name: Name,
    extension: Name,
    max_calls: u8,
    auto_ready: bool,
    max_no_answer: u8,
    decline_cooldown: Duration,
    /// The queues it is a member of.
    queues: BTreeSet<Name>,
    zone: Tz,
    chosen: Chosen,
    places: Places,
    facts: Facts,
    wrap_up_until: Option<Tick>,
    cooldown_until: Option<Tick>,
    no_answers: u8,
    state: State,
    idle_since: Tick,
    since: DateTime<Utc>,
    last_call: Option<Tick>,
    calls: (NaiveDate, u32),
}

impl Agent {
    /// An agent of the site, logged out until a phone registers.
    pub fn new(settings: &settings::Agent, site: &Settings, now: Now) -> Agent {
        Agent {
            name: settings.name.clone(),
            extension: settings.extension.clone(),
            max_calls: settings.max_calls.max(1),
            auto_ready: settings.auto_ready,
            max_no_answer: settings.max_no_answer,
            decline_cooldown: settings.decline_cooldown,
            queues: queues_of(site, &settings.name),
            zone: site.system.default_timezone,
            chosen: Chosen::of(false, None),
            places: Places::default(),
            facts: Facts::default(),
            wrap_up_until: None,
            cooldown_until: None,
            no_answers: 0,
            state: State::LoggedOut,
            idle_since: now.tick,
            since: now.utc,
            last_call: None,
            calls: (NaiveDate::default(), 0),
        }
    }

    /// The site has changed; what the agent has chosen and what is so has not.
    pub fn resettle(&mut self, settings: &settings::Agent, site: &Settings, now: Now) {
        let new = Agent::new(settings, site, now);
        self.extension = new.extension;
        self.max_calls = new.max_calls;
        self.auto_ready = new.auto_ready;
        self.max_no_answer = new.max_no_answer;
        self.decline_cooldown = new.decline_cooldown;
        self.queues = new.queues;
        self.zone = new.zone;
        self.derive(now);
    }

    /// Takes back what was stored before a restart.
    pub fn restore(&mut self, now: Now, chosen: Chosen, places: Places) {
        self.chosen = chosen;
        self.places = places;
        self.derive(now);
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What phones dial.
    pub fn extension(&self) -> &Name {
        &self.extension
    }

    /// What it does.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Since when it does that.
    pub fn since(&self) -> DateTime<Utc> {
        self.since
    }

    /// The end of its last call, of its last missed one, or its login: the order of `longest_idle`.
    pub fn idle_since(&self) -> Tick {
        self.idle_since
    }

    /// What it has chosen: to be stored.
    pub fn chosen(&self) -> &Chosen {
        &self.chosen
    }

    /// Where its phones have been: to be stored.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The same, to write into.
    pub fn places_mut(&mut self) -> &mut Places {
        &mut self.places
    }

    /// What the switch last said.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Whether it may be offered a call of `queue` now: ready, not in a cool-down, not logged out of that queue.
    pub fn takes(&self, queue: &str, now: Tick) -> bool {
        self.state == State::Ready
            && !self.chosen.not_in.contains(queue)
            && !self.chosen.not_ready_in.contains(queue)
            && self.cooldown_until.is_none_or(|until| until <= now)
    }

    /// Whether its phones may ring for `queue` although it is reserved: it has not paused, logged out or declined
    /// since, nor begun to rest after another call (law 5).
    pub fn is_willing(&self, queue: Option<&str>, now: Tick) -> bool {
        let is_over = |until: Option<Tick>| until.is_none_or(|until| until <= now);
        self.chosen.logged_in
            && self.chosen.paused.is_none()
            && queue.is_none_or(|queue| self.is_in(queue) && !self.is_paused_in(queue))
            && is_over(self.wrap_up_until)
            && is_over(self.cooldown_until)
    }

    /// Whether the agent takes part in `queue` at all now (logged in there, whatever it does).
    pub fn is_in(&self, queue: &str) -> bool {
        self.chosen.logged_in && !self.chosen.not_in.contains(queue)
    }

    /// Whether the agent takes no calls of `queue` for now, by its own choice.
    pub fn is_paused_in(&self, queue: &str) -> bool {
        self.chosen.paused.is_some() || self.chosen.not_ready_in.contains(queue)
    }

    /// When its last call of a queue, or callback, began.
    pub fn last_call(&self) -> Option<Tick> {
        self.last_call
    }

    /// Its calls of queues and callbacks on the day of `now` in the zone of the site, since the process began.
    pub fn calls_today(&self, now: Now) -> u32 {
        if self.calls.0 == self.day(now) { self.calls.1 } else { 0 }
    }

    fn day(&self, now: Now) -> NaiveDate {
        now.utc.with_timezone(&self.zone).date_naive()
    }

    /// When `on_time` is wanted: the end of wrap-up or cool-down.
    pub fn next_wake(&self) -> Option<Tick> {
        [self.wrap_up_until, self.cooldown_until].into_iter().flatten().min()
    }

    /// Wrap-up and cool-down end. True when the agent may take calls that it could not take before.
    pub fn on_time(&mut self, now: Now) -> bool {
        let over = |until: &mut Option<Tick>| until.take_if(|until| *until <= now.tick).is_some();
        let (rested, cooled) = (over(&mut self.wrap_up_until), over(&mut self.cooldown_until));
        self.derive(now);
        (rested || cooled) && self.state == State::Ready
    }

    /// The facts have changed.
    pub fn set_facts(&mut self, now: Now, facts: Facts) {
        let calls = |facts: &Facts| facts.queue_calls + facts.other_calls;
        if calls(&facts) < calls(&self.facts) {
            self.idle_since = now.tick;
        }
        if facts.queue_calls > self.facts.queue_calls {
            self.no_answers = 0;
            self.last_call = Some(now.tick);
            self.calls = (self.day(now), self.calls_today(now) + 1);
        }
        self.facts = facts;
        self.derive(now);
    }

    /// A queue call or callback has ended: rest.
    pub fn wrap_up(&mut self, now: Now, rest: Duration) {
        if rest > Duration::ZERO {
            self.wrap_up_until = Some(now.tick + rest);
        }
        self.idle_since = now.tick;
        self.derive(now);
    }

    /// A phone has registered that was not there before: registering logs in, and with `auto_ready` is ready
    /// (interface.md). A pause is kept, whether it was chosen while logged in or since the agent has logged out: only
    /// who said it takes it back.
    pub fn registered(&mut self, now: Now) {
        if !self.chosen.logged_in {
            self.chosen.logged_in = true;
            if !self.auto_ready && self.chosen.paused.is_none() {
                self.chosen.paused = Some(NOT_READY.into());
            }
            self.chosen.not_in.clear();
            self.idle_since = now.tick;
        }
        self.no_answers = 0;
        self.derive(now);
    }

    /// Logs in: to everything, or to one queue (who was out of all is in that one only).
    pub fn log_in(&mut self, now: Now, queue: Option<&Name>) {
        match queue {
            Some(queue) if self.chosen.logged_in => {
                self.chosen.not_in.remove(queue);
            }
            Some(queue) => self.chosen.not_in = self.all_but(queue),
            None => self.chosen.not_in.clear(),
        }
        if !self.chosen.logged_in {
            self.idle_since = now.tick;
        }
        self.chosen.logged_in = true;
        self.derive(now);
    }

    /// Logs out: of everything, or of one queue; out of the last one is out of everything. A pause is over with it.
    pub fn log_out(&mut self, now: Now, queue: Option<&Name>) {
        if let Some(queue) = queue {
            self.chosen.not_in.insert(queue.clone());
        }
        if queue.is_none() || self.is_every(&self.chosen.not_in) {
            self.chosen = Chosen::of(false, None);
        }
        self.derive(now);
    }

    /// Pauses; a call in progress goes on.
    pub fn pause(&mut self, now: Now, reason: Option<&str>) {
        self.chosen.paused = Some(reason.filter(|reason| !reason.is_empty()).unwrap_or(NOT_READY).into());
        self.derive(now);
    }

    /// Takes no calls of one queue for now; of the last one it takes any from, it is a pause.
    pub fn pause_in(&mut self, now: Now, queue: &Name) {
        self.chosen.not_ready_in.insert(queue.clone());
        if self.is_every(&self.chosen.not_ready_in) {
            self.chosen.not_ready_in.clear();
            self.pause(now, None);
        }
        self.derive(now);
    }

    /// Ends a pause, in every queue.
    pub fn resume(&mut self, now: Now) {
        self.chosen.paused = None;
        self.chosen.not_ready_in.clear();
        self.no_answers = 0;
        self.idle_since = self.idle_since.max(now.tick);
        self.derive(now);
    }

    /// Takes calls of one queue again; who had paused everywhere takes those of that one only.
    pub fn resume_in(&mut self, now: Now, queue: &Name) {
        let was_paused = self.chosen.paused.is_some();
        let mut others = if was_paused { self.all_but(queue) } else { std::mem::take(&mut self.chosen.not_ready_in) };
        others.remove(queue);
        self.resume(now);
        self.chosen.not_ready_in = others;
    }

    fn all_but(&self, queue: &Name) -> BTreeSet<Name> {
        self.queues.iter().filter(|other| *other != queue).cloned().collect()
    }

    fn is_every(&self, queues: &BTreeSet<Name>) -> bool {
        !self.queues.is_empty() && self.queues.is_subset(queues)
    }

    /// The agent declined a call: nothing is offered for `decline_cooldown`. That the same call is not offered again
    /// is the line's knowledge (`queue::Line::exclude`).
    pub fn declined(&mut self, now: Now) {
        if self.decline_cooldown > Duration::ZERO {
            self.cooldown_until = Some(now.tick + self.decline_cooldown);
        }
        self.idle_since = now.tick;
        self.no_answers = 0;
        self.derive(now);
    }

    /// The agent let a call ring: it goes to the back of the idle order, and after `max_no_answer` in a row is paused
    /// (true: `chosen` has changed and is to be stored).
    pub fn let_ring(&mut self, now: Now) -> bool {
        self.idle_since = now.tick;
        self.no_answers = self.no_answers.saturating_add(1);
        let paused = self.max_no_answer > 0 && self.no_answers >= self.max_no_answer && self.chosen.paused.is_none();
        if paused {
            self.chosen.paused = Some(NO_ANSWER.into());
            self.no_answers = 0;
        }
        self.derive(now);
        paused
    }

    fn derive(&mut self, now: Now) {
        let busy = self.facts.queue_calls.saturating_add(self.facts.other_calls) >= self.max_calls;
        let state = if self.facts.ringing {
            State::Ringing
        } else if self.facts.reserved {
            State::Reserved
        } else if busy && self.facts.queue_calls > 0 {
            State::QueueCall
        } else if busy {
            State::OtherCall
        } else if !self.chosen.logged_in {
            State::LoggedOut
        } else if !self.facts.reachable {
            State::Unreachable
        } else if let Some(reason) = &self.chosen.paused {
            State::NotReady(reason.clone())
        } else if self.wrap_up_until.is_some_and(|until| until > now.tick) {
            State::WrapUp
        } else {
            State::Ready
        };
        if state != self.state {
            self.state = state;
            self.since = now.utc;
        }
    }
}

fn queues_of(site: &Settings, agent: &Name) -> BTreeSet<Name> {
    let queues = site.queues.iter().filter(|queue| queue.members.iter().any(|member| member.agent == *agent));
    queues.map(|queue| queue.name.clone()).collect()
}

/// What an idle phone may dial to speak to the switch (DTMF map of model.md; S2.B5, S3.B11). The queue is meant by
/// its number; none means all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeatureCode {
    /// `*46`, with or without a reason code.
    TogglePause(Option<String>),
    /// `*45`, with or without a queue.
    ToggleLogin(Option<String>),
    /// `*38`
    LogIn(Option<String>),
    /// `*39`
    LogOut(Option<String>),
    /// `*36`
    Ready(Option<String>),
    /// `*37`
    NotReady(Option<String>),
}

impl FeatureCode {
    /// Parses what a phone dialled; `None` when it is no feature code.
    pub fn parse(dialled: &str) -> Option<FeatureCode> {
        // Phones may escape the star (RFC 3261 §19.1.2 allows it either way).
        let code = dialled
            .strip_prefix('*')
            .or_else(|| dialled.strip_prefix("%2A"))
            .or_else(|| dialled.strip_prefix("%2a"))?;
        let (code, rest) = code.split_at_checked(2)?;
        if !rest.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let rest = (!rest.is_empty()).then(|| rest.to_owned());
        match code {
            "46" => Some(FeatureCode::TogglePause(rest)),
            "45" => Some(FeatureCode::ToggleLogin(rest)),
            "38" => Some(FeatureCode::LogIn(rest)),
            "39" => Some(FeatureCode::LogOut(rest)),
            "36" => Some(FeatureCode::Ready(rest)),
            "37" => Some(FeatureCode::NotReady(rest)),
            _ => None, // Other star codes are the dial plan's.
        }
    }
}

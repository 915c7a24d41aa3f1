//! The story as it happens: what the people's phones tell, what their ears hear, and what the switch says of itself.
//! Nothing is assumed: the timeline is written from it, and the verdict at the end is read from it.

use super::cast::{AGENTS, BILLING, CUSTOMERS, MACHINE, Plan};
use super::hearing::Hearing;
use super::timeline::{Line, Role};
use crate::callback::task::{Outcome, TaskState};
use crate::demo::endpoint::{CallId, EndedBy, Event as Phoned};
use crate::demo::station::{Station, Told};
use crate::id::{CallRef, TaskId};
use crate::switch::event::Event;
use crate::time::{DateTime, Tick, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// The carrier's station; agents follow it.
pub const CARRIER: usize = 0;
/// Tenths of a second a voice is heard before it is told.
const HEARD: usize = 3;

/// One customer's way.
#[derive(Clone, Debug, Default)]
pub struct Guest {
    /// The call he made.
    pub visit: Option<CallId>,
    /// When he dialled.
    pub dialled: Tick,
    /// When the queue answered.
    pub answered: Option<Tick>,
    /// What he pressed, and when first.
    pub keys: String,
    /// When he pressed first.
    pub pressed: Option<Tick>,
    /// His place in line on joining.
    pub place: Option<usize>,
    /// The callback he was promised, or that a rule made of his missed call.
    pub task: Option<TaskId>,
    /// When he was promised it.
    pub promised: Option<Tick>,
    /// What the switch said of it right then.
    pub at_first: Option<AtFirst>,
    /// The switch has said goodbye and hung up.
    pub goodbye: bool,
    /// When he was no longer on the line.
    pub left: Option<Tick>,
    /// When the promise was closed.
    pub closed: Option<Tick>,
}

/// A callback as the switch shows it before anything was done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtFirst {
    /// Its state.
    pub state: TaskState,
    /// When it may be tried.
    pub next_at: Option<DateTime<Utc>>,
}

/// One time an agent's phone rang for a customer, and what came of it.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Index into the cast.
    pub customer: usize,
    /// Index into the cast.
    pub agent: usize,
    /// At the agent's phone.
    pub agent_call: CallId,
    /// It rings.
    pub began: Tick,
    /// The agent has answered.
    pub agent_answered: Option<Tick>,
    /// At the carrier: the callback, or the customer's own call.
    pub customer_call: Option<CallId>,
    /// The customer's phone has rung.
    pub customer_rang: Option<Tick>,
    /// He has answered.
    pub customer_answered: Option<Tick>,
    /// A machine takes the call for him.
    pub machine: bool,
    /// The agent has heard that it is one.
    pub machine_heard: Option<Tick>,
    /// What the agent has pressed.
    pub keys: String,
    /// Each has heard the other.
    pub joined: Option<Tick>,
    /// The customer was not reached: the agent is only told.
    pub failed: bool,
    /// Both phones are on the hook.
    pub over: Option<Tick>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Story {
    /// By customer.
    pub guests: Vec<Guest>,
    /// In the order in which agents' phones rang.
    pub serves: Vec<Serve>,
    /// Recordings that are stored or have failed.
    pub recordings: usize,
    /// Agents whose phones have registered.
    pub registered: [bool; AGENTS.len()],
    /// Agents who are paused.
    pub paused: [bool; AGENTS.len()],
    /// The wait before the second attempt.
    pub retry: Duration,
    calls: BTreeMap<CallRef, usize>,
    ears: BTreeMap<(usize, CallId), Hearing>,
    lines: Vec<Line>,
}

impl Story {
    /// Before anything has happened. Retries come after `retry`.
    pub fn new(retry: Duration) -> Story {
        Story { guests: vec![Guest::default(); CUSTOMERS.len()], retry, ..Story::default() }
    }

    /// What is new for the timeline.
    pub fn lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// What a phone has heard in a call.
    pub fn heard(&self, station: usize, call: CallId) -> &Hearing {
        static NOTHING: Hearing = Hearing::deaf();
        self.ears.get(&(station, call)).unwrap_or(&NOTHING)
    }

    /// Somebody has heard all this.
    #[cfg(test)]
    pub fn hears(&mut self, station: usize, call: CallId, hearing: Hearing) {
        self.ears.insert((station, call), hearing);
    }

    /// Whether everybody has come to his end.
    pub fn is_over(&self) -> bool {
        let recorded = |serve: &&Serve| serve.joined.is_some() || serve.machine_heard.is_some();
        let mut guests = self.guests.iter().zip(&CUSTOMERS);
        guests.all(|(guest, customer)| match customer.plan {
            Plan::Stays => guest.left.is_some(),
            Plan::HearsItOut
            | Plan::AsksBeforeOpening
            | Plan::BusyOnce
            | Plan::HasMachine
            | Plan::GivesUp
            | Plan::TypesNumber => guest.closed.is_some(),
        }) && self.serves.iter().all(|serve| serve.over.is_some())
            && self.recordings >= self.serves.iter().filter(recorded).count()
    }

    /// A line of the timeline.
    pub fn tell(&mut self, at: Tick, role: Role, who: &str, what: impl Into<String>) {
        self.lines.push(Line { at, role, who: who.to_owned(), what: what.into() });
    }

    fn of_customer(&mut self, at: Tick, customer: usize, what: impl Into<String>) {
        self.tell(at, Role::Customer, CUSTOMERS[customer].name, what);
    }

    fn of_agent(&mut self, at: Tick, agent: usize, what: impl Into<String>) {
        self.tell(at, Role::Agent, AGENTS[agent].name, what);
    }

    /// What is being done for a customer right now.
    pub fn serving(&self, customer: usize) -> Option<&Serve> {
        self.serves.iter().find(|serve| serve.customer == customer && serve.over.is_none() && !serve.failed)
    }

    fn open_serve(&mut self, wanted: impl Fn(&Serve) -> bool) -> Option<&mut Serve> {
        self.serves.iter_mut().rev().find(|serve| serve.over.is_none() && wanted(serve))
    }
}

// --- What phones tell ---
impl Story {
    /// A customer has dialled.
    pub fn dialled(&mut self, now: Tick, customer: usize, call: CallId) {
        let guest = &mut self.guests[customer];
        (guest.visit, guest.dialled) = (Some(call), now);
    }

    /// A key was pressed at a phone.
    pub fn pressed(&mut self, now: Tick, customer: usize, key: char) {
        let guest = &mut self.guests[customer];
        guest.pressed.get_or_insert(now);
        guest.keys.push(key);
        let keys = guest.keys.clone();
        match (CUSTOMERS[customer].plan, key) {
            (Plan::TypesNumber, '#') => {
                self.of_customer(now, customer, format!("presses 1 and types {}", keys.trim_start_matches('1')));
            }
            (Plan::TypesNumber, '1') if keys.ends_with("#11") => {
                self.of_customer(now, customer, "presses 1: yes, he wants the call");
            }
            (Plan::TypesNumber, '1') if keys.contains('#') => {
                self.of_customer(now, customer, "presses 1: the number is right");
            }
            (_, '#') => self.of_customer(now, customer, "presses 1, then #"),
            (_, _) => {} // Told with the key that ends the entry.
        }
    }

    /// A key was pressed at an agent's phone.
    pub fn pressed_by_agent(&mut self, now: Tick, agent: usize, call: CallId, key: char) {
        let Some(serve) = self.open_serve(|serve| serve.agent == agent && serve.agent_call == call) else { return };
        serve.keys.push(key);
        let customer = CUSTOMERS[serve.customer].name;
        match key {
            '1' => self.of_agent(now, agent, format!("presses 1: {customer} is dialled")),
            '9' => self.of_agent(now, agent, "presses 9 and hangs up: another try, please"),
            other => self.of_agent(now, agent, format!("presses {other}")),
        }
    }

    /// What the switch says of a callback that it has just promised.
    pub fn promise_seen(&mut self, now: Tick, customer: usize, seen: AtFirst, opens: &str) {
        self.guests[customer].at_first = Some(seen);
        if seen.state == TaskState::Deferred {
            self.of_customer(now, customer, format!("is called back when {} has opened: {opens}", BILLING.queue));
        }
    }

    /// The office opens.
    pub fn opens(&mut self, now: Tick, clock: &str) {
        self.tell(now, Role::Both, BILLING.queue, format!("opens: {clock}"));
    }

    /// Something happened at a phone.
    pub fn told(&mut self, now: Tick, index: usize, station: &Station, told: &Told) {
        match index.checked_sub(1) {
            Some(agent) => self.told_by_agent(now, agent, station, &told.event),
            None => {
                if let Some(customer) = told.person {
                    self.told_by_customer(now, customer, &told.event);
                }
            }
        }
    }

    fn told_by_agent(&mut self, now: Tick, agent: usize, station: &Station, event: &Phoned) {
        match event {
            Phoned::Registered(seconds) if *seconds > 0 && !self.registered[agent] => {
                self.registered[agent] = true;
                self.of_agent(now, agent, format!("registers as {}", AGENTS[agent].extension));
            }
            Phoned::RegisterFailed(status) => self.of_agent(now, agent, format!("cannot register: {status}")),
            Phoned::Incoming(call, _) => {
                let number = station.endpoint.call(*call).map_or("", |call| call.number.as_str());
                let Some(customer) = CUSTOMERS.iter().position(|customer| customer.number == number) else {
                    return self.of_agent(now, agent, format!("phone rings for a stranger, {number}"));
                };
                self.rings(now, agent, *call, customer);
            }
            Phoned::Confirmed(call) => {
                if let Some(serve) = self.open_serve(|serve| serve.agent == agent && serve.agent_call == *call) {
                    serve.agent_answered = Some(now);
                    let is_callback = serve.customer_call.is_none();
                    self.of_agent(now, agent, if is_callback { "answers, hears the prompt" } else { "answers" });
                }
            }
            Phoned::Registered(_)
            | Phoned::Progress(..)
            | Phoned::Answered(_)
            | Phoned::Refused(..)
            | Phoned::Changed(..)
            | Phoned::ChangeAnswered(..)
            | Phoned::Ended(..)
            // Renewals, the agent's own calls, and ends, which are seen when the call is gone.
            | Phoned::Asked(..) => {}
        }
    }

    fn rings(&mut self, now: Tick, agent: usize, call: CallId, customer: usize) {
        let guest = &self.guests[customer];
        let is_live = guest.task.is_none();
        let before = self.serves.iter().filter(|serve| serve.customer == customer).count();
        let name = CUSTOMERS[customer].name;
        let what = match (is_live, before) {
            (true, _) => format!("phone rings: {name} is on the line"),
            (false, 0) => format!("phone rings: callback for {name}"),
            (false, n) => format!("phone rings: callback for {name}, attempt {}", n + 1),
        };
        self.serves.push(Serve {
            customer,
            agent,
            agent_call: call,
            began: now,
            agent_answered: None,
            customer_call: guest.visit.filter(|_| is_live),
            customer_rang: None,
            customer_answered: guest.answered.filter(|_| is_live),
            machine: false,
            machine_heard: None,
            keys: String::new(),
            joined: None,
            failed: false,
            over: None,
        });
        self.of_agent(now, agent, what);
    }

    fn told_by_customer(&mut self, now: Tick, customer: usize, event: &Phoned) {
        match event {
            Phoned::Answered(_) => self.guests[customer].answered = Some(now),
            Phoned::Refused(_, status) => self.of_customer(now, customer, format!("does not get through: {status}")),
            Phoned::Incoming(call, _) => {
                let rang = |serve: &Serve| serve.customer == customer && serve.customer_rang.is_some();
                let machine = CUSTOMERS[customer].plan == Plan::HasMachine && !self.serves.iter().any(rang);
                if let Some(serve) =
                    self.open_serve(|serve| serve.customer == customer && serve.customer_call.is_none())
                {
                    (serve.customer_call, serve.customer_rang) = (Some(*call), Some(now));
                    serve.machine = machine;
                }
                self.of_customer(now, customer, "phone rings");
            }
            Phoned::Confirmed(call) => {
                if let Some(serve) = self.open_serve(|serve| serve.customer_call == Some(*call)) {
                    serve.customer_answered = Some(now);
                    let is_machine = serve.machine;
                    let what = if is_machine { "is out: a machine answers" } else { "answers, hears the notice" };
                    self.of_customer(now, customer, what);
                }
            }
            Phoned::Ended(call, EndedBy::Bye) if self.guests[customer].visit == Some(*call) => {
                self.guests[customer].goodbye = true;
            }
            Phoned::Ended(_, EndedBy::NoAck) => self.of_customer(now, customer, "answered, and nobody was there"),
            Phoned::Ended(..)
            | Phoned::Progress(..)
            | Phoned::Changed(..)
            | Phoned::ChangeAnswered(..)
            | Phoned::Registered(_)
            | Phoned::RegisterFailed(_)
            | Phoned::Asked(..) => {} // Ends are seen when the call is gone; the rest does not happen to customers.
        }
    }

    /// Ears are asked what they have heard since the last time, and calls whether they are still there.
    pub fn listen(&mut self, now: Tick, stations: &mut [Station]) {
        for (index, station) in stations.iter_mut().enumerate() {
            let calls: Vec<CallId> = station.endpoint.calls().map(|(call, _)| call).collect();
            for call in calls {
                if let Some(voice) = station.endpoint.voice(call) {
                    self.ears.entry((index, call)).or_default().listen(now, voice.ear());
                }
            }
        }
        self.see_who_left(now, &stations[CARRIER]);
        for at in 0..self.serves.len() {
            self.see_serve(now, at, stations);
        }
    }

    fn see_who_left(&mut self, now: Tick, carrier: &Station) {
        for (customer, cast) in CUSTOMERS.iter().enumerate() {
            let guest = &mut self.guests[customer];
            let gone = guest.visit.is_some_and(|visit| carrier.endpoint.call(visit).is_none());
            if !gone || guest.left.is_some() {
                continue;
            }
            guest.left = Some(now);
            let goodbye = guest.goodbye;
            match (guest.promised, guest.place) {
                (Some(_), Some(place)) => {
                    let how = if goodbye { "hears it to the end" } else { "hangs up" };
                    self.of_customer(now, customer, format!("{how}; place {place} is kept"));
                }
                (_, _) if cast.plan == Plan::Stays => {}
                (None, Some(_)) if cast.plan == Plan::GivesUp => {
                    self.of_customer(now, customer, "hangs up without a key");
                }
                (_, _) => self.of_customer(now, customer, "is off the line, without a promise"),
            }
        }
    }

    fn see_serve(&mut self, now: Tick, at: usize, stations: &[Station]) {
        let serve = self.serves[at].clone();
        let (agent, customer) = (&AGENTS[serve.agent], &CUSTOMERS[serve.customer]);
        let machine = || self.heard(serve.agent + 1, serve.agent_call).of_pitch(MACHINE) >= HEARD;
        if serve.machine && serve.machine_heard.is_none() && machine() {
            self.serves[at].machine_heard = Some(now);
            self.of_agent(now, serve.agent, "hears a machine");
        }
        if let (None, Some(call)) = (serve.joined, serve.customer_call) {
            let customer_hears = self.heard(CARRIER, call).of_pitch(agent.pitch) >= HEARD;
            let agent_hears = self.heard(serve.agent + 1, serve.agent_call).of_pitch(customer.pitch) >= HEARD;
            if customer_hears && agent_hears {
                self.serves[at].joined = Some(now);
                self.tell(now, Role::Both, agent.name, format!("and {} talk, each hears the other", customer.name));
            }
        }
        let agent_there = stations[serve.agent + 1].endpoint.call(serve.agent_call).is_some();
        let customer_there = serve.customer_call.is_some_and(|call| stations[CARRIER].endpoint.call(call).is_some());
        if serve.over.is_some() || agent_there || customer_there {
            return;
        }
        self.serves[at].over = Some(now);
        if serve.joined.is_some() && customer.plan == Plan::Stays {
            self.tell(now, Role::Good, customer.name, "was served without hanging up");
        }
    }
}

// --- What the switch says ---
impl Story {
    /// Something happened in the switch.
    pub fn happened(&mut self, now: Tick, event: &Event) {
        match event {
            Event::CallArrived { call, from, .. } => self.arrived(*call, from),
            Event::CallQueued { call, position, .. } => self.queued(now, *call, *position),
            Event::CallbackRequested { task, number, .. } => {
                let Some(customer) = CUSTOMERS.iter().position(|customer| customer.number == *number) else { return };
                let guest = &mut self.guests[customer];
                (guest.task, guest.promised) = (Some(*task), Some(now));
                self.of_customer(now, customer, "is told: we will call you back");
            }
            Event::MissedCallStored { call, task, .. } => {
                let Some(customer) = self.calls.get(call).copied() else { return };
                self.guests[customer].task = Some(*task);
                self.of_customer(now, customer, "was missed: is called back all the same");
            }
            Event::AttemptEnded { task, outcome, .. } => self.attempt_ended(now, *task, *outcome),
            Event::CallbackCompleted { task, .. } => {
                let Some(customer) = self.close(now, *task) else { return };
                let was_promised = self.guests[customer].promised.is_some();
                let what = if was_promised { "was called back, as promised" } else { "was called back" };
                self.tell(now, Role::Good, CUSTOMERS[customer].name, what);
            }
            Event::CallbackFailed { task, .. }
            | Event::CallbackExpired { task }
            | Event::CallbackCancelled { task, .. } => {
                let Some(customer) = self.close(now, *task) else { return };
                self.tell(now, Role::Bad, CUSTOMERS[customer].name, "was not called back");
            }
            Event::AgentPaused { agent, .. } => self.desk(now, agent, true),
            Event::AgentResumed { agent } => self.desk(now, agent, false),
            Event::RecordingStored { .. } => self.recordings += 1,
            Event::RecordingFailed { .. } => self.not_recorded(now, "could not store a recording"),
            Event::NotRecorded { .. } => self.not_recorded(now, "could not record a call"),
            Event::TrunkDown { reason, .. } => self.tell(now, Role::Bad, "carrier", format!("is down: {reason}")),
            Event::CallAbandoned { .. }
            | Event::CallAnswered { .. }
            | Event::CallMissed { .. }
            | Event::MissedNotStored { .. }
            | Event::MissedNotTaken { .. }
            | Event::CallEnded { .. }
            | Event::AttemptStarted { .. }
            | Event::CallbackUnreached { .. }
            | Event::CallbackLost { .. }
            | Event::ConfigChanged
            | Event::SiteFrozen
            | Event::SiteUnfrozen
            | Event::RuleActivated { .. }
            | Event::BreakerOpened { .. }
            | Event::BreakerClosed
            | Event::SwitchFault { .. }
            | Event::BooksDiffer { .. }
            | Event::ClockJumped { .. }
            | Event::ClockDoubted { .. }
            | Event::ClockTrusted
            | Event::AgentElsewhere { .. }
            | Event::AgentBlocked { .. }
            | Event::AgentTrusted { .. }
            | Event::RecordingDeleted { .. }
            | Event::RecordingNotDeleted { .. }
            | Event::NoticeFailed { .. }
            | Event::RecordingStopped { .. }
            | Event::DiskSpace { .. }
            | Event::AgentRegistered { .. }
            | Event::AgentUnregistered { .. }
            | Event::TrunkUp { .. }
            | Event::SipMessage { .. }
            | Event::CallTakenUp { .. }
            | Event::SipRefused { .. } => {} // The phones have told it, or it is no part of the story.
        }
    }

    /// There is no recording to wait for.
    fn not_recorded(&mut self, now: Tick, what: &str) {
        self.recordings += 1;
        self.tell(now, Role::Bad, "ringback", what);
    }

    fn arrived(&mut self, call: CallRef, from: &str) {
        // Who withholds his number is the one who types it.
        let found = CUSTOMERS.iter().position(|customer| customer.number == from);
        let typist = || CUSTOMERS.iter().position(|customer| customer.plan == Plan::TypesNumber);
        let is_agent = AGENTS.iter().any(|agent| agent.extension == from);
        if let Some(customer) = found.or_else(typist).filter(|_| !is_agent) {
            self.calls.insert(call, customer);
        }
    }

    fn queued(&mut self, now: Tick, call: CallRef, position: usize) {
        let Some(customer) = self.calls.get(&call).copied() else { return };
        self.guests[customer].place = Some(position);
        let how = match CUSTOMERS[customer].plan {
            Plan::TypesNumber => ", number withheld",
            Plan::AsksBeforeOpening => " about a bill",
            Plan::HearsItOut | Plan::BusyOnce | Plan::HasMachine | Plan::GivesUp | Plan::Stays => "",
        };
        self.of_customer(now, customer, format!("calls{how}: place {position}, hears music"));
    }

    fn attempt_ended(&mut self, now: Tick, task: TaskId, outcome: Outcome) {
        let Some(customer) = self.guests.iter().position(|guest| guest.task == Some(task)) else { return };
        if outcome == Outcome::Success {
            return; // Told with the promise it keeps.
        }
        // Both phones may be on the hook already.
        if let Some(serve) = self.serves.iter_mut().rev().find(|serve| serve.customer == customer) {
            serve.failed = true;
        }
        let what = match outcome {
            Outcome::Busy => "is busy".to_owned(),
            Outcome::VoicemailAgent => "has not been reached yet".to_owned(),
            other => format!("was not reached ({})", other.word().replace('_', " ")),
        };
        let again = if outcome.may_count() { format!("; again in {} s", self.retry.as_secs()) } else { String::new() };
        self.of_customer(now, customer, what + &again);
    }

    fn close(&mut self, now: Tick, task: TaskId) -> Option<usize> {
        let customer = self.guests.iter().position(|guest| guest.task == Some(task))?;
        self.guests[customer].closed = Some(now);
        Some(customer)
    }

    fn desk(&mut self, now: Tick, agent: &str, paused: bool) {
        let Some(agent) = AGENTS.iter().position(|known| known.name == agent) else { return };
        self.paused[agent] = paused;
        self.of_agent(now, agent, if paused { "dials *46: paused" } else { "dials *46: ready again" });
    }
}

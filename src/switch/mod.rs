//! The switch: the control plane as one value. Every SIP transaction, dialog, registration, trunk, agent, queue,
//! callback and call lives in it. It never sees a socket, a clock, a file or a lock.
//!
//! One input is handled at a time, to its end: the user agent, the trunks and the planner are asked until they have
//! nothing more to say, then whoever waits and whoever is free find each other, and the outputs lie ready. Decisions
//! across calls ("an agent has one call", "a customer is never rung twice") are plain statements behind one `&mut`.
//!
//! In reading order: `seam` (inputs and outputs), `arrive` and `go` (an INVITE finds its destination), `menu`, `wait`
//! (in line), `announce` (what is heard there), `offer` and `dialogue` (asking for a callback), `place` (coming back),
//! `leave`, `promise` (on disk), `claim` (in line), `missed` (a call was lost), `serve` (who is next), `attempt` (the
//! promise kept), `talk`, `direct`, `revive` (going on after a restart); below them `call`, `legs`, `ring`; beside them
//! `desk`, `peers`, `record`, `durable`, `space` (on the disk), and `answers` for people. `site` puts another edition
//! of the settings in force, `lever` what operators switch beside it. `fault` is what a panic costs.

mod announce;
mod answers;
mod arrive;
mod attempt;
mod books;
mod breaker;
mod call;
mod claim;
mod clock;
pub mod command;
mod desk;
mod dialogue;
mod direct;
mod durable;
mod elsewhere;
mod end;
pub mod event;
mod fault;
mod forget;
mod freeze;
mod go;
mod happen;
mod interrupted;
mod key;
mod leave;
mod legs;
mod lever;
mod menu;
mod missed;
mod never;
mod offer;
mod outcome;
mod peers;
mod place;
mod probe;
mod promise;
mod record;
mod restore;
mod revive;
mod ring;
pub mod say;
mod seam;
mod serve;
mod service;
mod site;
mod space;
mod tables;
mod talk;
mod tapes;
mod timers;
pub mod view;
mod wait;

pub use books::Books;
pub use clock::DoubtRecord;
pub use end::EndCause;
pub use fault::{Fault, said};
pub use forget::Person;
pub use key::Key;
pub use revive::{KeptCaller, TalkRecord};
pub use seam::*;
pub use space::Space;
pub use tables::Table;

use crate::agent::Agent;
use crate::callback::planner::Planner;
use crate::callback::task::{Attempt, Task};
use crate::entropy::{Entropy, Secret};
use crate::id::{CallRef, CommitRef, Counter, LegRef, LookupRef, Name, RequestRef, TaskId};
use crate::media;
use crate::number::Party;
use crate::policy::Policy;
use crate::queue::estimate::Pace;
use crate::queue::line::Line;
use crate::registrar::Registrar;
use crate::settings::Settings;
use crate::sip::user_agent::UserAgent;
use crate::time::{DateTime, Now, Tick, Utc};
use crate::trunk::{self, Trunks};
use call::Call;
use durable::{Owed, Pending};
use legs::{Leg, OnLine, Ports};
use lever::Pulled;
use peers::Peer;
use place::LeftPlaces;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use timers::Timers;

/// A call's own deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CallTimer {
    /// A phone has rung long enough.
    Ring,
    /// A pause in the number dialogue, or the disk takes too long, for a promise or for an attempt.
    Dialogue,
    /// The offer is announced.
    Announce,
    /// `max_wait`.
    MaxWait,
    /// Nobody is there to serve.
    NoAgents,
    /// A key is waited for.
    Key,
    /// A trunk takes another call then.
    Dial,
    /// The talk of a callback has lasted long enough.
    Kept,
    /// Somebody who talked before a restart has been asked long enough.
    Revive,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Call(CallRef, CallTimer),
    /// A silent leg was asked whether it is there, and has not said so.
    Probe(LegRef),
    /// The disk has refused something and is told again.
    TellAgain,
    /// Somebody talks: that this life goes on is written.
    Pulse,
    /// Talks of an earlier life are still to be asked.
    AskTalks,
}

/// The control plane.
pub struct Switch {
    /// As they hold now.
    settings: Arc<Settings>,
    /// As the site gave them.
    configured: Arc<Settings>,
    /// What lies between the two.
    system: SystemRecord,
    entropy: Entropy,
    /// SIP identities of attempts are derived from it.
    secret: Secret,
    ua: UserAgent,
    registrar: Registrar,
    trunks: Trunks,
    policy: Policy,
    /// Callbacks were last judged by lists that come into force, and end, by themselves.
    lists_heeded: DateTime<Utc>,

    agents: BTreeMap<Name, Agent>,
    lines: BTreeMap<Name, Line>,
    paces: BTreeMap<Name, Pace>,
    tickets: Counter,
    service: service::Service,

    planner: Planner,
    attempts: BTreeMap<TaskId, Vec<Attempt>>,
    attempt_calls: BTreeMap<TaskId, CallRef>,
    /// Callers in line, as the disk knows them.
    entries: BTreeMap<CallRef, QueueEntry>,
    /// Callers who hung up while their promise was on its way to the disk: it holds all the same.
    left_promising: BTreeSet<CallRef>,
    /// Places of callers who have dropped (`resume_within`).
    left_places: LeftPlaces,
    /// Queues whose callers wait for somebody to come at all.
    unstaffed: BTreeSet<Name>,
    /// What the planner has seen and is not told yet.
    looks: VecDeque<crate::callback::planner::Step>,
    books: Books,
    /// The last difference that people were told of.
    books_told: i64,
    closed: BTreeMap<TaskId, Task>,
    closed_order: VecDeque<TaskId>,
    tapes: tapes::Tapes,
    /// When the next recording is to be deleted.
    retention_at: Option<DateTime<Utc>>,
    /// Customers who want no more callbacks.
    do_not_call: BTreeMap<Party, DoNotCall>,
    /// What people have done, oldest first.
    audit: VecDeque<AuditRecord>,

    calls: BTreeMap<CallRef, Call>,
    past: VecDeque<Call>,
    legs: BTreeMap<LegRef, Leg>,
    /// Legs we have let go of: their last messages still belong into the ladders of their calls.
    late_ladders: VecDeque<(LegRef, CallRef, String)>,
    /// Customers whose phone still rings after our CANCEL.
    ringing_on: BTreeMap<LegRef, Party>,
    on_line: OnLine,
    ports: Ports,
    /// Legs by trunk: `max_calls`.
    trunk_load: BTreeMap<Name, usize>,
    /// When calls have begun there within the last second: `max_cps`.
    trunk_starts: BTreeMap<Name, VecDeque<Tick>>,
    plays: Counter,
    shard_turn: Counter,

    /// Calls to the outside from new places within the last hour.
    elsewhere: Vec<Tick>,
    /// What operators have pulled and the disk does not have yet, in order.
    levers: VecDeque<Pulled>,
    /// Who has asked for something.
    asked: answers::Asked,
    /// Who talks, as the disk knows it.
    talks: revive::Talks,

    timers: Timers<Timer>,
    commits: BTreeMap<CommitRef, (Pending, Vec<Owed>)>,
    owed: BTreeSet<Owed>,
    commits_made: Counter,
    requests: BTreeMap<RequestRef, (Name, trunk::Kind)>,
    lookups: BTreeMap<LookupRef, Name>,
    lookups_made: Counter,

    draining: bool,
    store_ok: bool,
    /// As the shell has seen the disk last.
    space: Space,
    serve_wanted: bool,
    /// Who sent the request that is being handled.
    admitted: Option<Peer>,
    /// Ladder of a leg whose call has not begun.
    early_ladder: Vec<view::LadderStep>,
    /// The tick and wall clock of the last input, as far as they are believed: planner instants become ticks by them.
    seen: Now,
    /// What a fault would have to know of the input that is being handled.
    suspect: fault::Suspect,
    trap: fault::Trap,
    /// The wall clock, when it has jumped.
    clock: clock::Clock,
    out: VecDeque<Output>,
}

impl Switch {
    /// Takes one input; afterwards `poll_output` until it is empty.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.take(now, &mut Some(input));
    }

    /// The same with the input in the hands of its owner until it is understood when it came.
    fn take(&mut self, now: Now, input: &mut Option<Input>) {
        self.trap.begin();
        let now = self.believed(now);
        let Some(input) = input.take() else { return };
        if let Input::Command(_, to) = input {
            self.asked.waiting.insert(to);
        }
        match input {
            Input::Timeout => {}
            Input::Sip(received) => self.on_sip(now, *received),
            Input::FlowLost(flow) => self.ua.flow_lost(now.tick, flow),
            Input::Located(lookup, flows) => {
                if let Some(trunk) = self.lookups.remove(&lookup) {
                    self.trap.step();
                    self.trunks.located(now, &trunk, flows);
                }
            }
            Input::Media(_, event) => self.on_media(now, event),
            Input::Committed(commit, result) => {
                self.serve_wanted |= std::mem::take(&mut self.service.disk_hangs);
                self.on_committed(now, commit, result.map(|_| ()));
            }
            Input::Recorded(recorded) => self.on_recorded(now, recorded),
            Input::Erased(recording, erased) => self.on_erased(now, recording, erased),
            Input::Space(space) => self.on_space(now, space),
            Input::Command(command, to) => self.on_command(now, command, to),
        }
        self.trap.step();
        let now = self.seen; // A person may just have said that the clock is right.
        self.on_time(now);
        self.trap.step();
        self.settle(now);
        self.trap.step();
        self.balance();
    }

    /// The next thing the switch asks for.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When `Input::Timeout` is wanted, and why.
    pub fn poll_timeout(&self) -> Option<(Tick, Reason)> {
        let planner = self.planner.next_wake(&self.settings).map(|at| self.tick_of(at));
        let bindings = self.registrar.next_expiry().map(|at| self.tick_of(at));
        let retention = self.retention_at.map(|at| self.tick_of(at));
        let lists = self.policy.next_turn(self.lists_heeded).map(|at| self.tick_of(at));
        [
            (self.ua.poll_timeout(), Reason::Sip),
            (self.trunks.next_timeout(), Reason::Registration),
            (bindings, Reason::Registration),
            (self.timers.next(), Reason::Call),
            (self.next_desk_wake(), Reason::Call),
            (planner, Reason::Callback),
            (lists, Reason::Callback),
            (self.next_trust(), Reason::Callback),
            (retention, Reason::Retention),
        ]
        .into_iter()
        .filter_map(|(tick, reason)| Some((tick?, reason)))
        .min_by_key(|(tick, _)| *tick)
    }

    /// Whether nothing is left of any call: no leg, no transaction, no lent port, no timer of a call (law 7).
    pub fn at_rest(&self) -> bool {
        self.calls.is_empty()
            && self.legs.is_empty()
            && self.ringing_on.is_empty()
            && self.on_line.is_empty()
            && self.ports.lent() == 0
            && self.timers.is_empty()
            && self.commits.is_empty()
            && self.entries.is_empty()
            && self.talks.is_empty()
            && self.asked.waiting.is_empty()
            && self.ua.at_rest()
    }

    /// Everything whose time has come.
    fn on_time(&mut self, now: Now) {
        if self.ua.poll_timeout().is_some_and(|at| at <= now.tick) {
            self.ua.on_timeout(now.tick);
        }
        if self.trunks.next_timeout().is_some_and(|at| at <= now.tick) {
            self.trunks.on_timeout(now);
        }
        if self.registrar.next_expiry().is_some_and(|at| at <= now.utc) {
            let gone = self.registrar.on_timeout(now);
            let changes = gone.iter().map(durable::binding_change).collect();
            self.commit(changes, Pending::Told);
            self.apply_bindings(now, &gone);
        }
        while let Some(timer) = self.timers.pop_due(now.tick) {
            self.suspect_timer(timer);
            self.on_timer(now, timer);
        }
        self.suspect_nobody();
        self.wake_desks(now);
        if self.retention_at.is_some_and(|at| at <= now.utc) {
            self.retention_ends(now);
        }
        if self.policy.next_turn(self.lists_heeded).is_some_and(|at| at <= now.utc) {
            self.lists_heeded = now.utc;
            self.planner.review(now.utc);
        }
        if self.planner.next_wake(&self.settings).is_some_and(|at| at <= now.utc) {
            self.look_at_tasks(now);
            self.serve_wanted = true;
        }
    }

    /// Lets everybody speak until nobody has anything to say.
    fn settle(&mut self, now: Now) {
        if self.draining && self.calls.is_empty() {
            self.trunks.shut_down(now); // The last call has ended: providers are told that we leave.
        }
        loop {
            while let Some(event) = self.ua.poll_event() {
                self.suspect_event(&event);
                self.on_sip_event(now, event);
            }
            self.suspect_nobody();
            while let Some(want) = self.trunks.poll_want() {
                self.on_want(now, want);
            }
            while let Some((trunk, turned)) = self.trunks.poll_turned() {
                self.on_turned(trunk, turned);
            }
            if !std::mem::take(&mut self.serve_wanted) {
                break;
            }
            self.serve(now);
            self.watch_all_staff(now);
        }
        self.early_ladder.clear();
        while let Some((flow, bytes)) = self.ua.poll_transmit() {
            self.out.push_back(Output::Send(flow, bytes));
        }
    }

    /// A wall-clock instant as a tick, by the two clocks as they stood at the last input. A microsecond is added so
    /// that the wall clock has reached the instant when the tick has.
    fn tick_of(&self, at: DateTime<Utc>) -> Tick {
        let ahead = at.signed_duration_since(self.seen.utc).to_std().unwrap_or_default();
        self.seen.tick + ahead + std::time::Duration::from_micros(1)
    }

    fn cancel_call_timers(&mut self, id: CallRef) {
        use CallTimer::{Announce, Dial, Dialogue, Kept, Key, MaxWait, NoAgents, Revive, Ring};
        for timer in [Ring, Dialogue, Announce, MaxWait, NoAgents, Key, Dial, Kept, Revive] {
            self.timers.cancel(&Timer::Call(id, timer));
        }
    }

    fn publish(&mut self, event: event::Event) {
        self.heed(&event);
        self.out.push_back(Output::Publish(event));
        self.trap.step();
    }
}

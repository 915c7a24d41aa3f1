//! Starting: an empty switch, or one that takes up where another process was torn away (law 10).
//!
//! An attempt found open was interrupted: `interrupted` says what becomes of it. None is blindly repeated.

use super::clock::Doubt;
use super::durable::Pending;
use super::legs::{OnLine, Ports};
use super::timers::Timers;
use super::{Change, Restored, Switch, SystemRecord};
use crate::agent::Agent;
use crate::callback::planner::Planner;
use crate::callback::task::{Task, TaskState};
use crate::entropy::{Entropy, Secret};
use crate::id::{Counter, Name};
use crate::policy::Policy;
use crate::queue::estimate::Pace;
use crate::queue::line::Line;
use crate::registrar::Registrar;
use crate::settings::Settings;
use crate::sip::user_agent::{Identity, UserAgent};
use crate::time::Now;
use crate::trunk::Trunks;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The session timer we ask for (RFC 4028; model.md, trunk).
const SESSION_EXPIRES: Duration = Duration::from_secs(1_800);

/// The site as it was set up, what the levers make of it, and the levers.
type Site = (Arc<Settings>, Settings, SystemRecord);

impl Switch {
    /// A switch with its settings, what the store handed back, and its only source of randomness.
    pub fn new(now: Now, settings: Settings, mut restored: Restored, entropy: Entropy) -> Switch {
        let (now, doubt) = Doubt::at_start(now, &restored);
        let stored = restored.doubt.secs;
        let (configured, mut system) = (Arc::new(settings.clone()), restored.system.clone());
        let site = (configured, system.over(settings), system);
        let mut switch = Switch::empty(now, site, &mut restored, entropy);
        switch.begin_with(doubt);
        switch.tell_doubt(stored);
        switch.take_up(now, restored);
        switch
    }

    /// Nobody has called it yet.
    fn empty(now: Now, (configured, settings, system): Site, restored: &mut Restored, mut entropy: Entropy) -> Switch {
        Switch {
            ua: UserAgent::new(identity(&settings, restored.secret.clone()), entropy.fork()),
            registrar: Registrar::new(&settings, std::mem::take(&mut restored.bindings), entropy.fork()),
            trunks: Trunks::new(&settings, now, entropy.fork()),
            policy: Policy::new(&settings),
            lists_heeded: now.utc,
            agents: desks(&settings, now),
            lines: settings.queues.iter().map(|queue| (queue.name.clone(), Line::new(queue.name.clone()))).collect(),
            paces: settings.queues.iter().map(|queue| (queue.name.clone(), Pace::default())).collect(),
            tickets: Counter::default(),
            service: super::service::Service::default(),
            planner: Planner::default(),
            attempts: BTreeMap::new(),
            attempt_calls: BTreeMap::new(),
            entries: BTreeMap::new(),
            looks: VecDeque::new(),
            books: super::Books::default(),
            books_told: 0,
            closed: BTreeMap::new(),
            closed_order: VecDeque::new(),
            tapes: super::tapes::Tapes::of(std::mem::take(&mut restored.recordings)),
            do_not_call: BTreeMap::new(),
            audit: std::mem::take(&mut restored.audit).into(),
            retention_at: None,
            calls: BTreeMap::new(),
            past: VecDeque::new(),
            legs: BTreeMap::new(),
            late_ladders: VecDeque::new(),
            ringing_on: BTreeMap::new(),
            on_line: OnLine::default(),
            trunk_load: BTreeMap::new(),
            trunk_starts: BTreeMap::new(),
            left_promising: BTreeSet::new(),
            left_places: super::place::LeftPlaces::default(),
            unstaffed: BTreeSet::new(),
            ports: Ports::new(&settings.server.media_ports),
            plays: Counter::default(),
            shard_turn: Counter::default(),
            elsewhere: Vec::new(),
            levers: VecDeque::new(),
            asked: super::answers::Asked::default(),
            talks: super::revive::Talks::default(),
            timers: Timers::default(),
            commits: BTreeMap::new(),
            owed: BTreeSet::new(),
            commits_made: Counter::default(),
            requests: BTreeMap::new(),
            lookups: BTreeMap::new(),
            lookups_made: Counter::default(),
            draining: false,
            store_ok: true,
            space: super::Space::default(),
            serve_wanted: true,
            admitted: None,
            early_ladder: Vec::new(),
            seen: now,
            suspect: super::fault::Suspect::default(),
            trap: super::fault::Trap::default(),
            clock: super::clock::Clock::default(),
            out: VecDeque::new(),
            configured,
            system,
            settings: Arc::new(settings),
            entropy,
            secret: std::mem::take(&mut restored.secret),
        }
    }

    /// Goes on where the last life was torn away.
    fn take_up(&mut self, now: Now, restored: Restored) {
        let stored: BTreeSet<Name> = restored.agents.iter().map(|record| record.agent.clone()).collect();
        for record in restored.agents {
            if let Some(desk) = self.agents.get_mut(&record.agent) {
                let (chosen, places) = record.apart();
                desk.restore(now, chosen, places);
            }
        }
        for said in restored.do_not_call {
            self.remember_never(said);
        }
        self.planner.resume_rate(now.utc, restored.attempts.iter().map(|attempt| attempt.loaded_at));
        for attempt in restored.attempts {
            let reached = attempt.customer_leg.as_ref().and_then(|leg| leg.answered_at);
            let agent = attempt.agent_legs.iter().find(|leg| leg.answered_at.is_some());
            if let (Some(at), Some(agent)) = (reached, agent) {
                self.service.remember(&attempt.number, &agent.peer.as_str().into(), at);
            }
            self.attempts.entry(attempt.task).or_default().push(attempt);
        }
        self.take_up_talks(now, restored.talks, restored.pulse, &restored.tasks);
        for task in restored.tasks {
            self.restore_task(now, task);
        }
        self.system.zones = self.settings.zones.version().to_owned();
        self.recount();
        self.plan_retention();
        self.restore_entries(now, restored.entries, restored.pulse);
        self.ask_all(now);
        self.settle_orphans(now);
        self.restore_presence(now, &stored);
        if self.system != restored.system {
            self.commit(vec![Change::PutSystem(self.system.clone())], Pending::Told);
        }
        self.settle(now);
    }

    fn restore_task(&mut self, now: Now, mut task: Task) {
        let settings = self.settings.clone();
        self.books.made += 1;
        task.share_names(&settings);
        if task.state.is_final() {
            self.remember(task);
            return;
        }
        if self.attempt_calls.contains_key(&task.id) {
            self.restore_talking(now, task);
            return;
        }
        let mut changes = Vec::from_iter(self.settle_restored(now, &mut task));
        let is_moved = self.promise_anew(&mut task);
        if task.state.is_live() {
            task.state = TaskState::Pending;
        }
        // C15: a rule that was disabled meanwhile takes its open tasks with it; so does a source that is gone.
        if let Some(reason) = self.lost(&task).filter(|_| !task.state.is_final()) {
            task.state = TaskState::Cancelled;
            task.close_reason = Some(reason);
            task.closed_at = Some(now.utc);
        }
        // A request that took the place of this number's last one, whose closing the disk has not seen.
        let older = if task.state.is_final() { Vec::new() } else { self.merge(&mut task) };
        self.close_merged(now, &older);
        if is_moved || !changes.is_empty() || !older.is_empty() || task.state.is_final() {
            changes.push(Change::PutTask(Box::new(task.clone())));
            self.commit(changes, Pending::Told);
        }
        if task.state.is_final() {
            self.task_closed(task);
        } else {
            self.line_up(&task);
            self.planner.put(now.utc, &settings, task);
        }
    }

    /// Clocks are set otherwise than they were to be when an hour was promised: it is the hour that was (durability.md
    /// §2.10). Whether that is another instant.
    fn promise_anew(&self, task: &mut Task) -> bool {
        let zones = &self.settings.zones;
        if self.system.zones == zones.version() {
            return false;
        }
        let Some(promised) = &mut task.promised else { return false };
        let Some(at) = promised.anew(zones) else { return false };
        let later = at.signed_duration_since(task.not_before);
        task.expires_at = task.expires_at.and_then(|expires| expires.checked_add_signed(later));
        task.not_before = at;
        promised.at = at;
        true
    }

    /// A phone that is bound has logged its agent in, even if the process died between the two.
    fn restore_presence(&mut self, now: Now, stored: &BTreeSet<Name>) {
        for desk in self.agents.values_mut() {
            let is_bound = self.registrar.bindings(desk.extension()).next().is_some();
            if is_bound && !stored.contains(desk.name()) {
                desk.registered(now);
            }
        }
    }
}

fn desks(settings: &Settings, now: Now) -> BTreeMap<Name, Agent> {
    settings.agents.iter().map(|agent| (agent.name.clone(), Agent::new(agent, settings, now))).collect()
}

fn identity(settings: &Settings, secret: Secret) -> Identity {
    Identity {
        public_address: settings.server.public_address,
        product: concat!("ringback/", env!("CARGO_PKG_VERSION")).to_owned(),
        session_expires: SESSION_EXPIRES,
        secret,
    }
}

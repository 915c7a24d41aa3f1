//! What scenarios say: register, call, answer, wait until, look.

use super::ladder::assert_golden;
use super::site::{DID, PHONES, SPARE, at, secs};
use super::world::{TRUNK, World};
use ringback::callback::task::{Attempt, Task};
use ringback::demo::codec::Message;
use ringback::demo::endpoint::{CallId, CallState, Event};
use ringback::demo::person::Person;
use ringback::demo::station::Station;
use ringback::id::{LegRef, Name};
use ringback::media::Play;
use ringback::settings::Settings;
use ringback::switch::command::{Command, Configure, PageOf, Reply};
use ringback::switch::{Switch, view};
use ringback::time::Tick;
use std::sync::Arc;
use std::time::Duration;

/// Stations of the phones.
pub const ANNA: usize = 1;
pub const BEN: usize = 2;
pub const CARL: usize = 3;
pub const DORA: usize = 4;

impl World {
    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.serve_people();
        let limit = self.now + time;
        while self.step(limit) {}
    }

    /// Somebody sets the wall clock; whoever runs the switch looks each second, and then it sees it.
    pub fn set_clock(&mut self, by: chrono::TimeDelta) {
        self.began += by;
        self.watch.caps.on_clock_set(self.now);
        self.tell_switch(secs(1), ringback::switch::Input::Timeout);
    }

    /// Lets time pass until something is so; too long is a failure.
    pub fn run_until(&mut self, what: &str, limit: Duration, mut so: impl FnMut(&World) -> bool) {
        self.serve_people();
        let limit = self.now + limit;
        while !so(self) {
            if !self.step(limit) {
                let state = self.state();
                panic!("waited in vain until {what}\n{state}");
            }
        }
    }

    /// Registers phones; ladders show something else.
    pub fn register(&mut self, phones: &[usize]) {
        self.ladder.hides_registrations = true;
        for phone in phones {
            let now = self.now;
            self.stations[*phone].endpoint.register(now, 3_600);
            let phone = *phone;
            self.run_until("the phone is registered", secs(5), |world| {
                world.heard(phone, |event| matches!(event, Event::Registered(granted) if *granted > 0)).is_some()
            });
        }
        self.run_for(secs(1));
    }

    /// Another phone for the same extension; its station.
    pub fn second_phone(&mut self, phone: usize) -> usize {
        let mut config = self.stations[phone].endpoint.config.clone();
        config.local = at([10, 0, 1, 9], 5060);
        let person = &self.stations[phone].people[0];
        let person = Person::new(&format!("{}-mobile", person.name), &person.number);
        let entropy = self.entropy.fork();
        self.stations.push(Station::phone(config, person, entropy));
        self.stations.len() - 1
    }

    /// Phones of agents whom a scenario has added to the site: their stations.
    pub fn more_phones(&mut self, agents: &[ringback::settings::Agent]) -> Vec<usize> {
        for (agent, place) in agents.iter().zip(20..) {
            let mut config = self.stations[ANNA].endpoint.config.clone();
            config.local = at([10, 0, 1, place], 5060);
            config.user = agent.extension.to_string();
            config.credentials = Some((config.user.clone(), agent.secret.clone()));
            let person = Person::new(&agent.name, &agent.extension);
            let entropy = self.entropy.fork();
            self.stations.push(Station::phone(config, person, entropy));
        }
        (self.stations.len() - agents.len()..self.stations.len()).collect()
    }

    /// Another carrier, by which the same person is reached; its station.
    pub fn spare_carrier(&mut self, person: Person) -> usize {
        let spare = self.second_carrier();
        self.stations[spare].people.push(person);
        spare
    }

    /// Another carrier, with nobody behind it yet; its station.
    pub fn second_carrier(&mut self) -> usize {
        let mut config = self.stations[TRUNK].endpoint.config.clone();
        config.local = SPARE;
        let entropy = self.entropy.fork();
        self.stations.push(Station::carrier("spare", config, entropy));
        self.stations.len() - 1
    }

    /// The INVITEs that a station has had.
    pub fn invites(&self, station: usize) -> Vec<(Tick, Message)> {
        let told = self.told.iter().filter(|(_, at, _)| *at == station);
        told.filter_map(|(at, _, told)| match &told.event {
            Event::Incoming(_, invite) => Some((*at, (**invite).clone())),
            _ => None, // Something else.
        })
        .collect()
    }

    /// When a station was told something of this kind, last.
    pub fn heard(&self, station: usize, wanted: impl Fn(&Event) -> bool) -> Option<Tick> {
        let found = self.told.iter().rev().find(|(_, at, told)| *at == station && wanted(&told.event));
        found.map(|(at, ..)| *at)
    }

    /// Somebody behind the carrier.
    pub fn customer(&mut self, person: Person) -> usize {
        self.stations[TRUNK].people.push(person);
        self.stations[TRUNK].people.len() - 1
    }

    /// A customer calls our number.
    pub fn call_in(&mut self, customer: usize) -> CallId {
        let now = self.now;
        self.stations[TRUNK].dial(now, customer, DID)
    }

    /// A customer calls our number and is put in line.
    pub fn joins(&mut self, customer: usize) -> CallId {
        let call = self.call_in(customer);
        self.run_until("the caller is in line", secs(5), |world| world.is_up(TRUNK, call));
        self.run_for(Duration::from_millis(500));
        call
    }

    /// Somebody who calls, presses the key and `#`, and is promised a call.
    pub fn promised(&mut self, name: &str, number: &str) -> usize {
        let customer = self.customer(Person::new(name, number));
        self.promised_again(customer);
        customer
    }

    /// The same for somebody we know.
    pub fn promised_again(&mut self, customer: usize) {
        let call = self.joins(customer);
        self.run_for(secs(2));
        self.press(TRUNK, call, "1#");
        self.run_until("he is sent home", secs(20), |world| !world.is_busy(TRUNK, customer));
        self.run_for(secs(1));
    }

    /// Somebody who calls, waits in line for a while, and gives up.
    pub fn missed(&mut self, name: &str, number: &str) -> usize {
        let customer = self.customer(Person::new(name, number));
        let call = self.joins(customer);
        self.run_for(secs(8));
        self.hang_up(super::world::TRUNK, call);
        self.run_for(secs(1));
        customer
    }

    /// Waits until anna's phone rings for a callback, lets her take it, and waits until the customer's phone rings.
    pub fn called_back(&mut self, customer: usize) -> (CallId, CallId) {
        self.called_back_after(customer, secs(5))
    }

    /// The same, when anna has to rest first.
    pub fn called_back_after(&mut self, customer: usize, limit: Duration) -> (CallId, CallId) {
        let agent = self.rings(ANNA, limit);
        self.answer(ANNA, agent);
        let call = self.rings_at(customer, secs(20));
        (agent, call)
    }

    /// Whether both sides of a call have agreed.
    pub fn is_up(&self, station: usize, call: CallId) -> bool {
        self.stations[station].endpoint.call(call).is_some_and(|call| call.state == CallState::Up)
    }

    /// A phone calls.
    pub fn dial(&mut self, phone: usize, number: &str) -> CallId {
        let now = self.now;
        self.stations[phone].dial(now, 0, number)
    }

    /// The last call at a phone.
    pub fn at(&self, phone: usize) -> CallId {
        self.stations[phone].call_of(0).unwrap_or_else(|| panic!("no call there"))
    }

    /// The last call of a customer.
    pub fn of(&self, customer: usize) -> CallId {
        self.stations[TRUNK].call_of(customer).unwrap_or_else(|| panic!("no call of his"))
    }

    /// Whether a phone has a call.
    pub fn is_busy(&self, station: usize, person: usize) -> bool {
        self.stations[station].call_of(person).is_some()
    }

    /// Something is said to a customer: the laws are told.
    pub fn hears(&mut self, leg: LegRef, clips: &[Name]) {
        let Some((at, call)) = self.who(leg) else { return };
        let carrier = &self.stations[at];
        if let (Some(_), Some(person)) = (&carrier.carrier, carrier.owner(call)) {
            self.laws.on_said(&carrier.people[person].number, clips);
        }
    }

    /// The clips a leg was played, and after how many seconds since its first sound each run of them began.
    pub fn words(&self, leg: LegRef) -> Vec<(f64, String)> {
        let heard = || self.shard.heard.iter().filter(|(_, to, _)| *to == leg);
        let Some(first) = heard().map(|(at, ..)| *at).next() else { return Vec::new() };
        let runs = heard().filter_map(|(at, _, play)| match play {
            Play::Clips { clips, .. } => Some((at.since(first).as_secs_f64(), clips)),
            Play::Hold(_) | Play::Ringback => None,
        });
        let spoken = |clips: &[Name]| {
            clips.iter().filter(|clip| &***clip != "pause").map(|clip| &**clip).collect::<Vec<_>>().join(" ")
        };
        runs.map(|(at, clips)| (at, spoken(clips))).collect()
    }

    /// The words alone.
    pub fn spoken(&self, leg: LegRef) -> Vec<String> {
        self.words(leg).into_iter().map(|(_, words)| words).collect()
    }

    /// Waits until a phone rings.
    pub fn rings(&mut self, phone: usize, limit: Duration) -> CallId {
        self.run_until("the phone rings", limit, |world| world.is_ringing(phone, 0));
        self.at(phone)
    }

    /// Waits until a customer's phone rings.
    pub fn rings_at(&mut self, customer: usize, limit: Duration) -> CallId {
        self.run_until("the customer's phone rings", limit, |world| world.is_ringing(TRUNK, customer));
        self.of(customer)
    }

    fn is_ringing(&self, station: usize, person: usize) -> bool {
        let calls = &self.stations[station];
        calls.endpoint.calls().any(|(id, call)| calls.owner(id) == Some(person) && call.state == CallState::Ringing)
    }

    /// Whether a phone is in a call of its own.
    pub fn is_up_with_switch(&self, phone: usize) -> bool {
        let own = |number: &str| number.starts_with('*');
        self.stations[phone].endpoint.calls().any(|(_, call)| own(&call.number))
    }

    /// Picks up.
    pub fn answer(&mut self, station: usize, call: CallId) {
        let now = self.now;
        self.stations[station].endpoint.answer(now, call);
        self.run_for(Duration::from_millis(100));
    }

    /// Declines.
    pub fn refuse(&mut self, station: usize, call: CallId, status: u16) {
        let now = self.now;
        self.stations[station].endpoint.refuse(now, call, status);
        self.run_for(Duration::from_millis(100));
    }

    /// Hangs up.
    pub fn hang_up(&mut self, station: usize, call: CallId) {
        let now = self.now;
        self.stations[station].endpoint.hang_up(now, call);
        self.run_for(Duration::from_millis(100));
    }

    /// Presses keys, half a second apart.
    pub fn press(&mut self, station: usize, call: CallId, keys: &str) {
        for key in keys.chars() {
            self.press_one(station, call, key);
            self.run_for(Duration::from_millis(500));
        }
    }

    /// Presses one key.
    pub fn press_one(&mut self, station: usize, call: CallId, key: char) {
        self.stations[station].press(call, key);
        self.carry_key(station, call, key);
    }

    /// The callbacks on the disk, oldest first.
    pub fn tasks(&self) -> Vec<Task> {
        self.disk.tasks.values().cloned().collect()
    }

    /// The attempts of the only callback.
    pub fn attempts(&self) -> Vec<Attempt> {
        let mut attempts: Vec<Attempt> = self.disk.attempts.values().cloned().collect();
        attempts.sort_by_key(|attempt| attempt.n);
        attempts
    }

    /// The site is changed while it runs.
    pub fn configure(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.clone();
        change(&mut settings);
        let command = configure(&settings);
        match self.ask(Command::Configure(Box::new(command))) {
            Reply::Stored => self.settings = settings,
            other => panic!("{other:?}"),
        }
        self.run_for(Duration::from_millis(100)); // What follows from it is on the disk, too.
    }

    /// Who waits, in order.
    pub fn line(&mut self) -> Vec<view::Waiting> {
        match self.ask(Command::ShowQueue("support".to_owned())) {
            Reply::Queue(queue) => queue.waiting.unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }

    /// What an agent does.
    pub fn agent(&mut self, name: &str) -> view::Agent {
        match self.ask(Command::ListAgents) {
            Reply::Agents(page) => page.items.into_iter().find(|it| &*it.name == name).expect("an agent"),
            other => panic!("{other:?}"),
        }
    }

    /// The only trunk.
    pub fn trunk(&mut self) -> view::Trunk {
        match self.ask(Command::ListTrunks) {
            Reply::Trunks(page) => page.items.into_iter().next().expect("a trunk"),
            other => panic!("{other:?}"),
        }
    }

    /// The callbacks as the switch shows them.
    pub fn callbacks(&mut self) -> Vec<view::Callback> {
        match self.ask(Command::ListCallbacks { states: Vec::new(), queue: None, page: PageOf::default() }) {
            Reply::Callbacks(page) => page.items,
            other => panic!("{other:?}"),
        }
    }

    /// What agents and callbacks are about, for failures.
    pub fn state(&mut self) -> String {
        if self.switch.is_none() {
            return "no switch".to_owned();
        }
        let mut text = String::new();
        if let Reply::Agents(page) = self.ask(Command::ListAgents) {
            page.items.iter().for_each(|it| text.push_str(&format!("{}: {} {:?}\n", it.name, it.state, it.reason)));
        }
        for it in self.callbacks() {
            let (number, state) = (&it.task.number, it.task.state);
            text.push_str(&format!("{number}: {state:?}, held by {:?}, next at {:?}\n", it.held_by, it.next_at));
        }
        text
    }

    /// The ladder so far.
    pub fn drawing(&self) -> String {
        let carriers = self.stations.iter().filter(|station| station.carrier.is_some());
        let customers = carriers.flat_map(|carrier| carrier.people.iter().map(|person| person.name.clone()));
        let mut order: Vec<String> = customers.chain(["carrier".to_owned(), "ringback".to_owned()]).collect();
        order.extend(PHONES.iter().map(|(name, ..)| (*name).to_owned()));
        self.ladder.draw(&order)
    }

    /// The end of the ladder, for failures; `RINGBACK_STEPS=2000` shows more of it.
    pub fn last_steps(&self) -> String {
        let most = std::env::var("RINGBACK_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(90);
        let drawing = self.drawing();
        let (drawn, facts) = drawing.split_once("\n\n").unwrap_or((&drawing, ""));
        let tail = |text: &str, lines: usize| {
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        };
        let agents = self.published.iter().filter(|(_, event)| format!("{event:?}").starts_with("Agent"));
        let agents: String = agents.map(|(at, event)| format!("{:>9} ms  {event:?}\n", at.as_millis())).collect();
        let title = drawn.lines().next().unwrap_or("");
        format!("{title}\n{}\n\n{}\n\n{}", tail(drawn, most), tail(facts, most / 2), tail(&agents, most / 3))
    }

    /// Compares the ladder so far with the reviewed one.
    pub fn assert_ladder(&self, name: &str) {
        assert_golden(name, &self.drawing());
    }

    /// Everything has ended; nothing may be left (law 7).
    pub fn assert_rest(&mut self) {
        self.run_for(secs(40));
        let state = self.state();
        assert!(self.shard.legs.is_empty(), "law 7: media legs left: {:?}\n{state}", self.shard.legs);
        assert_eq!(self.shard.opened, self.shard.closed, "law 7: ports not returned");
        self.laws.at_rest(self.now, &self.disk);
        for station in &self.stations {
            let left: Vec<_> = station.endpoint.calls().collect();
            assert!(left.is_empty(), "{} has calls left: {left:?}", station.name);
            assert!(!station.endpoint.is_waiting(), "{} waits for something", station.name);
        }
        // A registration may be under way just now; it is over within timer J.
        self.run_until("the switch is at rest (law 7)", secs(40), |world| {
            world.switch.as_ref().is_none_or(Switch::at_rest)
        });
        match self.ask(Command::Status) {
            Reply::Status(status) => assert_eq!(status.calls, 0, "law 7: calls left"),
            other => panic!("{other:?}"),
        }
    }
}

/// A whole new edition of the site.
pub fn configure(settings: &Settings) -> Configure {
    Configure { settings: Arc::new(settings.clone()), put: Vec::new(), removed: Vec::new(), done: Vec::new() }
}

//! The world in virtual time: one heap of instants is the only clock. It owns the switch, its media, its disk, the
//! network, and the people with their phones. A seed repeats everything.

mod whose;

use super::disk::{Disk, Mood};
use super::fired::{self, Doom};
use super::ladder::{self, Ladder};
use super::lawful;
use super::laws::Laws;
use super::media::Shard;
use super::net::Network;
use super::packets::Packets;
use super::shrink;
use super::site::{self, CARRIER, SWITCH, site};
use super::stumble::Stumbles;
use super::tapes::Tapes;
use super::watch::Watch;
use bytes::Bytes;
use ringback::demo::codec::Message;
use ringback::demo::endpoint::CallId;
use ringback::demo::station::{Station, Told};
use ringback::entropy::Entropy;
use ringback::flight::record::Beginning;
use ringback::id::{LegRef, RecordingId, ReplyTo, Shard as ShardId};
use ringback::media::{self, Play};
use ringback::settings::Settings;
use ringback::sip::flow::{Flow, Received, Transport};
use ringback::switch::command::{Command, Reply};
use ringback::switch::{Change, Input, Output, Recorded, RecordedFile, RecordingFailed, Switch, event};
use ringback::time::{DateTime, Now, Tick, Utc};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// What waits for its instant.
enum Happening {
    Sip { from: SocketAddr, to: SocketAddr, bytes: Bytes },
    Rtp { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    ToSwitch { life: u32, input: Input },
    Written { life: u32 },
    Voice { leg: LegRef },
    Silence { leg: LegRef, since: Tick },
}

/// See the module.
pub struct World {
    pub now: Tick,
    pub began: DateTime<Utc>,
    heap: BTreeMap<(Tick, u64), Happening>,
    order: u64,
    life: u32,
    pub entropy: Entropy,
    pub settings: Settings,
    pub switch: Option<Switch>,
    pub stations: Vec<Station>,
    pub net: Network,
    pub disk: Disk,
    pub shard: Shard,
    pub packets: Option<Packets>,
    pub ladder: Ladder,
    pub laws: Laws,
    pub watch: Watch,
    pub replies: BTreeMap<ReplyTo, Reply>,
    next_reply: u64,
    pub published: Vec<(Tick, event::Event)>,
    pub told: Vec<(Tick, usize, Told)>,
    /// Of whom each call by the carriers is.
    names: BTreeMap<String, Rc<str>>,
    own_name: Rc<str>,
    cut: BTreeMap<usize, Tick>,
    spins: (Tick, u32),
    keys_pressed: usize,
    keys_heard: usize,
    /// When it is killed.
    pub doom: Option<Doom>,
    /// Recordings whose files were deleted, and how such deletions end.
    pub erased: Vec<RecordingId>,
    pub erases: Result<(), RecordingFailed>,
    pub stumbles: Stumbles,
    pub taboo: Option<Taboo>,
}

/// A law of a test's own: what it says when something that happened breaks it.
pub type Taboo = fn(&World, &event::Event) -> Option<String>;

/// Index of the carrier among the stations; the phones follow.
pub const TRUNK: usize = 0;

impl World {
    /// The site as it is, and everybody at their phones; nobody has registered yet.
    pub fn new(seed: u64) -> World {
        World::with(seed, |_| {})
    }

    /// The same with the site changed first.
    pub fn with(seed: u64, change: impl FnOnce(&mut Settings)) -> World {
        World::starting(seed, "2026-03-02T15:00:00Z", change)
    }

    /// The same, at another time than ten o'clock on a Monday in New York.
    pub fn starting(seed: u64, began: &str, change: impl FnOnce(&mut Settings)) -> World {
        let mut settings = site();
        change(&mut settings);
        let mut entropy = Entropy::from_seed(seed);
        let began = began.parse().expect("an instant");
        let stations = site::people(&mut entropy);
        let mut world = World {
            now: Tick::ZERO,
            began,
            heap: BTreeMap::new(),
            order: 0,
            life: 0,
            net: Network::new(entropy.fork()),
            laws: Laws::new(&settings),
            watch: Watch::new(&settings),
            settings,
            switch: None,
            stations,
            disk: Disk::new(),
            shard: Shard::default(),
            packets: None,
            ladder: Ladder::default(),
            replies: BTreeMap::new(),
            next_reply: 0,
            published: Vec::new(),
            told: Vec::new(),
            names: BTreeMap::new(),
            own_name: "ringback".into(),
            cut: BTreeMap::new(),
            spins: (Tick::ZERO, 0),
            keys_pressed: 0,
            keys_heard: 0,
            doom: None,
            erased: Vec::new(),
            erases: Ok(()),
            stumbles: Stumbles::default(),
            taboo: None,
            entropy,
        };
        world.start();
        world
    }

    /// Everybody speaks RTP, through a real media engine.
    pub fn with_packets(mut self) -> World {
        self.packets = Some(Packets::new(self.entropy.fork()));
        self.stations.iter_mut().for_each(|station| station.endpoint.config.packets = true);
        self
    }

    /// Both clocks.
    pub fn clock(&self) -> Now {
        Now { tick: self.now, utc: self.began + self.now.since(Tick::ZERO) }
    }

    /// The switch begins with what the disk holds.
    pub fn start(&mut self) {
        let restored = self.disk.restored();
        self.laws.on_restored(&restored);
        self.watch.on_start(self.now, &self.settings);
        self.life += 1;
        let seed = self.entropy.bytes(); // What a fork of it takes.
        let beginning = Beginning { now: self.clock(), seed, settings: self.settings.clone(), restored };
        self.stumbles.begin(&beginning);
        self.switch = Some(beginning.switch());
        self.drain();
    }

    /// `kill -9`: what was not acknowledged may or may not be on the disk.
    pub fn crash(&mut self) {
        let survivors = self.entropy.below(self.disk.pending.len() as u64 + 1);
        self.crash_keeping(usize::try_from(survivors).expect("a short queue"));
    }

    /// The same, and so many of the commits that were not acknowledged are on the disk.
    pub fn crash_keeping(&mut self, survivors: usize) {
        self.disk.crash(survivors);
        self.switch = None;
        self.life += 1;
        self.shard = Shard::default();
        if let Some(packets) = &mut self.packets {
            *packets = Packets::new(self.entropy.fork());
        }
        self.laws.on_crash();
        self.watch.caps.on_crash(&self.disk);
        self.ladder.note(self.now, "kill -9".to_owned());
    }

    /// The process ends in order: nobody is on the phone, and whatever the disk can take it takes.
    pub fn ends(&mut self) {
        self.watch.drains.on_drained(self.laws.live(self.now));
        let kept = if self.disk.mood == Mood::Working { self.disk.pending.len() } else { 0 };
        self.crash_keeping(kept);
        self.ladder.note(self.now, "it was an orderly end".to_owned());
    }

    /// Goes on to the next instant at which something happens, but not beyond `limit`. `false`: nothing before it.
    pub fn step(&mut self, limit: Tick) -> bool {
        let heap = self.heap.keys().next().map(|(at, _)| *at);
        let switch = self.switch.as_ref().and_then(Switch::poll_timeout).map(|(at, _)| at);
        let stations = self.stations.iter().filter_map(Station::poll_timeout).min();
        let engine = self.packets.as_ref().and_then(Packets::poll_timeout);
        let Some(next) = [heap, switch, stations, engine].into_iter().flatten().min().filter(|at| *at <= limit) else {
            self.now = self.now.max(limit);
            return false;
        };
        self.now = self.now.max(next);
        self.spins = if self.spins.0 == self.now { (self.now, self.spins.1 + 1) } else { (self.now, 0) };
        assert!(self.spins.1 < 20_000, "time stands still: switch wants {switch:?}, people {stations:?}");
        if heap.is_some_and(|at| at <= self.now) {
            let (_, happening) = self.heap.pop_first().expect("it has a first");
            self.happen(happening);
        } else if engine.is_some_and(|at| at <= self.now) {
            let now = self.now;
            let out = self.packets.as_mut().expect("it wanted this instant").tick(now);
            self.carry_media(out);
        } else if switch.is_some_and(|at| at <= self.now) {
            self.handle(Input::Timeout);
        }
        self.serve_people();
        self.laws.on_time(self.now);
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Sip { from, to, bytes } if to == SWITCH => self.sip_to_switch(from, bytes),
            Happening::Sip { from, to, bytes } => {
                let now = self.now;
                if let Some(station) = self.stations.iter_mut().find(|it| it.endpoint.config.local == to) {
                    station.receive(now, from, &bytes);
                } else if self.net.nobody_home(to) {
                    let flow = Flow { transport: Transport::Udp, local: SWITCH, remote: to };
                    self.tell_switch(Duration::from_millis(1), Input::FlowLost(flow));
                }
            }
            Happening::Rtp { from, to, bytes } => self.rtp(from, to, &bytes),
            Happening::ToSwitch { life, input } if life == self.life => match &input {
                Input::Media(_, media::Event::Played { leg, play, .. }) if !self.shard.plays(*leg, *play) => {}
                Input::Media(_, media::Event::Heard { leg }) if !self.is_audible(*leg) => {}
                _ => {
                    if let Input::Media(_, media::Event::Digit { leg, digit }) = &input {
                        self.count_key(*leg, *digit);
                    }
                    self.handle(input); // Nothing has overtaken it.
                }
            },
            Happening::Written { life } if life == self.life => self.write_next(),
            Happening::ToSwitch { .. } | Happening::Written { .. } => {} // Of a life that is over.
            Happening::Voice { leg } => {
                let now = self.now;
                if let Some((station, call)) = self.who(leg) {
                    self.stations[station].on_voice(now, call);
                }
            }
            Happening::Silence { leg, since } => self.silence(leg, since),
        }
    }

    /// Said once, when nothing has come for as long as the switch wants to know of.
    fn silence(&mut self, leg: LegRef, since: Tick) {
        let wanted = self.shard.legs.get(&leg).and_then(|it| it.silence).filter(|(_, at)| *at == since);
        // Who is not on the phone any more says nothing.
        let cut = self.who(leg).map_or(Some(Tick::ZERO), |(station, _)| self.cut.get(&station).copied());
        let (Some((after, _)), Some(cut)) = (wanted, cut) else { return };
        if cut.max(since) + after <= self.now {
            self.laws.fired.add("RTP of one side goes silent");
            self.handle(Input::Media(ShardId(0), media::Event::Silent { leg }));
        }
    }

    fn sip_to_switch(&mut self, from: SocketAddr, bytes: Bytes) {
        // A call that nobody took in is known once it is repeated.
        let unheard = |message: &Message| message.method() == "INVITE" && message.status().is_none();
        if let Some(message) = Message::parse(&bytes).filter(|it| self.switch.is_some() || !unheard(it)) {
            self.count_bye(&message);
            self.watch_sip(false, from, &message);
            self.laws.on_sip(self.now, false, from, &message, &self.disk);
        }
        if self.switch.is_some() {
            let flow = Flow { transport: Transport::Udp, local: SWITCH, remote: from };
            self.handle(Input::Sip(Box::new(Received::read(flow, bytes))));
        }
    }

    fn rtp(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        if to.ip() == SWITCH.ip() {
            let leg = self.shard.legs.iter().find(|(_, it)| it.port == to.port()).map(|(leg, _)| *leg);
            if let (Some(leg), Some(packets)) = (leg, &mut self.packets) {
                let out = packets.receive(now, leg, from, bytes);
                self.carry_media(out);
            }
        } else if let Some(station) = self.stations.iter_mut().find(|it| it.endpoint.config.local.ip() == to.ip()) {
            station.receive_rtp(now, to.port(), bytes);
            let fair = self.net.is_fair();
            let gaps = station.endpoint.voice_at(to.port()).map_or(0, |voice| voice.ear().gaps);
            assert!(gaps == 0 || !fair, "law 8: {} heard sequence numbers that do not rise by one", station.name);
        }
    }

    pub(super) fn give(&mut self, input: Input) {
        let now = self.clock();
        if let Some(switch) = &mut self.switch {
            let kind = fired::input(&input);
            self.stumbles.handle(switch, now, input);
            if !self.is_doomed(kind) {
                self.drain();
            }
        }
        if let Some(switch) = &self.switch {
            self.laws.on_settled(switch, &self.disk);
            self.watch.tapes.on_settled();
            for (id, samples) in std::mem::take(&mut self.watch.tapes.taped) {
                if let Some((left, _)) = self.packets.as_ref().and_then(|packets| packets.tapes.get(&id)) {
                    Tapes::compare(id, left.len() as u64, samples);
                }
            }
        }
    }

    /// Whether the switch dies at this step of its own, of which this is said.
    fn is_doomed(&mut self, kind: &'static str) -> bool {
        if !self.doom.as_mut().is_some_and(|doom| doom.is_now(kind)) {
            return false;
        }
        self.doom = None;
        self.laws.fired.add(kind);
        self.crash();
        true
    }

    fn drain(&mut self) {
        while let Some(output) = self.switch.as_mut().and_then(Switch::poll_output) {
            if self.doom.is_some() && self.is_doomed(fired::output(&output)) {
                return;
            }
            self.stumbles.note_output(&output);
            match output {
                Output::Send(flow, bytes) => self.send_sip(flow.local, flow.remote, bytes),
                Output::Locate(lookup, wanted) => {
                    let ip = wanted.host.parse().ok().or((wanted.host == "carrier.example").then_some(CARRIER.ip()));
                    let remote = ip.map(|ip| SocketAddr::new(ip, wanted.port));
                    let flows = remote.map(|remote| Flow { transport: Transport::Udp, local: SWITCH, remote });
                    self.tell_switch(self.net.lookup, Input::Located(lookup, flows.into_iter().collect()));
                }
                Output::Media(shard, command) => self.media(shard, command),
                Output::Commit(commit, changes) => {
                    changes.iter().for_each(|change| self.note_change(change));
                    self.disk.take(self.now, commit, changes);
                    self.later(self.disk.delay, Happening::Written { life: self.life });
                }
                Output::Erase(recording) => {
                    self.erased.push(recording);
                    self.tell_switch(Duration::from_millis(1), Input::Erased(recording, self.erases));
                }
                Output::Reply(to, reply) => {
                    self.watch.caps.on_reply(to, &reply);
                    self.replies.insert(to, reply);
                }
                Output::Publish(event) => {
                    if event == event::Event::ConfigChanged {
                        self.laws.on_edition(&self.settings);
                    }
                    self.laws.on_event(self.now, &event, &self.disk);
                    self.watch.on_event(&event, &mut self.laws.fired);
                    if let Some(words) = self.taboo.and_then(|taboo| taboo(self, &event)) {
                        panic!("{words}");
                    }
                    self.published.push((self.now, event));
                }
            }
        }
    }

    fn note_change(&mut self, change: &Change) {
        self.watch.on_change(self.now, change, &self.disk, &mut self.laws.fired);
        if let Change::PutTask(task) = change {
            let state = format!("{:?}", task.state).to_lowercase();
            self.ladder.note(self.now, format!("store callback {}: {state}", task.number));
        }
        if let Change::PutAttempt(attempt) = change {
            lawful::assert_lawful(&self.settings, &self.disk, attempt);
            self.laws.on_attempt(attempt, &self.disk);
            let open = if attempt.kept_at.is_some() { "open, kept" } else { "open" };
            let outcome = attempt.outcome.map_or(open.to_owned(), |outcome| format!("{outcome:?}").to_lowercase());
            self.ladder.note(self.now, format!("store attempt {}: {outcome}", attempt.n));
        }
    }

    fn write_next(&mut self) {
        self.disk.now = self.now;
        match self.disk.mood {
            Mood::Holding => {}
            Mood::Failing(why) => {
                if let Some(commit) = self.disk.refuse_next(why) {
                    self.ladder.note(self.now, "the disk refuses".to_owned());
                    self.handle(Input::Committed(commit, Err(why)));
                }
            }
            Mood::Working => {
                let before = self.disk.before_next();
                if let Some((commit, changes)) = self.disk.write_next() {
                    self.laws.on_committed(&before, &changes, &self.disk);
                    let revision = ringback::switch::Revision(self.disk.revision);
                    self.handle(Input::Committed(commit, Ok(revision)));
                }
            }
        }
    }

    /// The disk works again, and catches up.
    pub fn release_disk(&mut self) {
        self.disk.mood = Mood::Working;
        for _ in 0..self.disk.pending.len() {
            self.later(self.disk.delay, Happening::Written { life: self.life });
        }
    }

    fn media(&mut self, shard: ShardId, command: media::Command) {
        self.laws.on_media(&command);
        self.watch.on_media(self.now, &command);
        self.note_media(&command);
        let mut out = Vec::new();
        self.shard.command(self.now, &command, &mut out);
        if let media::Command::Update { leg, .. } = &command {
            self.note_leg(*leg);
        }
        match &command {
            media::Command::Bridge { a, b } => {
                for leg in [a, b] {
                    if let Some((station, call)) = self.who(*leg) {
                        self.laws.on_talk(self.stations[station].endpoint.call(call));
                    }
                    self.later(Duration::from_millis(20), Happening::Voice { leg: *leg });
                }
            }
            media::Command::Play { leg, what: Play::Clips { clips, .. }, .. } => self.hears(*leg, clips),
            media::Command::Update { leg, silence: Some(after), .. } => {
                self.later(*after, Happening::Silence { leg: *leg, since: self.now });
            }
            _ => {} // Nobody else hears of it.
        }
        if let Some(packets) = &mut self.packets {
            let out = packets.command(self.now, command);
            self.carry_media(out);
        } else {
            out.into_iter().for_each(|(after, event)| self.tell_switch(after, Input::Media(shard, event)));
        }
        for (id, samples) in std::mem::take(&mut self.shard.ended_tapes) {
            self.watch.tapes.taped.push((id, samples));
            let path = format!("recordings/2026/03/02/{id}.wav");
            let file = Ok(RecordedFile { path, samples, bytes: 44 + samples * 4 });
            self.tell_switch(Duration::from_millis(5), Input::Recorded(Recorded { id, file }));
        }
    }

    fn carry_media(&mut self, out: super::packets::Out) {
        for (leg, to, bytes) in out.rtp {
            let Some(port) = self.shard.legs.get(&leg).map(|it| it.port) else { continue };
            self.send_rtp(SocketAddr::new(SWITCH.ip(), port), to, bytes);
        }
        let keys = out.events.iter().filter(|event| matches!(event, media::Event::Digit { .. })).count();
        self.keys_heard += keys;
        assert!(self.keys_heard <= self.keys_pressed, "law 8: a key press was heard twice");
        out.events.into_iter().for_each(|event| self.tell_switch(Duration::ZERO, Input::Media(ShardId(0), event)));
    }

    fn is_audible(&self, leg: LegRef) -> bool {
        self.who(leg).is_some_and(|(station, _)| !self.cut.contains_key(&station))
    }

    /// Nothing that this station says as RTP is heard any more.
    pub fn cut(&mut self, station: usize) {
        self.cut.insert(station, self.now);
        let told: Vec<(LegRef, Duration, Tick)> = self
            .shard
            .legs
            .iter()
            .filter(|(leg, _)| self.who(**leg).is_some_and(|(who, _)| who == station))
            .filter_map(|(leg, it)| it.silence.map(|(after, since)| (*leg, after, since)))
            .collect();
        told.into_iter().for_each(|(leg, after, since)| self.later(after, Happening::Silence { leg, since }));
    }

    /// Its RTP comes through again.
    pub fn mend(&mut self, station: usize) {
        self.cut.remove(&station);
    }

    /// People act, and what they send leaves.
    pub fn serve_people(&mut self) {
        let now = self.now;
        for at in 0..self.stations.len() {
            self.stations[at].on_timeout(now);
            while let Some((call, key)) = self.stations[at].poll_press(now) {
                self.carry_key(at, call, key);
            }
            while let Some(told) = self.stations[at].poll_told() {
                self.told.push((now, at, told));
            }
            let from = self.stations[at].endpoint.config.local;
            while let Some(transmit) = self.stations[at].poll_transmit() {
                self.send_sip(from, transmit.to, transmit.bytes.into());
            }
            while let Some(rtp) = self.stations[at].poll_rtp() {
                if !self.cut.contains_key(&at) {
                    self.send_rtp(SocketAddr::new(from.ip(), rtp.port), rtp.to, rtp.bytes);
                }
            }
        }
    }

    /// A key pressed at a phone; without RTP the world carries it.
    pub fn carry_key(&mut self, station: usize, call: CallId, digit: char) {
        self.keys_pressed += 1;
        if self.packets.is_none()
            && let Some(leg) = self.leg_of(station, call)
        {
            let event = media::Event::Digit { leg, digit };
            self.tell_switch(Duration::from_millis(60), Input::Media(ShardId(0), event));
        }
    }

    fn send_sip(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let Some(message) = Message::parse(&bytes) else { panic!("not SIP: {}", String::from_utf8_lossy(&bytes)) };
        if from == SWITCH {
            self.laws.utc = self.clock().utc;
            self.watch_sip(true, to, &message);
            self.laws.on_sip(self.now, true, to, &message, &self.disk);
        }
        self.net.now = self.now;
        let carried = self.net.carry_sip(from, to, &ladder::label(&message));
        let (a, b) = (self.party(from, &message), self.party(to, &message));
        self.ladder.arrow(self.now, a, b, &message, bytes.clone(), carried.after.is_empty());
        for after in carried.after {
            self.later(after, Happening::Sip { from: carried.from, to: carried.to, bytes: bytes.clone() });
        }
    }

    fn send_rtp(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let carried = self.net.carry_rtp(from, to);
        for after in carried.after {
            self.later(after, Happening::Rtp { from: carried.from, to: carried.to, bytes: bytes.clone() });
        }
    }

    pub fn tell_switch(&mut self, after: Duration, input: Input) {
        self.later(after, Happening::ToSwitch { life: self.life, input });
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.order += 1;
        self.heap.insert((self.now + after, self.order), happening);
    }

    /// Gives the switch a command and does not wait for its answer.
    pub fn tell(&mut self, command: Command) -> ReplyTo {
        self.next_reply += 1;
        let to = ReplyTo(self.next_reply);
        self.watch.caps.on_command(to, &command);
        self.watch.drains.on_command(self.now, Some(&command).filter(|_| self.switch.is_some()));
        self.handle(Input::Command(command, to));
        self.watch.drains.on_command(self.now, None);
        to
    }

    /// Gives the switch a command; the answer comes with the disk's leave.
    pub fn ask(&mut self, command: Command) -> Reply {
        let to = self.tell(command);
        let limit = self.now + Duration::from_secs(10);
        while !self.replies.contains_key(&to) {
            assert!(self.step(limit), "a command was never answered");
        }
        self.replies.remove(&to).expect("it is there")
    }
}

/// A broken law or a failed assertion is shown with the ladder that led to it.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() && !shrink::is_quiet() {
            eprintln!("{}", self.last_steps());
        }
    }
}

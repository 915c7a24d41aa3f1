//! The people around the switch, with telephones on loopback: callers who press the key and listen, customers who are
//! called back, agents. They are those of the demo, live on a thread of their own, and outlive every life of the
//! switch.

use crate::ledger::{Ledger, Line, Word};
use crate::world::{AGENTS, RING_SECS, World};
use ringback::demo::endpoint::{CallId, Config, Event, number_of};
use ringback::demo::person::{Person, Reaction};
use ringback::demo::station::{Station, Told};
use ringback::entropy::Entropy;
use ringback::time::Tick;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// The prompt that promises: nothing else in the site sounds like it.
pub const PROMISE: u32 = 1_010;
/// The prompt that apologises.
pub const SORRY: u32 = 1_270;
/// Voices of agents and customers.
const AGENT: u32 = 1_530;
const CUSTOMER: u32 = 1_690;
/// Calls of the carrier and of one agent's phone that can be told apart by their ports.
const CARRIER_CALLS: u16 = 88;
const AGENT_CALLS: u16 = 8;
/// The number that callers dial.
const LINE: &str = "+12025550100";
/// The number that leads to agents.
const AGENTS_LINE: &str = "+12025550101";
/// A call that nobody has ended after so long is put down: before its number may be tried again after a crash.
const STUCK: Duration = Duration::from_secs(RING_SECS + 9);

/// Somebody to tell the people what to do.
pub struct People {
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// What they are told.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// The switch lives (again): whoever waits in a call of its last life gives up, and new callers come.
    Call,
    /// Every phone registers.
    Register,
    /// No new callers.
    Rest,
    /// Somebody calls an agent, and both talk for ever.
    Chat,
    /// From now on it is noted what is heard in such calls.
    Listen,
}

impl People {
    /// They take their places; nobody calls yet.
    pub fn arrive(world: &World, seed: u64) -> People {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (sip, carrier, book) = (world.sip_port, world.carrier_port, world.book());
        let rtp = world.row(2 * CARRIER_CALLS);
        let phones = [(); AGENTS as usize].map(|()| (world.row(2), world.row(2 * AGENT_CALLS)));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { Crowd::gather(sip, (carrier, rtp), phones, book, seed).live(inbox).await });
        });
        People { orders, thread: Some(thread) }
    }

    pub fn call(&self) {
        self.orders.send(Order::Call).expect("they are there");
    }

    pub fn register(&self) {
        self.orders.send(Order::Register).expect("they are there");
    }

    pub fn chat(&self) {
        self.orders.send(Order::Chat).expect("they are there");
    }

    pub fn listen(&self) {
        self.orders.send(Order::Listen).expect("they are there");
    }

    pub fn rest(&self) {
        self.orders.send(Order::Rest).expect("they are there");
    }
}

impl Drop for People {
    fn drop(&mut self) {
        let (silent, _) = mpsc::unbounded_channel();
        self.orders = silent; // They hear that nobody speaks to them any more, and go.
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking(), "the people have failed");
        }
    }
}

/// The sockets of one station.
struct Wires {
    sip: Arc<UdpSocket>,
    rtp: BTreeMap<u16, Arc<UdpSocket>>,
}

/// A datagram: to which station, to which of its RTP ports (unset: to its SIP), from where, what.
type Arrived = (usize, Option<u16>, SocketAddr, Vec<u8>);

impl Wires {
    fn lay(sip: u16, rtp: u16, calls: u16) -> Wires {
        let bind = |port: u16| {
            let socket = std::net::UdpSocket::bind(("127.0.0.1", port)).unwrap();
            socket.set_nonblocking(true).unwrap();
            Arc::new(UdpSocket::from_std(socket).unwrap())
        };
        Wires { sip: bind(sip), rtp: (0..calls).map(|n| (rtp + 2 * n, bind(rtp + 2 * n))).collect() }
    }

    fn listen(&self, station: usize, tell: &mpsc::UnboundedSender<Arrived>) {
        let sockets = self.rtp.iter().map(|(port, socket)| (Some(*port), socket));
        for (port, socket) in sockets.chain([(None, &self.sip)]) {
            let (socket, tell) = (socket.clone(), tell.clone());
            tokio::spawn(async move {
                let mut buffer = vec![0; 65_536];
                loop {
                    let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
                    if tell.send((station, port, from, buffer[..length].to_vec())).is_err() {
                        return;
                    }
                }
            });
        }
    }

    fn carry(&self, station: &mut Station) {
        while let Some(transmit) = station.poll_transmit() {
            drop(self.sip.try_send_to(&transmit.bytes, transmit.to)); // The switch may be dead just now.
        }
        while let Some(transmit) = station.poll_rtp() {
            if let Some(socket) = self.rtp.get(&transmit.port) {
                drop(socket.try_send_to(&transmit.bytes, transmit.to));
            }
        }
    }
}

/// A call that somebody behind the carrier has made.
struct Caller {
    number: String,
    /// Presses by INFO.
    informs: bool,
    pressed: bool,
    heard: bool,
    /// Of an earlier life of the switch.
    stale: bool,
}

struct Crowd {
    stations: Vec<Station>,
    wires: Vec<Wires>,
    book: Arc<Mutex<Ledger>>,
    entropy: Entropy,
    begun: Instant,
    callers: BTreeMap<CallId, Caller>,
    /// Calls to customers, and when they began.
    called: BTreeMap<CallId, Tick>,
    next_caller: Option<Tick>,
    asked: u64,
    /// Numbers that answer nothing to their first call.
    silent: BTreeSet<String>,
    /// Calls of callers who talk to agents.
    chats: Vec<CallId>,
    /// When each end of such a call was heard last: station and port. `None`: nobody wants to know.
    heard: Option<BTreeMap<(usize, u16), Tick>>,
}

/// The carrier; the agents' phones follow it.
const CARRIER: usize = 0;

impl Crowd {
    /// Ports: the switch's; SIP and the first for RTP of the carrier, and of each phone.
    fn gather(
        sip_port: u16,
        (carrier_port, rtp): (u16, u16),
        phones: [(u16, u16); AGENTS as usize],
        book: Arc<Mutex<Ledger>>,
        seed: u64,
    ) -> Crowd {
        let mut entropy = Entropy::from_seed(seed);
        let server: SocketAddr = ([127, 0, 0, 1], sip_port).into();
        let config = |user: &str, local: u16, rtp: u16, calls: u16, pitch: u32| Config {
            user: user.to_owned(),
            display: None,
            local: ([127, 0, 0, 1], local).into(),
            server,
            domain: "127.0.0.1".to_owned(),
            credentials: Some((user.to_owned(), format!("secret-{user}"))),
            codecs: vec![0],
            rtp_port: rtp,
            rtp_ports: calls,
            pitch,
            pitches: vec![PROMISE, SORRY, AGENT, CUSTOMER],
            packets: true,
        };
        let mut wires = vec![Wires::lay(carrier_port, rtp, CARRIER_CALLS)];
        let config_of = config("carrier", carrier_port, rtp, CARRIER_CALLS, CUSTOMER);
        let mut stations = vec![Station::carrier("carrier", config_of, entropy.fork())];
        for (extension, (local, rtp)) in (1001..).zip(phones) {
            wires.push(Wires::lay(local, rtp, AGENT_CALLS));
            let extension = u16::to_string(&extension);
            let mut person = Person::new(&extension, &extension)
                .reacting([Reaction::Answer { after: Duration::from_millis(10), early: false }])
                .talking(Duration::from_millis(900));
            person.bears_silence = Some(Duration::from_millis(1_500));
            let config = config(&extension, local, rtp, AGENT_CALLS, AGENT);
            stations.push(Station::phone(config, person, entropy.fork()));
        }
        let (callers, called) = (BTreeMap::new(), BTreeMap::new());
        let begun = Instant::now();
        let (next_caller, asked, silent, chats, heard) = (None, 0, BTreeSet::new(), Vec::new(), None);
        Crowd { stations, wires, book, entropy, begun, callers, called, next_caller, asked, silent, chats, heard }
    }

    fn now(&self) -> Tick {
        Tick::ZERO + self.begun.elapsed()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn live(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let (tell, mut inbox) = mpsc::unbounded_channel();
        self.wires.iter().enumerate().for_each(|(station, wires)| wires.listen(station, &tell));
        loop {
            let now = self.now();
            self.turn(now);
            let timeouts = self.stations.iter().filter_map(Station::poll_timeout);
            let wake = timeouts.chain(self.next_caller).chain([now + Duration::from_millis(50)]).min().unwrap_or(now);
            let wake = tokio::time::Instant::from_std(self.begun + wake.since(Tick::ZERO));
            tokio::select! {
                Some(first) = inbox.recv() => {
                    self.deliver(first);
                    while let Ok(more) = inbox.try_recv() {
                        self.deliver(more);
                    }
                }
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let now = self.now();
        match order {
            Order::Register => self.stations[1..].iter_mut().for_each(|phone| phone.endpoint.register(now, 300)),
            Order::Rest => self.next_caller = None,
            Order::Chat => self.chat(now),
            Order::Listen => {
                self.heard = Some(BTreeMap::new());
                self.ledger().line = Line::default();
            }
            Order::Call => {
                self.next_caller = Some(now);
                for (call, caller) in &mut self.callers {
                    caller.stale = true;
                    self.stations[CARRIER].endpoint.hang_up(now, *call);
                }
                let first = self.asked == 0;
                for phone in &mut self.stations[1..] {
                    if first || self.entropy.below(3) == 0 {
                        phone.endpoint.register(now, 300);
                    }
                }
            }
        }
    }

    fn deliver(&mut self, (station, port, from, bytes): Arrived) {
        let now = self.now();
        match port {
            None => self.stations[station].receive(now, from, &bytes),
            Some(port) => {
                self.stations[station].receive_rtp(now, port, &bytes);
                self.note(now, station, port);
                if station == CARRIER {
                    self.listen(port);
                }
            }
        }
    }

    /// A packet has come to one end of a call that lasts.
    fn note(&mut self, now: Tick, station: usize, port: u16) {
        let is_chat = |call: &&CallId| {
            self.stations[CARRIER].endpoint.call(**call).is_some_and(|call| call.local.rtp.port() == port)
        };
        if station == CARRIER && !self.chats.iter().any(|call| is_chat(&call)) {
            return;
        }
        let Some(heard) = &mut self.heard else { return };
        let last = heard.insert((station, port), now).unwrap_or(now);
        let ends = heard.len();
        let line = &mut self.book.lock().unwrap_or_else(PoisonError::into_inner).line;
        line.packets += 1;
        line.ends = ends;
        line.gap(now.since(last), (station, port));
    }

    fn chat(&mut self, now: Tick) {
        for phone in &mut self.stations[1..] {
            (phone.people[0].talk, phone.people[0].bears_silence) = (None, None);
        }
        let number = format!("+1202{:07}", 5_440_000 + self.chats.len());
        let carrier = &mut self.stations[CARRIER];
        carrier.people.push(Person::new(&number, &number));
        self.chats.push(carrier.dial(now, carrier.people.len() - 1, AGENTS_LINE));
    }

    /// A caller hears whether he was promised a call.
    fn listen(&mut self, port: u16) {
        let endpoint = &mut self.stations[CARRIER].endpoint;
        for (call, caller) in self.callers.iter_mut().filter(|(_, caller)| caller.pressed && !caller.heard) {
            if endpoint.call(*call).is_none_or(|call| call.local.rtp.port() != port) {
                continue;
            }
            let hears = |pitch| endpoint.voice_at(port).is_some_and(|voice| voice.ear().heard.contains_key(&pitch));
            let mut ledger = self.book.lock().unwrap_or_else(PoisonError::into_inner);
            if hears(PROMISE) {
                caller.heard = true;
                ledger.promised(&caller.number, None, Word::Heard);
            } else if hears(SORRY) {
                caller.heard = true;
                ledger.apologies += 1;
            }
        }
    }

    fn turn(&mut self, now: Tick) {
        if self.next_caller.is_some_and(|at| at <= now) {
            self.next_caller = Some(now + Duration::from_millis(20 + self.entropy.below(60)));
            self.somebody_calls(now);
        }
        let stuck: Vec<CallId> = self.called.iter().filter(|(_, at)| now.since(**at) > STUCK).map(|it| *it.0).collect();
        for call in stuck {
            self.called.remove(&call);
            self.stations[CARRIER].endpoint.hang_up(now, call);
        }
        for at in 0..self.stations.len() {
            let station = &mut self.stations[at];
            if station.poll_timeout().is_some_and(|due| due <= now) {
                station.on_timeout(now);
            }
            while let Some((call, _)) = station.poll_press(now) {
                if let Some(caller) = self.callers.get_mut(&call).filter(|_| at == CARRIER) {
                    caller.pressed = true;
                }
            }
            while let Some(told) = self.stations[at].poll_told() {
                if at == CARRIER {
                    self.told(now, &told);
                }
            }
            self.wires[at].carry(&mut self.stations[at]);
        }
        let is_there = |call: &CallId| self.stations[CARRIER].endpoint.call(*call).is_some();
        self.callers.retain(|call, _| is_there(call));
        self.called.retain(|call, _| is_there(call));
        let waits = |caller: &&Caller| caller.pressed && !caller.heard && !caller.stale;
        let promising = self.callers.values().filter(waits).count();
        let attempting = self.stations[1..].iter().filter(|phone| phone.endpoint.calls().next().is_some()).count();
        let silent = self.heard.iter().flatten().map(|(end, last)| (now.since(*last), *end)).max();
        let calls = self.chats.iter().filter(|call| is_there(call)).count();
        let mut ledger = self.ledger();
        (ledger.promising, ledger.attempting) = (promising, attempting);
        ledger.line.calls = calls;
        if let Some((gap, end)) = silent {
            ledger.line.gap(gap, end);
        }
    }

    /// A new caller: when he is called back one day, he is there, or busy, or lets it ring.
    fn somebody_calls(&mut self, now: Tick) {
        let number = format!("+1202{:07}", 5_560_000 + self.asked);
        self.asked += 1;
        let after = Duration::from_millis(self.entropy.below(80));
        let answers = Reaction::Answer { after, early: self.entropy.below(4) == 0 };
        let reactions = match self.entropy.below(8) {
            0 => vec![Reaction::Refuse { after, status: 486 }, answers],
            1 => vec![Reaction::Ring { early: false }],
            2 => vec![Reaction::Silence, answers],
            3 => vec![Reaction::Refuse { after: Duration::ZERO, status: 404 }],
            _ => vec![answers],
        };
        let (informs, hurry) = (self.entropy.below(2) == 0, self.entropy.below(6) == 0);
        let keys: &[(u64, char)] = if informs { &[] } else { &[(20, '1')] };
        let patience = Duration::from_millis(if hurry { 150 + self.entropy.below(60) } else { 8_000 });
        let mut person = Person::new(&number, &number)
            .reacting(reactions.clone())
            .talking(Duration::from_millis(60 + self.entropy.below(200)))
            .visiting(keys, Some(patience));
        person.bears_silence = Some(Duration::from_millis(1_500));
        if reactions[0] == Reaction::Silence {
            self.silent.insert(number.clone());
        }
        self.ledger().asks(&number);
        let carrier = &mut self.stations[CARRIER];
        carrier.people.push(person);
        let call = carrier.dial(now, carrier.people.len() - 1, LINE);
        self.callers.insert(call, Caller { number, informs, pressed: false, heard: false, stale: false });
    }

    fn told(&mut self, now: Tick, told: &Told) {
        match &told.event {
            Event::Answered(call) => {
                if let Some(caller) = self.callers.get_mut(call).filter(|caller| caller.informs) {
                    caller.pressed = true;
                    self.stations[CARRIER].endpoint.inform(now, *call, '1');
                }
            }
            Event::Incoming(call, invite) => {
                self.called.insert(*call, now);
                let (number, call_id) = (number_of(invite.uri()), invite.call_id().to_owned());
                let carrier = &self.stations[CARRIER];
                let others = self.called.keys().filter(|other| **other != *call);
                let live = others.filter(|other| told.person.is_some() && carrier.owner(**other) == told.person);
                // Where nothing comes back there is nothing that could be told to stop (RFC 3261 §9.1).
                let rings =
                    |other: &&CallId| carrier.endpoint.call(**other).is_some() && !self.silent.contains(&number);
                let live = live.filter(|other| rings(other)).count();
                self.ledger().rings(&number, &call_id, live);
            }
            _ => {} // The switch is judged by what rings, and by what it says.
        }
    }
}

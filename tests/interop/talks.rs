//! A hundred talks and `kill -9`: they go on (durability.md P8, P9). Callers behind one carrier and agents at phones of
//! their own speak RTP all the time; each of them notes when something comes to his ear. `RINGBACK_TALKS` says how
//! many.

use crate::switch::Switch;
use crate::{free_port, wait_for};
use ringback::demo::codec::Message;
use ringback::demo::endpoint::{CallId, CallState, Config, Endpoint, Event};
use ringback::entropy::Entropy;
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// The queue's number; the others lead to an agent each.
const LINE: &str = "+12025550100";
/// Talks that must be back, in a hundred, and how soon. Nearly all of it is the start, which takes its time without
/// optimisation.
const BACK_PERCENT: usize = 99;
const BACK: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 3 });
/// Every phone hears 50 packets a second; who has heard nothing for so long hears nothing.
const SILENCE: Duration = Duration::from_millis(400);

/// Something has come to a phone.
enum Arrived {
    Sip { phone: usize, from: SocketAddr, bytes: Vec<u8>, at: Instant },
    Rtp { port: u16, at: Instant },
}

struct Phone {
    endpoint: Endpoint,
    sip: Arc<UdpSocket>,
    rtp: BTreeMap<u16, Arc<UdpSocket>>,
}

struct Talk {
    agent: usize,
    caller: CallId,
    /// RTP ports of both.
    ports: [u16; 2],
}

/// Everybody but the switch.
struct Stage {
    runtime: Runtime,
    began: Instant,
    /// The carrier, then the agents.
    phones: Vec<Phone>,
    inbox: mpsc::UnboundedReceiver<Arrived>,
    /// When something came, by port.
    heard: BTreeMap<u16, Vec<Instant>>,
    /// Requests of the switch: when, method, and what tells copies apart.
    asked: Vec<(Instant, String, String)>,
    registered: usize,
    talks: Vec<Talk>,
    dialled: BTreeMap<String, CallId>,
}

impl Stage {
    fn new(switch: SocketAddr, carrier: u16, agents: usize) -> Stage {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let within = runtime.enter();
        let (tell, inbox) = mpsc::unbounded_channel();
        let mut entropy = Entropy::from_seed(1);
        let mut phones = Vec::new();
        for n in 0..=agents {
            let (user, port, calls) = if n == 0 { (LINE.to_owned(), carrier, agents) } else { (extension(n), 0, 1) };
            let sip = Arc::new(UdpSocket::from_std(bind(port)).unwrap());
            let rtp: BTreeMap<u16, Arc<UdpSocket>> = block(calls);
            let config = Config {
                local: sip.local_addr().unwrap(),
                server: switch,
                domain: "127.0.0.1".to_owned(),
                credentials: (n > 0).then(|| (user.clone(), secret(n))),
                user,
                display: None,
                codecs: vec![0],
                rtp_port: *rtp.keys().next().unwrap(),
                rtp_ports: u16::try_from(calls).unwrap(),
                pitch: 440,
                pitches: Vec::new(),
                packets: true,
            };
            tokio::spawn(read_sip(n, sip.clone(), tell.clone()));
            for (port, socket) in &rtp {
                tokio::spawn(read_rtp(*port, socket.clone(), tell.clone()));
            }
            phones.push(Phone { endpoint: Endpoint::new(config, entropy.fork()), sip, rtp });
        }
        drop(within);
        Stage {
            runtime,
            began: Instant::now(),
            phones,
            inbox,
            heard: BTreeMap::new(),
            asked: Vec::new(),
            registered: 0,
            talks: Vec::new(),
            dialled: BTreeMap::new(),
        }
    }

    fn now(&self) -> Tick {
        Tick::ZERO + self.began.elapsed()
    }

    /// Lets everybody act for a moment.
    fn turn(&mut self) {
        let inbox = &mut self.inbox;
        let first = self
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_millis(2), inbox.recv()).await.ok().flatten() });
        let mut next = first;
        while let Some(arrived) = next {
            self.take(arrived);
            next = self.inbox.try_recv().ok();
        }
        let now = self.now();
        for n in 0..self.phones.len() {
            self.phones[n].endpoint.on_timeout(now);
            while let Some(event) = self.phones[n].endpoint.poll_event() {
                self.follow(n, &event);
            }
            let Phone { endpoint, sip, rtp } = &mut self.phones[n];
            while let Some(sent) = endpoint.poll_transmit() {
                drop(sip.try_send_to(&sent.bytes, sent.to));
            }
            while let Some(sent) = endpoint.poll_rtp() {
                drop(rtp[&sent.port].try_send_to(&sent.bytes, sent.to));
            }
        }
    }

    fn take(&mut self, arrived: Arrived) {
        match arrived {
            Arrived::Rtp { port, at } => self.heard.entry(port).or_default().push(at),
            Arrived::Sip { phone, from, bytes, at } => {
                if let Some(request) = Message::parse(&bytes).filter(|message| message.status().is_none()) {
                    let (number, _) = request.cseq();
                    self.asked.push((at, request.method().to_owned(), format!("{} {number}", request.call_id())));
                }
                let now = self.now();
                self.phones[phone].endpoint.receive(now, from, &bytes);
            }
        }
    }

    /// Whoever is called answers at once; an agent knows his caller by his number.
    fn follow(&mut self, n: usize, event: &Event) {
        match event {
            Event::Registered(_) => self.registered += 1,
            Event::Incoming(call, _) => {
                let now = self.now();
                self.phones[n].endpoint.answer(now, *call);
                let number = self.phones[n].endpoint.call(*call).expect("it rings").number.clone();
                let caller = self.dialled[&number];
                let port = |n: usize, call: CallId| {
                    let call = self.phones[n].endpoint.call(call).expect("it is there");
                    call.local.rtp.port()
                };
                let ports = [port(0, caller), port(n, *call)];
                self.talks.push(Talk { agent: n, caller, ports });
            }
            _ => {} // Everything else shows in what is heard.
        }
    }

    fn until(&mut self, what: &str, limit: Duration, mut so: impl FnMut(&Stage) -> bool) {
        let begun = Instant::now();
        while !so(self) {
            assert!(begun.elapsed() < limit, "waited {limit:?} in vain until {what}");
            self.turn();
        }
    }

    fn run_for(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.turn();
        }
    }

    fn dial(&mut self, n: usize, number: &str) {
        let from = format!("sip:+1202556{n:04}@127.0.0.1");
        let asserted = [("P-Asserted-Identity", format!("<{from}>"))];
        let now = self.now();
        let call = self.phones[0].endpoint.dial(now, number, Some(&from), &asserted);
        self.dialled.insert(format!("+1202556{n:04}"), call);
    }

    fn is_up(&self, talk: &Talk) -> bool {
        let up = |n: usize, call: Option<CallId>| {
            let endpoint = &self.phones[n].endpoint;
            call.and_then(|call| endpoint.call(call)).is_some_and(|call| call.state == CallState::Up)
        };
        up(0, Some(talk.caller)) && up(talk.agent, self.phones[talk.agent].endpoint.calls().map(|(id, _)| id).next())
    }

    fn all_hear(&self) -> bool {
        let hears = |port: &u16| self.heard.get(port).and_then(|at| at.last()).is_some_and(|at| at.elapsed() < SILENCE);
        self.talks.iter().all(|talk| self.is_up(talk) && talk.ports.iter().all(hears))
    }

    /// The longest silence at this port since `from`; `None`: nothing comes any more.
    fn gap(&self, port: u16, from: Instant) -> Option<Duration> {
        let at = self.heard.get(&port)?;
        at.last().filter(|last| last.elapsed() < SILENCE)?;
        let since: Vec<Instant> = std::iter::once(from).chain(at.iter().copied().filter(|at| *at > from)).collect();
        since.windows(2).map(|pair| pair[1].duration_since(pair[0])).max()
    }

    /// How long each talk was silent since `killed`, the worse of its two ways; `None`: it still is, or is over.
    fn gaps(&self, killed: Instant) -> Vec<Option<Duration>> {
        let of = |talk: &Talk| {
            let [one, other] = talk.ports.map(|port| self.gap(port, killed));
            Some(one?.max(other?)).filter(|_| self.is_up(talk))
        };
        self.talks.iter().map(of).collect()
    }

    fn requests(&self, method: &str, since: Instant, within: Duration) -> (usize, usize) {
        let asked = self.asked.iter().filter(|(at, it, _)| it == method && *at >= since && *at <= since + within);
        let names: Vec<&String> = asked.map(|(.., name)| name).collect();
        let different: std::collections::BTreeSet<&&String> = names.iter().collect();
        (names.len(), different.len())
    }
}

async fn read_sip(phone: usize, socket: Arc<UdpSocket>, tell: mpsc::UnboundedSender<Arrived>) {
    let mut buffer = vec![0; 65_536];
    loop {
        // An error is ICMP's word on something sent while nobody listened.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let (bytes, at) = (buffer[..length].to_vec(), Instant::now());
        if tell.send(Arrived::Sip { phone, from, bytes, at }).is_err() {
            return;
        }
    }
}

async fn read_rtp(port: u16, socket: Arc<UdpSocket>, tell: mpsc::UnboundedSender<Arrived>) {
    let mut buffer = [0; 2_048];
    loop {
        let Ok(_) = socket.recv_from(&mut buffer).await else { continue };
        if tell.send(Arrived::Rtp { port, at: Instant::now() }).is_err() {
            return;
        }
    }
}

fn bind(port: u16) -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("a port");
    socket.set_nonblocking(true).expect("a flag");
    socket
}

/// Sockets on so many even ports in a row, below those that are given to whoever asks for any.
fn block(count: usize) -> BTreeMap<u16, Arc<UdpSocket>> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(12_000);
    let count = u16::try_from(count).unwrap();
    loop {
        let first = NEXT.fetch_add(2 * count, Ordering::Relaxed);
        assert!(first < 19_000, "no ports are free");
        let bound = (0..count).map(|n| {
            let port = first + 2 * n;
            let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
            socket.set_nonblocking(true)?;
            Ok((port, Arc::new(UdpSocket::from_std(socket)?)))
        });
        if let Ok(bound) = bound.collect::<std::io::Result<_>>() {
            return bound;
        }
    }
}

fn extension(n: usize) -> String {
    format!("{}", 2_000 + n)
}

fn secret(n: usize) -> String {
    format!("long-and-random-{n}")
}

/// Half of the agents serve a queue that records, the others have numbers of their own.
fn site(sip: u16, http: u16, carrier: u16, agents: usize) -> String {
    let (media, last) = (20_000, 20_000 + 8 * agents);
    let mut text = format!(
        r#"
[server]
sip_udp = "127.0.0.1:{sip}"
http = "127.0.0.1:{http}"
media_address = "127.0.0.1"
media_ports = "{media}-{last}"
[system]
default_country = "US"
default_timezone = "America/New_York"
[[trunk]]
name = "carrier"
mode = "peer"
host = "127.0.0.1"
port = {carrier}
max_calls = 2000
[[inbound_route]]
trunk = "carrier"
did = "{LINE}"
to = "queue:support"
"#
    );
    let mut members = Vec::new();
    for n in 1..=agents {
        let (extension, secret) = (extension(n), secret(n));
        write!(text, "[[agent]]\nname = \"a{n}\"\nextension = \"{extension}\"\nsecret = \"{secret}\"\n").unwrap();
        if n % 2 == 0 {
            members.push(format!("{{ agent = \"a{n}\" }}"));
        } else {
            let did = own_number(n);
            write!(text, "[[inbound_route]]\ntrunk = \"carrier\"\ndid = \"{did}\"\nto = \"agent:a{n}\"\n").unwrap();
        }
    }
    let members = members.join(", ");
    let queue = "[[queue]]\nname = \"support\"\nnumber = \"5000\"\nrecord = true\nrecord_ack_no_notice = true";
    write!(text, "{queue}\nmembers = [{members}]\n").unwrap();
    text
}

fn own_number(n: usize) -> String {
    format!("+1202557{n:04}")
}

/// Everybody talks.
fn talking(count: usize) -> (Switch, Stage) {
    let carrier = free_port();
    let switch = Switch::start_with("talks", |sip, http| site(sip, http, carrier, count));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, switch.sip_port));
    let mut stage = Stage::new(address, carrier, count);
    for n in 1..=count {
        let now = stage.now();
        stage.phones[n].endpoint.register(now, 3_600);
        stage.run_for(Duration::from_millis(5));
    }
    stage.until("all phones are registered", Duration::from_secs(20), |stage| stage.registered >= count);
    for n in 1..=count {
        stage.dial(n, &if n % 2 == 0 { LINE.to_owned() } else { own_number(n) });
        stage.run_for(Duration::from_millis(20));
    }
    stage.until("all talk", Duration::from_secs(20), |stage| stage.talks.len() == count && stage.all_hear());
    stage.run_for(Duration::from_secs(1));
    (switch, stage)
}

/// Prints how long the talks were silent, and asserts that they are back in time.
fn judge(what: &str, gaps: &[Option<Duration>]) {
    let mut back: Vec<u128> = gaps.iter().flatten().map(Duration::as_millis).collect();
    back.sort_unstable();
    let at = |percent: usize| back.get((back.len() * percent / 100).min(back.len().saturating_sub(1))).copied();
    let in_time = back.iter().filter(|millis| **millis <= BACK.as_millis()).count();
    let (all, half, most, last) = (gaps.len(), at(50), at(99), back.last());
    println!(
        "{what}: {in_time} of {all} talks back in {BACK:?}; silent for {half:?} ms (p50), {most:?} (p99), {last:?}"
    );
    assert!(in_time * 100 >= all * BACK_PERCENT, "{what}: {gaps:?}");
}

#[test]
fn a_hundred_talks_go_on_after_kill_9() {
    let count = std::env::var("RINGBACK_TALKS").map_or(100, |text| text.parse().expect("a number"));
    let (mut switch, mut stage) = talking(count);

    let killed = Instant::now();
    std::thread::scope(|scope| {
        let restarting = scope.spawn(|| switch.kill_and_restart());
        while !restarting.is_finished() {
            stage.turn();
        }
    });
    println!("ready after {} ms", killed.elapsed().as_millis());
    stage.run_for(Duration::from_secs(5));

    judge("one kill", &stage.gaps(killed));
    let five = Duration::from_secs(5);
    let (sent, different) = stage.requests("INVITE", killed, five);
    let (registers, _) = stage.requests("REGISTER", killed, five);
    let (options, _) = stage.requests("OPTIONS", killed, five);
    println!("in 5 s: {sent} INVITEs ({different} without copies), {registers} REGISTERs, {options} OPTIONS");
    assert_eq!(different, 2 * count, "each side of each talk is asked once");
    assert!(registers == 0 && options <= 1, "one trunk, and {count} phones that are left alone");
    let bound = switch.api.items("/agents?limit=500");
    let bound = bound.iter().filter(|agent| agent["contacts"].as_array().is_some_and(|it| it.len() == 1)).count();
    assert_eq!(bound, count, "every phone is still bound");

    // Killed again while it asks, and once more.
    for _ in 0..2 {
        std::thread::scope(|scope| {
            let restarting = scope.spawn(|| switch.kill_and_restart());
            while !restarting.is_finished() {
                stage.turn();
            }
        });
        stage.run_for(Duration::from_millis(300));
    }
    let killed = Instant::now();
    std::thread::scope(|scope| {
        let restarting = scope.spawn(|| switch.kill_and_restart());
        while !restarting.is_finished() {
            stage.turn();
        }
    });
    stage.run_for(Duration::from_secs(5));
    judge("killed while reviving", &stage.gaps(killed));

    for n in 0..stage.talks.len() {
        let (now, caller) = (stage.now(), stage.talks[n].caller);
        stage.phones[0].endpoint.hang_up(now, caller);
    }
    stage.run_for(Duration::from_secs(2));
    wait_for("the last call to end", Duration::from_secs(10), || {
        switch.api.items("/calls?limit=500").iter().all(|call| !call["ended_at"].is_null()).then_some(())
    });
    let tapes = switch.api.items("/recordings?limit=500");
    let whole = tapes.iter().filter(|tape| tape["path"].is_string() && tape["samples"].as_u64() > Some(0)).count();
    println!("{whole} of {} recordings are whole", tapes.len());
    // Half of the talks are recorded. Lives of some tenths of a second may leave a part without a sample.
    assert!(whole >= count / 2 * 2, "the first life and the last have taped their parts");
}

//! The real shell on loopback: sockets, threads, disk and HTTP around the real switch, with two phones that speak SIP
//! and RTP over UDP and share no parser with it. The story is the one the start text tells.

#![cfg(feature = "shell")]

use ringback::callback::task::{Outcome, TaskState};
use ringback::config;
use ringback::demo::endpoint::{CallId, Config, Endpoint, Event as Phoned};
use ringback::entropy::Entropy;
use ringback::run::{Ended, Parts, Running, start};
use ringback::settings::Settings;
use ringback::store::{Limits, Opened};
use ringback::switch::command::{Command, PageOf, Reply};
use ringback::switch::event::Event;
use ringback::time::Tick;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;

/// Nothing in these stories takes longer, prompts included.
const PATIENCE: Duration = Duration::from_secs(40);
const PITCHES: [u32; 2] = [500, 900];

/// A phone: an endpoint and its sockets.
struct Phone {
    endpoint: Endpoint,
    sip: UdpSocket,
    rtp: Vec<UdpSocket>,
    events: Vec<Phoned>,
}

impl Phone {
    fn new(user: &str, server: SocketAddr, secret: &str, pitch: u32) -> Phone {
        let sip = bind(0);
        let first = free_block(8);
        let config = Config {
            user: user.into(),
            display: None,
            local: sip.local_addr().unwrap(),
            server,
            domain: "127.0.0.1".into(),
            credentials: Some((user.into(), secret.into())),
            codecs: vec![0, 8],
            rtp_port: first,
            rtp_ports: 4,
            pitch,
            pitches: PITCHES.to_vec(),
            packets: true,
        };
        let endpoint = Endpoint::new(config, Entropy::from_seed(u64::from(pitch)));
        let rtp = (0..4).map(|n| bind(first + 2 * n)).collect();
        Phone { endpoint, sip, rtp, events: Vec::new() }
    }

    fn turn(&mut self, now: Tick) {
        let mut buffer = [0; 65_536];
        while let Ok((length, from)) = self.sip.recv_from(&mut buffer) {
            self.endpoint.receive(now, from, &buffer[..length]);
        }
        for socket in &self.rtp {
            let port = socket.local_addr().unwrap().port();
            while let Ok((length, _)) = socket.recv_from(&mut buffer) {
                self.endpoint.receive_rtp(port, &buffer[..length]);
            }
        }
        if self.endpoint.poll_timeout().is_some_and(|due| due <= now) {
            self.endpoint.on_timeout(now);
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.sip.send_to(&transmit.bytes, transmit.to).unwrap();
        }
        while let Some(transmit) = self.endpoint.poll_rtp() {
            let socket = self.rtp.iter().find(|socket| socket.local_addr().unwrap().port() == transmit.port).unwrap();
            drop(socket.send_to(&transmit.bytes, transmit.to)); // A closed port is no matter for a mouth.
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push(event);
        }
    }

    fn had(&self, wanted: impl Fn(&Phoned) -> bool) -> bool {
        self.events.iter().any(wanted)
    }

    fn incoming(&self) -> Option<CallId> {
        self.events.iter().find_map(|event| match event {
            Phoned::Incoming(call, _) => Some(*call),
            _ => None,
        })
    }

    fn press(&mut self, call: CallId, keys: &str) {
        let voice = self.endpoint.voice(call).expect("the call is up");
        keys.chars().for_each(|key| voice.press(key));
    }

    fn hears(&mut self, call: CallId, pitch: u32) -> bool {
        self.endpoint.voice(call).is_some_and(|voice| voice.ear().heard.get(&pitch).is_some_and(|windows| *windows > 5))
    }
}

fn bind(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// The first of `count` free ports in a row, even; below those that the system lends to anybody.
fn free_block(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(23_000);
    loop {
        let first = NEXT.fetch_add(count, Ordering::Relaxed);
        let all: Vec<_> = (first..first + count).map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port))).collect();
        if all.iter().all(Result::is_ok) {
            return first;
        }
    }
}

/// A switch on loopback with the embedded site, and its two phones.
struct World {
    running: Option<Running>,
    settings: Settings,
    phones: [Phone; 2],
    happened: broadcast::Receiver<Event>,
    events: Vec<Event>,
    began: Instant,
    data: PathBuf,
}

const CUSTOMER: usize = 0;
const AGENT: usize = 1;

impl World {
    fn new(name: &str) -> World {
        let data = std::env::temp_dir().join(format!("ringback-wire-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&data));
        let secrets = config::embedded::Secrets::generate(&mut Entropy::from_seed(1));
        let text = config::embedded::text(&secrets, chrono_tz::Tz::UTC);
        let mut config = config::parse(&text, &config::Disk::new(&data)).unwrap();
        config.shell.sip_udp = "127.0.0.1:0".parse().unwrap();
        config.shell.http = "127.0.0.1:0".parse().unwrap();
        config.shell.media_address = Ipv4Addr::LOCALHOST.into();
        let first = free_block(40);
        config.settings.server.media_ports = first..=first + 39;
        // Two seconds of talk are a success here.
        config.settings.profiles.iter_mut().for_each(|profile| profile.success_min_talk = Duration::from_secs(1));
        let settings = config.settings.clone();
        let running = start(Parts { settings: config.settings, shell: config.shell, data: data.clone(), source: None })
            .expect("it starts");
        let phone = |user, pitch| Phone::new(user, running.sip, secrets.of(user).unwrap(), pitch);
        let phones = [phone("1001", PITCHES[0]), phone("1002", PITCHES[1])];
        let happened = running.events();
        World { running: Some(running), settings, phones, happened, events: Vec::new(), began: Instant::now(), data }
    }

    fn now(&self) -> Tick {
        Tick::from_nanos(self.began.elapsed().as_nanos() as u64)
    }

    fn until(&mut self, what: &str, done: impl Fn(&mut World) -> bool) {
        let since = Instant::now();
        while !done(self) {
            if since.elapsed() >= PATIENCE {
                let Reply::Calls(calls) = self.ask(Command::ListCalls(PageOf::default())) else { panic!() };
                let stories = calls.items.iter().map(|call| self.ask(Command::ShowCall(call.id))).collect::<Vec<_>>();
                panic!("{what} did not come; the switch said {:#?}\n{stories:#?}", self.events);
            }
            let now = self.now();
            self.phones.iter_mut().for_each(|phone| phone.turn(now));
            while let Ok(event) = self.happened.try_recv() {
                self.events.push(event);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn happens(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) {
        self.until(what, |world| world.events.iter().any(&wanted));
    }

    fn register(&mut self) {
        for phone in [CUSTOMER, AGENT] {
            let now = self.now();
            self.phones[phone].endpoint.register(now, 300);
            self.until("the registration", |world| {
                world.phones[phone].had(|event| matches!(event, Phoned::Registered(300)))
            });
        }
    }

    fn dial(&mut self, phone: usize, number: &str) -> CallId {
        let now = self.now();
        let call = self.phones[phone].endpoint.dial(now, number, None, &[]);
        self.until("the answer", |world| {
            world.phones[phone].had(|event| matches!(event, Phoned::Answered(answered) if *answered == call))
        });
        call
    }

    fn hang_up(&mut self, phone: usize, call: CallId) {
        let now = self.now();
        self.phones[phone].endpoint.hang_up(now, call);
    }

    fn ask(&self, command: Command) -> Reply {
        self.running.as_ref().unwrap().commands.ask_blocking(command).unwrap()
    }

    fn stop(&mut self) -> Ended {
        self.running.take().unwrap().stop()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.running.take());
        drop(std::fs::remove_dir_all(&self.data));
    }
}

#[test]
fn a_caller_presses_the_key_hangs_up_and_is_called_back_on_real_sockets() {
    let mut world = World::new("story");
    world.register();
    world.dial(AGENT, "*46");
    world.happens("the pause", |event| matches!(event, Event::AgentPaused { .. }));

    let waiting = world.dial(CUSTOMER, "5000");
    world.happens("the line", |event| matches!(event, Event::CallQueued { .. }));
    world.phones[CUSTOMER].press(waiting, "1#");
    world.happens("the promise", |event| matches!(event, Event::CallbackRequested { .. }));
    world.until("the goodbye", |world| world.phones[CUSTOMER].endpoint.call(waiting).is_none());
    world.dial(AGENT, "*46");
    world.until("the agent's phone", |world| world.phones[AGENT].incoming().is_some());
    let agent_call = world.phones[AGENT].incoming().unwrap();
    let now = world.now();
    world.phones[AGENT].endpoint.answer(now, agent_call);
    world.until("the customer's phone", |world| world.phones[CUSTOMER].incoming().is_some());
    let customer_call = world.phones[CUSTOMER].incoming().unwrap();
    let now = world.now();
    world.phones[CUSTOMER].endpoint.answer(now, customer_call);
    world.until("the talk", |world| {
        world.phones[AGENT].hears(agent_call, PITCHES[CUSTOMER])
            && world.phones[CUSTOMER].hears(customer_call, PITCHES[AGENT])
    });
    let talking = Instant::now();
    world.until("a second of talk", |_| talking.elapsed() > Duration::from_secs(2));
    world.hang_up(AGENT, agent_call);
    world.happens("the end", |event| matches!(event, Event::CallbackCompleted { .. }));
    world.happens("the recording", |event| matches!(event, Event::RecordingStored { .. }));

    the_tape_has_both_voices(&world);
    assert_eq!(world.stop(), Ended::Stopped);
    let restored = Opened::open(&world.data, Limits::default()).unwrap().restored;
    assert_eq!(restored.tasks.iter().map(|task| task.state).collect::<Vec<_>>(), [TaskState::Completed]);
    assert_eq!(restored.attempts.iter().map(|n| n.outcome).collect::<Vec<_>>(), [Some(Outcome::Success)]);
    assert_eq!(restored.bindings.len(), 2);
    assert!(restored.recordings[0].path.is_some());
}

fn the_tape_has_both_voices(world: &World) {
    let Reply::Recordings(page) = world.ask(Command::ListRecordings(PageOf::default())) else { panic!() };
    let path = page.items[0].path.clone().expect("it is stored");
    let mut wav = hound::WavReader::open(world.data.join(path)).unwrap();
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    assert!(samples.len() > 2 * 8_000, "{}", samples.len());
    // Agent left, customer right: each channel has its own speaker's pitch, not the other's.
    for (channel, own, other) in [(0, PITCHES[AGENT], PITCHES[CUSTOMER]), (1, PITCHES[CUSTOMER], PITCHES[AGENT])] {
        let heard: Vec<f64> = samples.iter().skip(channel).step_by(2).map(|sample| f64::from(*sample)).collect();
        assert!(power(&heard, own) > 50.0 * power(&heard, other), "channel {channel}");
    }
}

/// Goertzel over the whole tape.
fn power(samples: &[f64], pitch: u32) -> f64 {
    let turn = 2.0 * std::f64::consts::PI * f64::from(pitch) / 8_000.0;
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        sine += sample * (turn * at as f64).sin();
        cosine += sample * (turn * at as f64).cos();
    }
    sine * sine + cosine * cosine
}

#[test]
fn a_stopped_switch_gives_everything_back_and_starts_again_on_its_data_with_its_bindings() {
    let mut world = World::new("again");
    world.register();
    let token = world.running.as_ref().unwrap().token.clone();

    assert_eq!(world.stop(), Ended::Stopped);
    let mut shell = config::parse("", &config::Disk::new(&world.data)).unwrap().shell;
    shell.sip_udp = "127.0.0.1:0".parse().unwrap();
    shell.http = "127.0.0.1:0".parse().unwrap();
    let again =
        start(Parts { settings: world.settings.clone(), shell, data: world.data.clone(), source: None }).unwrap();

    assert_eq!(again.token, token);
    let Reply::Agents(agents) = again.commands.ask_blocking(Command::ListAgents).unwrap() else { panic!() };
    assert_eq!(agents.items.iter().map(|agent| agent.contacts.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(again.stop(), Ended::Stopped);
}

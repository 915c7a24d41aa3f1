//! The shell's sockets against real ones on loopback: SIP datagrams in and out, and a media shard between two phones.

#![cfg(feature = "shell")]

use bytes::Bytes;
use ringback::audio::{Clip, Library};
use ringback::entropy::Entropy;
use ringback::id::{LegRef, Name, PlayRef, RecordingId, Shard};
use ringback::media::{Command, Direction, Event, Format, Play, Remote};
use ringback::net::admission::{Admission, Found};
use ringback::net::rtp;
use ringback::net::udp::SipSocket;
use ringback::run::clock::Clock;
use ringback::run::recorder::Recorder;
use ringback::settings::{Cidr, Codec};
use ringback::sip::flow::Received;
use ringback::sip::message::Message;
use ringback::switch::{Input, Recorded};
use ringback::telemetry;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(10);

fn phone() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn options(from: SocketAddr, branch: u32) -> String {
    format!(
        "OPTIONS sip:ringback@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{branch};rport\r\n\
         From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: {branch}@x\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A socket that receives, and the inbox it fills.
fn receiving(inbox: usize, trusted: Vec<Cidr>) -> (SipSocket, mpsc::Receiver<Received>, Runtime) {
    let runtime = runtime();
    let socket = SipSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (sender, receiver) = mpsc::channel(inbox);
    let receive = socket.clone().receive(Clock::new(), Admission::new(trusted, Found::default()), sender);
    runtime.spawn(async move { receive.await.expect("the socket is readable") });
    (socket, receiver, runtime)
}

fn next(inbox: &mut mpsc::Receiver<Received>, runtime: &Runtime) -> Received {
    runtime.block_on(async { tokio::time::timeout(PATIENCE, inbox.recv()).await }).unwrap().unwrap()
}

#[test]
fn a_datagram_arrives_parsed_on_a_flow_that_leads_back() {
    let (socket, mut inbox, runtime) = receiving(16, Vec::new());
    let phone = phone();
    let address = phone.local_addr().unwrap();

    phone.send_to(b"\r\n\r\n", socket.bound()).unwrap();
    phone.send_to(options(address, 1).as_bytes(), socket.bound()).unwrap();
    let received = next(&mut inbox, &runtime);
    socket.send(received.flow, b"SIP/2.0 200 OK\r\n\r\n").unwrap();
    let mut buffer = [0; 100];
    let (length, from) = phone.recv_from(&mut buffer).unwrap();

    assert!(matches!(received.message, Ok(Message::Request(_))));
    assert_eq!((received.flow.local, received.flow.remote), (socket.bound(), address));
    assert_eq!((&buffer[..length], from), (&b"SIP/2.0 200 OK\r\n\r\n"[..], socket.bound()));
}

#[test]
fn a_message_that_cannot_be_read_arrives_as_such_and_the_next_one_is_read() {
    let (socket, mut inbox, runtime) = receiving(16, Vec::new());
    let phone = phone();

    phone.send_to(b"\xff\xfe not SIP at all", socket.bound()).unwrap();
    phone.send_to(&[b'x'; 65_000], socket.bound()).unwrap();
    phone.send_to(options(phone.local_addr().unwrap(), 2).as_bytes(), socket.bound()).unwrap();

    assert!(next(&mut inbox, &runtime).message.is_err());
    assert!(next(&mut inbox, &runtime).message.is_err());
    assert!(next(&mut inbox, &runtime).message.is_ok());
    assert_eq!(telemetry::PARSER_PANICS.get(), 0);
}

#[test]
fn a_full_inbox_drops_the_newest_and_counts_it() {
    let (socket, mut inbox, runtime) = receiving(2, Vec::new());
    let phone = phone();
    let before = telemetry::INBOX_FULL.get();

    for n in 0..5 {
        phone.send_to(options(phone.local_addr().unwrap(), n).as_bytes(), socket.bound()).unwrap();
    }
    let began = Instant::now();
    while telemetry::INBOX_FULL.get() < before + 3 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    }

    for n in 0..2 {
        let Ok(Message::Request(request)) = next(&mut inbox, &runtime).message else { panic!() };
        assert_eq!(request.headers.call_id().to_string(), format!("{n}@x"));
    }
}

/// A shard with its recorder, and what it tells.
struct Plane {
    shard: rtp::Running,
    news: mpsc::Receiver<Input>,
    recorder: Recorder,
    recorded: std::sync::mpsc::Receiver<Recorded>,
    data: PathBuf,
    waiting: Runtime,
}

const HOLD: &str = "hold";
const A: LegRef = LegRef(1);
const B: LegRef = LegRef(2);

impl Plane {
    fn new(name: &str) -> Plane {
        let data = std::env::temp_dir().join(format!("ringback-shard-{name}-{}", std::process::id()));
        let (told, recorded) = std::sync::mpsc::channel();
        let recorder = Recorder::start(data.clone(), move |done| told.send(done).unwrap()).unwrap();
        let clip = Clip::new((0..8_000).map(|n: i32| ((n * 37) % 2_000) as i16).collect());
        let library: Library = [(Name::from(HOLD), Arc::new(clip))].into_iter().collect();
        let (sender, news) = mpsc::channel(64);
        let shard = rtp::start(rtp::Parts {
            shard: Shard(0),
            address: Ipv4Addr::LOCALHOST.into(),
            library: Arc::new(library),
            entropy: Entropy::from_seed(1),
            clock: Clock::new(),
            news: sender,
            tapes: recorder.feed(),
        });
        Plane { shard: shard.unwrap(), news, recorder, recorded, data, waiting: runtime() }
    }

    fn tell(&self, command: Command) {
        self.shard.commands.blocking_send(command).unwrap();
    }

    fn event(&mut self) -> Event {
        let next = async { tokio::time::timeout(PATIENCE, self.news.recv()).await };
        match self.waiting.block_on(next).unwrap().unwrap() {
            Input::Media(Shard(0), event) => event,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for an event; others may come before it.
    fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.event();
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Opens a leg towards a phone; the address the phone sends to.
    fn leg(&self, leg: LegRef, phone: &UdpSocket) -> SocketAddr {
        let port = free_pair();
        let remote = phone.local_addr().unwrap();
        let format = Format {
            codec: Codec::Pcmu,
            payload_type: 0,
            dtmf_send: Some(101),
            dtmf_receive: Some(101),
            frame_samples: 160,
        };
        self.tell(Command::Open { leg, port });
        self.tell(Command::Update {
            leg,
            format,
            remote: Remote { signalled: Some(remote), signalling_ip: remote.ip() },
            direction: Direction::SendRecv,
            silence: None,
        });
        (IpAddr::from(Ipv4Addr::LOCALHOST), port).into()
    }

    fn end(self) {
        let Plane { shard, recorder, data, .. } = self;
        drop(shard.commands);
        shard.thread.join().unwrap();
        recorder.finish();
        drop(std::fs::remove_dir_all(data));
    }
}

/// An even port that is free together with the next one: below those that the system lends to anybody, and never the
/// same again, since tests run beside each other.
fn free_pair() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(22_000);
    loop {
        let port = NEXT.fetch_add(2, Ordering::Relaxed);
        let free = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        if let (Ok(_), Ok(_)) = (free(port), free(port | 1)) {
            return port;
        }
    }
}

fn voice(sequence: u16, octet: u8) -> Bytes {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(0xfeed_u32.to_be_bytes());
    packet.extend([octet; 160]);
    packet.into()
}

#[test]
fn two_phones_hear_each_other_through_a_bridge_and_the_tape_has_both() {
    let mut plane = Plane::new("bridge");
    let (anna, carl) = (phone(), phone());
    let (to_a, to_b) = (plane.leg(A, &anna), plane.leg(B, &carl));
    let id = RecordingId(Entropy::from_seed(3).ulid(chrono::Utc::now()));
    plane.tell(Command::Bridge { a: A, b: B });
    plane.tell(Command::Record { recording: id, left: A, right: B });

    let (mut heard_by_anna, mut heard_by_carl, mut sequence) = (0, 0, 0);
    let began = Instant::now();
    let mut buffer = [0; 1_500];
    for socket in [&anna, &carl] {
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    }
    while heard_by_anna < 20 || heard_by_carl < 20 {
        assert!(began.elapsed() < PATIENCE, "{heard_by_anna} {heard_by_carl}");
        anna.send_to(&voice(sequence, 0x11), to_a).unwrap();
        carl.send_to(&voice(sequence, 0x22), to_b).unwrap();
        sequence += 1;
        std::thread::sleep(Duration::from_millis(20)); // The pace at which phones speak.
        let hears = |socket: &UdpSocket, buffer: &mut [u8], octet| match socket.recv_from(buffer) {
            Ok((172, _)) => u32::from(buffer[12..172].iter().all(|heard| *heard == octet)),
            Ok(_) | Err(_) => 0,
        };
        heard_by_anna += hears(&anna, &mut buffer, 0x22);
        heard_by_carl += hears(&carl, &mut buffer, 0x11);
    }
    plane.tell(Command::StopRecord { recording: id });
    let recorded = plane.recorded.recv_timeout(PATIENCE).unwrap();
    plane.tell(Command::Close { leg: A });
    plane.until(|event| matches!(event, Event::Closed { leg: A, stats } if stats.received >= 20));

    assert!(recorded.file.unwrap().samples >= 10 * 160);
    plane.end();
}

#[test]
fn hold_music_comes_every_twenty_milliseconds() {
    let plane = Plane::new("hold");
    let phone = phone();
    plane.leg(A, &phone);
    plane.tell(Command::Play { leg: A, play: PlayRef(1), what: Play::Hold(HOLD.into()) });

    let (mut buffer, mut arrived, mut stamps) = ([0; 1_500], Vec::new(), Vec::new());
    while arrived.len() < 51 {
        let (length, _) = phone.recv_from(&mut buffer).unwrap();
        assert!(length == 172, "RTP only comes to the RTP port");
        arrived.push(Instant::now());
        stamps.push(u32::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]));
    }

    // Whoever is late on a busy machine catches up, so a few packets may come close together; but none comes early,
    // and by its stamps none is left out, other than after a delay of a tenth of a second.
    let took = arrived[50] - arrived[0];
    let caught_up = Duration::from_millis(200);
    assert!(took + caught_up > Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
    let steps = stamps.windows(2).map(|two| two[1].wrapping_sub(two[0]));
    assert!(steps.clone().all(|step| step > 0 && step % 160 == 0), "{:?}", steps.collect::<Vec<_>>());
    plane.end();
}

#[test]
fn a_port_that_is_taken_is_said_and_one_that_was_closed_is_free_again() {
    let mut plane = Plane::new("ports");
    let port = free_pair();
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1)).unwrap();

    plane.tell(Command::Open { leg: A, port });
    assert_eq!(plane.event(), Event::OpenFailed { leg: A });
    plane.tell(Command::Close { leg: A }); // Nothing comes of it: the next event is about the next leg.
    drop(taken);
    for _ in 0..20 {
        plane.tell(Command::Open { leg: B, port });
        plane.tell(Command::Close { leg: B });
        assert!(matches!(plane.event(), Event::Closed { leg: B, .. }));
    }

    plane.end();
}

//! A media shard: one thread, one current-thread runtime, one `media::Engine`, and a pair of sockets per leg (RTP even,
//! RTCP the next port, RFC 3550 §11).
//!
//! Everything runs on the shard's own thread, so the engine needs no lock. The shard never waits for the switch nor for
//! the recorder: what they cannot take at once is kept (events, ends of tapes) or counted and replaced by silence
//! (frames), so that the switch may wait for the shard without either of them waiting for ever.

use super::sockets::{self, Traffic, canonical, for_socket};
use crate::audio::clip::Library;
use crate::entropy::Entropy;
use crate::id::{LegRef, RecordingId, Shard};
use crate::limits::{RTP_PACKET_BYTES, SHARD_INBOX};
use crate::media::{Command, Engine, Event, Sink, Spread};
use crate::run::clock::Clock;
use crate::run::recorder::TapeFeed;
use crate::switch::Input;
use crate::telemetry;
use crate::time::Tick;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, LocalSet};

/// Later than this and people hear it.
const LATE: Duration = Duration::from_millis(10);
/// Packets read from one socket before the others get their turn.
const BURST: usize = 16;
/// How soon an event is tried again that the switch could not take.
const RETRY: Duration = Duration::from_millis(5);

/// What a shard is made of.
pub struct Parts {
    /// Which one it is.
    pub shard: Shard,
    /// Where its sockets are bound.
    pub address: IpAddr,
    /// Prompts and music.
    pub library: Arc<Library>,
    /// Its randomness.
    pub entropy: Entropy,
    /// The process's clocks.
    pub clock: Clock,
    /// Events for the switch.
    pub news: mpsc::Sender<Input>,
    /// Frames for the recorder.
    pub tapes: TapeFeed,
}

/// A running shard. It ends when every sender of its commands is gone.
pub struct Running {
    /// What it is told.
    pub commands: mpsc::Sender<Command>,
    /// Its thread.
    pub thread: thread::JoinHandle<()>,
}

/// Starts the shard's thread.
pub fn start(parts: Parts) -> io::Result<Running> {
    let (commands, told) = mpsc::channel(SHARD_INBOX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name(format!("media-{}", parts.shard.0)).spawn(move || {
        let plane = Plane::new(parts);
        LocalSet::new().block_on(&runtime, plane.run(told));
    })?;
    Ok(Running { commands, thread })
}

struct Plane {
    shard: Shard,
    address: IpAddr,
    clock: Clock,
    news: mpsc::Sender<Input>,
    core: RefCell<Core>,
    /// The instant the timer waits for; a command may bring an earlier one.
    armed: Cell<Option<Tick>>,
    rearm: Notify,
}

struct Core {
    engine: Engine,
    out: Outlet,
}

/// The engine's sink: sockets, the recorder, and the events not yet told.
struct Outlet {
    legs: HashMap<LegRef, Leg, BuildHasherDefault<Spread>>,
    tapes: TapeFeed,
    events: VecDeque<Event>,
    /// Ends of legs, told once their readers are gone: then the port is free to be lent again.
    closing: Vec<(Event, [JoinHandle<()>; 2])>,
}

struct Leg {
    rtp: Rc<UdpSocket>,
    rtcp: Rc<UdpSocket>,
    /// Where the first of them is bound; both are of one family.
    local: SocketAddr,
    readers: [JoinHandle<()>; 2],
}

impl Sink for Outlet {
    fn send(&mut self, leg: LegRef, to: SocketAddr, rtcp: bool, packet: &[u8]) {
        let Some(leg) = self.legs.get(&leg) else { return };
        let socket = if rtcp { &leg.rtcp } else { &leg.rtp };
        // A packet that does not leave is a lost packet; the peer's jitter buffer knows what to do.
        if socket.try_send_to(packet, for_socket(leg.local, to)).is_ok() {
            telemetry::RTP_OUT.add(1);
        }
    }

    fn tape(&mut self, recording: RecordingId, left: &[i16; 160], right: &[i16; 160]) {
        self.tapes.frame(recording, left, right);
    }

    fn tape_end(&mut self, recording: RecordingId) {
        self.tapes.end(recording);
    }

    fn event(&mut self, event: Event) {
        let gone = match &event {
            Event::Closed { leg, .. } | Event::OpenFailed { leg } => self.legs.remove(leg),
            Event::Digit { .. } | Event::Played { .. } | Event::Heard { .. } | Event::Silent { .. } => None,
        };
        match gone {
            Some(Leg { readers, .. }) => self.closing.push((event, readers)),
            None => self.events.push_back(event),
        }
    }
}

impl Plane {
    fn new(parts: Parts) -> Rc<Plane> {
        let Parts { shard, address, library, entropy, clock, news, tapes } = parts;
        let out = Outlet { legs: HashMap::default(), tapes, events: VecDeque::new(), closing: Vec::new() };
        let core = RefCell::new(Core { engine: Engine::new(library, entropy), out });
        Rc::new(Plane { shard, address, clock, news, core, armed: Cell::new(None), rearm: Notify::new() })
    }

    async fn run(self: Rc<Self>, mut told: mpsc::Receiver<Command>) {
        let mut timer = tokio::task::spawn_local(self.clone().keep_time());
        loop {
            tokio::select! {
                command = told.recv() => match command {
                    Some(command) => self.command(command),
                    None => break, // The switch has ended.
                },
                // Without time every call of this shard would fall silent: the switch notices that the shard is gone.
                _ = &mut timer => panic!("the timer of media shard {} has ended", self.shard.0),
            }
        }
        timer.abort();
    }

    fn command(self: &Rc<Self>, command: Command) {
        if let Command::Open { leg, port } = &command
            && let Err(error) = self.open(*leg, *port)
        {
            tracing::warn!(port, %error, "a media port could not be bound");
            // There are no sockets to wait for, and a leg that has this reference already keeps its own.
            self.core.borrow_mut().out.events.push_back(Event::OpenFailed { leg: *leg });
            return self.settle();
        }
        let core = &mut *self.core.borrow_mut();
        core.engine.command(self.clock.tick(), command, &mut core.out);
        self.arm(core);
        self.tell(core);
    }

    fn settle(self: &Rc<Self>) {
        let core = &mut *self.core.borrow_mut();
        self.arm(core);
        self.tell(core);
    }

    fn open(self: &Rc<Self>, leg: LegRef, port: u16) -> io::Result<()> {
        if self.core.borrow().out.legs.contains_key(&leg) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let rtcp_port = port.checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
        let bind = |port| sockets::bind(SocketAddr::new(self.address, port), Traffic::Voice);
        let rtp = Rc::new(UdpSocket::from_std(bind(port)?)?);
        let rtcp = Rc::new(UdpSocket::from_std(bind(rtcp_port)?)?);
        let reader =
            |socket: &Rc<UdpSocket>, is_rtcp| tokio::task::spawn_local(self.clone().read(leg, socket.clone(), is_rtcp));
        let readers = [reader(&rtp, false), reader(&rtcp, true)];
        let local = SocketAddr::new(self.address, port);
        self.core.borrow_mut().out.legs.insert(leg, Leg { rtp, rtcp, local, readers });
        Ok(())
    }

    /// One socket's packets, until its leg is closed and this task with it.
    async fn read(self: Rc<Self>, leg: LegRef, socket: Rc<UdpSocket>, is_rtcp: bool) {
        let mut buffer = [0; RTP_PACKET_BYTES];
        while socket.readable().await.is_ok() {
            for _ in 0..BURST {
                // An error other than "nothing there" is an ICMP echo of something we sent; media goes on.
                match socket.try_recv_from(&mut buffer) {
                    Ok((length, from)) => self.receive(leg, canonical(from), is_rtcp, &buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {}
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn close(self: Rc<Self>, event: Event, readers: [JoinHandle<()>; 2]) {
        for reader in readers {
            reader.abort();
            drop(reader.await); // Cancelled, as was asked; its socket is closed now.
        }
        self.core.borrow_mut().out.events.push_back(event);
        self.settle();
    }

    fn receive(self: &Rc<Self>, leg: LegRef, from: SocketAddr, is_rtcp: bool, packet: &[u8]) {
        telemetry::RTP_IN.add(1);
        let core = &mut *self.core.borrow_mut();
        core.engine.receive(self.clock.tick(), leg, from, is_rtcp, packet, &mut core.out);
        self.arm(core);
        self.tell(core);
    }

    async fn keep_time(self: Rc<Self>) {
        loop {
            let wait = self.next_wait();
            tokio::select! {
                () = tokio::time::sleep(wait) => self.tick(),
                () = self.rearm.notified() => {}
            }
        }
    }

    fn next_wait(&self) -> Duration {
        let core = self.core.borrow();
        let due = core.engine.poll_timeout();
        self.armed.set(due);
        let untold = !core.out.events.is_empty() || core.out.tapes.is_behind();
        let wait = due.map_or(Duration::from_secs(3_600), |due| due.since(self.clock.tick()));
        if untold { wait.min(RETRY) } else { wait }
    }

    fn tick(self: &Rc<Self>) {
        let core = &mut *self.core.borrow_mut();
        let now = self.clock.tick();
        if let Some(due) = core.engine.poll_timeout()
            && due <= now
        {
            telemetry::LATE_TICKS.add(u64::from(now.since(due) > LATE));
            core.engine.tick(now, &mut core.out);
        }
        core.out.tapes.retry();
        self.tell(core);
    }

    /// Wakes the timer when it would sleep too long.
    fn arm(&self, core: &Core) {
        let sooner = match (core.engine.poll_timeout(), self.armed.get()) {
            (Some(due), Some(armed)) => due < armed,
            (Some(_), None) => true,
            (None, Some(_) | None) => false,
        };
        if sooner {
            self.rearm.notify_one();
        }
    }

    fn tell(self: &Rc<Self>, core: &mut Core) {
        for (event, readers) in core.out.closing.drain(..) {
            tokio::task::spawn_local(self.clone().close(event, readers));
        }
        while let Some(event) = core.out.events.pop_front() {
            match self.news.try_send(Input::Media(self.shard, event)) {
                Ok(()) => {}
                Err(TrySendError::Full(Input::Media(_, event))) => {
                    core.out.events.push_front(event);
                    self.rearm.notify_one(); // The timer then tries again soon.
                    return;
                }
                Err(TrySendError::Full(_) | TrySendError::Closed(_)) => return, // The switch is gone, and so are we.
            }
        }
    }
}

//! The switch's thread: it hands inputs and time to the `Switch` and carries out what the switch asks for.
//!
//! SIP comes by a channel that drops when it is full; everything else by one that never does. The switch waits for a
//! shard only, and a shard waits for nobody. A commit or lookup that cannot be handed on is answered at once.

use super::Ended;
use super::clock::Clock;
use super::commands::Asked;
use super::flight::Flight;
use super::recorder::{self, Recorder};
use crate::entropy::Entropy;
use crate::flight;
use crate::id::{LookupRef, RecordingId, ReplyTo, Shard};
use crate::limits::{FAULTS_HOURLY, LOOKUPS};
use crate::media;
use crate::net::admission::Found;
use crate::net::udp::{SendError, SipSocket};
use crate::net::{dns, rtp};
use crate::settings::Settings;
use crate::sip::flow::Received;
use crate::store::Store;
use crate::switch::command::{Command, Reply};
use crate::switch::event::Event;
use crate::switch::{Fault, Input, Output, Recorded, RecordingFailed, Restored, Switch, Wanted, said};
use crate::telemetry;
use crate::time::Now;
use chrono::TimeDelta;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};

const HOUR: Duration = Duration::from_secs(3_600);
/// The two clocks are compared so often.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(1);
/// A wall clock that is so far from where it should be was set.
const CLOCK_WAS_SET: TimeDelta = TimeDelta::seconds(2);

/// What reaches the thread.
pub(super) struct Inboxes {
    /// From the network; drops when full.
    pub sip: mpsc::Receiver<Received>,
    /// From shards, store, recorder and lookups.
    pub news: mpsc::Receiver<Input>,
    /// From people and programs.
    pub asked: mpsc::Receiver<Asked>,
    /// The end.
    pub stop: oneshot::Receiver<()>,
}

/// What the thread carries things out with.
pub(super) struct World {
    pub clock: Clock,
    /// The data directory.
    pub data: PathBuf,
    pub socket: SipSocket,
    pub shards: Vec<rtp::Running>,
    pub recorder: Recorder,
    pub store: Store,
    pub events: broadcast::Sender<Event>,
    /// What the names of trunks led to.
    pub found: Found,
    /// For lookups, and their way back.
    pub runtime: Handle,
    pub news: mpsc::Sender<Input>,
}

struct Host {
    switch: Switch,
    clock: Clock,
    data: PathBuf,
    socket: SipSocket,
    shards: Vec<mpsc::Sender<media::Command>>,
    store: Store,
    events: broadcast::Sender<Event>,
    runtime: Handle,
    news: mpsc::Sender<Input>,
    lookups: Arc<Semaphore>,
    /// Names of trunks.
    trunks: HashSet<String>,
    found: Found,
    waiting: HashMap<ReplyTo, oneshot::Sender<Reply>>,
    replies: u64,
    flight: Flight,
    /// When the switch had its last faults.
    faults: VecDeque<Instant>,
    /// Answers that were known at once: fed after the outputs of the input that asked.
    at_once: VecDeque<Input>,
    /// The clocks when they were last compared.
    looked: Now,
}

/// What the switch begins with.
pub(super) struct Beginning {
    pub settings: Settings,
    pub restored: Restored,
    /// Tapes that a crash had left open.
    pub repaired: Vec<Recorded>,
    pub entropy: Entropy,
}

/// Starts the thread. The other end of the watch says how it ended.
pub(super) fn start(
    beginning: Beginning,
    world: World,
    inboxes: Inboxes,
) -> io::Result<(JoinHandle<()>, watch::Receiver<Option<Ended>>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (end, ended) = watch::channel(None);
    let thread = std::thread::Builder::new().name("switch".into()).spawn(move || {
        // A fault of ours ends the process's service visibly: half a switch would be worse than none.
        let served = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(beginning, world, inboxes))));
        match &served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the flight recorder could not be started"),
            Err(_) => tracing::error!("the switch has ended by a fault of its own"),
        }
        end.send_replace(Some(if matches!(served, Ok(Ok(()))) { Ended::Stopped } else { Ended::Fault }));
    })?;
    Ok((thread, ended))
}

/// Runs until stopped; what is on its way to the disk then is still written.
async fn run(beginning: Beginning, world: World, inboxes: Inboxes) -> io::Result<()> {
    let Beginning { settings, restored, repaired, mut entropy } = beginning;
    let trunks = settings.trunks.iter().map(|trunk| trunk.host.to_string()).collect();
    let (flight, switch) = begin(&world, settings, restored, &mut entropy)?;
    let World { clock, data, socket, shards, recorder, store, events, found, runtime, news } = world;
    let (shards, threads): (Vec<_>, Vec<_>) = shards.into_iter().map(|shard| (shard.commands, shard.thread)).unzip();
    let mut host = Host {
        switch,
        clock,
        data,
        socket,
        shards,
        store,
        events,
        runtime,
        news,
        lookups: Arc::new(Semaphore::new(LOOKUPS)),
        trunks,
        found,
        waiting: HashMap::new(),
        replies: 0,
        flight,
        faults: VecDeque::new(),
        at_once: VecDeque::new(),
        looked: clock.now(),
    };
    host.drain().await;
    for recorded in repaired {
        host.feed(Input::Recorded(recorded)).await;
    }
    let Inboxes { mut sip, mut news, mut asked, mut stop } = inboxes;
    let mut looks = tokio::time::interval(LOOK_AT_CLOCK);
    loop {
        let deadline = host.switch.poll_timeout().map(|(tick, _)| host.clock.instant(tick));
        // Unbiased: a flood on one side must not starve the others, nor time itself.
        let input = tokio::select! {
            Some(received) = sip.recv() => Input::Sip(Box::new(received)),
            Some(input) = news.recv() => input,
            Some(asked) = asked.recv() => host.question(asked),
            () = until(deadline) => Input::Timeout,
            _ = looks.tick() => match host.clock_was_set() {
                true => Input::Timeout,
                false => continue,
            },
            _ = &mut stop => break,
        };
        host.feed(input).await;
    }
    host.shards.clear(); // The shards end, and with them the recorder; its last news is still heard.
    let mut ended = tokio::task::spawn_blocking(move || {
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a media thread had ended by itself");
            }
        }
        recorder.finish();
    });
    loop {
        tokio::select! {
            Some(input) = news.recv() => host.feed(input).await,
            _ = &mut ended => break,
        }
    }
    while let Ok(input) = news.try_recv() {
        host.feed(input).await;
    }
    drop(news);
    drop(host); // The store writes what waits, and gives the directory back.
    Ok(())
}

/// That instant has come; without one it never does.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// The switch begins, and what it begins with is on the reel.
fn begin(world: &World, settings: Settings, restored: Restored, entropy: &mut Entropy) -> io::Result<(Flight, Switch)> {
    let seed = entropy.bytes();
    let mut beginning = flight::record::Beginning { now: world.clock.now(), seed, settings, restored };
    let mut flight = Flight::start(&world.data, &mut beginning, || world.clock.now())?;
    match catch_unwind(AssertUnwindSafe(|| beginning.switch())) {
        Ok(switch) => Ok((flight, switch)),
        Err(panic) => {
            flight.still_born(said(&*panic));
            drop(flight);
            resume_unwind(panic);
        }
    }
}

impl Host {
    fn question(&mut self, Asked { command, answer }: Asked) -> Input {
        if let Command::Configure(configure) = &command {
            // Trunks that are new are as trusted as those of the start, wherever their names lead.
            self.trunks.extend(configure.settings.trunks.iter().map(|trunk| trunk.host.clone()));
        }
        self.replies += 1;
        self.waiting.insert(ReplyTo(self.replies), answer);
        Input::Command(command, ReplyTo(self.replies))
    }

    /// Whether the wall clock shows something else than it should since the last input (durability.md §2.10).
    fn clock_was_set(&mut self) -> bool {
        let (before, now) = (self.looked, self.clock.now());
        self.looked = now;
        let passed = TimeDelta::from_std(now.tick.since(before.tick)).unwrap_or_default();
        (now.utc.signed_duration_since(before.utc) - passed).abs() > CLOCK_WAS_SET
    }

    async fn feed(&mut self, input: Input) {
        self.at_once.push_back(input);
        while let Some(input) = self.at_once.pop_front() {
            let now = self.clock.now();
            self.flight.input(now, &input, &self.switch);
            let handled = self.switch.handle_guarded(now, input);
            if let Err(fault) = &handled {
                self.flight.fault(now, fault);
            }
            self.drain().await;
            if let Err(fault) = handled {
                self.outlive(&fault);
            }
        }
    }

    /// A fault has cost a call. Too many of them, or one that could not be put right, and the process ends: whoever
    /// supervises it starts it anew, and what was promised is on the disk.
    fn outlive(&mut self, fault: &Fault) {
        let now = Instant::now();
        self.faults.push_back(now);
        while self.faults.front().is_some_and(|first| now.duration_since(*first) > HOUR) {
            self.faults.pop_front();
        }
        if !fault.mended {
            panic!("a fault could not be put right");
        }
        if self.faults.len() > FAULTS_HOURLY {
            panic!("{} faults within an hour are too many", self.faults.len());
        }
    }

    async fn drain(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            self.carry_out(output).await;
        }
    }

    async fn carry_out(&mut self, output: Output) {
        self.flight.output(&output);
        match output {
            Output::Send(flow, message) => match self.socket.send(flow, &message) {
                Ok(()) | Err(SendError::Lost) => {} // UDP may lose; SIP's timers know.
                Err(SendError::Unreachable) => self.at_once.push_back(Input::FlowLost(flow)),
            },
            Output::Locate(reference, wanted) => self.locate(reference, wanted),
            Output::Media(shard, command) => self.tell(shard, command).await,
            Output::Commit(reference, changes) => {
                if let Err(why) = self.store.commit(reference, changes) {
                    self.at_once.push_back(Input::Committed(reference, Err(why)));
                }
            }
            Output::Erase(recording) => self.erase(recording),
            Output::Reply(to, reply) => {
                if let Some(answer) = self.waiting.remove(&to) {
                    drop(answer.send(reply)); // Whoever asked may have lost patience.
                }
            }
            Output::Publish(event) => {
                telemetry::observe(&event);
                if !matches!(event, Event::SipMessage { .. } | Event::SipRefused { .. }) {
                    drop(self.events.send(event)); // Nobody need be listening.
                }
            }
        }
    }

    async fn tell(&self, shard: Shard, command: media::Command) {
        let Some(commands) = self.shards.get(usize::from(shard.0)) else { return }; // We are ending.
        if commands.send(command).await.is_err() {
            // A shard ends only by a fault of ours, and calls without media are no calls.
            panic!("media shard {} has ended by itself", shard.0);
        }
    }

    /// Off this thread: a disk may take its time.
    fn erase(&self, recording: RecordingId) {
        let (data, news) = (self.data.clone(), self.news.clone());
        self.runtime.spawn_blocking(move || {
            let erased = recorder::erase(&data, recording).map_err(|error| {
                tracing::warn!(%recording, %error, "a recording could not be deleted");
                RecordingFailed
            });
            drop(news.blocking_send(Input::Erased(recording, erased))); // Only a switch that has ended is deaf.
        });
    }

    fn locate(&mut self, reference: LookupRef, wanted: Wanted) {
        let Ok(permit) = self.lookups.clone().try_acquire_owned() else {
            tracing::warn!(host = ?wanted.host, "too many lookups at once");
            return self.at_once.push_back(Input::Located(reference, Vec::new()));
        };
        let (socket, news) = (self.socket.clone(), self.news.clone());
        let found = self.trunks.contains(&wanted.host).then(|| self.found.clone());
        self.runtime.spawn(async move {
            let flows = dns::locate(&socket, &wanted).await;
            drop(permit);
            // A name that leads nowhere for a while is no reason to forget where it led.
            if let Some(found) = found.filter(|_| !flows.is_empty()) {
                found.put(&wanted.host, flows.iter().map(|flow| flow.remote.ip()).collect());
            }
            drop(news.send(Input::Located(reference, flows)).await); // Only a switch that has ended does not listen.
        });
    }
}

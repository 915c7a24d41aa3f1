//! Putting it together: store, clips, recorder, shards, the switch's thread, sockets and HTTP, started in the order in
//! which a failure costs least and ended in the order in which nothing is lost.
//!
//! `start` gives a whole switch inside this process: the binary, the demo and the tests all use it. `serve` is the
//! binary's: it adds logs, signals and draining.

pub mod clips;
pub mod clock;
pub mod commands;
mod edition;
pub mod editor;
pub mod flight;
mod host;
mod identity;
pub mod prompts;
pub mod recorder;
pub mod repair;
mod serve;
pub mod space;
pub mod speech;
pub mod standing;
mod start_error;

pub use commands::{Commands, NoAnswer};
pub use edition::set_aside;
pub use editor::{Editor, Source};
pub use serve::{ServeError, serve};
pub use start_error::StartError;

use crate::audio::clip::Library;
use crate::entropy::Entropy;
use crate::id::{CommitRef, Shard};
use crate::limits::INBOX;
use crate::net::admission::{Admission, Found, Trusted};
use crate::net::rtp;
use crate::net::udp::SipSocket;
use crate::settings::{Cidr, Settings, ShellSettings};
use crate::sip::flow::Received;
use crate::store::{Limits, Opened, Report, Store, ViewReport};
use crate::switch::event::Event;
use crate::switch::{Input, NotStored, Restored, Revision};
use crate::web;
use clips::ClipError;
use clock::Clock;
use host::{Beginning, Inboxes, World};
use prompts::Prompts;
use recorder::Recorder;
use space::{Measure, Watch};
use standing::Standing;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Events that a slow listener may fall behind before it misses some.
const EVENTS: usize = 4_096;

/// What a switch is started from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The site.
    pub settings: Settings,
    /// Addresses and prompt files; port 0 takes a free one.
    pub shell: ShellSettings,
    /// The data directory; made when it is not there.
    pub data: PathBuf,
    /// What the site was read from; `None`: it is what it is, and nobody edits it.
    pub source: Option<Source>,
}

/// How a switch came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was stopped.
    Stopped,
    /// A fault of ours; the log says where.
    Fault,
}

/// A switch that runs in this process. Dropping it stops it at once; calls that run are cut.
pub struct Running {
    /// Where phones and trunks reach it.
    pub sip: SocketAddr,
    /// Where its HTTP is.
    pub http: SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
    /// The bearer token of its HTTP.
    pub token: String,
    /// Asks it.
    pub commands: Commands,
    /// Changes its site, when it was told where that comes from.
    pub editor: Option<Editor>,
    events: broadcast::Sender<Event>,
    ended: watch::Receiver<Option<Ended>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Running {
    /// What happens from now on. A listener that falls far behind misses some.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Waits until it has ended, by `stop` or by a fault.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(how) => how.unwrap_or(Ended::Fault),
            Err(_) => Ended::Fault, // The thread is gone without a word.
        }
    }

    /// Stops it: tapes are closed, commits written, the data directory is free afterwards.
    pub fn stop(mut self) -> Ended {
        self.end();
        self.ended.borrow().unwrap_or(Ended::Fault)
    }

    fn end(&mut self) {
        drop(self.stop.take()); // A dropped sender is the signal.
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the switch's thread could not be joined");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a switch. When this returns, phones can register.
pub fn start(parts: Parts) -> Result<Running, StartError> {
    start_by(parts, Clock::new())
}

/// Starts a switch that goes by this clock.
pub fn start_by(parts: Parts, clock: Clock) -> Result<Running, StartError> {
    start_on(parts, clock, space::measure())
}

/// Starts a switch whose disk is as full as `measure` says.
pub fn start_on(parts: Parts, clock: Clock, measure: Measure) -> Result<Running, StartError> {
    let Parts { mut settings, mut shell, data, source } = parts;
    let mut entropy = Entropy::from_secret(secret()?);
    // Sockets first: a taken port is the likeliest failure, and nothing has been touched yet.
    let socket = SipSocket::bind(shell.sip_udp).map_err(|error| StartError::Sip(shell.sip_udp, error))?;
    let (http, http_address) = listen(shell.http).map_err(|error| StartError::Http(shell.http, error))?;
    let mut opened = Opened::open(&data, Limits::default())?;
    let (commands, asked) = Commands::pair();
    let prompts = Prompts::new(&data, shell.speech_command.clone(), settings.system.default_country.clone());
    let trusted = Trusted::default();
    let reach = (commands.clone(), prompts.clone(), trusted.clone());
    let editor = source.map(|source| edit(source, &opened, &mut settings, &mut shell, reach)).transpose()?;
    trusted.put(admitted(&settings));
    let token =
        web::token::load_or_create(&data).map_err(|error| StartError::Token(data.join("admin.token"), error))?;
    let runtime = runtime().map_err(StartError::Thread)?;
    let (sip_in, sip) = mpsc::channel(INBOX);
    let (news_in, news) = mpsc::channel(INBOX);
    let (stop, stopped) = oneshot::channel();
    let (events, _) = broadcast::channel(EVENTS);
    runtime.block_on(prompts.adopt(sounds(&prompts, &shell, &opened)?));
    let plane = Plane { clock, shell: &shell, settings: &settings, prompts: &prompts, news: &news_in };
    let (recorder, shards) = plane.start(&data, &mut entropy)?;
    let (restored, repaired) = (restored(&mut opened, &data, &clock)?, repair::repair(&data));
    let (store, standing) = store(opened, &data, measure, &runtime, &news_in);
    let found = Found::default();
    let admission = Admission::new(trusted, found.clone());
    runtime.spawn(receive(socket.clone(), clock, admission, sip_in));
    let site = web::Site {
        commands: commands.clone(),
        token: token.clone(),
        data: data.clone(),
        standing,
        editor: editor.clone(),
        prompts,
        sessions: web::Sessions::default(),
        events: web::Events::of(&runtime, events.subscribe()),
        backups: web::Backups::new(store.snapshots()),
    };
    runtime.spawn(web::serve(http, site));
    let sip_address = socket.bound();
    let world = World {
        clock,
        data: data.clone(),
        socket,
        shards,
        recorder,
        store,
        events: events.clone(),
        found,
        runtime: runtime.handle().clone(),
        news: news_in,
    };
    let inboxes = Inboxes { sip, news, asked, stop: stopped };
    let beginning = Beginning { settings, restored, repaired, entropy };
    let (thread, ended) = host::start(beginning, world, inboxes).map_err(StartError::Thread)?;
    Ok(Running {
        sip: sip_address,
        http: http_address,
        data,
        token,
        commands,
        editor,
        events,
        ended,
        stop: Some(stop),
        thread: Some(thread),
        runtime: Some(runtime),
    })
}

/// The file's site and the store's objects become one. What the command line says of `[server]` stays.
fn edit(
    source: Source,
    opened: &Opened,
    settings: &mut Settings,
    shell: &mut ShellSettings,
    reach: (Commands, Prompts, Trusted),
) -> Result<Editor, StartError> {
    let editor = Editor::new(source, &opened.restored.objects, secret()?, reach).map_err(StartError::Site)?;
    editor.set_aside().iter().for_each(|told| tracing::error!("{told}"));
    let server = settings.server.clone();
    *settings = Settings { server, ..editor.settings() };
    shell.prompts = editor.shell().prompts;
    Ok(editor)
}

/// What can be played. The file's prompts are its own fault; one of the store that is broken is silent.
fn sounds(prompts: &Prompts, shell: &ShellSettings, opened: &Opened) -> Result<Arc<Library>, ClipError> {
    let of_store = |name: &str| opened.restored.objects.iter().any(|of| of.kind == "prompt" && of.name == name);
    prompts.load(&shell.prompts, &of_store)
}

/// The store begins to write, and its disk is watched.
fn store(
    opened: Opened,
    data: &Path,
    measure: Measure,
    runtime: &Runtime,
    news: &mpsc::Sender<Input>,
) -> (Store, Standing) {
    let report = opened.report.clone();
    report_store(&report);
    let store = opened.start(answers(news.clone()));
    let standing = Standing::new(data, &report, store.health(), store.ballast());
    let watch = Watch {
        data: data.to_owned(),
        measure,
        standing: standing.clone(),
        store: store.snapshots(),
        health: store.health(),
        ballast: store.ballast(),
        news: news.clone(),
    };
    runtime.spawn(watch.run());
    (store, standing)
}

/// What the store hands back, and the secret that belongs to it.
fn restored(opened: &mut Opened, data: &Path, clock: &Clock) -> Result<Restored, StartError> {
    let mut restored = std::mem::take(&mut opened.restored);
    restored.shown = restored.shown.map(|machine| clock.at(machine));
    let secret = identity::load_or_create(data);
    restored.secret = secret.map_err(|error| StartError::Token(data.join(identity::FILE), error))?;
    Ok(restored)
}

/// What the store has to say of a commit.
fn answers(news: mpsc::Sender<Input>) -> impl FnMut(CommitRef, Result<Revision, NotStored>) + Send + 'static {
    move |reference, result| {
        drop(news.blocking_send(Input::Committed(reference, result))); // Only a switch that has ended is deaf.
    }
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("shell").enable_all().build()
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn receive(socket: SipSocket, clock: Clock, admission: Admission, inbox: mpsc::Sender<Received>) {
    if let Err(error) = socket.receive(clock, admission, inbox).await {
        tracing::error!(%error, "SIP is not received");
    }
}

/// What recorder and shards are started with.
struct Plane<'a> {
    clock: Clock,
    shell: &'a ShellSettings,
    settings: &'a Settings,
    prompts: &'a Prompts,
    news: &'a mpsc::Sender<Input>,
}

impl Plane<'_> {
    fn start(self, data: &Path, entropy: &mut Entropy) -> Result<(Recorder, Vec<rtp::Running>), StartError> {
        let done = self.news.clone();
        let recorder = Recorder::start(data.to_owned(), move |recorded| {
            drop(done.blocking_send(Input::Recorded(recorded))); // Only a switch that has ended is deaf.
        });
        let recorder = recorder.map_err(StartError::Thread)?;
        let shards = (0..self.settings.server.shards).map(|shard| {
            rtp::start(rtp::Parts {
                shard: Shard(shard),
                address: self.shell.media_address,
                library: self.prompts.library(),
                entropy: entropy.fork(),
                clock: self.clock,
                news: self.news.clone(),
                tapes: recorder.feed(),
            })
        });
        let shards: Vec<rtp::Running> = shards.collect::<Result<_, _>>().map_err(StartError::Thread)?;
        self.prompts.reach(&shards.iter().map(|shard| shard.commands.clone()).collect::<Vec<_>>());
        Ok((recorder, shards))
    }
}

fn secret() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| StartError::Randomness)?;
    Ok(seed)
}

/// Trunks are known by their addresses and never limited; where their names lead is found while it runs.
fn admitted(settings: &Settings) -> Vec<Cidr> {
    let hosts = settings.trunks.iter().filter_map(|trunk| trunk.host.parse::<IpAddr>().ok());
    let hosts = hosts.map(|address| Cidr { address, bits: if address.is_ipv4() { 32 } else { 128 } });
    settings.trunks.iter().flat_map(|trunk| trunk.acl.iter().copied()).chain(hosts).collect()
}

fn report_store(report: &Report) {
    match &report.view {
        ViewReport::New => tracing::info!("a store was begun"),
        ViewReport::Followed(commits) => {
            tracing::info!(records = report.records, commits, "the store is open; its view has taken in these commits");
        }
        ViewReport::Adopted => {
            tracing::info!(records = report.records, "the store has got a journal; it was of an older version");
        }
        ViewReport::Rebuilt { why, checkpoint, commits } => tracing::warn!(
            records = report.records,
            why,
            checkpoint,
            commits,
            "the store is open; its view was made anew from the checkpoint of this commit and so many commits since"
        ),
    }
    if !report.quarantined.is_empty() {
        let count = report.quarantined.len();
        tracing::error!(count, "records could not be believed; they lie in store/quarantine.jsonl");
    }
    if report.lost_commits > 0 {
        tracing::error!(count = report.lost_commits, "the disk has lost commits it had acknowledged");
    }
    if !report.is_well() {
        let damage: Vec<String> = report.damage.iter().map(ToString::to_string).collect();
        tracing::error!(
            ?damage,
            "NOT all is well with the store: keep a copy of the data directory before anything else"
        );
    }
}

//! `ringback demo`: the whole story without any phone. The real switch runs in this process; a carrier with seven
//! customers and two agents' phones speak SIP and RTP with it over UDP on loopback.
//!
//! The people are the sans-IO ones that `tests/sim` runs in virtual time; here they have wires and a clock. Agents
//! register and pause; customers call, hear music, press the key, hear the promise and hang up; one stays, and one
//! gives up. The agents are ready again, and everybody is served in order of place; one is busy, for one a machine
//! answers, and one is called back when the office has opened. For that the switch goes by a clock that shows nine a
//! few seconds later. `story` writes down what happened, `judge` and `verdict` judge it.

mod cast;
mod cues;
mod hearing;
mod judge;
mod ladder;
mod picture;
mod stage;
mod story;
mod tape;
mod timeline;
mod verdict;
mod wires;

pub use verdict::Verdict;

use crate::entropy::Entropy;
use crate::id::CallRef;
use crate::run::clock::Clock;
use crate::run::{Ended, Parts, Running, StartError, start_by};
use crate::store::{Limits, OpenError, Opened};
use crate::switch::command::{Command, PageOf, Reply};
use crate::switch::view::{Call, Callback};
use crate::time::Tick;
use cast::{AGENTS, BILLING, CUSTOMERS, Place, Plan, Speed};
use stage::{Opening, Stage, Stopped, Timing};
use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use story::Story;
use timeline::Paint;
use verdict::Facts;

/// How the demo is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Patience and retry waits are divided by it.
    pub speed: f64,
    /// An empty or new folder for recordings and store; unset: a new one among the temporary files.
    pub data: Option<PathBuf>,
    /// Nothing is told while it runs.
    pub quiet: bool,
    /// Escape sequences may be written.
    pub colour: bool,
}

/// Why there is no verdict.
#[derive(Debug)]
pub enum DemoError {
    /// The folder cannot be made or read.
    Folder(PathBuf, io::Error),
    /// The folder holds something already.
    NotEmpty(PathBuf),
    /// No sockets for the people.
    Wires(io::Error),
    /// The switch did not start.
    Start(StartError),
    /// The switch ended by a fault of its own.
    Fault,
    /// Ctrl-C.
    Interrupted,
    /// What it has stored cannot be read afterwards.
    Store(OpenError),
    /// The timeline cannot be written.
    Output(io::Error),
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DemoError::Folder(path, error) => {
                write!(f, "{} cannot be used: {error}; name another folder with --data", path.display())
            }
            DemoError::NotEmpty(path) => {
                write!(f, "{} is not empty: name an empty or a new folder with --data", path.display())
            }
            DemoError::Wires(error) => write!(f, "the demo's phones get no UDP ports on 127.0.0.1: {error}"),
            DemoError::Start(error) => error.fmt(f),
            DemoError::Fault => {
                f.write_str("the switch has ended by a fault of its own; RINGBACK_LOG=info shows where")
            }
            DemoError::Store(error) => write!(f, "what the switch has stored cannot be read: {error}"),
            DemoError::Interrupted => f.write_str("the demo was stopped before its end"),
            DemoError::Output(error) => write!(f, "the output cannot be written: {error}"),
        }
    }
}

impl std::error::Error for DemoError {}

/// Plays the demo from beginning to end, and judges it.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<Verdict, DemoError> {
    let data = folder(options.data.as_deref())?;
    let speed = Speed(options.speed);
    let paint = Paint { colour: options.colour };
    let mut entropy = Entropy::from_secret(random()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DemoError::Wires)?;
    let wires = {
        let _within = runtime.enter();
        stage::lay_wires().map_err(DemoError::Wires)?
    };
    let place = Place {
        carrier_port: wires[story::CARRIER].sip.local_addr().map_err(DemoError::Wires)?.port(),
        media_ports: wires::free_ports(128).map_err(DemoError::Wires)?,
        secret: entropy.token(),
    };
    let config = cast::site(&place, speed);
    let settings = config.settings.clone();
    let opening = cast::nine(&settings, Clock::new().now().utc);
    let clock = Clock::showing(opening - speed.opening());
    let shown = cast::office_clock(&settings, opening);
    let timing = Timing { speed, clock, opening: Opening { at: opening, shown, told: false } };
    let parts = Parts { settings: config.settings, shell: config.shell, data: data.clone(), source: None };
    let running = start_by(parts, clock).map_err(DemoError::Start)?;
    let mut stage = Stage::new(wires, &running, &place.secret, timing, entropy);
    let mut out = Out { out, paint, quiet: options.quiet };
    let clock_shows = cast::office_clock(&settings, clock.now().utc);
    out.write(&opening_words(&running, &stage, &data, &clock_shows, paint))?;
    let played = runtime.block_on(stage.play(&running, &mut out));
    let end = stage.now();
    let told = match played {
        Ok(()) => runtime.block_on(ask(&running, &stage.story)),
        Err(stopped) => Err(stopped),
    };
    drop(runtime); // Phones are silent from here on.
    let ended = running.stop();
    let mut told = told.map_err(|stopped| match stopped {
        Stopped::Interrupted => DemoError::Interrupted,
        Stopped::Fault => DemoError::Fault,
        Stopped::Output(error) => DemoError::Output(error),
    })?;
    if ended == Ended::Fault {
        return Err(DemoError::Fault);
    }
    // The switch is gone: what it has promised and done has to lie on the disk.
    let restored = Opened::open(&data, Limits::default()).map_err(DemoError::Store)?.restored;
    told.facts.stored_tasks = restored.tasks;
    told.facts.stored_attempts = restored.attempts;
    told.facts.opening = opening;
    let seconds = (end.as_millis() / 100) as f64 / 10.0;
    let verdict = Verdict::of(&stage.story, &told.facts, &data, seconds);
    let picture = picture::draw(&stage.story, Tick::ZERO + speed.opening(), end, paint);
    out.write(&closing(&told, &verdict, &picture, paint))?;
    Ok(verdict)
}

/// Where the timeline goes.
pub(crate) struct Out<'a> {
    out: &'a mut dyn Write,
    paint: Paint,
    quiet: bool,
}

impl Out<'_> {
    fn write(&mut self, text: &str) -> Result<(), DemoError> {
        self.print(text).map_err(DemoError::Output)
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

/// A folder of the demo's own: the one named, when nothing lies in it, or a new one.
fn folder(named: Option<&Path>) -> Result<PathBuf, DemoError> {
    if let Some(named) = named {
        return match std::fs::read_dir(named) {
            Ok(mut entries) => match entries.next() {
                Some(_) => Err(DemoError::NotEmpty(named.to_owned())),
                None => Ok(named.to_owned()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(named.to_owned()),
            Err(error) => Err(DemoError::Folder(named.to_owned(), error)),
        };
    }
    let token = Entropy::from_secret(random()?).token();
    let path = std::env::temp_dir().join(format!("ringback-demo-{}", &token[..8]));
    // Made by us and by nobody else: recordings are private.
    let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
    made.map(|()| path.clone()).map_err(|error| DemoError::Folder(path, error))
}

fn random() -> Result<[u8; 32], DemoError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| DemoError::Start(StartError::Randomness))?;
    Ok(seed)
}

/// What the switch says when all is over.
struct Told {
    facts: Facts,
    ladders: Vec<Ladder>,
}

/// A call that is drawn.
struct Ladder {
    title: String,
    customer: &'static str,
    call: Call,
}

async fn ask(running: &Running, story: &Story) -> Result<Told, Stopped> {
    let mut facts = Facts::default();
    for task in story.guests.iter().filter_map(|guest| guest.task) {
        if let Reply::Callback(callback) = asked(running, Command::ShowCallback(task)).await? {
            facts.callbacks.push(*callback);
        }
    }
    if let Reply::Recordings(page) = asked(running, Command::ListRecordings(PageOf::default())).await? {
        facts.recordings = page.items;
    }
    let mut ladders = Vec::new();
    if let Some((customer, callback)) = of_plan(story, &facts, Plan::HearsItOut) {
        let title = format!("{customer} calls, presses 1 and #, and may hang up:");
        ladders.extend(ladder_of(running, title, customer, callback.task.origin_call).await?);
        let title = "The promise is kept, the agent first, who starts it with 1:".to_owned();
        ladders.extend(ladder_of(running, title, customer, first_attempt(running, callback).await?).await?);
    }
    if let Some((customer, callback)) = of_plan(story, &facts, Plan::HasMachine) {
        let title = format!("A machine answers for {customer}: the agent presses 9 and hangs up.");
        ladders.extend(ladder_of(running, title, customer, first_attempt(running, callback).await?).await?);
    }
    Ok(Told { facts, ladders })
}

fn of_plan<'a>(story: &Story, facts: &'a Facts, plan: Plan) -> Option<(&'static str, &'a Callback)> {
    let at = CUSTOMERS.iter().position(|customer| customer.plan == plan)?;
    let task = story.guests[at].task?;
    Some((CUSTOMERS[at].name, facts.callbacks.iter().find(|callback| callback.task.id == task)?))
}

/// The call of the first attempt.
async fn first_attempt(running: &Running, callback: &Callback) -> Result<Option<CallRef>, Stopped> {
    let Reply::Calls(page) = asked(running, Command::ListCalls(PageOf::default())).await? else { return Ok(None) };
    let attempts = page.items.iter().filter(|call| call.kind == "callback" && call.callback == Some(callback.task.id));
    Ok(attempts.min_by_key(|call| call.started_at).map(|call| call.id))
}

async fn ladder_of(
    running: &Running,
    title: String,
    customer: &'static str,
    call: Option<CallRef>,
) -> Result<Option<Ladder>, Stopped> {
    let Some(call) = call else { return Ok(None) };
    match asked(running, Command::ShowCall(call)).await? {
        Reply::Call(call) => Ok(Some(Ladder { title, customer, call: *call })),
        _ => Ok(None),
    }
}

async fn asked(running: &Running, command: Command) -> Result<Reply, Stopped> {
    running.commands.ask(command).await.map_err(|_| Stopped::Fault)
}

fn opening_words(running: &Running, stage: &Stage, data: &Path, clock: &str, paint: Paint) -> String {
    let agents = AGENTS.map(|agent| agent.name).join(" and ");
    format!(
        "{}\n\n  the switch    {} (SIP over UDP), http://{}\n  the carrier   {}, with {} customers behind it\n  \
         the agents    {agents}, each with a phone\n  \
         the clock     is set to {clock} in New York: {} opens at 09:00\n  \
         the data      {}\n\n{}\n",
        paint.bold("ringback demo: nobody waits on hold; we call you back."),
        running.sip,
        running.http,
        stage.carrier(),
        CUSTOMERS.len(),
        BILLING.queue,
        data.display(),
        paint.dim("   sec  who       what"),
    )
}

fn closing(told: &Told, verdict: &Verdict, picture: &str, paint: Paint) -> String {
    let mut out = String::new();
    let zero = told.ladders.first().map(|ladder| ladder.call.started_at);
    for Ladder { title, customer, call } in &told.ladders {
        let steps = call.ladder.clone().unwrap_or_default();
        let agent = call.agent.as_deref().filter(|_| call.kind == "callback");
        let (mut columns, mut titles) = (vec!["carrier", "ringback"], vec![*customer, "ringback"]);
        columns.extend(agent);
        titles.extend(agent);
        out.push_str(&format!("\n{}\n\n", paint.bold(title)));
        out.push_str(&ladder::draw(&columns, &titles, &steps, zero.unwrap_or(call.started_at), paint));
    }
    out.push_str(&format!(
        "\n{}\n\n{picture}\n{}\n{}\n{}",
        paint.bold("How everybody was served, second by second:"),
        verdict.table(paint),
        verdict.told(paint),
        verdict.recordings(paint)
    ));
    if verdict.ok {
        let sentence = format!(
            "Everybody was served in {:.0} seconds and in order: heard, called back, recorded, stored, and checked.",
            verdict.seconds
        );
        out.push_str(&format!("\n{}\n", paint.role(timeline::Role::Good, &sentence)));
    }
    out
}

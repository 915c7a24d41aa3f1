//! `ringback serve`: a switch as a process. Signals drain it, a second one ends it, a fault of ours ends it visibly.

use super::editor::NotEdited;
use super::{Ended, NoAnswer, Parts, Running, StartError, start};
use crate::switch::command::{Command, Done, Reply};
use crate::switch::view::Status;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

/// How often a draining switch is asked whether its last call has ended.
const LOOK: Duration = Duration::from_millis(250);

/// A switch that still does not answer so long after its time for draining never will.
const DEAF: Duration = Duration::from_secs(30);

/// How long the last BYEs have to leave.
const FAREWELL: Duration = Duration::from_millis(300);

/// Files beside those of calls: HTTP (`limits::HTTP_CONNECTIONS`), store, logs.
const OTHER_FILES: u64 = 320;

/// Why serving failed.
#[derive(Debug)]
pub enum ServeError {
    /// It never began.
    Start(StartError),
    /// It ended by a fault of ours.
    Fault,
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ServeError::Start(error) => error.fmt(f),
            ServeError::Fault => f.write_str("the switch has ended by a fault of its own: the log above says where"),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves until a signal or a drain has ended it. `ready` is called once, when phones can register.
pub fn serve(mut parts: Parts, ready: impl FnOnce(&Running)) -> Result<(), ServeError> {
    harden();
    open_files(&mut parts.settings.server.media_ports);
    let drain = parts.settings.server.drain;
    let running = start(parts).map_err(ServeError::Start)?;
    let handle = running.runtime.as_ref().expect("only the end takes the runtime").handle().clone();
    // Before anybody is told that it runs: who starts it may end it at once.
    let within = handle.enter();
    let signals = Signals::new().map_err(|error| ServeError::Start(StartError::Thread(error)))?;
    drop(within);
    ready(&running);
    let outcome = handle.block_on(until_over(&running, signals, drain));
    match (outcome, running.stop()) {
        (Ended::Stopped, Ended::Stopped) => Ok(()),
        (Ended::Fault, _) | (_, Ended::Fault) => Err(ServeError::Fault),
    }
}

/// Files are ours alone, and memory full of secrets is not left behind as a core dump (security.md T45).
fn harden() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps could not be turned off");
    }
    // A panic goes to the log like everything else; whoever supervises the thread decides what it means.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        super::flight::note_place(place.clone());
        let thread = std::thread::current().name().unwrap_or("?").to_owned();
        tracing::error!(%place, ?message, thread, "a fault of ours");
    }));
}

/// Each leg has two sockets, and the soft limit many systems start us with (1024) would end at 280 legs. Media ports
/// for which there would be no files are left alone: a call for which none is left is refused before it is answered,
/// and the store can always open its own (durability.md P14).
fn open_files(media_ports: &mut RangeInclusive<u16>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let (first, ports) = (*media_ports.start(), media_ports.len());
    let Some(maximum) = getrlimit(Resource::Nofile).current else { return };
    let most = usize::try_from(media_sockets(maximum)).unwrap_or(usize::MAX);
    if ports > most {
        *media_ports = first..=first + u16::try_from(most - 1).expect("fewer than the ports there are");
        tracing::warn!(
            maximum,
            ports,
            used = most,
            "the limit of open files is too low for all media ports: raise \
            `ulimit -Hn`; calls beyond are refused"
        );
    }
}

/// Media sockets that may be open when so many files may: what is left of the others, less a tape for two legs.
fn media_sockets(files: u64) -> u64 {
    let left = files - OTHER_FILES.min(files / 2);
    (left * 4 / 5).max(2)
}

async fn until_over(running: &Running, mut signals: Signals, drain: Duration) -> Ended {
    let mut leaving = Leaving { allowed: drain, signalled: false, since: None };
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay); // Who is busy is not asked the more for it.
    loop {
        tokio::select! {
            ended = running.ended() => return ended,
            signal = signals.next() => match signal {
                Signalled::Reload => reload(running),
                Signalled::Stumble => stumble(running).await,
                Signalled::End => match leaving.on_signal(Instant::now()) {
                    Step::Drain => look.reset_immediately(),
                    Step::End => {
                        tracing::warn!("a second signal: ending at once");
                        end_calls(running).await;
                        return Ended::Stopped;
                    }
                },
            },
            _ = look.tick() => {
                let status = match running.commands.ask(leaving.question()).await {
                    Ok(Reply::Status(status)) => Some(status),
                    Ok(_) | Err(NoAnswer) => None, // If it is gone, it has ended.
                };
                match leaving.on_status(Instant::now(), status.as_ref()) {
                    Found::Runs => {}
                    Found::Drained => {
                        tracing::info!("drained");
                        return Ended::Stopped;
                    }
                    Found::TooLong(calls) => {
                        tracing::warn!(calls, "the time for draining is over: calls are cut");
                        if end_calls(running).await {
                            return Ended::Stopped;
                        }
                    }
                    Found::Deaf => {
                        tracing::error!("the time for draining is over, and the switch does not answer");
                        return Ended::Fault;
                    }
                }
            }
        }
    }
}

/// How a switch leaves. One that is busy may not answer at once, and is asked to drain until it does: whoever talks
/// has his time all the same, and a BYE at its end.
struct Leaving {
    /// How long calls may go on.
    allowed: Duration,
    signalled: bool,
    /// Since when it drains, or is asked to.
    since: Option<Instant>,
}

/// What a signal to end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Drain,
    End,
}

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Runs,
    Drained,
    /// So many calls go on.
    TooLong(usize),
    /// It has had all its time, and does not answer.
    Deaf,
}

impl Leaving {
    fn on_signal(&mut self, now: Instant) -> Step {
        if std::mem::replace(&mut self.signalled, true) {
            return Step::End;
        }
        tracing::info!(secs = self.allowed.as_secs(), "draining: new calls are refused, running ones may end");
        self.since.get_or_insert(now); // It may already have been drained over HTTP.
        Step::Drain
    }

    /// What the switch is asked at each look. To be drained twice is to be drained once.
    fn question(&self) -> Command {
        if self.signalled { Command::Drain } else { Command::Status }
    }

    /// What it has answered; `None`: nothing.
    fn on_status(&mut self, now: Instant, status: Option<&Status>) -> Found {
        let Some(status) = status else {
            let is_over = |since| now.duration_since(since) >= self.allowed + DEAF;
            return if self.since.is_some_and(is_over) { Found::Deaf } else { Found::Runs };
        };
        if !status.draining {
            return Found::Runs;
        }
        let since = *self.since.get_or_insert(now);
        match status.calls {
            0 => Found::Drained,
            calls if now.duration_since(since) >= self.allowed => Found::TooLong(calls),
            _ => Found::Runs,
        }
    }
}

/// Nobody is left listening to silence: both ends of every call get their BYE or CANCEL. Whether the switch has heard
/// it.
async fn end_calls(running: &Running) -> bool {
    let is_told = running.commands.ask(Command::EndCalls).await.is_ok();
    if is_told {
        tokio::time::sleep(FAREWELL).await;
    }
    is_told
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Tests let the switch stumble by it: builds for production do not listen.
    stumble: Option<Signal>,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            stumble: match cfg!(any(debug_assertions, feature = "interop")) {
                true => Some(signal(SignalKind::user_defined2())?),
                false => None,
            },
        })
    }

    /// The next signal.
    async fn next(&mut self) -> Signalled {
        tokio::select! {
            _ = self.terminate.recv() => Signalled::End,
            _ = self.interrupt.recv() => Signalled::End,
            _ = self.hangup.recv() => Signalled::Reload,
            () = heard(&mut self.stumble) => Signalled::Stumble,
        }
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signalled {
    End,
    Reload,
    Stumble,
}

/// A signal has come; where nobody listens, it never does.
async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

#[cfg(any(debug_assertions, feature = "interop"))]
async fn stumble(running: &Running) {
    drop(running.commands.ask(Command::Stumble(0)).await); // Or it has ended, as whoever waits will see.
}

#[cfg(not(any(debug_assertions, feature = "interop")))]
async fn stumble(_: &Running) {}

/// Reads the file again, beside everything else. A file that is wrong changes nothing.
fn reload(running: &Running) {
    let Some(editor) = running.editor.clone() else {
        return tracing::warn!("SIGHUP changes nothing: this site has no file");
    };
    let done = Done { who: "signal".to_owned(), what: "reload".to_owned(), ..Done::default() };
    tokio::spawn(async move {
        match editor.reload(done).await {
            Ok(edited) => {
                let (added, changed, removed) = (edited.added.len(), edited.changed.len(), edited.removed.len());
                tracing::info!(added, changed, removed, "the file was read again");
                edited.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            }
            Err(NotEdited::Wrong(problems)) => {
                let file = editor.file().map(|file| file.display().to_string()).unwrap_or_default();
                for problem in problems {
                    tracing::error!("{}", problem.show(&file));
                }
                tracing::error!("the file is wrong: the site goes on as it was");
            }
            Err(why) => tracing::error!(?why, "the file was not read again: the site goes on as it was"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::Space;

    #[test]
    fn calls_leave_files_for_everything_else() {
        for (files, sockets) in
            [(4, 2), (256, 102), (512, 204), (1_024, 563), (65_536, 52_172), (1 << 40, 879_609_301_964)]
        {
            assert_eq!(media_sockets(files), sockets, "{files}");
            assert!(files < 8 || sockets + sockets / 4 <= files - OTHER_FILES.min(files / 2));
        }
    }
    fn status(draining: bool, calls: usize) -> Status {
        Status {
            draining,
            calls,
            store_ok: true,
            space: Space::Ample,
            breaker: None,
            frozen: false,
            resting_rules: Vec::new(),
            time_zones: String::new(),
            clock_doubted_secs: None,
        }
    }

    const DRAIN: Duration = Duration::from_secs(60);

    /// A signal has come at the instant that is handed back.
    fn signalled() -> (Leaving, Instant) {
        let began = Instant::now();
        let mut leaving = Leaving { allowed: DRAIN, signalled: false, since: None };
        assert_eq!(leaving.question(), Command::Status);
        assert_eq!(leaving.on_status(began, Some(&status(false, 3))), Found::Runs);
        assert_eq!(leaving.on_signal(began), Step::Drain);
        (leaving, began)
    }

    // P16: a switch that was too busy to answer is asked again, and its calls have the time that they are allowed.
    #[test]
    fn a_switch_that_does_not_answer_is_asked_to_drain_until_it_does() {
        let (mut leaving, began) = signalled();
        let after = |secs| began + Duration::from_secs(secs);

        for secs in [5, 10, 59] {
            assert_eq!(leaving.question(), Command::Drain);
            assert_eq!(leaving.on_status(after(secs), None), Found::Runs, "{secs} s");
        }
        assert_eq!(leaving.on_status(after(59), Some(&status(true, 3))), Found::Runs);
        assert_eq!(leaving.on_status(after(60), Some(&status(true, 3))), Found::TooLong(3));
        assert_eq!(leaving.on_status(after(60), Some(&status(true, 0))), Found::Drained);
    }

    #[test]
    fn a_switch_that_never_answers_is_given_up_when_its_time_has_long_been_over() {
        let (mut leaving, began) = signalled();

        for (secs, found) in [(60, Found::Runs), (89, Found::Runs), (90, Found::Deaf)] {
            assert_eq!(leaving.on_status(began + Duration::from_secs(secs), None), found, "{secs} s");
        }
    }

    #[test]
    fn a_second_signal_ends_it_at_once_and_a_drain_over_http_is_none() {
        let began = Instant::now();
        let mut leaving = Leaving { allowed: DRAIN, signalled: false, since: None };
        assert_eq!(leaving.on_status(began, Some(&status(true, 1))), Found::Runs);
        assert_eq!(leaving.on_signal(began + Duration::from_secs(50)), Step::Drain);

        assert_eq!(leaving.on_status(began + DRAIN, Some(&status(true, 1))), Found::TooLong(1), "since it began");
        assert_eq!(leaving.on_signal(began + DRAIN), Step::End);
    }
}

//! The flight recorder of a running switch: inputs are written down on the switch's thread and given away in chunks;
//! a thread of its own compresses and keeps them, and makes a masked file of them when a fault has come. Nothing of it
//! touches the disk before.

use crate::flight::file::{self, Contents};
use crate::flight::record::{Beginning, Noted, Recorder};
use crate::flight::reel::Reel;
use crate::limits::FLIGHT_BYTES;
use crate::switch::{Fault, Input, Output, Switch};
use crate::time::Now;
use chrono::Utc;
use std::cell::RefCell;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Where the files lie, in the data directory.
pub const FOLDER: &str = "faults";
/// So many are kept; the oldest go.
const FILES: usize = 10;
/// What their names end with.
const ENDING: &str = "flight";

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic has happened on this thread, there: for the hook that logs it.
pub fn note_place(place: String) {
    PLACE.with_borrow_mut(|last| *last = Some(place));
}

/// Where the last panic of this thread happened, if the hook has said so.
pub fn take_place() -> Option<String> {
    PLACE.with_borrow_mut(Option::take)
}

enum Told {
    Begin(Box<Beginning>),
    Chunk(Vec<u8>),
    Save(Box<Noted>),
}

/// On the switch's thread.
pub(super) struct Flight {
    recorder: Recorder,
    keeper: Sender<Told>,
    thread: Option<JoinHandle<()>>,
}

impl Flight {
    /// Starts the thread that keeps what is recorded.
    pub(super) fn start(data: &Path, beginning: Box<Beginning>) -> io::Result<Flight> {
        let (keeper, told) = channel();
        let data = data.to_owned();
        let thread = std::thread::Builder::new().name("flight".into()).spawn(move || keep(&data, &told))?;
        let flight = Flight { recorder: Recorder::default(), keeper, thread: Some(thread) };
        flight.tell(Told::Begin(beginning));
        Ok(flight)
    }

    fn tell(&self, told: Told) {
        drop(self.keeper.send(told)); // Whoever keeps it has ended by a fault of its own: calls go on without.
    }

    /// An input is about to be handled.
    pub(super) fn input(&mut self, now: Now, input: &Input, switch: &Switch) {
        if let Some(chunk) = self.recorder.input(now, input, switch) {
            self.tell(Told::Chunk(chunk));
        }
    }

    /// The switch has asked for this.
    pub(super) fn output(&mut self, output: &Output) {
        self.recorder.output(output);
    }

    /// The last input has led to a fault: everything is saved, off this thread.
    pub(super) fn fault(&mut self, now: Now, fault: &Fault) {
        let place = take_place();
        self.recorder.fault(now, fault, place.clone());
        let chunk = self.recorder.take();
        self.tell(Told::Chunk(chunk));
        self.tell(Told::Save(Box::new(Noted { message: fault.message.clone(), place, call: fault.call })));
    }

    /// The switch could not even begin.
    pub(super) fn still_born(&mut self, message: String) {
        self.tell(Told::Save(Box::new(Noted { message, place: take_place(), call: None })));
    }
}

impl Drop for Flight {
    /// What is to be saved is saved before the process ends.
    fn drop(&mut self) {
        let (nobody, _) = channel();
        self.keeper = nobody;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the flight recorder had ended by a fault of its own");
        }
    }
}

fn keep(data: &Path, told: &Receiver<Told>) {
    let mut reel = Reel::new(FLIGHT_BYTES);
    let mut zones = String::new();
    while let Ok(told) = told.recv() {
        match told {
            Told::Begin(beginning) => {
                zones = zones_of(&beginning);
                reel.begin(&beginning);
            }
            Told::Chunk(chunk) => reel.push(&chunk),
            Told::Save(noted) => save(data, &reel, zones.clone(), *noted),
        }
    }
}

fn zones_of(beginning: &Beginning) -> String {
    let zones = &beginning.settings.zones;
    format!("{} {}", zones.version(), zones.origin())
}

fn save(data: &Path, reel: &Reel, zones: String, noted: Noted) {
    let (message, call) = (noted.message.clone(), noted.call);
    let call = call.map_or("none".to_owned(), |call| call.to_string());
    let contents = Contents {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        saved_at: Utc::now(),
        zones,
        fault: Some(noted),
        has_gap: reel.has_gap(),
    };
    match write(&data.join(FOLDER), reel, &contents) {
        Ok(path) => tracing::error!(
            file = %path.display(),
            call,
            message,
            "a fault of ringback's: please send this file; numbers, names and secrets in it are masked, and \
             `ringback replay` shows what is in it"
        ),
        Err(error) => tracing::error!(%error, call, message, "a fault of ringback's could not be saved"),
    }
}

fn write(folder: &Path, reel: &Reel, contents: &Contents) -> io::Result<PathBuf> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| io::Error::other("no randomness for the mask"))?;
    let file = file::write(reel, contents, key).map_err(io::Error::other)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    make_room(folder)?;
    let stem = contents.saved_at.format("%Y%m%dT%H%M%S%3fZ");
    let path = folder.join(format!("{stem}.{ENDING}"));
    let unfinished = folder.join(format!("{stem}.unfinished"));
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    out.write_all(&file)?;
    out.sync_all()?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// The oldest go; their names are their times.
fn make_room(folder: &Path) -> io::Result<()> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == ENDING || ending == "unfinished"));
    files.sort();
    for oldest in files.iter().take((files.len() + 1).saturating_sub(FILES)) {
        fs::remove_file(oldest)?;
    }
    Ok(())
}

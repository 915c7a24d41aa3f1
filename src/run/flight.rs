//! The flight recorder of a running switch: inputs are written down on the switch's thread and given away in chunks;
//! a thread of its own compresses and keeps them, and makes a masked file of them when a fault has come. Nothing of it
//! touches the disk before, and nothing while the disk is spent: what room is left is for the promises.
//!
//! The switch never waits for that thread. While it saves a file chunks wait for it, `FLIGHT_AHEAD` of them; beyond
//! that they are dropped, and the recording begins anew with the next.

use crate::flight::MASKED;
use crate::flight::file::{self, Contents};
use crate::flight::record::{Beginning, Noted, Recorder};
use crate::flight::reel::Reel;
use crate::limits::{FLIGHT_AHEAD, FLIGHT_BYTES};
use crate::switch::{Fault, Input, Output, Space, Switch, said};
use crate::time::Now;
use chrono::Utc;
use std::cell::RefCell;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Where the files lie, in the data directory.
pub const FOLDER: &str = "faults";
/// So many are kept; the oldest go.
const FILES: usize = 10;
/// What their names end with.
const ENDING: &str = "flight";
/// Pieces of the beginning that wait to be compressed, a MiB each: that of a hundred thousand callbacks keeps nobody
/// waiting, and one of a million is not in memory once more.
const PIECES_AHEAD: usize = 64;

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
    Chunk(Vec<u8>),
    /// Chunks were dropped.
    Gap,
    Save(Box<Noted>),
}

/// On the switch's thread.
pub(super) struct Flight {
    recorder: Recorder,
    keeper: SyncSender<Told>,
    thread: Option<JoinHandle<()>>,
    /// A chunk was dropped, and the thread does not know.
    has_gap: bool,
    /// As the disk watch has said last.
    space: Space,
}

impl Flight {
    /// Starts the thread that keeps what is recorded, and gives it the beginning, piece by piece. A large one is waited
    /// for here, so it begins when `begins` says.
    pub(super) fn start(data: &Path, beginning: &mut Beginning, begins: impl FnOnce() -> Now) -> io::Result<Flight> {
        let (keeper, told) = sync_channel(FLIGHT_AHEAD);
        let (give, begun) = sync_channel(PIECES_AHEAD);
        let (data, zones) = (data.to_owned(), zones_of(beginning));
        let kept = move || keep(&data, &zones, &begun, &told);
        let thread = std::thread::Builder::new().name("flight".into()).spawn(kept)?;
        let mut flight = Flight::told(keeper);
        flight.thread = Some(thread);
        // It only watches: a beginning that could not be written down ends nothing but the recording.
        let written = catch_unwind(AssertUnwindSafe(|| beginning.write(begins, |piece| drop(give.send(piece)))));
        if let Err(panic) = written {
            tracing::error!(message = said(&*panic), "a fault of the flight recorder's own");
        }
        Ok(flight)
    }

    fn told(keeper: SyncSender<Told>) -> Flight {
        let (recorder, space) = (Recorder::default(), Space::default());
        Flight { recorder, keeper, thread: None, has_gap: false, space }
    }

    /// Whether it has been told: the thread may be too far behind, or have ended by a fault of its own.
    fn tell(&self, told: Told) -> bool {
        self.keeper.try_send(told).is_ok()
    }

    fn give(&mut self, chunk: Vec<u8>) {
        self.has_gap = self.has_gap && !self.tell(Told::Gap);
        self.has_gap = self.has_gap || !self.tell(Told::Chunk(chunk));
    }

    fn save(&self, noted: Noted) {
        if self.space == Space::Spent {
            return unsaved(&noted, "the disk is full");
        }
        let (message, call) = (noted.message.clone(), noted.call);
        if !self.tell(Told::Save(Box::new(noted))) {
            unsaved(&Noted { message, place: None, call }, "the recorder is far behind");
        }
    }

    /// An input is about to be handled.
    pub(super) fn input(&mut self, now: Now, input: &Input, switch: &Switch) {
        if let Input::Space(space) = input {
            self.space = *space;
        }
        match catch_unwind(AssertUnwindSafe(|| self.recorder.input(now, input, switch))) {
            Ok(Some(chunk)) => self.give(chunk),
            Ok(None) => {}
            Err(panic) => {
                // It only watches: calls go on, and the recording begins anew behind what it could not write down.
                tracing::error!(message = said(&*panic), "a fault of the flight recorder's own");
                (self.recorder, self.has_gap) = (Recorder::default(), true);
            }
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
        self.give(chunk);
        self.save(Noted { message: fault.message.clone(), place, call: fault.call });
    }

    /// The switch could not even begin.
    pub(super) fn still_born(&mut self, message: String) {
        self.save(Noted { message, place: take_place(), call: None });
    }
}

impl Drop for Flight {
    /// What is to be saved is saved before the process ends.
    fn drop(&mut self) {
        let (nobody, _) = sync_channel(0);
        self.keeper = nobody;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the flight recorder had ended by a fault of its own");
        }
    }
}

fn keep(data: &Path, zones: &str, begun: &Receiver<Vec<u8>>, told: &Receiver<Told>) {
    let mut reel = Reel::new(FLIGHT_BYTES);
    begun.iter().for_each(|piece| reel.begin(&piece));
    while let Ok(told) = told.recv() {
        match told {
            Told::Chunk(chunk) => reel.push(&chunk),
            Told::Gap => reel.gap(),
            Told::Save(noted) => save(data, &reel, zones.to_owned(), *noted),
        }
    }
}

fn unsaved(noted: &Noted, why: &str) {
    let call = noted.call.map_or("none".to_owned(), |call| call.to_string());
    tracing::error!(why, call, message = noted.message, "a fault of ringback's, whose recording is not saved");
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
            masked = MASKED,
            "a fault of ringback's: please send this file; `ringback replay` shows what is in it, and `masked` says \
             what is not"
        ),
        Err(error) => tracing::error!(%error, call, message, "a fault of ringback's could not be saved"),
    }
}

fn write(folder: &Path, reel: &Reel, contents: &Contents) -> io::Result<PathBuf> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| io::Error::other("no randomness for the mask"))?;
    let pieces = file::pieces(reel, contents, key).map_err(io::Error::other)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    make_room(folder)?;
    let stem = contents.saved_at.format("%Y%m%dT%H%M%S%3fZ");
    let path = folder.join(format!("{stem}.{ENDING}"));
    let unfinished = folder.join(format!("{stem}.unfinished"));
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    for piece in pieces {
        out.write_all(&piece.map_err(io::Error::other)?)?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(flight: &Receiver<Told>) -> String {
        let word = |told: Told| match told {
            Told::Chunk(chunk) => char::from(chunk[0]),
            Told::Gap => '-',
            Told::Save(_) => 'S',
        };
        flight.try_iter().map(word).collect()
    }

    fn noted() -> Noted {
        Noted { message: "a panic".to_owned(), place: None, call: None }
    }

    // Law 9: a recorder that is far behind costs no memory and no time; what it has missed is known.
    #[test]
    fn chunks_beyond_the_limit_are_dropped_and_leave_a_gap() {
        let (keeper, behind) = sync_channel(3);
        let mut flight = Flight::told(keeper);

        b"abcde".iter().for_each(|octet| flight.give(vec![*octet]));
        flight.save(noted());
        assert_eq!(told(&behind), "abc");
        b"fg".iter().for_each(|octet| flight.give(vec![*octet]));
        flight.save(noted());

        assert_eq!(told(&behind), "-fg", "there was room for no more");
        flight.save(noted());
        assert_eq!(told(&behind), "S");
    }

    #[test]
    fn what_was_before_a_gap_is_not_kept() {
        let mut reel = Reel::new(1 << 20);
        reel.push(b"abc");
        assert!(!reel.has_gap());
        reel.gap();
        reel.push(b"defg");

        let whole: Vec<usize> = reel.sections().map(|section| section.whole).collect();
        assert_eq!((whole, reel.has_gap()), (vec![4], true));
    }

    // durability.md §2.12: on a spent disk nothing is written that is no promise.
    #[test]
    fn nothing_is_saved_while_the_disk_is_spent() {
        for (space, saves) in [(Space::Scarce, "S"), (Space::Spent, "")] {
            let (keeper, thread) = sync_channel(3);
            let mut flight = Flight::told(keeper);
            flight.space = space;
            flight.save(noted());
            assert_eq!(told(&thread), saves, "{space:?}");
        }
    }
}

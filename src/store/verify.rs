//! Reading all of a store without changing anything in it (but for what sled does to its own files when it is opened):
//! is every file whole, and does the view show what the journal says?

use super::journal::{Damage, Journal, is_damage};
use super::lock::{Lock, LockError};
use super::open::{JOURNAL, VIEW};
use super::record;
use super::state::Digest;
use super::view::View;
use super::writer::{SIDE, noted};
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

/// How often files that have gone while they were read are looked for anew.
const TRIES: usize = 3;

/// One file of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSeen {
    /// Its name.
    pub name: String,
    /// Octets that it takes.
    pub octets: u64,
    /// Records of a checkpoint, commits of a segment.
    pub records: u64,
    /// The last commit in it.
    pub last: u64,
    /// What is wrong with it.
    pub damage: Vec<Damage>,
}

/// What is known of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewSeen {
    /// It adds up, and stands at this commit of this journal.
    Good(u64),
    /// There is none: the next start makes one.
    Missing,
    /// A server is running, this is its pid, and only it may look.
    InUse(Option<u32>),
    /// The next start makes it anew. Nothing is lost by that.
    Doubted(String),
    /// It knows of commits up to this one, and the journal has lost them. The next start believes the view.
    Ahead(u64),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Checkpoints, then segments, oldest first.
    pub files: Vec<FileSeen>,
    /// What is wrong beyond single files.
    pub damage: Vec<Damage>,
    /// The last commit.
    pub last: u64,
    /// What the records add up to; why they could not be read.
    pub state: Result<Digest, String>,
    /// Records that cannot be believed.
    pub bad: Vec<String>,
    /// Commits that were acknowledged and are not in the journal.
    pub lost: u64,
    /// Sled's side.
    pub view: ViewSeen,
}

impl Verified {
    /// Reads everything in the store of a data directory.
    pub fn of(data: &Path) -> io::Result<Verified> {
        let store = data.join("store");
        let lock = match Lock::take(data, Duration::ZERO) {
            Ok(lock) => Ok(lock),
            Err(LockError::Held(pid)) => Err(pid),
            Err(LockError::Io(error)) => return Err(error),
        };
        let mut verified = Verified::beside_a_writer(&store.join(JOURNAL))?;
        let side = fs::File::open(store.join(SIDE)).map_or(0, |side| noted(&side));
        // Whoever is writing may be further by now.
        verified.lost = if lock.is_ok() { side.saturating_sub(verified.last) } else { 0 };
        verified.view = match lock {
            Err(pid) => ViewSeen::InUse(pid),
            Ok(_lock) if !store.join(VIEW).join("db").exists() => ViewSeen::Missing,
            Ok(_lock) => match catch_unwind(AssertUnwindSafe(|| verified.look_at_view(&store))) {
                Ok(Ok(view)) => view,
                Ok(Err(error)) => ViewSeen::Doubted(error.to_string()),
                Err(_panic) => ViewSeen::Doubted("sled gave up on it".into()),
            },
        };
        Ok(verified)
    }

    /// A writer may take files away while they are read. Then there are newer ones.
    fn beside_a_writer(folder: &Path) -> io::Result<Verified> {
        let mut tries = (0..TRIES).map(|_| Verified::of_journal(folder));
        let gone = |read: &io::Result<Verified>| matches!(read, Err(error) if error.kind() == io::ErrorKind::NotFound);
        let read = tries.find(|read| !gone(read));
        read.unwrap_or_else(|| Verified::of_journal(folder))
    }

    /// Reads a folder of checkpoints and segments.
    pub fn of_journal(folder: &Path) -> io::Result<Verified> {
        let (journal, damage) = Journal::look(folder)?;
        let mut files = Vec::new();
        for checkpoint in journal.checkpoints() {
            let (records, wrong) = match checkpoint.verify() {
                Ok(digest) => (digest.count, Vec::new()),
                Err(error) if is_damage(&error) => (0, vec![Damage::Checkpoint(checkpoint.path.clone())]),
                Err(_) => (0, vec![Damage::Unreadable(checkpoint.path.clone())]),
            };
            files.push(seen(&checkpoint.path, records, checkpoint.mark.sequence, wrong)?);
        }
        files.reverse();
        let found = journal.read(|_| {})?;
        let end = found.last().map_or(journal.mark, |found| found.end);
        for (segment, found) in journal.segments().iter().zip(&found) {
            let first = segment.head.after.sequence;
            let gone: u64 = found.missing.iter().map(|range| range.end - range.start).sum();
            let last = found.end.sequence;
            let records = last.saturating_sub(first).saturating_sub(gone);
            files.push(seen(&segment.path, records, last, journal.wrong_with(&segment.path, found))?);
        }
        let (mut bad, last) = (Vec::new(), end.sequence.max(journal.mark.sequence));
        let state = journal.state().and_then(|(_, pairs)| {
            let mut digest = Digest::default();
            for pair in pairs {
                let (key, value) = pair?;
                digest.add(&key, &value);
                if let Err(damage) = record::body(key.as_bytes(), &value) {
                    bad.push(format!("{key}: {damage}"));
                }
            }
            Ok(digest)
        });
        let state = state.map_err(|error| error.to_string());
        Ok(Verified { files, damage, last, state, bad, lost: 0, view: ViewSeen::Missing })
    }

    fn look_at_view(&self, store: &Path) -> io::Result<ViewSeen> {
        let (journal, _) = Journal::look(&store.join(JOURNAL))?;
        let view = View::open(&store.join(VIEW))?;
        let Some(applied) = view.applied else {
            return Ok(ViewSeen::Doubted("it does not say what it has taken in".into()));
        };
        if applied.store != journal.id {
            return Ok(ViewSeen::Doubted("it belongs to another store".into()));
        }
        let mut digest = Digest::default();
        for pair in view.records() {
            let (key, value) = pair?;
            digest.add(&key, &value);
        }
        let differs = applied.sequence == self.last && self.state.as_ref().is_ok_and(|state| *state != digest);
        Ok(match digest == applied.digest && !differs {
            true if applied.sequence > self.last => ViewSeen::Ahead(applied.sequence),
            true => ViewSeen::Good(applied.sequence),
            false => ViewSeen::Doubted("its records do not add up".into()),
        })
    }

    /// Whether nothing that was acknowledged is missing or doubtful.
    pub fn is_well(&self) -> bool {
        let damage = self.files.iter().flat_map(|file| &file.damage).chain(&self.damage);
        !damage.into_iter().any(Damage::is_loss)
            && self.state.is_ok()
            && self.bad.is_empty()
            && self.lost == 0
            && !matches!(self.view, ViewSeen::Doubted(_) | ViewSeen::Ahead(_))
    }
}

fn seen(path: &Path, records: u64, last: u64, damage: Vec<Damage>) -> io::Result<FileSeen> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(FileSeen { name, octets: fs::metadata(path)?.len(), records, last, damage })
}

//! Erasing for good (GDPR 17; security.md): a record that is removed still lies in the journal's segments, in older
//! checkpoints, in sled's files and in every copy of them. So the state is written down anew and all that is older is
//! thrown away: `Purge` while the store runs, or the next start when its life ends before that.
//!
//! Backups cannot be reached. The keys of what was erased are listed, as salted hashes, in `erased` in the data
//! directory, and `restore` leaves those records out, though not that a number is never to be called. The list goes
//! where the backup's key goes.

use super::checkpoint::Checkpoint;
use super::journal::Journal;
use super::journal::frame::Op;
use super::person::{clear, passing};
use super::{Snapshots, keys, older, open, record, recovery};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The list's name in the data directory.
pub const LIST: &str = "erased";
/// While this file is in the store, what is older than its state has to go.
pub const MARK: &str = "erasing";
/// How long a checkpoint of a large store may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it is looked whether it is there.
const LOOK: Duration = Duration::from_millis(20);

/// Takes these records out of a running store and every trace of them off its disk. When this returns `Ok`, no file of
/// the data directory has them.
pub fn erase(data: &Path, snapshots: &Snapshots, ops: Vec<Op>) -> io::Result<()> {
    let store = data.join("store");
    let gone = ops.iter().filter(|op| op.value().is_none()).map(Op::key);
    List::of(data)?.add(data, gone.filter(|key| !has_number(key)))?;
    mark(&store)?;
    let after = snapshots.erase(ops)?;
    let until = Instant::now() + PATIENCE;
    while !snapshots.purge(after)? {
        if Instant::now() > until {
            return Err(io::Error::other("the store was not written down anew in time; its next start does it"));
        }
        std::thread::sleep(LOOK);
    }
    finish(&store)
}

/// Whether the key is a number: its hash would give it away to whoever tries all numbers, and what is stored under it
/// later is another record.
fn has_number(key: &str) -> bool {
    [keys::ACTIVE, keys::DO_NOT_CALL].iter().any(|kind| key.starts_with(kind))
}

fn mark(store: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(store.join(MARK))?.sync_all()?;
    File::open(store)?.sync_all()
}

/// The journal and the view have nothing of it any more.
pub(super) fn finish(store: &Path) -> io::Result<()> {
    sweep(store)?;
    fs::remove_file(store.join(MARK))?;
    File::open(store)?.sync_all()
}

/// Whether a life has ended before its erasure had.
pub(super) fn is_due(store: &Path) -> bool {
    store.join(MARK).exists()
}

/// Copies of what the store was: a view that was not believed, a store of an older layout, stores before a restore,
/// records that were set aside.
fn sweep(store: &Path) -> io::Result<()> {
    let data = store.parent().unwrap_or(Path::new("."));
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("store.before-restore-") || name == "store.restoring" {
            tracing::warn!(folder = %path.display(), "an older store is thrown away: it may hold what was erased");
            clear(&path)?;
        }
    }
    for folder in [recovery::ASIDE, "view.erased", older::BEFORE, "before-journal.tmp"].map(|name| store.join(name)) {
        clear(&folder)?;
    }
    for folder in passing(store) {
        clear(&folder)?;
    }
    match fs::remove_file(store.join("quarantine.jsonl")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) => tracing::warn!("records that were set aside are thrown away: they may hold what was erased"),
        Err(_) => {}
    }
    File::open(store)?.sync_all()?;
    File::open(data)?.sync_all()
}

/// Sled's files go, whatever still has them open; the next start makes a view from the state.
pub(super) fn remove_view(store: &Path) -> io::Result<()> {
    let (view, gone) = (store.join(open::VIEW), store.join("view.erased"));
    clear(&gone)?;
    match fs::rename(&view, &gone) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    File::open(store)?.sync_all()?;
    clear(&gone)
}

/// What was erased: nobody can tell from it what that was, but whoever has a record's key can tell that it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    salt: String,
    hashes: BTreeSet<String>,
}

impl List {
    /// The list of a data directory; empty when nothing was ever erased.
    pub fn of(data: &Path) -> io::Result<List> {
        let text = match fs::read_to_string(data.join(LIST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(List::default()),
            read => read?,
        };
        let mut lines = text.lines().map(str::to_owned);
        Ok(List { salt: lines.next().unwrap_or_default(), hashes: lines.collect() })
    }

    /// Whether the record of this key was erased.
    pub fn has(&self, key: &str) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&self.hash(key))
    }

    /// Whether a record of a backup was erased, or is the mark that somebody who was erased is being called.
    fn leaves_out(&self, key: &str, value: &[u8]) -> bool {
        let is_called = key.starts_with(keys::ACTIVE)
            && record::decode::<keys::Active>(key.as_bytes(), value).is_ok_and(|mark| self.has(&keys::task(mark.task)));
        is_called || self.has(key)
    }

    fn hash(&self, key: &str) -> String {
        hex(&Sha256::new().chain_update(&self.salt).chain_update(key).finalize()[..16])
    }

    /// Writes the list with these as well: whole, or as it was.
    fn add<'a>(mut self, data: &Path, keys: impl Iterator<Item = &'a str>) -> io::Result<()> {
        if self.salt.is_empty() {
            let mut drawn = [0; 16];
            getrandom::fill(&mut drawn).map_err(io::Error::other)?;
            self.salt = hex(&drawn);
        }
        let more: Vec<String> = keys.map(|key| self.hash(key)).collect();
        self.hashes.extend(more);
        let unfinished = data.join("erased.tmp");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        let lines = std::iter::once(&self.salt).chain(&self.hashes).map(|line| format!("{line}\n"));
        file.write_all(lines.collect::<String>().as_bytes())?;
        file.sync_data()?;
        fs::rename(&unfinished, data.join(LIST))?;
        File::open(data)?.sync_all()
    }
}

/// Takes what was erased in this data directory out of a folder of checkpoints and segments; how many records are left,
/// when there were some to take out.
pub(super) fn leave_out(data: &Path, folder: &Path) -> io::Result<Option<u64>> {
    let list = List::of(data)?;
    let (journal, _) = Journal::look(folder)?;
    let (mark, state) = journal.state()?;
    let mut found = 0;
    for pair in state {
        let (key, value) = pair?;
        found += u64::from(list.leaves_out(&key, &value));
    }
    if found == 0 {
        return Ok(None);
    }
    let kept = journal.state()?.1.filter(|pair| !matches!(pair, Ok((key, value)) if list.leaves_out(key, value)));
    let (checkpoint, digest) = Checkpoint::write(folder, journal.id, mark, kept)?;
    let others: Vec<PathBuf> = fs::read_dir(folder)?.map(|it| it.map(|it| it.path())).collect::<io::Result<_>>()?;
    for other in others.into_iter().filter(|other| *other != checkpoint.path) {
        fs::remove_file(other)?;
    }
    File::open(folder)?.sync_all()?;
    Ok(Some(digest.count))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

//! Erasing for good (GDPR 17; security.md): a record that is removed still lies in the journal's segments, in older
//! checkpoints, in sled's files and in every copy of them. So the state is written down anew and all that is older is
//! thrown away: `Purge` while the store runs, or the next start when its life ends before that.
//!
//! The writer only gives other names to what goes, so that commits do not wait for a disk that throws gigabytes away.
//! The view is made anew beside it and follows from there (`Snapshots::base`).
//!
//! Backups cannot be reached: what was erased is listed (`erased`).

use super::erased::List;
use super::journal::Journal;
use super::person::{Erasure, clear, passing};
use super::view::View;
use super::{Snapshots, older, open, recovery};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// While this file is in the store, what is older than its state has to go.
pub const MARK: &str = "erasing";
/// In the store: what is on its way out.
pub const GONE: &str = "gone";
/// In the store: what a new view is made of.
pub(super) const BASE: &str = "base";
/// In the store: a view that is being made.
pub(super) const FRESH: &str = "view.new";
/// How long a checkpoint of a large store may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it is looked whether it is there.
const LOOK: Duration = Duration::from_millis(20);

/// Takes these records out of a running store and every trace of them off its disk. When this returns `Ok`, no file of
/// the data directory has them.
pub fn erase(data: &Path, snapshots: &Snapshots, erasure: Erasure) -> io::Result<()> {
    let store = data.join("store");
    List::of(data)?.add(data, &erasure.names)?;
    mark(&store)?;
    let after = snapshots.erase(erasure.ops)?;
    fresh_gone(&store)?;
    let until = Instant::now() + PATIENCE;
    while !snapshots.purge(after)? {
        if Instant::now() > until {
            return Err(io::Error::other("the store was not written down anew in time; its next start does it"));
        }
        std::thread::sleep(LOOK);
    }
    throw_away(&store)?;
    finish(&store)?;
    let shown = catch_unwind(AssertUnwindSafe(|| show_anew(&store, snapshots)));
    if let Err(error) = shown.unwrap_or_else(|_panic| Err(io::Error::other("sled panicked"))) {
        tracing::warn!(%error, "the view of the journal is made at the next start; nothing is lost");
    }
    Ok(())
}

/// Makes a view of what is there and has it follow. Nobody waits for it: it is made beside the writer, which remembers
/// what is committed meanwhile.
fn show_anew(store: &Path, snapshots: &Snapshots) -> io::Result<()> {
    let (base, fresh, view) = (store.join(BASE), store.join(FRESH), store.join(open::VIEW));
    for folder in [&base, &fresh] {
        clear(folder)?;
        open::make_private_dir(folder)?;
    }
    snapshots.base(&base)?;
    let (journal, _) = Journal::look(&base)?;
    let (mark, state) = journal.state()?;
    View::open(&fresh)?.fill(journal.id, mark, state)?;
    clear(&base)?;
    recovery::close_to_others(&fresh)?;
    // Under its name there is never half of one.
    fs::rename(&fresh, &view)?;
    File::open(store)?.sync_all()?;
    snapshots.follow(View::open(&view)?)
}

/// What is older than the state of this store has to go.
pub(super) fn mark(store: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(store.join(MARK))?.sync_all()?;
    File::open(store)?.sync_all()
}

/// The journal and the view have nothing of it any more.
pub(super) fn finish(store: &Path) -> io::Result<()> {
    sweep(store)?;
    fs::remove_file(store.join(MARK))?;
    File::open(store)?.sync_all()
}

/// Whether an erasure has been begun in this store and not finished.
pub fn is_due(store: &Path) -> bool {
    store.join(MARK).exists()
}

/// Copies of what the store was: a view that was not believed, a store of an older layout, stores before a restore,
/// records that were set aside. One that cannot go does not keep the others.
fn sweep(store: &Path) -> io::Result<()> {
    let data = store.parent().unwrap_or(Path::new("."));
    let mut swept = Vec::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("store.before-restore-") || name == "store.restoring" {
            tracing::warn!(folder = %path.display(), "an older store is thrown away: it may hold what was erased");
            swept.push(clear(&path));
        }
    }
    let copies = [recovery::ASIDE, "view.erased", older::BEFORE, "before-journal.tmp"].map(|name| store.join(name));
    swept.extend(copies.iter().chain(&passing(store)).map(|folder| clear(folder)));
    match fs::remove_file(store.join("quarantine.jsonl")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => swept.push(Err(error)),
        Ok(()) => tracing::warn!("records that were set aside are thrown away: they may hold what was erased"),
        Err(_) => {}
    }
    File::open(store)?.sync_all()?;
    File::open(data)?.sync_all()?;
    swept.into_iter().collect()
}

/// An empty folder for what goes.
pub(super) fn fresh_gone(store: &Path) -> io::Result<PathBuf> {
    let gone = store.join(GONE);
    clear(&gone)?;
    open::make_private_dir(&gone)?;
    Ok(gone)
}

/// What has been laid by goes, and sled's files with it, which nobody has open any more.
pub(super) fn throw_away(store: &Path) -> io::Result<()> {
    let gone = store.join(GONE);
    match fs::rename(store.join(open::VIEW), gone.join(open::VIEW)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    clear(&gone)?;
    File::open(store.join(open::JOURNAL))?.sync_all()?;
    File::open(store)?.sync_all()
}

//! The writer's thread: transaction, flush, sync, answer.

use super::lock::Lock;
use super::{Limits, keys, record};
use crate::callback::task::Attempt;
use crate::id::CommitRef;
use crate::limits::COMMITS;
use crate::switch::{Change, NotStored, Revision};
use crate::telemetry;
use sled::transaction::{ConflictableTransactionError, TransactionError, TransactionalTree};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// Commits that one sync may cover. Each unflushed transaction costs the flush about 54 µs (crates.md 2.6).
const GROUP: usize = 64;

struct Commit {
    reference: CommitRef,
    changes: Vec<Change>,
    since: Instant,
}

/// Whether commits are still acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Since the first write or sync that failed, nothing is stored any more.
    pub fn is_poisoned(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn poison(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The running store. Dropping it writes what waits, closes the files and gives the directory back.
pub struct Store {
    commits: Option<SyncSender<Commit>>,
    thread: Option<JoinHandle<()>>,
    health: Health,
}

impl Store {
    /// Hands in a commit, which will be answered; or gives the answer at once when too many wait already.
    pub fn commit(&self, reference: CommitRef, changes: Vec<Change>) -> Result<(), NotStored> {
        let commits = self.commits.as_ref().expect("only drop takes the sender");
        match commits.try_send(Commit { reference, changes, since: Instant::now() }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(NotStored::Failed),
        }
    }

    /// Whether commits are still acknowledged.
    pub fn health(&self) -> Health {
        self.health.clone()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.commits.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's thread had ended by itself");
        }
    }
}

pub(super) fn start(
    disk: Disk,
    lock: Lock,
    answer: impl FnMut(CommitRef, Result<Revision, NotStored>) + Send + 'static,
) -> Store {
    let (commits, waiting) = sync_channel(COMMITS);
    let health = disk.health.clone();
    let thread = std::thread::Builder::new()
        .name("store".into())
        .spawn(move || {
            write(disk, &waiting, answer);
            drop(lock); // Only after sled has closed its files.
        })
        .expect("a process that cannot start threads at its own start cannot serve");
    Store { commits: Some(commits), thread: Some(thread), health }
}

fn write(mut disk: Disk, waiting: &Receiver<Commit>, mut answer: impl FnMut(CommitRef, Result<Revision, NotStored>)) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(GROUP - 1));
        let results = disk.write(&group);
        for (commit, result) in group.into_iter().zip(results) {
            telemetry::committed(commit.since.elapsed(), result.is_ok());
            answer(commit.reference, result);
        }
    }
}

/// The files, and how far they have come.
pub(super) struct Disk {
    db: sled::Db,
    /// Sled's file through a handle of our own: syncing works per inode.
    file: File,
    /// The last acknowledged revision beside the store, to notice when sled comes back with less.
    side: File,
    path: PathBuf,
    revision: u64,
    health: Health,
    limits: Limits,
}

impl Disk {
    pub(super) fn new(db: sled::Db, path: PathBuf, revision: u64, limits: Limits) -> std::io::Result<Disk> {
        let file = File::open(path.join("db"))?;
        let side = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("revision"))?;
        // The files' own entries must survive as well as their contents.
        File::open(&path)?.sync_all()?;
        Ok(Disk { db, file, side, path, revision, health: Health::default(), limits })
    }

    pub(super) fn side_revision(&self) -> u64 {
        let mut bytes = [0; 12];
        match self.side.read_exact_at(&mut bytes, 0) {
            Ok(()) => {
                let (number, sum) = bytes.split_at(8);
                let good = crc32c::crc32c(number).to_le_bytes() == sum;
                if good { u64::from_le_bytes(number.try_into().expect("split at 8")) } else { 0 }
            }
            Err(_) => 0, // A new store has none yet.
        }
    }

    pub(super) fn remove<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> std::io::Result<()> {
        for key in keys {
            self.db.remove(key).map_err(std::io::Error::from)?;
        }
        self.db.flush().map_err(std::io::Error::from)?;
        self.file.sync_data()
    }

    fn write(&mut self, group: &[Commit]) -> Vec<Result<Revision, NotStored>> {
        // A panic inside sled is one more way in which the disk has failed.
        match catch_unwind(AssertUnwindSafe(|| self.try_write(group))) {
            Ok(results) => results,
            Err(_panic) => {
                self.poison("sled panicked");
                vec![Err(NotStored::Failed); group.len()]
            }
        }
    }

    fn try_write(&mut self, group: &[Commit]) -> Vec<Result<Revision, NotStored>> {
        let scarce = self.is_scarce();
        let before = self.revision;
        let mut results: Vec<_> = group.iter().map(|commit| self.transact(&commit.changes, scarce)).collect();
        if self.revision == before {
            return results;
        }
        let synced = self.db.flush().map_err(std::io::Error::from).and_then(|_| self.file.sync_data());
        if let Err(error) = synced {
            let why = self.failed(&error);
            results.iter_mut().for_each(|result| *result = Err(why));
            return results;
        }
        self.note_revision();
        results
    }

    fn transact(&mut self, changes: &[Change], scarce: bool) -> Result<Revision, NotStored> {
        if self.health.is_poisoned() {
            return Err(NotStored::Failed);
        }
        if scarce && self.creates_a_task(changes) {
            return Err(NotStored::Reserve);
        }
        let revision = self.revision + 1;
        // An attempt that has ended gives its number free for one that begins in the same commit.
        let (ended, rest): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| ends_an_attempt(change));
        let written = self.db.transaction(|tx| {
            for change in ended.iter().chain(&rest) {
                apply(tx, change)?;
            }
            put(tx, keys::REVISION.into(), &revision)
        });
        match written {
            Ok(()) => {
                self.revision = revision;
                Ok(Revision(revision))
            }
            Err(TransactionError::Abort(NumberTaken)) => {
                tracing::error!("refused a second live attempt for one number");
                self.keep_endings(&ended)?;
                Err(NotStored::Failed)
            }
            Err(TransactionError::Storage(error)) => Err(self.failed(&std::io::Error::from(error))),
        }
    }

    /// What has ended is true whatever else is refused, and told apart from it, so that a commit which is told again
    /// and again with a refused attempt in it does not hold the endings back for ever.
    fn keep_endings(&mut self, ended: &[&Change]) -> Result<(), NotStored> {
        if ended.is_empty() {
            return Ok(());
        }
        let revision = self.revision + 1;
        let written = self.db.transaction(|tx| {
            for change in ended {
                apply(tx, change)?;
            }
            put(tx, keys::REVISION.into(), &revision)
        });
        match written {
            Ok(()) => {
                self.revision = revision;
                Ok(())
            }
            Err(TransactionError::Abort(NumberTaken)) => Ok(()), // An ending takes no number.
            Err(TransactionError::Storage(error)) => Err(self.failed(&std::io::Error::from(error))),
        }
    }

    fn creates_a_task(&self, changes: &[Change]) -> bool {
        changes.iter().any(|change| match change {
            Change::PutTask(task) => !self.db.contains_key(keys::task(task.id)).unwrap_or(false),
            Change::PutAttempt(_)
            | Change::PutBinding(_)
            | Change::RemoveBinding { .. }
            | Change::PutAgent(_)
            | Change::PutSystem(_)
            | Change::PutRecording(_)
            | Change::PutDoNotCall(_)
            | Change::RemoveDoNotCall(_)
            | Change::PutEntry(_)
            | Change::RemoveEntry(_)
            | Change::PutObject(_)
            | Change::RemoveObject { .. }
            | Change::PutAudit(_) => false,
        })
    }

    fn is_scarce(&self) -> bool {
        is_scarce(&self.path, &self.limits)
    }

    fn failed(&mut self, error: &std::io::Error) -> NotStored {
        self.poison(&error.to_string());
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => NotStored::Full,
            _ => NotStored::Failed,
        }
    }

    fn poison(&self, why: &str) {
        self.health.poison();
        tracing::error!(why, "the store has failed: no promise is made until a restart; calls go on");
    }

    /// Not synced: after a power cut it may name an older revision, which says nothing false.
    fn note_revision(&self) {
        let number = self.revision.to_le_bytes();
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&number);
        bytes[8..].copy_from_slice(&crc32c::crc32c(&number).to_le_bytes());
        if let Err(error) = self.side.write_all_at(&bytes, 0) {
            tracing::warn!(%error, "the revision's side file was not written");
        }
    }
}

/// A commit would have called a number that another attempt is calling (law 2).
struct NumberTaken;

type Write = Result<(), ConflictableTransactionError<NumberTaken>>;

fn apply(tx: &TransactionalTree, change: &Change) -> Write {
    match change {
        Change::PutTask(task) => put(tx, keys::task(task.id), task),
        Change::PutAttempt(attempt) => {
            put(tx, keys::attempt(attempt.task, attempt.n), attempt)?;
            let key = keys::active(&attempt.number);
            let ours = keys::Active::of(attempt);
            // A mark that cannot be read belongs to nobody and gives way.
            let held = tx.get(&key)?.and_then(|bytes| record::decode::<keys::Active>(key.as_bytes(), &bytes).ok());
            match (attempt.outcome, held) {
                (None, Some(other)) if other != ours && is_open(tx, &other)? => {
                    Err(ConflictableTransactionError::Abort(NumberTaken))
                }
                (None, Some(_) | None) => put(tx, key, &ours),
                (Some(_), Some(held)) if held == ours => remove(tx, &key),
                (Some(_), Some(_) | None) => Ok(()),
            }
        }
        Change::PutBinding(binding) => put(tx, keys::binding_of(binding), binding),
        Change::RemoveBinding { extension, contact } => remove(tx, &keys::binding(extension, contact)),
        Change::PutAgent(agent) => put(tx, keys::agent(&agent.agent), agent),
        Change::PutRecording(recording) => put(tx, keys::recording(recording.id), recording),
        Change::PutSystem(system) => put(tx, keys::SYSTEM.to_owned(), system),
        Change::PutDoNotCall(said) => put(tx, keys::do_not_call(&said.number), said),
        Change::RemoveDoNotCall(number) => remove(tx, &keys::do_not_call(number)),
        Change::PutEntry(entry) => put(tx, keys::entry(entry.call), entry),
        Change::RemoveEntry(call) => remove(tx, &keys::entry(*call)),
        Change::PutObject(object) => put(tx, keys::object(&object.kind, &object.name), object),
        Change::RemoveObject { kind, name } => remove(tx, &keys::object(kind, name)),
        Change::PutAudit(entry) => put(tx, keys::audit(entry.id), entry),
    }
}

fn ends_an_attempt(change: &Change) -> bool {
    match change {
        Change::PutAttempt(attempt) => attempt.outcome.is_some(),
        Change::PutTask(_)
        | Change::PutBinding(_)
        | Change::RemoveBinding { .. }
        | Change::PutAgent(_)
        | Change::PutSystem(_)
        | Change::PutRecording(_)
        | Change::PutDoNotCall(_)
        | Change::RemoveDoNotCall(_)
        | Change::PutEntry(_)
        | Change::RemoveEntry(_)
        | Change::PutObject(_)
        | Change::RemoveObject { .. }
        | Change::PutAudit(_) => false,
    }
}

/// Whether the attempt that left this mark is on the disk and has not ended; a mark of any other gives way.
fn is_open(tx: &TransactionalTree, mark: &keys::Active) -> Result<bool, ConflictableTransactionError<NumberTaken>> {
    let key = keys::attempt(mark.task, mark.n);
    let attempt = tx.get(&key)?.and_then(|bytes| record::decode::<Attempt>(key.as_bytes(), &bytes).ok());
    Ok(attempt.is_some_and(|attempt| attempt.outcome.is_none()))
}

fn put<T: serde::Serialize>(tx: &TransactionalTree, key: String, value: &T) -> Write {
    let bytes = record::encode(key.as_bytes(), value);
    tx.insert(key.as_bytes(), bytes)?;
    Ok(())
}

fn remove(tx: &TransactionalTree, key: &str) -> Write {
    tx.remove(key.as_bytes())?;
    Ok(())
}

/// Whether the disk is too full to promise anything (interface.md, Settled 13).
fn is_scarce(path: &Path, limits: &Limits) -> bool {
    match rustix::fs::statvfs(path) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let whole = space.f_blocks.saturating_mul(space.f_frsize);
            free < limits.reserve_bytes || free < whole / 100 * limits.reserve_percent
        }
        Err(_) => false, // A file system that does not say how full it is fails at writing, which is decided there.
    }
}

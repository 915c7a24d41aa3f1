//! Opening: lock, clear what a kill left behind, open sled where it may panic, read everything back.

use super::keys;
use super::lock::{Lock, LockError};
use super::record::{self, Damage};
use super::writer::{Disk, Store};
use super::{Limits, writer};
use crate::callback::task::{Attempt, Task};
use crate::id::{CommitRef, TaskId};
use crate::limits::REMEMBERED;
use crate::switch::{NotStored, Restored, Revision};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CACHE_BYTES: u64 = 64 * 1024 * 1024;
const FLUSH_EVERY_MS: u64 = 200;
/// A process that has just gone may hold sled's own lock a moment longer than ours (durability.md §1).
const SLED_LOCK_WAIT: Duration = Duration::from_secs(2);

/// Why the store cannot be used.
#[derive(Debug)]
pub enum OpenError {
    /// The directory cannot be made, or written to.
    Directory(PathBuf, std::io::Error),
    /// Another process has it.
    Locked(PathBuf, Option<u32>),
    /// The files are damaged beyond what sled reads.
    Damaged(PathBuf, String),
    /// Reading or writing failed.
    Disk(PathBuf, std::io::Error),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OpenError::Directory(path, error) => {
                write!(
                    f,
                    "the data directory {} cannot be written ({error}): change its owner, or name another with --data",
                    path.display()
                )
            }
            OpenError::Locked(path, Some(pid)) => write!(
                f,
                "the data directory {} is in use by process {pid}: stop that one, or name another with --data",
                path.display()
            ),
            OpenError::Locked(path, None) => write!(
                f,
                "the data directory {} is in use by another process: stop that one, or name another with --data",
                path.display()
            ),
            OpenError::Damaged(path, what) => write!(
                f,
                "the store in {} is damaged ({what}): keep a copy of it, then put a backup in its place",
                path.display()
            ),
            OpenError::Disk(path, error) => {
                write!(f, "the store in {} cannot be read ({error}): look at the disk", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// A value that was not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it lay.
    pub key: String,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What was found at opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records read.
    pub records: usize,
    /// Records that were not believed.
    pub quarantined: Vec<Quarantined>,
    /// Acknowledged commits that the disk has lost again: the side file knew of more than sled does.
    pub lost_commits: u64,
}

/// A store that has been read and not yet begun to write.
pub struct Opened {
    /// What the switch starts from.
    pub restored: Restored,
    /// What was found.
    pub report: Report,
    disk: Disk,
    lock: Lock,
}

impl Opened {
    /// Takes `data` for this process and reads the store in it.
    pub fn open(data: &Path, limits: Limits) -> Result<Opened, OpenError> {
        let store = data.join("store");
        make_private_dir(data).map_err(|error| OpenError::Directory(data.into(), error))?;
        let lock = Lock::take(data, limits.lock_wait).map_err(|error| match error {
            LockError::Held(pid) => OpenError::Locked(data.into(), pid),
            LockError::Io(error) => OpenError::Directory(data.into(), error),
        })?;
        make_private_dir(&store).map_err(|error| OpenError::Directory(data.into(), error))?;
        clear_leftovers(&store).map_err(|error| OpenError::Disk(store.clone(), error))?;
        let (disk, restored, report) = open_aside(store, limits)?;
        Ok(Opened { restored, report, disk, lock })
    }

    /// Begins to write. Every commit is answered once, from the writer's thread, by `answer`.
    pub fn start(self, answer: impl FnMut(CommitRef, Result<Revision, NotStored>) + Send + 'static) -> Store {
        writer::start(self.disk, self.lock, answer)
    }
}

fn make_private_dir(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// A kill while sled writes its snapshot leaves `snap.*.generating`, which the next open takes for the newest one and
/// fails; a kill between making and filling `conf` bricks a new store (durability.md §1).
fn clear_leftovers(store: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(store)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(file = %name, "removed a snapshot that was never finished");
            fs::remove_file(entry.path())?;
        }
    }
    if store.join("conf").exists() && !store.join("db").exists() {
        tracing::warn!("removed the configuration of a store that was never begun");
        fs::remove_file(store.join("conf"))?;
    }
    Ok(())
}

/// Damaged files make sled panic, and a panic must not take the process along: it gets a thread of its own.
fn open_aside(store: PathBuf, limits: Limits) -> Result<(Disk, Restored, Report), OpenError> {
    let path = store.clone();
    let opening = std::thread::Builder::new().name("store-open".into()).spawn(move || open_sled(store, limits));
    match opening.map(std::thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(OpenError::Damaged(path, "sled gave up on it".into())),
        Err(error) => Err(OpenError::Disk(path, error)),
    }
}

fn open_sled(store: PathBuf, limits: Limits) -> Result<(Disk, Restored, Report), OpenError> {
    let fail = |error: sled::Error| sled_failed(&store, error);
    let until = Instant::now() + SLED_LOCK_WAIT;
    let db = loop {
        let config = sled::Config::new().path(&store).cache_capacity(CACHE_BYTES).flush_every_ms(Some(FLUSH_EVERY_MS));
        match config.open() {
            Ok(db) => break db,
            Err(error) if is_busy(&error) && Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(fail(error)),
        }
    };
    let mut reader = Reader { db: &db, report: Report::default(), bad: Vec::new(), stale: Vec::new() };
    let restored = reader.restore().map_err(fail)?;
    let revision = reader.revision().map_err(fail)?;
    let Reader { mut report, bad, stale, .. } = reader;
    let disk = Disk::new(db, store.clone(), revision, limits).map_err(|error| OpenError::Disk(store.clone(), error))?;
    report.lost_commits = disk.side_revision().saturating_sub(revision);
    set_aside(&disk, &store, bad).map_err(|error| OpenError::Disk(store.clone(), error))?;
    if !stale.is_empty() {
        let removed = disk.remove(stale.iter().map(Vec::as_slice));
        removed.map_err(|error| OpenError::Disk(store.clone(), error))?;
    }
    close_to_others(&store).map_err(|error| OpenError::Disk(store.clone(), error))?;
    Ok((disk, restored, report))
}

fn is_busy(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.kind() == std::io::ErrorKind::WouldBlock
        || io.to_string().contains("could not acquire lock"))
}

fn sled_failed(store: &Path, error: sled::Error) -> OpenError {
    match error {
        sled::Error::Io(error) => OpenError::Disk(store.into(), error),
        other => OpenError::Damaged(store.into(), other.to_string()),
    }
}

struct Bad {
    key: Vec<u8>,
    value: Vec<u8>,
    damage: Damage,
}

struct Reader<'a> {
    db: &'a sled::Db,
    report: Report,
    bad: Vec<Bad>,
    /// Keys of marks that nobody owns.
    stale: Vec<Vec<u8>>,
}

impl Reader<'_> {
    fn restore(&mut self) -> sled::Result<Restored> {
        let tasks = forget_old(self.all::<Task>(keys::TASK)?);
        let kept: HashSet<TaskId> = tasks.iter().map(|task| task.id).collect();
        let mut attempts = self.all::<Attempt>(keys::ATTEMPT)?;
        // An open attempt is handed back even when its task cannot be read: its customer may be ringing.
        attempts.retain(|attempt| kept.contains(&attempt.task) || attempt.outcome.is_none());
        self.mark_stale(&attempts)?;
        Ok(Restored {
            tasks,
            attempts,
            bindings: self.all(keys::BINDING)?,
            agents: self.all(keys::AGENT)?,
            recordings: self.all(keys::RECORDING)?,
            system: self.all(keys::SYSTEM)?.pop().unwrap_or_default(),
            do_not_call: self.all(keys::DO_NOT_CALL)?,
            entries: self.all(keys::ENTRY)?,
            objects: self.all(keys::OBJECT)?,
            audit: last(self.all(keys::AUDIT)?, REMEMBERED),
        })
    }

    /// A mark whose open attempt cannot be read any more would keep its number from being called for ever.
    fn mark_stale(&mut self, attempts: &[Attempt]) -> sled::Result<()> {
        let open = attempts.iter().filter(|attempt| attempt.outcome.is_none());
        let owned: HashMap<String, keys::Active> =
            open.map(|attempt| (keys::active(&attempt.number), keys::Active::of(attempt))).collect();
        for pair in self.db.scan_prefix(keys::ACTIVE) {
            let (key, bytes) = pair?;
            let Some(mark) = self.believe::<keys::Active>(&key, &bytes) else { continue };
            let name = String::from_utf8_lossy(&key);
            if owned.get(name.as_ref()) != Some(&mark) {
                tracing::warn!(key = %name, "no open attempt owns this mark: its number may be called again");
                self.stale.push(key.to_vec());
            }
        }
        Ok(())
    }

    fn revision(&mut self) -> sled::Result<u64> {
        let Some(bytes) = self.db.get(keys::REVISION)? else { return Ok(0) };
        Ok(self.believe(keys::REVISION.as_bytes(), &bytes).unwrap_or(0))
    }

    fn all<T: DeserializeOwned>(&mut self, prefix: &str) -> sled::Result<Vec<T>> {
        let mut records = Vec::new();
        for pair in self.db.scan_prefix(prefix) {
            let (key, bytes) = pair?;
            records.extend(self.believe(&key, &bytes));
        }
        Ok(records)
    }

    fn believe<T: DeserializeOwned>(&mut self, key: &[u8], bytes: &[u8]) -> Option<T> {
        match record::decode(key, bytes) {
            Ok(value) => {
                self.report.records += 1;
                Some(value)
            }
            Err(damage) => {
                let name = String::from_utf8_lossy(key).into_owned();
                tracing::error!(key = %name, %damage, "a stored record cannot be believed and is set aside");
                self.report.quarantined.push(Quarantined { key: name, damage });
                self.bad.push(Bad { key: key.to_vec(), value: bytes.to_vec(), damage });
                None
            }
        }
    }
}

/// The last so many of a list.
fn last<T>(mut all: Vec<T>, most: usize) -> Vec<T> {
    all.split_off(all.len().saturating_sub(most))
}

/// Closed tasks are kept for people to look at; the newest are enough for that.
fn forget_old(tasks: Vec<Task>) -> Vec<Task> {
    let closed = tasks.iter().filter(|task| task.state.is_final());
    let mut ages: BTreeMap<_, _> = closed.map(|task| ((task.closed_at, task.id), ())).collect();
    while ages.len() > REMEMBERED {
        ages.pop_first();
    }
    tasks.into_iter().filter(|task| !task.state.is_final() || ages.contains_key(&(task.closed_at, task.id))).collect()
}

/// Bad records leave the store only once their bytes are safe elsewhere; a newer schema's stay where they are.
fn set_aside(disk: &Disk, store: &Path, bad: Vec<Bad>) -> std::io::Result<()> {
    let bad: Vec<Bad> = bad.into_iter().filter(|bad| !matches!(bad.damage, Damage::Schema(_))).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let path = store.join("quarantine.jsonl");
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    for Bad { key, value, damage } in &bad {
        let hex = value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let key = String::from_utf8_lossy(key);
        let line = serde_json::json!({ "key": key, "damage": damage.to_string(), "value": hex });
        writeln!(file, "{line}")?;
    }
    file.sync_all()?;
    File::open(store)?.sync_all()?;
    disk.remove(bad.iter().map(|bad| bad.key.as_slice()))
}

fn close_to_others(store: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(store)? {
        let entry = entry?;
        let mode = if entry.file_type()?.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
    }
    Ok(())
}

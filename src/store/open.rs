//! Opening: lock, look at the journal, let the view catch up with it or make it anew, read everything back
//! (durability.md §2.4).

use super::journal::frame::{Frame, Mark, Op};
use super::journal::{self, Journal, segment::StoreId};
use super::lock::{Lock, LockError};
use super::record::{self, Damage};
use super::restore::{Bad, Reading};
use super::view::View;
use super::writer::{Disk, Store};
use super::{Limits, keys, writer};
use crate::id::CommitRef;
use crate::switch::{NotStored, Restored, Revision};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Octets of commits that the view takes in at once while it catches up.
const BATCH: usize = 1024 * 1024;

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

/// A value that was not believed, and is kept in `quarantine.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it lay.
    pub key: String,
    /// What is wrong with it.
    pub damage: Damage,
}

/// How the view came to be what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ViewReport {
    /// Nothing was there.
    #[default]
    New,
    /// It was good, and took in so many commits of the journal that it had not seen.
    Followed(u64),
    /// It was moved aside and made anew.
    Rebuilt {
        /// Why it was not believed.
        why: String,
        /// The checkpoint's commit; 0: without one.
        checkpoint: u64,
        /// Commits taken from the journal.
        commits: u64,
    },
    /// A store of the time before the journal has become its view.
    Adopted,
}

/// What was found at opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records read.
    pub records: usize,
    /// Records that were not believed.
    pub quarantined: Vec<Quarantined>,
    /// What is wrong with the files of the journal.
    pub damage: Vec<journal::Damage>,
    /// Where the records came from.
    pub view: ViewReport,
    /// Acknowledged commits that are nowhere any more.
    pub lost_commits: u64,
}

impl Report {
    /// Whether nothing that was acknowledged is missing or doubtful.
    pub fn is_well(&self) -> bool {
        self.lost_commits == 0 && self.quarantined.is_empty() && !self.damage.iter().any(journal::Damage::is_loss)
    }
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
        for folder in [&store, &store.join(JOURNAL)] {
            make_private_dir(folder).map_err(|error| OpenError::Directory(data.into(), error))?;
        }
        let (disk, restored, report) = Recovery::of(&store, limits).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => OpenError::Damaged(store.clone(), error.to_string()),
            _ => OpenError::Disk(store.clone(), error),
        })?;
        Ok(Opened { restored, report, disk, lock })
    }

    /// Begins to write. Every commit is answered once, from the writer's thread, by `answer`.
    pub fn start(self, answer: impl FnMut(CommitRef, Result<Revision, NotStored>) + Send + 'static) -> Store {
        writer::start(self.disk, self.lock, answer)
    }
}

/// Where the journal lies in the store.
pub const JOURNAL: &str = "journal";
/// Where sled lies in the store.
pub const VIEW: &str = "view";

pub(super) fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Why the view is not believed.
type Doubt = String;

/// A store on its way to being open.
struct Recovery<'a> {
    store: &'a Path,
    journal: Journal,
    /// Of the folder's heads, and of what `replay` found.
    damage: Vec<journal::Damage>,
    report: ViewReport,
    /// The whole state has to be written down anew: the journal alone does not lead to it any more.
    heal: bool,
}

impl Recovery<'_> {
    fn of(store: &Path, limits: Limits) -> io::Result<(Disk, Restored, Report)> {
        move_old_layout(store)?;
        let (journal, heads) = Journal::open(&store.join(JOURNAL), new_id()?, limits.checkpoint_commits)?;
        let mut recovery =
            Recovery { store, journal, damage: heads.clone(), report: ViewReport::New, heal: !heads.is_empty() };
        let (view, reading) = match recovery.follow() {
            Ok(followed) => followed,
            Err(doubt) if recovery.journal.is_new() => return Err(io::Error::new(io::ErrorKind::InvalidData, doubt)),
            Err(doubt) => {
                tracing::error!(why = %doubt, "the view of the journal is not believed and is made anew");
                recovery.damage = heads;
                recovery.rebuild(doubt)?
            }
        };
        recovery.finish(view, reading, limits)
    }

    /// Lets the view that is there catch up with the journal.
    fn follow(&mut self) -> Result<(View, Reading), Doubt> {
        let folder = self.store.join(VIEW);
        let mut view = guarded(|| View::open(&folder))?;
        let applied = match view.applied {
            Some(applied) => applied,
            None if self.journal.is_new() => self.adopt(&mut view)?,
            None => return Err("it does not say what it has taken in".into()),
        };
        if self.journal.is_new() {
            // Its journal is gone. What it holds is all there is, and becomes the beginning of a new one.
            self.journal.id = applied.store;
            self.heal = applied.sequence > 0;
        } else if applied.store != self.journal.id {
            return Err("it belongs to another store".into());
        }
        let mut catching_up = CatchingUp::new(&mut view, self.journal.id, applied.mark());
        catching_up.agreed = applied.sequence == 0 || self.journal.knows(applied.mark());
        let found = self.journal.replay(|frame| catching_up.take(frame)).map_err(|error| error.to_string())?;
        let taken = catching_up.finish()?;
        self.damage.extend(found);
        if applied.sequence > self.journal.mark.sequence {
            // The view takes in only what the journal has synced: the journal has lost its end.
            let lost = self.journal.mark.sequence + 1..applied.sequence + 1;
            self.damage.push(journal::Damage::Missing(lost));
            self.journal.go_on_from(applied.mark());
        }
        let reading = guarded(|| Reading::of(view.records()))?;
        if Some(reading.digest) != view.applied.map(|applied| applied.digest) {
            return Err("its records do not add up".into());
        }
        if let Some(bad) = reading.bad.iter().find(|bad| !is_newer(bad)) {
            return Err(format!("{}: {}", bad.key, bad.damage));
        }
        if self.report == ViewReport::New && applied.sequence + taken > 0 {
            self.report = ViewReport::Followed(taken);
        }
        Ok((view, reading))
    }

    /// A view without a journal: an empty one, or a store of the time before there was one.
    fn adopt(&mut self, view: &mut View) -> Result<super::view::Applied, Doubt> {
        let revision = match guarded(|| view.get(keys::REVISION))? {
            Some(bytes) => record::decode::<u64>(keys::REVISION.as_bytes(), &bytes).unwrap_or(0),
            None => 0,
        };
        if revision > 0 {
            self.report = ViewReport::Adopted;
            self.heal = true;
        }
        let (id, mark) = (self.journal.id, Mark { sequence: revision, sum: 0 });
        guarded(|| view.adopt(id, mark))?;
        view.applied.ok_or_else(|| "it does not keep what it is told".into())
    }

    /// Makes the view anew: the newest checkpoint that can be read, then the journal.
    fn rebuild(&mut self, why: Doubt) -> io::Result<(View, Reading)> {
        move_view_aside(self.store)?;
        let (mut view, base) = self.refill()?;
        let mut catching_up = CatchingUp::new(&mut view, self.journal.id, base);
        catching_up.agreed = true;
        let found = self.journal.replay(|frame| catching_up.take(frame))?;
        let commits = catching_up.finish().map_err(io::Error::other)?;
        self.damage.extend(found);
        self.report = ViewReport::Rebuilt { why, checkpoint: base.sequence, commits };
        let reading = guarded(|| Reading::of(view.records())).map_err(io::Error::other)?;
        Ok((view, reading))
    }

    fn refill(&mut self) -> io::Result<(View, Mark)> {
        let folder = self.store.join(VIEW);
        for checkpoint in self.journal.checkpoints() {
            let mut view = guarded(|| View::open(&folder)).map_err(io::Error::other)?;
            match checkpoint.records().and_then(|records| view.fill(checkpoint.store, checkpoint.mark, records)) {
                Ok(()) => return Ok((view, checkpoint.mark)),
                Err(error) => {
                    tracing::error!(%error, file = %checkpoint.path.display(), "a checkpoint cannot be read");
                    self.damage.push(journal::Damage::Checkpoint(checkpoint.path.clone()));
                    self.heal = true;
                    drop(view);
                    fs::remove_dir_all(&folder)?;
                }
            }
        }
        let mut view = guarded(|| View::open(&folder)).map_err(io::Error::other)?;
        view.adopt(self.journal.id, Mark::default())?;
        Ok((view, Mark::default()))
    }

    fn finish(mut self, mut view: View, reading: Reading, limits: Limits) -> io::Result<(Disk, Restored, Report)> {
        let records = reading.believed();
        let Reading { restored, open, stale, bad, .. } = reading;
        let quarantined =
            bad.iter().map(|bad| Quarantined { key: bad.key.clone(), damage: bad.damage }).collect::<Vec<_>>();
        set_aside(self.store, &bad)?;
        let gone = bad.into_iter().filter(|bad| !is_newer(bad)).map(|bad| bad.key).chain(stale);
        let ops: Vec<Op> = gone.map(|key| Op::Remove { key }).collect();
        if self.heal || self.damage.iter().any(journal::Damage::is_loss) {
            self.journal.checkpoint(view.records())?;
        }
        if !ops.is_empty() {
            for key in ops.iter().map(Op::key) {
                tracing::warn!(key, "a record that nobody owns or believes is taken out");
            }
            let mark = self.journal.append(std::iter::once(ops.as_slice()))?.pop().unwrap_or(self.journal.mark);
            view.apply(self.journal.id, mark, std::iter::once(ops.as_slice()))?;
        }
        close_to_others(self.store)?;
        let mut report = Report { records, quarantined, damage: self.damage, view: self.report, lost_commits: 0 };
        let disk = Disk::new(self.store.into(), self.journal, view, open, limits)?;
        report.lost_commits = disk.lost_since_last_life();
        for damage in &report.damage {
            tracing::error!(%damage, "the journal is not as it was left");
        }
        Ok((disk, restored, report))
    }
}

/// The view takes in what the journal has and it has not.
struct CatchingUp<'a> {
    view: &'a mut View,
    store: StoreId,
    from: Mark,
    /// The journal has the commit at which the view stands.
    agreed: bool,
    waiting: Vec<Frame>,
    octets: usize,
    taken: u64,
    failed: Option<Doubt>,
}

impl CatchingUp<'_> {
    fn new(view: &mut View, store: StoreId, from: Mark) -> CatchingUp<'_> {
        CatchingUp { view, store, from, agreed: false, waiting: Vec::new(), octets: 0, taken: 0, failed: None }
    }

    fn take(&mut self, frame: Frame) {
        if frame.mark.sequence <= self.from.sequence {
            self.agreed |= frame.mark == self.from;
            return;
        }
        if !self.agreed {
            self.failed.get_or_insert_with(|| "its history is not the journal's".into());
            return;
        }
        self.octets += frame.ops.iter().map(|op| op.key().len() + op.value().map_or(0, <[u8]>::len)).sum::<usize>();
        self.waiting.push(frame);
        if self.octets >= BATCH {
            self.apply();
        }
    }

    fn apply(&mut self) {
        let Some(last) = self.waiting.last().map(|frame| frame.mark) else { return };
        let ops = self.waiting.iter().map(|frame| frame.ops.as_slice());
        let applied = guarded(|| self.view.apply(self.store, last, ops));
        self.taken += self.waiting.len() as u64;
        self.waiting.clear();
        self.octets = 0;
        if let Err(doubt) = applied {
            self.failed.get_or_insert(doubt);
        }
    }

    fn finish(mut self) -> Result<u64, Doubt> {
        self.apply();
        self.failed.map_or(Ok(self.taken), Err)
    }
}

/// Damage makes sled panic, and a panic must not take the process along.
fn guarded<T>(step: impl FnOnce() -> io::Result<T>) -> Result<T, Doubt> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_panic) => Err("sled gave up on it".into()),
    }
}

pub(super) fn new_id() -> io::Result<StoreId> {
    let mut id = StoreId::default();
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(id)
}

/// Before there was a journal, sled's files lay in the store's own folder.
fn move_old_layout(store: &Path) -> io::Result<()> {
    if !store.join("db").exists() || store.join(VIEW).exists() {
        return Ok(());
    }
    let unfinished = store.join("view.moving");
    make_private_dir(&unfinished)?;
    // `db` goes last: as long as it is here, a process that was killed in between begins again.
    let names = fs::read_dir(store)?.map(|it| it.map(|it| it.file_name())).collect::<io::Result<Vec<_>>>()?;
    let theirs = names.iter().filter(|name| {
        let name = name.to_string_lossy();
        name == "conf" || name == "blobs" || name.starts_with("snap.")
    });
    for name in theirs.map(|name| name.as_os_str()).chain([std::ffi::OsStr::new("db")]) {
        fs::rename(store.join(name), unfinished.join(name))?;
    }
    fs::rename(&unfinished, store.join(VIEW))?;
    File::open(store)?.sync_all()
}

/// The view as it was is kept for whoever wants to look; an older one makes room.
fn move_view_aside(store: &Path) -> io::Result<()> {
    let (view, aside) = (store.join(VIEW), store.join("view.aside"));
    if !view.exists() {
        return Ok(());
    }
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    fs::rename(&view, &aside)?;
    File::open(store)?.sync_all()
}

/// A record of a newer version is nothing that this one may throw away.
fn is_newer(bad: &Bad) -> bool {
    matches!(bad.damage, Damage::Schema(_))
}

/// Bad records leave the store only once their bytes are safe elsewhere.
fn set_aside(store: &Path, bad: &[Bad]) -> io::Result<()> {
    if bad.iter().all(is_newer) {
        return Ok(());
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(store.join("quarantine.jsonl"))?;
    for Bad { key, value, damage } in bad.iter().filter(|bad| !is_newer(bad)) {
        tracing::error!(key, %damage, "a stored record cannot be believed and is set aside");
        let hex = value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        writeln!(file, "{}", serde_json::json!({ "key": key, "damage": damage.to_string(), "value": hex }))?;
    }
    file.sync_all()?;
    File::open(store)?.sync_all()
}

fn close_to_others(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o700))?;
            close_to_others(&entry.path())?;
        } else {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

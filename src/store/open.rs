//! Opening: lock, look at the journal, let the view catch up with it or make it anew, read everything back
//! (durability.md §2.4).

use super::journal::frame::{self, Frame, Mark, Op};
use super::journal::segment::{StoreId, newer};
use super::journal::{self, Journal};
use super::known::Known;
use super::lock::{Lock, LockError};
use super::reading::{Bad, Reading};
use super::record::{self, Damage};
use super::view::View;
use super::writer::{Disk, Store};
use super::{Limits, erase, keys, older, person, schema, writer};
use crate::id::CommitRef;
use crate::switch::{NotStored, Restored, Revision};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
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
    /// A newer version has written it.
    Newer(PathBuf, String),
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
            OpenError::Newer(path, what) => write!(f, "the store in {} cannot be opened: {what}", path.display()),
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
        self.losses().is_empty()
    }

    /// What is missing or doubtful, a sentence each.
    pub fn losses(&self) -> Vec<String> {
        let lost = (self.lost_commits > 0)
            .then(|| format!("the disk has lost {} commits that it had acknowledged", self.lost_commits));
        let doubted = (!self.quarantined.is_empty()).then(|| {
            format!("{} records could not be believed and lie in store/quarantine.jsonl", self.quarantined.len())
        });
        let damage = self.damage.iter().filter(|damage| damage.is_loss()).map(ToString::to_string);
        lost.into_iter().chain(doubted).chain(damage).collect()
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
        schema::check(&store).map_err(|error| failed(&store, error))?;
        for folder in [&store, &store.join(JOURNAL)] {
            make_private_dir(folder).map_err(|error| OpenError::Directory(data.into(), error))?;
        }
        sync_folders(data).map_err(|error| OpenError::Directory(data.into(), error))?;
        let (disk, restored, report) = Recovery::of(&store, limits).map_err(|error| failed(&store, error))?;
        Ok(Opened { restored, report, disk, lock })
    }

    /// Begins to write. Every commit is answered once, from the writer's thread, by `answer`.
    pub fn start(self, answer: impl FnMut(CommitRef, Result<Revision, NotStored>) + Send + 'static) -> Store {
        writer::start(self.disk, self.lock, answer)
    }
}

fn failed(store: &Path, error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::InvalidData => OpenError::Damaged(store.into(), error.to_string()),
        io::ErrorKind::Unsupported => OpenError::Newer(store.into(), error.to_string()),
        _ => OpenError::Disk(store.into(), error),
    }
}

/// Where the journal lies in the store.
pub const JOURNAL: &str = "journal";
/// Where sled lies in the store.
pub const VIEW: &str = "view";
/// What a backup is being made of.
pub const BACKUP: &str = "backup";

pub(super) fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// The folders' own entries must survive as well as what is in them.
fn sync_folders(data: &Path) -> io::Result<()> {
    let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for folder in [parent, data, &data.join("store")] {
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            // Whoever may not look into the parent could not have made the directory either.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Why the view is not followed.
enum Trouble {
    /// It is not believed, and is made anew.
    Doubt(String),
    /// The machine has no room, files or rights left, or the files are a newer version's. It would be no better with
    /// another view.
    Machine(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        use rustix::io::Errno;
        let machine =
            [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::ACCESS];
        match error.raw_os_error() {
            None if error.kind() == io::ErrorKind::Unsupported => Trouble::Machine(error), // A newer version's file.
            Some(number) if machine.iter().any(|errno| errno.raw_os_error() == number) => Trouble::Machine(error),
            _ => Trouble::Doubt(error.to_string()),
        }
    }
}

fn doubt<T>(why: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Doubt(why.into()))
}

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
        older::take_up(store)?;
        drop_old_backup(store)?;
        let (mut journal, heads) = Journal::open(&store.join(JOURNAL), new_id()?, limits.checkpoint_commits)?;
        if journal.is_new() && !store.join(VIEW).exists() {
            // From here on sled may fail as it likes: what the store holds is known without it.
            journal.checkpoint(std::iter::empty())?;
        }
        let mut recovery =
            Recovery { store, journal, damage: heads.clone(), report: ViewReport::New, heal: !heads.is_empty() };
        let (view, reading) = match recovery.follow() {
            Ok(followed) => followed,
            Err(Trouble::Machine(error)) => return Err(error),
            Err(Trouble::Doubt(why)) if recovery.journal.is_new() => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            Err(Trouble::Doubt(why)) => {
                recovery.damage = heads;
                recovery.rebuild(why)?
            }
        };
        recovery.finish(view, reading, limits)
    }

    /// Lets the view that is there catch up with the journal.
    fn follow(&mut self) -> Result<(View, Reading), Trouble> {
        let folder = self.store.join(VIEW);
        let is_fresh = !folder.exists();
        let mut view = guarded(|| View::open(&folder))?;
        let applied = match view.applied {
            Some(applied) => applied,
            None if self.journal.is_new() || is_fresh && self.journal.is_whole_without_checkpoint() => {
                self.adopt(&mut view)?
            }
            None => return doubt("it does not say what it has taken in"),
        };
        let mut catching_up = CatchingUp::new(&mut view, self.journal.id, applied.mark());
        if self.journal.is_new() {
            // There is no journal. What the view holds is all there is, and becomes the beginning of a new one.
            self.journal.id = applied.store;
            self.journal.go_on_from(applied.mark());
            self.heal = true;
        } else if applied.store != self.journal.id {
            return doubt("it belongs to another store");
        } else {
            catching_up.agreed = self.journal.knows(applied.mark());
            let found = self.journal.replay(|frame| catching_up.take(frame))?;
            self.damage.extend(found);
        }
        let taken = catching_up.finish(self.journal.mark)?;
        let reading = guarded(|| Reading::of(view.records()))?;
        refuse_newer(&reading)?;
        if Some(reading.digest) != view.applied.map(|applied| applied.digest) {
            return doubt("its records do not add up");
        }
        if let Some(bad) = reading.bad.first() {
            return doubt(format!("{}: {}", bad.key, bad.damage));
        }
        if applied.sequence > self.journal.mark.sequence {
            // The view takes in only what the journal has synced: the journal has lost its end.
            let lost = self.journal.mark.sequence + 1..applied.sequence + 1;
            self.damage.push(journal::Damage::Missing(lost));
            self.journal.go_on_from(applied.mark());
        }
        if view.applied.is_some_and(|applied| applied.sequence < self.journal.mark.sequence) {
            return doubt("commits that it needs are missing");
        }
        if self.report == ViewReport::New && applied.sequence + taken > 0 {
            self.report = ViewReport::Followed(taken);
        }
        Ok((view, reading))
    }

    /// A view that says nothing of itself: an empty one, or a store of the time before the journal.
    fn adopt(&mut self, view: &mut View) -> Result<super::view::Applied, Trouble> {
        let revision = match guarded(|| view.get(keys::REVISION))? {
            Some(bytes) => record::decode::<u64>(keys::REVISION.as_bytes(), &bytes).unwrap_or(0),
            None => 0,
        };
        let (id, mark) = (self.journal.id, Mark { sequence: revision, sum: 0 });
        guarded(|| view.adopt(id, mark))?;
        match view.applied {
            Some(applied) => {
                if applied.digest.count > 0 {
                    self.report = ViewReport::Adopted;
                }
                Ok(applied)
            }
            None => doubt("it does not keep what it is told"),
        }
    }

    /// Makes the view anew: the newest checkpoint that can be read, then the journal.
    fn rebuild(&mut self, why: String) -> io::Result<(View, Reading)> {
        tracing::error!(why, "the view of the journal is not believed and is made anew");
        let failed = |trouble| match trouble {
            Trouble::Doubt(why) => io::Error::other(format!("a new view cannot be made: {why}")),
            Trouble::Machine(error) => error,
        };
        move_view_aside(self.store)?;
        let (mut view, base) = self.refill()?;
        let mut catching_up = CatchingUp::new(&mut view, self.journal.id, base);
        // There is nothing better: what the journal does not have is told.
        (catching_up.agreed, catching_up.may_skip) = (true, true);
        let found = self.journal.replay(|frame| catching_up.take(frame))?;
        let commits = catching_up.finish(self.journal.mark).map_err(failed)?;
        self.damage.extend(found);
        self.report = ViewReport::Rebuilt { why, checkpoint: base.sequence, commits };
        let reading = guarded(|| Reading::of(view.records())).map_err(failed)?;
        refuse_newer(&reading)?;
        Ok((view, reading))
    }

    fn refill(&mut self) -> io::Result<(View, Mark)> {
        let folder = self.store.join(VIEW);
        for checkpoint in self.journal.checkpoints() {
            let mut view = View::open(&folder)?;
            match checkpoint.records().and_then(|records| view.fill(checkpoint.store, checkpoint.mark, records)) {
                Ok(()) => return Ok((view, checkpoint.mark)),
                // Nothing is wrong with the checkpoint, and everything stays as it is until there is room.
                Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::error!(%error, file = %checkpoint.path.display(), "a checkpoint cannot be read");
                    self.damage.push(journal::Damage::Checkpoint(checkpoint.path.clone()));
                    self.heal = true;
                    drop(view);
                    fs::remove_dir_all(&folder)?;
                }
            }
        }
        let mut view = View::open(&folder)?;
        view.adopt(self.journal.id, Mark::default())?;
        Ok((view, Mark::default()))
    }

    fn finish(mut self, mut view: View, reading: Reading, limits: Limits) -> io::Result<(Disk, Restored, Report)> {
        schema::note(self.store)?;
        let records = reading.believed();
        let Reading { restored, open, stale, bad, .. } = reading;
        let tasks = restored.tasks.iter().filter(|task| !task.state.is_final()).map(|task| task.id).collect();
        let quarantined =
            bad.iter().map(|bad| Quarantined { key: bad.key.clone(), damage: bad.damage }).collect::<Vec<_>>();
        set_aside(self.store, &bad)?;
        let gone = bad.into_iter().map(|bad| bad.key).chain(stale);
        let ops: Vec<Op> = gone.map(|key| Op::Remove { key }).collect();
        let stands_behind = view.applied.map(|applied| applied.mark()) != Some(self.journal.mark);
        let is_erasing = erase::is_due(self.store);
        if self.heal || is_erasing || stands_behind || self.damage.iter().any(journal::Damage::is_loss) {
            // What is there is all that can be had. The journal goes on from it.
            self.journal.heal(view.records())?;
            view.adopt(self.journal.id, self.journal.mark)?;
        }
        if is_erasing {
            view = self.purge(view)?;
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
        let disk = Disk::new(self.store.into(), self.journal, view, Known { calling: open, tasks }, limits)?;
        report.lost_commits = disk.lost_since_last_life();
        for damage in &report.damage {
            tracing::error!(%damage, "the journal is not as it was left");
        }
        Ok((disk, restored, report))
    }
}

impl Recovery<'_> {
    /// Throws away all that is older than the state that has just been written down.
    fn purge(&mut self, view: View) -> io::Result<View> {
        drop(view);
        while !self.journal.purge(self.journal.mark.sequence)? {}
        erase::remove_view(self.store)?;
        let (view, mark) = self.refill()?;
        if mark != self.journal.mark {
            return Err(io::Error::other("the state that was written down for an erasure cannot be read back"));
        }
        erase::finish(self.store)?;
        Ok(view)
    }
}

/// The view takes in what the journal has and it has not.
struct CatchingUp<'a> {
    view: &'a mut View,
    store: StoreId,
    from: Mark,
    /// The journal has the commit at which the view stands.
    agreed: bool,
    /// Commits that are missing are passed over.
    may_skip: bool,
    next: u64,
    waiting: Vec<Frame>,
    octets: usize,
    taken: u64,
    failed: Option<Trouble>,
}

impl CatchingUp<'_> {
    fn new(view: &mut View, store: StoreId, from: Mark) -> CatchingUp<'_> {
        let (agreed, may_skip, next) = (false, false, from.sequence + 1);
        let (waiting, octets, taken, failed) = (Vec::new(), 0, 0, None);
        CatchingUp { view, store, from, agreed, may_skip, next, waiting, octets, taken, failed }
    }

    fn take(&mut self, frame: Frame) {
        if frame.mark.sequence <= self.from.sequence {
            self.agreed |= frame.mark == self.from;
            return;
        }
        let follows = frame.mark.sequence == self.next;
        // The frame at which the view stands may be the one that is damaged: the next one knows its sum.
        self.agreed |= follows && self.next == self.from.sequence + 1 && frame.previous == self.from.sum;
        if self.failed.is_some() || !self.agreed || !(follows || self.may_skip) {
            let why =
                if self.agreed { "commits that it needs are missing" } else { "its history is not the journal's" };
            self.failed.get_or_insert_with(|| Trouble::Doubt(why.into()));
            return;
        }
        self.next = frame.mark.sequence + 1;
        self.octets += frame::size(&frame.ops);
        self.waiting.push(frame);
        if self.octets >= BATCH {
            self.apply();
        }
    }

    fn apply(&mut self) {
        let Some(last) = self.waiting.last().map(|frame| frame.mark) else { return };
        let ops = self.waiting.iter().map(|frame| frame.ops.as_slice());
        match guarded(|| self.view.apply(self.store, last, ops)) {
            Ok(()) => self.taken += self.waiting.len() as u64,
            Err(trouble) => self.failed = Some(trouble),
        }
        self.waiting.clear();
        self.octets = 0;
    }

    /// How many were taken; `end` is where the journal stands.
    fn finish(mut self, end: Mark) -> Result<u64, Trouble> {
        if self.failed.is_none() {
            self.apply();
        }
        if self.failed.is_none() && !self.agreed && self.from != end && self.from.sequence <= end.sequence {
            return doubt("its history is not the journal's");
        }
        self.failed.map_or(Ok(self.taken), Err)
    }
}

/// Damage makes sled panic, and a panic must not take the process along.
fn guarded<T>(step: impl FnOnce() -> io::Result<T>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done.map_err(Trouble::from),
        Err(_panic) => doubt("sled gave up on it"),
    }
}

/// What a backup was made of, or somebody was looked for in, when its process was killed.
fn drop_old_backup(store: &Path) -> io::Result<()> {
    person::passing(store).iter().try_for_each(|folder| person::clear(folder))
}

pub(super) fn new_id() -> io::Result<StoreId> {
    let mut id = StoreId::default();
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(id)
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

/// A whole record of a schema that this version does not know is nothing that it may throw away, and a switch without
/// it would not keep what was promised.
fn refuse_newer(reading: &Reading) -> io::Result<()> {
    let is_newer = |bad: &Bad| matches!(bad.damage, Damage::Schema(schema) if schema > record::SCHEMA);
    if reading.bad.iter().any(is_newer) { Err(newer()) } else { Ok(()) }
}

/// Bad records leave the store only once their bytes are safe elsewhere.
fn set_aside(store: &Path, bad: &[Bad]) -> io::Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(store.join("quarantine.jsonl"))?;
    for Bad { key, value, damage } in bad {
        tracing::error!(key, %damage, "a stored record cannot be believed and is set aside");
        let hex = value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        writeln!(file, "{}", serde_json::json!({ "key": key, "damage": damage.to_string(), "value": hex }))?;
    }
    file.sync_all()?;
    File::open(store)?.sync_all()
}

/// Sled makes its files as the process's mask says.
fn close_to_others(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        let mode = Permissions::from_mode(if is_folder { 0o700 } else { 0o600 });
        if let Err(error) = fs::set_permissions(entry.path(), mode) {
            tracing::warn!(%error, file = %entry.path().display(), "a file of the store may be open to others");
        }
        if is_folder {
            close_to_others(&entry.path())?;
        }
    }
    Ok(())
}

//! Opening: lock, look at the folders, read everything back (`recovery`), and say what was found (durability.md §2.4).

use super::journal;
use super::journal::segment::StoreId;
use super::lock::{Lock, LockError};
use super::record::Damage;
use super::recovery::Recovery;
use super::writer::{Disk, SIDE, Store};
use super::{Limits, schema, writer};
use crate::id::CommitRef;
use crate::switch::{NotStored, Restored, Revision};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
    /// Why an erasure that a former life had begun could not be finished; the next start tries again.
    pub unerased: Option<String>,
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
        let (mut disk, mut restored, report) = Recovery::of(&store, limits).map_err(|error| failed(&store, error))?;
        let side = File::open(store.join(SIDE)).ok();
        restored.shown = side.and_then(|side| writer::shown(&side, restored.doubt));
        disk.doubt = restored.doubt;
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

pub(super) fn new_id() -> io::Result<StoreId> {
    let mut id = StoreId::default();
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(id)
}

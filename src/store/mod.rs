//! The store: what must outlive the process (durability.md).
//!
//! The journal is the truth (`journal`): every commit is one frame of an append-only file, written and synced before it
//! is answered; commits that wait are synced together. Sled 0.34.7 is a view of it (`view`), which follows, and is made
//! anew from the newest checkpoint (`checkpoint`) and the journal whenever there is doubt about it: sled's flush is no
//! fsync, and damage makes it panic or, worse, forget.
//!
//! A write or sync that fails poisons its segment. Nothing is acknowledged then until everything acknowledged has been
//! read back and a new segment is begun, while calls go on.
//!
//! What checkpoints have made needless stays in `kept` until a backup holds it, at most 7 days and 256 MiB
//! (`journal::kept`).
//!
//! A store of a newer schema is refused and left as it is (`schema`); one of the time before the journal is copied
//! before it becomes one of this (`older`).
//!
//! A person's records are found by his number (`person`) and erased for good (`erase`): the state is written down anew,
//! and all that is older, sled's files included, is thrown away.
//!
//! Every value carries schema, checksum and its own key (`record`). One that does not hold is copied into
//! `quarantine.jsonl`, reported, and left out.

pub mod archive;
pub mod ballast;
mod catch_up;
pub mod checkpoint;
pub mod erase;
pub mod erased;
pub mod export;
mod health;
pub mod journal;
pub mod keys;
mod known;
pub mod lock;
mod older;
mod open;
pub mod person;
mod reading;
pub mod record;
mod recovery;
pub mod schema;
mod shown;
pub mod state;
pub mod verify;
mod view;
mod writer;

pub use health::{Health, Illness, Troubles};
pub use lock::Lock;
pub use open::{JOURNAL, OpenError, Opened, Quarantined, Report, ViewReport};
pub use writer::{Snapshots, Store};

use crate::limits::CHECKPOINT_COMMITS;
use std::time::Duration;

/// What the store may assume of its disk.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long to wait for a process that is just leaving the directory.
    pub lock_wait: Duration,
    /// Below so many free octets no task is created.
    pub reserve_bytes: u64,
    /// Below so many per cent of the disk no task is created.
    pub reserve_percent: u64,
    /// Octets that are held for the last writes on a full disk (`ballast`).
    pub ballast_bytes: u64,
    /// After so many commits the whole state is written down anew.
    pub checkpoint_commits: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            lock_wait: Duration::from_secs(5),
            reserve_bytes: 32 * 1024 * 1024,
            reserve_percent: 2,
            ballast_bytes: 64 * 1024 * 1024,
            checkpoint_commits: CHECKPOINT_COMMITS,
        }
    }
}

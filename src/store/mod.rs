//! The store: what must outlive the process, on sled 0.34.7 made safe (durability.md §1, §2.4, §2.12).
//!
//! One thread writes. A commit is one transaction; then comes sled's flush, then our own `fdatasync` of its file
//! (sled's flush is not an fsync on Linux), and only then the answer. Commits that wait are synced together.
//! The first write or sync that fails poisons the store: nothing is ever acknowledged again until a restart has read
//! the disk back, while calls go on. Opening takes the directory's lock, clears away the half-written files that a
//! kill leaves behind, and runs sled in a thread of its own, because damage makes it panic.
//!
//! Every value carries schema, checksum and its own key (`record`). One that does not hold is copied into
//! `quarantine.jsonl`, reported, and left out.

pub mod keys;
pub mod lock;
mod open;
pub mod record;
mod writer;

pub use lock::Lock;
pub use open::{OpenError, Opened, Quarantined, Report};
pub use writer::{Health, Store};

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
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { lock_wait: Duration::from_secs(5), reserve_bytes: 32 * 1024 * 1024, reserve_percent: 2 }
    }
}

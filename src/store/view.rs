//! Sled, as a view of the journal: what a key holds now. It follows the journal, is never asked to promise anything,
//! and is made anew from checkpoint and journal whenever there is doubt about it (durability.md §2.4).

use super::journal::frame::{Mark, Op};
use super::journal::segment::StoreId;
use super::state::Digest;
use super::{keys, record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

const CACHE_BYTES: u64 = 64 * 1024 * 1024;
const FLUSH_EVERY_MS: u64 = 200;
/// A process that has just gone may hold sled's own lock a moment longer than ours (durability.md §1).
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Records that one batch takes in when the view is made anew.
const FILL: usize = 1_000;

/// Up to where the view has followed the journal, and what it must add up to then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Whose journal.
    pub store: StoreId,
    /// The last commit that it has taken in.
    pub sequence: u64,
    /// That commit's checksum.
    pub sum: u32,
    /// All records.
    pub digest: Digest,
}

impl Applied {
    /// Where in the journal that is.
    pub fn mark(&self) -> Mark {
        Mark { sequence: self.sequence, sum: self.sum }
    }
}

/// The open database.
pub struct View {
    db: sled::Db,
    /// `None`: new, or of the time before there was a journal.
    pub applied: Option<Applied>,
}

impl View {
    /// Opens it, or makes it. Damaged files make sled panic: whoever calls this is ready for that.
    pub fn open(folder: &Path) -> io::Result<View> {
        clear_leftovers(folder)?;
        let until = Instant::now() + LOCK_WAIT;
        let db = loop {
            let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES);
            match config.flush_every_ms(Some(FLUSH_EVERY_MS)).open() {
                Ok(db) => break db,
                Err(error) if is_busy(&error) && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => return Err(error.into()),
            }
        };
        let applied = match db.get(keys::APPLIED)? {
            Some(bytes) => Some(record::decode(keys::APPLIED.as_bytes(), &bytes).map_err(|damage| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {damage}", keys::APPLIED))
            })?),
            None => None,
        };
        Ok(View { db, applied })
    }

    /// What a key holds.
    pub fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.db.get(key)?.map(|bytes| bytes.to_vec()))
    }

    /// Takes commits in, all at once. They reach the disk in their own time; until then the journal has them.
    pub fn apply<'a>(&mut self, store: StoreId, mark: Mark, commits: impl Iterator<Item = &'a [Op]>) -> io::Result<()> {
        let mut last: BTreeMap<&str, Option<&[u8]>> = BTreeMap::new();
        let mut digest = self.applied.unwrap_or_default().digest;
        let mut batch = sled::Batch::default();
        for op in commits.flatten() {
            let before = match last.get(op.key()) {
                Some(value) => value.map(<[u8]>::to_vec),
                None => self.get(op.key())?,
            };
            if let Some(before) = before {
                digest.take(op.key(), &before);
            }
            match op {
                Op::Put { key, value } => {
                    digest.add(key, value);
                    batch.insert(key.as_bytes(), value.as_slice());
                }
                Op::Remove { key } => batch.remove(key.as_bytes()),
            }
            last.insert(op.key(), op.value());
        }
        self.stand_at(Applied { store, sequence: mark.sequence, sum: mark.sum, digest }, batch)
    }

    /// Takes a whole state into an empty view, as it is at `mark`.
    pub fn fill(
        &mut self,
        store: StoreId,
        mark: Mark,
        pairs: impl Iterator<Item = io::Result<(String, Vec<u8>)>>,
    ) -> io::Result<()> {
        let mut digest = Digest::default();
        let (mut batch, mut count) = (sled::Batch::default(), 0);
        for pair in pairs {
            let (key, value) = pair?;
            digest.add(&key, &value);
            batch.insert(key.as_bytes(), value);
            count += 1;
            if count == FILL {
                self.db.apply_batch(std::mem::take(&mut batch))?;
                count = 0;
            }
        }
        self.stand_at(Applied { store, sequence: mark.sequence, sum: mark.sum, digest }, batch)
    }

    fn stand_at(&mut self, applied: Applied, mut batch: sled::Batch) -> io::Result<()> {
        batch.insert(keys::APPLIED.as_bytes(), record::encode(keys::APPLIED.as_bytes(), &applied));
        self.db.apply_batch(batch)?;
        self.applied = Some(applied);
        Ok(())
    }

    /// Says what a view of the time before the journal adds up to, and where its history begins.
    pub fn adopt(&mut self, store: StoreId, mark: Mark) -> io::Result<()> {
        let mut digest = Digest::default();
        for pair in self.records() {
            let (key, value) = pair?;
            digest.add(&key, &value);
        }
        self.stand_at(Applied { store, sequence: mark.sequence, sum: mark.sum, digest }, sled::Batch::default())
    }

    /// All records, sorted by key. What the view says of itself is none.
    pub fn records(&self) -> impl Iterator<Item = io::Result<(String, Vec<u8>)>> {
        self.db.iter().filter_map(|pair| match pair {
            Ok((key, _)) if key.starts_with(keys::META.as_bytes()) => None,
            Ok((key, value)) => Some(Ok((String::from_utf8_lossy(&key).into_owned(), value.to_vec()))),
            Err(error) => Some(Err(error.into())),
        })
    }
}

/// A kill while sled writes its snapshot leaves `snap.*.generating`, which the next open takes for the newest one and
/// fails; a kill between making and filling `conf` bricks a new store (durability.md §1).
fn clear_leftovers(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(file = %name, "removed a snapshot that was never finished");
            fs::remove_file(entry.path())?;
        }
    }
    if folder.join("conf").exists() && !folder.join("db").exists() {
        tracing::warn!("removed the configuration of a view that was never begun");
        fs::remove_file(folder.join("conf"))?;
    }
    Ok(())
}

fn is_busy(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.kind() == io::ErrorKind::WouldBlock
        || io.to_string().contains("could not acquire lock"))
}

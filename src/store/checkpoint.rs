//! The whole state at one commit, sorted by key, in one file: `SEQUENCE.ckp`.
//!
//! It is merged from the checkpoint before it and the commits since, so neither sled nor the writer takes part, and a
//! million records need no more memory than the commits between two checkpoints. It is written beside, synced and
//! read back before it is renamed: one that has its name is whole, and says so at its end.

use super::journal::frame::{Mark, Op};
use super::journal::segment::{LAST, StoreId, newer};
use super::state::Digest;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::iter::Peekable;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"RINGCKPT";
const FORMAT: u32 = 1;
const HEAD: usize = 44;
/// Octets after which what was written is synced.
const SYNC_EVERY: usize = 4 * 1024 * 1024;
/// No key is so long: the end of the records.
const END: u16 = u16::MAX;

/// What a checkpoint's head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where it lies.
    pub path: PathBuf,
    /// Whose.
    pub store: StoreId,
    /// The state after this commit.
    pub mark: Mark,
}

/// Key and record.
pub type Pair = (String, Vec<u8>);

impl Checkpoint {
    /// Reads the head. `Ok(None)`: it is none of ours, or damaged.
    pub fn at(path: PathBuf) -> io::Result<Option<Checkpoint>> {
        let mut head = [0; HEAD];
        match File::open(&path)?.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let (said, sum) = head.split_at(HEAD - 4);
        if said[..8] != MAGIC || crc32c::crc32c(said).to_le_bytes() != sum {
            return Ok(None);
        }
        if said[8..12] != FORMAT.to_le_bytes() {
            return Err(newer());
        }
        let sequence = u64::from_le_bytes(said[28..36].try_into().expect("eight octets were cut"));
        let sum = u32::from_le_bytes(said[36..40].try_into().expect("four octets were cut"));
        let store = said[12..28].try_into().expect("sixteen octets were cut");
        Ok((sequence <= LAST).then_some(Checkpoint { path, store, mark: Mark { sequence, sum } }))
    }

    /// Its records, sorted by key. An `Err` is the last item.
    pub fn records(&self) -> io::Result<Records> {
        let mut input = BufReader::with_capacity(1 << 18, File::open(&self.path)?);
        input.read_exact(&mut [0; HEAD])?;
        Ok(Records { input, digest: Digest::default(), ended: false })
    }

    /// Reads all of it, and says what it sums up to.
    pub fn verify(&self) -> io::Result<Digest> {
        let mut records = self.records()?;
        for record in records.by_ref() {
            record?;
        }
        Ok(records.digest)
    }

    /// Writes the state `pairs`, which are sorted by key, as it is after `mark`.
    pub fn write(
        folder: &Path,
        store: StoreId,
        mark: Mark,
        pairs: impl Iterator<Item = io::Result<Pair>>,
    ) -> io::Result<(Checkpoint, Digest)> {
        let path = folder.join(format!("{:020}.ckp", mark.sequence));
        let unfinished = path.with_extension("tmp");
        let written = write_unfinished(&unfinished, store, mark, pairs)
            .and_then(|digest| fs::rename(&unfinished, &path).map(|()| digest));
        if written.is_err() {
            // It may hold the disk's last room, and the next one goes by another name.
            if let Err(error) = fs::remove_file(&unfinished) {
                tracing::warn!(%error, file = %unfinished.display(), "what was begun of a checkpoint is still there");
            }
        }
        let digest = written?;
        File::open(folder)?.sync_all()?;
        Ok((Checkpoint { path, store, mark }, digest))
    }
}

fn write_unfinished(
    unfinished: &Path,
    store: StoreId,
    mark: Mark,
    pairs: impl Iterator<Item = io::Result<Pair>>,
) -> io::Result<Digest> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(unfinished)?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    out.write_all(&head(store, mark))?;
    let (mut digest, mut unsynced) = (Digest::default(), 0);
    for pair in pairs {
        let (key, value) = pair?;
        digest.add(&key, &value);
        out.write_all(&head_of(&key, &value))?;
        out.write_all(key.as_bytes())?;
        out.write_all(&value)?;
        unsynced += key.len() + value.len();
        // Bit by bit: a commit's sync on the same disk must not wait for all of it.
        if unsynced >= SYNC_EVERY {
            unsynced = 0;
            out.flush()?;
            out.get_ref().sync_data()?;
        }
    }
    out.write_all(&END.to_le_bytes())?;
    out.write_all(&digest.to_octets())?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_data()?;
    // Only advice: a file system that does not take it reads back from memory.
    if let Err(error) = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed) {
        tracing::debug!(%error, "a new checkpoint is read back from memory");
    }
    read_back(unfinished, store, mark, digest)?;
    Ok(digest)
}

/// Older files go because this one is there: it has to be what was written, asked of the disk and not of memory. The
/// error tells of this file, never of one that it was made from.
fn read_back(path: &Path, store: StoreId, mark: Mark, digest: Digest) -> io::Result<()> {
    let found =
        Checkpoint::at(path.into()).and_then(|it| it.map(|it| it.verify().map(|digest| (it, digest))).transpose());
    let wrong = match found {
        Ok(Some((it, read))) if (it.store, it.mark, read) == (store, mark, digest) => return Ok(()),
        Ok(_) => "it is not what was written".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(io::Error::other(format!("a new checkpoint does not come back from the disk: {wrong}")))
}

fn head(store: StoreId, mark: Mark) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    head[12..28].copy_from_slice(&store);
    head[28..36].copy_from_slice(&mark.sequence.to_le_bytes());
    head[36..40].copy_from_slice(&mark.sum.to_le_bytes());
    let sum = crc32c::crc32c(&head[..HEAD - 4]);
    head[HEAD - 4..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// `key length u16 · value length u32 · crc32c u32`, the sum over the lengths, the key and the value.
fn head_of(key: &str, value: &[u8]) -> [u8; 10] {
    let mut head = [0; 10];
    let length = u16::try_from(key.len()).expect("keys are made of ids and bounded names");
    head[..2].copy_from_slice(&length.to_le_bytes());
    head[2..6].copy_from_slice(&u32::try_from(value.len()).expect("a record is far below 4 GiB").to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&head[..6]), key.as_bytes()), value);
    head[6..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// A checkpoint being read.
#[derive(Debug)]
pub struct Records {
    input: BufReader<File>,
    digest: Digest,
    ended: bool,
}

impl Records {
    fn next_pair(&mut self) -> io::Result<Option<Pair>> {
        let mut length = [0; 2];
        self.input.read_exact(&mut length)?;
        if u16::from_le_bytes(length) == END {
            return self.end();
        }
        let mut rest = [0; 8];
        self.input.read_exact(&mut rest)?;
        let value_length = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
        let mut key = vec![0; usize::from(u16::from_le_bytes(length))];
        self.input.read_exact(&mut key)?;
        // Grows as it is read: a rotten length ends at the file's end and takes no memory before it.
        let mut value = Vec::new();
        (&mut self.input).take(u64::from(value_length)).read_to_end(&mut value)?;
        let key = String::from_utf8(key).map_err(|_| damaged("a key is no text"))?;
        if value.len() != value_length as usize || head_of(&key, &value)[6..] != rest[4..] {
            return Err(damaged("a record's checksum does not match"));
        }
        self.digest.add(&key, &value);
        Ok(Some((key, value)))
    }

    fn end(&mut self) -> io::Result<Option<Pair>> {
        let mut said = [0; 16];
        self.input.read_exact(&mut said)?;
        if said != self.digest.to_octets() || self.input.read(&mut [0; 1])? != 0 {
            return Err(damaged("records are missing"));
        }
        Ok(None)
    }
}

impl Iterator for Records {
    type Item = io::Result<Pair>;

    fn next(&mut self) -> Option<io::Result<Pair>> {
        if self.ended {
            return None;
        }
        let next = self.next_pair().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A state with later changes over it, sorted by key.
pub struct Merged<I: Iterator<Item = io::Result<Pair>>> {
    old: Peekable<I>,
    new: Peekable<std::collections::btree_map::IntoIter<String, Option<Vec<u8>>>>,
}

/// What commits have changed, by key; `None` where a key holds nothing any more.
pub type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// Lays a commit over what was changed before.
pub fn lay(changes: &mut Changes, ops: Vec<Op>) {
    for op in ops {
        match op {
            Op::Put { key, value } => changes.insert(key, Some(value)),
            Op::Remove { key } => changes.insert(key, None),
        };
    }
}

impl<I: Iterator<Item = io::Result<Pair>>> Merged<I> {
    /// `old`, which is sorted by key, with `new` over it.
    pub fn new(old: I, new: Changes) -> Merged<I> {
        Merged { old: old.peekable(), new: new.into_iter().peekable() }
    }
}

impl<I: Iterator<Item = io::Result<Pair>>> Iterator for Merged<I> {
    type Item = io::Result<Pair>;

    fn next(&mut self) -> Option<io::Result<Pair>> {
        loop {
            let is_old = match (self.old.peek(), self.new.peek()) {
                (None, None) => return None,
                (Some(Err(_)), _) | (Some(Ok(_)), None) => true,
                (None, Some(_)) => false,
                (Some(Ok((old, _))), Some((new, _))) => old < new,
            };
            if is_old {
                return self.old.next();
            }
            let (key, value) = self.new.next()?;
            self.old.next_if(|old| old.as_ref().is_ok_and(|(old, _)| *old == key));
            if let Some(value) = value {
                return Some(Ok((key, value)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_come_back_as_it_was_written_gets_no_name() {
        let folder = std::env::temp_dir().join(format!("ringback-checkpoint-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let mark = Mark { sequence: 7, sum: 7 };
        let unfinished = folder.join("00000000000000000007.tmp");
        // The disk changes an octet that was written before.
        let rots = |n: u8| {
            if n == 100 {
                let mut octets = fs::read(&unfinished).unwrap();
                octets[2_000] ^= 1;
                fs::write(&unfinished, octets).unwrap();
            }
            Ok((format!("thing/{n}"), vec![n; 10_000]))
        };

        let written = Checkpoint::write(&folder, [7; 16], mark, (0..=100).map(rots)).map(|(it, _)| it.path);

        let error = written.expect_err("it is damaged");
        assert_eq!(error.kind(), io::ErrorKind::Other, "{error}: not the fault of what it is made from");
        assert!(!unfinished.with_extension("ckp").exists());
        let good = (0..=100_u8).map(|n| Ok((format!("thing/{n}"), vec![n; 10_000])));
        assert!(Checkpoint::write(&folder, [7; 16], mark, good).unwrap().0.path.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}

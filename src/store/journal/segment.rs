//! One file of the journal: a head of 64 octets, commits (`frame`), and zeros up to its preallocated length.
//!
//! The head names the store, the commit that the file goes on from, and so what the file before it may hold: whatever
//! lies there from that sequence on was never acknowledged. A process writes only files of its own; it never goes on in
//! one that another life began.

use super::frame::{self, Damage, Frame, Mark};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Octets of the head.
pub const HEAD: u64 = 64;
const MAGIC: [u8; 8] = *b"RINGJRNL";
const FORMAT: u32 = 1;
/// How far behind a damaged place the sequence of a good frame may lie: anything else there is no frame.
const REACH: u64 = 1 << 20;

/// Which store a file belongs to: drawn when it is made.
pub type StoreId = [u8; 16];

/// What the head of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose.
    pub store: StoreId,
    /// The commit that the first of this file follows.
    pub after: Mark,
}

impl Head {
    fn write(&self) -> [u8; HEAD as usize] {
        let mut bytes = [0; HEAD as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..28].copy_from_slice(&self.store);
        bytes[28..36].copy_from_slice(&self.after.sequence.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.after.sum.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Head> {
        let head: &[u8; HEAD as usize] = bytes.first_chunk()?;
        let (said, sum) = head.split_at(60);
        let good = said[..8] == MAGIC && said[8..12] == FORMAT.to_le_bytes();
        if !good || crc32c::crc32c(said).to_le_bytes() != sum {
            return None;
        }
        let sequence = u64::from_le_bytes(said[28..36].try_into().ok()?);
        let sum = u32::from_le_bytes(said[36..40].try_into().ok()?);
        Some(Head { store: said[12..28].try_into().ok()?, after: Mark { sequence, sum } })
    }
}

/// `SEQUENCE.seg`, after the first commit in it.
pub fn name(after: Mark) -> String {
    format!("{:020}.seg", after.sequence + 1)
}

/// A file on disk with a head that can be read.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Where it lies.
    pub path: PathBuf,
    /// What its head says.
    pub head: Head,
}

impl Segment {
    /// Reads the head. `Ok(None)`: it is none of ours, or damaged.
    pub fn at(path: PathBuf) -> std::io::Result<Option<Segment>> {
        let mut bytes = [0; HEAD as usize];
        match File::open(&path)?.read_exact(&mut bytes) {
            Ok(()) => Ok(Head::read(&bytes).map(|head| Segment { path, head })),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every good commit up to `last`, which is where the next segment goes on from.
    pub fn read(&self, last: Option<u64>, mut each: impl FnMut(Frame)) -> std::io::Result<Found> {
        let bytes = std::fs::read(&self.path)?;
        let mut found =
            Found { end: self.head.after, length: HEAD, damaged: Vec::new(), missing: Vec::new(), torn: None };
        let mut at = (HEAD as usize).min(bytes.len());
        loop {
            match frame::read(&bytes[at..]) {
                Ok((frame, length)) if frame.mark.sequence > found.end.sequence => {
                    if last.is_some_and(|last| frame.mark.sequence > last) {
                        break; // Written, never acknowledged, and written again in the next segment.
                    }
                    if frame.mark.sequence > found.end.sequence + 1 {
                        found.missing.push(found.end.sequence + 1..frame.mark.sequence);
                    }
                    found.end = frame.mark;
                    at += length;
                    found.length = at as u64;
                    each(frame);
                }
                Err(Damage::End) if frame::is_blank(&bytes[at..]) => break,
                Ok(_) | Err(_) => match next_good(&bytes, at, found.end) {
                    Some(next) => {
                        found.damaged.push(bytes[at..next].to_vec());
                        at = next;
                    }
                    None => {
                        found.torn = Some(without_zeros(&bytes[at..]).to_vec());
                        break;
                    }
                },
            }
        }
        if let Some(last) = last.filter(|last| *last > found.end.sequence) {
            found.missing.push(found.end.sequence + 1..last + 1);
        }
        Ok(found)
    }
}

/// What lay in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the history stands behind the last good commit.
    pub end: Mark,
    /// Octets up to there.
    pub length: u64,
    /// Octets that are no commit and have good ones behind them.
    pub damaged: Vec<Vec<u8>>,
    /// Sequences that are not there.
    pub missing: Vec<Range<u64>>,
    /// Octets behind the last good commit.
    pub torn: Option<Vec<u8>>,
}

fn next_good(bytes: &[u8], from: usize, end: Mark) -> Option<usize> {
    let places = (from + 8..bytes.len()).step_by(8);
    places.into_iter().find(|at| {
        let near = frame::sequence_at(&bytes[*at..])
            .is_ok_and(|sequence| sequence > end.sequence && sequence - end.sequence < REACH);
        near && frame::read(&bytes[*at..]).is_ok()
    })
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..length]
}

/// The segment that is written.
#[derive(Debug)]
pub struct Open {
    /// Its file and head.
    pub segment: Segment,
    file: File,
    length: u64,
    room: u64,
}

impl Open {
    /// Makes it, with `room` octets behind its head already given by the disk, and syncs file and folder.
    pub fn create(folder: &Path, head: Head, room: u64) -> std::io::Result<Open> {
        let path = folder.join(name(head.after));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, HEAD + room) {
            Ok(()) => {}
            // Some file systems cannot. Then every commit finds its room by itself.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
            Err(errno) => return Err(errno.into()),
        }
        file.write_all_at(&head.write(), 0)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(Open { segment: Segment { path, head }, file, length: HEAD, room: HEAD + room })
    }

    /// Whether so many octets more fit.
    pub fn has_room(&self, octets: usize) -> bool {
        self.length + octets as u64 <= self.room
    }

    /// Writes whole frames behind the last and syncs them.
    pub fn append(&mut self, frames: &[u8]) -> std::io::Result<()> {
        self.file.write_all_at(frames, self.length)?;
        self.file.sync_data()?;
        self.length += frames.len() as u64;
        Ok(())
    }

    /// Nothing follows: gives the rest of its room back. Failing costs disk space only.
    pub fn close(self) -> Segment {
        if let Err(error) = self.file.set_len(self.length) {
            tracing::warn!(%error, file = %self.segment.path.display(), "a full segment keeps its unused room");
        }
        self.segment
    }
}

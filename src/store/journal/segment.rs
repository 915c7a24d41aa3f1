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
/// No store comes to so many commits: a head that says so is none, and sequences can be counted on from any other.
pub const LAST: u64 = 1 << 62;
/// How much later than the last good frame one behind a damaged place may be. No segment holds so many, and octets that
/// only look like a head are dismissed before anything is summed up.
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
    /// As it lies at the beginning of the file.
    pub fn write(&self) -> [u8; HEAD as usize] {
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

    /// `Ok(None)`: no head of ours, or a damaged one.
    fn read(bytes: &[u8; HEAD as usize]) -> std::io::Result<Option<Head>> {
        let (said, sum) = bytes.split_at(60);
        if said[..8] != MAGIC || crc32c::crc32c(said).to_le_bytes() != sum {
            return Ok(None);
        }
        if said[8..12] != FORMAT.to_le_bytes() {
            return Err(newer());
        }
        let sequence = u64::from_le_bytes(said[28..36].try_into().expect("eight octets were cut"));
        let sum = u32::from_le_bytes(said[36..40].try_into().expect("four octets were cut"));
        let store = said[12..28].try_into().expect("sixteen octets were cut");
        Ok((sequence <= LAST).then_some(Head { store, after: Mark { sequence, sum } }))
    }
}

/// A file that this version cannot read, and must not touch.
pub fn newer() -> std::io::Error {
    std::io::Error::new(ErrorKind::Unsupported, "it was written by a newer version of ringback: start that one")
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
            Ok(()) => Ok(Head::read(&bytes)?.map(|head| Segment { path, head })),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every good commit up to `last`, which is where the next segment goes on from; `None`: this is the last
    /// segment, whose end may never have been acknowledged.
    pub fn read(&self, last: Option<u64>, mut each: impl FnMut(Frame)) -> std::io::Result<Found> {
        let (bytes, unread) = octets_of(&self.path)?;
        let (mut frames, mut found) = self.scan(&bytes, last)?;
        found.unread = unread;
        if last.is_none() {
            cut_unfinished(&bytes, &mut frames, &mut found);
        }
        if let Some(last) = last.filter(|last| *last > found.end.sequence) {
            found.missing.push(found.end.sequence + 1..last + 1);
        }
        frames.into_iter().for_each(|(_, frame)| each(frame));
        Ok(found)
    }

    /// Frames, each with where it begins.
    fn scan(&self, bytes: &[u8], last: Option<u64>) -> std::io::Result<(Vec<(usize, Frame)>, Found)> {
        let after = self.head.after;
        let mut found = Found { before: after, end: after, length: HEAD, ..Found::default() };
        // The sum of a head that was read from its name is nobody's.
        let mut is_sure = self.head.store != super::NOBODY;
        let (mut frames, mut at) = (Vec::new(), (HEAD as usize).min(bytes.len()));
        while last.is_none_or(|last| found.end.sequence < last) {
            match frame::read(&bytes[at..]) {
                Ok((frame, length)) if follows(&frame, found.end, is_sure) => {
                    // Written, never acknowledged, and written again in the next segment.
                    if last.is_some_and(|last| frame.mark.sequence > last) {
                        break;
                    }
                    if frame.mark.sequence > found.end.sequence + 1 {
                        found.missing.push(found.end.sequence + 1..frame.mark.sequence);
                    }
                    (found.end, is_sure) = (frame.mark, true);
                    frames.push((at, frame));
                    at += length;
                    found.length = at as u64;
                }
                Err(Damage::Schema(_)) => return Err(newer()),
                Err(Damage::End) if frame::is_blank(&bytes[at..]) => break,
                Ok(_) | Err(_) => match next_good(bytes, at, found.end) {
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
        Ok((frames, found))
    }
}

/// Whether this frame may come next: right behind the last good one it has to know that one's sum.
fn follows(frame: &Frame, end: Mark, is_sure: bool) -> bool {
    let next = end.sequence + 1;
    let later = frame.mark.sequence.saturating_sub(end.sequence);
    (2..REACH).contains(&later) || frame.mark.sequence == next && (!is_sure || frame.previous == end.sum)
}

/// A hole among the frames that were synced together last is what a power cut leaves: none of them had been
/// acknowledged, and those behind the hole are not to be believed without those in it.
fn cut_unfinished(bytes: &[u8], frames: &mut Vec<(usize, Frame)>, found: &mut Found) {
    let Some(group) = frames.last().map(|(_, frame)| frame.mark.sequence.saturating_sub(frame.place.into())) else {
        return;
    };
    let Some(hole) = found.missing.iter().position(|range| range.end > group) else { return };
    if found.missing[hole].start < group {
        return; // It begins in what had been synced before.
    }
    let good = frames.iter().take_while(|(_, frame)| frame.mark.sequence < found.missing[hole].start).count();
    let end = match frames[..good].last() {
        Some((at, frame)) => (frame.mark, at + frame::size(&frame.ops)),
        None => (found.before, HEAD as usize),
    };
    frames.truncate(good);
    found.missing.truncate(hole);
    found.damaged.clear();
    (found.end, found.length) = (end.0, end.1 as u64);
    found.torn = Some(without_zeros(&bytes[end.1..]).to_vec());
}

/// What lay in a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where the history stands before the first.
    pub before: Mark,
    /// Where it stands behind the last good commit.
    pub end: Mark,
    /// Octets up to there.
    pub length: u64,
    /// Octets that are no commit and have good ones behind them.
    pub damaged: Vec<Vec<u8>>,
    /// Sequences that are not there.
    pub missing: Vec<Range<u64>>,
    /// Octets behind the last good commit.
    pub torn: Option<Vec<u8>>,
    /// Octets that the disk did not give back. They are not among the commits.
    pub unread: usize,
    /// It goes on from another history, and was not read.
    pub is_forked: bool,
}

impl Found {
    /// Whether the segment is not what was acknowledged.
    pub fn is_damaged(&self) -> bool {
        self.is_forked || self.unread > 0 || !self.damaged.is_empty() || !self.missing.is_empty()
    }

    /// Whether what the disk did not give back may have been commits after `had`. Nobody knows where the last segment
    /// ends.
    pub fn lacks_unread(&self, had: u64, is_last: bool) -> bool {
        let lacks = self.missing.iter().any(|range| range.end > had + 1) || is_last && self.torn.is_some();
        self.unread > 0 && lacks
    }
}

/// Octets that are read at once.
const BLOCK: usize = 64 * 1024;

/// How often the disk is asked for a block that it does not give.
const TRIES: usize = 3;

/// A file's octets. Where the disk does not give them back there are others, which are no frame; and how many these
/// are.
fn octets_of(path: &Path) -> std::io::Result<(Vec<u8>, usize)> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(|_| ErrorKind::FileTooLarge)?;
    let (mut bytes, mut unread) = (vec![0; length], 0);
    for (n, block) in bytes.chunks_mut(BLOCK).enumerate() {
        let is_bad = |error: &std::io::Error| error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
        let mut tries = (0..TRIES).map(|_| file.read_exact_at(block, (n * BLOCK) as u64));
        let last = tries.find(|read| !read.as_ref().is_err_and(is_bad));
        match last {
            Some(read) => read?,
            None => {
                drop(tries);
                block.fill(0xFF);
                unread += block.len();
            }
        }
    }
    Ok((bytes, unread))
}

fn next_good(bytes: &[u8], from: usize, end: Mark) -> Option<usize> {
    // Frames begin at multiples of eight octets behind the head, which has 64.
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
    /// Makes it, with `room` octets behind its head already given by the disk, and syncs file and folder. One of this
    /// name is thrown away: no commit in it was ever acknowledged.
    pub fn create(folder: &Path, head: Head, room: u64) -> std::io::Result<Open> {
        let path = folder.join(name(head.after));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
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

    /// Nothing follows: gives back the rest of its room, and with it what was written without being acknowledged.
    pub fn close(self) -> Segment {
        if let Err(error) = self.file.set_len(self.length) {
            tracing::warn!(%error, file = %self.segment.path.display(), "a segment keeps what is behind its end");
        }
        self.segment
    }
}

/// Makes what an earlier life has written last good for ever: what it left unfinished is cut off, and the rest, which
/// may have been read from memory only, is written and synced anew before anything follows it.
pub fn seal(segment: &Segment, found: &Found) -> std::io::Result<()> {
    if found.unread > 0 {
        return Ok(()); // What the disk may give back another time is not cut off.
    }
    let file = OpenOptions::new().read(true).write(true).open(&segment.path)?;
    file.set_len(found.length)?;
    if !found.is_damaged() {
        let mut bytes = vec![0; usize::try_from(found.length).map_err(|_| ErrorKind::FileTooLarge)?];
        file.read_exact_at(&mut bytes, 0)?;
        file.write_all_at(&bytes, 0)?;
    }
    file.sync_all()
}

/// Forgets what memory holds of a file, so that the next read asks the disk.
pub fn forget(segment: &Segment) -> std::io::Result<()> {
    let file = File::open(&segment.path)?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}

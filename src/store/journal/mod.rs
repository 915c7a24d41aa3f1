//! The journal: every commit, one after the other, in files that are only ever appended to (durability.md §2.1–2.6).
//! It is the truth; sled is a view of it.
//!
//! A folder holds segments (`segment`), each of commits (`frame`), and checkpoints (`checkpoint`), each the whole state
//! at one commit. Whoever has one checkpoint and the segments since has everything.

pub mod frame;
pub mod segment;

use super::checkpoint::{self, Changes, Checkpoint, Merged};
use crate::limits::{CHECKPOINT_SEGMENTS, CHECKPOINTS, JOURNAL_SEGMENT};
use frame::{Frame, Mark, Op};
use segment::{Found, Head, Open, Segment, StoreId};
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A checkpoint is due after this long, however few commits there were.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(3_600);
/// After one has failed, none is begun sooner than this.
const CHECKPOINT_REST: Duration = Duration::from_secs(5);

/// Something in the journal's folder that is not as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The head of this segment cannot be read; its name stood in for it.
    Head(PathBuf),
    /// So many octets in the middle are no commit; they are kept beside it.
    Octets(PathBuf, usize),
    /// These commits are not there.
    Missing(Range<u64>),
    /// The last commit was not written to its end, and so never acknowledged; its octets are kept beside it.
    Torn(PathBuf, usize),
    /// This checkpoint cannot be read to its end.
    Checkpoint(PathBuf),
    /// This file belongs to another store.
    Foreign(PathBuf),
}

impl Damage {
    /// Whether something that was acknowledged may be gone. A torn tail is what a kill leaves.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Damage::Torn(..))
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Damage::Head(path) => write!(f, "{}: its head cannot be read", path.display()),
            Damage::Octets(path, count) => write!(f, "{}: {count} octets in the middle are damaged", path.display()),
            Damage::Missing(range) => write!(f, "commits {} to {} are missing", range.start, range.end - 1),
            Damage::Torn(path, count) => {
                write!(f, "{}: {count} octets of an unfinished commit were cut off", path.display())
            }
            Damage::Checkpoint(path) => write!(f, "{}: this checkpoint is damaged", path.display()),
            Damage::Foreign(path) => write!(f, "{}: it belongs to another store", path.display()),
        }
    }
}

/// The folder, and how far it has come.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// Which store this is.
    pub id: StoreId,
    /// The last commit that is on the disk.
    pub mark: Mark,
    open: Option<Open>,
    /// Oldest first.
    closed: Vec<Segment>,
    /// Oldest first.
    checkpoints: Vec<Checkpoint>,
    merging: Option<JoinHandle<io::Result<Merge>>>,
    /// When the last checkpoint was begun.
    begun: Instant,
    failed: Option<Instant>,
    /// Commits after which one is due.
    every: u64,
}

impl Journal {
    /// Looks at what lies in `folder`; `id` is for a new one, and a checkpoint is due after `every` commits. Nothing is
    /// read but heads, and what was never finished is removed.
    pub fn open(folder: &Path, id: StoreId, every: u64) -> io::Result<(Journal, Vec<Damage>)> {
        let (journal, damage, unfinished) = Journal::listed(folder, id, every)?;
        for path in unfinished {
            fs::remove_file(path)?;
        }
        Ok((journal, damage))
    }

    /// The same for whoever only reads: nothing is touched.
    pub fn look(folder: &Path) -> io::Result<(Journal, Vec<Damage>)> {
        Journal::listed(folder, NOBODY, u64::MAX).map(|(journal, damage, _)| (journal, damage))
    }

    fn listed(folder: &Path, id: StoreId, every: u64) -> io::Result<(Journal, Vec<Damage>, Vec<PathBuf>)> {
        let (mut damage, mut unfinished) = (Vec::new(), Vec::new());
        let (mut closed, mut checkpoints) = (Vec::new(), Vec::new());
        for path in files(folder)? {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("tmp") => unfinished.push(path), // A checkpoint that was never finished.
                Some("seg") => match Segment::at(path.clone())? {
                    Some(segment) => closed.push(segment),
                    None if frame::is_blank(&fs::read(&path)?) => unfinished.push(path),
                    None => {
                        damage.push(Damage::Head(path.clone()));
                        closed.extend(by_its_name(path));
                    }
                },
                Some("ckp") => match Checkpoint::at(path.clone())? {
                    Some(checkpoint) => checkpoints.push(checkpoint),
                    None => damage.push(Damage::Checkpoint(path)),
                },
                Some(_) | None => {}
            }
        }
        let known = checkpoints.last().map(|it| it.store);
        let named = closed.iter().rev().map(|it| it.head.store).find(|store| *store != NOBODY);
        let id = known.or(named).unwrap_or(id);
        closed.retain(|it| is_ours(it.head.store, id, &it.path, &mut damage));
        checkpoints.retain(|it| is_ours(it.store, id, &it.path, &mut damage));
        let mark = checkpoints.last().map(|it| it.mark).unwrap_or_default();
        let (begun, failed) = (Instant::now(), None);
        let folder = folder.into();
        let journal =
            Journal { folder, id, mark, open: None, closed, checkpoints, merging: None, begun, failed, every };
        Ok((journal, damage, unfinished))
    }

    /// Whether nothing was ever written here.
    pub fn is_new(&self) -> bool {
        self.closed.is_empty() && self.checkpoints.is_empty()
    }

    /// Whether the history went through here, as far as heads tell.
    pub fn knows(&self, mark: Mark) -> bool {
        let heads = self.closed.iter().map(|it| it.head.after);
        heads.chain(self.checkpoints.iter().map(|it| it.mark)).any(|known| known == mark)
    }

    /// Checkpoints, newest first.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        self.checkpoints.iter().rev()
    }

    /// Segments that are not written any more, oldest first.
    pub fn segments(&self) -> &[Segment] {
        &self.closed
    }

    /// Every commit in the files, oldest first, and what is wrong with them.
    pub fn read(&self, mut each: impl FnMut(Frame)) -> io::Result<(Mark, Vec<(usize, Found)>)> {
        let mut mark = Mark::default();
        let mut all = Vec::new();
        for (n, segment) in self.closed.iter().enumerate() {
            let last = self.closed.get(n + 1).map(|next| next.head.after.sequence);
            let found = segment.read(last, &mut each)?;
            mark = found.end;
            all.push((n, found));
        }
        Ok((mark, all))
    }

    /// The same, with the damage told apart from the way it lies in files; damaged octets are kept beside them. After
    /// this the journal goes on from the last good commit.
    pub fn replay(&mut self, each: impl FnMut(Frame)) -> io::Result<Vec<Damage>> {
        let (end, all) = self.read(each)?;
        let mut damage = Vec::new();
        // Commits between two segments that neither has, or before the first though no checkpoint holds them.
        let mut before = self.checkpoints.first().map_or(0, |it| it.mark.sequence);
        for (n, found) in all {
            let segment = &self.closed[n];
            if segment.head.after.sequence > before {
                damage.push(Damage::Missing(before + 1..segment.head.after.sequence + 1));
            }
            before = found.end.sequence.max(self.closed.get(n + 1).map_or(0, |next| next.head.after.sequence));
            for octets in &found.damaged {
                keep_aside(&segment.path, "damaged", octets)?;
                damage.push(Damage::Octets(segment.path.clone(), octets.len()));
            }
            damage.extend(found.missing.iter().cloned().map(Damage::Missing));
            if let Some(torn) = &found.torn {
                keep_aside(&segment.path, "torn", torn)?;
                damage.push(Damage::Torn(segment.path.clone(), torn.len()));
            }
        }
        if end.sequence >= self.mark.sequence {
            self.mark = end;
        }
        Ok(damage)
    }

    /// The journal goes on from here, because the view knows of more than the files do.
    pub fn go_on_from(&mut self, mark: Mark) {
        self.mark = mark;
    }

    /// Writes commits and syncs them once. After an `Err` nothing of them counts, and the segment is never written
    /// again: a second sync of the same file may lie (durability.md §2.3).
    pub fn append<'a>(&mut self, commits: impl Iterator<Item = &'a [Op]>) -> io::Result<Vec<Mark>> {
        let (mut frames, mut marks, mut mark) = (Vec::new(), Vec::new(), self.mark);
        for ops in commits {
            mark = frame::append(&mut frames, mark, ops);
            marks.push(mark);
        }
        self.end_checkpoint();
        let mut open = match self.open.take() {
            Some(open) if open.has_room(frames.len()) && !self.is_checkpoint_due() => open,
            other => self.roll(other, frames.len())?,
        };
        if let Err(error) = open.append(&frames) {
            self.closed.push(open.segment);
            return Err(error);
        }
        self.open = Some(open);
        self.mark = mark;
        Ok(marks)
    }

    /// Whether every acknowledged commit of the last segment can still be read: asked after a write has failed, before
    /// a new segment goes on from there.
    pub fn reads_back(&self) -> io::Result<bool> {
        let Some(last) = self.closed.last() else { return Ok(true) };
        let found = last.read(Some(self.mark.sequence), |_| {})?;
        Ok(found.end == self.mark && found.damaged.is_empty() && found.missing.is_empty())
    }

    fn roll(&mut self, full: Option<Open>, octets: usize) -> io::Result<Open> {
        self.closed.extend(full.map(Open::close));
        let head = Head { store: self.id, after: self.mark };
        // One of this name holds nothing that was acknowledged: a life that ended before its first commit.
        self.closed.retain(|it| it.head.after.sequence < head.after.sequence);
        match fs::remove_file(self.folder.join(segment::name(head.after))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let open = Open::create(&self.folder, head, JOURNAL_SEGMENT.max(octets as u64))?;
        self.begin_checkpoint();
        Ok(open)
    }

    /// A checkpoint ends with a segment, so whoever asks closes one first.
    fn is_checkpoint_due(&self) -> bool {
        let from = self.checkpoints.last().map_or(0, |it| it.mark.sequence);
        let since = self.mark.sequence - from;
        let segments = self.closed.iter().filter(|it| it.head.after.sequence >= from).count();
        self.merging.is_none()
            && since > 0
            && self.failed.is_none_or(|failed| failed.elapsed() >= CHECKPOINT_REST)
            && (since >= self.every || segments >= CHECKPOINT_SEGMENTS || self.begun.elapsed() >= CHECKPOINT_EVERY)
    }

    /// Writes the state as of the last closed segment down, on a thread of its own.
    fn begin_checkpoint(&mut self) {
        if !self.is_checkpoint_due() {
            return;
        }
        self.begun = Instant::now();
        let bases: Vec<Checkpoint> = self.checkpoints().cloned().collect();
        let (folder, id, to, segments) = (self.folder.clone(), self.id, self.mark, self.closed.clone());
        let merge = move || Merge::of(&folder, id, &bases, &segments, to);
        match std::thread::Builder::new().name("checkpoint".into()).spawn(merge) {
            Ok(merging) => self.merging = Some(merging),
            Err(error) => tracing::warn!(%error, "no checkpoint was written; the journal keeps everything"),
        }
    }

    /// Takes the result of a checkpoint that is done.
    fn end_checkpoint(&mut self) {
        let Some(merging) = self.merging.take_if(|it| it.is_finished()) else { return };
        match merging.join() {
            Ok(Ok(Merge { checkpoint, damaged })) => {
                self.checkpoints.retain(|it| !damaged.contains(&it.path));
                self.checkpoints.push(checkpoint);
                self.failed = None;
                if let Err(error) = self.prune(&damaged) {
                    tracing::warn!(%error, "old files of the journal are still there");
                }
            }
            Ok(Err(error)) => {
                self.failed = Some(Instant::now());
                tracing::error!(%error, "no checkpoint was written; the journal keeps everything");
            }
            Err(_panic) => {
                self.failed = Some(Instant::now());
                tracing::error!("no checkpoint was written; the journal keeps everything");
            }
        }
    }

    /// Writes the state `pairs`, sorted by key, down as it is now, and waits for it.
    pub fn checkpoint(&mut self, pairs: impl Iterator<Item = io::Result<checkpoint::Pair>>) -> io::Result<Checkpoint> {
        self.checkpoints.retain(|it| it.mark.sequence < self.mark.sequence);
        let (checkpoint, _) = Checkpoint::write(&self.folder, self.id, self.mark, pairs)?;
        self.checkpoints.push(checkpoint.clone());
        Ok(checkpoint)
    }

    /// Every record as the newest good checkpoint and the commits since leave it, sorted by key, and after which
    /// commit.
    pub fn state(&self) -> io::Result<(Mark, Box<dyn Iterator<Item = io::Result<checkpoint::Pair>>>)> {
        let (end, _) = self.read(|_| {})?;
        let end = if end.sequence < self.mark.sequence { self.mark } else { end };
        for base in self.checkpoints() {
            match base.verify() {
                Ok(_) => {
                    let changes = changes_since(base.mark, &self.closed, end)?;
                    return Ok((end, Box::new(Merged::new(base.records()?, changes))));
                }
                Err(error) if is_damage(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let changes = changes_since(Mark::default(), &self.closed, end)?;
        Ok((end, Box::new(Merged::new(std::iter::empty(), changes))))
    }

    /// Ends the segment that is written and puts second names of all that a later life would need into `folder`: they
    /// stay what they are, whatever becomes of the journal.
    pub fn snapshot(&mut self, folder: &Path) -> io::Result<()> {
        self.closed.extend(self.open.take().map(Open::close));
        let from = self.checkpoints.last().map_or(0, |it| it.mark.sequence);
        let ends = self.closed.iter().skip(1).map(|next| next.head.after.sequence).chain([self.mark.sequence]);
        let needed = self.closed.iter().zip(ends).filter(|(_, end)| *end > from).map(|(segment, _)| &segment.path);
        for path in self.checkpoints.last().map(|it| &it.path).into_iter().chain(needed) {
            fs::hard_link(path, folder.join(path.file_name().expect("a file of ours has a name")))?;
        }
        Ok(())
    }

    /// Removes checkpoints beyond the newest few, and segments that the oldest of those makes needless; damaged ones
    /// are kept under another name.
    fn prune(&mut self, damaged: &[PathBuf]) -> io::Result<()> {
        for path in damaged {
            fs::rename(path, path.with_extension("ckp-damaged"))?;
        }
        let many = self.checkpoints.len().saturating_sub(CHECKPOINTS);
        for old in self.checkpoints.drain(..many) {
            fs::remove_file(&old.path)?;
        }
        let held = self.checkpoints.first().map_or(0, |it| it.mark.sequence);
        let ends = self.closed.iter().skip(1).map(|next| next.head.after.sequence);
        let needless = ends.take_while(|end| *end <= held).count();
        for old in self.closed.drain(..needless) {
            fs::remove_file(&old.path)?;
        }
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.close();
        }
        while self.merging.is_some() {
            std::thread::sleep(Duration::from_millis(1));
            self.end_checkpoint();
        }
    }
}

/// Whose a segment is whose head cannot be read.
const NOBODY: StoreId = [0; 16];

fn is_ours(store: StoreId, id: StoreId, path: &Path, damage: &mut Vec<Damage>) -> bool {
    let ours = store == id || store == NOBODY;
    if !ours {
        damage.push(Damage::Foreign(path.into()));
    }
    ours
}

/// All files of a folder, sorted by name.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?.map(|it| it.map(|it| it.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// A segment whose head is damaged goes by its name.
fn by_its_name(path: PathBuf) -> Option<Segment> {
    let first = path.file_stem()?.to_str()?.parse::<u64>().ok()?;
    let after = Mark { sequence: first.checked_sub(1)?, sum: 0 };
    Some(Segment { path, head: Head { store: NOBODY, after } })
}

/// What cannot be read is kept for whoever can make something of it.
fn keep_aside(segment: &Path, what: &str, octets: &[u8]) -> io::Result<()> {
    let path = segment.with_extension(format!("{what}-{:08x}", crc32c::crc32c(octets)));
    if path.exists() {
        return Ok(());
    }
    fs::write(&path, octets)?;
    File::open(&path)?.sync_all()
}

/// A checkpoint that has been written, and older ones that turned out to be damaged.
#[derive(Debug)]
struct Merge {
    checkpoint: Checkpoint,
    damaged: Vec<PathBuf>,
}

impl Merge {
    /// The checkpoint after commit `to`: the newest of `bases` that can be read, with the commits since.
    fn of(folder: &Path, id: StoreId, bases: &[Checkpoint], segments: &[Segment], to: Mark) -> io::Result<Merge> {
        let mut damaged = Vec::new();
        for base in bases {
            let changes = changes_since(base.mark, segments, to)?;
            match base.records().and_then(|old| Checkpoint::write(folder, id, to, Merged::new(old, changes))) {
                Ok((checkpoint, _)) => return Ok(Merge { checkpoint, damaged }),
                Err(error) if is_damage(&error) => {
                    tracing::error!(%error, file = %base.path.display(), "a checkpoint cannot be read");
                    damaged.push(base.path.clone());
                }
                Err(error) => return Err(error),
            }
        }
        let changes = changes_since(Mark::default(), segments, to)?;
        let (checkpoint, _) = Checkpoint::write(folder, id, to, Merged::new(std::iter::empty(), changes))?;
        Ok(Merge { checkpoint, damaged })
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// What the commits after `from` up to `to` have changed; all of them, or an error.
fn changes_since(from: Mark, segments: &[Segment], to: Mark) -> io::Result<Changes> {
    let mut changes = Changes::new();
    let mut next = from.sequence + 1;
    for (n, segment) in segments.iter().enumerate() {
        let last = segments.get(n + 1).map_or(to.sequence, |next| next.head.after.sequence);
        if last <= from.sequence {
            continue;
        }
        segment.read(Some(last), |frame| {
            if frame.mark.sequence == next {
                next += 1;
                checkpoint::lay(&mut changes, frame.ops);
            }
        })?;
    }
    if next != to.sequence + 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("commit {next} cannot be read back")));
    }
    Ok(changes)
}

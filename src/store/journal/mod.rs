//! The journal: every commit, one after the other, in files that are only ever appended to (durability.md §2.1–2.6).
//! It is the truth; sled is a view of it.
//!
//! A folder holds segments (`segment`), each of commits (`frame`), and checkpoints (`checkpoint`), each the whole state
//! at one commit. Whoever has one checkpoint and the segments since has everything.

pub mod frame;
pub mod kept;
mod merge;
pub mod segment;

use super::checkpoint::{self, Checkpoint, Merged};
use super::health::Health;
use crate::limits::{CHECKPOINT_SEGMENTS, CHECKPOINTS, JOURNAL_SEGMENT};
use frame::{Frame, Mark, Op};
pub use merge::is_damage;
use merge::{Merge, changes_since};
use segment::{Found, Head, Open, Segment, StoreId};
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// A checkpoint is due after this long, however few commits there were.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(3_600);
/// After one has failed, none is begun sooner than this.
const CHECKPOINT_REST: Duration = Duration::from_secs(60);
/// Octets of a segment when the disk has no room for a whole one.
const SMALL_SEGMENT: u64 = 64 * 1024;

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
    /// The disk does not give this file back, or a part of it: it is kept as it is.
    Unreadable(PathBuf),
    /// This file belongs to another store.
    Foreign(PathBuf),
    /// This segment goes on from another history than the one before it.
    Forked(PathBuf),
}

impl Damage {
    /// Whether something that was acknowledged may be gone. A torn tail is what a kill leaves.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Damage::Torn(..))
    }

    /// The checkpoint that it is about.
    fn checkpoint(&self) -> Option<&PathBuf> {
        match self {
            Damage::Checkpoint(path) => Some(path),
            Damage::Unreadable(path) => Some(path).filter(|path| path.extension().is_some_and(|it| it == "ckp")),
            Damage::Head(_) | Damage::Octets(..) | Damage::Missing(_) | Damage::Torn(..) => None,
            Damage::Foreign(_) | Damage::Forked(_) => None,
        }
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
            Damage::Unreadable(path) => write!(f, "{}: the disk does not give it back", path.display()),
            Damage::Foreign(path) => write!(f, "{}: it belongs to another store", path.display()),
            Damage::Forked(path) => write!(f, "{}: it goes on from another history", path.display()),
        }
    }
}

/// Every record, sorted by key.
pub type State = Box<dyn Iterator<Item = io::Result<checkpoint::Pair>>>;

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
    /// The commit of the last checkpoint that was begun.
    tried: u64,
    /// Commits after which one is due.
    every: u64,
    /// What is known of it elsewhere.
    pub health: Health,
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
        let mark = checkpoints.last().map_or(Mark::default(), |it| it.mark);
        let (begun, failed) = (Instant::now(), None);
        let folder = folder.into();
        let journal = Journal {
            folder,
            id,
            mark,
            open: None,
            closed,
            checkpoints,
            merging: None,
            begun,
            failed,
            tried: 0,
            every,
            health: Health::default(),
        };
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

    /// What is wrong with a segment in which this was found. Commits that a checkpoint holds are not missed.
    pub fn wrong_with(&self, path: &Path, found: &Found) -> Vec<Damage> {
        let held = self.checkpoints.last().map_or(0, |it| it.mark.sequence);
        let unread = (found.unread > 0).then(|| Damage::Unreadable(path.into()));
        let damaged = found.damaged.iter().filter(|_| found.unread == 0);
        let octets = damaged.map(|octets| Damage::Octets(path.into(), octets.len()));
        let missing = found.missing.iter().filter(|range| range.end > held + 1).cloned().map(Damage::Missing);
        let torn = found.torn.as_ref().filter(|_| found.unread == 0).map(|torn| Damage::Torn(path.into(), torn.len()));
        let forked = found.is_forked.then(|| Damage::Forked(path.into()));
        unread.into_iter().chain(octets).chain(missing).chain(torn).chain(forked).collect()
    }

    /// Whether the segments alone lead to where it stands.
    pub fn is_whole_without_checkpoint(&self) -> bool {
        self.checkpoints.last().is_none_or(|it| it.mark == Mark::default())
    }

    /// Checkpoints, newest first.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        self.checkpoints.iter().rev()
    }

    /// Segments that are not written any more, oldest first.
    pub fn segments(&self) -> &[Segment] {
        &self.closed
    }

    /// Every commit in the files, oldest first, and what was found in each segment. A segment that goes on from another
    /// history is not read, nor is any behind it.
    pub fn read(&self, mut each: impl FnMut(Frame)) -> io::Result<Vec<Found>> {
        let nexts = self.closed.iter().skip(1).map(|next| Some(next.head.after.sequence)).chain([None]);
        let (mut all, mut end, mut is_forked) = (Vec::new(), Mark::default(), false);
        for (segment, last) in self.closed.iter().zip(nexts) {
            let head = segment.head;
            is_forked |= head.store != NOBODY && head.after.sequence == end.sequence && head.after.sum != end.sum;
            let found = match is_forked {
                true => Found { before: end, end, is_forked, ..Found::default() },
                false => segment.read(last, &mut each)?,
            };
            end = found.end;
            all.push(found);
        }
        Ok(all)
    }

    /// The same, for whoever goes on from there: what is wrong is told, damaged octets are kept beside their file, and
    /// the last segment is made good up to where its good commits end. Then the journal stands behind the last of them.
    ///
    /// Commits up to `had` are there without the segments. Where one behind them may be in what the disk does not give
    /// back, that is an error, and nothing is touched.
    pub fn replay(&mut self, had: u64, each: impl FnMut(Frame)) -> io::Result<Vec<Damage>> {
        let all = self.read(each)?;
        let last = self.closed.len().saturating_sub(1);
        if let Some((n, found)) = all.iter().enumerate().find(|(n, found)| found.lacks_unread(had, *n == last)) {
            let (path, octets) = (self.closed[n].path.display(), found.unread);
            return Err(io::Error::other(format!(
                "{path}: {octets} octets of promises do not come back from the disk"
            )));
        }
        let mut damage = Vec::new();
        // Commits that neither of two segments has. Those that a checkpoint holds are not needed.
        let newest = self.checkpoints.last().map(|it| it.mark).unwrap_or_default();
        let mut end = newest;
        for (segment, found) in self.closed.iter().zip(&all) {
            let head = segment.head;
            if head.after.sequence > end.sequence && !found.is_forked {
                damage.push(Damage::Missing(end.sequence + 1..head.after.sequence + 1));
            }
            for octets in found.damaged.iter().filter(|_| found.unread == 0) {
                keep_aside(&segment.path, "damaged", octets)?;
            }
            if let Some(torn) = found.torn.as_ref().filter(|_| found.unread == 0) {
                keep_aside(&segment.path, "torn", torn)?;
            }
            damage.extend(self.wrong_with(&segment.path, found));
            end = if found.end.sequence > end.sequence { found.end } else { end };
        }
        if let (Some(last), Some(found)) = (self.closed.last(), all.last().filter(|found| !found.is_forked)) {
            segment::seal(last, found)?;
        }
        self.mark = end;
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
        for (place, ops) in (0..).zip(commits) {
            mark = frame::append(&mut frames, mark, place, ops);
            marks.push(mark);
        }
        self.end_checkpoint();
        let mut open = match self.open.take() {
            Some(open) if open.has_room(frames.len()) && !self.is_checkpoint_due() => open,
            other => self.roll(other, frames.len())?,
        };
        if let Err(error) = open.append(&frames) {
            self.closed.push(open.close());
            return Err(error);
        }
        self.open = Some(open);
        self.mark = mark;
        Ok(marks)
    }

    /// Goes on in a new segment.
    pub fn reopen(&mut self) -> io::Result<()> {
        let old = self.open.take();
        self.open = Some(self.roll(old, 0)?);
        Ok(())
    }

    /// Whether every acknowledged commit of the last segment can still be read from the disk: asked after a write has
    /// failed, before a new segment goes on from there.
    pub fn reads_back(&self) -> io::Result<bool> {
        let Some(last) = self.closed.last() else { return Ok(true) };
        segment::forget(last)?;
        let found = last.read(Some(self.mark.sequence), |_| {})?;
        Ok(found.end == self.mark && !found.is_damaged())
    }

    /// A new segment behind the last commit. Where there is no room for one, the old one is written on as long as it
    /// has some.
    fn roll(&mut self, old: Option<Open>, octets: usize) -> io::Result<Open> {
        let head = Head { store: self.id, after: self.mark };
        let least = octets as u64;
        let made = Open::create(&self.folder, head, JOURNAL_SEGMENT.max(least)).or_else(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Open::create(&self.folder, head, SMALL_SEGMENT.max(least))
            }
            _ => Err(error),
        });
        match (made, old) {
            (Ok(open), old) => {
                self.closed.extend(old.map(Open::close));
                // One of this name held nothing: its life ended before its first commit.
                self.closed.retain(|it| it.head.after.sequence < head.after.sequence);
                self.begin_checkpoint();
                Ok(open)
            }
            (Err(error), Some(old)) if old.has_room(octets) => {
                tracing::warn!(%error, "no new segment can be begun; the old one is written on");
                self.failed = Some(Instant::now());
                Ok(old)
            }
            (Err(error), old) => {
                self.closed.extend(old.map(Open::close));
                Err(error)
            }
        }
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
        if self.is_checkpoint_due() {
            self.write_checkpoint();
        }
    }

    fn write_checkpoint(&mut self) {
        (self.begun, self.tried) = (Instant::now(), self.mark.sequence);
        let bases: Vec<Checkpoint> = self.checkpoints().cloned().collect();
        let (folder, id, to, segments) = (self.folder.clone(), self.id, self.mark, self.closed.clone());
        let merge = move || Merge::of(&folder, id, &bases, &segments, to);
        match std::thread::Builder::new().name("checkpoint".into()).spawn(merge) {
            Ok(merging) => self.merging = Some(merging),
            Err(error) => self.checkpoint_failed(&error),
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
                self.health.note(|troubles| {
                    troubles.no_checkpoint = None;
                    troubles.bad_checkpoints += damaged.len() as u64;
                });
                if let Err(error) = self.prune(&damaged) {
                    tracing::warn!(%error, "old files of the journal are still there");
                }
            }
            Ok(Err(error)) => self.checkpoint_failed(&error),
            Err(_panic) => self.checkpoint_failed(&io::Error::other("it panicked")),
        }
    }

    fn checkpoint_failed(&mut self, error: &io::Error) {
        self.failed = Some(Instant::now());
        self.health.note(|troubles| {
            let since = troubles.no_checkpoint.take().map_or_else(SystemTime::now, |(since, _)| since);
            troubles.no_checkpoint = Some((since, error.to_string()));
        });
        tracing::error!(%error, "no checkpoint was written; the journal keeps everything");
    }

    /// Moves all that is older than a checkpoint of commit `after` or a later one, copies and kept segments included,
    /// to the folder `gone`, which is on the same disk: quick, however much that is. `false`: there is none yet; it has
    /// been begun. `Err`: it has failed; a minute later another one may be begun.
    pub fn purge(&mut self, after: u64, gone: &Path) -> io::Result<bool> {
        self.end_checkpoint();
        let newest = self.checkpoints.last().map_or(0, |it| it.mark.sequence);
        if self.merging.is_some() || newest < after {
            if self.merging.is_none() {
                // Whoever came before may have taken the result; one that succeeded would be the newest.
                if self.tried >= after && self.failed.is_some_and(|failed| failed.elapsed() < CHECKPOINT_REST) {
                    return Err(io::Error::other(
                        "the state could not be written down; it may be tried again in a minute",
                    ));
                }
                self.closed.extend(self.open.take().map(Open::close));
                self.write_checkpoint();
            }
            return Ok(false);
        }
        let older = self.checkpoints.len().saturating_sub(1);
        self.checkpoints.drain(..older);
        let ends = self.closed.iter().skip(1).map(|next| next.head.after.sequence);
        let last = self.open.as_ref().map_or(self.mark.sequence, |open| open.segment.head.after.sequence);
        let needless = ends.chain([last]).take_while(|end| *end <= newest).count();
        self.closed.drain(..needless.min(self.closed.len()));
        let segments = self.closed.iter().chain(self.open.as_ref().map(|open| &open.segment)).map(|it| &it.path);
        let wanted: Vec<&PathBuf> = self.checkpoints.iter().map(|it| &it.path).chain(segments).collect();
        for path in files(&self.folder)?.iter().filter(|path| !wanted.contains(path)) {
            fs::rename(path, gone.join(path.file_name().expect("a file of ours has a name")))?;
        }
        kept::move_to(&self.folder, gone)?;
        Ok(true)
    }

    /// Writes the state `pairs`, sorted by key, down as it is now, and waits for it. What is damaged is not needed for
    /// it any more: it is kept under another name, so that it is told once.
    pub fn heal(
        &mut self,
        pairs: impl Iterator<Item = io::Result<checkpoint::Pair>>,
        damage: &[Damage],
    ) -> io::Result<()> {
        let found = self.read(|_| {})?;
        let bad: Vec<&PathBuf> = damage.iter().filter_map(Damage::checkpoint).collect();
        // The new one may take the name of one of these, which may be all that a better disk would have.
        bad.iter().for_each(|path| keep_name(path));
        let fresh = self.checkpoint(pairs)?.path;
        self.checkpoints.retain(|it| it.path == fresh || !bad.contains(&&it.path));
        for path in bad.into_iter().filter(|path| **path != fresh) {
            kept::remove(std::slice::from_ref(path))?;
        }
        let mut damaged = found.iter().map(Found::is_damaged);
        let (bad, good) =
            self.closed.drain(..).partition(|it| damaged.next().unwrap_or(false) || it.head.store == NOBODY);
        self.closed = good;
        let bad: Vec<Segment> = bad;
        for segment in bad {
            fs::rename(&segment.path, segment.path.with_extension("seg-damaged"))?;
        }
        File::open(&self.folder)?.sync_all()
    }

    /// Writes the state `pairs`, sorted by key, down as it is now, and waits for it.
    pub fn checkpoint(&mut self, pairs: impl Iterator<Item = io::Result<checkpoint::Pair>>) -> io::Result<Checkpoint> {
        let (checkpoint, _) = Checkpoint::write(&self.folder, self.id, self.mark, pairs)?;
        self.checkpoints.retain(|it| it.mark.sequence < self.mark.sequence);
        self.checkpoints.push(checkpoint.clone());
        Ok(checkpoint)
    }

    /// Every record as the newest good checkpoint and the commits since leave it, sorted by key, and after which
    /// commit.
    pub fn state(&self) -> io::Result<(Mark, State)> {
        let end = self.read(|_| {})?.last().map_or(self.mark, |found| found.end);
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
        let needless: Vec<PathBuf> = self.closed.drain(..needless).map(|old| old.path).collect();
        let gone = kept::keep(&self.folder, &needless, SystemTime::now())?;
        if gone > 0 {
            self.health.note(|troubles| troubles.unsaved += gone as u64);
            tracing::warn!(gone, "old segments of the journal went that no backup holds: make backups more often");
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

/// Whose a segment is whose head cannot be read: its name stands in for that. No drawn id is all zeros.
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
    let first = path.file_stem()?.to_str()?.parse::<u64>().ok().filter(|first| *first <= segment::LAST)?;
    let after = Mark { sequence: first.checked_sub(1)?, sum: 0 };
    Some(Segment { path, head: Head { store: NOBODY, after } })
}

/// A second name for a checkpoint that was of no use.
fn keep_name(path: &Path) {
    match fs::hard_link(path, path.with_extension("ckp-damaged")) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            tracing::warn!(%error, file = %path.display(), "this checkpoint goes without a copy");
        }
        Ok(()) | Err(_) => {}
    }
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

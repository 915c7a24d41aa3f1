//! The writer's thread: journal, sync, view, answer.
//!
//! What a commit does to which key is decided here, before anything is written: the journal holds keys and values, so
//! that taking it in a second time does the same again.

use super::ballast::Ballast;
use super::health::Health;
use super::journal::Journal;
use super::journal::frame::{self, Op};
use super::known::{Known, Undo};
use super::lock::Lock;
use super::shown::{Purged, Shown};
use super::view::View;
use super::{Limits, erase, keys, record};
use crate::callback::task::{Attempt, Task};
use crate::id::{CommitRef, TaskId};
use crate::limits::{COMMITS, JOURNAL_BODY};
use crate::switch::{Change, DoubtRecord, NotStored, Revision};
use crate::telemetry;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Commits that one sync may cover. What comes in during a sync of seconds has to fit into the next one, or each
/// promise waits longer than the last.
const GROUP: usize = 1_024;
/// Records that one commit erases.
const ERASED_AT_ONCE: usize = 10_000;
/// After a write has failed, a new segment is tried no sooner than this.
const REST: Duration = Duration::from_secs(2);

struct Commit {
    reference: CommitRef,
    changes: Vec<Change>,
    since: Instant,
}

/// What the writer's thread is asked for.
enum Wish {
    Commit(Commit),
    /// Second names of the journal's files in this folder.
    Snapshot(PathBuf, SyncSender<std::io::Result<()>>),
    /// These records go, or are changed; answered with the number of that commit.
    Erase(Vec<Op>, SyncSender<std::io::Result<u64>>),
    /// All that is older than a state after this commit is laid by; answered with the view, which goes too.
    Purge(u64, SyncSender<std::io::Result<Option<Purged>>>),
    /// Second names of the journal's files in this folder, from which a view is made that follows from there.
    Base(PathBuf, SyncSender<std::io::Result<()>>),
    /// The view that was made from them.
    Follow(View, SyncSender<std::io::Result<()>>),
    /// A new segment, if a write has failed: nobody may be left to commit while nothing is promised.
    Mend,
}

/// The running store. Dropping it writes what waits, closes the files and gives the directory back.
pub struct Store {
    wishes: Option<Arc<SyncSender<Wish>>>,
    thread: Option<JoinHandle<()>>,
    health: Health,
    ballast: Ballast,
}

impl Store {
    /// Hands in a commit, which will be answered; or gives the answer at once when too many wait already.
    pub fn commit(&self, reference: CommitRef, changes: Vec<Change>) -> Result<(), NotStored> {
        let wishes = self.wishes.as_ref().expect("only drop takes the sender");
        match wishes.try_send(Wish::Commit(Commit { reference, changes, since: Instant::now() })) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(NotStored::Failed),
        }
    }

    /// Whether commits are still acknowledged.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// What is held for the last writes.
    pub fn ballast(&self) -> Ballast {
        self.ballast.clone()
    }

    /// For whoever makes backups.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots(self.wishes.as_ref().map(Arc::downgrade).unwrap_or_default())
    }
}

/// Asks a running store for what a backup is made of. It does not keep the store open.
#[derive(Clone, Debug, Default)]
pub struct Snapshots(Weak<SyncSender<Wish>>);

impl Snapshots {
    /// Puts second names of the journal's files into `folder`, which is on the same disk: all that has been
    /// acknowledged when this is asked. Waits for the writer.
    pub fn take(&self, folder: &Path) -> std::io::Result<()> {
        self.ask(|answer| Wish::Snapshot(folder.into(), answer))
    }

    /// Takes records out, or changes them, past the switch, which knows nothing of them any more. Says which commit
    /// that was. See `erase`.
    pub fn erase(&self, ops: Vec<Op>) -> std::io::Result<u64> {
        self.ask(|answer| Wish::Erase(ops, answer))
    }

    /// Lays all that is older than a state after this commit by in `erase::GONE`, once there is one, and closes the
    /// view, which is as old; `false`: not yet. The writer only gives other names: what takes its time is done here.
    pub fn purge(&self, after: u64) -> std::io::Result<bool> {
        Ok(self.ask(|answer| Wish::Purge(after, answer))?.is_some())
    }

    /// As `take`; and what is committed from there on is remembered for the view that is made of it (`follow`).
    pub(super) fn base(&self, folder: &Path) -> std::io::Result<()> {
        self.ask(|answer| Wish::Base(folder.into(), answer))
    }

    /// This view of the state at `base` follows the journal from now on.
    pub(super) fn follow(&self, view: View) -> std::io::Result<()> {
        self.ask(|answer| Wish::Follow(view, answer))
    }

    fn ask<T>(&self, wish: impl FnOnce(SyncSender<std::io::Result<T>>) -> Wish) -> std::io::Result<T> {
        let gone = || std::io::Error::other("the store is closed");
        let (answer, answered) = sync_channel(1);
        let wishes = self.0.upgrade().ok_or_else(gone)?;
        wishes.send(wish(answer)).map_err(|_| gone())?;
        drop(wishes);
        answered.recv().map_err(|_| gone())?
    }

    /// Has the store look whether it can write again, after it could not.
    pub fn mend(&self) {
        if let Some(wishes) = self.0.upgrade() {
            drop(wishes.try_send(Wish::Mend)); // Commits that wait will try as well.
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.wishes.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's thread had ended by itself");
        }
    }
}

pub(super) fn start(
    disk: Disk,
    lock: Lock,
    answer: impl FnMut(CommitRef, Result<Revision, NotStored>) + Send + 'static,
) -> Store {
    let (wishes, waiting) = sync_channel(COMMITS);
    let (health, ballast) = (disk.health.clone(), disk.ballast.clone());
    let thread = std::thread::Builder::new()
        .name("store".into())
        .spawn(move || {
            write(disk, &waiting, answer);
            drop(lock); // Only after the files are closed.
        })
        .expect("a process that cannot start threads at its own start cannot serve");
    Store { wishes: Some(Arc::new(wishes)), thread: Some(thread), health, ballast }
}

/// Says so when the writer's thread ends otherwise than by being asked.
struct Watch(Health);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fell_ill("the store's thread has ended by a fault of its own");
        }
    }
}

fn write(mut disk: Disk, waiting: &Receiver<Wish>, mut answer: impl FnMut(CommitRef, Result<Revision, NotStored>)) {
    let _watch = Watch(disk.health.clone());
    while let Ok(first) = waiting.recv() {
        let (mut group, mut others) = (Vec::new(), Vec::new());
        for wish in std::iter::once(first).chain(waiting.try_iter().take(GROUP - 1)) {
            match wish {
                Wish::Commit(commit) => group.push(commit),
                other => others.push(other),
            }
        }
        let results = disk.write(&group);
        for (commit, result) in group.into_iter().zip(results) {
            telemetry::committed(commit.since.elapsed(), result.is_ok());
            answer(commit.reference, result);
        }
        others.into_iter().for_each(|wish| disk.fulfil(wish));
    }
}

/// The file beside the journal with the last acknowledged commit, and what the wall clock showed then.
pub(super) const SIDE: &str = "revision";

/// What it says; 0 when it says nothing that can be believed.
pub(super) fn noted(side: &File) -> u64 {
    let mut bytes = [0; 12];
    if side.read_exact_at(&mut bytes, 0).is_err() {
        return 0; // A new store has none yet.
    }
    let (number, sum) = bytes.split_at(8);
    let good = crc32c::crc32c(number).to_le_bytes() == sum;
    if good { u64::from_le_bytes(number.try_into().expect("split at 8")) } else { 0 }
}

/// What the wall clock showed when it was written; `None`: it does not say, or its clock was doubted otherwise than the
/// journal says, since the one was synced and the other was not.
pub(super) fn shown(side: &File, doubt: DoubtRecord) -> Option<DateTime<Utc>> {
    let field = |n: u64| {
        let mut bytes = [0; 12];
        side.read_exact_at(&mut bytes, n * 12).ok()?;
        let (said, sum) = bytes.split_at(8);
        let good = crc32c::crc32c(said).to_le_bytes() == sum;
        good.then(|| i64::from_le_bytes(said.try_into().expect("split at 8")))
    };
    let is_of_it = match (field(2), field(3)) {
        (Some(secs), Some(shown)) => [secs, shown] == fields(doubt),
        _ => doubt.shown.is_none(), // An older version does not say, neither here nor there.
    };
    DateTime::from_timestamp_micros(field(1)?).filter(|_| is_of_it)
}

/// A doubt as the side file has it, beside the instant that is of it.
fn fields(doubt: DoubtRecord) -> [i64; 2] {
    [doubt.secs, doubt.shown.map_or(0, |shown| shown.timestamp_micros())]
}

/// The files, and how far they have come.
pub(super) struct Disk {
    journal: Journal,
    view: Shown,
    known: Known,
    /// The last acknowledged commit, beside the journal: notices when that has lost its end.
    side: File,
    folder: PathBuf,
    health: Health,
    /// Held for the last writes.
    ballast: Ballast,
    failed_at: Option<Instant>,
    limits: Limits,
    /// By how much the journal says that the wall clock is doubted.
    pub(super) doubt: DoubtRecord,
}

/// A commit would have called a number that another attempt is calling (law 2).
struct NumberTaken;

impl Disk {
    pub(super) fn new(
        folder: PathBuf,
        journal: Journal,
        view: View,
        known: Known,
        limits: Limits,
    ) -> std::io::Result<Disk> {
        let mut options = OpenOptions::new();
        let side = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let side = side.open(folder.join(SIDE))?;
        // The files' own entries must survive as well as their contents.
        File::open(&folder)?.sync_all()?;
        let (view, health) = (Shown::In(view), journal.health.clone());
        let ballast = Ballast::of(&folder, limits.ballast_bytes);
        Ok(Disk {
            journal,
            view,
            known,
            side,
            folder,
            health,
            ballast,
            failed_at: None,
            limits,
            doubt: DoubtRecord::default(),
        })
    }

    /// Commits that were acknowledged and are not in the journal.
    pub(super) fn lost_since_last_life(&self) -> u64 {
        noted(&self.side).saturating_sub(self.journal.mark.sequence)
    }

    fn write(&mut self, group: &[Commit]) -> Vec<Result<Revision, NotStored>> {
        if self.health.is_poisoned() && !self.may_go_on() {
            return vec![Err(NotStored::Failed); group.len()];
        }
        let scarce = self.ballast.is_given() || is_scarce(&self.folder, &self.limits);
        let mut undo = Undo::default();
        let staged: Vec<_> = group.iter().map(|commit| self.stage(&commit.changes, scarce, &mut undo)).collect();
        let commits: Vec<&[Op]> =
            staged.iter().map(|staged| staged.ops.as_slice()).filter(|ops| !ops.is_empty()).collect();
        let marks = match commits.is_empty() {
            true => Ok(Vec::new()),
            false => self.journal.append(commits.iter().copied()),
        };
        let marks = match marks {
            Ok(marks) => marks,
            Err(error) => {
                self.known.take_back(undo);
                if is_full(&error) && self.gives_ballast() {
                    return self.write(group); // Once: there is no other ballast.
                }
                let why = self.failed(&error);
                return staged.into_iter().map(|staged| staged.answer.and(Err(why))).collect();
            }
        };
        if !marks.is_empty() {
            self.heal();
            self.doubt = last_doubt(group, &staged).unwrap_or(self.doubt);
            self.note_revision();
            self.view.take_in(&self.journal, &commits);
        }
        let mut marks = marks.into_iter();
        let mut answer = |staged: &Staged| {
            let written = if staged.ops.is_empty() { None } else { marks.next() };
            let revision = Revision(written.unwrap_or(self.journal.mark).sequence);
            staged.answer.map(|()| revision)
        };
        staged.iter().map(&mut answer).collect()
    }

    /// Who does not wait for the answer any more needs none.
    fn fulfil(&mut self, wish: Wish) {
        match wish {
            Wish::Commit(_) => {} // They are written together.
            Wish::Mend => self.mend(),
            Wish::Snapshot(folder, asker) => drop(asker.send(self.journal.snapshot(&folder))),
            Wish::Erase(ops, asker) => drop(asker.send(self.erase(&ops))),
            Wish::Purge(after, asker) => drop(asker.send(self.purge(after))),
            Wish::Base(folder, asker) => drop(asker.send(self.base(&folder))),
            Wish::Follow(view, asker) => drop(asker.send(self.view.follow(&self.journal, view))),
        }
    }

    fn erase(&mut self, ops: &[Op]) -> std::io::Result<u64> {
        if self.health.is_poisoned() && !self.may_go_on() {
            return Err(std::io::Error::other("the store writes nothing at present"));
        }
        let commits: Vec<&[Op]> = ops.chunks(ERASED_AT_ONCE).collect();
        if let Err(error) = self.journal.append(commits.iter().copied()) {
            self.failed(&error);
            return Err(error);
        }
        self.heal();
        self.note_revision();
        self.view.take_in(&self.journal, &commits);
        for key in ops.iter().filter(|op| op.value().is_none()).map(Op::key) {
            self.known.calling.remove(key);
            if let Some(task) = key.strip_prefix(keys::TASK).and_then(|id| id.parse().ok()) {
                self.known.tasks.remove(&task);
            }
        }
        Ok(self.journal.mark.sequence)
    }

    fn purge(&mut self, after: u64) -> std::io::Result<Option<Purged>> {
        let is_done = self.journal.purge(after, &self.folder.join(erase::GONE))?;
        Ok(is_done.then(|| self.view.close()))
    }

    fn base(&mut self, folder: &Path) -> std::io::Result<()> {
        self.journal.snapshot(folder)?;
        self.view.remember(self.journal.mark);
        Ok(())
    }

    /// What a commit does, key by key, and how it is answered once that is on the disk.
    fn stage(&mut self, changes: &[Change], scarce: bool, undo: &mut Undo) -> Staged {
        if scarce && self.creates_a_task(changes) {
            return Staged { ops: Vec::new(), answer: Err(NotStored::Reserve) };
        }
        let mut ops = Vec::with_capacity(changes.len() + 1);
        // An attempt that has ended gives its number free for one that begins in the same commit; what has become of
        // its callback belongs to that.
        let over: BTreeSet<TaskId> = changes.iter().filter_map(ended).map(|attempt| attempt.task).collect();
        let is_end = |change: &&Change| match change {
            Change::PutTask(task) => over.contains(&task.id) && !task.state.is_live(),
            other => ended(other).is_some(),
        };
        for change in changes.iter().filter(is_end) {
            match change {
                Change::PutAttempt(attempt) => self.end(attempt, &mut ops, undo),
                Change::PutTask(task) => {
                    self.known.task(task, undo);
                    ops.push(op_of(change));
                }
                _ => {} // Ends nothing.
            }
        }
        let endings = ops.len();
        let mut rest = Undo::default();
        for change in changes.iter().filter(|change| !is_end(change)) {
            if let Change::PutAttempt(attempt) = change
                && self.begin(attempt, &mut ops, &mut rest).is_err()
            {
                tracing::error!("refused a second live attempt for one number");
                return self.only_endings(ops, endings, rest);
            }
            if let Change::PutTask(task) = change {
                self.known.task(task, &mut rest);
            }
            ops.push(op_of(change));
        }
        if frame::size(&ops) > JOURNAL_BODY {
            tracing::error!(octets = frame::size(&ops), "refused a commit that is larger than any may be");
            return self.only_endings(ops, endings, rest);
        }
        undo.calling.append(&mut rest.calling);
        undo.tasks.append(&mut rest.tasks);
        Staged { ops, answer: Ok(()) }
    }

    /// What has ended is true whatever else is refused, so that a commit which is told again and again with a refused
    /// attempt in it does not hold the endings back for ever.
    fn only_endings(&mut self, mut ops: Vec<Op>, endings: usize, rest: Undo) -> Staged {
        self.known.take_back(rest);
        ops.truncate(endings);
        Staged { ops, answer: Err(NotStored::Failed) }
    }

    fn begin(&mut self, attempt: &Attempt, ops: &mut Vec<Op>, undo: &mut Undo) -> Result<(), NumberTaken> {
        let (key, ours) = (keys::active(&attempt.number), keys::Active::of(attempt));
        if self.known.calling.get(&key).is_some_and(|other| *other != ours) {
            return Err(NumberTaken);
        }
        ops.push(put(key.clone(), &ours));
        self.known.call(key, Some(ours), undo);
        Ok(())
    }

    fn end(&mut self, attempt: &Attempt, ops: &mut Vec<Op>, undo: &mut Undo) {
        let ours = keys::Active::of(attempt);
        let held = self.known.calling.iter().filter(|(_, mark)| **mark == ours).map(|(key, _)| key.clone());
        for key in held.collect::<Vec<_>>() {
            self.known.call(key.clone(), None, undo);
            ops.push(Op::Remove { key });
        }
        ops.push(put(keys::attempt(attempt.task, attempt.n), attempt));
    }

    /// An open task of which the disk does not know. An ending is none, whatever is known of its task.
    fn creates_a_task(&self, changes: &[Change]) -> bool {
        let is_new = |task: &Task| !task.state.is_final() && !self.known.tasks.contains(&task.id);
        changes.iter().any(|change| matches!(change, Change::PutTask(task) if is_new(task)))
    }

    /// After a failed write everything acknowledged must still be readable, and a new segment is begun.
    fn may_go_on(&mut self) -> bool {
        if self.failed_at.is_some_and(|failed| failed.elapsed() < REST) {
            return false;
        }
        match self.journal.reads_back() {
            Ok(true) => true,
            Ok(false) => {
                self.poison("what was acknowledged cannot be read back");
                false
            }
            Err(error) => {
                self.poison(&error.to_string());
                false
            }
        }
    }

    /// Begins a new segment after a failure, without waiting for somebody's commit.
    fn mend(&mut self) {
        if !self.health.is_poisoned() || !self.may_go_on() {
            return;
        }
        match self.journal.reopen() {
            Ok(()) => self.heal(),
            Err(error) => self.poison(&error.to_string()),
        }
    }

    /// A disk without room gets some for the last writes. They go on behind what was acknowledged, if that is whole.
    fn gives_ballast(&mut self) -> bool {
        if !self.ballast.give() {
            return false;
        }
        tracing::error!("the disk is full: its ballast is given up for what must be written, and nothing is promised");
        self.journal.reads_back().unwrap_or(false)
    }

    fn heal(&mut self) {
        if self.failed_at.take().is_some() {
            self.health.is_well_again();
            tracing::warn!("the store works again, in a new segment of its journal");
        }
    }

    fn failed(&mut self, error: &std::io::Error) -> NotStored {
        self.poison(&error.to_string());
        if is_full(error) { NotStored::Full } else { NotStored::Failed }
    }

    fn poison(&mut self, why: &str) {
        self.failed_at = Some(Instant::now());
        self.health.fell_ill(why);
        tracing::error!(
            why,
            "the store has failed: no promise is made until a new segment can be written; calls go on"
        );
    }

    /// Not synced: after a power cut it may name an older commit, which says nothing false; nor does an older instant,
    /// of which it says by how much the clock was doubted then.
    fn note_revision(&self) {
        let [secs, since] = fields(self.doubt).map(i64::to_le_bytes);
        let (number, shown) = (self.journal.mark.sequence.to_le_bytes(), Utc::now().timestamp_micros().to_le_bytes());
        let mut bytes = [0; 48];
        for (octets, said) in bytes.chunks_exact_mut(12).zip([number, shown, secs, since]) {
            octets[..8].copy_from_slice(&said);
            octets[8..].copy_from_slice(&crc32c::crc32c(&said).to_le_bytes());
        }
        if let Err(error) = self.side.write_all_at(&bytes, 0) {
            tracing::warn!(%error, "the revision's side file was not written");
        }
    }
}

/// A commit that is ready to be written.
struct Staged {
    ops: Vec<Op>,
    answer: Result<(), NotStored>,
}

/// What a group that is written says last of the clock.
fn last_doubt(group: &[Commit], staged: &[Staged]) -> Option<DoubtRecord> {
    let written = group.iter().zip(staged).filter(|(_, staged)| !staged.ops.is_empty() && staged.answer.is_ok());
    let changes = written.flat_map(|(commit, _)| &commit.changes);
    changes.filter_map(|change| if let Change::PutDoubt(doubt) = change { Some(*doubt) } else { None }).next_back()
}

/// The attempt that this change ends.
fn ended(change: &Change) -> Option<&Attempt> {
    match change {
        Change::PutAttempt(attempt) if attempt.outcome.is_some() => Some(attempt),
        _ => None, // Only an attempt can end.
    }
}

fn op_of(change: &Change) -> Op {
    match change {
        Change::PutTask(task) => put(keys::task(task.id), task),
        Change::PutAttempt(attempt) => put(keys::attempt(attempt.task, attempt.n), attempt),
        Change::PutBinding(binding) => put(keys::binding_of(binding), binding),
        Change::RemoveBinding { extension, contact } => remove(keys::binding(extension, contact)),
        Change::PutAgent(agent) => put(keys::agent(&agent.agent), agent),
        Change::PutRecording(recording) => put(keys::recording(recording.id), recording),
        Change::PutSystem(system) => put(keys::SYSTEM.to_owned(), system),
        Change::PutDoNotCall(said) => put(keys::do_not_call(&said.number), said),
        Change::RemoveDoNotCall(number) => remove(keys::do_not_call(number)),
        Change::PutEntry(entry) => put(keys::entry(entry.call), entry),
        Change::RemoveEntry(call) => remove(keys::entry(*call)),
        Change::PutObject(object) => put(keys::object(&object.kind, &object.name), object),
        Change::RemoveObject { kind, name } => remove(keys::object(kind, name)),
        Change::PutAudit(entry) => put(keys::audit(entry.id), entry),
        Change::PutTalk(talk) => put(keys::talk(talk.call), talk),
        Change::RemoveTalk(call) => remove(keys::talk(*call)),
        Change::PutPulse(at) => put(keys::PULSE.to_owned(), at),
        Change::PutDoubt(doubt) => put(keys::CLOCK.to_owned(), doubt),
    }
}

fn put<T: serde::Serialize>(key: String, value: &T) -> Op {
    let value = record::encode(key.as_bytes(), value);
    Op::Put { key, value }
}

fn remove(key: String) -> Op {
    Op::Remove { key }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// Whether the disk is too full to promise anything (interface.md, Settled 13).
fn is_scarce(path: &Path, limits: &Limits) -> bool {
    match rustix::fs::statvfs(path) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let whole = space.f_blocks.saturating_mul(space.f_frsize);
            free < limits.reserve_bytes || free < whole / 100 * limits.reserve_percent
        }
        Err(_) => false, // A file system that does not say how full it is fails at writing, which is decided there.
    }
}

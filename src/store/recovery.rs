//! From what lies on the disk to a state that the journal goes on from: the view catches up with the journal, or is
//! made anew from the newest checkpoint and the journal (durability.md §2.4).
//!
//! A file that is damaged is worked around, and told. One that the disk does not give back is not damaged: the next try
//! may well read it. It is left as it is, and where nothing else has what is in it, the store is not opened.

use super::catch_up::CatchingUp;
use super::checkpoint::Checkpoint;
use super::journal::frame::{Mark, Op};
use super::journal::segment::newer;
use super::journal::{self, Journal, is_damage};
use super::known::Known;
use super::open::{JOURNAL, Quarantined, Report, VIEW, ViewReport, new_id};
use super::reading::{Bad, Reading};
use super::record::{self, Damage};
use super::view::View;
use super::writer::Disk;
use super::{Limits, erase, keys, older, person, schema};
use crate::switch::Restored;
use rustix::fs::{CWD, RenameFlags};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Why the view is not followed.
pub(super) enum Trouble {
    /// It is not believed, and is made anew.
    Doubt(String),
    /// There is none.
    Missing,
    /// The machine has no room, files or rights left, or the files are a newer version's. It would be no better with
    /// another view.
    Machine(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        use rustix::io::Errno;
        let machine =
            [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::ACCESS];
        match error.raw_os_error() {
            None if error.kind() == io::ErrorKind::Unsupported => Trouble::Machine(error), // A newer version's file.
            Some(number) if machine.iter().any(|errno| errno.raw_os_error() == number) => Trouble::Machine(error),
            _ => Trouble::Doubt(error.to_string()),
        }
    }
}

pub(super) fn doubt<T>(why: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Doubt(why.into()))
}

/// Where a view lies that was not believed.
pub(super) const ASIDE: &str = "view.aside";

/// A store on its way to being open.
pub(super) struct Recovery<'a> {
    store: &'a Path,
    journal: Journal,
    /// Of the folder's heads, and of what `replay` found.
    damage: Vec<journal::Damage>,
    report: ViewReport,
    /// The whole state has to be written down anew: the journal alone does not lead to it any more.
    heal: bool,
}

impl Recovery<'_> {
    pub fn of(store: &Path, limits: Limits) -> io::Result<(Disk, Restored, Report)> {
        older::take_up(store)?;
        drop_old_backup(store);
        let (mut journal, heads) = Journal::open(&store.join(JOURNAL), new_id()?, limits.checkpoint_commits)?;
        if journal.is_new() && !store.join(VIEW).exists() {
            // From here on sled may fail as it likes: what the store holds is known without it.
            journal.checkpoint(std::iter::empty())?;
        }
        let mut recovery =
            Recovery { store, journal, damage: heads.clone(), report: ViewReport::New, heal: !heads.is_empty() };
        let (view, reading) = match recovery.follow() {
            Ok(followed) => followed,
            Err(Trouble::Machine(error)) => return Err(error),
            Err(Trouble::Missing) => {
                tracing::info!("there is no view of the journal, and it is made");
                recovery.rebuild("there was none".into())?
            }
            Err(Trouble::Doubt(why)) if recovery.journal.is_new() => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            Err(Trouble::Doubt(why)) => {
                tracing::error!(why, "the view of the journal is not believed and is made anew");
                recovery.damage = heads;
                recovery.rebuild(why)?
            }
        };
        recovery.finish(view, reading, limits)
    }

    /// Lets the view that is there catch up with the journal.
    fn follow(&mut self) -> Result<(View, Reading), Trouble> {
        let folder = self.store.join(VIEW);
        let is_fresh = !folder.exists();
        if is_fresh && !self.journal.is_new() && !self.journal.is_whole_without_checkpoint() {
            return Err(Trouble::Missing);
        }
        let mut view = guarded(|| View::open(&folder))?;
        let applied = match view.applied {
            Some(applied) => applied,
            None if self.journal.is_new() || is_fresh && self.journal.is_whole_without_checkpoint() => {
                self.adopt(&mut view)?
            }
            None => return doubt("it does not say what it has taken in"),
        };
        let mut catching_up = CatchingUp::new(&mut view, self.journal.id, applied.mark());
        if self.journal.is_new() {
            // There is no journal. What the view holds is all there is, and becomes the beginning of a new one.
            self.journal.id = applied.store;
            self.journal.go_on_from(applied.mark());
            self.heal = true;
        } else if applied.store != self.journal.id {
            return doubt("it belongs to another store");
        } else {
            catching_up.agreed = self.journal.knows(applied.mark());
            // What the newest checkpoint has need not be read: the view is made from that if it lacks some of it.
            let had = applied.sequence.max(self.journal.mark.sequence);
            // Another view would make the files no more readable.
            let found = self.journal.replay(had, |frame| catching_up.take(frame)).map_err(Trouble::Machine)?;
            self.damage.extend(found);
        }
        let taken = catching_up.finish(self.journal.mark)?;
        let reading = guarded(|| Reading::of(view.records()))?;
        refuse_newer(&reading)?;
        if Some(reading.digest) != view.applied.map(|applied| applied.digest) {
            return doubt("its records do not add up");
        }
        if let Some(bad) = reading.bad.first() {
            return doubt(format!("{}: {}", bad.key, bad.damage));
        }
        if applied.sequence > self.journal.mark.sequence {
            // The view takes in only what the journal has synced: the journal has lost its end.
            let lost = self.journal.mark.sequence + 1..applied.sequence + 1;
            self.damage.push(journal::Damage::Missing(lost));
            self.journal.go_on_from(applied.mark());
        }
        if view.applied.is_some_and(|applied| applied.sequence < self.journal.mark.sequence) {
            return doubt("commits that it needs are missing");
        }
        if self.report == ViewReport::New && applied.sequence + taken > 0 {
            self.report = ViewReport::Followed(taken);
        }
        Ok((view, reading))
    }

    /// A view that says nothing of itself: an empty one, or a store of the time before the journal.
    fn adopt(&mut self, view: &mut View) -> Result<super::view::Applied, Trouble> {
        let revision = match guarded(|| view.get(keys::REVISION))? {
            Some(bytes) => record::decode::<u64>(keys::REVISION.as_bytes(), &bytes).unwrap_or(0),
            None => 0,
        };
        let (id, mark) = (self.journal.id, Mark { sequence: revision, sum: 0 });
        guarded(|| view.adopt(id, mark))?;
        match view.applied {
            Some(applied) => {
                if applied.digest.count > 0 {
                    self.report = ViewReport::Adopted;
                }
                Ok(applied)
            }
            None => doubt("it does not keep what it is told"),
        }
    }

    /// Makes the view anew: the newest checkpoint that can be read, then the journal.
    fn rebuild(&mut self, why: String) -> io::Result<(View, Reading)> {
        let is_aside = move_view_aside(self.store)?;
        let made = self.make_anew(why);
        if made.is_err() {
            // The next try begins where this one did.
            put_view_back(self.store, is_aside);
        }
        made
    }

    fn make_anew(&mut self, why: String) -> io::Result<(View, Reading)> {
        let Refilled { mut view, base, unread } = self.refill()?;
        let mut catching_up = CatchingUp::new(&mut view, self.journal.id, base);
        // There is nothing better: what the journal does not have is told.
        (catching_up.agreed, catching_up.may_skip) = (true, true);
        let found = self.journal.replay(base.sequence, |frame| catching_up.take(frame))?;
        if let Some(error) = unread.filter(|_| !catching_up.is_whole(self.journal.mark)) {
            return Err(error);
        }
        let commits = catching_up.finish(self.journal.mark).map_err(unmade)?;
        self.damage.extend(found);
        self.report = ViewReport::Rebuilt { why, checkpoint: base.sequence, commits };
        let reading = guarded(|| Reading::of(view.records())).map_err(unmade)?;
        refuse_newer(&reading)?;
        Ok((view, reading))
    }

    /// A view of the newest checkpoint that can be read.
    fn refill(&mut self) -> io::Result<Refilled> {
        let (folder, mut unread) = (self.store.join(VIEW), None);
        for checkpoint in self.journal.checkpoints() {
            let mut view = View::open(&folder)?;
            let error = match fill(&mut view, checkpoint) {
                Ok(()) => return Ok(Refilled { view, base: checkpoint.mark, unread }),
                // Nothing is wrong with the checkpoint, and everything stays as it is until the view can be written.
                Err(Unfilled::View(error)) => return Err(error),
                Err(Unfilled::Checkpoint(error)) => error,
            };
            tracing::error!(%error, file = %checkpoint.path.display(), "a checkpoint cannot be read");
            self.heal = true;
            if is_damage(&error) {
                self.damage.push(journal::Damage::Checkpoint(checkpoint.path.clone()));
            } else {
                self.damage.push(journal::Damage::Unreadable(checkpoint.path.clone()));
                let why = format!("{}: {error}", checkpoint.path.display());
                unread.get_or_insert(io::Error::new(error.kind(), why));
            }
            drop(view);
            fs::remove_dir_all(&folder)?;
        }
        let mut view = View::open(&folder)?;
        view.adopt(self.journal.id, Mark::default())?;
        Ok(Refilled { view, base: Mark::default(), unread })
    }

    fn finish(mut self, mut view: View, reading: Reading, limits: Limits) -> io::Result<(Disk, Restored, Report)> {
        schema::note(self.store)?;
        let records = reading.believed();
        let Reading { restored, open, stale, bad, .. } = reading;
        let tasks = restored.tasks.iter().filter(|task| !task.state.is_final()).map(|task| task.id).collect();
        let quarantined =
            bad.iter().map(|bad| Quarantined { key: bad.key.clone(), damage: bad.damage }).collect::<Vec<_>>();
        let stands_behind = view.applied.map(|applied| applied.mark()) != Some(self.journal.mark);
        let must_heal = self.heal || stands_behind || self.damage.iter().any(journal::Damage::is_loss);
        if must_heal {
            // What is there is all that can be had. The journal goes on from it.
            self.journal.heal(view.records(), &self.damage)?;
            view.adopt(self.journal.id, self.journal.mark)?;
        }
        let mut unerased = None;
        if erase::is_due(self.store) {
            (view, unerased) = self.erase(view, must_heal)?;
        }
        // An erasure throws away what was set aside in former lives.
        set_aside(self.store, &bad)?;
        let gone = bad.into_iter().map(|bad| bad.key).chain(stale);
        let ops: Vec<Op> = gone.map(|key| Op::Remove { key }).collect();
        if !ops.is_empty() {
            for key in ops.iter().map(Op::key) {
                tracing::warn!(key, "a record that nobody owns or believes is taken out");
            }
            let mark = self.journal.append(std::iter::once(ops.as_slice()))?.pop().unwrap_or(self.journal.mark);
            view.apply(self.journal.id, mark, std::iter::once(ops.as_slice()))?;
        }
        close_to_others(self.store)?;
        let unerased = unerased.map(|error| error.to_string());
        let mut report =
            Report { records, quarantined, damage: self.damage, view: self.report, lost_commits: 0, unerased };
        let disk = Disk::new(self.store.into(), self.journal, view, Known { calling: open, tasks }, limits)?;
        report.lost_commits = disk.lost_since_last_life();
        for damage in &report.damage {
            tracing::error!(%damage, "the journal is not as it was left");
        }
        Ok((disk, restored, report))
    }
}

impl Recovery<'_> {
    /// Throws away all that is older than the state as it is now. No promise waits for that: where it cannot be done,
    /// the store is opened nevertheless, the error is handed back, and the next start tries again.
    fn erase(&mut self, view: View, is_written: bool) -> io::Result<(View, Option<io::Error>)> {
        let (view, done) = match self.write_anew(&view, is_written) {
            Ok(()) => {
                drop(view);
                let (shown, fresh) = (self.store.join(VIEW), self.store.join(erase::FRESH));
                // At every instant there is one whole view or the other. The older one is swept with the rest.
                let exchanged = rustix::fs::renameat_with(CWD, &fresh, CWD, &shown, RenameFlags::EXCHANGE);
                let view = View::open(&shown)?;
                (view, exchanged.map_err(io::Error::from).and_then(|()| erase::finish(self.store)))
            }
            Err(error) => (view, Err(error)),
        };
        if let Err(error) = &done {
            tracing::error!(
                %error,
                "an erasure is not finished: files may have what was erased; the next start tries again"
            );
        }
        Ok((view, done.err()))
    }

    /// The journal, without what is older than `view`, and another view beside it. `is_written`: there is a checkpoint
    /// of this already.
    fn write_anew(&mut self, view: &View, is_written: bool) -> io::Result<()> {
        let (gone, fresh) = (erase::fresh_gone(self.store)?, self.store.join(erase::FRESH));
        if !is_written {
            self.journal.heal(view.records(), &self.damage)?;
        }
        while !self.journal.purge(self.journal.mark.sequence, &gone)? {}
        // The view may need the room.
        person::clear(&gone)?;
        person::clear(&fresh)?;
        let newest = self.journal.checkpoints().next().filter(|it| it.mark == self.journal.mark);
        let newest = newest.ok_or_else(|| io::Error::other("there is no checkpoint of what is left"))?;
        let filled = guarded(|| match fill(&mut View::open(&fresh)?, newest) {
            Ok(()) => Ok(()),
            Err(Unfilled::Checkpoint(error) | Unfilled::View(error)) => Err(error),
        });
        filled.map_err(unmade)
    }
}

/// A view as a checkpoint has it.
struct Refilled {
    view: View,
    base: Mark,
    /// A newer checkpoint is there that the disk did not give back.
    unread: Option<io::Error>,
}

/// What went wrong between a checkpoint and a view.
enum Unfilled {
    Checkpoint(io::Error),
    View(io::Error),
}

fn fill(view: &mut View, checkpoint: &Checkpoint) -> Result<(), Unfilled> {
    let records = checkpoint.records().map_err(Unfilled::Checkpoint)?;
    let mut is_read = true;
    let watched = records.inspect(|record| is_read &= record.is_ok());
    let filled = view.fill(checkpoint.store, checkpoint.mark, watched);
    filled.map_err(if is_read { Unfilled::View } else { Unfilled::Checkpoint })
}

fn unmade(trouble: Trouble) -> io::Error {
    match trouble {
        Trouble::Doubt(why) => io::Error::other(format!("a new view cannot be made: {why}")),
        Trouble::Missing => io::Error::other("a new view cannot be made"),
        Trouble::Machine(error) => error,
    }
}

/// Damage makes sled panic, and a panic must not take the process along.
pub(super) fn guarded<T>(step: impl FnOnce() -> io::Result<T>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done.map_err(Trouble::from),
        Err(_panic) => doubt("sled gave up on it"),
    }
}

/// What a backup was made of, or somebody was looked for in, when its process was killed. Whoever needs the name asks
/// again.
fn drop_old_backup(store: &Path) {
    for folder in person::passing(store) {
        if let Err(error) = person::clear(&folder) {
            tracing::warn!(%error, folder = %folder.display(), "this folder is not needed any more and still there");
        }
    }
}

/// The view as it was is kept for whoever wants to look; an older one makes room. Whether there was one.
fn move_view_aside(store: &Path) -> io::Result<bool> {
    let (view, aside) = (store.join(VIEW), store.join(ASIDE));
    if !view.exists() {
        return Ok(false);
    }
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    fs::rename(&view, &aside)?;
    File::open(store)?.sync_all()?;
    Ok(true)
}

/// What was begun instead of it goes.
fn put_view_back(store: &Path, is_aside: bool) {
    let view = store.join(VIEW);
    let gone = person::clear(&view);
    let back = gone.and_then(|()| if is_aside { fs::rename(store.join(ASIDE), &view) } else { Ok(()) });
    if let Err(error) = back {
        tracing::warn!(%error, "the view as it was stays aside");
    }
}

/// A whole record of a schema that this version does not know is nothing that it may throw away, and a switch without
/// it would not keep what was promised.
fn refuse_newer(reading: &Reading) -> io::Result<()> {
    let is_newer = |bad: &Bad| matches!(bad.damage, Damage::Schema(schema) if schema > record::SCHEMA);
    if reading.bad.iter().any(is_newer) { Err(newer()) } else { Ok(()) }
}

/// Bad records leave the store only once their bytes are safe elsewhere.
fn set_aside(store: &Path, bad: &[Bad]) -> io::Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(store.join("quarantine.jsonl"))?;
    for Bad { key, value, damage } in bad {
        tracing::error!(key, %damage, "a stored record cannot be believed and is set aside");
        let hex = value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        writeln!(file, "{}", serde_json::json!({ "key": key, "damage": damage.to_string(), "value": hex }))?;
    }
    file.sync_all()?;
    File::open(store)?.sync_all()
}

/// Sled makes its files as the process's mask says.
pub(super) fn close_to_others(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        let mode = Permissions::from_mode(if is_folder { 0o700 } else { 0o600 });
        if let Err(error) = fs::set_permissions(entry.path(), mode) {
            tracing::warn!(%error, file = %entry.path().display(), "a file of the store may be open to others");
        }
        if is_folder {
            close_to_others(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Place(PathBuf);

    impl Drop for Place {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn put(n: u64) -> Op {
        let key = format!("thing/{n}");
        let value = record::encode(key.as_bytes(), &n);
        Op::Put { key, value }
    }

    /// Five commits, and a checkpoint of the third; the one before it as well, if `is_older_there`.
    fn store(name: &str, is_older_there: bool) -> (Place, PathBuf) {
        let place = Place(std::env::temp_dir().join(format!("ringback-recovery-{name}-{}", std::process::id())));
        drop(fs::remove_dir_all(&place.0));
        fs::create_dir_all(place.0.join(JOURNAL)).unwrap();
        let (mut journal, _) = Journal::open(&place.0.join(JOURNAL), [7; 16], u64::MAX).unwrap();
        let older = journal.checkpoint(std::iter::empty()).unwrap();
        let append = |journal: &mut Journal, n| journal.append(std::iter::once(&[put(n)][..])).unwrap();
        (1..=3).for_each(|n| drop(append(&mut journal, n)));
        journal.reopen().unwrap();
        let pairs = (1..=3).map(|n| (put(n).key().to_owned(), put(n).value().unwrap().to_vec()));
        let newest = journal.checkpoint(pairs.map(Ok)).unwrap().path;
        (4..=5).for_each(|n| drop(append(&mut journal, n)));
        if !is_older_there {
            fs::remove_file(older.path).unwrap();
            fs::remove_file(&journal.segments()[0].path).unwrap();
        }
        drop(journal);
        (place, newest)
    }

    /// The head was read, and then the disk gives the file back no more: a folder's octets are an error to read.
    fn recovery<'a>(place: &'a Place, newest: &Path) -> Recovery<'a> {
        let (journal, damage) = Journal::open(&place.0.join(JOURNAL), [7; 16], u64::MAX).unwrap();
        fs::rename(newest, place.0.join("good")).unwrap();
        fs::create_dir(newest).unwrap();
        Recovery { store: &place.0, journal, damage, report: ViewReport::New, heal: false }
    }

    #[test]
    fn a_checkpoint_that_the_disk_does_not_give_back_is_done_without_where_older_files_have_everything() {
        let (place, newest) = store("older", true);
        let mut recovery = recovery(&place, &newest);

        let (_, reading) = recovery.rebuild("a test".into()).map_err(|error| error.to_string()).unwrap();

        assert_eq!(reading.digest.count, 5);
        assert_eq!(recovery.damage, [journal::Damage::Unreadable(newest)]);
        assert!(recovery.damage[0].is_loss(), "that is told");
        let ViewReport::Rebuilt { checkpoint, commits, .. } = recovery.report else { panic!() };
        assert_eq!((checkpoint, commits, recovery.journal.mark.sequence), (0, 5, 5));
    }

    #[test]
    fn a_store_is_opened_though_the_disk_has_no_room_for_an_erasure_to_be_finished() {
        let (place, _) = store("full", true);
        drop(Recovery::of(&place.0, Limits { ballast_bytes: 0, ..Limits::default() }).unwrap());
        fs::write(place.0.join(erase::MARK), "").unwrap();
        let (journal, damage) = Journal::open(&place.0.join(JOURNAL), [7; 16], u64::MAX).unwrap();
        let mut recovery = Recovery { store: &place.0, journal, damage, report: ViewReport::New, heal: false };
        let (view, reading) = recovery.follow().map_err(unmade).unwrap();
        // No file can be made where a folder is.
        let unfinished = place.0.join(JOURNAL).join("00000000000000000005.tmp");
        fs::create_dir(&unfinished).unwrap();

        let (disk, _, report) =
            recovery.finish(view, reading, Limits { ballast_bytes: 0, ..Limits::default() }).unwrap();

        assert_eq!((report.records, report.damage.len()), (5, 0));
        assert!(report.unerased.is_some() && place.0.join(erase::MARK).exists());
        drop(disk);
        fs::remove_dir(&unfinished).unwrap();
        let (.., report) = Recovery::of(&place.0, Limits { ballast_bytes: 0, ..Limits::default() }).unwrap();
        assert_eq!((report.records, report.unerased), (5, None));
        assert!(!place.0.join(erase::MARK).exists());
    }

    #[test]
    fn a_store_is_not_opened_without_what_only_an_unreadable_checkpoint_has_and_is_left_as_it_was() {
        let (place, newest) = store("only", false);
        fs::create_dir(place.0.join(VIEW)).unwrap();
        fs::write(place.0.join(VIEW).join("as it was"), "").unwrap();
        let mut refused = recovery(&place, &newest);

        let error = refused.rebuild("a test".into()).err().expect("commits 1 to 3 are nowhere else");

        assert!(error.to_string().contains(".ckp: "), "{error}");
        drop(refused);
        assert!(place.0.join(VIEW).join("as it was").exists() && !place.0.join(ASIDE).exists());
        fs::remove_dir(&newest).unwrap();
        fs::rename(place.0.join("good"), &newest).unwrap();
        let (_, _, report) = Recovery::of(&place.0, Limits { ballast_bytes: 0, ..Limits::default() }).unwrap();
        assert_eq!((report.records, report.damage), (5, vec![]));
    }
}

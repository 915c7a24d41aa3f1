//! Backups come back as what they were, exports too, and neither when they were changed.

use super::{Place, commit, files, limits, open, put_task, task};
use ringback::id::CommitRef;
use ringback::store::archive::{self, Key, RestoreError};
use ringback::store::export::{self, ImportError};
use ringback::store::verify::{Verified, ViewSeen};
use ringback::store::{Limits, Opened};
use std::sync::mpsc;

fn key(place: &Place, name: &str) -> Key {
    std::fs::create_dir_all(&place.0).unwrap();
    Key::read_or_make(&place.0.join(name)).unwrap()
}

/// A store with three lives of so many tasks behind it.
fn filled_with(name: &str, each: u64) -> Place {
    let place = Place::new(name);
    let few = Limits { checkpoint_commits: 20, ..limits() };
    for life in 0..3 {
        commit(&place, few, (life * each..(life + 1) * each).map(|n| vec![put_task(&task(n))]).collect());
    }
    place
}

fn filled(name: &str) -> Place {
    filled_with(name, 25)
}

#[test]
fn a_backup_of_a_running_store_comes_back_as_what_was_acknowledged() {
    let place = filled("backup");
    let (answers, answered) = mpsc::channel();
    let store = open(&place).start(move |_, result| answers.send(result).unwrap());
    let put = |n: u64| {
        store.commit(CommitRef(n), vec![put_task(&task(n))]).unwrap();
        answered.recv().unwrap().unwrap();
    };
    put(75);
    let mut backup = Vec::new();
    let key = key(&place, "backup.key");
    let manifest = archive::back_up(&place.store(), &store.snapshots(), &key, &mut backup).unwrap().received().unwrap();
    put(76);
    drop(store);
    let other = Place::new("backup-restored");

    assert_eq!(archive::verify(backup.as_slice(), &key, &std::env::temp_dir()).unwrap(), manifest);
    let (restored, aside) = archive::restore(backup.as_slice(), &key, &other.0, false).unwrap();

    assert_eq!((restored.records, aside), (76, None));
    let opened = open(&other);
    assert!(opened.report.is_well(), "{:?}", opened.report);
    assert_eq!(opened.restored.tasks.len(), 76);
    drop(opened);
    assert!(matches!(archive::restore(backup.as_slice(), &key, &place.0, false), Err(RestoreError::NotEmpty)));
    let (_, aside) = archive::restore(backup.as_slice(), &key, &place.0, true).unwrap();
    assert!(aside.unwrap().join("journal").exists());
    assert_eq!(open(&place).restored.tasks.len(), 76, "commit 77 came after the backup");
    let readable = b"+12025550123";
    assert!(!backup.windows(readable.len()).any(|octets| octets == readable), "numbers are not in clear");
}

#[test]
fn a_backup_that_was_changed_cut_or_has_another_key_leaves_everything_as_it_was() {
    let place = filled_with("backup-bad", 60);
    let key = key(&place, "backup.key");
    let mut backup = Vec::new();
    archive::back_up_at_rest(&place.0, &key, &mut backup).unwrap().received().unwrap();
    let before: Vec<_> = files(&place.store()).iter().map(|file| std::fs::read(file).unwrap()).collect();
    let mut changed = backup.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let stranger = Key::read_or_make(&place.0.join("stranger.key")).unwrap();

    for (what, octets, key) in [
        ("changed", changed.as_slice(), &key),
        ("cut", &backup[..backup.len() - 1], &key),
        ("cut at a piece", &backup[..31 + 64 * 1024 + 16], &key),
        ("another's key", &backup[..], &stranger),
        ("no backup", b"hello", &key),
    ] {
        let refused = archive::restore(octets, key, &place.0, true);
        assert!(matches!(refused, Err(RestoreError::Unreadable(_))), "{what}: {refused:?}");
    }
    let after: Vec<_> = files(&place.store()).iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(before == after && !place.0.join("store.restoring").exists());
}

#[test]
fn an_export_becomes_the_same_state_and_a_wrong_one_nothing() {
    let place = filled("export");
    let mut lines = Vec::new();
    let exported = export::export(&place.0, &mut lines, |_| {}).unwrap();
    let text = String::from_utf8(lines.clone()).unwrap();
    assert_eq!(text.lines().count(), 75 + 2);
    let other = Place::new("export-imported");

    assert_eq!(export::import(&other.0, lines.as_slice(), |_| {}).unwrap(), exported);
    assert_eq!(Verified::of(&other.0).unwrap().state, Ok(exported));
    assert_eq!(open(&other).restored.tasks.len(), 75);
    assert!(matches!(export::import(&other.0, lines.as_slice(), |_| {}), Err(ImportError::NotEmpty)));

    let wrong = [
        ("line 1:", text.replacen("ringback-store", "something", 1)),
        ("line 2:", text.replacen("\"number_raw\"", "number_raw", 2)),
        ("not whole", text.lines().take(50).map(|line| format!("{line}\n")).collect()),
        ("not whole", text.lines().enumerate().filter(|(n, _)| *n != 7).map(|(_, line)| format!("{line}\n")).collect()),
    ];
    for (expected, text) in wrong {
        let place = Place::new("export-wrong");
        let error = export::import(&place.0, text.as_bytes(), |_| {}).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!place.store().exists());
        assert!(open(&place).restored.tasks.is_empty());
    }
}

#[test]
fn verify_names_the_file_that_is_damaged_and_changes_nothing() {
    let place = filled("verify");
    let well = Verified::of(&place.0).unwrap();
    assert!(well.is_well() && well.view == ViewSeen::Good(75), "{well:?}");
    assert_eq!(well.state.as_ref().unwrap().count, 75);

    for file in files(&place.store().join("journal")) {
        let whole = std::fs::read(&file).unwrap();
        let mut bytes = whole.clone();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let verified = Verified::of(&place.0).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let damage = verified.files.iter().flat_map(|file| &file.damage).chain(&verified.damage);
        assert_eq!(damage.filter(|damage| damage.to_string().contains(&name)).count(), 1, "{name}: {verified:?}");
        assert!(!verified.is_well(), "{name}: {verified:?}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "it only looks");
        std::fs::write(&file, whole).unwrap();
    }
    let opened = open(&place);
    assert!(matches!(Verified::of(&place.0).unwrap().view, ViewSeen::InUse(Some(_))));
    drop(opened);
}

#[test]
fn old_segments_wait_for_a_backup_and_the_one_before_leads_to_today_with_them() {
    use ringback::store::journal::kept;
    let place = Place::new("kept");
    let few = Limits { checkpoint_commits: 20, ..limits() };
    let life = |n: u64| commit(&place, few, (n * 25..n * 25 + 25).map(|n| vec![put_task(&task(n))]).collect());
    let key = key(&place, "backup.key");
    let journal = place.store().join("journal");
    life(0);
    let mut first = Vec::new();
    archive::back_up_at_rest(&place.0, &key, &mut first).unwrap().received().unwrap();
    (1..12).for_each(|n| drop(life(n)));

    assert!(kept::list(&journal).unwrap().len() > 2, "checkpoints alone make no segment needless");
    // No checkpoint can be read any more, nor the view.
    let other = Place::new("kept-restored");
    archive::restore(first.as_slice(), &key, &other.0, false).unwrap();
    let segments = files(&journal).into_iter().filter(|file| file.extension().is_some_and(|it| it == "seg"));
    for segment in segments.chain(kept::list(&journal).unwrap()) {
        let target = other.store().join("journal").join(segment.file_name().unwrap());
        std::fs::copy(segment, target).unwrap();
    }
    let opened = open(&other);
    assert_eq!((opened.restored.tasks.len(), opened.report.is_well()), (300, true), "{:?}", opened.report);

    let made = archive::back_up_at_rest(&place.0, &key, Vec::new()).unwrap();
    assert!(kept::list(&journal).unwrap().len() > 2, "nobody has received it yet");
    made.received().unwrap();
    assert!(kept::list(&journal).unwrap().is_empty(), "a backup holds them");
}

#[test]
fn segments_that_no_backup_ever_holds_do_not_fill_the_disk() {
    use ringback::limits::{KEPT_DAYS, KEPT_OCTETS};
    use ringback::store::journal::kept;
    use std::time::{Duration, SystemTime};
    let place = Place::new("kept-most");
    let (journal, kept) = (place.store().join("journal"), place.store().join("kept"));
    std::fs::create_dir_all(&journal).unwrap();
    let (now, each) = (SystemTime::now(), KEPT_OCTETS / 4);
    let old = |days: u32| now - Duration::from_secs(u64::from(days) * 86_400 + 60);
    let segment = |n: u32, octets: u64, written: SystemTime| {
        let path = journal.join(format!("{n:020}.seg"));
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(octets).unwrap();
        file.set_modified(written).unwrap();
        path
    };
    let four: Vec<_> = (1..5).map(|n| segment(n, each, old(KEPT_DAYS - n))).collect();

    assert_eq!(kept::keep(&journal, &four, now).unwrap(), 0, "so much is kept");
    assert_eq!(kept::keep(&journal, &[segment(5, 1, old(0))], now).unwrap(), 1, "an octet more, and the oldest goes");
    assert_eq!(kept::list(&journal).unwrap().first(), Some(&kept.join(format!("{:020}.seg", 2))));
    let later = now + Duration::from_secs(5 * 86_400);
    assert_eq!(kept::keep(&journal, &[], later).unwrap(), 3, "and so long");
    assert_eq!(kept::list(&journal).unwrap(), [kept.join(format!("{:020}.seg", 5))]);
}

#[test]
fn segments_that_went_without_a_backup_are_told() {
    use std::time::{Duration, Instant, SystemTime};
    let place = Place::new("kept-told");
    commit(&place, limits(), vec![vec![put_task(&task(1))]]);
    let kept = place.store().join("kept");
    std::fs::create_dir_all(&kept).unwrap();
    let old = std::fs::File::create(kept.join(format!("{:020}.seg", 1))).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(8 * 86_400)).unwrap();
    // What a look for somebody has left when it was killed is of no use to anybody.
    std::fs::create_dir_all(place.store().join("looking")).unwrap();
    let (answers, answered) = mpsc::channel();
    let opened = Opened::open(&place.0, Limits { checkpoint_commits: 5, ..limits() }).unwrap();
    assert!(!place.store().join("looking").exists());
    let store = opened.start(move |_, result| answers.send(result).unwrap());
    let until = Instant::now() + Duration::from_secs(20);

    while store.health().troubles().unsaved == 0 {
        assert!(Instant::now() < until, "it is never told");
        store.commit(CommitRef(1), vec![put_task(&task(2))]).unwrap();
        answered.recv().unwrap().unwrap();
    }

    assert_eq!((store.health().troubles().unsaved, kept.join(format!("{:020}.seg", 1)).exists()), (1, false));
}

//! The journal is the truth and sled a view of it: whatever becomes of the view, nothing is lost; whatever becomes of
//! the journal, nothing is lost in silence and nothing wrong is believed.

use super::{Place, commit, copy_files, files, limits, open, put_task, segments, task};
use ringback::callback::task::Task;
use ringback::entropy::Entropy;
use ringback::store::checkpoint::Checkpoint;
use ringback::store::journal::frame::{self, Mark, Op};
use ringback::store::journal::{Damage, Journal};
use ringback::store::{Limits, Opened, ViewReport, record};
use ringback::switch::{NotStored, Revision};
use std::collections::BTreeMap;

fn tasks(count: u64) -> Vec<Vec<ringback::switch::Change>> {
    (0..count).map(|n| vec![put_task(&task(n))]).collect()
}

/// Flips a bit of the last commit.
fn rot_the_end(place: &Place) {
    let segment = segments(place).pop().unwrap();
    let mut bytes = std::fs::read(&segment.path).unwrap();
    let near_the_end = bytes.len() - 40;
    bytes[near_the_end] ^= 1;
    std::fs::write(&segment.path, bytes).unwrap();
}

fn sorted(mut tasks: Vec<Task>) -> Vec<Task> {
    tasks.sort_by_key(|task| task.id);
    tasks
}

#[test]
fn a_view_that_is_gone_damaged_or_of_another_store_is_made_anew_and_nothing_is_lost() {
    let place = Place::new("view");
    commit(&place, limits(), tasks(50));
    let all = sorted((0..50).map(task).collect());
    let other = Place::new("view-of-another");
    commit(&other, limits(), tasks(3));
    let view = place.store().join("view");

    let harms: [(&str, &dyn Fn()); 4] = [
        ("gone", &|| std::fs::remove_dir_all(&view).unwrap()),
        ("of another store", &|| {
            std::fs::remove_dir_all(&view).unwrap();
            copy_files(&other.store().join("view"), &view);
        }),
        ("without snapshots, half its database", &|| {
            for file in files(&view).iter().filter(|file| file.to_string_lossy().contains("snap.")) {
                std::fs::remove_file(file).unwrap();
            }
            let database = std::fs::File::options().write(true).open(view.join("db")).unwrap();
            database.set_len(database.metadata().unwrap().len() / 2).unwrap();
        }),
        ("another's octets", &|| std::fs::write(view.join("db"), vec![0xA5; 9_000]).unwrap()),
    ];
    for (name, harm) in harms {
        harm();
        let opened = open(&place);
        assert_eq!(sorted(opened.restored.tasks.clone()), all, "{name}");
        assert!(opened.report.is_well(), "{name}: {:?}", opened.report);
        let anew = matches!(opened.report.view, ViewReport::Rebuilt { commits: 50, .. } | ViewReport::Followed(50));
        assert!(anew, "{name}: {:?}", opened.report);
    }
    assert_eq!(open(&place).report.view, ViewReport::Followed(0), "once is enough");
}

#[test]
fn a_commit_cut_off_at_any_octet_is_cut_away_and_the_ones_before_stay() {
    let place = Place::new("torn");
    commit(&place, limits(), tasks(3));
    let segment = segments(&place).pop().unwrap();
    let whole = std::fs::read(&segment.path).unwrap();
    let two = whole.len() - (whole.len() - 64) / 3;
    let end = whole.iter().rposition(|octet| *octet != 0).unwrap();

    for length in (two..=end).step_by(7) {
        std::fs::remove_dir_all(place.store()).unwrap();
        std::fs::create_dir_all(place.store().join("journal")).unwrap();
        // As a kill leaves it: the rest of the room is zeros.
        let mut bytes = whole[..length].to_vec();
        bytes.resize(whole.len() + 4_096, 0);
        std::fs::write(&segment.path, bytes).unwrap();

        let opened = open(&place);
        let report = opened.report.clone();
        assert_eq!(opened.restored.tasks.len(), 2, "cut to {length}");
        assert!(report.is_well(), "a commit that was never acknowledged is no loss: {report:?}");
        let torn = report.damage.iter().filter(|it| matches!(it, Damage::Torn(..))).count();
        let blank = whole[two..length].iter().all(|octet| *octet == 0);
        assert_eq!(torn, usize::from(!blank), "cut to {length}: {report:?}");
        drop(opened);
        let answers = commit(&place, limits(), vec![vec![put_task(&task(9))]]);
        assert_eq!(answers, [Ok(Revision(3))], "and the next commit takes its place");
        let opened = open(&place);
        assert_eq!(opened.restored.tasks.len(), 3, "cut to {length}");
        assert!(opened.report.is_well());
    }
}

/// As many flips as `RINGBACK_FLIPS` says, each of one octet somewhere in a store's files.
#[test]
fn every_flipped_bit_is_harmless_or_noticed_and_nothing_wrong_is_believed() {
    let count: u64 = std::env::var("RINGBACK_FLIPS").map_or(150, |text| text.parse().expect("a number of flips"));
    let place = Place::new("flips");
    let few = Limits { checkpoint_commits: 10, ..limits() };
    for life in 0..4 {
        commit(&place, few, (life * 9..life * 9 + 9).map(|n| vec![put_task(&task(n))]).collect());
    }
    let truth: BTreeMap<_, _> = (0..36).map(|n| (task(n).id, task(n))).collect();
    let kept = Place::new("flips-kept");
    copy_files(&place.store(), &kept.0);
    let names = files(&kept.0);
    assert!(names.iter().any(|name| name.extension().is_some_and(|it| it == "ckp")), "{names:?}");
    let mut entropy = Entropy::from_seed(11);
    let (mut healed, mut told) = (0, 0);

    for flip in 0..count {
        std::fs::remove_dir_all(place.store()).unwrap();
        copy_files(&kept.0, &place.store());
        let name = &names[entropy.below(names.len() as u64) as usize];
        let file = place.store().join(name.strip_prefix(&kept.0).unwrap());
        let mut bytes = std::fs::read(&file).unwrap();
        if bytes.is_empty() {
            continue;
        }
        let at = entropy.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << entropy.below(8);
        std::fs::write(&file, bytes).unwrap();

        let opened = Opened::open(&place.0, limits())
            .unwrap_or_else(|error| panic!("flip {flip}, {} at {at}: {error}", file.display()));
        for task in &opened.restored.tasks {
            assert_eq!(Some(task), truth.get(&task.id), "flip {flip}, {} at {at}", file.display());
        }
        if opened.restored.tasks.len() == truth.len() {
            healed += 1;
        } else {
            assert!(!opened.report.is_well(), "flip {flip}, {} at {at}: {:?}", file.display(), opened.report);
            told += 1;
        }
    }
    println!("{count} flips: {healed} harmless or healed, {told} losses told");
    assert!(healed > 0);
}

#[test]
fn checkpoints_take_the_journals_place_and_three_are_kept() {
    let place = Place::new("checkpoints");
    let few = Limits { checkpoint_commits: 20, ..limits() };
    for life in 0..12 {
        commit(&place, few, (life * 25..life * 25 + 25).map(|n| vec![put_task(&task(n))]).collect());
    }

    let names = files(&place.store().join("journal"));
    let count = |kind: &str| names.iter().filter(|name| name.extension().is_some_and(|it| it == kind)).count();
    assert_eq!(count("ckp"), 3, "{names:?}");
    assert!(count("seg") <= 6, "{names:?}");
    std::fs::remove_dir_all(place.store().join("view")).unwrap();
    let newest = names.iter().rev().find(|name| name.extension().is_some_and(|it| it == "ckp")).unwrap();
    let mut bytes = std::fs::read(newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(newest, bytes).unwrap();

    let opened = open(&place);

    assert_eq!(opened.restored.tasks.len(), 300, "from the checkpoint before it and the journal since");
    assert!(matches!(opened.report.view, ViewReport::Rebuilt { checkpoint: 1.., .. }), "{:?}", opened.report);
    assert_eq!(opened.report.damage, [Damage::Checkpoint(newest.clone())]);
}

#[test]
fn a_view_that_knows_more_than_the_journal_is_believed_and_the_loss_is_told() {
    let place = Place::new("ahead");
    commit(&place, limits(), tasks(5));
    rot_the_end(&place);

    let opened = open(&place);
    let report = opened.report.clone();
    assert_eq!(opened.restored.tasks.len(), 5);
    assert!(report.damage.contains(&Damage::Missing(5..6)) && !report.is_well(), "{report:?}");
    drop(opened);
    std::fs::remove_dir_all(place.store().join("view")).unwrap();

    let again = open(&place);
    assert_eq!(again.restored.tasks.len(), 5, "a checkpoint was written from the view");
}

#[test]
fn a_store_of_the_time_before_the_journal_becomes_its_view() {
    let place = Place::new("older");
    std::fs::create_dir_all(place.store()).unwrap();
    let db = sled::Config::new().path(place.store()).open().unwrap();
    for n in 0..3 {
        let key = format!("task/{}", task(n).id);
        db.insert(&key, record::encode(key.as_bytes(), &task(n))).unwrap();
    }
    db.insert("meta/revision", record::encode(b"meta/revision", &3u64)).unwrap();
    db.flush().unwrap();
    drop(db);

    let opened = open(&place);
    assert_eq!(opened.report.view, ViewReport::Adopted);
    assert_eq!(opened.restored.tasks.len(), 3);
    drop(opened);
    assert_eq!(commit(&place, limits(), vec![vec![put_task(&task(9))]]), [Ok(Revision(4))]);
    std::fs::remove_dir_all(place.store().join("view")).unwrap();
    assert_eq!(open(&place).restored.tasks.len(), 4, "its journal holds what it had before");
}

#[test]
fn a_write_that_fails_poisons_its_segment_and_a_new_one_is_begun() {
    use ringback::id::CommitRef;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};
    let place = Place::new("poison");
    let (answers, answered) = mpsc::channel();
    let store = open(&place).start(move |_, result| answers.send(result).unwrap());
    let health = store.health();
    let commit = |n: u64| {
        store.commit(CommitRef(n), vec![put_task(&task(n))]).unwrap();
        answered.recv_timeout(Duration::from_secs(10)).unwrap()
    };
    // The folder of the journal turns into a file: the first segment cannot be made.
    let (journal, aside) = (place.store().join("journal"), place.store().join("aside"));
    std::fs::rename(&journal, &aside).unwrap();
    std::fs::write(&journal, b"").unwrap();

    assert_eq!(commit(1), Err(NotStored::Failed));
    assert!(health.is_poisoned());
    assert_eq!(commit(2), Err(NotStored::Failed), "no sooner than it may be tried again");
    std::fs::remove_file(&journal).unwrap();
    std::fs::rename(&aside, &journal).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let stored = loop {
        match commit(3) {
            Ok(revision) => break revision,
            Err(_) => assert!(Instant::now() < until, "it never came back"),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(stored, Revision(1));
    assert!(!health.is_poisoned());
    drop(store);
    assert_eq!(open(&place).restored.tasks, [task(3)]);
    assert_eq!(std::fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_hole_among_commits_that_were_synced_together_is_a_torn_end_and_nothing_behind_it_is_believed() {
    let place = Place::new("hole");
    commit(&place, limits(), tasks(2));
    let segment = segments(&place).pop().unwrap();
    let mut bytes = std::fs::read(&segment.path).unwrap();
    let mut mark = segment.head.after;
    segment.read(None, |frame| mark = frame.mark).unwrap();
    let mut ends = vec![bytes.len()];
    for (at, n) in (0..).zip(10..14) {
        let key = format!("task/{}", task(n).id);
        let value = record::encode(key.as_bytes(), &task(n));
        mark = frame::append(&mut bytes, mark, at, &[Op::Put { key, value }]);
        ends.push(bytes.len());
    }
    bytes[ends[1]..ends[2]].fill(0);
    std::fs::write(&segment.path, &bytes).unwrap();

    let opened = open(&place);

    assert_eq!(sorted(opened.restored.tasks.clone()), sorted(vec![task(0), task(1), task(10)]));
    assert!(opened.report.is_well(), "{:?}", opened.report);
    assert!(matches!(opened.report.damage[..], [Damage::Torn(..)]), "{:?}", opened.report);
    drop(opened);
    let report = open(&place).report.clone();
    assert!(report.damage.is_empty(), "it is cut off once and for all: {report:?}");
}

#[test]
fn a_segment_of_another_history_is_not_believed() {
    let (place, other) = (Place::new("fork"), Place::new("fork-other"));
    commit(&place, limits(), tasks(3));
    copy_files(&place.store(), &other.store());
    commit(&place, limits(), vec![vec![put_task(&task(3))], vec![put_task(&task(4))]]);
    commit(&other, limits(), vec![vec![put_task(&task(30))], vec![put_task(&task(40))], vec![put_task(&task(50))]]);
    commit(&other, limits(), vec![vec![put_task(&task(60))]]);
    commit(&place, limits(), vec![vec![put_task(&task(5))]]);
    // Sequence 6 is the last of ours; theirs goes on from 6 as well.
    let theirs = segments(&other).pop().unwrap().path;
    let forked = place.store().join("journal").join(theirs.file_name().unwrap());
    std::fs::copy(&theirs, &forked).unwrap();

    let opened = open(&place);

    assert_eq!(sorted(opened.restored.tasks.clone()), sorted((0..6).map(task).collect()));
    assert_eq!(opened.report.damage, [Damage::Forked(forked.clone())]);
    drop(opened);
    assert_eq!(commit(&place, limits(), vec![vec![put_task(&task(7))]]), [Ok(Revision(7))]);
    assert!(forked.with_extension("seg-damaged").exists() && open(&place).report.is_well());
}

#[test]
fn an_older_view_over_a_hole_in_the_journal_gives_way_to_the_checkpoint_behind_it() {
    let place = Place::new("gap");
    let few = Limits { checkpoint_commits: 10, ..limits() };
    commit(&place, few, tasks(5));
    let older = place.0.join("older");
    copy_files(&place.store().join("view"), &older);
    commit(&place, few, (5..12).map(|n| vec![put_task(&task(n))]).collect());
    commit(&place, few, vec![vec![put_task(&task(12))]]);
    std::fs::remove_dir_all(place.store().join("view")).unwrap();
    std::fs::rename(&older, place.store().join("view")).unwrap();
    let second = &segments(&place)[1];
    let mut bytes = std::fs::read(&second.path).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&second.path, bytes).unwrap();

    let opened = open(&place);

    assert_eq!(opened.restored.tasks.len(), 13);
    assert!(matches!(opened.report.view, ViewReport::Rebuilt { checkpoint: 1.., .. }), "{:?}", opened.report);
    assert!(!opened.report.is_well(), "the damage is told");
    drop(opened);
    let again = open(&place).report.clone();
    assert!(again.is_well(), "once: {again:?}");
}

#[test]
fn an_older_store_is_adopted_though_a_kill_had_stopped_its_files_on_their_way() {
    let place = Place::new("older-killed");
    let moving = place.store().join("view.moving");
    std::fs::create_dir_all(&moving).unwrap();
    let db = sled::Config::new().path(&moving).open().unwrap();
    let key = format!("task/{}", task(1).id);
    db.insert(&key, record::encode(key.as_bytes(), &task(1))).unwrap();
    db.flush().unwrap();
    drop(db);

    let opened = open(&place);

    assert_eq!((opened.restored.tasks.len(), &opened.report.view), (1, &ViewReport::Adopted));
    assert!(opened.report.is_well(), "{:?}", opened.report);
}

#[test]
fn a_rotten_end_is_told_though_the_view_has_to_be_made_anew() {
    let place = Place::new("rotten-end");
    commit(&place, limits(), tasks(5));
    rot_the_end(&place);
    std::fs::write(place.store().join("view").join("db"), vec![0xA5; 9_000]).unwrap();

    let report = open(&place).report.clone();

    assert!(report.lost_commits == 1 && !report.is_well(), "{report:?}");
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let place = Place::new("newer");
    commit(&place, limits(), tasks(2));
    let segment = segments(&place).pop().unwrap();
    let mut bytes = std::fs::read(&segment.path).unwrap();
    bytes[8] = 9;
    let sum = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&segment.path, &bytes).unwrap();

    let refused = Opened::open(&place.0, limits()).err().unwrap().to_string();

    assert!(refused.contains("newer version"), "{refused}");
    assert_eq!(std::fs::read(&segment.path).unwrap(), bytes);
}

#[test]
fn a_checkpoint_that_fails_leaves_nothing_behind_that_takes_the_last_room() {
    let place = Place::new("checkpoint-fails");
    std::fs::create_dir_all(&place.0).unwrap();
    let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
    let many = (0..1_000_u32).map(|n| Ok((format!("thing/{n:04}"), vec![7; 1_000])));

    let written = Checkpoint::write(&place.0, [7; 16], Mark { sequence: 7, sum: 7 }, many.chain([Err(full())]));

    assert_eq!(written.expect_err("the disk is full").kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(files(&place.0), Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_erasure_is_told_of_a_checkpoint_that_failed_though_a_commit_had_noticed_it_first() {
    use std::time::{Duration, Instant};
    let place = Place::new("purge-fails");
    let (folder, gone) = (place.0.join("journal"), place.0.join("gone"));
    [&folder, &gone].into_iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    let (mut journal, _) = Journal::open(&folder, [7; 16], u64::MAX).unwrap();
    let put = |n: u64| Op::Put { key: format!("thing/{n}"), value: record::encode(b"thing", &n) };
    (1..=3).for_each(|n| drop(journal.append(std::iter::once(&[put(n)][..])).unwrap()));
    // No file can be made where a folder is.
    let unfinished = folder.join("00000000000000000003.tmp");
    std::fs::create_dir(&unfinished).unwrap();

    assert!(!journal.purge(3, &gone).unwrap(), "it is begun");
    // Commits go on, and one of them takes its result.
    let until = Instant::now() + Duration::from_millis(300);
    (4..).take_while(|_| Instant::now() < until).for_each(|n| {
        journal.append(std::iter::once(&[put(n)][..])).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    });
    let told = journal.purge(3, &gone);

    assert!(told.is_err(), "{told:?}: none is begun again and again");
    std::fs::remove_dir(&unfinished).unwrap();
    drop(journal);
    let begun = files(&folder).into_iter().filter(|file| file.extension().is_none_or(|it| it != "seg")).count();
    assert_eq!(begun, 0, "{:?}", files(&folder));
}

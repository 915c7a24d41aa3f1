//! Stores of older versions become stores of today with all that was in them; one of a newer version is not touched
//! (durability.md P19).

use super::{Place, commit, copy_files, files, limits, open, put_task, segments, task};
use ringback::store::journal::frame::{self, Op};
use ringback::store::journal::segment::HEAD;
use ringback::store::record::{self, Damage};
use ringback::store::verify::Verified;
use ringback::store::{OpenError, Opened, ViewReport, schema};
use std::path::Path;

/// What sled had given its file when the fixtures were written.
const DB: u64 = 524_287;

fn fixture(name: &str) -> Place {
    let place = Place::new(&format!("fixture-{name}"));
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stores").join(name);
    copy_files(&kept, &place.store());
    for db in files(&place.store()).iter().filter(|file| file.file_name().is_some_and(|name| name == "db")) {
        std::fs::File::options().write(true).open(db).unwrap().set_len(DB).unwrap();
    }
    place
}

#[test]
fn a_store_of_every_older_version_opens_with_all_that_was_in_it() {
    for (name, entries, never) in [("before-journal", 1, 1), ("first-journal", 1, 1)] {
        let place = fixture(name);
        let before: Vec<_> = std::fs::read_dir(place.store()).unwrap().map(|it| it.unwrap().file_name()).collect();

        let opened = open(&place);

        let restored = &opened.restored;
        assert!(opened.report.is_well(), "{name}: {:?}", opened.report);
        let today = task(1);
        assert_eq!(
            restored.tasks.iter().map(|it| (it.id, &it.number)).collect::<Vec<_>>(),
            [(today.id, &today.number)]
        );
        assert_eq!(
            restored.attempts.iter().map(|it| (it.n, it.outcome.is_some())).collect::<Vec<_>>(),
            [(1, true), (2, false)]
        );
        assert_eq!(restored.bindings, [super::binding("sip:b@h")], "{name}");
        assert_eq!((restored.agents.len(), restored.recordings.len()), (1, 1), "{name}");
        assert_eq!((restored.entries.len(), restored.do_not_call.len()), (entries, never), "{name}");
        drop(opened);
        assert_eq!(commit(&place, limits(), vec![vec![put_task(&task(9))]])[0].unwrap().0, revision(name) + 1);
        assert_eq!(open(&place).restored.tasks.len(), 2, "{name}");
        assert!(Verified::of(&place.0).unwrap().is_well(), "{name}");
        if name == "before-journal" {
            let copy = place.store().join("before-journal");
            for file in before.iter().filter(|file| *file != "revision") {
                let kept = std::fs::read(copy.join(file)).unwrap();
                assert!(kept.starts_with(&untouched(name, file)), "{file:?} is kept as it was");
            }
        }
    }
}

fn untouched(name: &str, file: &std::ffi::OsStr) -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stores");
    std::fs::read(fixtures.join(name).join(file)).unwrap()
}

/// The last commit in the fixture.
fn revision(name: &str) -> u64 {
    let side = untouched(name, "revision".as_ref());
    u64::from_le_bytes(side[..8].try_into().unwrap())
}

#[test]
fn a_kill_while_an_older_store_is_copied_costs_nothing() {
    let place = fixture("before-journal");
    let half = place.store().join("before-journal.tmp");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("db"), b"half of it").unwrap();

    assert_eq!(open(&place).report.view, ViewReport::Adopted);

    let copied = std::fs::metadata(place.store().join("before-journal/db")).unwrap().len();
    assert_eq!((copied, half.exists()), (DB, false));
}

#[test]
fn a_store_of_a_newer_schema_is_refused_and_left_untouched() {
    let place = Place::new("newer-schema");
    commit(&place, limits(), vec![vec![put_task(&task(1))]]);
    std::fs::write(place.store().join(schema::FILE), schema::line(record::SCHEMA + 1)).unwrap();
    let look =
        || files(&place.store()).iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect::<Vec<_>>();
    let before = look();

    let refused = Opened::open(&place.0, limits()).err().unwrap();

    assert!(matches!(refused, OpenError::Newer(..)), "{refused}");
    assert!(refused.to_string().contains("written by a newer version of ringback: start that one"), "{refused}");
    assert!(before == look(), "nothing was touched");
}

#[test]
fn a_damaged_line_about_the_schema_keeps_nobody_out() {
    let place = Place::new("schema-line");
    commit(&place, limits(), vec![vec![put_task(&task(1))]]);
    let file = place.store().join(schema::FILE);
    let line = std::fs::read(&file).unwrap();

    for bit in 0..line.len() * 8 {
        let mut flipped = line.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&file, flipped).unwrap();
        assert!(schema::check(&place.store()).is_ok(), "bit {bit}");
    }
    assert_eq!(open(&place).restored.tasks.len(), 1);
    assert_eq!(std::fs::read(&file).unwrap(), line, "it is written anew");
}

/// Gives one record other octets, with a good checksum, wherever it lies.
fn rewrite(place: &Place, key: &str, with: impl Fn(&mut Vec<u8>)) {
    let segment = segments(place).pop().unwrap();
    let bytes = std::fs::read(&segment.path).unwrap();
    let (mut rewritten, mut mark) = (bytes[..HEAD as usize].to_vec(), segment.head.after);
    let read = segment.read(None, |mut frame| {
        for op in &mut frame.ops {
            if let Op::Put { key: its, value } = op
                && its == key
            {
                with(value);
                let sum = crc32c::crc32c_append(crc32c::crc32c(&value[..1]), &value[5..]);
                value[1..5].copy_from_slice(&sum.to_le_bytes());
            }
        }
        mark = frame::append(&mut rewritten, mark, frame.place, &frame.ops);
    });
    assert!(read.unwrap().torn.is_none());
    std::fs::write(&segment.path, rewritten).unwrap();
    std::fs::remove_dir_all(place.store().join("view")).unwrap();
}

#[test]
fn a_record_whose_body_is_damaged_is_set_aside_and_not_taken_for_a_newer_versions() {
    let place = Place::new("body");
    commit(&place, limits(), vec![vec![put_task(&task(1))], vec![put_task(&task(2))]]);
    let key = format!("task/{}", task(1).id);
    rewrite(&place, &key, |value| *value.last_mut().unwrap() = b'!');

    let opened = open(&place);
    let report = opened.report.clone();
    drop(opened);

    assert_eq!(report.quarantined.iter().map(|it| (&*it.key, it.damage)).collect::<Vec<_>>(), [(&*key, Damage::Body)]);
    assert!(std::fs::read_to_string(place.store().join("quarantine.jsonl")).unwrap().contains(&key));
    let again = open(&place);
    assert!(again.report.is_well() && again.restored.tasks == [task(2)], "{:?}", again.report);
}

#[test]
fn a_record_of_a_newer_schema_is_nothing_to_start_without() {
    let place = Place::new("newer-record");
    commit(&place, limits(), vec![vec![put_task(&task(1))], vec![put_task(&task(2))]]);
    rewrite(&place, &format!("task/{}", task(1).id), |value| value[0] = record::SCHEMA + 1);
    let journal = segments(&place).pop().unwrap().path;
    let before = std::fs::read(&journal).unwrap();

    let refused = Opened::open(&place.0, limits()).err().unwrap();

    assert!(matches!(refused, OpenError::Newer(..)), "{refused}");
    assert_eq!(std::fs::read(&journal).unwrap(), before);
    assert!(!place.store().join("quarantine.jsonl").exists());
}

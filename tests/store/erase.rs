//! A person is found by his number and erased for good: no file has him any more, whenever the process dies meanwhile,
//! and no older backup brings him back. Everybody else stays.

use super::{
    Place, anna, attempt, binding, commit, entry, files, limits, open, put_attempt, put_task, recording, spoil, task,
};
use ringback::callback::task::{Outcome, Task};
use ringback::id::{AuditId, CallRef, CommitRef, RecordingId};
use ringback::number::Party;
use ringback::number::trace::Trace;
use ringback::store::archive::{self, Key};
use ringback::store::erase;
use ringback::store::erased::{self, List};
use ringback::store::journal::Journal;
use ringback::store::journal::frame::Op;
use ringback::store::person::{Dossier, Fate};
use ringback::store::verify::{Verified, ViewSeen};
use ringback::store::{Limits, Store, ViewReport, record};
use ringback::switch::{AuditRecord, Change, DoNotCall, QueueEntry, RecordingRecord};
use std::path::Path;
use std::sync::mpsc;

const HIS: &str = "+12025550199";
/// How it was typed.
const TYPED: &str = "(202) 555-0199";

fn his_trace() -> Trace {
    Trace::of(&Party::Number(HIS.into()), Some("US"))
}

fn his(n: u64) -> Task {
    Task { number: Party::Number(HIS.into()), number_raw: TYPED.into(), ..task(n) }
}

fn audit(n: u64, object: &str) -> Change {
    let entry = AuditRecord {
        id: AuditId(ringback::entropy::Entropy::from_seed(n).ulid(task(1).created_at)),
        at: task(1).created_at,
        who: "admin".into(),
        from: None,
        what: "never call".into(),
        object: Some(object.into()),
        detail: Some(format!("wrote to us from {TYPED}")),
    };
    Change::PutAudit(Box::new(entry))
}

/// His records and others', over several lives, with checkpoints; the view was once made anew, and a copy of it kept.
fn filled(name: &str) -> Place {
    let place = Place::new(name);
    let few = Limits { checkpoint_commits: 5, ..limits() };
    let number = || Party::Number(HIS.into());
    let elsewhere = Task { ani: Some("2025550199".into()), ..task(80) };
    let tape = RecordingRecord {
        id: RecordingId(task(70).id.0),
        number: "+12025550123".into(),
        task: Some(his(1).id),
        ..recording()
    };
    let left = QueueEntry { number: number(), ani: HIS.into(), call: CallRef(task(60).id.0), ..entry(1) };
    let said = DoNotCall {
        number: number(),
        at: task(1).created_at,
        task: Some(his(1).id),
        who: None,
        note: Some("angry".into()),
    };
    let theirs = [
        vec![put_task(&his(1)), put_attempt(&attempt(&his(1), 1, Some(Outcome::Busy)))],
        vec![put_task(&elsewhere), put_attempt(&attempt(&elsewhere, 1, Some(Outcome::NoAnswer)))],
        vec![Change::PutRecording(Box::new(tape)), Change::PutEntry(Box::new(left))],
        vec![Change::PutDoNotCall(said), audit(1, &format!("do_not_call/{HIS}"))],
    ];
    for (n, his) in (0..).zip(theirs) {
        let others = (n * 10 + 100..n * 10 + 110).map(|n| vec![put_task(&task(n))]);
        commit(&place, few, std::iter::once(his).chain(others).collect());
    }
    commit(
        &place,
        few,
        vec![vec![Change::PutBinding(binding("sip:a@h")), Change::PutAgent(anna())], vec![audit(2, "queue/x")]],
    );
    std::fs::write(place.store().join("view/db"), vec![0xA5; 9_000]).unwrap();
    drop(open(&place));
    std::fs::write(place.store().join("quarantine.jsonl"), format!("{{\"key\":\"active/{HIS}\"}}\n")).unwrap();
    let aside = place.0.join("store.before-restore-1");
    std::fs::create_dir_all(&aside).unwrap();
    std::fs::write(aside.join("00000000000000000001.seg"), HIS).unwrap();
    place
}

/// Files that have the octets of his number in any form it was stored in.
fn who_knows_him(folder: &Path) -> Vec<std::path::PathBuf> {
    let forms: [&[u8]; 3] = [b"2025550199", TYPED.as_bytes(), b"angry"];
    let knows = |octets: &[u8]| forms.iter().any(|form| octets.windows(form.len()).any(|window| window == *form));
    files(folder).into_iter().filter(|file| knows(&std::fs::read(file).unwrap())).collect()
}

fn run(place: &Place) -> (Store, mpsc::Receiver<Result<ringback::switch::Revision, ringback::switch::NotStored>>) {
    let (answers, answered) = mpsc::channel();
    (open(place).start(move |_, result| answers.send(result).unwrap()), answered)
}

#[test]
fn whoever_is_erased_is_in_no_file_any_more_and_everybody_else_is() {
    let place = filled("erase");
    assert!(who_knows_him(&place.0).len() > 4, "{:?}", who_knows_him(&place.0));
    let (store, answered) = run(&place);
    let (trace, snapshots) = (his_trace(), store.snapshots());

    let dossier = Dossier::of(&place.store(), &snapshots, &trace, false).unwrap();
    let of = |kind: &str, fate| dossier.records.iter().filter(|it| it.key.starts_with(kind) && it.fate == fate).count();
    assert_eq!((of("task/", Fate::Erased), of("attempt/", Fate::Erased)), (2, 2));
    assert_eq!((of("recording/", Fate::Erased), of("entry/", Fate::Erased), of("do_not", Fate::Erased)), (1, 1, 1));
    assert_eq!((of("audit/", Fate::Stripped), dossier.records.len()), (2, 9), "{:?}", dossier.records);
    assert_eq!((dossier.tasks().len(), dossier.recordings().len()), (2, 1));

    std::thread::scope(|scope| {
        let erasing = scope.spawn(|| erase::erase(&place.0, &snapshots, dossier.erasure(&trace)));
        // Others go on meanwhile.
        for n in 0..60 {
            store.commit(CommitRef(n), vec![put_task(&task(300 + n))]).unwrap();
            answered.recv().unwrap().unwrap();
        }
        erasing.join().unwrap().unwrap();
    });

    assert_eq!(who_knows_him(&place.0), Vec::<std::path::PathBuf>::new());
    assert!(Dossier::of(&place.store(), &snapshots, &trace, false).unwrap().records.is_empty());
    store.commit(CommitRef(1), vec![put_task(&task(200))]).unwrap();
    answered.recv().unwrap().unwrap();
    drop((store, snapshots));
    let verified = Verified::of(&place.0).unwrap();
    assert!(verified.is_well() && verified.view == ViewSeen::Good(verified.last), "{verified:?}");
    let opened = open(&place);
    assert!(opened.report.is_well(), "{:?}", opened.report);
    assert_eq!(opened.report.view, ViewReport::Followed(0), "its view was made at once");
    assert_eq!((opened.restored.tasks.len(), opened.restored.agents.len()), (101, 1));
    let told: Vec<_> = opened.restored.audit.iter().map(|it| (it.object.as_deref(), it.detail.as_deref())).collect();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&(Some("do_not_call/(erased)"), Some("wrote to us from (erased)"))), "{told:?}");
    assert!(told.contains(&(Some("queue/x"), Some("wrote to us from (erased)"))), "{told:?}");
    drop(opened);
    assert_eq!(who_knows_him(&place.0), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_number_that_is_never_to_be_called_stays_on_the_list_unless_it_is_to_go_too() {
    let place = filled("erase-spare");
    let (store, _answered) = run(&place);
    let (trace, snapshots) = (his_trace(), store.snapshots());

    let dossier = Dossier::of(&place.store(), &snapshots, &trace, true).unwrap();
    erase::erase(&place.0, &snapshots, dossier.erasure(&trace)).unwrap();
    drop((store, snapshots));

    let restored = open(&place).restored;
    let [said] = &restored.do_not_call[..] else { panic!("{:?}", restored.do_not_call) };
    assert_eq!((said.number.as_str(), said.task, said.note.as_deref()), (HIS, None, None));
    assert!(restored.tasks.iter().all(|task| task.number.as_str() != HIS));
}

#[test]
fn an_erasure_that_a_kill_has_cut_off_is_finished_by_the_next_start_or_had_not_begun() {
    for (name, has_written) in [("erase-killed-before", false), ("erase-killed-after", true)] {
        let place = filled(name);
        let (store, _answered) = run(&place);
        let (trace, snapshots) = (his_trace(), store.snapshots());
        let dossier = Dossier::of(&place.store(), &snapshots, &trace, false).unwrap();
        std::fs::write(place.store().join(erase::MARK), b"").unwrap();
        if has_written {
            snapshots.erase(dossier.erasure(&trace).ops).unwrap();
        }
        drop((store, snapshots));
        assert!(!who_knows_him(&place.0).is_empty());

        let opened = open(&place);

        assert!(opened.report.is_well(), "{name}: {:?}", opened.report);
        assert_eq!(opened.restored.tasks.len(), if has_written { 40 } else { 42 }, "{name}");
        assert!(!place.store().join(erase::MARK).exists(), "{name}: it is done");
        assert_eq!(who_knows_him(&place.0).is_empty(), has_written, "{name}");
        drop(opened);
        assert_eq!(open(&place).report.view, ViewReport::Followed(0), "{name}: its view was made anew");
        assert!(Verified::of(&place.0).unwrap().is_well(), "{name}");
    }
}

#[test]
fn a_backup_from_before_brings_nobody_back_who_was_erased_since() {
    let place = filled("erase-backup");
    let key = Key::read_or_make(&place.0.join("backup.key")).unwrap();
    let mut backup = Vec::new();
    archive::back_up_at_rest(&place.0, &key, &mut backup).unwrap().received().unwrap();
    let (store, _answered) = run(&place);
    let (trace, snapshots) = (his_trace(), store.snapshots());
    let dossier = Dossier::of(&place.store(), &snapshots, &trace, false).unwrap();
    erase::erase(&place.0, &snapshots, dossier.erasure(&trace)).unwrap();
    drop((store, snapshots));
    let list = std::fs::read_to_string(place.0.join(erased::LIST)).unwrap();
    assert!(List::of(&place.0).unwrap().has(&format!("task/{}", his(1).id)));
    assert!(
        !list.contains(&his(1).id.to_string()) && !list.contains("5550199"),
        "it tells nobody who that was: {list}"
    );
    // Written as a whole: half of it is nothing.
    std::fs::write(place.0.join("erased.tmp"), b"half").unwrap();

    let (manifest, aside) = archive::restore(backup.as_slice(), &key, &place.0, true).unwrap();

    std::fs::remove_dir_all(aside.unwrap()).unwrap();
    assert_eq!(manifest.records, 40 + 2 + 2, "others' tasks, a phone, an agent, and what was done");
    let opened = open(&place);
    assert!(opened.report.is_well(), "{:?}", opened.report);
    assert_eq!(opened.restored.tasks.len(), 40);
    assert!(opened.restored.tasks.iter().all(|task| task.number.as_str() != HIS));
    assert!(opened.restored.audit.iter().all(|it| it.detail.as_deref() == Some("(erased)") && it.what == "never call"));
    drop(opened);
    assert_eq!(who_knows_him(&place.0), Vec::<std::path::PathBuf>::new(), "in no note, and on no list");
    let elsewhere = Place::new("erase-backup-elsewhere");
    archive::restore(backup.as_slice(), &key, &elsewhere.0, false).unwrap();
    assert_eq!(open(&elsewhere).restored.tasks.len(), 42, "without the list nobody can know");
}

#[test]
fn the_writer_only_moves_what_goes_and_somebody_else_throws_it_away() {
    let place = filled("erase-moves");
    let (store, answered) = run(&place);
    let (trace, snapshots) = (his_trace(), store.snapshots());
    let dossier = Dossier::of(&place.store(), &snapshots, &trace, false).unwrap();
    let gone = place.store().join(erase::GONE);
    std::fs::create_dir(&gone).unwrap();
    let before = files(&place.store().join("journal")).len();

    let after = snapshots.erase(dossier.erasure(&trace).ops).unwrap();
    while !snapshots.purge(after).unwrap() {}

    assert!(before > 5 && files(&gone).len() >= before, "{before} files were there, {:?}", files(&gone));
    assert!(!who_knows_him(&gone).is_empty(), "the writer has deleted nothing");
    assert!(who_knows_him(&place.store().join("journal")).is_empty());
    store.commit(CommitRef(1), vec![put_task(&task(200))]).unwrap();
    answered.recv().unwrap().unwrap();
    drop((store, snapshots));
    let opened = open(&place);
    assert!(opened.report.is_well() && !gone.exists(), "{:?}", opened.report);
    assert_eq!(opened.restored.tasks.len(), 41);
}

#[test]
fn an_erasure_that_cannot_be_finished_is_told_and_keeps_no_store_from_opening() {
    for (name, in_the_way) in [("erase-no-sweep", "store.before-restore-2"), ("erase-no-purge", "store/gone")] {
        let place = filled(name);
        let (store, _answered) = run(&place);
        let (trace, snapshots) = (his_trace(), store.snapshots());
        let dossier = Dossier::of(&place.store(), &snapshots, &trace, false).unwrap();
        std::fs::write(place.store().join(erase::MARK), b"").unwrap();
        snapshots.erase(dossier.erasure(&trace).ops).unwrap();
        drop((store, snapshots));
        // No folder: it cannot be cleared as one.
        std::fs::write(place.0.join(in_the_way), b"").unwrap();

        for _ in 0..2 {
            let opened = open(&place);
            assert!(opened.report.is_well(), "{name}: {:?}", opened.report);
            assert!(opened.report.unerased.is_some(), "{name}: it is told");
            assert_eq!(opened.restored.tasks.len(), 40, "{name}");
            assert!(place.store().join(erase::MARK).exists(), "{name}: the next start tries again");
            drop(opened);
        }
        std::fs::remove_file(place.0.join(in_the_way)).unwrap();
        let opened = open(&place);

        assert_eq!((opened.report.unerased.as_deref(), opened.restored.tasks.len()), (None, 40), "{name}");
        assert!(!place.store().join(erase::MARK).exists(), "{name}: it is done");
        assert_eq!(who_knows_him(&place.0), Vec::<std::path::PathBuf>::new(), "{name}");
        drop(opened);
        assert!(Verified::of(&place.0).unwrap().is_well(), "{name}");
    }
}

#[test]
fn calls_of_a_backup_bring_nobody_back_who_was_erased_since() {
    let place = Place::new("erase-calls");
    let said = DoNotCall {
        number: Party::Number("+12025550177".into()),
        at: task(1).created_at,
        task: Some(his(1).id),
        who: Some("admin".into()),
        note: Some("the wife".into()),
    };
    // He waits, and has been promised nothing yet; somebody else talks.
    let waits = QueueEntry { number: Party::Number(HIS.into()), ani: HIS.into(), ..entry(1) };
    let calls = vec![Change::PutEntry(Box::new(waits)), Change::PutPulse(task(1).created_at)];
    commit(&place, limits(), vec![vec![put_task(&task(5)), Change::PutDoNotCall(said)], calls]);
    let talk = format!("talk/{}", entry(2).call);
    let talks = Op::Put { value: record::encode(talk.as_bytes(), &HIS), key: talk };
    let (mut journal, _) = Journal::open(&place.store().join("journal"), [7; 16], u64::MAX).unwrap();
    journal.replay(0, |_| {}).unwrap();
    journal.append(std::iter::once(&[talks][..])).unwrap();
    drop(journal);
    let key = Key::read_or_make(&place.0.join("backup.key")).unwrap();
    let mut backup = Vec::new();
    let held = archive::back_up_at_rest(&place.0, &key, &mut backup).unwrap().received().unwrap();
    assert_eq!(held.records, 5);
    // Then he is promised a callback, and erased with it.
    let (store, answered) = run(&place);
    store.commit(CommitRef(1), vec![Change::RemoveEntry(entry(1).call), put_task(&his(1))]).unwrap();
    answered.recv().unwrap().unwrap();
    let (trace, snapshots) = (his_trace(), store.snapshots());
    let dossier = Dossier::of(&place.store(), &snapshots, &trace, false).unwrap();
    erase::erase(&place.0, &snapshots, dossier.erasure(&trace)).unwrap();
    drop((store, snapshots));

    let (manifest, aside) = archive::restore(backup.as_slice(), &key, &place.0, true).unwrap();

    std::fs::remove_dir_all(aside.unwrap()).unwrap();
    assert_eq!(manifest.records, 2, "calls of that day are over");
    let opened = open(&place);
    assert!(opened.report.is_well(), "{:?}", opened.report);
    assert_eq!((opened.restored.entries.len(), opened.restored.pulse), (0, None));
    let [said] = &opened.restored.do_not_call[..] else { panic!("{:?}", opened.restored.do_not_call) };
    assert_eq!((said.task, said.who.as_deref(), said.note.as_deref()), (None, None, None), "it told of him");
    drop(opened);
    assert_eq!(who_knows_him(&place.0), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_record_that_is_set_aside_while_an_erasure_is_finished_lies_where_it_is_told_to_lie() {
    let place = Place::new("erase-aside");
    commit(&place, limits(), vec![vec![put_task(&task(1)), put_task(&task(2))]]);
    let key = format!("task/{}", task(1).id);
    spoil(&place, &key);
    std::fs::write(place.store().join(erase::MARK), b"").unwrap();

    let report = open(&place).report;

    assert_eq!((report.quarantined.len(), report.unerased), (1, None));
    let aside = std::fs::read_to_string(place.store().join("quarantine.jsonl")).unwrap();
    assert!(aside.contains(&key), "{aside}");
    assert!(!place.store().join(erase::MARK).exists());
}

#[test]
fn a_restore_does_not_forget_that_an_erasure_is_unfinished() {
    let place = filled("erase-restore");
    let key = Key::read_or_make(&place.0.join("backup.key")).unwrap();
    let mut backup = Vec::new();
    archive::back_up_at_rest(&place.0, &key, &mut backup).unwrap().received().unwrap();
    std::fs::write(place.store().join(erase::MARK), b"").unwrap();

    let (_, aside) = archive::restore(backup.as_slice(), &key, &place.0, true).unwrap();

    assert!(place.store().join(erase::MARK).exists());
    let opened = open(&place);
    assert_eq!((opened.report.unerased, opened.restored.tasks.len()), (None, 42));
    assert!(!aside.unwrap().exists(), "what was there before the erasure is gone");
    assert!(!place.store().join(erase::MARK).exists());
}

//! The store on a real disk: what was acknowledged comes back, what is damaged is noticed, what a kill leaves is
//! cleared.

#![cfg(feature = "shell")]

mod archive;
mod clock;
mod erase;
mod journal;
mod model;
mod older;

use chrono::{TimeZone, Utc};
use ringback::agent::places::Places;
use ringback::callback::task::{Attempt, AttemptKind, CloseReason, Outcome, Source, Task, TaskState};
use ringback::entropy::Entropy;
use ringback::id::{AttemptId, CommitRef, RecordingId, TaskId};
use ringback::number::Party;
use ringback::registrar::Binding;
use ringback::sip::flow::{Flow, Transport};
use ringback::store::journal::Journal;
use ringback::store::journal::frame::{self, Op};
use ringback::store::journal::segment::{HEAD, Segment};
use ringback::store::record::Damage;
use ringback::store::{Limits, OpenError, Opened, ViewReport};
use ringback::switch::{AgentRecord, Change, DoNotCall, NotStored, QueueEntry, RecordingRecord, Revision};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// A directory of its own for each test, gone afterwards.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("ringback-store-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Place(path)
    }

    fn store(&self) -> PathBuf {
        self.0.join("store")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn limits() -> Limits {
    Limits { lock_wait: Duration::from_millis(200), reserve_bytes: 0, reserve_percent: 0, ..Limits::default() }
}

fn open(place: &Place) -> Opened {
    Opened::open(&place.0, limits()).unwrap()
}

/// Commits one after the other, and what each was answered.
fn commit(place: &Place, limits: Limits, commits: Vec<Vec<Change>>) -> Vec<Result<Revision, NotStored>> {
    let (answers, answered) = mpsc::channel();
    let opened = Opened::open(&place.0, limits).unwrap();
    let store = opened.start(move |reference, result| answers.send((reference, result)).unwrap());
    let count = commits.len() as u64;
    for (n, changes) in (0..).zip(commits) {
        store.commit(CommitRef(n), changes).unwrap();
    }
    let results = (0..count).map(|n| {
        let (reference, result) = answered.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(reference, CommitRef(n), "answers come in order");
        result
    });
    results.collect()
}

fn task(n: u64) -> Task {
    let now = Utc.with_ymd_and_hms(2026, 11, 20, 9, 0, 0).unwrap();
    let number = Party::Number("+12025550123".into());
    let id = TaskId(Entropy::from_seed(n).ulid(now));
    Task {
        rule: Some("support-key".into()),
        number_raw: "2025550123".into(),
        data: Some(Box::new(serde_json::json!({ "order": 7 }))),
        ..Task::new(id, Source::QueueRequest, "standard".into(), "support".into(), number, now)
    }
}

fn attempt(task: &Task, n: u32, outcome: Option<Outcome>) -> Attempt {
    Attempt {
        id: AttemptId(task.id.0),
        task: task.id,
        n,
        kind: AttemptKind::Agent,
        number: task.number.clone(),
        loaded_at: task.created_at,
        ring_timeout_secs: 30,
        agent_legs: Vec::new(),
        customer_leg: None,
        customer_phones: Vec::new(),
        outcome,
        ended_at: None,
        talk_secs: 0,
        kept_at: None,
        recording: None,
    }
}

fn binding(contact: &str) -> Binding {
    Binding {
        extension: "1001".into(),
        contact: contact.into(),
        flow: Flow {
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.9:5071".parse().unwrap(),
        },
        call_id: "a84b4c76e66710".into(),
        cseq: 2,
        q: 1_000,
        instance: None,
        user_agent: None,
        expires_at: Utc.with_ymd_and_hms(2026, 11, 20, 10, 0, 0).unwrap(),
    }
}

fn put_task(task: &Task) -> Change {
    Change::PutTask(Box::new(task.clone()))
}

fn put_attempt(attempt: &Attempt) -> Change {
    Change::PutAttempt(Box::new(attempt.clone()))
}

fn anna() -> AgentRecord {
    let mut places = Places::default();
    places.seen([198, 51, 100, 7].into());
    places.seen([203, 0, 113, 66].into());
    AgentRecord {
        agent: "anna".into(),
        logged_in: true,
        paused: Some("lunch".into()),
        not_in: vec!["sales".into()],
        not_ready_in: Vec::new(),
        places,
    }
}

fn recording() -> RecordingRecord {
    let task = task(1);
    RecordingRecord {
        id: RecordingId(task.id.0),
        call: ringback::id::CallRef(task.id.0),
        task: Some(task.id),
        agent: Some("anna".into()),
        number: "+12025550123".into(),
        started_at: task.created_at,
        ended_at: None,
        samples: 0,
        notice_played: true,
        consent: Default::default(),
        pauses: Vec::new(),
        retain_until: None,
        legal_hold: false,
        deleted_at: None,
        stopped: None,
        path: None,
        bytes: 0,
    }
}

fn entry(n: u64) -> QueueEntry {
    let task = task(1);
    QueueEntry {
        call: ringback::id::CallRef(Entropy::from_seed(n).ulid(task.created_at)),
        number: task.number.clone(),
        ani: "+12025550123".into(),
        dnis: "+12025550100".into(),
        in_trunk: "carrier".into(),
        queue: "support".into(),
        arrived_at: task.created_at,
        virtual_start: task.created_at,
        priority: 5,
        ringing: Vec::new(),
        caller: None,
    }
}

#[test]
fn everything_that_was_acknowledged_comes_back() {
    let place = Place::new("round-trip");
    let task = task(1);
    let (first, second) = (attempt(&task, 1, Some(Outcome::Busy)), attempt(&task, 2, None));
    let agent = anna();
    let recording = recording();
    let (waits, has_left, number, at) = (entry(7), entry(8), task.number.clone(), task.created_at);
    let never = DoNotCall { number, at, task: Some(task.id), who: None, note: None };

    let answers = commit(
        &place,
        limits(),
        vec![
            vec![put_task(&task), put_attempt(&first), put_attempt(&second)],
            vec![Change::PutBinding(binding("sip:a@h")), Change::PutBinding(binding("sip:b@h"))],
            vec![Change::RemoveBinding { extension: "1001".into(), contact: "sip:a@h".into() }],
            vec![Change::PutAgent(agent.clone()), Change::PutRecording(Box::new(recording.clone()))],
            vec![Change::PutEntry(Box::new(waits.clone())), Change::PutEntry(Box::new(has_left.clone()))],
            vec![Change::RemoveEntry(has_left.call)],
            vec![Change::PutDoNotCall(never.clone())],
        ],
    );
    let opened = open(&place);

    assert_eq!(answers, (1..=7).map(|n| Ok(Revision(n))).collect::<Vec<_>>());
    assert_eq!(opened.restored.do_not_call, [never]);
    assert_eq!(opened.restored.tasks, [task]);
    assert_eq!(opened.restored.attempts, [first, second]);
    assert_eq!(opened.restored.bindings, [binding("sip:b@h")]);
    assert_eq!(opened.restored.agents, [agent]);
    assert_eq!(opened.restored.recordings, [recording]);
    assert_eq!(opened.restored.entries, [waits]);
    assert_eq!((opened.report.quarantined.len(), opened.report.lost_commits), (0, 0));
}

#[test]
fn a_number_has_one_live_attempt_on_disk_and_the_commit_that_breaks_this_leaves_nothing_behind() {
    let place = Place::new("one-live");
    let (ours, theirs) = (task(1), task(2));
    let open_ours = attempt(&ours, 1, None);
    let closed_ours = attempt(&ours, 1, Some(Outcome::NoAnswer));
    let open_theirs = attempt(&theirs, 1, None);

    let answers = commit(
        &place,
        limits(),
        vec![
            vec![put_task(&ours), put_attempt(&open_ours)],
            vec![put_task(&theirs), put_attempt(&open_theirs)],
            vec![put_attempt(&closed_ours)],
            vec![put_task(&theirs), put_attempt(&open_theirs)],
        ],
    );

    assert_eq!(answers, [Ok(Revision(1)), Err(NotStored::Failed), Ok(Revision(2)), Ok(Revision(3))]);
}

#[test]
fn only_new_tasks_are_refused_on_a_full_disk() {
    let place = Place::new("reserve");
    let known = task(1);
    commit(&place, limits(), vec![vec![put_task(&known)]]);
    let full = Limits { reserve_bytes: u64::MAX, ..limits() };
    let closed = Task { state: TaskState::Cancelled, close_reason: Some(CloseReason::ByCaller), ..known.clone() };

    let answers = commit(
        &place,
        full,
        vec![vec![put_task(&task(2))], vec![put_task(&closed)], vec![put_attempt(&attempt(&known, 1, None))]],
    );

    assert_eq!(answers, [Err(NotStored::Reserve), Ok(Revision(2)), Ok(Revision(3))]);
    assert_eq!(open(&place).restored.tasks, [closed]);
}

#[test]
fn a_second_holder_is_refused_with_the_pid_of_the_first() {
    let place = Place::new("lock");
    let first = open(&place);

    let second = Opened::open(&place.0, limits()).err().expect("the directory is held");
    drop(first);

    assert!(matches!(second, OpenError::Locked(_, Some(pid)) if pid == std::process::id()), "{second}");
    open(&place);
}

#[test]
fn what_a_kill_leaves_of_snapshot_and_configuration_is_cleared_away() {
    let place = Place::new("leftovers");
    let view = place.store().join("view");
    std::fs::create_dir_all(&view).unwrap();
    std::fs::write(view.join("conf"), b"").unwrap();
    commit(&place, limits(), vec![vec![put_task(&task(1))]]);
    std::fs::write(view.join("snap.00000000000000FF.generating"), b"half a snapshot").unwrap();

    let opened = open(&place);

    assert_eq!(opened.restored.tasks, [task(1)]);
    assert_eq!(opened.report.view, ViewReport::Followed(0));
    assert!(!view.join("snap.00000000000000FF.generating").exists());
}

#[test]
fn a_record_that_cannot_be_believed_is_set_aside_and_the_others_come_back() {
    let place = Place::new("garbage");
    commit(&place, limits(), vec![vec![put_task(&task(1)), put_task(&task(2))]]);
    let key = format!("task/{}", task(1).id);
    spoil(&place, &key);

    let opened = open(&place);
    let report = opened.report.clone();
    let restored = opened.restored.tasks.clone();
    drop(opened);
    let again = open(&place);

    assert_eq!(restored, [task(2)]);
    assert_eq!(report.quarantined.len(), 1);
    assert_eq!((report.quarantined[0].key.as_str(), report.quarantined[0].damage), (key.as_str(), Damage::Checksum));
    let aside = std::fs::read_to_string(place.store().join("quarantine.jsonl")).unwrap();
    assert!(aside.contains(&key) && aside.lines().count() == 1, "{aside}");
    assert!(again.report.quarantined.is_empty(), "it is reported once");
}

#[test]
fn a_damaged_checkpoint_is_kept_though_a_new_one_takes_its_name() {
    let place = Place::new("same-name");
    std::fs::create_dir_all(&place.0).unwrap();
    let (mut journal, _) = Journal::open(&place.0, [7; 16], 10).unwrap();
    let path = journal.checkpoint(std::iter::empty()).unwrap().path;
    let mut damaged = std::fs::read(&path).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &damaged).unwrap();

    journal.heal(std::iter::empty(), &[ringback::store::journal::Damage::Checkpoint(path.clone())]).unwrap();

    assert_eq!(std::fs::read(path.with_extension("ckp-damaged")).unwrap(), damaged);
    assert!(journal.checkpoints().count() == 1 && journal.checkpoints().next().unwrap().verify().is_ok());
}

#[test]
fn a_number_whose_attempt_cannot_be_read_any_more_may_be_called_again() {
    let place = Place::new("stale-mark");
    let (ours, theirs) = (task(1), task(2));
    let open_ours = attempt(&ours, 1, None);
    commit(&place, limits(), vec![vec![put_task(&ours), put_attempt(&open_ours)]]);
    spoil(&place, &format!("attempt/{}/{:010}", ours.id, 1));

    let next = attempt(&theirs, 1, None);
    let answers = commit(&place, limits(), vec![vec![put_task(&theirs), put_attempt(&next)]]);

    // The second commit was the opening's own: it took out the rotten record and the mark.
    assert_eq!(answers, [Ok(Revision(3))]);
    assert_eq!(open(&place).restored.attempts, [next]);
}

#[test]
fn an_open_attempt_without_its_task_is_handed_back_and_keeps_its_number_until_it_has_ended() {
    let place = Place::new("orphan");
    let (ours, theirs) = (task(1), task(2));
    let open_ours = attempt(&ours, 1, None);
    commit(&place, limits(), vec![vec![put_task(&ours), put_attempt(&open_ours)]]);
    spoil(&place, &format!("task/{}", ours.id));

    let restored = open(&place).restored;
    let next = attempt(&theirs, 1, None);
    let ended = Attempt { outcome: Some(Outcome::SystemRestart), ..open_ours.clone() };
    let begins = || vec![put_task(&theirs), put_attempt(&next)];
    let answers = commit(&place, limits(), vec![begins(), vec![put_attempt(&ended)], begins()]);

    assert_eq!((restored.tasks, restored.attempts), (vec![], vec![open_ours]));
    assert_eq!(answers, [Err(NotStored::Failed), Ok(Revision(3)), Ok(Revision(4))]);
}

#[test]
fn a_refused_attempt_does_not_hold_back_the_endings_told_with_it() {
    let place = Place::new("endings");
    let (ours, theirs, other) = (task(1), task(2), Task { number: Party::Number("+12025550199".into()), ..task(3) });
    let ended_other = attempt(&other, 1, Some(Outcome::Busy));
    let ended_ours = attempt(&ours, 1, Some(Outcome::Busy));
    let begins = put_attempt(&attempt(&theirs, 1, None));

    let answers = commit(
        &place,
        limits(),
        vec![
            vec![put_task(&ours), put_attempt(&attempt(&ours, 1, None))],
            vec![put_task(&other), put_attempt(&attempt(&other, 1, None))],
            vec![begins.clone(), put_attempt(&ended_other)],
            vec![put_attempt(&attempt(&other, 2, None))],
            vec![begins, put_attempt(&ended_ours), put_task(&theirs)],
        ],
    );

    let failed = Err(NotStored::Failed);
    assert_eq!(answers, [Ok(Revision(1)), Ok(Revision(2)), failed, Ok(Revision(4)), Ok(Revision(5))]);
}

#[test]
fn the_end_of_an_attempt_that_is_kept_from_a_refused_commit_keeps_its_callback_too() {
    let place = Place::new("endings-tasks");
    let (ours, theirs, other) = (task(1), task(2), Task { number: Party::Number("+12025550199".into()), ..task(3) });
    let over = Task { state: TaskState::Completed, ..other.clone() };
    let ended_other = attempt(&other, 1, Some(Outcome::Success));
    let refused =
        vec![put_attempt(&ended_other), put_task(&over), put_task(&theirs), put_attempt(&attempt(&theirs, 1, None))];

    let answers = commit(
        &place,
        limits(),
        vec![
            vec![put_task(&ours), put_attempt(&attempt(&ours, 1, None))],
            vec![put_task(&other), put_attempt(&attempt(&other, 1, None))],
            refused,
        ],
    );

    assert_eq!(answers[2], Err(NotStored::Failed));
    let restored = open(&place).restored;
    assert!(restored.attempts.contains(&ended_other));
    assert_eq!(restored.tasks, [ours, over]);
}

/// Makes one record rotten where it was written first, so that neither the journal nor the view knows it as it was.
fn spoil(place: &Place, key: &str) {
    let segment = segments(place).pop().unwrap();
    let bytes = std::fs::read(&segment.path).unwrap();
    let (mut rewritten, mut mark) = (bytes[..HEAD as usize].to_vec(), segment.head.after);
    let found = segment.read(None, |mut frame| {
        for op in &mut frame.ops {
            if let Op::Put { key: its, value } = op
                && its == key
            {
                *value.last_mut().unwrap() ^= 1;
            }
        }
        mark = frame::append(&mut rewritten, mark, frame.place, &frame.ops);
    });
    assert!(found.unwrap().torn.is_none());
    std::fs::write(&segment.path, rewritten).unwrap();
    std::fs::remove_dir_all(place.store().join("view")).unwrap();
}

/// The segments of a journal, oldest first.
fn segments(place: &Place) -> Vec<Segment> {
    let files = std::fs::read_dir(place.store().join("journal")).unwrap().map(|it| it.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|it| it == "seg")).collect();
    files.sort();
    files.into_iter().map(|path| Segment::at(path).unwrap().unwrap()).collect()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        if entry.is_dir() { all.extend(files(&entry)) } else { all.push(entry) }
    }
    all.sort();
    all
}

#[test]
fn commits_that_the_disk_has_lost_again_are_noticed() {
    let place = Place::new("rollback");
    commit(&place, limits(), vec![vec![put_task(&task(1))]]);
    let copy = place.0.join("copy");
    copy_files(&place.store(), &copy);
    commit(&place, limits(), vec![vec![put_task(&task(2))], vec![put_task(&task(3))]]);
    let side = std::fs::read(place.store().join("revision")).unwrap();
    std::fs::remove_dir_all(place.store()).unwrap();
    std::fs::rename(&copy, place.store()).unwrap();
    std::fs::write(place.store().join("revision"), side).unwrap();

    assert_eq!(open(&place).report.lost_commits, 2);
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_files(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_files_belong_to_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("modes");
    commit(&place, limits(), vec![vec![put_task(&task(1))]]);
    open(&place);

    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode(&place.0), 0o700);
    assert_eq!(mode(&place.store()), 0o700);
    for file in ["store/view/db", "store/view/conf", "store/journal/00000000000000000001.seg", "store/revision", "LOCK"]
    {
        assert_eq!(mode(&place.0.join(file)), 0o600, "{file}");
    }
}

#[test]
fn many_commits_at_once_are_all_answered_in_order() {
    let place = Place::new("group");

    let answers = commit(&place, limits(), (0..500).map(|n| vec![put_task(&task(n))]).collect());

    assert_eq!(answers, (1..=500).map(|n| Ok(Revision(n))).collect::<Vec<_>>());
    assert_eq!(open(&place).restored.tasks.len(), 500);
}

/// Where the writer below writes; set only in the process that is to be killed.
const VICTIM: &str = "RINGBACK_TEST_KILLED_WRITER";

/// Not a test of its own: the process that `nothing_acknowledged_is_lost_by_kill_9` starts and kills.
#[test]
fn writer_that_is_killed() {
    use std::io::Write;
    let Some(data) = std::env::var_os(VICTIM) else { return };
    let opened = Opened::open(Path::new(&data), limits()).unwrap();
    let first = opened.restored.tasks.len() as u64;
    let store = opened.start(move |reference, result| {
        result.unwrap();
        // Straight to the pipe: what a buffer held would be lost with the process.
        writeln!(std::io::stderr(), "acknowledged {}", first + reference.0).unwrap();
    });
    for n in 0.. {
        if store.commit(CommitRef(n), vec![put_task(&task(first + n))]).is_err() {
            std::thread::sleep(Duration::from_millis(1)); // The queue is full; this number is left out.
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    use std::io::{BufRead, BufReader};
    let place = Place::new("kill");
    let mut acknowledged = std::collections::BTreeSet::new();

    for round in 0..8u64 {
        let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer_that_is_killed", "--nocapture"])
            .env(VICTIM, &place.0)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stderr.take().unwrap()).lines();
        // Some are killed while they open, the others after a few hundred answers.
        let answers = lines.by_ref().map_while(Result::ok).take((round * 97) as usize).collect::<Vec<_>>();
        std::thread::sleep(Duration::from_millis(round * 7));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let rest = lines.map_while(Result::ok);
        let numbers =
            answers.into_iter().chain(rest).filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
        acknowledged.extend(numbers.collect::<Vec<u64>>());

        let opened = open(&place);
        let kept: std::collections::BTreeSet<_> = opened.restored.tasks.iter().map(|task| task.id).collect();
        assert!(opened.report.quarantined.is_empty() && opened.report.lost_commits == 0, "{:?}", opened.report);
        assert!(acknowledged.iter().all(|n| kept.contains(&task(*n).id)), "round {round}");
    }
    assert!(acknowledged.len() > 500, "{}", acknowledged.len());
}

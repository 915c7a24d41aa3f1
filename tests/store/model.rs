//! Random operations on a store and on a plain map beside it: what is read back after every restart is what the map
//! says (durability.md §3). `RINGBACK_OPS=1000000` for as many as that; `RINGBACK_SEED` for others than usual.

use super::{Place, anna, attempt, binding, limits, open, task};
use chrono::TimeDelta;
use ringback::callback::task::{Attempt, Outcome, Task, TaskState};
use ringback::entropy::Entropy;
use ringback::id::{AuditId, CallRef, CommitRef, RecordingId};
use ringback::number::Party;
use ringback::store::archive::{self, Key};
use ringback::store::verify::Verified;
use ringback::store::{Limits, Opened, Store, ViewReport, keys};
use ringback::switch::{
    AgentRecord, AuditRecord, Change, DoNotCall, DoubtRecord, NotStored, ObjectRecord, QueueEntry, RecordingRecord,
    Restored, Revision, SystemRecord,
};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What the store must hold: by its key, the change that has put it there.
type Map = BTreeMap<String, Change>;

#[derive(Clone, Default)]
struct Model {
    map: Map,
    /// Who calls which number.
    calling: BTreeMap<Party, (ringback::id::TaskId, u32)>,
}

impl Model {
    /// What the commit is answered, but for its number.
    fn take(&mut self, changes: &[Change]) -> Result<(), NotStored> {
        let ends = |change: &&Change| matches!(change, Change::PutAttempt(it) if it.outcome.is_some());
        for change in changes.iter().filter(ends) {
            if let Change::PutAttempt(attempt) = change {
                self.calling.retain(|_, by| *by != (attempt.task, attempt.n));
            }
            self.map.insert(key_of(change), change.clone());
        }
        let begins = |change: &Change| match change {
            Change::PutAttempt(it) if it.outcome.is_none() => Some((it.number.clone(), (it.task, it.n))),
            _ => None,
        };
        // There is one attempt in a commit at most.
        if let Some((number, ours)) = changes.iter().find_map(begins)
            && *self.calling.entry(number).or_insert(ours) != ours
        {
            return Err(NotStored::Failed);
        }
        for change in changes.iter().filter(|change| !ends(change)) {
            match change {
                Change::RemoveBinding { .. }
                | Change::RemoveDoNotCall(_)
                | Change::RemoveEntry(_)
                | Change::RemoveTalk(_)
                | Change::RemoveObject { .. } => drop(self.map.remove(&key_of(change))),
                put => drop(self.map.insert(key_of(put), put.clone())),
            }
        }
        Ok(())
    }
}

fn key_of(change: &Change) -> String {
    match change {
        Change::PutTask(task) => keys::task(task.id),
        Change::PutAttempt(attempt) => keys::attempt(attempt.task, attempt.n),
        Change::PutBinding(binding) => keys::binding_of(binding),
        Change::RemoveBinding { extension, contact } => keys::binding(extension, contact),
        Change::PutAgent(agent) => keys::agent(&agent.agent),
        Change::PutRecording(recording) => keys::recording(recording.id),
        Change::PutSystem(_) => keys::SYSTEM.to_owned(),
        Change::PutDoNotCall(said) => keys::do_not_call(&said.number),
        Change::RemoveDoNotCall(number) => keys::do_not_call(number),
        Change::PutEntry(entry) => keys::entry(entry.call),
        Change::RemoveEntry(call) => keys::entry(*call),
        Change::PutObject(object) => keys::object(&object.kind, &object.name),
        Change::RemoveObject { kind, name } => keys::object(kind, name),
        Change::PutAudit(entry) => keys::audit(entry.id),
        Change::PutTalk(talk) => keys::talk(talk.call),
        Change::RemoveTalk(call) => keys::talk(*call),
        Change::PutPulse(_) => keys::PULSE.to_owned(),
        Change::PutDoubt(_) => keys::CLOCK.to_owned(),
    }
}

/// What the store says, as such a map.
fn map_of(restored: &Restored) -> Map {
    let Restored {
        tasks,
        attempts,
        bindings,
        agents,
        system,
        recordings,
        do_not_call,
        entries,
        objects,
        audit,
        talks,
        pulse,
        doubt,
        ..
    } = restored.clone();
    let all = tasks.into_iter().map(|it| Change::PutTask(Box::new(it)));
    let all = all.chain(attempts.into_iter().map(|it| Change::PutAttempt(Box::new(it))));
    let all = all.chain(bindings.into_iter().map(Change::PutBinding)).chain(agents.into_iter().map(Change::PutAgent));
    let all = all.chain(recordings.into_iter().map(|it| Change::PutRecording(Box::new(it))));
    let all = all.chain(do_not_call.into_iter().map(Change::PutDoNotCall));
    let all = all.chain(entries.into_iter().map(|it| Change::PutEntry(Box::new(it))));
    let all = all.chain(objects.into_iter().map(|it| Change::PutObject(Box::new(it))));
    let all = all.chain(audit.into_iter().map(|it| Change::PutAudit(Box::new(it))));
    let all = all.chain(talks.into_iter().map(|it| Change::PutTalk(Box::new(it)))).chain(pulse.map(Change::PutPulse));
    let said = Some(Change::PutSystem(system.clone())).filter(|_| system != SystemRecord::default());
    let doubted = Some(Change::PutDoubt(doubt)).filter(|_| doubt.secs != 0);
    all.chain(said).chain(doubted).map(|change| (key_of(&change), change)).collect()
}

/// Numbers, so few that attempts meet at them.
fn number(entropy: &mut Entropy) -> Party {
    Party::Number(format!("+12025550{:03}", entropy.below(150)).into())
}

fn some_task(entropy: &mut Entropy) -> Task {
    let n = entropy.below(400);
    let closed = entropy.below(3) == 0;
    Task {
        number: Party::Number(format!("+12025550{:03}", n % 150).into()),
        attempts_made: u32::try_from(entropy.below(1_000)).unwrap(),
        state: if closed { TaskState::Completed } else { TaskState::Pending },
        data: Some(Box::new(serde_json::json!({ "note": "x".repeat(entropy.below(300) as usize) }))),
        ..task(n)
    }
}

fn some_attempt(entropy: &mut Entropy, map: &Map) -> Option<Attempt> {
    let task = some_task(entropy);
    map.get(&keys::task(task.id))?;
    let outcome = [None, Some(Outcome::Busy), Some(Outcome::NoAnswer)][entropy.below(3) as usize];
    Some(attempt(&task, 1 + u32::try_from(entropy.below(3)).unwrap(), outcome))
}

fn some_change(entropy: &mut Entropy, map: &Map) -> Change {
    let at = task(1).created_at + TimeDelta::seconds(entropy.below(1_000) as i64);
    let (n, number) = (entropy.below(30), number(entropy));
    let ulid = Entropy::from_seed(n).ulid(task(1).created_at);
    match entropy.below(21) {
        0..=4 => Change::PutTask(Box::new(some_task(entropy))),
        5..=8 => match some_attempt(entropy, map) {
            Some(attempt) => Change::PutAttempt(Box::new(attempt)),
            None => Change::PutTask(Box::new(some_task(entropy))),
        },
        9 => Change::PutBinding(ringback::registrar::Binding { expires_at: at, ..binding(&format!("sip:{n}@h")) }),
        10 => Change::RemoveBinding { extension: "1001".into(), contact: format!("sip:{n}@h") },
        11 => Change::PutAgent(AgentRecord { agent: format!("a{n}").into(), paused: Some(at.to_string()), ..anna() }),
        12 => Change::PutRecording(Box::new(RecordingRecord {
            id: RecordingId(ulid),
            call: CallRef(ulid),
            number: number.to_string(),
            samples: entropy.below(1_000_000),
            ..super::recording()
        })),
        13 => Change::PutDoNotCall(DoNotCall { number, at, task: None, who: None, note: None }),
        14 => Change::RemoveDoNotCall(number),
        15 => Change::PutEntry(Box::new(QueueEntry { number, arrived_at: at, ..super::entry(n) })),
        16 => Change::RemoveEntry(super::entry(n).call),
        17 => match entropy.below(2) {
            0 => Change::RemoveObject { kind: "queue".into(), name: format!("q{n}") },
            _ => {
                let fields = [("at".to_owned(), serde_json::json!(at))].into_iter().collect();
                Change::PutObject(Box::new(ObjectRecord { kind: "queue".into(), name: format!("q{n}"), fields }))
            }
        },
        18 => Change::PutAudit(Box::new(AuditRecord {
            id: AuditId(ulid),
            at,
            who: "admin".into(),
            from: None,
            what: "put".into(),
            object: Some(number.to_string()),
            detail: None,
        })),
        19 if n % 2 == 0 => Change::PutPulse(at),
        19 => Change::PutDoubt(DoubtRecord { secs: n as i64 + 1, shown: Some(at) }),
        _ => Change::PutSystem(SystemRecord { frozen: n % 2 == 0, resumed_at: Some(at), ..SystemRecord::default() }),
    }
}

/// A store in use, and what it must hold.
struct Run {
    place: Place,
    limits: Limits,
    key: Key,
    entropy: Entropy,
    model: Model,
    backup: Option<(Vec<u8>, Model)>,
    store: Option<Store>,
    answered: Receiver<Result<Revision, NotStored>>,
    seen: BTreeMap<&'static str, u64>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let place = Place::new(&format!("model-{seed}"));
        std::fs::create_dir_all(&place.0).unwrap();
        let key = Key::read_or_make(&place.0.join("backup.key")).unwrap();
        let limits = Limits { checkpoint_commits: 200, ..limits() };
        let (entropy, answered) = (Entropy::from_seed(seed), channel().1);
        let (model, seen) = (Model::default(), BTreeMap::new());
        let mut run = Run { place, limits, key, entropy, model, backup: None, store: None, answered, seen };
        run.start();
        run
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Opens it, and compares.
    fn start(&mut self) {
        let opened = Opened::open(&self.place.0, self.limits).unwrap();
        assert!(opened.report.is_well(), "{:?}", opened.report);
        if matches!(opened.report.view, ViewReport::Rebuilt { .. }) {
            self.count("views made anew");
        }
        let (map, read) = (&self.model.map, map_of(&opened.restored));
        for (key, change) in map {
            assert_eq!(read.get(key), Some(change), "{key}");
        }
        assert_eq!(
            read.len(),
            map.len(),
            "{:?}",
            read.keys().filter(|key| !map.contains_key(*key)).collect::<Vec<_>>()
        );
        let (answers, answered) = channel();
        self.store = Some(opened.start(move |_, result| answers.send(result).unwrap()));
        self.answered = answered;
    }

    /// Commits of a few changes each, all handed in before the first answer is awaited.
    fn work(&mut self) -> u64 {
        let commits = 1 + self.entropy.below(24);
        let (mut expected, mut done) = (Vec::new(), 0);
        for n in 0..commits {
            let few = 1 + self.entropy.below(4);
            let mut changes: Vec<Change> = (0..few).map(|_| some_change(&mut self.entropy, &self.model.map)).collect();
            // What begins and ends in one commit has a test of its own.
            let mut attempts = 0;
            changes.retain(|change| {
                attempts += u32::from(matches!(change, Change::PutAttempt(_)));
                attempts < 2 || !matches!(change, Change::PutAttempt(_))
            });
            self.store.as_ref().unwrap().commit(CommitRef(n), changes.clone()).unwrap();
            done += changes.len() as u64;
            expected.push(self.model.take(&changes));
        }
        for expected in expected {
            let answer = self.answered.recv_timeout(Duration::from_secs(60)).unwrap();
            assert_eq!(answer.map(drop), expected);
            self.count(if expected.is_ok() { "commits" } else { "second calls refused" });
        }
        done
    }

    fn restart(&mut self) {
        self.store = None;
        match self.entropy.below(8) {
            0 => std::fs::remove_dir_all(self.place.store().join("view")).unwrap(),
            1 => assert!(Verified::of(&self.place.0).unwrap().is_well()),
            _ => {}
        }
        self.count("restarts");
        self.start();
    }

    fn back_up(&mut self) {
        let (mut octets, store) = (Vec::new(), self.place.store());
        match self.entropy.below(4) {
            0 => {
                self.store = None;
                archive::back_up_at_rest(&self.place.0, &self.key, &mut octets).unwrap().received().unwrap();
                self.start();
            }
            _ => {
                let snapshots = self.store.as_ref().unwrap().snapshots();
                archive::back_up(&store, &snapshots, &self.key, &mut octets).unwrap().received().unwrap();
            }
        }
        assert!(ringback::store::journal::kept::list(&store.join("journal")).unwrap().is_empty());
        self.backup = Some((octets, self.model.clone()));
        self.count("backups");
    }

    fn restore(&mut self) {
        let Some((octets, model)) = self.backup.take() else { return };
        self.store = None;
        let (_, aside) = archive::restore(octets.as_slice(), &self.key, &self.place.0, true).unwrap();
        std::fs::remove_dir_all(aside.unwrap()).unwrap();
        self.model = model;
        self.count("restores");
        self.start();
    }

    /// A segment cannot be begun for a while: every commit is refused, and either the store comes back by itself or
    /// another life finds all that was acknowledged.
    fn fail(&mut self, heals: bool) {
        self.restart();
        let (journal, aside) = (self.place.store().join("journal"), self.place.store().join("journal-aside"));
        std::fs::rename(&journal, &aside).unwrap();
        std::fs::write(&journal, b"").unwrap();
        let commit = |run: &mut Run| {
            let changes = vec![Change::PutTask(Box::new(some_task(&mut run.entropy)))];
            run.store.as_ref().unwrap().commit(CommitRef(0), changes.clone()).unwrap();
            (changes, run.answered.recv_timeout(Duration::from_secs(60)).unwrap())
        };
        assert_eq!(commit(self).1, Err(NotStored::Failed));
        std::fs::remove_file(&journal).unwrap();
        std::fs::rename(&aside, &journal).unwrap();
        self.count("writes that failed");
        if !heals {
            return self.restart();
        }
        let (changes, _) = loop {
            match commit(self) {
                (changes, Ok(revision)) => break (changes, revision),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        self.model.take(&changes).unwrap();
        self.count("stores that healed");
    }
}

#[test]
fn a_store_holds_what_a_plain_map_would_hold() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let (most, seed) = (number("RINGBACK_OPS", 20_000), number("RINGBACK_SEED", 4));
    let mut run = Run::new(seed);
    let (mut done, mut healed) = (0, 0);

    while done < most {
        done += match run.entropy.below(120) {
            0..=3 => {
                run.restart();
                1
            }
            4..=5 => {
                run.back_up();
                1
            }
            6..=7 => {
                run.restore();
                1
            }
            8 => {
                // It rests for two seconds after a failure.
                let heals = done / 100_000 >= healed;
                healed += u64::from(heals);
                run.fail(heals);
                1
            }
            _ => run.work(),
        };
    }
    run.restart();

    println!("{done} operations: {:?}", run.seen);
    for kind in [
        "restarts",
        "backups",
        "restores",
        "writes that failed",
        "stores that healed",
        "views made anew",
        "second calls refused",
    ] {
        assert!(run.seen.contains_key(kind), "{kind} did not happen: {:?}", run.seen);
    }
    let files = super::files(&run.place.store().join("journal"));
    let checkpoints = files.iter().filter(|file| file.extension().is_some_and(|it| it == "ckp"));
    assert!(checkpoints.count() > 1, "the journal was written down anew all the while");
    drop(run.store.take());
    drop(open(&run.place));
}

//! A person is found and erased by API: nothing that is shown or lies in the data directory has him any more.

use crate::{BOSS, FILE, World, command};
use ringback::callback::task::{Source, Task};
use ringback::id::{CommitRef, RecordingId, TaskId};
use ringback::number::Party;
use ringback::run::recorder;
use ringback::store::{Limits, Opened};
use ringback::switch::{Change, RecordingRecord};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

const ALICE: &str = "+12025550123";
const BOB: &str = "+12025550124";

fn tape(task: TaskId) -> RecordingRecord {
    RecordingRecord {
        id: RecordingId(task.0),
        call: ringback::id::CallRef(task.0),
        task: Some(task),
        agent: Some("anna".into()),
        number: ALICE.into(),
        started_at: chrono::Utc::now(),
        ended_at: Some(chrono::Utc::now()),
        samples: 8_000,
        notice_played: true,
        consent: Default::default(),
        pauses: Vec::new(),
        retain_until: None,
        legal_hold: false,
        deleted_at: None,
        stopped: None,
        path: Some(recorder::relative_path(RecordingId(task.0))),
        bytes: 32_044,
    }
}

/// A switch that owes Alice and Bob a call, and has a recording of hers.
fn world(name: &str) -> World {
    let mut world = World::asleep(name, &format!("{FILE}\n[system]\ndefault_country = \"US\"\n"));
    let data = world.data.join("data");
    let (answer, answered) = mpsc::channel();
    let opened = Opened::open(&data, Limits::default()).unwrap();
    let store = opened.start(move |_, result| answer.send(result.is_ok()).unwrap());
    let mut changes: Vec<Change> = Vec::new();
    for (at, number) in [(1, ALICE), (2, BOB)] {
        let id = TaskId(ulid::Ulid::from_parts(at, 0));
        let party = Party::from(number.to_owned());
        let task = Task::new(id, Source::Api, "standard".into(), "support".into(), party, chrono::Utc::now());
        changes.push(Change::PutTask(Box::new(task)));
    }
    let tape = tape(TaskId(ulid::Ulid::from_parts(1, 0)));
    let audio = data.join(recorder::relative_path(tape.id));
    std::fs::create_dir_all(audio.parent().unwrap()).unwrap();
    std::fs::write(&audio, b"RIFF").unwrap();
    changes.push(Change::PutRecording(Box::new(tape)));
    store.commit(CommitRef(1), changes).unwrap();
    assert!(answered.recv_timeout(Duration::from_secs(20)).unwrap());
    drop(store);
    world.start();
    world
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        if entry.is_dir() { all.extend(files(&entry)) } else { all.push(entry) }
    }
    all
}

fn who_has(folder: &Path, number: &str) -> Vec<PathBuf> {
    let digits = number.trim_start_matches('+').as_bytes();
    let has = |file: &PathBuf| std::fs::read(file).unwrap().windows(digits.len()).any(|window| window == digits);
    files(folder).into_iter().filter(has).collect()
}

// GDPR 15 and 17: found in any form of the number, told before it is done, done only when confirmed and by an
// administrator, gone from the switch and from every file; the audit log says that it was done, and not with whom.
#[test]
fn a_person_is_found_and_erased_and_nobody_else_is() {
    let world = world("people");
    let data = world.data.join("data");
    let post = |path: &str, body: Value| world.api("POST", path, body);
    assert_eq!(world.as_whom(BOSS, "POST", "/people/find", &[], "{\"number\":\"1\"}").status, 403);
    post("/people/find", json!({ "number": "nobody" })).is_problem(422, Some("number"));

    let found = post("/people/find", json!({ "number": "(202) 555-0123" })).json();
    assert_eq!(
        (&found["number"], &found["on_the_phone"], &found["done"]),
        (&json!(ALICE), &json!(false), &json!(false))
    );
    let keys: Vec<&str> = found["records"].as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
    let (task, tape) = ("00000000010000000000000000", "00000000010000000000000000");
    assert_eq!(keys, [format!("recording/{tape}"), format!("task/{task}")]);
    assert_eq!(found["audio"].as_array().unwrap().len(), 1);
    let would = post("/people/erase", json!({ "number": ALICE })).json();
    assert_eq!((&would["done"], &would["erased"]), (&json!(false), &json!(2)));
    assert!(!who_has(&data, ALICE).is_empty());

    let erased = post("/people/erase", json!({ "number": ALICE, "confirm": true }));

    assert_eq!(erased.status, 200, "{}", erased.body);
    let erased = erased.json();
    assert_eq!((&erased["done"], &erased["erased"], &erased["records"]), (&json!(true), &json!(2), &json!([])));
    assert_eq!(who_has(&data, ALICE), Vec::<PathBuf>::new());
    assert!(!files(&data).iter().any(|file| file.extension().is_some_and(|it| it == "wav")), "{:?}", files(&data));
    let list = world.api("GET", "/callbacks", Value::Null).body;
    assert!(!list.contains(ALICE) && list.contains(BOB), "{list}");
    assert_eq!(world.api("GET", &format!("/callbacks/{task}"), Value::Null).status, 404);
    assert_eq!(world.api("GET", "/recordings", Value::Null).json()["items"], json!([]));
    assert_eq!(post("/people/find", json!({ "number": ALICE })).json()["records"], json!([]));
    let audit = world.api("GET", "/audit", Value::Null);
    assert!(!audit.body.contains("2025550123"), "{}", audit.body);
    let deeds: Vec<Value> = audit.json()["items"].as_array().unwrap().iter().map(|it| it["what"].clone()).collect();
    assert!(deeds.contains(&json!("erase person")) && deeds.contains(&json!("find person")), "{deeds:?}");
}

#[test]
fn who_was_erased_does_not_come_back_with_the_next_life_and_may_be_called_again() {
    let mut world = world("people-again");
    let data = world.data.join("data");
    let (code, told) = command(&world, &["find", ALICE]);
    assert!(code == 0 && told.contains("task/") && told.contains("2 records tell of +12025550123"), "{told}");
    let (code, told) = command(&world, &["erase", ALICE]);
    assert!(code == 0 && told.contains("would be erased: 1 × recording") && told.contains("say --yes"), "{told}");
    assert!(!who_has(&data, ALICE).is_empty(), "nothing is done without --yes");
    let (code, told) = command(&world, &["erase", ALICE, "--yes"]);
    assert_eq!((code, &*told), (0, "+12025550123 is erased: 2 records, 1 recordings; 0 entries name nobody\n"));

    drop(world.running.take());
    world.start();

    assert_eq!(who_has(&data, ALICE), Vec::<PathBuf>::new());
    let list = world.api("GET", "/callbacks", Value::Null).body;
    assert!(!list.contains(ALICE) && list.contains(BOB), "{list}");
    let again = world.api("POST", "/callbacks", json!({ "number": ALICE, "queue": "support", "profile": "standard" }));
    assert_eq!(again.status, 201, "{}", again.body);
}

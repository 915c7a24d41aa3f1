//! Recordings over HTTP, from the file on the disk to nothing.

use crate::{FILE, World};
use ringback::id::{CallRef, CommitRef, RecordingId};
use ringback::run::recorder;
use ringback::store::{Limits, Opened};
use ringback::switch::{Change, RecordingRecord};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// A site that had recorded a call before it was started: WAV, JSON, and the record in the store.
fn world(name: &str, change: impl FnOnce(&mut RecordingRecord)) -> (World, RecordingId, [PathBuf; 2]) {
    let mut world = World::asleep(name, FILE);
    let data = world.data.join("data");
    let id = RecordingId(ulid::Ulid::from_parts(1_770_000_000_000, 7));
    let now = chrono::Utc::now();
    let mut record = RecordingRecord {
        id,
        call: CallRef(id.0),
        task: None,
        agent: Some("anna".into()),
        number: "+12025550123".into(),
        started_at: now,
        ended_at: Some(now),
        samples: 160,
        notice_played: true,
        consent: Default::default(),
        pauses: Vec::new(),
        retain_until: None,
        legal_hold: false,
        deleted_at: None,
        stopped: None,
        path: Some(recorder::relative_path(id)),
        bytes: 684,
    };
    change(&mut record);
    let (answer, answered) = mpsc::channel();
    let store =
        Opened::open(&data, Limits::default()).unwrap().start(move |_, result| answer.send(result.is_ok()).unwrap());
    store.commit(CommitRef(1), vec![Change::PutRecording(Box::new(record))]).unwrap();
    assert!(answered.recv_timeout(Duration::from_secs(20)).unwrap());
    drop(store);
    let whole = data.join(recorder::relative_path(id));
    let files = [whole.clone(), whole.with_extension("json")];
    std::fs::create_dir_all(whole.parent().unwrap()).unwrap();
    for file in &files {
        std::fs::write(file, vec![b'.'; 684]).unwrap();
    }
    world.start();
    (world, id, files)
}

/// Waits for the disk, which the switch does not wait for.
fn until_deleted(world: &World, id: RecordingId) -> Value {
    for _ in 0..2_000 {
        let record = world.api("GET", &format!("/recordings/{id}"), Value::Null).json();
        if !record["deleted_at"].is_null() {
            return record;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the recording is not deleted");
}

// S5.25: a person deletes a recording: its files are gone from the disk and its audio from the history; the record says
// since when, also after a restart.
#[test]
fn a_deleted_recording_is_gone_from_disk_and_from_history() {
    let (mut world, id, files) = world("delete-recording", |_| {});
    let path = format!("/recordings/{id}");
    let audio = world.api("GET", &format!("{path}/audio"), Value::Null);
    assert_eq!((audio.status, audio.body.len()), (200, 684));

    assert_eq!(world.api("DELETE", &path, Value::Null).status, 200);
    let record = until_deleted(&world, id);

    assert!(files.iter().all(|file| !file.exists()), "{files:?}");
    assert_eq!(record["path"], Value::Null);
    world.api("GET", &format!("{path}/audio"), Value::Null).is_problem(410, None);
    world.api("DELETE", &path, Value::Null).is_problem(404, None);
    drop(world.running.take());
    world.start();
    assert_eq!(world.api("GET", &path, Value::Null).json(), record);
}

// S5.25: past the storage period the same happens by itself; a recording under legal hold stays.
#[test]
fn a_recording_whose_time_is_over_is_deleted_by_itself_unless_it_is_held() {
    let ended = Some(chrono::Utc::now() - Duration::from_secs(1));
    let (over, id, files) = world("retention-over", |record| record.retain_until = ended);
    until_deleted(&over, id);
    assert!(files.iter().all(|file| !file.exists()), "{files:?}");

    let (held, id, files) = world("retention-held", |record| {
        record.retain_until = ended;
        record.legal_hold = true;
    });
    held.api("DELETE", &format!("/recordings/{id}"), Value::Null).is_problem(409, None);
    assert!(files.iter().all(|file| file.exists()), "{files:?}");
    assert_eq!(held.api("GET", &format!("/recordings/{id}/audio"), Value::Null).status, 200);
}

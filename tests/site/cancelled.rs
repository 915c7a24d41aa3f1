//! Whoever asks for a change may go away at any moment: it is taken as a whole, or not at all.

use crate::FILE;
use ringback::net::admission::{Admission, Found, Trusted};
use ringback::run::commands::Asked;
use ringback::run::editor::{Seen, editable};
use ringback::run::prompts::Prompts;
use ringback::run::{Commands, Editor, Source};
use ringback::switch::ObjectRecord;
use ringback::switch::command::{Command, Done, Reply};
use ringback::time::Tick;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

fn editor() -> (Editor, Receiver<Asked>) {
    editor_with(Trusted::default())
}

fn editor_with(trusted: Trusted) -> (Editor, Receiver<Asked>) {
    let (commands, asked) = Commands::pair();
    let prompts = Prompts::new(Path::new("/nowhere/at/all"), None, None);
    let source = Source { text: FILE.to_owned(), file: None };
    (Editor::new(source, &[], [7; 32], (commands, prompts, trusted)).unwrap(), asked)
}

fn always_stored(mut asked: Receiver<Asked>) {
    tokio::spawn(async move {
        while let Some(asked) = asked.recv().await {
            drop(asked.answer.send(Reply::Stored));
        }
    });
}

async fn put(editor: &Editor, name: &str) {
    let group = json!({ "name": name, "agents": ["anna"] }).as_object().cloned().unwrap();
    drop(editor.put(editable("group").unwrap(), name, group, Seen::Nothing, Done::default()).await);
}

async fn configured(asked: &mut Receiver<Asked>) -> Asked {
    let asked = tokio::time::timeout(Duration::from_secs(20), asked.recv()).await.expect("asked").expect("a command");
    assert!(matches!(&asked.command, Command::Configure(configure) if configure.put.len() == 1));
    asked
}

async fn is_there(editor: &Editor, name: &str) -> bool {
    for _ in 0..2_000 {
        if editor.object("group", name).is_some() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

// The switch has been told and whoever asked has hung up: editor and switch hold the same edition, and the next
// edit builds on it.
#[tokio::test]
async fn a_change_that_the_switch_has_heard_of_is_seen_through() {
    let (editor, mut asked) = editor();
    let asking = tokio::spawn({
        let editor = editor.clone();
        async move { put(&editor, "desk").await }
    });
    let first = configured(&mut asked).await;

    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    let next = tokio::spawn({
        let editor = editor.clone();
        async move { put(&editor, "door").await }
    });
    assert!(tokio::time::timeout(Duration::from_millis(200), asked.recv()).await.is_err(), "one edit after the other");
    first.answer.send(Reply::Stored).unwrap();

    assert!(is_there(&editor, "desk").await);
    let second = configured(&mut asked).await;
    let Command::Configure(configure) = second.command else { panic!("checked above") };
    let groups: Vec<&str> = configure.settings.groups.iter().map(|group| &*group.name).collect();
    assert_eq!(groups, ["desk", "door"]);
    second.answer.send(Reply::Stored).unwrap();
    next.await.unwrap();
}

// A new trunk may send as much as one of the start, and one that is gone no more than a stranger.
#[tokio::test]
async fn trunks_are_trusted_as_the_edition_in_force_has_them() {
    let trusted = Trusted::default();
    let (editor, asked) = editor_with(trusted.clone());
    always_stored(asked);
    let taken = || {
        let mut admission = Admission::new(trusted.clone(), Found::default());
        let from = "203.0.113.9".parse().unwrap();
        (0..5_000).filter(|_| admission.admits(Tick::ZERO, from)).count()
    };
    let burst = ringback::limits::SOURCE_BURST as usize;
    assert_eq!(taken(), burst);

    let trunk = json!({ "name": "carrier", "mode": "peer", "host": "198.51.100.5", "acl": ["203.0.113.0/24"] });
    let (table, fields) = (editable("trunk").unwrap(), trunk.as_object().cloned().unwrap());
    editor.put(table, "carrier", fields, Seen::Nothing, Done::default()).await.unwrap();
    assert_eq!(taken(), 5_000);
    editor.delete("trunk", "carrier", Seen::Anything, Done::default()).await.unwrap();
    assert_eq!(taken(), burst);
}

// What the store holds may be wrong in a way that names none of it, here by its size. The switch starts without
// it, and goes on being edited.
#[tokio::test]
async fn what_fits_nowhere_keeps_nothing_else_out() {
    let fields = json!({ "agents": ["anna"] }).as_object().cloned().unwrap();
    let group = |n| ObjectRecord { kind: "group".into(), name: format!("group {n}"), fields: fields.clone() };
    let stored: Vec<ObjectRecord> = (0..20).map(group).collect();
    let room = "#".repeat(ringback::limits::CONFIG_BYTES - FILE.len() - 200);
    let source = Source { text: format!("{FILE}{room}\n"), file: None };
    let (commands, asked) = Commands::pair();
    always_stored(asked);
    let prompts = Prompts::new(Path::new("/nowhere/at/all"), None, None);

    let editor = Editor::new(source, &stored, [7; 32], (commands, prompts, Trusted::default())).unwrap();

    assert_eq!((editor.objects("group").len(), editor.set_aside().len()), (0, 20));
    assert!(editor.set_aside()[0].contains("its limit is"), "{}", editor.set_aside()[0]);
    put(&editor, "desk").await;
    assert!(editor.object("group", "desk").is_some());
    assert_eq!(editor.set_aside().len(), 20);
    editor.apply(FILE.to_owned(), Some(Done::default())).await.unwrap();
    assert_eq!((editor.objects("group").len(), editor.set_aside().len()), (21, 0));
}

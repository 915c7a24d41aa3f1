//! The door: who is noted, who is slowed, and that nobody dodges either.

use crate::{FILE, FORMER, World, until};
use ringback::switch::event::Event;
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

impl World {
    /// Asks, and hangs up without waiting for the answer.
    fn drop_in(&self, method: &str, path: &str) {
        let mut stream = TcpStream::connect(self.running().http).unwrap();
        let token = &self.token;
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.1\r\nHost: pbx\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
    }

    /// Who did what with what, the oldest first.
    fn log(&self) -> Vec<(String, String, String, String)> {
        let log = self.api("GET", "/audit", Value::Null).json();
        let items = log["items"].as_array().unwrap().iter().rev();
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or("").to_owned();
        let told = items.map(|entry| {
            assert_eq!(entry["from"], "127.0.0.1", "{entry}");
            (text(entry, "who"), text(entry, "what"), text(entry, "object"), text(entry, "detail"))
        });
        told.collect()
    }
}

fn entry(who: &str, what: &str, object: &str, detail: &str) -> (String, String, String, String) {
    (who.into(), what.into(), object.into(), detail.into())
}

// S2.2: what is done is noted, also when whoever did it has hung up before the answer. (Who hangs up before he was
// heard has done nothing.)
#[test]
fn hanging_up_keeps_nothing_out_of_the_log() {
    let world = World::new("dodge");
    let mut events = world.running().events();
    let noted = || world.log().iter().filter(|(_, what, ..)| what == "POST /api/v1/system/freeze").count();
    let mut done = 0;

    for _ in 0..20 {
        world.drop_in("POST", "/system/freeze");
        std::thread::sleep(Duration::from_millis(20)); // Most of them are heard meanwhile.
        assert_eq!(world.api("POST", "/system/unfreeze", Value::Null).status / 100, 2);
    }

    until("the notes", || {
        done += std::iter::from_fn(|| events.try_recv().ok()).filter(|event| *event == Event::SiteFrozen).count();
        done > 0 && noted() >= done
    });
}

// S2.2: who has signed in and out is noted, and who was refused; what he has tried with is not.
#[test]
fn sign_ins_and_refusals_are_noted() {
    let world = World::new("signs");
    // A refusal is answered before it is noted, and two may be noted in any order.
    let noted = |count| until("the note", || world.log().len() == count);
    let cookie = world.sign_in(&world.token).expect("signed in");
    assert_eq!(world.form(Some(&cookie), "/logout", &[]).status, 303);
    assert!(world.sign_in(crate::BOSS).is_some());
    world.as_whom(crate::BOSS, "POST", "/system/freeze", &[], "").is_problem(403, None);
    noted(4);
    assert!(world.sign_in(FORMER).is_none());
    noted(5);
    assert!(world.sign_in("a-guess-that-nobody-sees").is_none());
    noted(6);
    assert_eq!(world.as_whom("another-guess", "GET", "/queues", &[], "").status, 401);
    noted(7);

    assert_eq!(
        world.log(),
        [
            entry("admin", "sign in", "", ""),
            entry("admin", "sign out", "", ""),
            entry("boss", "sign in", "", ""),
            entry("boss", "refused", "POST /api/v1/system/freeze", "refused"),
            entry("former", "refused", "sign in", "expired"),
            entry("?", "refused", "sign in", "unknown token"),
            entry("?", "refused", "GET /api/v1/queues", "unknown token"),
        ]
    );
}

// S1.B18: after five wrong tokens an address waits, with a right one too; who has signed in goes on.
#[test]
fn whoever_guesses_waits() {
    let world = World::new("guesses");
    let cookie = world.sign_in(&world.token).expect("signed in");
    for _ in 0..8 {
        assert_eq!(world.as_whom(FORMER, "GET", "/queues", &[], "").status, 401, "an old key is no guess");
        assert_eq!(world.send("GET", "/api/v1/queues", &[], "").status, 401, "nor is none");
    }

    for guess in ["one", "two", "three", "four"] {
        assert_eq!(world.as_whom(guess, "GET", "/queues", &[], "").status, 401);
    }
    assert_eq!(world.form(None, "/login", &[("token", "five")]).status, 401);

    let held = world.api("GET", "/queues", Value::Null);
    held.is_problem(429, None);
    assert_eq!(held.header("retry-after"), Some("1"));
    let page = world.form(None, "/login", &[("token", &world.token)]);
    assert_eq!((page.status, page.header("retry-after")), (429, Some("1")));
    assert_eq!(world.page(&cookie, "/config").status, 200);
    until("the end of the wait", || world.api("GET", "/queues", Value::Null).status == 200);
}

// S1.B18: a key whose secret is gone, or could be guessed, is no key.
#[test]
fn a_secret_that_can_be_guessed_is_refused() {
    let world = World::new("short");
    let file = world.data.join("key.txt");
    let key = |secret: Value| {
        let mut key = json!({ "name": "probe", "role": "auditor" });
        key.as_object_mut().unwrap().extend(secret.as_object().cloned().unwrap());
        world.api("POST", "/config/api_key", key)
    };
    let of_file = || key(json!({ "secret_file": file.to_str().unwrap() }));

    assert!(key(json!({ "secret": "fifteen-letters" })).is_problem(422, Some("secret")).contains("16"));
    std::fs::write(&file, "fifteen-letters\n").unwrap();
    assert!(of_file().is_problem(422, Some("secret_file")).contains("16"));
    std::fs::write(&file, "sixteen--letters\n").unwrap();
    assert_eq!(of_file().status, 201);

    let phone = |secret: &str| {
        let text = format!("{FILE}\n[[agent]]\nname = \"ben\"\nextension = \"1002\"\nsecret = \"{secret}\"\n");
        world.apply("?dry_run=true", &text).json()["warnings"].to_string()
    };
    assert!(phone("123456789").contains("agent.secret can be guessed"), "{}", phone("123456789"));
    assert!(!phone("a-long-word-of-ben").contains("can be guessed"));
}

// Whoever opens the API to the network is told that nothing of it is encrypted.
#[test]
fn an_open_listener_is_warned_about() {
    let warnings = |http: &str| {
        let files = ringback::config::Disk::new(std::path::Path::new("."));
        let text = format!("[server]\nhttp = \"{http}\"\n");
        let warnings = ringback::config::parse(&text, &files).unwrap().warnings;
        warnings
            .iter()
            .filter(|warning| warning.message.starts_with("server.http"))
            .map(|it| it.line)
            .collect::<Vec<_>>()
    };

    assert_eq!(warnings("0.0.0.0:8080"), [2]);
    assert_eq!(warnings("192.0.2.1:8080"), [2]);
    assert!(warnings("127.0.0.1:8080").is_empty() && warnings("[::1]:8080").is_empty());
}

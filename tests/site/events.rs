//! What happens, told to those who listen.

use crate::{LOOKER, World};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Somebody who listens.
struct Listener(BufReader<TcpStream>);

impl World {
    fn listen(&self, last: Option<&str>) -> Listener {
        let mut stream = TcpStream::connect(self.running().http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let last = last.map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: pbx\r\nAuthorization: Bearer {LOOKER}\r\n{last}\r\n")
            .unwrap();
        let mut listener = Listener(BufReader::new(stream));
        let head = listener.until("");
        assert!(head[0].starts_with("HTTP/1.1 200 "), "{head:?}");
        assert!(head.iter().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")), "{head:?}");
        listener
    }
}

impl Listener {
    /// Lines up to this one.
    fn until(&mut self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "it has ended after {lines:?}");
            match line.trim_end() {
                line if line == end => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// The next event: its id, as the stream has it, and its document. Sizes of chunks are passed over.
    fn next(&mut self) -> (Option<String>, Value) {
        loop {
            let lines = self.until("");
            let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let Some(data) = field("data: ") {
                let document: Value = serde_json::from_str(&data).unwrap();
                assert_eq!(Some(document["type"].as_str().unwrap().to_owned()), field("event: "));
                return (field("id: "), document);
            }
        }
    }
}

// interface.md, Events: each has its word, its id and its data; who was cut off goes on where he was, and who has
// missed some is told so.
#[test]
fn what_happens_is_told_and_told_again() {
    let mut world = World::new("events");
    let mut listener = world.listen(None);

    world.api("POST", "/agents/anna/pause", json!({ "reason": "lunch" }));
    let (first, paused) = listener.next();
    world.api("POST", "/config/group", json!({ "name": "desk", "agents": ["anna"] }));
    let (second, changed) = listener.next();

    assert_eq!((&paused["type"], &paused["specversion"]), (&json!("agent.paused"), &json!("1.0")));
    assert_eq!(paused["data"], json!({ "agent": "anna", "reason": "lunch" }));
    assert!(paused["time"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().is_ok());
    assert_eq!((paused["id"].as_str(), &changed["type"]), (first.as_deref(), &json!("config.changed")));
    drop(listener);

    let wanted = json!({ "number": "1001", "profile": "standard" });
    let task = world.api("POST", "/callbacks", wanted).json()["id"].clone();
    let mut again = world.listen(first.as_deref());
    assert_eq!(again.next().0, second, "what came after the last one he heard");
    let (third, requested) = again.next();
    assert_eq!((&requested["type"], &requested["data"]["callback"]), (&json!("callback.requested"), &task));

    drop(again);
    drop(world.running.take());
    world.start();
    let (id, missed) = world.listen(third.as_deref()).next();
    assert_eq!((id, &missed["type"]), (None, &json!("events.missed")), "another life");
    world.as_whom(LOOKER, "GET", "/events?limit=1", &[], "").is_problem(400, Some("limit"));
    assert_eq!(world.send("GET", "/api/v1/events", &[], "").status, 401);
}

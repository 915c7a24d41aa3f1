//! The HTTP API over a real socket, before a switch that is only a table of answers.

#![cfg(feature = "shell")]

use chrono::{TimeZone, Utc};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use ringback::callback::task::{Source, Task, TaskState};
use ringback::entropy::Entropy;
use ringback::id::{CallRef, CommitRef, RecordingId, TaskId};
use ringback::limits::{HTTP_CONNECTIONS, HTTP_HEAD};
use ringback::number::Party;
use ringback::run::{Commands, recorder};
use ringback::store::{Limits, Opened, Store};
use ringback::switch::command::{Command, NewCallback, PageOf, Refused, Reply};
use ringback::switch::view::{Gauges, Page, Status};
use ringback::switch::{Change, RecordingRecord};
use ringback::web::{self, Backups, Sessions, Site};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn folder(name: &str) -> PathBuf {
    let data = std::env::temp_dir().join(format!("ringback-web-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&data));
    std::fs::create_dir_all(&data).unwrap();
    data
}

fn site(data: &Path, commands: Commands, backups: Backups) -> Site {
    Site {
        commands,
        token: TOKEN.into(),
        data: data.to_owned(),
        standing: ringback::run::standing::Standing::default(),
        editor: None,
        sessions: Sessions::default(),
        events: web::Events::default(),
        backups,
        prompts: ringback::run::prompts::Prompts::new(data, None, None),
    }
}

/// A server, and everything its switch was asked.
struct World {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Command>>>,
    data: PathBuf,
    _runtime: Runtime,
}

impl World {
    fn new(name: &str) -> World {
        let data = folder(name);
        let (commands, mut questions) = Commands::pair();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(web::serve(listener, site(&data, commands, Backups::default())));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        runtime.spawn(async move {
            while let Some(question) = questions.recv().await {
                noted.lock().unwrap().push(question.command.clone());
                drop(question.answer.send(answer(&question.command)));
            }
        });
        World { address, asked, data, _runtime: runtime }
    }

    fn last(&self) -> Command {
        self.asked.lock().unwrap().last().cloned().expect("the switch was asked")
    }

    fn send(&self, request: &str) -> Answer {
        World::try_send(self.address, Duration::from_secs(10), request)
    }

    fn try_send(address: SocketAddr, patience: Duration, request: &str) -> Answer {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::read(&bytes)
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &[("Content-Type", "application/json")], body)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.data));
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self))
    }

    /// A problem document of this status about this field.
    fn is_problem(&self, status: u16, field: Option<&str>) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["field"].as_str(), field, "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}

fn recording_id() -> RecordingId {
    RecordingId(Entropy::from_seed(7).ulid(Utc.with_ymd_and_hms(2026, 11, 20, 9, 0, 0).unwrap()))
}

fn answer(command: &Command) -> Reply {
    let page = |items| Page { items, next: None };
    match command {
        Command::ListCallbacks { .. } => Reply::Callbacks(Page { items: vec![], next: Some("cursor".into()) }),
        Command::ShowCallback(id) | Command::CancelCallback(id) | Command::CallbackNow(id) => {
            Reply::Refused(Refused::NotFound { kind: "callback", name: id.to_string() })
        }
        Command::AddCallback(_) => Reply::Refused(Refused::Invalid { field: "number", detail: "too short".into() }),
        Command::ShowQueue(name) => Reply::Refused(Refused::NotFound { kind: "queue", name: name.clone() }),
        Command::PauseAgent { .. } => Reply::Refused(Refused::Conflict { detail: "not logged in".into() }),
        Command::HangUpCall(_) => Reply::Refused(Refused::NotStored),
        Command::Status | Command::Drain => Reply::Status(Status {
            draining: false,
            calls: 0,
            store_ok: true,
            space: ringback::switch::Space::Ample,
            breaker: None,
            clock_doubted_secs: None,
            frozen: false,
            resting_rules: Vec::new(),
            time_zones: String::new(),
        }),
        Command::Gauges => {
            Reply::Gauges(Box::new(Gauges { queues: vec![("support".into(), 3, 60)], ..Gauges::default() }))
        }
        Command::ShowRecording(id) if *id == recording_id() => Reply::Recording(Box::new(record(*id))),
        Command::ShowRecording(id) => Reply::Refused(Refused::NotFound { kind: "recording", name: id.to_string() }),
        _ => Reply::Recordings(page(vec![])), // The shape of an empty list is the same for all of them.
    }
}

fn record(id: RecordingId) -> RecordingRecord {
    let now = Utc.with_ymd_and_hms(2026, 11, 20, 9, 0, 0).unwrap();
    RecordingRecord {
        id,
        call: CallRef(id.0),
        task: None,
        agent: Some("anna".into()),
        number: "+12025550123".into(),
        started_at: now,
        ended_at: Some(now),
        samples: 3,
        notice_played: true,
        consent: Default::default(),
        pauses: Vec::new(),
        retain_until: None,
        legal_hold: false,
        deleted_at: None,
        stopped: None,
        path: Some(recorder::relative_path(id)),
        bytes: 100,
    }
}

#[test]
fn without_the_token_nothing_is_told_not_even_what_exists() {
    let world = World::new("token");
    let plain = |path: &str, authorization: &str| {
        world.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\r\n"))
    };

    for path in ["/api/v1/callbacks", "/api/v1/nothing", "/nothing"] {
        plain(path, "").is_problem(401, None);
        plain(path, "Authorization: Bearer wrong\r\n").is_problem(401, None);
    }
    assert!(plain("/nothing", "").head.contains("www-authenticate: bearer"));
    // Refusals are noted, and nothing else is asked of the switch.
    assert!(world.asked.lock().unwrap().iter().all(|asked| matches!(asked, Command::Note(_))));
}

#[test]
fn machines_on_loopback_need_no_token_for_health_and_metrics() {
    let world = World::new("machines");
    let plain = |path: &str| world.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));

    assert_eq!(plain("/healthz").json()["status"], "ok");
    assert_eq!(plain("/readyz").status, 200);
    let metrics = plain("/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"));
    assert!(String::from_utf8(metrics.body).unwrap().contains("ringback_queue_waiting{queue=\"support\"} 3\n"));
}

#[test]
fn who_never_finishes_a_request_is_put_out_and_the_others_are_served() {
    let world = World::new("slow");
    let mut crowd: Vec<TcpStream> = (0..HTTP_CONNECTIONS + 10)
        .map(|_| {
            let mut stream = TcpStream::connect(world.address).unwrap();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
            stream.set_read_timeout(Some(3 * HTTP_HEAD)).unwrap();
            stream
        })
        .collect();

    // All places are taken by them: this waits until they are put out.
    let served =
        World::try_send(world.address, 5 * HTTP_HEAD, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let put_out = crowd.iter_mut().take(10).all(|stream| stream.read_to_end(&mut Vec::new()).is_ok());

    assert_eq!(served.json()["status"], "ok");
    assert!(put_out);
}

#[test]
fn every_answer_forbids_storing_sniffing_framing_and_scripts() {
    let world = World::new("headers");

    for answer in [world.get("/api/v1/calls"), world.get("/nowhere"), world.get("/healthz")] {
        for header in ["x-content-type-options: nosniff", "cache-control: no-store", "x-frame-options: deny"] {
            assert!(answer.head.contains(header), "{}", answer.head);
        }
        assert!(answer.head.contains("content-security-policy: default-src 'none'"), "{}", answer.head);
    }
}

#[test]
fn lists_are_pages_and_their_filters_are_read_strictly() {
    let world = World::new("lists");

    let page = world.get("/api/v1/callbacks?state=due,talking&state=deferred&queue=support&after=abc&limit=5");
    assert_eq!(page.json(), serde_json::json!({ "items": [], "next": "cursor" }));
    assert_eq!(
        world.last(),
        Command::ListCallbacks {
            states: vec![TaskState::Due, TaskState::Talking, TaskState::Deferred],
            queue: Some("support".into()),
            page: PageOf { after: Some("abc".into()), limit: Some(5) },
        }
    );
    world.get("/api/v1/callbacks?state=lost").is_problem(400, Some("state"));
    world.get("/api/v1/callbacks?sate=due").is_problem(400, Some("sate"));
    world.get("/api/v1/calls?limit=0").is_problem(400, Some("limit"));
    world.get("/api/v1/calls?limit=1&limit=2").is_problem(400, Some("limit"));
    for list in ["queues", "agents", "trunks"] {
        world.get(&format!("/api/v1/{list}?name=x")).is_problem(400, Some("name"));
    }
    assert_eq!(world.get("/api/v1/agents").json()["next"], serde_json::Value::Null);
}

#[test]
fn a_callback_is_asked_for_with_its_idempotency_key() {
    let world = World::new("add");
    let headers = [("Content-Type", "application/json; charset=utf-8"), ("Idempotency-Key", "order-7")];
    let body = r#"{"number":"+12025550123","queue":"support","data":{"order":7}}"#;

    world.ask("POST", "/api/v1/callbacks", &headers, body).is_problem(422, Some("number"));

    let Command::AddCallback(new) = world.last() else { panic!("{:?}", world.last()) };
    assert_eq!(
        *new,
        NewCallback {
            number: "+12025550123".into(),
            queue: Some("support".into()),
            not_before: None,
            profile: None,
            agent: None,
            data: Some(serde_json::json!({ "order": 7 })),
            idempotency_key: Some("order-7".into()),
        }
    );
}

#[test]
fn a_wrong_body_names_the_field_and_never_reaches_the_switch() {
    let world = World::new("bodies");
    let add = "/api/v1/callbacks";

    world.post(add, r#"{"queue":"support"}"#).is_problem(422, Some("number"));
    world.post(add, r#"{"number":"1","numbre":"2"}"#).is_problem(422, Some("numbre"));
    world.post(add, r#"{"number":"1","queue":7}"#).is_problem(422, Some("queue"));
    world.post(add, r#"{"number":"1","not_before":"soon"}"#).is_problem(422, Some("not_before"));
    world.post(add, "[]").is_problem(422, None);
    world.post(add, "{").is_problem(400, None);
    world.ask("POST", add, &[("Content-Type", "text/plain")], "{}").is_problem(415, None);
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "")];
    world.ask("POST", add, &headers, r#"{"number":"1"}"#).is_problem(400, Some("Idempotency-Key"));
    let long = format!(r#"{{"number":"{}"}}"#, "1".repeat(300 * 1024));
    world.post(add, &long).is_problem(413, None);

    assert!(world.asked.lock().unwrap().is_empty());
}

#[test]
fn refusals_of_the_switch_have_their_status() {
    let world = World::new("refusals");
    let id = recording_id();

    world.get(&format!("/api/v1/callbacks/{id}")).is_problem(404, None);
    world.get("/api/v1/callbacks/not-an-id").is_problem(404, None);
    world.get("/api/v1/queues/sales%20team").is_problem(404, None);
    assert_eq!(world.last(), Command::ShowQueue("sales team".into()));
    world.post("/api/v1/agents/anna/pause", r#"{"reason":"lunch"}"#).is_problem(409, None);
    assert_eq!(world.last(), Command::PauseAgent { agent: "anna".into(), reason: Some("lunch".into()) });
    world.ask("POST", "/api/v1/agents/anna/pause", &[], "").is_problem(409, None);
    assert_eq!(world.last(), Command::PauseAgent { agent: "anna".into(), reason: None });
    world.ask("POST", &format!("/api/v1/calls/{id}/hangup"), &[], "").is_problem(503, None);
    assert_eq!(world.ask("POST", "/api/v1/system/drain", &[], "").status, 200);
}

#[test]
fn unknown_paths_and_methods_are_problems_too() {
    let world = World::new("paths");

    world.get("/api/v1/nothing").is_problem(404, None);
    let answer = world.ask("DELETE", "/api/v1/queues", &[], "");
    answer.is_problem(405, None);
    assert!(answer.head.contains("allow: get,head"), "{}", answer.head);
}

#[test]
fn a_recording_is_sent_whole_or_in_part_and_from_its_own_place_only() {
    let world = World::new("audio");
    let id = recording_id();
    let file = world.data.join(recorder::relative_path(id));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let octets: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&file, &octets).unwrap();
    let path = format!("/api/v1/recordings/{id}/audio");

    let whole = world.get(&path);
    let part = world.ask("GET", &path, &[("Range", "bytes=100000-100009")], "");
    let head = world.ask("HEAD", &path, &[], "");

    assert_eq!((whole.status, &whole.body), (200, &octets));
    assert!(whole.head.contains("content-type: audio/wav") && whole.head.contains("content-length: 200000"));
    assert_eq!((part.status, &part.body[..]), (206, &octets[100_000..100_010]));
    assert!(part.head.contains("content-range: bytes 100000-100009/200000"), "{}", part.head);
    assert!(head.body.is_empty() && head.head.contains("content-length: 200000"), "{}", head.head);
    world.ask("GET", &path, &[("Range", "bytes=200000-")], "").is_problem(416, None);
    for path in ["/api/v1/recordings/..%2F..%2Fadmin.token/audio", "/api/v1/recordings/x/audio"] {
        world.get(path).is_problem(404, None);
    }
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    world.get(&path).is_problem(410, None);
}

/// A store of which a backup is sent in several pieces.
fn store(data: &Path) -> Store {
    let (answer, answered) = std::sync::mpsc::channel();
    let opened = Opened::open(data, Limits::default()).unwrap();
    let store = opened.start(move |_, result| answer.send(result.is_ok()).unwrap());
    let changes = (1..=200).map(|n| {
        let (id, number) = (TaskId(ulid::Ulid::from_parts(n, 0)), Party::from("+12025550123".to_owned()));
        let mut task = Task::new(id, Source::Api, "standard".into(), "support".into(), number, Utc::now());
        task.data = Some(Box::new("x".repeat(1_000).into()));
        Change::PutTask(Box::new(task))
    });
    store.commit(CommitRef(1), changes.collect()).unwrap();
    assert!(answered.recv_timeout(Duration::from_secs(20)).unwrap());
    store
}

// However long it takes: no other answer may begin so late. Whoever breaks off has no backup, and what was kept for
// one stays.
#[test]
fn a_backup_takes_its_time_and_counts_when_its_last_octet_has_been_handed_out() {
    let data = folder("backup");
    let store = store(&data);
    let (noted, kept) = (data.join("store/backed-up"), data.join(format!("store/kept/{:020}.seg", 1)));
    std::fs::create_dir(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, "").unwrap();
    let is_as_it_was = || kept.exists() && !noted.exists();
    let (commands, mut questions) = Commands::pair();
    let site = site(&data, commands, Backups::new(store.snapshots()));
    let served = TowerToHyperService::new(web::router(site, Duration::ZERO));
    let ask = |method: &str, path: &str| {
        let request = hyper::Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {TOKEN}")).body(axum::body::Body::empty());
        served.call(request.unwrap())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    runtime.block_on(async {
        tokio::spawn(async move {
            let mut unanswered = Vec::new();
            while let Some(question) = questions.recv().await {
                match question.command {
                    Command::Note(_) => drop(question.answer.send(Reply::Stored)),
                    _ => unanswered.push(question),
                }
            }
        });
        assert_eq!(ask("GET", "/api/v1/callbacks").await.unwrap().status(), 408);
        let mut broken_off = ask("POST", "/api/v1/store/backup").await.unwrap();
        assert_eq!(broken_off.status(), 200);
        let first = broken_off.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        drop(broken_off);
        let whole = ask("POST", "/api/v1/store/backup").await.unwrap();
        assert!(is_as_it_was());

        let octets = whole.into_body().collect().await.unwrap().to_bytes();

        assert!(first.len() < octets.len() && octets.len() > 200 * 1_000);
        let done = async {
            while kept.exists() || !noted.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), done).await.expect("it counts");
    });
    drop(store);
    drop(std::fs::remove_dir_all(&data));
}

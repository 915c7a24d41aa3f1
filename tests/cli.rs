//! The command line as a process: what it prints, and with which code it ends. The server is a few canned answers.

#![cfg(feature = "shell")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;

/// A data directory that goes away.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Data {
        let path = std::env::temp_dir().join(format!("ringback-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("admin.token"), "0123456789abcdef0123456789abcdef\n").unwrap();
        Data(path)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ringback(data: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringback"))
        .args(words)
        .arg("--data")
        .arg(data)
        .env_remove("RINGBACK_SERVER")
        .env_remove("RINGBACK_CONFIG")
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Serves these answers, one connection each, and hands back what was asked: the first line and the body.
fn server(data: &Data, answers: &[(u16, &'static str)]) -> mpsc::Receiver<(String, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(data.0.join("admin.address"), format!("http://{}\n", listener.local_addr().unwrap())).unwrap();
    let (asked, heard) = mpsc::channel();
    let answers = answers.to_vec();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_owned());
            }
            let header = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name).map(str::trim));
            let mut content = vec![0; header("content-length:").map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut content).unwrap();
            assert_eq!(header("authorization:"), Some("Bearer 0123456789abcdef0123456789abcdef"));
            asked.send((lines[0].clone(), String::from_utf8(content).unwrap())).unwrap();
            let length = body.len();
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                .unwrap();
        }
    });
    heard
}

#[test]
fn a_server_that_is_not_there_ends_with_4_and_the_way_out() {
    let data = Data::new("nobody");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");

    let output = ringback(&data.0, &["queue", "show", "--server", &url]);

    assert_eq!(code(&output), 4, "{}", err(&output));
    assert!(err(&output).contains("start it with `ringback serve`"), "{}", err(&output));
    assert_eq!(err(&output).lines().count(), 1);
}

#[test]
fn without_a_token_it_says_where_one_is_made() {
    let data = Data::new("no-token");
    std::fs::remove_file(data.0.join("admin.token")).unwrap();

    let output = ringback(&data.0, &["agent", "list"]);

    assert_eq!(code(&output), 4);
    assert!(err(&output).contains("--data"), "{}", err(&output));
}

#[test]
fn a_queue_is_shown_with_everybody_who_waits() {
    let data = Data::new("queue");
    let heard = server(
        &data,
        &[(
            200,
            r#"{"name":"support","number":"5000","waiting_count":2,"live_count":1,"longest_wait_secs":65,
                "agents":[["anna","ready"]],"waiting":[
                {"position":1,"number":"+12025550123","kind":"callback","wait_secs":3725,"callback":"01A","call":null},
                {"position":2,"number":"\u001b[31m+1","kind":"live","wait_secs":65,"callback":null,"call":"01B"}]}"#,
        )],
    );

    let output = ringback(&data.0, &["queue", "show", "sup/port"]);

    assert_eq!(code(&output), 0, "{}", err(&output));
    assert_eq!(heard.recv().unwrap().0, "GET /api/v1/queues/sup%2Fport HTTP/1.1");
    let shown = out(&output);
    assert!(shown.contains("agents  anna ready\n"), "{shown}");
    assert!(shown.contains("1      +12025550123  callback  1:02:05  01A\n"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn pages_are_followed_to_the_end_of_the_list() {
    let data = Data::new("pages");
    let heard = server(
        &data,
        &[
            (200, r#"{"items":[{"id":"01A","number":{"number":"+12025550123"},"state":"due"}],"next":"01A"}"#),
            (200, r#"{"items":[{"id":"01B","number":"1001","state":"due"}],"next":null}"#),
        ],
    );

    let output = ringback(&data.0, &["callback", "list", "--state", "due", "--json"]);

    assert_eq!(code(&output), 0, "{}", err(&output));
    assert_eq!(heard.recv().unwrap().0, "GET /api/v1/callbacks?state=due&limit=500 HTTP/1.1");
    assert_eq!(heard.recv().unwrap().0, "GET /api/v1/callbacks?state=due&limit=500&after=01A HTTP/1.1");
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!(list["next"], serde_json::Value::Null);
}

#[test]
fn what_the_server_refuses_is_told_in_its_words_and_ends_with_1() {
    let data = Data::new("refused");
    let _heard = server(&data, &[(422, r#"{"title":"Unprocessable","detail":"it is no number","field":"number"}"#)]);

    let output = ringback(&data.0, &["callback", "add", "x"]);

    assert_eq!(code(&output), 1);
    assert_eq!(err(&output), "ringback: it is no number\n");
}

#[test]
fn a_callback_is_added_with_what_was_said() {
    let data = Data::new("add");
    let heard = server(&data, &[(201, r#"{"id":"01A","number":{"number":"+12025550123"},"state":"pending"}"#)]);

    let words = ["callback", "add", "+12025550123", "--queue", "support", "--attach", "{\"ticket\":7}"];
    let output = ringback(&data.0, &words);

    assert_eq!(code(&output), 0, "{}", err(&output));
    let (line, body) = heard.recv().unwrap();
    assert_eq!(line, "POST /api/v1/callbacks HTTP/1.1");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, serde_json::json!({ "number": "+12025550123", "queue": "support", "data": { "ticket": 7 } }));
}

#[test]
fn what_is_done_for_some_ends_with_5() {
    let data = Data::new("partly");
    let _heard = server(&data, &[(200, "{}"), (404, r#"{"detail":"there is no callback \"01B\""}"#)]);

    let output = ringback(&data.0, &["callback", "cancel", "01A", "01B"]);

    assert_eq!(code(&output), 5);
    assert_eq!(out(&output), "01A cancelled\n");
    assert!(err(&output).contains("01B: there is no callback"), "{}", err(&output));
}

#[test]
fn a_recording_is_fetched_whole_or_not_at_all() {
    let data = Data::new("recording");
    let _heard = server(&data, &[(200, "RIFF"), (404, "")]);
    let file = data.0.join("call.wav");
    let gone = data.0.join("gone.wav");

    let fetched = ringback(&data.0, &["recording", "get", "01A", "-o", file.to_str().unwrap()]);
    let missing = ringback(&data.0, &["recording", "get", "01B", "-o", gone.to_str().unwrap()]);

    assert_eq!((code(&fetched), code(&missing)), (0, 1));
    assert_eq!(std::fs::read(&file).unwrap(), b"RIFF");
    assert!(!gone.exists() && !data.0.join("gone.wav.part").exists());
}

#[test]
fn check_ends_with_3_and_names_file_line_and_column() {
    let data = Data::new("check");
    let file = data.0.join("site.toml");
    std::fs::write(&file, "[server]\nsip_upd = 1\n").unwrap();

    let wrong = ringback(&data.0, &["check", file.to_str().unwrap()]);
    std::fs::write(&file, "[server]\nrealm = \"x\"\n").unwrap();
    let right = ringback(&data.0, &["check", file.to_str().unwrap(), "--json"]);
    let absent = ringback(&data.0, &["check", "nowhere.toml"]);
    std::fs::write(&file, b"[server]\nrealm = \"\xff\"\n").unwrap();
    let latin = ringback(&data.0, &["check", file.to_str().unwrap()]);

    let path = file.display();
    let told = format!("{path}:2:1: unknown key \"sip_upd\" in server; did you mean \"sip_udp\"?\n{path}: 1 error\n");
    assert_eq!((code(&wrong), out(&wrong)), (3, told));
    let json: serde_json::Value = serde_json::from_slice(&right.stdout).unwrap();
    assert_eq!((code(&right), &json["ok"], &json["errors"]), (0, &true.into(), &0.into()));
    assert_eq!((code(&absent), code(&latin)), (3, 3));
    assert!(out(&latin).contains("site.toml:2:10: here is an octet that is not UTF-8"), "{}", out(&latin));
}

#[test]
fn serve_with_a_wrong_file_ends_with_3_before_anything_is_touched() {
    let data = Data::new("serve-wrong");
    let file = data.0.join("site.toml");
    std::fs::write(&file, "[server]\nsip_tcp = \"0.0.0.0:5060\"\n").unwrap();

    let output = ringback(&data.0, &["serve", "--config", file.to_str().unwrap()]);

    assert_eq!(code(&output), 3);
    assert!(err(&output).contains("site.toml:2:11: server.sip_tcp: SIP over TCP is not in this version"));
    assert!(!data.0.join("store").exists());
}

#[test]
fn usage_errors_end_with_2() {
    let data = Data::new("usage");

    assert_eq!(code(&ringback(&data.0, &["frobnicate"])), 2);
    assert_eq!(code(&ringback(&data.0, &["serve", "--sip-udp", "127.0.0.1:20500"])), 2);
    assert_eq!(code(&ringback(&data.0, &["call", "list", "--server", "pbx"])), 2);
}

#[test]
fn secrets_come_from_the_file_or_from_the_data_directory() {
    let data = Data::new("secret");
    let file = data.0.join("site.toml");
    std::fs::write(&file, "[[agent]]\nname = \"anna\"\nextension = \"1001\"\nsecret = \"long-random\"\n").unwrap();
    let site = file.to_str().unwrap();

    let named = ringback(&data.0, &["agent", "secret", "anna", "--config", site]);
    let dialled = ringback(&data.0, &["agent", "secret", "1001", "--config", site]);
    let unknown = ringback(&data.0, &["agent", "secret", "ben", "--config", site]);
    let before = ringback(&data.0, &["agent", "secret", "1001"]);

    assert_eq!((out(&named), out(&dialled)), ("long-random\n".into(), "long-random\n".into()));
    assert_eq!((code(&unknown), code(&before)), (1, 1));
    assert!(err(&before).contains("start `ringback` once"), "{}", err(&before));
}

/// The line of a doctor's finding.
fn finding<'a>(told: &'a str, what: &str) -> &'a str {
    let mut lines = told.lines();
    let found = lines.find(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ").starts_with(what));
    found.unwrap_or_else(|| panic!("nothing about {what}: {told}"))
}

#[test]
fn the_doctor_says_what_is_well_what_is_wrong_and_how_it_is_mended() {
    let data = Data::new("doctor");
    let file = data.0.join("site.toml");
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = |http: &str, more: &str| {
        let server =
            "[server]\nsip_udp = \"127.0.0.1:0\"\nmedia_address = \"127.0.0.1\"\nmedia_ports = \"21110-21119\"\n";
        std::fs::write(&file, format!("{server}http = \"{http}\"\npublic_address = \"192.0.2.10\"\n{more}")).unwrap();
        ringback(&data.0, &["doctor", "--config", file.to_str().unwrap()])
    };

    let healthy = site("127.0.0.1:0", "");
    assert_eq!(code(&healthy), 0, "{}", out(&healthy));
    assert!(!out(&healthy).contains("wrong"), "{}", out(&healthy));
    assert!(finding(&out(&healthy), "media").ends_with("10 of the 10 ports 127.0.0.1:21110-21119 are free"));

    let trunk = "[[trunk]]\nname = \"carrier\"\nmode = \"peer\"\nhost = \"nowhere.invalid\"\n";
    let taken = held.local_addr().unwrap().to_string();
    let ill = site(&taken, trunk);
    let told = out(&ill);
    assert_eq!(code(&ill), 1, "{told}");
    assert!(finding(&told, "sip").starts_with("ok "), "{told}");
    let http = finding(&told, "http");
    assert!(http.starts_with("wrong ") && http.contains(&taken) && http.contains("--http (server.http)"), "{http}");
    assert!(finding(&told, "dns carrier").contains("nowhere.invalid is not found"), "{told}");
    assert!(finding(&told, "numbers").ends_with("only extensions can be called: set system.default_country"), "{told}");
    let open = out(&site("0.0.0.0:0", ""));
    assert!(finding(&open, "tls").contains("in clear: keep server.http on loopback"), "{open}");

    let json = ringback(&data.0, &["doctor", "--json", "--config", file.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["ok"], &json["findings"][0]["what"]), (&false.into(), &"site".into()));
    let wrong = site("127.0.0.1:0", "realm = 1\n");
    assert_eq!(code(&wrong), 3, "{}", err(&wrong));
    assert!(err(&wrong).contains("site.toml:"), "{}", err(&wrong));
}

#[test]
fn the_doctor_asks_the_switch_that_runs() {
    let data = Data::new("doctor-running");
    let trunks = r#"{"items":[{"name":"carrier","state":"down","reason":"no answer to OPTIONS"}],"next":null}"#;
    let _heard = server(&data, &[(200, trunks)]);

    let told = out(&ringback(&data.0, &["doctor"]));

    assert!(finding(&told, "ports").contains("a switch runs"), "{told}");
    let trunk = finding(&told, "trunk carrier");
    assert!(trunk.starts_with("wrong ") && trunk.contains("down (no answer to OPTIONS): see"), "{trunk}");
}

#[test]
fn the_doctor_notices_a_clock_that_was_set_back() {
    let data = Data::new("doctor-clock");
    let token = std::fs::File::open(data.0.join("admin.token")).unwrap();
    token.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(3_600)).unwrap();

    let told = out(&ringback(&data.0, &["doctor", "--sip-udp", "127.0.0.1:0", "--http", "127.0.0.1:0"]));

    let clock = finding(&told, "clock");
    assert!(clock.starts_with("wrong ") && clock.contains("s behind what was written last: set it"), "{clock}");
}

#[test]
fn a_trunk_that_does_not_answer_ends_with_1() {
    let data = Data::new("trunk-test");
    let heard = server(
        &data,
        &[
            (200, r#"{"name":"carrier","answered":true,"status":200,"told":"200 OK","took_ms":12}"#),
            (200, r#"{"name":"carrier","answered":false,"status":null,"told":"no answer","took_ms":32000}"#),
        ],
    );

    let there = ringback(&data.0, &["trunk", "test", "carrier"]);
    let silent = ringback(&data.0, &["trunk", "test", "carrier"]);

    assert_eq!(heard.recv().unwrap().0, "POST /api/v1/trunks/carrier/test HTTP/1.1");
    assert_eq!((code(&there), out(&there)), (0, "carrier: 200 OK after 12 ms\n".to_owned()));
    assert_eq!((code(&silent), out(&silent)), (1, "carrier: no answer after 32000 ms\n".to_owned()));
}

// Whoever has named the wrong data directory, or one whose store cannot be read, tries again with the same words.
#[test]
fn an_export_that_fails_leaves_no_file_in_the_way() {
    let data = Data::new("export");
    let file = data.0.join("store.jsonl");
    let export = || ringback(&data.0, &["store", "export", file.to_str().unwrap()]);

    let nowhere = export();
    assert!(code(&nowhere) == 1 && err(&nowhere).contains("name another with --data"), "{}", err(&nowhere));
    assert!(!file.exists());
    std::fs::create_dir(data.0.join("store")).unwrap();
    std::fs::write(data.0.join("store/journal"), "no folder").unwrap();
    let unreadable = export();
    assert!(code(&unreadable) == 1 && !file.exists(), "{}", err(&unreadable));
    std::fs::remove_file(data.0.join("store/journal")).unwrap();
    std::fs::create_dir(data.0.join("store/journal")).unwrap();

    let done = export();

    assert!(code(&done) == 0 && err(&done).contains("0 records written"), "{}", err(&done));
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2);
    assert_eq!(code(&export()), 1, "what was exported is not written over");
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2);
}

#[test]
fn an_agent_of_the_embedded_site_gets_a_new_secret() {
    use std::os::unix::fs::PermissionsExt;
    let data = Data::new("new-secret");
    let before = ringback(&data.0, &["agent", "secret", "1001", "--new"]);
    assert!(code(&before) == 1 && err(&before).contains("start `ringback` once"), "{}", err(&before));
    let kept = data.0.join("default-secrets");
    std::fs::write(&kept, "1001 abcdefghijkmnpqrstuv\n1002 vutsrqpnmkjihgfedcba\n").unwrap();

    let renewed = ringback(&data.0, &["agent", "secret", "1001", "--new"]);
    let unknown = ringback(&data.0, &["agent", "secret", "1003", "--new"]);
    let mixed = ringback(&data.0, &["agent", "secret", "1001", "--new", "--config", "site.toml"]);

    let secret = out(&renewed);
    assert!(code(&renewed) == 0 && secret.len() == 21 && secret != "abcdefghijkmnpqrstuv\n", "{secret}");
    assert_eq!(out(&ringback(&data.0, &["agent", "secret", "1001"])), secret);
    assert_eq!(out(&ringback(&data.0, &["agent", "secret", "1002"])), "vutsrqpnmkjihgfedcba\n");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((code(&unknown), code(&mixed)), (1, 2));
    assert!(err(&unknown).contains("there are: 1001, 1002"), "{}", err(&unknown));
}

//! The real binary from its first start to its end: what it tells, what it refuses, and that it goes when it is asked.

#![cfg(feature = "shell")]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long an end may take on a busy machine.
const BOUND: Duration = Duration::from_secs(30);
/// How long a start may take without optimisation; with nothing else to do it is a quarter of a second.
const READY: Duration = Duration::from_secs(5);

/// A data directory that goes away.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Data {
        Data(std::env::temp_dir().join(format!("ringback-start-{name}-{}", std::process::id())))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A switch that ends with its test.
struct Switch {
    child: Child,
    /// What it said at its start.
    said: String,
}

impl Switch {
    /// Starts on free ports and waits for the last line of the start text.
    fn start(data: &Path) -> Switch {
        let words = ["serve", "--sip-udp", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        let begun = Instant::now();
        let child = ringback(data, &words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut switch = Switch { child, said: String::new() };
        let out = BufReader::new(switch.child.stdout.take().unwrap());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)).ok();
        });
        while !switch.said.contains("\nCtrl-C ends it") {
            let line = told.recv_timeout(BOUND).unwrap_or_else(|_| panic!("it did not start:\n{}", switch.said));
            switch.said.push_str(&line);
            switch.said.push('\n');
        }
        assert!(begun.elapsed() < READY, "ready only after {:?}", begun.elapsed());
        switch
    }

    /// Waits for the end; its exit code.
    fn end(mut self) -> Option<i32> {
        let (tell, told) = mpsc::channel();
        let pid = self.child.id();
        std::thread::scope(|scope| {
            let child = &mut self.child;
            scope.spawn(move || tell.send(child.wait().ok().and_then(|status| status.code())));
            told.recv_timeout(BOUND).unwrap_or_else(|_| {
                signal(pid, "KILL");
                None
            })
        })
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(pid: u32, name: &str) {
    Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
}

fn ringback(data: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.args(words).arg("--data").arg(data);
    for name in ["CONFIG", "DATA", "HTTP", "MEDIA_PORTS", "PUBLIC_ADDRESS", "SERVER", "SIP_UDP"] {
        command.env_remove(format!("RINGBACK_{name}"));
    }
    command
}

fn asked(data: &Path, words: &[&str]) -> Output {
    ringback(data, words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The last line on standard error: the sentence about the failure, after the log.
fn sentence(output: &Output) -> String {
    text(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn the_first_start_shows_the_secrets_once_and_a_drain_ends_it_well() {
    let data = Data::new("first");

    let switch = Switch::start(&data.0);
    let first = switch.said.clone();
    let secret = text(&asked(&data.0, &["agent", "secret", "1001"]).stdout);
    let queues = asked(&data.0, &["queue", "show"]);
    let drained = asked(&data.0, &["drain"]);
    let code = switch.end();
    let again = Switch::start(&data.0);
    signal(again.child.id(), "HUP");
    let after_hangup = asked(&data.0, &["queue", "show"]);
    signal(again.child.id(), "TERM");
    let second = again.said.clone();

    assert!(first.contains(&format!("  1001  {secret}")), "{first}");
    assert!(first.contains("*46") && first.contains("admin.token"), "{first}");
    assert!(text(&queues.stdout).contains("support"), "{}", text(&queues.stderr));
    assert_eq!((drained.status.code(), code), (Some(0), Some(0)));
    assert_eq!(after_hangup.status.code(), Some(0), "a closed terminal ends nothing");
    assert!(!second.contains(secret.trim()), "{second}");
    assert_eq!(again.end(), Some(0), "SIGTERM drains, and with no calls that is at once");
    assert!(!data.0.join("admin.address").exists());
}

/// Recordings of faults in a data directory, as soon as there are so many.
#[cfg(any(debug_assertions, feature = "interop"))]
fn faults(data: &Path, many: usize) -> usize {
    let begun = Instant::now();
    loop {
        let files = std::fs::read_dir(data.join("faults")).into_iter().flatten().map(|entry| entry.unwrap().path());
        let there = files.filter(|path| path.extension().is_some_and(|ending| ending == "flight")).count();
        if there >= many || begun.elapsed() > BOUND {
            return there;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

// Three faults within an hour cost three calls; with a fourth the process ends, and its supervisor knows by the code
// that it is to start it anew.
#[cfg(any(debug_assertions, feature = "interop"))]
#[test]
fn the_fourth_fault_within_an_hour_ends_the_process_as_a_failure_and_the_next_start_is_well() {
    let data = Data::new("faults");
    let switch = Switch::start(&data.0);
    let added = asked(&data.0, &["callback", "add", "1002", "--queue", "support"]);
    assert_eq!(added.status.code(), Some(0), "{}", sentence(&added));

    for fault in 1..4 {
        signal(switch.child.id(), "USR2");
        asked(&data.0, &["queue", "show"]); // The next input, if nothing else is.
        assert_eq!(faults(&data.0, fault), fault);
        assert_eq!(asked(&data.0, &["queue", "show"]).status.code(), Some(0), "after fault {fault} it goes on");
    }
    signal(switch.child.id(), "USR2");
    asked(&data.0, &["queue", "show"]);

    assert_eq!(switch.end(), Some(1));
    assert_eq!(faults(&data.0, 4), 4);
    let _again = Switch::start(&data.0);
    let kept = text(&asked(&data.0, &["callback", "list"]).stdout);
    assert!(kept.contains("1002"), "{kept}");
}

#[test]
fn a_second_process_on_one_data_directory_is_refused_with_the_pid_of_the_first() {
    let data = Data::new("second");
    let switch = Switch::start(&data.0);

    let refused = asked(&data.0, &["serve", "--sip-udp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);

    assert_eq!(refused.status.code(), Some(1));
    let said = sentence(&refused);
    assert!(said.contains(&switch.child.id().to_string()), "{said}");
    assert_eq!(asked(&data.0, &["queue", "show"]).status.code(), Some(0), "the first still answers");
}

#[test]
fn a_taken_port_is_named_with_the_setting_that_changes_it() {
    let data = Data::new("port");
    let sip = UdpSocket::bind("127.0.0.1:0").unwrap();
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let [sip_taken, http_taken] = [sip.local_addr().unwrap(), http.local_addr().unwrap()].map(|at| at.to_string());

    let no_sip = asked(&data.0, &["serve", "--sip-udp", &sip_taken, "--http", "127.0.0.1:0"]);
    let no_http = asked(&data.0, &["serve", "--sip-udp", "127.0.0.1:0", "--http", &http_taken]);

    assert_eq!((no_sip.status.code(), no_http.status.code()), (Some(1), Some(1)));
    assert!(sentence(&no_sip).contains("--sip-udp"), "{}", sentence(&no_sip));
    assert!(sentence(&no_http).contains("--http"), "{}", sentence(&no_http));
    assert!(!data.0.join("default-secrets").exists(), "secrets nobody has seen are not kept");
}

#[test]
fn a_backup_of_the_running_switch_becomes_the_store_of_another_directory() {
    let (data, other) = (Data::new("backup"), Data::new("restored"));
    let (backup, key) = (data.0.join("monday.backup"), data.0.join("backup.key").display().to_string());
    let file = backup.display().to_string();
    let callbacks = |data: &Path| {
        let listed: Value = serde_json::from_slice(&asked(data, &["callback", "list", "--json"]).stdout).unwrap();
        let items = listed["items"].as_array().unwrap().iter();
        items.map(|it| (it["id"].to_string(), it["created_at"].to_string())).collect::<Vec<_>>()
    };

    let switch = Switch::start(&data.0);
    let added = asked(&data.0, &["callback", "add", "1002", "--queue", "support"]);
    assert_eq!(added.status.code(), Some(0), "{}", sentence(&added));
    let (made, looked) = (asked(&data.0, &["backup", &file]), asked(&data.0, &["store", "verify"]));
    let twice = asked(&data.0, &["backup", &file]);
    let held = asked(&data.0, &["restore", &file, "--replace"]);
    let before = callbacks(&data.0);
    signal(switch.child.id(), "TERM");
    assert_eq!(switch.end(), Some(0));

    assert_eq!(made.status.code(), Some(0), "{}", sentence(&made));
    assert!(text(&made.stdout).contains("backup.key"), "{}", text(&made.stdout));
    let looked = (looked.status.code(), text(&looked.stdout));
    assert!(looked.0 == Some(0) && looked.1.contains("not looked at: process"), "{looked:?}");
    assert!(twice.status.code() == Some(1) && sentence(&twice).contains("already"), "{}", sentence(&twice));
    assert!(held.status.code() == Some(1) && sentence(&held).contains("stop it first"), "{}", sentence(&held));
    let no_key = asked(&other.0, &["restore", &file]);
    assert!(no_key.status.code() == Some(1) && sentence(&no_key).contains("--key"), "{}", sentence(&no_key));
    assert_eq!(asked(&other.0, &["restore", &file, "--key", &key, "--verify"]).status.code(), Some(0));
    let restored = asked(&other.0, &["restore", &file, "--key", &key]);
    assert_eq!(restored.status.code(), Some(0), "{}", sentence(&restored));
    let verified = asked(&other.0, &["store", "verify"]);
    assert!(text(&verified.stdout).ends_with("all well\n"), "{}", text(&verified.stdout));
    let switch = Switch::start(&other.0);
    assert!(before.len() == 1 && callbacks(&other.0) == before, "{before:?}");
    drop(switch);
    // What the last segment lacks is named, and nobody is told that all is well.
    let newest = std::fs::read_dir(other.0.join("store/journal")).unwrap().map(|it| it.unwrap().path());
    let newest = newest.filter(|path| path.extension().is_some_and(|it| it == "seg")).min().unwrap();
    let mut octets = std::fs::read(&newest).unwrap();
    octets[100] ^= 1;
    std::fs::write(&newest, octets).unwrap();
    let damaged = asked(&other.0, &["store", "verify"]);
    let name = newest.file_name().unwrap().to_string_lossy().into_owned();
    assert!(damaged.status.code() == Some(1) && text(&damaged.stdout).contains(&name), "{}", text(&damaged.stdout));
}

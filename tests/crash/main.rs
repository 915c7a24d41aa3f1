//! The real binary under `kill -9` and failing storage: whatever was acknowledged is there in the next life, once.
//!
//! Programs ask for callbacks as fast as the API answers, while the process is killed at a random instant, killed at
//! one chosen system call of its storage (strace), or told by the kernel that a write or a sync has failed.
//! `RINGBACK_KILLS` says how often it is killed at random.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a start or an end may take on a busy machine.
const BOUND: Duration = Duration::from_secs(60);
/// Programs that ask at the same time.
const ASKERS: usize = 4;

const SITE: &str = r#"
[system]
default_country = "US"
default_timezone = "America/New_York"
[[agent]]
name = "anna"
extension = "1001"
secret = "long-and-random"
[[trunk]]
name = "carrier"
mode = "peer"
host = "127.0.0.1"
port = 9
options_ping_secs = 0
[[caller_id]]
label = "Main Line"
number = "+12025550100"
trunk = "carrier"
[[outbound_route]]
prefix = "+"
trunks = ["carrier"]
[[queue]]
name = "support"
number = "5000"
members = [{ agent = "anna" }]
[[callback_profile]]
name = "standard"
caller_id = "Main Line"
"#;

/// A data directory that goes away, and what was acknowledged in it.
struct World {
    folder: PathBuf,
    asked: AtomicU64,
    /// By number, which nobody asks for twice: the callback's id.
    acknowledged: Mutex<BTreeMap<String, String>>,
}

impl World {
    fn new(name: &str) -> World {
        let folder = std::env::temp_dir().join(format!("ringback-crash-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("site.toml"), SITE).unwrap();
        World { folder, asked: AtomicU64::new(0), acknowledged: Mutex::default() }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the switch, under `before` when there is such a command. `None`: it died before it was ready.
    fn start(&self, before: &[&str]) -> Option<Server> {
        drop(std::fs::remove_file(self.data().join("admin.address"))); // Of the life before.
        let binary = env!("CARGO_BIN_EXE_ringback");
        let words: Vec<&str> = before.iter().copied().chain([binary, "serve"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("--config").arg(self.folder.join("site.toml")).arg("--data").arg(self.data());
        command.args(["--sip-udp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        // A group of its own: whoever kills strace has to kill what it traces.
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let child = command.process_group(0).stdout(Stdio::piped()).stderr(log).spawn().expect("it can be started");
        let mut server = Server { child, address: String::new(), token: String::new() };
        let out = BufReader::new(server.child.stdout.take().unwrap());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)).ok());
        loop {
            match told.recv_timeout(BOUND) {
                Ok(line) if line.contains("Ctrl-C ends it") => break,
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it neither starts nor ends"),
            }
        }
        let read = |name: &str| std::fs::read_to_string(self.data().join(name)).ok();
        let address = read("admin.address")?;
        server.address = address.trim().strip_prefix("http://")?.to_owned();
        server.token = read("admin.token")?.trim().to_owned();
        Some(server)
    }

    /// Asks for callbacks until one is not answered, or so many were; how many were refused.
    fn ask(&self, server: &Server, most: u64) -> u64 {
        let mut refused = 0;
        for _ in 0..most {
            let number = format!("+1202{:07}", 5_560_000 + self.asked.fetch_add(1, Ordering::Relaxed));
            let body = format!(r#"{{"number":"{number}","queue":"support","profile":"standard"}}"#);
            match server.request("POST", "/callbacks", &body) {
                Some((201, answer)) => {
                    let id = serde_json::from_str::<serde_json::Value>(&answer).unwrap()["id"].to_string();
                    self.acknowledged.lock().unwrap().insert(number, id);
                }
                Some((503, _)) => refused += 1,
                Some((status, answer)) => panic!("{number}: {status} {answer}"),
                None => break,
            }
        }
        refused
    }

    /// Asks from several sides at once, for ever, until `then` is done.
    fn under_load(&self, server: &Server, then: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            for _ in 0..ASKERS {
                scope.spawn(|| self.ask(server, u64::MAX));
            }
            scope.spawn(then);
        });
    }

    /// A life that looks whether everything acknowledged is there, once and open, and that is told to end.
    fn check(&self, what: &str) {
        let mut server = self.start(&[]).unwrap_or_else(|| panic!("{what}: it does not open: {}", self.log()));
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let (status, page) = server.request("GET", &format!("/callbacks?limit=500{after}"), "").expect("an answer");
            assert_eq!(status, 200, "{what}: {page}");
            let page: serde_json::Value = serde_json::from_str(&page).unwrap();
            for task in page["items"].as_array().unwrap() {
                assert!(task["close_reason"].is_null(), "{what}: {task}");
                found.entry(task["number"].as_str().unwrap().to_owned()).or_default().push(task["id"].to_string());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        for (number, id) in self.acknowledged.lock().unwrap().iter() {
            assert_eq!(found.get(number), Some(&vec![id.clone()]), "{what}: {number} was promised\n{}", self.log());
        }
        assert!(found.values().all(|ids| ids.len() == 1), "{what}: a number is promised twice");
        server.signal("TERM");
        assert_eq!(server.end(), Some(0), "{what}: {}", self.log());
        let verified = Command::new(env!("CARGO_BIN_EXE_ringback"))
            .args(["store", "verify", "--data"])
            .arg(self.data())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success() && said.ends_with("all well\n"), "{what}: {said}\n{}", self.log());
        drop(std::fs::remove_file(self.folder.join("log"))); // What follows is about the next life.
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn promised(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A running switch, and whatever it runs under.
struct Server {
    child: Child,
    address: String,
    token: String,
}

impl Server {
    /// Status and body; `None` once nobody answers.
    fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(BOUND)).ok()?;
        let (length, token) = (body.len(), &self.token);
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.1\r\nHost: pbx\r\nAuthorization: Bearer {token}\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-s", name, "--", &group]).stderr(Stdio::null()).status());
    }

    fn end(&mut self) -> Option<i32> {
        let until = Instant::now() + BOUND;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("KILL");
        drop(self.child.wait());
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kills_at_random_instants() {
    let kills: u64 = std::env::var("RINGBACK_KILLS").map_or(40, |text| text.parse().expect("a number of kills"));
    let world = World::new("random");
    let mut entropy = ringback::entropy::Entropy::from_seed(4);

    for kill in 0..kills {
        // Some die while they open, the others under load.
        let wait = Duration::from_micros(entropy.below(if kill % 4 == 0 { 60_000 } else { 400_000 }));
        if kill % 4 == 0 {
            let child = Command::new(env!("CARGO_BIN_EXE_ringback"))
                .args(["serve", "--sip-udp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--config"])
                .arg(world.folder.join("site.toml"))
                .arg("--data")
                .arg(world.data())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let mut child = child.unwrap();
            std::thread::sleep(wait);
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            let server = world.start(&[]).unwrap_or_else(|| panic!("kill {kill}: {}", world.log()));
            world.under_load(&server, || {
                std::thread::sleep(wait);
                server.signal("KILL");
            });
        }
        if kill % 5 == 4 || kill + 1 == kills {
            world.check(&format!("kill {kill}"));
        }
    }
    println!("{kills} kills: {} promises, all there, none twice", world.promised());
    assert!(world.promised() as u64 > kills);
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill_at_a_system_call_of_the_storage() {
    let mut points = 0;
    for call in ["fallocate", "fdatasync", "fsync", "ftruncate", "mkdir", "pwrite64", "rename", "unlink"] {
        let world = World::new(call);
        for when in [1, 2, 3, 5, 8, 13, 21] {
            let inject = format!("inject={call}:signal=SIGKILL:when={when}");
            let trace = format!("trace={call}");
            let quiet = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            if let Some(server) = world.start(&quiet) {
                world.ask(&server, 8);
                points += u32::from(server.request("GET", "/queues", "").is_none());
            } else {
                points += 1;
            }
            world.check(&format!("{call} {when}"));
        }
        assert!(world.promised() > 0, "{call}");
    }
    println!("killed at {points} chosen system calls");
    assert!(points >= 12, "only {points} of the chosen system calls came");
}

#[test]
fn nothing_acknowledged_is_lost_by_kills_while_the_disk_is_slow() {
    let world = World::new("slow");
    // Whoever answered before the write would be found out: it comes a fifth of a second later.
    for call in ["pwrite64", "fdatasync"] {
        let inject = format!("inject={call}:delay_enter=200000:when=8+");
        let trace = format!("trace={call}");
        for kill in 0..3 {
            let under = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let what = format!("{call} {kill}");
            let server = world.start(&under).unwrap_or_else(|| panic!("{what}: {}", world.log()));
            world.under_load(&server, || {
                std::thread::sleep(Duration::from_millis(2_050 + 170 * kill));
                server.signal("KILL");
            });
            world.check(&what);
        }
    }
    println!("{} promises on a slow disk", world.promised());
    assert!(world.promised() > 12);
}

#[test]
fn a_disk_that_fails_for_a_while_costs_no_promise_and_comes_back() {
    // Each call of one thread is counted for itself: the writer's are hit once it has written a few commits.
    for (call, error) in [("fdatasync", "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "EIO"), ("fallocate", "ENOSPC")] {
        let world = World::new(&format!("{call}-{error}"));
        let inject = format!("inject={call}:error={error}:when=6..8");
        let trace = format!("trace={call}");
        let mut server = world
            .start(&["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject])
            .unwrap_or_else(|| panic!("{call} {error}: {}", world.log()));
        let (begun, mut refused, mut row) = (Instant::now(), 0, 0);
        // It has come back when it has stored twenty in a row.
        while row < 20 {
            assert!(begun.elapsed() < BOUND, "{call} {error}: it never came back: {}", world.log());
            let now = world.ask(&server, 1);
            refused += now;
            row = if now == 0 { row + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(if now == 0 { 1 } else { 100 }));
        }
        println!("{call} {error}: {refused} refused, {} promised", world.promised());
        server.signal("TERM");
        server.end();
        world.check(&format!("{call} {error}"));
    }
}

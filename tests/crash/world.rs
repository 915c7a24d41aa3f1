//! A site with a data directory that goes away, on ports of its own.

use crate::ledger::Ledger;
use crate::people::{PROMISE, SORRY};
use crate::process::{BOUND, Switch};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Agents: `1001` and so on.
pub const AGENTS: u16 = 4;
/// How long a customer rings: a few kills of one world go by before his number is tried again.
pub const RING_SECS: u64 = 3;
/// Ports for RTP and RTCP of the switch.
const MEDIA_PORTS: u16 = 240;

/// See the module.
pub struct World {
    pub folder: PathBuf,
    pub sip_port: u16,
    pub carrier_port: u16,
    ports: Ports,
    ledger: Arc<Mutex<Ledger>>,
}

impl World {
    /// A site nobody has started yet.
    pub fn new(name: &str) -> World {
        let folder = std::env::temp_dir().join(format!("ringback-crash-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        let ports = Ports::hold();
        let (sip_port, carrier_port, media) = (ports.row(2), ports.row(2), ports.row(MEDIA_PORTS));
        std::fs::write(folder.join("site.toml"), site(sip_port, carrier_port, media)).unwrap();
        for (name, pitch) in [("promised", PROMISE), ("sorry", SORRY)] {
            std::fs::write(folder.join(format!("{name}.wav")), tone(pitch, Duration::from_millis(400))).unwrap();
        }
        World { folder, sip_port, carrier_port, ports, ledger: Arc::default() }
    }

    /// The first of so many ports in a row.
    pub fn row(&self, count: u16) -> u16 {
        self.ports.row(count)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What was acknowledged, for whoever keeps it.
    pub fn book(&self) -> Arc<Mutex<Ledger>> {
        self.ledger.clone()
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The command that serves, under `before` when there is such a command.
    pub fn command(&self, before: &[&str]) -> Command {
        drop(std::fs::remove_file(self.data().join("admin.address"))); // Of the life before.
        let binary = env!("CARGO_BIN_EXE_ringback");
        let words: Vec<&str> = before.iter().copied().chain([binary, "serve"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("--config").arg(self.folder.join("site.toml")).arg("--data").arg(self.data());
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        // A group of its own: whoever kills strace has to kill what it traces.
        command.process_group(0).stdin(Stdio::null()).stderr(log);
        command
    }

    /// Starts the switch. `None`: it died before it was ready.
    pub fn start(&self, before: &[&str]) -> Option<Switch> {
        let mut child = self.command(before).stdout(Stdio::piped()).spawn().expect("it can be started");
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut switch = Switch::new(child);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)).ok());
        loop {
            match told.recv_timeout(BOUND) {
                Ok(line) if line.contains("Ctrl-C ends it") => break,
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let _status = switch.end();
                    return None;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it neither starts nor ends"),
            }
        }
        let read = |name: &str| std::fs::read_to_string(self.data().join(name)).ok();
        let address = read("admin.address")?;
        switch.reach(address.trim().strip_prefix("http://")?, read("admin.token")?.trim());
        Some(switch)
    }

    /// Starts the switch, which has to open whatever the last life has left.
    pub fn open(&self, what: &str) -> Switch {
        self.start(&[]).unwrap_or_else(|| panic!("{what}: it does not open: {}", self.log()))
    }

    /// Everything acknowledged is in a switch that was just started, once and in a lawful state.
    pub fn check(&self, switch: &Switch, what: &str) {
        self.ledger().close();
        let all = switch.api().callbacks();
        if let Err(wrong) = self.ledger().check(&all) {
            panic!("{what}: {wrong}\n{}", self.log());
        }
        let log = self.log();
        assert!(!log.contains("NOT all is well"), "{what}: {log}");
    }

    /// A life that is checked and told to end; after it the files are as they should be.
    pub fn check_and_verify(&self, what: &str) {
        let mut switch = self.open(what);
        self.check(&switch, what);
        switch.signal("TERM");
        assert_eq!(switch.end(), Some(0), "{what}: {}", self.log());
        self.verify(what);
        drop(std::fs::remove_file(self.folder.join("log"))); // What follows is about the next life.
    }

    /// `ringback store verify` has nothing to say against the files.
    pub fn verify(&self, what: &str) {
        let verified = verify(&self.data());
        assert!(verified.0 && verified.1.ends_with("all well\n"), "{what}: {}\n{}", verified.1, self.log());
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}

/// `ringback store verify`: whether all is well, and what it says.
pub fn verify(data: &Path) -> (bool, String) {
    let verified =
        Command::new(env!("CARGO_BIN_EXE_ringback")).args(["store", "verify", "--data"]).arg(data).output().unwrap();
    (verified.status.success(), String::from_utf8_lossy(&verified.stdout).into_owned())
}

/// A block of ports that is this world's alone while it lives, also between two lives of its switch, whoever else runs
/// such tests. It lies below the ports that are given to whoever asks for any.
struct Ports {
    next: AtomicU16,
    end: u16,
    /// Nobody listens here over TCP but whoever holds the block.
    _held: TcpListener,
}

impl Ports {
    fn hold() -> Ports {
        let begin = u16::try_from(std::process::id() % 13).expect("below 13");
        let until = Instant::now() + BOUND;
        while Instant::now() < until {
            for block in 0..13 {
                let first = 5_120 + 512 * ((begin + block) % 13);
                let Ok(held) = TcpListener::bind(("127.0.0.1", first)) else { continue };
                if (first..first + 512).all(|port| UdpSocket::bind(("127.0.0.1", port)).is_ok()) {
                    return Ports { next: AtomicU16::new(first), end: first + 512, _held: held };
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no ports are free");
    }

    /// The first of so many in a row.
    fn row(&self, count: u16) -> u16 {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        assert!(first + count <= self.end, "a world needs no more ports than a block has");
        first
    }
}

/// Callers wait in a line without agents, so that everybody is still there when he presses his key; the agents of
/// another one call back. What is asked for over the API waits in a third, unless it names the second.
const SITE: &str = r#"
[server]
sip_udp = "127.0.0.1:@sip@"
http = "127.0.0.1:0"
media_address = "127.0.0.1"
media_ports = "@media@"
media_shards = 1
drain_secs = 1
[system]
default_country = "US"
default_timezone = "America/New_York"
max_callback_lines = 100
max_originates_per_min = 6000
@agents@
[[trunk]]
name = "carrier"
mode = "peer"
host = "127.0.0.1"
port = @carrier@
options_ping_secs = 0
trusted = true
max_calls = 1000
max_cps = 1000
codecs = ["PCMU"]
[[caller_id]]
label = "Main Line"
number = "+12025550100"
trunk = "carrier"
[[inbound_route]]
trunk = "carrier"
did = "+12025550100"
to = "queue:front"
[[inbound_route]]
trunk = "carrier"
did = "+12025550101"
to = "queue:support"
[[outbound_route]]
prefix = "+"
trunks = ["carrier"]
[[prompt]]
name = "promised"
file = "promised.wav"
[[prompt]]
name = "sorry"
file = "sorry.wav"
[[queue]]
name = "front"
number = "5000"
welcome = ""
rules = ["key"]
[[queue]]
name = "support"
number = "5001"
members = [@members@]
wrap_up_secs = 0
[[queue]]
name = "later"
number = "5002"
[[callback_profile]]
name = "standard"
destination = "queue:support"
caller_id = "Main Line"
agent_prompt = ""
customer_prompt = ""
success_min_talk_secs = 0
intervals_secs = [0, 0]
ring_timeout_secs = @ring@
after_fail_secs = 0
[[callback_profile]]
name = "later"
caller_id = "Main Line"
[[callback_rule]]
name = "key"
source = "queue_request"
profile = "standard"
number_capture = "ani_only"
prompts = { accepted = "promised", goodbye = "", unavailable = "sorry" }
"#;

fn site(sip: u16, carrier: u16, media: u16) -> String {
    let extensions = || (0..AGENTS).map(|n| 1001 + n);
    let agents: String = extensions()
        .map(|it| {
            format!("[[agent]]\nname = \"a{it}\"\nextension = \"{it}\"\nsecret = \"secret-{it}\"\nmax_no_answer = 0\n")
        })
        .collect();
    let members: Vec<String> = extensions().map(|it| format!("{{ agent = \"a{it}\" }}")).collect();
    SITE.replace("@sip@", &sip.to_string())
        .replace("@carrier@", &carrier.to_string())
        .replace("@media@", &format!("{media}-{}", media + MEDIA_PORTS - 1))
        .replace("@ring@", &RING_SECS.to_string())
        .replace("@agents@", &agents)
        .replace("@members@", &members.join(", "))
}

/// A tone as a WAV file: what nothing else in the site sounds like.
fn tone(pitch: u32, length: Duration) -> Vec<u8> {
    let samples: Vec<i16> = (0..length.as_millis() as u32 * 8)
        .map(|at| (8_000.0 * (std::f64::consts::TAU * f64::from(pitch) * f64::from(at) / 8_000.0).sin()) as i16)
        .collect();
    let octets = (samples.len() * 2) as u32;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + octets).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    wav.extend([1, 0, 1, 0]); // PCM, one channel.
    wav.extend(8_000u32.to_le_bytes());
    wav.extend(16_000u32.to_le_bytes());
    wav.extend([2, 0, 16, 0]); // Octets of a sample, bits of it.
    wav.extend(b"data");
    wav.extend(octets.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    wav
}

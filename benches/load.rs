//! Load on the real binary, from a generator of our own: calls that wait with music, while their callers talk.
//!
//! `cargo bench --bench load` starts the switch as a child process on loopback, sets up calls in steps, and prints for
//! each step what one held call costs: CPU of the switch and of the generator apart (both from `/proc`), memory, and
//! how many of the packets that were due have come, and when. Nothing here is asserted: a busy machine is not a fault.
//!
//! `cargo bench --bench load -- commits [CALLS [SECONDS]]` (500 and 30 when unset) measures the disk beside held calls.

#[path = "load/commits.rs"]
mod commits;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const STEPS: [usize; 4] = [0, 100, 200, 400];
const MEASURED: Duration = Duration::from_secs(10);
const FRAME: Duration = Duration::from_millis(20);
/// Clock ticks of `/proc/PID/stat` in a second: fixed at 100 for programs on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

struct Caller {
    rtp: UdpSocket,
    packet: [u8; 172],
    received: u64,
    late: u64,
    last: Option<Instant>,
}

struct Load {
    switch: Child,
    folder: PathBuf,
    http: u16,
    sip: UdpSocket,
    callers: Vec<Caller>,
}

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(("commits", rest)) = arguments.split_first().map(|(word, rest)| (&**word, rest)) {
        return commits::run(rest);
    }
    let mut load = Load::begin(&[], |_| {});
    println!("{}", machine());
    println!(
        "| held calls | switch CPU, ms per call-second | generator | RSS | per call | packets come | later than 40 ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut empty = None;
    for calls in STEPS {
        while load.callers.len() < calls {
            load.call();
            load.talk(Duration::from_millis(2));
        }
        load.talk(Duration::from_secs(2));
        load.measure(&mut empty);
    }
}

impl Load {
    /// Starts it, under another program perhaps, in a data directory that `prepare` has had its hands on.
    fn begin(under: &[&str], prepare: impl FnOnce(&Path)) -> Load {
        let folder = std::env::temp_dir().join(format!("ringback-load-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let sip = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        sip.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        let port = free_port();
        let http = free_port();
        let carrier = sip.local_addr().expect("bound").port();
        fs::write(folder.join("site.toml"), site(port, http, carrier)).expect("the site");
        prepare(&folder.join("data"));
        let binary = [env!("CARGO_BIN_EXE_ringback"), "serve", "--config", "site.toml", "--data", "data"];
        let command = [under, &binary].concat();
        let switch = Command::new(command[0])
            .args(&command[1..])
            // A group of its own: whoever ends strace has to end what it traces.
            .process_group(0)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the switch starts");
        sip.connect(("127.0.0.1", port)).expect("loopback");
        let load = Load { switch, folder, http, sip, callers: Vec::new() };
        wait_until_ready(http);
        load
    }

    /// One more caller behind the carrier calls the queue.
    fn call(&mut self) {
        let n = self.callers.len();
        let rtp = UdpSocket::bind("127.0.0.1:0").expect("a socket for media");
        let (sip_port, rtp_port) = (port_of(&self.sip), port_of(&rtp));
        let body = format!(
            "v=0\r\no=load {n} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {rtp_port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        );
        let head = |method: &str, uri: &str, to: &str| {
            format!(
                "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{sip_port};rport;branch=z9hG4bK{method}{n}\r\n\
                 From: <sip:+1202555{:04}@127.0.0.1>;tag=f{n}\r\nTo: {to}\r\nCall-ID: load-{n}\r\nCSeq: 1 {method}\r\n\
                 Max-Forwards: 70\r\nContact: <sip:load@127.0.0.1:{sip_port}>\r\n",
                n % 10_000
            )
        };
        let called = "sip:+12025550100@127.0.0.1";
        let invite = format!(
            "{}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            head("INVITE", called, &format!("<{called}>")),
            body.len()
        );
        self.sip.send(invite.as_bytes()).expect("loopback");
        let answer = self.answer(n);
        let field = |name: &str| {
            let line = answer.lines().find(|line| line.starts_with(name)).expect("a 200 has it");
            line[name.len()..].trim().to_owned()
        };
        let contact = field("Contact:").trim_matches(['<', '>']).to_owned();
        let ack = format!("{}Content-Length: 0\r\n\r\n", head("ACK", &contact, &field("To:")));
        self.sip.send(ack.as_bytes()).expect("loopback");
        let port: u16 = field("m=audio").split(' ').next().and_then(|port| port.parse().ok()).expect("a port");
        rtp.connect(SocketAddr::from(([127, 0, 0, 1], port))).expect("loopback");
        rtp.set_nonblocking(true).expect("a flag");
        let mut packet = [0xff; 172];
        packet[..12].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        packet[8..12].copy_from_slice(&u32::try_from(n + 1).expect("few callers").to_be_bytes());
        self.callers.push(Caller { rtp, packet, received: 0, late: 0, last: None });
    }

    /// The 200 of call `n`.
    fn answer(&self, n: usize) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.sip.recv(&mut buffer).expect("the switch answers within 2 s");
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let is_ours = answer.contains(&format!("Call-ID: load-{n}\r"));
            assert!(!is_ours || answer.starts_with("SIP/2.0 1") || answer.starts_with("SIP/2.0 200"), "{answer}");
            if is_ours && answer.starts_with("SIP/2.0 200") {
                return answer;
            }
        }
    }

    /// All callers talk and listen for so long.
    fn talk(&mut self, for_so_long: Duration) {
        let begun = Instant::now();
        let mut frame = begun;
        while begun.elapsed() < for_so_long {
            for caller in &mut self.callers {
                caller.say();
                caller.hear();
            }
            frame += FRAME;
            std::thread::sleep(frame.saturating_duration_since(Instant::now()).min(for_so_long));
        }
    }

    fn measure(&mut self, empty: &mut Option<f64>) {
        let calls = f64::from(u32::try_from(self.callers.len()).expect("few"));
        for caller in &mut self.callers {
            (caller.received, caller.late) = (0, 0);
        }
        let pid = self.switch.id().to_string();
        let (switch, own, begun) = (cpu_secs(&pid), cpu_secs("self"), Instant::now());
        self.talk(MEASURED);
        let secs = begun.elapsed().as_secs_f64();
        let per = |used: f64| if calls > 0.0 { used * 1_000.0 / secs / calls } else { 0.0 };
        let (switch, own) = (per(cpu_secs(&pid) - switch), per(cpu_secs("self") - own));
        let rss = rss_kib(&pid);
        let base = *empty.get_or_insert(rss);
        let each = if calls > 0.0 { (rss - base) / calls } else { 0.0 };
        #[allow(clippy::cast_precision_loss)] // Packets of ten seconds.
        let (received, late) = self.callers.iter().fold((0.0, 0.0), |(received, late), caller| {
            (received + caller.received as f64, late + caller.late as f64)
        });
        let due = calls * secs / FRAME.as_secs_f64();
        let share = |part: f64, of: f64| if of > 0.0 { 100.0 * part / of } else { 100.0 };
        println!(
            "| {calls} | {switch:.3} | {own:.3} | {:.1} MiB | {each:.1} KiB | {:.2} % | {:.2} % |",
            rss / 1024.0,
            share(received, due),
            if received > 0.0 { share(late, received) } else { 0.0 }
        );
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let group = format!("-{}", self.switch.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.switch.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Caller {
    fn say(&mut self) {
        let next = |bytes: &[u8], by: u32| bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)).wrapping_add(by);
        let sequence = next(&self.packet[2..4], 1);
        let timestamp = next(&self.packet[4..8], 160);
        self.packet[2..4].copy_from_slice(&sequence.to_be_bytes()[2..]);
        self.packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        // A full buffer drops the packet, as a network would.
        let _ = self.rtp.send(&self.packet);
    }

    fn hear(&mut self) {
        let mut buffer = [0; 1_500];
        while self.rtp.recv(&mut buffer).is_ok() {
            let now = Instant::now();
            self.received += 1;
            // The generator looks every 20 ms, so two frames apart is what it can see of lateness.
            self.late += u64::from(self.last.is_some_and(|last| now - last > 2 * FRAME + FRAME / 4));
            self.last = Some(now);
        }
    }
}

fn site(sip: u16, http: u16, carrier: u16) -> String {
    format!(
        r#"
[server]
sip_udp = "127.0.0.1:{sip}"
http = "127.0.0.1:{http}"
media_address = "127.0.0.1"
media_ports = "30000-31999"
[system]
default_country = "US"
default_timezone = "UTC"
[[trunk]]
name = "carrier"
mode = "peer"
host = "127.0.0.1"
port = {carrier}
options_ping_secs = 0
max_calls = 1000
[[inbound_route]]
trunk = "carrier"
did = "+12025550100"
to = "queue:support"
[[agent]]
name = "anna"
extension = "1001"
secret = "nobody-registers-here"
[[callback_profile]]
name = "standard"
caller_id = "Main Line"
expires_after_secs = 31536000
[[caller_id]]
label = "Main Line"
number = "+12025550100"
trunk = "carrier"
[[queue]]
name = "support"
number = "5000"
members = [{{ agent = "anna" }}]
max_wait_secs = 65535
"#
    )
}

fn free_port() -> u16 {
    port_of(&UdpSocket::bind("127.0.0.1:0").expect("a socket"))
}

fn port_of(socket: &UdpSocket) -> u16 {
    socket.local_addr().expect("bound").port()
}

fn wait_until_ready(http: u16) {
    for _ in 0..1_200 {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", http)) {
            let _ = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let mut answer = String::new();
            if stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ") {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the switch is not ready after 60 s");
}

/// User and system time of a process, in seconds.
fn cpu_secs(pid: &str) -> f64 {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).expect("Linux");
    let after_name = stat.rsplit(')').next().expect("a name in brackets");
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).map(|word| word.parse::<f64>().expect("a number")).sum();
    ticks / TICKS_PER_SECOND
}

fn rss_kib(pid: &str) -> f64 {
    let status = fs::read_to_string(Path::new("/proc").join(pid).join("status")).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("memory");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores,{}, Linux {}", model.trim_start_matches(['\t', ' ', ':']).replace("  ", ""), kernel.trim())
}

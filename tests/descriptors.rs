//! Few files may be open (durability.md P14): calls beyond are refused before they are answered, none is cut, and there
//! is room again as soon as somebody hangs up.

#![cfg(feature = "shell")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Files that the switch may open.
const FILES: usize = 256;
/// How long anything may take on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

struct Switch {
    child: Child,
    folder: PathBuf,
    http: u16,
    /// The carrier's socket.
    sip: UdpSocket,
    /// What came while something else was awaited.
    missed: Vec<String>,
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn port_of(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

fn free_port() -> u16 {
    port_of(&UdpSocket::bind("127.0.0.1:0").unwrap())
}

impl Switch {
    fn start() -> Switch {
        let folder = std::env::temp_dir().join(format!("ringback-descriptors-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (port, http, carrier) = (free_port(), free_port(), port_of(&sip));
        // Below the ports that the system lends to anybody.
        let media = 22_000 + std::process::id() % 80 * 110;
        let site = format!(
            "[server]\nsip_udp = \"127.0.0.1:{port}\"\nhttp = \"127.0.0.1:{http}\"\nmedia_address = \"127.0.0.1\"\n\
             media_ports = \"{media}-{}\"\n[system]\ndefault_country = \"US\"\ndefault_timezone = \"UTC\"\n\
             [[trunk]]\nname = \"carrier\"\nmode = \"peer\"\nhost = \"127.0.0.1\"\nport = {carrier}\n\
             options_ping_secs = 0\nmax_calls = 1000\n\
             [[inbound_route]]\ntrunk = \"carrier\"\ndid = \"+12025550100\"\nto = \"queue:support\"\n\
             [[agent]]\nname = \"anna\"\nextension = \"1001\"\nsecret = \"nobody-registers-here\"\n\
             [[callback_profile]]\nname = \"standard\"\n\
             [[queue]]\nname = \"support\"\nnumber = \"5000\"\nmembers = [{{ agent = \"anna\" }}]\n",
            media + 999
        );
        std::fs::write(folder.join("site.toml"), site).unwrap();
        let limited = format!("ulimit -n {FILES}; exec \"$0\" \"$@\"");
        let child = Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_ringback"), "serve", "--config", "site.toml", "--data", "data"])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        sip.connect(("127.0.0.1", port)).unwrap();
        sip.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let switch = Switch { child, folder, http, sip, missed: Vec::new() };
        let begun = Instant::now();
        while switch.http("GET", "/readyz", "") != Some(200) {
            assert!(begun.elapsed() < BOUND, "it is not ready: {}", switch.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        switch
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The status of an answer; `None`: nobody answers.
    fn http(&self, method: &str, path: &str, body: &str) -> Option<u16> {
        let token = std::fs::read_to_string(self.folder.join("data/admin.token")).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream.set_read_timeout(Some(BOUND)).ok()?;
        let (token, length) = (token.trim(), body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?; // A backup is no text.
        String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
    }

    /// Sends a request; its text, for sending it again. `branch`: of its transaction (RFC 3261 §17.1.1.3: the ACK of a
    /// refusal is part of the INVITE's).
    fn send(&self, method: &str, (n, cseq): (usize, u32), branch: &str, to: &str, body: &str) -> String {
        let own = port_of(&self.sip);
        let message = format!(
            "{method} sip:+12025550100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};rport;branch=\
             z9hG4bK{branch}{n}\r\nFrom: <sip:+1303{:07}@127.0.0.1>;tag=f{n}\r\nTo: {to}\r\nCall-ID: few-{n}\r\n\
             CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContact: <sip:few@127.0.0.1:{own}>\r\n{}Content-Length: {}\
             \r\n\r\n{body}",
            2_000_000 + n,
            if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" },
            body.len()
        );
        self.sip.send(message.as_bytes()).unwrap();
        message
    }

    /// The final response of call `n` to this method; what asks for it is sent again until it comes (Timers A and E).
    fn answer(&mut self, n: usize, method: &str, asking: &str) -> String {
        let begun = Instant::now();
        let mut buffer = [0; 4_096];
        loop {
            assert!(begun.elapsed() < BOUND, "no answer to the {method} of call {n}: {}", self.log());
            let Ok(length) = self.sip.recv(&mut buffer) else {
                self.sip.send(asking.as_bytes()).unwrap();
                continue;
            };
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let is_it = message.contains(&format!("Call-ID: few-{n}\r")) && message.contains(&format!(" {method}\r"));
            match message.starts_with("SIP/2.0 ") && is_it {
                true if message.starts_with("SIP/2.0 1") => {}
                true => return message,
                false => self.missed.push(message),
            }
        }
    }

    /// Somebody calls; the answer.
    fn call(&mut self, n: usize) -> String {
        let body = "v=0\r\no=few 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                    m=audio 9 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
        let invite = self.send("INVITE", (n, 1), "invite", "<sip:+12025550100@127.0.0.1>", body);
        let answer = self.answer(n, "INVITE", &invite);
        let branch = if answer.starts_with("SIP/2.0 200") { "ack" } else { "invite" };
        self.send("ACK", (n, 1), branch, field(&answer, "To:"), "");
        answer
    }
}

fn field<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {message}")).trim()
}

#[test]
fn with_few_files_calls_beyond_are_refused_and_none_is_cut() {
    let mut switch = Switch::start();
    assert!(switch.log().contains("the limit of open files is too low for all media ports"), "{}", switch.log());
    let mut taken = Vec::new();
    let mut refused = Vec::new();

    for n in 0..FILES / 2 {
        let answer = switch.call(n);
        match answer.starts_with("SIP/2.0 200") {
            true => taken.push((n, field(&answer, "To:").to_owned())),
            false => refused.push(answer),
        }
    }

    assert!(taken.len() >= FILES / 8 && !refused.is_empty(), "{} of {}", taken.len(), FILES / 2);
    for answer in &refused {
        assert!(answer.starts_with("SIP/2.0 503"), "{answer}");
        assert!(field(answer, "Retry-After:").parse::<u32>().is_ok_and(|secs| (1..=30).contains(&secs)), "{answer}");
    }
    // Whoever was answered first stays first, and the store can open what it needs.
    let wanted = "{\"number\":\"1001\",\"queue\":\"support\",\"profile\":\"standard\"}";
    assert_eq!(switch.http("POST", "/api/v1/callbacks", wanted), Some(201), "{}", switch.log());
    assert_eq!(switch.http("POST", "/api/v1/store/backup", ""), Some(200), "{}", switch.log());

    // Programs that hold connections open take no call's place.
    let http = SocketAddr::from(([127, 0, 0, 1], switch.http));
    // As many as get in: beyond those and the ones that the system lets wait, nobody does.
    let idle: Vec<TcpStream> =
        (0..FILES).map_while(|_| TcpStream::connect_timeout(&http, Duration::from_secs(1)).ok()).collect();
    assert!(idle.len() >= FILES / 8, "{} connections", idle.len());
    for (n, to) in taken.drain(..5).collect::<Vec<_>>() {
        let bye = switch.send("BYE", (n, 2), "bye", &to, "");
        assert!(switch.answer(n, "BYE", &bye).starts_with("SIP/2.0 200"));
    }
    let begun = Instant::now();
    let mut next = FILES;
    while taken.len() < FILES / 8 {
        let answer = switch.call(next);
        if answer.starts_with("SIP/2.0 200") {
            taken.push((next, String::new()));
        }
        next += 1;
        assert!(begun.elapsed() < BOUND, "there is no room again: {answer}");
    }
    drop(idle);
    let bye = switch.missed.iter().find(|message| message.starts_with("BYE"));
    assert_eq!(bye, None, "nobody was cut: {}", switch.log());
    assert!(!switch.log().contains("could not be bound"), "{}", switch.log());
}

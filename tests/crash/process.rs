//! The real binary as a child process, and what is asked of it over HTTP.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a start or an end may take on a busy machine.
pub const BOUND: Duration = Duration::from_secs(60);

/// A running switch, and whatever it runs under.
pub struct Switch {
    child: Child,
    address: String,
    token: String,
}

impl Switch {
    /// A child that is starting.
    pub fn new(child: Child) -> Switch {
        Switch { child, address: String::new(), token: String::new() }
    }

    /// It listens here.
    pub fn reach(&mut self, address: &str, token: &str) {
        (self.address, self.token) = (address.to_owned(), token.to_owned());
    }

    /// Somebody who asks, over a connection of his own that is kept.
    pub fn api(&self) -> Api {
        Api { address: self.address.clone(), token: self.token.clone(), kept: None }
    }

    /// Sends a signal to it and to whatever it runs under.
    pub fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-s", name, "--", &group]).stderr(Stdio::null()).status());
    }

    /// The process that traces it, when one does.
    pub fn tracer(&self) -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
        line.trim().parse().ok().filter(|pid| *pid != 0)
    }

    /// `kill -9`, and the wait until it is gone.
    pub fn kill(mut self) {
        self.signal("KILL");
        drop(self.child.wait());
    }

    /// The wait until it ends; its exit code.
    pub fn end(&mut self) -> Option<i32> {
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

impl Drop for Switch {
    fn drop(&mut self) {
        self.signal("KILL");
        drop(self.child.wait());
    }
}

/// Somebody who asks.
pub struct Api {
    address: String,
    token: String,
    kept: Option<BufReader<TcpStream>>,
}

impl Api {
    /// Status and body; `None` once nobody answers.
    pub fn request(&mut self, method: &str, path: &str, body: &str) -> Option<(u16, Vec<u8>)> {
        let answered = self.try_request(method, path, body);
        if answered.is_none() {
            self.kept = None;
        }
        answered
    }

    fn try_request(&mut self, method: &str, path: &str, body: &str) -> Option<(u16, Vec<u8>)> {
        let head = self.head(method, path, body.len());
        let connection = match &mut self.kept {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect(&self.address).ok()?;
                stream.set_read_timeout(Some(BOUND)).ok()?;
                stream.set_nodelay(true).ok()?;
                none.insert(BufReader::new(stream))
            }
        };
        connection.get_mut().write_all(format!("{head}{body}").as_bytes()).ok()?;
        let (status, length) = answer(connection)?;
        let mut body = vec![0; length.expect("an answer says how long it is")];
        connection.read_exact(&mut body).ok()?;
        Some((status, body))
    }

    /// The same, read as JSON.
    pub fn json(&mut self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let (status, body) = self.request(method, path, body)?;
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// Every callback it knows.
    pub fn callbacks(&mut self) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let (status, page) =
                self.json("GET", &format!("/callbacks?limit=500{after}"), "").expect("it was asked for callbacks");
            assert_eq!(status, 200, "{page}");
            all.extend(page["items"].as_array().expect("a page has items").iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
    }

    /// Listens to what happens until the process is gone: type and data of each event.
    pub fn listen(&self, mut each: impl FnMut(&str, &Value)) {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return };
        if stream.write_all(self.head("GET", "/events", 0).as_bytes()).is_err() {
            return;
        }
        // The frames of the chunked body have lines of their own, none of which begins with `data: `.
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            let Some(document) = line.strip_prefix("data: ") else { continue };
            // A line without its end is one that a kill has cut off: it was not heard.
            let Ok(document) = serde_json::from_str::<Value>(document) else { continue };
            each(document["type"].as_str().unwrap_or_default(), &document["data"]);
        }
        drop(stream.shutdown(Shutdown::Both));
    }

    fn head(&self, method: &str, path: &str, length: usize) -> String {
        format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: pbx\r\nAuthorization: Bearer {}\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n",
            self.token
        )
    }
}

/// The head of an answer: its status, and how long its body is.
fn answer(connection: &mut impl BufRead) -> Option<(u16, Option<usize>)> {
    let mut line = String::new();
    connection.read_line(&mut line).ok()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut length = None;
    loop {
        line.clear();
        connection.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => return Some((status, length)),
            field => {
                if let Some(value) = field.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().ok();
                }
            }
        }
    }
}

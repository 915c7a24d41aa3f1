//! The HTTP API as a program outside uses it: one request a connection, JSON in and out.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A door to one switch.
pub struct Api {
    pub port: u16,
    pub token: String,
}

impl Api {
    /// Status and body of a request; `None` while nobody listens.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let length = body.len();
        let token = &self.token;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer[end + 4..].to_vec()))
    }

    /// The JSON of a `GET`, which must succeed.
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.request("GET", &format!("/api/v1{path}"), "").expect("the API answers");
        assert_eq!(status, 200, "GET {path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// The objects of a list.
    pub fn items(&self, path: &str) -> Vec<Value> {
        self.get(path)["items"].as_array().cloned().expect("a list")
    }
}

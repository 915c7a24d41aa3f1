//! SIP as the demo's people read and write it: header lines as text, nothing shared with `crate::sip`, so that both
//! cannot be wrong together. Made for test peers: it reads what it needs and keeps the rest as it came.

use std::fmt::Write;

/// A message: start line, header fields in order, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Request or status line.
    pub start: Start,
    /// Name in its long form, value as it came.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// `INVITE sip:… SIP/2.0`
    Request {
        /// Upper case.
        method: String,
        /// Request-URI.
        uri: String,
    },
    /// `SIP/2.0 200 OK`
    Response {
        /// 100–699.
        status: u16,
        /// What follows it.
        reason: String,
    },
}

/// RFC 3261 §7.3.3 and the extensions our peers use.
const COMPACT: [(&str, &str); 9] = [
    ("i", "Call-ID"),
    ("f", "From"),
    ("t", "To"),
    ("v", "Via"),
    ("m", "Contact"),
    ("l", "Content-Length"),
    ("c", "Content-Type"),
    ("k", "Supported"),
    ("s", "Subject"),
];

impl Message {
    /// A request without header fields.
    pub fn request(method: &str, uri: &str) -> Message {
        let start = Start::Request { method: method.to_owned(), uri: uri.to_owned() };
        Message { start, headers: Vec::new(), body: Vec::new() }
    }

    /// The response to `request`: Via, From, To, Call-ID and CSeq copied (RFC 3261 §8.2.6.2).
    pub fn response_to(request: &Message, status: u16) -> Message {
        let start = Start::Response { status, reason: reason(status).to_owned() };
        let mut response = Message { start, headers: Vec::new(), body: Vec::new() };
        for (name, value) in &request.headers {
            if ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route"]
                .iter()
                .any(|kept| kept.eq_ignore_ascii_case(name))
            {
                response.push(name, value.clone());
            }
        }
        response
    }

    /// Reads a datagram; `None` when it is not SIP.
    pub fn parse(bytes: &[u8]) -> Option<Message> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let start = Start::parse(lines.next()?)?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut()?;
                write!(value, " {}", line.trim()).ok()?;
                continue;
            }
            let (name, value) = line.split_once(':')?;
            let name = name.trim_end();
            let long = COMPACT.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map_or(name, |pair| pair.1);
            headers.push((long.to_owned(), value.trim().to_owned()));
        }
        let mut message = Message { start, headers, body: bytes[end + 4..].to_vec() };
        if let Some(length) = message.header("Content-Length").and_then(|text| text.parse::<usize>().ok()) {
            message.body.truncate(length);
        }
        Some(message)
    }

    /// As it goes over the wire; Content-Length is ours to say.
    pub fn print(&self) -> Vec<u8> {
        let mut text = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} SIP/2.0\r\n"),
            Start::Response { status, reason } => format!("SIP/2.0 {status} {reason}\r\n"),
        };
        for (name, value) in &self.headers {
            if !name.eq_ignore_ascii_case("Content-Length") {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(this, _)| this.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of this name, those of one line taken apart.
    pub fn values(&self, name: &str) -> Vec<String> {
        let lines = self.headers.iter().filter(|(this, _)| this.eq_ignore_ascii_case(name));
        lines.flat_map(|(_, value)| split_commas(value)).collect()
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Replaces every field of this name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.headers.iter_mut().find(|(this, _)| this.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.push(name, value),
        }
    }

    /// The method: of the request line, or of CSeq.
    pub fn method(&self) -> &str {
        match &self.start {
            Start::Request { method, .. } => method,
            Start::Response { .. } => self.cseq().1,
        }
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(*status),
        }
    }

    /// Request-URI, empty for a response.
    pub fn uri(&self) -> &str {
        match &self.start {
            Start::Request { uri, .. } => uri,
            Start::Response { .. } => "",
        }
    }

    /// Number and method.
    pub fn cseq(&self) -> (u32, &str) {
        let (number, method) = self.header("CSeq").and_then(|value| value.split_once(' ')).unwrap_or(("0", ""));
        (number.trim().parse().unwrap_or(0), method.trim())
    }

    /// Call-ID, empty when missing.
    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or("")
    }

    /// Tag of From.
    pub fn from_tag(&self) -> Option<&str> {
        self.header("From").and_then(|value| param(value, "tag"))
    }

    /// Tag of To.
    pub fn to_tag(&self) -> Option<&str> {
        self.header("To").and_then(|value| param(value, "tag"))
    }

    /// Branch of the topmost Via.
    pub fn branch(&self) -> &str {
        self.header("Via").and_then(|value| param(value.split(',').next().unwrap_or(""), "branch")).unwrap_or("")
    }
}

impl Start {
    fn parse(line: &str) -> Option<Start> {
        if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
            let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            return Some(Start::Response { status: status.parse().ok()?, reason: reason.to_owned() });
        }
        let mut words = line.split(' ');
        let (method, uri, version) = (words.next()?, words.next()?, words.next()?);
        (version == "SIP/2.0").then(|| Start::Request { method: method.to_owned(), uri: uri.to_owned() })
    }
}

/// The parameter of a header value, outside of `<…>` and quotes.
pub fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let tail = value.rfind('>').map_or(value, |at| &value[at + 1..]);
    tail.split(';').skip(usize::from(!value.contains('>'))).find_map(|piece| {
        let (key, text) = piece.split_once('=').unwrap_or((piece, ""));
        key.trim().eq_ignore_ascii_case(name).then(|| text.trim().trim_matches('"'))
    })
}

/// The URI of a From, To or Contact value.
pub fn address(value: &str) -> &str {
    match (value.find('<'), value.rfind('>')) {
        (Some(open), Some(close)) if open < close => &value[open + 1..close],
        _ => value.split(';').next().unwrap_or("").trim(),
    }
}

/// The user part of a SIP URI; empty when it has none.
pub fn user(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |pair| pair.1);
    rest.split_once('@').map_or("", |pair| pair.0)
}

/// Values of one line, commas inside quotes and `<…>` left alone.
pub fn split_commas(line: &str) -> Vec<String> {
    let (mut values, mut value, mut quoted, mut depth) = (Vec::new(), String::new(), false, 0_u32);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            '<' if !quoted => depth += 1,
            '>' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                values.push(std::mem::take(&mut value).trim().to_owned());
                continue;
            }
            _ => {} // Part of the value.
        }
        value.push(letter);
    }
    values.push(value.trim().to_owned());
    values
}

/// The reason phrase of RFC 3261 §21.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_message_is_read_back() {
        let mut invite = Message::request("INVITE", "sip:5000@192.0.2.10");
        invite.push("Via", "SIP/2.0/UDP 192.0.2.20:5060;rport;branch=z9hG4bKone");
        invite.push("From", "\"Anna; <tester>\" <sip:1001@192.0.2.10>;tag=abc");
        invite.push("To", "<sip:5000@192.0.2.10>");
        invite.push("CSeq", "7 INVITE");
        invite.body = b"v=0\r\n".to_vec();

        let read = Message::parse(&invite.print()).expect("it is SIP");

        assert_eq!(read.method(), "INVITE");
        assert_eq!(read.from_tag(), Some("abc"));
        assert_eq!(read.to_tag(), None);
        assert_eq!(read.branch(), "z9hG4bKone");
        assert_eq!(read.cseq(), (7, "INVITE"));
        assert_eq!(read.body, invite.body);
    }

    #[test]
    fn compact_and_folded_fields_are_understood() {
        let text = b"SIP/2.0 200 OK\r\ni: a@b\r\nm: <sip:a@b>,\r\n <sip:c@d>;expires=60\r\nl: 0\r\n\r\nmore";

        let read = Message::parse(text).expect("it is SIP");

        assert_eq!(read.call_id(), "a@b");
        assert_eq!(read.values("Contact"), ["<sip:a@b>", "<sip:c@d>;expires=60"]);
        assert_eq!(param(&read.values("Contact")[1], "expires"), Some("60"));
        assert!(read.body.is_empty());
    }
}

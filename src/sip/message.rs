//! SIP messages as values. The vocabulary (methods, status codes) is rsip's; reading and writing is ours, because its
//! parser bends ordinary traffic. A message is parsed once, at the door: inside, its mandatory headers are true.
//!
//! What is written can be read again and says the same: reason phrases are the RFC's, Content-Length is computed, the
//! body is its octets, and no value can add a line (`headers`).

use super::header::cseq::CSeq;
use super::header::name_addr::NameAddr;
use super::header::via::Via;
use super::lexer::clean;
use super::reader;
use super::uri::Uri;
use bytes::Bytes;
use std::io::Write;

pub use super::headers::{Header, HeaderName, Headers};
pub use super::malformed::Malformed;
pub use super::method::Method;
pub use rsip::StatusCode;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks.
    Request(Request),
    /// Answers.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub method: Method,
    /// Of whom.
    pub uri: Uri,
    /// In order, one value each.
    pub headers: Headers,
    /// Octets by Content-Length.
    pub body: Bytes,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100–699.
    pub status: StatusCode,
    /// As received or as written; may be empty.
    pub reason: Box<str>,
    /// In order, one value each.
    pub headers: Headers,
    /// Octets by Content-Length.
    pub body: Bytes,
}

impl Message {
    /// Reads the message of one datagram (RFC 3261 §18.3: without Content-Length the body is the rest; octets beyond
    /// Content-Length are ignored).
    pub fn parse(datagram: &Bytes) -> Result<Message, Malformed> {
        reader::read(datagram)
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        }
    }

    /// As on the wire.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }
}

impl Request {
    /// A request of ours with the headers every request has; Max-Forwards is 70.
    pub fn new(
        method: Method,
        uri: Uri,
        via: Via,
        from: NameAddr,
        to: NameAddr,
        call_id: &str,
        cseq_number: u32,
    ) -> Request {
        let cseq = CSeq { number: cseq_number, method: method.clone() };
        let mut headers = Headers::new(via, from, to, call_id, cseq);
        headers.push(HeaderName::MaxForwards, "70");
        Request { method, uri, headers, body: Bytes::new() }
    }

    /// Sets the body and its Content-Type.
    pub fn set_body(&mut self, content_type: &'static str, body: Bytes) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body;
    }

    /// As on the wire; Content-Length is computed.
    pub fn to_bytes(&self) -> Bytes {
        write(format_args!("{} {} SIP/2.0\r\n", self.method, self.uri), &self.headers, &self.body)
    }
}

impl Response {
    /// A response to `request`: Via, From, To, Call-ID and CSeq are its own, Record-Route where a dialog may come of it
    /// (RFC 3261 §8.2.6, §12.1.1), Timestamp in a 100. The reason phrase is the RFC's.
    pub fn to(request: &Request, status: u16) -> Response {
        let copied = &request.headers;
        let mut headers = Headers::of_fields(
            copied.vias().to_vec(),
            copied.from().clone(),
            copied.to().clone(),
            copied.call_id().clone(),
            copied.cseq().clone(),
            Vec::new(),
        );
        if makes_dialogs(&request.method) && (101..300).contains(&status) {
            for route in copied.get_all(HeaderName::RecordRoute) {
                headers.push(HeaderName::RecordRoute, route.clone());
            }
        }
        if status == 100
            && let Some(timestamp) = copied.get(HeaderName::Timestamp)
        {
            headers.push(HeaderName::Timestamp, timestamp.clone());
        }
        let reason = reason_phrase(status).into();
        Response { status: StatusCode::from(status), reason, headers, body: Bytes::new() }
    }

    /// Adds the tag to To, unless it has one.
    pub fn with_to_tag(mut self, tag: &str) -> Response {
        if self.headers.to().tag().is_none() {
            self.headers.to_mut().params.set("tag", Some(tag));
        }
        self
    }

    /// The status as a number.
    pub fn code(&self) -> u16 {
        self.status.code()
    }

    /// Sets the body and its Content-Type.
    pub fn set_body(&mut self, content_type: &'static str, body: Bytes) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body;
    }

    /// As on the wire; Content-Length is computed.
    pub fn to_bytes(&self) -> Bytes {
        write(format_args!("SIP/2.0 {} {}\r\n", self.code(), clean(&self.reason)), &self.headers, &self.body)
    }
}

/// Methods whose 101–299 may make a dialog (RFC 3261 §12.1, RFC 6665 §4.4.1).
fn makes_dialogs(method: &Method) -> bool {
    [Method::INVITE, Method::SUBSCRIBE, Method::REFER, Method::NOTIFY].contains(method)
}

fn write(start_line: std::fmt::Arguments, headers: &Headers, body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(1024 + body.len());
    out.write_fmt(start_line).expect("a Vec takes all that is written to it");
    headers.write(&mut out);
    write!(out, "Content-Length: {}\r\n\r\n", body.len()).expect("a Vec takes all that is written to it");
    out.extend_from_slice(body);
    Bytes::from(out)
}

/// Reason phrases (RFC 3261 §21 and its extensions), by status.
const REASONS: [(u16, &str); 69] = [
    (100, "Trying"),
    (180, "Ringing"),
    (181, "Call Is Being Forwarded"),
    (182, "Queued"),
    (183, "Session Progress"),
    (199, "Early Dialog Terminated"),
    (200, "OK"),
    (202, "Accepted"),
    (204, "No Notification"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Moved Temporarily"),
    (305, "Use Proxy"),
    (380, "Alternative Service"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (410, "Gone"),
    (412, "Conditional Request Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Unsupported URI Scheme"),
    (417, "Unknown Resource-Priority"),
    (420, "Bad Extension"),
    (421, "Extension Required"),
    (422, "Session Interval Too Small"),
    (423, "Interval Too Brief"),
    (428, "Use Identity Header"),
    (429, "Provide Referrer Identity"),
    (430, "Flow Failed"),
    (433, "Anonymity Disallowed"),
    (439, "First Hop Lacks Outbound Support"),
    (440, "Max-Breadth Exceeded"),
    (469, "Bad Info Package"),
    (470, "Consent Needed"),
    (480, "Temporarily Unavailable"),
    (481, "Call/Transaction Does Not Exist"),
    (482, "Loop Detected"),
    (483, "Too Many Hops"),
    (484, "Address Incomplete"),
    (485, "Ambiguous"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (489, "Bad Event"),
    (491, "Request Pending"),
    (493, "Undecipherable"),
    (494, "Security Agreement Required"),
    (500, "Server Internal Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Server Time-out"),
    (505, "Version Not Supported"),
    (513, "Message Too Large"),
    (580, "Precondition Failure"),
    (600, "Busy Everywhere"),
    (603, "Decline"),
    (604, "Does Not Exist Anywhere"),
    (606, "Not Acceptable"),
    (607, "Unwanted"),
    (608, "Rejected"),
];

/// The reason phrase of a status code; of an unknown one, that of its class.
pub fn reason_phrase(status: u16) -> &'static str {
    if let Ok(at) = REASONS.binary_search_by_key(&status, |(known, _)| *known) {
        return REASONS[at].1;
    }
    match status / 100 {
        0 | 1 => "Session Progress",
        2 => "OK",
        3 => "Multiple Choices",
        4 => "Bad Request",
        5 => "Server Internal Error",
        _ => "Busy Everywhere", // RFC 3261 §21.6; nothing above 699 is ever read or asked for.
    }
}

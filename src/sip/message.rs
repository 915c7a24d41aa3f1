//! SIP messages as values. The vocabulary (methods, status codes) is rsip's; reading and writing is
//! ours. A message is parsed once, at the door: inside, its mandatory headers are true.

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use super::header::cseq::CSeq;
use super::header::name_addr::NameAddr;
use super::header::via::Via;
use super::uri::Uri;
use bytes::Bytes;

pub use super::headers::{Header, HeaderName, Headers};
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

/// A message that could not be read, and what it deserves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Why, for the debug log and the counters.
    pub why: &'static str,
    /// The status of `answer`.
    pub status: Option<u16>,
    /// The answer to send, when it was a request with enough left to answer: complete bytes, never more than the larger
    /// of the request and 640 octets (security.md T8).
    pub answer: Option<Bytes>,
}

impl Message {
    /// Reads the message of one datagram (RFC 3261 §18.3: without Content-Length the body is the rest; octets beyond
    /// Content-Length are ignored).
    pub fn parse(datagram: &Bytes) -> Result<Message, Malformed> {
        todo!()
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
        todo!()
    }
}

impl Response {
    /// A response to `request`: Via, From, To, Call-ID and CSeq are its own, Record-Route where a dialog may come of it
    /// (RFC 3261 §8.2.6, §12.1.1), Timestamp in a 100. The reason phrase is the RFC's.
    pub fn to(request: &Request, status: u16) -> Response {
        todo!()
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
        todo!()
    }
}

/// The reason phrase of a status code (RFC 3261 §21 and its extensions).
pub fn reason_phrase(status: u16) -> &'static str {
    todo!()
}

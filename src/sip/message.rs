//! SIP messages as values. The vocabulary (methods, status codes, header names) is rsip's; reading and writing is
//! ours (`crates.md` 2.2). A message is parsed once, at the door: inside, its mandatory headers are true.

use bytes::Bytes;

pub use rsip::StatusCode;

/// A method: one of RFC 3261 and its extensions, or a name we do not know and must still answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// rsip's word for it.
    Known(rsip::Method),
    /// Case-sensitive, as received (RFC 3261 §7.1).
    Other(Box<str>),
}

/// A message.
#[derive(Clone, Debug)]
pub enum Message {
    /// Asks.
    Request(Request),
    /// Answers.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What.
    pub method: Method,
    /// Of whom.
    pub uri: super::uri::Uri,
    /// In order, one value each.
    pub headers: Headers,
    /// Octets by Content-Length.
    pub body: Bytes,
}

/// A response.
#[derive(Clone, Debug)]
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

/// Header fields.
#[derive(Clone, Debug, Default)]
pub struct Headers(());

/// A message that could not be read, and what it deserves.
#[derive(Clone, Debug)]
pub struct Malformed {
    /// The answer to send, when it was a request with enough left to answer: complete bytes.
    pub answer: Option<Bytes>,
}

//! What every request outside dialogs must pass before the switch hears of it (RFC 3261 §8.2.1–§8.2.3): a method we
//! take, a URI we understand, extensions we speak, a body we can read. Refusals name what would have been right.

use super::body::{Unsupported, session_description};
use super::core::{ALLOW, SDP};
use super::message::{HeaderName, Method, Request};
use super::uri::Scheme;
use super::user_agent::Field;

/// The answer that a request deserves instead of service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub fields: Vec<Field>,
}

impl Refusal {
    pub fn new(status: u16) -> Refusal {
        Refusal { status, fields: Vec::new() }
    }

    pub fn with(status: u16, name: &'static str, value: impl Into<String>) -> Refusal {
        Refusal { status, fields: vec![(name, value.into())] }
    }
}

/// A request outside dialogs, in the order of RFC 3261 §8.2.
pub(super) fn inspect(request: &Request) -> Result<(), Refusal> {
    inspect_method(request)?;
    // §8.2.2.1: a scheme we do not understand; and never is a request routed on its To.
    if request.uri.scheme() == Scheme::Other {
        return Err(Refusal::new(416));
    }
    let registering = request.method == Method::REGISTER;
    if registering && !matches!(request.headers.to().uri.scheme(), Scheme::Sip | Scheme::Sips) {
        return Err(Refusal::new(400)); // §10.3: the address of record is a SIP or SIPS URI.
    }
    inspect_extensions(request)?;
    if request.method == Method::INVITE {
        inspect_session(request)?;
    }
    Ok(())
}

/// 501 for what we have never heard of, 405 for what we know and do not take.
pub(super) fn inspect_method(request: &Request) -> Result<(), Refusal> {
    let status = match &request.method {
        Method::Other(_) => 501,
        known if ALLOW.split(", ").any(|allowed| allowed == known.as_str()) => return Ok(()),
        Method::Known(_) => 405,
    };
    Err(Refusal::with(status, "Allow", ALLOW))
}

/// §8.2.2.3: 420 names what we do not speak; Proxy-Require is not ours to judge.
pub(super) fn inspect_extensions(request: &Request) -> Result<(), Refusal> {
    let unknown: Vec<&str> =
        request.headers.tokens(HeaderName::Require).filter(|it| !it.eq_ignore_ascii_case("timer")).collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Refusal::with(420, "Unsupported", unknown.join(", "))),
    }
}

/// §8.2.3 and §20.1: a body we can read, and an answer the peer can.
pub(super) fn inspect_session(request: &Request) -> Result<(), Refusal> {
    if let Err(Unsupported) = session_description(&request.headers, &request.body) {
        return Err(Refusal::with(415, "Accept", SDP));
    }
    if request.headers.has(HeaderName::Accept) {
        let takes_sdp = request.headers.tokens(HeaderName::Accept).any(|range| {
            let range = range.split(';').next().unwrap_or("").trim();
            ["application/sdp", "application/*", "*/*"].iter().any(|it| it.eq_ignore_ascii_case(range))
        });
        if !takes_sdp {
            return Err(Refusal::with(406, "Warning", "399 ringback \"application/sdp is all we can answer with\""));
        }
    }
    Ok(())
}

/// The key of an INFO: `Signal=5` of application/dtmf-relay, or the bare key of application/dtmf.
pub(super) fn info_digit(request: &Request) -> Result<Option<char>, Refusal> {
    let unsupported = || Refusal::with(415, "Accept", "application/dtmf-relay, application/dtmf");
    if request.body.is_empty() {
        return Ok(None);
    }
    let Some(Ok(kind)) = request.headers.content_type() else { return Err(unsupported()) };
    let text = std::str::from_utf8(&request.body).map_err(|_| Refusal::new(400))?;
    let signal = match kind.essence.as_str() {
        "application/dtmf-relay" => text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("signal"))
            .map(|(_, value)| value.trim()),
        "application/dtmf" => Some(text.trim()),
        _ => return Err(unsupported()), // INFO of another package (RFC 6086).
    };
    Ok(signal.and_then(key))
}

/// The key that an INFO carries, if it is one and carries any.
pub(super) fn info_key(request: &Request) -> Option<char> {
    if request.method == Method::INFO { info_digit(request).ok().flatten() } else { None }
}

fn key(signal: &str) -> Option<char> {
    match signal {
        "10" => Some('*'), // Some phones number the events as RFC 4733 does.
        "11" => Some('#'),
        _ => {
            let mut chars = signal.chars();
            let first = chars.next()?.to_ascii_uppercase();
            let single = chars.next().is_none();
            (single && matches!(first, '0'..='9' | '*' | '#' | 'A'..='D')).then_some(first)
        }
    }
}

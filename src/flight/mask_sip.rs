//! A SIP message, masked octet by octet: it keeps its length, its lines and everything the switch goes by, so that it
//! is read as it was. Who calls whom loses the last four digits, display names and whatever the switch does not read
//! are blotted out; Call-IDs, tags, branches and nonces stay.

use super::mask::Mask;
use crate::sip::digest::Computation;
use crate::sip::header::auth::Credentials;
use crate::sip::message::HeaderName;
use crate::sip::text::Text;

/// What people put between the digits of a number (RFC 3966 §3).
const SEPARATORS: &[u8] = b"-.()";

/// The message; `digit` takes the place of the key that an INFO carries.
pub(super) fn message(mask: &mut Mask, wire: &[u8], digit: Option<u8>) -> Vec<u8> {
    let mut octets = wire.to_vec();
    let head = head_of(wire);
    let (method, lines) = lines_of(wire, head);
    let mut content = Content::Unknown;
    let mut digests = Vec::new();
    for (n, (begin, end)) in lines.into_iter().enumerate() {
        if n == 0 {
            start_line(mask, &mut octets[begin..end]);
            continue;
        }
        let Some(colon) = wire[begin..end].iter().position(|octet| *octet == b':') else {
            blot(&mut octets[begin..end]);
            continue;
        };
        let name = std::str::from_utf8(&wire[begin..begin + colon]).unwrap_or_default().trim();
        let value = begin + colon + 1..end;
        match class_of(name) {
            Class::Stays => {}
            Class::Type => content = Content::of(&wire[value]),
            Class::Address => address(mask, &mut octets[value]),
            Class::Digest => digests.push(value),
            Class::Unread => blot(&mut octets[value]),
        }
    }
    body(&mut octets[head..], content, digit);
    // Last: a response may be longer or shorter than before only where its length is that of a hash, the same.
    for value in digests {
        digest(mask, &method, &mut octets[value]);
    }
    octets
}

/// Where the body begins.
fn head_of(wire: &[u8]) -> usize {
    let end = |pattern: &[u8]| wire.windows(pattern.len()).position(|window| window == pattern);
    let ends = [(b"\r\n\r\n".as_slice(), 4), (b"\n\n".as_slice(), 2)];
    let found = ends.iter().filter_map(|(pattern, length)| Some(end(pattern)? + length));
    found.min().unwrap_or(wire.len())
}

/// The method, and the lines of the head; a folded line is one with that before it (RFC 3261 §7.3.1).
fn lines_of(wire: &[u8], head: usize) -> (String, Vec<(usize, usize)>) {
    let mut lines: Vec<(usize, usize)> = Vec::new();
    let mut begin = 0;
    while begin < head {
        let end = wire[begin..head].iter().position(|octet| *octet == b'\n').map_or(head, |at| begin + at + 1);
        match lines.last_mut() {
            Some(last) if matches!(wire[begin], b' ' | b'\t') => last.1 = end,
            Some(_) | None => lines.push((begin, end)),
        }
        begin = end;
    }
    let method = wire.split(|octet| *octet == b' ').next().unwrap_or_default();
    (String::from_utf8_lossy(method).into_owned(), lines)
}

/// What is done with a header field.
enum Class {
    Stays,
    Type,
    Address,
    Digest,
    Unread,
}

fn class_of(name: &str) -> Class {
    use HeaderName as H;
    let Some(name) = HeaderName::known(name) else { return Class::Unread };
    match name {
        H::From
        | H::To
        | H::Contact
        | H::PAssertedIdentity
        | H::PPreferredIdentity
        | H::RemotePartyId
        | H::Diversion
        | H::HistoryInfo
        | H::ReferTo
        | H::ReferredBy
        | H::Route
        | H::RecordRoute
        | H::Path
        | H::ServiceRoute => Class::Address,
        H::Authorization | H::ProxyAuthorization => Class::Digest,
        H::ContentType => Class::Type,
        H::Subject | H::AlertInfo | H::CallInfo | H::AcceptContact | H::RejectContact | H::Other(_) => Class::Unread,
        _ => Class::Stays, // Nothing of a person is in those: Via, Call-ID, CSeq, timers, what is supported.
    }
}

/// What a body is.
#[derive(Clone, Copy)]
enum Content {
    Description,
    Key,
    Unknown,
}

impl Content {
    fn of(value: &[u8]) -> Content {
        let value = String::from_utf8_lossy(value).trim().to_ascii_lowercase();
        match value.split(';').next().unwrap_or_default().trim() {
            "application/sdp" => Content::Description,
            "application/dtmf-relay" | "application/dtmf" => Content::Key,
            _ => Content::Unknown,
        }
    }
}

fn blot(octets: &mut [u8]) {
    for octet in octets {
        if octet.is_ascii_digit() {
            *octet = b'0';
        } else if octet.is_ascii_alphabetic() || !octet.is_ascii() {
            *octet = b'x';
        }
    }
}

/// `INVITE sip:+12025550123@example.com SIP/2.0`
fn start_line(mask: &mut Mask, line: &mut [u8]) {
    if line.starts_with(b"SIP/") {
        return;
    }
    let mut spaces = line.iter().enumerate().filter(|(_, octet)| **octet == b' ').map(|(at, _)| at);
    if let (Some(first), Some(last)) = (spaces.next(), spaces.next_back()) {
        uri(mask, &mut line[first + 1..last]);
    }
}

/// A URI without anything around it but space, folded or not: its user part loses digits, and a password.
pub(super) fn uri(mask: &mut Mask, text: &mut [u8]) {
    let begin = text.iter().position(|octet| !octet.is_ascii_whitespace()).unwrap_or(text.len());
    let text = &mut text[begin..];
    let Some(colon) = text.iter().position(|octet| *octet == b':') else { return };
    let is_tel = text[..colon].eq_ignore_ascii_case(b"tel");
    let rest = &mut text[colon + 1..];
    if is_tel {
        return mask.runs(rest, SEPARATORS);
    }
    let Some(at) = rest.iter().position(|octet| *octet == b'@') else { return };
    let user = &mut rest[..at];
    let password = user.iter().position(|octet| *octet == b':').unwrap_or(user.len());
    let (user, password) = user.split_at_mut(password);
    mask.runs(user, SEPARATORS);
    blot(password);
}

/// Name-addrs and addr-specs, separated by commas (RFC 3261 §20.10).
pub(super) fn address(mask: &mut Mask, value: &mut [u8]) {
    let mut at = 0;
    let mut word = 0;
    while at < value.len() {
        match value[at] {
            b'"' => {
                let end = quoted_end(value, at);
                display(&mut value[at..end]);
                (at, word) = (end, end);
            }
            b'<' => {
                display(&mut value[word..at]);
                let end = value[at..].iter().position(|octet| *octet == b'>').map_or(value.len(), |end| at + end);
                uri(mask, &mut value[at + 1..end]);
                at = end;
                // Parameters up to the next address stay: tags are among them.
                while at < value.len() && value[at] != b',' {
                    at = if value[at] == b'"' { quoted_end(value, at) } else { at + 1 };
                }
                word = at;
            }
            b',' | b';' => {
                uri(mask, &mut value[word..at]);
                let next = value[at..].iter().position(|octet| *octet == b',').map_or(value.len(), |next| at + next);
                (at, word) = (next + 1, next + 1);
            }
            _ => at += 1,
        }
    }
    if word < value.len() {
        uri(mask, &mut value[word..]);
    }
}

/// The octet after a quoted string that begins at `at`.
fn quoted_end(value: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < value.len() && value[end] != b'"' {
        end += if value[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(value.len())
}

/// A display name; that somebody wants none stays.
fn display(name: &mut [u8]) {
    let text = String::from_utf8_lossy(name).trim().trim_matches('"').to_ascii_lowercase();
    if text != "anonymous" {
        name.iter_mut().filter(|octet| !matches!(**octet, b'"' | b'\\')).for_each(|octet| {
            blot(std::slice::from_mut(octet));
        });
    }
}

/// Credentials: user and URI lose digits, and a response that was right for the secret is right for the other one.
fn digest(mask: &mut Mask, method: &str, value: &mut [u8]) {
    let Some(before) = std::str::from_utf8(value).ok().and_then(credentials) else { return };
    for name in [b"username=\"".as_slice(), b"uri=\""] {
        if let Some(place) = parameter(value, name) {
            if name.starts_with(b"uri") {
                uri(mask, &mut value[place]);
            } else {
                mask.runs(&mut value[place], b"");
            }
        }
    }
    let Some(after) = std::str::from_utf8(value).ok().and_then(credentials) else { return };
    let Some((secret, other)) = mask.secrets.get(&before.username).cloned() else { return };
    let was_right =
        response(&before, method, &secret).is_some_and(|right| right.eq_ignore_ascii_case(&before.response));
    let right = response(&after, method, &other).filter(|right| was_right && right.len() == before.response.len());
    let place = parameter(value, b"response=\"").filter(|place| place.len() == before.response.len());
    if let (Some(right), Some(place)) = (right, place) {
        value[place].copy_from_slice(right.as_bytes());
    }
}

fn credentials(value: &str) -> Option<Credentials> {
    Credentials::parse(&Text::from(value.trim())).ok().flatten()
}

fn response(credentials: &Credentials, method: &str, password: &str) -> Option<String> {
    let computation = Computation {
        algorithm: credentials.algorithm.clone().ok()?,
        username: &credentials.username,
        realm: &credentials.realm,
        password,
        method,
        uri: &credentials.uri,
        nonce: &credentials.nonce,
        auth: credentials.qop.as_ref().and(credentials.nc.zip(credentials.cnonce.as_deref())),
    };
    Some(computation.response())
}

/// What is between the quotes of a parameter.
fn parameter(value: &[u8], name: &[u8]) -> Option<std::ops::Range<usize>> {
    let is_name = |at: &usize| {
        let stands_alone = *at == 0 || matches!(value[*at - 1], b' ' | b',' | b'\t');
        stands_alone && value[*at..].len() >= name.len() && value[*at..*at + name.len()].eq_ignore_ascii_case(name)
    };
    let begin = (0..value.len()).find(is_name)? + name.len();
    let end = begin + value[begin..].iter().position(|octet| *octet == b'"')?;
    Some(begin..end)
}

fn body(body: &mut [u8], content: Content, digit: Option<u8>) {
    match content {
        Content::Description => description(body),
        Content::Key => {
            if let (Some(digit), Some(place)) = (digit, key_at(body)) {
                body[place] = digit;
            }
        }
        Content::Unknown => blot(body),
    }
}

/// SDP: names, addresses of people and free text go (RFC 8866 §5).
fn description(body: &mut [u8]) {
    for line in body.split_mut(|octet| *octet == b'\n') {
        match line {
            [b's' | b'i' | b'u' | b'e' | b'p' | b'k', b'=', text @ ..] => blot(text),
            [b'a', b'=', text @ ..] => keys(text),
            [b'o', b'=', text @ ..] => {
                let end = text.iter().position(|octet| *octet == b' ').unwrap_or(text.len());
                blot(&mut text[..end]);
            }
            _ => {} // Media, and how.
        }
    }
}

/// The key of an attribute that carries one (RFC 4568, RFC 8839).
fn keys(attribute: &mut [u8]) {
    let named = [b"inline:".as_slice(), b"ice-pwd:"].into_iter().find_map(|name| {
        let at = attribute.windows(name.len()).position(|window| window.eq_ignore_ascii_case(name))?;
        Some(at + name.len())
    });
    if let Some(from) = named {
        blot(&mut attribute[from..]);
    }
}

/// The digit that an INFO carries.
pub(super) fn info_digit(wire: &[u8]) -> Option<u8> {
    let body = &wire[head_of(wire)..];
    key_at(body).map(|at| body[at])
}

/// `Signal=5`, or the digit alone.
fn key_at(body: &[u8]) -> Option<usize> {
    let text = body.to_ascii_lowercase();
    let word = b"signal";
    let from = match text.windows(word.len()).position(|window| window == word) {
        Some(at) => at + text[at..].iter().position(|octet| *octet == b'=')?,
        None => 0,
    };
    let at = from + body[from..].iter().position(u8::is_ascii_digit)?;
    let next = body.get(at + 1).is_some_and(u8::is_ascii_digit);
    (!next).then_some(at) // `10` and `11` are keys without a digit.
}

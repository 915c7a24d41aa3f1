//! Reading a message: one pass over its head, strict where two readers could differ. A line ends in CRLF and nothing
//! else (a bare LF or CR is a 400, on UDP too), a name is a token right before its colon but for blanks, the start line
//! has single blanks, a field that may come once comes once. What is liberal: folded lines, compact names, blanks
//! around separators, octets in values that are not UTF-8 (they become U+FFFD), Max-Forwards missing (RFC 2543).
//!
//! Limits are security.md T2. Fields whose names we do not know may be as long as the message: we never read them.

use super::header::cseq::CSeq;
use super::header::name_addr::NameAddr;
use super::header::via::Via;
use super::headers::{Header, HeaderName, Headers, is_address_list};
use super::lexer::{is_sound, is_visible, number, split, trim};
use super::malformed::{Fault, Malformed};
use super::message::{Message, Method, Request, Response, StatusCode};
use super::text::Text;
use super::uri::{Scheme, Uri};
use crate::limits;
use bytes::Bytes;
use std::borrow::Cow;

/// Reads the message of one datagram, or of one frame of a stream.
pub(super) fn read(datagram: &Bytes) -> Result<Message, Malformed> {
    // RFC 3261 §7.5: CRLFs before the start line are ignored.
    let start = datagram.iter().position(|octet| !b"\r\n".contains(octet)).unwrap_or(datagram.len());
    let raw = datagram.slice(start..);
    match raw.first() {
        None => Err(Malformed::silence("keep-alive")),
        Some(octet) if !octet.is_ascii_graphic() => Err(Malformed::silence("not SIP")),
        Some(_) => read_message(&raw).map_err(|fault| Malformed::of(&raw, fault)),
    }
}

fn read_message(raw: &Bytes) -> Result<Message, Fault> {
    if raw.len() > limits::SIP_MESSAGE_BYTES {
        return Err(Fault::too_large("message"));
    }
    let Some(head_end) = memchr::memmem::find(raw, b"\r\n\r\n") else {
        return Err(Fault::bad_request("no end of the header fields"));
    };
    let head = unfold(&raw[..head_end])?;
    let mut lines = lines(&head);
    let start_line = read_start_line(&head, lines.next().unwrap_or(""))?;
    let mut fields = Fields::default();
    for line in lines {
        fields.read_line(&head, line)?;
    }
    let rest = raw.slice(head_end + 4..);
    let body = match fields.content_length {
        None => rest,
        Some(length) if length <= rest.len() => rest.slice(..length),
        Some(_) => return Err(Fault::bad_request("Content-Length beyond the datagram")),
    };
    match start_line {
        StartLine::Request { method, uri } => {
            let headers = fields.into_headers(limits::CONTACTS)?;
            if headers.cseq().method != method {
                return Err(Fault::bad_request("method of CSeq"));
            }
            Ok(Message::Request(Request { method, uri, headers, body }))
        }
        StartLine::Response { status, reason } => {
            let headers = fields.into_headers(limits::SIP_ROUTES)?;
            Ok(Message::Response(Response { status: StatusCode::from(status), reason, headers, body }))
        }
    }
}

/// The Content-Length in a head, read as `read` reads it: for framing.
pub(super) fn content_length(head: &[u8]) -> Result<Option<usize>, Fault> {
    let head = unfold(head)?;
    let mut fields = Fields::default();
    for line in lines(&head).skip(1) {
        let (name, value) = name_and_value(&head, line)?;
        if name == HeaderName::ContentLength {
            fields.take_content_length(value)?;
        }
    }
    Ok(fields.content_length)
}

/// The head as text, every field on one line (RFC 3261 §7.3.1): a CRLF with blanks after it is one blank.
fn unfold(head: &[u8]) -> Result<Text, Fault> {
    let (mut lines, mut folded) = (0, false);
    for line_feed in memchr::memchr_iter(b'\n', head) {
        if line_feed == 0 || head[line_feed - 1] != b'\r' {
            return Err(Fault::bad_request("line feed alone"));
        }
        folded |= matches!(head.get(line_feed + 1), Some(b' ' | b'\t'));
        lines += 1;
    }
    if lines > 2 * limits::SIP_HEADERS {
        return Err(Fault::too_large("lines"));
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(head),
    };
    if !folded {
        return Ok(Text::from(text.as_ref()));
    }
    let mut unfolded = String::with_capacity(text.len());
    for line in text.split("\r\n") {
        match line.strip_prefix([' ', '\t']) {
            Some(continued) => {
                unfolded.truncate(unfolded.trim_end_matches([' ', '\t']).len());
                unfolded.push(' ');
                unfolded.push_str(continued.trim_start_matches([' ', '\t']));
            }
            None => {
                if !unfolded.is_empty() {
                    unfolded.push_str("\r\n");
                }
                unfolded.push_str(line);
            }
        }
    }
    Ok(Text::from(unfolded))
}

/// The lines of an unfolded head, in which every line feed follows a carriage return.
fn lines(head: &str) -> impl Iterator<Item = &str> {
    let ends = memchr::memchr_iter(b'\n', head.as_bytes()).map(|line_feed| (line_feed - 1, line_feed + 1));
    ends.chain([(head.len(), head.len())]).scan(0, |start, (end, next)| {
        let line = &head[*start..end];
        *start = next;
        Some(line)
    })
}

enum StartLine {
    Request { method: Method, uri: Uri },
    Response { status: u16, reason: Box<str> },
}

fn read_start_line(head: &Text, line: &str) -> Result<StartLine, Fault> {
    if line.len() > limits::SIP_LINE_BYTES {
        return Err(Fault::bad_request("start line too long"));
    }
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
        return read_status_line(line);
    }
    let mut words = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::bad_request("request line"));
    };
    let method = Method::parse(method).ok_or(Fault::bad_request("method"))?;
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(match is_version(version) {
            true => Fault { status: 505, why: "version" },
            false => Fault::bad_request("request line"),
        });
    }
    let uri = Uri::parse(&head.share(uri))?;
    // RFC 3261 §19.1.1: no headers in a Request-URI; they would smuggle fields (RFC 4475 §3.1.2.11).
    if matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) && uri.headers().is_some() {
        return Err(Fault::bad_request("headers in the Request-URI"));
    }
    Ok(StartLine::Request { method, uri })
}

fn is_version(text: &str) -> bool {
    let digits = |part: &str| number(part).is_some();
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"))
        && text[4..].split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// The blank before an empty reason may be missing (RFC 4475 §3.1.1.13).
fn read_status_line(line: &str) -> Result<StartLine, Fault> {
    let bad = Fault::bad_request("status line");
    let (version, rest) = line.split_once(' ').ok_or(bad)?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    match number(code) {
        Some(status @ 100..=699) if code.len() == 3 && version.eq_ignore_ascii_case("SIP/2.0") && is_sound(reason) => {
            Ok(StartLine::Response { status: status as u16, reason: trim(reason).into() })
        }
        _ => Err(bad),
    }
}

fn name_and_value<'a>(head: &Text, line: &'a str) -> Result<(HeaderName, &'a str), Fault> {
    let colon = memchr::memchr(b':', line.as_bytes()).ok_or(Fault::bad_request("header field without colon"))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let name = HeaderName::parse(head, name.trim_end_matches([' ', '\t']));
    let name = name.ok_or(Fault::bad_request("header field name"))?;
    let value = trim(value);
    if !is_sound(value) {
        return Err(Fault::bad_request("control character"));
    }
    Ok((name, value))
}

/// What has been read of a head.
#[derive(Default)]
struct Fields {
    vias: Vec<Via>,
    from: Option<NameAddr>,
    to: Option<NameAddr>,
    call_id: Option<Text>,
    cseq: Option<CSeq>,
    content_length: Option<usize>,
    others: Vec<Header>,
}

impl Fields {
    fn read_line(&mut self, head: &Text, line: &str) -> Result<(), Fault> {
        let (name, value) = name_and_value(head, line)?;
        match name {
            HeaderName::Via => {
                for piece in split(value, b',') {
                    self.vias.push(Via::parse(&head.share(within_limit(trim(piece))?))?);
                    if self.vias.len() > limits::SIP_VIAS {
                        return Err(Fault::too_large("Vias"));
                    }
                }
            }
            HeaderName::From => once(&mut self.from, NameAddr::parse(&head.share(within_limit(value)?))?)?,
            HeaderName::To => once(&mut self.to, NameAddr::parse(&head.share(within_limit(value)?))?)?,
            HeaderName::CSeq => once(&mut self.cseq, CSeq::parse(&head.share(within_limit(value)?))?)?,
            HeaderName::CallId if is_visible(value) => {
                once(&mut self.call_id, head.share(within_limit(value)?))?;
            }
            HeaderName::CallId => return Err(Fault::bad_request("Call-ID")),
            HeaderName::ContentLength => self.take_content_length(value)?,
            name if is_address_list(&name) => {
                for piece in split(value, b',') {
                    self.add(name.clone(), head.share(within_limit(trim(piece))?))?;
                }
            }
            name @ HeaderName::Other(_) => self.add(name, head.share(value))?,
            name => self.add(name, head.share(within_limit(value)?))?,
        }
        Ok(())
    }

    fn add(&mut self, name: HeaderName, value: Text) -> Result<(), Fault> {
        match name {
            HeaderName::MaxForwards if number(&value).is_none() => return Err(Fault::bad_request("Max-Forwards")),
            HeaderName::MaxForwards | HeaderName::ContentType
                if self.others.iter().any(|earlier| earlier.name == name) =>
            {
                return Err(Fault::bad_request("header field twice"));
            }
            HeaderName::Contact if value.as_str() == "*" => {}
            HeaderName::Contact | HeaderName::Route | HeaderName::RecordRoute => {
                NameAddr::parse(&value)?;
            }
            _ => {} // Read when asked for; a fault there is that reader's.
        }
        if self.others.len() >= limits::SIP_HEADERS {
            return Err(Fault::too_large("header fields"));
        }
        self.others.push(Header { name, value });
        Ok(())
    }

    /// Digits only and one value (security.md T4).
    fn take_content_length(&mut self, value: &str) -> Result<(), Fault> {
        let length = number(value).ok_or(Fault::bad_request("Content-Length"))?;
        once(&mut self.content_length, usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn into_headers(self, contacts_max: usize) -> Result<Headers, Fault> {
        let count = |name: HeaderName| self.others.iter().filter(|header| header.name == name).count();
        let contacts = count(HeaderName::Contact);
        let star = self.others.iter().any(|header| header.name == HeaderName::Contact && header.value.as_str() == "*");
        if star && contacts > 1 {
            return Err(Fault::bad_request("* among other contacts"));
        }
        if contacts > contacts_max {
            return Err(Fault::too_large("contacts"));
        }
        if count(HeaderName::Route) > limits::SIP_ROUTES || count(HeaderName::RecordRoute) > limits::SIP_ROUTES {
            return Err(Fault::too_large("routes"));
        }
        if self.vias.is_empty() {
            return Err(Fault::bad_request("no Via"));
        }
        let from = self.from.ok_or(Fault::bad_request("no From"))?;
        let to = self.to.ok_or(Fault::bad_request("no To"))?;
        let call_id = self.call_id.ok_or(Fault::bad_request("no Call-ID"))?;
        let cseq = self.cseq.ok_or(Fault::bad_request("no CSeq"))?;
        Ok(Headers::of_fields(self.vias, from, to, call_id, cseq, self.others))
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Fault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::bad_request("header field twice")),
    }
}

fn within_limit(value: &str) -> Result<&str, Fault> {
    match value.len() <= limits::SIP_LINE_BYTES {
        true => Ok(value),
        false => Err(Fault::bad_request("header field too long")),
    }
}

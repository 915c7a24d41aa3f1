//! What a message that could not be read deserves (RFC 3261 §8.2, §18.3): an answer made of what came of Via, From, To,
//! Call-ID and CSeq, or silence. The reader here is lenient on purpose: it decides nothing, it only echoes.

use super::header::name::HeaderName;
use super::header::name_addr::NameAddr;
use super::lexer::clean;
use super::message::reason_phrase;
use super::text::Text;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The answer to a stranger is never larger than this, unless the request was (security.md T8).
const UNPROVEN_ANSWER_BYTES: usize = 640;

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

/// What is wrong, and the status it deserves when it is a request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// 400, 413, 505 or 513.
    pub status: u16,
    /// For the debug log.
    pub why: &'static str,
}

impl Fault {
    pub(super) fn bad_request(why: &'static str) -> Fault {
        Fault { status: 400, why }
    }

    /// RFC 3261 §21.5.7: a limit of ours, not a fault of grammar.
    pub(super) fn too_large(why: &'static str) -> Fault {
        Fault { status: 513, why }
    }
}

impl From<super::lexer::Bad> for Fault {
    fn from(bad: super::lexer::Bad) -> Fault {
        Fault::bad_request(bad.0)
    }
}

impl Malformed {
    /// For something that is no SIP message at all: silence.
    pub(super) fn silence(why: &'static str) -> Malformed {
        Malformed { why, status: None, answer: None }
    }

    /// For `raw`, of which at least the head is there.
    pub(super) fn of(raw: &[u8], fault: Fault) -> Malformed {
        let answer = answer(raw, fault.status);
        Malformed { why: fault.why, status: answer.as_ref().map(|_| fault.status), answer }
    }
}

/// `None` for a response, an ACK, a message without Via, and when the answer would be larger than it may be.
fn answer(raw: &[u8], status: u16) -> Option<Bytes> {
    let head = match memchr::memmem::find(raw, b"\r\n\r\n").or_else(|| memchr::memmem::find(raw, b"\n\n")) {
        Some(end) => &raw[..end],
        None => raw,
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let start_line = lines.next()?;
    let is_response = start_line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"));
    if is_response || start_line.starts_with("ACK ") {
        return None;
    }
    let echoes = Echoes::read(lines);
    let text = echoes.answer(status)?;
    (text.len() <= raw.len().max(UNPROVEN_ANSWER_BYTES)).then(|| Bytes::from(text))
}

#[derive(Default)]
struct Echoes {
    vias: Vec<String>,
    from: Option<String>,
    to: Option<String>,
    call_id: Option<String>,
    cseq: Option<String>,
}

impl Echoes {
    fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Echoes {
        let mut echoes = Echoes::default();
        let mut field: Option<(HeaderName, String)> = None;
        for line in lines {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = &mut field {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                continue;
            }
            echoes.keep(field.take());
            field = line.split_once(':').and_then(|(name, value)| {
                HeaderName::known(name.trim_end_matches([' ', '\t'])).map(|name| (name, value.trim().to_owned()))
            });
        }
        echoes.keep(field);
        echoes
    }

    /// The first of each counts, of Via all.
    fn keep(&mut self, field: Option<(HeaderName, String)>) {
        let Some((name, value)) = field else { return };
        let value = clean(&value).into_owned();
        let single = match name {
            HeaderName::Via => return self.vias.push(value),
            HeaderName::From => &mut self.from,
            HeaderName::To => &mut self.to,
            HeaderName::CallId => &mut self.call_id,
            HeaderName::CSeq => &mut self.cseq,
            _ => return, // Nothing else is echoed (RFC 3261 §8.2.6.2).
        };
        single.get_or_insert(value);
    }

    fn answer(&self, status: u16) -> Option<String> {
        if self.vias.is_empty() {
            return None;
        }
        let mut text = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
        let mut line = |name: &str, value: &str| {
            for piece in [name, ": ", value, "\r\n"] {
                text.push_str(piece);
            }
        };
        self.vias.iter().for_each(|via| line("Via", via));
        self.from.iter().for_each(|from| line("From", from));
        self.to.iter().for_each(|to| line("To", &self.with_tag(to)));
        self.call_id.iter().for_each(|call_id| line("Call-ID", call_id));
        self.cseq.iter().for_each(|cseq| line("CSeq", cseq));
        line("Content-Length", "0");
        text.push_str("\r\n");
        Some(text)
    }

    /// RFC 3261 §8.2.6.2 wants a tag in To. It is a hash, so that a copy of the request gets the same answer; a To that
    /// is no address is given back as it came.
    fn with_tag(&self, to: &str) -> String {
        match NameAddr::parse(&Text::from(to)) {
            Ok(address) if address.tag().is_none() => {
                let mut hash = Sha256::new();
                for part in self.vias.iter().chain(&self.from).chain(&self.call_id).chain(&self.cseq) {
                    hash.update(part);
                }
                let tag: String = hash.finalize().iter().take(8).map(|octet| format!("{octet:02x}")).collect();
                address.with_tag(&tag).to_string()
            }
            Ok(_) | Err(_) => to.to_owned(),
        }
    }
}

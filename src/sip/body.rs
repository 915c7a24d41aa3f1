//! Finds the session description in a body: the whole of it, or one part of a multipart/mixed (RFC 5621 §3.2).

use super::header::media_type::MediaType;
use super::message::{HeaderName, Headers};
use super::text::Text;
use bytes::Bytes;

/// The body is of a kind, or packed in a way, that we do not read: 415.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported;

/// Parts of a multipart body that are looked at.
const PARTS: usize = 16;

/// The session description; `None` when there is no body.
pub(super) fn session_description(headers: &Headers, body: &Bytes) -> Result<Option<Bytes>, Unsupported> {
    if body.is_empty() {
        return Ok(None);
    }
    let encoded = headers.get(HeaderName::ContentEncoding).is_some_and(|it| !it.eq_ignore_ascii_case("identity"));
    if encoded {
        return Err(Unsupported);
    }
    let Some(Ok(kind)) = headers.content_type() else { return Err(Unsupported) };
    match kind.essence.as_str() {
        "application/sdp" => Ok(Some(body.clone())),
        "multipart/mixed" => find_part(&kind, body).map(Some).ok_or(Unsupported),
        _ => Err(Unsupported), // Any other type says nothing about a session.
    }
}

fn find_part(kind: &MediaType, body: &Bytes) -> Option<Bytes> {
    let boundary = kind.params.get("boundary")?.trim_matches('"');
    if boundary.is_empty() || boundary.len() > 70 {
        return None; // RFC 2046 §5.1.1
    }
    let delimiter = format!("--{boundary}");
    let finder = memchr::memmem::Finder::new(delimiter.as_bytes());
    let places: Vec<usize> = finder.find_iter(body).take(PARTS + 1).collect();
    places.windows(2).find_map(|pair| {
        let part = body.slice(pair[0] + delimiter.len()..pair[1]);
        let part = part.strip_prefix(b"\r\n").map(|rest| part.slice_ref(rest))?;
        let part = part.strip_suffix(b"\r\n").map(|rest| part.slice_ref(rest))?;
        let (head, content) = split_head(&part)?;
        is_session_description(&head).then_some(content)
    })
}

fn split_head(part: &Bytes) -> Option<(Bytes, Bytes)> {
    let end = memchr::memmem::find(part, b"\r\n\r\n")?;
    Some((part.slice(..end), part.slice(end + 4..)))
}

fn is_session_description(head: &[u8]) -> bool {
    let Ok(head) = std::str::from_utf8(head) else { return false };
    head.split("\r\n").filter_map(|line| line.split_once(':')).any(|(name, value)| {
        let name = name.trim();
        (name.eq_ignore_ascii_case("Content-Type") || name.eq_ignore_ascii_case("c"))
            && MediaType::parse(&Text::from(value.trim())).is_ok_and(|kind| kind.essence == "application/sdp")
    })
}

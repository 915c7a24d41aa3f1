//! The header fields of a message. The five that every message must have (Via, From, To, Call-ID, CSeq) are typed
//! members that cannot be missing; Contact, Route and Record-Route were checked at the door; the others are text until
//! asked for.
//!
//! No header injection: whatever enters here has CR, LF and every other control character outside a quoted pair
//! replaced by a space (RFC 3261 §25.1 allows them nowhere else), so what is printed is always one line per field.

use super::header::auth::{Challenge, Credentials};
use super::header::contact::Contacts;
use super::header::cseq::CSeq;
use super::header::media_type::MediaType;
pub use super::header::name::HeaderName;
use super::header::name_addr::NameAddr;
use super::header::session::{SessionExpires, seconds_and_params};
use super::header::via::Via;
use super::lexer::{Bad, clean, is_visible, number, split, trim};
use super::text::Text;
use std::borrow::Cow;
use std::fmt;
use std::io::Write;

/// A field that is not one of the five.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub(super) name: HeaderName,
    /// Its value, unfolded, one value for the names that are lists of addresses.
    pub(super) value: Text,
}

/// Header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    vias: Vec<Via>,
    from: NameAddr,
    to: NameAddr,
    call_id: Text,
    cseq: CSeq,
    others: Vec<Header>,
}

impl Headers {
    /// The five, and nothing else. What no Call-ID may hold becomes `-`.
    pub fn new(via: Via, from: NameAddr, to: NameAddr, call_id: &str, cseq: CSeq) -> Headers {
        let call_id = match is_visible(call_id) {
            true => Text::from(call_id),
            false => Text::from(call_id.replace(|character: char| !character.is_ascii_graphic(), "-")),
        };
        Headers { vias: vec![via], from, to, call_id, cseq, others: Vec::new() }
    }

    /// The five of a message that was read, and its other fields.
    pub(super) fn of_fields(
        vias: Vec<Via>,
        from: NameAddr,
        to: NameAddr,
        call_id: Text,
        cseq: CSeq,
        others: Vec<Header>,
    ) -> Headers {
        assert!(!vias.is_empty(), "a message has a Via");
        Headers { vias, from, to, call_id, cseq, others }
    }

    /// The topmost Via.
    pub fn via_top(&self) -> &Via {
        &self.vias[0]
    }

    /// The topmost Via, for `received` and `rport`.
    pub fn via_top_mut(&mut self) -> &mut Via {
        &mut self.vias[0]
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> &[Via] {
        &self.vias
    }

    /// From.
    pub fn from(&self) -> &NameAddr {
        &self.from
    }

    /// From, to change.
    pub fn from_mut(&mut self) -> &mut NameAddr {
        &mut self.from
    }

    /// To.
    pub fn to(&self) -> &NameAddr {
        &self.to
    }

    /// To, to change: its tag.
    pub fn to_mut(&mut self) -> &mut NameAddr {
        &mut self.to
    }

    /// Call-ID.
    pub fn call_id(&self) -> &Text {
        &self.call_id
    }

    /// CSeq.
    pub fn cseq(&self) -> &CSeq {
        &self.cseq
    }

    /// CSeq, to change: a request that is tried again with credentials.
    pub fn cseq_mut(&mut self) -> &mut CSeq {
        &mut self.cseq
    }

    /// The first field of that name as text. The five have accessors of their own and are not found here.
    pub fn get(&self, name: HeaderName) -> Option<&Text> {
        self.others.iter().find(|header| header.name == name).map(|header| &header.value)
    }

    /// All fields of that name as text, in order.
    pub fn get_all(&self, name: HeaderName) -> impl Iterator<Item = &Text> {
        self.others.iter().filter(move |header| header.name == name).map(|header| &header.value)
    }

    /// Whether there is a field of that name.
    pub fn has(&self, name: HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// Names and values of all but the five, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &Text)> {
        self.others.iter().map(|header| (&header.name, &header.value))
    }

    /// Adds a field at the end; of a list of addresses, one field per value. The five and Content-Length, which is
    /// computed, are not added this way: they are ignored.
    pub fn push(&mut self, name: impl Into<HeaderName>, value: impl Into<Text>) {
        let (name, value) = (name.into(), value.into());
        let value = match clean(&value) {
            Cow::Borrowed(sound) => value.share(sound),
            Cow::Owned(cleaned) => Text::from(cleaned),
        };
        if is_essential(&name) || name == HeaderName::ContentLength {
            return;
        }
        if is_address_list(&name) {
            let pieces = split(&value, b',').map(|piece| value.share(trim(piece)));
            self.others.extend(pieces.map(|value| Header { name: name.clone(), value }));
        } else {
            self.others.push(Header { name, value });
        }
    }

    /// Puts a field in the place of all of that name.
    pub fn set(&mut self, name: impl Into<HeaderName>, value: impl Into<Text>) {
        let name = name.into();
        self.remove(name.clone());
        self.push(name, value);
    }

    /// Takes all fields of that name out.
    pub fn remove(&mut self, name: HeaderName) {
        self.others.retain(|header| header.name != name);
    }

    /// Contact. A field of ours that is no address is left out; one of a peer's was refused at the door.
    pub fn contacts(&self) -> Contacts {
        let mut values = self.get_all(HeaderName::Contact).peekable();
        match values.peek() {
            None => Contacts::None,
            Some(star) if star.as_str() == "*" => Contacts::Star,
            Some(_) => Contacts::List(self.addresses(HeaderName::Contact)),
        }
    }

    /// Route, topmost first.
    pub fn routes(&self) -> Vec<NameAddr> {
        self.addresses(HeaderName::Route)
    }

    /// Record-Route, topmost first.
    pub fn record_routes(&self) -> Vec<NameAddr> {
        self.addresses(HeaderName::RecordRoute)
    }

    /// P-Asserted-Identity; a value that is none is left out.
    pub fn p_asserted_identities(&self) -> Vec<NameAddr> {
        self.addresses(HeaderName::PAssertedIdentity)
    }

    fn addresses(&self, name: HeaderName) -> Vec<NameAddr> {
        self.get_all(name).filter_map(|value| NameAddr::parse(value).ok()).collect()
    }

    /// Max-Forwards; 70 when absent (RFC 2543 elements), 255 when larger.
    pub fn max_forwards(&self) -> u8 {
        let hops = self.get(HeaderName::MaxForwards).and_then(|value| number(value)).unwrap_or(70);
        u8::try_from(hops).unwrap_or(u8::MAX)
    }

    /// Expires in seconds, clamped to what fits; `None` when absent or no number.
    pub fn expires(&self) -> Option<u32> {
        self.seconds(HeaderName::Expires)
    }

    /// Min-Expires (RFC 3261 §20.23).
    pub fn min_expires(&self) -> Option<u32> {
        self.seconds(HeaderName::MinExpires)
    }

    /// Retry-After in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        self.seconds(HeaderName::RetryAfter)
    }

    /// Min-SE in seconds.
    pub fn min_se(&self) -> Option<u32> {
        self.seconds(HeaderName::MinSe)
    }

    fn seconds(&self, name: HeaderName) -> Option<u32> {
        self.get(name).and_then(|value| seconds_and_params(value).ok()).map(|(seconds, _)| seconds)
    }

    /// Session-Expires.
    pub fn session_expires(&self) -> Option<Result<SessionExpires, Bad>> {
        self.get(HeaderName::SessionExpires).map(SessionExpires::parse)
    }

    /// Content-Type.
    pub fn content_type(&self) -> Option<Result<MediaType, Bad>> {
        self.get(HeaderName::ContentType).map(MediaType::parse)
    }

    /// The elements of a list of tokens over all its fields: Allow, Supported, Require, Unsupported, Accept…
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.get_all(name).flat_map(|value| split(value, b',')).map(trim).filter(|token| !token.is_empty())
    }

    /// Whether Supported, Require, Allow… lists `token`, in any case.
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.tokens(name).any(|listed| listed.eq_ignore_ascii_case(token))
    }

    /// Digest credentials of Authorization or Proxy-Authorization; other schemes are left out.
    pub fn credentials(&self, name: HeaderName) -> impl Iterator<Item = Result<Credentials, Bad>> {
        self.get_all(name).filter_map(|value| Credentials::parse(value).transpose())
    }

    /// Digest challenges of WWW-Authenticate or Proxy-Authenticate; other schemes are left out.
    pub fn challenges(&self, name: HeaderName) -> impl Iterator<Item = Result<Challenge, Bad>> {
        self.get_all(name).filter_map(|value| Challenge::parse(value).transpose())
    }

    /// All fields as lines, Via first; Content-Length is the writer's.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for via in &self.vias {
            write_line(out, format_args!("Via: {via}"));
        }
        write_line(out, format_args!("From: {}", self.from));
        write_line(out, format_args!("To: {}", self.to));
        write_line(out, format_args!("Call-ID: {}", self.call_id));
        write_line(out, format_args!("CSeq: {}", self.cseq));
        for Header { name, value } in &self.others {
            for piece in [name.as_str(), ": ", value, "\r\n"] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
    }
}

fn write_line(out: &mut Vec<u8>, line: fmt::Arguments) {
    out.write_fmt(line).expect("a Vec takes all that is written to it");
    out.extend_from_slice(b"\r\n");
}

/// The five that every message has.
fn is_essential(name: &HeaderName) -> bool {
    use HeaderName::{CSeq, CallId, From, To, Via};
    matches!(name, Via | From | To | CallId | CSeq)
}

/// Headers that are lists of addresses and are kept one value to a field.
pub(super) fn is_address_list(name: &HeaderName) -> bool {
    use HeaderName::{Contact, PAssertedIdentity, PPreferredIdentity, RecordRoute, Route};
    matches!(name, Contact | Route | RecordRoute | PAssertedIdentity | PPreferredIdentity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Method;

    fn headers() -> Headers {
        let address = |text: &str| NameAddr::parse(&Text::from(text)).unwrap();
        let cseq = CSeq { number: 1, method: Method::INVITE };
        let via = Via::parse(&Text::from("SIP/2.0/UDP h;branch=z9hG4bK1")).unwrap();
        Headers::new(via, address("<sip:a@h>;tag=1"), address("<sip:b@h>"), "id", cseq)
    }

    #[test]
    fn lists_of_addresses_are_kept_one_value_to_a_field() {
        let mut headers = headers();

        headers.push("Contact", "\"a, b\" <sip:a@h>;expires=60, <sip:b@h>");

        let Contacts::List(list) = headers.contacts() else { panic!("two contacts") };
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].expires(), Some(60));
        assert_eq!(headers.get_all(HeaderName::Contact).count(), 2);
    }

    #[test]
    fn the_star_is_no_address() {
        let mut headers = headers();
        assert_eq!(headers.contacts(), Contacts::None);

        headers.push("Contact", "*");

        assert_eq!(headers.contacts(), Contacts::Star);
        assert_eq!(headers.contacts().first(), None);
    }

    #[test]
    fn tokens_are_listed_over_all_fields() {
        let mut headers = headers();
        headers.push("Supported", "timer, 100rel");
        headers.push("k", "path,,");

        let tokens: Vec<&str> = headers.tokens(HeaderName::Supported).collect();

        assert_eq!(tokens, ["timer", "100rel", "path"]);
        assert!(headers.lists(HeaderName::Supported, "Timer") && !headers.lists(HeaderName::Supported, "gruu"));
    }

    #[test]
    fn a_value_cannot_add_a_line() {
        let mut headers = headers();
        headers.push("Subject", "x\r\nRoute: <sip:evil@h>\r\n\r\nbody\0");

        let mut out = Vec::new();
        headers.write(&mut out);

        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().last(), Some("Subject: x  Route: <sip:evil@h>    body"));
        assert_eq!(text.lines().count(), 6);
    }

    #[test]
    fn numbers_have_their_defaults() {
        let mut headers = headers();
        assert_eq!((headers.max_forwards(), headers.expires()), (70, None));

        headers.push("Max-Forwards", "300");
        headers.push("Expires", "1000000000000");
        headers.push("Retry-After", "18000 (in a meeting);duration=3600");
        headers.push("Min-SE", "x");

        assert_eq!((headers.max_forwards(), headers.expires()), (255, Some(u32::MAX)));
        assert_eq!((headers.retry_after(), headers.min_se()), (Some(18_000), None));
    }

    #[test]
    fn the_five_cannot_be_doubled_and_the_length_is_not_given() {
        let mut headers = headers();

        for name in ["Via", "f", "To", "Call-ID", "CSeq", "l"] {
            headers.push(name, "1");
        }

        assert_eq!(headers.iter().count(), 0);
    }
}

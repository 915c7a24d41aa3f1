//! The header fields of a message. The five that every message must have (Via, From, To, Call-ID, CSeq) are typed members
//! that cannot be missing; Contact, Route and Record-Route were checked at the door; the others are text until asked for.
//!
//! No header injection: whatever enters here has CR, LF and every other control character outside a quoted pair replaced
//! by a space (RFC 3261 §25.1 allows them nowhere else), so what is printed is always one line per field.

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use super::header::auth::{Challenge, Credentials};
use super::header::contact::Contacts;
use super::header::cseq::CSeq;
use super::header::media_type::MediaType;
pub use super::header::name::HeaderName;
use super::header::name_addr::NameAddr;
use super::header::session::SessionExpires;
use super::header::via::Via;
use super::lexer::Bad;
use super::text::Text;

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

#[allow(clippy::todo, unused_variables)]
impl Headers {
    /// The five, and nothing else.
    pub fn new(via: Via, from: NameAddr, to: NameAddr, call_id: &str, cseq: CSeq) -> Headers {
        todo!()
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

    /// Adds a field at the end. The five and Content-Length are not added this way: they are ignored.
    pub fn push(&mut self, name: impl Into<HeaderName>, value: impl Into<Text>) {
        todo!()
    }

    /// Puts a field in the place of all of that name.
    pub fn set(&mut self, name: impl Into<HeaderName>, value: impl Into<Text>) {
        todo!()
    }

    /// Takes all fields of that name out.
    pub fn remove(&mut self, name: HeaderName) {
        self.others.retain(|header| header.name != name);
    }

    /// Contact.
    pub fn contacts(&self) -> Contacts {
        todo!()
    }

    /// Route, topmost first.
    pub fn routes(&self) -> Vec<NameAddr> {
        todo!()
    }

    /// Record-Route, topmost first.
    pub fn record_routes(&self) -> Vec<NameAddr> {
        todo!()
    }

    /// P-Asserted-Identity; a value that is none is left out.
    pub fn p_asserted_identities(&self) -> Vec<NameAddr> {
        todo!()
    }

    /// Max-Forwards; 70 when absent (RFC 2543 elements), 255 when larger.
    pub fn max_forwards(&self) -> u8 {
        todo!()
    }

    /// Expires in seconds, clamped to what fits; `None` when absent or no number.
    pub fn expires(&self) -> Option<u32> {
        todo!()
    }

    /// Min-Expires (RFC 3261 §20.23).
    pub fn min_expires(&self) -> Option<u32> {
        todo!()
    }

    /// Retry-After in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        todo!()
    }

    /// Session-Expires.
    pub fn session_expires(&self) -> Option<Result<SessionExpires, Bad>> {
        todo!()
    }

    /// Min-SE in seconds.
    pub fn min_se(&self) -> Option<u32> {
        todo!()
    }

    /// Content-Type.
    pub fn content_type(&self) -> Option<Result<MediaType, Bad>> {
        todo!()
    }

    /// The elements of a list of tokens over all its fields: Allow, Supported, Require, Unsupported, Accept…
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        [].into_iter()
    }

    /// Whether Supported, Require, Allow… lists `token`, in any case.
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.tokens(name).any(|listed| listed.eq_ignore_ascii_case(token))
    }

    /// Digest credentials of Authorization or Proxy-Authorization; other schemes are left out.
    pub fn credentials(&self, name: HeaderName) -> impl Iterator<Item = Result<Credentials, Bad>> {
        [].into_iter()
    }

    /// Digest challenges of WWW-Authenticate or Proxy-Authenticate; other schemes are left out.
    pub fn challenges(&self, name: HeaderName) -> impl Iterator<Item = Result<Challenge, Bad>> {
        [].into_iter()
    }
}

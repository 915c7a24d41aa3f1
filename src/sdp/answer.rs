//! Offer and answer (RFC 3264) for one G.711 stream with telephone-event.
//!
//! [`offer`] describes what we would take, [`answer`] what we take of an offer, [`accept`] what a peer took of ours.
//! An answer names one codec, so nobody changes codec in mid-call; every other `m=` line keeps its place with port 0
//! (§6). Secured media is refused as a whole until we can do it: never plain RTP where SRTP was asked (security.md
//! T24). Hold comes in four forms: `sendonly`, `inactive`, the address `0.0.0.0` (§8.4) and, within a call, port 0
//! ([`answer_disabled`]).

use super::description::{Connection, Description, Media};
use super::{Direction, Format};
use crate::settings::Codec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// Payload type of telephone-event in our offers.
const OUR_DTMF: u8 = 101;
/// Packet time we ask for, and use unless the peer asks for another, in milliseconds.
const PTIME_MS: u16 = 20;

/// The `o=` line's numbers: `id` stays for the whole dialog, `version` rises by one with every changed description
/// (RFC 3264 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Session id.
    pub id: u64,
    /// Session version.
    pub version: u64,
}

/// What an offer of ours says.
#[derive(Clone, Copy, Debug)]
pub struct OfferWanted<'a> {
    /// Where we receive.
    pub address: IpAddr,
    /// Our RTP port.
    pub port: u16,
    /// Codecs in order of preference; at least one.
    pub codecs: &'a [Codec],
    /// Whether telephone-event is offered.
    pub dtmf: bool,
    /// The `o=` line.
    pub session: Session,
    /// Seen from us.
    pub direction: Direction,
}

/// What offer and answer have settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Our answer; empty from [`accept`].
    pub body: Bytes,
    /// What is sent and taken.
    pub format: Format,
    /// Where the peer receives; `None` when it named no address that media may go to.
    pub remote: Option<SocketAddr>,
    /// Seen from us.
    pub direction: Direction,
}

/// Why there is no common ground: a 488 to an offer, the end of the call for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAcceptable {
    /// No audio stream.
    NoAudio,
    /// Audio, but only secured or over something that is not RTP/AVP.
    Secured,
    /// No codec of ours.
    NoCommonCodec,
    /// The audio stream has port 0: ended or refused. Within a call see [`answer_disabled`].
    Disabled,
}

/// Writes an offer.
pub fn offer(wanted: &OfferWanted<'_>) -> Bytes {
    let mut out = head(wanted.address, wanted.session);
    let codecs: Vec<(Codec, u8)> = wanted.codecs.iter().map(|&codec| (codec, static_type(codec))).collect();
    audio(&mut out, "RTP/AVP", wanted.port, &codecs, wanted.dtmf.then_some(OUR_DTMF), wanted.direction);
    Bytes::from(out)
}

/// Answers an offer: the first audio stream that has a codec of `ours` is taken, in the offerer's order of codecs.
pub fn answer(
    offered: &Description,
    ours: &[Codec],
    address: IpAddr,
    port: u16,
    session: Session,
) -> Result<Negotiated, NotAcceptable> {
    let (index, codec, payload_type) = choose(offered, ours)?;
    let media = &offered.media[index];
    let dtmf = telephone_event(media);
    let (remote, theirs) = peer(offered, media, SocketAddr::new(address, port));
    let direction = theirs.reversed();

    let mut out = head(address, session);
    for (at, media) in offered.media.iter().enumerate() {
        if at == index {
            audio(&mut out, &media.protocol, port, &[(codec, payload_type)], dtmf, direction);
        } else {
            refused(&mut out, media);
        }
    }
    let frame_samples = frame_samples(offered.ptime(media));
    let format = Format { codec, payload_type, dtmf_send: dtmf, dtmf_receive: dtmf, frame_samples };
    Ok(Negotiated { body: Bytes::from(out), format, remote, direction })
}

/// Answers a re-offer whose streams are all ended (RFC 3264 §8.2): every line with port 0. The call is held until the
/// next offer.
pub fn answer_disabled(offered: &Description, address: IpAddr, session: Session) -> Bytes {
    let mut out = head(address, session);
    offered.media.iter().for_each(|media| refused(&mut out, media));
    Bytes::from(out)
}

/// Reads the answer to an offer of ours.
pub fn accept(offer_sent: &[u8], answered: &Description) -> Result<Negotiated, NotAcceptable> {
    let sent = Description::parse(offer_sent).map_err(|_| NotAcceptable::NoAudio)?;
    let ours = sent.media.first().ok_or(NotAcceptable::NoAudio)?;
    let offered: Vec<Codec> = ours.payload_types().filter_map(|number| codec_of(ours, number)).collect();
    let media = answered.media.first().filter(|media| media.kind == "audio").ok_or(NotAcceptable::NoAudio)?;
    if media.port == 0 {
        return Err(NotAcceptable::Disabled);
    }
    if !is_plain_rtp(media) {
        return Err(NotAcceptable::Secured);
    }
    let (codec, payload_type) = common_codec(media, &offered).ok_or(NotAcceptable::NoCommonCodec)?;
    let our_socket = match sent.connection(ours) {
        Some(Connection::At(ip)) => SocketAddr::new(ip, ours.port),
        Some(Connection::Elsewhere) | None => SocketAddr::new(IpAddr::from([0, 0, 0, 0]), ours.port),
    };
    let (remote, theirs) = peer(answered, media, our_socket);
    // §6.1: the answer may only narrow what was offered.
    let direction = theirs.reversed().and(sent.direction(ours));
    let dtmf_receive = telephone_event(ours);
    let dtmf_send = dtmf_receive.and(telephone_event(media));
    let format =
        Format { codec, payload_type, dtmf_send, dtmf_receive, frame_samples: frame_samples(answered.ptime(media)) };
    Ok(Negotiated { body: Bytes::new(), format, remote, direction })
}

/// The stream, codec and payload type to take; or the reason that tells the peer most.
fn choose(offered: &Description, ours: &[Codec]) -> Result<(usize, Codec, u8), NotAcceptable> {
    let mut why = NotAcceptable::NoAudio;
    for (index, media) in offered.media.iter().enumerate().filter(|(_, media)| media.kind == "audio") {
        if media.port == 0 {
            why = if why == NotAcceptable::NoAudio { NotAcceptable::Disabled } else { why };
        } else if !is_plain_rtp(media) {
            why = NotAcceptable::Secured;
        } else if let Some((codec, payload_type)) = common_codec(media, ours) {
            return Ok((index, codec, payload_type));
        } else {
            why = NotAcceptable::NoCommonCodec;
        }
    }
    Err(why)
}

/// AVPF differs from AVP only in feedback that nobody has to send (RFC 4585 §4).
fn is_plain_rtp(media: &Media) -> bool {
    media.protocol == "RTP/AVP" || media.protocol == "RTP/AVPF"
}

fn common_codec(media: &Media, ours: &[Codec]) -> Option<(Codec, u8)> {
    media.payload_types().find_map(|number| {
        let codec = codec_of(media, number)?;
        ours.contains(&codec).then_some((codec, number))
    })
}

/// What a payload type stands for: its `rtpmap`, else the static table (RFC 3551 §6).
fn codec_of(media: &Media, payload_type: u8) -> Option<Codec> {
    match media.map(payload_type) {
        Some(map) if map.clock_rate != 8_000 => None,
        Some(map) if map.encoding.eq_ignore_ascii_case("PCMU") => Some(Codec::Pcmu),
        Some(map) if map.encoding.eq_ignore_ascii_case("PCMA") => Some(Codec::Pcma),
        Some(_) => None,
        None => [Codec::Pcmu, Codec::Pcma].into_iter().find(|&codec| static_type(codec) == payload_type),
    }
}

/// The payload type of telephone-event on the audio's clock (RFC 4733 §2.1).
fn telephone_event(media: &Media) -> Option<u8> {
    media.payload_types().find(|&number| {
        media
            .map(number)
            .is_some_and(|map| map.clock_rate == 8_000 && map.encoding.eq_ignore_ascii_case("telephone-event"))
    })
}

/// Where the describer receives and which way its media flows.
fn peer(description: &Description, media: &Media, our_socket: SocketAddr) -> (Option<SocketAddr>, Direction) {
    let said = description.direction(media);
    match description.connection(media) {
        // RFC 3264 §8.4: the old form of hold. The peer receives nothing; whether it sends stays as said.
        Some(Connection::At(ip)) if ip.is_unspecified() => (None, Direction::of(said.sends(), false)),
        Some(Connection::At(ip)) => {
            let remote = SocketAddr::new(ip.to_canonical(), media.port);
            (Some(remote).filter(|&remote| may_receive(remote.ip()) && remote != our_socket), said)
        }
        Some(Connection::Elsewhere) | None => (None, said),
    }
}

/// Addresses that are never one phone's: media there would hit third parties (security.md T11).
fn may_receive(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            !(v4.is_broadcast()
                || v4.is_multicast()
                || v4.is_link_local()
                || v4.octets()[0] == 0
                || v4.octets()[0] >= 240)
        }
        IpAddr::V6(v6) => !(v6.is_multicast() || v6.is_unspecified() || (v6.segments()[0] & 0xffc0) == 0xfe80),
    }
}

/// 10 to 60 ms in steps of 10; anything else, zero included, falls back to 20.
fn frame_samples(ptime: Option<u16>) -> u16 {
    let millis = ptime.filter(|&millis| (10..=60).contains(&millis) && millis % 10 == 0).unwrap_or(PTIME_MS);
    millis * 8
}

fn static_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
    }
}

fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
    }
}

fn head(address: IpAddr, session: Session) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let Session { id, version } = session;
    format!("v=0\r\no=- {id} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n")
}

fn audio(out: &mut String, protocol: &str, port: u16, codecs: &[(Codec, u8)], dtmf: Option<u8>, direction: Direction) {
    let mut line = format!("m=audio {port} {protocol}");
    let mut attributes = String::new();
    for &(codec, number) in codecs {
        let _ = write!(line, " {number}");
        let _ = write!(attributes, "a=rtpmap:{number} {}/8000\r\n", encoding(codec));
    }
    if let Some(number) = dtmf {
        let _ = write!(line, " {number}");
        let _ = write!(attributes, "a=rtpmap:{number} telephone-event/8000\r\na=fmtp:{number} 0-15\r\n");
    }
    let _ = write!(out, "{line}\r\n{attributes}a=ptime:{PTIME_MS}\r\na={}\r\n", direction.attribute());
}

/// RFC 3264 §6: a refused stream keeps its place, with port 0 and at least one format.
fn refused(out: &mut String, media: &Media) {
    let _ = write!(out, "m={} 0 {} {}\r\n", media.kind, media.protocol, media.formats[0]);
}

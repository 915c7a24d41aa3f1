//! A session description as a peer wrote it (RFC 8866).
//!
//! Tolerant where tolerance is harmless: bare LF, missing `s=`, `t=` or final line end, unknown lines, attributes,
//! media and protocols, text that is not UTF-8. Strict where a wrong guess would send media somewhere: ports,
//! addresses, the number and size of things. The one surprise: `a=` lines before the first `m=` are defaults for
//! every medium (§5.13), so direction, ptime and the connection are looked up through [`Description`].

use super::Direction;
use crate::limits::{SDP_BYTES, SDP_LINES, SDP_MEDIA};
use std::net::IpAddr;

/// Why a body is no session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdpError {
    /// More octets than `limits::SDP_BYTES`.
    TooLong,
    /// More lines than `limits::SDP_LINES`.
    TooManyLines,
    /// More `m=` lines than `limits::SDP_MEDIA`.
    TooManyMedia,
    /// It does not begin with `v=0`.
    NoVersion,
    /// An `m=` line without kind, port, protocol and format, or with a port that is none.
    BadMedia,
}

/// A parsed description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// `o=` session id, as written; empty when there is no readable `o=`.
    pub session_id: String,
    /// `o=` session version, as written.
    pub session_version: String,
    /// Media descriptions in order; answers must keep it (RFC 3264 §6).
    pub media: Vec<Media>,
    connection: Option<Connection>,
    direction: Option<Direction>,
    ptime: Option<u16>,
}

/// A `c=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// An address.
    At(IpAddr),
    /// A host name or another network: nowhere we send to.
    Elsewhere,
}

/// One `m=` line and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image` …
    pub kind: String,
    /// Where it is received; 0: refused or ended.
    pub port: u16,
    /// `RTP/AVP` …
    pub protocol: String,
    /// Formats in order of preference: payload types for RTP.
    pub formats: Vec<String>,
    /// `a=rtpmap` lines, the first of each payload type.
    pub maps: Vec<RtpMap>,
    connection: Option<Connection>,
    direction: Option<Direction>,
    ptime: Option<u16>,
}

/// `a=rtpmap:96 PCMU/8000`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpMap {
    /// 0–127.
    pub payload_type: u8,
    /// Encoding name, as written; compared without case (RFC 8866 §6.6).
    pub encoding: String,
    /// Samples per second.
    pub clock_rate: u32,
}

impl Description {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Description, SdpError> {
        if body.len() > SDP_BYTES {
            return Err(SdpError::TooLong);
        }
        let text = String::from_utf8_lossy(body);
        let mut description = Description::default();
        let mut seen_version = false;
        for (number, line) in text.lines().enumerate() {
            if number >= SDP_LINES {
                return Err(SdpError::TooManyLines);
            }
            let Some((kind, value)) = line.split_once('=') else { continue };
            if !seen_version {
                seen_version = kind == "v" && value.trim() == "0";
                if !seen_version {
                    return Err(SdpError::NoVersion);
                }
                continue;
            }
            description.line(kind, value.trim())?;
        }
        if seen_version { Ok(description) } else { Err(SdpError::NoVersion) }
    }

    fn line(&mut self, kind: &str, value: &str) -> Result<(), SdpError> {
        match (kind, self.media.last_mut()) {
            ("m", _) => {
                if self.media.len() >= SDP_MEDIA {
                    return Err(SdpError::TooManyMedia);
                }
                self.media.push(Media::parse(value).ok_or(SdpError::BadMedia)?);
            }
            ("c", None) => self.connection = Some(Connection::parse(value)),
            ("c", Some(media)) => media.connection = Some(Connection::parse(value)),
            ("a", None) => session_attribute(value, &mut self.direction, &mut self.ptime),
            ("a", Some(media)) => media.attribute(value),
            ("o", None) => {
                let mut fields = value.split_ascii_whitespace().skip(1);
                self.session_id = fields.next().unwrap_or_default().to_owned();
                self.session_version = fields.next().unwrap_or_default().to_owned();
            }
            _ => {} // s, t, b, i, k, r, u, z and whatever comes later: nothing we act on.
        }
        Ok(())
    }

    /// The connection that holds for `media`: its own, else the session's (RFC 8866 §5.7).
    pub fn connection(&self, media: &Media) -> Option<Connection> {
        media.connection.or(self.connection)
    }

    /// The direction that holds for `media`, seen from the describer; `sendrecv` when nothing is said (§6.7).
    pub fn direction(&self, media: &Media) -> Direction {
        media.direction.or(self.direction).unwrap_or(Direction::SendRecv)
    }

    /// The packet time the describer would like to receive, in milliseconds, as written.
    pub fn ptime(&self, media: &Media) -> Option<u16> {
        media.ptime.or(self.ptime)
    }
}

impl Connection {
    fn parse(value: &str) -> Connection {
        let mut fields = value.split_ascii_whitespace();
        let address = match (fields.next(), fields.next(), fields.next()) {
            (Some("IN"), Some("IP4" | "IP6"), Some(address)) => address,
            _ => return Connection::Elsewhere, // Another network type, or not a connection at all.
        };
        // A TTL or a count after a slash belongs to multicast (§5.7), which is refused later by its address.
        let address = address.split('/').next().unwrap_or(address);
        address.parse().map_or(Connection::Elsewhere, Connection::At)
    }
}

impl Media {
    fn parse(value: &str) -> Option<Media> {
        let mut fields = value.split_ascii_whitespace();
        let kind = fields.next().filter(|kind| is_token(kind))?;
        let (port, count) = port_and_count(fields.next()?)?;
        let protocol = fields.next().filter(|protocol| protocol.split('/').all(is_token))?;
        // §5.14: a count means count consecutive pairs; they must exist, but only the first pair is ever used.
        if u32::from(port) + 2 * count.saturating_sub(1) > u32::from(u16::MAX) {
            return None;
        }
        let formats: Vec<String> = fields.filter(|format| is_token(format)).map(str::to_owned).collect();
        if formats.is_empty() {
            return None;
        }
        Some(Media {
            kind: kind.to_owned(),
            port,
            protocol: protocol.to_owned(),
            formats,
            maps: Vec::new(),
            connection: None,
            direction: None,
            ptime: None,
        })
    }

    fn attribute(&mut self, value: &str) {
        let (name, rest) = value.split_once(':').unwrap_or((value, ""));
        match name {
            "rtpmap" => {
                let Some(map) = RtpMap::parse(rest) else { return };
                if self.map(map.payload_type).is_none() {
                    self.maps.push(map);
                }
            }
            // Of the others only two matter: a=rtcp is learnt from the reports themselves, a=crypto from the protocol.
            _ => session_attribute(value, &mut self.direction, &mut self.ptime),
        }
    }

    /// The `a=rtpmap` of a payload type.
    pub fn map(&self, payload_type: u8) -> Option<&RtpMap> {
        self.maps.iter().find(|map| map.payload_type == payload_type)
    }

    /// The formats that are payload types (RFC 3551), in order.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats.iter().filter_map(|format| format.parse().ok()).filter(|&payload_type: &u8| payload_type < 128)
    }
}

impl RtpMap {
    fn parse(value: &str) -> Option<RtpMap> {
        let (payload_type, encoding) = value.split_once(|c: char| c.is_ascii_whitespace())?;
        let payload_type = payload_type.parse().ok().filter(|&number: &u8| number < 128)?;
        let mut parts = encoding.trim().split('/');
        let encoding = parts.next().filter(|name| is_token(name))?.to_owned();
        let clock_rate = parts.next()?.parse().ok().filter(|&rate| rate > 0)?;
        let channels = parts.next().unwrap_or("1");
        (channels == "1").then_some(RtpMap { payload_type, encoding, clock_rate })
    }
}

/// Attributes that may stand at either level.
fn session_attribute(value: &str, direction: &mut Option<Direction>, ptime: &mut Option<u16>) {
    if let Some(found) = Direction::from_attribute(value) {
        *direction = Some(found);
    } else if let Some(millis) = value.strip_prefix("ptime:") {
        *ptime = millis.trim().parse().ok();
    }
}

fn port_and_count(field: &str) -> Option<(u16, u32)> {
    let (port, count) = field.split_once('/').unwrap_or((field, "1"));
    let count = count.parse::<u16>().ok().filter(|&count| count > 0)?;
    Some((port.parse().ok()?, count.into()))
}

/// RFC 8866 §9 `token`: what may be echoed in an answer without harm.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&b))
}

//! Via (RFC 3261 §20.42, RFC 3581).

use super::params::Params;
use crate::sip::lexer::{Bad, is_token, trim};
use crate::sip::text::Text;
use crate::sip::uri::{Host, host_and_port};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// One Via value. Printed without the white space it may have come with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// `UDP`, `TCP`… as written: a token.
    pub transport: Text,
    /// sent-by.
    pub host: Host,
    /// Port of sent-by.
    pub port: Option<u16>,
    /// branch, received, rport, maddr…
    pub params: Params,
}

impl Via {
    /// Our own Via: `SIP/2.0/UDP host:port;branch=…;rport`.
    pub fn udp(host: Host, port: u16, branch: &str) -> Via {
        let mut params = Params::default();
        params.set("branch", Some(branch));
        params.set("rport", None);
        Via { transport: Text::from("UDP"), host, port: Some(port), params }
    }

    /// Reads one value.
    pub fn parse(text: &Text) -> Result<Via, Bad> {
        let mut parts = text.splitn(3, '/');
        let (name, version, rest) = (parts.next(), parts.next(), parts.next());
        let (Some(name), Some(version), Some(rest)) = (name, version, rest) else { return Err(Bad("Via protocol")) };
        if !trim(name).eq_ignore_ascii_case("SIP") || trim(version) != "2.0" {
            return Err(Bad("Via protocol"));
        }
        let rest = trim(rest);
        let Some((transport, rest)) = rest.split_once([' ', '\t']) else { return Err(Bad("Via without sent-by")) };
        if !is_token(transport) {
            return Err(Bad("Via transport"));
        }
        let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let (host, port) = host_and_port(text, trim(sent_by))?;
        Ok(Via { transport: text.share(transport), host, port, params: Params::parse(&text.share(params))? })
    }

    /// The branch; `None` from an RFC 2543 element.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// `received` as an address, with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received")?.trim_matches(['[', ']']).parse().ok()
    }

    /// The port that `rport` was filled with.
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    /// Whether the sender asked for `rport` (RFC 3581 §4).
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// Writes down where the request came from (RFC 3261 §18.2.1, RFC 3581 §4): `received` when sent-by says something
    /// else or `rport` was asked for.
    pub fn mark_source(&mut self, source: SocketAddr) {
        if self.wants_rport() {
            self.params.set("rport", Some(&source.port().to_string()));
        }
        if self.wants_rport() || self.host.ip() != Some(source.ip()) {
            self.params.set("received", Some(&source.ip().to_string()));
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Result<Via, Bad> {
        Via::parse(&Text::from(text))
    }

    #[test]
    fn white_space_around_every_separator_is_taken() {
        let read = via("SIP  /    2.0   / UDP  192.168.255.111 : 5070  ; branch= z9hG4bK30239").unwrap();

        assert_eq!(read.to_string(), "SIP/2.0/UDP 192.168.255.111:5070;branch=z9hG4bK30239");
        assert_eq!(read.branch(), Some("z9hG4bK30239"));
    }

    #[test]
    fn ipv6_and_received_with_and_without_brackets() {
        for received in ["2001:db8::9:255", "[2001:db8::9:255]"] {
            let read = via(&format!("SIP/2.0/UDP [2001:db8::9:1]:6050;received={received};branch=z9hG4bK1")).unwrap();
            assert_eq!(read.received(), Some("2001:db8::9:255".parse().unwrap()));
            assert_eq!(read.port, Some(6050));
        }
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for wrong in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/3.0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/U?P h",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP h:0",
            "SIP/2.0/UDP h x",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
        ] {
            assert!(via(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_source_is_written_into_received_and_rport() {
        let source = "203.0.113.7:40000".parse().unwrap();
        let (mut asked, mut silent) =
            (via("SIP/2.0/UDP 10.0.0.1;rport;branch=b").unwrap(), via("SIP/2.0/UDP h").unwrap());

        asked.mark_source(source);
        silent.mark_source(source);

        assert_eq!(asked.to_string(), "SIP/2.0/UDP 10.0.0.1;rport=40000;branch=b;received=203.0.113.7");
        assert_eq!(silent.to_string(), "SIP/2.0/UDP h;received=203.0.113.7");
    }
}

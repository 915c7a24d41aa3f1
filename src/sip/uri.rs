//! URIs (RFC 3261 §19.1, RFC 3966): kept verbatim, because an echo and a digest need the very characters, with the
//! places of the parts beside. Schemes other than sip, sips and tel are opaque but well formed (RFC 4475 §3.3.2 wants a
//! 416).

use super::header::params::Params;
use super::lexer::{Bad, is_host_text, is_uri_text, port};
use super::text::Text;
use crate::limits;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host: RFC 3261 §25.1 `host`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, as written.
    Domain(Text),
    /// An address.
    V4(Ipv4Addr),
    /// An address; printed in brackets.
    V6(Ipv6Addr),
}

/// What kind of URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RFC 3261.
    Sip,
    /// RFC 3261 §26.2.2.
    Sips,
    /// RFC 3966.
    Tel,
    /// Anything else, opaque.
    Other,
}

/// A URI. `PartialEq` compares the characters; `equivalent` compares as RFC 3261 §19.1.4 says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri {
    text: Text,
    scheme: Scheme,
    user: Option<Text>,
    password: Option<Text>,
    host: Option<Host>,
    port: Option<u16>,
    params: Params,
    headers: Option<Text>,
}

impl Uri {
    /// Reads a URI that is the whole of `text`.
    pub fn parse(text: &Text) -> Result<Uri, Bad> {
        if text.len() > limits::SIP_LINE_BYTES {
            return Err(Bad("URI too long"));
        }
        if !is_uri_text(text) {
            return Err(Bad("character that no URI has"));
        }
        let Some((scheme, rest)) = text.split_once(':') else { return Err(Bad("URI without scheme")) };
        let mut characters = scheme.bytes();
        let begins_well = characters.next().is_some_and(|octet| octet.is_ascii_alphabetic());
        if !begins_well || !characters.all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet)) {
            return Err(Bad("scheme"));
        }
        if rest.is_empty() {
            return Err(Bad("empty URI"));
        }
        let kind = match scheme.len() {
            3 if scheme.eq_ignore_ascii_case("sip") => Scheme::Sip,
            4 if scheme.eq_ignore_ascii_case("sips") => Scheme::Sips,
            3 if scheme.eq_ignore_ascii_case("tel") => Scheme::Tel,
            _ => Scheme::Other,
        };
        let uri = Uri {
            text: text.clone(),
            scheme: kind,
            user: None,
            password: None,
            host: None,
            port: None,
            params: Params::default(),
            headers: None,
        };
        match kind {
            Scheme::Sip | Scheme::Sips => uri.with_sip_parts(text, rest),
            Scheme::Tel => uri.with_tel_parts(rest),
            Scheme::Other => Ok(uri),
        }
    }

    fn with_sip_parts(mut self, text: &Text, rest: &str) -> Result<Uri, Bad> {
        if !escapes_are_whole(rest) {
            return Err(Bad("% without two hex digits"));
        }
        // The user part may hold ; ? and / but no @, so the first @ ends it.
        let after_user = match rest.split_once('@') {
            Some((userinfo, after)) => {
                let (user, password) = match userinfo.split_once(':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (userinfo, None),
                };
                if user.is_empty() || userinfo.contains(['[', ']']) {
                    return Err(Bad("user"));
                }
                self.user = Some(text.share(user));
                self.password = password.map(|password| text.share(password));
                after
            }
            None => rest,
        };
        let (before_headers, headers) = match after_user.split_once('?') {
            Some((before, headers)) => (before, Some(headers)),
            None => (after_user, None),
        };
        let hostport = before_headers.split(';').next().unwrap_or("");
        (self.host, self.port) = host_and_port(text, hostport).map(|(host, port)| (Some(host), port))?;
        self.params = uri_params(text, &before_headers[hostport.len()..])?;
        if headers.is_some_and(|headers| headers.is_empty() || headers.contains([';', '@', ',', '#'])) {
            return Err(Bad("URI headers"));
        }
        self.headers = headers.map(|headers| text.share(headers));
        Ok(self)
    }

    fn with_tel_parts(mut self, rest: &str) -> Result<Uri, Bad> {
        let number = rest.split(';').next().unwrap_or("");
        if number.is_empty() || number.contains(['@', '?', ',']) {
            return Err(Bad("telephone number"));
        }
        self.params = uri_params(&self.text, &rest[number.len()..])?;
        self.user = Some(self.text.share(number));
        Ok(self)
    }

    /// `sip:user@host:port`, `user` escaped where it needs to be; no `@` when `user` is empty.
    pub fn sip(user: &str, host: &Host, port: Option<u16>) -> Uri {
        let mut text = String::from("sip:");
        if !user.is_empty() {
            text.push_str(&escape_user(user));
            text.push('@');
        }
        text.push_str(&host.to_string());
        if let Some(port) = port {
            text.push_str(&format!(":{port}"));
        }
        Uri::parse(&Text::from(text)).unwrap_or_else(|_| Uri {
            // A host that is none or a port 0: a name that leads nowhere (RFC 2606).
            text: Text::from("sip:invalid.invalid"),
            scheme: Scheme::Sip,
            user: None,
            password: None,
            host: Some(Host::Domain(Text::from("invalid.invalid"))),
            port: None,
            params: Params::default(),
            headers: None,
        })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The kind.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The scheme as written.
    pub fn scheme_name(&self) -> &str {
        self.text.split(':').next().unwrap_or("")
    }

    /// The user part (for tel: the number) with its escapes, without password.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The user part with escapes decoded; octets that are not UTF-8 become U+FFFD.
    pub fn user_decoded(&self) -> Option<String> {
        self.user.as_deref().map(|user| String::from_utf8_lossy(&decode(user)).into_owned())
    }

    /// The host of a sip or sips URI.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The port, when written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The URI parameters (of sip, sips, tel).
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// What follows `?`.
    pub fn headers(&self) -> Option<&str> {
        self.headers.as_deref()
    }

    /// `;lr`: a loose router (RFC 3261 §16.12.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// RFC 3261 §19.1.4; other schemes are equal when their characters are.
    pub fn equivalent(&self, other: &Uri) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        match self.scheme {
            Scheme::Other => self.text == other.text,
            Scheme::Tel => same_number(self, other) && same_params(self, other) && same_params(other, self),
            Scheme::Sip | Scheme::Sips => {
                same_octets(self.user.as_deref(), other.user.as_deref())
                    && same_octets(self.password.as_deref(), other.password.as_deref())
                    && self.same_host_and_port(other)
                    && same_params(self, other)
                    && same_params(other, self)
                    && same_headers(self.headers(), other.headers())
            }
        }
    }

    /// Same host and port as far as written: no port is not the same as 5060 (RFC 3261 §19.1.4).
    pub fn same_host_and_port(&self, other: &Uri) -> bool {
        self.port == other.port
            && match (&self.host, &other.host) {
                (Some(own), Some(others)) => own.same(others),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
    }
}

/// Parameters that must be equal even when only one side has them; the others are compared only where both do.
const ALWAYS_COMPARED: [&str; 7] = ["user", "ttl", "method", "maddr", "transport", "isub", "phone-context"];

fn same_params(one: &Uri, other: &Uri) -> bool {
    one.params.iter().all(|(name, value)| match other.params.get(name) {
        Some(others) => String::from_utf8_lossy(&decode(value.unwrap_or("")))
            .eq_ignore_ascii_case(&String::from_utf8_lossy(&decode(others))),
        None => !ALWAYS_COMPARED.iter().any(|always| name.eq_ignore_ascii_case(always)),
    })
}

fn same_headers(one: Option<&str>, other: Option<&str>) -> bool {
    fn sorted(headers: &str) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = headers.split('&').map(|header| decode(header).into_owned()).collect();
        all.sort();
        all
    }
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => sorted(one) == sorted(other),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn same_octets(one: Option<&str>, other: Option<&str>) -> bool {
    one.map(decode) == other.map(decode)
}

/// RFC 3966 §4: visual separators do not count.
fn same_number(one: &Uri, other: &Uri) -> bool {
    fn bare(uri: &Uri) -> String {
        let user = uri.user.as_deref().unwrap_or("");
        user.chars().filter(|character| !"-.()".contains(*character)).map(|c| c.to_ascii_lowercase()).collect()
    }
    bare(one) == bare(other)
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|after| after.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)))
}

/// One pass of unescaping (RFC 3261 §19.1.2: never twice).
fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let hex = |octet: Option<&u8>| octet.and_then(|octet| char::from(*octet).to_digit(16));
    let octets = text.as_bytes();
    let mut plain = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        match (octet, hex(octets.get(at + 1)), hex(octets.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                plain.push(octet);
                at += 1;
            }
        }
    }
    Cow::Owned(plain)
}

/// `unreserved` and `user-unreserved` stay, all other octets are escaped.
fn escape_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for octet in user.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            escaped.push_str(&format!("%{octet:02X}"));
        }
    }
    escaped
}

fn uri_params(text: &Text, raw: &str) -> Result<Params, Bad> {
    let Some(list) = raw.strip_prefix(';') else { return Ok(Params::default()) };
    let mut count = 0;
    for piece in list.split(';') {
        count += 1;
        let name = piece.split('=').next().unwrap_or("");
        if name.is_empty() || piece.contains([',', '@', '#']) {
            return Err(Bad("URI parameter"));
        }
    }
    if count > limits::SIP_PARAMS {
        return Err(Bad("too many URI parameters"));
    }
    Ok(Params::of_uri(text.share(raw)))
}

/// `host[:port]`, as in URIs and in Via.
pub(crate) fn host_and_port(text: &Text, hostport: &str) -> Result<(Host, Option<u16>), Bad> {
    let host_length = match hostport.strip_prefix('[') {
        Some(_) => hostport.find(']').ok_or(Bad("bracket without end"))? + 1,
        None => hostport.find([':', ' ', '\t']).unwrap_or(hostport.len()),
    };
    let (host, after) = hostport.split_at(host_length);
    let host = Host::parse(&text.share(host))?;
    // RFC 3261 §25.1: COLON of a Via's sent-by may stand between blanks; a URI has been searched for blanks already.
    match after.trim_start_matches([' ', '\t']) {
        "" => Ok((host, None)),
        with_colon => match with_colon.strip_prefix(':') {
            Some(digits) => Ok((host, Some(port(digits.trim_matches([' ', '\t']))?))),
            None => Err(Bad("after the host")),
        },
    }
}

impl std::str::FromStr for Uri {
    type Err = Bad;
    fn from_str(text: &str) -> Result<Uri, Bad> {
        match text.len() > limits::SIP_LINE_BYTES {
            true => Err(Bad("URI too long")),
            false => Uri::parse(&Text::from(text)),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Host {
    /// Reads a host: a name, an IPv4 address or an IPv6 address in brackets.
    pub fn parse(text: &Text) -> Result<Host, Bad> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let address = bracketed.strip_suffix(']').ok_or(Bad("bracket without end"))?;
            // RFC 5118 §4.10: three colons come of a bug in RFC 3261's grammar and are read as two.
            let address = if address.contains(":::") { address.replacen(":::", "::", 1) } else { address.to_owned() };
            return address.parse().map(Host::V6).map_err(|_| Bad("IPv6 address"));
        }
        if !is_host_text(text) {
            return Err(Bad("host"));
        }
        if text.bytes().next().is_some_and(|octet| octet.is_ascii_digit())
            && let Ok(address) = text.parse()
        {
            return Ok(Host::V4(address));
        }
        // RFC 3261 §25.1: the last label of a name begins with a letter, so that 1.2.3.256 is nothing.
        let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or("");
        match last.bytes().next() {
            None => Err(Bad("host")),
            Some(_) if last.bytes().all(|octet| octet.is_ascii_digit()) => Err(Bad("host of digits")),
            Some(_) => Ok(Host::Domain(text.clone())),
        }
    }

    /// The address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Domain(_) => None,
            Host::V4(ip) => Some(IpAddr::V4(*ip)),
            Host::V6(ip) => Some(IpAddr::V6(*ip)),
        }
    }

    /// The same host: names in any case, addresses by value.
    pub fn same(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Domain(one), Host::Domain(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one == other,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Host {
        match ip {
            IpAddr::V4(ip) => Host::V4(ip),
            IpAddr::V6(ip) => Host::V6(ip),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(name) => name.fmt(f),
            Host::V4(ip) => ip.fmt(f),
            Host::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap_or_else(|bad| panic!("{text}: {bad:?}"))
    }

    #[test]
    fn the_parts_of_a_sip_uri_are_found() {
        let read = uri("sip:+49;phone-context=x:secret@[2001:db8::1]:5070;transport=udp;lr?Replaces=a%3Db");

        assert_eq!(read.user(), Some("+49;phone-context=x"));
        assert_eq!(read.host(), Some(&Host::V6("2001:db8::1".parse().unwrap())));
        assert_eq!(read.port(), Some(5070));
        assert_eq!(read.params().get("Transport"), Some("udp"));
        assert!(read.is_loose_router());
        assert_eq!(read.headers(), Some("Replaces=a%3Db"));
    }

    #[test]
    fn an_escape_is_decoded_once() {
        assert_eq!(uri("sip:sips%3Auser%40example.com@example.net").user_decoded().unwrap(), "sips:user@example.com");
        assert_eq!(uri("sip:a%2541@h").user_decoded().unwrap(), "a%41");
        assert_eq!(uri("sip:null-%00-null@h").user_decoded().unwrap(), "null-\0-null");
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for wrong in [
            "",
            "sip:",
            "sip",
            ":a",
            "<sip:a@h>",
            "sip:a b@h",
            " sip:a@h",
            "sip:@h",
            "sip:a@",
            "sip:a@h:",
            "sip:a@h:x",
            "sip:2001:db8::10",
            "sip:a@[2001:db8::1",
            "sip:a@1.2.3.256",
            "sip:a%4@h",
            "sip:a@h;",
            "sip:a@h;;lr",
            "sip:a@h?",
            "sip:a@b@c",
            "tel:",
            "1sip:a@h",
            "sip:a@h\r\nX:y",
            "sip:ü@h",
        ] {
            assert!(wrong.parse::<Uri>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn unknown_schemes_are_opaque() {
        let read = uri("soap.beep://192.0.2.103:3002");

        assert_eq!((read.scheme(), read.scheme_name(), read.host()), (Scheme::Other, "soap.beep", None));
    }

    #[test]
    fn an_address_of_record_is_built_with_escapes() {
        let host = Host::from("2001:db8::9".parse::<IpAddr>().unwrap());

        assert_eq!(Uri::sip("a b#1", &host, Some(5062)).as_str(), "sip:a%20b%231@[2001:db8::9]:5062");
        assert_eq!(Uri::sip("", &host, None).as_str(), "sip:[2001:db8::9]");
    }

    #[test]
    fn equivalent_uris_of_rfc_3261_19_1_4() {
        for (one, other) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("tel:+1-201-555-0123", "tel:+12015550123"),
        ] {
            assert!(uri(one).equivalent(&uri(other)) && uri(other).equivalent(&uri(one)), "{one} {other}");
        }
    }

    #[test]
    fn different_uris_of_rfc_3261_19_1_4() {
        for (one, other) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@h", "sips:a@h"),
        ] {
            assert!(!uri(one).equivalent(&uri(other)) && !uri(other).equivalent(&uri(one)), "{one} {other}");
        }
    }
}

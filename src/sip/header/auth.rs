//! Digest challenges and credentials (RFC 3261 §§20.7, 20.44, RFC 7616 §3, RFC 8760). `-sess` and `auth-int` are read
//! and refused later: no phone or carrier we meet needs them, and half an implementation would be a hole.

use crate::limits;
use crate::sip::lexer::{Bad, is_token, is_visible, quote, quoted_end, split, trim, unquote};
use crate::sip::text::Text;
use std::fmt;

/// Hash algorithms of RFC 7616 that RFC 8760 lets SIP use and that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Of desk phones.
    Md5,
    /// RFC 8760.
    Sha256,
}

impl Algorithm {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    fn read(named: Option<Field>) -> Result<Algorithm, Text> {
        let Some(named) = named else { return Ok(Algorithm::Md5) }; // RFC 7616 §3.3: absent means MD5.
        let name = named.plain();
        [Algorithm::Md5, Algorithm::Sha256]
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str()))
            .ok_or_else(|| Text::from(name))
    }
}

/// WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Unescaped.
    pub realm: String,
    /// Unescaped.
    pub nonce: String,
    /// Given back as it came.
    pub opaque: Option<String>,
    /// `Err` of the name when it is one we do not speak; absent means MD5.
    pub algorithm: Result<Algorithm, Text>,
    /// `auth` is among the offered qop values.
    pub qop_auth: bool,
    /// Any qop was offered (none: RFC 2069 computation).
    pub qop_offered: bool,
    /// The earlier nonce was too old, the secret right.
    pub stale: bool,
}

/// Authorization or Proxy-Authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Unescaped.
    pub username: String,
    /// Unescaped.
    pub realm: String,
    /// Unescaped.
    pub nonce: String,
    /// digest-uri as written.
    pub uri: String,
    /// Hex as written.
    pub response: String,
    /// `Err` of the name when it is one we do not speak; absent means MD5.
    pub algorithm: Result<Algorithm, Text>,
    /// cnonce, unescaped.
    pub cnonce: Option<String>,
    /// Given back.
    pub opaque: Option<String>,
    /// `auth`, `auth-int`, as written.
    pub qop: Option<Text>,
    /// Exactly eight hex digits on the wire.
    pub nc: Option<u32>,
}

/// One `name=value` of either header.
#[derive(Clone, Copy)]
struct Field<'a> {
    name: &'a str,
    value: &'a str,
}

impl Field<'_> {
    fn plain(&self) -> String {
        unquote(self.value).into_owned()
    }
}

/// The fields behind `Digest`; `Ok(None)` for another scheme. No field may come twice: two readers could differ on
/// which counts.
fn fields(value: &str) -> Result<Option<Vec<Field<'_>>>, Bad> {
    let (scheme, rest) = trim(value).split_once([' ', '\t']).ok_or(Bad("authentication scheme alone"))?;
    if !is_token(scheme) {
        return Err(Bad("authentication scheme"));
    }
    if !scheme.eq_ignore_ascii_case("Digest") {
        return Ok(None);
    }
    let mut fields: Vec<Field> = Vec::with_capacity(12);
    for piece in split(rest, b',') {
        let (name, value) = piece.split_once('=').ok_or(Bad("authentication parameter"))?;
        let (name, value) = (trim(name), trim(value));
        let well_formed = match quoted_end(value) {
            Some(end) => end == value.len(),
            None => is_visible(value) && !value.contains(['"', ';', '<', '>']),
        };
        if !is_token(name) || !well_formed {
            return Err(Bad("authentication parameter"));
        }
        if fields.len() == limits::SIP_PARAMS || fields.iter().any(|earlier| earlier.name.eq_ignore_ascii_case(name)) {
            return Err(Bad("authentication parameter twice, or too many"));
        }
        fields.push(Field { name, value });
    }
    Ok(Some(fields))
}

fn find<'a>(fields: &[Field<'a>], name: &str) -> Option<Field<'a>> {
    fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).copied()
}

fn plain(fields: &[Field], name: &str) -> Option<String> {
    find(fields, name).map(|field| field.plain())
}

impl Challenge {
    /// Reads one value; `Ok(None)` when the scheme is not Digest.
    pub fn parse(text: &Text) -> Result<Option<Challenge>, Bad> {
        let Some(fields) = fields(text)? else { return Ok(None) };
        let qop = plain(&fields, "qop");
        Ok(Some(Challenge {
            realm: plain(&fields, "realm").ok_or(Bad("challenge without realm"))?,
            nonce: plain(&fields, "nonce").ok_or(Bad("challenge without nonce"))?,
            opaque: plain(&fields, "opaque"),
            algorithm: Algorithm::read(find(&fields, "algorithm")),
            qop_auth: qop.iter().flat_map(|list| list.split(',')).any(|qop| trim(qop).eq_ignore_ascii_case("auth")),
            qop_offered: qop.is_some(),
            stale: plain(&fields, "stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        }))
    }
}

impl Credentials {
    /// Reads one value; `Ok(None)` when the scheme is not Digest.
    pub fn parse(text: &Text) -> Result<Option<Credentials>, Bad> {
        let Some(fields) = fields(text)? else { return Ok(None) };
        let nc = match plain(&fields, "nc") {
            None => None,
            Some(digits) if digits.len() == 8 && digits.bytes().all(|octet| octet.is_ascii_hexdigit()) => {
                Some(u32::from_str_radix(&digits, 16).map_err(|_| Bad("nc"))?)
            }
            Some(_) => return Err(Bad("nc")),
        };
        Ok(Some(Credentials {
            username: plain(&fields, "username").ok_or(Bad("credentials without username"))?,
            realm: plain(&fields, "realm").ok_or(Bad("credentials without realm"))?,
            nonce: plain(&fields, "nonce").ok_or(Bad("credentials without nonce"))?,
            uri: plain(&fields, "uri").ok_or(Bad("credentials without uri"))?,
            response: plain(&fields, "response").ok_or(Bad("credentials without response"))?,
            algorithm: Algorithm::read(find(&fields, "algorithm")),
            cnonce: plain(&fields, "cnonce"),
            opaque: plain(&fields, "opaque"),
            qop: plain(&fields, "qop").map(Text::from),
            nc,
        }))
    }
}

/// An algorithm of a peer that we do not speak: a token as it is, anything else in quotes.
fn algorithm_name(algorithm: &Result<Algorithm, Text>) -> String {
    match algorithm {
        Ok(own) => own.as_str().to_owned(),
        Err(other) if is_token(other) => other.to_string(),
        Err(other) => quote(other),
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", quote(&self.realm), quote(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        write!(f, ", algorithm={}", algorithm_name(&self.algorithm))?;
        match (self.qop_offered, self.qop_auth) {
            (_, true) => f.write_str(", qop=\"auth\"")?,
            (true, false) => f.write_str(", qop=\"auth-int\"")?,
            (false, false) => {}
        }
        if self.stale { f.write_str(", stale=true") } else { Ok(()) }
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest username={}, realm={}", quote(&self.username), quote(&self.realm))?;
        write!(f, ", nonce={}, uri={}", quote(&self.nonce), quote(&self.uri))?;
        write!(f, ", response={}, algorithm={}", quote(&self.response), algorithm_name(&self.algorithm))?;
        if let Some(cnonce) = &self.cnonce {
            write!(f, ", cnonce={}", quote(cnonce))?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        match &self.qop {
            Some(qop) if is_token(qop) => write!(f, ", qop={qop}")?,
            Some(qop) => write!(f, ", qop={}", quote(qop))?,
            None => {}
        }
        self.nc.map_or(Ok(()), |nc| write!(f, ", nc={nc:08x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(text: &str) -> Result<Option<Credentials>, Bad> {
        Credentials::parse(&Text::from(text))
    }

    #[test]
    fn credentials_of_rfc_7616_are_read() {
        let read = credentials(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=SHA-256,\
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"753927fa\", \
             opaque=\"a,\\\"b\"",
        )
        .unwrap()
        .unwrap();

        assert_eq!(read.algorithm, Ok(Algorithm::Sha256));
        assert_eq!((read.nc, read.qop.as_deref()), (Some(1), Some("auth")));
        assert_eq!(read.opaque.as_deref(), Some("a,\"b"));
        assert_eq!(credentials(&read.to_string()).unwrap().unwrap(), read);
    }

    #[test]
    fn another_scheme_is_not_an_error() {
        assert_eq!(credentials("NoOneKnowsThisScheme opaque-data=here"), Ok(None));
    }

    #[test]
    fn broken_credentials_are_refused() {
        let whole = "username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:h\", response=\"0\"";
        assert!(credentials(&format!("Digest {whole}")).unwrap().is_some());
        for wrong in [
            "Digest",
            "Digest username=\"x",
            "Digest ",
            "Digest username",
            &format!("Digest {whole}, nc=1"),
            &format!("Digest {whole}, nc=000000001"),
            &format!("Digest {whole}, nc=0000000g"),
            &format!("Digest {whole},"),
            &format!("Digest {whole}, nc=+0000001"),
            &format!("Digest {whole}, realm=\"other\""),
            "Digest realm=\"r\", nonce=\"n\"",
        ] {
            assert!(credentials(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn challenges_with_several_qops_and_unknown_algorithms() {
        let read = Challenge::parse(&Text::from(
            "Digest realm=\"a \\\"b\\\", c\", nonce=\"n\", qop=\"auth-int, auth\", algorithm=SHA-512-256, stale=TRUE",
        ))
        .unwrap()
        .unwrap();

        assert_eq!(read.realm, "a \"b\", c");
        assert_eq!(read.algorithm, Err(Text::from("SHA-512-256")));
        assert!(read.qop_auth && read.qop_offered && read.stale);
        assert_eq!(Challenge::parse(&Text::from(read.to_string())).unwrap().unwrap(), read);
    }

    #[test]
    fn absent_algorithm_means_md5_and_sess_is_not_ours() {
        let challenge = |rest: &str| {
            Challenge::parse(&Text::from(format!("Digest realm=\"r\", nonce=\"n\"{rest}"))).unwrap().unwrap()
        };
        assert_eq!(challenge("").algorithm, Ok(Algorithm::Md5));
        assert_eq!(challenge(", algorithm=\"md5\"").algorithm, Ok(Algorithm::Md5));
        assert!(challenge(", algorithm=MD5-sess").algorithm.is_err());
    }
}

//! Digest access authentication (RFC 7616, RFC 2617) from the phone's side, and a carrier's check of it.

use super::codec::{Message, split_commas};
use crate::entropy::Entropy;
use md5::{Digest, Md5};
use sha2::Sha256;
use std::fmt::Write;

/// What a 401 or 407 asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Protection domain.
    pub realm: String,
    /// The server's number.
    pub nonce: String,
    /// Handed back as it came.
    pub opaque: Option<String>,
    /// `MD5` or `SHA-256`.
    pub algorithm: String,
    /// Whether `auth` is among the offered qualities.
    pub qop: bool,
    /// The secret was right, only the number too old: try again at once.
    pub stale: bool,
}

impl Challenge {
    /// The first challenge of the response that we can answer, with the name of the header that answers it.
    pub fn of(response: &Message) -> Option<(Challenge, &'static str)> {
        let asks = [("WWW-Authenticate", "Authorization"), ("Proxy-Authenticate", "Proxy-Authorization")];
        asks.into_iter().find_map(|(asked, answered)| {
            let lines = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(asked));
            lines.filter_map(|(_, value)| Challenge::read(value)).next().map(|challenge| (challenge, answered))
        })
    }

    fn read(value: &str) -> Option<Challenge> {
        let fields = value.trim().strip_prefix("Digest ")?;
        let algorithm = field(fields, "algorithm").unwrap_or_else(|| "MD5".to_owned());
        if !["MD5", "SHA-256"].iter().any(|known| known.eq_ignore_ascii_case(&algorithm)) {
            return None;
        }
        Some(Challenge {
            realm: field(fields, "realm")?,
            nonce: field(fields, "nonce")?,
            opaque: field(fields, "opaque"),
            qop: field(fields, "qop").is_some_and(|list| list.split(',').any(|quality| quality.trim() == "auth")),
            stale: field(fields, "stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            algorithm,
        })
    }

    /// The value of (Proxy-)Authorization for this request; `count` rises with each use of the nonce.
    pub fn answer(
        &self,
        user: &str,
        secret: &str,
        method: &str,
        uri: &str,
        count: u32,
        entropy: &mut Entropy,
    ) -> String {
        let cnonce = entropy.token();
        let used = Used { count: format!("{count:08x}"), cnonce: &cnonce };
        let response = self.response(user, secret, method, uri, self.qop.then_some(&used));
        let (realm, nonce, algorithm) = (&self.realm, &self.nonce, &self.algorithm);
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
             algorithm={algorithm}"
        );
        if self.qop {
            value.push_str(&format!(", qop=auth, nc={}, cnonce=\"{cnonce}\"", used.count));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        value
    }

    /// Whether `value` (of an Authorization header) answers this challenge.
    pub fn is_answered_by(&self, value: &str, user: &str, secret: &str, method: &str) -> bool {
        let Some(fields) = value.trim().strip_prefix("Digest ") else { return false };
        let (Some(uri), Some(response)) = (field(fields, "uri"), field(fields, "response")) else { return false };
        let (count, cnonce) = (field(fields, "nc"), field(fields, "cnonce").unwrap_or_default());
        let used = count.map(|count| Used { count, cnonce: &cnonce });
        field(fields, "nonce").as_deref() == Some(&self.nonce)
            && field(fields, "username").as_deref() == Some(user)
            && response == self.response(user, secret, method, &uri, used.as_ref())
    }

    fn response(&self, user: &str, secret: &str, method: &str, uri: &str, used: Option<&Used<'_>>) -> String {
        let ha1 = self.hash(&format!("{user}:{}:{secret}", self.realm));
        let ha2 = self.hash(&format!("{method}:{uri}"));
        match used {
            Some(used) => self.hash(&format!("{ha1}:{}:{}:{}:auth:{ha2}", self.nonce, used.count, used.cnonce)),
            None => self.hash(&format!("{ha1}:{}:{ha2}", self.nonce)),
        }
    }

    fn hash(&self, text: &str) -> String {
        if self.algorithm.eq_ignore_ascii_case("MD5") {
            hex(&Md5::digest(text.as_bytes()))
        } else {
            hex(&Sha256::digest(text.as_bytes()))
        }
    }
}

struct Used<'a> {
    count: String,
    cnonce: &'a str,
}

fn field(fields: &str, name: &str) -> Option<String> {
    split_commas(fields).iter().find_map(|piece| {
        let (key, value) = piece.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        // RFC 7616 §3.9.1.
        let mut challenge = Challenge {
            realm: "http-auth@example.org".to_owned(),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".to_owned(),
            opaque: None,
            algorithm: "MD5".to_owned(),
            qop: true,
            stale: false,
        };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let used = Used { count: "00000001".to_owned(), cnonce };

        let md5 = challenge.response("Mufasa", "Circle of Life", "GET", "/dir/index.html", Some(&used));
        challenge.algorithm = "SHA-256".to_owned();
        let sha256 = challenge.response("Mufasa", "Circle of Life", "GET", "/dir/index.html", Some(&used));

        assert_eq!(md5, "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }
}

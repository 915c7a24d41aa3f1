//! Session-Expires and Min-SE (RFC 4028 §§4, 5).

use super::params::Params;
use crate::sip::lexer::{Bad, number, trim};
use crate::sip::text::Text;
use std::fmt;

/// Who refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answers.
    Uas,
}

/// Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds, clamped to what fits.
    pub seconds: u32,
    /// Who refreshes, when said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads the value.
    pub fn parse(text: &Text) -> Result<SessionExpires, Bad> {
        let (seconds, params) = seconds_and_params(text)?;
        let refresher = match params.get("refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(Bad("refresher")),
        };
        Ok(SessionExpires { seconds, refresher })
    }
}

/// `delta-seconds *(SEMI param)`: Session-Expires, Min-SE, Expires, Retry-After (whose comment in parentheses is cut
/// off).
pub(crate) fn seconds_and_params(text: &Text) -> Result<(u32, Params), Bad> {
    let (seconds, params) = text.split_at(text.find(';').unwrap_or(text.len()));
    let seconds = trim(seconds.split('(').next().unwrap_or(""));
    Ok((number(seconds).ok_or(Bad("seconds"))?, Params::parse(&text.share(params))?))
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refresher {
            None => write!(f, "{}", self.seconds),
            Some(Refresher::Uac) => write!(f, "{};refresher=uac", self.seconds),
            Some(Refresher::Uas) => write!(f, "{};refresher=uas", self.seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_expires_with_and_without_refresher() {
        for (text, seconds, refresher) in [
            ("1800", 1800, None),
            ("90 ; refresher = UAS", 90, Some(Refresher::Uas)),
            ("4294967296;refresher=uac;x=y", u32::MAX, Some(Refresher::Uac)),
        ] {
            assert_eq!(SessionExpires::parse(&Text::from(text)), Ok(SessionExpires { seconds, refresher }), "{text}");
        }
        for wrong in ["", "-1", "1e3", "90;refresher=proxy", "90;;"] {
            assert!(SessionExpires::parse(&Text::from(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_is_printed_as_it_is_read() {
        for text in ["1800", "90;refresher=uas", "90;refresher=uac"] {
            assert_eq!(SessionExpires::parse(&Text::from(text)).unwrap().to_string(), text);
        }
    }
}

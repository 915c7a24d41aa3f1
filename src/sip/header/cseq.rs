//! CSeq (RFC 3261 §20.16).

use crate::sip::lexer::{Bad, number, trim};
use crate::sip::message::Method;
use crate::sip::text::Text;
use std::fmt;

/// Sequence number, below 2^31 (RFC 3261 §8.1.1.5), and method.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The number.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Reads the value.
    pub fn parse(text: &Text) -> Result<CSeq, Bad> {
        let Some((digits, method)) = text.split_once([' ', '\t']) else { return Err(Bad("CSeq")) };
        match (number(digits), Method::parse(trim(method))) {
            (Some(number), Some(method)) if number < 1 << 31 => Ok(CSeq { number, method }),
            _ => Err(Bad("CSeq")),
        }
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cseq(text: &str) -> Result<CSeq, Bad> {
        CSeq::parse(&Text::from(text))
    }

    #[test]
    fn a_number_and_a_method() {
        assert_eq!(cseq("0009 \t INVITE"), Ok(CSeq { number: 9, method: Method::INVITE }));
        assert_eq!(cseq("2147483647 NEW").unwrap().to_string(), "2147483647 NEW");
        for wrong in [
            "",
            "1",
            "INVITE",
            "-1 BYE",
            "1e3 BYE",
            "0x10 BYE",
            "2147483648 BYE",
            "36893488147419103232 BYE",
            "1 B YE",
            "1 ",
        ] {
            assert!(cseq(wrong).is_err(), "{wrong}");
        }
    }
}

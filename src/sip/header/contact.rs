//! Contact: a list, or `*` (RFC 3261 §20.10, §10.2.2).

use super::name_addr::NameAddr;
use crate::sip::lexer::number;

/// All Contact values of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// None at all.
    None,
    /// `*`: all bindings.
    Star,
    /// One or more, in order.
    List(Vec<NameAddr>),
}

impl Contacts {
    /// The first address.
    pub fn first(&self) -> Option<&NameAddr> {
        match self {
            Contacts::List(list) => list.first(),
            Contacts::None | Contacts::Star => None,
        }
    }
}

impl NameAddr {
    /// `expires` of a Contact in seconds, clamped to what fits; `None` when absent or no number.
    pub fn expires(&self) -> Option<u32> {
        number(self.params.get("expires")?)
    }

    /// `q` of a Contact in thousandths; 1000 when absent or wrong.
    pub fn q(&self) -> u16 {
        self.params.get("q").and_then(thousandths).unwrap_or(1000)
    }
}

/// qvalue: `0[.ddd]` or `1[.000]`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = match fraction.len() {
        0..=3 => number(&format!("{fraction:0<3}"))?,
        _ => return None,
    };
    match (whole, fraction) {
        ("0" | "", thousandths) => Some(thousandths as u16),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::text::Text;

    #[test]
    fn expires_and_q_of_a_contact() {
        for (params, expires, q) in [
            (";expires=3;q=0.33", Some(3), 330),
            (";expires=280297596632815", Some(u32::MAX), 1000),
            (";expires=-1;q=1.0", None, 1000),
            (";q=0", None, 0),
            (";q=.5", None, 500),
            (";q=1.1", None, 1000),
            (";q=0.1234", None, 1000),
        ] {
            let read = NameAddr::parse(&Text::from(format!("<sip:a@h>{params}"))).unwrap();
            assert_eq!((read.expires(), read.q()), (expires, q), "{params}");
        }
    }
}

//! Parameters `;name=value;name` (RFC 3261 §7.3.1), kept as normalised text and searched when asked: most are never
//! asked for.

use crate::limits;
use crate::sip::lexer::{Bad, clean, is_bare_value, is_token, quote, quoted_end, split, trim};
use crate::sip::text::Text;
use std::fmt;
use std::fmt::Write;

/// Parameters of a header value or a URI: `;name=value;name`, without white space, or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Text);

impl Params {
    /// Reads what follows a header value: empty, or parameters that each begin with `;`.
    pub fn parse(text: &Text) -> Result<Params, Bad> {
        let raw = trim(text);
        if raw.is_empty() {
            return Ok(Params(text.share(raw)));
        }
        let Some(list) = raw.strip_prefix(';') else { return Err(Bad("no ; before a parameter")) };
        let (mut count, mut spaced) = (0, false);
        for piece in split(list, b';') {
            let (name, value) = name_and_value(piece);
            count += 1;
            spaced |= name.len() + value.map_or(0, |value| value.len() + 1) != piece.len();
            if !is_token(name) || !value.is_none_or(is_value) {
                return Err(Bad("parameter"));
            }
        }
        if count > limits::SIP_PARAMS {
            return Err(Bad("too many parameters"));
        }
        if !spaced {
            return Ok(Params(text.share(raw)));
        }
        let mut params = String::with_capacity(raw.len());
        for (name, value) in split(list, b';').map(name_and_value) {
            append(&mut params, name, value);
        }
        Ok(Params(Text::from(params)))
    }

    /// The parameters inside a URI, whose characters its reader has checked.
    pub(crate) fn of_uri(text: Text) -> Params {
        Params(text)
    }

    /// The value of the first parameter `name` (any case), as written; `Some("")` when it has none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.unwrap_or(""))
    }

    /// Whether the parameter is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in order; a parameter without `=` has `None`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let list = self.0.as_str().strip_prefix(';');
        list.into_iter().flat_map(|list| split(list, b';')).map(name_and_value)
    }

    /// Adds `;name=value` (or `;name`), in the place of an earlier one. What is neither a token nor a quoted string nor
    /// made of a host's characters is put in quotes.
    pub fn set(&mut self, name: &'static str, value: Option<&str>) {
        let quoted;
        let value = match value {
            Some(plain) if is_value(plain) && clean(plain) == plain => Some(plain),
            Some(other) => {
                quoted = quote(other);
                Some(quoted.as_str())
            }
            None => None,
        };
        let mut params = String::with_capacity(self.0.len() + name.len() + value.map_or(0, str::len) + 2);
        let mut placed = false;
        for (own, own_value) in self.iter() {
            match own.eq_ignore_ascii_case(name) {
                true if placed => {}
                true => {
                    placed = true;
                    append(&mut params, name, value);
                }
                false => append(&mut params, own, own_value),
            }
        }
        if !placed {
            append(&mut params, name, value);
        }
        self.0 = Text::from(params);
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        let mut params = String::with_capacity(self.0.len());
        for (own, value) in self.iter().filter(|(own, _)| !own.eq_ignore_ascii_case(name)) {
            append(&mut params, own, value);
        }
        self.0 = Text::from(params);
    }
}

fn name_and_value(piece: &str) -> (&str, Option<&str>) {
    match memchr::memchr(b'=', piece.as_bytes()).map(|at| (&piece[..at], &piece[at + 1..])) {
        Some((name, value)) => (trim(name), Some(trim(value))),
        None => (trim(piece), None),
    }
}

/// gen-value: token, host or quoted string.
fn is_value(value: &str) -> bool {
    match quoted_end(value) {
        Some(end) => end == value.len(),
        None => is_bare_value(value),
    }
}

fn append(params: &mut String, name: &str, value: Option<&str>) {
    let written = match value {
        Some(value) => write!(params, ";{name}={value}"),
        None => write!(params, ";{name}"),
    };
    written.expect("a String takes all that is written to it");
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Result<Params, Bad> {
        Params::parse(&Text::from(text))
    }

    #[test]
    fn parameters_are_found_in_any_case_and_spacing() {
        let read = params(" ; newparam =   newvalue ; secondparam ; q = 0.33 ;x=\"a;b\" ").unwrap();

        assert_eq!(read.to_string(), ";newparam=newvalue;secondparam;q=0.33;x=\"a;b\"");
        assert_eq!(read.get("NEWPARAM"), Some("newvalue"));
        assert_eq!(read.get("secondparam"), Some(""));
        assert_eq!(read.get("x"), Some("\"a;b\""));
        assert_eq!(read.get("y"), None);
    }

    #[test]
    fn empty_parameters_are_refused() {
        for wrong in [";", ";;a", ";a;", ";a=", "a", ";a=\"b", ";a=b c", ";=b", ";a,b"] {
            assert!(params(wrong).is_err(), "{wrong}");
        }
        assert!(params(&";a".repeat(33)).is_err());
    }

    #[test]
    fn a_parameter_is_set_in_place_and_taken_out() {
        let mut read = params(";branch=z9hG4bK1;rport;x=y").unwrap();

        read.set("rport", Some("5062"));
        read.set("received", Some("2001:db8::1"));
        read.remove("X");

        assert_eq!(read.to_string(), ";branch=z9hG4bK1;rport=5062;received=2001:db8::1");
    }

    #[test]
    fn a_value_cannot_smuggle_another_parameter_or_line() {
        let mut read = Params::default();

        read.set("tag", Some("a;b=c\r\nVia: x"));

        assert_eq!(read.to_string(), ";tag=\"a;b=c  Via: x\"");
        assert_eq!(read.iter().count(), 1);
    }
}

//! From, To, Route, Record-Route, Contact, P-Asserted-Identity: `"display" <uri>;params` (RFC 3261 §20.10), or the bare
//! URI, whose parameters are then the header's. Printed with the brackets always.

use super::params::Params;
use crate::sip::lexer::{Bad, is_token_char, quote, quoted_end, trim, unquote};
use crate::sip::text::Text;
use crate::sip::uri::Uri;
use std::fmt;

/// A URI with an optional display name and header parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr {
    /// The display name as written, quotes included.
    display: Option<Text>,
    /// The URI.
    pub uri: Uri,
    /// tag, expires, q…
    pub params: Params,
}

impl NameAddr {
    /// `"display" <uri>`; an empty display is left out, another is put in quotes and escaped.
    pub fn new(display: &str, uri: Uri) -> NameAddr {
        let display = (!display.is_empty()).then(|| Text::from(quote(display)));
        NameAddr { display, uri, params: Params::default() }
    }

    /// The same with a tag.
    pub fn with_tag(mut self, tag: &str) -> NameAddr {
        self.params.set("tag", Some(tag));
        self
    }

    /// Reads one value.
    pub fn parse(text: &Text) -> Result<NameAddr, Bad> {
        let value = trim(text);
        let display_end = match quoted_end(value) {
            Some(end) => end,
            None if value.starts_with('"') => return Err(Bad("quoted string without end")),
            None => match value.find('<') {
                Some(bracket) if is_display(&value[..bracket]) => bracket,
                _ => return NameAddr::parse_bare(text, value),
            },
        };
        let (display, rest) = (trim(&value[..display_end]), trim(&value[display_end..]));
        let Some((uri, rest)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
            return Err(Bad("URI without brackets"));
        };
        Ok(NameAddr {
            display: (!display.is_empty()).then(|| text.share(display)),
            uri: Uri::parse(&text.share(uri))?,
            params: Params::parse(&text.share(rest))?,
        })
    }

    /// RFC 3261 §20.10: without brackets everything after `;` is the header's, and a comma or `?` would be ambiguous.
    fn parse_bare(text: &Text, value: &str) -> Result<NameAddr, Bad> {
        let (uri, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let uri = trim(uri);
        if uri.contains([',', '?']) {
            return Err(Bad("URI that needs brackets"));
        }
        Ok(NameAddr { display: None, uri: Uri::parse(&text.share(uri))?, params: Params::parse(&text.share(params))? })
    }

    /// The display name without quotes and escapes; empty when there is none.
    pub fn display(&self) -> String {
        self.display.as_deref().map(|display| unquote(display).into_owned()).unwrap_or_default()
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }
}

/// Tokens between blanks; beyond the grammar also UTF-8 and a few signs that people's names for things have and that
/// mean nothing here. A comma, quote, colon or semicolon is never one of them (RFC 4475 §3.1.2.15).
fn is_display(text: &str) -> bool {
    text.bytes().all(|octet| is_token_char(octet) || !octet.is_ascii() || b" \t()/&#".contains(&octet))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.display {
            Some(display) => write!(f, "{display} <{}>{}", self.uri, self.params),
            None => write!(f, "<{}>{}", self.uri, self.params),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<NameAddr, Bad> {
        NameAddr::parse(&Text::from(text))
    }

    #[test]
    fn display_names_in_all_their_forms() {
        for (text, display) in [
            (r#""J Rosenberg \\\"" <sip:a@h>"#, "J Rosenberg \\\""),
            ("caller<sip:a@h>", "caller"),
            ("token1~` token2'+_ token3*%!.- <sip:a@h>", "token1~` token2'+_ token3*%!.-"),
            ("<sip:a@h>", ""),
            ("sip:a@h", ""),
            ("Zoë (Sales) <sip:a@h>", "Zoë (Sales)"),
            (r#""a <b>" <sip:a@h>"#, "a <b>"),
        ] {
            let read = address(text).unwrap_or_else(|bad| panic!("{text}: {bad:?}"));
            assert_eq!((read.display().as_str(), read.uri.as_str()), (display, "sip:a@h"), "{text}");
            assert_eq!(address(&read.to_string()).unwrap(), read);
        }
    }

    #[test]
    fn parameters_of_a_bare_uri_are_the_headers() {
        let read = address("sip:a@h ; tag = 98asjd8").unwrap();

        assert_eq!(read.tag(), Some("98asjd8"));
        assert_eq!(read.to_string(), "<sip:a@h>;tag=98asjd8");
    }

    #[test]
    fn parameters_inside_the_brackets_are_the_uris() {
        let read = address("<sip:a@h;unknownparam>;q=0.5").unwrap();

        assert!(read.uri.params().has("unknownparam") && !read.params.has("unknownparam"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "\"Mr. J. User <sip:a@h>",
            "\"Watson, Thomas\" < sip:a@h >",
            "Bell, Alexander <sip:a@h>;tag=43",
            "<sip:a@h",
            "<>",
            "sip:a@h?Route=%3Csip:h%3E",
            "\"x\" sip:a@h",
            "<sip:a@h>;;;;",
            "<sip:a@h> x",
            "sip:a@h, sip:b@h",
            "*",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_display_name_cannot_smuggle_a_header() {
        let made = NameAddr::new("x\"\r\nRoute: <sip:evil>", "sip:a@h".parse().unwrap());

        assert_eq!(made.to_string(), "\"x\\\"  Route: <sip:evil>\" <sip:a@h>");
    }
}

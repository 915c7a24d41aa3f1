//! The characters of SIP (RFC 3261 §25.1): what a token is, where a quoted string ends, where a list is split, and
//! which control characters a value may carry. Every reader of this module works on one unfolded value.

use std::borrow::Cow;

/// A value that is not what its grammar says, and why: for the debug log, never for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad(pub &'static str);

/// Classes of octets as one table: a check is a look-up, and a message is checked many times over.
const TOKEN: u8 = 1;
const URI: u8 = 2;
const VALUE: u8 = 4;
const HOST: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let character = octet as u8;
        if character.is_ascii_alphanumeric() {
            classes[octet] = TOKEN | URI | VALUE | HOST;
        } else if character.is_ascii_graphic() {
            classes[octet] = URI;
        }
        octet += 1;
    }
    classes = with(classes, b"-.!%*_+`'~", TOKEN | VALUE);
    classes = with(classes, b"[]:/&$?@=#(){}|^", VALUE);
    classes = with(classes, b"-._", HOST);
    without(classes, b"<>\"\\^`{|}", URI)
};

const fn with(mut classes: [u8; 256], octets: &[u8], class: u8) -> [u8; 256] {
    let mut at = 0;
    while at < octets.len() {
        classes[octets[at] as usize] |= class;
        at += 1;
    }
    classes
}

const fn without(mut classes: [u8; 256], octets: &[u8], class: u8) -> [u8; 256] {
    let mut at = 0;
    while at < octets.len() {
        classes[octets[at] as usize] &= !class;
        at += 1;
    }
    classes
}

fn all_are(text: &str, class: u8) -> bool {
    !text.is_empty() && text.bytes().all(|octet| CLASSES[usize::from(octet)] & class != 0)
}

/// `token` characters.
pub fn is_token_char(octet: u8) -> bool {
    CLASSES[usize::from(octet)] & TOKEN != 0
}

/// The characters of any URI: visible ASCII but `<>"\^` and the like (RFC 2396 §2.4.3).
pub fn is_uri_text(text: &str) -> bool {
    all_are(text, URI)
}

/// Parameter values without quotes: tokens, hosts, and with them the characters of URIs. The brackets of
/// `received=[2001:db8::1]` are outside the grammar and taken (RFC 5118 §4.5).
pub fn is_bare_value(text: &str) -> bool {
    all_are(text, VALUE)
}

/// The characters of a host's name or IPv4 address, and `_`, which is no name's but real.
pub fn is_host_text(text: &str) -> bool {
    all_are(text, HOST)
}

/// A whole token.
pub fn is_token(text: &str) -> bool {
    all_are(text, TOKEN)
}

/// Without the blanks and tabs around it.
pub fn trim(text: &str) -> &str {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let octets = text.as_bytes();
    match (octets.first().is_some_and(is_blank), octets.last().is_some_and(is_blank)) {
        (false, false) => text, // Nearly always.
        (true, _) | (_, true) => text.trim_matches([' ', '\t']),
    }
}

/// Visible ASCII: what URIs and Call-IDs are made of.
pub fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic())
}

/// The place after the quoted string that `text` begins with; `None` when it does not or when the closing quote is
/// missing.
pub fn quoted_end(text: &str) -> Option<usize> {
    let octets = text.as_bytes();
    if octets.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        match octets.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The content of a quoted string with its escapes resolved; text that is not in quotes comes back as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let inner = match quoted_end(text) {
        Some(end) if end == text.len() => &text[1..end - 1],
        _ => return Cow::Borrowed(text),
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

/// A quoted string that says `text`; CR and LF, which no quoted string may hold, become blanks.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '\r' | '\n' => quoted.push(' '),
            '"' | '\\' => quoted.extend(['\\', character]),
            other if other.is_ascii_control() && other != '\t' => quoted.extend(['\\', other]),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The pieces of `text` between `separator`s that stand outside quoted strings and `<>`, not trimmed. A quoted string
/// without end takes the rest.
pub fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        match find_outside(whole, separator) {
            Some(at) => {
                rest = Some(&whole[at + 1..]);
                Some(&whole[..at])
            }
            None => rest.take(),
        }
    })
}

fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let octets = text.as_bytes();
    let mut at = 0;
    loop {
        at += memchr::memchr3(wanted, b'"', b'<', octets.get(at..)?)?;
        match octets[at] {
            b'"' => at += quoted_end(&text[at..])?,
            b'<' => at += memchr::memchr(b'>', &octets[at..])? + 1,
            _ => return Some(at),
        }
    }
}

/// Whether every control character of a value but HTAB is the second half of a quoted pair inside a quoted string, and
/// none is CR or LF: what may be printed as one line.
pub fn is_sound(value: &str) -> bool {
    // Without an early end the compiler looks at many octets at a time, and there is hardly ever a reason to end early.
    let any_forbidden = value.bytes().fold(false, |any, octet| any | is_forbidden(octet));
    !any_forbidden || first_forbidden(value).is_none()
}

fn is_forbidden(octet: u8) -> bool {
    octet.is_ascii_control() && octet != b'\t'
}

fn first_forbidden(value: &str) -> Option<usize> {
    let (mut in_quotes, mut escaped) = (false, false);
    for (at, octet) in value.bytes().enumerate() {
        match octet {
            b'\r' | b'\n' => return Some(at),
            _ if escaped => escaped = false,
            b'"' => in_quotes = !in_quotes,
            b'\\' if in_quotes => escaped = true,
            other if is_forbidden(other) => return Some(at),
            _ => {}
        }
    }
    None
}

/// The value with every control character that `is_sound` refuses made a blank, and without blanks around it.
pub fn clean(value: &str) -> Cow<'_, str> {
    let value = trim(value);
    if is_sound(value) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(trim(&value.replace(|character: char| character.is_ascii_control(), " ")).to_owned())
}

/// A number of digits only; what is too large becomes `u32::MAX`.
pub fn number(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX)) // Digits only: the one error left is that it is too large.
}

/// A port: one to five digits, not 0.
pub fn port(text: &str) -> Result<u16, Bad> {
    match number(text) {
        Some(port @ 1..=65_535) if text.len() <= 5 => Ok(port as u16),
        _ => Err(Bad("port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_outside_quotes_and_angle_brackets() {
        let list = r#""a, \", b" <sip:x,y@h>;p="1,2" , <sip:z@h>"#;

        let pieces: Vec<&str> = split(list, b',').map(trim).collect();

        assert_eq!(pieces, [r#""a, \", b" <sip:x,y@h>;p="1,2""#, "<sip:z@h>"]);
    }

    #[test]
    fn a_quoted_string_without_end_takes_the_rest() {
        assert_eq!(split(r#"a, "b, c"#, b',').count(), 2);
        assert_eq!(quoted_end(r#""abc\""#), None);
        assert_eq!(quoted_end(r#""abc\"#), None);
    }

    #[test]
    fn quoting_and_unquoting_are_inverse() {
        for text in ["", "plain", "with \"quotes\" and \\", "\u{7}bell", "Zoë"] {
            let quoted = quote(text);
            assert_eq!(quoted_end(&quoted), Some(quoted.len()));
            assert_eq!(unquote(&quoted), text);
            assert!(is_sound(&quoted));
        }
        assert_eq!(quote("a\r\nVia: x"), "\"a  Via: x\"");
    }

    #[test]
    fn control_characters_live_only_in_quoted_pairs() {
        assert!(is_sound("a\tb"));
        assert!(is_sound("\"a\\\0b\""));
        for wrong in ["a\0b", "a\rb", "a\nb", "\"a\0b\"", "\"a\\\nb\"", "a\\\0b", "\u{7f}"] {
            assert!(!is_sound(wrong), "{wrong:?}");
            assert!(is_sound(&clean(wrong)), "{wrong:?}");
        }
    }

    #[test]
    fn numbers_are_digits_and_clamped() {
        assert_eq!(number("0068"), Some(68));
        assert_eq!(number("18446744073709551616"), Some(u32::MAX));
        for wrong in ["", "+1", "-1", "1e3", "0x10", " 1", "１"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
        assert_eq!(port("5060"), Ok(5060));
        assert!(port("0").is_err() && port("65536").is_err() && port("005060").is_err());
    }
}

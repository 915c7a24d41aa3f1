//! Who calls and who is called, as requests say it: what we read from a trunk's INVITE, and what we write into ours.

use crate::settings::IdentityHeader;
use crate::sip::header::name_addr::NameAddr;
use crate::sip::message::{HeaderName, Request};
use crate::sip::uri::Uri;
use crate::sip::user_agent::Field;

/// From, when nobody is to know who calls (RFC 3323 §4.1.1.3).
const NOBODY: &str = "sip:anonymous@anonymous.invalid";

/// The calling number as the far end shows it, otherwise raw; `None` when it is withheld. Identity headers count from
/// trusted trunks only (security.md T20); with them comes the caller's wish for privacy (RFC 3323, RFC 3325 §9.3),
/// which is respected.
pub fn caller(request: &Request, trusted: bool) -> Option<String> {
    let headers = &request.headers;
    if trusted {
        let asserted = headers.p_asserted_identities().iter().find_map(|identity| number_of(&identity.uri));
        if let Some(number) = asserted {
            return if asks_privacy(request) { None } else { Some(number) };
        }
        let party = headers.get(HeaderName::RemotePartyId).and_then(|text| NameAddr::parse(text).ok());
        if let Some(party) = party {
            let is_open = matches!(party.params.get("privacy"), None | Some("off" | "name"));
            return number_of(&party.uri).filter(|_| is_open);
        }
    }
    number_of(&headers.from().uri)
}

/// The dialled number: the user of the Request-URI (sip or tel), decoded; the user of To when there is none.
pub fn dialled(request: &Request) -> String {
    subscriber(&request.uri).or_else(|| subscriber(&request.headers.to().uri)).unwrap_or_default()
}

/// The same where the Request-URI is a Contact we have registered with the user `registered`: providers put that there,
/// and the number that was called in To.
pub(super) fn dialled_at(request: &Request, registered: &str) -> String {
    let direct = subscriber(&request.uri).filter(|user| user != registered);
    direct.or_else(|| subscriber(&request.headers.to().uri)).unwrap_or_else(|| dialled(request))
}

/// From, and the header that carries our identity: `number` as the trunk wants it, at `host`. With `privacy` the trunk
/// learns the number and is asked to show it to nobody (RFC 3323 §4.1, RFC 3325 §9.3).
pub(super) fn fields(
    how: IdentityHeader,
    privacy: bool,
    number: &str,
    display: &str,
    host: &str,
) -> ((String, String), Vec<Field>) {
    if number.is_empty() || is_withheld(number) {
        return (("Anonymous".to_owned(), NOBODY.to_owned()), Vec::new());
    }
    let uri = format!("sip:{}@{host}", escaped(number));
    let name_addr = if display.is_empty() { format!("<{uri}>") } else { format!("{} <{uri}>", quoted(display)) };
    let shown = if privacy { "full" } else { "off" };
    let mut fields = match how {
        IdentityHeader::From => Vec::new(),
        IdentityHeader::Pai => vec![("P-Asserted-Identity", name_addr)],
        IdentityHeader::Rpid => {
            vec![("Remote-Party-ID", format!("{name_addr};party=calling;privacy={shown};screen=yes"))]
        }
    };
    if privacy {
        fields.push(("Privacy", "id".to_owned()));
        // Where no other header carries it, From has to.
        if how != IdentityHeader::From {
            return (("Anonymous".to_owned(), NOBODY.to_owned()), fields);
        }
    }
    ((display.to_owned(), uri), fields)
}

/// The user part of a URI with what it may not contain escaped (RFC 3261 §25.1 `user`): `#` above all.
pub(super) fn escaped(user: &str) -> String {
    let mut out = String::with_capacity(user.len());
    for byte in user.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => out.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' | b'&' | b'=' | b'+' | b'$' | b',' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// A quoted string (RFC 3261 §25.1); what no quoted string may hold becomes a space.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The calling number in a URI; `None` when there is none or it says that it is withheld.
fn number_of(uri: &Uri) -> Option<String> {
    subscriber(uri).filter(|number| !is_withheld(number))
}

/// The user of a URI, without parameters of a telephone subscriber (`;npdi`, `;phone-context=…`).
fn subscriber(uri: &Uri) -> Option<String> {
    let user = uri.user_decoded()?;
    let number = user.split(';').next().unwrap_or_default().trim();
    (!number.is_empty()).then(|| number.to_owned())
}

/// RFC 3325 §9.3 `id`; RFC 3323 §4.2 `user` and `header` ask for no less.
fn asks_privacy(request: &Request) -> bool {
    let values = request.headers.get_all(HeaderName::Privacy);
    values
        .flat_map(|value| value.split([';', ',']))
        .any(|wish| ["id", "user", "header"].iter().any(|word| wish.trim().eq_ignore_ascii_case(word)))
}

/// RFC 3323 §4.1.1.3 and what gateways write instead of a number.
fn is_withheld(user: &str) -> bool {
    ["anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "blocked"]
        .iter()
        .any(|word| user.eq_ignore_ascii_case(word))
}

//! Header field names: long, compact, any case (RFC 3261 §7.3.3, §20).

use crate::sip::lexer::{is_token, is_token_char};
use crate::sip::text::Text;
use std::fmt;
use std::hash::{Hash, Hasher};

macro_rules! names {
    ($($name:ident $long:literal $($compact:literal)?),* $(,)?) => {
        /// A header field name. Names are equal in any case.
        #[derive(Clone, Debug)]
        pub enum HeaderName {
            $(#[doc = $long] $name,)*
            /// A token that we do not know.
            Other(UnknownName),
        }

        impl HeaderName {
            /// A name we know, by its long or compact form in any case.
            pub fn known(text: &str) -> Option<HeaderName> {
                $(if text.eq_ignore_ascii_case($long) $(|| text.eq_ignore_ascii_case($compact))? {
                    return Some(HeaderName::$name);
                })*
                None
            }

            /// The long form.
            pub fn as_str(&self) -> &str {
                match self {
                    $(HeaderName::$name => $long,)*
                    HeaderName::Other(name) => &name.0,
                }
            }
        }
    };
}

names! {
    Via "Via" "v", From "From" "f", To "To" "t", CallId "Call-ID" "i", CSeq "CSeq",
    MaxForwards "Max-Forwards", Contact "Contact" "m", ContentType "Content-Type" "c",
    ContentLength "Content-Length" "l",
    Route "Route", RecordRoute "Record-Route", Expires "Expires", UserAgent "User-Agent", Server "Server",
    Allow "Allow", Supported "Supported" "k", Require "Require", ProxyRequire "Proxy-Require",
    Unsupported "Unsupported",
    Accept "Accept", Authorization "Authorization", ProxyAuthorization "Proxy-Authorization",
    WwwAuthenticate "WWW-Authenticate", ProxyAuthenticate "Proxy-Authenticate",
    SessionExpires "Session-Expires" "x", MinSe "Min-SE", MinExpires "Min-Expires", RetryAfter "Retry-After",
    PAssertedIdentity "P-Asserted-Identity", PPreferredIdentity "P-Preferred-Identity", RemotePartyId "Remote-Party-ID",
    Privacy "Privacy", Diversion "Diversion", HistoryInfo "History-Info", AlertInfo "Alert-Info", CallInfo "Call-Info",
    Reason "Reason", Warning "Warning", Date "Date", Timestamp "Timestamp", Subject "Subject" "s",
    Event "Event" "o", AllowEvents "Allow-Events" "u", SubscriptionState "Subscription-State",
    ReferTo "Refer-To" "r", ReferredBy "Referred-By" "b", Replaces "Replaces", Path "Path",
    ServiceRoute "Service-Route",
    ContentEncoding "Content-Encoding" "e", ContentDisposition "Content-Disposition", MimeVersion "MIME-Version",
    AuthenticationInfo "Authentication-Info", AcceptContact "Accept-Contact" "a",
    RejectContact "Reject-Contact" "j", RequestDisposition "Request-Disposition" "d",
}

/// A name we do not know: a token, as written.
#[derive(Clone, Debug)]
pub struct UnknownName(Text);

impl HeaderName {
    /// Reads a name that is a part of `whole`; `None` when it is no token.
    pub(crate) fn parse(whole: &Text, name: &str) -> Option<HeaderName> {
        match HeaderName::known(name) {
            Some(known) => Some(known),
            None if is_token(name) => Some(HeaderName::Other(UnknownName(whole.share(name)))),
            None => None,
        }
    }
}

impl From<&str> for HeaderName {
    /// Characters that no name may have become `-`: a name can never smuggle a line.
    fn from(name: &str) -> HeaderName {
        if let Some(known) = HeaderName::known(name) {
            return known;
        }
        let token = |character: char| u8::try_from(character).is_ok_and(is_token_char);
        let name: String = name.chars().map(|character| if token(character) { character } else { '-' }).collect();
        HeaderName::Other(UnknownName(Text::from(if name.is_empty() { "-" } else { &name })))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &HeaderName) -> bool {
        match (self, other) {
            (HeaderName::Other(one), HeaderName::Other(other)) => one.0.eq_ignore_ascii_case(&other.0),
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().bytes().for_each(|octet| octet.to_ascii_lowercase().hash(state));
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_long_and_compact_form_and_any_case() {
        for (text, name) in [
            ("VIA", HeaderName::Via),
            ("v", HeaderName::Via),
            ("L", HeaderName::ContentLength),
            ("x", HeaderName::SessionExpires),
        ] {
            assert_eq!(HeaderName::from(text), name);
        }
        assert_eq!(HeaderName::from("X-Thing"), HeaderName::from("x-thing"));
        assert_ne!(HeaderName::from("X-Thing"), HeaderName::from("X-Other"));
    }

    #[test]
    fn a_name_cannot_smuggle_a_line() {
        assert_eq!(HeaderName::from("X: y\r\nVia").as_str(), "X--y--Via");
        assert_eq!(HeaderName::parse(&Text::from("To\u{1}"), "To\u{1}"), None);
    }
}

//! Header field names: long, compact, any case (RFC 3261 §7.3.3, §20).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use crate::sip::text::Text;
use std::fmt;

macro_rules! names {
    ($($name:ident $long:literal $($compact:literal)?),* $(,)?) => {
        /// A header field name.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum HeaderName {
            $(#[doc = $long] $name,)*
            /// A token that we do not know, in lower case.
            Other(Text),
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
                    HeaderName::Other(name) => name,
                }
            }
        }
    };
}

names! {
    Via "Via" "v", From "From" "f", To "To" "t", CallId "Call-ID" "i", CSeq "CSeq",
    MaxForwards "Max-Forwards", Contact "Contact" "m", ContentType "Content-Type" "c", ContentLength "Content-Length" "l",
    Route "Route", RecordRoute "Record-Route", Expires "Expires", UserAgent "User-Agent", Server "Server",
    Allow "Allow", Supported "Supported" "k", Require "Require", ProxyRequire "Proxy-Require", Unsupported "Unsupported",
    Accept "Accept", Authorization "Authorization", ProxyAuthorization "Proxy-Authorization",
    WwwAuthenticate "WWW-Authenticate", ProxyAuthenticate "Proxy-Authenticate",
    SessionExpires "Session-Expires" "x", MinSe "Min-SE", MinExpires "Min-Expires", RetryAfter "Retry-After",
    PAssertedIdentity "P-Asserted-Identity", PPreferredIdentity "P-Preferred-Identity", RemotePartyId "Remote-Party-ID",
    Privacy "Privacy", Diversion "Diversion", HistoryInfo "History-Info", AlertInfo "Alert-Info", CallInfo "Call-Info",
    Reason "Reason", Warning "Warning", Date "Date", Timestamp "Timestamp", Subject "Subject" "s",
    Event "Event" "o", AllowEvents "Allow-Events" "u", SubscriptionState "Subscription-State",
    ReferTo "Refer-To" "r", ReferredBy "Referred-By" "b", Replaces "Replaces", Path "Path", ServiceRoute "Service-Route",
    ContentEncoding "Content-Encoding" "e", ContentDisposition "Content-Disposition", MimeVersion "MIME-Version",
    AuthenticationInfo "Authentication-Info", Identity "Identity" "y", AcceptContact "Accept-Contact" "a",
    RejectContact "Reject-Contact" "j", RequestDisposition "Request-Disposition" "d",
}

impl From<&str> for HeaderName {
    /// Characters that no name may have become `-`: a name can never smuggle a line.
    fn from(text: &str) -> HeaderName {
        todo!()
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! Methods: rsip's words for those of RFC 3261 and its extensions, and any other token, which deserves a 501.

use super::lexer::is_token;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A method: one of RFC 3261 and its extensions, or a name we do not know and must still answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// rsip's word for it.
    Known(rsip::Method),
    /// Case-sensitive, as received (RFC 3261 §7.1).
    Other(Extension),
}

/// The name of a method we do not know: a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension(Box<str>);

macro_rules! methods {
    ($($constant:ident $variant:ident),* $(,)?) => {
        impl Method {
            $(#[doc = stringify!($constant)]
            pub const $constant: Method = Method::Known(rsip::Method::$variant);)*

            /// Reads a token, case-sensitively.
            pub fn parse(text: &str) -> Option<Method> {
                match text {
                    $(stringify!($constant) => Some(Method::$constant),)*
                    _ if is_token(text) => Some(Method::Other(Extension(text.into()))),
                    _ => None,
                }
            }

            /// As on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::Known(rsip::Method::$variant) => stringify!($constant),)*
                    Method::Other(name) => &name.0,
                }
            }
        }
    };
}

methods! {
    INVITE Invite, ACK Ack, BYE Bye, CANCEL Cancel, REGISTER Register, OPTIONS Options, INFO Info, UPDATE Update,
    PRACK PRack, MESSAGE Message, REFER Refer, NOTIFY Notify, SUBSCRIBE Subscribe, PUBLISH Publish,
}

impl From<rsip::Method> for Method {
    fn from(method: rsip::Method) -> Method {
        Method::Known(method)
    }
}

impl Hash for Method {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_case_sensitive_tokens() {
        assert_eq!(Method::parse("PRACK"), Some(Method::PRACK));
        assert!(matches!(Method::parse("invite"), Some(Method::Other(_))));
        assert_eq!(Method::parse("RE%47IST%45R").unwrap().as_str(), "RE%47IST%45R");
        for wrong in ["", "A B", "A\r\nB", "A/B"] {
            assert_eq!(Method::parse(wrong), None);
        }
    }
}

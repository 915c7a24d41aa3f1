//! Methods: rsip's words for those of RFC 3261 and its extensions, and any other token, which deserves a 501.

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

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
                    _ => todo!(),
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

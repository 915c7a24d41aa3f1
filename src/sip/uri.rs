//! URIs (RFC 3261 §19.1, RFC 3966).

/// A URI, kept verbatim where an echo needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Uri(Box<str>);

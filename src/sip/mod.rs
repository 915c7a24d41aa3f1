//! SIP (RFC 3261) without IO: the wire layer, transactions, dialogs and the user agent on top of them.

pub mod digest;
pub mod flow;
pub mod framing;
pub mod header;
pub mod headers;
pub mod lexer;
pub mod message;
pub mod method;
pub mod text;
pub mod transaction;
pub mod uri;
pub mod user_agent;

//! SIP (RFC 3261) without IO: the wire layer, transactions, dialogs and the user agent on top of them.

pub mod digest;
pub mod flow;
pub mod framing;
pub mod header;
pub mod headers;
pub mod lexer;
mod malformed;
pub mod message;
pub mod method;
mod reader;
pub mod text;
pub mod transaction;
pub mod uri;
pub mod user_agent;

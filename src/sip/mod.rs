//! SIP (RFC 3261) without IO: the wire layer, transactions, dialogs and the user agent on top of them.

mod abandon;
mod ask;
mod body;
mod challenge;
mod core;
mod dialog;
pub mod digest;
mod dispatch;
pub mod flow;
pub mod framing;
pub mod header;
pub mod headers;
mod inspect;
mod leg;
pub mod lexer;
pub mod message;
pub mod method;
pub mod outbox;
mod refresh;
mod session;
pub mod text;
pub mod transaction;
mod uac;
mod uas;
pub mod uri;
pub mod user_agent;

//! SIP (RFC 3261) without IO: the wire layer, transactions, dialogs and the user agent on top of them.
//!
//! In reading order: `message`, `headers`, `header/*` and `uri` are the words, `reader`, `lexer` and `framing` read
//! them; `transaction` repeats and matches; `user_agent` is what the switch speaks to. Behind it `dispatch` finds the
//! leg a message belongs to, and a `leg` is in turn `uac` or `uas`, then `session` with its `offer`s and `refresh`es
//! in a `dialog`. `inspect` refuses, `challenge` answers digest challenges, `ask` sends requests outside dialogs,
//! `abandon` ends what an earlier life had begun, `stray` acknowledges what still answers it, `stored` goes on with it.

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
mod malformed;
pub mod message;
pub mod method;
mod offer;
pub mod outbox;
mod reader;
mod refresh;
mod session;
pub mod stored;
mod stray;
pub mod text;
pub mod transaction;
mod uac;
mod uas;
pub mod uri;
pub mod user_agent;

//! SIP (RFC 3261) without IO: the wire layer, transactions, dialogs and the user agent on top of them.

pub mod flow;
pub mod message;
pub mod transaction;
pub mod uri;
pub mod user_agent;

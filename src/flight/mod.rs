//! The flight recorder: everything that reached the switch, in order, so that a fault can be repeated exactly where
//! somebody has time to look at it.
//!
//! The switch is a function of its beginning and its inputs, so these are all that is kept: `record` writes each input
//! down as it is handed over, `reel` keeps them compressed and within bounds, `mask` makes a file of them that may be
//! given to whoever looks for the fault (`file`): no whole number, no password, no name of a customer is in it, and yet
//! it makes the switch do the same. `replay` lets it.
//!
//! What the switch draws must be drawn again, so the seed and the site's identity secret are in the file as they are:
//! Call-IDs, tags and branches derive from them, and the messages that were received name those. `MASKED` says so.

pub mod file;
pub mod mask;
mod mask_sip;
pub mod record;
pub mod reel;
pub mod replay;

/// What somebody should know before he gives a file away; it is in every file, too.
pub const MASKED: &str = "masked are the last four digits of telephone numbers, callers' names, passwords, tokens, \
    notes and labels of number lists; not masked are names of agents, queues, trunks and API keys, IP addresses, \
    and what the SIP identities of calls derive from: give the file only to those you trust, since with \
    it messages within calls can be forged until ringback has been started anew, and those of callbacks \
    until identity.key has been replaced";

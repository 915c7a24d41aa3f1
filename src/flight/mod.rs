//! The flight recorder: everything that reached the switch, in order, so that a fault can be repeated exactly where
//! somebody has time to look at it.
//!
//! The switch is a function of its beginning and its inputs, so these are all that is kept: `record` writes each input
//! down as it is handed over, `reel` keeps them compressed and within bounds, `mask` makes a file of them that may be
//! given away (`file`): no number, no secret, no name of a customer is in it, and yet it makes the switch do the same.
//! `replay` lets it.

pub mod file;
pub mod mask;
mod mask_sip;
pub mod record;
pub mod reel;
pub mod replay;

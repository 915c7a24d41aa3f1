//! The media engine in virtual time: what its legs hear, send and tape.

mod bridge;
mod control;
mod latching;
mod playing;
mod tape;
mod world;

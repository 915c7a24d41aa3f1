//! ringback: nobody waits on hold; we call you back.
//!
//! One process, two planes and a thin shell. In reading order:

// L0: the words.
pub mod entropy;
pub mod id;
pub mod limits;
pub mod number;
pub mod settings;
pub mod time;
pub mod zone;

// L1: protocols, without IO.
pub mod audio;
pub mod rtp;
pub mod sdp;
pub mod sip;

// L2: the trades. Queue, callback and agent know nothing of SIP.
pub mod agent;
pub mod callback;
pub mod policy;
pub mod queue;
pub mod registrar;
pub mod route;
pub mod trunk;

// L3: the two planes.
pub mod media;
pub mod switch;

// L4: the shell, and people to try it with. Nobody imports it.
#[cfg(feature = "shell")]
pub mod cli;
#[cfg(feature = "shell")]
pub mod config;
pub mod demo;
pub mod flight;
#[cfg(feature = "shell")]
pub mod net;
#[cfg(feature = "shell")]
pub mod run;
#[cfg(feature = "shell")]
pub mod store;
#[cfg(feature = "shell")]
pub mod telemetry;
#[cfg(feature = "shell")]
pub mod web;

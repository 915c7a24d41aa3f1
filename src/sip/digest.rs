//! Digest authentication, both sides (RFC 7616, RFC 8760, RFC 3261 §22).

#![allow(clippy::todo, unused_variables, dead_code)] // The names first; the reading behind them follows.

use super::header::auth::{Algorithm, Challenge, Credentials};
use super::message::Method;
use crate::entropy::Entropy;
use crate::time::Tick;
use std::net::IpAddr;

/// What we answer a challenge with: our user, our secret, and how often a nonce has been used.
#[derive(Clone, Debug)]
pub struct Client {
    /// Digest user.
    pub username: String,
    /// Digest secret.
    pub password: String,
}

impl Client {
    /// Credentials for a challenge; `None` when its algorithm or qop is not ours. `nc` counts the uses of this nonce
    /// from 1. `cnonce` is fresh.
    pub fn answer(
        &self,
        challenge: &Challenge,
        method: &Method,
        uri: &str,
        nc: u32,
        entropy: &mut Entropy,
    ) -> Option<Credentials> {
        todo!()
    }
}

/// What a server says to credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user's secret, a living nonce, a count never seen.
    Accepted,
    /// The secret is right but the nonce is too old or used up: challenge with `stale=true`.
    Stale,
    /// Anything else: challenge.
    Denied,
}

/// The server side: stateless signed nonces and the few that succeeded.
pub struct Server {
    realm: String,
}

impl Server {
    /// `algorithms` in order of preference, the same for all users.
    pub fn new(realm: String, algorithms: Vec<Algorithm>, entropy: Entropy) -> Server {
        todo!()
    }

    /// The challenges to send, one per algorithm, as values of WWW-Authenticate.
    pub fn challenges(&mut self, now: Tick, source: IpAddr, stale: bool) -> Vec<Challenge> {
        todo!()
    }

    /// Judges credentials. `secret` is the user's, or `None` when there is no such user: the work is the same.
    pub fn verify(
        &mut self,
        now: Tick,
        source: IpAddr,
        method: &Method,
        uri: &str,
        credentials: &Credentials,
        secret: Option<&str>,
    ) -> Verdict {
        todo!()
    }
}

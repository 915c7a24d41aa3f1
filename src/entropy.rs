//! Randomness as an argument: one stream from one seed, so that a seed repeats a whole day.
//!
//! In production the seed is 32 bytes from the kernel; tags, Call-IDs and branches drawn from it are secrets
//! (RFC 3261 §19.3), which is why the generator is a cipher and not a fast toy.

use crate::time::DateTime;
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use ulid::Ulid;

/// A seeded stream of randomness.
#[derive(Clone, Debug)]
pub struct Entropy(ChaCha12Rng);

impl Entropy {
    /// From 32 secret bytes: production.
    pub fn from_secret(seed: [u8; 32]) -> Entropy {
        Entropy(ChaCha12Rng::from_seed(seed))
    }

    /// From a number people can write down: simulation and tests.
    pub fn from_seed(seed: u64) -> Entropy {
        Entropy(ChaCha12Rng::seed_from_u64(seed))
    }

    /// An independent stream for another owner.
    pub fn fork(&mut self) -> Entropy {
        Entropy::from_secret(self.bytes())
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A number in `0..below`. The bias of the remainder is below 2^-32 for every `below` we use.
    pub fn below(&mut self, below: u64) -> u64 {
        assert!(below > 0, "a range has at least one number");
        self.next_u64() % below
    }

    /// A token of 128 bits in lower-case hex: tags, Call-IDs and branches (RFC 3261 §19.3 asks for 32 bits at least).
    pub fn token(&mut self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.bytes()))
    }

    /// A ULID of the instant `utc`.
    pub fn ulid(&mut self, utc: DateTime<Utc>) -> Ulid {
        let millis = u64::try_from(utc.timestamp_millis()).unwrap_or(0);
        Ulid::from_parts(millis, u128::from_be_bytes(self.bytes()) >> 48)
    }
}

/// A secret that outlives the process. What is derived from it is as hard to guess as what is drawn, and is the same
/// in the next life.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret([u8; 32]);

impl Secret {
    /// From 32 secret bytes.
    pub fn new(bytes: [u8; 32]) -> Secret {
        Secret(bytes)
    }

    /// A token of 128 bits in lower-case hex, for this purpose: HMAC-SHA-256, cut in half.
    pub fn token(&self, purpose: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

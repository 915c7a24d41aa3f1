//! Audio without calls: G.711, resampling, clips, tones.

pub mod clip;
pub mod g711;
pub mod resample;
pub mod tone;

pub use clip::{Clip, Library};

/// Samples per second of everything inside the switch.
pub const SAMPLE_RATE: u32 = 8_000;
/// Samples of 20 ms.
pub const FRAME: usize = 160;

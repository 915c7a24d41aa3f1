//! Clips: prompts and music, decoded once, encoded once per codec, shared by every leg that plays them.

use super::g711;
use crate::id::Name;
use crate::settings::Codec;
use std::collections::HashMap;
use std::sync::Arc;

/// The clips of a site by name.
pub type Library = HashMap<Name, Arc<Clip>>;

/// The name under which the ringback tone of the site's country lies in a [`Library`]; without it the engine plays
/// the tone of North America.
pub const RINGBACK: &str = "tone:ringback";

/// One clip: 8 kHz mono.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    samples: Box<[i16]>,
    pcmu: Box<[u8]>,
    pcma: Box<[u8]>,
}

impl Clip {
    /// From linear samples at 8 kHz.
    pub fn new(samples: Vec<i16>) -> Clip {
        Clip {
            pcmu: g711::encode_all(Codec::Pcmu, &samples).into(),
            pcma: g711::encode_all(Codec::Pcma, &samples).into(),
            samples: samples.into(),
        }
    }

    /// Its length in samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is nothing to hear.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The linear samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The samples as octets of a codec.
    pub fn encoded(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
        }
    }

    /// Copies `out.len()` octets from position `at` of the clip taken as an endless loop. `false` when it is empty.
    pub fn looped(&self, codec: Codec, at: u64, out: &mut [u8]) -> bool {
        let octets = self.encoded(codec);
        if octets.is_empty() {
            return false;
        }
        let mut from = (at % octets.len() as u64) as usize;
        let mut done = 0;
        while done < out.len() {
            let run = (out.len() - done).min(octets.len() - from);
            out[done..done + run].copy_from_slice(&octets[from..from + run]);
            done += run;
            from = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_joins_its_end_to_its_beginning_without_a_gap() {
        let clip = Clip::new((0..250).map(|n| n * 100).collect());
        let mut out = [0; 160];

        assert!(clip.looped(Codec::Pcma, 160, &mut out));

        assert_eq!(out[..90], clip.encoded(Codec::Pcma)[160..]);
        assert_eq!(out[90..], clip.encoded(Codec::Pcma)[..70]);
    }

    #[test]
    fn a_loop_shorter_than_a_frame_repeats_within_it() {
        let clip = Clip::new(vec![1_000, -1_000, 3_000]);
        let mut out = [0; 160];

        assert!(clip.looped(Codec::Pcmu, 7, &mut out));

        for (at, &octet) in out.iter().enumerate() {
            assert_eq!(octet, clip.encoded(Codec::Pcmu)[(at + 7) % 3]);
        }
    }
}

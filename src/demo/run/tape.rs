//! A recording as somebody who was not there hears it: the file itself is read, and each side's voice looked for.

use std::f64::consts::PI;
use std::path::Path;

/// How much more of his own voice than of the other's a side must hold.
const APART: f64 = 20.0;
/// A voice is at least so loud, as a share of full scale.
const LOUD: f64 = 0.02;

/// A WAV file with two sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Tape {
    left: Vec<f64>,
    right: Vec<f64>,
}

/// What is wrong with a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is no such file, or it cannot be read.
    Missing,
    /// It is not two channels of 16 bit at 8 kHz.
    Format,
    /// It holds less than a second.
    Short,
    /// The agent is not on the left.
    NoAgent,
    /// The customer is not on the right.
    NoCustomer,
}

impl Flaw {
    /// What is to be said of it, after "the recording".
    pub fn words(self) -> &'static str {
        match self {
            Flaw::Missing => "is not there",
            Flaw::Format => "is not two channels of 8 kHz",
            Flaw::Short => "is shorter than a second",
            Flaw::NoAgent => "has no agent on its left",
            Flaw::NoCustomer => "has no customer on its right",
        }
    }
}

impl Tape {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Tape, Flaw> {
        Tape::parse(&std::fs::read(path).map_err(|_| Flaw::Missing)?)
    }

    /// RIFF: `fmt ` says two channels, 8 000 Hz, 16 bit; `data` is the sound.
    fn parse(bytes: &[u8]) -> Result<Tape, Flaw> {
        let u16_at = |from: &[u8], at: usize| Some(u16::from_le_bytes([*from.get(at)?, *from.get(at + 1)?]));
        let (mut chunks, mut is_ours) = (bytes.get(12..).ok_or(Flaw::Format)?, false);
        if !bytes.starts_with(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
            return Err(Flaw::Format);
        }
        while let Some((head, rest)) = chunks.split_at_checked(8) {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let body = rest.get(..length).unwrap_or(rest);
            if head.starts_with(b"fmt ") {
                let rate = u16_at(body, 4);
                is_ours = u16_at(body, 2) == Some(2) && rate == Some(8_000) && u16_at(body, 14) == Some(16);
            } else if head.starts_with(b"data") && is_ours {
                let samples: Vec<f64> =
                    body.chunks_exact(2).map(|two| f64::from(i16::from_le_bytes([two[0], two[1]]))).collect();
                let side = |first: usize| samples.iter().skip(first).step_by(2).copied().collect();
                return Ok(Tape { left: side(0), right: side(1) });
            }
            chunks = rest.get(length + length % 2..).unwrap_or_default();
        }
        Err(Flaw::Format)
    }

    /// How long it is.
    pub fn secs(&self) -> f64 {
        self.left.len() as f64 / 8_000.0
    }

    /// Whether the agent's voice is on the left and the customer's on the right, each with its own.
    pub fn holds(&self, agent: u32, customer: u32) -> Result<(), Flaw> {
        let speaks = |side: &[f64], own: u32, other: u32| {
            let (own, other) = (amplitude(side, own), amplitude(side, other));
            own > LOUD * f64::from(i16::MAX) && own > APART * other
        };
        match (self.secs() >= 1.0, speaks(&self.left, agent, customer), speaks(&self.right, customer, agent)) {
            (false, _, _) => Err(Flaw::Short),
            (true, false, _) => Err(Flaw::NoAgent),
            (true, true, false) => Err(Flaw::NoCustomer),
            (true, true, true) => Ok(()),
        }
    }
}

/// How loud a pitch is in the whole of a side: one bin of a Fourier transform.
fn amplitude(side: &[f64], pitch: u32) -> f64 {
    let turn = 2.0 * PI * f64::from(pitch) / 8_000.0;
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (at, sample) in side.iter().enumerate() {
        sine += sample * (turn * at as f64).sin();
        cosine += sample * (turn * at as f64).cos();
    }
    2.0 * sine.hypot(cosine) / side.len().max(1) as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn wav(left: u32, right: u32, frames: u32) -> Vec<u8> {
        let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data".to_vec();
        wav.extend((frames * 4).to_le_bytes());
        for frame in 0..frames {
            for pitch in [left, right] {
                let sample = 8_000.0 * (2.0 * PI * f64::from(pitch) * f64::from(frame) / 8_000.0).sin();
                wav.extend((sample as i16).to_le_bytes());
            }
        }
        wav
    }

    #[test]
    fn the_voices_are_on_their_sides() {
        let tape = Tape::parse(&wav(770, 1_010, 16_000)).unwrap();

        assert_eq!(tape.secs(), 2.0);
        assert_eq!(tape.holds(770, 1_010), Ok(()));
        assert_eq!(tape.holds(1_010, 770), Err(Flaw::NoAgent));
        assert_eq!(tape.holds(770, 1_130), Err(Flaw::NoCustomer));
    }

    #[test]
    fn what_is_no_recording_is_told_apart() {
        assert_eq!(Tape::parse(b"RIFF"), Err(Flaw::Format));
        assert_eq!(Tape::parse(&wav(770, 1_010, 800)).unwrap().holds(770, 1_010), Err(Flaw::Short));
        assert_eq!(Tape::read(Path::new("/nowhere/at/all.wav")), Err(Flaw::Missing));
    }
}

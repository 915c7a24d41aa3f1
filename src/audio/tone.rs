//! Tones: ringback by country (ITU-T E.180), test tones, and a detector for tests and tapes.

use super::SAMPLE_RATE;
use super::clip::Clip;
use std::f64::consts::TAU;

/// A tone with its rhythm: the sum of `frequencies`, sounding and pausing by turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cadence {
    /// Hertz; all at the same level.
    pub frequencies: &'static [f64],
    /// Milliseconds on, off, on, off …
    pub pattern_ms: &'static [u32],
}

/// North America: 440 + 480 Hz, 2 s on, 4 s off.
const AMERICAN: Cadence = Cadence { frequencies: &[440.0, 480.0], pattern_ms: &[2_000, 4_000] };
/// Most of Europe: 425 Hz, 1 s on, 4 s off.
const EUROPEAN: Cadence = Cadence { frequencies: &[425.0], pattern_ms: &[1_000, 4_000] };
/// Great Britain, Ireland: the double ring.
const BRITISH: Cadence = Cadence { frequencies: &[400.0, 450.0], pattern_ms: &[400, 200, 400, 2_000] };
/// Australia, New Zealand: the double ring at other frequencies.
const AUSTRALIAN: Cadence = Cadence { frequencies: &[400.0, 425.0, 450.0], pattern_ms: &[400, 200, 400, 2_000] };
/// France: 440 Hz, 1.5 s on, 3.5 s off.
const FRENCH: Cadence = Cadence { frequencies: &[440.0], pattern_ms: &[1_500, 3_500] };
/// Japan.
const JAPANESE: Cadence = Cadence { frequencies: &[400.0], pattern_ms: &[1_000, 2_000] };

/// The ringback tone people of a country (ISO 3166) know; the European one where the country is unknown to us.
pub fn ringback_cadence(country: &str) -> Cadence {
    match country {
        "US" | "CA" | "PR" | "DO" | "JM" | "BS" | "BB" | "TT" => AMERICAN,
        "GB" | "IE" | "GG" | "JE" | "IM" => BRITISH,
        "AU" | "NZ" => AUSTRALIAN,
        "FR" | "MC" => FRENCH,
        "JP" => JAPANESE,
        _ => EUROPEAN, // E.180 recommends 400–450 Hz with 0.67–1.5 s on and 3–5 s off to everybody.
    }
}

/// The ringback tone of a country as a loop.
pub fn ringback(country: &str) -> Clip {
    cadence(&ringback_cadence(country), 0.1)
}

/// One period of a cadence; each tone at `level` of full scale, with soft edges of 5 ms.
pub fn cadence(cadence: &Cadence, level: f64) -> Clip {
    let mut samples = Vec::new();
    for (turn, &millis) in cadence.pattern_ms.iter().enumerate() {
        let length = (millis * SAMPLE_RATE / 1_000) as usize;
        if turn % 2 == 0 {
            samples.extend(mixed(cadence.frequencies, level, length));
        } else {
            samples.resize(samples.len() + length, 0);
        }
    }
    Clip::new(samples)
}

/// `millis` of a sine at `hertz`, at `level` of full scale, without soft edges.
pub fn sine(hertz: f64, level: f64, millis: u32) -> Vec<i16> {
    let length = millis * SAMPLE_RATE / 1_000;
    (0..length)
        .map(|at| (level * 32_767.0 * (TAU * hertz * f64::from(at) / f64::from(SAMPLE_RATE)).sin()) as i16)
        .collect()
}

fn mixed(frequencies: &[f64], level: f64, length: usize) -> impl Iterator<Item = i16> + '_ {
    const EDGE: usize = 40;
    (0..length).map(move |at| {
        let time = at as f64 / f64::from(SAMPLE_RATE);
        let sum: f64 = frequencies.iter().map(|hertz| (TAU * hertz * time).sin()).sum();
        let edge = (at.min(length - 1 - at) as f64 / EDGE as f64).min(1.0);
        (sum * level * edge * 32_767.0) as i16
    })
}

/// How much of the samples' power lies at `hertz`: 1 for a pure sine, near 0 for silence or other tones (Goertzel).
/// The resolution is the sample rate divided by the number of samples.
pub fn share(samples: &[i16], hertz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / f64::from(SAMPLE_RATE)).cos();
    let (mut last, mut before, mut power) = (0.0, 0.0, 0.0);
    for &sample in samples {
        let sample = f64::from(sample);
        (last, before) = (sample + coefficient * last - before, last);
        power += sample * sample;
    }
    let at_tone = last * last + before * before - coefficient * last * before;
    if power == 0.0 { 0.0 } else { 2.0 * at_tone / (power * samples.len() as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detector_tells_a_tone_from_its_neighbours_and_from_silence() {
        let samples = sine(1_000.0, 0.3, 200);

        assert!(share(&samples, 1_000.0) > 0.95);
        assert!(share(&samples, 1_100.0) < 0.05);
        assert_eq!(share(&[0; 1_600], 1_000.0), 0.0);
    }

    #[test]
    fn american_ringback_is_440_and_480_for_two_seconds_of_six() {
        let clip = ringback("US");

        assert_eq!(clip.len(), 6 * 8_000);
        assert!(share(&clip.samples()[..8_000], 440.0) > 0.4);
        assert!(share(&clip.samples()[..8_000], 480.0) > 0.4);
        assert!(clip.samples()[16_000..].iter().all(|&sample| sample == 0));
    }
}

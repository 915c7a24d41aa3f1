//! Resampling of clips at import: windowed sinc, any ratio, off the hot path.
//!
//! Each output sample is the input under a sinc whose cut-off is the lower of the two Nyquist frequencies (a little
//! below, for the transition band), shaped by a Blackman window. Output samples fall on few different places between
//! input samples (80 from 44.1 kHz to 8 kHz), so the kernel is computed once for each of them, and minutes of music
//! take a fraction of a second. Calls themselves never resample.

use std::f64::consts::{PI, TAU};

/// Zero crossings of the sinc on each side.
const CROSSINGS: f64 = 24.0;
/// The share of the Nyquist band that is kept.
const PASSBAND: f64 = 0.94;

/// Samples taken at `from` Hz as samples at `to` Hz. Both rates are above zero; equal rates copy.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    let mut resampler = Resampler::new(from, to);
    let mut out = resampler.push(samples);
    out.append(&mut resampler.finish());
    out
}

/// The same piece by piece, however long the whole: it holds no more of it than the kernels reach over.
#[derive(Debug)]
pub struct Resampler {
    kernels: Vec<Kernel>,
    /// From one output sample to the next, in `kernels.len()`ths of an input sample.
    step: u64,
    /// Input samples that a kernel reaches to each side, at most.
    reach: usize,
    held: Vec<f32>,
    /// Input samples that were let go of, before the held ones.
    gone: u64,
    /// Output samples so far.
    made: u64,
}

impl Resampler {
    /// From one rate in Hz to another, both above zero.
    pub fn new(from: u32, to: u32) -> Resampler {
        assert!(from > 0 && to > 0, "a rate is above zero");
        // Cut-off in cycles per input sample; the kernel is as wide as the cut-off asks for.
        let cutoff = 0.5 * PASSBAND * (f64::from(to) / f64::from(from)).min(1.0);
        let reach = if from == to { 0.0 } else { CROSSINGS / (2.0 * cutoff) };
        let phases = u64::from(to / gcd(from, to));
        let kernels = (0..phases).map(|phase| match from == to {
            true => Kernel { weights: vec![1.0], back: 0 },
            false => Kernel::new(phase as f64 / phases as f64, cutoff, reach),
        });
        Resampler {
            kernels: kernels.collect(),
            step: u64::from(from / gcd(from, to)),
            reach: reach.ceil() as usize + 1,
            held: Vec::new(),
            gone: 0,
            made: 0,
        }
    }

    /// The next piece in, and what it completes out.
    pub fn push(&mut self, samples: &[f32]) -> Vec<f32> {
        self.held.extend_from_slice(samples);
        let whole = (self.gone + self.held.len() as u64).saturating_sub(self.reach as u64);
        let out = self.make(whole);
        let needed = self.place().0.saturating_sub(self.reach as u64);
        let idle = usize::try_from(needed.saturating_sub(self.gone)).unwrap_or(usize::MAX).min(self.held.len());
        self.held.drain(..idle);
        self.gone += idle as u64;
        out
    }

    /// The end of the whole.
    pub fn finish(&mut self) -> Vec<f32> {
        self.make(self.gone + self.held.len() as u64)
    }

    /// Where the next output sample falls: an input sample, and a kernel.
    fn place(&self) -> (u64, usize) {
        let phases = self.kernels.len() as u64;
        (self.made * self.step / phases, (self.made * self.step % phases) as usize)
    }

    /// Every output sample that falls before an input sample.
    fn make(&mut self, before: u64) -> Vec<f32> {
        let mut out = Vec::new();
        loop {
            let (whole, phase) = self.place();
            if whole >= before {
                return out;
            }
            out.push(self.kernels[phase].apply(&self.held, (whole - self.gone) as usize));
            self.made += 1;
        }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The weights of the input samples around one place between two of them.
#[derive(Debug)]
struct Kernel {
    weights: Vec<f32>,
    /// Samples before the place's whole part that the first weight belongs to.
    back: usize,
}

impl Kernel {
    fn new(fraction: f64, cutoff: f64, reach: f64) -> Kernel {
        let back = (reach - fraction).floor();
        let ahead = (reach + fraction).floor();
        let count = (back + ahead) as usize + 1;
        let weights = (0..count).map(|at| kernel(at as f64 - back - fraction, cutoff, reach) as f32).collect();
        Kernel { weights, back: back as usize }
    }

    fn apply(&self, samples: &[f32], whole: usize) -> f32 {
        let skipped = self.back.saturating_sub(whole);
        let from = (whole + skipped).saturating_sub(self.back).min(samples.len());
        let inside = samples[from..].iter().zip(&self.weights[skipped.min(self.weights.len())..]);
        let (sum, weight) =
            inside.fold((0.0f32, 0.0f32), |(sum, weight), (sample, by)| (sum + sample * by, weight + by));
        // Dividing by the weight keeps the level exact, also at the ends where the kernel is cut.
        if weight.abs() < 1e-3 { 0.0 } else { sum / weight }
    }
}

fn kernel(distance: f64, cutoff: f64, reach: f64) -> f64 {
    let phase = TAU * cutoff * distance;
    let sinc = if phase.abs() < 1e-9 { 1.0 } else { phase.sin() / phase };
    let place = PI * distance / reach;
    sinc * (0.42 + 0.5 * place.cos() + 0.08 * (2.0 * place).cos())
}

/// Float samples (full scale ±1) as 16 bits, clipped.
pub fn to_i16(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|&sample| (sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;

    fn wave(hertz: f64, rate: u32, length: usize) -> Vec<f32> {
        (0..length).map(|at| (0.5 * (TAU * hertz * at as f64 / f64::from(rate)).sin()) as f32).collect()
    }

    #[test]
    fn a_tone_keeps_its_pitch_its_level_and_its_length_from_any_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            let out = to_i16(&resample(&wave(1_000.0, rate, rate as usize), rate, 8_000));

            assert_eq!(out.len(), 8_000);
            assert!(tone::share(&out, 1_000.0) > 0.99, "from {rate} Hz");
            let peak = out[400..7_600].iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((16_000..16_800).contains(&peak), "from {rate} Hz: peak {peak}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_removed_not_folded_back() {
        let out = to_i16(&resample(&wave(5_000.0, 48_000, 48_000), 48_000, 8_000));

        let peak = out[400..7_600].iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(peak < 40, "an alias of {peak} remains");
    }

    #[test]
    fn piece_by_piece_it_is_the_same_and_little_of_it_is_held() {
        for rate in [8_000, 22_050, 48_000, 384_000] {
            let whole = wave(1_000.0, rate, rate as usize / 2 + 17);
            let mut resampler = Resampler::new(rate, 8_000);
            let mut out = Vec::new();
            let mut held = 0;
            for piece in whole.chunks(1_000) {
                out.append(&mut resampler.push(piece));
                held = held.max(resampler.held.capacity());
            }
            out.append(&mut resampler.finish());

            assert_eq!(out, resample(&whole, rate, 8_000), "from {rate} Hz");
            assert_eq!(out.len() as u64, (whole.len() as u64 * 8_000).div_ceil(u64::from(rate)), "from {rate} Hz");
            assert!(held < 10_000, "from {rate} Hz: {held} samples held");
        }
    }

    #[test]
    fn nothing_becomes_nothing() {
        assert!(resample(&[], 48_000, 8_000).is_empty());
    }
}

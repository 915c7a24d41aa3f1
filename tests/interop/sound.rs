//! Tones written, and found again in what somebody recorded.

use std::f64::consts::TAU;
use std::path::Path;

const RATE: u32 = 8_000;

/// Writes `secs` of a tone as 16-bit mono WAV.
pub fn write_tone(path: &Path, hertz: u32, secs: u32) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(path, spec).expect("a WAV file");
    for sample in tone(hertz, secs) {
        wav.write_sample(sample).expect("room on the disk");
    }
    wav.finalize().expect("a header");
}

/// `secs` of a tone at a third of full scale.
pub fn tone(hertz: u32, secs: u32) -> impl Iterator<Item = i16> {
    let step = TAU * f64::from(hertz) / f64::from(RATE);
    #[allow(clippy::cast_possible_truncation)] // A sine times 10 000 fits.
    (0..RATE * secs).map(move |n| ((f64::from(n) * step).sin() * 10_000.0) as i16)
}

/// All samples of a WAV file, channel by channel.
pub fn read_channels(path: &Path) -> Vec<Vec<i16>> {
    let mut wav = hound::WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let count = usize::from(wav.spec().channels);
    let mut channels = vec![Vec::new(); count];
    for (n, sample) in wav.samples::<i16>().enumerate() {
        channels[n % count].push(sample.expect("a sample"));
    }
    channels
}

/// The first channel of a WAV file that may still be growing (its header may say zero).
pub fn read_first_channel(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).expect("a file");
    bytes[44.min(bytes.len())..].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}

/// Seconds in which `hertz` is the main thing to be heard: more than half of the energy (Goertzel over 100 ms).
pub fn seconds_of(samples: &[i16], hertz: u32) -> f64 {
    let heard = samples.chunks_exact(800).filter(|block| share(block, hertz) > 0.5).count();
    f64::from(u32::try_from(heard).expect("few blocks")) / 10.0
}

fn share(block: &[i16], hertz: u32) -> f64 {
    let energy: f64 = block.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    if energy < 1e6 {
        return 0.0;
    }
    let step = TAU * f64::from(hertz) / f64::from(RATE);
    let (mut before, mut last) = (0.0, 0.0);
    for sample in block {
        (before, last) = (last, f64::from(*sample) + 2.0 * step.cos() * last - before);
    }
    let power = last * last + before * before - 2.0 * step.cos() * last * before;
    // A pure tone of n samples has power = energy * n / 2.
    power / (energy * f64::from(u32::try_from(block.len()).expect("a short block")) / 2.0)
}

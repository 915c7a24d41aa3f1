//! Composes the hold music: 72 seconds, 24 bars of G major at 80 beats a minute, in three sections (A, B, A').
//!
//! Everything is a sum of sines below 3.4 kHz, so nothing aliases at 8 kHz and nothing is lost on a telephone. The tape
//! is a ring: a tone that outlasts the last bar rings on in the first one, and the hall is run twice around, so the loop
//! has no seam. No clock and no randomness from outside: the same program writes the same bytes.
//!
//!     rustc -O media/hold/compose.rs -o target/compose && target/compose media/hold/hold.wav
//!
//! To the extent possible under law, program and music are dedicated to the public domain (CC0 1.0).

use std::f64::consts::TAU;
use std::{env, fs, io};

const RATE: usize = 8_000;
const BEAT: usize = 6_000;
const BEATS_PER_BAR: usize = 4;
const BARS: usize = 24;
const RING: usize = BARS * BEATS_PER_BAR * BEAT;
/// No partial reaches this; a telephone ends here.
const TOP_HZ: f64 = 3_300.0;
const TARGET_RMS_DB: f64 = -22.0;

/// A MIDI number: 60 is middle C, 69 the A of 440 Hz.
type Pitch = u8;

/// One bar of harmony: a root for the bass and a voicing, low to high.
struct Chord {
    bass: Pitch,
    voices: [Pitch; 4],
}

const G_MAJ7: Chord = Chord { bass: 43, voices: [55, 59, 62, 66] };
const G_OVER_B: Chord = Chord { bass: 47, voices: [55, 59, 62, 67] };
const A_MIN7: Chord = Chord { bass: 45, voices: [55, 60, 64, 67] };
const B_MIN7: Chord = Chord { bass: 47, voices: [57, 62, 66, 69] };
const C_MAJ7: Chord = Chord { bass: 48, voices: [55, 59, 64, 67] };
const C_MAJ9: Chord = Chord { bass: 48, voices: [55, 59, 62, 64] };
const D_MAJOR: Chord = Chord { bass: 50, voices: [57, 62, 66, 69] };
const D_SUS: Chord = Chord { bass: 50, voices: [57, 62, 64, 67] };
const D_SUS7: Chord = Chord { bass: 50, voices: [57, 60, 62, 67] };
const E_MIN7: Chord = Chord { bass: 52, voices: [55, 59, 62, 64] };

/// The harmony. The last bar leans on the first, which is what makes the loop a loop to the ear.
#[rustfmt::skip]
const HARMONY: [&Chord; BARS] = [
    &G_MAJ7, &E_MIN7, &C_MAJ7, &D_SUS, &G_MAJ7, &B_MIN7, &C_MAJ7, &D_MAJOR, // A
    &E_MIN7, &B_MIN7, &C_MAJ7, &G_OVER_B, &A_MIN7, &E_MIN7, &C_MAJ9, &D_SUS7, // B
    &G_MAJ7, &E_MIN7, &C_MAJ7, &D_SUS, &E_MIN7, &C_MAJ9, &A_MIN7, &D_SUS7, // A'
];

/// The tune: pitch and length in beats; pitch 0 is a rest. One line is two bars.
#[rustfmt::skip]
const TUNE: &[(Pitch, f64)] = &[
    (74, 2.0), (71, 2.0), (67, 3.0), (69, 1.0), // A: asks
    (71, 2.0), (67, 2.0), (69, 3.5), (0, 0.5),
    (74, 2.0), (78, 1.0), (76, 1.0), (74, 3.0), (71, 1.0), // and answers.
    (76, 2.0), (74, 1.0), (71, 1.0), (69, 3.0), (0, 1.0),
    (79, 3.0), (78, 1.0), (78, 2.0), (74, 2.0), // B: sings above.
    (76, 3.0), (74, 1.0), (74, 2.0), (71, 2.0),
    (72, 2.0), (76, 2.0), (79, 2.0), (76, 2.0),
    (74, 3.0), (71, 1.0), (72, 2.0), (69, 2.0),
    (0, 2.0), (74, 1.0), (76, 1.0), (79, 3.0), (0, 1.0), // A': leaves room for the plucked strings.
    (0, 2.0), (76, 1.0), (74, 1.0), (69, 3.0), (0, 1.0),
    (71, 2.0), (67, 2.0), (76, 2.0), (74, 1.0), (71, 1.0),
    (72, 2.0), (69, 2.0), (74, 3.0), (0, 1.0),
];

/// What the plucked strings do in one bar of eighth notes: an index into the chord an octave up (4 is its first voice
/// another octave higher), or `None` for silence.
type Pattern = [Option<usize>; 8];

const ROLLING: Pattern = [Some(0), Some(1), Some(2), Some(3), Some(4), Some(3), Some(2), Some(1)];
const SPARSE: Pattern = [Some(0), None, Some(2), Some(1), Some(3), None, Some(2), Some(1)];
const WEAVING: Pattern = [Some(0), Some(2), Some(1), Some(3), Some(2), Some(4), Some(3), Some(1)];

/// How an instrument sounds: its partials (level of the first, second, …) and the shape of a note.
struct Timbre {
    partials: &'static [f64],
    attack_secs: f64,
    release_secs: f64,
    /// Time for the first partial to fall to 1/e; higher ones fall faster. `None` holds the tone.
    decay_secs: Option<f64>,
    vibrato_cents: f64,
    /// A second, softer copy this far off gives a pad its width.
    detune_cents: f64,
}

const PAD: Timbre = Timbre {
    partials: &[0.8, 0.55, 0.34, 0.18, 0.11, 0.06, 0.03],
    attack_secs: 0.5,
    release_secs: 0.9,
    decay_secs: None,
    vibrato_cents: 0.0,
    detune_cents: 5.0,
};
const BASS: Timbre = Timbre {
    partials: &[0.6, 0.6, 0.28, 0.12, 0.05],
    attack_secs: 0.03,
    release_secs: 0.4,
    decay_secs: Some(2.2),
    vibrato_cents: 0.0,
    detune_cents: 0.0,
};
const STRING: Timbre = Timbre {
    partials: &[1.0, 0.6, 0.32, 0.22, 0.1, 0.05],
    attack_secs: 0.006,
    release_secs: 0.5,
    decay_secs: Some(0.55),
    vibrato_cents: 0.0,
    detune_cents: 0.0,
};
const FLUTE: Timbre = Timbre {
    partials: &[1.0, 0.4, 0.18, 0.07, 0.03],
    attack_secs: 0.07,
    release_secs: 0.25,
    decay_secs: Some(3.5),
    vibrato_cents: 7.0,
    detune_cents: 0.0,
};

/// One tone: when it starts and how long it is held, in beats, and how loud it is.
struct Note {
    pitch: Pitch,
    at: f64,
    beats: f64,
    level: f64,
}

/// The tape: one loop of sound, its end glued to its start.
struct Tape(Vec<f64>);

impl Tape {
    fn blank() -> Self {
        Tape(vec![0.0; RING])
    }

    /// Adds a tone; what goes past the end of the tape comes in at its start.
    fn play(&mut self, timbre: &Timbre, note: &Note) {
        let start = (note.at * BEAT as f64) as usize;
        let held_secs = note.beats * BEAT as f64 / RATE as f64;
        let samples = ((held_secs + timbre.release_secs) * RATE as f64) as usize;
        for i in 0..samples {
            let secs = i as f64 / RATE as f64;
            let level = note.level * timbre.envelope(secs, held_secs);
            self.0[(start + i) % RING] += level * timbre.tone(hertz(note.pitch), secs);
        }
    }

    fn mix(&mut self, other: &Tape, level: f64) {
        for (to, from) in self.0.iter_mut().zip(&other.0) {
            *to += level * from;
        }
    }

    fn rms(&self) -> f64 {
        (self.0.iter().map(|x| x * x).sum::<f64>() / RING as f64).sqrt()
    }
}

impl Timbre {
    /// A raised cosine up and down, so that no note begins or ends with a click.
    fn envelope(&self, secs: f64, held_secs: f64) -> f64 {
        let rise = ease(secs / self.attack_secs);
        let fall = 1.0 - ease((secs - held_secs) / self.release_secs);
        rise * fall
    }

    fn tone(&self, hertz: f64, secs: f64) -> f64 {
        if self.detune_cents == 0.0 {
            return self.voice(hertz, secs);
        }
        0.7 * self.voice(hertz, secs) + 0.3 * self.voice(hertz * cents(self.detune_cents), secs)
    }

    fn voice(&self, hertz: f64, secs: f64) -> f64 {
        let phase = hertz * secs + self.vibrato(hertz, secs);
        let ranks = self.partials.iter().zip(1..);
        ranks
            .map(|(level, rank)| (level, f64::from(rank)))
            .take_while(|(_, rank)| rank * hertz < TOP_HZ)
            .map(|(level, rank)| level * self.decay(rank, secs) * (TAU * rank * phase).sin())
            .sum()
    }

    /// A string's higher partials die first.
    fn decay(&self, rank: f64, secs: f64) -> f64 {
        self.decay_secs.map_or(1.0, |decay| (-secs * rank.sqrt() / decay).exp())
    }

    /// The phase of a 5 Hz vibrato, in cycles, which sets in during the first second.
    fn vibrato(&self, hertz: f64, secs: f64) -> f64 {
        const VIBRATO_HZ: f64 = 5.0;
        let width_hz = hertz * (cents(self.vibrato_cents) - 1.0) * ease(secs - 0.2);
        width_hz * (TAU * VIBRATO_HZ * secs).sin() / (TAU * VIBRATO_HZ)
    }
}

/// Small unevenness, as of a hand: a xorshift generator with a fixed seed.
struct Hand(u64);

impl Hand {
    /// A number from -1 to 1.
    fn sway(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// 0 before 0, 1 after 1, and half a cosine between.
fn ease(x: f64) -> f64 {
    0.5 - 0.5 * (TAU / 2.0 * x.clamp(0.0, 1.0)).cos()
}

fn cents(cents: f64) -> f64 {
    (cents / 1_200.0).exp2()
}

fn hertz(pitch: Pitch) -> f64 {
    440.0 * ((f64::from(pitch) - 69.0) / 12.0).exp2()
}

/// Chords that swell and overlap.
fn play_pad(tape: &mut Tape) {
    for (bar, chord) in HARMONY.iter().enumerate() {
        for pitch in chord.voices {
            // Higher voices are softer, as in a choir.
            let level = 0.30 * (60.0 / f64::from(pitch)).powi(3);
            tape.play(&PAD, &Note { pitch, at: (bar * BEATS_PER_BAR) as f64, beats: 4.0, level });
        }
    }
}

/// The root on the first beat, and again, softly, on the third or just before it.
fn play_bass(tape: &mut Tape) {
    for (bar, chord) in HARMONY.iter().enumerate() {
        let first = (bar * BEATS_PER_BAR) as f64;
        let again = if bar % 4 == 3 { 2.5 } else { 2.0 };
        tape.play(&BASS, &Note { pitch: chord.bass, at: first, beats: again, level: 0.42 });
        tape.play(&BASS, &Note { pitch: chord.bass, at: first + again, beats: 4.0 - again, level: 0.30 });
    }
}

/// The pattern of a bar, and how loud: the strings step back while the tune sings.
fn strings_of(bar: usize) -> (&'static Pattern, f64) {
    match bar {
        0..8 => (&ROLLING, 0.46),
        8..16 => (&SPARSE, 0.56),
        _ => (&WEAVING, 0.50),
    }
}

fn play_strings(tape: &mut Tape, hand: &mut Hand) {
    for (bar, chord) in HARMONY.iter().enumerate() {
        let (pattern, level) = strings_of(bar);
        for (eighth, voice) in pattern.iter().enumerate() {
            let Some(voice) = *voice else { continue };
            let pitch = chord.voices[voice % 4] + if voice < 4 { 12 } else { 24 };
            let late = 0.012 * (1.0 + hand.sway());
            let at = (bar * BEATS_PER_BAR) as f64 + eighth as f64 / 2.0 + late;
            tape.play(&STRING, &Note { pitch, at, beats: 1.0, level: level * (1.0 + 0.15 * hand.sway()) });
        }
    }
}

fn play_tune(tape: &mut Tape, hand: &mut Hand) {
    let mut at = 0.0;
    for &(pitch, beats) in TUNE {
        if pitch != 0 {
            let level = 0.34 * (1.0 + 0.08 * hand.sway());
            tape.play(&FLUTE, &Note { pitch, at, beats, level });
        }
        at += beats;
    }
    assert_eq!(at as usize, BARS * BEATS_PER_BAR, "the tune is as long as the harmony");
}

/// One delay line of the hall.
struct Echo {
    line: Vec<f64>,
    next: usize,
    dull: f64,
}

impl Echo {
    fn new(samples: usize) -> Self {
        Echo { line: vec![0.0; samples], next: 0, dull: 0.0 }
    }

    /// What comes out of the line, some of its treble lost on the way.
    fn heard(&mut self) -> f64 {
        self.dull += 0.6 * (self.line[self.next] - self.dull);
        self.dull
    }

    fn feed(&mut self, x: f64) {
        self.line[self.next] = x;
        self.next = (self.next + 1) % self.line.len();
    }

    /// An all-pass: scatters a sound in time and leaves its colour.
    fn scatter(&mut self, x: f64) -> f64 {
        const G: f64 = 0.6;
        let delayed = self.line[self.next];
        let inner = x - G * delayed;
        self.feed(inner);
        delayed + G * inner
    }
}

/// A small hall: the sound is scattered, then goes into four echoes that feed each other through a Hadamard matrix,
/// which of itself neither adds nor loses energy.
fn hall(dry: &Tape) -> Tape {
    const SUSTAIN: f64 = 0.78;
    let mut scatterers = [38, 67, 101].map(Echo::new);
    let mut echoes = [353, 419, 509, 601].map(Echo::new);
    let mut wet = Tape::blank();
    // The first time round only fills the hall with what is still ringing when the loop begins.
    for i in 0..2 * RING {
        let x = scatterers.iter_mut().fold(dry.0[i % RING], |x, scatterer| scatterer.scatter(x));
        let [a, b, c, d] = echoes.each_mut().map(Echo::heard);
        let fed = [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d];
        for (echo, back) in echoes.iter_mut().zip(fed) {
            echo.feed(x + 0.5 * SUSTAIN * back);
        }
        wet.0[i % RING] = 0.25 * (a - b + c - d);
    }
    wet
}

fn compose() -> Tape {
    let mut hand = Hand(0x5EED_0FCA_11BA_C4AA);
    let mut tape = Tape::blank();
    play_pad(&mut tape);
    play_bass(&mut tape);
    play_strings(&mut tape, &mut hand);
    play_tune(&mut tape, &mut hand);
    let wet = hall(&tape);
    tape.mix(&wet, 0.5);
    tape
}

/// A WAV file: a header of 44 bytes, then 16-bit samples.
fn wav(tape: &Tape) -> Vec<u8> {
    let gain = 10f64.powf(TARGET_RMS_DB / 20.0) / tape.rms();
    let data_len = 2 * RING as u32;
    let rate = RATE as u32;
    let mut bytes = Vec::with_capacity(44 + 2 * RING);
    bytes.extend(b"RIFF");
    bytes.extend((36 + data_len).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend([1u16, 1].map(u16::to_le_bytes).concat()); // PCM, mono.
    bytes.extend([rate, 2 * rate].map(u32::to_le_bytes).concat());
    bytes.extend([2u16, 16].map(u16::to_le_bytes).concat()); // Bytes a frame, bits a sample.
    bytes.extend(b"data");
    bytes.extend(data_len.to_le_bytes());
    for x in &tape.0 {
        bytes.extend(((gain * x * 32_768.0).round() as i16).to_le_bytes());
    }
    bytes
}

fn main() -> io::Result<()> {
    let path = env::args().nth(1).ok_or_else(|| io::Error::other("usage: compose OUT.wav"))?;
    fs::write(path, wav(&compose()))
}

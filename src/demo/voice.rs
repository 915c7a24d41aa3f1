//! A mouth, an ear and a finger: RTP with G.711 (RFC 3550, RFC 3551) and telephone-event (RFC 4733) for one call.
//!
//! The mouth sends a tone of its own pitch, fifty packets a second. The ear tells which pitches it hears, by Goertzel
//! over tenths of a second. The finger presses keys. Nothing is shared with `crate::rtp` or `crate::audio`.

use super::session::Session;
use crate::time::Tick;
use std::collections::{BTreeMap, VecDeque};
use std::f64::consts::PI;
use std::net::SocketAddr;
use std::time::Duration;

/// Samples of a packet.
const FRAME: usize = 160;
/// What a packet takes.
pub const PACKET: Duration = Duration::from_millis(20);
/// Samples the ear listens to at a time.
const WINDOW: usize = 800;
/// Packets of a key press, at 20 ms; the last one is the first end packet.
const PRESS_PACKETS: u16 = 6;
/// Silence between two presses, in packets.
const PRESS_PAUSE: u16 = 4;
/// Keys in the order of their event codes (RFC 4733 §3.2).
const KEYS: &str = "0123456789*#ABCD";

/// One call's media at a phone.
#[derive(Clone, Debug)]
pub struct Voice {
    remote: SocketAddr,
    codec: u8,
    dtmf: Option<u8>,
    pitch: f64,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    samples_sent: u64,
    next: Tick,
    fingers: VecDeque<char>,
    press: Option<Press>,
    pause: u16,
    muted: bool,
    ear: Ear,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    code: u8,
    began: u32,
    sent: u16,
}

/// What a phone has heard so far.
#[derive(Clone, Debug, Default)]
pub struct Ear {
    window: Vec<f64>,
    /// Windows in which each of the listened-for pitches was heard.
    pub heard: BTreeMap<u32, u32>,
    /// Windows with any sound.
    pub loud: u32,
    /// Windows in all.
    pub windows: u32,
    /// Keys pressed at the other end.
    pub keys: Vec<char>,
    /// Packets taken.
    pub packets: u64,
    /// Packets whose number did not follow the one before.
    pub gaps: u64,
    /// Source and number of the last packet.
    last: Option<(u32, u16)>,
    last_event: Option<u32>,
}

impl Voice {
    /// Starts to speak to `remote` with a tone of `pitch` Hz.
    pub fn new(now: Tick, remote: &Session, codec: u8, pitch: u32, ssrc: u32) -> Voice {
        Voice {
            remote: remote.rtp,
            codec,
            dtmf: remote.dtmf,
            pitch: f64::from(pitch),
            ssrc,
            sequence: (ssrc >> 8) as u16,
            timestamp: ssrc.rotate_left(7),
            samples_sent: 0,
            next: now,
            fingers: VecDeque::new(),
            press: None,
            pause: 0,
            muted: false,
            ear: Ear::default(),
        }
    }

    /// The other side's description has changed.
    pub fn redirect(&mut self, remote: &Session, codec: u8) {
        (self.remote, self.codec, self.dtmf) = (remote.rtp, codec, remote.dtmf);
    }

    /// Speaks with another pitch from now on.
    pub fn tune(&mut self, pitch: u32) {
        self.pitch = f64::from(pitch);
    }

    /// Sends nothing any more (or again): a cut wire, or hold.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// What was heard.
    pub fn ear(&self) -> &Ear {
        &self.ear
    }

    /// Forgets what was heard.
    pub fn listen_anew(&mut self) {
        let last = self.ear.last;
        self.ear = Ear { last, last_event: self.ear.last_event, ..Ear::default() };
    }

    /// Presses a key when those before are done.
    pub fn press(&mut self, key: char) {
        self.fingers.push_back(key);
    }

    /// When the next packet leaves.
    pub fn poll_timeout(&self) -> Tick {
        self.next
    }

    /// Packets that are due at `now`.
    pub fn on_timeout(&mut self, now: Tick, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        while self.next <= now {
            self.next += PACKET;
            let packets = self.packet();
            self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
            self.samples_sent += FRAME as u64;
            if !self.muted {
                out.extend(packets.into_iter().map(|packet| (self.remote, packet)));
            }
        }
    }

    fn packet(&mut self) -> Vec<Vec<u8>> {
        if self.press.is_none() && self.pause == 0 {
            let code = self.fingers.pop_front().and_then(|key| KEYS.find(key.to_ascii_uppercase()));
            self.press = code.map(|code| Press { code: code as u8, began: self.timestamp, sent: 0 });
        }
        self.pause = self.pause.saturating_sub(1);
        if let (Some(mut press), Some(kind)) = (self.press, self.dtmf) {
            press.sent += 1;
            let last = press.sent == PRESS_PACKETS;
            let times = if last { 3 } else { 1 }; // RFC 4733 §2.5.1.4: the end goes out three times.
            let duration = press.sent * FRAME as u16;
            let payload = [press.code, 10 | if last { 0x80 } else { 0 }, (duration >> 8) as u8, duration as u8];
            let marker = press.sent == 1;
            let packets = (0..times).map(|_| self.rtp(kind, marker, press.began, &payload)).collect();
            (self.press, self.pause) = if last { (None, PRESS_PAUSE) } else { (Some(press), 0) };
            return packets;
        }
        self.press = None;
        let payload: Vec<u8> = (0..FRAME).map(|at| encode(self.codec, self.sample(at))).collect();
        vec![self.rtp(self.codec, false, self.timestamp, &payload)]
    }

    fn sample(&self, at: usize) -> i16 {
        let seconds = (self.samples_sent + at as u64) as f64 / 8_000.0;
        (8_000.0 * (2.0 * PI * self.pitch * seconds).sin()) as i16
    }

    fn rtp(&mut self, kind: u8, marker: bool, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, kind | if marker { 0x80 } else { 0 }];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }

    /// A packet has come.
    pub fn hear(&mut self, packet: &[u8], pitches: &[u32]) {
        let Some((header, mut payload)) = packet.split_at_checked(12) else { return };
        if header[0] >> 6 != 2 {
            return;
        }
        if header[0] & 0x0f != 0 {
            payload = payload.get(4 * usize::from(header[0] & 0x0f)..).unwrap_or(&[]);
        }
        let (kind, sequence) = (header[1] & 0x7f, u16::from_be_bytes([header[2], header[3]]));
        let timestamp = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        // Another source counts by itself (RFC 3550 §8.2): whoever spoke has begun anew.
        let source = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        self.ear.packets += 1;
        if self.ear.last.is_some_and(|(speaker, last)| speaker == source && last.wrapping_add(1) != sequence) {
            self.ear.gaps += 1;
        }
        self.ear.last = Some((source, sequence));
        match kind {
            0 | 8 => payload.iter().for_each(|octet| self.ear.sample(decode(kind, *octet), pitches)),
            96.. => self.ear.event(timestamp, payload),
            _ => {} // Comfort noise and other codecs: never agreed on, and an ear has no opinion.
        }
    }
}

impl Ear {
    /// Whether this pitch was heard for at least half of the time.
    pub fn hears(&self, pitch: u32) -> bool {
        let times = self.heard.get(&pitch).copied().unwrap_or(0);
        times > 0 && times * 2 >= self.windows
    }

    fn sample(&mut self, sample: i16, pitches: &[u32]) {
        self.window.push(f64::from(sample));
        if self.window.len() < WINDOW {
            return;
        }
        self.windows += 1;
        let energy: f64 = self.window.iter().map(|sample| sample * sample).sum();
        if energy / WINDOW as f64 > 2_500.0 {
            self.loud += 1;
            for pitch in pitches {
                // A pure tone's power in its bin is energy × N / 2; half of that is clear enough.
                if goertzel(&self.window, *pitch) > energy * WINDOW as f64 / 4.0 {
                    *self.heard.entry(*pitch).or_default() += 1;
                }
            }
        }
        self.window.clear();
    }

    fn event(&mut self, timestamp: u32, payload: &[u8]) {
        let Some(key) = payload.first().and_then(|code| KEYS.chars().nth(usize::from(*code))) else { return };
        if self.last_event != Some(timestamp) {
            self.last_event = Some(timestamp);
            self.keys.push(key);
        }
    }
}

fn goertzel(samples: &[f64], pitch: u32) -> f64 {
    let coefficient = 2.0 * (2.0 * PI * f64::from(pitch) / 8_000.0).cos();
    let (a, b) = samples.iter().fold((0.0, 0.0), |(a, b), sample| (sample + coefficient * a - b, a));
    a * a + b * b - coefficient * a * b
}

/// G.711: payload type 8 is A-law, everything else µ-law.
pub fn encode(codec: u8, sample: i16) -> u8 {
    if codec == 8 { encode_a(sample) } else { encode_u(sample) }
}

/// The sample of an octet.
pub fn decode(codec: u8, octet: u8) -> i16 {
    if codec == 8 { decode_a(octet) } else { decode_u(octet) }
}

fn encode_u(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let biased = (i32::from(sample).abs() + 132).min(32_767);
    let exponent = (31 - biased.leading_zeros()).saturating_sub(7);
    let mantissa = (biased >> (exponent + 3)) & 0x0f;
    !(sign | ((exponent as u8) << 4) | mantissa as u8)
}

fn decode_u(octet: u8) -> i16 {
    let octet = !octet;
    let magnitude = ((i32::from(octet & 0x0f) << 3) + 132) << ((octet >> 4) & 7);
    let sample = magnitude - 132;
    (if octet & 0x80 == 0 { sample } else { -sample }) as i16
}

fn encode_a(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    let magnitude = i32::from(if sample < 0 { !sample } else { sample }) >> 3;
    let octet = if magnitude < 32 {
        magnitude >> 1
    } else {
        let exponent = (31 - magnitude.leading_zeros()) as i32 - 4;
        (exponent << 4) | ((magnitude >> exponent) & 0x0f)
    };
    (octet as u8 | sign) ^ 0x55
}

fn decode_a(octet: u8) -> i16 {
    let octet = octet ^ 0x55;
    let (exponent, mantissa) = ((octet >> 4) & 7, i32::from(octet & 0x0f));
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 264) << (exponent - 1),
    };
    (if octet & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::super::session::Direction;
    use super::*;

    #[test]
    fn g711_keeps_a_sample_within_its_step() {
        for codec in [0, 8] {
            for sample in (-32_000..32_000).step_by(37) {
                let back = decode(codec, encode(codec, sample));
                let step = (i32::from(sample).abs() / 16).max(16);
                assert!((i32::from(back) - i32::from(sample)).abs() <= step, "codec {codec}: {sample} became {back}");
            }
        }
    }

    #[test]
    fn an_ear_hears_the_pitch_and_the_keys_of_the_other_mouth() {
        let remote = Session {
            rtp: "192.0.2.20:4000".parse().expect("an address"),
            codecs: vec![0],
            dtmf: Some(101),
            direction: Direction::SendRecv,
        };
        for codec in [0, 8] {
            let mut mouth = Voice::new(Tick::ZERO, &remote, codec, 620, 7);
            let mut ear = Voice::new(Tick::ZERO, &remote, codec, 440, 8);
            let mut packets = Vec::new();

            mouth.on_timeout(Tick::from_millis(1_000), &mut packets);
            mouth.press('4');
            mouth.press('4');
            mouth.on_timeout(Tick::from_millis(1_500), &mut packets);
            packets.iter().for_each(|(_, packet)| ear.hear(packet, &[440, 620]));

            assert!(ear.ear().hears(620));
            assert!(!ear.ear().hears(440));
            assert_eq!(ear.ear().keys, ['4', '4']);
            assert_eq!(ear.ear().gaps, 0);
        }
    }
}

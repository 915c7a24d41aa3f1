//! RTP for SIPp's `play_pcap_audio`: silence with key presses (RFC 4733), or a tone. SIPp rewrites addresses and
//! ports.

use std::path::Path;

/// One stretch of what is sent.
pub enum Part {
    /// So many milliseconds of silence.
    Silence(u32),
    /// A key, held for 120 ms.
    Key(char),
    /// Hertz, milliseconds.
    Tone(u32, u32),
}

struct Writer {
    packets: Vec<(u32, Vec<u8>)>,
    sequence: u16,
    timestamp: u32,
    at_ms: u32,
}

/// Writes the parts, one after the other, as PCMU and telephone-event 101.
pub fn write(path: &Path, parts: &[Part]) {
    let mut writer = Writer { packets: Vec::new(), sequence: 1_000, timestamp: 8_000, at_ms: 0 };
    for part in parts {
        match part {
            Part::Silence(ms) => (0..ms / 20).for_each(|_| writer.audio(&[0xff; 160])),
            Part::Key(key) => writer.key(*key),
            Part::Tone(hertz, ms) => {
                let samples: Vec<i16> = crate::sound::tone(*hertz, ms.div_ceil(1_000)).collect();
                samples.chunks_exact(160).take((ms / 20) as usize).for_each(|frame| {
                    let payload: Vec<u8> = frame.iter().map(|sample| ulaw(*sample)).collect();
                    writer.audio(&payload);
                });
            }
        }
    }
    std::fs::write(path, writer.file()).expect("the capture is written");
}

impl Writer {
    fn audio(&mut self, payload: &[u8]) {
        self.packet(0, self.timestamp, payload);
        self.timestamp += 160;
    }

    fn key(&mut self, key: char) {
        let event = u8::try_from("0123456789*#ABCD".find(key).expect("a key")).expect("below 16");
        let body = |end: u8, duration: u16| {
            let [high, low] = duration.to_be_bytes();
            [event, end | 10, high, low]
        };
        for n in 1..=6u16 {
            let marker = if n == 1 { 0x80 } else { 0 };
            self.packet(marker | 101, self.timestamp, &body(0, 160 * n));
        }
        for _ in 0..3 {
            self.packet(101, self.timestamp, &body(0x80, 960));
        }
        self.timestamp += 160 * 9;
    }

    fn packet(&mut self, kind: u8, timestamp: u32, payload: &[u8]) {
        let mut rtp = vec![0x80, kind];
        rtp.extend(self.sequence.to_be_bytes());
        rtp.extend(timestamp.to_be_bytes());
        rtp.extend(0x5242_4e4b_u32.to_be_bytes());
        rtp.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets.push((self.at_ms, rtp));
        self.at_ms += 20;
    }

    /// Ethernet, IPv4 and UDP around each packet, as SIPp expects to find them.
    fn file(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            file.extend(word.to_le_bytes());
        }
        for (at_ms, rtp) in &self.packets {
            let udp_length = u16::try_from(8 + rtp.len()).expect("a small packet");
            let mut frame = vec![0; 12];
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend((20 + udp_length).to_be_bytes());
            frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
            frame.extend(6_000_u16.to_be_bytes());
            frame.extend(6_002_u16.to_be_bytes());
            frame.extend(udp_length.to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(rtp);
            let length = u32::try_from(frame.len()).expect("a small frame");
            for word in [at_ms / 1_000, at_ms % 1_000 * 1_000, length, length] {
                file.extend(word.to_le_bytes());
            }
            file.extend(frame);
        }
        file
    }
}

/// G.711 µ-law, written here once more so that the test shares nothing with what it tests.
fn ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = (i32::from(sample).abs().min(32_635)) + 132;
    let exponent = (7..15).rev().find(|bit| magnitude & (1 << bit) != 0).unwrap_or(7) - 7;
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !u8::try_from(sign | (exponent << 4) | mantissa).expect("eight bits")
}

//! G.711: µ-law and A-law, by table where it is hot.
//!
//! Decoding and transcoding are table look-ups. Encoding follows the segments of the Recommendation (tables 1 and 2);
//! it happens once per clip and codec. Linear samples are 16 bits wide, the 14 (13) bits of the laws at the top.

use crate::settings::Codec;

/// µ-law octets as linear samples.
static ULAW: [i16; 256] = table_ulaw();
/// A-law octets as linear samples.
static ALAW: [i16; 256] = table_alaw();
/// µ-law octets as A-law octets.
static ULAW_TO_ALAW: [u8; 256] = table_ulaw_to_alaw();
/// A-law octets as µ-law octets.
static ALAW_TO_ULAW: [u8; 256] = table_alaw_to_ulaw();

/// The octet of digital silence.
pub const fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0xff,
        Codec::Pcma => 0xd5,
    }
}

/// One octet as a linear sample.
#[inline]
pub fn decode(codec: Codec, octet: u8) -> i16 {
    match codec {
        Codec::Pcmu => ULAW[usize::from(octet)],
        Codec::Pcma => ALAW[usize::from(octet)],
    }
}

/// Decodes as many octets as both sides have room for.
pub fn decode_into(codec: Codec, octets: &[u8], samples: &mut [i16]) {
    let table = match codec {
        Codec::Pcmu => &ULAW,
        Codec::Pcma => &ALAW,
    };
    for (sample, &octet) in samples.iter_mut().zip(octets) {
        *sample = table[usize::from(octet)];
    }
}

/// One linear sample as an octet.
#[inline]
pub const fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcmu => encode_ulaw(sample),
        Codec::Pcma => encode_alaw(sample),
    }
}

/// Encodes samples.
pub fn encode_all(codec: Codec, samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|&sample| encode(codec, sample)).collect()
}

/// Translates as many octets as both sides have room for; between equal codecs that is a copy.
pub fn transcode(from: Codec, to: Codec, octets: &[u8], out: &mut [u8]) {
    let table = match (from, to) {
        (Codec::Pcmu, Codec::Pcma) => &ULAW_TO_ALAW,
        (Codec::Pcma, Codec::Pcmu) => &ALAW_TO_ULAW,
        (Codec::Pcmu, Codec::Pcmu) | (Codec::Pcma, Codec::Pcma) => {
            let length = octets.len().min(out.len());
            return out[..length].copy_from_slice(&octets[..length]);
        }
    };
    for (out, &octet) in out.iter_mut().zip(octets) {
        *out = table[usize::from(octet)];
    }
}

const fn encode_ulaw(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    const CLIP: i32 = 32_635;
    let negative = sample < 0;
    let mut magnitude = if negative { -(sample as i32) } else { sample as i32 };
    if magnitude > CLIP {
        magnitude = CLIP;
    }
    magnitude += BIAS;
    // The segment is the position of the highest bit; BIAS guarantees bit 7 at least.
    let segment = 24 - magnitude.leading_zeros() as i32;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    let sign = if negative { 0x80 } else { 0 };
    !((sign | (segment << 4) | step) as u8)
}

const fn encode_alaw(sample: i16) -> u8 {
    let negative = sample < 0;
    // One's complement keeps the halves symmetric around the step at zero.
    let magnitude = if negative { !(sample as i32) } else { sample as i32 };
    let octet = if magnitude < 256 {
        magnitude >> 4
    } else {
        let segment = 24 - magnitude.leading_zeros() as i32;
        (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f)
    };
    let sign = if negative { 0 } else { 0x80 };
    ((octet | sign) as u8) ^ 0x55
}

const fn decode_ulaw(octet: u8) -> i16 {
    let code = !octet;
    let magnitude = ((((code & 0x0f) as i32) << 3) + 0x84) << ((code >> 4) & 7);
    let linear = magnitude - 0x84;
    (if code & 0x80 != 0 { -linear } else { linear }) as i16
}

const fn decode_alaw(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let step = ((code & 0x0f) as i32) << 4;
    let segment = ((code >> 4) & 7) as i32;
    let magnitude = if segment == 0 { step + 8 } else { (step + 0x108) << (segment - 1) };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

const fn table_ulaw() -> [i16; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = decode_ulaw(at as u8);
        at += 1;
    }
    table
}

const fn table_alaw() -> [i16; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = decode_alaw(at as u8);
        at += 1;
    }
    table
}

const fn table_ulaw_to_alaw() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = encode_alaw(decode_ulaw(at as u8));
        at += 1;
    }
    table
}

const fn table_alaw_to_ulaw() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = encode_ulaw(decode_alaw(at as u8));
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_survives_decoding_and_encoding() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for octet in 0..=255 {
                let back = encode(codec, decode(codec, octet));

                // µ-law has two zeros; the negative one (0x7f) comes back as the positive.
                let same = back == octet || (codec == Codec::Pcmu && octet == 0x7f && back == 0xff);
                assert!(same, "{codec:?} {octet:#x} came back as {back:#x}");
            }
        }
    }

    #[test]
    fn known_values_of_the_recommendation() {
        assert_eq!(decode(Codec::Pcmu, 0x80), 32_124);
        assert_eq!(decode(Codec::Pcmu, 0x00), -32_124);
        assert_eq!(decode(Codec::Pcmu, 0xff), 0);
        assert_eq!(decode(Codec::Pcma, 0xaa), 32_256);
        assert_eq!(decode(Codec::Pcma, 0x2a), -32_256);
        assert_eq!(decode(Codec::Pcma, 0xd5), 8);
    }

    #[test]
    fn every_sample_comes_back_within_its_step() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for sample in i16::MIN..=i16::MAX {
                let error = (i32::from(decode(codec, encode(codec, sample))) - i32::from(sample)).abs();

                // Half a step: 1/32 of the value in a segment, at least half of the smallest step; clipped at the top.
                let bound = (i32::from(sample).abs() + 132) / 32 + 8;
                assert!(error <= bound.max(8) || sample.unsigned_abs() > 32_000, "{codec:?} {sample}: {error}");
            }
        }
    }

    #[test]
    fn transcoding_there_and_back_stays_within_a_step() {
        for octet in 0..=255u8 {
            let (mut there, mut through) = ([0], [0]);
            transcode(Codec::Pcmu, Codec::Pcma, &[octet], &mut there);
            transcode(Codec::Pcma, Codec::Pcmu, &there, &mut through);

            let (was, is) = (i32::from(decode(Codec::Pcmu, octet)), i32::from(decode(Codec::Pcmu, through[0])));
            assert!((was - is).abs() <= (was.abs() + 132) / 16 + 8, "{was} became {is}");
        }
    }
}

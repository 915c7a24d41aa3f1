//! One value as it lies on disk: `schema u8 · crc32c u32 · key length u16 · key · JSON`, little-endian.
//!
//! The checksum covers everything but itself, and the key is repeated inside, so that a value that has rotted, was cut
//! short, or answers to another key is known for what it is before anything believes it.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The schema this version writes, raised with every change that an older version could not read. Older ones are read
/// for ever; a store of a newer one is not opened (`schema`).
pub const SCHEMA: u8 = 1;
const HEAD: usize = 1 + 4 + 2;

/// Why a value cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Shorter than its own head or key says.
    Short,
    /// Written by a version we do not know.
    Schema(u8),
    /// Its bytes have changed.
    Checksum,
    /// It belongs to another key.
    Key,
    /// Its body is not the type its key promises.
    Body,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Damage::Short => f.write_str("cut short"),
            Damage::Schema(schema) => write!(f, "written by schema {schema}, which this version does not know"),
            Damage::Checksum => f.write_str("its checksum does not match"),
            Damage::Key => f.write_str("it belongs to another key"),
            Damage::Body => f.write_str("its body is not what its key promises"),
        }
    }
}

/// The bytes of `value` under `key`.
pub fn encode<T: Serialize>(key: &[u8], value: &T) -> Vec<u8> {
    let body = serde_json::to_vec(value).expect("records are structs with string keys, which JSON can always say");
    encode_body(key, &body)
}

/// The bytes of a value that is JSON already.
pub fn encode_body(key: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(key.len()).expect("keys are made of ids and bounded names");
    let mut bytes = Vec::with_capacity(HEAD + key.len() + body.len());
    bytes.push(SCHEMA);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(body);
    let sum = checksum(&bytes);
    bytes[1..5].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The value under `key`, or what is wrong with it.
pub fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, Damage> {
    serde_json::from_slice(body(key, bytes)?).map_err(|_| Damage::Body)
}

/// The JSON under `key`, or what is wrong with it.
pub fn body<'a>(key: &[u8], bytes: &'a [u8]) -> Result<&'a [u8], Damage> {
    let (Some(schema), Some(sum), Some(length)) = (bytes.first(), bytes.get(1..5), bytes.get(5..HEAD)) else {
        return Err(Damage::Short);
    };
    // The checksum comes first: a flipped bit in the schema octet is rot, not a newer version.
    if sum != checksum(bytes).to_le_bytes() {
        return Err(Damage::Checksum);
    }
    if *schema != SCHEMA {
        return Err(Damage::Schema(*schema));
    }
    let end = HEAD + usize::from(u16::from_le_bytes([length[0], length[1]]));
    let echo = bytes.get(HEAD..end).ok_or(Damage::Short)?;
    if echo != key {
        return Err(Damage::Key);
    }
    Ok(&bytes[end..])
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..1]), &bytes[5..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_under_its_own_key_only() {
        let bytes = encode(b"agent/anna", &vec![1, 2, 3]);

        assert_eq!(decode::<Vec<u32>>(b"agent/anna", &bytes), Ok(vec![1, 2, 3]));
        assert_eq!(decode::<Vec<u32>>(b"agent/otto", &bytes), Err(Damage::Key));
        assert_eq!(decode::<String>(b"agent/anna", &bytes), Err(Damage::Body));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = encode(b"task/1", &"a promise".to_string());

        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(decode::<String>(b"task/1", &flipped).is_err(), "bit {at}");
        }
        for length in 0..bytes.len() {
            assert!(decode::<String>(b"task/1", &bytes[..length]).is_err(), "cut to {length}");
        }
    }
}

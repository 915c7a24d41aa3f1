//! What a whole state sums up to, so that two of them can be compared without being beside each other.

/// Count and sum over all records, in whatever order they come: a record that is missing, stale, or twice there shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Digest {
    /// Records.
    pub count: u64,
    /// The wrapping sum of what each record mixes to.
    pub sum: u64,
}

impl Digest {
    /// A record has come.
    pub fn add(&mut self, key: &str, value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(mixed(key, value));
    }

    /// A record has gone.
    pub fn take(&mut self, key: &str, value: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(mixed(key, value));
    }

    /// As it lies at the end of a checkpoint.
    pub fn to_octets(self) -> [u8; 16] {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&self.count.to_le_bytes());
        octets[8..].copy_from_slice(&self.sum.to_le_bytes());
        octets
    }
}

/// Key and value as one number. The checksums are spread over all bits (the finisher of splitmix64), because a sum of
/// plain CRCs would forgive two flips that cancel each other.
fn mixed(key: &str, value: &[u8]) -> u64 {
    let sums = u64::from(crc32c::crc32c(key.as_bytes())) << 32 | u64::from(crc32c::crc32c(value));
    let once = (sums ^ (sums >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    twice ^ (twice >> 31)
}

//! RTP packets (RFC 3550 §5.1): the one door to the crates `rtp` and `webrtc-util`.
//!
//! The crate's parser panics on header extensions that overrun the packet and allocates for CSRC lists and extensions,
//! so both are checked and stepped over here, and only the fixed header reaches it. Nothing here allocates.

use rtp::header::Header;
use webrtc_util::marshal::{Marshal, Unmarshal};

/// Octets of the fixed header.
pub const HEADER: usize = 12;

/// A packet: its header and its payload without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The beginning of talk, or of a key press.
    pub marker: bool,
    /// 0–127.
    pub payload_type: u8,
    /// Rises by one with each packet.
    pub sequence: u16,
    /// In samples.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// What it carries.
    pub payload: &'a [u8],
}

/// It is not an RTP packet: too short, another version (STUN, DTLS), or parts that overrun it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Packet<'a> {
    /// Reads a datagram.
    pub fn parse(datagram: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let payload = payload(datagram).ok_or(Malformed)?;
        // The fixed header alone, with padding, extension and CSRC count taken off.
        let mut fixed = [0; HEADER];
        fixed.copy_from_slice(&datagram[..HEADER]);
        fixed[0] &= 0xc0;
        let header = Header::unmarshal(&mut &fixed[..]).map_err(|_| Malformed)?;
        Ok(Packet {
            marker: header.marker,
            payload_type: header.payload_type,
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            ssrc: header.ssrc,
            payload,
        })
    }

    /// Writes the packet to the beginning of `out` and returns its length; `None` when there is no room.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let length = HEADER + self.payload.len();
        let out = out.get_mut(..length)?;
        out[HEADER..].copy_from_slice(self.payload);
        self.write_header(out)?;
        Some(length)
    }

    /// Writes the header alone: for a payload that is already in place.
    pub fn write_header(&self, out: &mut [u8]) -> Option<usize> {
        let header = Header {
            version: 2,
            marker: self.marker,
            payload_type: self.payload_type & 0x7f, // A higher one would reach into the marker bit.
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        header.marshal_to(out.get_mut(..HEADER)?).ok()
    }
}

/// The payload, if everything the header announces lies within the datagram.
fn payload(datagram: &[u8]) -> Option<&[u8]> {
    let first = *datagram.first()?;
    if datagram.len() < HEADER || first >> 6 != 2 {
        return None;
    }
    let mut begin = HEADER + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        // §5.3.1: 16 bits of profile, 16 bits of length in words.
        let words = u16::from_be_bytes([*datagram.get(begin + 2)?, *datagram.get(begin + 3)?]);
        begin += 4 + 4 * usize::from(words);
    }
    let mut end = datagram.len();
    if first & 0x20 != 0 {
        // §5.1: the last octet counts the padding, itself included.
        let padding = usize::from(datagram[end - 1]);
        if padding == 0 {
            return None;
        }
        end = end.checked_sub(padding)?;
    }
    datagram.get(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Packet<'_> = Packet {
        marker: true,
        payload_type: 101,
        sequence: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xdead_beef,
        payload: &[1, 2, 3, 4],
    };

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = [0; 64];

        let length = PACKET.write(&mut out).unwrap();

        assert_eq!(out[..4], [0x80, 0x80 | 101, 0xff, 0xfe]);
        assert_eq!(Packet::parse(&out[..length]), Ok(PACKET));
    }

    #[test]
    fn csrc_extension_and_padding_are_stepped_over() {
        let mut datagram = vec![0x80 | 0x20 | 0x10 | 2, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        datagram.extend([0; 8]); // Two CSRCs.
        datagram.extend([0xbe, 0xde, 0, 1, 0xff, 0xff, 0xff, 0xff]); // An extension whose element overruns it.
        datagram.extend([7, 7, 7, 0, 2]); // Three octets of payload, two of padding.

        let packet = Packet::parse(&datagram).unwrap();

        assert_eq!((packet.payload, packet.sequence), (&[7, 7, 7][..], 1));
    }

    #[test]
    fn what_overruns_the_datagram_is_malformed() {
        let fixed = |first: u8| vec![first, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];

        for first in [0x00, 0x40, 0xc0, 0x81, 0x90, 0xa0] {
            assert_eq!(Packet::parse(&fixed(first)), Err(Malformed), "first octet {first:#x}");
        }
        assert_eq!(Packet::parse(&fixed(0x80)[..11]), Err(Malformed));
        assert_eq!(Packet::parse(&[]), Err(Malformed));
        let mut padded = fixed(0xa0);
        padded.push(2); // Reaches into the header.
        assert_eq!(Packet::parse(&padded), Err(Malformed));
    }
}

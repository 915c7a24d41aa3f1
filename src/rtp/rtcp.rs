//! RTCP (RFC 3550 §6): sender and receiver reports with SDES and BYE, written; others' compound packets, checked.
//!
//! What peers report is not acted on. Their packets prove that the far end lives (security.md T27), and their sender
//! report's time comes back in ours (§6.4.1).

use super::stream::Report;
use crate::time::Tick;
use std::time::Duration;

/// Room that every compound packet of ours fits in.
pub const ROOM: usize = 128;
/// Time between two reports (§6.2: at least 5 s).
pub const INTERVAL: Duration = Duration::from_secs(5);

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// A canonical name: 96 random bits in hex (RFC 7022 §4.2).
pub type Cname = [u8; 24];

/// What a compound packet of ours says.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    /// Our SSRC.
    pub ssrc: u32,
    /// Our canonical name.
    pub cname: &'a Cname,
    /// What we sent; `None`: nothing yet, a receiver report.
    pub sent: Option<Sent>,
    /// What we received.
    pub received: Option<(Report, LastReport)>,
    /// Whether the stream ends here.
    pub bye: bool,
}

/// The sender's half of a sender report.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// When.
    pub at: Tick,
    /// The RTP timestamp of that instant.
    pub timestamp: u32,
    /// Packets.
    pub packets: u32,
    /// Payload octets.
    pub octets: u32,
}

/// The peer's last sender report: the middle of its NTP time, and when it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastReport {
    /// 0 when none came.
    pub ntp_middle: u32,
    /// In units of 1/65536 s.
    pub delay: u32,
}

/// What a peer's compound packet tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// SSRC and middle 32 bits of the NTP time of its sender report.
    pub sender: Option<(u32, u32)>,
    /// It says goodbye.
    pub bye: bool,
}

impl Compound<'_> {
    /// Writes the packet and returns its length.
    pub fn write(&self, out: &mut [u8; ROOM]) -> usize {
        let mut out = Writer { out, at: 0 };
        let begin = out.begin(
            u8::from(self.received.is_some()),
            if self.sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT },
        );
        out.word(self.ssrc);
        if let Some(sent) = self.sent {
            let ntp = ntp(sent.at);
            out.word((ntp >> 32) as u32);
            out.word(ntp as u32);
            out.word(sent.timestamp);
            out.word(sent.packets);
            out.word(sent.octets);
        }
        if let Some((report, last)) = self.received {
            out.word(report.ssrc);
            out.word((u32::from(report.fraction) << 24) | (report.lost & 0xff_ffff));
            out.word(report.highest);
            out.word(report.jitter);
            out.word(last.ntp_middle);
            out.word(last.delay);
        }
        out.end(begin);

        // §6.5: one chunk, CNAME, ended by at least one zero and padded to a word.
        let begin = out.begin(1, SOURCE_DESCRIPTION);
        out.word(self.ssrc);
        out.octets(&[1, self.cname.len() as u8]);
        out.octets(self.cname);
        out.octets(&[0; 4][..4 - out.at % 4]);
        out.end(begin);

        if self.bye {
            let begin = out.begin(1, GOODBYE);
            out.word(self.ssrc);
            out.end(begin);
        }
        out.at
    }
}

/// Time since the process began in NTP's format: §6.4.1 lets a sender without wall clock do so.
fn ntp(at: Tick) -> u64 {
    let nanos = at.as_nanos();
    ((nanos / 1_000_000_000) << 32) | (((nanos % 1_000_000_000) << 32) / 1_000_000_000)
}

struct Writer<'a> {
    out: &'a mut [u8; ROOM],
    at: usize,
}

impl Writer<'_> {
    fn octets(&mut self, octets: &[u8]) {
        self.out[self.at..self.at + octets.len()].copy_from_slice(octets);
        self.at += octets.len();
    }

    fn word(&mut self, word: u32) {
        self.octets(&word.to_be_bytes());
    }

    fn begin(&mut self, count: u8, kind: u8) -> usize {
        self.octets(&[0x80 | count, kind, 0, 0]);
        self.at
    }

    fn end(&mut self, begin: usize) {
        // The length counts words without the first one.
        let words = ((self.at - begin) / 4) as u16;
        self.out[begin - 2..begin].copy_from_slice(&words.to_be_bytes());
    }
}

/// Checks a compound packet (§A.2): versions, types and lengths must fit exactly. `None`: not RTCP.
pub fn read(datagram: &[u8]) -> Option<Seen> {
    let mut seen = Seen::default();
    let mut rest = datagram;
    while !rest.is_empty() {
        let &[first, kind, high, low] = rest.first_chunk()?;
        if first >> 6 != 2 || !(192..=223).contains(&kind) {
            return None;
        }
        let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let packet = rest.get(..length)?;
        match kind {
            SENDER_REPORT => {
                let word = |at: usize| Some(u32::from_be_bytes(*packet.get(at..)?.first_chunk()?));
                let (ssrc, high, low) = (word(4)?, word(8)?, word(12)?);
                word(24)?; // All of the sender's half is there.
                seen.sender = Some((ssrc, (high << 16) | (low >> 16)));
            }
            GOODBYE => seen.bye = true,
            _ => {} // Receiver reports, SDES, APP, feedback, XR: their length was checked, their content is not used.
        }
        rest = &rest[length..];
    }
    (!datagram.is_empty()).then_some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compound(sent: bool, received: bool, bye: bool) -> Vec<u8> {
        let report = Report { ssrc: 7, fraction: 1, lost: 2, highest: 3, jitter: 4 };
        let sent = sent.then_some(Sent { at: Tick::from_millis(1_500), timestamp: 5, packets: 6, octets: 7 });
        let received = received.then_some((report, LastReport::default()));
        let mut out = [0; ROOM];
        let length = Compound { ssrc: 9, cname: &[b'a'; 24], sent, received, bye }.write(&mut out);
        out[..length].to_vec()
    }

    #[test]
    fn every_form_we_write_is_read_and_fits() {
        for form in 0..8 {
            let (sent, received, bye) = (form & 1 != 0, form & 2 != 0, form & 4 != 0);

            let seen = read(&compound(sent, received, bye)).expect("our own packet is well formed");

            assert_eq!(seen.bye, bye);
            // 1.5 s: the middle of the NTP time is 1 in the upper half and one half in the lower.
            assert_eq!(seen.sender, sent.then_some((9, 0x0001_8000)));
        }
    }

    #[test]
    fn cut_or_lying_packets_are_not_rtcp() {
        let whole = compound(true, true, true);

        for length in 0..whole.len() {
            let cut = read(&whole[..length]);
            assert!(cut.is_none() || length == 52 || length == 88, "cut at {length}");
        }
        assert_eq!(read(&[0x80, 200, 0, 1, 0, 0, 0, 9]), None, "a sender report without its sender half");
        assert_eq!(read(&[0x80, 200, 0xff, 0xff]), None);
        assert_eq!(read(&[0x00, 201, 0, 1, 0, 0, 0, 9]), None, "STUN begins like this");
    }
}

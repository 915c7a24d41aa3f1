//! Framing of SIP on streams (RFC 3261 §18.3, RFC 5626 §3.5.1): octets go in, whole messages and pings come out,
//! however the octets were cut. Content-Length is mandatory, digits only, once; what lies about its length ends the
//! stream, because everything after it could be somebody else's message (security.md T4).
//!
//! A bare LF ends no line here: such a stream never completes a head and meets the owner's timeout.

use super::malformed::{Fault, Malformed};
use super::reader;
use crate::limits;
use bytes::{Bytes, BytesMut};

/// What a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The octets of one message, for `Message::parse`.
    Message(Bytes),
    /// A double CRLF: answered with a single one.
    Ping,
}

/// What a stream waits for: its owner has a timeout for each (security.md T5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Between messages.
    Message,
    /// In the start line or the header fields.
    Head,
    /// In the body.
    Body,
    /// For nothing: the stream is broken and to be closed.
    Nothing,
}

#[derive(Debug)]
enum State {
    /// No head yet in the first `searched` octets.
    Head {
        searched: usize,
    },
    /// The message is `length` octets.
    Body {
        length: usize,
    },
    Broken,
}

/// One direction of one stream.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    state: State,
}

impl Default for Framer {
    fn default() -> Framer {
        Framer { buffer: BytesMut::new(), state: State::Head { searched: 0 } }
    }
}

impl Framer {
    /// Takes octets as they came. Call `next_frame` until it is empty before the next `push`: that keeps the buffer
    /// below two messages.
    pub fn push(&mut self, octets: &[u8]) {
        match self.state {
            State::Head { .. } | State::Body { .. } => self.buffer.extend_from_slice(octets),
            State::Broken => {}
        }
    }

    /// What it waits for.
    pub fn waiting(&self) -> Waiting {
        match self.state {
            State::Head { .. } if self.buffer.iter().all(|octet| b"\r\n".contains(octet)) => Waiting::Message,
            State::Head { .. } => Waiting::Head,
            State::Body { .. } => Waiting::Body,
            State::Broken => Waiting::Nothing,
        }
    }

    /// The next frame; `None` until more octets come. After an error, send its answer and close: nothing follows.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        if let State::Head { searched } = self.state {
            if self.take_line_ends() {
                return Ok(Some(Frame::Ping));
            }
            match &self.buffer[..] {
                [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Ok(None),
                [octet, ..] if !octet.is_ascii_graphic() => return Err(self.broken(Malformed::silence("not SIP"))),
                _ => {}
            }
            let from = searched.saturating_sub(3).min(self.buffer.len());
            match memchr::memmem::find(&self.buffer[from..], b"\r\n\r\n") {
                Some(end) => match self.frame_length(from + end) {
                    Ok(length) => self.state = State::Body { length },
                    Err(fault) => {
                        let malformed = Malformed::of(&self.buffer[..from + end], fault);
                        return Err(self.broken(malformed));
                    }
                },
                None if self.buffer.len() > limits::SIP_MESSAGE_BYTES => {
                    let malformed = Malformed::of(&self.buffer, Fault::too_large("head"));
                    return Err(self.broken(malformed));
                }
                None => {
                    self.state = State::Head { searched: self.buffer.len() };
                    return Ok(None);
                }
            }
        }
        match self.state {
            State::Body { length } if length <= self.buffer.len() => {
                self.state = State::Head { searched: 0 };
                Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
            }
            State::Body { .. } | State::Head { .. } | State::Broken => Ok(None),
        }
    }

    /// Takes CRLFs from the front; true when there were two, a ping. A CRLF whose successor has not come is left.
    fn take_line_ends(&mut self) -> bool {
        loop {
            match &self.buffer[..] {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.forget(4);
                    return true;
                }
                [b'\r', b'\n', b'\r'] | [b'\r', b'\n'] => return false,
                [b'\r', b'\n', ..] => self.forget(2),
                _ => return false,
            }
        }
    }

    fn forget(&mut self, octets: usize) {
        drop(self.buffer.split_to(octets));
        self.state = State::Head { searched: 0 };
    }

    fn frame_length(&self, head_end: usize) -> Result<usize, Fault> {
        let Some(body) = reader::content_length(&self.buffer[..head_end])? else {
            return Err(Fault::bad_request("no Content-Length on a stream")); // RFC 3261 §20.14.
        };
        match head_end.saturating_add(4).saturating_add(body) {
            length if length <= limits::SIP_MESSAGE_BYTES => Ok(length),
            _ => Err(Fault { status: 413, why: "Content-Length over the limit" }),
        }
    }

    fn broken(&mut self, malformed: Malformed) -> Malformed {
        self.state = State::Broken;
        self.buffer = BytesMut::new();
        malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nTo: <sip:a@h>\r\n";

    fn message(body: &str) -> String {
        format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// Everything that comes out when `stream` is cut into pieces of at most `size` octets, the first of `first`.
    fn frames(stream: &[u8], first: usize, size: usize) -> (Vec<Frame>, Option<Malformed>) {
        let (mut framer, mut frames) = (Framer::default(), Vec::new());
        let (start, rest) = stream.split_at(first);
        for piece in std::iter::once(start).chain(rest.chunks(size)) {
            framer.push(piece);
            loop {
                match framer.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(malformed) => {
                        framer.push(message("").as_bytes());
                        assert_eq!(framer.next_frame(), Ok(None), "nothing follows a broken stream");
                        return (frames, Some(malformed));
                    }
                }
            }
        }
        (frames, None)
    }

    #[test]
    fn messages_and_pings_come_out_whole_at_every_split_point() {
        let (one, two) = (message("v=0\r\n\r\nx"), message(""));
        let stream = format!("\r\n{one}\r\n\r\n\r\n{two}\r\n{one}");
        let expected =
            [Frame::Message(one.clone().into()), Frame::Ping, Frame::Message(two.into()), Frame::Message(one.into())];

        for first in 0..=stream.len() {
            for size in [1, 7, stream.len()] {
                assert_eq!(frames(stream.as_bytes(), first, size), (expected.to_vec(), None), "{first} {size}");
            }
        }
    }

    #[test]
    fn a_lie_about_the_length_ends_the_stream_at_every_split_point() {
        for (line, status) in [
            ("Content-Length: +0", 400),
            ("Content-Length: 0, 0", 400),
            ("Content-Length: 0e0", 400),
            ("Content-Length: ", 400),
            ("Content-Length: 0 0", 400),
            ("Content-Length: -999", 400),
            ("Content-Length: 0\r\nl: 5", 400),
            ("Subject: none", 400),
            ("Content-Length\u{1}: 0", 400),
            ("Content-Length: 4294967296", 413),
            ("Content-Length: 18446744073709551616", 413),
            ("Content-Length: 9999999", 413),
        ] {
            let stream = format!("{HEAD}{line}\r\n\r\n{}", message(""));
            for first in 0..=stream.len() {
                let (frames, malformed) = frames(stream.as_bytes(), first, 1);
                let malformed = malformed.unwrap_or_else(|| panic!("{line}"));
                assert_eq!((frames.len(), malformed.status), (0, Some(status)), "{line}");
                assert!(malformed.answer.is_some());
            }
        }
    }

    #[test]
    fn what_is_not_sip_breaks_the_stream_in_silence() {
        let (frames, malformed) = frames(b"\x16\x03\x01\x02\x00", 0, 1);

        assert_eq!((frames.len(), malformed.and_then(|malformed| malformed.answer)), (0, None));
    }

    #[test]
    fn an_endless_head_is_cut_off_at_the_limit() {
        let stream = format!("{HEAD}{}", "X: y\r\n".repeat(limits::SIP_MESSAGE_BYTES / 6 + 1));

        let (_, malformed) = frames(stream.as_bytes(), 0, 1000);

        assert_eq!(malformed.map(|malformed| malformed.status), Some(Some(513)));
    }

    #[test]
    fn the_owner_is_told_what_the_stream_waits_for() {
        let mut framer = Framer::default();
        let mut after = |octets: &str| {
            framer.push(octets.as_bytes());
            framer.next_frame().unwrap();
            framer.waiting()
        };

        assert_eq!(after("\r\n"), Waiting::Message);
        assert_eq!(after(HEAD), Waiting::Head);
        assert_eq!(after("l: 2\r\n\r\nx"), Waiting::Body);
        assert_eq!(after("y"), Waiting::Message);
    }

    #[test]
    fn keep_alives_take_no_memory() {
        let mut framer = Framer::default();
        let mut pings = 0;
        for _ in 0..1024 {
            framer.push(&b"\r\n".repeat(32));
            while let Some(frame) = framer.next_frame().unwrap() {
                assert_eq!(frame, Frame::Ping);
                pings += 1;
            }
            assert!(framer.buffer.is_empty());
        }
        assert_eq!(pings, 1024 * 16);
    }
}

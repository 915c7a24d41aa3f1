//! SDP as the demo's people read and write it: one audio stream of G.711 with telephone-event (RFC 8866, RFC 3264).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// One side's description of the audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Where it wants RTP.
    pub rtp: SocketAddr,
    /// Payload types in order of preference: 0 is PCMU, 8 is PCMA.
    pub codecs: Vec<u8>,
    /// Payload type of telephone-event.
    pub dtmf: Option<u8>,
    /// Which way, seen from who wrote it.
    pub direction: Direction,
}

/// RFC 8866 §6.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// Holds the other side.
    SendOnly,
    /// Is held.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// As an attribute.
    pub fn word(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// What answers it when nothing else is wanted (RFC 3264 §6.1).
    pub fn answered(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            Direction::SendRecv | Direction::Inactive => self,
        }
    }
}

impl Session {
    /// As text; `version` rises with each change (RFC 3264 §8).
    pub fn print(&self, version: u32) -> Vec<u8> {
        let (ip, port) = (self.rtp.ip(), self.rtp.port());
        let kind = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let types = self.codecs.iter().chain(self.dtmf.iter()).map(u8::to_string).collect::<Vec<_>>().join(" ");
        let mut text = format!(
            "v=0\r\no=- {port} {version} IN {kind} {ip}\r\ns=-\r\nc=IN {kind} {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {types}\r\n"
        );
        for codec in &self.codecs {
            text.push_str(if *codec == 8 { "a=rtpmap:8 PCMA/8000\r\n" } else { "a=rtpmap:0 PCMU/8000\r\n" });
        }
        if let Some(dtmf) = self.dtmf {
            text.push_str(&format!("a=rtpmap:{dtmf} telephone-event/8000\r\na=fmtp:{dtmf} 0-15\r\n"));
        }
        text.push_str(&format!("a=ptime:20\r\na={}\r\n", self.direction.word()));
        text.into_bytes()
    }

    /// The first audio stream; `None` when there is none that we understand.
    pub fn parse(body: &[u8]) -> Option<Session> {
        let text = std::str::from_utf8(body).ok()?;
        let (mut ip, mut port, mut types, mut dtmf) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), None, Vec::new(), None);
        let mut direction = Direction::SendRecv;
        for line in text.lines().map(str::trim_end) {
            if let Some(rest) = line.strip_prefix("c=IN ") {
                ip = rest.split(' ').nth(1)?.parse().ok()?;
            } else if let Some(rest) = line.strip_prefix("m=audio ") {
                let mut words = rest.split(' ');
                port = Some(words.next()?.parse::<u16>().ok()?);
                types = words.skip(1).filter_map(|word| word.parse::<u8>().ok()).collect();
            } else if let Some(rest) = line.strip_prefix("a=rtpmap:") {
                let (number, name) = rest.split_once(' ')?;
                if name.to_ascii_lowercase().starts_with("telephone-event/8000") {
                    dtmf = number.parse().ok();
                }
            } else {
                direction = match line {
                    "a=sendrecv" => Direction::SendRecv,
                    "a=sendonly" => Direction::SendOnly,
                    "a=recvonly" => Direction::RecvOnly,
                    "a=inactive" => Direction::Inactive,
                    _ => direction,
                };
            }
        }
        types.retain(|number| *number == 0 || *number == 8);
        Some(Session { rtp: SocketAddr::new(ip, port?), codecs: types, dtmf, direction })
    }

    /// What the ladder shows of it.
    pub fn summary(&self) -> String {
        let mut words: Vec<&str> = self.codecs.iter().map(|codec| if *codec == 8 { "PCMA" } else { "PCMU" }).collect();
        if self.dtmf.is_some() {
            words.push("telephone-event");
        }
        if self.direction != Direction::SendRecv {
            words.push(self.direction.word());
        }
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_session_is_read_back() {
        let session = Session {
            rtp: "192.0.2.20:4000".parse().expect("an address"),
            codecs: vec![8, 0],
            dtmf: Some(101),
            direction: Direction::SendOnly,
        };

        let read = Session::parse(&session.print(1)).expect("it is SDP");

        assert_eq!(read, session);
        assert_eq!(read.summary(), "PCMA PCMU telephone-event sendonly");
    }
}

//! The media plane: legs, bridges, players and taps of one shard. It never sees SIP.
//!
//! Sans-IO and shaped for the hot path: no allocation, lock, log or `dyn` per packet; output goes into a borrowed
//! [`Sink`]. Commands and events cross to the switch on small bounded channels, a few per call-second.

mod bridge;
pub mod engine;
mod leg;
mod player;
mod tap;
mod wheel;

pub use crate::sdp::{Direction, Format};
pub use engine::{Counters, Engine};
#[cfg(feature = "shell")]
pub(crate) use leg::Spread;

use crate::audio::clip::Library;
use crate::id::{LegRef, Name, PlayRef, RecordingId};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where a leg's packets may come from (security.md T22, T23; RFC 4961).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The address in the peer's SDP; `None` while none is known (`0.0.0.0`, held).
    pub signalled: Option<SocketAddr>,
    /// The address the signalling came from: a phone behind NAT sends its media from there.
    pub signalling_ip: std::net::IpAddr,
}

/// What a player plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Play {
    /// A loop, joined at its live point, for ever: hold music. The name of a clip.
    Hold(Name),
    /// Clips one after the other, once; then `Event::Played` and whatever `then` says.
    Clips {
        /// Names of clips, `LANGUAGE/CLIP` for one of another language than English, which stands in for it; an unknown
        /// one is skipped and counted.
        clips: Vec<Name>,
        /// A loop that follows without a gap; `None`: silence.
        then: Option<Name>,
    },
    /// The ringback tone of the site's country, for ever.
    Ringback,
}

/// What the switch tells a shard.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A leg begins: its port is bound, packets are taken; nothing is sent until `Update` gives format and remote.
    Open {
        /// Which.
        leg: LegRef,
        /// Our RTP port; RTCP is the next one.
        port: u16,
    },
    /// Offer and answer have settled (again).
    Update {
        /// Which.
        leg: LegRef,
        /// What is sent and taken.
        format: Format,
        /// Where to and where from.
        remote: Remote,
        /// Which way.
        direction: Direction,
        /// Events `Silent` after so long without RTP and RTCP; `None`: never.
        silence: Option<Duration>,
    },
    /// Starts a player on a leg, in place of the one that ran.
    Play {
        /// Which.
        leg: LegRef,
        /// The run's name in `Event::Played`.
        play: PlayRef,
        /// What.
        what: Play,
    },
    /// What can be played from now on; what plays goes on.
    Learn(Arc<Library>),
    /// Ends the leg's player.
    Stop {
        /// Which.
        leg: LegRef,
    },
    /// Joins two legs of this shard: each hears the other. Players of both end.
    Bridge {
        /// One.
        a: LegRef,
        /// The other.
        b: LegRef,
    },
    /// Lets `to` hear `from` (early media), nothing the other way round.
    Listen {
        /// Heard.
        from: LegRef,
        /// Hears.
        to: LegRef,
    },
    /// Takes a leg out of its bridge (and its `Listen`s); both sides then send nothing until told otherwise.
    Unbridge {
        /// Which.
        leg: LegRef,
    },
    /// Sends key presses to the leg's peer (RFC 4733 §2.5): in a bridge the digit is not heard as audio.
    SendDigits {
        /// To.
        leg: LegRef,
        /// 0–9 * # A–D.
        digits: String,
    },
    /// Tapes what two legs say: left the first, right the second, from now on.
    Record {
        /// Its name.
        recording: RecordingId,
        /// Agent.
        left: LegRef,
        /// Customer.
        right: LegRef,
    },
    /// While `paused`, the tape takes silence of the same length (card data is spoken).
    PauseRecord {
        /// Which.
        recording: RecordingId,
        /// Or goes on.
        paused: bool,
    },
    /// Ends a tape.
    StopRecord {
        /// Which.
        recording: RecordingId,
    },
    /// The leg is over; its port comes back with `Event::Closed`. Nothing comes of it for a leg that is not open.
    Close {
        /// Which.
        leg: LegRef,
    },
}

/// What a leg's media amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegStats {
    /// RTP packets taken.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets missing by sequence number.
    pub lost: u64,
    /// Packets refused: strangers, malformed, unknown payload types.
    pub refused: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1) in timestamp units.
    pub jitter: u32,
    /// Key presses reported.
    pub digits: u32,
}

/// What a shard tells the switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The port could not be bound, or the shard is full. This is the end of the leg: its port is free, and no `Closed`
    /// follows.
    OpenFailed {
        /// Which.
        leg: LegRef,
    },
    /// A key was pressed; once per press.
    Digit {
        /// By.
        leg: LegRef,
        /// 0–9 * # A–D.
        digit: char,
    },
    /// The clips of a `Play::Clips` have been sent to the last sample.
    Played {
        /// To.
        leg: LegRef,
        /// Which run.
        play: PlayRef,
        /// No clip was missing: all of it was there to be heard.
        whole: bool,
    },
    /// The first packet from the peer was accepted.
    Heard {
        /// From.
        leg: LegRef,
    },
    /// Neither RTP nor RTCP for the time given in `Update`. Said once, and again only after packets came back.
    Silent {
        /// From.
        leg: LegRef,
    },
    /// The leg is gone and its port is free.
    Closed {
        /// Which.
        leg: LegRef,
        /// What it amounted to.
        stats: LegStats,
    },
}

/// Where a shard's output goes: sockets and the recorder in the shell, vectors in tests.
pub trait Sink {
    /// An RTP or RTCP packet of this leg; `rtcp` ones leave from port + 1. Sequence numbers of a leg rise by one; in
    /// a bridge a packet lost (or overtaken) on its way to us leaves its gap (or its place) in ours.
    fn send(&mut self, leg: LegRef, to: SocketAddr, rtcp: bool, packet: &[u8]);
    /// 20 ms of a tape: 160 samples of each side.
    fn tape(&mut self, recording: RecordingId, left: &[i16; 160], right: &[i16; 160]);
    /// The tape's last frame has been given.
    fn tape_end(&mut self, recording: RecordingId);
    /// Something the switch must know.
    fn event(&mut self, event: Event);
}

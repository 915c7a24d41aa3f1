//! Retransmission at a demo peer (RFC 3261 §17 over UDP): what was asked is repeated until it is answered, what was
//! answered is answered again. Timers A, B, D, E, F, G, H and K, each written as "again at" and "until".

use super::codec::Message;
use crate::time::Tick;
use std::net::SocketAddr;
use std::time::Duration;

/// RFC 3261 §17.1.1.1.
pub const T1: Duration = Duration::from_millis(500);
/// The longest pause between two copies.
pub const T2: Duration = Duration::from_secs(4);
/// 64 × T1: when we give up.
pub const GIVE_UP: Duration = Duration::from_secs(32);

/// Something that is sent again and again.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// What.
    pub bytes: Vec<u8>,
    /// Where to.
    pub to: SocketAddr,
    /// Next copy; `None`: no more copies.
    pub again: Option<Tick>,
    pause: Duration,
    pause_max: Duration,
    /// The end of patience.
    pub until: Tick,
}

impl Repeat {
    /// A request or an unacknowledged response; an INVITE's pauses double without limit (timer A).
    pub fn new(now: Tick, to: SocketAddr, bytes: Vec<u8>, invite: bool) -> Repeat {
        let pause_max = if invite { GIVE_UP } else { T2 };
        Repeat { bytes, to, again: Some(now + T1), pause: T1, pause_max, until: now + GIVE_UP }
    }

    /// A copy, when one is due.
    pub fn on_timeout(&mut self, now: Tick) -> Option<(SocketAddr, Vec<u8>)> {
        if self.again.is_none_or(|again| again > now) {
            return None;
        }
        self.pause = (self.pause * 2).min(self.pause_max);
        self.again = Some(now + self.pause);
        Some((self.to, self.bytes.clone()))
    }

    /// The next instant that matters.
    pub fn poll_timeout(&self) -> Tick {
        self.again.map_or(self.until, |again| again.min(self.until))
    }
}

/// What a client transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// INVITE or re-INVITE of a call.
    Invite(u64),
    /// Anything inside a call whose answer changes nothing: BYE, CANCEL.
    InCall(u64),
    /// REGISTER.
    Register,
    /// OPTIONS and the like.
    Other,
}

/// A request of ours.
#[derive(Clone, Debug)]
pub struct Client {
    /// Branch of its Via.
    pub branch: String,
    /// The request as sent.
    pub request: Message,
    /// What for.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: ClientState,
    /// Copies.
    pub repeat: Repeat,
}

/// Figures 5 and 6 of RFC 3261.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// Nothing heard.
    Calling,
    /// A provisional has come; an INVITE now waits without timers.
    Proceeding,
    /// A final response has come; copies of it get the same ACK.
    Completed(Option<Vec<u8>>),
}

/// A request of the other side.
#[derive(Clone, Debug)]
pub struct Server {
    /// Branch and method (RFC 3261 §17.2.3).
    pub key: (String, String),
    /// Where answers go.
    pub from: SocketAddr,
    /// The request.
    pub request: Message,
    /// The last answer, for copies of the request.
    pub answer: Option<Vec<u8>>,
    /// A final answer that repeats itself until its ACK.
    pub repeat: Option<Repeat>,
    /// When it is forgotten; `None` while unanswered.
    pub until: Option<Tick>,
}

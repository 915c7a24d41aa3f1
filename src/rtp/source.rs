//! Whose packets a leg takes, and where it sends (RFC 4961; security.md T22, T23).
//!
//! States: `Unknown` until offer and answer have settled, `Learning` until the first packet is believed, `Locked` to
//! one address afterwards. The signalled address is believed at its first packet. Another one must send an unbroken
//! run of one SSRC, the longer the less the address is vouched for, and only within a short window after the
//! signalling spoke; strangers only when the signalled address cannot be reached at all. Locked is strict: the lock
//! moves after new signalling, or to another port of the same host once the old one has fallen silent.
//!
//! The surprise: a phone behind NAT that stays mute past the window may still be learnt, but from the address its
//! signalling comes from and nowhere else; otherwise muting at the wrong moment would make the call deaf for good.

use crate::time::Tick;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long after signalling another address may be learnt.
const WINDOW: Duration = Duration::from_secs(3);
/// A locked address that was quiet for so long may be followed to another port of its host.
const QUIET: Duration = Duration::from_secs(2);

/// Packets in an unbroken run before an address is believed that signalling vouches for.
const RUN_VOUCHED: u8 = 2;
/// The same for another port of a host that signalled a port we can reach.
const RUN_OTHER_PORT: u8 = 5;
/// The same for a stranger, when the signalled address is private and its signalling came from elsewhere.
const RUN_STRANGER: u8 = 16;

/// The source of one leg.
#[derive(Clone, Debug)]
pub struct Source {
    signalled: Option<SocketAddr>,
    signalling_ip: Option<IpAddr>,
    window_until: Tick,
    state: State,
    candidate: Option<Candidate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Learning,
    Locked { from: SocketAddr, last: Tick },
}

/// An address that is building its run.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    run: u8,
    needed: u8,
}

impl Default for Source {
    fn default() -> Source {
        Source {
            signalled: None,
            signalling_ip: None,
            window_until: Tick::ZERO,
            state: State::Unknown,
            candidate: None,
        }
    }
}

impl Source {
    /// Offer and answer have settled, perhaps again. The same addresses as before keep the lock; others drop it.
    pub fn signalled(&mut self, now: Tick, signalled: Option<SocketAddr>, signalling_ip: IpAddr) {
        let same = self.signalled == signalled && self.signalling_ip == Some(signalling_ip);
        if !same || self.state == State::Unknown {
            self.state = State::Learning;
        }
        self.signalled = signalled;
        self.signalling_ip = Some(signalling_ip);
        self.window_until = now + WINDOW;
        self.candidate = None;
    }

    /// Whether a packet is taken. A key press or a sample from anywhere else never reaches the call.
    pub fn accept(&mut self, now: Tick, from: SocketAddr, ssrc: u32, sequence: u16) -> bool {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let in_window = now < self.window_until;
        let needed = match &mut self.state {
            State::Unknown => return false,
            State::Locked { from: locked, last } if *locked == from => {
                *last = now;
                return true;
            }
            State::Locked { .. } if self.signalled == Some(from) && in_window => 1,
            &mut State::Locked { from: locked, last } if locked.ip() == from.ip() && now.since(last) >= QUIET => {
                RUN_OTHER_PORT
            }
            State::Locked { .. } => return false,
            State::Learning => match self.needed(from, in_window) {
                Some(needed) => needed,
                None => return false,
            },
        };
        if self.run(from, ssrc, sequence, needed) < needed {
            return false;
        }
        self.candidate = None;
        self.state = State::Locked { from, last: now };
        true
    }

    /// The run that makes `from` believed; `None`: never.
    fn needed(&self, from: SocketAddr, in_window: bool) -> Option<u8> {
        let vouched = self.signalling_ip == Some(from.ip());
        match self.signalled {
            Some(signalled) if signalled == from => Some(1),
            Some(_) if self.hidden() && vouched => Some(RUN_VOUCHED),
            Some(_) if self.hidden() && in_window => Some(RUN_STRANGER),
            Some(signalled) if (vouched || signalled.ip() == from.ip()) && in_window => Some(RUN_OTHER_PORT),
            None if vouched => Some(RUN_VOUCHED),
            Some(_) | None => None,
        }
    }

    /// The signalled address is private while its signalling came from the public network: a phone behind NAT.
    fn hidden(&self) -> bool {
        let (Some(signalled), Some(signalling_ip)) = (self.signalled, self.signalling_ip) else { return false };
        is_private(signalled.ip()) && !is_private(signalling_ip)
    }

    /// Counts the packet into a run and returns its length. A less trusted address never displaces a more trusted one.
    fn run(&mut self, from: SocketAddr, ssrc: u32, sequence: u16, needed: u8) -> u8 {
        let run = match self.candidate {
            Some(held) if held.from == from && held.ssrc == ssrc && sequence == held.sequence.wrapping_add(1) => {
                held.run + 1
            }
            Some(held) if held.needed < needed => return 0,
            Some(_) | None => 1,
        };
        self.candidate = Some(Candidate { from, ssrc, sequence, run, needed });
        run
    }

    /// Where packets go: to the locked address, else to the signalled one unless it lies behind a NAT.
    pub fn destination(&self) -> Option<SocketAddr> {
        match self.state {
            State::Locked { from, .. } => Some(from),
            State::Learning if self.hidden() => None,
            State::Learning => self.signalled,
            State::Unknown => None,
        }
    }

    /// Whether an RTCP packet from there counts: the host of the stream, on any port.
    pub fn accepts_control(&self, from: SocketAddr) -> bool {
        let ip = from.ip().to_canonical();
        match self.state {
            State::Unknown => false,
            State::Locked { from, .. } => from.ip() == ip,
            State::Learning => self.signalled.is_some_and(|signalled| signalled.ip() == ip),
        }
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64; // RFC 6598.
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || (v6.segments()[0] & 0xfe00) == 0xfc00 || (v6.segments()[0] & 0xffc0) == 0xfe80
        }
    }
}

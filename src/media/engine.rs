//! One shard: its legs, and what happens to them.

use super::{Command, Event, Sink};
use crate::audio::Library;
use crate::entropy::Entropy;
use crate::id::LegRef;
use crate::time::Tick;
use std::net::SocketAddr;
use std::sync::Arc;

/// The media plane of one core.
pub struct Engine {
    library: Arc<Library>,
    entropy: Entropy,
}

impl Engine {
    /// A shard without legs.
    pub fn new(library: Arc<Library>, entropy: Entropy) -> Engine {
        Engine { library, entropy }
    }

    /// Puts other clips in place; players that run keep theirs.
    pub fn set_library(&mut self, library: Arc<Library>) {
        self.library = library;
    }

    /// Takes a command of the switch.
    pub fn command(&mut self, _now: Tick, command: Command, sink: &mut impl Sink) {
        if let Command::Close { leg } = command {
            self.entropy.next_u64();
            sink.event(Event::Closed { leg, stats: super::LegStats::default() });
        }
    }

    /// Takes a datagram that came to a leg's RTP port, or with `rtcp` to the port after it. The hot path: no
    /// allocation.
    pub fn receive(
        &mut self,
        _now: Tick,
        _leg: LegRef,
        _from: SocketAddr,
        _rtcp: bool,
        _packet: &[u8],
        _sink: &mut impl Sink,
    ) {
    }

    /// Does what is due by `now`: frames, reports, tapes.
    pub fn tick(&mut self, _now: Tick, _sink: &mut impl Sink) {}

    /// When `tick` is wanted next; `None` while nothing is due ever.
    pub fn poll_timeout(&self) -> Option<Tick> {
        None
    }
}

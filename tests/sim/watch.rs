//! The laws that have a watcher of their own, told of everything that happens beside `laws`.

use super::caps::Caps;
use super::disk::Disk;
use super::drains::Drains;
use super::fired::Fired;
use super::hands::Hands;
use super::laws::Dialog;
use super::tapes::Tapes;
use ringback::callback::task::Attempt;
use ringback::demo::codec::Message;
use ringback::media::Command as MediaCommand;
use ringback::settings::Settings;
use ringback::switch::event::Event;
use ringback::switch::{Change, Space};
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// See the module.
pub struct Watch {
    pub caps: Caps,
    pub tapes: Tapes,
    pub drains: Drains,
    pub hands: Hands,
    /// The switch was told that the disk fills.
    pub is_short: bool,
}

impl Watch {
    pub fn new(settings: &Settings) -> Watch {
        let (tapes, drains, hands) = (Tapes::default(), Drains::default(), Hands::default());
        Watch { caps: Caps::new(settings), tapes, drains, hands, is_short: false }
    }

    /// Another life of the switch begins, with this site.
    pub fn on_start(&mut self, now: Tick, settings: &Settings) {
        self.caps.on_start(now, settings);
        self.tapes.on_start(now);
        self.drains.on_start();
        self.is_short = false;
    }

    /// A SIP message left the switch (`outgoing`) or reached it, whose dialogs were these before.
    pub fn on_sip(
        &mut self,
        now: Tick,
        (outgoing, peer, is_carrier): (bool, SocketAddr, bool),
        message: &Message,
        before: &BTreeMap<String, Dialog>,
        fired: &mut Fired,
    ) {
        self.caps.on_sip(now, outgoing, peer, message, fired);
        self.drains.on_sip(outgoing, is_carrier, message, before, fired);
    }

    /// Something is on its way to the disk.
    pub fn on_change(&mut self, now: Tick, change: &Change, disk: &Disk, fired: &mut Fired) {
        self.tapes.on_change(change);
        if let Change::PutAttempt(attempt) = change
            && begins(attempt, disk)
        {
            self.caps.on_attempt(now, attempt, fired);
            self.drains.on_attempt(attempt);
        }
    }

    /// The switch tells a shard something.
    pub fn on_media(&mut self, now: Tick, command: &MediaCommand) {
        self.tapes.on_media(now, command);
        self.hands.on_media(command);
    }

    /// The switch says what happened.
    pub fn on_event(&mut self, event: &Event, fired: &mut Fired) {
        self.tapes.on_event(event);
        self.drains.on_event(event);
        match event {
            Event::RecordingStopped { .. } => fired.add("a recording ends for want of room"),
            Event::DiskSpace { space } => {
                self.is_short = *space != Space::Ample;
                fired.add(&format!("room on the disk: {}", space.word()));
            }
            _ => {} // Nothing goes wrong.
        }
    }
}

/// Whether neither the disk nor anything on its way there knows of this attempt.
fn begins(attempt: &Attempt, disk: &Disk) -> bool {
    let is_it = |change: &Change| matches!(change, Change::PutAttempt(other) if other.id == attempt.id);
    attempt.outcome.is_none()
        && !disk.attempts.contains_key(&attempt.id)
        && !disk.pending.iter().flat_map(|(_, changes)| changes).any(is_it)
}

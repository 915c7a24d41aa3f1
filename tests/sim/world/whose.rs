//! Whose leg, whose call and whose message something is, and by which names ladders know them.

use super::World;
use crate::ladder;
use crate::site::{CARRIER, SPARE, SWITCH};
use ringback::demo::codec::Message;
use ringback::demo::endpoint::CallId;
use ringback::id::LegRef;
use ringback::media::{self, Play};
use std::net::SocketAddr;
use std::rc::Rc;

impl World {
    /// Which call of which station a leg of the switch belongs to.
    pub fn who(&self, leg: LegRef) -> Option<(usize, CallId)> {
        let remote = self.shard.legs.get(&leg)?.remote?;
        self.stations.iter().enumerate().find_map(|(at, station)| {
            let calls = station
                .endpoint
                .calls()
                .filter(|(_, call)| self.net.seen_as(call.local.rtp) == remote || call.local.rtp == remote);
            calls.map(|(id, _)| (at, id)).last()
        })
    }

    /// The leg at the switch of a station's call.
    pub fn leg_of(&self, station: usize, call: CallId) -> Option<LegRef> {
        self.shard.legs.keys().copied().rfind(|leg| self.who(*leg) == Some((station, call)))
    }

    /// The person of a call, or the phone.
    pub fn name(&self, station: usize, call: CallId) -> String {
        let station = &self.stations[station];
        station.owner(call).map_or(station.name.clone(), |person| station.people[person].name.clone())
    }

    /// Whom a ladder names for an address: behind the carrier, the person whose call it is.
    pub(super) fn party(&mut self, address: SocketAddr, message: &Message) -> Rc<str> {
        if address == SWITCH {
            return self.own_name.clone();
        }
        let found = self
            .stations
            .iter()
            .find(|it| it.endpoint.config.local == address || self.net.seen_as(it.endpoint.config.local) == address);
        let Some(station) = found else { return address.to_string().into() };
        if station.carrier.is_none() {
            return station.name.as_str().into();
        }
        if let Some(name) = self.names.get(message.call_id()) {
            return name.clone();
        }
        let number = |value: &str| ringback::demo::endpoint::number_of(value);
        let (from, to) = (number(message.header("From").unwrap_or("")), number(message.header("To").unwrap_or("")));
        let person = station
            .people
            .iter()
            .find(|person| message.method() == "INVITE" && (person.number == from || person.number == to));
        let name: Rc<str> = person.map_or(station.name.as_str(), |person| &person.name).into();
        if message.method() == "INVITE" {
            self.names.insert(message.call_id().to_owned(), name.clone());
        }
        name
    }

    /// The watchers hear of a message, before the dialogs know of it.
    pub(super) fn watch_sip(&mut self, outgoing: bool, peer: SocketAddr, message: &Message) {
        let whose = (outgoing, peer, peer == CARRIER || peer == SPARE);
        self.watch.on_sip(self.now, whose, message, &self.laws.dialogs, &mut self.laws.fired);
    }

    pub(super) fn note_media(&mut self, command: &media::Command) {
        let name = |leg: &LegRef| self.who(*leg).map_or("?".to_owned(), |(station, call)| self.name(station, call));
        let text = match command {
            media::Command::Play { leg, what: Play::Hold(_), .. } => format!("music to {}", name(leg)),
            media::Command::Play { leg, what: Play::Ringback, .. } => format!("ringback to {}", name(leg)),
            media::Command::Play { leg, what: Play::Clips { clips, .. }, .. } => {
                format!("\"{}\" to {}", ladder::spoken(clips), name(leg))
            }
            media::Command::Bridge { a, b } => format!("{} and {} talk", name(a), name(b)),
            media::Command::Listen { from, to } => format!("{} hears {}", name(to), name(from)),
            media::Command::Record { .. } => "tape runs".to_owned(),
            media::Command::StopRecord { .. } => "tape stops".to_owned(),
            _ => return, // Housekeeping.
        };
        self.ladder.note(self.now, text);
    }
}

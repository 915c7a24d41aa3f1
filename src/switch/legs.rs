//! Legs: one INVITE session with one party, its port and its media. The same `LegRef` names it in SIP and in media.
//!
//! A leg is in the table from its INVITE until we are done with it. Afterwards two things may still be under way: its
//! port comes back with `media::Event::Closed`, and a CANCELled INVITE of ours ends with `Refused`; until then the
//! customer counts as being rung (law 2).

use super::{Output, Switch};
mod kept;

pub(super) use kept::{KeptLeg, ReadLeg};

use crate::id::{CallRef, LegRef, Name, PlayRef, Shard};
use crate::limits;
use crate::media::{self, Direction, Play, Remote};
use crate::number::Party;
use crate::sdp;
use crate::settings::Codec;
use crate::sip::flow::Flow;
use crate::time::{Now, Tick};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// So long without RTP and RTCP, and the peer is asked whether it is still there (security.md T27).
const SILENCE: Duration = Duration::from_secs(20);

/// How long a port that could not be bound is left alone.
const PORT_REST: Duration = Duration::from_secs(300);

/// One port in so many is kept back for the phones of agents and customers.
const PORTS_KEPT_BACK: usize = 8;

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Who {
    /// Somebody behind this trunk.
    Trunk(Name),
    /// This agent's phone.
    Agent(Name),
}

impl Who {
    /// Its name in ladders.
    pub(super) fn label(&self) -> String {
        match self {
            Who::Trunk(name) | Who::Agent(name) => name.to_string(),
        }
    }
}

/// One INVITE session.
#[derive(Debug)]
pub(super) struct Leg {
    /// The call it was made for.
    pub(super) call: CallRef,
    /// Who is there.
    pub(super) who: Who,
    /// The customer it reaches, when it is one.
    pub(super) customer: Option<Party>,
    /// Where its signalling goes.
    pub(super) flow: Flow,
    /// How far it is.
    pub(super) phase: Phase,
    media: LegMedia,
}

/// How far a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Their INVITE, not answered yet.
    Arriving,
    /// Our INVITE, not answered yet.
    Inviting,
    /// Answered.
    Up,
}

#[derive(Debug)]
struct LegMedia {
    shard: Shard,
    port: u16,
    address: IpAddr,
    codecs: Vec<Codec>,
    session: sdp::answer::Session,
    /// Our last offer: what the peer's answer is read against.
    offered: Bytes,
    /// Our answer, held until the call is answered.
    answer: Option<Bytes>,
    /// Our 200 carries an offer: the ACK must bring the answer (RFC 3261 §13.2.1).
    awaits_answer: bool,
    /// What offer and answer settled.
    settled: Option<(sdp::Format, Direction)>,
    /// Where the peer receives, by its description.
    remote: Option<std::net::SocketAddr>,
    /// A re-INVITE of ours asks whether the peer is still there.
    probing: bool,
}

/// The RTP ports of the site: even ones, lent in a random order so that they cannot be guessed (security.md T22).
#[derive(Debug)]
pub(super) struct Ports {
    free: Vec<u16>,
    lent: BTreeMap<LegRef, u16>,
    /// Those that could not be bound, and until when each is left alone.
    resting: VecDeque<(Tick, u16)>,
}

impl Ports {
    pub(super) fn new(range: &RangeInclusive<u16>) -> Ports {
        // RFC 3550 §11: RTP on the even port, RTCP on the next one.
        let free = range.clone().filter(|port| port % 2 == 0 && port < range.end()).collect();
        Ports { free, lent: BTreeMap::new(), resting: VecDeque::new() }
    }

    fn lend(&mut self, at_random: u64) -> Option<u16> {
        let count = u64::try_from(self.free.len()).ok().filter(|count| *count > 0)?;
        let index = usize::try_from(at_random % count).expect("an index below a length fits");
        Some(self.free.swap_remove(index))
    }

    /// The port of a leg could not be bound: another program has it, and would have it still when the next call came.
    fn rest(&mut self, leg: LegRef, now: Tick) {
        self.resting.extend(self.lent.remove(&leg).map(|port| (now + PORT_REST, port)));
    }

    /// Ports that have rested are tried again.
    fn wake(&mut self, now: Tick) {
        while let Some((_, port)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.free.push(port);
        }
    }

    /// Ports that legs hold.
    pub(super) fn lent(&self) -> usize {
        self.lent.len()
    }
}

/// Customers who are on the line with us or are being rung, by number (law 2).
#[derive(Debug, Default)]
pub(super) struct OnLine {
    by_party: BTreeMap<Party, BTreeSet<LegRef>>,
}

impl OnLine {
    fn enter(&mut self, party: &Party, leg: LegRef) {
        self.by_party.entry(party.clone()).or_default().insert(leg);
    }

    fn leave(&mut self, party: &Party, leg: LegRef) {
        if let Some(legs) = self.by_party.get_mut(party) {
            legs.remove(&leg);
            if legs.is_empty() {
                self.by_party.remove(party);
            }
        }
    }

    /// Whether a leg to or from this customer lives that `is_own` does not know.
    pub(super) fn has_other(&self, party: &Party, is_own: impl Fn(LegRef) -> bool) -> bool {
        self.by_party.get(party).is_some_and(|legs| legs.iter().any(|leg| !is_own(*leg)))
    }

    /// Whether any leg to or from this customer lives.
    pub(super) fn has(&self, party: &Party) -> bool {
        self.by_party.contains_key(party)
    }

    /// Whether nobody is on the line.
    pub(super) fn is_empty(&self) -> bool {
        self.by_party.is_empty()
    }
}

/// What a new leg is made for.
pub(super) struct NewLeg {
    pub(super) call: CallRef,
    pub(super) who: Who,
    pub(super) customer: Option<Party>,
    pub(super) flow: Flow,
    pub(super) phase: Phase,
    pub(super) codecs: Vec<Codec>,
}

/// A port and a session description in the making: before the leg has its name.
pub(super) struct Seat {
    port: u16,
    address: IpAddr,
    session: sdp::answer::Session,
    offered: Bytes,
}

impl LegMedia {
    fn offer(&mut self) -> Bytes {
        self.session.version += 1;
        self.offered = offer(self.address, self.port, &self.codecs, self.session);
        self.offered.clone()
    }
}

fn offer(address: IpAddr, port: u16, codecs: &[Codec], session: sdp::answer::Session) -> Bytes {
    sdp::answer::offer(&sdp::answer::OfferWanted {
        address,
        port,
        codecs,
        dtmf: true,
        session,
        direction: Direction::SendRecv,
    })
}

impl Switch {
    /// A port for a call that arrives: some are kept back, so that those who wait can still be served.
    pub(super) fn take_seat_for_caller(&mut self, now: Now, flow: Flow) -> Option<Seat> {
        self.ports.wake(now.tick);
        let kept_back = (self.ports.free.len() + self.ports.lent()) / PORTS_KEPT_BACK;
        (self.ports.free.len() > kept_back).then(|| self.take_seat(now, flow)).flatten()
    }

    /// A port for a leg that begins; `None` when all are lent or the table is full.
    pub(super) fn take_seat(&mut self, now: Now, flow: Flow) -> Option<Seat> {
        self.ports.wake(now.tick);
        if self.legs.len() >= limits::LEGS {
            return None;
        }
        let port = self.ports.lend(self.entropy.next_u64())?;
        let address = self.settings.server.public_address.unwrap_or_else(|| flow.local.ip());
        let session = sdp::answer::Session { id: self.entropy.next_u64() >> 2, version: 1 };
        Some(Seat { port, address, session, offered: Bytes::new() })
    }

    /// The offer of a leg that is about to be invited.
    pub(super) fn offer_from(seat: &mut Seat, codecs: &[Codec]) -> Bytes {
        seat.offered = offer(seat.address, seat.port, codecs, seat.session);
        seat.offered.clone()
    }

    /// Seats a leg: it is in the table and its port is open.
    pub(super) fn seat(&mut self, leg: LegRef, seat: Seat, new: NewLeg) {
        let shard = self.shard_of(new.call);
        if let Some(customer) = &new.customer {
            self.on_line.enter(customer, leg);
        }
        if let Who::Trunk(trunk) = &new.who {
            *self.trunk_load.entry(trunk.clone()).or_default() += 1;
        }
        self.ports.lent.insert(leg, seat.port);
        self.media(shard, media::Command::Open { leg, port: seat.port });
        let media = LegMedia {
            shard,
            port: seat.port,
            address: seat.address,
            codecs: new.codecs,
            session: seat.session,
            offered: seat.offered,
            answer: None,
            awaits_answer: false,
            settled: None,
            remote: None,
            probing: false,
        };
        let leg_of =
            Leg { call: new.call, who: new.who, customer: new.customer, flow: new.flow, phase: new.phase, media };
        self.legs.insert(leg, leg_of);
    }

    /// Reads the peer's offer (or, without one, makes ours) and keeps our description ready for the 200.
    pub(super) fn negotiate(&mut self, leg: LegRef, offer: &Bytes) -> Result<(), u16> {
        let body = self.description_for(leg, (!offer.is_empty()).then_some(offer))?;
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.media.answer = Some(body);
        }
        Ok(())
    }

    /// Answers an offer of the peer, or makes one when it asks for ours; media follow at once. The error is the
    /// status it deserves (RFC 3261 §13.3.1.3, §21.4.26).
    fn description_for(&mut self, leg: LegRef, offer: Option<&Bytes>) -> Result<Bytes, u16> {
        let entry = self.legs.get_mut(&leg).ok_or(481u16)?;
        let media = &mut entry.media;
        let Some(offer) = offer else {
            media.awaits_answer = true;
            return Ok(media.offer());
        };
        let description = sdp::Description::parse(offer).map_err(|_| 400u16)?;
        media.session.version += 1;
        match sdp::answer::answer(&description, &media.codecs, media.address, media.port, media.session) {
            Ok(negotiated) => {
                let body = negotiated.body.clone();
                self.update_media(leg, &negotiated);
                Ok(body)
            }
            // Hold of an old kind: the call goes on without media until the next offer.
            Err(sdp::answer::NotAcceptable::Disabled) if media.settled.is_some() => {
                let body = sdp::answer::answer_disabled(&description, media.address, media.session);
                self.pause_media(leg);
                Ok(body)
            }
            Err(_) => Err(488),
        }
    }

    /// Reads the peer's answer to an offer of ours.
    pub(super) fn settle_answer(&mut self, leg: LegRef, answer: &Bytes) -> bool {
        let Some(entry) = self.legs.get(&leg) else { return false };
        let agreed = sdp::Description::parse(answer)
            .ok()
            .and_then(|description| sdp::answer::accept(&entry.media.offered, &description).ok());
        match agreed {
            Some(agreed) => {
                self.update_media(leg, &agreed);
                true
            }
            None => false,
        }
    }

    /// The answer to an offer that our 200 carried; false when there had to be one and there is none we can use.
    pub(super) fn late_answer(&mut self, leg: LegRef, answer: Option<&Bytes>) -> bool {
        let Some(entry) = self.legs.get_mut(&leg) else { return true };
        let was_awaited = std::mem::take(&mut entry.media.awaits_answer);
        match answer {
            Some(answer) => self.settle_answer(leg, answer) || !was_awaited,
            None => !was_awaited,
        }
    }

    fn update_media(&mut self, leg: LegRef, agreed: &sdp::answer::Negotiated) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.media.settled = Some((agreed.format, agreed.direction));
        entry.media.remote = agreed.remote;
        self.tell_media(leg);
    }

    /// Tells the shard how things stand. Silence means something only once the leg is answered and the peer is to
    /// send: who rings, or holds us, is silent by right (security.md T27: hold has the session timer).
    fn tell_media(&mut self, leg: LegRef) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let Some((format, direction)) = entry.media.settled else { return };
        let watched = entry.phase == Phase::Up && direction == Direction::SendRecv;
        let command = media::Command::Update {
            leg,
            format,
            remote: Remote { signalled: entry.media.remote, signalling_ip: entry.flow.remote.ip() },
            direction,
            silence: watched.then_some(SILENCE),
        };
        let shard = entry.media.shard;
        self.media(shard, command);
    }

    fn pause_media(&mut self, leg: LegRef) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let Some((format, _)) = entry.media.settled else { return };
        entry.media.settled = Some((format, Direction::Inactive));
        entry.media.remote = None;
        self.tell_media(leg);
    }

    /// Sends the 200 of a leg that arrived.
    pub(super) fn answer_leg(&mut self, now: Now, leg: LegRef) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.phase = Phase::Up;
        let body = entry.media.answer.take().expect("a leg is negotiated before it is answered");
        self.ua.answer(now.tick, leg, body);
        self.tell_media(leg);
    }

    /// Sends a 183 with our description, so that early media can be heard; or a plain 180.
    pub(super) fn ring_back(&mut self, now: Now, leg: LegRef, early_media: bool) {
        let early = self.legs.get(&leg).filter(|_| early_media).and_then(|entry| entry.media.answer.clone());
        self.ua.ring(now.tick, leg, early);
    }

    /// Whether the peer has put us on hold.
    pub(super) fn holds_us(&self, leg: LegRef) -> bool {
        self.legs
            .get(&leg)
            .and_then(|entry| entry.media.settled)
            .is_some_and(|(_, direction)| !matches!(direction, Direction::SendRecv))
    }

    /// A re-INVITE or UPDATE inside a leg: answered for the same port. True when the direction changed.
    pub(super) fn on_offered(&mut self, now: Now, leg: LegRef, offer: Option<Bytes>) -> bool {
        let before = self.legs.get(&leg).and_then(|entry| entry.media.settled).map(|(_, direction)| direction);
        match self.description_for(leg, offer.as_ref()) {
            Ok(body) => self.ua.accept_offer(now.tick, leg, body),
            Err(status) => self.ua.refuse_offer(now.tick, leg, status),
        }
        let after = self.legs.get(&leg).and_then(|entry| entry.media.settled).map(|(_, direction)| direction);
        before != after
    }

    /// Starts a player on a leg; `None` when the leg is gone.
    pub(super) fn play(&mut self, leg: LegRef, what: Play) -> Option<PlayRef> {
        let shard = self.legs.get(&leg)?.media.shard;
        let play = PlayRef(self.plays.take());
        self.media(shard, media::Command::Play { leg, play, what });
        Some(play)
    }

    /// Ends the leg's player.
    pub(super) fn hush(&mut self, leg: LegRef) {
        if let Some(entry) = self.legs.get(&leg) {
            let shard = entry.media.shard;
            self.media(shard, media::Command::Stop { leg });
        }
    }

    /// Joins two legs of one call.
    pub(super) fn bridge(&mut self, a: LegRef, b: LegRef) {
        if let Some(entry) = self.legs.get(&a).filter(|_| self.legs.contains_key(&b)) {
            let shard = entry.media.shard;
            self.media(shard, media::Command::Bridge { a, b });
        }
    }

    /// Takes a leg out of its bridge.
    pub(super) fn unbridge(&mut self, leg: LegRef) {
        if let Some(entry) = self.legs.get(&leg) {
            let shard = entry.media.shard;
            self.media(shard, media::Command::Unbridge { leg });
        }
    }

    /// Lets `to` hear the early media of `from`.
    pub(super) fn listen(&mut self, from: LegRef, to: LegRef) {
        if let Some(entry) = self.legs.get(&to) {
            let shard = entry.media.shard;
            self.hush(to);
            self.media(shard, media::Command::Listen { from, to });
        }
    }

    /// Ends a leg as its state demands (CANCEL, BYE or a refusal) and lets go of it.
    pub(super) fn hang_up(&mut self, now: Now, leg: LegRef, reason: Option<&'static str>) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let is_cancelled = entry.phase == Phase::Inviting;
        self.ua.hang_up(now.tick, leg, reason);
        self.let_go(leg, is_cancelled);
    }

    /// Refuses a leg that arrived, and lets go of it.
    pub(super) fn refuse_leg(&mut self, now: Now, leg: LegRef, status: u16) {
        let fields = if status == 503 { vec![("Retry-After", "10".to_owned())] } else { Vec::new() };
        self.ua.refuse(now.tick, leg, status, fields);
        self.let_go(leg, false);
    }

    /// SIP is done with this leg, or (`rings_on`) a CANCEL is on its way.
    pub(super) fn let_go(&mut self, leg: LegRef, rings_on: bool) {
        let Some(entry) = self.legs.remove(&leg) else { return };
        if let Who::Trunk(trunk) = &entry.who
            && let Some(load) = self.trunk_load.get_mut(trunk)
        {
            *load -= 1;
        }
        self.media(entry.media.shard, media::Command::Close { leg });
        self.late_ladders.push_back((leg, entry.call, entry.who.label()));
        if self.late_ladders.len() > limits::LATE_LADDERS {
            self.late_ladders.pop_front();
        }
        if let Some(customer) = entry.customer {
            if rings_on {
                self.ringing_on.insert(leg, customer);
            } else {
                self.on_line.leave(&customer, leg);
            }
        }
        self.serve_wanted = true;
    }

    /// A CANCELled INVITE has had its final response: the customer's phone is quiet.
    pub(super) fn rings_no_more(&mut self, now: Now, leg: LegRef) {
        if let Some(customer) = self.ringing_on.remove(&leg) {
            self.on_line.leave(&customer, leg);
            self.serve_wanted = true;
            self.customer_is_quiet(now, &customer);
        }
    }

    /// The shard has closed the leg's port.
    pub(super) fn port_back(&mut self, leg: LegRef) {
        if let Some(port) = self.ports.lent.remove(&leg) {
            self.ports.free.push(port);
        }
    }

    /// The leg's port could not be bound; nothing of it is open at the shard.
    pub(super) fn port_refused(&mut self, now: Now, leg: LegRef) {
        self.ports.rest(leg, now.tick);
    }

    /// Neither RTP nor RTCP: ask by re-INVITE (security.md T27). False when there is nothing to ask: the leg is not
    /// answered, or is being asked already.
    pub(super) fn probe(&mut self, now: Now, leg: LegRef) -> bool {
        let Some(entry) = self.legs.get_mut(&leg).filter(|leg| leg.phase == Phase::Up && !leg.media.probing) else {
            return false;
        };
        entry.media.probing = true;
        let offer = entry.media.offer();
        self.ua.reoffer(now.tick, leg, offer);
        true
    }

    /// The peer has answered the probe.
    pub(super) fn probed(&mut self, leg: LegRef) -> bool {
        self.legs.get_mut(&leg).is_some_and(|entry| std::mem::take(&mut entry.media.probing))
    }

    pub(super) fn media(&mut self, shard: Shard, command: media::Command) {
        self.out.push_back(Output::Media(shard, command));
        self.trap.step();
    }

    /// After a fault: legs, lent ports, and who is on the line agree again.
    pub(super) fn mend_legs(&mut self, now: Now) {
        let orphans = self.legs.iter().filter(|(_, leg)| !self.calls.contains_key(&leg.call)).map(|(leg, _)| *leg);
        for leg in orphans.collect::<Vec<_>>() {
            self.hang_up(now, leg, None);
        }
        let lent = self.ports.lent.keys().copied().filter(|leg| !self.legs.contains_key(leg)).collect::<Vec<_>>();
        for leg in lent {
            // It may have been told to close already; which shard has it went with the leg.
            for shard in 0..self.settings.server.shards.max(1) {
                self.media(Shard(shard), media::Command::Close { leg });
            }
        }
        self.mend_on_line();
        self.trunk_load.clear();
        for leg in self.legs.values() {
            if let Who::Trunk(trunk) = &leg.who {
                *self.trunk_load.entry(trunk.clone()).or_default() += 1;
            }
        }
        // The last word of a CANCELled INVITE may have been what was being heard.
        let quiet = self.ringing_on.keys().filter(|leg| !self.ua.rings(**leg)).copied();
        for leg in quiet.collect::<Vec<_>>() {
            self.rings_no_more(now, leg);
        }
    }

    fn mend_on_line(&mut self) {
        let entered = self.on_line.by_party.iter().flat_map(|(party, legs)| legs.iter().map(move |leg| (party, *leg)));
        let gone = entered.filter(|(_, leg)| !self.legs.contains_key(leg) && !self.ringing_on.contains_key(leg));
        for (party, leg) in gone.map(|(party, leg)| (party.clone(), leg)).collect::<Vec<_>>() {
            if self.ua.rings(leg) {
                self.ringing_on.insert(leg, party); // Its CANCEL is on its way (law 2).
            } else {
                self.on_line.leave(&party, leg);
            }
        }
        let customers = self.legs.iter().filter_map(|(leg, entry)| Some((*leg, entry.customer.clone()?)));
        for (leg, customer) in customers.collect::<Vec<_>>() {
            self.on_line.enter(&customer, leg);
        }
    }
}

//! One shard: its legs and tapes, what reaches them, and what they are due to do.
//!
//! `receive` is the hot path: source, statistics, key presses, tape, and on to the other leg at once. `tick` does what
//! time asks for: each leg has a frame every 20 ms (or as its peer asked), at its own millisecond of the 20, so that
//! the load is even and no leg drifts. A frame carries a key press, the player's audio, or nothing; on the way past it
//! the leg looks after its reports and its peer's silence. A shard that comes late catches up a few frames per leg
//! and skips the rest.

use super::bridge::relay;
use super::leg::{Kind, Leg, Legs, Liveness, Session, Side, Slot};
use super::player::Player;
use super::tap::Tape;
use super::wheel::Wheel;
use super::{Command, Event, Play, Remote, Sink};
use crate::audio::{Clip, Library, clip, tone};
use crate::entropy::Entropy;
use crate::id::{LegRef, Name, PlayRef, RecordingId};
use crate::limits::RTP_PACKET_BYTES;
use crate::rtp::dtmf::{Heard, Turn};
use crate::rtp::packet::{HEADER, Packet};
use crate::rtp::rtcp::{self, Compound, Sent};
use crate::rtp::stream::{Arrival, Stamp};
use crate::time::Tick;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Frames fall on one of so many milliseconds.
const PHASES: usize = 20;
/// How much of a delay is caught up by sending frames at once; what lies further back is skipped.
const CATCH_UP_MS: u64 = 100;
/// A frame that leaves so long after its time is counted as late.
const LATE_MS: u64 = 20;

/// The media plane of one core.
#[derive(Debug)]
pub struct Engine {
    library: Arc<Library>,
    ringback: Arc<Clip>,
    entropy: Entropy,
    legs: Legs,
    /// Legs on each of the 20 milliseconds.
    phases: [u32; PHASES],
    tapes: Vec<Option<Tape>>,
    wheel: Wheel<Due>,
    buffer: Box<[u8; RTP_PACKET_BYTES]>,
    counters: Counters,
}

/// What a shard has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// RTP datagrams that came.
    pub received: u64,
    /// RTP packets that left.
    pub sent: u64,
    /// Datagrams refused: strangers, malformed, unknown payload types, unknown legs.
    pub refused: u64,
    /// Frames that left more than a frame's time late.
    pub late_ticks: u64,
    /// Frames skipped because the shard came far too late.
    pub skipped_frames: u64,
    /// Clips asked for that the library does not hold.
    pub unknown_clips: u64,
    /// Legs open now.
    pub legs: usize,
    /// Tapes running now.
    pub tapes: usize,
}

/// What waits on the wheel. The reference tells whether the place still belongs to the same leg or tape.
#[derive(Clone, Copy, Debug)]
enum Due {
    Leg(Slot, LegRef),
    Tape(usize, RecordingId),
}

impl Engine {
    /// A shard without legs.
    pub fn new(library: Arc<Library>, entropy: Entropy) -> Engine {
        Engine {
            ringback: ringback(&library),
            library,
            entropy,
            legs: Legs::default(),
            phases: [0; PHASES],
            tapes: Vec::new(),
            wheel: Wheel::new(),
            buffer: Box::new([0; RTP_PACKET_BYTES]),
            counters: Counters::default(),
        }
    }

    /// Puts other clips in place; players that run keep theirs.
    pub fn set_library(&mut self, library: Arc<Library>) {
        self.ringback = ringback(&library);
        self.library = library;
    }

    /// What has been counted.
    pub fn counters(&self) -> Counters {
        let tapes = self.tapes.iter().flatten().count();
        Counters { legs: self.legs.len(), tapes, ..self.counters }
    }

    /// Takes a command of the switch. One for a leg that is gone does nothing.
    pub fn command(&mut self, now: Tick, command: Command, sink: &mut impl Sink) {
        self.wheel.advance(now.as_millis());
        match command {
            Command::Open { leg, port: _ } => self.open(now, leg, sink),
            Command::Update { leg, format, remote, direction, silence } => {
                self.update(now, leg, Session { format, direction, silence }, remote);
            }
            Command::Play { leg, play, what } => self.play(leg, play, &what),
            Command::Learn(library) => self.set_library(library),
            Command::Stop { leg } => self.set_player(leg, Player::Idle),
            Command::Bridge { a, b } => self.bridge(a, b),
            Command::Listen { from, to } => self.listen(from, to),
            Command::Unbridge { leg } => {
                if let Some(slot) = self.legs.slot(leg) {
                    self.legs.unlink(slot);
                }
            }
            Command::SendDigits { leg, digits } => {
                if let Some(leg) = self.leg(leg) {
                    leg.keys_out.push(&digits);
                }
            }
            Command::Record { recording, left, right } => self.record(now, recording, left, right, sink),
            Command::PauseRecord { recording, paused } => {
                if let Some(tape) = self.tape_of(recording).and_then(|at| self.tapes[at].as_mut()) {
                    tape.pause(now, paused);
                }
            }
            Command::StopRecord { recording } => {
                if let Some(at) = self.tape_of(recording) {
                    self.end_tape(at, now, sink);
                }
            }
            Command::Close { leg } => self.close(now, leg, sink),
        }
    }

    /// Takes a datagram that came to a leg's RTP port, or with `rtcp` to the port after it. The hot path: no
    /// allocation.
    pub fn receive(
        &mut self,
        now: Tick,
        leg: LegRef,
        from: SocketAddr,
        rtcp: bool,
        packet: &[u8],
        sink: &mut impl Sink,
    ) {
        let taken = match self.legs.slot(leg) {
            // The types of RTCP cannot be mistaken for RTP (RFC 5761 §4), so a multiplexed report is taken too.
            Some(slot) if rtcp || packet.get(1).is_some_and(|kind| (192..=223).contains(kind)) => {
                self.control(now, slot, from, packet)
            }
            Some(slot) => {
                self.counters.received += 1;
                self.media(now, slot, from, packet, sink).is_some()
            }
            None => false,
        };
        if !taken {
            self.counters.refused += 1;
            if let Some(leg) = self.leg(leg) {
                leg.refused += 1;
            }
        }
    }

    /// Does what is due by `now`: frames, reports, tapes.
    pub fn tick(&mut self, now: Tick, sink: &mut impl Sink) {
        while let Some(due) = self.wheel.pop(now.as_millis()) {
            match due {
                Due::Leg(slot, id) => self.frame(now, slot, id, sink),
                Due::Tape(at, recording) => self.tape_frame(now, at, recording, sink),
            }
        }
    }

    /// When `tick` is wanted next; `None` while nothing will ever be due.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.wheel.next_due().map(Tick::from_millis)
    }

    fn leg(&mut self, id: LegRef) -> Option<&mut Leg> {
        let slot = self.legs.slot(id)?;
        self.legs.get(slot)
    }

    fn open(&mut self, now: Tick, id: LegRef, sink: &mut impl Sink) {
        // The emptiest millisecond; the first of equals, so that a replay finds the same one.
        let phase = (0..PHASES).min_by_key(|&phase| self.phases[phase]).unwrap_or(0);
        let opened = match self.legs.slot(id) {
            Some(_) => None, // The reference is in use: we are wrong, but the running leg is not to suffer.
            None => self.legs.insert(Leg::new(id, phase, now, &mut self.entropy)),
        };
        match opened {
            Some(_) => self.phases[phase] += 1,
            None => sink.event(Event::OpenFailed { leg: id }),
        }
    }

    fn update(&mut self, now: Tick, id: LegRef, session: Session, remote: Remote) {
        let Some(slot) = self.legs.slot(id) else { return };
        let Some(leg) = self.legs.get(slot) else { return };
        leg.source.signalled(now, remote.signalled, remote.signalling_ip);
        leg.liveness = match leg.liveness {
            Liveness::Unheard { .. } | Liveness::Silent { heard: false } => Liveness::Unheard { since: now },
            Liveness::Heard { .. } | Liveness::Silent { heard: true } => Liveness::Heard { last: now },
        };
        if leg.session.replace(session).is_none() {
            let phase = leg.phase as u64;
            let ms = now.as_millis();
            leg.due_ms = ms + (phase + PHASES as u64 - ms % PHASES as u64) % PHASES as u64;
            self.wheel.insert(leg.due_ms, Due::Leg(slot, id));
        }
    }

    /// A clip of a language (`de/offer`) that the site does not have is played in English.
    fn clip(&mut self, name: &Name) -> Option<Arc<Clip>> {
        let english = || self.library.get(name.split_once('/')?.1);
        let found = self.library.get(name).or_else(english).cloned();
        self.counters.unknown_clips += u64::from(found.is_none());
        found
    }

    fn play(&mut self, leg: LegRef, play: PlayRef, what: &Play) {
        let player = match what {
            Play::Hold(name) => self.clip(name).map_or(Player::Idle, Player::Loop),
            Play::Ringback => Player::Loop(self.ringback.clone()),
            Play::Clips { clips, then } => {
                let clips = clips.iter().map(|name| self.clip(name)).collect();
                let then = then.as_ref().and_then(|name| self.clip(name));
                Player::clips(play, clips, then)
            }
        };
        self.set_player(leg, player);
    }

    fn set_player(&mut self, leg: LegRef, player: Player) {
        if let Some(leg) = self.leg(leg) {
            leg.player = player;
            leg.player_yields = false;
        }
    }

    fn bridge(&mut self, a: LegRef, b: LegRef) {
        let (Some(slot_a), Some(slot_b)) = (self.legs.slot(a), self.legs.slot(b)) else { return };
        if slot_a != slot_b {
            self.legs.link(slot_a, slot_b);
            self.legs.link(slot_b, slot_a);
            self.set_player(a, Player::Idle);
            self.set_player(b, Player::Idle);
        }
    }

    fn listen(&mut self, from: LegRef, to: LegRef) {
        let (Some(slot_from), Some(slot_to)) = (self.legs.slot(from), self.legs.slot(to)) else { return };
        if slot_from != slot_to {
            self.legs.link(slot_from, slot_to);
            if let Some(leg) = self.legs.get(slot_to) {
                leg.player_yields = true;
            }
        }
    }

    fn close(&mut self, now: Tick, id: LegRef, sink: &mut impl Sink) {
        let Some(slot) = self.legs.slot(id) else { return };
        self.legs.unlink(slot);
        let Some(mut leg) = self.legs.remove(slot) else { return };
        if leg.outgoing.packets > 0 {
            report(&mut leg, now, true, sink); // RFC 3550 §6.3.7: who leaves says goodbye.
        }
        self.phases[leg.phase] -= 1;
        if let Some((at, _)) = leg.tape {
            self.leave_tape(at, id, now, sink);
        }
        sink.event(Event::Closed { leg: id, stats: leg.stats() });
    }

    /// An RTCP packet; whether it was one of the peer's.
    fn control(&mut self, now: Tick, slot: Slot, from: SocketAddr, packet: &[u8]) -> bool {
        let Some(leg) = self.legs.get(slot) else { return false };
        let Some(seen) = rtcp::read(packet).filter(|_| leg.source.accepts_control(from)) else { return false };
        leg.control.from = Some(from);
        leg.control.report = seen.sender.map(|(_, ntp_middle)| (ntp_middle, now)).or(leg.control.report);
        // A report shows that the far end lives, but not that its audio reaches us: `Heard` waits for RTP.
        leg.liveness = match leg.liveness {
            Liveness::Unheard { .. } | Liveness::Silent { heard: false } => Liveness::Unheard { since: now },
            Liveness::Heard { .. } | Liveness::Silent { heard: true } => Liveness::Heard { last: now },
        };
        true
    }

    /// An RTP packet; `None`: refused.
    fn media(&mut self, now: Tick, slot: Slot, from: SocketAddr, datagram: &[u8], sink: &mut impl Sink) -> Option<()> {
        let leg = self.legs.get(slot)?;
        let session = leg.session?;
        let packet = Packet::parse(datagram).ok().filter(|_| datagram.len() <= RTP_PACKET_BYTES)?;
        let kind = session.kind(packet.payload_type);
        if kind == Kind::Unknown || !leg.source.accept(now, from, packet.ssrc, packet.sequence) {
            return None;
        }
        let arrival = leg.incoming.take(now, &packet, kind != Kind::Key);
        if matches!(leg.liveness, Liveness::Unheard { .. } | Liveness::Silent { heard: false }) {
            sink.event(Event::Heard { leg: leg.id });
        }
        leg.liveness = Liveness::Heard { last: now };
        if arrival == Arrival::Copy {
            return Some(());
        }
        match kind {
            Kind::Key => match leg.keys_in.receive(now, &packet) {
                Heard::Pressed(digit) => {
                    leg.digits += 1;
                    sink.event(Event::Digit { leg: leg.id, digit });
                }
                Heard::Known => {}
                Heard::Ignored => return Some(()),
            },
            Kind::Audio(codec) => {
                if !session.direction.receives() {
                    return Some(());
                }
                if let Some((at, side)) = leg.tape
                    && let Some(tape) = self.tapes[at].as_mut()
                {
                    tape.put(side, now, &packet, codec, arrival);
                }
            }
            Kind::ComfortNoise | Kind::Unknown => {} // Passed to `relay`, which withholds it and closes the numbers.
        }
        if let Some(to) = leg.heard_by {
            let passed = relay(&mut self.legs, to, now, &packet, kind, &mut self.buffer, sink);
            self.counters.sent += u64::from(passed.is_some());
        }
        Some(())
    }

    /// A leg's frame is due.
    fn frame(&mut self, now: Tick, slot: Slot, id: LegRef, sink: &mut impl Sink) {
        let Some(leg) = self.legs.get(slot).filter(|leg| leg.id == id) else { return }; // Closed meanwhile.
        let Some(Session { format, silence, .. }) = leg.session else { return };
        let frame_ms = u64::from(format.frame_samples / 8).max(10);
        let now_ms = now.as_millis();
        let mut due_ms = leg.due_ms;
        if due_ms <= now_ms {
            let behind = now_ms - due_ms;
            self.counters.late_ticks += u64::from(behind > LATE_MS);
            if behind > CATCH_UP_MS {
                let skipped = (behind - CATCH_UP_MS).div_ceil(frame_ms);
                self.counters.skipped_frames += skipped;
                due_ms += skipped * frame_ms;
            }
            self.counters.sent += u64::from(send_frame(leg, due_ms, &mut self.buffer[..], sink));
            attend(leg, now, silence, sink);
            leg.due_ms = due_ms + frame_ms;
        }
        self.wheel.insert(leg.due_ms, Due::Leg(slot, id));
    }

    fn tape_of(&self, recording: RecordingId) -> Option<usize> {
        self.tapes.iter().position(|tape| tape.as_ref().is_some_and(|tape| tape.recording == recording))
    }

    fn record(&mut self, now: Tick, recording: RecordingId, left: LegRef, right: LegRef, sink: &mut impl Sink) {
        if self.tape_of(recording).is_some() {
            return; // It runs already.
        }
        for id in [left, right] {
            if let Some((at, _)) = self.leg(id).and_then(|leg| leg.tape) {
                self.leave_tape(at, id, now, sink); // A leg is on one tape at most: the newest.
            }
        }
        let known = |id: LegRef| self.legs.slot(id).is_some().then_some(id);
        let tape = Tape::new(recording, known(left), known(right), now);
        if tape.legs == [None, None] {
            return sink.tape_end(recording);
        }
        let at = self.tapes.iter().position(Option::is_none).unwrap_or_else(|| {
            self.tapes.push(None);
            self.tapes.len() - 1
        });
        self.wheel.insert(tape.due_ms(), Due::Tape(at, recording));
        self.tapes[at] = Some(tape);
        for (id, side) in [(left, Side::Left), (right, Side::Right)] {
            if let Some(leg) = self.leg(id) {
                leg.tape = Some((at, side));
            }
        }
    }

    fn leave_tape(&mut self, at: usize, id: LegRef, now: Tick, sink: &mut impl Sink) {
        let Some(tape) = self.tapes[at].as_mut() else { return };
        for leg in tape.legs.iter_mut().filter(|leg| **leg == Some(id)) {
            *leg = None;
        }
        if tape.legs == [None, None] {
            self.end_tape(at, now, sink);
        }
    }

    fn tape_frame(&mut self, now: Tick, at: usize, recording: RecordingId, sink: &mut impl Sink) {
        let Some(tape) = self.tapes[at].as_mut().filter(|tape| tape.recording == recording) else { return };
        // The first frame lies beyond the wheel's reach, so a tape may wake before its time.
        if tape.due_ms() <= now.as_millis() {
            let [left, right] = tape.next();
            sink.tape(recording, &left, &right);
        }
        self.wheel.insert(tape.due_ms(), Due::Tape(at, recording));
    }

    fn end_tape(&mut self, at: usize, now: Tick, sink: &mut impl Sink) {
        let Some(mut tape) = self.tapes[at].take() else { return };
        for _ in 0..tape.remaining(now) {
            let [left, right] = tape.next();
            sink.tape(tape.recording, &left, &right);
        }
        sink.tape_end(tape.recording);
        for id in tape.legs.into_iter().flatten() {
            if let Some(leg) = self.leg(id) {
                leg.tape = None;
            }
        }
    }
}

fn ringback(library: &Library) -> Arc<Clip> {
    library.get(clip::RINGBACK).cloned().unwrap_or_else(|| Arc::new(tone::ringback("US")))
}

/// Sends what the frame due at `due_ms` carries; whether a packet left. Player and keys go on with time even while
/// nothing may be sent, so a prompt ends though its hearer has put us on hold.
fn send_frame(leg: &mut Leg, due_ms: u64, buffer: &mut [u8], sink: &mut impl Sink) -> bool {
    let Some(Session { format, .. }) = leg.session else { return false };
    let at = Tick::from_millis(due_ms);
    let samples = usize::from(format.frame_samples);
    let to = leg.may_send();
    let turn = match format.dtmf_send {
        Some(_) => leg.keys_out.turn(format.frame_samples),
        None => {
            leg.keys_out.clear(); // The peer takes no events; what waits must not hold up the audio.
            Turn::Audio
        }
    };
    let filled = leg.player.fill(format.codec, due_ms, &mut buffer[HEADER..HEADER + samples]);
    if let Some((play, whole)) = filled.played {
        sink.event(Event::Played { leg: leg.id, play, whole });
    }
    let Some((_, to)) = to else { return false };
    let (payload_type, stamp, length) = match (turn, format.dtmf_send) {
        (Turn::Event { first, payload }, Some(payload_type)) => {
            // RFC 4733 §2.5.1.2: the marker and a new timestamp at the start, the same timestamp until the end.
            let stamp = if first {
                let stamp = leg.outgoing.own(at, format.frame_samples.into());
                leg.key_timestamp = stamp.timestamp;
                Stamp { marker: true, ..stamp }
            } else {
                leg.outgoing.again(leg.key_timestamp)
            };
            buffer[HEADER..HEADER + payload.len()].copy_from_slice(&payload);
            (payload_type, stamp, payload.len())
        }
        (Turn::Event { .. } | Turn::Audio, _) if filled.audio => {
            (format.payload_type, leg.outgoing.own(at, format.frame_samples.into()), samples)
        }
        (Turn::Event { .. } | Turn::Audio, _) => return false,
    };
    let Stamp { sequence, timestamp, marker } = stamp;
    let header = Packet { marker, payload_type, sequence, timestamp, ssrc: leg.outgoing.ssrc, payload: &[] };
    if header.write_header(buffer).is_none() {
        return false;
    }
    leg.outgoing.sent(length);
    sink.send(leg.id, to, false, &buffer[..HEADER + length]);
    true
}

/// What a leg looks after once a frame: its peer's silence and its own reports.
fn attend(leg: &mut Leg, now: Tick, silence: Option<Duration>, sink: &mut impl Sink) {
    let (since, heard) = match leg.liveness {
        Liveness::Unheard { since } => (Some(since), false),
        Liveness::Heard { last } => (Some(last), true),
        Liveness::Silent { heard } => (None, heard),
    };
    if let (Some(since), Some(silence)) = (since, silence)
        && now.since(since) >= silence
    {
        leg.liveness = Liveness::Silent { heard };
        sink.event(Event::Silent { leg: leg.id });
    }
    if now >= leg.control.due {
        leg.control.due = now + rtcp::INTERVAL;
        report(leg, now, false, sink);
    }
}

/// Sends a report, if there is anything to report and somewhere to send it.
fn report(leg: &mut Leg, now: Tick, bye: bool, sink: &mut impl Sink) {
    let Some(to) = leg.control_destination() else { return };
    let last = leg.last_report(now);
    let sent = leg.outgoing.timestamp_at(now).map(|timestamp| Sent {
        at: now,
        timestamp,
        packets: leg.outgoing.packets as u32,
        octets: leg.outgoing.octets as u32,
    });
    let received = leg.incoming.report().map(|report| (report, last));
    if sent.is_none() && received.is_none() {
        return;
    }
    let mut out = [0; rtcp::ROOM];
    let compound = Compound { ssrc: leg.outgoing.ssrc, cname: &leg.control.cname, sent, received, bye };
    let length = compound.write(&mut out);
    sink.send(leg.id, to, true, &out[..length]);
}

//! The hot path of media allocates nothing: counted by an allocator of its own, in a test that runs alone.

use ringback::audio::{Clip, Library, tone};
use ringback::entropy::Entropy;
use ringback::id::{LegRef, PlayRef, RecordingId};
use ringback::media::{Command, Direction, Engine, Event, Format, Play, Remote, Sink};
use ringback::rtp::packet::Packet;
use ringback::settings::Codec;
use ringback::time::Tick;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::net::SocketAddr;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Default)]
struct Count {
    packets: u64,
    frames: u64,
    digits: u64,
}

impl Sink for Count {
    fn send(&mut self, _: LegRef, _: SocketAddr, _: bool, _: &[u8]) {
        self.packets += 1;
    }

    fn tape(&mut self, _: RecordingId, _: &[i16; 160], _: &[i16; 160]) {
        self.frames += 1;
    }

    fn tape_end(&mut self, _: RecordingId) {}

    fn event(&mut self, event: Event) {
        self.digits += u64::from(matches!(event, Event::Digit { .. }));
    }
}

fn phone(n: u64) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 4_000 + 2 * n as u16))
}

fn packet(payload_type: u8, sequence: u64, timestamp: u64, payload: &[u8]) -> [u8; 172] {
    let mut out = [0; 172];
    let (sequence, timestamp) = (sequence as u16, timestamp as u32);
    Packet { marker: false, payload_type, sequence, timestamp, ssrc: 7, payload }.write(&mut out).unwrap();
    out
}

/// 20 legs: ten bridged pairs of both laws, one of them taped; 20 more on hold.
fn engine(sink: &mut Count) -> Engine {
    let library = Library::from([("hold".into(), Arc::new(Clip::new(tone::sine(440.0, 0.3, 5_000))))]);
    let mut engine = Engine::new(Arc::new(library), Entropy::from_seed(3));
    for n in 0..40 {
        let leg = LegRef(n);
        let (codec, payload_type) = if n % 4 == 3 { (Codec::Pcma, 8) } else { (Codec::Pcmu, 0) };
        let format = Format { codec, payload_type, dtmf_send: Some(101), dtmf_receive: Some(101), frame_samples: 160 };
        let remote = Remote { signalled: Some(phone(n)), signalling_ip: phone(n).ip() };
        engine.command(Tick::ZERO, Command::Open { leg, port: 20_000 }, sink);
        let direction = Direction::SendRecv;
        engine.command(Tick::ZERO, Command::Update { leg, format, remote, direction, silence: None }, sink);
        if n >= 20 {
            let what = Play::Hold("hold".into());
            engine.command(Tick::ZERO, Command::Play { leg, play: PlayRef(n), what }, sink);
        }
    }
    for n in 0..10 {
        engine.command(Tick::ZERO, Command::Bridge { a: LegRef(2 * n), b: LegRef(2 * n + 1) }, sink);
    }
    let recording = RecordingId("00000000000000000000000001".parse().unwrap());
    engine.command(Tick::ZERO, Command::Record { recording, left: LegRef(2), right: LegRef(3) }, sink);
    engine
}

/// Ten seconds of everybody talking; every second leg 5 presses a key now and then.
fn talk(engine: &mut Engine, from_frame: u64, sink: &mut Count) {
    for frame in from_frame..from_frame + 500 {
        for millis in 0..20 {
            let now = Tick::from_millis(frame * 20 + millis);
            engine.tick(now, sink);
            for n in (millis * 2)..(millis * 2 + 2) {
                let press = n == 5 && frame % 50 < 8;
                let octets = match press {
                    true => {
                        packet(101, frame, (frame - frame % 50) * 160, &[5, u8::from(frame % 50 > 4) << 7, 3, 0x20])
                    }
                    false => packet(0, frame, frame * 160, &[0x55; 160]),
                };
                let length = if press { 16 } else { 172 };
                engine.receive(now, LegRef(n), phone(n), false, &octets[..length], sink);
                engine.receive(now, LegRef(n), phone(n + 99), false, &octets[..length], sink);
            }
        }
    }
}

/// One test only: the allocator counts for the whole process.
#[test]
fn the_hot_path_allocates_nothing_and_a_leg_is_small() {
    receiving_bridging_taping_and_playing_allocate_nothing();
    a_leg_costs_little_memory();
}

fn receiving_bridging_taping_and_playing_allocate_nothing() {
    let mut sink = Count::default();
    let mut engine = engine(&mut sink);
    talk(&mut engine, 0, &mut sink); // The first seconds may still grow the slots of the wheel.
    let (packets, frames, digits) = (sink.packets, sink.frames, sink.digits);

    let region = Region::new(ALLOCATOR);
    talk(&mut engine, 500, &mut sink);
    let change = region.change();

    assert_eq!((change.allocations, change.reallocations, change.deallocations), (0, 0, 0), "{change:?}");
    assert!(sink.packets - packets >= 2 * 20 * 490, "{} packets left", sink.packets - packets);
    assert_eq!((sink.frames - frames, sink.digits - digits), (500, 10));
}

fn a_leg_costs_little_memory() {
    let mut sink = Count::default();
    let mut engine = Engine::new(Arc::new(Library::default()), Entropy::from_seed(3));

    let region = Region::new(ALLOCATOR);
    for n in 0..4_000 {
        engine.command(Tick::ZERO, Command::Open { leg: LegRef(n), port: 20_000 }, &mut sink);
    }
    let grown = region.change();

    let per_leg = (grown.bytes_allocated - grown.bytes_deallocated) / 4_000;
    assert!(per_leg <= 4 * 1_024, "{per_leg} octets a leg");
}

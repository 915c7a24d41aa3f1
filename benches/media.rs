//! Media: our own share of a packet, without the kernel's. Goal: at most 300 ns from one leg's socket to the other's.

#![allow(missing_docs)] // criterion's macro makes a public function without one.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ringback::audio::{Clip, Library, tone};
use ringback::entropy::Entropy;
use ringback::id::{LegRef, PlayRef, RecordingId};
use ringback::media::{Command, Direction, Engine, Event, Format, Play, Remote, Sink};
use ringback::rtp::dtmf;
use ringback::rtp::packet::Packet;
use ringback::settings::Codec;
use ringback::time::Tick;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

/// Takes everything and keeps nothing: what remains is the engine's work.
struct Nowhere;

impl Sink for Nowhere {
    fn send(&mut self, leg: LegRef, to: SocketAddr, _: bool, packet: &[u8]) {
        black_box((leg, to, packet));
    }

    fn tape(&mut self, _: RecordingId, left: &[i16; 160], right: &[i16; 160]) {
        black_box((left, right));
    }

    fn tape_end(&mut self, _: RecordingId) {}

    fn event(&mut self, event: Event) {
        black_box(event);
    }
}

fn phone(n: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 4_000))
}

fn engine(legs: u64, codec: impl Fn(u64) -> Codec) -> Engine {
    let library = Library::from([("hold".into(), Arc::new(Clip::new(tone::sine(440.0, 0.3, 90_000))))]);
    let mut engine = Engine::new(Arc::new(library), Entropy::from_seed(1));
    for n in 0..legs {
        let leg = LegRef(n);
        let codec = codec(n);
        let payload_type = if codec == Codec::Pcmu { 0 } else { 8 };
        let format = Format { codec, payload_type, dtmf_send: Some(101), dtmf_receive: Some(101), frame_samples: 160 };
        let remote = Remote { signalled: Some(phone(n)), signalling_ip: phone(n).ip() };
        let direction = Direction::SendRecv;
        engine.command(Tick::ZERO, Command::Open { leg, port: 20_000 }, &mut Nowhere);
        engine.command(Tick::ZERO, Command::Update { leg, format, remote, direction, silence: None }, &mut Nowhere);
    }
    engine
}

/// A thousand bridged legs take their packets in turn: the cost of one packet from the socket's buffer to the other
/// leg's socket.
fn bridge(c: &mut Criterion) {
    let mut group = c.benchmark_group("receive, bridge, send");
    for (name, other, taped) in [
        ("same codec", Codec::Pcmu, false),
        ("transcoded", Codec::Pcma, false),
        ("same codec, taped", Codec::Pcmu, true),
    ] {
        let mut engine = engine(1_000, |n| if n % 2 == 0 { Codec::Pcmu } else { other });
        for n in 0..500 {
            let (a, b) = (LegRef(2 * n), LegRef(2 * n + 1));
            engine.command(Tick::ZERO, Command::Bridge { a, b }, &mut Nowhere);
            if taped {
                let recording = RecordingId(format!("{n:026}").parse().expect("digits are a ULID"));
                engine.command(Tick::ZERO, Command::Record { recording, left: a, right: b }, &mut Nowhere);
            }
        }
        let mut at = 0u64;
        let mut datagram = [0x55; 172];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (leg, frame) = (at % 1_000, at / 1_000);
                let header = Packet {
                    marker: false,
                    payload_type: if leg % 2 == 0 || other == Codec::Pcmu { 0 } else { 8 },
                    sequence: frame as u16,
                    timestamp: frame as u32 * 160,
                    ssrc: leg as u32,
                    payload: &[],
                };
                header.write_header(&mut datagram);
                let now = Tick::from_nanos(at * 20_000);
                engine.receive(now, LegRef(leg), phone(leg), false, &datagram, &mut Nowhere);
                at += 1;
            });
        });
    }
    group.finish();
}

/// One millisecond of 1 000 legs on hold: 50 frames.
fn hold(c: &mut Criterion) {
    let mut engine = engine(1_000, |n| if n % 2 == 0 { Codec::Pcmu } else { Codec::Pcma });
    for n in 0..1_000 {
        let what = Play::Hold("hold".into());
        engine.command(Tick::ZERO, Command::Play { leg: LegRef(n), play: PlayRef(n), what }, &mut Nowhere);
    }
    let mut millis = 0;
    c.bench_function("hold tick, 1 ms of 1000 legs", |bencher| {
        bencher.iter(|| {
            millis += 1;
            engine.tick(Tick::from_millis(millis), &mut Nowhere);
        });
    });
}

/// A key press of eight packets at one leg.
fn keys(c: &mut Criterion) {
    let presses: Vec<[u8; 16]> = (0..8)
        .map(|n: u16| {
            let event = dtmf::Event { code: 5, end: n > 4, volume: 10, duration: 160 * n.min(5) };
            let payload = event.octets();
            let mut out = [0; 16];
            Packet { marker: n == 0, payload_type: 101, sequence: n, timestamp: 0, ssrc: 9, payload: &payload }
                .write(&mut out)
                .expect("there is room");
            out
        })
        .collect();
    c.bench_function("key press, 8 packets", |bencher| {
        bencher.iter_batched_ref(
            || engine(1, |_| Codec::Pcmu),
            |engine| {
                for octets in &presses {
                    engine.receive(Tick::from_millis(20), LegRef(0), phone(0), false, octets, &mut Nowhere);
                }
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, bridge, hold, keys);
criterion_main!(benches);

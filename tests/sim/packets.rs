//! Media as packets: the real engine, its sink a vector, its clips tones that can be told apart.

use ringback::audio::Library;
use ringback::audio::clip::Clip;
use ringback::entropy::Entropy;
use ringback::id::{LegRef, RecordingId};
use ringback::media::{Command, Engine, Event, Sink};
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// What came of a call into the engine.
#[derive(Default)]
pub struct Out {
    pub rtp: Vec<(LegRef, SocketAddr, Vec<u8>)>,
    pub events: Vec<Event>,
    tapes: Vec<(RecordingId, Vec<i16>, Vec<i16>)>,
}

/// See the module.
pub struct Packets {
    engine: Engine,
    /// What was taped: left and right.
    pub tapes: BTreeMap<RecordingId, (Vec<i16>, Vec<i16>)>,
}

impl Sink for Out {
    fn send(&mut self, leg: LegRef, to: SocketAddr, rtcp: bool, packet: &[u8]) {
        if !rtcp {
            self.rtp.push((leg, to, packet.to_vec()));
        }
    }

    fn tape(&mut self, recording: RecordingId, left: &[i16; 160], right: &[i16; 160]) {
        self.tapes.push((recording, left.to_vec(), right.to_vec()));
    }

    fn tape_end(&mut self, _recording: RecordingId) {}

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

impl Packets {
    pub fn new(entropy: Entropy) -> Packets {
        let mut library = Library::new();
        let names = include_str!("../../media/prompts/en.tsv").lines().filter_map(|line| line.split('\t').next());
        for name in names {
            library.insert(name.into(), Arc::new(Clip::new(tone(2_300, 8_000))));
        }
        library.insert("pause".into(), Arc::new(Clip::new(vec![0; 800])));
        library.insert("hold".into(), Arc::new(Clip::new(tone(1_900, 16_000))));
        Packets { engine: Engine::new(Arc::new(library), entropy), tapes: BTreeMap::new() }
    }

    pub fn command(&mut self, now: Tick, command: Command) -> Out {
        let mut out = Out::default();
        self.engine.command(now, command, &mut out);
        self.keep(out)
    }

    pub fn receive(&mut self, now: Tick, leg: LegRef, from: SocketAddr, packet: &[u8]) -> Out {
        let mut out = Out::default();
        self.engine.receive(now, leg, from, false, packet, &mut out);
        self.keep(out)
    }

    pub fn tick(&mut self, now: Tick) -> Out {
        let mut out = Out::default();
        self.engine.tick(now, &mut out);
        self.keep(out)
    }

    pub fn poll_timeout(&self) -> Option<Tick> {
        self.engine.poll_timeout()
    }

    fn keep(&mut self, mut out: Out) -> Out {
        for (recording, left, right) in out.tapes.drain(..) {
            let tape = self.tapes.entry(recording).or_default();
            tape.0.extend(left);
            tape.1.extend(right);
        }
        out
    }
}

fn tone(pitch: u32, samples: usize) -> Vec<i16> {
    let step = 2.0 * std::f64::consts::PI * f64::from(pitch) / 8_000.0;
    (0..samples).map(|at| (8_000.0 * (step * at as f64).sin()) as i16).collect()
}

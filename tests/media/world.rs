//! One shard, its clock, and phones that send it packets.

use ringback::audio::{Clip, Library, g711};
use ringback::entropy::Entropy;
use ringback::id::{LegRef, Name, PlayRef, RecordingId};
use ringback::media::{Command, Direction, Engine, Event, Format, LegStats, Play, Remote, Sink};
use ringback::rtp::dtmf;
use ringback::rtp::packet::Packet;
use ringback::settings::Codec;
use ringback::time::Tick;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub const A: LegRef = LegRef(1);
pub const B: LegRef = LegRef(2);
pub const DTMF: u8 = 101;

/// A packet that left.
#[derive(Clone, Debug)]
pub struct Left {
    pub at: Tick,
    pub leg: LegRef,
    pub to: SocketAddr,
    pub rtcp: bool,
    pub octets: Vec<u8>,
}

impl Left {
    pub fn packet(&self) -> Packet<'_> {
        Packet::parse(&self.octets).expect("the engine sends RTP")
    }
}

/// Everything that came out.
#[derive(Default)]
pub struct Out {
    pub now: Tick,
    pub left: Vec<Left>,
    pub events: Vec<(Tick, Event)>,
    pub taped: Vec<(RecordingId, [Vec<i16>; 2])>,
    pub ended: Vec<RecordingId>,
}

impl Sink for Out {
    fn send(&mut self, leg: LegRef, to: SocketAddr, rtcp: bool, packet: &[u8]) {
        self.left.push(Left { at: self.now, leg, to, rtcp, octets: packet.to_vec() });
    }

    fn tape(&mut self, recording: RecordingId, left: &[i16; 160], right: &[i16; 160]) {
        if !self.taped.iter().any(|(known, _)| *known == recording) {
            self.taped.push((recording, [Vec::new(), Vec::new()]));
        }
        let (_, sides) = self.taped.iter_mut().find(|(known, _)| *known == recording).unwrap();
        sides[0].extend(left);
        sides[1].extend(right);
    }

    fn tape_end(&mut self, recording: RecordingId) {
        self.ended.push(recording);
    }

    fn event(&mut self, event: Event) {
        self.events.push((self.now, event));
    }
}

pub struct World {
    pub engine: Engine,
    pub out: Out,
}

impl World {
    pub fn new() -> World {
        World::with(Library::default())
    }

    pub fn with(library: Library) -> World {
        World { engine: Engine::new(Arc::new(library), Entropy::from_seed(1)), out: Out::default() }
    }

    pub fn now(&self) -> Tick {
        self.out.now
    }

    /// Lets time pass, with a tick whenever the engine wants one.
    pub fn run(&mut self, duration: Duration) {
        let until = self.out.now + duration;
        while let Some(due) = self.engine.poll_timeout().filter(|&due| due <= until) {
            self.out.now = self.out.now.max(due);
            self.engine.tick(self.out.now, &mut self.out);
        }
        self.out.now = until;
    }

    pub fn run_ms(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis));
    }

    pub fn command(&mut self, command: Command) {
        self.engine.command(self.out.now, command, &mut self.out);
    }

    pub fn open(&mut self, leg: LegRef) {
        self.command(Command::Open { leg, port: 20_000 + 2 * leg.0 as u16 });
    }

    pub fn update(&mut self, leg: LegRef, codec: Codec, remote: Remote) {
        self.update_with(leg, format(codec), remote, Direction::SendRecv);
    }

    pub fn update_with(&mut self, leg: LegRef, format: Format, remote: Remote, direction: Direction) {
        self.command(Command::Update { leg, format, remote, direction, silence: Some(Duration::from_secs(20)) });
    }

    /// A leg that is open and talks to `phone(n)`.
    pub fn leg(&mut self, leg: LegRef, codec: Codec) -> Phone {
        self.open(leg);
        self.update(leg, codec, remote(phone(leg.0)));
        Phone::new(leg, codec)
    }

    pub fn play(&mut self, leg: LegRef, play: u64, clips: &[&str], then: Option<&str>) {
        let clips = clips.iter().map(|&name| Name::from(name)).collect();
        let what = Play::Clips { clips, then: then.map(Name::from) };
        self.command(Command::Play { leg, play: PlayRef(play), what });
    }

    pub fn hold(&mut self, leg: LegRef, name: &str) {
        self.command(Command::Play { leg, play: PlayRef(0), what: Play::Hold(name.into()) });
    }

    pub fn receive(&mut self, leg: LegRef, from: SocketAddr, octets: &[u8]) {
        self.engine.receive(self.out.now, leg, from, false, octets, &mut self.out);
    }

    /// The RTP packets that left for a leg's peer.
    pub fn sent(&self, leg: LegRef) -> Vec<&Left> {
        self.out.left.iter().filter(|left| left.leg == leg && !left.rtcp).collect()
    }

    pub fn events(&self) -> Vec<Event> {
        self.out.events.iter().map(|(_, event)| event.clone()).collect()
    }

    pub fn digits(&self, of: LegRef) -> String {
        let digit = |event: &Event| match event {
            Event::Digit { leg, digit } if *leg == of => Some(*digit),
            _ => None,
        };
        self.out.events.iter().filter_map(|(_, event)| digit(event)).collect()
    }

    pub fn close(&mut self, leg: LegRef) -> LegStats {
        self.command(Command::Close { leg });
        match self.out.events.last() {
            Some((_, Event::Closed { leg: closed, stats })) if *closed == leg => *stats,
            other => panic!("closing was answered by {other:?}"),
        }
    }
}

pub fn format(codec: Codec) -> Format {
    let payload_type = match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
    };
    Format { codec, payload_type, dtmf_send: Some(DTMF), dtmf_receive: Some(DTMF), frame_samples: 160 }
}

pub fn phone(n: u64) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, n as u8], 4_000))
}

/// The address in the SDP is where the signalling comes from.
pub fn remote(at: SocketAddr) -> Remote {
    Remote { signalled: Some(at), signalling_ip: at.ip() }
}

pub fn clip(samples: Vec<i16>) -> Arc<Clip> {
    Arc::new(Clip::new(samples))
}

/// A phone's sending half.
#[derive(Clone, Debug)]
pub struct Phone {
    pub leg: LegRef,
    pub from: SocketAddr,
    pub codec: Codec,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
}

impl Phone {
    pub fn new(leg: LegRef, codec: Codec) -> Phone {
        let ssrc = 0xabc0_0000 + leg.0 as u32;
        // Both numbers wrap within the first seconds of every test.
        Phone { leg, from: phone(leg.0), codec, ssrc, sequence: 65_500, timestamp: u32::MAX - 3_000 }
    }

    /// The next packet with these samples.
    pub fn audio(&mut self, samples: &[i16]) -> Vec<u8> {
        let payload = g711::encode_all(self.codec, samples);
        let timestamp = self.timestamp;
        self.timestamp = self.timestamp.wrapping_add(samples.len() as u32);
        self.packet(format(self.codec).payload_type, timestamp, &payload)
    }

    /// The next packet of a press that began at `timestamp`.
    pub fn event(&mut self, timestamp: u32, key: char, duration: u16, end: bool) -> Vec<u8> {
        let code = dtmf::code_of(key).unwrap();
        let event = dtmf::Event { code, end, volume: 10, duration };
        self.packet(DTMF, timestamp, &event.octets())
    }

    pub fn packet(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let packet =
            Packet { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload };
        let mut octets = vec![0; 12 + payload.len()];
        packet.write(&mut octets).unwrap();
        octets
    }

    /// Sends 20 ms of silence now.
    pub fn send(&mut self, world: &mut World) {
        self.say(world, &[0; 160]);
    }

    /// Sends these samples now.
    pub fn say(&mut self, world: &mut World, samples: &[i16]) {
        let octets = self.audio(samples);
        world.receive(self.leg, self.from, &octets);
    }

    /// Talks for so long, a packet every 20 ms, while time passes.
    pub fn talk(&mut self, world: &mut World, millis: u64) {
        for _ in 0..millis / 20 {
            self.send(world);
            world.run_ms(20);
        }
    }

    /// Presses and releases a key while time passes: 200 ms.
    pub fn press(&mut self, world: &mut World, key: char) {
        let began = self.timestamp;
        for n in 1..=8 {
            let octets = self.event(began, key, 160 * n.min(5), n > 5);
            world.receive(self.leg, self.from, &octets);
            world.run_ms(20);
        }
        self.timestamp = began.wrapping_add(8 * 160);
        self.talk(world, 40);
    }
}

//! What a phone sends beside SIP: no panic, and the engine keeps its promises whatever comes.

use ringback::audio::clip::RINGBACK;
use ringback::audio::{Clip, Library, tone};
use ringback::entropy::Entropy;
use ringback::id::{LegRef, PlayRef, RecordingId};
use ringback::limits::KEYS_PER_SECOND;
use ringback::media::{Command, Direction, Engine, Event, Format, Play, Remote, Sink};
use ringback::rtp::dtmf::{Heard, Receiver};
use ringback::rtp::packet::Packet;
use ringback::rtp::rtcp;
use ringback::sdp::Description;
use ringback::sdp::answer::{OfferWanted, Session, accept, answer, answer_disabled, offer};
use ringback::settings::Codec;
use ringback::time::Tick;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 4_000);
const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66)), 6_666);

/// Made once: clips cost far more than the packets of a run.
static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(|| {
    let music = Arc::new(Clip::new(tone::sine(440.0, 0.3, 100)));
    Arc::new(Library::from([("hold".into(), music.clone()), (RINGBACK.into(), music)]))
});

/// A session description: what we answer can be read, has the offer's lines, and sends media to one host at most.
pub fn sdp(octets: &[u8]) {
    let Ok(described) = Description::parse(octets) else { return };
    let session = Session { id: 1, version: 1 };
    let disabled = Description::parse(&answer_disabled(&described, HERE, session)).expect("our own text");
    assert!(disabled.media.len() == described.media.len() && disabled.media.iter().all(|media| media.port == 0));
    if let Ok(agreed) = answer(&described, &CODECS, HERE, 20_000, session) {
        let ours = Description::parse(&agreed.body).expect("our own text");
        assert_eq!(ours.media.len(), described.media.len());
        assert_eq!(ours.media.iter().filter(|media| media.port != 0).count(), 1);
        for (ours, theirs) in ours.media.iter().zip(&described.media) {
            assert_eq!((&ours.kind, &ours.protocol), (&theirs.kind, &theirs.protocol));
        }
        assert!((80..=480).contains(&agreed.format.frame_samples));
        let multicast = agreed.remote.is_some_and(|remote| remote.ip().is_multicast() || remote.ip().is_unspecified());
        assert!(!multicast);
    }
    let direction = Direction::SendRecv;
    let sent = offer(&OfferWanted { address: HERE, port: 20_000, codecs: &CODECS, dtmf: true, session, direction });
    drop(accept(&sent, &described));
}

/// One datagram on its own: what is read is written again the same, and lies within it.
pub fn rtp(octets: &[u8]) {
    let _ = rtcp::read(octets);
    if let Ok(packet) = Packet::parse(octets) {
        assert!(packet.payload.len() + 12 <= octets.len());
        let mut again = vec![0; 12 + packet.payload.len()];
        assert_eq!(packet.write(&mut again), Some(again.len()));
        assert_eq!(Packet::parse(&again), Ok(packet));
    }
    engine(octets);
}

/// What must not happen whatever is received.
#[derive(Default)]
struct Watch {
    now: Tick,
    /// RTP packets.
    left: u64,
    digits: Vec<(LegRef, Tick)>,
}

impl Sink for Watch {
    fn send(&mut self, _: LegRef, to: SocketAddr, rtcp: bool, packet: &[u8]) {
        self.left += u64::from(!rtcp);
        assert_ne!(to.ip(), STRANGER.ip(), "a stranger is never sent to");
        assert!(rtcp && rtcp::read(packet).is_some() || !rtcp && Packet::parse(packet).is_ok());
    }

    fn tape(&mut self, _: RecordingId, _: &[i16; 160], _: &[i16; 160]) {}

    fn tape_end(&mut self, _: RecordingId) {}

    fn event(&mut self, event: Event) {
        if let Event::Digit { leg, .. } = event {
            let second = self.digits.iter().filter(|(of, at)| *of == leg && self.now.since(*at).as_secs() < 1);
            assert!(second.count() < KEYS_PER_SECOND as usize);
            self.digits.push((leg, self.now));
        }
    }
}

/// A bridged, taped pair of legs: each piece of the input is a datagram to one of them, from its peer or a stranger.
fn engine(octets: &[u8]) {
    let mut engine = Engine::new(LIBRARY.clone(), Entropy::from_seed(1));
    let mut watch = Watch::default();
    let legs = [LegRef(1), LegRef(2)];
    for (leg, codec) in legs.into_iter().zip(CODECS) {
        let payload_type = if codec == Codec::Pcmu { 0 } else { 8 };
        let format = Format { codec, payload_type, dtmf_send: Some(101), dtmf_receive: Some(101), frame_samples: 160 };
        let remote = Remote { signalled: Some(PEER), signalling_ip: PEER.ip() };
        engine.command(watch.now, Command::Open { leg, port: 20_000 }, &mut watch);
        let direction = Direction::SendRecv;
        engine.command(watch.now, Command::Update { leg, format, remote, direction, silence: None }, &mut watch);
    }
    let recording = RecordingId("00000000000000000000000001".parse().expect("a ULID"));
    engine.command(watch.now, Command::Bridge { a: legs[0], b: legs[1] }, &mut watch);
    engine.command(watch.now, Command::Record { recording, left: legs[0], right: legs[1] }, &mut watch);

    let mut rest = octets;
    while let [how, length, tail @ ..] = rest {
        let (datagram, next) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = next;
        let leg = legs[usize::from(how & 1)];
        let from = if how & 2 == 0 { PEER } else { STRANGER };
        engine.receive(watch.now, leg, from, how & 4 != 0, datagram, &mut watch);
        if how & 8 != 0 {
            let what = Play::Hold("hold".into());
            engine.command(watch.now, Command::Play { leg, play: PlayRef(1), what }, &mut watch);
        }
        if how & 16 != 0 {
            engine.command(watch.now, Command::SendDigits { leg, digits: "5".into() }, &mut watch);
        }
        watch.now = Tick::from_millis(watch.now.as_millis() + u64::from(how >> 5) * 10);
        engine.tick(watch.now, &mut watch);
    }
    for leg in legs {
        engine.command(watch.now, Command::Close { leg }, &mut watch);
    }
    engine.tick(Tick::from_millis(watch.now.as_millis() + 1_000), &mut watch);
    assert_eq!(engine.poll_timeout(), None, "at rest nothing is due");
    assert_eq!(engine.counters().sent, watch.left);
}

/// Telephone-events: pieces of nine octets are arrival, timestamp and payload. Never more digits than a person makes.
pub fn dtmf(octets: &[u8]) {
    let (mut receiver, mut now, mut pressed) = (Receiver::default(), Tick::ZERO, Vec::new());
    for piece in octets.chunks(9) {
        let (&wait, rest) = piece.split_first().expect("a chunk is not empty");
        let (timestamp, payload) = rest.split_at(rest.len().min(4));
        let timestamp = timestamp.iter().fold(0, |number, &octet| (number << 8) | u32::from(octet));
        now = Tick::from_millis(now.as_millis() + u64::from(wait));
        let packet = Packet { marker: false, payload_type: 101, sequence: 0, timestamp, ssrc: 1, payload };
        if let Heard::Pressed(key) = receiver.receive(now, &packet) {
            assert!("0123456789*#ABCD".contains(key));
            pressed.push(now);
            assert_ne!(receiver.receive(now, &packet), Heard::Pressed(key), "a copy is not a press");
        }
    }
    let rate = KEYS_PER_SECOND as usize;
    for window in pressed.windows(rate + 1) {
        assert!(window[rate].since(window[0]).as_secs() >= 1);
    }
}

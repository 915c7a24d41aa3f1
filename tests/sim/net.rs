//! The network: delay, loss, duplication and reordering from a seed, and a NAT in front of whom it is told.

use super::fired::Fired;
use super::site::SWITCH;
use ringback::entropy::Entropy;
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What happens to datagrams on their way.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Every datagram takes so long.
    pub delay: Duration,
    /// And at most so much longer: beyond the pause between two of them they overtake each other.
    pub jitter: Duration,
    /// In thousandths.
    pub loss: u64,
    /// In thousandths.
    pub duplicates: u64,
}

impl Weather {
    /// Nothing is lost, doubled or overtaken.
    pub fn is_fair(&self) -> bool {
        self.jitter.is_zero() && self.loss == 0 && self.duplicates == 0
    }
}

/// See the module.
pub struct Network {
    entropy: Entropy,
    /// For SIP.
    pub weather: Weather,
    /// For RTP.
    pub rtp_weather: Weather,
    nat: Vec<(IpAddr, IpAddr)>,
    doomed: Vec<(String, u32)>,
    /// Nothing comes through between the switch and these; with `true`, what the switch sends still does.
    pub cut_off: Vec<(IpAddr, bool)>,
    was_cut: bool,
    /// Whether a host says that nobody listens at a port of its (ICMP).
    pub tells_nobody_home: bool,
    /// How long it takes to look up a host.
    pub lookup: Duration,
    /// When the last datagram between these two arrives.
    last: BTreeMap<(SocketAddr, SocketAddr), Tick>,
    pub now: Tick,
    /// What has become of datagrams.
    pub fired: Fired,
}

/// A datagram's fate: how it is seen and when its copies arrive.
pub struct Carried {
    /// Source as the receiver sees it.
    pub from: SocketAddr,
    /// Destination behind any NAT.
    pub to: SocketAddr,
    /// Empty: lost.
    pub after: Vec<Duration>,
}

const NAT_PORTS: u16 = 30_000;
const FAIR: Weather = Weather { delay: Duration::from_millis(10), jitter: Duration::ZERO, loss: 0, duplicates: 0 };

impl Network {
    pub fn new(entropy: Entropy) -> Network {
        Network {
            entropy,
            weather: FAIR,
            rtp_weather: FAIR,
            nat: Vec::new(),
            doomed: Vec::new(),
            cut_off: Vec::new(),
            was_cut: false,
            tells_nobody_home: false,
            lookup: Duration::from_millis(1),
            last: BTreeMap::new(),
            now: Tick::ZERO,
            fired: Fired::default(),
        }
    }

    /// A datagram has come to where nobody listens: whether its sender is told.
    pub fn nobody_home(&mut self, to: SocketAddr) -> bool {
        if self.tells_nobody_home && to.ip() != SWITCH.ip() {
            self.fired.add("a host said that nobody listens");
        }
        self.tells_nobody_home && to.ip() != SWITCH.ip()
    }

    fn is_cut_off(&mut self, from: SocketAddr, to: SocketAddr) -> bool {
        let cut = |(ip, one_way): &(IpAddr, bool)| *ip == from.ip() || (*ip == to.ip() && !one_way);
        let is_cut = self.cut_off.iter().any(cut);
        self.was_cut |= is_cut;
        is_cut
    }

    /// Every packet of RTP has come, once and in order.
    pub fn is_fair(&self) -> bool {
        self.rtp_weather.is_fair() && !self.was_cut
    }

    /// Puts `inside` behind a NAT that shows `outside`.
    pub fn translate(&mut self, inside: IpAddr, outside: IpAddr) {
        self.nat.push((inside, outside));
    }

    /// The next `times` messages whose label is `what` ("ACK", "200 OK") are lost.
    pub fn lose_next(&mut self, what: &str, times: u32) {
        self.doomed.push((what.to_owned(), times));
    }

    /// How `inside` looks from outside.
    pub fn seen_as(&self, inside: SocketAddr) -> SocketAddr {
        match self.nat.iter().find(|(ip, _)| *ip == inside.ip()) {
            Some((_, outside)) => SocketAddr::new(*outside, inside.port() + NAT_PORTS),
            None => inside,
        }
    }

    fn behind(&self, outside: SocketAddr) -> SocketAddr {
        match self.nat.iter().find(|(_, ip)| *ip == outside.ip()) {
            Some((inside, _)) => SocketAddr::new(*inside, outside.port() - NAT_PORTS),
            None => outside,
        }
    }

    /// A SIP datagram with its label.
    pub fn carry_sip(&mut self, from: SocketAddr, to: SocketAddr, label: &str) -> Carried {
        let doomed = self.doomed.iter_mut().find(|(what, times)| *times > 0 && label == what);
        let lost = doomed.map(|(_, times)| *times -= 1).is_some();
        let mut carried = self.carry(from, to, self.weather);
        if lost {
            carried.after.clear();
        }
        if self.is_cut_off(from, to) {
            self.fired.add("a message was lost in a cut between the switch and a peer");
            carried.after.clear();
        }
        if carried.after.len() > 1 {
            self.fired.add("a message came twice");
        }
        if let Some(first) = carried.after.iter().min() {
            let at = self.now + *first;
            let last = self.last.entry((from, to)).or_insert(at);
            if at < *last {
                self.fired.add("a message overtook another");
            }
            *last = at.max(*last);
        }
        carried
    }

    /// An RTP datagram.
    pub fn carry_rtp(&mut self, from: SocketAddr, to: SocketAddr) -> Carried {
        let mut carried = self.carry(from, to, self.rtp_weather);
        if self.is_cut_off(from, to) {
            carried.after.clear();
        }
        carried
    }

    fn carry(&mut self, from: SocketAddr, to: SocketAddr, weather: Weather) -> Carried {
        let unreachable = self.nat.iter().any(|(inside, _)| *inside == to.ip() && from.ip() == SWITCH.ip());
        let copies = 1 + usize::from(weather.duplicates > 0 && self.entropy.below(1_000) < weather.duplicates);
        let mut after = Vec::new();
        for _ in 0..copies {
            if weather.loss > 0 && self.entropy.below(1_000) < weather.loss {
                self.fired.add("a datagram was lost");
                continue;
            }
            let jitter = u64::try_from(weather.jitter.as_nanos()).unwrap_or(0);
            let extra = if jitter > 0 { self.entropy.below(jitter) } else { 0 };
            after.push(weather.delay + Duration::from_nanos(extra));
        }
        if unreachable {
            after.clear();
        }
        Carried { from: self.seen_as(from), to: self.behind(to), after }
    }
}

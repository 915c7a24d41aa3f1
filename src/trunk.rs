//! Trunks in both modes: `register` (we register there, RFC 3261 §10.2) and `peer` (known by source address, watched by
//! OPTIONS, RFC 3261 §11). Also what a trunk makes of numbers: the ones we dial, the ones it shows us.
//!
//! A trunk wants things (`poll_want`: a lookup, a request), hears what became of them (`located`, `response`), and
//! tells when its state has turned (`poll_turned`). The user agent answers digest challenges; what arrives here is
//! final.
//!
//! A peer with an address is up until two signs of life are missing. A registered trunk is up while its registration
//! lasts, unless it has stopped answering OPTIONS that it used to answer; then it is registered anew at once.

mod down;
mod identity;
mod mend;
mod probe;
mod registration;
mod source;
mod watch;

use crate::entropy::Entropy;
use crate::id::Name;
use crate::number;
use crate::settings::{self, Credentials, Settings, TrunkMode};
use crate::sip::flow::Flow;
use crate::sip::message::{Request, Response};
use crate::sip::user_agent::{Field, OutgoingRequest};
use crate::time::{Now, Tick};
use registration::{Ours, Registration};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use watch::{Beat, Watch};

pub use down::Down;
pub use identity::{caller, dialled};

/// How often a host is looked up again: providers move.
const LOOKUP_EVERY: Duration = Duration::from_secs(300);

/// What a request of a trunk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Registration, refresh or its removal.
    Register,
    /// A sign of life.
    Options,
}

/// What a trunk asks of the switch.
#[allow(clippy::large_enum_variant)] // A few a minute, taken at once: a box would buy nothing.
#[derive(Clone, Debug)]
pub enum Want {
    /// Where is this host? Answered by `located`, always.
    Locate {
        /// Which trunk.
        trunk: Name,
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Send this; answered by `response`, always.
    Request {
        /// Which trunk.
        trunk: Name,
        /// What.
        request: OutgoingRequest,
        /// What for.
        kind: Kind,
    },
}

impl Want {
    /// The same, with an answer that nobody waits for.
    fn of_nobody(mut self) -> Want {
        let (Want::Locate { trunk, .. } | Want::Request { trunk, .. }) = &mut self;
        *trunk = "".into();
        self
    }
}

/// A trunk's state has turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Calls may leave by it.
    Up,
    /// They may not; or they still may not, but for another reason.
    Down(Down),
}

/// A trunk as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// `registered`, `up` or `down`.
    pub word: &'static str,
    /// Why it is down, in plain words.
    pub reason: Option<String>,
    /// When it is tried again, refreshed or pinged.
    pub next: Option<Tick>,
}

/// Where a trunk is.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// Not known yet.
    Unknown,
    /// The name leads nowhere.
    Nowhere,
    /// Flows, in order.
    Known(Vec<Flow>),
}

/// The next lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Asked,
    At(Tick),
    /// No more.
    Over,
}

#[derive(Debug)]
struct Trunk {
    settings: settings::Trunk,
    place: Place,
    lookup: Lookup,
    watch: Watch,
    /// In register mode.
    registration: Option<Registration>,
    /// What `poll_turned` has said last.
    told: Option<Turned>,
}

/// All trunks.
#[derive(Debug)]
pub struct Trunks {
    trunks: Vec<Trunk>,
    public_address: Option<IpAddr>,
    country: Option<String>,
    entropy: Entropy,
    wants: VecDeque<Want>,
    turned: VecDeque<(Name, Turned)>,
}

impl Trunks {
    /// All trunks of the site; each wants its address found at once.
    pub fn new(settings: &Settings, now: Now, mut entropy: Entropy) -> Trunks {
        let trunks = settings.trunks.iter().map(|trunk| Trunk::new(trunk, now.tick, &mut entropy)).collect();
        let mut trunks = Trunks {
            trunks,
            public_address: settings.server.public_address,
            country: settings.system.default_country.clone(),
            entropy,
            wants: VecDeque::new(),
            turned: VecDeque::new(),
        };
        trunks.on_timeout(now);
        trunks
    }

    /// The site has changed. A trunk that is the same as before keeps its state; one that is gone, or lies elsewhere
    /// now, is left. The names of those that are left or begin.
    pub fn resettle(&mut self, settings: &Settings, now: Now) -> Vec<Name> {
        self.country.clone_from(&settings.system.default_country);
        let mut before = std::mem::take(&mut self.trunks);
        let mut touched = Vec::new();
        for new in &settings.trunks {
            let same = before.iter().position(|old| old.settings.name == new.name && old.settings.is_same_peer(new));
            let trunk = match same.map(|at| before.swap_remove(at)) {
                Some(old) => Trunk { settings: new.clone(), ..old },
                None => {
                    touched.push(new.name.clone());
                    Trunk::new(new, now.tick, &mut self.entropy)
                }
            };
            self.trunks.push(trunk);
        }
        for mut left in before {
            touched.push(left.settings.name.clone());
            if left.registration.as_mut().is_some_and(Registration::leave) {
                // What becomes of it is nobody's news: it is asked under no name.
                let farewell = left.register(Duration::ZERO).map(|want| want.of_nobody());
                self.wants.extend(farewell);
            }
        }
        self.on_timeout(now);
        touched
    }

    /// The instant of `next_timeout` has come.
    pub fn on_timeout(&mut self, now: Now) {
        for index in 0..self.trunks.len() {
            let trunk = &mut self.trunks[index];
            if matches!(trunk.lookup, Lookup::At(at) if at <= now.tick) {
                trunk.lookup = Lookup::Asked;
                self.wants.push_back(trunk.locate());
            }
            if let Some(expires) = trunk.registration.as_mut().and_then(|ours| ours.on_timeout(now.tick)) {
                self.wants.extend(trunk.register(expires));
            }
            if trunk.watch.on_timeout(now.tick) {
                self.wants.extend(trunk.ping(self.public_address));
            }
            self.settle(index);
        }
    }

    /// When `on_timeout` is wanted.
    pub fn next_timeout(&self) -> Option<Tick> {
        self.trunks.iter().filter_map(Trunk::next_timeout).min()
    }

    /// The next thing a trunk wants; ask after every call that takes `now`.
    pub fn poll_want(&mut self) -> Option<Want> {
        self.wants.pop_front()
    }

    /// The next trunk whose state has turned; ask after every call that takes `now`.
    pub fn poll_turned(&mut self) -> Option<(Name, Turned)> {
        self.turned.pop_front()
    }

    /// A `Want::Locate` is answered: flows to try, in order; empty when the name leads nowhere. A known address
    /// outlives a lookup that fails: an outage of DNS is not one of the trunk.
    pub fn located(&mut self, now: Now, trunk: &str, flows: Vec<Flow>) {
        let Some(index) = self.index(trunk) else { return };
        let trunk = &mut self.trunks[index];
        if trunk.lookup != Lookup::Over {
            let is_found = !flows.is_empty();
            let wait = if is_found { LOOKUP_EVERY } else { trunk.settings.retry.max(Duration::from_secs(1)) };
            trunk.lookup = Lookup::At(now.tick + wait);
            trunk.place_is(now.tick, flows);
        }
        self.on_timeout(now);
    }

    /// A `Want::Request` is answered; `None`: nobody did.
    pub fn response(&mut self, now: Now, trunk: &str, kind: Kind, response: Option<&Response>) {
        let Some(index) = self.index(trunk) else { return };
        let trunk = &mut self.trunks[index];
        match kind {
            Kind::Register => {
                let again = trunk.registered(now.tick, response, self.public_address, &mut self.entropy);
                self.wants.extend(again.and_then(|expires| trunk.register(expires)));
            }
            Kind::Options => trunk.pinged(now.tick, response),
        }
        if response.is_none() {
            trunk.look_up_again(now.tick);
        }
        self.on_timeout(now);
    }

    /// Where an INVITE by this trunk goes, in order, or why it cannot.
    pub fn dialable(&self, trunk: &str) -> Result<&[Flow], Down> {
        let trunk = self.find(trunk).ok_or(Down::Unknown)?;
        trunk.verdict().map(|()| trunk.flows())
    }

    /// The user part of the Request-URI for `number` (E.164 with `+`, or as routed): `number_format`, then
    /// `strip_digits`, then `prefix`.
    pub fn dialled_user(&self, trunk: &str, number: &str) -> String {
        let Some(trunk) = self.find(trunk) else { return number.to_owned() };
        let formatted = self.formatted(trunk, number);
        let kept: String = formatted.chars().skip(trunk.settings.strip_digits.into()).collect();
        format!("{}{kept}", trunk.settings.prefix)
    }

    /// The Request-URI for what `dialled_user` has made: its escapes are right, whatever was dialled.
    pub fn dialled_uri(&self, trunk: &str, user: &str) -> String {
        format!("sip:{}@{}", identity::escaped(user), self.uri_host(trunk))
    }

    /// Host and port of the trunk as URIs write them; the port is left out when it is 5060.
    pub fn uri_host(&self, trunk: &str) -> String {
        self.find(trunk).map(Trunk::uri_host).unwrap_or_default()
    }

    /// How our own `number` and `display` name are shown to this trunk on `flow`: display name and URI of From, and
    /// P-Asserted-Identity or Remote-Party-ID where it wants one. `anonymous` shows nothing.
    pub fn identity_fields(
        &self,
        trunk: &str,
        number: &str,
        display: &str,
        flow: Flow,
    ) -> ((String, String), Vec<Field>) {
        let ours = bracketed(&self.public_address.unwrap_or(flow.local.ip()).to_string());
        let Some(trunk) = self.find(trunk) else {
            return identity::fields(settings::IdentityHeader::From, false, number, display, &ours);
        };
        // A registrar knows us in its own domain only; a peer knows us by our address.
        let host = if trunk.registration.is_some() { bracketed(&trunk.settings.host) } else { ours };
        let (how, privacy) = (trunk.settings.identity_header, trunk.settings.privacy);
        identity::fields(how, privacy, &self.formatted(trunk, number), display, &host)
    }

    /// The user part of our Contact towards this trunk.
    pub fn contact_user(&self, trunk: &str) -> String {
        let registration = self.find(trunk).and_then(|trunk| trunk.registration.as_ref());
        registration.map_or_else(|| "ringback".to_owned(), |ours| ours.username.clone())
    }

    /// What answers this trunk's challenges.
    pub fn credentials(&self, trunk: &str) -> Option<Credentials> {
        let trunk = self.find(trunk)?;
        match &trunk.registration {
            Some(registration) => Some(registration.credentials.clone()),
            None => trunk.settings.credentials.clone(),
        }
    }

    /// Which number a call from this trunk has dialled: the user of the Request-URI, or of To where the former is only
    /// the Contact we have registered.
    pub fn dialled_by(&self, trunk: &str, request: &Request) -> String {
        match self.find(trunk).and_then(|trunk| trunk.registration.as_ref()) {
            Some(registration) => identity::dialled_at(request, &registration.username),
            None => dialled(request),
        }
    }

    /// A trunk as people see it; `None`: there is no such trunk.
    pub fn state(&self, trunk: &str) -> Option<State> {
        self.find(trunk).map(Trunk::state)
    }

    /// Looks up, registers and pings a trunk at once: somebody has mended something.
    pub fn hurry(&mut self, now: Now, trunk: &str) {
        if let Some(index) = self.index(trunk) {
            let trunk = &mut self.trunks[index];
            trunk.look_up_again(now.tick);
            if matches!(trunk.place, Place::Known(_)) {
                trunk.register_again(now.tick);
                trunk.watch.hurry(now.tick);
            }
            self.on_timeout(now);
        }
    }

    /// Every registration is removed (RFC 3261 §10.2.2), and nothing is asked for any more; when
    /// the last call has ended, since calls by registered trunks are not possible any more. Peers stay as they are.
    pub fn shut_down(&mut self, now: Now) {
        for trunk in &mut self.trunks {
            trunk.lookup = Lookup::Over;
            trunk.watch.end();
            if trunk.registration.as_mut().is_some_and(Registration::leave) {
                self.wants.extend(trunk.register(Duration::ZERO));
            }
        }
        self.on_timeout(now);
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.trunks.iter().position(|trunk| &*trunk.settings.name == name)
    }

    fn find(&self, name: &str) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| &*trunk.settings.name == name)
    }

    /// Only what is a number of the world is rewritten; extensions and service codes stay as they are.
    fn formatted(&self, trunk: &Trunk, number: &str) -> String {
        match number.strip_prefix('+') {
            Some(_) => number::written(number, trunk.settings.number_format, self.country.as_deref()),
            None => number.to_owned(),
        }
    }

    /// Tells what has turned, once. That a trunk begins is no news.
    fn settle(&mut self, index: usize) {
        let trunk = &mut self.trunks[index];
        let turned = match trunk.verdict() {
            Ok(()) => Turned::Up,
            Err(why) if why.is_beginning() && trunk.told != Some(Turned::Up) => return,
            Err(why) => Turned::Down(why),
        };
        if trunk.told != Some(turned) {
            trunk.told = Some(turned);
            self.turned.push_back((trunk.settings.name.clone(), turned));
        }
    }
}

impl Trunk {
    fn new(settings: &settings::Trunk, now: Tick, entropy: &mut Entropy) -> Trunk {
        let registration = match &settings.mode {
            TrunkMode::Peer => None,
            TrunkMode::Register { username, auth_user, password, realm, expires } => {
                let credentials =
                    Credentials { username: auth_user.clone(), password: password.clone(), realm: realm.clone() };
                Some(Registration::new(username, credentials, *expires, entropy))
            }
        };
        Trunk {
            settings: settings.clone(),
            place: Place::Unknown,
            lookup: Lookup::At(now),
            watch: Watch::new(settings.options_ping),
            registration,
            told: None,
        }
    }

    fn flows(&self) -> &[Flow] {
        match &self.place {
            Place::Known(flows) => flows,
            Place::Unknown | Place::Nowhere => &[],
        }
    }

    /// Whether calls may leave by it, or why not.
    fn verdict(&self) -> Result<(), Down> {
        match (&self.place, &self.registration) {
            (Place::Unknown, _) => Err(Down::Resolving),
            (Place::Nowhere, _) => Err(Down::NotFound),
            (Place::Known(_), None) => self.watch.state(),
            (Place::Known(_), Some(registration)) => registration.state().and_then(|()| self.watch.state_if_answered()),
        }
    }

    fn state(&self) -> State {
        let verdict = self.verdict();
        let word = match (&verdict, &self.registration) {
            (Ok(()), Some(_)) => "registered",
            (Ok(()), None) => "up",
            (Err(_), _) => "down",
        };
        let next = match (&self.place, &self.registration) {
            (Place::Known(_), Some(registration)) => registration.next_try(),
            (Place::Known(_), None) => self.watch.next_timeout(),
            (Place::Unknown | Place::Nowhere, _) => self.next_lookup(),
        };
        State { word, reason: verdict.err().map(|why| why.to_string()), next }
    }

    fn next_lookup(&self) -> Option<Tick> {
        match self.lookup {
            Lookup::At(at) => Some(at),
            Lookup::Asked | Lookup::Over => None,
        }
    }

    fn next_timeout(&self) -> Option<Tick> {
        let registration = self.registration.as_ref().and_then(Registration::next_timeout);
        self.next_lookup().into_iter().chain(registration).chain(self.watch.next_timeout()).min()
    }

    fn place_is(&mut self, now: Tick, flows: Vec<Flow>) {
        if flows.is_empty() {
            if self.place == Place::Unknown {
                self.place = Place::Nowhere;
            }
            return;
        }
        let has_moved = self.flows().first() != flows.first();
        self.place = Place::Known(flows);
        self.watch.begin(now);
        if has_moved {
            self.register_again(now); // A machine that has not heard of us yet.
        }
    }

    fn register_again(&mut self, now: Tick) {
        if let Some(registration) = &mut self.registration {
            registration.hurry(now);
        }
    }

    fn look_up_again(&mut self, now: Tick) {
        if let Lookup::At(_) = self.lookup {
            self.lookup = Lookup::At(now);
        }
    }

    /// A REGISTER has ended. The `Expires` of another one that follows at once.
    fn registered(
        &mut self,
        now: Tick,
        response: Option<&Response>,
        public_address: Option<IpAddr>,
        entropy: &mut Entropy,
    ) -> Option<Duration> {
        let flow = self.flows().first().copied();
        let registration = self.registration.as_mut()?;
        let ours = Ours::new(&registration.username, flow.as_ref(), public_address);
        let again = registration.on_response(now, response, &ours, self.settings.retry, entropy);
        if response.is_some_and(|response| (200..300).contains(&response.code())) && self.watch.state().is_err() {
            self.watch.disregard();
        }
        again
    }

    /// An OPTIONS has ended.
    fn pinged(&mut self, now: Tick, response: Option<&Response>) {
        match self.watch.on_response(now, response) {
            Beat::Died if self.watch.state_if_answered().is_err() => self.register_again(now),
            // It was restarted, perhaps, and has forgotten us.
            Beat::Revived => self.register_again(now),
            Beat::Died | Beat::Same => {}
        }
    }

    fn locate(&self) -> Want {
        let (host, port) = match &self.settings.proxy {
            Some(proxy) => split_host_port(proxy),
            None => (self.settings.host.clone(), self.settings.port),
        };
        Want::Locate { trunk: self.settings.name.clone(), host, port }
    }

    fn uri_host(&self) -> String {
        let host = bracketed(&self.settings.host);
        if self.settings.port == 5060 { host } else { format!("{host}:{}", self.settings.port) }
    }

    /// A REGISTER (RFC 3261 §10.2): the Request-URI names the domain, To and From our address of record.
    fn register(&mut self, expires: Duration) -> Option<Want> {
        let flows = self.flows().to_vec();
        let (uri, domain) = (format!("sip:{}", self.uri_host()), bracketed(&self.settings.host));
        let registration = self.registration.as_mut()?;
        let record = format!("sip:{}@{domain}", identity::escaped(&registration.username));
        let request = OutgoingRequest {
            method: rsip::Method::Register,
            flows,
            uri,
            to: record.clone(),
            from: (String::new(), record),
            contact_user: Some(registration.username.clone()),
            fields: vec![("Expires", expires.as_secs().to_string())],
            credentials: Some(registration.credentials.clone()),
            sequence: Some(registration.sequence()),
        };
        Some(Want::Request { trunk: self.settings.name.clone(), request, kind: Kind::Register })
    }

    /// An OPTIONS. No credentials: a challenge is a sign of life, too.
    fn ping(&self, public_address: Option<IpAddr>) -> Option<Want> {
        let flow = self.flows().first()?;
        let ours = bracketed(&public_address.unwrap_or(flow.local.ip()).to_string());
        let uri = format!("sip:{}", self.uri_host());
        let request = OutgoingRequest {
            method: rsip::Method::Options,
            flows: self.flows().to_vec(),
            uri: uri.clone(),
            to: uri,
            from: (String::new(), format!("sip:ringback@{ours}")),
            contact_user: Some("ringback".to_owned()),
            fields: vec![("Accept", "application/sdp".to_owned())],
            credentials: None,
            sequence: None,
        };
        Some(Want::Request { trunk: self.settings.name.clone(), request, kind: Kind::Options })
    }
}

/// A host as URIs write it: IPv6 in brackets.
fn bracketed(host: &str) -> String {
    if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() }
}

/// `host[:port]`, IPv6 with or without brackets; the port is 5060 when not written.
fn split_host_port(text: &str) -> (String, u16) {
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (bare(host), port),
            Err(_) => (bare(text), 5060),
        },
        Some(_) | None => (bare(text), 5060),
    }
}

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;

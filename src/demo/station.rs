//! A station: an endpoint and the people behind it. A desk phone has one person; a carrier has many, and perhaps a
//! registrar and a challenge of its own. The simulator and `ringback demo` drive the same stations.

use super::codec::Message;
use super::digest::Challenge;
use super::endpoint::{CallId, Config, Endpoint, Event, RtpTransmit, Transmit, number_of};
use super::person::{Deed, Person};
use crate::entropy::Entropy;
use crate::time::Tick;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// See the module.
#[derive(Debug)]
pub struct Station {
    /// What ladders call it.
    pub name: String,
    /// Its user agent.
    pub endpoint: Endpoint,
    /// Its people.
    pub people: Vec<Person>,
    /// What makes a carrier of it.
    pub carrier: Option<Carrier>,
    owners: BTreeMap<CallId, usize>,
    spoken_to: BTreeMap<CallId, u32>,
    told: VecDeque<Told>,
}

/// What a carrier asks of the switch.
#[derive(Debug, Default)]
pub struct Carrier {
    /// User and secret: INVITEs are challenged.
    pub asks_invites: Option<(String, String)>,
    /// So many INVITEs that answer its challenge do so too late for its nonce.
    pub stale_nonces: u32,
    /// User and secret of the registration; `None`: REGISTER is refused with 403.
    pub registrar: Option<(String, String)>,
    /// What becomes of REGISTERs, one after the other; then they are granted.
    pub moods: VecDeque<Mood>,
    /// The longest registration it grants.
    pub expires_max: u32,
    /// Registrations that were granted: Contact and seconds.
    pub registered: Option<(String, u32)>,
}

/// What becomes of one REGISTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// The usual digest.
    Normal,
    /// 423 with this Min-Expires.
    TooBrief(u32),
    /// This status.
    Refuse(u16),
    /// No answer.
    Silence,
}

/// Something happened to one of the people.
#[derive(Clone, Debug)]
pub struct Told {
    /// Index into `people`; `None` when it concerns the station itself.
    pub person: Option<usize>,
    /// What.
    pub event: Event,
}

const REALM: &str = "carrier.example";
const NONCE: &str = "carrier-nonce-1";
/// What it asks for once the other is stale.
const NEXT_NONCE: &str = "carrier-nonce-2";

impl Station {
    /// A desk phone and its person.
    pub fn phone(config: Config, person: Person, entropy: Entropy) -> Station {
        Station::with(person.name.clone(), Endpoint::new(config, entropy), vec![person], None)
    }

    /// A carrier with nobody behind it yet.
    pub fn carrier(name: &str, config: Config, entropy: Entropy) -> Station {
        let mut endpoint = Endpoint::new(config, entropy);
        endpoint.quirks.passes_requests_up = true;
        let carrier = Carrier { expires_max: 3_600, ..Carrier::default() };
        Station::with(name.to_owned(), endpoint, Vec::new(), Some(carrier))
    }

    fn with(name: String, endpoint: Endpoint, people: Vec<Person>, carrier: Option<Carrier>) -> Station {
        let (owners, spoken_to, told) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Station { name, endpoint, people, carrier, owners, spoken_to, told }
    }

    /// One of the people calls `number`.
    pub fn dial(&mut self, now: Tick, person: usize, number: &str) -> CallId {
        let call = if self.carrier.is_some() {
            let from = format!("sip:{}@{}", self.people[person].number, self.endpoint.config.local.ip());
            let mut said = vec![("P-Asserted-Identity", format!("<{from}>"))];
            if let Some(timer) = self.endpoint.quirks.session_timer {
                said.extend([("Supported", "timer".to_owned()), ("Session-Expires", timer.to_owned())]);
            }
            self.endpoint.dial(now, number, Some(&from), &said)
        } else {
            self.endpoint.dial(now, number, None, &[])
        };
        self.owns(person, call);
        call
    }

    /// One of the people calls, and the carrier says more in the INVITE.
    pub fn dial_saying(&mut self, now: Tick, person: usize, number: &str, more: &[(&str, String)]) -> CallId {
        let from = format!("sip:{}@{}", self.people[person].number, self.endpoint.config.local.ip());
        let call = self.endpoint.dial(now, number, Some(&from), more);
        self.owns(person, call);
        call
    }

    /// Somebody calls who does not say who he is (RFC 3323 §4.1.1.3).
    pub fn dial_withheld(&mut self, now: Tick, person: usize, number: &str) -> CallId {
        let call =
            self.endpoint.dial(now, number, Some("sip:anonymous@anonymous.invalid"), &[("Privacy", "id".to_owned())]);
        self.owns(person, call);
        call
    }

    fn owns(&mut self, person: usize, call: CallId) {
        self.owners.insert(call, person);
        if let Some(pitch) = self.people[person].pitch {
            self.endpoint.tune(call, pitch);
        }
    }

    /// Whose call it is.
    pub fn owner(&self, call: CallId) -> Option<usize> {
        self.owners.get(&call).copied()
    }

    /// The last call of a person that is still there.
    pub fn call_of(&self, person: usize) -> Option<CallId> {
        self.endpoint.calls().filter(|(id, _)| self.owners.get(id) == Some(&person)).map(|(id, _)| id).last()
    }

    /// Loses power and begins anew at `local`; whoever was on the phone is not any more.
    pub fn reboot(&mut self, local: SocketAddr) {
        let calls: Vec<CallId> = self.endpoint.calls().map(|(id, _)| id).collect();
        calls.into_iter().for_each(|call| self.people.iter_mut().for_each(|person| person.on_ended(call)));
        self.endpoint.reboot(local);
    }

    /// A SIP datagram has come.
    pub fn receive(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) {
        self.endpoint.receive(now, from, bytes);
        self.follow(now);
    }

    /// An RTP datagram has come.
    pub fn receive_rtp(&mut self, now: Tick, port: u16, bytes: &[u8]) {
        self.endpoint.receive_rtp(port, bytes);
        let calls: Vec<CallId> = self.endpoint.calls().map(|(id, _)| id).collect();
        for call in calls {
            let heard = self.endpoint.voice(call).map_or(0, |voice| voice.ear().heard.values().sum());
            if heard > self.spoken_to.get(&call).copied().unwrap_or(0) {
                self.spoken_to.insert(call, heard);
                self.on_voice(now, call);
            }
        }
    }

    /// A human voice is heard in this call.
    pub fn on_voice(&mut self, now: Tick, call: CallId) {
        if let Some(person) = self.owners.get(&call) {
            self.people[*person].on_voice(now, call);
        }
    }

    /// When `on_timeout` is wanted.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.people.iter().filter_map(Person::poll_timeout).chain(self.endpoint.poll_timeout()).min()
    }

    /// The instant of `poll_timeout` has come.
    pub fn on_timeout(&mut self, now: Tick) {
        self.endpoint.on_timeout(now);
        self.follow(now);
    }

    /// The next SIP datagram that leaves.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.endpoint.poll_transmit()
    }

    /// The next RTP datagram that leaves.
    pub fn poll_rtp(&mut self) -> Option<RtpTransmit> {
        self.endpoint.poll_rtp()
    }

    /// What happened, for timelines and scenarios.
    pub fn poll_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// A key press of a person; the world carries it when the endpoint has no RTP.
    pub fn press(&mut self, call: CallId, key: char) {
        if let Some(voice) = self.endpoint.voice(call) {
            voice.press(key);
        }
    }

    /// Deeds that are due: pressed keys are handed back, everything else is done.
    pub fn poll_press(&mut self, now: Tick) -> Option<(CallId, char)> {
        let mut pressed = None;
        while pressed.is_none() {
            let next = (0..self.people.len()).find_map(|at| Some((at, self.people[at].poll_deed(now)?)));
            let Some((person, (call, deed))) = next else { break };
            match deed {
                Deed::Ring { early } => self.endpoint.ring(now, call, early),
                Deed::Answer => {
                    self.endpoint.answer(now, call);
                    self.people[person].on_taken(now, call);
                }
                Deed::Refuse(status) => self.endpoint.refuse(now, call, status),
                Deed::HangUp => {
                    self.people[person].on_ended(call);
                    self.endpoint.hang_up(now, call);
                }
                Deed::Press(key) => {
                    self.press(call, key);
                    pressed = Some((call, key));
                }
            }
        }
        self.follow(now);
        pressed
    }

    fn follow(&mut self, now: Tick) {
        while let Some(event) = self.endpoint.poll_event() {
            let person = self.on_event(now, &event);
            self.told.push_back(Told { person, event });
        }
    }

    fn on_event(&mut self, now: Tick, event: &Event) -> Option<usize> {
        match event {
            Event::Incoming(call, request) => self.on_incoming(now, *call, request),
            Event::Answered(call) => {
                let person = self.owners.get(call).copied()?;
                self.people[person].on_answered(now, *call);
                Some(person)
            }
            Event::Refused(call, _) | Event::Ended(call, _) => {
                let person = self.owners.get(call).copied()?;
                self.people[person].on_ended(*call);
                Some(person)
            }
            Event::Asked(request, _) => {
                self.on_asked(now, request);
                None
            }
            Event::Progress(call, _)
            | Event::Confirmed(call)
            | Event::Changed(call, _)
            | Event::ChangeAnswered(call, _) => self.owners.get(call).copied(),
            Event::Registered(_) | Event::RegisterFailed(_) => None,
        }
    }

    fn on_incoming(&mut self, now: Tick, call: CallId, request: &Message) -> Option<usize> {
        if let Some(asked) = self.carrier.as_mut().and_then(|carrier| carrier.asks_of(request)) {
            self.endpoint.refuse_with(now, call, 407, &[("Proxy-Authenticate", asked)]);
            return None;
        }
        let number = number_of(request.uri());
        let person = match self.carrier {
            Some(_) => self.people.iter().position(|person| person.number == number),
            None => Some(0),
        };
        let Some(person) = person else {
            self.endpoint.refuse(now, call, 404);
            return None;
        };
        self.owns(person, call);
        self.people[person].on_ringing(now, call);
        Some(person)
    }

    fn on_asked(&mut self, now: Tick, request: &Message) {
        let Some(carrier) = &mut self.carrier else { return };
        if request.method() != "REGISTER" {
            return self.endpoint.respond(now, request, 501, &[]);
        }
        let Some((user, secret)) = carrier.registrar.clone() else {
            return self.endpoint.respond(now, request, 403, &[]);
        };
        let answered = request
            .header("Authorization")
            .is_some_and(|answer| challenge(NONCE).is_answered_by(answer, &user, &secret, "REGISTER"));
        match carrier.moods.pop_front().unwrap_or(Mood::Normal) {
            Mood::Silence => {}
            Mood::Refuse(status) => self.endpoint.respond(now, request, status, &[]),
            Mood::TooBrief(least) => {
                self.endpoint.respond(now, request, 423, &[("Min-Expires", least.to_string())]);
            }
            Mood::Normal if !answered => {
                self.endpoint.respond(now, request, 401, &[("WWW-Authenticate", asked(NONCE))]);
            }
            Mood::Normal => {
                let contact = request.header("Contact").unwrap_or("").to_owned();
                let wished = request.header("Expires").and_then(|text| text.parse().ok());
                let wished = super::codec::param(&contact, "expires").and_then(|text| text.parse().ok()).or(wished);
                let granted = wished.unwrap_or(carrier.expires_max).min(carrier.expires_max);
                let bound = super::codec::address(&contact).to_owned();
                carrier.registered = (granted > 0).then(|| (bound.clone(), granted));
                let value = format!("<{bound}>;expires={granted}");
                self.endpoint.respond(now, request, 200, &[("Contact", value)]);
            }
        }
    }
}

impl Carrier {
    /// The challenge that an INVITE has not answered, or has answered too late.
    fn asks_of(&mut self, invite: &Message) -> Option<String> {
        let (user, secret) = self.asks_invites.as_ref()?;
        let answer = invite.header("Proxy-Authorization").unwrap_or("");
        let answers = |nonce| challenge(nonce).is_answered_by(answer, user, secret, "INVITE");
        if answers(NONCE) && self.stale_nonces > 0 {
            self.stale_nonces -= 1;
            return Some(format!("{}, stale=true", asked(NEXT_NONCE)));
        }
        (!answers(NONCE) && !answers(NEXT_NONCE)).then(|| asked(NONCE))
    }
}

fn challenge(nonce: &str) -> Challenge {
    Challenge {
        realm: REALM.to_owned(),
        nonce: nonce.to_owned(),
        opaque: None,
        algorithm: "MD5".to_owned(),
        qop: true,
        stale: false,
    }
}

fn asked(nonce: &str) -> String {
    format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"")
}

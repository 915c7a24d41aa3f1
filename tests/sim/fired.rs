//! What has gone wrong in a world, counted where it truly did: at the datagram that was lost, the write that waited,
//! the answer that came after its CANCEL, the step of the switch at which it was killed. That something was drawn says
//! nothing.

use ringback::demo::codec::{self, Message};
use ringback::media;
use ringback::sip::message::Message as SwitchMessage;
use ringback::switch::{Input, Output};
use ringback::time::Tick;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often each fault has come about.
#[derive(Clone, Debug, Default)]
pub struct Fired(BTreeMap<String, u64>);

impl Fired {
    pub fn add(&mut self, what: &str) {
        self.times(what, 1);
    }

    pub fn times(&mut self, what: &str, times: usize) {
        if times == 0 {
            return;
        }
        match self.0.get_mut(what) {
            Some(before) => *before += times as u64,
            None => drop(self.0.insert(what.to_owned(), times as u64)),
        }
    }

    /// Everything that has come about.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

/// A step of the switch, an input or an output, that is its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doom {
    /// After so many.
    After(u64),
    /// The first of this kind.
    At(&'static str),
}

impl Doom {
    /// Whether it is this one, of this kind.
    pub fn is_now(&mut self, kind: &str) -> bool {
        match self {
            Doom::At(last) => *last == kind,
            Doom::After(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
        }
    }
}

/// The steps at which a day kills the switch in turn.
pub const STEPS: [&str; 18] = [
    "killed after a timer",
    "killed after a request",
    "killed after a response",
    "killed after a key",
    "killed after a clip",
    "killed after news of media",
    "killed after an acknowledged write",
    "killed after news of a recording",
    "killed after a command",
    "killed before an INVITE left",
    "killed before a BYE or CANCEL left",
    "killed before an answer left",
    "killed before another request left",
    "killed before a media command",
    "killed before a write",
    "killed before a reply",
    "killed before an event",
    "killed after news of the disk",
];

/// The step at which a switch is killed: this input is handled, and nothing of what it asked for is carried out.
pub fn input(input: &Input) -> &'static str {
    match input {
        Input::Timeout => "killed after a timer",
        Input::Sip(received) => match &received.message {
            Ok(SwitchMessage::Request(_)) => "killed after a request",
            Ok(SwitchMessage::Response(_)) => "killed after a response",
            Err(_) => "killed after what is no SIP",
        },
        Input::FlowLost(_) => "killed after a lost flow",
        Input::Located(..) => "killed after a lookup",
        Input::Media(_, media::Event::Digit { .. }) => "killed after a key",
        Input::Media(_, media::Event::Played { .. }) => "killed after a clip",
        Input::Media(..) => "killed after news of media",
        Input::Committed(..) => "killed after an acknowledged write",
        Input::Recorded(_) | Input::Erased(..) => "killed after news of a recording",
        Input::Space(_) => "killed after news of the disk",
        Input::Command(..) => "killed after a command",
    }
}

/// The same: what came before this output is carried out, it is not.
pub fn output(output: &Output) -> &'static str {
    match output {
        Output::Send(_, bytes) => match bytes.split(|byte| *byte == b' ').next() {
            Some(b"INVITE") => "killed before an INVITE left",
            Some(b"BYE" | b"CANCEL") => "killed before a BYE or CANCEL left",
            Some(b"SIP/2.0") => "killed before an answer left",
            _ => "killed before another request left",
        },
        Output::Locate(..) => "killed before a lookup",
        Output::Media(..) => "killed before a media command",
        Output::Commit(..) => "killed before a write",
        Output::Erase(_) => "killed before a deletion",
        Output::Reply(..) => "killed before a reply",
        Output::Publish(_) => "killed before an event",
    }
}

/// One INVITE session, as its faults are told from its messages.
#[derive(Debug, Default)]
struct Session {
    outgoing: bool,
    is_customer: bool,
    extension: String,
    begun: Option<Tick>,
    heard: bool,
    over: bool,
    signed: bool,
    ringing: BTreeSet<String>,
    answers: BTreeSet<String>,
    early: bool,
    cancelled: bool,
    up: Option<Tick>,
    byes: [Option<Tick>; 2],
    /// CSeq numbers of re-INVITEs without final response: theirs, ours.
    changes: [Option<u32>; 2],
}

/// See `Fired`: what is told from the messages that leave the switch and reach it.
#[derive(Debug, Default)]
pub struct Wire {
    sessions: BTreeMap<String, Session>,
    /// Those in which a re-INVITE of ours has no answer yet.
    pub changing: BTreeSet<String>,
}

/// Whom an INVITE asks for.
fn extension_of(invite: &Message) -> String {
    codec::user(invite.uri()).to_owned()
}

/// What leaves so soon after something from the other side did not know of it.
const CROSSING: Duration = Duration::from_millis(200);

impl Wire {
    /// A message of an INVITE session left the switch, or reached it.
    pub fn on_sip(&mut self, now: Tick, outgoing: bool, is_customer: bool, message: &Message, fired: &mut Fired) {
        let (number, method) = message.cseq();
        let (number, method, status) = (number, method.to_owned(), message.status());
        let is_new = method == "INVITE" && status.is_none() && message.to_tag().is_none();
        if !is_new && !self.sessions.contains_key(message.call_id()) {
            return;
        }
        if is_new {
            let is_known = self.sessions.contains_key(message.call_id());
            if outgoing && !is_known && !is_customer && self.rings_elsewhere(message) {
                fired.add("two phones of one agent ring");
            }
            self.sessions.entry(message.call_id().to_owned()).or_default().begin(now, outgoing, is_customer, message);
            return;
        }
        let session = self.sessions.get_mut(message.call_id()).expect("it is there");
        match (status, method.as_str()) {
            (Some(status), "INVITE") if message.to_tag().is_some() || status != 100 => {
                session.on_answer(now, outgoing, status, number, message, fired);
                if session.changes[1].is_none() {
                    self.changing.remove(message.call_id());
                }
            }
            (Some(status @ 300..), "BYE" | "UPDATE") if !outgoing => {
                fired.add(&format!("a {method} of ours gets {status}"));
            }
            (None, "INVITE") => {
                if session.byes.iter().flatten().any(|at| now.since(*at) < CROSSING) {
                    fired.add("BYE and re-INVITE cross");
                }
                session.changes[usize::from(outgoing)] = Some(number);
                if outgoing {
                    self.changing.insert(message.call_id().to_owned());
                }
            }
            (None, "CANCEL") if !session.cancelled => {
                session.cancelled = true;
                if !outgoing {
                    fired.add("a caller cancels");
                }
            }
            (None, "BYE") => {
                session.on_bye(now, outgoing, fired);
                self.changing.remove(message.call_id());
            }
            _ => session.heard |= !outgoing,
        }
    }

    fn rings_elsewhere(&self, invite: &Message) -> bool {
        let extension = extension_of(invite);
        let rings = |it: &Session| it.outgoing && it.up.is_none() && !it.over && !it.cancelled && !it.is_customer;
        self.sessions.values().any(|it| rings(it) && it.extension == extension)
    }

    /// Nobody hears from the switch any more.
    pub fn on_crash(&mut self) {
        self.sessions.clear();
        self.changing.clear();
    }

    /// The day is over: who has never said anything.
    pub fn count_silent(&self, now: Tick, fired: &mut Fired) {
        for it in self.sessions.values().filter(|it| it.outgoing && !it.heard) {
            let dead = it.begun.is_some_and(|at| now.since(at) >= Duration::from_secs(32));
            if dead {
                fired.add(if it.is_customer { "a carrier never answered" } else { "a phone never answered" });
            }
        }
    }
}

impl Session {
    fn begin(&mut self, now: Tick, outgoing: bool, is_customer: bool, invite: &Message) {
        (self.outgoing, self.begun) = (outgoing, self.begun.or(Some(now)));
        self.signed = invite.header("Proxy-Authorization").is_some() || invite.header("Authorization").is_some();
        (self.is_customer, self.extension) = (is_customer, extension_of(invite));
    }

    fn side(&self) -> &'static str {
        if self.is_customer { "carrier" } else { "phone" }
    }

    fn on_answer(
        &mut self,
        now: Tick,
        outgoing: bool,
        status: u16,
        number: u32,
        response: &Message,
        fired: &mut Fired,
    ) {
        self.heard |= !outgoing;
        let side = self.side();
        if self.changes[usize::from(!outgoing)] == Some(number) && self.up.is_some() {
            if status >= 200 {
                self.changes[usize::from(!outgoing)] = None;
            }
            match status {
                491 => fired.add("re-INVITEs cross: 491"),
                300.. if !outgoing => fired.add(&format!("{side}: our re-INVITE is refused")),
                _ => {} // Taken.
            }
            return;
        }
        let tag = response.to_tag().unwrap_or("").to_owned();
        match status {
            101..=199 if !outgoing => {
                if status == 180 && self.early {
                    fired.add("carrier: 183, then 180");
                }
                self.early |= status == 183;
                self.ringing.insert(tag);
                if self.ringing.len() > 1 {
                    fired.add("carrier: forked ringing");
                }
            }
            200..=299 => {
                if !outgoing && self.cancelled && self.answers.is_empty() {
                    fired.add(&format!("{side}: 200 after CANCEL"));
                }
                self.answers.insert(tag);
                if !outgoing && self.answers.len() > 1 {
                    fired.add("carrier: forked answer");
                }
                self.up = self.up.or(Some(now));
            }
            300.. if !outgoing => {
                let stale = ["Proxy-Authenticate", "WWW-Authenticate"].into_iter().filter_map(|it| response.header(it));
                let is_stale = stale.into_iter().any(|value| value.to_lowercase().contains("stale=true"));
                if is_stale && self.signed {
                    fired.add("carrier: 407 with a stale nonce");
                }
                self.over |= !matches!(status, 401 | 407);
                fired.add(&format!("{side}: {status}"));
            }
            _ => {} // What we say of theirs.
        }
    }

    fn on_bye(&mut self, now: Tick, outgoing: bool, fired: &mut Fired) {
        if self.byes[usize::from(outgoing)].is_some() {
            return;
        }
        self.byes[usize::from(outgoing)] = Some(now);
        if self.byes[usize::from(!outgoing)].is_some_and(|at| now.since(at) < CROSSING) && !self.over {
            fired.add("both sides hang up at once");
        }
        let side = self.side();
        if !outgoing {
            if self.changes.iter().any(Option::is_some) {
                fired.add("BYE and re-INVITE cross");
            }
            if self.up.is_some_and(|at| now.since(at) < Duration::from_secs(1)) {
                fired.add(&format!("{side}: answered and gone within a second"));
            }
        }
    }
}

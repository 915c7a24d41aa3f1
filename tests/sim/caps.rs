//! Law 2, the caps that hold at every instant: no trunk that is dialled carries more calls than it may, and within no
//! sixty seconds do more callbacks begin than the site allows. Told from what is on the wire and on its way to the
//! disk.

use super::disk::Disk;
use super::fired::Fired;
use super::site::CARRIER;
use ringback::callback::task::Attempt;
use ringback::demo::codec::Message;
use ringback::id::{AttemptId, Name, ReplyTo};
use ringback::settings::Settings;
use ringback::switch::command::{Command, Reply};
use ringback::time::Tick;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub struct Caps {
    /// How many calls each trunk carries at most.
    trunks: BTreeMap<IpAddr, (Name, usize)>,
    calls: BTreeMap<String, Carried>,
    /// Calls that have ended, and their newest INVITE: a late copy of it begins none.
    over: BTreeMap<String, u32>,
    per_minute: usize,
    starts: VecDeque<(Tick, AttemptId)>,
    /// When the wall clock was set last.
    jumped: Option<Tick>,
    /// Editions of the site that have no answer yet.
    told: BTreeMap<ReplyTo, Arc<Settings>>,
}

/// A call on a trunk.
struct Carried {
    trunk: IpAddr,
    outgoing: bool,
    cseq: u32,
    begun: Tick,
    heard: bool,
    is_up: bool,
    /// Our 200 has no ACK yet: the switch may have hung up, and its BYE waits for that (RFC 3261 §15).
    unacknowledged: bool,
}

const MINUTE: Duration = Duration::from_secs(60);
/// A step of the wall clock of less than two seconds is taken for none.
const UNNOTICED: Duration = Duration::from_secs(2);
/// An INVITE to which nothing has come back for so long is on no line: the switch may have given it up, and cannot
/// CANCEL it (RFC 3261 §9.1).
const DEAD: Duration = Duration::from_secs(4);

impl Caps {
    pub fn new(settings: &Settings) -> Caps {
        let mut caps = Caps {
            trunks: BTreeMap::new(),
            calls: BTreeMap::new(),
            over: BTreeMap::new(),
            per_minute: 0,
            starts: VecDeque::new(),
            jumped: None,
            told: BTreeMap::new(),
        };
        caps.on_edition(settings);
        caps
    }

    fn on_edition(&mut self, settings: &Settings) {
        let trunks = settings.trunks.iter().map(|trunk| {
            let host = trunk.host.parse().unwrap_or(CARRIER.ip()); // The only name that is looked up.
            (host, (trunk.name.clone(), trunk.max_calls as usize))
        });
        self.trunks = trunks.collect();
        self.per_minute = settings.system.max_originates_per_min as usize;
    }

    /// A command that may bring another edition, which holds from its reply on.
    pub fn on_command(&mut self, to: ReplyTo, command: &Command) {
        if let Command::Configure(configure) = command {
            self.told.insert(to, configure.settings.clone());
        }
    }

    pub fn on_reply(&mut self, to: ReplyTo, reply: &Reply) {
        if let (Some(settings), Reply::Stored) = (self.told.remove(&to), reply) {
            self.on_edition(&settings);
        }
    }

    /// The switch is gone, and whatever of it the disk has not.
    pub fn on_crash(&mut self, disk: &Disk) {
        self.calls.clear();
        self.told.clear();
        self.starts.retain(|(_, attempt)| disk.attempts.contains_key(attempt));
    }

    /// Another life, with this site. What it knows of the last minute are hours of a wall clock.
    pub fn on_start(&mut self, now: Tick, settings: &Settings) {
        self.on_edition(settings);
        if self.jumped.is_some_and(|at| now.since(at) < MINUTE) {
            self.starts.clear();
        }
    }

    pub fn on_clock_set(&mut self, now: Tick) {
        self.jumped = Some(now);
    }

    /// A SIP message left the switch (`outgoing`) or reached it.
    pub fn on_sip(&mut self, now: Tick, outgoing: bool, peer: SocketAddr, message: &Message, fired: &mut Fired) {
        if !self.trunks.contains_key(&peer.ip()) {
            return;
        }
        let call_id = message.call_id();
        match (message.status(), message.cseq().1) {
            (None, "INVITE") => self.on_invite(now, outgoing, peer.ip(), message, fired),
            (None, "BYE" | "CANCEL") => self.end(call_id),
            (None, "ACK") if !outgoing => {
                self.calls.entry(call_id.to_owned()).and_modify(|call| call.unacknowledged = false);
            }
            (Some(status), "INVITE") => {
                let Some(call) = self.calls.get_mut(call_id) else { return };
                call.heard |= !outgoing;
                match status {
                    200..=299 => (call.is_up, call.unacknowledged) = (true, outgoing),
                    300.. if !call.is_up => self.end(call_id),
                    _ => {} // Provisional, or a refused change of a call that goes on (§14.1).
                }
            }
            _ => {} // Begins and ends no call.
        }
    }

    fn end(&mut self, call_id: &str) {
        if let Some(call) = self.calls.remove(call_id) {
            self.over.insert(call_id.to_owned(), call.cseq);
        }
    }

    fn on_invite(&mut self, now: Tick, outgoing: bool, trunk: IpAddr, invite: &Message, fired: &mut Fired) {
        let is_new = invite.to_tag().is_none();
        let cseq = invite.cseq().0;
        if let Some(call) = self.calls.get_mut(invite.call_id()) {
            call.cseq = call.cseq.max(cseq);
            return;
        }
        let is_copy = self.over.get(invite.call_id()).is_some_and(|newest| cseq <= *newest);
        if is_copy || !outgoing && !is_new {
            return;
        }
        if outgoing && is_new {
            let (name, most) = &self.trunks[&trunk];
            let load = self.load(now, trunk);
            assert!(load < *most, "law 2: {name} carries {load} calls, {most} at most, and is dialled");
            if load + 1 == *most {
                fired.add("a trunk has all the calls that it may have");
            }
            if self.trunks.iter().any(|(other, (_, most))| *other != trunk && self.load(now, *other) >= *most) {
                fired.add("a full trunk is gone round");
            }
        }
        // In a dialog: a later life goes on with the call.
        let carried =
            Carried { trunk, outgoing, cseq, begun: now, heard: false, is_up: !is_new, unacknowledged: false };
        self.calls.insert(invite.call_id().to_owned(), carried);
    }

    fn load(&self, now: Tick, trunk: IpAddr) -> usize {
        let is_dead = |it: &Carried| it.outgoing && !it.heard && now.since(it.begun) >= DEAD;
        self.calls.values().filter(|it| it.trunk == trunk && !it.unacknowledged && !is_dead(it)).count()
    }

    /// An attempt begins.
    pub fn on_attempt(&mut self, now: Tick, attempt: &Attempt, fired: &mut Fired) {
        let most = self.per_minute;
        let is_unsure = self.jumped.is_some_and(|at| now.since(at) <= MINUTE + UNNOTICED);
        let long = if is_unsure { MINUTE - UNNOTICED } else { MINUTE };
        self.starts.retain(|(at, _)| now.since(*at) < MINUTE + UNNOTICED);
        let within = self.starts.iter().filter(|(at, _)| now.since(*at) < long).count();
        let number = &attempt.number;
        assert!(within < most, "law 2: {number} is tried as one of {} within a minute, {most} at most", within + 1);
        if within + 1 == most {
            fired.add("all callbacks of a minute have begun");
        }
        let has_waited = self.starts.iter().any(|(at, _)| (MINUTE..MINUTE + UNNOTICED).contains(&now.since(*at)));
        if has_waited && within + 1 == most {
            fired.add("a callback waits for the next minute");
        }
        self.starts.push_back((now, attempt.id));
    }
}

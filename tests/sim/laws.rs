//! The laws of the switch, watched from outside: from what it sends, stores and plays. A broken law is a panic.

use super::alike::{ends_alike, first_line, is_extension, same_number};
use super::disk::Disk;
use super::fired::{Fired, Wire};
use super::order::Order;
use super::site::{CARRIER, PHONES, SPARE};
use super::tries::Tries;
use chrono::TimeDelta;
use ringback::callback::task::{Attempt, AttemptKind, Outcome, Source, Task, TaskState};
use ringback::demo::codec::{self, Message};
use ringback::demo::endpoint::Call;
use ringback::id::{Name, TaskId};
use ringback::media::{Command, Play};
use ringback::number::Party;
use ringback::settings::{FirstParty, Settings};
use ringback::switch::event::Event;
use ringback::switch::{Books, Change, Restored, Switch, Table};
use ringback::time::{DateTime, Tick, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Who is at the other end of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The extension.
    Agent(String),
    /// The number.
    Customer(String),
}

/// An INVITE session as it looks on the wire.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub peer: Peer,
    /// The switch has begun it.
    pub outgoing: bool,
    /// One phone called another, or itself dialled out.
    pub dialled: String,
    pub state: Stage,
    /// Of the newest INVITE: with credentials it is another one.
    cseq: u32,
    /// The first INVITE, which may have been asked for credentials.
    begun: Tick,
    /// The first copy of the newest INVITE, and whether anything ever came back.
    pub invited: Tick,
    pub heard_of: bool,
    /// The answer to an INVITE of the peer is not acknowledged yet: until then no BYE leaves (RFC 3261 §15).
    changing: bool,
    /// Our answer to the peer's first INVITE is.
    acked: bool,
    /// Since when it is, or was, and when that was acknowledged.
    changed: (Tick, Tick),
    /// The first copy of its CANCEL.
    pub cancelled: Option<Tick>,
    /// It belongs to a life of the switch that is over.
    pub stale: bool,
    /// While it lasted its line went.
    unlined: bool,
    /// It was joined with another: only after a talk there is a rest.
    talked: bool,
    from_extension: bool,
    /// Whom it says it is from.
    pub shown: String,
}

impl Dialog {
    pub fn has_talked(&self) -> bool {
        self.talked
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Inviting,
    Up,
    Over,
}

/// See the module.
pub struct Laws {
    /// The wall clock of what happens now.
    pub utc: DateTime<Utc>,
    pub dialogs: BTreeMap<String, Dialog>,
    promised: BTreeSet<TaskId>,
    spoken: usize,
    finals: BTreeMap<(String, String), BTreeSet<u16>>,
    paused: BTreeSet<String>,
    registered: BTreeMap<String, BTreeSet<String>>,
    rest_until: BTreeMap<String, Tick>,
    wrap_up: Duration,
    tries: Tries,
    customer_first: bool,
    extensions: BTreeMap<String, String>,
    order: Order,
    /// Lines of each extension that has more than one.
    max_calls: BTreeMap<String, usize>,
    /// Customers' legs whose agent has gone, and until when they may still be there.
    orphans: BTreeMap<String, Tick>,
    /// S5.12: nothing is dialled for anybody.
    frozen: bool,
    /// The first line: who talks for a line that is gone has no rest from it.
    line: String,
    /// What has gone wrong, none of which excuses the switch.
    pub fired: Fired,
    pub kills: usize,
    /// As they were compared last: the switch's and the disk's.
    books: (Books, Books),
    pub wire: Wire,
}

impl Laws {
    pub fn new(settings: &Settings) -> Laws {
        Laws {
            utc: DateTime::UNIX_EPOCH,
            dialogs: BTreeMap::new(),
            promised: BTreeSet::new(),
            spoken: 0,
            finals: BTreeMap::new(),
            paused: BTreeSet::new(),
            registered: BTreeMap::new(),
            rest_until: BTreeMap::new(),
            wrap_up: settings.queues.first().map_or(Duration::ZERO, |queue| queue.wrap_up),
            tries: Tries::of(settings),
            customer_first: settings.profiles.iter().any(|profile| profile.first_party == FirstParty::Customer),
            order: Order::new(settings),
            orphans: BTreeMap::new(),
            frozen: settings.system.frozen,
            line: first_line(settings),
            fired: Fired::default(),
            kills: 0,
            books: (Books::default(), Books::default()),
            wire: Wire::default(),
            max_calls: settings
                .agents
                .iter()
                .map(|agent| (agent.extension.to_string(), usize::from(agent.max_calls)))
                .collect(),
            extensions: PHONES
                .iter()
                .map(|(name, extension, ..)| ((*name).to_owned(), (*extension).to_owned()))
                .chain(settings.agents.iter().map(|agent| (agent.name.to_string(), agent.extension.to_string())))
                .collect(),
        }
    }

    /// The switch is gone; what it had begun is nobody's now.
    pub fn on_crash(&mut self) {
        self.kills += 1;
        self.dialogs.values_mut().for_each(|dialog| (dialog.stale, dialog.talked) = (true, false));
        self.rest_until.clear();
        self.order.on_crash();
        self.orphans.clear();
        self.finals.clear();
        self.wire.on_crash();
    }

    /// Nobody does anything any more: what has never been answered is known.
    pub fn count_silent(&mut self, now: Tick) {
        self.wire.count_silent(now, &mut self.fired);
    }

    /// A SIP message left the switch (`outgoing`) or reached it; `peer` is the address at the other end.
    pub fn on_sip(&mut self, now: Tick, outgoing: bool, peer: SocketAddr, message: &Message, disk: &Disk) {
        self.wire.on_sip(now, outgoing, is_carrier(peer), message, &mut self.fired);
        if message.cseq().1 == "INVITE" && message.status().is_none() && message.to_tag().is_none() {
            return self.on_invite(now, outgoing, peer, message, disk);
        }
        if let (None, "INVITE", true, Some(dialog)) =
            (message.status(), message.method(), outgoing, self.dialogs.get_mut(message.call_id()))
        {
            dialog.stale &= dialog.state != Stage::Up; // A later life goes on with it.
        }
        if let (None, false, Some(dialog)) = (message.status(), outgoing, self.dialogs.get_mut(message.call_id())) {
            match message.method() {
                "INVITE" if !dialog.changing => (dialog.changing, dialog.changed.0) = (true, now),
                "ACK" if dialog.changing => (dialog.changing, dialog.changed.1) = (false, now),
                "ACK" => dialog.acked = true,
                _ => {} // Changes nothing.
            }
        }
        if let (Some(status), "INVITE") = (message.status(), message.cseq().1) {
            self.on_invite_response(outgoing, status, message);
        }
        if message.method() == "CANCEL"
            && message.status().is_none()
            && let Some(dialog) = self.dialogs.get_mut(message.call_id())
        {
            dialog.cancelled = dialog.cancelled.or(Some(now));
        }
        if message.method() == "BYE" && message.status().is_none() {
            self.end(now, message.call_id(), disk);
        }
    }

    /// Law 3: no customer's leg outlives the agent's in silence.
    pub fn on_time(&mut self, now: Tick) {
        let dialogs = &self.dialogs;
        self.orphans.retain(|call_id, until| {
            // Nothing can be cancelled that has not been heard of (RFC 3261 §9.1); its moment begins then.
            let still = |it: &Dialog| it.state != Stage::Over && it.cancelled.is_none() && !it.stale;
            let Some(dialog) = dialogs.get(call_id).filter(|it| still(it)) else { return false };
            if !dialog.heard_of {
                *until = (*until).max(now + Duration::from_secs(1));
            }
            true
        });
        let late = self.orphans.iter().find(|(_, until)| **until <= now);
        assert!(late.is_none(), "law 3: a customer is left on the line without an agent: {late:?}");
    }

    fn on_invite(&mut self, now: Tick, outgoing: bool, peer: SocketAddr, invite: &Message, disk: &Disk) {
        let from = codec::user(codec::address(invite.header("From").unwrap_or(""))).to_owned();
        let to = codec::user(invite.uri()).to_owned();
        let far = if outgoing { to.clone() } else { from.clone() };
        let party = if is_carrier(peer) { Peer::Customer(far) } else { Peer::Agent(far) };
        let known = self.dialogs.get(invite.call_id()).is_some_and(|dialog| dialog.state != Stage::Over);
        let is_copy = |it: &Dialog| match outgoing {
            true => it.outgoing && !it.stale && invite.cseq().0 == it.cseq, // Nothing that the far end said came here.
            false => invite.cseq().0 <= it.cseq,                            // The network was late with it.
        };
        if self.dialogs.get(invite.call_id()).is_some_and(|it| it.state == Stage::Over && is_copy(it)) {
            return; // Its call is over.
        }
        let from_extension = self.extensions.values().any(|extension| *extension == from);
        // With credentials it is the same request once more (RFC 3261 §22.2).
        let begun = self.dialogs.get(invite.call_id()).filter(|it| it.outgoing && !it.stale).map_or(now, |it| it.begun);
        let dialog = Dialog {
            peer: party.clone(),
            outgoing,
            dialled: to,
            state: Stage::Inviting,
            cseq: invite.cseq().0,
            begun,
            invited: now,
            heard_of: false,
            acked: false,
            changing: false,
            changed: (Tick::ZERO, Tick::ZERO),
            cancelled: None,
            stale: false,
            unlined: false,
            talked: false,
            from_extension,
            shown: from.clone(),
        };
        if outgoing && !known {
            match &party {
                Peer::Customer(number) => self.before_customer(now, begun, number, invite, disk),
                Peer::Agent(extension) if !from_extension => {
                    self.before_agent(now, extension, &from, invite, disk);
                    let rings = self.live(now).filter(|(_, it)| it.outgoing && matches!(it.peer, Peer::Agent(_)));
                    let rung: BTreeSet<&str> = rings.map(|(_, dialog)| dialog.shown.as_str()).collect();
                    // An agent is reserved for a callback before his phone rings: by a commit, by a customer's answer.
                    let mut open = disk.attempts.values().filter(|attempt| attempt.outcome.is_none());
                    let loaded = open.find(|it| same_number(&it.number, &from)).map(|attempt| attempt.loaded_at);
                    let ago =
                        loaded.and_then(|at| self.utc.signed_duration_since(at).to_std().ok()).unwrap_or_default();
                    let ago = ago.min(now.since(Tick::ZERO));
                    let decided = Tick::ZERO + (now.since(Tick::ZERO) - ago);
                    // Where the customer is called first, his place was looked at when he was.
                    if !(self.customer_first && loaded.is_some()) {
                        let here = self.live(now).filter_map(|(_, dialog)| match &dialog.peer {
                            Peer::Customer(number) => Some(number.as_str()),
                            Peer::Agent(_) => None,
                        });
                        let engaged: BTreeSet<&str> = rung.into_iter().chain(here).collect();
                        self.order.before_agent((decided, self.utc), extension, &from, &engaged, disk);
                    }
                }
                Peer::Agent(_) => {}
            }
        }
        match self.dialogs.get_mut(invite.call_id()).filter(|_| known) {
            Some(known) => known.cseq = known.cseq.max(invite.cseq().0),
            None => drop(self.dialogs.insert(invite.call_id().to_owned(), dialog)),
        }
    }

    /// Laws 1, 2 and 3, at the instant an INVITE leaves for a customer. Who has rung in since it has `begun` has
    /// crossed it.
    fn before_customer(&self, now: Tick, begun: Tick, number: &str, invite: &Message, disk: &Disk) {
        let second = self.live(now).find(|(id, it)| {
            let is_his = it.peer == Peer::Customer(number.to_owned()) && id.as_str() != invite.call_id();
            is_his && (it.outgoing || it.invited < begun || begun == now)
        });
        assert!(second.is_none(), "law 2: {number} is rung while another leg of his is live: {second:?}");
        let attempt = disk.attempts.values().find(|it| it.outcome.is_none() && same_number(&it.number, number));
        let by_hand = self.live(now).any(|(_, dialog)| {
            matches!(dialog.peer, Peer::Agent(_)) && !dialog.outgoing && ends_alike(&dialog.dialled, number)
        });
        let Some(attempt) = attempt else {
            assert!(by_hand, "law 1: {number} is rung though no attempt is on the disk and no phone dialled him");
            return;
        };
        // The exceptions: nobody but the customer, or he first.
        if attempt.kind == AttemptKind::ClientOffer || self.customer_first {
            return;
        }
        let theirs = attempt.agent_legs.iter().filter_map(|leg| leg.dialog.as_ref());
        let named: Vec<&String> = theirs.map(|dialog| &dialog.call_id).collect();
        let agent_talks = self.live(now).any(|(id, dialog)| {
            let is_agent = matches!(dialog.peer, Peer::Agent(_)) && dialog.outgoing;
            is_agent && dialog.state == Stage::Up && (named.is_empty() || named.contains(&id))
        });
        assert!(agent_talks || by_hand, "law 3: {number} is rung without an agent who has answered");
    }

    /// Laws 1 and 5, at the instant an INVITE leaves for an agent (other than from another phone).
    fn before_agent(&self, now: Tick, extension: &str, shown: &str, invite: &Message, disk: &Disk) {
        let mine = Peer::Agent(extension.to_owned());
        let busy = self.live(now).filter(|(id, it)| {
            // What he has called and heard to its end cannot be hung up before his ACK (RFC 3261 §15).
            let on_the_phone =
                if it.outgoing { it.state == Stage::Up } else { it.acked || it.state == Stage::Inviting };
            it.peer == mine && id.as_str() != invite.call_id() && on_the_phone && !it.changing
        });
        let busy: Vec<_> = busy.collect();
        let most = self.max_calls.get(extension).copied().unwrap_or(1);
        assert!(busy.len() < most, "law 5: {extension} is rung while on the phone: {busy:?}");
        assert!(!self.paused.contains(extension), "law 5: {extension} is rung while paused");
        let rests = self.rest_until.get(extension).is_some_and(|until| *until > now);
        assert!(!rests, "law 5: {extension} is rung in wrap-up");
        let reachable = self.registered.get(extension).is_some_and(|contacts| !contacts.is_empty());
        assert!(reachable, "law 5: {extension} is rung though not registered");
        let unstored = disk.pending.iter().flat_map(|(_, changes)| changes).any(|change| match change {
            Change::PutAttempt(attempt) => {
                let is_new = attempt.outcome.is_none() && !disk.attempts.contains_key(&attempt.id);
                is_new && same_number(&attempt.number, shown)
            }
            _ => false, // Only an attempt says whom it is for.
        });
        let calls_in = self.live(now).any(|(_, it)| !it.outgoing && it.peer == Peer::Customer(shown.to_owned()));
        assert!(!unstored || calls_in, "law 1: {extension} is rung for an attempt that is not on the disk");
    }

    /// An INVITE to which nothing came back is dead after timer B (RFC 3261 §17.1.1.2).
    pub fn live(&self, now: Tick) -> impl Iterator<Item = (&String, &Dialog)> {
        self.dialogs.iter().filter(move |(_, dialog)| {
            let unheard = !dialog.heard_of && now.since(dialog.invited) >= Duration::from_secs(32);
            // And one whose CANCEL got no answer is given up as long after it (§9.1).
            let abandoned = dialog.cancelled.is_some_and(|at| now.since(at) >= Duration::from_secs(32));
            dialog.state != Stage::Over && !dialog.stale && !unheard && !abandoned
        })
    }

    fn on_invite_response(&mut self, outgoing: bool, status: u16, response: &Message) {
        if outgoing && status >= 200 {
            let key = (response.branch().to_owned(), response.call_id().to_owned());
            let finals = self.finals.entry(key).or_default();
            finals.insert(status);
            assert!(finals.len() == 1, "law 7: one INVITE got the final responses {finals:?}");
        }
        let Some(dialog) = self.dialogs.get_mut(response.call_id()) else { return };
        if response.cseq().0 < dialog.cseq {
            return;
        }
        dialog.heard_of = true;
        match status {
            200..=299 if dialog.state == Stage::Inviting => {
                dialog.state = Stage::Up;
                dialog.changing |= !dialog.outgoing;
            }
            // A refused re-INVITE ends nothing (RFC 3261 §14.1).
            300.. if dialog.state == Stage::Inviting => {
                dialog.state = Stage::Over;
                if let Peer::Agent(extension) = &dialog.peer {
                    self.order.on_refused(extension, &dialog.shown);
                }
            }
            _ => {} // Provisional, or a copy.
        }
    }

    fn end(&mut self, now: Tick, call_id: &str, disk: &Disk) {
        // He may talk at another phone: in a call of his own, or because this one had answered too late.
        let talks_on = self.dialogs.get(call_id).is_some_and(|ended| {
            let others = self.dialogs.iter().filter(|(id, it)| id.as_str() != call_id && it.peer == ended.peer);
            others.into_iter().any(|(_, it)| it.state == Stage::Up && !it.stale)
        });
        if !talks_on {
            self.leave_alone(now, call_id, disk);
        }
        let Some(dialog) = self.dialogs.get_mut(call_id) else { return };
        let was_up = dialog.state == Stage::Up;
        dialog.state = Stage::Over;
        let Peer::Agent(extension) = &dialog.peer else { return };
        // Who is called back himself, at an extension of ours, has served nobody.
        let is_customer =
            |it: &Attempt| it.outcome.is_none() && it.customer_leg.is_some() && is_extension(it, extension);
        let talked = dialog.talked && was_up && !disk.attempts.values().any(is_customer);
        if talked && dialog.outgoing && !dialog.from_extension && !dialog.unlined {
            // The BYE itself starts the rest; it crosses the network, which is why a moment is taken off. One that was
            // held until the ACK of a change may have been wanted since the change.
            let since = if dialog.changed.1 == now { dialog.changed.0 } else { now };
            self.rest_until.insert(extension.clone(), since + self.wrap_up.saturating_sub(Duration::from_millis(100)));
        }
    }

    /// The agent of an attempt has hung up: its customer's leg has a moment to go.
    fn leave_alone(&mut self, now: Tick, call_id: &str, disk: &Disk) {
        let Some(dialog) = self.dialogs.get(call_id).filter(|it| it.outgoing && it.state == Stage::Up && !it.stale)
        else {
            return;
        };
        let Peer::Agent(extension) = &dialog.peer else { return };
        let open = disk.attempts.values().filter(|attempt| attempt.outcome.is_none());
        let theirs = open.filter(|attempt| {
            let answered = attempt.agent_legs.iter().filter(|leg| leg.answered_at.is_some());
            let mut agents = answered.filter_map(|leg| self.extensions.get(&leg.peer));
            agents.any(|agent| agent == extension) && same_number(&attempt.number, &dialog.shown)
        });
        let customers = theirs.filter_map(|attempt| attempt.customer_leg.as_ref()?.dialog.as_ref());
        let orphans: Vec<String> = customers.map(|dialog| dialog.call_id.clone()).collect();
        // Whoever has answered, and has not talked with him yet, hears that nobody comes, and is not left in silence.
        let talked = dialog.talked && !self.customer_first;
        let waits = |id: &String| self.dialogs.get(id).is_some_and(|dialog| dialog.state == Stage::Up);
        let moment = |id: &String| Duration::from_secs(if waits(id) && !talked { 4 } else { 1 });
        let orphans: Vec<(String, Tick)> = orphans.into_iter().map(|id| (id.clone(), now + moment(&id))).collect();
        self.orphans.extend(orphans);
    }

    /// A commit was acknowledged.
    pub fn on_committed(&mut self, before: &BTreeMap<TaskId, Task>, changes: &[Change], disk: &Disk) {
        for change in changes {
            match change {
                Change::PutTask(task) => {
                    if let Some(old) = before.get(&task.id).filter(|old| old.state.is_final()) {
                        assert!(
                            old.state == task.state,
                            "law 1: {:?} was final and became {:?}",
                            old.state,
                            task.state
                        );
                    }
                    if let Some(old) = before.get(&task.id).filter(|old| old.number != task.number) {
                        self.order.on_renumbered(old.number.as_str(), task);
                    }
                    self.tries.on_task(before.get(&task.id), task);
                    if task.source == Source::QueueRequest {
                        self.promised.insert(task.id);
                    }
                }
                Change::PutAttempt(attempt) => {
                    let before = before.get(&attempt.task).filter(|_| attempt.outcome.is_none());
                    let is_peoples = before.is_some_and(Task::is_for_people);
                    assert!(!is_peoples, "law 10: {} is tried while people are to decide", attempt.number);
                    // P5: nobody is called more than a second before the hour that was promised.
                    let promised = before.and_then(|task| task.promised.as_ref()).map(|promised| promised.at);
                    let is_early = promised.is_some_and(|at| attempt.loaded_at + TimeDelta::seconds(1) < at);
                    let (at, number) = (attempt.loaded_at, &attempt.number);
                    assert!(!is_early, "law 2: {number} is tried at {at}, and was promised {promised:?}");
                    self.tries.on_attempt(attempt, disk.tasks.get(&attempt.task));
                }
                _ => continue,
            }
        }
        let mut open: BTreeMap<&Party, &Attempt> = BTreeMap::new();
        for attempt in disk.attempts.values().filter(|attempt| attempt.outcome.is_none()) {
            let second = open.insert(&attempt.number, attempt);
            assert!(second.is_none(), "law 2: two open attempts for {}", attempt.number);
        }
    }

    /// The switch has done all that an input asked of it: the identity of P4, from its own books and from the disk's,
    /// and law 9.
    pub fn on_settled(&mut self, switch: &Switch, disk: &Disk) {
        let books = switch.books();
        assert!(books.missing() == 0, "P4: {} callbacks are missing: {books:?}", books.missing());
        let is_told = disk.pending.is_empty() && switch.has_told_all();
        if is_told && self.books != (books, disk.books) {
            self.books = (books, disk.books);
            assert!(disk.books.missing() == 0, "P4: the disk lacks callbacks: {:?}", disk.books);
            assert!(books == disk.books, "P4: the switch says {books:?}, the disk {:?}", disk.books);
        }
        Laws::within_limits(&switch.tables());
    }

    /// Law 9.
    pub fn within_limits(tables: &[Table]) {
        let full = tables.iter().find(|(_, entries, most)| entries > most);
        assert!(full.is_none(), "law 9: a table has more entries than it may: {full:?}");
    }

    /// The switch tells a shard something.
    pub fn on_media(&mut self, command: &Command) {
        if let Command::Play { what: Play::Clips { clips, .. }, .. } = command
            && clips.iter().any(|clip| clip.ends_with("accepted"))
        {
            self.spoken += 1;
            let kept = self.promised.len();
            assert!(self.spoken <= kept, "law 1: {} promises spoken, {kept} on the disk", self.spoken);
        }
    }

    /// Something is said to a caller.
    pub fn on_said(&mut self, number: &str, clips: &[Name]) {
        self.order.on_said(number, clips);
    }

    /// Somebody has been joined with another.
    pub fn on_talk(&mut self, call: Option<&Call>) {
        if let Some(dialog) = call.and_then(|call| self.dialogs.get_mut(&call.call_id)) {
            dialog.talked = true;
        }
    }

    /// The switch says what happened.
    pub fn on_event(&mut self, now: Tick, event: &Event, disk: &Disk) {
        self.order.on_event(now, event, disk);
        let extension = |agent: &str| self.extensions.get(agent).cloned().unwrap_or_default();
        match event {
            Event::SiteFrozen => self.frozen = true,
            Event::SiteUnfrozen => self.frozen = false,
            Event::AgentPaused { agent, .. } => drop(self.paused.insert(extension(agent))),
            Event::AgentResumed { agent } => drop(self.paused.remove(&extension(agent))),
            Event::AgentRegistered { agent, contact } => {
                self.registered.entry(extension(agent)).or_default().insert(contact.clone());
            }
            Event::AgentUnregistered { agent, contact } => {
                if let Some(contacts) = self.registered.get_mut(&extension(agent)) {
                    contacts.remove(contact);
                }
            }
            _ => {} // Calls and callbacks are watched on the wire and on the disk.
        }
    }

    /// An attempt is on its way to the disk.
    pub fn on_attempt(&self, attempt: &Attempt, disk: &Disk) {
        let is_new = attempt.outcome.is_none() && !disk.attempts.contains_key(&attempt.id);
        assert!(!(self.frozen && is_new), "law 2: {} is tried while frozen", attempt.number);
    }

    /// Another edition of the site: whoever is no agent any more has no choices any more.
    pub fn on_edition(&mut self, settings: &Settings) {
        let extensions = &self.extensions;
        self.order.on_edition(settings);
        self.tries.on_edition(settings);
        if first_line(settings) != self.line {
            self.line = first_line(settings);
            self.dialogs.values_mut().for_each(|dialog| dialog.unlined = true);
        }
        self.paused.retain(|it| settings.agents.iter().any(|agent| extensions.get(&*agent.name) == Some(it)));
    }

    /// What a new life found on the disk counts as registered, and as paused.
    pub fn on_restored(&mut self, restored: &Restored) {
        self.frozen = restored.system.frozen;
        let paused = restored.agents.iter().filter(|record| record.paused.is_some());
        self.paused = paused.filter_map(|record| self.extensions.get(&*record.agent).cloned()).collect();
        for binding in &restored.bindings {
            self.registered.entry(binding.extension.to_string()).or_default().insert(binding.contact.clone());
        }
    }

    /// Nobody calls any more: nothing may be left (law 7), and each promise is where it says (law 1, law 6).
    pub fn at_rest(&self, now: Tick, disk: &Disk) {
        let left: Vec<_> = self.live(now).collect();
        assert!(left.is_empty(), "law 7: dialogs left at rest: {left:?}");
        for task in self.promised.iter().filter_map(|id| disk.tasks.get(id)) {
            assert!(!task.state.is_live(), "law 7: at rest, and {} is {:?}", task.number, task.state);
            let tries = disk.attempts.values().filter(|it| it.task == task.id && it.kind == AttemptKind::Agent);
            let outcomes = tries.filter_map(|it| it.outcome);
            let counted: Vec<Outcome> = outcomes.filter(|outcome| outcome.may_count()).collect();
            // The first two failures of the network are forgiven (model.md, callback_profile `on`).
            let network = counted.iter().filter(|outcome| **outcome == Outcome::NetworkError).count();
            let (most, used) = (counted.len(), task.attempts_used as usize);
            assert!(used + network.min(2) >= most && used <= most, "law 6: {counted:?}, but {used} said");
            if task.state == TaskState::Completed {
                assert!(
                    task.closed_at.is_some() && task.close_reason.is_some(),
                    "law 1: {task:?} ended without reason"
                );
            }
        }
        assert!(self.promised.iter().all(|id| disk.tasks.contains_key(id)), "law 1: a promise has disappeared");
    }
}

fn is_carrier(peer: SocketAddr) -> bool {
    peer == CARRIER || peer == SPARE
}

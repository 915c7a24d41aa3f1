//! What an endpoint asks, and what comes of the answers.

use super::super::codec::{self, Message};
use super::super::digest::Challenge;
use super::super::session::{Direction, Session};
use super::super::transaction::{Client, ClientState, GIVE_UP, Purpose, Repeat};
use super::{Call, CallId, CallState, EndedBy, Endpoint, Event};
use crate::time::Tick;
use std::net::SocketAddr;
use std::time::Duration;

/// A registration that failed is tried again so much later.
const REGISTER_AGAIN: Duration = Duration::from_secs(30);

impl Endpoint {
    /// Binds our contact for `expires` seconds; 0 takes the binding away. It is renewed by itself.
    pub fn register(&mut self, now: Tick, expires: u32) {
        self.register.expires = expires;
        self.register.challenges = 0;
        self.register.refresh = None;
        self.send_register(now);
    }

    fn send_register(&mut self, now: Tick) {
        let (via, branch) = self.via();
        let tag = self.entropy.token()[..8].to_owned();
        if self.register.call_id.is_none() {
            self.register.call_id = Some(self.entropy.token());
        }
        self.register.cseq += 1;
        let aor = format!("sip:{}@{}", self.config.user, self.config.domain);
        let uri = format!("sip:{}", self.config.domain);
        let mut request = Message::request("REGISTER", &uri);
        request.push("Via", via);
        request.push("Max-Forwards", "70");
        request.push("From", format!("<{aor}>;tag={tag}"));
        request.push("To", format!("<{aor}>"));
        request.push("Call-ID", self.register.call_id.clone().unwrap_or_default());
        request.push("CSeq", format!("{} REGISTER", self.register.cseq));
        request.push("Contact", self.contact());
        request.push("Expires", self.register.expires.to_string());
        request.push("User-Agent", "demo-phone");
        if let (Some((challenge, header, count)), Some((user, secret))) =
            (&mut self.register.nonce, &self.config.credentials)
        {
            *count += 1;
            let answer = challenge.answer(user, secret, "REGISTER", &uri, *count, &mut self.entropy);
            request.push(header, answer);
        }
        self.ask(now, request, self.config.server, branch, Purpose::Register);
    }

    /// Dials: an INVITE to `number` at our server, showing `from` (our own user when `None`).
    pub fn dial(&mut self, now: Tick, number: &str, from: Option<&str>, extra: &[(&str, String)]) -> CallId {
        let id = self.next_id();
        let domain = &self.config.domain;
        let call = Call {
            call_id: self.entropy.token(),
            number: number.to_owned(),
            state: CallState::Dialling { cancelled: false },
            local: self.own_session(id),
            remote: None,
            local_tag: self.entropy.token()[..16].to_owned(),
            remote_tag: None,
            local_uri: from.map_or_else(|| format!("sip:{}@{domain}", self.config.user), str::to_owned),
            remote_uri: format!("sip:{number}@{domain}"),
            target: format!("sip:{number}@{domain}"),
            routes: Vec::new(),
            peer: self.config.server,
            cseq: 0,
            version: 1,
            challenges: 0,
            extra: extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            invite_branch: String::new(),
        };
        self.calls.insert(id, call);
        self.send_invite(now, id, None);
        id
    }

    fn send_invite(&mut self, now: Tick, id: CallId, auth: Option<(Challenge, &'static str)>) {
        let Some((mut invite, to, branch)) = self.in_dialog(id, "INVITE", None) else { return };
        let Some(call) = self.calls.get(&id) else { return };
        if let Some(display) = &self.config.display {
            invite.set("From", format!("\"{display}\" <{}>;tag={}", call.local_uri, call.local_tag));
        }
        call.extra.iter().for_each(|(name, value)| invite.push(name, value.clone()));
        invite.push("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE");
        if !self.quirks.invites_without_offer {
            invite.push("Content-Type", "application/sdp");
            invite.body = call.local.print(call.version);
        }
        if let (Some((challenge, header)), Some((user, secret))) = (auth, &self.config.credentials) {
            let uri = invite.uri().to_owned();
            invite.push(header, challenge.answer(user, secret, "INVITE", &uri, 1, &mut self.entropy));
        }
        self.ask(now, invite, to, branch, Purpose::Invite(id.0));
    }

    /// Sends a re-INVITE that says `direction`: hold with `SendOnly`, resume with `SendRecv`.
    pub fn change(&mut self, now: Tick, id: CallId, direction: Direction) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.local.direction = direction;
        call.version += 1;
        self.send_invite(now, id, None);
    }

    /// Refreshes the session without a new description (RFC 4028 §7.4); what the INVITE asked for is said again.
    pub fn refresh(&mut self, now: Tick, id: CallId) {
        let Some((mut update, to, branch)) = self.in_dialog(id, "UPDATE", None) else { return };
        let fields = self.calls.get(&id).into_iter().flat_map(|call| call.extra.clone());
        fields.for_each(|(name, value)| update.push(&name, value));
        self.ask(now, update, to, branch, Purpose::InCall(id.0));
    }

    /// Sends a key as phones did before there were telephone events: in an INFO.
    pub fn inform(&mut self, now: Tick, id: CallId, key: char) {
        let Some((mut info, to, branch)) = self.in_dialog(id, "INFO", None) else { return };
        info.push("Content-Type", "application/dtmf-relay");
        info.body = format!("Signal={key}\r\nDuration=160\r\n").into_bytes();
        self.ask(now, info, to, branch, Purpose::InCall(id.0));
    }

    /// Asks OPTIONS of the server.
    pub fn ping(&mut self, now: Tick) {
        let (via, branch) = self.via();
        let (token, tag) = (self.entropy.token(), self.entropy.token());
        let mut request = Message::request("OPTIONS", &format!("sip:{}", self.config.domain));
        request.push("Via", via);
        request.push("Max-Forwards", "70");
        request.push("From", format!("<sip:{}@{}>;tag={}", self.config.user, self.config.domain, &tag[..8]));
        request.push("To", format!("<sip:{}>", self.config.domain));
        request.push("Call-ID", token);
        request.push("CSeq", "1 OPTIONS");
        self.ask(now, request, self.config.server, branch, Purpose::Other);
    }

    /// Ends a call as its state demands: CANCEL, BYE, or 480 when it rings here.
    pub fn hang_up(&mut self, now: Tick, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match call.state {
            CallState::Dialling { .. } => {
                call.state = CallState::Dialling { cancelled: true };
                self.cancel(now, id);
            }
            CallState::Ringing => self.refuse(now, id, 480),
            CallState::Answering | CallState::Up => self.bye(now, id),
        }
    }

    /// RFC 3261 §9.1: not before a provisional has come.
    fn cancel(&mut self, now: Tick, id: CallId) {
        let purpose = Purpose::Invite(id.0);
        let ringing = |client: &&Client| client.purpose == purpose && client.state == ClientState::Proceeding;
        let Some(at) = self.clients.iter().position(|client| ringing(&client)) else { return };
        // Nobody may have an answer for us any more: 64 × T1 is all we wait.
        self.clients[at].repeat.until = now + GIVE_UP;
        let client = &self.clients[at];
        let mut cancel = Message::request("CANCEL", client.request.uri());
        for (name, value) in &client.request.headers {
            match name.as_str() {
                "Via" | "Max-Forwards" | "From" | "To" | "Call-ID" | "Route" => cancel.push(name, value.clone()),
                "CSeq" => cancel.push("CSeq", format!("{} CANCEL", client.request.cseq().0)),
                _ => {} // A CANCEL carries no more than names its INVITE.
            }
        }
        let (to, branch) = (client.repeat.to, client.branch.clone());
        self.ask(now, cancel, to, branch, Purpose::InCall(id.0));
    }

    fn bye(&mut self, now: Tick, id: CallId) {
        if let Some((bye, to, branch)) = self.in_dialog(id, "BYE", None) {
            self.ask(now, bye, to, branch, Purpose::InCall(id.0));
        }
        self.forget(id);
    }

    fn ask(&mut self, now: Tick, request: Message, to: SocketAddr, branch: String, purpose: Purpose) {
        let bytes = request.print();
        let repeat = Repeat::new(now, to, bytes.clone(), request.method() == "INVITE");
        self.clients.push(Client { branch, request, purpose, state: ClientState::Calling, repeat });
        self.send(to, bytes);
    }

    pub(super) fn clients_on_timeout(&mut self, now: Tick) {
        let mut copies = Vec::new();
        self.clients.iter_mut().for_each(|client| copies.extend(client.repeat.on_timeout(now)));
        copies.into_iter().for_each(|(to, bytes)| self.send(to, bytes));
        let (over, rest): (Vec<Client>, Vec<Client>) =
            std::mem::take(&mut self.clients).into_iter().partition(|client| client.repeat.until <= now);
        self.clients = rest;
        for client in over {
            if matches!(client.state, ClientState::Completed(_)) {
                continue;
            }
            match client.purpose {
                Purpose::Register => self.register_failed(now, 408),
                Purpose::Invite(call) => self.invite_failed(CallId(call), 408),
                Purpose::InCall(call) => drop(self.forget(CallId(call))),
                Purpose::Other => {}
            }
        }
    }

    pub(super) fn on_response(&mut self, now: Tick, from: SocketAddr, status: u16, response: Message) {
        let (branch, method) = (response.branch().to_owned(), response.cseq().1.to_owned());
        let at = self.clients.iter().position(|client| client.branch == branch && client.request.method() == method);
        let Some(at) = at else {
            return self.on_stray_response(status, &response);
        };
        if status < 200 {
            let client = &mut self.clients[at];
            if client.state == ClientState::Calling {
                client.state = ClientState::Proceeding;
                if method == "INVITE" {
                    // A ringing phone may ring for ever; what ends it is the person, not a timer.
                    client.repeat.again = None;
                    client.repeat.until = now + Duration::from_secs(3_600);
                }
            }
            let purpose = client.purpose;
            if let Purpose::Invite(call) = purpose {
                self.on_provisional(now, CallId(call), status, &response);
            }
            return;
        }
        if let ClientState::Completed(ack) = &self.clients[at].state {
            let again = ack.clone().map(|ack| (self.clients[at].repeat.to, ack));
            if let Some((to, ack)) = again {
                self.send(to, ack);
            }
            return;
        }
        let mut client = self.clients.remove(at);
        match client.purpose {
            Purpose::Register => self.on_registered(now, status, &response),
            Purpose::Invite(call) if status < 300 => self.on_accepted(now, CallId(call), from, &response),
            Purpose::Invite(call) => {
                let ack = ack_of(&client.request, &response).print();
                self.send(client.repeat.to, ack.clone());
                client.state = ClientState::Completed(Some(ack));
                (client.repeat.again, client.repeat.until) = (None, now + GIVE_UP);
                self.clients.push(client);
                self.on_refused(now, CallId(call), status, &response);
            }
            Purpose::InCall(_) | Purpose::Other => {}
        }
    }

    /// A copy of a 2xx is ACKed again; another phone's 2xx to the same INVITE cannot come from a user agent.
    fn on_stray_response(&mut self, status: u16, response: &Message) {
        if !(200..300).contains(&status) || response.cseq().1 != "INVITE" {
            return;
        }
        let key = format!("{} {}", response.call_id(), response.cseq().0);
        if let Some((_, to, ack)) = self.acks.iter().find(|(this, ..)| *this == key).cloned() {
            self.acknowledge(to, ack);
        }
    }

    fn acknowledge(&mut self, to: SocketAddr, ack: Vec<u8>) {
        match self.quirks.acks_lost.checked_sub(1) {
            Some(left) => self.quirks.acks_lost = left,
            None => self.send(to, ack),
        }
    }

    fn on_provisional(&mut self, now: Tick, id: CallId, status: u16, response: &Message) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let cancelled = call.state == CallState::Dialling { cancelled: true };
        if let Some(early) = Session::parse(&response.body).filter(|_| status > 100) {
            call.remote = Some(early);
            self.settle(now, id);
        }
        self.events.push_back(Event::Progress(id, status));
        if cancelled {
            self.cancel(now, id);
        }
    }

    fn on_accepted(&mut self, now: Tick, id: CallId, from: SocketAddr, response: &Message) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let first = matches!(call.state, CallState::Dialling { .. });
        let cancelled = call.state == CallState::Dialling { cancelled: true };
        call.remote_tag = response.to_tag().map(str::to_owned);
        call.target =
            response.header("Contact").map_or_else(|| call.target.clone(), |it| codec::address(it).to_owned());
        if first {
            call.routes = response.values("Record-Route").into_iter().rev().collect();
            call.peer = from;
        }
        call.state = CallState::Up;
        if let Some(remote) = Session::parse(&response.body) {
            call.remote = Some(remote);
        }
        let number = response.cseq().0;
        if let Some((mut ack, to, _)) = self.in_dialog(id, "ACK", Some(number)) {
            let answer = self.calls.get(&id).filter(|_| self.quirks.invites_without_offer);
            if let Some(call) = answer.filter(|_| !self.quirks.forgets_late_answer) {
                ack.push("Content-Type", "application/sdp");
                ack.body = call.local.print(call.version);
            }
            let bytes = ack.print();
            self.acks.push((format!("{} {number}", response.call_id()), to, bytes.clone()));
            self.acknowledge(to, bytes);
        }
        if cancelled {
            self.bye(now, id);
            self.events.push_back(Event::Refused(id, 487));
            return;
        }
        self.settle(now, id);
        self.events.push_back(if first { Event::Answered(id) } else { Event::ChangeAnswered(id, 200) });
    }

    fn on_refused(&mut self, now: Tick, id: CallId, status: u16, response: &Message) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let may_answer = matches!(status, 401 | 407) && call.challenges == 0 && self.config.credentials.is_some();
        if let (true, Some(challenge)) = (may_answer, Challenge::of(response)) {
            call.challenges += 1;
            self.send_invite(now, id, Some(challenge));
            return;
        }
        self.invite_failed(id, status);
    }

    fn invite_failed(&mut self, id: CallId, status: u16) {
        match self.calls.get(&id).map(|call| &call.state) {
            Some(CallState::Dialling { .. }) => {
                self.forget(id);
                self.events.push_back(Event::Refused(id, status));
            }
            Some(_) => self.events.push_back(Event::ChangeAnswered(id, status)),
            None => {}
        }
    }

    fn on_registered(&mut self, now: Tick, status: u16, response: &Message) {
        let granted = response
            .values("Contact")
            .iter()
            .filter(|value| codec::address(value) == codec::address(&self.contact()))
            .find_map(|value| codec::param(value, "expires")?.parse::<u32>().ok());
        match status {
            200..=299 => {
                let granted = granted.unwrap_or(0);
                let pause = Duration::from_secs(u64::from(granted)) * 4 / 5;
                self.register.refresh = (granted > 0).then(|| now + pause);
                self.register.challenges = 0;
                self.events.push_back(Event::Registered(granted));
            }
            401 | 407 => {
                let challenge = Challenge::of(response);
                let is_stale = challenge.as_ref().is_some_and(|(challenge, _)| challenge.stale);
                if self.register.challenges > u32::from(is_stale) {
                    return self.register_failed(now, status);
                }
                self.register.challenges += 1;
                self.register.nonce = challenge.map(|(challenge, header)| (challenge, header, 0));
                self.send_register(now);
            }
            // RFC 3261 §10.2.8: the same again with what the registrar asks for at least.
            423 => {
                let least = response.header("Min-Expires").and_then(|text| text.parse().ok()).unwrap_or(3_600);
                self.register.expires = least;
                self.send_register(now);
            }
            _ => self.register_failed(now, status),
        }
    }

    /// Phones do not give up: the registrar may have been restarted, or the wire be back.
    fn register_failed(&mut self, now: Tick, status: u16) {
        self.register.refresh = Some(now + REGISTER_AGAIN);
        self.register.nonce = None;
        self.events.push_back(Event::RegisterFailed(status));
    }

    pub(super) fn no_ack(&mut self, now: Tick, id: CallId) {
        self.bye(now, id);
        self.events.push_back(Event::Ended(id, EndedBy::NoAck));
    }
}

/// The ACK of a refusal: the INVITE's own branch, the response's To (RFC 3261 §17.1.1.3).
fn ack_of(invite: &Message, response: &Message) -> Message {
    let mut ack = Message::request("ACK", invite.uri());
    for name in ["Via", "Max-Forwards", "From", "Call-ID", "Route"] {
        if let Some(value) = invite.header(name) {
            ack.push(name, value);
        }
    }
    ack.push("To", response.header("To").unwrap_or(""));
    ack.push("CSeq", format!("{} ACK", invite.cseq().0));
    ack
}

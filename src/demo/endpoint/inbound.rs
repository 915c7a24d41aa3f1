//! What an endpoint is asked, and how it answers.

use super::super::codec::{self, Message};
use super::super::session::{Direction, Session};
use super::super::transaction::{Client, ClientState, GIVE_UP, Purpose, Repeat, Server};
use super::{Call, CallId, CallState, EndedBy, Endpoint, Event, number_of};
use crate::time::Tick;
use std::net::SocketAddr;

impl Endpoint {
    pub(super) fn on_request(&mut self, now: Tick, from: SocketAddr, request: Message) {
        if request.method() == "ACK" {
            return self.on_ack(now, &request);
        }
        let key = (request.branch().to_owned(), request.method().to_owned());
        if let Some(server) = self.servers.iter().find(|server| server.key == key) {
            if let (to, Some(again)) = (server.from, server.answer.clone()) {
                self.send(to, again);
            }
            return;
        }
        self.servers.push(Server { key, from, request: request.clone(), answer: None, repeat: None, until: None });
        match request.method() {
            "INVITE" if request.to_tag().is_some() => self.on_reinvite(now, request),
            "INVITE" => self.on_invite(from, request),
            "UPDATE" => self.on_reinvite(now, request),
            "CANCEL" => self.on_cancel(now, request),
            "BYE" => match self.call_of(&request, request.to_tag()) {
                Some(id) => {
                    self.reply(now, &request, 200, None);
                    self.forget(id);
                    self.events.push_back(Event::Ended(id, EndedBy::Bye));
                }
                None => self.reply(now, &request, 481, None),
            },
            "OPTIONS" => {
                let status = self.quirks.options_status.unwrap_or(200);
                self.reply(now, &request, status, None);
            }
            _ if self.quirks.passes_requests_up => self.events.push_back(Event::Asked(Box::new(request), from)),
            _ => self.reply(now, &request, 501, None),
        }
    }

    fn on_invite(&mut self, from: SocketAddr, request: Message) {
        let id = self.next_id();
        let remote = request.header("From").unwrap_or("").to_owned();
        let call = Call {
            call_id: request.call_id().to_owned(),
            number: number_of(&remote),
            state: CallState::Ringing,
            local: self.own_session(id),
            remote: Session::parse(&request.body),
            local_tag: self.entropy.token()[..16].to_owned(),
            remote_tag: request.from_tag().map(str::to_owned),
            local_uri: codec::address(request.header("To").unwrap_or("")).to_owned(),
            remote_uri: codec::address(&remote).to_owned(),
            target: codec::address(request.header("Contact").unwrap_or("")).to_owned(),
            routes: request.values("Record-Route"),
            peer: from,
            cseq: 0,
            version: 1,
            challenges: 0,
            extra: Vec::new(),
            invite_branch: request.branch().to_owned(),
        };
        self.calls.insert(id, call);
        self.events.push_back(Event::Incoming(id, Box::new(request)));
    }

    /// 180, or 183 with a description: early media.
    pub fn ring(&mut self, now: Tick, id: CallId, early: bool) {
        if self.answer_session(id).is_none() {
            return;
        }
        if early || self.quirks.plays_before_ringing {
            self.respond_to_call(now, id, 183, true);
            self.settle(now, id);
        }
        if early {
            return;
        }
        let ringing = self.respond_to_call(now, id, 180, false);
        if let (true, Some(mut other), Some(call)) = (self.quirks.forks_ringing, ringing, self.calls.get(&id)) {
            let (to, uri) = (call.peer, call.local_uri.clone());
            other.set("To", format!("<{uri}>;tag={}", &self.entropy.token()[..16]));
            self.send(to, other.print());
        }
    }

    /// 200 with our description.
    pub fn answer(&mut self, now: Tick, id: CallId) {
        if self.answer_session(id).is_none() {
            return;
        }
        let Some(response) = self.respond_to_call(now, id, 200, true) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.state = CallState::Answering;
        let (to, number) = (call.peer, response.cseq().0);
        self.answers.insert(id, (Repeat::new(now, to, response.print(), false), number));
        self.settle(now, id);
        if self.quirks.forks_answers {
            self.answer_as_fork(now, id, &response);
        }
    }

    /// The same INVITE answered by a second phone, with a tag of its own.
    fn answer_as_fork(&mut self, now: Tick, id: CallId, response: &Message) {
        let fork = self.next_id();
        let Some(mut call) = self.calls.get(&id).cloned() else { return };
        call.local_tag = self.entropy.token()[..16].to_owned();
        let mut copy = response.clone();
        copy.set("To", format!("<{}>;tag={}", call.local_uri, call.local_tag));
        self.answers.insert(fork, (Repeat::new(now, call.peer, copy.print(), false), copy.cseq().0));
        self.send(call.peer, copy.print());
        self.calls.insert(fork, call);
    }

    /// A final refusal.
    pub fn refuse(&mut self, now: Tick, id: CallId, status: u16) {
        self.refuse_with(now, id, status, &[]);
    }

    /// A final refusal with header fields: a challenge, Retry-After.
    pub fn refuse_with(&mut self, now: Tick, id: CallId, status: u16, fields: &[(&str, String)]) {
        let Some(request) = self.invite_of(id) else { return };
        let mut response = self.response(id, &request, status);
        fields.iter().for_each(|(name, value)| response.push(name, value.clone()));
        self.finish(now, &request, response);
        self.forget(id);
    }

    /// Answers an `Event::Asked`.
    pub fn respond(&mut self, now: Tick, request: &Message, status: u16, fields: &[(&str, String)]) {
        let mut response = Message::response_to(request, status);
        let tag = self.entropy.token()[..8].to_owned();
        tag_to(&mut response, &tag);
        fields.iter().for_each(|(name, value)| response.push(name, value.clone()));
        self.finish(now, request, response);
    }

    /// Our side of offer and answer: the first codec of theirs that is ours (RFC 3264 §6.1).
    fn answer_session(&mut self, id: CallId) -> Option<()> {
        let codecs = self.config.codecs.clone();
        let call = self.calls.get_mut(&id)?;
        if let Some(remote) = &call.remote {
            let chosen = remote.codecs.iter().copied().find(|codec| codecs.contains(codec))?;
            call.local.codecs = vec![chosen];
            call.local.dtmf = remote.dtmf;
            // Who holds the other goes on holding him, whatever he offers.
            if (call.local.direction, remote.direction) != (Direction::SendOnly, Direction::SendRecv) {
                call.local.direction = remote.direction.answered();
            }
        }
        Some(())
    }

    fn invite_of(&self, id: CallId) -> Option<Message> {
        let key = (self.calls.get(&id)?.invite_branch.clone(), "INVITE".to_owned());
        self.servers.iter().find(|server| server.key == key).map(|server| server.request.clone())
    }

    fn response(&self, id: CallId, request: &Message, status: u16) -> Message {
        let mut response = Message::response_to(request, status);
        if let Some(call) = self.calls.get(&id) {
            tag_to(&mut response, &call.local_tag);
        }
        response.push("Contact", self.contact());
        response
    }

    fn respond_to_call(&mut self, now: Tick, id: CallId, status: u16, with_session: bool) -> Option<Message> {
        let request = self.invite_of(id)?;
        let mut response = self.response(id, &request, status);
        if with_session {
            let call = self.calls.get(&id)?;
            response.push("Content-Type", "application/sdp");
            response.body = call.local.print(call.version);
        }
        self.finish(now, &request, response.clone());
        Some(response)
    }

    fn reply(&mut self, now: Tick, request: &Message, status: u16, id: Option<CallId>) {
        let mut response = match id {
            Some(id) => self.response(id, request, status),
            None => Message::response_to(request, status),
        };
        if request.to_tag().is_none() {
            let tag = self.entropy.token()[..8].to_owned();
            tag_to(&mut response, &tag);
        }
        self.finish(now, request, response);
    }

    /// Sends a response and remembers it for copies of its request.
    fn finish(&mut self, now: Tick, request: &Message, response: Message) {
        let key = (request.branch().to_owned(), request.method().to_owned());
        let Some(server) = self.servers.iter_mut().find(|server| server.key == key) else { return };
        let (to, bytes, status) = (server.from, response.print(), response.status().unwrap_or(0));
        server.answer = Some(bytes.clone());
        if status >= 200 {
            server.until = Some(now + GIVE_UP);
        }
        if status >= 300 && request.method() == "INVITE" {
            server.repeat = Some(Repeat::new(now, to, bytes.clone(), false)); // Timers G and H.
        }
        self.send(to, bytes);
    }

    fn on_ack(&mut self, now: Tick, ack: &Message) {
        let key = (ack.branch().to_owned(), "INVITE".to_owned());
        if let Some(server) = self.servers.iter_mut().find(|server| server.key == key) {
            server.repeat = None;
            return;
        }
        let Some(id) = self.call_of(ack, ack.to_tag()) else { return };
        let waited_for = self.answers.get(&id).is_some_and(|(_, number)| *number == ack.cseq().0);
        if !waited_for {
            return;
        }
        self.answers.remove(&id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let first = call.state == CallState::Answering;
        call.state = CallState::Up;
        if let Some(remote) = Session::parse(&ack.body) {
            call.remote = Some(remote);
        }
        self.settle(now, id);
        if first {
            self.events.push_back(Event::Confirmed(id));
        }
    }

    fn on_cancel(&mut self, now: Tick, cancel: Message) {
        let key = (cancel.branch().to_owned(), "INVITE".to_owned());
        let Some(invite) = self.servers.iter().find(|server| server.key == key).map(|it| it.request.clone()) else {
            return self.reply(now, &cancel, 481, None);
        };
        let ringing = self
            .call_of(&invite, None)
            .filter(|id| self.calls.get(id).is_some_and(|call| call.state == CallState::Ringing));
        self.reply(now, &cancel, 200, ringing);
        match ringing {
            Some(id) if self.quirks.answers_cancel_with_200 => self.answer(now, id),
            Some(id) => {
                self.refuse(now, id, 487);
                self.events.push_back(Event::Ended(id, EndedBy::Cancel));
            }
            None => {} // Already answered: the CANCEL came too late and changes nothing (RFC 3261 §9.2).
        }
    }

    /// A new description inside the call: taken, and answered with ours.
    fn on_reinvite(&mut self, now: Tick, request: Message) {
        let Some(id) = self.call_of(&request, request.to_tag()) else {
            return self.reply(now, &request, 481, None);
        };
        if let Some(status) = self.quirks.refuses_changes {
            return self.reply(now, &request, status, Some(id));
        }
        // RFC 3261 §14.2: a change of ours is under way.
        let changes = |client: &Client| client.purpose == Purpose::Invite(id.0) && client.state == ClientState::Calling;
        if request.method() == "INVITE" && self.clients.iter().any(changes) {
            return self.reply(now, &request, 491, Some(id));
        }
        let offered = Session::parse(&request.body);
        let offer_direction = offered.as_ref().map(|session| session.direction);
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(contact) = request.header("Contact") {
            call.target = codec::address(contact).to_owned();
        }
        if let Some(offered) = offered {
            call.remote = Some(offered);
            call.version += 1;
            if self.answer_session(id).is_none() {
                return self.reply(now, &request, 488, Some(id));
            }
        }
        let with_session = request.method() == "INVITE" || offer_direction.is_some();
        let mut response = self.response(id, &request, 200);
        let speaks_timers =
            |call: &Call| call.extra.iter().any(|(name, value)| name == "Supported" && value == "timer");
        if let Some(session) = request.header("Session-Expires")
            && self.calls.get(&id).is_some_and(speaks_timers)
        {
            response.push("Session-Expires", session.to_owned()); // RFC 4028 §9: agreed as it was asked for.
        }
        if let (true, Some(call)) = (with_session, self.calls.get(&id)) {
            response.push("Content-Type", "application/sdp");
            response.body = call.local.print(call.version);
        }
        let (bytes, number, peer) = (response.print(), response.cseq().0, self.calls.get(&id).map(|call| call.peer));
        self.finish(now, &request, response);
        if let (Some(peer), "INVITE") = (peer, request.method()) {
            self.answers.insert(id, (Repeat::new(now, peer, bytes, false), number));
        }
        self.settle(now, id);
        if let Some(direction) = offer_direction {
            self.events.push_back(Event::Changed(id, direction));
        }
    }

    pub(super) fn servers_on_timeout(&mut self, now: Tick) {
        let mut copies = Vec::new();
        for server in &mut self.servers {
            copies.extend(server.repeat.as_mut().and_then(|repeat| repeat.on_timeout(now)));
            if server.repeat.as_ref().is_some_and(|repeat| repeat.until <= now) {
                server.repeat = None;
            }
        }
        self.servers.retain(|server| server.until.is_none_or(|until| until > now));
        self.answers.values_mut().for_each(|(repeat, _)| copies.extend(repeat.on_timeout(now)));
        copies.into_iter().for_each(|(to, bytes)| self.send(to, bytes));
        let over = self.answers.iter().filter(|(_, (repeat, _))| repeat.until <= now).map(|(id, _)| *id);
        for id in over.collect::<Vec<_>>() {
            self.answers.remove(&id);
            self.no_ack(now, id);
        }
    }
}

fn tag_to(response: &mut Message, tag: &str) {
    if response.to_tag().is_none() {
        let to = format!("{};tag={tag}", response.header("To").unwrap_or(""));
        response.set("To", to);
    }
}

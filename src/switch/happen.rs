//! What happens to calls: each event of the user agent, the media and the timers finds the leg's role, and the role
//! says what it means.

use super::attempt::Stage;
use super::call::{Role, Story};
use super::end::EndCause;
use super::legs::Phase;
use super::outcome::Refusal;
use super::{CallTimer, Output, Switch, Timer, Wanted, event, view};
use crate::callback::task::Outcome;
use crate::id::{CallRef, LegRef, LookupRef, Name};
use crate::limits;
use crate::media;
use crate::sip::flow::{Flow, Received};
use crate::sip::message::Message;
use crate::sip::user_agent::{EndedBy, Event};
use crate::time::Now;
use crate::trunk::{Turned, Want};
use bytes::Bytes;
use std::time::Duration;

/// How long a silent leg has to answer whether it is there (security.md T27).
const PROBE: Duration = Duration::from_secs(10);

impl Switch {
    /// A message from the network.
    pub(super) fn on_sip(&mut self, now: Now, received: Received) {
        let Received { flow, wire, message } = received;
        let message = match message {
            Ok(message) => message,
            Err(malformed) => {
                self.publish(event::Event::SipRefused { why: malformed.why });
                if let Some(answer) = malformed.answer {
                    self.out.push_back(Output::Send(flow, answer));
                }
                return;
            }
        };
        let kind = match &message {
            Message::Request(request) => super::view::method_word(&request.method),
            Message::Response(_) => "response",
        };
        self.publish(event::Event::SipMessage { outgoing: false, kind });
        self.admitted = None;
        if let Message::Request(request) = &message
            && !self.ua.knows(flow, request)
        {
            let Some(peer) = self.admit(now, flow, request) else { return };
            self.admitted = Some(peer);
        }
        self.ua.receive(now.tick, Received { flow, wire, message: Ok(message) });
    }

    /// What the user agent has to say.
    pub(super) fn on_sip_event(&mut self, now: Now, event: Event) {
        self.trap.step();
        match event {
            Event::Invited { leg, flow, request } => self.on_invited(now, leg, flow, &request),
            Event::Asked { transaction, flow, request } => self.on_asked(now, transaction, flow, &request),
            Event::Progress { leg, status: _, body } => self.on_progress(now, leg, body.as_ref()),
            Event::Answered { leg, body } => self.on_answered(now, leg, &body),
            Event::Refused { leg, status, local } => self.on_refused(now, leg, Refusal { status, local }),
            Event::Confirmed { leg, body } => {
                if self.probed(leg) {
                    self.timers.cancel(&Timer::Probe(leg));
                }
                let held = self.holds_us(leg);
                if !self.late_answer(leg, body.as_ref()) {
                    // Our 200 carried the offer, and nothing usable answers it (RFC 3261 §13.2.1): nobody would hear
                    // us.
                    self.end_leg(now, leg, EndCause::Failed);
                }
                if let Some((call, Role::Talker)) = self.call_and_role(leg).filter(|_| self.holds_us(leg) != held) {
                    self.talk_held(call, leg);
                }
                self.leg_answers(now, leg);
            }
            Event::OfferRefused { leg, .. } => {
                // The peer refused our question whether it is there, so it is.
                if self.probed(leg) {
                    self.timers.cancel(&Timer::Probe(leg));
                }
                self.leg_answers(now, leg);
            }
            Event::Offered { leg, body } => self.on_reoffer(now, leg, body),
            Event::InfoDigit { leg, digit } => self.on_key(now, leg, digit),
            Event::Ended { leg, by } => self.on_ended(now, leg, by),
            Event::Response { request, response } => {
                if let Some(probe) = self.asked.probes.remove(&request) {
                    self.probed_trunk(now, probe, response.as_deref());
                } else if let Some((trunk, kind)) = self.requests.remove(&request) {
                    self.trap.step();
                    self.trunks.response(now, &trunk, kind, response.as_deref());
                    self.serve_wanted = true;
                }
            }
            Event::Trace { leg, outgoing, flow, what } => self.trace(now, leg, outgoing, flow, &what),
        }
    }

    pub(super) fn call_and_role(&self, leg: LegRef) -> Option<(CallRef, Role)> {
        let call = self.calls.get(&self.legs.get(&leg)?.call)?;
        Some((call.id, call.role(leg)?))
    }

    fn on_progress(&mut self, now: Now, leg: LegRef, body: Option<&Bytes>) {
        match self.call_and_role(leg) {
            Some((call, Role::DirectCallee)) => self.direct_progress(now, call, leg, body),
            Some((call, Role::AttemptCustomer)) => self.attempt_progress(now, call, leg, body),
            // An agent's phone rings: its early media interests nobody, but now there is somebody who lets it ring.
            Some((call, Role::RungAgent)) => self.rung_agent_rings(call, leg),
            Some((call, Role::AttemptAgent)) => self.attempt_agent_rings(call, leg),
            Some((_, Role::WaitingCaller | Role::MenuCaller | Role::DirectCaller | Role::Talker | Role::Listener))
            | None => {}
        }
    }

    fn on_answered(&mut self, now: Now, leg: LegRef, body: &Bytes) {
        let Some((call, role)) = self.call_and_role(leg) else {
            // We had hung up in the same moment: the user agent has sent its BYE, and nothing rings any more.
            self.rings_no_more(now, leg);
            self.hang_up(now, leg, None);
            return;
        };
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.phase = Phase::Up;
        }
        if !self.settle_answer(leg, body) {
            // Answered with something we cannot play: for the call it is a refusal (RFC 3261 §13.2.1).
            self.hang_up(now, leg, None);
            self.refused_as(now, call, role, leg, Refusal { status: 488, local: false });
            return;
        }
        match role {
            Role::RungAgent => self.rung_agent_answered(now, call, leg),
            Role::DirectCallee => self.direct_answered(now, call, leg),
            Role::AttemptAgent => self.attempt_agent_answered(now, call, leg),
            Role::AttemptCustomer => self.attempt_customer_answered(now, call, leg),
            Role::WaitingCaller | Role::MenuCaller | Role::DirectCaller | Role::Talker | Role::Listener => {
                unreachable!("only legs that we invited are answered")
            }
        }
    }

    fn on_refused(&mut self, now: Now, leg: LegRef, refusal: Refusal) {
        self.rings_no_more(now, leg);
        let found = self.call_and_role(leg);
        self.let_go(leg, false);
        if let Some((call, role)) = found {
            self.refused_as(now, call, role, leg, refusal);
        }
    }

    fn refused_as(&mut self, now: Now, call: CallRef, role: Role, leg: LegRef, refusal: Refusal) {
        match role {
            Role::RungAgent => self.rung_agent_refused(now, call, Some(leg), refusal),
            Role::DirectCallee => self.direct_refused(now, call, Some(leg), refusal.status),
            Role::AttemptAgent => self.attempt_agent_refused(now, call, Some(leg), refusal),
            Role::AttemptCustomer => self.attempt_customer_refused(now, call, Some(leg), refusal),
            // Not invited by us: their end is `Ended`.
            Role::WaitingCaller | Role::MenuCaller | Role::DirectCaller | Role::Talker | Role::Listener => {}
        }
    }

    fn on_reoffer(&mut self, now: Now, leg: LegRef, body: Option<Bytes>) {
        let turned = self.on_offered(now, leg, body);
        if let Some((call, Role::Talker)) = self.call_and_role(leg).filter(|_| turned) {
            self.talk_held(call, leg);
        }
        self.leg_heard(now, leg);
        match self.call_and_role(leg) {
            Some((call, Role::Talker)) => self.keep_talk(now, call),
            Some((call, Role::WaitingCaller)) => self.keep_caller(now, call),
            Some(_) | None => {} // Whoever else asks is of this life alone.
        }
    }

    fn on_ended(&mut self, now: Now, leg: LegRef, by: EndedBy) {
        let cause = match by {
            EndedBy::Bye | EndedBy::Cancel => None,
            EndedBy::NoAck | EndedBy::Lost => Some(EndCause::SignallingLost),
        };
        self.on_gone(now, leg, cause);
    }

    /// A party is gone; `cause` when it did not just hang up.
    fn on_gone(&mut self, now: Now, leg: LegRef, cause: Option<EndCause>) {
        self.timers.cancel(&Timer::Probe(leg));
        let Some((call, role)) = self.call_and_role(leg) else {
            self.let_go(leg, false);
            return;
        };
        match role {
            Role::WaitingCaller => self.waiting_caller_left(now, call, cause.unwrap_or(EndCause::Abandoned)),
            Role::MenuCaller => self.menu_caller_left(now, call, cause.unwrap_or(EndCause::Abandoned)),
            Role::DirectCaller => self.direct_caller_left(now, call),
            Role::AttemptAgent => self.attempt_agent_left(now, call, leg),
            Role::Talker => self.talker_left(now, call, leg, cause),
            Role::Listener => {
                self.let_go(leg, false);
                self.end_call(now, call, EndCause::Announced);
            }
            Role::RungAgent | Role::DirectCallee | Role::AttemptCustomer => {
                self.let_go(leg, false);
                self.refused_as(now, call, role, leg, Refusal { status: 487, local: true });
            }
        }
    }

    /// A key, by telephone-event or INFO.
    pub(super) fn on_key(&mut self, now: Now, leg: LegRef, digit: char) {
        match self.call_and_role(leg) {
            Some((call, Role::WaitingCaller)) => self.waiting_key(now, call, digit),
            Some((call, Role::MenuCaller)) => self.menu_key(now, call, digit),
            Some((call, Role::AttemptAgent)) => self.attempt_agent_key(now, call, digit),
            Some((call, Role::AttemptCustomer)) => self.attempt_customer_key(now, call, digit),
            // Of these, most keys belong to the one they talk to; the media plane passes them on.
            Some((call, Role::Talker)) => {
                self.talk_key(now, call, leg, digit);
                self.talker_key(now, call, leg, digit);
                self.keep_talk(now, call);
            }
            Some((_, Role::RungAgent | Role::DirectCaller | Role::DirectCallee | Role::Listener)) | None => {}
        }
    }

    /// What a media shard has to say.
    pub(super) fn on_media(&mut self, now: Now, event: media::Event) {
        let (media::Event::Digit { leg, .. }
        | media::Event::Played { leg, .. }
        | media::Event::Heard { leg }
        | media::Event::Silent { leg }
        | media::Event::OpenFailed { leg }
        | media::Event::Closed { leg, .. }) = &event;
        self.suspect_leg(*leg);
        if let media::Event::Closed { leg, stats: _ } = &event {
            return self.port_back(*leg); // Whatever else may go wrong, its port is free.
        }
        self.trap.step();
        match event {
            media::Event::Digit { leg, digit } => self.on_key(now, leg, digit),
            media::Event::Played { leg, play, whole } => {
                let Some(call) = self.legs.get(&leg).map(|leg| leg.call) else { return };
                match self.calls.get(&call).map(|call| &call.story) {
                    Some(Story::Waiting(_)) => self.waiting_played(now, call, play),
                    Some(Story::Menu(_)) => self.menu_played(now, call, play),
                    Some(Story::Attempt(_)) => self.attempt_played(now, call, play),
                    Some(Story::Talking(_)) => self.talk_played(now, call, play, whole),
                    Some(Story::Announcing { leg: listener, play: Some(awaited), cause }) if *awaited == play => {
                        let (listener, cause) = (*listener, *cause);
                        self.hang_up(now, listener, None);
                        self.end_call(now, call, cause);
                    }
                    Some(Story::Announcing { .. } | Story::Direct(_) | Story::Over) | None => {}
                }
            }
            media::Event::Heard { leg } => self.leg_heard(now, leg),
            media::Event::Silent { leg } => self.on_silent(now, leg),
            media::Event::OpenFailed { leg } => self.on_failed(now, leg),
            media::Event::Closed { .. } => {}
        }
    }

    fn on_silent(&mut self, now: Now, leg: LegRef) {
        if self.probe(now, leg) {
            self.timers.set(Timer::Probe(leg), now.tick + PROBE);
        }
    }

    /// A leg's port could not be bound. Its party would hear nothing and never be heard.
    fn on_failed(&mut self, now: Now, leg: LegRef) {
        self.port_refused(now, leg);
        self.end_leg(now, leg, EndCause::Failed);
    }

    /// Ends one leg by our own doing; its call goes on or ends as if the party had left.
    pub(super) fn end_leg(&mut self, now: Now, leg: LegRef, cause: EndCause) {
        match self.legs.get(&leg).map(|entry| entry.phase) {
            Some(Phase::Inviting) => {
                // It may ring on until its CANCEL is heeded (law 2).
                let found = self.call_and_role(leg);
                self.hang_up(now, leg, None);
                if let Some((call, role)) = found {
                    self.refused_as(now, call, role, leg, Refusal { status: 503, local: true });
                }
            }
            Some(Phase::Arriving | Phase::Up) => {
                self.ua.hang_up(now.tick, leg, None);
                self.on_gone(now, leg, Some(cause));
            }
            None => {}
        }
    }

    /// Ends a call whatever it is doing: by API, or because a drain took too long.
    pub(super) fn end_any_call(&mut self, now: Now, id: CallRef, cause: EndCause) {
        let Some(call) = self.calls.get(&id) else { return };
        match &call.story {
            Story::Waiting(waiting) => {
                let caller = waiting.caller;
                self.end_leg(now, caller, cause);
            }
            Story::Menu(menu) => {
                let caller = menu.caller;
                self.end_leg(now, caller, cause);
            }
            Story::Direct(direct) => {
                let caller = direct.caller;
                self.end_leg(now, caller, cause);
            }
            Story::Attempt(_) => self.finish_attempt(now, id, Outcome::Superseded, Duration::ZERO),
            Story::Talking(_) => self.end_talk(now, id, cause),
            Story::Announcing { leg, .. } => {
                let leg = *leg;
                self.end_leg(now, leg, cause);
            }
            Story::Over => {}
        }
    }

    /// A deadline has come.
    pub(super) fn on_timer(&mut self, now: Now, timer: Timer) {
        self.trap.step();
        match timer {
            Timer::Call(call, CallTimer::Ring) => self.rung_long_enough(now, call),
            Timer::Call(call, CallTimer::Dialogue) => match self.calls.get(&call).map(|call| &call.story) {
                Some(Story::Menu(_)) => self.menu_timeout(now, call),
                Some(Story::Attempt(_)) => self.attempt_not_stored_yet(now, call),
                Some(_) | None => self.waiting_pause(now, call),
            },
            Timer::Call(call, CallTimer::Announce) => self.plan_announcement(now, call),
            Timer::Call(call, CallTimer::MaxWait) => self.waited_too_long(now, call),
            Timer::Call(call, CallTimer::NoAgents) => self.nobody_there(now, call),
            Timer::Call(call, CallTimer::Key) => self.attempt_key_missing(now, call),
            Timer::Call(call, CallTimer::Dial) => self.dial_when_ready(now, call),
            Timer::Call(call, CallTimer::Kept) => self.attempt_kept(now, call),
            Timer::Call(call, CallTimer::Revive) => self.revive_timeout(now, call),
            Timer::Probe(leg) => self.end_leg(now, leg, EndCause::MediaLost),
            Timer::TellAgain => self.tell_again(now),
            Timer::Pulse => self.pulse(now),
            Timer::AskTalks => self.ask_talks(now),
        }
    }

    fn rung_long_enough(&mut self, now: Now, id: CallRef) {
        let timeout = Refusal { status: 408, local: false };
        match self.calls.get(&id).map(|call| &call.story) {
            Some(Story::Waiting(_)) => self.rung_agent_refused(now, id, None, timeout),
            Some(Story::Direct(_)) => self.direct_refused(now, id, None, timeout.status),
            Some(Story::Attempt(attempt)) => match attempt.stage {
                Stage::AgentRinging(_) | Stage::Holds { .. } => self.attempt_agent_refused(now, id, None, timeout),
                Stage::CustomerRinging { .. } => self.attempt_rung_out(now, id),
                Stage::Reserving | Stage::Dialling { .. } | Stage::Asking { .. } | Stage::Telling { .. } => {}
            },
            Some(Story::Menu(_) | Story::Talking(_) | Story::Announcing { .. } | Story::Over) | None => {}
        }
    }

    /// What a trunk wants.
    pub(super) fn on_want(&mut self, now: Now, want: Want) {
        self.trap.step();
        match want {
            Want::Locate { trunk, host, port } => {
                let lookup = LookupRef(self.lookups_made.take());
                self.lookups.insert(lookup, trunk);
                self.out.push_back(Output::Locate(lookup, Wanted { host, port }));
            }
            Want::Request { trunk, request, kind } => {
                let request = self.ua.request(now.tick, request);
                self.requests.insert(request, (trunk, kind));
            }
        }
    }

    pub(super) fn on_turned(&mut self, trunk: Name, turned: Turned) {
        let happened = match turned {
            Turned::Up => event::Event::TrunkUp { trunk },
            Turned::Down(down) => event::Event::TrunkDown { trunk, reason: down.to_string() },
        };
        self.publish(happened);
        self.serve_wanted = true;
    }

    fn trace(&mut self, now: Now, leg: LegRef, outgoing: bool, flow: Flow, what: &str) {
        let late = || self.late_ladders.iter().rev().find(|(late, _, _)| *late == leg);
        let (call, peer) = match self.legs.get(&leg) {
            Some(entry) => (Some(entry.call), entry.who.label()),
            None => match late() {
                Some((_, call, peer)) => (Some(*call), peer.clone()),
                None => (None, flow.remote.to_string()),
            },
        };
        let here = "ringback".to_owned();
        let (from, to) = if outgoing { (here, peer) } else { (peer, here) };
        let step = view::LadderStep { at: now.utc, from, to, what: what.to_owned() };
        let Some(call) = call else {
            // Before its call begins: the ladder waits for it.
            self.early_ladder.push(step);
            return;
        };
        let recent = self.past.iter_mut().rev().take(limits::LATE_LADDERS).find(|past| past.id == call);
        if let Some(call) = self.calls.get_mut(&call).or(recent)
            && call.ladder.len() < limits::LADDER_STEPS
        {
            call.ladder.push(step);
        }
    }
}

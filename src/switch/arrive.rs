//! Arrivals: an admitted INVITE finds its destination (RFC 3261 §8.2, §13.3.1), and a REGISTER its place on disk.

use super::call::{Kind, NewCall, Story};
use super::end::EndCause;
use super::legs::{NewLeg, Phase, Who};
use super::peers::Peer;
use super::ring::PHONE_CODECS;
use super::{Switch, event};
use crate::agent::FeatureCode;
use crate::id::{CallRef, LegRef, Name, TransactionRef};
use crate::number::{self, Party};
use crate::registrar::{Binding, BindingChange};
use crate::route;
use crate::settings::{Codec, Destination, Refuse};
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Request};
use crate::sip::user_agent::{Field, Reach};
use crate::time::Now;
use crate::trunk;
use bytes::Bytes;

/// An INVITE that is being served.
pub(super) struct Arrival {
    pub(super) leg: LegRef,
    pub(super) flow: Flow,
    pub(super) who: Who,
    /// Who calls, when that can be called back.
    pub(super) customer: Option<Party>,
    /// Who calls, as signalled; empty when withheld.
    pub(super) caller: String,
    /// What was dialled.
    pub(super) dialled: String,
    pub(super) offer: Bytes,
}

impl Switch {
    /// An INVITE that was admitted.
    pub(super) fn on_invited(&mut self, now: Now, leg: LegRef, flow: Flow, request: &Request) {
        let peer = self.admitted.clone().unwrap_or(Peer::Stranger);
        if self.draining {
            self.ua.refuse(now.tick, leg, 503, vec![("Retry-After", "30".to_owned())]);
            return;
        }
        match peer {
            Peer::Trunk(trunk) => self.trunk_calls(now, leg, flow, trunk, request),
            Peer::Phone(extension) => self.phone_calls(now, leg, flow, &extension, request),
            Peer::Stranger => self.ua.refuse(now.tick, leg, 403, Vec::new()),
        }
    }

    fn trunk_calls(&mut self, now: Now, leg: LegRef, flow: Flow, trunk: Name, request: &Request) {
        let trusted = self.settings.trunk(&trunk).is_some_and(|trunk| trunk.trusted);
        // A provider's own proxy may sit between: its Record-Route and Contact are followed (RFC 3261 §12.1.1).
        self.ua.set_reach(leg, Reach::Contact);
        let caller = trunk::caller(request, trusted).unwrap_or_default();
        let country = self.settings.system.default_country.as_deref();
        let arrival = Arrival {
            leg,
            flow,
            customer: number::read(&caller, country).ok(),
            caller,
            dialled: self.trunks.dialled_by(&trunk, request),
            offer: request.body.clone(),
            who: Who::Trunk(trunk.clone()),
        };
        if let Some(how) = self.policy.denied(arrival.customer.as_ref(), now.utc) {
            self.deny(now, &arrival, how);
            return;
        }
        let settings = self.settings.clone();
        let Some(route) = route::inbound(&settings, &trunk, &arrival.dialled) else {
            self.ua.refuse(now.tick, leg, 404, Vec::new());
            return;
        };
        let is_open = self.is_open(now, route.schedule.as_ref());
        let to = if is_open { Some(&route.to) } else { route.closed_to.as_ref() };
        if let Some(Destination::Hangup(status)) = to {
            self.ua.refuse(now.tick, leg, *status, Vec::new());
            return;
        }
        let Some(call) = self.take_in(now, &arrival, Kind::Inbound) else { return };
        self.go_or_say(now, call, leg, to, &["closed"], EndCause::Announced);
    }

    fn phone_calls(&mut self, now: Now, leg: LegRef, flow: Flow, extension: &Name, request: &Request) {
        let settings = self.settings.clone();
        let Some(agent) = settings.agents.iter().find(|agent| agent.extension == *extension) else {
            self.ua.refuse(now.tick, leg, 403, Vec::new());
            return;
        };
        let arrival = Arrival {
            leg,
            flow,
            who: Who::Agent(agent.name.clone()),
            customer: Some(Party::Extension((&**extension).into())),
            caller: extension.to_string(),
            dialled: trunk::dialled(request),
            offer: request.body.clone(),
        };
        if let Some(code) = FeatureCode::parse(&arrival.dialled) {
            self.on_feature_code(now, arrival, &agent.name, &code);
        } else if let Some(queue) = settings.queues.iter().find(|queue| *queue.number == *arrival.dialled) {
            self.phone_goes_to(now, &arrival, Kind::Inbound, &Destination::Queue(queue.name.clone()));
        } else if let Some(ivr) = settings.ivrs.iter().find(|ivr| ivr.number.as_deref() == Some(&*arrival.dialled)) {
            self.phone_goes_to(now, &arrival, Kind::Inbound, &Destination::Ivr(ivr.name.clone()));
        } else if let Some(called) = settings.agents.iter().find(|agent| *agent.extension == *arrival.dialled) {
            self.phone_goes_to(now, &arrival, Kind::Internal, &Destination::Agent(called.name.clone()));
        } else {
            self.call_outside(now, arrival, &agent.name);
        }
    }

    /// A caller whom a list denies: neither a place in line nor a callback (S1.B12).
    fn deny(&mut self, now: Now, arrival: &Arrival, how: Refuse) {
        match how {
            Refuse::Reject => self.ua.refuse(now.tick, arrival.leg, 603, Vec::new()),
            Refuse::Busy => self.ua.refuse(now.tick, arrival.leg, 486, Vec::new()),
            Refuse::Message => {
                if let Some(call) = self.take_in(now, arrival, Kind::Inbound) {
                    self.announce_and_end(now, call, arrival.leg, vec!["caller_refused".into(), "goodbye".into()]);
                }
            }
        }
    }

    fn phone_goes_to(&mut self, now: Now, arrival: &Arrival, kind: Kind, to: &Destination) {
        if let Some(call) = self.take_in(now, arrival, kind) {
            self.go_to(now, call, arrival.leg, to);
        }
    }

    /// Gives an arrival its leg, port and answer; `None` when it has been refused.
    pub(super) fn take_in(&mut self, now: Now, arrival: &Arrival, kind: Kind) -> Option<CallRef> {
        let Some(seat) = self.take_seat_for_caller(now, arrival.flow) else {
            self.ua.refuse(now.tick, arrival.leg, 503, vec![("Retry-After", "10".to_owned())]);
            return None;
        };
        let codecs = match &arrival.who {
            Who::Trunk(trunk) => self.trunk_codecs(trunk),
            Who::Agent(_) => PHONE_CODECS.to_vec(),
        };
        let call = self.begin_call(
            now,
            NewCall {
                kind,
                from: if arrival.caller.is_empty() { "anonymous".to_owned() } else { arrival.caller.clone() },
                to: arrival.dialled.clone(),
                customer: arrival.customer.clone(),
            },
        );
        if let Some(call) = self.calls.get_mut(&call) {
            call.ani = arrival.caller.clone();
            call.in_trunk = match &arrival.who {
                Who::Trunk(trunk) => Some(trunk.clone()),
                Who::Agent(_) => None,
            };
        }
        let new = NewLeg {
            call,
            who: arrival.who.clone(),
            customer: arrival.customer.clone(),
            flow: arrival.flow,
            phase: Phase::Arriving,
            codecs,
        };
        self.seat(arrival.leg, seat, new);
        if let Err(status) = self.negotiate(arrival.leg, &arrival.offer) {
            self.refuse_leg(now, arrival.leg, status);
            self.end_call(now, call, super::end::EndCause::Refused);
            return None;
        }
        Some(call)
    }

    pub(super) fn trunk_codecs(&self, trunk: &str) -> Vec<Codec> {
        self.settings.trunk(trunk).map_or_else(|| PHONE_CODECS.to_vec(), |trunk| trunk.codecs.clone())
    }

    /// A non-INVITE request that was admitted.
    pub(super) fn on_asked(&mut self, now: Now, transaction: TransactionRef, flow: Flow, request: &Request) {
        let peer = self.admitted.clone().unwrap_or(Peer::Stranger);
        match (&request.method, peer) {
            (Method::Known(rsip::Method::Register), Peer::Phone(extension)) => {
                let answer = self.registrar.register(now, flow, &extension, request);
                self.store_bindings(transaction, answer.status, answer.fields, answer.changes);
            }
            (Method::Known(rsip::Method::Options), _) if self.draining => {
                self.ua.respond(now.tick, transaction, 503, vec![("Retry-After", "30".to_owned())]);
            }
            (Method::Known(rsip::Method::Options), _) => {
                self.ua.respond(now.tick, transaction, 200, vec![("Accept", "application/sdp".to_owned())]);
            }
            // The user agent has answered what it does not know; what is left is not for this peer.
            (Method::Known(_) | Method::Other(_), _) => self.ua.respond(now.tick, transaction, 403, Vec::new()),
        }
    }

    /// Persist before you promise: the 200 of a REGISTER leaves when its bindings are on the disk.
    fn store_bindings(
        &mut self,
        transaction: TransactionRef,
        status: u16,
        fields: Vec<Field>,
        changes: Vec<BindingChange>,
    ) {
        let stored = changes.iter().map(super::durable::binding_change).collect::<Vec<_>>();
        let answer = super::durable::Pending::Bindings { transaction, status, fields, changes };
        self.commit(stored, answer);
    }

    /// Bindings have changed: phones come and go.
    pub(super) fn apply_bindings(&mut self, now: Now, changes: &[BindingChange]) {
        for change in changes {
            let is_new = matches!(change, BindingChange::Put(binding) if !self.is_bound(binding));
            self.registrar.apply(change);
            let extension = match change {
                BindingChange::Put(binding) => binding.extension.clone(),
                BindingChange::Remove { extension, .. } => extension.clone(),
            };
            let Some(agent) = self.settings.agents.iter().find(|agent| agent.extension == extension) else { continue };
            let agent = agent.name.clone();
            match change {
                BindingChange::Put(binding) if is_new => {
                    self.publish(event::Event::AgentRegistered {
                        agent: agent.clone(),
                        contact: binding.contact.clone(),
                    });
                    self.phone_appeared(now, &agent);
                    self.seen_at(&agent, binding.flow.remote.ip());
                }
                BindingChange::Put(binding) => self.seen_at(&agent, binding.flow.remote.ip()),
                BindingChange::Remove { contact, .. } => {
                    self.publish(event::Event::AgentUnregistered { agent: agent.clone(), contact: contact.clone() });
                }
            }
            self.serve_wanted = true;
        }
    }

    fn is_bound(&self, binding: &Binding) -> bool {
        self.registrar.bindings(&binding.extension).any(|bound| bound.contact == binding.contact)
    }

    /// What a call that goes nowhere becomes, before it was answered.
    pub(super) fn refuse_call(
        &mut self,
        now: Now,
        call: CallRef,
        leg: LegRef,
        status: u16,
        cause: super::end::EndCause,
    ) {
        self.refuse_leg(now, leg, status);
        if let Some(call) = self.calls.get_mut(&call) {
            call.story = Story::Over;
        }
        self.end_call(now, call, cause);
    }
}

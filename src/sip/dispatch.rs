//! Where a message goes that the transactions do not absorb: to the leg whose dialog or INVITE it belongs to, to a
//! request of ours, or to the switch as something new.

use super::ask;
use super::body::session_description;
use super::core::{Core, Goodbye, InviteKind, Purpose};
use super::dialog::{Dialog, DialogId};
use super::flow::Flow;
use super::inspect::{Refusal, inspect};
use super::leg::{Incoming, Leg};
use super::message::{Method, Request, Response};
use super::outbox::What;
use super::session::Session;
use super::text::Text;
use super::transaction::Class;
use super::transaction::table::{ClientRef, Match, Unanswered, follow_up};
use super::uas::Called;
use super::user_agent::{Event, UserAgent};
use crate::id::LegRef;
use crate::limits;
use crate::time::Tick;

impl UserAgent {
    pub(super) fn on_request(&mut self, now: Tick, flow: Flow, request: Request) {
        match self.core.table.on_request(now, flow, &request, &mut self.core.out) {
            Match::Absorbed => {}
            Match::Merged => self.core.answer_statelessly(flow, &request, 482, Vec::new()),
            Match::New | Match::Ack if request.method == Method::CANCEL => self.on_cancel(now, flow, &request),
            Match::New | Match::Ack => match DialogId::of_incoming(&request) {
                Some(id) => self.on_request_in_dialog(now, flow, &request, &id),
                None => self.on_new_request(now, flow, request),
            },
        }
    }

    fn on_request_in_dialog(&mut self, now: Tick, flow: Flow, request: &Request, id: &DialogId) {
        let source = flow.remote.ip();
        let leg = self.dialogs.get(id).copied().filter(|leg| {
            let dialog = self.legs.get_mut(leg).and_then(|state| state.dialog_mut(id));
            dialog.is_some_and(|dialog| dialog.accepts_from(source))
        });
        match leg {
            Some(leg) => {
                self.step(leg, |core, state| state.on_request(core, now, leg, Incoming { flow, request, dialog: id }));
            }
            // RFC 3261 §12.2.2; and to a stranger a dialog that is not his does not exist (security.md T18).
            None => self.core.answer_statelessly(flow, request, 481, Vec::new()),
        }
    }

    fn on_cancel(&mut self, now: Tick, flow: Flow, request: &Request) {
        let invite = self.core.table.cancelled_by(request).and_then(|id| Some((id, self.core.table.server(id)?)));
        let own = invite.filter(|(_, server)| server.flow.remote.ip() == flow.remote.ip());
        let Some((id, server)) = own else {
            self.core.answer_statelessly(flow, request, 481, Vec::new());
            return;
        };
        let (leg, pending) = (server.leg, server.is_pending());
        self.core.out.heard(flow, leg, What::Request("CANCEL"), false);
        let Some(cancel) = self.core.table.open(flow, request, leg) else { return };
        self.core.answer(now, cancel, 200, |_| ());
        let Some(leg) = leg.filter(|_| pending) else { return }; // RFC 3261 §9.2: too late, and without effect.
        self.step(leg, |core, state| match state {
            Leg::Called(called) => {
                called.on_cancel(core, now, leg);
                None
            }
            Leg::Session(mut session) => {
                session.on_cancel(core, now, id);
                Some(Leg::Session(session))
            }
            Leg::Calling(_) => Some(state), // It has no INVITE of theirs.
        });
    }

    fn on_new_request(&mut self, now: Tick, flow: Flow, request: Request) {
        if request.method == Method::ACK {
            return; // Of an answer without state, or stray.
        }
        if let Err(Refusal { status, fields }) = inspect(&request) {
            self.core.answer_statelessly(flow, &request, status, fields);
            return;
        }
        if request.method == Method::INVITE {
            self.on_new_invite(now, flow, request);
        } else if request.method == Method::OPTIONS || request.method == Method::REGISTER {
            if let Some(transaction) = self.core.table.open(flow, &request, None) {
                self.core.out.tell(Event::Asked { transaction, flow, request: Box::new(request) });
            }
        } else {
            // BYE, UPDATE and INFO mean nothing outside a dialog.
            self.core.answer_statelessly(flow, &request, 481, Vec::new());
        }
    }

    fn on_new_invite(&mut self, now: Tick, flow: Flow, mut request: Request) {
        if self.legs.len() >= limits::LEGS {
            let wait = 5 + self.core.entropy.below(26); // durability.md P11
            self.core.answer_statelessly(flow, &request, 503, vec![("Retry-After", wait.to_string())]);
            return;
        }
        let body = session_description(&request.headers, &request.body).unwrap_or(None);
        let leg = self.core.next_leg();
        let called = match Called::new(&mut self.core, flow, &request, leg, body.is_some()) {
            Ok(Some(called)) => called,
            Ok(None) => return, // The table is full: UDP retries.
            Err(Refusal { status, fields }) => {
                self.core.answer_statelessly(flow, &request, status, fields);
                return;
            }
        };
        request.body = body.unwrap_or_default();
        self.core.out.tell(Event::Invited { leg, flow, request: Box::new(request) });
        self.core.out.heard(flow, Some(leg), What::Request("INVITE"), false);
        self.core.answer(now, called.transaction, 100, |_| ());
        self.settle(leg, &[], Some(Leg::Called(Box::new(called))));
    }

    pub(super) fn on_response(&mut self, now: Tick, flow: Flow, response: &Response) {
        let Some(reference) = self.core.table.on_response(now, flow, response, &mut self.core.out) else {
            if !self.core.table.has(response) {
                self.on_stray(now, flow, response);
            }
            return;
        };
        let client = self.core.table.client_mut(reference).expect("the table has just passed its response up");
        if matches!(client.purpose, Purpose::Invite(_)) {
            self.on_invite_response(now, flow, reference, response);
            return;
        }
        if Class::of(response.code()) == Class::Provisional {
            return;
        }
        match std::mem::replace(&mut client.purpose, Purpose::Nothing) {
            Purpose::Invite(_) | Purpose::Nothing => {}
            Purpose::Bye(mut authorizer) => {
                let (asked, request, leg) = (client.flow, client.request.clone(), client.leg);
                if authorizer.takes(flow, response) {
                    let again = self.core.again(&request, asked, &mut authorizer);
                    let Core { table, out, .. } = &mut self.core;
                    let _ = table.begin(now, asked, again, leg, Purpose::Bye(authorizer), out);
                }
            }
            Purpose::Update(leg) => self.on_session_response(now, flow, leg, reference, response),
            Purpose::Request(asking) => {
                let (asked, request) = (client.flow, client.request.clone());
                ask::on_response(&mut self.core, now, asking, &request, asked, (flow, response));
            }
        }
    }

    fn on_invite_response(&mut self, now: Tick, flow: Flow, reference: ClientRef, response: &Response) {
        let client = self.core.table.client(reference).expect("the caller has it");
        let Purpose::Invite(inviting) = &client.purpose else { return };
        let leg = inviting.leg;
        let tag = response.headers.to().tag();
        if Class::of(response.code()) == Class::Success {
            let acked = inviting.acks.iter().find(|(acked, ..)| acked.as_deref() == tag);
            if let Some((_, to, bytes)) = acked {
                // RFC 3261 §13.2.2.4: the ACK again for every copy of the 2xx.
                let (to, bytes) = (*to, bytes.clone());
                self.core.out.send(to, bytes, Some(leg), What::Request("ACK"), true);
                return;
            }
            let waits = match self.legs.get(&leg) {
                Some(Leg::Calling(calling)) => calling.client == reference,
                Some(Leg::Session(session)) => session.waits_for(reference),
                Some(Leg::Called(_)) | None => false,
            };
            if !waits {
                self.on_late_success(now, reference, response);
                return;
            }
        }
        match self.legs.get(&leg) {
            Some(Leg::Calling(calling)) if calling.client == reference => self.step(leg, |core, state| match state {
                Leg::Calling(calling) => calling.on_response(core, now, leg, (flow, response)),
                Leg::Called(_) | Leg::Session(_) => Some(state),
            }),
            Some(Leg::Session(_)) => self.on_session_response(now, flow, leg, reference, response),
            Some(Leg::Calling(_) | Leg::Called(_)) | None => {} // The leg has moved on.
        }
    }

    fn on_session_response(&mut self, now: Tick, flow: Flow, leg: LegRef, reference: ClientRef, response: &Response) {
        self.step(leg, |core, state| match state {
            Leg::Session(session) => session.on_response(core, now, leg, reference, (flow, response)),
            Leg::Calling(_) | Leg::Called(_) => Some(state),
        });
    }

    /// A 2xx that nobody waits for: another fork, or of a leg that is gone. It gets its ACK, and a fork its BYE.
    fn on_late_success(&mut self, now: Tick, reference: ClientRef, response: &Response) {
        let client = self.core.table.client(reference).expect("the caller has it");
        let (flow, request) = (client.flow, client.request.clone());
        let Purpose::Invite(inviting) = &client.purpose else { return };
        let leg = inviting.leg;
        let tag = response.headers.to().tag().map(Text::from);
        match &inviting.kind {
            InviteKind::First { reach, contact_user, secret } => {
                let secret = secret.clone();
                let mut dialog = Dialog::of_uac(&request, response, flow, *reach, contact_user);
                let (ack_flow, ack) = dialog.ack(&mut self.core, &request);
                self.core.acknowledge(reference, tag, ack_flow, &ack);
                let (flow, bye) = dialog.request(&mut self.core, Method::BYE);
                let goodbye = Goodbye { reason: None, secret: secret.as_ref() };
                self.core.bye(now, flow, bye, Some(leg), goodbye);
            }
            // A re-INVITE that our BYE has overtaken.
            InviteKind::Again => {
                let mut ack = follow_up(&request, Method::ACK, Some(response));
                let branch = self.core.branch();
                *ack.headers.via_top_mut() = self.core.via(flow, &branch);
                self.core.acknowledge(reference, tag, flow, &ack);
            }
        }
    }

    pub(super) fn on_unanswered(&mut self, now: Tick, unanswered: Unanswered<Purpose>) {
        let Unanswered { reference, client, transport } = unanswered;
        let Some(client) = client else {
            let leg = self.core.table.client(reference).and_then(|client| client.leg);
            leg.into_iter().for_each(|leg| self.on_leg_unanswered(now, leg, reference, transport));
            return;
        };
        match client.purpose {
            Purpose::Nothing | Purpose::Bye(_) => {} // The dialog is over at this end anyway.
            Purpose::Request(asking) => ask::on_unanswered(&mut self.core, now, asking, &client.request),
            Purpose::Update(leg) => self.on_leg_unanswered(now, leg, reference, transport),
            Purpose::Invite(inviting) => self.on_leg_unanswered(now, inviting.leg, reference, transport),
        }
    }

    fn on_leg_unanswered(&mut self, now: Tick, leg: LegRef, reference: ClientRef, transport: bool) {
        self.step(leg, |core, state| match state {
            Leg::Calling(calling) if calling.client == reference => calling.on_unanswered(core, now, leg, transport),
            Leg::Session(session) => session.on_unanswered(core, now, leg, reference),
            Leg::Calling(_) | Leg::Called(_) => Some(state),
        });
    }

    /// Moves a leg through `change`.
    pub(super) fn step(&mut self, leg: LegRef, change: impl FnOnce(&mut Core, Leg) -> Option<Leg>) {
        let Some(state) = self.legs.remove(&leg) else { return };
        let before = state.dialogs();
        let after = change(&mut self.core, state);
        self.settle(leg, &before, after);
    }

    pub(super) fn in_session(&mut self, leg: LegRef, change: impl FnOnce(&mut Core, &mut Session)) {
        self.step(leg, |core, mut state| {
            if let Leg::Session(session) = &mut state {
                change(core, session);
            }
            Some(state)
        });
    }

    /// Brings the indexes in line with what a leg has become.
    pub(super) fn settle(&mut self, leg: LegRef, before: &[DialogId], after: Option<Leg>) {
        let dialogs = after.as_ref().map(Leg::dialogs).unwrap_or_default();
        for gone in before.iter().filter(|id| !dialogs.contains(id)) {
            self.dialogs.remove(gone);
        }
        for id in dialogs {
            self.dialogs.insert(id, leg);
        }
        self.core.timers.set(leg, after.as_ref().and_then(Leg::deadline));
        if let Some(after) = after {
            self.legs.insert(leg, after);
        }
    }
}

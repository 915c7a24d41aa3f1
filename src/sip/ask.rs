//! Requests of ours outside dialogs (REGISTER, OPTIONS): challenges and the next flow, until there is one answer.

use super::challenge::{Authorizer, Secret};
use super::core::{Asking, Core, Purpose};
use super::flow::Flow;
use super::header::name_addr::NameAddr;
use super::message::{HeaderName, Method, Request, Response};
use super::transaction::Class;
use super::uri::Uri;
use super::user_agent::{Event, OutgoingRequest};
use crate::id::RequestRef;
use crate::time::Tick;

/// Sends the first; when it cannot be sent that is said at once.
pub(super) fn begin(core: &mut Core, now: Tick, wanted: OutgoingRequest) -> RequestRef {
    let reference = core.next_request();
    let authorizer = Authorizer::new(Secret::of(wanted.credentials.as_ref(), &wanted.flows));
    let asking = Asking { reference, wanted, at: 0, authorizer };
    match first_request(core, &asking) {
        Some((flow, request)) => send(core, now, flow, request, asking),
        None => nobody(core, reference),
    }
    reference
}

/// A response to `request`.
pub(super) fn on_response(
    core: &mut Core,
    now: Tick,
    mut asking: Box<Asking>,
    request: &Request,
    asked: Flow,
    (source, response): (Flow, &Response),
) {
    debug_assert!(Class::of(response.code()) != Class::Provisional, "only a final response ends the asking");
    if asking.authorizer.takes(source, response) {
        let again = core.again(request, asked, &mut asking.authorizer);
        send(core, now, asked, again, *asking);
    } else if response.code() == 503 && asking.at + 1 < asking.wanted.flows.len() {
        next_flow(core, now, request, *asking);
    } else {
        let response = Some(Box::new(response.clone()));
        core.out.tell(Event::Response { request: asking.reference, response });
    }
}

/// No response has come.
pub(super) fn on_unanswered(core: &mut Core, now: Tick, asking: Box<Asking>, request: &Request) {
    match asking.at + 1 < asking.wanted.flows.len() {
        true => next_flow(core, now, request, *asking),
        false => nobody(core, asking.reference),
    }
}

fn next_flow(core: &mut Core, now: Tick, request: &Request, mut asking: Asking) {
    asking.at += 1;
    let flow = asking.wanted.flows[asking.at];
    let mut request = core.again(request, flow, &mut asking.authorizer);
    if let Some(user) = &asking.wanted.contact_user {
        request.headers.set(HeaderName::Contact, core.contact(flow, user));
    }
    send(core, now, flow, request, asking);
}

fn send(core: &mut Core, now: Tick, flow: Flow, request: Request, asking: Asking) {
    let reference = asking.reference;
    let begun = core.table.begin(now, flow, request, None, Purpose::Request(Box::new(asking)), &mut core.out);
    if begun.is_err() {
        nobody(core, reference); // The table is full.
    }
}

fn nobody(core: &mut Core, request: RequestRef) {
    core.out.tell(Event::Response { request, response: None });
}

fn first_request(core: &mut Core, asking: &Asking) -> Option<(Flow, Request)> {
    let wanted = &asking.wanted;
    let flow = *wanted.flows.first()?;
    let (uri, to, from) =
        (wanted.uri.parse::<Uri>().ok()?, wanted.to.parse::<Uri>().ok()?, wanted.from.1.parse::<Uri>().ok()?);
    let from = NameAddr::new(&wanted.from.0, from).with_tag(&core.entropy.token());
    let (call_id, number) = wanted.sequence.clone().unwrap_or_else(|| (core.entropy.token(), 1));
    let branch = core.branch();
    let via = core.via(flow, &branch);
    let method = Method::from(wanted.method);
    let mut request = Request::new(method, uri, via, from, NameAddr::new("", to), &call_id, number);
    if let Some(user) = &wanted.contact_user {
        request.headers.push(HeaderName::Contact, core.contact(flow, user));
    }
    request.headers.push(HeaderName::UserAgent, core.identity.product.as_str());
    for (name, value) in &wanted.fields {
        request.headers.push(*name, value.as_str());
    }
    Some((flow, request))
}

//! Final responses to INVITEs of ours that no transaction knows any more: mostly those of an earlier life of this
//! process, which was torn away before they came.
//!
//! Whoever answers repeats it for 32 s, and a person who has picked up sits in silence for so long, unless somebody
//! says ACK (RFC 3261 §13.3.1.4, §17.2.1). So each of them gets one: a refusal from hop to hop (§17.1.1.3), a 2xx in
//! its dialog. When that dialog is none of ours, BYE follows at once, for nobody is there to talk (durability.md §2.9).
//!
//! Only what answers a request of ours is heeded: its branch carries a mark that every life of this process can check
//! and nobody else can make, so that nobody lets us write to a third party (security.md T8).

use super::abandon::LAST_SEQUENCE;
use super::core::{Core, Goodbye};
use super::dialog::{Dialog, DialogId};
use super::flow::Flow;
use super::leg::Leg;
use super::message::{Method, Request, Response};
use super::outbox::What;
use super::transaction::Class;
use super::transaction::table::COOKIE;
use super::user_agent::UserAgent;
use crate::entropy::Secret;
use crate::time::Tick;

/// Characters of a token, and of the mark behind it.
const TOKEN: usize = 32;
const MARK: usize = 16;

/// The branch made of a token that nobody can guess.
pub(super) fn branch_of(secret: &Secret, token: &str) -> String {
    format!("{COOKIE}{token}{}", mark(secret, token))
}

fn mark(secret: &Secret, token: &str) -> String {
    let mut mark = secret.token(&format!("mark {token}"));
    mark.truncate(MARK);
    mark
}

/// Whether a life of this process has made this branch, or one for a further try of it.
fn is_ours(secret: &Secret, branch: &str) -> bool {
    let made = branch.strip_prefix(COOKIE).and_then(|made| made.split('-').next()).unwrap_or("");
    made.len() == TOKEN + MARK
        && made.split_at_checked(TOKEN).is_some_and(|(token, marked)| mark(secret, token) == marked)
}

/// The BYE that ends a dialog of which nobody knows anything but its names. Made twice it is the same one.
pub(super) fn last_bye(core: &Core, flow: Flow, mut bye: Request) -> Request {
    let headers = &bye.headers;
    let of = format!("bye {} {}", headers.call_id().as_str(), headers.to().tag().unwrap_or(""));
    let branch = branch_of(&core.identity.secret, &core.identity.secret.token(&of));
    *bye.headers.via_top_mut() = core.via(flow, &branch);
    bye
}

impl UserAgent {
    /// A response that belongs to no transaction.
    pub(super) fn on_stray(&mut self, now: Tick, flow: Flow, response: &Response) {
        let headers = &response.headers;
        let branch = headers.via_top().branch().filter(|_| headers.vias().len() == 1).unwrap_or("");
        if headers.cseq().method != Method::INVITE || !is_ours(&self.core.identity.secret, branch) {
            return;
        }
        match Class::of(response.code()) {
            Class::Provisional => {}
            Class::Failure => {
                let (via, to) = (self.core.via(flow, branch), headers.to().clone());
                let (from, number) = (headers.from().clone(), headers.cseq().number);
                let ack = Request::new(Method::ACK, to.uri.clone(), via, from, to, headers.call_id(), number);
                self.core.out.send(flow, ack.to_bytes(), None, What::Request("ACK"), false);
            }
            Class::Success => self.on_stray_success(now, flow, response),
        }
    }

    fn on_stray_success(&mut self, now: Tick, flow: Flow, response: &Response) {
        let Some(id) = DialogId::of_answer(response) else { return };
        let number = response.headers.cseq().number;
        if let Some(leg) = self.dialogs.get(&id).copied() {
            // The answer to a re-INVITE of the last life, or a late copy of an earlier one: the session goes on.
            if let Some(Leg::Session(session)) = self.legs.get(&leg) {
                self.core.out.heard(flow, Some(leg), What::Response(response.code(), "INVITE"), true);
                let (flow, ack) = session.dialog.acknowledge(&mut self.core, number);
                self.core.out.send(flow, ack.to_bytes(), Some(leg), What::Request("ACK"), false);
            }
            return;
        }
        let mut dialog = Dialog::of_stray(response, flow, LAST_SEQUENCE - 1);
        let (to, ack) = dialog.acknowledge(&mut self.core, number);
        self.core.out.send(to, ack.to_bytes(), None, What::Request("ACK"), false);
        let (to, bye) = dialog.request(&mut self.core, Method::BYE);
        let bye = last_bye(&self.core, to, bye);
        if !self.core.table.is_under_way(&bye) {
            self.core.bye(now, to, bye, None, Goodbye::default());
        }
    }
}

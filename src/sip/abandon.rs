//! Ends an INVITE that an earlier life of this process had sent, from what was stored before it left (durability.md
//! §2.8).
//!
//! Unless it is known to be answered, nobody knows how far it had come: it gets a CANCEL with the stored branch, and
//! one with the branch of the second try, since a challenge may have been answered. When the peer's tag is known, it
//! was answered, and a BYE ends it, with a sequence number above all we can have used. What does not fit gets a 481,
//! which is the answer we want.

use super::core::{Core, Goodbye, Purpose};
use super::flow::Flow;
use super::header::name_addr::NameAddr;
use super::message::{Method, Request};
use super::stray::last_bye;
use super::uac::retry_branch;
use super::uri::Uri;
use crate::id::DialogRecord;
use crate::limits;
use crate::time::Tick;

/// Above every sequence number a dialog of ours reaches before it is stored as ended.
pub(super) const LAST_SEQUENCE: u32 = 1 << 30;

pub(super) fn abandon(core: &mut Core, now: Tick, uri: &str, dialog: &DialogRecord) {
    // A record that cannot be read names no call that could be ended.
    let (Ok(uri), Ok(flow)) = (uri.parse::<Uri>(), dialog.flow.parse::<Flow>()) else { return };
    let from = NameAddr::new("", Uri::sip("", &core.host(flow), None)).with_tag(&dialog.local_tag);
    let to = NameAddr::new("", uri.clone());
    let Some(tag) = &dialog.remote_tag else {
        for number in 1..=limits::CHALLENGES {
            let via = core.via(flow, &retry_branch(&dialog.branch, number));
            let (uri, from, to) = (uri.clone(), from.clone(), to.clone());
            let cancel = Request::new(Method::CANCEL, uri, via, from, to, &dialog.call_id, number);
            let _ = core.table.begin(now, flow, cancel, None, Purpose::Nothing, &mut core.out);
        }
        return;
    };
    let target = dialog.remote_target.as_ref().and_then(|target| target.parse().ok()).unwrap_or(uri);
    let branch = core.branch();
    let via = core.via(flow, &branch);
    let bye = Request::new(Method::BYE, target, via, from, to.with_tag(tag), &dialog.call_id, LAST_SEQUENCE);
    let bye = last_bye(core, flow, bye);
    core.bye(now, flow, bye, None, Goodbye::default());
}

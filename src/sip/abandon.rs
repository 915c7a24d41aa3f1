//! Ends an INVITE that an earlier life of this process had sent, from what was stored before it left (durability.md
//! §2.8).
//!
//! Nobody knows how far it had come, so it gets both: a CANCEL with the stored branch, and with the branch of the
//! second try, since a challenge may have been answered; and, when the peer's tag is known, a BYE with a sequence
//! number above all we can have used. What does not fit gets a 481, which is the answer we want.

use super::core::{Core, Goodbye, Purpose};
use super::flow::Flow;
use super::header::name_addr::NameAddr;
use super::message::{Method, Request};
use super::uac::retry_branch;
use super::uri::Uri;
use crate::id::DialogRecord;
use crate::limits;
use crate::time::Tick;

/// Above every sequence number a dialog of ours reaches before it is stored as ended.
const LAST_SEQUENCE: u32 = 1 << 30;

pub(super) fn abandon(core: &mut Core, now: Tick, uri: &str, dialog: &DialogRecord, remote_tag: Option<&str>) {
    // A record that cannot be read names no call that could be ended.
    let (Ok(uri), Ok(flow)) = (uri.parse::<Uri>(), dialog.flow.parse::<Flow>()) else { return };
    let from = NameAddr::new("", Uri::sip("", &core.host(flow), None)).with_tag(&dialog.local_tag);
    let to = NameAddr::new("", uri.clone());
    for number in 1..=limits::CHALLENGES {
        let via = core.via(flow, &retry_branch(&dialog.branch, number));
        let (uri, from, to) = (uri.clone(), from.clone(), to.clone());
        let cancel = Request::new(Method::CANCEL, uri, via, from, to, &dialog.call_id, number);
        let _ = core.table.begin(now, flow, cancel, None, Purpose::Nothing, &mut core.out);
    }
    if let Some(tag) = remote_tag {
        let branch = core.branch();
        let via = core.via(flow, &branch);
        let bye = Request::new(Method::BYE, uri, via, from, to.with_tag(tag), &dialog.call_id, LAST_SEQUENCE);
        core.bye(now, flow, bye, None, Goodbye::default());
    }
}

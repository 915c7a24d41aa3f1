//! A session as it lies on disk, and the session made of it in the next life of this process (durability.md P8).
//!
//! Nobody knows what the last life has still sent: sequence numbers go on far above those that were stored, and higher
//! with every life, or the peer would refuse what comes as out of order (RFC 3261 §12.2.2). What the peer has sent
//! since is taken as it comes. Secrets are not stored; whoever revives a session names them again.

use super::challenge::Secret;
use super::dialog::Dialog;
use super::leg::Leg;
use super::refresh::SessionTimer;
use super::session::Session;
use super::user_agent::{Reach, UserAgent};
use crate::id::LegRef;
use crate::limits;
use crate::settings::Credentials;
use crate::time::Tick;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Above every sequence number a life uses after it has stored one.
const MARGIN: u32 = 1_000;
/// Below the one with which a dialog is abandoned: that BYE must still be heard.
const HIGHEST: u32 = (1 << 30) - (1 << 20);

/// What is kept of an established session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Call-ID.
    pub call_id: String,
    /// Our address as From has it, tag included.
    pub local: String,
    /// The peer's, as To has it.
    pub remote: String,
    /// The last sequence number of ours.
    pub local_seq: u32,
    /// The last of the peer's, if it has sent any request.
    pub remote_seq: Option<u32>,
    /// The peer's Contact.
    pub target: String,
    /// Route set.
    pub routes: Vec<String>,
    /// User part of our Contact.
    pub contact_user: String,
    /// `udp:local>remote`
    pub flow: String,
    /// How requests find the peer.
    pub reach: Reach,
    /// We have made the Call-ID.
    pub owns_call_id: bool,
    /// The peer takes UPDATE.
    pub peer_updates: bool,
    /// Session timer: its interval in seconds, and whether we refresh.
    pub timer: Option<(u32, bool)>,
}

impl SessionRecord {
    /// The same with all that every message changes left out: when nothing else differs, it need not be stored again.
    pub fn lasting(&self) -> SessionRecord {
        SessionRecord { local_seq: 0, remote_seq: None, ..self.clone() }
    }
}

impl UserAgent {
    /// What is to be kept of an established session; `None`: it is not established.
    pub fn session_record(&self, leg: LegRef) -> Option<SessionRecord> {
        match self.legs.get(&leg)? {
            Leg::Session(session) => Some(SessionRecord {
                owns_call_id: session.owns_call_id,
                peer_updates: session.peer_updates,
                timer: session.timer.terms(),
                ..session.dialog.record()
            }),
            Leg::Calling(_) | Leg::Called(_) => None,
        }
    }

    /// Goes on with a session of an earlier life, which stored it so long `ago` and had `described` itself so. `None`:
    /// the record cannot be read, or there is no room. The peer hears nothing of it until it is asked by `reoffer`.
    pub fn revive(
        &mut self,
        now: Tick,
        (record, ago): (&SessionRecord, Duration),
        credentials: Option<&Credentials>,
        described: Bytes,
    ) -> Option<LegRef> {
        if self.legs.len() >= limits::LEGS {
            return None;
        }
        // No life sends a thousand requests in a millisecond: whatever the lives between have sent lies below.
        let since = u32::try_from(ago.as_millis()).unwrap_or(u32::MAX);
        let local_seq = record.local_seq.saturating_add(MARGIN).saturating_add(since).min(HIGHEST);
        let dialog = Dialog::of_record(&SessionRecord { local_seq, ..record.clone() })?;
        let secret = Secret::of(credentials, &[dialog.flow]);
        let timer = record.timer.map_or(SessionTimer::Off, |(secs, ours)| SessionTimer::start(now, secs, ours));
        let mut session = Session::of_earlier_life(dialog, timer, record.owns_call_id, record.peer_updates);
        (session.secret, session.local_sdp) = (secret, described);
        let leg = self.core.next_leg();
        self.settle(leg, &[], Some(Leg::Session(Box::new(session))));
        Some(leg)
    }
}

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

/// Above every sequence number, or version of a description, that a life uses after it has stored one.
const MARGIN: u64 = 1_000;
/// Below the one with which a dialog is abandoned: that BYE must still be heard.
const HIGHEST: u64 = (1 << 30) - (1 << 20);

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

/// A stored session that can be gone on with.
#[derive(Debug)]
pub struct Revivable {
    dialog: Dialog,
    owns_call_id: bool,
    peer_updates: bool,
    timer: Option<(u32, bool)>,
}

impl SessionRecord {
    /// As it is to be gone on with, when it was stored so long `ago`; `None`: it cannot be read.
    pub fn read(&self, ago: Duration) -> Option<Revivable> {
        let local_seq = since(u64::from(self.local_seq), ago).min(HIGHEST);
        let local_seq = u32::try_from(local_seq).expect("at most the highest");
        let dialog = Dialog::of_record(&SessionRecord { local_seq, ..self.clone() })?;
        let (owns_call_id, peer_updates, timer) = (self.owns_call_id, self.peer_updates, self.timer);
        Some(Revivable { dialog, owns_call_id, peer_updates, timer })
    }
}

/// A number that every message raises, above whatever has been used since it was stored so long `ago`: no life sends a
/// thousand messages in a millisecond.
pub fn since(stored: u64, ago: Duration) -> u64 {
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    stored.saturating_add(MARGIN).saturating_add(ago)
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

    /// Whether so many sessions more can be gone on with.
    pub fn has_room_for(&self, legs: usize) -> bool {
        self.legs.len() + legs <= limits::LEGS
    }

    /// Goes on with a session of an earlier life, which had `described` itself so. The peer hears nothing of it until
    /// it is asked by `reoffer`.
    pub fn revive(
        &mut self,
        now: Tick,
        revivable: Revivable,
        credentials: Option<&Credentials>,
        described: Bytes,
    ) -> LegRef {
        let Revivable { dialog, owns_call_id, peer_updates, timer } = revivable;
        let secret = Secret::of(credentials, &[dialog.flow]);
        let timer = timer.map_or(SessionTimer::Off, |(secs, ours)| SessionTimer::start(now, secs, ours));
        let mut session = Session::of_earlier_life(dialog, timer, owns_call_id, peer_updates);
        (session.secret, session.local_sdp) = (secret, described);
        let leg = self.core.next_leg();
        self.settle(leg, &[], Some(Leg::Session(Box::new(session))));
        leg
    }
}

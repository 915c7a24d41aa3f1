//! The names of things. Ids that people or programs outside see are ULIDs; references that never leave the process
//! are small integers, handed out in order so that a replay hands out the same ones.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use ulid::Ulid;

/// The name of a configured object (`[[queue]] name = …`). Compared as written.
pub type Name = Arc<str>;

macro_rules! ulid_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Ulid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = ulid::DecodeError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ulid::from_string(text).map($name)
            }
        }
    )*};
}

ulid_ids! {
    /// A callback task: one promise.
    TaskId,
    /// One attempt to keep a promise.
    AttemptId,
    /// A call as people see it: one party's story from arrival (or dialling) to end, with all legs made for it.
    /// Never confused with SIP's Call-ID, which belongs to a leg.
    CallRef,
    /// A recording: its file name, and nothing a peer chose.
    RecordingId,
    /// An entry of the audit log.
    AuditId,
}

macro_rules! counted_refs {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);
    )*};
}

counted_refs! {
    /// One INVITE session with one party: the same reference in SIP (`sip::UserAgent`) and in media (`media::Engine`).
    LegRef,
    /// A server transaction that waits for our final response.
    TransactionRef,
    /// A non-INVITE request of ours (REGISTER, OPTIONS) that waits for its response.
    RequestRef,
    /// A commit on its way to the disk.
    CommitRef,
    /// A lookup of a host on its way to DNS.
    LookupRef,
    /// Where the reply to a command goes.
    ReplyTo,
    /// A place in line.
    Ticket,
    /// One run of a player: which `Play` an event answers.
    PlayRef,
}

/// A media shard: both legs of a bridge live on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard(pub u16);

/// Hands out references of one kind in order.
#[derive(Clone, Debug, Default)]
pub struct Counter(u64);

impl Counter {
    /// The next number, from 1.
    pub fn take(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// What a CANCEL or BYE needs (RFC 3261 §9.1, §12.2.1.1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DialogRecord {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// Branch of the INVITE.
    pub branch: String,
    /// Where the INVITE went: `udp:local>remote`.
    pub flow: String,
    /// The peer's tag, once it has answered: then a BYE fits, and a CANCEL does not.
    #[serde(default)]
    pub remote_tag: Option<String>,
    /// The peer's Contact: Request-URI of that BYE.
    #[serde(default)]
    pub remote_target: Option<String>,
}

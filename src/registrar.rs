//! The registrar for agent phones (RFC 3261 §10.3): bindings per address of record, with expiry and several contacts.

use crate::id::Name;
use crate::sip::flow::Flow;
use crate::time::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a phone is reachable until when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The user part of the address of record.
    pub extension: Name,
    /// The Contact URI as the phone wrote it: Request-URI of what we send it.
    pub contact: String,
    /// Where it came from and where it is reached, NAT or not (RFC 3581, RFC 5626 in spirit).
    pub flow: Flow,
    /// Call-ID of the registration (RFC 3261 §10.3 step 7).
    pub call_id: String,
    /// Its CSeq.
    pub cseq: u32,
    /// q-value in thousandths.
    pub q: u16,
    /// User-Agent, for people.
    pub user_agent: Option<String>,
    /// Gone at this instant.
    pub expires_at: DateTime<Utc>,
}

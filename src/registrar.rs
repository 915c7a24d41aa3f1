//! The registrar for agent phones (RFC 3261 §10.3): bindings per address of record, with expiry and several contacts,
//! behind digest authentication (RFC 7616, RFC 8760).
//!
//! A challenge costs no memory: nonces are signed. Known and unknown users get the same bytes for the same work
//! (security.md T7). Nothing changes before it is durable: `register` says what would change, the switch commits that,
//! then calls `apply` and sends the answer. The answer is computed as if it had been applied already.

use crate::entropy::Entropy;
use crate::id::Name;
use crate::settings::Settings;
use crate::sip::flow::Flow;
use crate::sip::message::Request;
use crate::sip::user_agent::Field;
use crate::time::{DateTime, Now, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// One durable change of the bindings.
#[derive(Clone, Debug, PartialEq)]
pub enum BindingChange {
    /// New, or refreshed.
    Put(Binding),
    /// Gone.
    Remove {
        /// Of this extension.
        extension: Name,
        /// This contact, as the phone had written it.
        contact: String,
    },
}

/// The answer to whoever has not shown who he is: a challenge, the same for everybody.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    /// 401.
    pub status: u16,
    /// WWW-Authenticate, one for each algorithm in the configured order.
    pub fields: Vec<Field>,
}

/// The answer to a REGISTER, and what has to be durable before it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// 200, 400, 403, 423 or 500.
    pub status: u16,
    /// Contact, Date, Min-Expires.
    pub fields: Vec<Field>,
    /// To be committed, then applied, then answered; empty when nothing changes.
    pub changes: Vec<BindingChange>,
}

/// See the module.
pub struct Registrar {
    bindings: BTreeMap<Name, Vec<Binding>>,
    entropy: Entropy,
}

#[allow(unused_variables, clippy::todo)] // Signatures first; the rules follow.
impl Registrar {
    /// A registrar with what the store handed back. Call `on_timeout` once afterwards: it says which restored bindings
    /// have expired meanwhile or belong to nobody any more.
    pub fn new(settings: &Settings, restored: Vec<Binding>, entropy: Entropy) -> Registrar {
        Registrar { bindings: BTreeMap::new(), entropy }
    }

    /// Which extension sends this request (REGISTER, INVITE, …), by Authorization or Proxy-Authorization; or the
    /// challenge it deserves.
    pub fn authenticate(&mut self, now: Now, flow: Flow, request: &Request) -> Result<Name, Denial> {
        todo!()
    }

    /// The answer to a REGISTER that `authenticate` has found to be from `extension`. Changes nothing by itself.
    pub fn register(&mut self, now: Now, flow: Flow, extension: &Name, request: &Request) -> Answer {
        todo!()
    }

    /// A change has become durable (or the store is not asked).
    pub fn apply(&mut self, change: &BindingChange) {
        todo!()
    }

    /// Live bindings of an extension: best q first, then the newest.
    pub fn bindings(&self, extension: &str) -> impl Iterator<Item = &Binding> {
        self.bindings.get(extension).into_iter().flatten()
    }

    /// Whose phone was last registered from exactly this flow. A hint for priorities, never an authorisation.
    pub fn whose(&self, flow: Flow) -> Option<&Name> {
        todo!()
    }

    /// Bindings that have expired are gone at once; the changes are for the store and for the agents.
    pub fn on_timeout(&mut self, now: Now) -> Vec<BindingChange> {
        todo!()
    }

    /// When the next binding expires.
    pub fn next_expiry(&self) -> Option<DateTime<Utc>> {
        todo!()
    }
}

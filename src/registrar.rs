//! The registrar for agent phones (RFC 3261 §10.3): bindings per address of record, with expiry and several contacts,
//! behind digest authentication (RFC 7616, RFC 8760).
//!
//! A challenge costs no memory: nonces are signed. Known and unknown users get the same bytes for the same work
//! (security.md T7). Nothing changes before it is durable: `register` says what would change, the switch commits that,
//! then calls `apply` and sends the answer. The answer is computed as if it had been applied already.
//!
//! A phone is reached where its REGISTER came from, whatever its Contact says; the Contact is the Request-URI and
//! nothing more. So a Contact cannot aim us at anybody (security.md T9), and NAT needs no help.

mod guesses;

use crate::entropy::Entropy;
use crate::id::Name;
use crate::limits;
use crate::settings::{DigestAlgorithm, Settings};
use crate::sip::digest::{Server, Verdict};
use crate::sip::flow::Flow;
use crate::sip::header::auth::{Algorithm, Credentials};
use crate::sip::header::contact::Contacts;
use crate::sip::header::name_addr::NameAddr;
use crate::sip::message::{HeaderName, Request};
use crate::sip::uri::{Scheme, Uri};
use crate::sip::user_agent::Field;
use crate::time::{DateTime, Now, Utc, shifted};
use chrono::TimeDelta;
use guesses::{Failure, Guesses};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

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
    /// The phone itself, across its restarts: `+sip.instance` and `reg-id` (RFC 5626 §4.1).
    #[serde(default)]
    pub instance: Option<String>,
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

/// Why a REGISTER of a known phone is refused as a whole (RFC 3261 §10.3: all or nothing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// 400: `*` without `Expires: 0`, or an address of record that is no SIP URI.
    Malformed,
    /// 403: somebody else's address of record, or a contact we will not keep.
    Forbidden,
    /// 423.
    TooBrief,
    /// 500: a CSeq that is not higher than the one seen.
    OutOfOrder,
}

/// See the module.
pub struct Registrar {
    digest: Server,
    realm: String,
    secrets: BTreeMap<Name, String>,
    guesses: Guesses,
    public_address: Option<IpAddr>,
    shortest: Duration,
    longest: Duration,
    /// Per extension: best q first, then the newest.
    bindings: BTreeMap<Name, Vec<Binding>>,
    /// The same by expiry.
    expiries: BTreeSet<(DateTime<Utc>, Name, String)>,
    /// The same by flow.
    flows: BTreeSet<(Flow, Name)>,
}

impl Registrar {
    /// A registrar with what the store handed back. Call `on_timeout` once afterwards: it says which restored bindings
    /// have expired meanwhile or belong to nobody any more.
    pub fn new(settings: &Settings, mut restored: Vec<Binding>, mut entropy: Entropy) -> Registrar {
        let server = &settings.server;
        let algorithms = server.digest_algorithms.iter().map(|algorithm| match algorithm {
            DigestAlgorithm::Md5 => Algorithm::Md5,
            DigestAlgorithm::Sha256 => Algorithm::Sha256,
        });
        let mut registrar = Registrar {
            guesses: Guesses::new(&mut entropy),
            digest: Server::new(server.realm.clone(), algorithms.collect(), entropy),
            realm: server.realm.clone(),
            secrets: settings.agents.iter().map(|agent| (agent.extension.clone(), agent.secret.clone())).collect(),
            public_address: server.public_address,
            shortest: server.register_min,
            longest: server.register_max,
            bindings: BTreeMap::new(),
            expiries: BTreeSet::new(),
            flows: BTreeSet::new(),
        };
        restored.sort_by_key(|binding| binding.expires_at);
        for mut binding in restored {
            if !registrar.secrets.contains_key(&binding.extension) {
                binding.expires_at = DateTime::UNIX_EPOCH; // The agent was deleted meanwhile.
            }
            registrar.put(binding);
        }
        registrar
    }

    /// Agents and their secrets have changed. What is to become of the bindings of those who are gone, or whose
    /// secret is another one now: a phone that does not know it has no claim any more.
    pub fn resettle(&mut self, settings: &Settings) -> Vec<BindingChange> {
        let secrets: BTreeMap<Name, String> =
            settings.agents.iter().map(|agent| (agent.extension.clone(), agent.secret.clone())).collect();
        let is_void = |extension: &Name| secrets.get(extension) != self.secrets.get(extension);
        let void = self.bindings.iter().filter(|(extension, _)| is_void(extension));
        let changes = void.flat_map(|(_, bindings)| bindings.iter().map(Binding::removal)).collect();
        self.secrets = secrets;
        changes
    }

    /// Which extension sends this request (REGISTER, INVITE, …), by Authorization or Proxy-Authorization; or the
    /// challenge it deserves.
    pub fn authenticate(&mut self, now: Now, flow: Flow, request: &Request) -> Result<Name, Denial> {
        let source = flow.remote.ip();
        let Some(credentials) = self.credentials(request) else {
            return Err(self.challenge(now, source, false));
        };
        let user = credentials.username.as_str();
        let is_at_home = self.bindings(user).any(|binding| binding.flow.remote.ip() == source);
        if self.guesses.exhausted(now.tick, source, user, is_at_home) {
            return Err(self.challenge(now, source, false));
        }
        let known = self.secrets.get_key_value(user);
        let secret = known.map(|(_, secret)| secret.as_str());
        let uri = request.uri.as_str();
        match (self.digest.verify(now.tick, source, &request.method, uri, &credentials, secret), known) {
            (Verdict::Accepted, Some((extension, _))) => {
                self.guesses.succeeded(source, user);
                Ok(extension.clone())
            }
            (Verdict::Stale, Some(_)) => Err(self.challenge(now, source, true)),
            (Verdict::Denied, _) | (Verdict::Accepted | Verdict::Stale, None) => {
                match self.guesses.failed(now.tick, source, user) {
                    Failure::First => tracing::warn!(%source, ?user, "agent.wrong_secret: see `ringback agent secret`"),
                    Failure::Another => {}
                    Failure::Pause => {
                        tracing::warn!(%source, ?user, "wrong secrets again and again: not listened to for a while");
                    }
                }
                Err(self.challenge(now, source, false))
            }
        }
    }

    /// The answer to a REGISTER that `authenticate` has found to be from `extension`. Changes nothing by itself.
    pub fn register(&mut self, now: Now, flow: Flow, extension: &Name, request: &Request) -> Answer {
        let status = match self.plan(now, flow, extension, request) {
            Ok(changes) => return self.granted(now, extension, changes),
            Err(refused) => refused.status(),
        };
        let min_expires = || ("Min-Expires", self.shortest.as_secs().to_string());
        Answer { status, fields: (status == 423).then(min_expires).into_iter().collect(), changes: Vec::new() }
    }

    /// A change has become durable (or the store is not asked).
    pub fn apply(&mut self, change: &BindingChange) {
        match change {
            BindingChange::Put(binding) => self.put(binding.clone()),
            BindingChange::Remove { extension, contact } => self.remove(extension, contact),
        }
    }

    /// Live bindings of an extension: best q first, then the newest.
    pub fn bindings(&self, extension: &str) -> impl Iterator<Item = &Binding> {
        self.bindings.get(extension).into_iter().flatten()
    }

    /// Whose phone is registered from exactly this flow. A hint for priorities, never an authorisation.
    pub fn whose(&self, flow: Flow) -> Option<&Name> {
        let from = (flow, Name::from(""));
        self.flows.range(from..).next().filter(|(bound, _)| *bound == flow).map(|(_, extension)| extension)
    }

    /// Bindings that have expired are gone at once; the changes are for the store and for the agents.
    pub fn on_timeout(&mut self, now: Now) -> Vec<BindingChange> {
        let mut changes = Vec::new();
        while let Some((expires_at, extension, contact)) = self.expiries.first().cloned() {
            if expires_at > now.utc {
                break;
            }
            self.remove(&extension, &contact);
            changes.push(BindingChange::Remove { extension, contact });
        }
        changes
    }

    /// The wall clock was set: every binding lasts as long as it was granted for. The changes are for the store.
    pub fn shift(&mut self, by: TimeDelta) -> Vec<BindingChange> {
        self.expiries.clear();
        let mut changes = Vec::new();
        for binding in self.bindings.values_mut().flatten() {
            binding.expires_at = shifted(binding.expires_at, by);
            self.expiries.insert((binding.expires_at, binding.extension.clone(), binding.contact.clone()));
            changes.push(BindingChange::Put(binding.clone()));
        }
        changes
    }

    /// When the next binding expires.
    pub fn next_expiry(&self) -> Option<DateTime<Utc>> {
        self.expiries.first().map(|(expires_at, _, _)| *expires_at)
    }

    /// The first credentials for our realm. One and no more is looked at, so that a request costs one check.
    fn credentials(&self, request: &Request) -> Option<Credentials> {
        let of = |name| request.headers.credentials(name).flatten();
        of(HeaderName::Authorization)
            .chain(of(HeaderName::ProxyAuthorization))
            .find(|credentials| credentials.realm == self.realm)
    }

    fn challenge(&mut self, now: Now, source: IpAddr, stale: bool) -> Denial {
        let challenges = self.digest.challenges(now.tick, source, stale);
        let fields = challenges.iter().map(|challenge| ("WWW-Authenticate", challenge.to_string()));
        Denial { status: 401, fields: fields.collect() }
    }

    /// RFC 3261 §10.3 steps 5–7: what would change, or why nothing may.
    fn plan(&self, now: Now, flow: Flow, extension: &Name, request: &Request) -> Result<Vec<BindingChange>, Refused> {
        let record = &request.headers.to().uri;
        if !matches!(record.scheme(), Scheme::Sip | Scheme::Sips) {
            return Err(Refused::Malformed);
        }
        // Step 4: nobody registers for somebody else (security.md T17). The host may be any of our addresses.
        if record.user_decoded().as_deref() != Some(extension) {
            return Err(Refused::Forbidden);
        }
        let contacts = match request.headers.contacts() {
            Contacts::None => return Ok(Vec::new()),
            Contacts::Star => return self.plan_farewell(extension, request),
            Contacts::List(contacts) => contacts,
        };
        let mut changes = Vec::new();
        for (index, contact) in contacts.iter().enumerate() {
            // The same contact twice in one request: the last word counts.
            if contacts[index + 1..].iter().all(|later| !later.uri.equivalent(&contact.uri)) {
                self.plan_contact(now, flow, extension, request, contact, &mut changes)?;
            }
        }
        self.make_room(extension, &mut changes);
        Ok(changes)
    }

    /// Step 6: `Contact: *` only removes, and removes all.
    fn plan_farewell(&self, extension: &Name, request: &Request) -> Result<Vec<BindingChange>, Refused> {
        if request.headers.expires() != Some(0) {
            return Err(Refused::Malformed);
        }
        self.bindings(extension).map(|binding| binding.must_precede(request).map(|()| binding.removal())).collect()
    }

    /// Step 7 for one contact.
    fn plan_contact(
        &self,
        now: Now,
        flow: Flow,
        extension: &Name,
        request: &Request,
        contact: &NameAddr,
        changes: &mut Vec<BindingChange>,
    ) -> Result<(), Refused> {
        if !self.is_acceptable(flow, &contact.uri) {
            return Err(Refused::Forbidden);
        }
        let asked = contact.expires().or(request.headers.expires()).unwrap_or(3600); // §10.2.1.1, §20.19
        let granted = Duration::from_secs(asked.into()).min(self.longest);
        if asked > 0 && granted < self.shortest {
            return Err(Refused::TooBrief);
        }
        let written = contact.uri.as_str();
        let own = self.bindings(extension).find(|binding| {
            binding.contact == written || binding.contact.parse::<Uri>().is_ok_and(|uri| uri.equivalent(&contact.uri))
        });
        if let Some(own) = own {
            own.must_precede(request)?;
        }
        if asked == 0 {
            changes.extend(own.map(Binding::removal));
            return Ok(());
        }
        let instance = instance(contact);
        // Written differently this time, or left behind by the same phone before it was restarted.
        let outdated = self.bindings(extension).filter(|binding| {
            let renamed = own.is_some_and(|own| own.contact == binding.contact) && binding.contact != written;
            let restarted = instance.is_some()
                && binding.instance == instance
                && binding.call_id != **request.headers.call_id()
                && binding.contact != written;
            (renamed || restarted) && !is_put(changes, binding)
        });
        let removals: Vec<_> = outdated.map(Binding::removal).collect();
        changes.extend(removals);
        changes.push(BindingChange::Put(Binding {
            extension: extension.clone(),
            contact: written.to_owned(),
            flow,
            call_id: request.headers.call_id().to_string(),
            cseq: request.headers.cseq().number,
            q: contact.q(),
            instance,
            user_agent: request.headers.get(HeaderName::UserAgent).map(ToString::to_string),
            expires_at: now.utc + TimeDelta::from_std(granted).expect("a registration is shorter than an aeon"),
        }));
        Ok(())
    }

    /// No more than `CONTACTS` bindings (a request names no more than that, or has been refused at the door): the ones
    /// that would expire first make room. A phone that takes a new port at every start would lock its user out if the
    /// newest were refused instead.
    fn make_room(&self, extension: &Name, changes: &mut Vec<BindingChange>) {
        let after = self.after(extension, changes);
        let mut untouched: Vec<&Binding> = after.into_iter().filter(|binding| !is_put(changes, binding)).collect();
        let put = changes.iter().filter(|change| matches!(change, BindingChange::Put(_))).count();
        untouched.sort_by_key(|binding| binding.expires_at);
        let surplus = (untouched.len() + put).saturating_sub(limits::CONTACTS);
        let removals: Vec<_> = untouched.iter().take(surplus).map(|binding| binding.removal()).collect();
        changes.splice(0..0, removals);
    }

    /// The bindings of `extension` as they will be.
    fn after<'a>(&'a self, extension: &Name, changes: &'a [BindingChange]) -> Vec<&'a Binding> {
        let mut bindings: Vec<&Binding> = self.bindings(extension).collect();
        for change in changes {
            match change {
                BindingChange::Put(binding) => {
                    bindings.retain(|other| other.contact != binding.contact);
                    bindings.push(binding);
                }
                BindingChange::Remove { contact, .. } => bindings.retain(|other| other.contact != *contact),
            }
        }
        bindings
    }

    /// Step 8: 200 with every binding there is then.
    fn granted(&self, now: Now, extension: &Name, changes: Vec<BindingChange>) -> Answer {
        let mut fields: Vec<Field> = self
            .after(extension, &changes)
            .into_iter()
            .filter(|binding| binding.expires_at > now.utc)
            .map(|binding| ("Contact", binding.contact_value(now.utc)))
            .collect();
        fields.push(("Date", now.utc.format("%a, %d %b %Y %H:%M:%S GMT").to_string())); // RFC 3261 §20.17
        Answer { status: 200, fields, changes }
    }

    /// Whether we keep such a contact: a SIP URI without headers (they would become headers of our INVITE, RFC 3261
    /// §19.1.5) whose host is not ourselves (RFC 5393) nor many.
    fn is_acceptable(&self, flow: Flow, contact: &Uri) -> bool {
        if contact.scheme() != Scheme::Sip || contact.headers().is_some() {
            return false;
        }
        let Some(host) = contact.host().and_then(|host| host.ip()).map(|ip| ip.to_canonical()) else {
            return contact.host().is_some(); // A name: never looked up, so it leads nowhere.
        };
        let is_many = host.is_multicast() || host == IpAddr::from([255, 255, 255, 255]);
        let is_our_port = contact.port().unwrap_or(5060) == flow.local.port();
        let is_local = host == flow.local.ip().to_canonical();
        // A softphone on our own machine shares our address, but not our port; one elsewhere shares neither.
        let is_ours = (is_local && (is_our_port || flow.remote.ip().to_canonical() != host))
            || (Some(host) == self.public_address && is_our_port);
        !is_many && !is_ours
    }

    fn put(&mut self, binding: Binding) {
        self.remove(&binding.extension.clone(), &binding.contact);
        self.expiries.insert((binding.expires_at, binding.extension.clone(), binding.contact.clone()));
        self.flows.insert((binding.flow, binding.extension.clone()));
        let list = self.bindings.entry(binding.extension.clone()).or_default();
        let place = list.iter().position(|other| other.q <= binding.q).unwrap_or(list.len());
        list.insert(place, binding);
    }

    fn remove(&mut self, extension: &Name, contact: &str) {
        let Some(list) = self.bindings.get_mut(extension) else { return };
        let Some(index) = list.iter().position(|binding| binding.contact == contact) else { return };
        let gone = list.remove(index);
        if list.iter().all(|binding| binding.flow != gone.flow) {
            self.flows.remove(&(gone.flow, extension.clone()));
        }
        if list.is_empty() {
            self.bindings.remove(extension);
        }
        self.expiries.remove(&(gone.expires_at, gone.extension, gone.contact));
    }
}

impl Binding {
    fn removal(&self) -> BindingChange {
        BindingChange::Remove { extension: self.extension.clone(), contact: self.contact.clone() }
    }

    /// RFC 3261 §10.3 step 7: within one Call-ID only a higher CSeq changes anything.
    fn must_precede(&self, request: &Request) -> Result<(), Refused> {
        let is_same_series = **request.headers.call_id() == self.call_id;
        if is_same_series && request.headers.cseq().number <= self.cseq { Err(Refused::OutOfOrder) } else { Ok(()) }
    }

    /// `<sip:1001@192.0.2.7:5062>;q=0.5;expires=3600`
    fn contact_value(&self, now: DateTime<Utc>) -> String {
        let left_ms = (self.expires_at - now).num_milliseconds().max(0);
        let left_secs = (left_ms + 999) / 1000;
        let q = match self.q {
            1000 => String::new(),
            thousandths => format!(";q=0.{thousandths:03}"),
        };
        format!("<{}>{q};expires={left_secs}", self.contact)
    }
}

impl Refused {
    fn status(self) -> u16 {
        match self {
            Refused::Malformed => 400,
            Refused::Forbidden => 403,
            Refused::TooBrief => 423,
            Refused::OutOfOrder => 500,
        }
    }
}

/// `+sip.instance` and `reg-id` of a contact (RFC 5626 §4.1), when it has the former.
fn instance(contact: &NameAddr) -> Option<String> {
    let instance = contact.params.get("+sip.instance")?.trim_matches('"');
    match contact.params.get("reg-id") {
        Some(reg_id) => Some(format!("{instance};reg-id={reg_id}")),
        None => Some(instance.to_owned()),
    }
}

fn is_put(changes: &[BindingChange], binding: &Binding) -> bool {
    changes.iter().any(|change| matches!(change, BindingChange::Put(put) if put.contact == binding.contact))
}

#[cfg(test)]
pub(crate) mod tests;

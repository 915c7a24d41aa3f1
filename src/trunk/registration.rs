//! One registration of ours (RFC 3261 §10.2): asked for, granted, refreshed in time, asked for again after failures.
//!
//! What a registrar grants stays granted until it runs out, even while refreshes fail; only a refusal ends it at once.
//! Waits grow and are drawn at random between half and all (as RFC 5626 §4.5 does), so that a provider who comes back
//! is not met by everybody at the same moment.

use super::down::Down;
use crate::entropy::Entropy;
use crate::limits;
use crate::settings::Credentials;
use crate::sip::flow::Flow;
use crate::sip::header::contact::Contacts;
use crate::sip::header::name_addr::NameAddr;
use crate::sip::message::Response;
use crate::time::Tick;
use std::net::IpAddr;
use std::time::Duration;

/// The longest wait after silence, when the trunk's `retry` is not longer.
const BACK_OFF_MAX: Duration = Duration::from_secs(600);
/// The wait after a refusal: nothing changes until a person changes something.
const REFUSED: Duration = Duration::from_secs(900);
/// The longest Retry-After we believe.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// Refreshes are never closer than this, whatever was granted.
const REFRESH_MIN: Duration = Duration::from_secs(5);

/// What the registrar has granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Granted {
    /// Nothing, or no more, and why.
    No(Down),
    /// Until then. What has gone wrong since is the reason when it runs out.
    Until(Tick, Option<Down>),
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing: no address is known.
    Idle,
    /// A REGISTER at this instant.
    At(Tick),
    /// Its response is awaited.
    Asked {
        /// It asks for what a 423 has named; another 423 is a refusal.
        raised: bool,
    },
    /// We have left.
    Gone,
}

/// What a final response to a REGISTER means.
enum Outcome {
    Granted(Duration),
    TooBrief(Duration),
    Failed(Down, Option<Duration>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Registration {
    /// The user part of our address of record and of our Contact.
    pub(super) username: String,
    pub(super) credentials: Credentials,
    call_id: String,
    cseq: u32,
    asks: Duration,
    granted: Granted,
    next: Next,
    failures: u32,
}

impl Registration {
    pub(super) fn new(username: &str, credentials: Credentials, asks: Duration, entropy: &mut Entropy) -> Registration {
        Registration {
            username: username.to_owned(),
            credentials,
            call_id: entropy.token(),
            cseq: 1,
            asks,
            granted: Granted::No(Down::Registering),
            next: Next::Idle,
            failures: 0,
        }
    }

    /// Whether we are registered, or why not.
    pub(super) fn state(&self) -> Result<(), Down> {
        match (self.next, self.granted) {
            (Next::Gone, _) => Err(Down::ShuttingDown),
            (_, Granted::No(why)) => Err(why),
            (_, Granted::Until(..)) => Ok(()),
        }
    }

    /// Asks at once, unless it is asking already.
    pub(super) fn hurry(&mut self, now: Tick) {
        if let Next::Idle | Next::At(_) = self.next {
            self.next = Next::At(now);
        }
    }

    /// What was asked is answered by nobody: it is asked anew.
    pub(super) fn ask_again(&mut self, now: Tick) {
        if let Next::Asked { .. } = self.next {
            self.next = Next::At(now);
        }
    }

    /// When something is to be done.
    pub(super) fn next_timeout(&self) -> Option<Tick> {
        let next = self.next_try();
        let end = match self.granted {
            Granted::Until(end, _) if self.next != Next::Gone => Some(end),
            Granted::Until(..) | Granted::No(_) => None,
        };
        next.into_iter().chain(end).min()
    }

    /// When the next REGISTER leaves.
    pub(super) fn next_try(&self) -> Option<Tick> {
        match self.next {
            Next::At(at) => Some(at),
            Next::Idle | Next::Asked { .. } | Next::Gone => None,
        }
    }

    /// Time has passed. The `Expires` of a REGISTER that is to be sent now.
    pub(super) fn on_timeout(&mut self, now: Tick) -> Option<Duration> {
        match self.granted {
            Granted::Until(end, trouble) if end <= now => self.granted = Granted::No(trouble.unwrap_or(Down::Silent)),
            Granted::Until(..) | Granted::No(_) => {}
        }
        match self.next {
            Next::At(at) if at <= now => {
                self.next = Next::Asked { raised: false };
                Some(self.asks)
            }
            Next::At(_) | Next::Idle | Next::Asked { .. } | Next::Gone => None,
        }
    }

    /// Leaves. Whether a REGISTER with `Expires: 0` is due for it (RFC 3261 §10.2.2).
    pub(super) fn leave(&mut self) -> bool {
        let is_granted = matches!(self.granted, Granted::Until(..)) || matches!(self.next, Next::Asked { .. });
        let is_due = is_granted && self.next != Next::Gone;
        self.next = Next::Gone;
        is_due
    }

    /// Call-ID and CSeq of the next REGISTER (RFC 3261 §10.2: one Call-ID for all, CSeq rising).
    pub(super) fn sequence(&mut self) -> (String, u32) {
        let sequence = (self.call_id.clone(), self.cseq);
        // Each challenge the user agent answers takes a number of its own; without a response we do not hear which.
        self.cseq += limits::CHALLENGES + 1;
        sequence
    }

    /// The final response to our REGISTER, or none. The `Expires` of another REGISTER that is to be sent at once.
    pub(super) fn on_response(
        &mut self,
        now: Tick,
        response: Option<&Response>,
        ours: &Ours,
        retry: Duration,
        entropy: &mut Entropy,
    ) -> Option<Duration> {
        if let Some(response) = response {
            self.cseq = response.headers.cseq().number + 1;
        }
        let Next::Asked { raised } = self.next else { return None };
        match self.outcome(response, ours) {
            Outcome::Granted(granted) => {
                self.failures = 0;
                self.granted = Granted::Until(now + granted, None);
                self.next = Next::At(now + (granted * 85 / 100).max(REFRESH_MIN));
            }
            Outcome::TooBrief(least) if !raised => {
                self.asks = least;
                self.next = Next::Asked { raised: true };
                return Some(least);
            }
            Outcome::TooBrief(_) => self.fail(now, Down::Refused(423), None, retry, entropy),
            Outcome::Failed(why, wait) => self.fail(now, why, wait, retry, entropy),
        }
        None
    }

    fn fail(&mut self, now: Tick, why: Down, wait: Option<Duration>, retry: Duration, entropy: &mut Entropy) {
        self.failures = self.failures.saturating_add(1);
        self.granted = match (self.granted, why) {
            (Granted::No(_), _) | (_, Down::Refused(_)) => Granted::No(why),
            (Granted::Until(end, _), _) => Granted::Until(end, Some(why)),
        };
        let wait = match (wait, why) {
            (Some(asked), _) => asked.min(RETRY_AFTER_MAX),
            (None, Down::Refused(_)) => REFUSED.max(retry),
            (None, _) => back_off(retry, self.failures, entropy),
        };
        self.next = Next::At(now + wait.max(Duration::from_secs(1)));
    }

    fn outcome(&self, response: Option<&Response>, ours: &Ours) -> Outcome {
        let Some(response) = response else { return Outcome::Failed(Down::Silent, None) };
        let status = response.code();
        let retry_after = response.headers.retry_after().map(|secs| Duration::from_secs(secs.into()));
        match (status, response.headers.min_expires()) {
            (200..=299, _) => match ours.granted_secs(response, self.asks) {
                0 => Outcome::Failed(Down::Unavailable(status), retry_after), // Accepted, and thrown away.
                secs => Outcome::Granted(Duration::from_secs(secs.into())),
            },
            (423, Some(least)) => Outcome::TooBrief(Duration::from_secs(least.into()).max(self.asks)),
            // RFC 3261 §21.4.9, §21.4.18, §21.5: not now, perhaps later. A 500 may be about our CSeq, which rises.
            (408 | 480 | 500..=599, _) => Outcome::Failed(Down::Unavailable(status), retry_after),
            (_, _) => Outcome::Failed(Down::Refused(status), retry_after),
        }
    }
}

/// How to tell our own Contact from the others in a 200.
pub(super) struct Ours {
    pub(super) user: String,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) port: Option<u16>,
}

impl Ours {
    pub(super) fn new(user: &str, flow: Option<&Flow>, public_address: Option<IpAddr>) -> Ours {
        let addresses = public_address.into_iter().chain(flow.map(|flow| flow.local.ip())).collect();
        Ours { user: user.to_owned(), addresses, port: flow.map(|flow| flow.local.port()) }
    }

    /// For how long our binding was granted: by its own Contact, else by Expires, else as asked (RFC 3261 §10.2.4).
    fn granted_secs(&self, response: &Response, asked: Duration) -> u32 {
        let general = response.headers.expires();
        let fallback = general.unwrap_or(u32::try_from(asked.as_secs()).unwrap_or(u32::MAX));
        let Contacts::List(contacts) = response.headers.contacts() else { return fallback };
        let own = match contacts.as_slice() {
            [only] => Some(only),
            _ => self.pick(&contacts),
        };
        own.and_then(NameAddr::expires).unwrap_or(fallback)
    }

    /// Other phones of the account have bindings, too. A registrar may have put our outer address in our Contact, so
    /// the user decides first; among several of ours the one with our address, else the one that ends first.
    fn pick<'a>(&self, contacts: &'a [NameAddr]) -> Option<&'a NameAddr> {
        let is_own = |contact: &&NameAddr| contact.uri.user_decoded().as_deref() == Some(self.user.as_str());
        let is_here = |contact: &&NameAddr| {
            let host = contact.uri.host().and_then(|host| host.ip());
            host.is_some_and(|host| self.addresses.contains(&host))
                && contact.uri.port().unwrap_or(5060) == self.port.unwrap_or(5060)
        };
        let own = || contacts.iter().filter(is_own);
        own().find(is_here).or_else(|| own().min_by_key(|contact| contact.expires().unwrap_or(u32::MAX)))
    }
}

/// RFC 5626 §4.5: doubling from `retry`, capped, then drawn between half and all.
pub(super) fn back_off(retry: Duration, failures: u32, entropy: &mut Entropy) -> Duration {
    let doubled = retry.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let longest = doubled.min(BACK_OFF_MAX.max(retry));
    let half_ms = u64::try_from(longest.as_millis() / 2).unwrap_or(u64::MAX / 4);
    Duration::from_millis(half_ms + entropy.below(half_ms + 1))
}

//! The client's side of digest (RFC 3261 §22): which challenges are answered, and how often. A challenge is an
//! attempt to learn our secret until shown otherwise (security.md T12, T13): it is answered only from the address
//! that was asked, for the configured realm, at most `limits::CHALLENGES` times, and never with a secret that was
//! just refused.

use super::digest;
use super::flow::Flow;
use super::header::auth::Challenge;
use super::message::{HeaderName, Request, Response};
use crate::entropy::Entropy;
use crate::limits;
use crate::settings::Credentials;
use std::net::IpAddr;

/// A secret of ours, and the addresses that may ask for its hash: those the caller wanted to reach. An address that a
/// Contact or Record-Route named is not among them, since anybody can have put it there.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    credentials: Credentials,
    askers: Vec<IpAddr>,
}

impl Secret {
    pub fn of(credentials: Option<&Credentials>, flows: &[Flow]) -> Option<Secret> {
        let askers = flows.iter().map(|flow| flow.remote.ip()).collect();
        credentials.map(|credentials| Secret { credentials: credentials.clone(), askers })
    }
}

/// Answers the challenges of one request and its repetitions.
#[derive(Clone, Debug)]
pub(super) struct Authorizer {
    secret: Option<Secret>,
    tries: u32,
    answered: Vec<Answered>,
}

#[derive(Clone, Debug)]
struct Answered {
    field: HeaderName,
    challenge: Challenge,
    uses: u32,
}

impl Authorizer {
    pub fn new(secret: Option<Secret>) -> Authorizer {
        Authorizer { secret, tries: 0, answered: Vec::new() }
    }

    pub fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// Whether this response is a challenge that the same request, sent again, will answer.
    pub fn takes(&mut self, source: Flow, response: &Response) -> bool {
        let (field, asks) = match response.code() {
            401 => (HeaderName::Authorization, HeaderName::WwwAuthenticate),
            407 => (HeaderName::ProxyAuthorization, HeaderName::ProxyAuthenticate),
            _ => return false, // No challenge.
        };
        let Some(Secret { credentials, askers }) = &self.secret else { return false };
        if !askers.contains(&source.remote.ip()) || self.tries >= limits::CHALLENGES {
            return false;
        }
        let ours = |challenge: &Challenge| {
            let realm = credentials.realm.as_ref().is_none_or(|realm| *realm == challenge.realm);
            realm && challenge.algorithm.is_ok() && (challenge.qop_auth || !challenge.qop_offered)
        };
        // RFC 8760 §2.4: the topmost that we speak.
        let Some(challenge) = response.headers.challenges(asks).filter_map(Result::ok).find(ours) else { return false };
        let before = self.answered.iter_mut().find(|it| it.field == field && it.challenge.realm == challenge.realm);
        match before {
            // Without `stale` the secret itself was refused: it will not get better.
            Some(before) if !challenge.stale || before.challenge.nonce == challenge.nonce => return false,
            Some(before) => *before = Answered { field, challenge, uses: 0 },
            None => self.answered.push(Answered { field, challenge, uses: 0 }),
        }
        self.tries += 1;
        true
    }

    /// Puts the answers into the request that is tried again.
    pub fn authorize(&mut self, request: &mut Request, entropy: &mut Entropy) {
        let Some(Secret { credentials, .. }) = &self.secret else { return };
        let client = digest::Client { username: credentials.username.clone(), password: credentials.password.clone() };
        for Answered { field, .. } in &self.answered {
            request.headers.remove(field.clone());
        }
        for Answered { field, challenge, uses } in &mut self.answered {
            *uses += 1;
            if let Some(answer) = client.answer(challenge, &request.method, request.uri.as_str(), *uses, entropy) {
                request.headers.push(field.clone(), answer.to_string());
            }
        }
    }
}

//! Digest authentication, both sides (RFC 7616, RFC 8760, RFC 3261 §22), with MD5 and SHA-256 and qop `auth`.
//!
//! The server keeps no memory of a challenge: its nonce is time, randomness and a MAC over both and the source address.
//! A nonce lives for 60 s. Only for nonces that have succeeded is the highest nonce-count kept, and a count must rise
//! strictly, so that a captured request is worth nothing (security.md T14). `stale=true` is said when the secret was
//! right and only the nonce was not; a user that does not exist costs the same work and never hears it.

use super::header::auth::{Algorithm, Challenge, Credentials};
use super::message::Method;
use super::text::Text;
use super::uri::Uri;
use crate::entropy::Entropy;
use crate::limits;
use crate::time::Tick;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq};

/// How long a nonce of ours may be used.
pub const NONCE_LIFE: Duration = Duration::from_secs(60);

/// What is hashed into a response (RFC 7616 §3.4.1).
#[derive(Clone, Copy, Debug)]
pub struct Computation<'a> {
    /// Which hash.
    pub algorithm: Algorithm,
    /// Digest user.
    pub username: &'a str,
    /// Of the challenge.
    pub realm: &'a str,
    /// The secret.
    pub password: &'a str,
    /// Of the request.
    pub method: &'a str,
    /// digest-uri, as written in the credentials.
    pub uri: &'a str,
    /// Of the challenge.
    pub nonce: &'a str,
    /// nonce-count and cnonce with qop `auth`; `None`: without qop, as RFC 2069 had it.
    pub auth: Option<(u32, &'a str)>,
}

impl Computation<'_> {
    /// The response in lower-case hex.
    pub fn response(&self) -> String {
        let secret = self.hash(&[self.username, self.realm, self.password]);
        let request = self.hash(&[self.method, self.uri]);
        match self.auth {
            Some((nc, cnonce)) => self.hash(&[&secret, self.nonce, &format!("{nc:08x}"), cnonce, "auth", &request]),
            None => self.hash(&[&secret, self.nonce, &request]),
        }
    }

    /// The hash of the parts with colons between them.
    fn hash(&self, parts: &[&str]) -> String {
        match self.algorithm {
            Algorithm::Md5 => hash_of::<Md5>(parts),
            Algorithm::Sha256 => hash_of::<Sha256>(parts),
        }
    }
}

fn hash_of<D: Digest>(parts: &[&str]) -> String {
    let mut hash = D::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hash.update(b":");
        }
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

/// What we answer a challenge with: our user and our secret.
#[derive(Clone, Debug)]
pub struct Client {
    /// Digest user.
    pub username: String,
    /// Digest secret.
    pub password: String,
}

impl Client {
    /// The first challenge that we can answer (RFC 8760 §2.4: they come in the server's order of preference); only of
    /// `realm`, when one is given (security.md T12).
    pub fn choose(challenges: impl IntoIterator<Item = Challenge>, realm: Option<&str>) -> Option<Challenge> {
        let ours =
            |challenge: &Challenge| is_answerable(challenge) && realm.is_none_or(|realm| realm == challenge.realm);
        challenges.into_iter().find(ours)
    }

    /// Credentials for a challenge; `None` when its algorithm or qop is not ours. `nc` counts the uses of this nonce
    /// from 1. `cnonce` is fresh.
    pub fn answer(
        &self,
        challenge: &Challenge,
        method: &Method,
        uri: &str,
        nc: u32,
        entropy: &mut Entropy,
    ) -> Option<Credentials> {
        if !is_answerable(challenge) {
            return None;
        }
        let algorithm = challenge.algorithm.clone().ok()?;
        let cnonce = challenge.qop_auth.then(|| entropy.token());
        let response = Computation {
            algorithm,
            username: &self.username,
            realm: &challenge.realm,
            password: &self.password,
            method: method.as_str(),
            uri,
            nonce: &challenge.nonce,
            auth: cnonce.as_deref().map(|cnonce| (nc, cnonce)),
        }
        .response();
        Some(Credentials {
            username: self.username.clone(),
            realm: challenge.realm.clone(),
            nonce: challenge.nonce.clone(),
            uri: uri.to_owned(),
            response,
            algorithm: Ok(algorithm),
            opaque: challenge.opaque.clone(),
            qop: cnonce.is_some().then(|| Text::from("auth")),
            nc: cnonce.is_some().then_some(nc),
            cnonce,
        })
    }
}

fn is_answerable(challenge: &Challenge) -> bool {
    challenge.algorithm.is_ok() && (challenge.qop_auth || !challenge.qop_offered)
}

/// What a server says to credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user's secret, a living nonce, a count never seen.
    Accepted,
    /// The secret is right but the nonce is too old or used up: challenge with `stale=true`.
    Stale,
    /// Anything else: challenge.
    Denied,
}

/// The server side: stateless signed nonces and the few that succeeded.
pub struct Server {
    realm: String,
    algorithms: Vec<Algorithm>,
    key: [u8; 32],
    entropy: Entropy,
    /// The highest nonce-count of each nonce that has succeeded and is not too old.
    succeeded: BTreeMap<Issue, u32>,
    /// Nonces up to here are too old, because what was known of them had to be forgotten.
    forgotten: Option<Issue>,
}

/// What names a nonce: milliseconds of its birth and randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Issue {
    millis: u64,
    random: [u8; 6],
}

const MAC_BYTES: usize = 12;

impl Server {
    /// `algorithms` in order of preference, the same for all users.
    pub fn new(realm: String, algorithms: Vec<Algorithm>, mut entropy: Entropy) -> Server {
        let key = entropy.bytes();
        Server { realm, algorithms, key, entropy, succeeded: BTreeMap::new(), forgotten: None }
    }

    /// The challenges to send, one per algorithm, as values of WWW-Authenticate.
    pub fn challenges(&mut self, now: Tick, source: IpAddr, stale: bool) -> Vec<Challenge> {
        let issue = Issue { millis: now.as_millis(), random: self.entropy.bytes() };
        let nonce = self.nonce(issue, source);
        let challenge = |algorithm: &Algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            opaque: None,
            algorithm: Ok(*algorithm),
            qop_auth: true,
            qop_offered: true,
            stale,
        };
        self.algorithms.iter().map(challenge).collect()
    }

    /// Judges credentials. `secret` is the user's, or `None` when there is no such user: the work is the same.
    pub fn verify(
        &mut self,
        now: Tick,
        source: IpAddr,
        method: &Method,
        uri: &str,
        credentials: &Credentials,
        secret: Option<&str>,
    ) -> Verdict {
        let (Ok(algorithm), Some(nc @ 1..), Some(cnonce)) =
            (&credentials.algorithm, credentials.nc, credentials.cnonce.as_deref())
        else {
            return Verdict::Denied;
        };
        let asks_for_auth = credentials.qop.as_deref().is_some_and(|qop| qop.eq_ignore_ascii_case("auth"));
        if !asks_for_auth || !self.algorithms.contains(algorithm) || credentials.realm != self.realm {
            return Verdict::Denied;
        }
        let expected = Computation {
            algorithm: *algorithm,
            username: &credentials.username,
            realm: &self.realm,
            password: secret.unwrap_or("a secret that nobody has"),
            method: method.as_str(),
            uri: &credentials.uri,
            nonce: &credentials.nonce,
            auth: Some((nc, cnonce)),
        }
        .response();
        let given = credentials.response.to_ascii_lowercase();
        // Also for those that are denied: the same work for all.
        let issue = self.own_issue(&credentials.nonce, source);
        let is_right = expected.as_bytes().ct_eq(given.as_bytes()) & Choice::from(u8::from(secret.is_some()));
        if !bool::from(is_right) || !is_same_target(&credentials.uri, uri) {
            return Verdict::Denied;
        }
        match issue {
            Some(issue) if self.spend(now, issue, nc) => Verdict::Accepted,
            Some(_) | None => Verdict::Stale,
        }
    }

    fn nonce(&self, issue: Issue, source: IpAddr) -> String {
        let mut octets = Vec::with_capacity(14 + MAC_BYTES);
        octets.extend(issue.millis.to_be_bytes());
        octets.extend(issue.random);
        octets.extend(self.mac(issue, source));
        hex(&octets)
    }

    fn mac(&self, issue: Issue, source: IpAddr) -> [u8; MAC_BYTES] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(&issue.millis.to_be_bytes());
        mac.update(&issue.random);
        match source.to_canonical() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        let whole = mac.finalize().into_bytes();
        std::array::from_fn(|at| whole[at])
    }

    /// The birth of a nonce that this server gave to this address.
    fn own_issue(&self, nonce: &str, source: IpAddr) -> Option<Issue> {
        let octets = unhex::<{ 14 + MAC_BYTES }>(nonce).unwrap_or([0; 14 + MAC_BYTES]);
        let issue = Issue {
            millis: u64::from_be_bytes(std::array::from_fn(|at| octets[at])),
            random: std::array::from_fn(|at| octets[8 + at]),
        };
        let is_own = self.mac(issue, source).ct_eq(&octets[14..]);
        bool::from(is_own).then_some(issue)
    }

    /// Uses a nonce once: false when it is too old or the count has been seen.
    fn spend(&mut self, now: Tick, issue: Issue, nc: u32) -> bool {
        let oldest = now.as_millis().saturating_sub(NONCE_LIFE.as_millis() as u64);
        while self.succeeded.first_key_value().is_some_and(|(first, _)| first.millis < oldest) {
            self.succeeded.pop_first();
        }
        let is_alive = (oldest..=now.as_millis()).contains(&issue.millis);
        if !is_alive || self.forgotten.is_some_and(|forgotten| issue <= forgotten) {
            return false;
        }
        if self.succeeded.get(&issue).is_some_and(|highest| nc <= *highest) {
            return false;
        }
        self.succeeded.insert(issue, nc);
        if self.succeeded.len() > limits::NONCES {
            self.forgotten = self.succeeded.pop_first().map(|(oldest, _)| oldest);
        }
        true
    }
}

/// The digest-uri names the Request-URI's user, host and port. Parameters may differ: phones and proxies add them to
/// one of the two, and none of them names another target of ours (RFC 3261 §22.4 leaves this check to the server).
fn is_same_target(digest_uri: &str, request_uri: &str) -> bool {
    if digest_uri == request_uri {
        return true;
    }
    let (Ok(one), Ok(other)) = (digest_uri.parse::<Uri>(), request_uri.parse::<Uri>()) else { return false };
    one.scheme() == other.scheme() && one.user_decoded() == other.user_decoded() && one.same_host_and_port(&other)
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
    let mut octets = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *octet = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const URI: &str = "sip:pbx.example.com";

    /// RFC 7616 §3.9.1.
    fn example(algorithm: Algorithm) -> Computation<'static> {
        Computation {
            algorithm,
            username: "Mufasa",
            realm: "http-auth@example.org",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            auth: Some((1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
        }
    }

    #[test]
    fn responses_are_those_of_rfc_7616_3_9_1() {
        assert_eq!(example(Algorithm::Md5).response(), "8ca523f5e9506fed4657c9700eebdbec");
        let sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert_eq!(example(Algorithm::Sha256).response(), sha);
    }

    #[test]
    fn the_response_of_rfc_2617_3_5_and_its_form_without_qop() {
        let old = Computation {
            realm: "testrealm@host.com",
            password: "Circle Of Life",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            auth: Some((1, "0a4f113b")),
            ..example(Algorithm::Md5)
        };
        assert_eq!(old.response(), "6629fae49393a05397450978507c4ef1");
        assert_eq!(Computation { auth: None, ..old }.response(), "670fd8c2df070c60b045671b8b24ff02");
    }

    struct Bench {
        server: Server,
        client: Client,
        entropy: Entropy,
    }

    impl Bench {
        fn new(algorithms: &[Algorithm]) -> Bench {
            Bench {
                server: Server::new("ringback".into(), algorithms.to_vec(), Entropy::from_seed(1)),
                client: Client { username: "agent".into(), password: "right".into() },
                entropy: Entropy::from_seed(2),
            }
        }

        fn credentials(&mut self, now: Tick, nc: u32) -> Credentials {
            let challenges = self.server.challenges(now, HERE, false);
            let chosen = Client::choose(challenges, None).unwrap();
            self.client.answer(&chosen, &Method::REGISTER, URI, nc, &mut self.entropy).unwrap()
        }

        fn verify(&mut self, now: Tick, credentials: &Credentials) -> Verdict {
            self.server.verify(now, HERE, &Method::REGISTER, URI, credentials, Some("right"))
        }
    }

    #[test]
    fn our_client_satisfies_our_server_with_every_algorithm() {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let mut bench = Bench::new(&[algorithm]);
            let credentials = bench.credentials(Tick::ZERO, 1);

            assert_eq!(bench.verify(Tick::ZERO, &credentials), Verdict::Accepted);
        }
    }

    #[test]
    fn a_captured_request_is_worth_nothing() {
        let mut bench = Bench::new(&[Algorithm::Md5]);
        let now = Tick::from_millis(5_000);
        let captured = bench.credentials(now, 2);
        assert_eq!(bench.verify(now, &captured), Verdict::Accepted);

        assert_eq!(bench.verify(now, &captured), Verdict::Stale);
        let elsewhere = "192.0.2.8".parse().unwrap();
        let replayed = bench.server.verify(now, elsewhere, &Method::REGISTER, URI, &captured, Some("right"));
        assert_eq!(replayed, Verdict::Stale);
        let other_method = bench.server.verify(now, HERE, &Method::INVITE, URI, &captured, Some("right"));
        assert_eq!(other_method, Verdict::Denied);
        let other_uri = bench.server.verify(now, HERE, &Method::REGISTER, "sip:other", &captured, Some("right"));
        assert_eq!(other_uri, Verdict::Denied);
        let counted = Credentials { nc: Some(3), ..captured };
        assert_eq!(bench.verify(now, &counted), Verdict::Denied, "the count is hashed");
    }

    #[test]
    fn a_nonce_is_used_again_with_a_rising_count_until_it_is_too_old() {
        let mut bench = Bench::new(&[Algorithm::Sha256]);
        let challenge = bench.server.challenges(Tick::ZERO, HERE, false).remove(0);
        let mut answer = |nc| bench.client.answer(&challenge, &Method::REGISTER, URI, nc, &mut bench.entropy).unwrap();
        let answers = [answer(1), answer(2), answer(5), answer(4), answer(6)];
        let at = |millis| Tick::from_millis(millis);
        let mut verify =
            |now, credentials| bench.server.verify(now, HERE, &Method::REGISTER, URI, credentials, Some("right"));

        assert_eq!(verify(at(0), &answers[0]), Verdict::Accepted);
        assert_eq!(verify(at(1_000), &answers[1]), Verdict::Accepted);
        assert_eq!(verify(at(2_000), &answers[2]), Verdict::Accepted);
        assert_eq!(verify(at(2_000), &answers[3]), Verdict::Stale);
        assert_eq!(verify(at(60_001), &answers[4]), Verdict::Stale);
    }

    #[test]
    fn a_nonce_from_before_a_restart_is_stale_for_those_who_know_the_secret() {
        let mut bench = Bench::new(&[Algorithm::Md5]);
        let credentials = bench.credentials(Tick::ZERO, 1);
        bench.server = Server::new("ringback".into(), vec![Algorithm::Md5], Entropy::from_seed(3));

        assert_eq!(bench.verify(Tick::ZERO, &credentials), Verdict::Stale);
        let wrong = bench.server.verify(Tick::ZERO, HERE, &Method::REGISTER, URI, &credentials, Some("wrong"));
        assert_eq!(wrong, Verdict::Denied);
    }

    #[test]
    fn an_unknown_user_is_denied_whatever_is_sent() {
        let mut bench = Bench::new(&[Algorithm::Md5]);
        bench.client.password = "a secret that nobody has".into();
        let credentials = bench.credentials(Tick::ZERO, 1);

        let verdict = bench.server.verify(Tick::ZERO, HERE, &Method::REGISTER, URI, &credentials, None);

        assert_eq!(verdict, Verdict::Denied);
    }

    #[test]
    fn credentials_without_qop_or_of_a_foreign_kind_are_denied() {
        let mut bench = Bench::new(&[Algorithm::Md5]);
        let good = bench.credentials(Tick::ZERO, 1);
        for wrong in [
            Credentials { qop: None, ..good.clone() },
            Credentials { qop: Some(Text::from("auth-int")), ..good.clone() },
            Credentials { algorithm: Err(Text::from("MD5-sess")), ..good.clone() },
            Credentials { algorithm: Ok(Algorithm::Sha256), ..good.clone() },
            Credentials { realm: "other".into(), ..good.clone() },
            Credentials { nc: Some(0), ..good.clone() },
            Credentials { nc: None, ..good.clone() },
            Credentials { cnonce: None, ..good.clone() },
            Credentials { response: String::new(), ..good.clone() },
            Credentials { nonce: "0".repeat(52), ..good.clone() },
        ] {
            assert_eq!(bench.verify(Tick::ZERO, &wrong), Verdict::Denied, "{wrong:?}");
        }
        assert_eq!(bench.verify(Tick::ZERO, &good), Verdict::Accepted);
    }

    #[test]
    fn a_full_table_forgets_the_oldest_nonce_and_takes_it_no_more() {
        let mut bench = Bench::new(&[Algorithm::Md5]);
        let first = bench.credentials(Tick::ZERO, 1);
        assert_eq!(bench.verify(Tick::ZERO, &first), Verdict::Accepted);
        for number in 0..limits::NONCES as u64 {
            let now = Tick::from_millis(1 + number % 1_000);
            let issue = Issue { millis: now.as_millis(), random: bench.entropy.bytes() };
            assert!(bench.server.spend(Tick::from_millis(1_001), issue, 1));
        }

        assert_eq!(bench.verify(Tick::from_millis(1_001), &first), Verdict::Stale);
        assert_eq!(bench.server.succeeded.len(), limits::NONCES);
    }

    #[test]
    fn the_client_takes_the_first_challenge_it_can_answer() {
        let sha = Algorithm::Sha256;
        let mut bench = Bench::new(&[sha, Algorithm::Md5]);
        let mut challenges = bench.server.challenges(Tick::ZERO, HERE, false);
        let foreign = Challenge { algorithm: Err(Text::from("SHA-512-256")), ..challenges[0].clone() };
        challenges.insert(0, foreign.clone());
        challenges.insert(0, Challenge { qop_auth: false, ..challenges[1].clone() });

        let chosen = Client::choose(challenges.clone(), Some("ringback")).unwrap();

        assert_eq!((chosen.algorithm, chosen.qop_auth), (Ok(sha), true));
        assert_eq!(Client::choose(challenges, Some("other")), None);
        assert_eq!(bench.client.answer(&foreign, &Method::INVITE, URI, 1, &mut bench.entropy), None);
    }

    #[test]
    fn a_challenge_without_qop_is_answered_as_rfc_2069_had_it() {
        let mut bench = Bench::new(&[Algorithm::Md5]);
        let offered = bench.server.challenges(Tick::ZERO, HERE, false).remove(0);
        let plain = Challenge { qop_auth: false, qop_offered: false, opaque: Some("o".into()), ..offered };

        let answer = bench.client.answer(&plain, &Method::INVITE, URI, 1, &mut bench.entropy).unwrap();

        assert_eq!((answer.qop, answer.nc, answer.cnonce), (None, None, None));
        assert_eq!(answer.opaque.as_deref(), Some("o"));
    }
}

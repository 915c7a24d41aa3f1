//! Who has signed in at the pages: a token of 128 bits in a cookie, gone after 30 minutes without use and 12 hours in
//! all. Only its hash is kept, and nothing is stored: a restart signs everybody out.

use super::brake::Brake;
use super::roles::{Caller, Presented};
use crate::limits::SESSIONS;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const COOKIE: &str = "ringback_session";
const HOST: &str = "__Host-";
const IDLE: Duration = Duration::from_secs(30 * 60);
const WHOLE: Duration = Duration::from_secs(12 * 3_600);

type Hash = [u8; 32];

#[derive(Clone, Debug)]
struct Session {
    /// The secret he has signed in with: taken from the key, the session is worth nothing.
    secret: String,
    since: Instant,
    used: Instant,
}

impl Session {
    fn holds(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE && now.duration_since(self.since) < WHOLE
    }
}

/// All sessions, and the brake on those who would like one.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    all: Arc<Mutex<HashMap<Hash, Session>>>,
    pub(super) brake: Brake,
}

impl Sessions {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody has signed in: the cookie. Beyond the limit the one unused for longest is forgotten.
    pub(super) fn begin(&self, secret: &str, way: Way) -> Option<String> {
        let mut token = [0; 16];
        getrandom::fill(&mut token).ok()?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let now = Instant::now();
        let mut all = self.all();
        all.retain(|_, session| session.holds(now));
        if all.len() >= SESSIONS
            && let Some(oldest) = all.iter().min_by_key(|(_, session)| session.used).map(|(hash, _)| *hash)
        {
            all.remove(&oldest);
        }
        all.insert(hash(&token), Session { secret: secret.to_owned(), since: now, used: now });
        Some(cookie(&token, WHOLE.as_secs(), way))
    }

    /// The secret of whoever sends this cookie.
    pub(super) fn secret(&self, headers: &HeaderMap) -> Option<String> {
        let token = sent(headers)?;
        let now = Instant::now();
        let mut all = self.all();
        let session = all.get_mut(&hash(&token)).filter(|session| session.holds(now))?;
        session.used = now;
        Some(session.secret.clone())
    }

    /// Signs out: gone here, and the browser is told.
    pub(super) fn end(&self, headers: &HeaderMap) -> String {
        if let Some(token) = sent(headers) {
            self.all().remove(&hash(&token));
        }
        cookie("", 0, Way::of(headers))
    }
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// How the browser has come. We speak no TLS ourselves; whoever speaks it for us says so, or the browser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Tls,
}

impl Way {
    /// Whoever lies here binds only his own cookie to a way he cannot use.
    pub(super) fn of(headers: &HeaderMap) -> Way {
        let says = |name: &str, word: &str| {
            headers.get(name).is_some_and(|value| value.to_str().is_ok_and(|value| value.starts_with(word)))
        };
        if says("origin", "https://") || says("x-forwarded-proto", "https") { Way::Tls } else { Way::Plain }
    }
}

/// `__Host-` keeps neighbours under the same domain from setting it, and works over TLS only.
fn cookie(token: &str, secs: u64, way: Way) -> String {
    let (prefix, secure) = if way == Way::Tls { (HOST, "; Secure") } else { ("", "") };
    format!("{prefix}{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={secs}{secure}")
}

fn sent(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let ours = |name: &str| name.strip_prefix(HOST).unwrap_or(name) == COOKIE;
    pairs.find(|(name, _)| ours(name)).map(|(_, token)| token.to_owned())
}

/// Whether a form comes from a page of ours: browsers say where a POST comes from (security.md §2, CSRF). No page can
/// set `Sec-Fetch-Site` itself; `Origin: null` alone says nothing.
pub(super) fn is_of_ours(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin") {
        return true;
    }
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else { return false };
    origin.strip_prefix("http://").or(origin.strip_prefix("https://")).is_some_and(|from| from == host)
}

/// The caller that a session stands for, as long as his secret is good.
pub(super) fn caller(site: &super::Site, headers: &HeaderMap, from: Option<std::net::IpAddr>) -> Option<Caller> {
    match site.whose_secret(&site.sessions.secret(headers)?, from) {
        Presented::Known(caller) => Some(caller),
        Presented::Nothing | Presented::Unknown | Presented::Expired(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_without_use_and_in_any_case() {
        let start = Instant::now();
        let session = |used| Session { secret: String::new(), since: start, used };

        assert!(session(start).holds(start + IDLE - Duration::from_secs(1)));
        assert!(!session(start).holds(start + IDLE));
        let late = start + WHOLE - Duration::from_secs(1);
        assert!(session(late).holds(late));
        assert!(!session(late).holds(start + WHOLE));
    }

    // A cookie that was given over TLS never leaves it.
    #[test]
    fn the_cookie_is_secure_where_the_way_is() {
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(header::HeaderName::from_static(name), header::HeaderValue::from_static(value))])
        };
        assert_eq!(Way::of(&headers("origin", "http://pbx:8080")), Way::Plain);
        assert_eq!(Way::of(&HeaderMap::new()), Way::Plain);
        assert_eq!(Way::of(&headers("origin", "https://pbx")), Way::Tls);
        assert_eq!(Way::of(&headers("x-forwarded-proto", "https")), Way::Tls);

        let sessions = Sessions::default();
        let secure = sessions.begin("s", Way::Tls).unwrap();
        let plain = sessions.begin("s", Way::Plain).unwrap();

        assert!(secure.starts_with("__Host-ringback_session=") && secure.ends_with("; Secure"), "{secure}");
        assert!(plain.starts_with("ringback_session=") && !plain.contains("Secure"), "{plain}");
        for cookie in [secure, plain] {
            let mut sent = HeaderMap::new();
            sent.insert(header::COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
            assert_eq!(sessions.secret(&sent).as_deref(), Some("s"));
        }
    }

    #[test]
    fn a_form_of_another_site_is_not_ours() {
        let sent = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "pbx:8080".parse().unwrap());
            if !origin.is_empty() {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            is_of_ours(&headers)
        };

        assert!(sent("http://pbx:8080") && sent("https://pbx:8080"));
        for foreign in ["", "null", "http://pbx:80", "http://pbx:8080.evil.example", "http://evil.example"] {
            assert!(!sent(foreign), "{foreign}");
        }
    }
}

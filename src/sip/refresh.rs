//! Session timers (RFC 4028): whoever refreshes does so at half the interval; the other side hangs up shortly before
//! the interval ends. As UAS we leave the refreshing to the peer when it can, as UAC to whom the peer names. Peers
//! that do not speak `timer` get none: media that falls silent ends those calls.

use super::header::session::{Refresher, SessionExpires};
use super::inspect::Refusal;
use super::message::{HeaderName, Headers, Request, Response};
use super::user_agent::Field;
use crate::time::Tick;
use std::time::Duration;

/// RFC 4028 §4: the smallest interval anybody may ask for.
pub(super) const MIN_SE: u32 = 90;
/// The wait before a refresh that failed in passing is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// The timer of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionTimer {
    /// The peer does not speak it.
    Off,
    /// We refresh.
    Ours {
        /// When.
        at: Tick,
        /// The end of the session without.
        until: Tick,
        /// The interval.
        secs: u32,
    },
    /// The peer refreshes.
    Theirs {
        /// When we stop believing in it (§10).
        until: Tick,
        /// The interval.
        secs: u32,
    },
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A refresh of ours.
    Refresh,
    /// The end: nobody has refreshed.
    Lost,
}

impl SessionTimer {
    pub fn deadline(&self) -> Option<Tick> {
        match *self {
            SessionTimer::Off => None,
            SessionTimer::Ours { at, until, .. } => Some(at.min(until)),
            SessionTimer::Theirs { until, .. } => Some(until),
        }
    }

    /// The deadline has come. A refresh that is not answered is asked for again until the interval ends.
    pub fn on_timeout(&mut self, now: Tick) -> Option<Due> {
        match self {
            SessionTimer::Ours { until, .. } | SessionTimer::Theirs { until, .. } if now >= *until => Some(Due::Lost),
            SessionTimer::Ours { at, .. } if now >= *at => {
                *at = now + RETRY;
                Some(Due::Refresh)
            }
            SessionTimer::Off | SessionTimer::Ours { .. } | SessionTimer::Theirs { .. } => None,
        }
    }

    /// What has been agreed on: the interval in seconds, and whether we refresh.
    pub fn terms(&self) -> Option<(u32, bool)> {
        match *self {
            SessionTimer::Off => None,
            SessionTimer::Ours { secs, .. } => Some((secs, true)),
            SessionTimer::Theirs { secs, .. } => Some((secs, false)),
        }
    }

    pub fn start(now: Tick, secs: u32, ours: bool) -> SessionTimer {
        let interval = Duration::from_secs(secs.into());
        match ours {
            true => SessionTimer::Ours { at: now + interval / 2, until: now + interval, secs },
            false => {
                // §10: the smaller of 32 s and a third of the interval before it ends.
                let early = Duration::from_secs(32).min(interval / 3);
                SessionTimer::Theirs { until: now + (interval - early), secs }
            }
        }
    }

    /// From the 2xx to an INVITE or UPDATE of ours (§7.2).
    pub fn of_answer(now: Tick, headers: &Headers) -> SessionTimer {
        match headers.session_expires() {
            Some(Ok(agreed)) => {
                let ours = !matches!(agreed.refresher, Some(Refresher::Uas));
                SessionTimer::start(now, agreed.seconds.max(MIN_SE), ours)
            }
            Some(Err(_)) | None => SessionTimer::Off,
        }
    }

    /// What a request of ours in the session asks for: the same interval, the same side (§7.4).
    pub fn field(&self) -> Option<String> {
        let (seconds, refresher) = match *self {
            SessionTimer::Off => return None,
            SessionTimer::Ours { secs, .. } => (secs, Refresher::Uac),
            SessionTimer::Theirs { secs, .. } => (secs, Refresher::Uas),
        };
        Some(SessionExpires { seconds, refresher: Some(refresher) }.to_string())
    }
}

/// What we agreed to as UAS, to be said in the 2xx and begun with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed(Option<(u32, Refresher)>);

impl Agreed {
    /// Judges the wish of an INVITE or UPDATE (§9).
    pub fn with(request: &Request, ours_secs: u32) -> Result<Agreed, Refusal> {
        let headers = &request.headers;
        let speaks = headers.lists(HeaderName::Supported, "timer") || headers.lists(HeaderName::Require, "timer");
        let floor = headers.min_se().unwrap_or(MIN_SE).max(MIN_SE);
        let wanted = match headers.session_expires() {
            Some(Ok(wanted)) => Some(wanted),
            Some(Err(_)) => return Err(Refusal::new(400)),
            None => None,
        };
        Ok(Agreed(match wanted {
            Some(wanted) if wanted.seconds < MIN_SE && speaks => {
                return Err(Refusal::with(422, "Min-SE", MIN_SE.to_string()));
            }
            Some(wanted) if speaks => Some((wanted.seconds, wanted.refresher.unwrap_or(Refresher::Uac))),
            // §9: a proxy asked, the UAC does not speak it: only we can refresh.
            Some(wanted) => Some((wanted.seconds.max(floor), Refresher::Uas)),
            None if speaks => Some((ours_secs.max(floor), Refresher::Uac)),
            None => None,
        }))
    }

    /// Says it in the 2xx.
    pub fn write(&self, response: &mut Response) {
        if let Some((seconds, refresher)) = self.0 {
            let value = SessionExpires { seconds, refresher: Some(refresher) }.to_string();
            response.headers.push(HeaderName::SessionExpires, value);
            if refresher == Refresher::Uac {
                response.headers.push(HeaderName::Require, "timer"); // §9: it must know that it refreshes.
            }
        }
    }

    /// The timer that begins with the 2xx.
    pub fn start(&self, now: Tick) -> SessionTimer {
        match self.0 {
            Some((secs, refresher)) => SessionTimer::start(now, secs, refresher == Refresher::Uas),
            None => SessionTimer::Off,
        }
    }
}

/// Fields of our first INVITE: who refreshes is left to the peer (§7.1).
pub(super) fn wish(secs: u32, min_se: u32) -> [Field; 2] {
    [("Session-Expires", secs.max(min_se).to_string()), ("Min-SE", min_se.to_string())]
}

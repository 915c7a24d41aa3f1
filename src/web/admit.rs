//! The door: who is let in to what, and what is noted of it (security.md, audit log).
//!
//! What changes something, or lets somebody listen, runs in a task of its own and is noted there: whoever asks cannot
//! dodge the log by hanging up. Sign-ins are noted, refusals as well, those only so many a minute. Never a secret.

use super::roles::{Caller, Presented};
use super::{Problem, Shared, Site, needed, page, session};
use crate::switch::command::{Command, Done};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// From where somebody asks who is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger(pub Option<IpAddr>);

/// Where pages for people begin.
const PAGES: [&str; 7] = ["/login", "/logout", "/style.css", "/config", "/do-not-call", "/overflow", "/sounds"];
/// What notes itself, for people and for programs.
const EDITS: [&str; 8] = ["/config", "/site", "/prompts", "/sounds", "/do-not-call", "/people", "/login", "/logout"];

/// What is asked.
struct Asked {
    method: Method,
    path: String,
    from: Option<IpAddr>,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Asked {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            from: from.map(|ConnectInfo(peer)| peer.ip().to_canonical()),
        }
    }

    fn is_probe(&self) -> bool {
        let of_ours = self.from.is_some_and(|from| from.is_loopback());
        of_ours && matches!(&*self.path, "/healthz" | "/readyz" | "/metrics")
    }

    fn is_page(&self) -> bool {
        self.path == "/" || PAGES.iter().any(|of| self.path.starts_with(of))
    }

    fn reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    fn listens(&self) -> bool {
        self.path.ends_with("/audio")
    }

    /// What edits the site notes itself, in the same commit; and so do signing in and out.
    fn notes_itself(&self) -> bool {
        let path = self.path.strip_prefix("/api/v1").unwrap_or(&self.path);
        EDITS.iter().any(|of| path.starts_with(of))
    }

    fn act(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Whether the request may be answered at all. Without the token even unknown paths look alike.
pub(super) async fn admit(State(site): Shared, mut request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    if asked.is_probe() {
        return next.run(request).await;
    }
    let caller = match who(&site, &request, &asked) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    match &caller {
        Some(caller) => {
            let needs = needed(&asked.method, &asked.path);
            if caller.role < needs {
                site.note_refused(&caller.name, asked.from, "refused", asked.act());
                let detail = format!("{} may not do this: it takes the role {needs:?}", caller.name).to_lowercase();
                return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
            }
            request.extensions_mut().insert(caller.clone());
        }
        None => drop(request.extensions_mut().insert(Stranger(asked.from))),
    }
    if asked.reads() && !asked.listens() {
        return next.run(request).await; // Whoever hangs up frees what it takes.
    }
    let acting = tokio::spawn(async move {
        let response = next.run(request).await;
        if let Some(caller) = caller.filter(|_| !asked.notes_itself()) {
            note_act(&site, &asked, &caller, response.status()).await;
        }
        response
    });
    let fault = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "it has ended by a fault of ours").into_response();
    acting.await.unwrap_or_else(|_| fault())
}

/// Who asks; `None`: somebody who may sign in.
fn who(site: &Arc<Site>, request: &Request, asked: &Asked) -> Result<Option<Caller>, Box<Response>> {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let now = Instant::now();
    if authorization.is_some()
        && let Some(wait) = site.sessions.brake.held(now, asked.from)
    {
        return Err(Box::new(too_many(wait)));
    }
    match site.whose(authorization, asked.from) {
        Presented::Known(caller) => return Ok(Some(caller)),
        Presented::Nothing => {}
        Presented::Expired(key) => site.note_refused(&key, asked.from, "expired", asked.act()),
        Presented::Unknown => {
            site.sessions.brake.wrong(now, asked.from);
            site.note_refused(NOBODY, asked.from, "unknown token", asked.act());
        }
    }
    if !asked.is_page() {
        let detail = "send the token of the data directory's admin.token as `Authorization: Bearer …`";
        return Err(Box::new(Problem::new(StatusCode::UNAUTHORIZED, detail).into_response()));
    }
    // The cookie comes with whatever a browser sends, so a form has to show where it comes from.
    if !asked.reads() && !session::is_of_ours(request.headers()) {
        let detail = "a form of another site is not taken: open the page here and send it again";
        return Err(Box::new(Problem::new(StatusCode::FORBIDDEN, detail).into_response()));
    }
    if matches!(&*asked.path, "/login" | "/style.css") {
        return Ok(None);
    }
    let caller = session::caller(site, request.headers(), asked.from);
    caller.map(Some).ok_or_else(|| Box::new(page::see_other("/login")))
}

/// Who is meant when nobody is known.
pub(super) const NOBODY: &str = "?";

/// RFC 6585 §4.
fn too_many(wait: Duration) -> Response {
    let secs = wait_secs(wait);
    let detail = format!("too many wrong tokens came from your address: try again in {secs} s");
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
    response
}

/// Whole seconds, as `Retry-After` takes them.
pub(super) fn wait_secs(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// What has succeeded; and what nobody can tell of whether it has.
async fn note_act(site: &Site, asked: &Asked, caller: &Caller, status: StatusCode) {
    // A form that was taken sends its browser on.
    let is_taken = status.is_success() || status.is_redirection();
    if !is_taken && !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT {
        return;
    }
    let done = match asked.listens() {
        true => caller.done("listen", Some(asked.path.clone())),
        false => caller.done(&asked.act(), None),
    };
    let detail = (!is_taken).then(|| format!("answered {}", status.as_u16()));
    site.note(Done { detail, ..done }).await;
}

impl Site {
    /// Into the audit log.
    pub(super) async fn note(&self, done: Done) {
        let what = done.what.clone();
        if self.commands.ask(Command::Note(Box::new(done))).await.is_err() {
            tracing::warn!(%what, "what was done could not be noted");
        }
    }

    /// Somebody was refused. Not waited for: hanging up does not keep it out of the log.
    pub(super) fn note_refused(self: &Arc<Site>, who: &str, from: Option<IpAddr>, why: &str, act: String) {
        let Some(untold) = self.sessions.brake.notes(Instant::now()) else { return };
        let more = if untold > 0 { format!(", and {untold} more before it") } else { String::new() };
        let done = Done {
            who: who.to_owned(),
            from: from.map(|from| from.to_string()),
            what: "refused".to_owned(),
            object: Some(act),
            detail: Some(format!("{why}{more}")),
        };
        let site = self.clone();
        tokio::spawn(async move { site.note(done).await });
    }
}

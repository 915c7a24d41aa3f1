//! Pages for people: plain HTML that needs no script. Every text passes `text`, which escapes it; what a page may
//! load is one style of ours and nothing else.

use super::admit::{NOBODY, Stranger, wait_secs};
use super::roles::{Caller, Presented};
use super::session::Way;
use super::{Problem, Shared};
use crate::callback::task::TaskState;
use crate::config::tables::TABLES;
use crate::run::{Editor, NoAnswer};
use crate::switch::command::{Command, PageOf, Reply};
use crate::switch::view;
use axum::Form;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use std::fmt::Write;
use std::time::Instant;

/// What pages may do; the rest of the answers may do nothing at all.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("style.css");

/// Callbacks of the first page.
const SHOWN: usize = 100;

/// Text that means nothing to a browser. Control and direction characters are shown as what they are (security.md T40).
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(letter),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
            }
            control if control.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out
}

/// A name as a part of a path (RFC 3986 §2.3).
pub(super) fn escaped_path(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// A kind as people read it.
pub(super) fn title(kind: &str) -> &'static str {
    match kind {
        "trunk" => "Trunks",
        "caller_id" => "Caller IDs",
        "agent" => "Agents",
        "group" => "Groups",
        "queue" => "Queues",
        "schedule" => "Schedules",
        "inbound_route" => "Inbound routes",
        "outbound_route" => "Outbound routes",
        "callback_profile" => "Call-back profiles",
        "callback_rule" => "Call-back rules",
        "number_list" => "Number lists",
        "number_policy" => "Number policies",
        "ivr" => "Menus",
        "prompt" => "Prompts",
        "api_key" => "API keys",
        _ => "Objects", // A table that has no title yet is still shown.
    }
}

/// A whole page around `body`.
pub(super) fn page(caller: Option<&Caller>, name: &str, body: &str) -> Response {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{} – ringback</title><link rel=\"stylesheet\" \
         href=\"/style.css\"><header><a class=\"brand\" href=\"/\">ringback</a>",
        text(name)
    );
    if let Some(caller) = caller {
        let _ = write!(
            out,
            "<nav><a href=\"/\">Live</a><a href=\"/overflow\">Left over</a><a \
             href=\"/do-not-call\">Do not call</a><a href=\"/config\">Manage</a></nav><form method=\"post\" \
             action=\"/logout\"><button class=\"quiet\">Sign out {}</button></form>",
            text(&caller.name)
        );
    }
    let _ = write!(out, "</header><main><h1>{}</h1>{body}</main></html>", text(name));
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(out)).into_response()
}

/// A table of texts that are HTML already.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>], nothing: &str) -> String {
    if rows.is_empty() {
        return format!("<p class=\"none\">{}</p>", text(nothing));
    }
    let mut out = String::from("<div class=\"wide\"><table><thead><tr>");
    out.extend(heads.iter().map(|head| format!("<th>{}</th>", text(head))));
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        out.extend(row.iter().map(|cell| format!("<td>{cell}</td>")));
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

pub(super) fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to.to_owned())]).into_response()
}

pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

// --- Signing in and out ---

#[derive(Deserialize)]
pub(super) struct SignIn {
    token: String,
}

fn sign_in_page(wrong: Option<&str>) -> Response {
    let wrong = wrong.map(|wrong| format!("<p class=\"error\" role=\"alert\">{}</p>", text(wrong)));
    let body = format!(
        "{}<form class=\"card\" method=\"post\" action=\"/login\"><label for=\"token\">Token</label><input \
         id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" required autofocus><p \
         class=\"doc\">The administrator's lies in <code>admin.token</code> of the data directory.</p>\
         <button>Sign in</button></form>",
        wrong.unwrap_or_default()
    );
    page(None, "Sign in", &body)
}

pub(super) async fn ask_token() -> Response {
    sign_in_page(None)
}

pub(super) async fn sign_in(
    State(site): Shared,
    stranger: Option<Extension<Stranger>>,
    headers: HeaderMap,
    Form(SignIn { token }): Form<SignIn>,
) -> Response {
    let from = stranger.and_then(|Extension(Stranger(from))| from);
    let (token, now) = (token.trim(), Instant::now());
    if let Some(wait) = site.sessions.brake.held(now, from) {
        let secs = wait_secs(wait);
        let wrong = format!("Too many wrong tokens came from your address: try again in {secs} s.");
        let mut response = sign_in_page(Some(&wrong));
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        return response;
    }
    match site.whose_secret(token, from) {
        Presented::Known(caller) => {
            let cookie = site.sessions.begin(token, Way::of(&headers)).and_then(|cookie| cookie.parse().ok());
            let Some(cookie) = cookie else {
                let detail = "the system gives no random numbers, which a session needs";
                return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
            };
            site.note(caller.done("sign in", None)).await;
            let mut response = see_other("/");
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            return response;
        }
        Presented::Expired(key) => site.note_refused(&key, from, "expired", "sign in".to_owned()),
        Presented::Unknown | Presented::Nothing => {
            site.sessions.brake.wrong(now, from);
            site.note_refused(NOBODY, from, "unknown token", "sign in".to_owned());
        }
    }
    let mut response = sign_in_page(Some("This token is not known, or has expired."));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

pub(super) async fn sign_out(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let mut response = see_other("/login");
    if let Ok(cookie) = site.sessions.end(&headers).parse() {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    site.note(caller.done("sign out", None)).await;
    response
}

// --- What goes on ---

pub(super) async fn live(State(site): Shared, Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    let Reply::Queues(queues) = site.commands.ask(Command::ListQueues).await? else { return Err(NoAnswer.into()) };
    let Reply::Agents(agents) = site.commands.ask(Command::ListAgents).await? else { return Err(NoAnswer.into()) };
    let open = TaskState::ALL.into_iter().filter(|state| !state.is_final()).collect();
    let first = PageOf { after: None, limit: Some(SHOWN) };
    let list = Command::ListCallbacks { states: open, queue: None, page: first };
    let Reply::Callbacks(callbacks) = site.commands.ask(list).await? else { return Err(NoAnswer.into()) };
    let queues: Vec<Vec<String>> = queues
        .items
        .iter()
        .map(|queue| {
            let waits = format!("{} s", queue.longest_wait_secs);
            vec![
                text(&queue.name),
                text(&queue.number),
                queue.waiting_count.to_string(),
                queue.live_count.to_string(),
                waits,
            ]
        })
        .collect();
    let agents: Vec<Vec<String>> = agents
        .items
        .iter()
        .map(|agent| {
            let state = format!("<span class=\"state {}\">{}</span>", agent.state, agent.state.replace('_', " "));
            vec![text(&agent.name), text(&agent.extension), state, text(agent.reason.as_deref().unwrap_or(""))]
        })
        .collect();
    let warnings = site.standing.told().warnings;
    let warnings = warnings.iter().map(|told| format!("<p class=\"error\" role=\"alert\">{}</p>", text(told)));
    let body = format!(
        "{}<p><a class=\"button\" href=\"/\">Refresh</a></p><h2>Queues</h2>{}<h2>Agents</h2>{}<h2>Callbacks</h2>{}",
        warnings.collect::<String>(),
        table(&["name", "number", "waiting", "on the line", "longest wait"], &queues, "There is no queue yet."),
        table(&["name", "extension", "state", "reason"], &agents, "There is no agent yet."),
        promised(&callbacks),
    );
    Ok(page(Some(&caller), "Live", &body))
}

/// Open callbacks, and whether there are more.
fn promised(callbacks: &view::Page<view::Callback>) -> String {
    let rows: Vec<Vec<String>> = callbacks
        .items
        .iter()
        .map(|callback| {
            let task = &callback.task;
            let next = callback.next_at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
            vec![
                text(&task.number.to_string()),
                text(&task.queue),
                text(task.state.word()),
                task.attempts_used.to_string(),
                next.unwrap_or_default(),
                text(callback.held_by.as_deref().unwrap_or("")),
            ]
        })
        .collect();
    let heads = ["number", "queue", "state", "tried", "next", "held by"];
    let mut out = table(&heads, &rows, "Nobody is promised a call.");
    if callbacks.next.is_some() {
        let _ = write!(out, "<p class=\"doc\">These are the first {SHOWN}; the API lists all.</p>");
    }
    out
}

/// What may be managed.
pub(super) async fn manage(State(site): Shared, Extension(caller): Extension<Caller>) -> Response {
    let editor = site.editor.as_ref();
    let mut body = String::new();
    for told in editor.map(Editor::set_aside).unwrap_or_default() {
        let _ = write!(body, "<p class=\"error\" role=\"alert\">{}</p>", text(&told));
    }
    body.push_str("<ul class=\"kinds\">");
    for table in TABLES.iter().filter(|table| table.many) {
        let count = editor.map_or(0, |editor| editor.objects(table.name).len());
        let _ = write!(
            body,
            "<li><a href=\"/config/{}\"><b>{}</b> <span class=\"count\">{count}</span><span class=\"doc\">{}</span>\
             </a></li>",
            table.name,
            title(table.name),
            text(table.doc)
        );
    }
    body.push_str("</ul>");
    page(Some(&caller), "Manage", &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_typed_means_anything_to_a_browser() {
        let typed = "<script>alert('1')</script>\" onload=\"x\" &amp; \u{202e}gpj\u{0}";

        let shown = text(typed);

        assert!(!shown.contains(['<', '>', '"', '\'', '\u{202e}', '\u{0}']), "{shown}");
        assert!(shown.contains("\\u{202e}gpj\\u{0}"), "{shown}");
    }

    #[test]
    fn every_table_has_a_title() {
        for table in TABLES.iter().filter(|table| table.many) {
            assert_ne!(title(table.name), "Objects", "{}", table.name);
        }
    }
}

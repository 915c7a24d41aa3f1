//! The do-not-call list: by API and as a page.

use super::body::{Body, OptionalBody};
use super::page::{escaped_path, page, see_other, table, text};
use super::query::Pairs;
use super::roles::Caller;
use super::{Problem, Shared, Site, ask};
use crate::run::NoAnswer;
use crate::settings::Role;
use crate::switch::DoNotCall;
use crate::switch::command::{Command, NeverCall, PageOf, Reply};
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::Deserialize;
use std::fmt::Write;

/// Entries of one page for people.
const SHOWN: usize = 500;

pub(super) async fn list(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    ask(&site, Command::ListDoNotCall(query.page()?)).await
}

/// A number for the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    number: String,
    note: Option<String>,
}

/// Why it may be called again.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lift {
    note: Option<String>,
}

pub(super) async fn add(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(new): Body<New>,
) -> Result<Response, Problem> {
    let entry = put(&site, &caller, new).await?;
    let place = format!("/api/v1/do-not-call/{}", entry.number);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(entry)).into_response())
}

pub(super) async fn lift(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    OptionalBody(Lift { note }): OptionalBody<Lift>,
) -> Result<Response, Problem> {
    take_off(&site, &caller, number, note).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn put(site: &Site, caller: &Caller, New { number, note }: New) -> Result<DoNotCall, Problem> {
    let never = NeverCall { number, note, done: caller.done("never call", None) };
    match site.commands.ask(Command::AddDoNotCall(Box::new(never))).await? {
        Reply::Never(entry) => Ok(*entry),
        Reply::Refused(refused) => Err(refused.into()),
        other => unreachable!("a number for the list is answered by its entry or a refusal, not by {other:?}"),
    }
}

async fn take_off(site: &Site, caller: &Caller, number: String, note: Option<String>) -> Result<(), Problem> {
    let never = NeverCall { number, note, done: caller.done("may call", None) };
    match site.commands.ask(Command::LiftDoNotCall(Box::new(never))).await? {
        Reply::Refused(refused) => Err(refused.into()),
        _ => Ok(()), // It is lifted.
    }
}

// --- The page ---

#[derive(Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    number: String,
    note: Option<String>,
}

pub(super) async fn show(State(site): Shared, Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    shown(&site, &caller, None, None).await
}

pub(super) async fn add_typed(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Form(Typed { number, note }): Form<Typed>,
) -> Result<Response, Problem> {
    match put(&site, &caller, New { number: number.clone(), note: note.clone() }).await {
        Ok(_) => Ok(see_other("/do-not-call")),
        Err(wrong) => shown(&site, &caller, Some(&Typed { number, note }), Some(&wrong)).await,
    }
}

pub(super) async fn lift_typed(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Form(Typed { note, .. }): Form<Typed>,
) -> Result<Response, Problem> {
    match take_off(&site, &caller, number, note).await {
        Ok(()) => Ok(see_other("/do-not-call")),
        Err(wrong) => shown(&site, &caller, None, Some(&wrong)).await,
    }
}

async fn shown(
    site: &Site,
    caller: &Caller,
    typed: Option<&Typed>,
    wrong: Option<&Problem>,
) -> Result<Response, Problem> {
    let all = Command::ListDoNotCall(PageOf { after: None, limit: Some(SHOWN) });
    let Reply::DoNotCall(list) = site.commands.ask(all).await? else { return Err(NoAnswer.into()) };
    let mut body = String::from("<p class=\"doc\">These numbers are never called back, whatever the site says.</p>");
    if let Some(wrong) = wrong {
        let _ = write!(body, "<p class=\"error\" role=\"alert\">{}</p>", text(wrong.told().0));
    }
    if caller.role >= Role::Supervisor {
        let (number, note) = typed.map_or(("", ""), |typed| (&*typed.number, typed.note.as_deref().unwrap_or("")));
        let _ = write!(
            body,
            "<form class=\"card\" method=\"post\" action=\"/do-not-call\"><label for=\"number\">Number</label><input \
             id=\"number\" name=\"number\" value=\"{}\" inputmode=\"tel\" required><label for=\"note\">Why</label>\
             <input id=\"note\" name=\"note\" value=\"{}\" maxlength=\"200\"><p class=\"doc\">Its open callbacks are \
             cancelled.</p><button>Never call</button></form>",
            text(number),
            text(note)
        );
    }
    let rows: Vec<Vec<String>> = list.items.iter().map(|entry| row(caller, entry)).collect();
    body.push_str(&table(&["number", "since", "said by", "why", ""], &rows, "Every number may be called."));
    if list.next.is_some() {
        let _ = write!(body, "<p class=\"doc\">These are the first {SHOWN}; the API lists all.</p>");
    }
    let mut response = page(Some(caller), "Do not call", &body);
    if wrong.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn row(caller: &Caller, entry: &DoNotCall) -> Vec<String> {
    let number = entry.number.to_string();
    let lift = format!(
        "<form class=\"inline\" method=\"post\" action=\"/do-not-call/{}/lift\"><input name=\"note\" \
         aria-label=\"Why may {} be called again?\" placeholder=\"why\" maxlength=\"200\" required>\
         <button class=\"quiet\">May be called</button></form>",
        escaped_path(&number),
        text(&number)
    );
    vec![
        text(&number),
        entry.at.format("%Y-%m-%d %H:%M UTC").to_string(),
        text(entry.who.as_deref().unwrap_or("the customer")),
        text(entry.note.as_deref().unwrap_or("")),
        if caller.role == Role::Admin { lift } else { String::new() },
    ]
}

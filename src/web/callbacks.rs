//! `/callbacks`

use super::body::Body;
use super::query::Pairs;
use super::{Problem, Shared, ask};
use crate::callback::task::TaskState;
use crate::id::TaskId;
use crate::switch::command::{Command, NewCallback, Reply};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// Octets of an `Idempotency-Key`.
const KEY_BYTES: usize = 128;

pub(super) async fn list(State(site): Shared, mut query: Pairs) -> Result<Response, Problem> {
    let (states, queue) = which(&mut query)?;
    ask(&site, Command::ListCallbacks { states, queue, page: query.page()? }).await
}

/// Which callbacks a query without pages means.
pub(super) fn filter(mut query: Pairs) -> Result<(Vec<TaskState>, Option<String>), Problem> {
    let which = which(&mut query)?;
    query.none_left()?;
    Ok(which)
}

fn which(query: &mut Pairs) -> Result<(Vec<TaskState>, Option<String>), Problem> {
    // `state=due&state=talking` and `state=due,talking` mean the same.
    let words = query.take("state");
    let states = words.iter().flat_map(|words| words.split(',')).map(state).collect::<Result<_, _>>()?;
    Ok((states, query.take_one("queue")?))
}

fn state(word: &str) -> Result<TaskState, Problem> {
    let known = TaskState::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(word));
    known.map_err(|_| Problem::bad("state", format!("{word:?} is not a state of a callback")))
}

pub(super) fn id(text: &str) -> Result<TaskId, Problem> {
    text.parse().map_err(|_| Problem::not_found("callback", text))
}

pub(super) async fn show(State(site): Shared, Path(task): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::ShowCallback(id(&task)?)).await
}

pub(super) async fn add(
    State(site): Shared,
    headers: HeaderMap,
    Body(mut new): Body<NewCallback>,
) -> Result<Response, Problem> {
    new.idempotency_key = idempotency_key(&headers)?;
    match site.commands.ask(Command::AddCallback(Box::new(new))).await? {
        Reply::Callback(callback) => {
            let location = format!("/api/v1/callbacks/{}", callback.task.id);
            Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(callback)).into_response())
        }
        Reply::Refused(refused) => Err(refused.into()),
        other => unreachable!("a new callback is answered by itself or a refusal, not by {other:?}"),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=KEY_BYTES).contains(&key.len()) => Ok(Some(key.to_owned())),
        Ok(_) | Err(_) => {
            Err(Problem::bad("Idempotency-Key", format!("a key is 1 to {KEY_BYTES} printable ASCII characters")))
        }
    }
}

pub(super) async fn cancel(State(site): Shared, Path(task): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::CancelCallback(id(&task)?)).await
}

pub(super) async fn now(State(site): Shared, Path(task): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::CallbackNow(id(&task)?)).await
}

/// The body of `postpone`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Postpone {
    not_before: DateTime<Utc>,
}

pub(super) async fn postpone(
    State(site): Shared,
    Path(task): Path<String>,
    Body(Postpone { not_before }): Body<Postpone>,
) -> Result<Response, Problem> {
    ask(&site, Command::PostponeCallback(id(&task)?, not_before)).await
}

pub(super) async fn keep(State(site): Shared, Path(task): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::KeepCallback(id(&task)?)).await
}

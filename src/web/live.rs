//! The live state: queues, agents, trunks, calls, recordings, and the three paths for machines.

use super::body::OptionalBody;
use super::query::Pairs;
use super::{Problem, Shared, Site, ask};
use crate::id::{CallRef, RecordingId};
use crate::run::NoAnswer;
use crate::run::standing::Told;
use crate::switch::Space;
use crate::switch::command::{Command, Reply};
use crate::switch::view::Status;
use crate::telemetry;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// The body of `pause`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pause {
    reason: Option<String>,
}

pub(super) async fn queues(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    query.page()?; // All of them fit on one page.
    ask(&site, Command::ListQueues).await
}

pub(super) async fn queue(State(site): Shared, Path(name): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::ShowQueue(name)).await
}

pub(super) async fn agents(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    query.page()?; // All of them fit on one page.
    ask(&site, Command::ListAgents).await
}

pub(super) async fn pause(
    State(site): Shared,
    Path(agent): Path<String>,
    OptionalBody(Pause { reason }): OptionalBody<Pause>,
) -> Result<Response, Problem> {
    ask(&site, Command::PauseAgent { agent, reason }).await
}

pub(super) async fn resume(State(site): Shared, Path(agent): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::ResumeAgent(agent)).await
}

pub(super) async fn log_out(State(site): Shared, Path(agent): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::LogOutAgent(agent)).await
}

pub(super) async fn trust(State(site): Shared, Path(agent): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::TrustAgent(agent)).await
}

pub(super) async fn trunks(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    query.page()?; // All of them fit on one page.
    ask(&site, Command::ListTrunks).await
}

pub(super) async fn test_trunk(State(site): Shared, Path(trunk): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::TestTrunk(trunk)).await
}

pub(super) async fn calls(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    ask(&site, Command::ListCalls(query.page()?)).await
}

fn call_id(text: &str) -> Result<CallRef, Problem> {
    text.parse().map_err(|_| Problem::not_found("call", text))
}

pub(super) async fn call(State(site): Shared, Path(call): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::ShowCall(call_id(&call)?)).await
}

pub(super) async fn hang_up(State(site): Shared, Path(call): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::HangUpCall(call_id(&call)?)).await
}

pub(super) async fn recordings(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    ask(&site, Command::ListRecordings(query.page()?)).await
}

pub(super) fn recording_id(text: &str) -> Result<RecordingId, Problem> {
    text.parse().map_err(|_| Problem::not_found("recording", text))
}

pub(super) async fn recording(State(site): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::ShowRecording(recording_id(&id)?)).await
}

pub(super) async fn delete_recording(State(site): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::DeleteRecording(recording_id(&id)?)).await
}

pub(super) async fn hold_recording(State(site): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::HoldRecording { id: recording_id(&id)?, legal_hold: true }).await
}

pub(super) async fn release_recording(State(site): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::HoldRecording { id: recording_id(&id)?, legal_hold: false }).await
}

pub(super) async fn drain(State(site): Shared) -> Result<Response, Problem> {
    ask(&site, Command::Drain).await
}

pub(super) async fn resume_dialling(State(site): Shared) -> Result<Response, Problem> {
    ask(&site, Command::ResumeDialling).await
}

pub(super) async fn freeze(State(site): Shared) -> Result<Response, Problem> {
    ask(&site, Command::Freeze).await
}

pub(super) async fn unfreeze(State(site): Shared) -> Result<Response, Problem> {
    ask(&site, Command::Unfreeze).await
}

pub(super) async fn activate_rule(State(site): Shared, Path(rule): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::ActivateRule(rule)).await
}

/// Whether the process is alive: the switch's thread answers.
pub(super) async fn healthy(State(site): Shared) -> Result<Response, Problem> {
    site.commands.ask(Command::Status).await?;
    Ok(Json(serde_json::json!({ "status": "ok" })).into_response())
}

/// Everything about how the switch is.
#[derive(Serialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    status: Status,
    ready: bool,
    #[serde(flatten)]
    told: Told,
}

impl Whole {
    async fn of(site: &Site) -> Result<Whole, Problem> {
        let Reply::Status(mut status) = site.commands.ask(Command::Status).await? else { return Err(NoAnswer.into()) };
        status.store_ok = site.standing.is_storing();
        let mut whole = Whole { status, ready: true, told: site.standing.told() };
        whole.ready = whole.why_not_ready().is_none();
        Ok(whole)
    }

    /// Damage that was found and set aside keeps nobody from being served.
    fn why_not_ready(&self) -> Option<&'static str> {
        match &self.status {
            status if status.draining => Some("the switch is draining: it takes no new calls"),
            status if !status.store_ok => Some("the store cannot be written: no promise is made"),
            status if status.space == Space::Spent => Some("the disk is nearly full: no promise is made"),
            _ => None, // Nothing else keeps it from serving.
        }
    }
}

pub(super) async fn status(State(site): Shared) -> Result<Response, Problem> {
    Ok(Json(Whole::of(&site).await?).into_response())
}

/// Whether calls and promises are taken.
pub(super) async fn ready(State(site): Shared) -> Result<Response, Problem> {
    let standing = Whole::of(&site).await?;
    let Some(detail) = standing.why_not_ready() else { return Ok(Json(standing).into_response()) };
    let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    // Whoever only looks at the code learns the same as from the body, which has all of it.
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(&standing) {
        problem = fields.into_iter().fold(problem, |problem, (name, value)| problem.with(&name, value));
    }
    Ok(problem.into_response())
}

pub(super) async fn metrics(State(site): Shared) -> Result<Response, Problem> {
    let Reply::Gauges(gauges) = site.commands.ask(Command::Gauges).await? else { return Err(NoAnswer.into()) };
    let text = telemetry::metrics(&gauges, &site.standing.told());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

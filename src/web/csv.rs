//! Callbacks as CSV (RFC 4180): exported, or exported and removed (S4.B2).
//!
//! A spreadsheet takes a cell that begins with `= + - @` for a formula; such a cell, a number in E.164 among them, is
//! written behind an apostrophe (security.md T41).

use super::callbacks::filter;
use super::query::Pairs;
use super::{Problem, Shared};
use crate::callback::task::{CloseReason, Outcome, TaskState};
use crate::id::TaskId;
use crate::run::{Commands, NoAnswer};
use crate::switch::command::{Command, PageOf, Refused, Reply};
use crate::switch::view;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use std::time::{Duration, Instant};

/// Callbacks asked for at once.
const PAGE: usize = 500;
/// After so long no further callback is cancelled: the last one may wait for its disk half of `limits::HTTP_REQUEST`,
/// and the sheet of those before it must still be heard.
pub(super) const REMOVING: Duration = Duration::from_secs(25);

const HEAD: [&str; 15] = [
    "id",
    "number",
    "queue",
    "agent",
    "source",
    "rule",
    "profile",
    "state",
    "requested_at",
    "next_at",
    "tried",
    "last_outcome",
    "held_by",
    "closed_at",
    "close_reason",
];

/// `GET /callbacks.csv`
pub(super) async fn export(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    let (states, queue) = filter(query)?;
    let all = all(&site.commands, &states, queue.as_deref()).await?;
    Ok(sheet(&all))
}

/// `POST /callbacks.csv`: what the answer holds has been cancelled, and nothing else has. Cancelled ones stay on the
/// list of closed callbacks, so a sheet that is lost on its way is not the only trace.
pub(super) async fn export_and_remove(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    let (states, queue) = filter(query)?;
    if states.is_empty() || states.iter().any(|state| state.is_final()) {
        return Err(Problem::bad("state", "say which open callbacks are removed: state=overflow, for example"));
    }
    Ok(sheet(&remove(&site.commands, &states, queue.as_deref(), REMOVING).await?))
}

/// Cancels callbacks of these states, all or those for which there is time; those that were.
pub(super) async fn remove(
    commands: &Commands,
    states: &[TaskState],
    queue: Option<&str>,
    within: Duration,
) -> Result<Vec<view::Callback>, Problem> {
    let by = Instant::now() + within;
    let mut removed = Vec::new();
    for task in all(commands, states, queue).await?.into_iter().map(|callback| callback.task.id) {
        match cancel(commands, task).await {
            Ok(Some(callback)) => removed.push(callback),
            Ok(None) => {}
            // Those before it are gone, and the sheet is what tells which.
            Err(problem) if removed.is_empty() => return Err(problem),
            Err(_) => break,
        }
        if Instant::now() >= by {
            break; // The others stay for whoever asks again; an answer that comes too late tells of none.
        }
    }
    Ok(removed)
}

/// `None`: somebody else has done something with it meanwhile, and it stays what it is.
async fn cancel(commands: &Commands, task: TaskId) -> Result<Option<view::Callback>, Problem> {
    match commands.ask(Command::CancelCallback(task)).await? {
        Reply::Callback(callback) => Ok(Some(*callback)),
        Reply::Refused(Refused::NotFound { .. } | Refused::Conflict { .. }) => Ok(None),
        Reply::Refused(refused) => Err(refused.into()),
        other => unreachable!("a cancelled callback is answered by itself or a refusal, not by {other:?}"),
    }
}

/// All callbacks of these states, in order.
pub(super) async fn all(
    commands: &Commands,
    states: &[TaskState],
    queue: Option<&str>,
) -> Result<Vec<view::Callback>, Problem> {
    let mut all: Vec<view::Callback> = Vec::new();
    let mut after = None;
    loop {
        let page = PageOf { after, limit: Some(PAGE) };
        let list = Command::ListCallbacks { states: states.to_vec(), queue: queue.map(str::to_owned), page };
        let Reply::Callbacks(page) = commands.ask(list).await? else { return Err(NoAnswer.into()) };
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// The sheet as an answer that a browser keeps as a file.
pub(super) fn sheet(callbacks: &[view::Callback]) -> Response {
    let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present");
    let file = (header::CONTENT_DISPOSITION, "attachment; filename=\"callbacks.csv\"");
    (StatusCode::OK, [kind, file], written(callbacks)).into_response()
}

fn written(callbacks: &[view::Callback]) -> String {
    let mut out = String::new();
    line(&mut out, HEAD.iter().map(|name| (*name).to_owned()));
    for callback in callbacks {
        let task = &callback.task;
        let name = |name: &Option<crate::id::Name>| name.as_deref().unwrap_or_default().to_owned();
        let outcome = callback.attempts.last().and_then(|attempt| attempt.outcome).map(Outcome::word);
        let cells = [
            task.id.to_string(),
            task.number.to_string(),
            task.queue.to_string(),
            name(&task.agent),
            word(&task.source),
            name(&task.rule),
            task.profile.to_string(),
            task.state.word().to_owned(),
            instant(Some(task.created_at)),
            instant(callback.next_at),
            task.attempts_used.to_string(),
            outcome.unwrap_or_default().to_owned(),
            callback.held_by.clone().unwrap_or_default(),
            instant(task.closed_at),
            task.close_reason.as_ref().map(word::<CloseReason>).unwrap_or_default(),
        ];
        line(&mut out, cells.into_iter());
    }
    out
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&quoted(&cell));
    }
    out.push_str("\r\n");
}

/// A cell that is text and nothing else, to a reader of CSV and to a spreadsheet.
fn quoted(cell: &str) -> String {
    let means_something = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if means_something { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// A word of ours as the API writes it.
fn word<T: serde::Serialize>(word: &T) -> String {
    serde_json::to_value(word).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn instant(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::task::{Source, Task};
    use crate::number::Party;

    #[test]
    fn a_cell_is_text_to_every_reader() {
        for (cell, wanted) in [
            ("plain", "plain"),
            ("+12025550123", "'+12025550123"),
            ("=1+1", "'=1+1"),
            ("-2", "'-2"),
            ("@x", "'@x"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=\"a\"", "\"'=\"\"a\"\"\""),
        ] {
            assert_eq!(quoted(cell), wanted);
        }
    }

    #[test]
    fn a_sheet_for_which_there_is_no_more_time_tells_those_that_were_cancelled() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let left_over = |n| {
            let (id, number) = (TaskId(ulid::Ulid::from_parts(n, 0)), Party::from("+12025550123".to_owned()));
            let (profile, queue) = ("standard".into(), "support".into());
            let mut task = Task::new(id, Source::Api, profile, queue, number, DateTime::UNIX_EPOCH);
            task.state = TaskState::Overflow;
            let (attempts, zones) = (Vec::new(), Vec::new());
            view::Callback { task, attempts, held_by: None, next_at: None, position: None, zones }
        };
        let removed = |within| {
            let (commands, mut questions) = Commands::pair();
            runtime.spawn(async move {
                while let Some(question) = questions.recv().await {
                    let reply = match question.command {
                        Command::CancelCallback(task) => Reply::Callback(Box::new(left_over(task.0.timestamp_ms()))),
                        _ => Reply::Callbacks(view::Page { items: (1..=3).map(left_over).collect(), next: None }),
                    };
                    question.answer.send(reply).unwrap();
                }
            });
            let removed = runtime.block_on(remove(&commands, &[TaskState::Overflow], None, within)).unwrap();
            removed.iter().map(|callback| callback.task.id.0.timestamp_ms()).collect::<Vec<_>>()
        };

        assert_eq!(removed(REMOVING), [1, 2, 3]);
        assert_eq!(removed(Duration::ZERO), [1]);
    }
}

//! What only people go on with: callbacks that were left over at the end of a day (S4.B3), and those that a restart
//! has cut after the customer had answered (durability.md §2.8). Each is kept or removed; those left over are exported,
//! or exported and removed (S4.B2).

use super::page::{page, see_other, table, text};
use super::roles::Caller;
use super::{Problem, Shared, ask, csv};
use crate::callback::task::{Outcome, TaskState};
use crate::settings::Role;
use crate::switch::command::Command;
use crate::switch::view;
use axum::extract::{Extension, Path, State};
use axum::response::Response;

const LEFT_OVER: [TaskState; 1] = [TaskState::Overflow];

pub(super) async fn show(State(site): Shared, Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    let left_over = csv::all(&site.commands, &LEFT_OVER, None).await?;
    let mut all = csv::all(&site.commands, &[TaskState::Blocked], None).await?;
    all.retain(|callback| callback.task.is_for_people());
    let may = caller.role >= Role::Supervisor;
    let mut body = String::from(
        "<p class=\"doc\">Callbacks that were not reached before their day ended, and those whose customer had \
         answered when the switch was restarted. Nobody calls them until you decide.</p>",
    );
    if !left_over.is_empty() {
        body.push_str("<div class=\"actions\"><a class=\"button\" href=\"/overflow.csv\">Export</a>");
        if may {
            body.push_str(
                "<form class=\"inline\" method=\"post\" action=\"/overflow.csv\"><button class=\"danger\">Export and \
                 remove</button></form>",
            );
        }
        body.push_str("</div>");
    }
    all.extend(left_over);
    let rows: Vec<Vec<String>> = all.iter().map(|callback| row(callback, may)).collect();
    body.push_str(&table(&["number", "queue", "asked", "tried", "last", "why", ""], &rows, "Nothing is left over."));
    Ok(page(Some(&caller), "Left over", &body))
}

fn row(callback: &view::Callback, may: bool) -> Vec<String> {
    let task = &callback.task;
    let outcome = callback.attempts.last().and_then(|attempt| attempt.outcome).map(Outcome::word);
    let act = |what: &str, class: &str, word: &str| {
        let id = task.id;
        format!(
            "<form class=\"inline\" method=\"post\" action=\"/overflow/{id}/{what}\"><button{class}>{word}</button>\
             </form>"
        )
    };
    let acts = act("keep", "", "Keep") + &act("remove", " class=\"danger\"", "Remove");
    vec![
        text(&task.number.to_string()),
        text(&task.queue),
        task.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
        task.attempts_used.to_string(),
        outcome.unwrap_or_default().replace('_', " "),
        text(callback.held_by.as_deref().unwrap_or_default()),
        if may { acts } else { String::new() },
    ]
}

pub(super) async fn export(State(site): Shared) -> Result<Response, Problem> {
    Ok(csv::sheet(&csv::all(&site.commands, &LEFT_OVER, None).await?))
}

pub(super) async fn export_and_remove(State(site): Shared) -> Result<Response, Problem> {
    Ok(csv::sheet(&csv::remove(&site.commands, &LEFT_OVER, None, csv::REMOVING).await?))
}

pub(super) async fn keep(State(site): Shared, Path(task): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::KeepCallback(super::callbacks::id(&task)?)).await?;
    Ok(see_other("/overflow"))
}

pub(super) async fn remove(State(site): Shared, Path(task): Path<String>) -> Result<Response, Problem> {
    ask(&site, Command::CancelCallback(super::callbacks::id(&task)?)).await?;
    Ok(see_other("/overflow"))
}

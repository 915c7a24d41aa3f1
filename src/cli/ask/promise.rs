//! Callbacks promised, moved, exported; numbers that are never called.

use super::super::args::{AddCallback, CallbackCommand, DoNotCallCommand, ExportCallbacks, PostponeCallback};
use super::super::client::{escape, query_text};
use super::super::{Exit, Trouble, lists, print, print_json, stories, table};
use super::Asked;
use hyper::Method;
use serde_json::{Value, json};
use std::io;

impl Asked {
    pub(super) async fn callback(&self, command: CallbackCommand) -> Result<Exit, Trouble> {
        match command {
            CallbackCommand::List { state, queue, limit } => {
                let mut query: Vec<(&str, String)> = state.into_iter().map(|state| ("state", state)).collect();
                query.extend(queue.map(|queue| ("queue", queue)));
                self.show(&self.client.list("/callbacks", &query, limit).await?, lists::callbacks)
            }
            CallbackCommand::Show { id } => {
                self.show(&self.client.get(&format!("/callbacks/{}", escape(&id))).await?, stories::callback)
            }
            CallbackCommand::Add(add) => {
                let key = add.idempotency_key.clone();
                let made = self.client.post("/callbacks", Some(new_callback(add)?), key.as_deref()).await?;
                self.show(&made, stories::callback)
            }
            CallbackCommand::Cancel { id } => self.each(&id, "callbacks", "cancel", "cancelled").await,
            CallbackCommand::Keep { id } => self.each(&id, "callbacks", "keep", "is kept").await,
            CallbackCommand::Postpone(PostponeCallback { id, until, by }) => {
                let later = |secs| chrono::Utc::now().checked_add_signed(chrono::TimeDelta::seconds(secs));
                let by = by.and_then(|secs| later(i64::try_from(secs).unwrap_or(i64::MAX / 1_000)));
                let until = until.or(by.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
                let path = format!("/callbacks/{}/postpone", escape(&id));
                let body = json!({ "not_before": until });
                self.show(&self.client.post(&path, Some(body), None).await?, stories::callback)
            }
            CallbackCommand::Export(export) => self.export(export).await,
            CallbackCommand::Now { id } => self.each(&id, "callbacks", "now", "is tried now").await,
        }
    }

    pub(super) async fn do_not_call(&self, command: DoNotCallCommand) -> Result<Exit, Trouble> {
        match command {
            DoNotCallCommand::List { limit } => {
                self.show(&self.client.list("/do-not-call", &[], limit).await?, lists::do_not_call)
            }
            DoNotCallCommand::Add { number, note } => {
                let body = json!({ "number": number, "note": note });
                self.show(&self.client.post("/do-not-call", Some(body), None).await?, stories::never)
            }
            DoNotCallCommand::Lift { number, note } => {
                let path = format!("/do-not-call/{}", escape(&number));
                self.client.ask(Method::DELETE, &path, Some(json!({ "note": note })), None).await?;
                if self.json {
                    print_json(&json!({ "number": number, "lifted": true }))?;
                } else {
                    print(&format!("{} may be called again\n", table::harmless(&number)))?;
                }
                Ok(Exit::Done)
            }
        }
    }

    async fn export(&self, export: ExportCallbacks) -> Result<Exit, Trouble> {
        let ExportCallbacks { state, queue, remove, out } = export;
        let mut query: Vec<(&str, String)> = state.into_iter().map(|state| ("state", state)).collect();
        query.extend(queue.map(|queue| ("queue", queue)));
        let path = format!("/callbacks.csv{}", query_text(&query));
        let method = if remove { Method::POST } else { Method::GET };
        let Some(out) = out else {
            self.client.download(method, &path, &mut io::stdout().lock()).await?;
            return Ok(Exit::Done);
        };
        let bytes = self.save(method, &path, &out).await?;
        if self.json {
            print_json(&json!({ "file": out, "bytes": bytes }))?;
        } else {
            print(&format!("{} ({bytes} bytes)\n", out.display()))?;
        }
        Ok(Exit::Done)
    }
}

fn new_callback(add: AddCallback) -> Result<Value, Trouble> {
    let mut body = serde_json::Map::new();
    body.insert("number".into(), add.number.into());
    let fields = [("queue", add.queue), ("not_before", add.not_before), ("profile", add.profile), ("agent", add.agent)];
    for (name, value) in fields {
        if let Some(value) = value {
            body.insert(name.into(), value.into());
        }
    }
    if let Some(attach) = add.attach {
        let data: Value = serde_json::from_str(&attach)
            .map_err(|error| Trouble::new(Exit::Usage, format!("--attach is no JSON: {error}")))?;
        body.insert("data".into(), data);
    }
    Ok(Value::Object(body))
}

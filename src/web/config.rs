//! `/config/{kind}`, `/site` and `/audit`: the site changed by API, one whole edition at a time (`run::editor`).

use super::body::Body;
use super::query::Pairs;
use super::roles::Caller;
use super::{Problem, Shared, Site, ask};
use crate::config::Severity;
use crate::config::schema::Table;
use crate::run::editor::{Edited, Editor, Fields, NotEdited, Object, Seen, editable};
use crate::switch::command::{Command, Done};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

impl Site {
    /// What edits the site, when somebody may.
    pub(super) fn editor(&self) -> Result<&Editor, Problem> {
        let detail = "this switch was started without a site that can be edited";
        self.editor.as_ref().ok_or_else(|| Problem::new(StatusCode::CONFLICT, detail))
    }
}

/// A table by the word of the path.
pub(super) fn table(kind: &str) -> Result<&'static Table, Problem> {
    editable(kind).ok_or_else(|| Problem::not_found("kind of object", kind))
}

/// An object as the API shows it: its fields, without secrets, and where it is changed.
fn shown(object: &Object) -> Value {
    let site = object.site.clone().redacted();
    let mut fields = site.fields;
    fields.entry("name").or_insert_with(|| site.name.into());
    fields.insert("of_file".to_owned(), site.of_file.into());
    Value::Object(fields)
}

fn tagged(status: StatusCode, object: &Object) -> Response {
    (status, [(header::ETAG, format!("\"{}\"", object.tag))], Json(shown(object))).into_response()
}

pub(super) async fn list(State(site): Shared, Path(kind): Path<String>, query: Pairs) -> Result<Response, Problem> {
    query.page()?; // All of them fit on one page.
    let objects = site.editor()?.objects(table(&kind)?.name);
    let items: Vec<Value> = objects.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next": null })).into_response())
}

pub(super) async fn show(State(site): Shared, Path((kind, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let object = site.editor()?.object(table(&kind)?.name, &name).ok_or_else(|| Problem::not_found(&kind, &name))?;
    Ok(tagged(StatusCode::OK, &object))
}

pub(super) async fn add(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(kind): Path<String>,
    Body(fields): Body<Fields>,
) -> Result<Response, Problem> {
    let (editor, table) = (site.editor()?, table(&kind)?);
    let name = name_of(table, &fields)?;
    let done = caller.done("put", Some(format!("{kind}/{name}")));
    editor.put(table, &name, said(fields), Seen::Nothing, done).await.map_err(|why| problem(table, &name, why))?;
    let object = editor.object(&kind, &name).ok_or_else(|| Problem::not_found(&kind, &name))?;
    let mut response = tagged(StatusCode::CREATED, &object);
    if let Ok(place) = format!("/api/v1/config/{kind}/{}", super::page::escaped_path(&name)).parse() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

pub(super) async fn put(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path((kind, name)): Path<(String, String)>,
    headers: HeaderMap,
    Body(fields): Body<Fields>,
) -> Result<Response, Problem> {
    let (editor, table) = (site.editor()?, table(&kind)?);
    if let Some(key) = table.key
        && let Some(other) = fields.get(key).filter(|other| other.as_str() != Some(&name))
    {
        let detail = format!("the path says {name:?} and the body {other}: a {key} stays what it is");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).field(key));
    }
    let tag = if_match(&headers);
    let done = caller.done("put", Some(format!("{kind}/{name}")));
    let seen = tag.as_deref().map_or(Seen::Anything, Seen::Tag);
    editor.put(table, &name, said(fields), seen, done).await.map_err(|why| problem(table, &name, why))?;
    let object = editor.object(&kind, &name).ok_or_else(|| Problem::not_found(&kind, &name))?;
    Ok(tagged(StatusCode::OK, &object))
}

pub(super) async fn delete(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path((kind, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (editor, table) = (site.editor()?, table(&kind)?);
    let tag = if_match(&headers);
    let done = caller.done("delete", Some(format!("{kind}/{name}")));
    let seen = tag.as_deref().map_or(Seen::Anything, Seen::Tag);
    editor.delete(table.name, &name, seen, done).await.map_err(|why| problem(table, &name, why))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `If-Match` (RFC 9110 §13.1.1); `*` means any.
fn if_match(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::IF_MATCH)?.to_str().unwrap_or_default().trim();
    (value != "*").then(|| value.trim_matches('"').to_owned())
}

/// What the answer adds is no field of the object.
fn said(mut fields: Fields) -> Fields {
    fields.remove("of_file");
    fields
}

/// What a new object is called: its own word, or for tables without names the next one in order.
pub(super) fn name_of(table: &Table, fields: &Fields) -> Result<String, Problem> {
    let Some(key) = table.key else { return Ok(fresh_name()) };
    match fields.get(key).and_then(Value::as_str) {
        Some(name) if !name.trim().is_empty() => Ok(name.to_owned()),
        Some(_) | None => {
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{key} is empty: say what it is called"))
                .field(key))
        }
    }
}

fn fresh_name() -> String {
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 16];
    // Without randomness two objects made in one millisecond would be refused as one: no harm.
    let _ = getrandom::fill(&mut random);
    ulid::Ulid::from_parts(u64::try_from(at.as_millis()).unwrap_or(0), u128::from_le_bytes(random)).to_string()
}

/// Why an edit was not taken, as a problem document.
pub(super) fn problem(table: &Table, name: &str, why: NotEdited) -> Problem {
    let conflict = |detail: String| Problem::new(StatusCode::CONFLICT, detail);
    match why {
        NotEdited::NotFound => Problem::not_found(table.name, name),
        NotEdited::OfFile => conflict(format!("{}/{name} stands in the file: change it in the file", table.name)),
        NotEdited::Changed => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "somebody has changed it meanwhile: look at it again and say its new ETag",
        ),
        NotEdited::Taken => {
            let problem = conflict(format!("{}/{name} is there already: a name is unique", table.name));
            problem.field(table.key.unwrap_or("name"))
        }
        NotEdited::InUse(who) => conflict(format!("{}/{name} is in use: {who}", table.name)),
        NotEdited::Wrong(problems) => {
            let first = problems.iter().find(|problem| problem.severity == Severity::Error);
            let Some(first) = first else { return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the site is wrong") };
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, first.show("file"));
            match first.place.as_ref().and_then(|place| place.field.clone()) {
                Some(field) => problem.field(field),
                None => problem,
            }
        }
        NotEdited::Unreadable(why) => conflict(why),
        NotEdited::Unplayable(why) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why).field("file"),
        NotEdited::Refused(refused) => refused.into(),
        NotEdited::NoAnswer => crate::run::NoAnswer.into(),
    }
}

pub(super) async fn export(State(site): Shared) -> Result<Response, Problem> {
    let text = site.editor()?.export();
    Ok(([(header::CONTENT_TYPE, "application/toml; charset=utf-8")], text).into_response())
}

/// Another text of the file: taken as a whole, or told what is wrong with it.
pub(super) async fn apply(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    mut query: Pairs,
    text: Bytes,
) -> Result<Response, Problem> {
    let dry_run = match query.take_one("dry_run")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::bad("dry_run", "dry_run is true or false")),
    };
    query.none_left()?;
    let text = String::from_utf8(text.to_vec())
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body is not UTF-8, which TOML is written in"))?;
    let done = (!dry_run).then(|| caller.done("apply", None));
    match site.editor()?.apply(text, done).await {
        Ok(edited) => Ok(Json(told(&edited, dry_run)).into_response()),
        Err(NotEdited::Wrong(problems)) => {
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the file is wrong: nothing has changed");
            Ok(problem.with("problems", json!(problems)).into_response())
        }
        Err(why) => Err(problem(&crate::config::tables::TABLES[0], "", why)),
    }
}

fn told(edited: &Edited, dry_run: bool) -> Value {
    let mut told = json!(edited);
    told["dry_run"] = dry_run.into();
    told
}

pub(super) async fn audit(State(site): Shared, query: Pairs) -> Result<Response, Problem> {
    ask(&site, Command::ListAudit(query.page()?)).await
}

impl Caller {
    /// What this caller has done.
    pub(super) fn done(&self, what: &str, object: Option<String>) -> Done {
        Done {
            who: self.name.clone(),
            from: self.from.map(|from| from.to_string()),
            what: what.to_owned(),
            object,
            detail: None,
        }
    }
}

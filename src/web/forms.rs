//! Lists and forms of the site's objects, made from the tables that the file is read by: so a form knows every field,
//! its limits, its default and its sentence, and what it sends goes the way of the API. A form with a mistake comes
//! back with the message beside its field, and everything that was typed.

use super::config::{name_of, problem};
use super::page::{escaped_path, page, see_other, table, text, title};
use super::roles::Caller;
use super::{Problem, Shared, Site};
use crate::config::schema::{Absent, Field, Kind, Table};
use crate::config::{is_secret, takes};
use crate::run::editor::{Fields, Object, Seen};
use crate::settings::Role;
use axum::Form;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a form carries beside its fields: the tag of the object as it was when the form was made.
const TAG: &str = "_tag";

type Typed = BTreeMap<String, String>;

fn link(kind: &str, name: &str) -> String {
    format!("/config/{kind}/{}", escaped_path(name))
}

/// `/config/queue` lists, `/config/queue?new` makes another one.
pub(super) async fn list_or_new(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let kind = super::config::table(&kind)?;
    match query.as_deref() {
        Some("new") => Ok(form(&caller, kind, None, &Typed::new(), None)),
        Some(_) | None => list(&site, &caller, kind),
    }
}

fn list(site: &Site, caller: &Caller, kind: &'static Table) -> Result<Response, Problem> {
    let objects = site.editor()?.objects(kind.name);
    let shown: Vec<&Field> = kind.fields.iter().filter(|field| is_telling(kind, field)).take(3).collect();
    let rows: Vec<Vec<String>> = objects
        .iter()
        .map(|object| {
            let name = &object.site.name;
            let mut row = vec![format!("<a href=\"{}\">{}</a>", link(kind.name, name), text(name))];
            row.extend(shown.iter().map(|field| text(&written(object.site.fields.get(field.name)))));
            row.push(if object.site.of_file { "the file" } else { "here" }.to_owned());
            row
        })
        .collect();
    let mut heads = vec![kind.key.unwrap_or("name")];
    heads.extend(shown.iter().map(|field| field.name));
    heads.push("changed in");
    let new = format!("<div class=\"actions\"><a class=\"button\" href=\"/config/{}?new\">New</a></div>", kind.name);
    let new = if caller.role == Role::Admin { new } else { String::new() };
    let body = format!("<p class=\"doc\">{}</p>{new}{}", text(kind.doc), table(&heads, &rows, "There is none yet."));
    Ok(page(Some(caller), title(kind.name), &body))
}

/// The fields that a list shows: those that must be said, then the first others.
fn is_telling(kind: &Table, field: &Field) -> bool {
    Some(field.name) != kind.key && !is_secret(field.name) && field.name != "preset"
}

pub(super) async fn edit(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let kind = super::config::table(&kind)?;
    let object = site.editor()?.object(kind.name, &name).ok_or_else(|| Problem::not_found(kind.name, &name))?;
    let typed = object.site.given.iter().filter(|(field, _)| !is_secret(field));
    let typed = typed.map(|(field, value)| (field.clone(), written(Some(value)))).collect();
    Ok(form(&caller, kind, Some(&object), &typed, None))
}

pub(super) async fn create(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(kind): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let (editor, kind) = (site.editor()?, super::config::table(&kind)?);
    let fields = said(kind, &typed);
    let taken = match name_of(kind, &fields) {
        Ok(name) => {
            let done = caller.done("put", Some(format!("{}/{name}", kind.name)));
            let put = editor.put(kind, &name, fields, Seen::Nothing, done).await;
            put.map(|_| name.clone()).map_err(|why| problem(kind, &name, why))
        }
        Err(wrong) => Err(wrong),
    };
    Ok(match taken {
        Ok(name) => see_other(&link(kind.name, &name)),
        Err(wrong) => unprocessable(form(&caller, kind, None, &typed, Some(&wrong))),
    })
}

pub(super) async fn save(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path((kind, name)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let (editor, kind) = (site.editor()?, super::config::table(&kind)?);
    let mut fields = said(kind, &typed);
    if let Some(key) = kind.key {
        fields.insert(key.to_owned(), name.clone().into());
    }
    let seen = typed.get(TAG).map_or(Seen::Anything, |tag| Seen::Tag(tag));
    let done = caller.done("put", Some(format!("{}/{name}", kind.name)));
    Ok(match editor.put(kind, &name, fields, seen, done).await {
        Ok(_) => see_other(&format!("/config/{}", kind.name)),
        Err(why) => {
            let wrong = problem(kind, &name, why);
            unprocessable(form(&caller, kind, editor.object(kind.name, &name).as_ref(), &typed, Some(&wrong)))
        }
    })
}

pub(super) async fn delete(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (editor, kind) = (site.editor()?, super::config::table(&kind)?);
    let done = caller.done("delete", Some(format!("{}/{name}", kind.name)));
    Ok(match editor.delete(kind.name, &name, Seen::Anything, done).await {
        Ok(_) => see_other(&format!("/config/{}", kind.name)),
        Err(why) => {
            let wrong = problem(kind, &name, why);
            let object = editor.object(kind.name, &name);
            let given = object.as_ref().map(|object| object.site.given.clone()).unwrap_or_default();
            let typed = given.iter().filter(|(field, _)| !is_secret(field));
            let typed = typed.map(|(field, value)| (field.clone(), written(Some(value)))).collect();
            unprocessable(form(&caller, kind, object.as_ref(), &typed, Some(&wrong)))
        }
    })
}

fn unprocessable(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

/// What was typed, as the fields of an object. An empty box says nothing; `""` is the empty text.
fn said(kind: &Table, typed: &Typed) -> Fields {
    let value = |field: &Field| {
        let typed = typed.get(field.name)?.trim();
        (!typed.is_empty()).then(|| (field.name.to_owned(), read(&field.kind, typed)))
    };
    kind.fields.iter().filter_map(value).collect()
}

/// One value: by its kind where that is plain, else as TOML writes it. What cannot be read stays text, and the reader
/// of the site says what is wrong with it.
fn read(kind: &Kind, typed: &str) -> Value {
    match kind {
        Kind::Bool => typed.parse::<bool>().map_or_else(|_| typed.into(), Value::from),
        Kind::Integer(..) | Kind::Secs(..) => typed.parse::<i64>().map_or_else(|_| typed.into(), Value::from),
        Kind::List(each, ..) if !typed.starts_with('[') => {
            typed.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| read(each, item)).collect()
        }
        Kind::List(..) | Kind::Table(_) | Kind::Map(..) => toml(typed).unwrap_or_else(|| typed.into()),
        Kind::Notice(_) if typed.starts_with('{') => toml(typed).unwrap_or_else(|| typed.into()),
        _ if typed == "\"\"" => "".into(),
        _ => typed.into(), // Words of every other kind.
    }
}

fn toml(typed: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(&format!("value = {}", typed.replace(['\n', '\r'], " "))).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}

/// A value as people type it.
fn written(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Array(_) | Value::Object(_))) => inline(value),
        Some(other) => other.to_string(),
    }
}

/// A value in TOML's words, on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => "\"none\"".to_owned(),
        Value::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let pairs =
                fields.iter().map(|(name, value)| format!("{} = {}", Value::from(name.as_str()), inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(), // JSON writes texts, numbers and truths as TOML does.
    }
}

/// A form: every field of the table, with what was typed.
fn form(
    caller: &Caller,
    kind: &'static Table,
    object: Option<&Object>,
    typed: &Typed,
    wrong: Option<&Problem>,
) -> Response {
    let may_save = caller.role == Role::Admin && object.is_none_or(|object| !object.site.of_file);
    let name = object.map_or("New", |object| object.site.name.as_str());
    let action = object.map_or_else(|| format!("/config/{}", kind.name), |object| link(kind.name, &object.site.name));
    let (told, field) = wrong.map_or(("", None), Problem::told);
    let mut out = format!("<p><a href=\"/config/{}\">{}</a></p>", kind.name, title(kind.name));
    if object.is_some_and(|object| object.site.of_file) {
        out.push_str("<p class=\"doc\">It stands in the file: change it in the file.</p>");
    }
    if field.is_none_or(|field| !kind.fields.iter().any(|known| known.name == field)) && !told.is_empty() {
        let _ = write!(out, "<p class=\"error\" role=\"alert\">{}</p>", text(told));
    }
    let _ = write!(out, "<form method=\"post\" action=\"{action}\" class=\"card\">");
    if let Some(object) = object {
        let tag = typed.get(TAG).unwrap_or(&object.tag);
        let _ = write!(out, "<input type=\"hidden\" name=\"{TAG}\" value=\"{}\">", text(tag));
    }
    for known in kind.fields {
        let error = (field == Some(known.name)).then_some(told);
        let is_fixed = object.is_some() && kind.key == Some(known.name);
        out.push_str(&row(known, typed.get(known.name).map_or("", String::as_str), error, is_fixed));
    }
    out.push_str(if may_save { "<div class=\"actions\"><button>Save</button></div></form>" } else { "</form>" });
    if may_save && kind.name == "prompt" {
        out.push_str(&upload_form(object.map_or("", |object| &object.site.name), object.is_some()));
    }
    if may_save && let Some(object) = object {
        let _ = write!(
            out,
            "<form method=\"post\" action=\"{}/delete\"><button class=\"danger\">Delete {}</button></form>",
            link(kind.name, &object.site.name),
            text(&object.site.name)
        );
    }
    page(Some(caller), name, &out)
}

/// A file instead of what the form says: it takes the place of the sound before.
fn upload_form(name: &str, is_fixed: bool) -> String {
    let (name, fixed) = (text(name), if is_fixed { " readonly" } else { "" });
    let most = crate::limits::PROMPT_BYTES >> 20;
    format!(
        "<h2>Upload a sound</h2><form method=\"post\" action=\"/sounds\" enctype=\"multipart/form-data\" \
         class=\"card\"><div class=\"field\"><label for=\"sound-name\">name</label><input id=\"sound-name\" \
         name=\"name\" value=\"{name}\" required{fixed}></div><div class=\"field\"><label for=\"sound\">sound</label>\
         <input id=\"sound\" name=\"sound\" type=\"file\" accept=\"audio/*\" required><p class=\"doc\">WAV, FLAC, MP3 \
         or Ogg Vorbis; at most {most} MiB.</p></div><div class=\"actions\"><button>Upload</button></div></form>"
    )
}

/// The page of an upload that was not taken.
pub(super) fn uploading(caller: &Caller, name: &str, wrong: &Problem) -> Response {
    let told = text(wrong.told().0);
    let form = upload_form(name, false);
    let body =
        format!("<p><a href=\"/config/prompt\">Prompts</a></p><p class=\"error\" role=\"alert\">{told}</p>{form}");
    let mut response = page(Some(caller), "Upload", &body);
    *response.status_mut() = wrong.status();
    response
}

/// One field: its label, its box, its sentence with limits, and what is wrong with it.
fn row(field: &Field, typed: &str, error: Option<&str>, is_fixed: bool) -> String {
    let (name, value) = (field.name, text(typed));
    let default = match field.absent {
        Absent::Default(default) => text(default),
        Absent::Required | Absent::Unset => String::new(),
    };
    let fixed = if is_fixed { " readonly" } else { "" };
    let words: Option<Vec<&str>> = match field.kind {
        Kind::Bool => Some(vec!["true", "false"]),
        Kind::OneOf(words) => Some(words.to_vec()),
        _ => None, // Everything else is typed.
    };
    let input = match (words, &field.kind) {
        (Some(words), _) => {
            let mut out = format!("<select id=\"{name}\" name=\"{name}\"><option value=\"\">{default}</option>");
            for word in words {
                let chosen = if word == typed { " selected" } else { "" };
                let _ = write!(out, "<option{chosen}>{word}</option>");
            }
            out + "</select>"
        }
        (None, Kind::List(..) | Kind::Table(_) | Kind::Map(..)) => {
            format!("<textarea id=\"{name}\" name=\"{name}\" placeholder=\"{default}\">{value}</textarea>")
        }
        (None, _) if is_secret(name) => {
            format!(
                "<input id=\"{name}\" name=\"{name}\" type=\"password\" autocomplete=\"new-password\" \
                 placeholder=\"unchanged\">"
            )
        }
        (None, _) => {
            format!("<input id=\"{name}\" name=\"{name}\" value=\"{value}\" placeholder=\"{default}\"{fixed}>")
        }
    };
    let needed = if field.absent == Absent::Required { " (required)" } else { "" };
    let (class, error) = match error {
        Some(error) => (" wrong", format!("<p class=\"error\" role=\"alert\">{}</p>", text(error))),
        None => ("", String::new()),
    };
    format!(
        "<div class=\"field{class}\"><label for=\"{name}\">{name}{needed}</label>{input}{error}<p class=\"doc\">{} \
         Takes {}.</p></div>",
        text(field.doc),
        text(&takes(field))
    )
}

//! `/prompts`: the audio library. A sound is uploaded under a name, checked, kept as 8 kHz mono, and picked by that
//! name wherever the site takes a prompt; uploaded again, it is replaced (S5.32).

use super::body::Body;
use super::config::problem;
use super::roles::Caller;
use super::{Problem, Shared, Site};
use crate::audio::SAMPLE_RATE;
use crate::run::editor::{NotTaken, Seen, editable};
use crate::run::prompts::{NotImported, wav};
use crate::settings::Speech;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// What can be played: name, seconds, and whether it is the site's own.
pub(super) async fn list(State(site): Shared) -> Result<Response, Problem> {
    let own = site.editor.as_ref().map(|editor| editor.shell().prompts).unwrap_or_default();
    let library = site.prompts.library();
    let mut names: Vec<_> = library.keys().collect();
    names.sort();
    let items: Vec<Value> = names
        .into_iter()
        .map(|name| {
            json!({
                "name": &**name,
                "seconds": seconds(library[name].len()),
                "own": own.iter().any(|(of, _)| of == name),
            })
        })
        .collect();
    Ok(Json(json!({ "items": items, "next": null })).into_response())
}

/// The sound as it is played: WAV, 8 kHz, mono.
pub(super) async fn listen(State(site): Shared, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = site.prompts.library();
    let clip = library.get(&*name).ok_or_else(|| Problem::not_found("prompt", &name))?;
    Ok(([(header::CONTENT_TYPE, "audio/wav")], wav(clip.samples())).into_response())
}

/// A sound under a name, new or in place of the one before.
pub(super) async fn import(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    audio: Bytes,
) -> Result<Response, Problem> {
    let done = caller.done("import", Some(format!("prompt/{name}")));
    let imported = site.editor()?.import(&name, audio.into(), done).await;
    let is_new = imported.map_err(|why| not_taken(&name, why))?;
    Ok(told(&site, &name, is_new))
}

/// What is spoken.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spoken {
    text: String,
    lang: Option<String>,
    voice: Option<String>,
}

/// A text under a name, spoken now and whenever the site is read, new or in place of the one before.
pub(super) async fn render(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(Spoken { text, lang, voice }): Body<Spoken>,
) -> Result<Response, Problem> {
    site.editor()?;
    let lang = lang.unwrap_or_else(|| "en".to_owned());
    let prompts = site.prompts.clone();
    let speech = Speech { text: text.clone(), lang: lang.clone(), voice: voice.clone() };
    match tokio::task::spawn_blocking(move || prompts.speak(&speech)).await {
        Ok(Ok(())) => {}
        Ok(Err(mute)) => {
            let why = format!("this text cannot be spoken: {mute}");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why).field("text"));
        }
        Err(_) => {
            return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "speaking has ended by a fault of ours"));
        }
    }
    let said = [("text", Some(text)), ("voice", voice), ("lang", Some(lang))];
    store(&site, &caller, "render", &name, said.into_iter().chain([("file", None)])).await
}

/// The prompt of this name says these fields from now on; `None`: it does not say them any more.
async fn store(
    site: &Site,
    caller: &Caller,
    what: &str,
    name: &str,
    said: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> Result<Response, Problem> {
    let editor = site.editor()?;
    let before = editor.object("prompt", name);
    let is_new = before.is_none();
    let (mut fields, tag) = before.map(|object| (object.site.given, object.tag)).unwrap_or_default();
    fields.insert("name".to_owned(), name.into());
    for (field, value) in said {
        match value {
            Some(value) => drop(fields.insert(field.to_owned(), value.into())),
            None => drop(fields.remove(field)),
        }
    }
    let table = editable("prompt").expect("prompts are objects of the site");
    let seen = if is_new { Seen::Nothing } else { Seen::Tag(&tag) };
    let done = caller.done(what, Some(format!("prompt/{name}")));
    editor.put(table, name, fields, seen, done).await.map_err(|why| problem(table, name, why))?;
    Ok(told(site, name, is_new))
}

/// A sound of the site, as it is now.
fn told(site: &Site, name: &str, is_new: bool) -> Response {
    let seconds = site.prompts.library().get(name).map_or(0.0, |clip| seconds(clip.len()));
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(json!({ "name": name, "seconds": seconds }))).into_response()
}

pub(super) fn not_taken(name: &str, why: NotTaken) -> Problem {
    match why {
        NotTaken::Sound(why @ NotImported::Unusable(_)) => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why.to_string())
        }
        NotTaken::Sound(why @ NotImported::Io(_)) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
        NotTaken::Site(why) => problem(editable("prompt").expect("prompts are objects of the site"), name, why),
    }
}

/// To a hundredth.
fn seconds(samples: usize) -> f64 {
    (samples as f64 / f64::from(SAMPLE_RATE) * 100.0).round() / 100.0
}

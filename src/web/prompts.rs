//! `/prompts`: the audio library. A sound is uploaded under a name, checked, kept as 8 kHz mono, and picked by that
//! name wherever the site takes a prompt; uploaded again, it is replaced (S5.32).

use super::config::problem;
use super::roles::Caller;
use super::{Problem, Shared};
use crate::audio::SAMPLE_RATE;
use crate::run::editor::{NotTaken, editable};
use crate::run::prompts::{NotImported, wav};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
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
            let seconds = library[name].len() as f64 / f64::from(SAMPLE_RATE);
            json!({
                "name": &**name,
                "seconds": (seconds * 100.0).round() / 100.0,
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
    let seconds = site.prompts.library().get(&*name).map_or(0, |clip| clip.len() / SAMPLE_RATE as usize);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({ "name": name, "seconds": seconds }))).into_response())
}

fn not_taken(name: &str, why: NotTaken) -> Problem {
    match why {
        NotTaken::Sound(why @ NotImported::Unusable(_)) => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why.to_string())
        }
        NotTaken::Sound(why @ NotImported::Io(_)) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
        NotTaken::Site(why) => problem(editable("prompt").expect("prompts are objects of the site"), name, why),
    }
}

//! `POST /people/find` and `/people/erase`: what is stored of a person, by his number, and erasing it (security.md;
//! GDPR 15 and 17). The number comes in the body, for paths are noted in the audit log.

use super::body::Body;
use super::roles::Caller;
use super::{Problem, Shared, Site};
use crate::limits::ERASE_ANSWER;
use crate::number::trace::Trace;
use crate::run::recorder;
use crate::store::Snapshots;
use crate::store::erase;
use crate::store::person::{Dossier, Fate};
use crate::switch::Person;
use crate::switch::command::{Command, Forget, Reply};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

/// Whose data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    number: String,
}

/// Who is to be erased.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unwanted {
    number: String,
    /// Without it only what would be done is told.
    #[serde(default)]
    confirm: bool,
    /// The do-not-call list forgets the number as well.
    #[serde(default)]
    do_not_call: bool,
}

pub(super) async fn find(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(Wanted { number }): Body<Wanted>,
) -> Result<Response, Problem> {
    let (person, trace) = meant(&site, number).await?;
    let (snapshots, at_work) = reach(&site)?;
    let dossier = look(&site, snapshots, trace, true, at_work).await?;
    note(&site, &caller, "find person", format!("{} records", dossier.records.len())).await?;
    Ok(Json(told(&person, &dossier, Standing::Shown)).into_response())
}

pub(super) async fn erase(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(unwanted): Body<Unwanted>,
) -> Result<Response, Problem> {
    let (person, trace) = meant(&site, unwanted.number.clone()).await?;
    let (snapshots, at_work) = reach(&site)?;
    let spare = !unwanted.do_not_call;
    if !unwanted.confirm {
        let dossier = look(&site, snapshots, trace, spare, at_work).await?;
        note(&site, &caller, "find person", format!("{} records", dossier.records.len())).await?;
        return Ok(Json(told(&person, &dossier, Standing::Shown)).into_response());
    }
    // Whoever hangs up now does not stop it half way.
    let (work, of) = (site.clone(), person.clone());
    let done = tokio::spawn(async move {
        let done = erase_all(&work, snapshots, &of, trace, spare, at_work).await;
        let detail = match &done {
            Ok(it) => format!("{} records erased, {} stripped", it.count(Fate::Erased), it.count(Fate::Stripped)),
            Err(_) => "not all was erased".to_owned(),
        };
        note(&work, &caller, "erase person", detail).await?;
        done
    });
    match by(ERASE_ANSWER, done).await {
        Some(done) => Ok(Json(told(&person, &done?, Standing::Done)).into_response()),
        None => {
            let told = told(&person, &Dossier::default(), Standing::GoesOn);
            Ok((StatusCode::ACCEPTED, Json(told)).into_response())
        }
    }
}

/// What came of it until then; `None`: it goes on.
async fn by<T>(limit: Duration, work: JoinHandle<Result<T, Problem>>) -> Option<Result<T, Problem>> {
    let done = tokio::time::timeout(limit, work).await.ok()?;
    Some(done.unwrap_or_else(|_| Err(failed(&io::Error::other("it has ended by a fault of ours")))))
}

async fn meant(site: &Site, number: String) -> Result<(Person, Trace), Problem> {
    match site.commands.ask(Command::ShowPerson(number)).await? {
        Reply::Person(person) => {
            let trace = Trace::of(&person.number, person.country.as_deref());
            Ok((*person, trace))
        }
        Reply::Refused(refused) => Err(refused.into()),
        other => unreachable!("who is meant is answered by a person or a refusal, not by {other:?}"),
    }
}

type AtWork = OwnedMutexGuard<()>;

fn reach(site: &Site) -> Result<(Snapshots, AtWork), Problem> {
    let busy = "a backup is being made, or somebody is looked for; ask again when that is done";
    site.backups.store().ok_or_else(|| Problem::new(StatusCode::CONFLICT, busy))
}

/// Reads the whole store, which may take seconds, beside everything else.
async fn look(
    site: &Site,
    snapshots: Snapshots,
    trace: Trace,
    spare: bool,
    at_work: AtWork,
) -> Result<Dossier, Problem> {
    let store = site.data.join("store");
    let (dossier, _at_work) =
        beside(move || Dossier::of(&store, &snapshots, &trace, spare).map(|found| (found, at_work))).await?;
    Ok(dossier)
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("it panicked"))).map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> Problem {
    tracing::error!(%error, "a person's data were not all found or erased");
    let detail = format!("not all was found or erased: {error}; ask again, what is done already stays done");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

/// First the switch forgets, which would write down anew what it knows; then audio, records and every older copy go.
async fn erase_all(
    site: &Arc<Site>,
    snapshots: Snapshots,
    person: &Person,
    trace: Trace,
    spare: bool,
    at_work: AtWork,
) -> Result<Dossier, Problem> {
    let (data, store) = (site.data.clone(), site.data.join("store"));
    let (first, second) = ((snapshots.clone(), trace.clone()), store.clone());
    let known = beside(move || Dossier::of(&second, &first.0, &first.1, spare)).await?;
    let forget = Forget {
        number: person.number.clone(),
        tasks: known.tasks(),
        recordings: known.recordings(),
        do_not_call: !spare,
    };
    if let Reply::Refused(refused) = site.commands.ask(Command::ForgetPerson(Box::new(forget))).await? {
        return Err(refused.into());
    }
    let (forgotten, recordings) = (known.tasks(), known.recordings());
    let erased = beside(move || {
        let _at_work = at_work;
        // What the switch has written since belongs to it; but what it still holds may not be taken from under it.
        let dossier = Dossier::of(&store, &snapshots, &trace, spare)?;
        let is_new = dossier.tasks().iter().any(|task| !forgotten.contains(task))
            || dossier.recordings().iter().any(|recording| !recordings.contains(recording));
        if is_new {
            return Ok(None);
        }
        erase_files(&data, &dossier)?;
        erase::erase(&data, &snapshots, dossier.erasure(&trace))?;
        Ok(Some(dossier))
    })
    .await?;
    let busy = "he was called, or has asked for a callback, while his data were looked for; ask again";
    erased.ok_or_else(|| Problem::new(StatusCode::CONFLICT, busy))
}

fn erase_files(data: &Path, dossier: &Dossier) -> io::Result<()> {
    dossier.recordings().into_iter().try_for_each(|recording| recorder::erase(data, recording))
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing was done.
    Shown,
    /// It goes on; whoever asks again hears a conflict until it is over.
    GoesOn,
    /// All of it.
    Done,
}

fn told(person: &Person, dossier: &Dossier, standing: Standing) -> Value {
    let audio: Vec<String> = dossier.recordings().into_iter().map(recorder::relative_path).collect();
    json!({
        "number": person.number,
        "on_the_phone": person.on_the_phone,
        "done": standing == Standing::Done,
        "going_on": standing == Standing::GoesOn,
        "erased": dossier.count(Fate::Erased),
        "stripped": dossier.count(Fate::Stripped),
        "left": dossier.count(Fate::Left),
        "audio": audio,
        "records": if standing == Standing::Done { &[] } else { dossier.records.as_slice() },
    })
}

/// That it was done is noted, and not with whom.
async fn note(site: &Site, caller: &Caller, what: &str, detail: String) -> Result<(), Problem> {
    let done = crate::switch::command::Done { detail: Some(detail), ..caller.done(what, None) };
    match site.commands.ask(Command::Note(Box::new(done))).await? {
        Reply::Refused(refused) => Err(refused.into()),
        _ => Ok(()), // It is noted.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_that_takes_longer_than_its_answer_goes_on() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (go_on, waits) = tokio::sync::oneshot::channel::<()>();
            let (says, heard) = tokio::sync::oneshot::channel();
            let work = tokio::spawn(async move {
                drop(waits.await);
                says.send("over").expect("somebody listens");
                Ok(())
            });

            assert!(by(Duration::ZERO, work).await.is_none());
            go_on.send(()).unwrap();

            assert_eq!(heard.await, Ok("over"));
            let quick = by(Duration::from_secs(60), tokio::spawn(async { Ok(7) })).await;
            assert!(matches!(quick, Some(Ok(7))));
        });
    }
}

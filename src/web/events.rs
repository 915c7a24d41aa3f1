//! `GET /api/v1/events`: what happens, as server-sent events that each carry one CloudEvents document. The last ones
//! are kept, so that whoever was cut off goes on where he was (`Last-Event-ID`); who has missed some is told so first.
//!
//! A listener is read for as fast as he listens: he holds no event back, and a slow one misses some.

mod told;

use super::query::Pairs;
use super::{Problem, Shared};
use crate::limits::{EVENT_STREAMS, EVENTS_KEPT};
use crate::switch::event::Event;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, watch};

/// A line that says nothing, so that nobody on the way takes the connection for dead.
const BEAT: Duration = Duration::from_secs(15);
/// Events on their way to one listener.
const AHEAD: usize = 16;

/// What has happened lately.
#[derive(Clone, Debug)]
pub struct Events(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    /// Of this life of the process: numbers begin anew in each.
    life: String,
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the first one.
    first: u64,
    told: VecDeque<Arc<str>>,
}

impl Default for Events {
    fn default() -> Events {
        let mut life = [0; 6];
        // Without randomness a listener of an earlier life might be given a few events twice: no harm.
        let _ = getrandom::fill(&mut life);
        Events(Arc::new(Shelf {
            life: life.iter().map(|byte| format!("{byte:02x}")).collect(),
            kept: Mutex::default(),
            newest: watch::Sender::new(0),
            room: Arc::new(Semaphore::new(EVENT_STREAMS)),
        }))
    }
}

impl Events {
    /// Keeps what is heard, until nobody speaks any more.
    pub fn of(runtime: &tokio::runtime::Runtime, events: broadcast::Receiver<Event>) -> Events {
        let kept = Events::default();
        runtime.spawn(kept.clone().hear(events));
        kept
    }

    async fn hear(self, mut events: broadcast::Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(event) => {
                    if let Some((kind, data)) = told::told(&event) {
                        self.keep(kind, &data);
                    }
                }
                Err(broadcast::error::RecvError::Lagged(count)) => self.keep(MISSED, &json!({ "count": count })),
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, kind: &str, data: &serde_json::Value) {
        let mut kept = self.kept();
        let number = kept.first + kept.told.len() as u64;
        let id = format!("{}-{number}", self.0.life);
        kept.told.push_back(message(Some(&id), kind, data).into());
        if kept.told.len() > EVENTS_KEPT {
            kept.told.pop_front();
            kept.first += 1;
        }
        drop(kept);
        self.0.newest.send_replace(number + 1);
    }

    /// Where somebody begins who has heard this one last; how many he has missed by it, when that can be told.
    fn begin(&self, last: Option<&str>) -> Beginning {
        let kept = self.kept();
        let next = kept.first + kept.told.len() as u64;
        let Some(last) = last else { return Beginning::At(next) };
        let number = last.strip_prefix(&self.0.life).and_then(|rest| rest.strip_prefix('-')?.parse::<u64>().ok());
        match number {
            Some(number) if number < next => Beginning::At(number + 1),
            Some(_) | None => Beginning::OfAnotherLife(kept.first),
        }
    }

    /// The next ones from this number on, the number after them, and how many are kept no more.
    fn since(&self, number: u64) -> (Vec<Arc<str>>, u64, u64) {
        let kept = self.kept();
        let missed = kept.first.saturating_sub(number);
        let skip = usize::try_from(number.max(kept.first) - kept.first).unwrap_or(usize::MAX);
        let told: Vec<Arc<str>> = kept.told.iter().skip(skip).take(AHEAD).cloned().collect();
        let next = number.max(kept.first) + told.len() as u64;
        (told, next, missed)
    }

    async fn follow(self, begin: Beginning, out: mpsc::Sender<Bytes>, place: OwnedSemaphorePermit) {
        let mut newest = self.0.newest.subscribe();
        let mut number = match begin {
            Beginning::At(number) => number,
            Beginning::OfAnotherLife(number) => {
                let unknown = message(None, MISSED, &json!({ "count": null }));
                if out.send(unknown.into()).await.is_err() {
                    return;
                }
                number
            }
        };
        loop {
            newest.borrow_and_update();
            let (told, next, missed) = self.since(number);
            number = next;
            let gap = (missed > 0).then(|| message(None, MISSED, &json!({ "count": missed })));
            let nothing = told.is_empty();
            let told = told.iter().map(|text| Bytes::copy_from_slice(text.as_bytes()));
            for text in gap.map(Bytes::from).into_iter().chain(told) {
                if out.send(text).await.is_err() {
                    return; // He has gone.
                }
            }
            if nothing {
                let beat = tokio::select! {
                    changed = newest.changed() => if changed.is_ok() { continue } else { break },
                    () = tokio::time::sleep(BEAT) => Bytes::from_static(b":\n\n"),
                    () = out.closed() => break,
                };
                if out.send(beat).await.is_err() {
                    break;
                }
            }
        }
        drop(place);
    }
}

/// Where a listener begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// With this number.
    At(u64),
    /// What he has heard last was told by another life of the process: with the first that is kept.
    OfAnotherLife(u64),
}

/// Told to who was too slow, or away for too long.
const MISSED: &str = "events.missed";

/// One message of the stream. JSON of ours has no line breaks, so that its data is one line.
fn message(id: Option<&str>, kind: &str, data: &serde_json::Value) -> String {
    let at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let document = json!({
        "specversion": "1.0",
        "id": id.unwrap_or(&at),
        "source": "ringback",
        "type": kind,
        "time": at,
        "datacontenttype": "application/json",
        "data": data,
    });
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {kind}\ndata: {document}\n\n")
}

/// `GET /api/v1/events`
pub(super) async fn stream(State(site): Shared, headers: HeaderMap, query: Pairs) -> Result<Response, Problem> {
    query.none_left()?;
    let last = headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default());
    let events = site.events.clone();
    let Ok(place) = events.0.room.clone().try_acquire_owned() else {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "as many as may listen at once do: try again later"));
    };
    let (out, told) = mpsc::channel(AHEAD);
    let begin = events.begin(last);
    tokio::spawn(events.follow(begin, out, place));
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::new(Told(told))).into_response())
}

/// What is told, as a body that does not end by itself.
struct Told(mpsc::Receiver<Bytes>);

impl HttpBody for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|told| told.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(events: &Events, count: usize) {
        (0..count).for_each(|n| events.keep("call.arrived", &json!({ "n": n })));
    }

    #[test]
    fn who_was_cut_off_goes_on_where_he_was() {
        let events = Events::default();
        numbered(&events, 3);
        let id = |number: u64| format!("{}-{number}", events.0.life);

        assert_eq!(events.begin(None), Beginning::At(3));
        assert_eq!(events.begin(Some(&id(0))), Beginning::At(1));
        assert_eq!(events.begin(Some(&id(2))), Beginning::At(3));
        for foreign in ["", "x", "000000000000-1", &id(7), &format!("{}-x", events.0.life)] {
            assert_eq!(events.begin(Some(foreign)), Beginning::OfAnotherLife(0), "{foreign}");
        }
        let (told, next, missed) = events.since(1);
        assert_eq!((told.len(), next, missed), (2, 3, 0));
        assert!(told[0].starts_with(&format!("id: {}\nevent: call.arrived\ndata: {{", id(1))), "{}", told[0]);
        assert!(told[0].ends_with("}\n\n") && told[0].lines().count() == 4);
    }

    #[test]
    fn only_the_last_ones_are_kept_and_who_missed_some_is_told_how_many() {
        let events = Events::default();
        numbered(&events, EVENTS_KEPT + 5);

        let (told, next, missed) = events.since(2);

        assert_eq!((told.len(), next, missed), (AHEAD, 5 + AHEAD as u64, 3));
        assert!(told[0].contains("\"n\":5"), "{}", told[0]);
        assert_eq!(events.kept().told.len(), EVENTS_KEPT);
        assert_eq!(events.since(9_999_999).0.len(), 0);
    }
}

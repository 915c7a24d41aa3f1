//! Every route of the API: what serves it and what is said of it stand side by side, so that `/openapi.json` cannot
//! describe another API than the one that answers.

use super::{Site, audio, backup, callbacks, config, csv, events, in_time, live, never, openapi, people, prompts};
use crate::limits::{CONFIG_BYTES, PROMPT_BYTES};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware;
use axum::routing::{MethodRouter, delete, get, post, put};
use std::sync::Arc;
use std::time::Duration;

type Served = MethodRouter<Arc<Site>>;

/// A parameter of the query, or a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub place: &'static str,
    pub name: &'static str,
    pub schema: &'static str,
    pub about: &'static str,
}

const fn query(name: &'static str, schema: &'static str, about: &'static str) -> Parameter {
    Parameter { place: "query", name, schema, about }
}

const fn header(name: &'static str, about: &'static str) -> Parameter {
    Parameter { place: "header", name, schema: "text", about }
}

const AFTER: Parameter = query("after", "text", "The `next` of the page before.");
const LIMIT: Parameter = query("limit", "PageSize", "Objects on the page; 100 when omitted.");
const STATES: Parameter = query("state", "CallbackState", "Only in this state; repeatable.");
const QUEUE: Parameter = query("queue", "text", "Only of this queue.");
const IF_MATCH: Parameter = header("If-Match", "The ETag of the object as it was seen; another one now is 412.");

/// What a request carries, and an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// Nothing.
    Nothing,
    /// JSON of this schema.
    Json(&'static str),
    /// The same; it may be left out.
    MaybeJson(&'static str),
    /// Octets or text of this media type.
    Media(&'static str),
}

/// One method of one path.
pub(super) struct Route {
    pub method: Method,
    pub path: &'static str,
    pub summary: &'static str,
    pub parameters: Vec<Parameter>,
    pub takes: Content,
    pub status: u16,
    pub gives: Content,
    /// Its answer begins whenever the work is done.
    patient: bool,
    served: Served,
}

impl Route {
    fn new(method: Method, path: &'static str, served: Served, summary: &'static str) -> Route {
        let (parameters, takes, gives) = (Vec::new(), Content::Nothing, Content::Nothing);
        Route { method, path, summary, parameters, takes, status: 204, gives, patient: false, served }
    }

    fn with(mut self, parameters: &[Parameter]) -> Route {
        self.parameters.extend_from_slice(parameters);
        self
    }

    fn takes(mut self, takes: Content) -> Route {
        self.takes = takes;
        self
    }

    /// What the answer carries when all is well: JSON of this schema.
    fn gives(self, schema: &'static str) -> Route {
        Route { gives: Content::Json(schema), status: 200, ..self }
    }

    fn gives_media(self, media: &'static str) -> Route {
        Route { gives: Content::Media(media), status: 200, ..self }
    }

    fn made(self, schema: &'static str) -> Route {
        Route { gives: Content::Json(schema), status: 201, ..self }
    }

    fn patient(self) -> Route {
        Route { patient: true, ..self }
    }

    /// A body of so many octets at most, instead of the usual.
    fn at_most(mut self, octets: usize) -> Route {
        self.served = self.served.layer(DefaultBodyLimit::max(octets));
        self
    }

    /// A page of a list.
    fn paged(self) -> Route {
        self.with(&[AFTER, LIMIT])
    }
}

fn read<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Site>>, summary: &'static str) -> Route {
    Route::new(Method::GET, path, get(handler), summary)
}

fn act<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Site>>, summary: &'static str) -> Route {
    Route::new(Method::POST, path, post(handler), summary)
}

fn replace<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Site>>, summary: &'static str) -> Route {
    Route::new(Method::PUT, path, put(handler), summary)
}

fn remove<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Site>>, summary: &'static str) -> Route {
    Route::new(Method::DELETE, path, delete(handler), summary)
}

/// All of them, by their whole paths.
pub(super) fn all() -> Vec<Route> {
    [promises(), floor(), recordings(), site(), system()].into_iter().flatten().collect()
}

/// Serves them, each `within` so long, unless it is a patient one.
pub(super) fn router(within: Duration) -> Router<Arc<Site>> {
    all().into_iter().fold(Router::new(), |router, Route { path, patient, served, .. }| {
        let hasty = middleware::from_fn_with_state(within, in_time);
        router.route(path, if patient { served } else { served.layer(hasty) })
    })
}

fn promises() -> Vec<Route> {
    use Content::{Json, MaybeJson};
    vec![
        read("/api/v1/callbacks", callbacks::list, "List callbacks, with attempts and what holds them")
            .with(&[STATES, QUEUE])
            .paged()
            .gives("CallbackPage"),
        act("/api/v1/callbacks", callbacks::add, "Promise a callback")
            .with(&[header("Idempotency-Key", "The same key again makes no second callback.")])
            .takes(Json("NewCallback"))
            .made("Callback"),
        read("/api/v1/callbacks.csv", csv::export, "Callbacks as CSV").with(&[STATES, QUEUE]).gives_media("text/csv"),
        act(
            "/api/v1/callbacks.csv",
            csv::export_and_remove,
            "Cancel callbacks of these states; CSV of those cancelled",
        )
        .with(&[STATES, QUEUE])
        .gives_media("text/csv"),
        read("/api/v1/callbacks/{id}", callbacks::show, "Show a callback").gives("Callback"),
        act("/api/v1/callbacks/{id}/cancel", callbacks::cancel, "Cancel a callback").gives("Callback"),
        act("/api/v1/callbacks/{id}/now", callbacks::now, "Try a callback now, ahead of its time").gives("Callback"),
        act("/api/v1/callbacks/{id}/postpone", callbacks::postpone, "Try a callback later")
            .takes(Json("Postpone"))
            .gives("Callback"),
        act(
            "/api/v1/callbacks/{id}/keep",
            callbacks::keep,
            "Keep a callback left over at the end of its day, or cut by a restart",
        )
        .gives("Callback"),
        read("/api/v1/do-not-call", never::list, "List numbers that are never called").paged().gives("DoNotCallPage"),
        act("/api/v1/do-not-call", never::add, "Never call a number again; its open callbacks are cancelled")
            .takes(Json("NewDoNotCall"))
            .made("DoNotCall"),
        remove("/api/v1/do-not-call/{number}", never::lift, "Let a number be called again")
            .takes(MaybeJson("LiftDoNotCall")),
        act("/api/v1/people/find", people::find, "All that is stored of a person (GDPR 15)")
            .takes(Json("FindPerson"))
            .gives("Person"),
        act("/api/v1/people/erase", people::erase, "Erase a person, or tell what that would do (GDPR 17)")
            .takes(Json("ErasePerson"))
            .gives("Person"),
    ]
}

fn floor() -> Vec<Route> {
    vec![
        read("/api/v1/queues", live::queues, "List queues").paged().gives("QueuePage"),
        read("/api/v1/queues/{name}", live::queue, "Show a queue, with everybody who waits").gives("Queue"),
        read("/api/v1/agents", live::agents, "List agents and their phones").paged().gives("AgentPage"),
        act("/api/v1/agents/{name}/pause", live::pause, "Give an agent no calls for now")
            .takes(Content::MaybeJson("PauseAgent"))
            .gives("Agent"),
        act("/api/v1/agents/{name}/resume", live::resume, "Give an agent calls again").gives("Agent"),
        act("/api/v1/agents/{name}/logout", live::log_out, "Log an agent out").gives("Agent"),
        act("/api/v1/agents/{name}/trust", live::trust, "The new networks of an agent's phones are all right")
            .gives("Agent"),
        read("/api/v1/trunks", live::trunks, "List trunks and their state").paged().gives("TrunkPage"),
        act("/api/v1/trunks/{name}/test", live::test_trunk, "Ask a trunk whether it is there").gives("TrunkTest"),
        read("/api/v1/calls", live::calls, "List live calls and the last ended ones").paged().gives("CallPage"),
        read("/api/v1/calls/{id}", live::call, "Show a call, with its ladder").gives("Call"),
        act("/api/v1/calls/{id}/hangup", live::hang_up, "End a call").gives("Call"),
    ]
}

fn recordings() -> Vec<Route> {
    vec![
        read("/api/v1/recordings", live::recordings, "List recordings").paged().gives("RecordingPage"),
        read("/api/v1/recordings/{id}", live::recording, "Show a recording").gives("Recording"),
        remove("/api/v1/recordings/{id}", live::delete_recording, "Delete the audio of a recording").gives("Recording"),
        act("/api/v1/recordings/{id}/hold", live::hold_recording, "Keep a recording whatever its age")
            .gives("Recording"),
        act("/api/v1/recordings/{id}/release", live::release_recording, "Keep it no longer than its time")
            .gives("Recording"),
        read("/api/v1/recordings/{id}/audio", audio::play, "The audio, or one range of it: agent left, customer right")
            .with(&[header("Range", "`bytes=0-65535`")])
            .gives_media("audio/wav"),
        read("/api/v1/prompts", prompts::list, "List everything that can be played").gives("PromptPage"),
        replace("/api/v1/prompts/{name}", prompts::import, "Upload a sound: WAV, FLAC, MP3 or Ogg Vorbis")
            .takes(Content::Media("application/octet-stream"))
            .at_most(PROMPT_BYTES)
            .gives("Imported"),
        act("/api/v1/prompts/{name}/render", prompts::render, "Have a text spoken under this name")
            .takes(Content::Json("Spoken"))
            .gives("Imported"),
        read("/api/v1/prompts/{name}/audio", prompts::listen, "The sound as it is played").gives_media("audio/wav"),
    ]
}

fn site() -> Vec<Route> {
    const DRY_RUN: Parameter = query("dry_run", "truth", "Change nothing; tell what would change.");
    vec![
        read("/api/v1/config/{kind}", config::list, "List objects of the site").paged().gives("ObjectPage"),
        act("/api/v1/config/{kind}", config::add, "Make an object").takes(Content::Json("Object")).made("Object"),
        read("/api/v1/config/{kind}/{name}", config::show, "Show an object; its ETag changes when it does")
            .gives("Object"),
        replace(
            "/api/v1/config/{kind}/{name}",
            config::put,
            "Change an object: the fields that are left out are unset",
        )
        .with(&[IF_MATCH])
        .takes(Content::Json("Object"))
        .gives("Object"),
        remove("/api/v1/config/{kind}/{name}", config::delete, "Delete an object, unless others refer to it")
            .with(&[IF_MATCH]),
        read("/api/v1/site", config::export, "The whole site as one file, without secrets")
            .gives_media("application/toml"),
        act("/api/v1/site/apply", config::apply, "Give the switch another text of its file: all of it or nothing")
            .with(&[DRY_RUN])
            .takes(Content::Media("application/toml"))
            .at_most(CONFIG_BYTES)
            .gives("Edited"),
        read("/api/v1/audit", config::audit, "Who has done what, when, and from where; newest first")
            .paged()
            .gives("AuditPage"),
    ]
}

fn system() -> Vec<Route> {
    vec![
        read("/api/v1/status", live::status, "How the switch, its store and its disk are").gives("Standing"),
        act("/api/v1/rules/{name}/activate", live::activate_rule, "Activate a rule that a freeze has disabled")
            .gives("Status"),
        act("/api/v1/system/freeze", live::freeze, "No rule acts and nothing is dialled").gives("Status"),
        act("/api/v1/system/unfreeze", live::unfreeze, "Let the site dial again; its rules rest").gives("Status"),
        act(
            "/api/v1/system/breaker/resume",
            live::resume_dialling,
            "Dial again after the breaker, or a clock that jumped, has stopped it",
        )
        .gives("Status"),
        act("/api/v1/system/drain", live::drain, "Take no new calls, and end with the last one").gives("Status"),
        read("/api/v1/events", events::stream, "What happens, as server-sent events that each carry a CloudEvent")
            .with(&[header(
                "Last-Event-ID",
                "The id of the last event that was heard: what came after it is told first.",
            )])
            .gives_media("text/event-stream"),
        act("/api/v1/store/backup", backup::make, "All that has been acknowledged, as one encrypted file")
            .patient()
            .gives_media("application/octet-stream"),
        read("/healthz", live::healthy, "Whether the switch answers").gives("Healthy"),
        read("/readyz", live::ready, "Whether calls and promises are taken; 503 when not, with the reason")
            .gives("Standing"),
        read("/metrics", live::metrics, "Numbers for Prometheus").gives_media("text/plain"),
        read("/openapi.json", openapi::show, "This description").gives("Anything"),
    ]
}

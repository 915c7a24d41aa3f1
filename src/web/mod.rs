//! The HTTP API of interface.md: what the switch shows and what may be asked of it, as JSON.
//!
//! Every request carries the bearer token of the data directory, except `/healthz`, `/readyz` and `/metrics` from
//! loopback. Every failure is a problem document; every answer says that it is not to be stored, sniffed, framed or
//! executed (security.md T40).

mod admit;
mod audio;
mod backup;
mod body;
mod brake;
mod callbacks;
mod config;
mod csv;
mod events;
mod forms;
mod live;
mod never;
mod openapi;
mod overflow;
mod page;
mod people;
mod problem;
mod prompts;
mod query;
mod roles;
mod routes;
mod session;
pub mod token;
mod upload;

pub use backup::Backups;
pub use events::Events;
pub use openapi::document;
pub use problem::Problem;
pub use roles::needed;
pub use session::Sessions;

use crate::limits::{HTTP_BODY_BYTES, HTTP_CONNECTION, HTTP_CONNECTIONS, HTTP_HEAD, HTTP_REQUEST, PROMPT_BYTES};
use crate::run::prompts::Prompts;
use crate::run::standing::Standing;
use crate::run::{Commands, Editor, NoAnswer};
use crate::switch::command::{Command, Reply};
use axum::Json;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// What the API shows and asks.
#[derive(Clone, Debug)]
pub struct Site {
    /// The switch.
    pub commands: Commands,
    /// Who may ask.
    pub token: String,
    /// Where recordings lie.
    pub data: PathBuf,
    /// How store and disk stand.
    pub standing: Standing,
    /// What changes the site, when somebody may.
    pub editor: Option<Editor>,
    /// What can be played.
    pub prompts: Prompts,
    /// Who has signed in at the pages.
    pub sessions: Sessions,
    /// What has happened lately.
    pub events: Events,
    /// What makes backups.
    pub backups: Backups,
}

/// After a connection that could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

type Shared = State<Arc<Site>>;

/// Serves until the runtime ends.
pub async fn serve(listener: TcpListener, site: Site) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "HTTP is not served"),
    };
    let service = TowerToHyperService::new(router(site, HTTP_REQUEST));
    let room = Arc::new(Semaphore::new(connections()));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return }; // Nobody closes it.
        match listener.accept().await {
            Ok((stream, peer)) => {
                let service = service.clone();
                tokio::spawn(async move {
                    converse(stream, peer, service).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await; // Out of files, most likely: trying at once would only spin.
            }
        }
    }
}

/// Connections at once: where few files may be open, calls and the store need most of them.
fn connections() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    files.and_then(|files| usize::try_from(files / 4).ok()).map_or(HTTP_CONNECTIONS, |most| most.min(HTTP_CONNECTIONS))
}

/// One connection. Whoever sends the head of a request too slowly loses it, and makes room for others.
async fn converse(stream: TcpStream, peer: SocketAddr, service: TowerToHyperService<Router>) {
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(HTTP_CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, %peer, "an HTTP connection ended early"),
        Err(_) => tracing::debug!(%peer, "an HTTP connection was held for too long"),
    }
}

/// All routes. An answer begins `within` so long, but for those that take as long as their work does.
pub fn router(site: Site, within: Duration) -> Router {
    let site = Arc::new(site);
    let pages = Router::new()
        .route("/", get(page::live))
        .route("/style.css", get(page::style))
        .route("/login", get(page::ask_token).post(page::sign_in))
        .route("/logout", post(page::sign_out))
        .route("/do-not-call", get(never::show).post(never::add_typed))
        .route("/do-not-call/{number}/lift", post(never::lift_typed))
        .route("/overflow", get(overflow::show))
        .route("/overflow.csv", get(overflow::export).post(overflow::export_and_remove))
        .route("/overflow/{id}/keep", post(overflow::keep))
        .route("/overflow/{id}/remove", post(overflow::remove))
        .route("/config", get(page::manage))
        .route("/sounds", post(upload::sound).layer(DefaultBodyLimit::max(PROMPT_BYTES + upload::BESIDE)))
        .route("/config/{kind}", get(forms::list_or_new).post(forms::create))
        .route("/config/{kind}/{name}", get(forms::edit).post(forms::save))
        .route("/config/{kind}/{name}/delete", post(forms::delete))
        .layer(middleware::from_fn_with_state(within, in_time));
    routes::router(within)
        .merge(pages)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(HTTP_BODY_BYTES))
        .layer(middleware::from_fn_with_state(site.clone(), admit::admit))
        .layer(middleware::map_response(guard))
        .with_state(site)
}

async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn no_such_method(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not what this path takes"))
}

/// Whoever sends a body by drops, whatever it is for, is not waited for.
async fn in_time(State(within): State<Duration>, request: Request, next: Next) -> Response {
    let late =
        Problem::new(StatusCode::REQUEST_TIMEOUT, "it took too long, and may still be done: look before you ask again");
    tokio::time::timeout(within, next.run(request)).await.unwrap_or_else(|_| late.into_response())
}

const GUARDS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer` browsers send `Origin: null` with our own forms too, and nobody could sign in.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

async fn guard(mut response: Response) -> Response {
    for (name, value) in GUARDS {
        // A page says itself what it may load.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Asks the switch, and shows what it says.
async fn ask(site: &Site, command: Command) -> Result<Response, Problem> {
    Ok(match site.commands.ask(command).await? {
        Reply::Callbacks(page) => Json(page).into_response(),
        Reply::Callback(callback) => Json(callback).into_response(),
        Reply::Stored => StatusCode::NO_CONTENT.into_response(),
        Reply::Audit(page) => Json(page).into_response(),
        Reply::DoNotCall(page) => Json(page).into_response(),
        Reply::Never(entry) => Json(entry).into_response(),
        Reply::Person(person) => Json(person).into_response(),
        Reply::Queues(page) => Json(page).into_response(),
        Reply::Queue(queue) => Json(queue).into_response(),
        Reply::Agents(page) => Json(page).into_response(),
        Reply::Agent(agent) => Json(agent).into_response(),
        Reply::Trunks(page) => Json(page).into_response(),
        Reply::TrunkTest(test) => Json(test).into_response(),
        Reply::Calls(page) => Json(page).into_response(),
        Reply::Call(call) => Json(call).into_response(),
        Reply::Recordings(page) => Json(page).into_response(),
        Reply::Recording(recording) => Json(recording).into_response(),
        Reply::Status(status) => Json(status).into_response(),
        Reply::Gauges(_) => return Err(NoAnswer.into()), // Only `/metrics` asks for them, and it does not ask here.
        Reply::Refused(refused) => return Err(refused.into()),
    })
}

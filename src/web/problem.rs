//! Everything that goes wrong over HTTP is an RFC 9457 problem document, which names the field where there is one.

use crate::run::NoAnswer;
use crate::switch::command::Refused;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    /// A problem of this status, in one sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("Problem");
        Problem {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            more: serde_json::Map::new(),
        }
    }

    /// The field it is about.
    pub fn field(mut self, field: impl Into<String>) -> Problem {
        self.field = Some(field.into());
        self
    }

    /// What a program may want to know besides (RFC 9457 §3.2).
    pub fn with(mut self, name: &str, value: serde_json::Value) -> Problem {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The sentence, and the field it is about.
    pub fn told(&self) -> (&str, Option<&str>) {
        (&self.detail, self.field.as_deref())
    }

    /// No such object.
    pub fn not_found(kind: &str, name: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, format!("there is no {kind} {name:?}"))
    }

    /// A query or header that cannot be read.
    pub fn bad(field: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail).field(field)
    }
}

impl From<NoAnswer> for Problem {
    fn from(_: NoAnswer) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the switch does not answer")
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::NotFound { kind, name } => Problem::not_found(kind, &name),
            Refused::Invalid { field, detail } => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).field(field),
            Refused::Conflict { detail } => Problem::new(StatusCode::CONFLICT, detail),
            Refused::NotStored => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the disk did not take it, so nothing was promised and nothing has changed",
            ),
            Refused::NotStoredYet => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "it is in effect, but the disk has not taken it yet: a restart before it does would undo it",
            ),
            Refused::Fault => Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "a fault of ringback's came in between: look whether it was done before you repeat it",
            ),
            Refused::Draining => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the switch is draining and takes nothing new")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let text = serde_json::to_string(&self).expect("a problem is text and numbers");
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let bearer = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

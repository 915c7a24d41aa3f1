//! Request bodies: JSON of one type, and a problem that names the field where there is one to blame.

use super::Problem;
use crate::limits::HTTP_BODY;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A body that has been read as `T`.
pub(super) struct Body<T>(pub T);

/// A body that may be missing; then `T` has its defaults.
pub(super) struct OptionalBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Problem> {
        let is_json = is_json(&request);
        let bytes = octets(request, state).await?;
        if !is_json {
            return Err(unsupported());
        }
        read(&bytes).map(Body)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<OptionalBody<T>, Problem> {
        let is_json = is_json(&request);
        let bytes = octets(request, state).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(OptionalBody(T::default())),
            (false, true) => read(&bytes).map(OptionalBody),
            (false, false) => Err(unsupported()),
        }
    }
}

fn unsupported() -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the body as application/json")
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = value.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

async fn octets<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let bytes = tokio::time::timeout(HTTP_BODY, Bytes::from_request(request, state)).await;
    let late = Problem::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly");
    bytes.map_err(|_| late)?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than any of ours would be")
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "the body broke off"),
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}")))?;
    let Value::Object(fields) = value else {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the body is a JSON object"));
    };
    match T::deserialize(Value::Object(fields.clone())) {
        Ok(read) => Ok(read),
        Err(error) => Err(blame::<T>(&fields, &error.to_string())),
    }
}

/// serde names unknown and missing fields; a field of the wrong type is the one without which the complaint changes.
fn blame<T: DeserializeOwned>(fields: &Map<String, Value>, complaint: &str) -> Problem {
    let problem = |detail: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    if let Some(rest) = complaint.strip_prefix("unknown field `").or(complaint.strip_prefix("missing field `")) {
        return problem(complaint).field(rest.split('`').next().unwrap_or(rest));
    }
    let culprit = fields.keys().find(|name| {
        let mut without = fields.clone();
        without.remove(*name);
        T::deserialize(Value::Object(without)).err().is_none_or(|error| error.to_string() != complaint)
    });
    match culprit {
        Some(name) => problem(complaint).field(name.as_str()),
        None => problem(complaint),
    }
}

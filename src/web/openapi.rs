//! `GET /openapi.json`: the API for programs, OpenAPI 3.1. Paths come from the routes that serve them, objects of the
//! site from the tables that the file is read by; the rest is `schema.rs`, which a test holds against real answers.

mod objects;
mod schema;

use super::Shared;
use super::roles::needed;
use super::routes::{Content, Parameter, Route, all};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// The description.
pub(super) async fn show(State(_): Shared) -> Response {
    Json(document()).into_response()
}

/// The whole of it.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in all() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(&route);
    }
    let mut schemas = schema::all();
    schemas.extend(objects::all());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ringback",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Nobody waits on hold; we call you back.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "What lies in admin.token of the data directory, or the secret of an [[api_key]]. \
                    `/healthz`, `/readyz` and `/metrics` need none from loopback.",
            } },
            "responses": { "Problem": {
                "description": "It was not done, and why (RFC 9457).",
                "content": { "application/problem+json": { "schema": reference("Problem") } },
            } },
            "schemas": schemas,
        },
    })
}

fn operation(route: &Route) -> Value {
    let role = format!("{:?}", needed(&route.method, route.path)).to_lowercase();
    let named = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = named.map(in_path).chain(route.parameters.iter().map(elsewhere)).collect();
    let status = route.status.to_string();
    let mut answer = json!({ "description": if route.status == 204 { "It is done." } else { "As asked." } });
    if let Some((content, _)) = content(route.gives) {
        answer["content"] = content;
    }
    let mut operation = json!({
        "operationId": id_of(route),
        "summary": route.summary,
        "description": format!("Role: {role}."),
        "parameters": parameters,
        "responses": { status: answer, "default": { "$ref": "#/components/responses/Problem" } },
    });
    if let Some((content, required)) = content(route.takes) {
        operation["requestBody"] = json!({ "required": required, "content": content });
    }
    operation
}

/// `getCallbacksId`: unique, as method and path are.
fn id_of(route: &Route) -> String {
    let path = route.path.strip_prefix("/api/v1").unwrap_or(route.path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut id = route.method.as_str().to_ascii_lowercase();
    for word in words {
        id.extend(word.chars().next().map(|first| first.to_ascii_uppercase()));
        id.push_str(&word[1..]);
    }
    id
}

fn in_path(name: &str) -> Value {
    let (schema, about) = match name {
        "id" => (schema::of("ulid"), "Its id."),
        "kind" => (reference("Kind"), "Which table of the site."),
        "number" => (schema::of("text"), "E.164, or as the site's country writes it."),
        _ => (schema::of("text"), "Its name."),
    };
    json!({ "in": "path", "name": name, "required": true, "schema": schema, "description": about })
}

fn elsewhere(parameter: &Parameter) -> Value {
    let Parameter { place, name, schema, about } = parameter;
    json!({ "in": place, "name": name, "required": false, "schema": schema::of(schema), "description": about })
}

/// The content, and whether it must be there.
fn content(content: Content) -> Option<(Value, bool)> {
    let (media, schema, required) = match content {
        Content::Nothing => return None,
        Content::Json(schema) => ("application/json", reference(schema), true),
        Content::MaybeJson(schema) => ("application/json", reference(schema), false),
        Content::Media(media) => (media, json!({}), true), // Octets need no schema (OpenAPI 3.1, 4.8.14.3).
    };
    Some((json!({ media: { "schema": schema } }), required))
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

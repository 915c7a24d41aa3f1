//! Who asks, and whether he may: the holder of the administrator's token, of an API key of the site, or somebody who
//! has signed in with one of them. What is not named here is the administrator's (security.md §2: deny by default).

use super::{Site, token};
use crate::settings::Role;
use axum::http::Method;
use chrono::Utc;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// `admin`, or the name of the API key.
    pub name: String,
    /// What he may.
    pub role: Role,
    /// From where.
    pub from: Option<IpAddr>,
}

impl Site {
    /// Who sends this `Authorization`.
    pub(super) fn whose(&self, authorization: Option<&str>, from: Option<IpAddr>) -> Option<Caller> {
        self.whose_secret(token::given(authorization)?, from)
    }

    /// Who has this secret. A key that has expired is nobody's (S1.B18). Every key is looked at, however early one
    /// fits.
    pub(super) fn whose_secret(&self, given: &str, from: Option<IpAddr>) -> Option<Caller> {
        let fits = |secret: &str| bool::from(given.as_bytes().ct_eq(secret.as_bytes()));
        let admin = fits(&self.token).then(|| Caller { name: "admin".to_owned(), role: Role::Admin, from });
        let keys = self.editor.as_ref().map(|editor| editor.shell().api_keys).unwrap_or_default();
        let now = Utc::now();
        let key = keys.into_iter().fold(None, |found, key| {
            let is_it = fits(&key.secret) && key.expires.is_none_or(|expires| now < expires);
            found.or(is_it.then_some(key))
        });
        admin.or_else(|| key.map(|key| Caller { name: key.name.to_string(), role: key.role, from }))
    }
}

/// What a request needs.
pub fn needed(method: &Method, path: &str) -> Role {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    if matches!(*method, Method::GET | Method::HEAD) {
        return Role::Auditor;
    }
    let acts = ["/callbacks", "/agents/", "/calls/"].iter().any(|of| path.starts_with(of));
    let signs = matches!(path, "/login" | "/logout");
    match (acts && *method == Method::POST, signs) {
        (_, true) => Role::Auditor,
        (true, false) => Role::Supervisor,
        (false, false) => Role::Admin,
    }
}

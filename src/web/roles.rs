//! Who asks, and whether he may: the holder of the administrator's token, of an API key of the site, or somebody who
//! has signed in with one of them. What is not named here is the administrator's (security.md §2: deny by default).

use super::{Site, token};
use crate::run::Editor;
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

/// Who a secret says somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Presented {
    /// None was said.
    Nothing,
    /// Nobody has it.
    Unknown,
    /// A key had it: its name.
    Expired(String),
    /// He has it.
    Known(Caller),
}

impl Site {
    /// Who sends this `Authorization`.
    pub(super) fn whose(&self, authorization: Option<&str>, from: Option<IpAddr>) -> Presented {
        token::given(authorization).map_or(Presented::Nothing, |given| self.whose_secret(given, from))
    }

    /// Who has this secret. A key that has expired is nobody's (S1.B18). Every key is looked at, however early one
    /// fits; one without a secret, because its file is gone, fits nothing.
    pub(super) fn whose_secret(&self, given: &str, from: Option<IpAddr>) -> Presented {
        let fits = |secret: &str| !secret.is_empty() && bool::from(given.as_bytes().ct_eq(secret.as_bytes()));
        let admin = fits(&self.token).then(|| Caller { name: "admin".to_owned(), role: Role::Admin, from });
        let keys = self.editor.as_ref().map(Editor::api_keys).unwrap_or_default();
        let now = Utc::now();
        let key = keys.into_iter().fold(None, |found, key| {
            let fits = fits(&key.secret);
            found.or(fits.then_some(key))
        });
        match (admin, key) {
            (Some(admin), _) => Presented::Known(admin),
            (None, Some(key)) if key.expires.is_some_and(|expires| expires <= now) => {
                Presented::Expired(key.name.to_string())
            }
            (None, Some(key)) => Presented::Known(Caller { name: key.name.to_string(), role: key.role, from }),
            (None, None) => Presented::Unknown,
        }
    }
}

/// What a request needs.
pub fn needed(method: &Method, path: &str) -> Role {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    if matches!(*method, Method::GET | Method::HEAD) {
        return Role::Auditor;
    }
    let of_the_floor = ["/callbacks", "/agents/", "/calls/", "/overflow"].iter().any(|of| path.starts_with(of));
    // Whoever hears the customer say so puts his number on the list; to take it off is another matter.
    let acts = of_the_floor || path == "/do-not-call";
    let signs = matches!(path, "/login" | "/logout");
    match (acts && *method == Method::POST, signs) {
        (_, true) => Role::Auditor,
        (true, false) => Role::Supervisor,
        (false, false) => Role::Admin,
    }
}

//! Query strings: every key is known or refused, so that a misspelt filter does not show everything.

use super::Problem;
use crate::switch::command::PageOf;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

/// The pairs of a query string, in order.
pub(super) struct Pairs(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Pairs, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Pairs(pairs)),
            Err(_) => Err(Problem::bad("query", "the query string cannot be read")),
        }
    }
}

impl Pairs {
    /// Takes all values of `key` out.
    pub(super) fn take(&mut self, key: &str) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(name, _)| name == key);
        self.0 = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// Takes the only value of `key` out.
    pub(super) fn take_one(&mut self, key: &str) -> Result<Option<String>, Problem> {
        let mut values = self.take(key);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(Problem::bad(key, format!("{key} may be given once"))),
        }
    }

    /// The page asked for, and nothing else left over.
    pub(super) fn page(mut self) -> Result<PageOf, Problem> {
        let after = self.take_one("after")?;
        let limit = match self.take_one("limit")? {
            Some(text) => match text.parse() {
                Ok(limit @ 1..=500) => Some(limit),
                Ok(_) | Err(_) => return Err(Problem::bad("limit", "limit is a number from 1 to 500")),
            },
            None => None,
        };
        self.none_left()?;
        Ok(PageOf { after, limit })
    }

    /// Everything was known.
    pub(super) fn none_left(&self) -> Result<(), Problem> {
        match self.0.first() {
            Some((name, _)) => Err(Problem::bad(name, format!("{name:?} is not a filter of this list"))),
            None => Ok(()),
        }
    }
}

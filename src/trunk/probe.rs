//! OPTIONS because somebody wants to know now. What comes of it is his alone: the watch keeps its own count.

use super::{Down, Trunks, Want};
use crate::sip::user_agent::OutgoingRequest;

impl Trunks {
    /// What asks this trunk whether it is there; or why nobody can be asked.
    pub fn probe(&self, trunk: &str) -> Result<OutgoingRequest, Down> {
        let trunk = self.find(trunk).ok_or(Down::Unknown)?;
        match trunk.ping(self.public_address) {
            Some(Want::Request { request, .. }) => Ok(request),
            // A ping is a request; without an address there is none.
            Some(Want::Locate { .. }) | None => Err(trunk.verdict().err().unwrap_or(Down::NotFound)),
        }
    }
}

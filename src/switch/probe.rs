//! `trunk test`: a trunk is asked whether it is there, and whoever wanted to know hears how it has answered.

use super::command::{Refused, Reply};
use super::{Switch, view};
use crate::id::{Name, ReplyTo};
use crate::sip::message::{Response, reason_phrase};
use crate::time::{Now, Tick};
use crate::trunk::Down;

/// Somebody who waits for a trunk's answer.
#[derive(Debug)]
pub(super) struct Probe {
    trunk: Name,
    pub(super) to: ReplyTo,
    asked: Tick,
}

impl Switch {
    /// Asks a trunk.
    pub(super) fn test_trunk(&mut self, now: Now, trunk: &str, to: ReplyTo) -> Result<(), Refused> {
        let request = self.trunks.probe(trunk).map_err(|down| match down {
            Down::Unknown => Refused::NotFound { kind: "trunk", name: trunk.to_owned() },
            down => Refused::Conflict { detail: format!("{trunk} cannot be asked: {down}") },
        })?;
        let request = self.ua.request(now.tick, request);
        self.asked.probes.insert(request, Probe { trunk: trunk.into(), to, asked: now.tick });
        Ok(())
    }

    /// It has answered, or nobody did.
    pub(super) fn probed_trunk(&mut self, now: Now, probe: Probe, response: Option<&Response>) {
        let Probe { trunk, to, asked } = probe;
        let status = response.map(Response::code);
        let told = match status {
            Some(status) => format!("{status} {}", reason_phrase(status)),
            None => "no answer".to_owned(),
        };
        let took_ms = u64::try_from(now.tick.since(asked).as_millis()).unwrap_or(u64::MAX);
        let test = view::TrunkTest { name: trunk, answered: status.is_some(), status, told, took_ms };
        self.reply(to, Reply::TrunkTest(test));
    }
}

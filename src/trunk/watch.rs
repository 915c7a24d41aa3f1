//! Signs of life: OPTIONS, answered with anything (RFC 3261 §11). One missed answer is doubt, two are death; one
//! answer of any kind is life again.

use super::down::Down;
use crate::sip::message::Response;
use crate::time::Tick;
use std::time::Duration;

/// How soon a doubt is put to the test.
const DOUBT: Duration = Duration::from_secs(2);

/// What the last answers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pulse {
    /// Alive, or never asked.
    Alive,
    /// One answer is missing.
    Doubtful,
    /// Two are.
    Dead(Down),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing: no address, or never to be asked.
    Idle,
    At(Tick),
    Asked,
}

/// How the pulse has turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Same,
    Died,
    Revived,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    every: Option<Duration>,
    pulse: Pulse,
    next: Next,
    /// Whether OPTIONS was ever answered: some registrars never do, and their silence says nothing.
    was_answered: bool,
}

impl Watch {
    pub(super) fn new(every: Option<Duration>) -> Watch {
        Watch {
            every: every.filter(|every| !every.is_zero()),
            pulse: Pulse::Alive,
            next: Next::Idle,
            was_answered: false,
        }
    }

    /// An address is known.
    pub(super) fn begin(&mut self, now: Tick) {
        if self.every.is_some() && self.next == Next::Idle {
            self.next = Next::At(now);
        }
    }

    /// Asks at once, unless it is asking already.
    pub(super) fn hurry(&mut self, now: Tick) {
        if let Next::At(_) = self.next {
            self.next = Next::At(now);
        }
    }

    /// What was asked is answered by nobody: it is asked anew.
    pub(super) fn ask_again(&mut self, now: Tick) {
        if self.next == Next::Asked {
            self.next = Next::At(now);
        }
    }

    /// No more.
    pub(super) fn end(&mut self) {
        self.every = None;
        self.next = Next::Idle;
    }

    pub(super) fn next_timeout(&self) -> Option<Tick> {
        match self.next {
            Next::At(at) => Some(at),
            Next::Idle | Next::Asked => None,
        }
    }

    /// Whether OPTIONS is to be sent now.
    pub(super) fn on_timeout(&mut self, now: Tick) -> bool {
        let is_due = matches!(self.next, Next::At(at) if at <= now);
        if is_due {
            self.next = Next::Asked;
        }
        is_due
    }

    /// The final response to our OPTIONS, or none.
    pub(super) fn on_response(&mut self, now: Tick, response: Option<&Response>) -> Beat {
        let (Some(every), Next::Asked) = (self.every, self.next) else { return Beat::Same };
        let missing = match response.map(Response::code) {
            None => Some(Down::Silent),
            Some(status @ (408 | 503)) => Some(Down::Unavailable(status)), // A proxy in front of nobody says so.
            Some(_) => None,
        };
        let Some(why) = missing else {
            self.next = Next::At(now + every);
            self.was_answered = true;
            return self.on_sign_of_life();
        };
        let (pulse, wait, beat) = match self.pulse {
            Pulse::Alive => (Pulse::Doubtful, DOUBT.min(every), Beat::Same),
            Pulse::Doubtful => (Pulse::Dead(why), every, Beat::Died),
            Pulse::Dead(_) => (Pulse::Dead(why), every, Beat::Same),
        };
        self.pulse = pulse;
        self.next = Next::At(now + wait);
        beat
    }

    /// It has answered something.
    pub(super) fn on_sign_of_life(&mut self) -> Beat {
        match std::mem::replace(&mut self.pulse, Pulse::Alive) {
            Pulse::Dead(_) => Beat::Revived,
            Pulse::Alive | Pulse::Doubtful => Beat::Same,
        }
    }

    /// It answers, but not OPTIONS: what OPTIONS says of it is nothing.
    pub(super) fn disregard(&mut self) {
        self.was_answered = false;
        self.pulse = Pulse::Alive;
    }

    /// Two answers missing.
    pub(super) fn state(&self) -> Result<(), Down> {
        match self.pulse {
            Pulse::Dead(why) => Err(why),
            Pulse::Alive | Pulse::Doubtful => Ok(()),
        }
    }

    /// The same, where only the silence of one who used to answer counts.
    pub(super) fn state_if_answered(&self) -> Result<(), Down> {
        if self.was_answered { self.state() } else { Ok(()) }
    }
}

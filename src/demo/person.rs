//! What people do with a telephone: let it ring, take it, decline, press keys, lose patience, talk and hang up.
//!
//! A person sees calls, hears a voice, and acts after a while. A person who is told nothing lets it ring and talks for
//! ever; scenarios then act for him.

use super::endpoint::CallId;
use crate::time::Tick;
use std::collections::VecDeque;
use std::time::Duration;

/// One person with one number.
#[derive(Clone, Debug)]
pub struct Person {
    /// What ladders and timelines call him.
    pub name: String,
    /// His number or extension.
    pub number: String,
    /// What he does when his phone rings: one after the other, the last for ever.
    pub reactions: VecDeque<Reaction>,
    /// What he does in a call he has made.
    pub visit: Visit,
    /// Keys he presses in a call he has taken, each so long after.
    pub replies: Vec<(Duration, char)>,
    /// How long he talks before he hangs up; `None`: until the other side does.
    pub talk: Option<Duration>,
    /// How long he stays in a call in which nobody speaks to him, after taking it.
    pub bears_silence: Option<Duration>,
    /// The pitch of his voice; unset: that of his phone.
    pub pitch: Option<u32>,
    intents: Vec<Intent>,
}

/// What a ringing phone leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It rings and rings; with `early`, the far end plays its own tone (183).
    Ring {
        /// 183 with a description in place of 180.
        early: bool,
    },
    /// Taken after a while.
    Answer {
        /// How long it rings.
        after: Duration,
        /// 183 in place of 180.
        early: bool,
    },
    /// Not taken: 486, 603, 404, 503…
    Refuse {
        /// How long it rings; zero: it does not ring at all.
        after: Duration,
        /// The status.
        status: u16,
    },
    /// Nothing comes back, not even 100.
    Silence,
}

/// A call he makes.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// Keys, each so long after the other side has answered.
    pub keys: Vec<(Duration, char)>,
    /// When he hangs up if nobody has spoken to him, after the answer.
    pub patience: Option<Duration>,
}

/// What he does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The phone rings.
    Ring {
        /// With early media.
        early: bool,
    },
    /// Picks up.
    Answer,
    /// Declines, or the network does.
    Refuse(u16),
    /// Presses a key.
    Press(char),
    /// Hangs up.
    HangUp,
}

#[derive(Clone, Copy, Debug)]
struct Intent {
    at: Tick,
    call: CallId,
    deed: Deed,
    /// Given up when somebody speaks to him.
    lonely: bool,
}

impl Person {
    /// Somebody who lets it ring until told otherwise.
    pub fn new(name: &str, number: &str) -> Person {
        Person {
            name: name.to_owned(),
            number: number.to_owned(),
            reactions: VecDeque::from([Reaction::Ring { early: false }]),
            visit: Visit::default(),
            replies: Vec::new(),
            talk: None,
            bears_silence: None,
            pitch: None,
            intents: Vec::new(),
        }
    }

    /// Reacts so from now on, one after the other.
    pub fn reacting(mut self, reactions: impl IntoIterator<Item = Reaction>) -> Person {
        self.reactions = reactions.into_iter().collect();
        self
    }

    /// Talks so long.
    pub fn talking(mut self, talk: Duration) -> Person {
        self.talk = Some(talk);
        self
    }

    /// Behaves so in calls of his own.
    pub fn visiting(mut self, keys: &[(u64, char)], patience: Option<Duration>) -> Person {
        let keys = keys.iter().map(|(millis, key)| (Duration::from_millis(*millis), *key)).collect();
        self.visit = Visit { keys, patience };
        self
    }

    /// The phone rings.
    pub fn on_ringing(&mut self, now: Tick, call: CallId) {
        let reaction = match self.reactions.len() {
            0 => Reaction::Ring { early: false },
            1 => self.reactions[0].clone(),
            _ => self.reactions.pop_front().expect("it is not empty"),
        };
        match reaction {
            Reaction::Ring { early } => self.intend(now, Duration::ZERO, call, Deed::Ring { early }),
            Reaction::Answer { after, early } => {
                if !after.is_zero() {
                    self.intend(now, Duration::ZERO, call, Deed::Ring { early });
                }
                self.intend(now, after, call, Deed::Answer);
            }
            Reaction::Refuse { after, status } => {
                if !after.is_zero() {
                    self.intend(now, Duration::ZERO, call, Deed::Ring { early: false });
                }
                self.intend(now, after, call, Deed::Refuse(status));
            }
            Reaction::Silence => {}
        }
    }

    /// A call he made was answered by a machine or a person: he does what he came for.
    pub fn on_answered(&mut self, now: Tick, call: CallId) {
        for (after, key) in self.visit.keys.clone() {
            self.intend_alone(now, after, call, Deed::Press(key));
        }
        if let Some(patience) = self.visit.patience {
            self.intend_alone(now, patience, call, Deed::HangUp);
        }
    }

    /// He has taken a call.
    pub fn on_taken(&mut self, now: Tick, call: CallId) {
        for (after, key) in self.replies.clone() {
            self.intend(now, after, call, Deed::Press(key));
        }
        if let Some(silence) = self.bears_silence {
            self.intend_alone(now, silence, call, Deed::HangUp);
        }
    }

    /// He will hang up after a while, unless the other side does before.
    pub fn leaves(&mut self, now: Tick, after: Duration, call: CallId) {
        self.intend(now, after, call, Deed::HangUp);
    }

    /// He will press a key after a while.
    pub fn presses(&mut self, now: Tick, after: Duration, call: CallId, key: char) {
        self.intend(now, after, call, Deed::Press(key));
    }

    /// Somebody speaks to him.
    pub fn on_voice(&mut self, now: Tick, call: CallId) {
        self.intents.retain(|intent| intent.call != call || !intent.lonely);
        let talks = self.intents.iter().any(|intent| intent.call == call && intent.deed == Deed::HangUp);
        if let (Some(talk), false) = (self.talk, talks) {
            self.intend(now, talk, call, Deed::HangUp);
        }
    }

    /// The call is over.
    pub fn on_ended(&mut self, call: CallId) {
        self.intents.retain(|intent| intent.call != call);
    }

    /// When he acts next.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.intents.iter().map(|intent| intent.at).min()
    }

    /// What he does now.
    pub fn poll_deed(&mut self, now: Tick) -> Option<(CallId, Deed)> {
        let first = self.intents.iter().enumerate().min_by_key(|(at, intent)| (intent.at, *at)).map(|(at, _)| at)?;
        if self.intents[first].at > now {
            return None;
        }
        let intent = self.intents.remove(first);
        Some((intent.call, intent.deed))
    }

    fn intend(&mut self, now: Tick, after: Duration, call: CallId, deed: Deed) {
        self.intents.push(Intent { at: now + after, call, deed, lonely: false });
    }

    fn intend_alone(&mut self, now: Tick, after: Duration, call: CallId, deed: Deed) {
        self.intents.push(Intent { at: now + after, call, deed, lonely: true });
    }
}

//! The offer: how a waiting caller becomes a promise (S2.6–S2.16, interface.md Settled 4 and 5).
//!
//! `Closed → Open → Entering → Confirming → Promising → Made`. Keys count while any prompt plays. Only the commit
//! that comes back from the disk leads from `Promising` to `Made`; a bad try, a pause or `*` leads back to hold with
//! the place kept. Whoever rings in while he is promised a call may be asked about that first (`Pending`). The machine
//! knows nothing of legs and clips: it says what should be heard.

use crate::number::Party;
use crate::settings::{CallbackRule, NumberCapture};
use crate::time::Tick;
use std::time::Duration;

/// How long the disk may take before the caller hears the apology (durability.md §2.2).
pub(super) const PROMISE_WAIT: Duration = Duration::from_secs(3);

/// A key pressed so shortly before a change belongs to what was before (model.md, DTMF map): nobody answers a prompt
/// that fast.
pub(super) const KEY_GRACE: Duration = Duration::from_millis(300);

/// What a key or a moment leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing audible changes.
    Nothing,
    /// The prompt in progress ends: a number is being typed.
    Hush,
    /// Ask for the number; `known` when `#` alone would do.
    AskNumber {
        /// The calling number can be used.
        known: bool,
    },
    /// Say that this was not a number (`allowed`: it is one, but not one we call), then ask again.
    AskAgain {
        /// The calling number can be used.
        known: bool,
        /// Why the last try was bad.
        why: BadTry,
    },
    /// Read the typed number back and ask whether it is right.
    ReadBack(Party),
    /// Back to hold, with the place kept.
    BackToHold,
    /// What was promised stays promised: say so, then hang up.
    Keep,
    /// The customer does not want to be called any more: store that. Nothing is said before it is stored.
    Withdraw,
    /// Store it. Nothing is said before it is stored.
    Store(Wish),
    /// Stored: say so, then hang up.
    Promise,
    /// Not stored: apologise, and back to hold.
    Apologise,
    /// Not taken, for there is a promise already: say that it stands, and back to hold.
    Already,
}

impl Step {
    /// What the ladder of the call says of it.
    pub(super) fn noted(&self) -> Option<&'static str> {
        match self {
            Step::Nothing | Step::Hush => None,
            Step::AskNumber { .. } => Some("asks for the number"),
            Step::AskAgain { .. } => Some("asks for the number again"),
            Step::ReadBack(_) => Some("reads the number back"),
            Step::BackToHold => Some("back to hold"),
            Step::Keep => Some("keeps the callback"),
            Step::Withdraw => Some("cancels the callback"),
            Step::Store(_) => Some("stores the promise"),
            Step::Promise => Some("stored: says that we will call back"),
            Step::Apologise => Some("not stored: apologises"),
            Step::Already => Some("a callback is promised already"),
        }
    }
}

/// Why a try was bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadTry {
    /// No number.
    NotANumber,
    /// A number that policy refuses.
    NotAllowed,
    /// Nothing came.
    Pause,
}

/// Whom to call back, and how we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Whom.
    pub(super) party: Party,
    /// As typed or as signalled.
    pub(super) raw: String,
}

/// What the machine needs to know of its caller, read by the switch beforehand.
pub(super) struct Caller<'a> {
    /// The rule in force.
    pub(super) rule: &'a CallbackRule,
    /// The calling number, when it can be called back.
    pub(super) ani: Option<Wish>,
    /// Reads a typed number and judges it.
    pub(super) read: &'a dyn Fn(&str) -> Result<Party, BadTry>,
}

/// One number's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    digits: String,
    bad_tries: u8,
    /// The try ends at the latest here (`entry_total`).
    give_up: Tick,
    /// Ends earlier when no key comes until here (`interdigit`); unset while the prompt plays.
    idle: Option<Tick>,
}

/// Where the dialogue is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Offer {
    /// Music.
    #[default]
    Closed,
    /// The offer is being announced.
    Open,
    /// He rings in while he is promised a call, and is asked what shall become of it.
    Pending {
        /// Without a key he stays on the line: at the latest here.
        give_up: Tick,
        /// Or here, once the question has been heard.
        idle: Option<Tick>,
    },
    /// A number is asked for.
    Entering(Entry),
    /// It was read back.
    Confirming {
        /// What is to be confirmed.
        wish: Wish,
        /// Bad tries so far, and the clock.
        entry: Entry,
    },
    /// On its way to the disk.
    Promising {
        /// The apology is due here.
        until: Tick,
    },
    /// Stored and being said.
    Made,
}

impl Offer {
    /// The announcement has begun.
    pub(super) fn announce(&mut self) {
        if *self == Offer::Closed {
            *self = Offer::Open;
        }
    }

    /// Whether an agent may still be given this caller: not once the wish is being stored (model.md, Order of service).
    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self, Offer::Promising { .. } | Offer::Made)
    }

    /// Whether he is being asked something: whoever answers then breaks in (S2.22).
    pub(super) fn is_a_dialogue(&self) -> bool {
        matches!(self, Offer::Pending { .. } | Offer::Entering(_) | Offer::Confirming { .. })
    }

    /// How many digits of a number have been typed.
    pub(super) fn typed_so_far(&self) -> Option<usize> {
        match self {
            Offer::Entering(entry) => Some(entry.digits.len()),
            Offer::Closed
            | Offer::Open
            | Offer::Pending { .. }
            | Offer::Confirming { .. }
            | Offer::Promising { .. }
            | Offer::Made => None,
        }
    }

    /// Whether music is all there is to hear.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Offer::Closed)
    }

    /// When `pause` is wanted.
    pub(super) fn deadline(&self) -> Option<Tick> {
        match self {
            Offer::Closed | Offer::Open | Offer::Made => None,
            Offer::Entering(entry) | Offer::Confirming { entry, .. } => {
                Some(entry.idle.map_or(entry.give_up, |idle| idle.min(entry.give_up)))
            }
            Offer::Pending { give_up, idle } => Some(idle.map_or(*give_up, |idle| idle.min(*give_up))),
            Offer::Promising { until } => Some(*until),
        }
    }

    /// A customer who is promised a call is asked what shall become of it.
    pub(super) fn ask_pending(now: Tick, rule: &CallbackRule) -> Offer {
        Offer::Pending { give_up: now + rule.entry_total, idle: None }
    }

    /// A key that was pressed shortly before a pause ended the state in which it makes sense belongs to that state
    /// (model.md, DTMF map). `None`: there it would have meant nothing either.
    pub(super) fn late_key(before: &Offer, now: Tick, key: char, caller: &Caller<'_>) -> Option<(Offer, Step)> {
        let mut then = before.clone();
        let step = then.key(now, key, caller);
        match step {
            Step::Nothing if then == *before => None,
            // What plays now belongs to the state that did not come.
            Step::Nothing => Some((then, Step::Hush)),
            step => Some((then, step)),
        }
    }

    /// A key. The caller has checked that the request key may be used now (gates, triggers).
    pub(super) fn key(&mut self, now: Tick, key: char, caller: &Caller<'_>) -> Step {
        let rule = caller.rule;
        match std::mem::take(self) {
            Offer::Closed | Offer::Open if key == rule.request_digit => self.request(now, caller),
            Offer::Closed => Step::Nothing,
            Offer::Open => {
                *self = Offer::Open;
                Step::Nothing
            }
            Offer::Pending { give_up, idle } => match key {
                '1' => Step::Keep,
                '2' => Step::BackToHold,
                '3' => {
                    *self = Offer::Entering(Entry::begin(now, rule, 0));
                    Step::AskNumber { known: caller.ani.is_some() }
                }
                '9' => {
                    *self = Offer::Promising { until: now + PROMISE_WAIT };
                    Step::Withdraw
                }
                _ => {
                    *self = Offer::Pending { give_up, idle };
                    Step::Nothing
                }
            },
            Offer::Entering(_) | Offer::Confirming { .. } if key == rule.cancel_key => Step::BackToHold,
            Offer::Entering(entry) if key == rule.confirm_key => self.end_of_entry(now, entry, caller),
            Offer::Entering(entry) => self.typed(now, entry, key, caller),
            Offer::Confirming { wish, entry } => match key {
                '1' => self.store(now, wish),
                '2' => {
                    *self = Offer::Entering(Entry::begin(now, rule, entry.bad_tries));
                    Step::AskNumber { known: caller.ani.is_some() }
                }
                _ => {
                    *self = Offer::Confirming { wish, entry };
                    Step::Nothing
                }
            },
            // The wish is taken: no key changes it any more.
            confirmed @ (Offer::Promising { .. } | Offer::Made) => {
                *self = confirmed;
                Step::Nothing
            }
        }
    }

    /// The prompt has been heard to its end: the pause begins to count.
    pub(super) fn played(&mut self, now: Tick, rule: &CallbackRule) {
        match self {
            Offer::Open => *self = Offer::Closed,
            Offer::Entering(entry) | Offer::Confirming { entry, .. } => entry.idle = Some(now + rule.interdigit),
            Offer::Pending { idle, .. } => *idle = Some(now + rule.interdigit),
            Offer::Closed | Offer::Promising { .. } | Offer::Made => {}
        }
    }

    /// The instant of `deadline` has come.
    pub(super) fn pause(&mut self, now: Tick, caller: &Caller<'_>) -> Step {
        match std::mem::take(self) {
            Offer::Entering(entry) => self.bad_try(now, entry, BadTry::Pause, caller),
            Offer::Confirming { wish, mut entry } => {
                entry.bad_tries += 1;
                if entry.bad_tries >= caller.rule.entry_tries {
                    return Step::BackToHold;
                }
                let party = wish.party.clone();
                *self = Offer::Confirming { wish, entry: Entry::begin(now, caller.rule, entry.bad_tries) };
                Step::ReadBack(party)
            }
            Offer::Pending { .. } => Step::BackToHold,
            Offer::Promising { .. } => Step::Apologise,
            quiet @ (Offer::Closed | Offer::Open | Offer::Made) => {
                *self = quiet;
                Step::Nothing
            }
        }
    }

    /// The wish is not taken: the customer has a promise already.
    pub(super) fn already(&mut self) -> Step {
        *self = Offer::Closed;
        Step::Already
    }

    /// The disk has answered.
    pub(super) fn stored(&mut self, ok: bool) -> Step {
        match (&*self, ok) {
            (Offer::Promising { .. }, true) => {
                *self = Offer::Made;
                Step::Promise
            }
            (Offer::Promising { .. }, false) => {
                *self = Offer::Closed;
                Step::Apologise
            }
            // Too late: the apology has been said.
            (
                Offer::Closed
                | Offer::Open
                | Offer::Pending { .. }
                | Offer::Entering(_)
                | Offer::Confirming { .. }
                | Offer::Made,
                _,
            ) => Step::Nothing,
        }
    }

    fn request(&mut self, now: Tick, caller: &Caller<'_>) -> Step {
        match (caller.rule.number_capture, &caller.ani) {
            (NumberCapture::AniOnly, Some(wish)) => self.store(now, wish.clone()),
            // A withheld or unusable number is asked for, whatever the rule prefers (C2).
            (NumberCapture::AniOnly | NumberCapture::ConfirmOrEnter, _) => {
                *self = Offer::Entering(Entry::begin(now, caller.rule, 0));
                Step::AskNumber { known: caller.ani.is_some() }
            }
        }
    }

    /// What is too long for a number is typed to its end before that is said: the next digits are not the next number.
    fn typed(&mut self, now: Tick, mut entry: Entry, key: char, caller: &Caller<'_>) -> Step {
        let first = entry.digits.is_empty();
        if key.is_ascii_digit() && entry.digits.len() <= usize::from(caller.rule.max_digits) {
            entry.digits.push(key);
        }
        entry.idle = Some(now + caller.rule.interdigit);
        *self = Offer::Entering(entry);
        if first { Step::Hush } else { Step::Nothing }
    }

    fn end_of_entry(&mut self, now: Tick, entry: Entry, caller: &Caller<'_>) -> Step {
        if entry.digits.is_empty() {
            return match caller.ani.clone() {
                Some(wish) => self.store(now, wish),
                None => self.bad_try(now, entry, BadTry::NotANumber, caller),
            };
        }
        if entry.digits.len() > usize::from(caller.rule.max_digits) {
            return self.bad_try(now, entry, BadTry::NotANumber, caller);
        }
        match (caller.read)(&entry.digits) {
            Ok(party) => {
                let wish = Wish { party: party.clone(), raw: entry.digits.clone() };
                if !caller.rule.read_back {
                    return self.store(now, wish);
                }
                *self = Offer::Confirming { wish, entry: Entry::begin(now, caller.rule, entry.bad_tries) };
                Step::ReadBack(party)
            }
            Err(why) => self.bad_try(now, entry, why, caller),
        }
    }

    fn bad_try(&mut self, now: Tick, entry: Entry, why: BadTry, caller: &Caller<'_>) -> Step {
        let bad_tries = entry.bad_tries + 1;
        if bad_tries >= caller.rule.entry_tries {
            *self = Offer::Closed;
            return Step::BackToHold;
        }
        *self = Offer::Entering(Entry::begin(now, caller.rule, bad_tries));
        Step::AskAgain { known: caller.ani.is_some(), why }
    }

    fn store(&mut self, now: Tick, wish: Wish) -> Step {
        *self = Offer::Promising { until: now + PROMISE_WAIT };
        Step::Store(wish)
    }
}

impl Entry {
    fn begin(now: Tick, rule: &CallbackRule, bad_tries: u8) -> Entry {
        Entry { digits: String::new(), bad_tries, give_up: now + rule.entry_total, idle: None }
    }
}

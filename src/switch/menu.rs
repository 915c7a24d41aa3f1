//! Menus (`[[ivr]]`): a prompt, keys that lead somewhere, and patience that ends.
//!
//! `Saying → Listening → Saying …` until a key of the menu is pressed, which counts at any time, or the prompt has been
//! said `tries` times. A key that leads nowhere ends a try: the prompt is said again at once. Whoever hangs up here, or
//! is hung up on, was lost in the menu (S5.5).

use super::call::Story;
use super::end::EndCause;
use super::{CallTimer, Switch, Timer, say};
use crate::id::{CallRef, LegRef, Name, PlayRef};
use crate::media::Play;
use crate::time::Now;

/// A caller who chooses.
#[derive(Debug)]
pub(super) struct Menu {
    pub(super) caller: LegRef,
    /// Which menu, by name.
    ivr: Name,
    /// How often the prompt has been said.
    said: u8,
    stage: Stage,
}

/// How far a try is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The prompt is played.
    Saying(Option<PlayRef>),
    /// It has been heard; a key is waited for.
    Listening,
}

impl Menu {
    /// Which menu it is.
    pub(super) fn ivr(&self) -> &Name {
        &self.ivr
    }
}

impl Switch {
    /// A call comes into a menu: answered, and told the choice; or sent on when the menu is closed.
    pub(super) fn enter_menu(&mut self, now: Now, id: CallRef, leg: LegRef, ivr: &Name) {
        let settings = self.settings.clone();
        let Some(ivr) = settings.ivr(ivr) else {
            self.turn_away(now, id, leg, 404, Vec::new(), EndCause::NotReachable);
            return;
        };
        if !self.is_open(now, ivr.schedule.as_ref()) {
            self.go_or_say(now, id, leg, ivr.closed_dest.as_ref(), &["closed"], EndCause::Announced);
            return;
        }
        self.answer_once(now, leg);
        if let Some(call) = self.calls.get_mut(&id) {
            call.story = Story::Menu(Menu { caller: leg, ivr: ivr.name.clone(), said: 0, stage: Stage::Saying(None) });
        }
        self.say_menu(now, id);
    }

    /// Says the prompt once more, or sends the caller on when it has been said often enough.
    fn say_menu(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let Some(menu) = self.menu_mut(id) else { return };
        let caller = menu.caller;
        let Some(ivr) = settings.ivr(&menu.ivr) else {
            self.menu_is_gone(now, id, caller);
            return;
        };
        if menu.said >= ivr.tries.max(1) {
            self.go_or_say(now, id, caller, ivr.timeout_dest.as_ref(), &[], EndCause::NoAnswer);
            return;
        }
        menu.said += 1;
        let clips = say::menu(ivr);
        if clips.is_empty() {
            // A silent menu only listens.
            self.listen_for_key(now, id);
            return;
        }
        let play = self.play(caller, Play::Clips { clips, then: None });
        self.timers.cancel(&Timer::Call(id, CallTimer::Dialogue));
        if let Some(menu) = self.menu_mut(id) {
            menu.stage = Stage::Saying(play);
        }
    }

    fn listen_for_key(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let Some(menu) = self.menu_mut(id) else { return };
        menu.stage = Stage::Listening;
        let caller = menu.caller;
        let Some(ivr) = settings.ivr(&menu.ivr) else {
            self.menu_is_gone(now, id, caller);
            return;
        };
        self.timers.set(Timer::Call(id, CallTimer::Dialogue), now.tick + ivr.timeout);
    }

    /// The prompt has been heard to its end.
    pub(super) fn menu_played(&mut self, now: Now, id: CallRef, play: PlayRef) {
        if self.menu_mut(id).is_some_and(|menu| menu.stage == Stage::Saying(Some(play))) {
            self.listen_for_key(now, id);
        }
    }

    /// No key has come.
    pub(super) fn menu_timeout(&mut self, now: Now, id: CallRef) {
        self.say_menu(now, id);
    }

    /// A key, while the prompt is played or after it.
    pub(super) fn menu_key(&mut self, now: Now, id: CallRef, key: char) {
        let settings = self.settings.clone();
        let Some(menu) = self.menu_mut(id) else { return };
        let caller = menu.caller;
        let Some(ivr) = settings.ivr(&menu.ivr) else {
            self.menu_is_gone(now, id, caller);
            return;
        };
        self.note(now, id, format!("key {key}"));
        self.hush(caller);
        match ivr.keys.get(&key) {
            Some(to) => self.go_to(now, id, caller, to),
            None => self.say_menu(now, id),
        }
    }

    /// The site has no such menu any more: whoever was in it hears that he should call later.
    pub(super) fn menu_is_gone(&mut self, now: Now, id: CallRef, caller: LegRef) {
        self.go_or_say(now, id, caller, None, &["call_later"], EndCause::NotReachable);
    }

    /// The caller has hung up in the menu.
    pub(super) fn menu_caller_left(&mut self, now: Now, id: CallRef, cause: EndCause) {
        let Some(caller) = self.menu_mut(id).map(|menu| menu.caller) else { return };
        self.let_go(caller, false);
        self.end_call(now, id, cause);
    }

    fn menu_mut(&mut self, id: CallRef) -> Option<&mut Menu> {
        match &mut self.calls.get_mut(&id)?.story {
            Story::Menu(menu) => Some(menu),
            Story::Waiting(_)
            | Story::Direct(_)
            | Story::Attempt(_)
            | Story::Talking(_)
            | Story::Announcing { .. }
            | Story::Over => None,
        }
    }
}

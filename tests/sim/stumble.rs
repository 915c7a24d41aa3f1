//! Faults of the switch's own: it is made to stumble in the middle of an input, now and then or when a scenario says
//! so. Every other panic in it is what it always was: the end of the test.

use super::flight::Tape;
use super::world::World;
use ringback::entropy::Entropy;
use ringback::flight::record::Beginning;
use ringback::id::{CallRef, ReplyTo};
use ringback::switch::command::Command;
use ringback::switch::{Fault, Input, Output, Switch};
use ringback::time::{Now, Tick};
use std::panic::resume_unwind;
use std::sync::Once;

/// Whether this build has a switch that can be made to stumble.
pub const CAN_STUMBLE: bool = cfg!(any(debug_assertions, feature = "interop"));

/// Whether an input is of the kind that is meant.
type Kind = fn(&Input) -> bool;

/// How often, and what came of it.
#[derive(Default)]
pub struct Stumbles {
    /// One input in so many, by these dice.
    pub now_and_then: Option<(u64, Entropy)>,
    /// At the first input of this kind, after so many steps.
    pub at: Option<(Kind, u32)>,
    /// A flight recorder, if one runs.
    pub tape: Option<Tape>,
    /// When, and whose call it cost.
    pub faults: Vec<(Tick, Option<CallRef>)>,
}

/// What a test says when it lets the switch stumble.
const STUMBLED: &str = "a test lets the switch stumble";
/// Nobody waits for the reply.
const NOBODY: ReplyTo = ReplyTo(0);

#[cfg(any(debug_assertions, feature = "interop"))]
fn stumble(steps: u32) -> Command {
    Command::Stumble(steps)
}

#[cfg(not(any(debug_assertions, feature = "interop")))]
fn stumble(_steps: u32) -> Command {
    Command::Status
}

/// A panic that is wanted is no news: whoever reads what a test prints looks for the other ones.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match panic.payload().downcast_ref::<&str>() {
            Some(&STUMBLED) => {}
            Some(_) | None => before(panic),
        }));
    });
}

impl Stumbles {
    /// What makes the switch stumble at this input, if it is to.
    pub fn wants(&mut self, input: &Input) -> Option<Input> {
        let dice = self.now_and_then.as_mut().filter(|_| !matches!(input, Input::Command(..)));
        let drawn = dice.and_then(|(one_in, dice)| (dice.below(*one_in) == 0).then(|| dice.below(16)));
        let steps = drawn.map(|steps| u32::try_from(steps).expect("a few"));
        let steps = steps.or_else(|| self.at.take_if(|(kind, _)| kind(input)).map(|(_, steps)| steps));
        if steps.is_some() {
            keep_quiet();
        }
        steps.map(|steps| Input::Command(stumble(steps), NOBODY))
    }

    /// Gives the switch an input, as the shell does.
    pub fn handle(&mut self, switch: &mut Switch, now: Now, input: Input) {
        if let Some(tape) = &mut self.tape {
            tape.input(now, &input, switch);
        }
        if let Err(fault) = switch.handle_guarded(now, input) {
            if let Some(tape) = &mut self.tape {
                tape.fault(now, &fault);
            }
            self.note(now, fault);
        }
    }

    /// A switch begins.
    pub fn begin(&mut self, beginning: &Beginning) {
        if let Some(tape) = &mut self.tape {
            tape.begin(beginning);
        }
    }

    /// It has asked for this.
    pub fn note_output(&mut self, output: &Output) {
        if let Some(tape) = &mut self.tape {
            tape.output(output);
        }
    }

    fn note(&mut self, now: Now, fault: Fault) {
        if fault.message != STUMBLED || !fault.mended {
            resume_unwind(Box::new(fault.message));
        }
        self.faults.push((now.tick, fault.call));
    }
}

impl World {
    /// Gives the switch an input and carries out what it asks for.
    pub fn handle(&mut self, input: Input) {
        if let Some(stumble) = self.stumbles.wants(&input) {
            self.give(stumble);
        }
        self.give(input);
    }

    /// The switch stumbles after so many steps of the very next input, if it has so many.
    pub fn fault_next(&mut self, steps: u32) {
        keep_quiet();
        self.give(Input::Command(stumble(steps), NOBODY));
    }

    /// The switch stumbles after so many steps of the next input of this kind, if it has so many.
    pub fn fault_at(&mut self, kind: fn(&Input) -> bool, steps: u32) {
        self.stumbles.at = Some((kind, steps));
    }
}

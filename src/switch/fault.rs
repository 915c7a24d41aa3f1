//! A fault of ours: something below panics while an input is handled. It must cost the call it belonged to and
//! nothing else, so that call ends, and whatever was torn off half done is put right: legs without a call, places
//! without anybody in them, attempts that nobody makes, ports that nobody holds.
//!
//! Which call it was is noted as the input is handled (`Suspect`). A promise is not lost by it: its attempt is closed
//! uncounted and the task waits again, as after a restart (interface.md, Settled 7). A second panic while things are
//! put right is the end of this switch: half a switch would be worse than none.

use super::attempt::{Said, Stage};
use super::call::Story;
use super::command::{Command, Refused, Reply};
use super::durable::{Owed, Pending};
use super::end::EndCause;
use super::lever::Pulled;
use super::never::Edit;
use super::record::Hold;
use super::site::Edition;
use super::{AuditRecord, Change, Input, NotStored, Output, Switch, Timer, event};
use crate::callback::retry::{self, Next, Verdict};
use crate::callback::task::{Outcome, Task};
use crate::id::{CallRef, LegRef, Name, ReplyTo, TaskId, Ticket, TransactionRef};
use crate::queue::line::{Kind as EntryKind, Standing};
use crate::settings::Settings;
use crate::sip::user_agent::Event;
use crate::time::Now;
use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A panic, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it said.
    pub message: String,
    /// The call that it cost; `None`: it belonged to none.
    pub call: Option<CallRef>,
    /// Everything was put right; if not, this switch must not be used any more.
    pub mended: bool,
}

/// What is being handled, as far as a fault would have to know.
#[derive(Debug, Default)]
pub(super) struct Suspect {
    call: Option<CallRef>,
    transaction: Option<TransactionRef>,
    taken: Option<Taken>,
}

/// What the disk has just taken, and the switch may not hold yet. After a fault it holds it all the same: the disk's
/// word is the last one.
#[derive(Debug)]
enum Taken {
    /// A new callback.
    Task(Box<Task>),
    /// A number that is never called, or is again.
    Never(Box<Edit>),
    /// A recording that is held, or no longer.
    Hold(Box<Hold>),
    /// Another edition of the site, and what held before.
    Site { to: ReplyTo, settings: Arc<Settings>, audit: Vec<AuditRecord>, before: Box<Edition> },
}

/// Where tests let the switch stumble: builds for production have no such place.
#[derive(Debug, Default)]
pub(super) struct Trap {
    #[cfg(any(debug_assertions, feature = "interop"))]
    steps: Option<u32>,
    #[cfg(any(debug_assertions, feature = "interop"))]
    next: Option<u32>,
}

impl Trap {
    /// Springs after so many steps of the next input, if it has so many.
    #[cfg(any(debug_assertions, feature = "interop"))]
    pub(super) fn set(&mut self, steps: u32) {
        self.next = Some(steps);
    }

    /// Another input is handled.
    pub(super) fn begin(&mut self) {
        #[cfg(any(debug_assertions, feature = "interop"))]
        {
            self.steps = self.next.take();
        }
    }

    /// One step.
    #[inline]
    pub(super) fn step(&mut self) {
        #[cfg(any(debug_assertions, feature = "interop"))]
        match self.steps {
            Some(0) => {
                self.steps = None;
                panic!("a test lets the switch stumble");
            }
            Some(left) => self.steps = Some(left - 1),
            None => {}
        }
    }
}

impl Switch {
    /// `handle`, with the panic in it caught: the call that it belonged to has ended, its legs are told, and the
    /// others go on. Outputs lie ready either way.
    pub fn handle_guarded(&mut self, now: Now, input: Input) -> Result<(), Fault> {
        self.suspect = Suspect::default();
        let missing = self.books_told;
        let mut input = Some(input);
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.take(now, &mut input))) else { return Ok(()) };
        let message = said(&*panic);
        // A call of which nothing is known any more had ended before.
        let call = self.suspect.call;
        let mended = catch_unwind(AssertUnwindSafe(|| {
            self.mend(self.seen); // As it is believed to be.
            if input.is_some() {
                self.take(now, &mut input); // It was not to blame, and is nowhere else.
            }
            self.balance();
        }));
        // A callback that has slipped away is on the disk, where a new switch finds it.
        let mended = mended.is_ok() && self.books_told == missing;
        Err(Fault { message, call, mended })
    }

    /// An input is a command, which may name a call.
    pub(super) fn suspect_command(&mut self, command: &Command) {
        let call = match command {
            Command::HangUpCall(call) => Some(*call),
            Command::CancelCallback(task)
            | Command::CallbackNow(task)
            | Command::KeepCallback(task)
            | Command::PostponeCallback(task, _) => self.attempt_calls.get(task).copied(),
            _ => None, // It is about the site, or about nothing that changes.
        };
        self.suspect = Suspect { call, ..Suspect::default() };
    }

    /// What happens to a leg happens to its call.
    pub(super) fn suspect_leg(&mut self, leg: LegRef) {
        let call = self.legs.get(&leg).map(|leg| leg.call);
        self.suspect = Suspect { call, ..Suspect::default() };
    }

    /// A call is being worked on.
    pub(super) fn suspect_call(&mut self, call: CallRef) {
        self.suspect.call = Some(call);
    }

    /// Nothing that belongs to a call is being worked on.
    pub(super) fn suspect_nobody(&mut self) {
        self.suspect = Suspect::default();
    }

    /// What the user agent has to say.
    pub(super) fn suspect_event(&mut self, event: &Event) {
        match event {
            Event::Asked { transaction, .. } => {
                self.suspect = Suspect { transaction: Some(*transaction), ..Suspect::default() };
            }
            Event::Invited { leg, .. }
            | Event::Progress { leg, .. }
            | Event::Answered { leg, .. }
            | Event::Refused { leg, .. }
            | Event::Confirmed { leg, .. }
            | Event::Offered { leg, .. }
            | Event::OfferRefused { leg, .. }
            | Event::InfoDigit { leg, .. }
            | Event::Ended { leg, .. } => self.suspect_leg(*leg),
            Event::Response { .. } => self.suspect_nobody(),
            Event::Trace { .. } => {} // It belongs to what comes next.
        }
    }

    /// A deadline has come.
    pub(super) fn suspect_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Call(call, _) => self.suspect = Suspect { call: Some(call), ..Suspect::default() },
            Timer::Probe(leg) => self.suspect_leg(leg),
            Timer::TellAgain | Timer::Pulse | Timer::AskTalks => self.suspect_nobody(),
        }
    }

    /// The disk has answered.
    pub(super) fn suspect_commit(&mut self, pending: &Pending, stored: Result<(), NotStored>) {
        let is_stored = stored.is_ok();
        let new = |task: &Task| is_stored.then(|| Taken::Task(Box::new(task.clone())));
        let nobody = Suspect::default();
        self.suspect = match pending {
            Pending::Promise(promise) => Suspect { call: Some(promise.call), taken: new(&promise.task), ..nobody },
            Pending::Missed(missed) => Suspect { taken: new(missed.task()), ..nobody },
            Pending::Reply { task, is_new: true, .. } => Suspect { taken: new(task), ..nobody },
            Pending::Never(edit) => Suspect { taken: is_stored.then(|| Taken::Never(edit.clone())), ..nobody },
            Pending::Hold(hold) => Suspect { taken: is_stored.then(|| Taken::Hold(hold.clone())), ..nobody },
            Pending::Site { to, settings, audit } if is_stored => {
                let before = Box::new(self.edition());
                let taken = Taken::Site { to: *to, settings: settings.clone(), audit: audit.clone(), before };
                Suspect { taken: Some(taken), ..nobody }
            }
            Pending::Attempt { call, .. } | Pending::Dial { call } | Pending::Withdrawal { call, .. } => {
                Suspect { call: Some(*call), ..nobody }
            }
            Pending::Bindings { transaction, .. } => Suspect { transaction: Some(*transaction), ..nobody },
            _ => nobody, // About the site, or nobody's.
        };
    }
}

// --- Putting right ---
impl Switch {
    fn mend(&mut self, now: Now) {
        let Suspect { call, transaction, taken } = std::mem::take(&mut self.suspect);
        self.early_ladder.clear();
        self.admitted = None;
        self.move_along();
        if let Some(transaction) = transaction.filter(|it| !self.is_being_answered(*it)) {
            self.ua.respond(now.tick, transaction, 500, Vec::new());
        }
        if let Some(call) = call {
            self.end_at_fault(now, call);
        }
        let taken = match taken {
            Some(Taken::Task(task)) => {
                self.hold_stored(now, *task);
                None
            }
            of_the_site => of_the_site,
        };
        for call in self.torn_calls() {
            self.end_by_force(now, call);
        }
        self.mend_legs(now);
        // Nobody has taken these in, or they were let go of before they were told; whoever was told is not told again.
        for leg in self.ua.legs().into_iter().filter(|leg| !self.legs.contains_key(leg)) {
            self.ua.refuse(now.tick, leg, 500, Vec::new());
            self.ua.hang_up(now.tick, leg, None);
        }
        self.take_looks();
        self.mend_closed();
        self.mend_tasks(now);
        if let Some(taken) = taken {
            self.hold_site(now, taken);
        }
        self.mend_levers();
        self.mend_trunks(now);
        self.mend_entries(now);
        self.mend_lines();
        self.mend_timers(now);
        self.mend_answers();
        self.publish(event::Event::SwitchFault { call });
        self.serve_wanted = true;
        self.settle(now);
    }

    /// What the disk has taken of the site is done once more, unless somebody was told already that it is done.
    fn hold_site(&mut self, now: Now, taken: Taken) {
        match taken {
            Taken::Never(edit) if self.asked.waiting.contains(&edit.to) => self.never_committed(now, *edit, Ok(())),
            Taken::Hold(hold) if self.is_untold(hold.to) => self.hold_committed(*hold, Ok(())),
            Taken::Site { to, settings, audit, before } if self.asked.waiting.contains(&to) => {
                self.back_to(*before);
                self.site_committed(now, to, &settings, audit, Ok(()));
            }
            Taken::Never(_) | Taken::Hold(_) | Taken::Site { .. } | Taken::Task(_) => {}
        }
    }

    /// Whether somebody has no answer, and the disk has nothing on its way that brings him one.
    fn is_untold(&self, to: ReplyTo) -> bool {
        self.asked.waiting.contains(&to) && !self.commits.values().any(|(pending, _)| pending.asked_by() == Some(to))
    }

    /// Trunks that wait for what nobody has asked, or for what has been heard already, begin anew.
    fn mend_trunks(&mut self, now: Now) {
        let alive = self.ua.requests();
        self.requests.retain(|request, _| alive.contains(request));
        self.asked.probes.retain(|request, _| alive.contains(request));
        let asked = |trunk: &str, kind| self.requests.values().any(|(name, of)| **name == *trunk && *of == kind);
        let sought = |trunk: &str| self.lookups.values().any(|name| **name == *trunk);
        self.trunks.mend(now, asked, sought);
    }

    /// Whoever has asked, and for whom nothing is on its way any more, hears what has happened.
    fn mend_answers(&mut self) {
        let of_disk = self.commits.values().filter_map(|(pending, _)| pending.asked_by());
        let of_levers = self.levers.iter().map(Pulled::to);
        let awaited: BTreeSet<ReplyTo> =
            of_disk.chain(of_levers).chain(self.asked.probes.values().map(|probe| probe.to)).collect();
        for to in self.asked.waiting.difference(&awaited).copied().collect::<Vec<_>>() {
            self.reply(to, Reply::Refused(Refused::Fault));
        }
    }

    fn is_being_answered(&self, asked: TransactionRef) -> bool {
        let waits =
            |pending: &Pending| matches!(pending, Pending::Bindings { transaction, .. } if *transaction == asked);
        self.commits.values().any(|(pending, _)| waits(pending))
    }

    /// The call of the fault ends: as it would by anybody's order if its story is whole, by force if not.
    fn end_at_fault(&mut self, now: Now, id: CallRef) {
        match self.calls.get(&id).map(|call| &call.story) {
            Some(Story::Attempt(_)) => {
                let outcome = self.calls.get(&id).and_then(|call| call.task).map(|task| self.cut(task));
                self.finish_attempt(now, id, outcome.unwrap_or(Outcome::SystemRestart), Duration::ZERO);
            }
            Some(Story::Over) | None => {}
            Some(
                Story::Waiting(_) | Story::Menu(_) | Story::Direct(_) | Story::Talking(_) | Story::Announcing { .. },
            ) => {
                self.end_any_call(now, id, EndCause::Fault);
            }
        }
        self.end_by_force(now, id);
    }

    /// Whatever is left of a call goes: legs, tape, attempt, record.
    fn end_by_force(&mut self, now: Now, id: CallRef) {
        self.end_tape(id);
        let legs: Vec<LegRef> = self.legs.iter().filter(|(_, leg)| leg.call == id).map(|(leg, _)| *leg).collect();
        for leg in legs {
            self.hang_up(now, leg, None);
        }
        let tasks = self.attempt_calls.iter().filter(|(_, call)| **call == id).map(|(task, _)| *task);
        for task in tasks.collect::<Vec<_>>() {
            let outcome = self.cut(task);
            self.conclude(now, id, task, outcome, Duration::ZERO);
        }
        self.end_call(now, id, EndCause::Fault);
    }

    /// How an attempt ends that a fault of ours has cut: as one that a restart has.
    fn cut(&mut self, task: TaskId) -> Outcome {
        let now = self.seen.utc;
        self.open_attempt(task).map_or(Outcome::SystemRestart, |attempt| retry::interrupted(attempt, now).0)
    }

    /// How the attempt of a talk ends that a fault of ours has cut: who has talked long enough was served; about
    /// everybody else who has answered people decide, and it does not count against him.
    pub(super) fn attempt_talk_cut(&mut self, now: Now, id: CallRef, talked: Duration) {
        let Some(task) = self.calls.get(&id).and_then(|call| call.task) else { return };
        let least = self.loaded(id).map_or(Duration::ZERO, |profile| profile.success_min_talk);
        let was_served = !talked.is_zero() && talked > least;
        let outcome = if was_served { Outcome::Success } else { self.cut(task) };
        self.conclude(now, id, task, outcome, talked);
    }

    /// Calls that were torn off in the middle: their story is taken away and not given back, nobody is on the line,
    /// they wait for a commit that nobody has on its way, or in a line that they have left.
    fn torn_calls(&self) -> Vec<CallRef> {
        let reserved: BTreeSet<CallRef> = self
            .commits
            .values()
            .filter_map(|(pending, _)| match pending {
                Pending::Attempt { call, .. } => Some(*call),
                _ => None, // No call begins with it.
            })
            .collect();
        let with_legs: BTreeSet<CallRef> = self.legs.values().map(|leg| leg.call).collect();
        let torn = self.calls.values().filter(|call| match &call.story {
            Story::Over => true,
            Story::Attempt(attempt) => matches!(attempt.stage, Stage::Reserving) && !reserved.contains(&call.id),
            Story::Waiting(waiting) if !waiting.offer.is_confirmed() => {
                let line = self.lines.get(&waiting.queue);
                !with_legs.contains(&call.id) || line.is_none_or(|line| line.entry(waiting.ticket).is_none())
            }
            Story::Waiting(_) | Story::Menu(_) | Story::Direct(_) | Story::Talking(_) | Story::Announcing { .. } => {
                !with_legs.contains(&call.id)
            }
        });
        torn.map(|call| call.id).collect()
    }

    /// A callback that the disk has taken and nobody holds: it is promised, or asked for.
    fn hold_stored(&mut self, now: Now, mut task: Task) {
        if self.planner.get(task.id).is_some() || self.closed.contains_key(&task.id) || task.state.is_final() {
            return;
        }
        self.books.made += 1;
        let is_taken_back =
            |change: &Change| matches!(change, Change::PutTask(it) if it.id == task.id && it.state.is_final());
        let mut outputs = self.out.iter();
        if outputs.any(|it| matches!(it, Output::Commit(_, changes) if changes.iter().any(is_taken_back))) {
            return; // It does not hold, and the disk was told so.
        }
        let settings = self.settings.clone();
        // What it was to take the place of may be open still: one number has one callback.
        let older = self.merge(&mut task);
        self.close_merged(now, &older);
        if !older.is_empty() {
            self.commit(vec![Change::PutTask(Box::new(task.clone()))], Pending::Told);
        }
        self.line_up(&task);
        self.planner.put(now.utc, &settings, task);
    }

    /// Tasks that the planner has let go of and the disk was told of, and then nobody: they are closed.
    fn mend_closed(&mut self) {
        let told = self.out.iter().flat_map(|output| match output {
            Output::Commit(_, changes) => changes.as_slice(),
            _ => &[], // Nothing else reaches the disk.
        });
        let ended = told.filter_map(|change| match change {
            Change::PutTask(task) if task.state.is_final() => Some(Task::clone(task)),
            _ => None, // It says nothing of an end.
        });
        for task in ended.collect::<Vec<_>>() {
            if self.planner.get(task.id).is_none() && !self.closed.contains_key(&task.id) {
                self.task_closed(task);
            }
        }
    }

    /// Tasks whose attempt nobody makes any more, and attempts that ended without their tasks hearing of it.
    fn mend_tasks(&mut self, now: Now) {
        let settings = self.settings.clone();
        let is_made = |id: &TaskId| self.attempt_calls.get(id).is_some_and(|call| self.calls.contains_key(call));
        let stuck = self.planner.iter().filter(|task| task.state.is_live() && !is_made(&task.id));
        for id in stuck.map(|task| task.id).collect::<Vec<_>>() {
            self.attempt_calls.remove(&id);
            let outcome = self.cut(id);
            if let Some(attempt) = self.open_attempt(id) {
                attempt.outcome = Some(outcome);
                attempt.ended_at = Some(now.utc);
            }
            let last = self.attempts.get(&id).and_then(|attempts| attempts.last()).cloned();
            let ended = last.as_ref().and_then(|attempt| attempt.outcome.zip(attempt.ended_at));
            let (outcome, at) = ended.unwrap_or((Outcome::SystemRestart, now.utc));
            let nobody = CallRef(ulid::Ulid::nil());
            let again = || Verdict::uncounted(Next::Again(retry::after_restart(Duration::ZERO, now.utc)));
            let verdict = self.verdict(nobody, id, outcome, at, Said::Nothing).unwrap_or_else(again);
            let Some(task) = self.planner.conclude(now.utc, &settings, id, verdict) else { continue };
            let mut changes = vec![Change::PutTask(Box::new(task.clone()))];
            changes.extend(last.map(|attempt| Change::PutAttempt(Box::new(attempt))));
            self.commit(changes, Pending::Told);
            self.tell_lost(&task, verdict);
            self.reopen_place(&task);
            if task.state.is_final() {
                self.task_closed(task);
            }
        }
    }

    /// Callers in line, as the disk knows them, whose call has gone without a word: lost by us (S3.2).
    fn mend_entries(&mut self, now: Now) {
        let awaited = |call: CallRef| self.commits.values().any(|(pending, _)| is_promise_of(pending, call));
        self.left_promising = self.left_promising.iter().copied().filter(|call| awaited(*call)).collect();
        let gone = self.entries.keys().copied().filter(|call| !self.calls.contains_key(call)).collect::<Vec<_>>();
        let lost = gone.iter().filter_map(|call| self.entries.remove(call)).collect();
        self.lose_entries(now, lost);
    }

    /// Places in line that are nobody's, and open callbacks without one.
    fn mend_lines(&mut self) {
        let mut empty: Vec<(Name, Ticket)> = Vec::new();
        let mut idle: Vec<(Name, Ticket)> = Vec::new();
        let mut live: Vec<CallRef> = Vec::new();
        for (queue, line) in &self.lines {
            for entry in line.iter() {
                let place = (queue.clone(), entry.ticket);
                match entry.kind {
                    EntryKind::Live(call) => {
                        let waits = self.waiting(call).is_some_and(|waiting| waiting.ticket == entry.ticket);
                        let is_promised = self.left_promising.contains(&call);
                        match (waits, is_promised) {
                            (true, _) => live.push(call),
                            (false, true) => {}
                            (false, false) => empty.push(place),
                        }
                    }
                    EntryKind::Promise(task) => match self.planner.get(task) {
                        Some(task) if task.queue != *queue || task.rests() => empty.push(place),
                        Some(task) if !task.state.is_live() => idle.push(place),
                        Some(_) => {}
                        None => empty.push(place),
                    },
                }
            }
        }
        for (queue, ticket) in empty {
            self.lines.get_mut(&queue).and_then(|line| line.leave(ticket));
        }
        for (queue, ticket) in idle {
            self.lines.get_mut(&queue).map(|line| line.set_standing(ticket, Standing::Open));
        }
        for call in live {
            self.keep_standing(call);
        }
        let open = self.planner.iter().filter(|task| !task.rests());
        let has_place = |task: &&Task| self.lines.get(&task.queue).is_none_or(|line| line.ticket_of(task.id).is_some());
        for task in open.filter(|task| !has_place(task)).cloned().collect::<Vec<_>>() {
            self.line_up(&task);
        }
    }

    /// Deadlines of what is not there any more; and what was on its way to be told is told.
    fn mend_timers(&mut self, now: Now) {
        let (calls, legs) = (&self.calls, &self.legs);
        self.timers.retain(|timer| match timer {
            Timer::Call(call, _) => calls.contains_key(call),
            Timer::Probe(leg) => legs.contains_key(leg),
            Timer::TellAgain | Timer::AskTalks => true,
            Timer::Pulse => false, // Set again when somebody talks.
        });
        self.mend_talks(now);
        // What was changed in memory and not told: everything whose attempt was under way is told once more.
        let live = self.attempt_calls.keys().copied().collect::<Vec<TaskId>>();
        self.owed.extend(live.into_iter().map(Owed::Task));
        self.timers.set(Timer::TellAgain, now.tick);
    }
}

fn is_promise_of(pending: &Pending, call: CallRef) -> bool {
    matches!(pending, Pending::Promise(promise) if promise.call == call)
}

/// What a panic said.
pub fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

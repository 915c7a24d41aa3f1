//! The judge: whether all of it happened to one customer. What phones heard, what the switch says, what its store holds
//! when it has ended, and what lies in the recordings have to agree; the first thing that did not happen is said in
//! one sentence.

use super::cast::{AGENTS, CUSTOMERS, Customer, Plan};
use super::story::{CARRIER, Guest, Serve, Story};
use super::tape::Tape;
use super::verdict::{Facts, Row};
use crate::callback::task::{Attempt, Outcome, Source, TaskState};
use crate::switch::RecordingRecord;
use crate::switch::view::Callback;
use crate::time::{DateTime, Utc};
use std::path::Path;
use std::time::Duration;

/// Tenths of a second of each thing that must have been heard.
const MUSIC: usize = 5;
const PROMISE: usize = 5;
const PROMPT: usize = 3;
const NOTICE: usize = 5;
const VOICE: usize = 10;

/// Everyone in a line is served in order of place: the first ring for each customer at any agent's phone.
pub fn out_of_order(story: &Story) -> Option<String> {
    let mut firsts: Vec<usize> = Vec::new();
    for serve in &story.serves {
        if !firsts.contains(&serve.customer) {
            firsts.push(serve.customer);
        }
    }
    let place = |customer: &usize| story.guests[*customer].place;
    let lines = firsts.iter().enumerate().flat_map(|(at, later)| firsts[..at].iter().map(move |first| (first, later)));
    let mut pairs = lines.filter(|(first, later)| CUSTOMERS[**first].line() == CUSTOMERS[**later].line());
    let (later, earlier) = pairs.find(|(first, later)| place(first) >= place(later))?;
    let [earlier, later] = [earlier, later].map(|customer| CUSTOMERS[*customer].name);
    Some(format!("{later} was served before {earlier}, who had the earlier place"))
}

/// See the module.
pub struct Judge<'a> {
    /// What happened.
    pub story: &'a Story,
    /// What the switch says of it.
    pub facts: &'a Facts,
    /// Where its recordings lie.
    pub data: &'a Path,
    /// Index into the cast.
    pub at: usize,
}

impl Judge<'_> {
    /// The customer's row.
    pub fn row(&self) -> Row {
        let (customer, guest) = (&CUSTOMERS[self.at], &self.story.guests[self.at]);
        let served = self.served();
        let callback = self.callback();
        let recording = self.recording().and_then(|record| record.path.clone());
        let tape = recording.as_ref().and_then(|path| Tape::read(&self.data.join(path)).ok());
        let missing = self.check(customer, guest, served, recording.as_deref()).err();
        Row {
            customer: customer.name,
            number: customer.number,
            place: guest.place,
            served: match (callback, served) {
                (Some(_), _) => "callback",
                (None, Some(_)) => "live",
                (None, None) => "-",
            },
            agent: served.map(|serve| AGENTS[serve.agent].name),
            attempts: callback.map(outcomes).unwrap_or_default(),
            waited_secs: served.and_then(|serve| serve.joined).map(|joined| tenths(joined.since(guest.dialled))),
            talked_secs: tape.as_ref().map(Tape::secs).map(|secs| (secs * 10.0).round() / 10.0),
            how: if missing.is_none() { self.how(customer, guest) } else { None },
            missing,
            recording,
        }
    }

    fn callback(&self) -> Option<&Callback> {
        let task = self.story.guests[self.at].task?;
        self.facts.callbacks.iter().find(|callback| callback.task.id == task)
    }

    fn served(&self) -> Option<&Serve> {
        self.story.serves.iter().find(|serve| serve.customer == self.at && serve.joined.is_some())
    }

    /// The one of the attempt that succeeded, or of the customer's own call.
    fn recording(&self) -> Option<&RecordingRecord> {
        let mut records = self.facts.recordings.iter();
        match self.callback() {
            Some(callback) => {
                let id = callback.attempts.last()?.recording?;
                records.find(|record| record.id == id)
            }
            None => records.find(|record| record.number == CUSTOMERS[self.at].number),
        }
    }

    fn check(
        &self,
        customer: &Customer,
        guest: &Guest,
        served: Option<&Serve>,
        recording: Option<&str>,
    ) -> Result<(), String> {
        let name = customer.name;
        let is_so = |so: bool, sentence: &str| if so { Ok(()) } else { Err(format!("{name} {sentence}")) };
        let (Some(visit), Some(answered)) = (guest.visit, guest.answered) else {
            return Err(format!("{name} did not get through to the queue"));
        };
        is_so(guest.place.is_some(), "got no place in line")?;
        let ear = self.story.heard(CARRIER, visit);
        let agent_came = || served.and_then(|serve| serve.agent_answered);
        let music_until = guest.pressed.or_else(agent_came).or(guest.left).unwrap_or(answered);
        is_so(ear.between(answered, music_until) >= MUSIC, "heard no music while waiting")?;
        match customer.plan {
            Plan::Stays => is_so(guest.task.is_none(), "pressed nothing and was promised a callback")?,
            Plan::GivesUp => {
                is_so(guest.task.is_some(), "was missed, and nobody was to call back")?;
                is_so(guest.pressed.is_none() && guest.promised.is_none(), "was to press nothing")?;
                self.check_callback(customer)?;
            }
            Plan::HearsItOut | Plan::AsksBeforeOpening | Plan::BusyOnce | Plan::HasMachine | Plan::TypesNumber => {
                self.check_promise(name, guest)?;
                self.check_callback(customer)?;
            }
        }
        let Some(serve) = served else {
            return Err(format!("{name} never talked to an agent"));
        };
        self.check_talk(customer, serve)?;
        let path = recording.ok_or_else(|| format!("the conversation with {name} was not recorded"))?;
        let heard =
            Tape::read(&self.data.join(path)).and_then(|tape| tape.holds(AGENTS[serve.agent].pitch, customer.pitch));
        heard.map_err(|flaw| format!("the recording of {name} {}", flaw.words()))
    }

    fn check_promise(&self, name: &str, guest: &Guest) -> Result<(), String> {
        let (Some(visit), Some(promised), Some(left)) = (guest.visit, guest.promised, guest.left) else {
            return Err(format!("{name} was not promised a callback"));
        };
        if self.story.heard(CARRIER, visit).between(promised, left) < PROMISE {
            return Err(format!("{name} did not hear the promise"));
        }
        Ok(())
    }

    /// What became of the callback: as the switch says, and as its store holds it.
    fn check_callback(&self, customer: &Customer) -> Result<(), String> {
        let name = customer.name;
        let Some(callback) = self.callback() else {
            return Err(format!("the switch does not know the callback of {name}"));
        };
        let (task, attempts) = (&callback.task, &callback.attempts);
        if task.state != TaskState::Completed {
            return Err(format!("the callback of {name} is {} and not completed", task.state.word()));
        }
        let source = if customer.plan == Plan::GivesUp { Source::MissedQueue } else { Source::QueueRequest };
        if task.source != source {
            return Err(format!("the callback of {name} has another source than it should"));
        }
        let (outcomes, wanted) = (outcomes(callback), wanted(customer.plan));
        if outcomes != wanted {
            let (were, not) = (outcomes.join(", "), wanted.join(", "));
            return Err(format!("the attempts for {name} were {were} and not {not}"));
        }
        let pause = pause(attempts);
        if pause.is_some_and(|pause| pause < self.story.retry) {
            return Err(format!("{name} was called again too soon"));
        }
        match customer.plan {
            Plan::AsksBeforeOpening => self.check_opening(name, callback)?,
            Plan::HasMachine if self.keys_at_machine() != "19" || task.reschedules.agent != 1 => {
                return Err(format!("no agent asked for another try for {name} with 9"));
            }
            Plan::HasMachine | Plan::HearsItOut | Plan::BusyOnce | Plan::GivesUp | Plan::Stays | Plan::TypesNumber => {}
        }
        if self.is_stored(callback) { Ok(()) } else { Err(format!("the store does not hold what was done for {name}")) }
    }

    /// Whether the store, read when the switch has ended, says the same.
    fn is_stored(&self, callback: &Callback) -> bool {
        let task = self.facts.stored_tasks.iter().find(|task| task.id == callback.task.id);
        let same_task = task.is_some_and(|task| {
            task.state == callback.task.state
                && task.source == callback.task.source
                && task.closed_at == callback.task.closed_at
        });
        same_task
            && callback.attempts.iter().all(|attempt| {
                let stored = self.facts.stored_attempts.iter().find(|stored| stored.id == attempt.id);
                stored.is_some_and(|stored| {
                    stored.outcome == attempt.outcome
                        && stored.loaded_at == attempt.loaded_at
                        && stored.recording == attempt.recording
                })
            })
    }

    fn check_opening(&self, name: &str, callback: &Callback) -> Result<(), String> {
        let opening = self.facts.opening;
        let at_first = self.story.guests[self.at].at_first;
        let waits = at_first.is_some_and(|it| it.state == TaskState::Deferred && it.next_at == Some(opening));
        if !waits || callback.task.created_at >= opening {
            return Err(format!("the callback of {name} did not wait for the office to open"));
        }
        if callback.attempts.iter().any(|attempt| attempt.loaded_at < opening) {
            return Err(format!("{name} was called back before the office had opened"));
        }
        Ok(())
    }

    fn keys_at_machine(&self) -> &str {
        let machine = self.story.serves.iter().find(|serve| serve.customer == self.at && serve.machine);
        machine.map_or("", |serve| serve.keys.as_str())
    }

    /// What was special about it.
    fn how(&self, customer: &Customer, guest: &Guest) -> Option<String> {
        let callback = self.callback()?;
        let (first, secs) = (callback.attempts.first()?, |time: Duration| tenths(time));
        let again = || pause(&callback.attempts).map(secs);
        match customer.plan {
            Plan::AsksBeforeOpening => Some(format!(
                "asked {:.1} s before the office opened, and was first tried {:.1} s after",
                tenths(between(callback.task.created_at, self.facts.opening)),
                tenths(between(self.facts.opening, first.loaded_at)),
            )),
            Plan::BusyOnce => Some(format!("was busy, and was tried again after {:.1} s", again()?)),
            Plan::HasMachine => {
                Some(format!("had a machine; the agent pressed 9, and it was tried again after {:.1} s", again()?))
            }
            Plan::GivesUp => Some(format!(
                "hung up without a key after {:.1} s: a missed call, and a rule made a callback of it",
                tenths(guest.left?.since(guest.answered?)),
            )),
            Plan::HearsItOut | Plan::Stays | Plan::TypesNumber => None,
        }
    }

    fn check_talk(&self, customer: &Customer, serve: &Serve) -> Result<(), String> {
        let (name, agent) = (customer.name, AGENTS[serve.agent]);
        let heard_nothing = |who: &str, what: &str| Err(format!("{who} did not hear {what}"));
        let (Some(call), Some(agent_answered), Some(joined)) =
            (serve.customer_call, serve.agent_answered, serve.joined)
        else {
            return Err(format!("{name} and {} were not joined", agent.name));
        };
        let (customer_ear, agent_ear) =
            (self.story.heard(CARRIER, call), self.story.heard(serve.agent + 1, serve.agent_call));
        let notice_from = if customer.plan == Plan::Stays { Some(agent_answered) } else { serve.customer_answered };
        if notice_from.is_none_or(|from| customer_ear.between(from, joined) < NOTICE) {
            return heard_nothing(name, "that the call is recorded");
        }
        if customer.plan != Plan::Stays
            && serve.customer_rang.is_none_or(|rang| agent_ear.between(agent_answered, rang) < PROMPT)
        {
            return heard_nothing(agent.name, &format!("the prompt before {name} was dialled"));
        }
        if customer_ear.of_pitch(agent.pitch) < VOICE {
            return heard_nothing(name, agent.name);
        }
        if agent_ear.of_pitch(customer.pitch) < VOICE {
            return heard_nothing(agent.name, name);
        }
        Ok(())
    }
}

/// Outcomes of the attempts, in order.
fn outcomes(callback: &Callback) -> Vec<&'static str> {
    callback.attempts.iter().map(|attempt| attempt.outcome.map_or("open", Outcome::word)).collect()
}

fn wanted(plan: Plan) -> Vec<&'static str> {
    let all = match plan {
        Plan::BusyOnce => &[Outcome::Busy, Outcome::Success][..],
        Plan::HasMachine => &[Outcome::VoicemailAgent, Outcome::Success],
        Plan::HearsItOut | Plan::AsksBeforeOpening | Plan::GivesUp | Plan::Stays | Plan::TypesNumber => {
            &[Outcome::Success]
        }
    };
    all.iter().map(|outcome| outcome.word()).collect()
}

/// From the end of the first attempt to the second.
fn pause(attempts: &[Attempt]) -> Option<Duration> {
    let [first, second, ..] = attempts else { return None };
    Some(between(first.ended_at?, second.loaded_at))
}

fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    to.signed_duration_since(from).to_std().unwrap_or_default()
}

fn tenths(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::super::hearing::Hearing;
    use super::super::story::AtFirst;
    use super::super::tape::tests::wav;
    use super::*;
    use crate::demo::endpoint::CallId;
    use crate::demo::voice::Ear;
    use crate::time::Tick;
    use serde_json::json;
    use std::path::PathBuf;

    const ID: &str = "01JD0000000000000000000001";
    const ALICE: usize = 0;
    const BOB: usize = 1;
    const ERIN: usize = 4;
    const GRACE: usize = 6;

    /// A customer and anna, all of it as it should be; every second of the story is a letter: `-` silence, `m` music
    /// or speech, `v` a voice.
    struct Tale {
        at: usize,
        story: Story,
        facts: Facts,
        data: PathBuf,
    }

    fn hearing(seconds: &str, pitch: u32) -> Hearing {
        let (mut hearing, mut ear) = (Hearing::default(), Ear::default());
        for (second, sound) in (0..).zip(seconds.chars()) {
            for tenth in 1..=10 {
                ear.windows += 1;
                ear.loud += u32::from(sound != '-');
                *ear.heard.entry(pitch).or_default() += u32::from(sound == 'v');
                hearing.listen(Tick::from_millis(second * 1_000 + tenth * 100), &ear);
            }
        }
        hearing
    }

    /// The office opens at noon; it was asked for ten seconds before, and attempts come ten seconds apart.
    fn callback(plan: Plan) -> Callback {
        let clock = |seconds: u32| format!("2026-11-20T12:{:02}:{:02}Z", seconds / 60, seconds % 60);
        let attempt = |(n, outcome): (u32, &str)| {
            json!({ "id": format!("01JD000000000000000000001{n}"), "task": ID, "n": n, "number": "+12025550101",
                "loaded_at": clock(10 * n), "ended_at": clock(10 * n + 4), "ring_timeout_secs": 30, "agent_legs": [],
                "outcome": outcome, "talk_secs": 3, "recording": ID })
        };
        let task = json!({ "id": ID, "profile": "standard", "queue": "support", "number": "+12025550101",
            "source": if plan == Plan::GivesUp { "missed_queue" } else { "queue_request" }, "number_raw": "",
            "virtual_start": "2026-11-20T11:59:50Z", "created_at": "2026-11-20T11:59:50Z", "priority": 5,
            "reschedules": { "auto": 0, "agent": u32::from(plan == Plan::HasMachine), "client": 0 },
            "not_before": clock(0), "state": "completed", "attempts_used": 1, "attempts_made": 1 });
        Callback {
            task: serde_json::from_value(task).unwrap(),
            attempts: (1..).zip(wanted(plan)).map(|it| serde_json::from_value(attempt(it)).unwrap()).collect(),
            held_by: None,
            next_at: None,
            position: None,
            zones: Vec::new(),
        }
    }

    fn serve(customer: usize) -> Serve {
        let at = |second: u64| Some(Tick::from_millis(second * 1_000));
        Serve {
            customer,
            agent: 0,
            agent_call: CallId(2),
            began: Tick::from_millis(5_500),
            agent_answered: at(6),
            customer_call: Some(CallId(7)),
            customer_rang: at(7),
            customer_answered: at(8),
            machine: false,
            machine_heard: None,
            keys: "1".into(),
            joined: at(9),
            failed: false,
            over: at(12),
        }
    }

    fn tale(name: &str, at: usize) -> Tale {
        let data = std::env::temp_dir().join(format!("ringback-verdict-{name}-{}", std::process::id()));
        let (customer, callback) = (CUSTOMERS[at], callback(CUSTOMERS[at].plan));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("tape.wav"), wav(AGENTS[0].pitch, customer.pitch, 16_000)).unwrap();
        let tick = |second: u64| Some(Tick::from_millis(second * 1_000));
        let mut story = Story::new(Duration::from_secs(6));
        let guest = &mut story.guests[at];
        (guest.visit, guest.answered, guest.place, guest.left) = (Some(CallId(1)), tick(0), Some(1), tick(5));
        guest.task = Some(callback.task.id);
        if customer.plan != Plan::GivesUp {
            (guest.pressed, guest.promised) = (tick(2), tick(3));
        }
        let opening = "2026-11-20T12:00:00Z".parse().unwrap();
        guest.at_first = Some(AtFirst { state: TaskState::Deferred, next_at: Some(opening) });
        if customer.plan == Plan::HasMachine {
            story.serves.push(Serve { machine: true, keys: "19".into(), joined: None, failed: true, ..serve(at) });
        }
        story.serves.push(serve(at));
        story.hears(CARRIER, CallId(1), hearing("mm-mm", AGENTS[0].pitch));
        story.hears(CARRIER, CallId(7), hearing("--------mvvv", AGENTS[0].pitch));
        story.hears(1, CallId(2), hearing("------mmmvvv", customer.pitch));
        let record = json!({ "id": ID, "call": ID, "agent": "anna", "number": "+12025550101", "path": "tape.wav",
            "started_at": "2026-11-20T12:00:12Z", "samples": 16_000, "notice_played": true, "bytes": 64_044 });
        let (stored_tasks, stored_attempts) = (vec![callback.task.clone()], callback.attempts.clone());
        let recordings = vec![serde_json::from_value(record).unwrap()];
        let facts = Facts { callbacks: vec![callback], recordings, stored_tasks, stored_attempts, opening };
        Tale { at, story, facts, data }
    }

    /// The customer's row once `spoil` has been at the tale.
    fn judged(name: &str, at: usize, spoil: impl FnOnce(&mut Tale)) -> Row {
        let mut tale = tale(name, at);
        spoil(&mut tale);
        let row = Judge { story: &tale.story, facts: &tale.facts, data: &tale.data, at: tale.at }.row();
        std::fs::remove_dir_all(&tale.data).unwrap();
        row
    }

    #[test]
    fn nothing_is_missing_where_all_of_it_happened_and_what_was_special_is_said() {
        let told: Vec<Option<String>> = (0..CUSTOMERS.len())
            .filter(|at| CUSTOMERS[*at].plan != Plan::Stays)
            .map(|at| {
                let row = judged(&format!("good-{at}"), at, |_| {});
                assert_eq!(row.missing, None);
                row.how
            })
            .collect();

        let said: Vec<&str> = told.iter().flatten().map(String::as_str).collect();
        assert_eq!(
            said,
            [
                "asked 10.0 s before the office opened, and was first tried 10.0 s after",
                "was busy, and was tried again after 6.0 s",
                "had a machine; the agent pressed 9, and it was tried again after 6.0 s",
                "hung up without a key after 5.0 s: a missed call, and a rule made a callback of it",
            ]
        );
    }

    #[test]
    fn each_thing_that_did_not_happen_is_said_in_a_sentence() {
        let says = |name, sentence: &str, spoil: &dyn Fn(&mut Tale)| {
            assert_eq!(judged(name, ALICE, spoil).missing.as_deref(), Some(sentence));
        };
        says("line", "Alice did not get through to the queue", &|tale| tale.story.guests[0].answered = None);
        says("music", "Alice heard no music while waiting", &|tale| {
            tale.story.hears(CARRIER, CallId(1), hearing("---mm", 770));
        });
        says("promise", "Alice did not hear the promise", &|tale| {
            tale.story.hears(CARRIER, CallId(1), hearing("mm---", 770));
        });
        says("state", "the callback of Alice is failed and not completed", &|tale| {
            tale.facts.callbacks[0].task.state = TaskState::Failed;
        });
        says("tries", "the attempts for Alice were busy, success and not success", &|tale| {
            tale.facts.callbacks = vec![callback(Plan::BusyOnce)];
        });
        says("disk", "the store does not hold what was done for Alice", &|tale| {
            tale.facts.stored_attempts[0].outcome = None;
        });
        says("notice", "Alice did not hear that the call is recorded", &|tale| {
            tale.story.hears(CARRIER, CallId(7), hearing("---------vvv", AGENTS[0].pitch));
        });
        says("prompt", "anna did not hear the prompt before Alice was dialled", &|tale| {
            tale.story.hears(1, CallId(2), hearing("-------mmvvv", CUSTOMERS[0].pitch));
        });
        says("deaf", "anna did not hear Alice", &|tale| {
            tale.story.hears(1, CallId(2), hearing("------mmm---", CUSTOMERS[0].pitch));
        });
        says("tape", "the recording of Alice is not there", &|tale| {
            std::fs::remove_file(tale.data.join("tape.wav")).unwrap();
        });
        says("sides", "the recording of Alice has no agent on its left", &|tale| {
            let swapped = wav(CUSTOMERS[0].pitch, AGENTS[0].pitch, 16_000);
            std::fs::write(tale.data.join("tape.wav"), swapped).unwrap();
        });
    }

    #[test]
    fn a_missed_call_a_reschedule_and_an_opening_that_were_none_are_said_too() {
        let says = |name, at, sentence: &str, spoil: &dyn Fn(&mut Tale)| {
            assert_eq!(judged(name, at, spoil).missing.as_deref(), Some(sentence));
        };
        says("unmissed", GRACE, "Grace was missed, and nobody was to call back", &|tale| {
            tale.story.guests[GRACE].task = None;
            tale.story.serves.clear();
        });
        says("asked", GRACE, "Grace was to press nothing", &|tale| {
            tale.story.guests[GRACE].promised = tale.story.guests[GRACE].left;
        });
        says("source", GRACE, "the callback of Grace has another source than it should", &|tale| {
            tale.facts.callbacks[0].task.source = Source::QueueRequest;
        });
        says("nine", ERIN, "no agent asked for another try for Erin with 9", &|tale| {
            tale.story.serves[0].keys = "1".into();
        });
        says("counted", ERIN, "no agent asked for another try for Erin with 9", &|tale| {
            tale.facts.callbacks[0].task.reschedules.agent = 0;
        });
        says("soon", ERIN, "Erin was called again too soon", &|tale| {
            let second = &mut tale.facts.callbacks[0].attempts[1];
            second.loaded_at -= chrono::TimeDelta::seconds(1);
        });
        says("open", BOB, "the callback of Bob did not wait for the office to open", &|tale| {
            let opening = Some(tale.facts.opening);
            tale.story.guests[BOB].at_first = Some(AtFirst { state: TaskState::Due, next_at: opening });
        });
        says("early", BOB, "Bob was called back before the office had opened", &|tale| {
            tale.facts.callbacks[0].attempts[0].loaded_at = tale.facts.opening - chrono::TimeDelta::milliseconds(1);
        });
    }

    #[test]
    fn who_is_served_before_an_earlier_place_of_the_same_line_is_named() {
        let mut tale = tale("order", ALICE);
        std::fs::remove_dir_all(&tale.data).unwrap();
        (tale.story.guests[1].place, tale.story.guests[2].place) = (Some(1), Some(2));
        assert_eq!(out_of_order(&tale.story), None);

        tale.story.serves.insert(0, serve(1));
        assert_eq!(out_of_order(&tale.story), None, "Bob waits in a line of his own");

        tale.story.serves.insert(0, serve(2));
        let sentence = "Carol was served before Alice, who had the earlier place";
        assert_eq!(out_of_order(&tale.story).as_deref(), Some(sentence));
    }
}

//! The verdict: whether all of it happened. Each row is read from what the switch stored, what the phones heard and
//! what lies in the recordings; the first thing that did not happen is said in one sentence.

use super::cast::{AGENTS, CUSTOMERS, Customer, Plan};
use super::story::{CARRIER, Guest, Serve, Story};
use super::tape::Tape;
use super::timeline::{Paint, Role};
use crate::callback::task::{Outcome, TaskState};
use crate::switch::RecordingRecord;
use crate::switch::view::Callback;
use serde::Serialize;
use std::path::Path;

/// Tenths of a second of each thing that must have been heard.
const MUSIC: usize = 5;
const PROMISE: usize = 5;
const PROMPT: usize = 3;
const NOTICE: usize = 5;
const VOICE: usize = 10;

/// What the switch says at the end.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The callbacks that were promised.
    pub callbacks: Vec<Callback>,
    /// Every recording.
    pub recordings: Vec<RecordingRecord>,
}

/// One customer, as the table shows him.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Who.
    pub customer: &'static str,
    /// His number.
    pub number: &'static str,
    /// His place in line on joining.
    pub place: Option<usize>,
    /// `callback` or `live`.
    pub served: &'static str,
    /// By whom.
    pub agent: Option<&'static str>,
    /// Outcomes of the attempts, in order.
    pub attempts: Vec<&'static str>,
    /// From dialling to the first word with an agent, across the hang-up.
    pub waited_secs: Option<f64>,
    /// As long as the recording is.
    pub talked_secs: Option<f64>,
    /// Its file, relative to the data directory.
    pub recording: Option<String>,
    /// What did not happen.
    pub missing: Option<String>,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// All of it happened.
    pub ok: bool,
    /// What did not.
    pub missing: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// Where everything lies.
    pub data: String,
    /// The customers.
    pub customers: Vec<Row>,
}

impl Verdict {
    /// Judges a story.
    pub fn of(story: &Story, facts: &Facts, data: &Path, seconds: f64) -> Verdict {
        let judged = |at: usize| Judge { story, facts, data, at }.row();
        let customers: Vec<Row> = (0..CUSTOMERS.len()).map(judged).collect();
        let missing = customers.iter().find_map(|row| row.missing.clone()).or_else(|| out_of_order(story));
        Verdict { ok: missing.is_none(), missing, seconds, data: data.display().to_string(), customers }
    }

    /// The summary.
    pub fn table(&self, paint: Paint) -> String {
        let header = ["CUSTOMER", "PLACE", "SERVED", "BY", "ATTEMPTS", "WAITED", "TALKED"];
        let seconds = |secs: Option<f64>| secs.map_or_else(|| "-".to_owned(), |secs| format!("{secs:.1} s"));
        let cells = |row: &Row| {
            [
                row.customer.to_owned(),
                row.place.map_or_else(|| "-".to_owned(), |place| place.to_string()),
                row.served.to_owned(),
                row.agent.unwrap_or("-").to_owned(),
                if row.attempts.is_empty() { "-".to_owned() } else { row.attempts.join(", ") },
                seconds(row.waited_secs),
                seconds(row.talked_secs),
            ]
        };
        let rows: Vec<[String; 7]> = self.customers.iter().map(cells).collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0).max(header[column].len());
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut out = format!("  {}\n", paint.bold(&line(&header.map(str::to_owned))));
        for (row, judged) in rows.iter().zip(&self.customers) {
            let (mark, role) = if judged.missing.is_none() { ("✓", Role::Good) } else { ("✗", Role::Bad) };
            out.push_str(&format!("{} {}\n", paint.role(role, mark), line(row)));
        }
        out
    }

    /// Where the recordings lie.
    pub fn recordings(&self, paint: Paint) -> String {
        let folder = self.customers.iter().find_map(|row| Path::new(row.recording.as_deref()?).parent());
        let folder = folder.map_or_else(|| self.data.clone(), |folder| format!("{}/{}", self.data, folder.display()));
        let mut out = format!("{}\n", paint.bold(&format!("Recordings, agent left and customer right, in {folder}:")));
        for row in &self.customers {
            let file = row.recording.as_deref().and_then(|path| Path::new(path).file_name());
            if let (Some(file), Some(agent)) = (file, row.agent) {
                out.push_str(&format!("  {}  {agent} and {}\n", file.to_string_lossy(), row.customer));
            }
        }
        out
    }
}

/// Everyone is served in order of place: the first ring for each customer at any agent's phone.
fn out_of_order(story: &Story) -> Option<String> {
    let mut firsts: Vec<usize> = Vec::new();
    for serve in &story.serves {
        if !firsts.contains(&serve.customer) {
            firsts.push(serve.customer);
        }
    }
    let place = |customer: &usize| story.guests[*customer].place;
    let wrong = firsts.windows(2).find(|pair| place(&pair[0]) >= place(&pair[1]))?;
    let [earlier, later] = [wrong[1], wrong[0]].map(|customer| CUSTOMERS[customer].name);
    Some(format!("{later} was served before {earlier}, who had the earlier place"))
}

struct Judge<'a> {
    story: &'a Story,
    facts: &'a Facts,
    data: &'a Path,
    at: usize,
}

impl Judge<'_> {
    fn row(&self) -> Row {
        let (customer, guest) = (&CUSTOMERS[self.at], &self.story.guests[self.at]);
        let served = self.served();
        let callback = self.callback();
        let recording = self.recording().and_then(|record| record.path.clone());
        let tape = recording.as_ref().and_then(|path| Tape::read(&self.data.join(path)).ok());
        let outcomes = callback.into_iter().flat_map(|callback| &callback.attempts);
        Row {
            customer: customer.name,
            number: customer.number,
            place: guest.place,
            served: if callback.is_some() { "callback" } else { "live" },
            agent: served.map(|serve| AGENTS[serve.agent].name),
            attempts: outcomes.map(|attempt| attempt.outcome.map_or("open", Outcome::word)).collect(),
            waited_secs: served.and_then(|serve| serve.joined).map(|joined| tenths(joined.since(guest.dialled))),
            talked_secs: tape.as_ref().map(Tape::secs).map(|secs| (secs * 10.0).round() / 10.0),
            missing: self.check(customer, guest, served, recording.as_deref()).err(),
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

    fn recording(&self) -> Option<&RecordingRecord> {
        self.facts.recordings.iter().find(|record| record.number == CUSTOMERS[self.at].number)
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
        let music_until = guest.pressed.or_else(agent_came).unwrap_or(answered);
        is_so(ear.between(answered, music_until) >= MUSIC, "heard no music while waiting")?;
        if customer.plan == Plan::Stays {
            is_so(guest.task.is_none(), "pressed nothing and was promised a callback")?;
        } else {
            self.check_promise(customer, guest)?;
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

    fn check_promise(&self, customer: &Customer, guest: &Guest) -> Result<(), String> {
        let name = customer.name;
        let (Some(visit), Some(promised), Some(left)) = (guest.visit, guest.promised, guest.left) else {
            return Err(format!("{name} was not promised a callback"));
        };
        if self.story.heard(CARRIER, visit).between(promised, left) < PROMISE {
            return Err(format!("{name} did not hear the promise"));
        }
        let Some(callback) = self.callback() else {
            return Err(format!("the switch does not know the callback of {name}"));
        };
        if callback.task.state != TaskState::Completed {
            let state = callback.task.state.word();
            return Err(format!("the callback of {name} is {state} and not completed"));
        }
        let outcomes: Vec<Outcome> = callback.attempts.iter().filter_map(|attempt| attempt.outcome).collect();
        let wanted: &[Outcome] = match customer.plan {
            Plan::BusyOnce => &[Outcome::Busy, Outcome::Success],
            Plan::HearsItOut | Plan::HangsUp | Plan::Stays | Plan::TypesNumber => &[Outcome::Success],
        };
        if outcomes != wanted {
            let words = |list: &[Outcome]| list.iter().map(|outcome| outcome.word()).collect::<Vec<_>>().join(", ");
            return Err(format!("the attempts for {name} were {} and not {}", words(&outcomes), words(wanted)));
        }
        Ok(())
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

fn tenths(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::super::hearing::Hearing;
    use super::super::tape::tests::wav;
    use super::*;
    use crate::demo::endpoint::CallId;
    use crate::demo::voice::Ear;
    use crate::time::Tick;
    use serde_json::json;
    use std::path::PathBuf;
    use std::time::Duration;

    const TASK: &str = "01JD0000000000000000000001";
    const AT: &str = "2026-11-21T12:00:00Z";

    /// Alice and anna, all of it as it should be; every second of the story is a letter: `-` silence, `m` music or
    /// speech, `v` a voice.
    struct Tale {
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

    fn callback(outcomes: &[&str], state: &str) -> Callback {
        let attempt = |outcome: &&str| {
            json!({ "id": TASK, "task": TASK, "n": 1, "number": "+12025550101", "loaded_at": AT,
                "ring_timeout_secs": 30, "agent_legs": [], "outcome": outcome, "talk_secs": 3 })
        };
        let task = json!({ "id": TASK, "source": "queue_request", "profile": "standard", "queue": "support",
            "number": "+12025550101", "number_raw": "", "virtual_start": AT, "priority": 5, "created_at": AT,
            "not_before": AT, "state": state, "attempts_used": 1, "attempts_made": 1 });
        Callback {
            task: serde_json::from_value(task).unwrap(),
            attempts: outcomes.iter().map(|it| serde_json::from_value(attempt(it)).unwrap()).collect(),
            held_by: None,
            next_at: None,
            position: None,
            zones: Vec::new(),
        }
    }

    fn tale(name: &str) -> Tale {
        let data = std::env::temp_dir().join(format!("ringback-verdict-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("tape.wav"), wav(AGENTS[0].pitch, CUSTOMERS[0].pitch, 16_000)).unwrap();
        let at = |second: u64| Some(Tick::from_millis(second * 1_000));
        let mut story = Story::new(Duration::ZERO);
        let guest = &mut story.guests[0];
        (guest.visit, guest.answered, guest.pressed) = (Some(CallId(1)), at(0), at(2));
        (guest.place, guest.promised, guest.left) = (Some(1), at(3), at(5));
        guest.task = Some(TASK.parse().unwrap());
        story.serves.push(Serve {
            customer: 0,
            agent: 0,
            agent_call: CallId(2),
            agent_answered: at(6),
            customer_call: Some(CallId(7)),
            customer_rang: at(7),
            customer_answered: at(8),
            joined: at(9),
            failed: false,
            over: at(12),
        });
        story.hears(CARRIER, CallId(1), hearing("mm-mm", AGENTS[0].pitch));
        story.hears(CARRIER, CallId(7), hearing("--------mvvv", AGENTS[0].pitch));
        story.hears(1, CallId(2), hearing("------mmmvvv", CUSTOMERS[0].pitch));
        let record = json!({ "id": TASK, "call": TASK, "agent": "anna", "number": "+12025550101", "started_at": AT,
            "samples": 16_000, "notice_played": true, "path": "tape.wav", "bytes": 64_044 });
        let recordings = vec![serde_json::from_value(record).unwrap()];
        Tale { story, facts: Facts { callbacks: vec![callback(&["success"], "completed")], recordings }, data }
    }

    /// What is missing for Alice once `spoil` has been at it.
    fn missing(name: &str, spoil: impl FnOnce(&mut Tale)) -> Option<String> {
        let mut tale = tale(name);
        spoil(&mut tale);
        let missing = Judge { story: &tale.story, facts: &tale.facts, data: &tale.data, at: 0 }.row().missing;
        std::fs::remove_dir_all(&tale.data).unwrap();
        missing
    }

    #[test]
    fn nothing_is_missing_where_all_of_it_happened() {
        assert_eq!(missing("good", |_| {}), None);
    }

    #[test]
    fn each_thing_that_did_not_happen_is_said_in_a_sentence() {
        let says = |name, sentence: &str, spoil: &dyn Fn(&mut Tale)| {
            assert_eq!(missing(name, spoil).as_deref(), Some(sentence));
        };
        says("line", "Alice did not get through to the queue", &|tale| tale.story.guests[0].answered = None);
        says("music", "Alice heard no music while waiting", &|tale| {
            tale.story.hears(CARRIER, CallId(1), hearing("---mm", 770));
        });
        says("promise", "Alice did not hear the promise", &|tale| {
            tale.story.hears(CARRIER, CallId(1), hearing("mm---", 770));
        });
        says("state", "the callback of Alice is failed and not completed", &|tale| {
            tale.facts.callbacks = vec![callback(&["busy"], "failed")];
        });
        says("tries", "the attempts for Alice were busy, success and not success", &|tale| {
            tale.facts.callbacks = vec![callback(&["busy", "success"], "completed")];
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
    fn who_is_served_before_an_earlier_place_is_named() {
        let mut tale = tale("order");
        tale.story.guests[1].place = Some(2);
        assert_eq!(out_of_order(&tale.story), None);

        let bob = Serve { customer: 1, ..tale.story.serves[0].clone() };
        tale.story.serves.insert(0, bob);

        std::fs::remove_dir_all(&tale.data).unwrap();
        let sentence = "Bob was served before Alice, who had the earlier place";
        assert_eq!(out_of_order(&tale.story).as_deref(), Some(sentence));
    }
}

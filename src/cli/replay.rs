//! `ringback replay`: a flight recording is repeated by a switch of its own, and what it did around the fault is told.

use super::args::{Global, Replay as Arguments};
use super::{Exit, Trouble, print, print_json};
use crate::config::host;
use crate::flight::file::Contents;
use crate::flight::record::Noted;
use crate::flight::replay::{Replay, Step, asked};
use crate::run::flight::{note_place, take_place};
use crate::switch::Fault;
use crate::switch::command::{Command, Reply};
use crate::switch::{Input, Output, Switch, view};
use crate::time::{DateTime, Now, Utc};
use serde_json::json;
use std::collections::VecDeque;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often somebody at a terminal is told how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

/// What came of a replay.
struct Outcome {
    inputs: u64,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    /// Faults of then, in order, and those that came again.
    then: Vec<Noted>,
    again: Vec<(u64, Fault, Option<String>)>,
    departed: Option<u64>,
    story: VecDeque<String>,
    ladder: Vec<view::LadderStep>,
}

/// Repeats a file.
pub(super) fn replay(global: &Global, args: &Arguments) -> Result<Exit, Trouble> {
    let path = args.file.display();
    let file = std::fs::read(&args.file).map_err(|error| Trouble::failed(format!("{path}: {error}")))?;
    let mut replay = Replay::of(&file).map_err(|wrong| Trouble::failed(format!("{path}: {wrong}")))?;
    if replay.contents().zones != told_of(replay.zones()) {
        replay = replay.with_zones(host::zones());
    }
    let contents = replay.contents().clone();
    let zones = told_of(replay.zones());
    if !global.json {
        print(&opening(&contents, &zones))?;
    }
    // A panic is what is looked for here: where it happened is all that is wanted of it.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| {
        note_place(panic.location().map(ToString::to_string).unwrap_or_default());
    }));
    let outcome = run(&mut replay, args, !global.json && std::io::stderr().is_terminal());
    std::panic::set_hook(before);
    let outcome = outcome.map_err(|wrong| Trouble::failed(format!("{path}: {wrong}")))?;
    if global.json {
        print_json(&as_json(&contents, &outcome))?;
    } else {
        print(&closing(&outcome))?;
    }
    let is_whole = args.until.is_none();
    let has_come_again = outcome.then.len() == outcome.again.len();
    if outcome.inputs == 0 {
        return Err(Trouble::failed("nothing could be repeated: the recording has no beginning"));
    }
    if !has_come_again && is_whole {
        return Err(Trouble::failed("the replay did not end as the recording did"));
    }
    Ok(Exit::Done)
}

fn told_of(zones: &crate::zone::Zones) -> String {
    format!("{} {}", zones.version(), zones.origin())
}

fn opening(contents: &Contents, zones: &str) -> String {
    let mut text = format!("Recorded by ringback {}, saved at {}.\n", contents.version, contents.saved_at);
    let own = env!("CARGO_PKG_VERSION");
    if contents.version != own {
        let _ = writeln!(text, "Careful: this is ringback {own}; another version may do something else.");
    }
    if contents.zones != zones {
        let _ = writeln!(text, "Careful: it went by the time zones {}, this machine has {zones}.", contents.zones);
    }
    if contents.has_gap {
        text.push_str(
            "Careful: it begins in the middle. The recorder was full, and inputs between the start of the server and \
             the rest are missing; what follows cannot be what happened.\n",
        );
    }
    if let Some(fault) = &contents.fault {
        let _ = writeln!(text, "It was saved because of a fault: {}", told(&fault.message, fault.place.as_deref()));
    }
    text
}

fn told(message: &str, place: Option<&str>) -> String {
    place.map_or_else(|| message.to_owned(), |place| format!("{message}, at {place}"))
}

fn run(replay: &mut Replay<'_>, args: &Arguments, shows: bool) -> Result<Outcome, crate::flight::file::Wrong> {
    let mut outcome = Outcome {
        inputs: 0,
        from: None,
        to: None,
        then: Vec::new(),
        again: Vec::new(),
        departed: None,
        story: VecDeque::new(),
        ladder: Vec::new(),
    };
    let mut shown = Instant::now();
    while let Some(step) = replay.step() {
        let step = step?;
        outcome.from = outcome.from.or(Some(step.now.utc));
        (outcome.to, outcome.inputs) = (Some(step.now.utc), step.n);
        tell(&mut outcome.story, &step, args.last);
        outcome.then.extend(step.noted);
        if let Some(fault) = step.fault {
            outcome.ladder = fault.call.map_or_else(Vec::new, |call| {
                let switch = replay.switch().expect("it has just had a fault");
                ladder(switch, step.now, call)
            });
            outcome.again.push((step.n, fault, take_place()));
        }
        if args.until.is_some_and(|until| step.n >= until) {
            break;
        }
        if shows && shown.elapsed() >= PROGRESS {
            shown = Instant::now();
            eprint!("\r{} inputs, {}", step.n, step.now.utc.format("%Y-%m-%d %H:%M:%S"));
        }
    }
    if shows {
        eprint!("\r\x1b[K");
    }
    outcome.departed = replay.departed();
    Ok(outcome)
}

/// Adds a step to the story, of which only the end is kept.
fn tell(story: &mut VecDeque<String>, step: &Step, last: usize) {
    let at = step.now.utc.format("%H:%M:%S%.3f");
    if step.noted.is_none() {
        story.push_back(format!("{:>8}  {at}  > {}", step.n, step.given));
    }
    let asked = step.outputs.iter().filter_map(asked);
    story.extend(asked.map(|asked| format!("{:>8}  {:12}    < {asked}", "", "")));
    if let Some(fault) = &step.fault {
        story.push_back(format!("{:>8}  {:12}  ! fault: {}", "", "", fault.message));
    }
    while story.len() > last {
        story.pop_front();
    }
}

fn ladder(switch: &mut Switch, now: Now, call: crate::id::CallRef) -> Vec<view::LadderStep> {
    // The replay ends for this call: one question more changes nothing that matters.
    let to = crate::id::ReplyTo(0);
    if switch.handle_guarded(now, Input::Command(Command::ShowCall(call), to)).is_err() {
        return Vec::new();
    }
    let outputs = std::iter::from_fn(|| switch.poll_output());
    let mut replies = outputs.filter_map(|output| match output {
        Output::Reply(_, Reply::Call(call)) => call.ladder,
        _ => None, // The question may have come together with something else.
    });
    replies.next().unwrap_or_default()
}

fn closing(outcome: &Outcome) -> String {
    let mut text = String::new();
    let time = |at: Option<DateTime<Utc>>| at.map_or("?".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S").to_string());
    let _ = writeln!(text, "{} inputs from {} to {} (UTC).", outcome.inputs, time(outcome.from), time(outcome.to));
    if !outcome.ladder.is_empty() {
        text.push_str("\nThe call of the last fault:\n");
        for step in &outcome.ladder {
            let at = step.at.format("%H:%M:%S%.3f");
            let _ = match step.from == step.to {
                true => writeln!(text, "  {at}  {}", step.what),
                false => writeln!(text, "  {at}  {} -> {}  {}", step.from, step.to, step.what),
            };
        }
    }
    if !outcome.story.is_empty() {
        text.push_str("\nThe last inputs (>) and what the switch asked for (<):\n");
        outcome.story.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
    }
    text.push('\n');
    match outcome.departed {
        Some(n) => {
            let _ = writeln!(text, "After input {n} the switch did something else than then.");
        }
        None => text.push_str("After every input the switch asked for the same as then.\n"),
    }
    for (n, fault, place) in &outcome.again {
        let _ = writeln!(text, "The fault came again at input {n}: {}", told(&fault.message, place.as_deref()));
    }
    for noted in outcome.then.iter().skip(outcome.again.len()) {
        let _ = writeln!(text, "A fault did not come again: {}", told(&noted.message, noted.place.as_deref()));
    }
    text
}

fn as_json(contents: &Contents, outcome: &Outcome) -> serde_json::Value {
    let again = outcome
        .again
        .iter()
        .map(|(n, fault, place)| json!({ "input": n, "message": fault.message, "place": place, "call": fault.call }));
    json!({
        "contents": contents,
        "inputs": outcome.inputs,
        "from": outcome.from,
        "to": outcome.to,
        "departed_after": outcome.departed,
        "faults_then": outcome.then,
        "faults_again": again.collect::<Vec<_>>(),
        "story": outcome.story,
    })
}

//! Repeating a recording: a switch of its own is given what the other one was given, and does what the other one did.

use super::file::{Contents, Reading, Wrong};
use super::record::{Beginning, Kind, Noted, Record, Unreadable, keep, weigh};
use crate::switch::command::Command;
use crate::switch::{Fault, Input, Output, Restored, Switch};
use crate::time::Now;
use crate::zone::Zones;
use std::sync::Arc;

/// A replay under way.
pub struct Replay<'a> {
    reading: Reading<'a>,
    zones: Zones,
    /// What the store had kept, as far as it has been read.
    restored: Restored,
    switch: Option<Switch>,
    outputs: u32,
    done: u64,
    departed: Option<u64>,
}

/// What one step of a replay was.
#[derive(Debug)]
pub struct Step {
    /// Its number, from 1; 0 is the beginning.
    pub n: u64,
    /// When it was.
    pub now: Now,
    /// What was given to the switch, in a few words.
    pub given: String,
    /// What the switch asked for.
    pub outputs: Vec<Output>,
    /// The fault that it led to, here and now.
    pub fault: Option<Fault>,
    /// The fault that it led to then.
    pub noted: Option<Noted>,
}

impl<'a> Replay<'a> {
    /// Opens a file.
    pub fn of(file: &'a [u8]) -> Result<Replay<'a>, Wrong> {
        let reading = Reading::of(file)?;
        let (zones, restored) = (Zones::bundled(), Restored::default());
        Ok(Replay { reading, zones, restored, switch: None, outputs: 0, done: 0, departed: None })
    }

    /// Gives it the time-zone tables of this machine: those that are compiled in may be older than the recording's.
    pub fn with_zones(mut self, zones: Zones) -> Replay<'a> {
        self.zones = zones;
        self
    }

    /// What is in the file.
    pub fn contents(&self) -> &Contents {
        &self.reading.contents
    }

    /// The time-zone tables it goes by.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// The first step after which the switch asked for something else than it had, if there is one.
    pub fn departed(&self) -> Option<u64> {
        self.departed
    }

    /// The switch as it is now.
    pub fn switch(&mut self) -> Option<&mut Switch> {
        self.switch.as_mut()
    }

    /// The next step; `None` at the end.
    pub fn step(&mut self) -> Option<Result<Step, Wrong>> {
        loop {
            let record = match self.reading.take()? {
                Ok(record) => record,
                Err(wrong) => return Some(Err(wrong)),
            };
            if record.kind == Kind::Kept {
                match keep(&mut self.restored, &record) {
                    Ok(()) => continue,
                    Err(unreadable) => return Some(Err(unreadable.into())),
                }
            }
            // A fault is noted before what the switch asked for is carried out.
            if record.kind != Kind::Fault {
                let is_first = self.switch.is_none() || record.kind == Kind::Beginning;
                if !is_first && record.outputs != self.outputs {
                    self.departed.get_or_insert(self.done);
                }
                self.outputs = 0;
            }
            let now = record.now;
            let step = match record.kind {
                Kind::Beginning => self.begin(&record),
                Kind::Fault => record.fault().map(|noted| self.quiet(now, "the fault of then", Some(noted))),
                _ => match record.input() {
                    Ok(Some(input)) if self.switch.is_some() => Ok(self.handle(now, input)),
                    Ok(_) => continue, // Nothing has begun: it falls in the middle of what is not here.
                    Err(unreadable) => Err(unreadable),
                },
            };
            return Some(step.map_err(Wrong::from));
        }
    }

    fn quiet(&self, now: Now, given: &str, noted: Option<Noted>) -> Step {
        Step { n: self.done, now, given: given.to_owned(), outputs: Vec::new(), fault: None, noted }
    }

    fn begin(&mut self, record: &Record) -> Result<Step, Unreadable> {
        let mut beginning = Beginning::read(record, std::mem::take(&mut self.restored))?;
        let now = beginning.now;
        beginning.settings.zones = self.zones.clone();
        self.switch = Some(beginning.switch());
        let outputs = self.drain();
        Ok(Step { outputs, ..self.quiet(now, "the switch begins", None) })
    }

    fn handle(&mut self, now: Now, mut input: Input) -> Step {
        if let Input::Command(Command::Configure(configure), _) = &mut input {
            Arc::make_mut(&mut configure.settings).zones = self.zones.clone();
        }
        self.done += 1;
        let given = told(&input);
        let fault = self.switch.as_mut().and_then(|switch| switch.handle_guarded(now, input).err());
        let outputs = self.drain();
        Step { n: self.done, now, given, outputs, fault, noted: None }
    }

    fn drain(&mut self) -> Vec<Output> {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.switch.as_mut()?.poll_output()).collect();
        self.outputs = outputs.iter().fold(self.outputs, weigh);
        outputs
    }
}

/// An input in a few words.
pub fn told(input: &Input) -> String {
    match input {
        Input::Timeout => "a timer".to_owned(),
        Input::Sip(received) => format!("{} from {}", first_line(&received.wire), received.flow.remote),
        Input::FlowLost(flow) => format!("{} cannot be reached", flow.remote),
        Input::Located(lookup, flows) => format!("lookup {} is done: {} addresses", lookup.0, flows.len()),
        Input::Media(_, event) => format!("media: {event:?}"),
        Input::Committed(commit, Ok(_)) => format!("commit {} is on the disk", commit.0),
        Input::Committed(commit, Err(why)) => format!("commit {} is not on the disk: {why:?}", commit.0),
        Input::Recorded(recorded) => format!("recording {} is closed", recorded.id),
        Input::Erased(recording, _) => format!("recording {recording} is deleted"),
        Input::Space(space) => format!("room on the disk: {}", space.word()),
        Input::Command(Command::Configure(_), _) => "command: Configure".to_owned(),
        Input::Command(command, _) => format!("command: {command:?}"),
    }
}

/// An output in a few words; `None`: it is only counted.
pub fn asked(output: &Output) -> Option<String> {
    Some(match output {
        Output::Send(flow, octets) => format!("{} to {}", first_line(octets), flow.remote),
        Output::Locate(_, wanted) => format!("where is {}?", wanted.host),
        Output::Media(_, command) => format!("media: {command:?}"),
        Output::Commit(commit, changes) => {
            let changes: Vec<&str> = changes.iter().map(crate::switch::Change::word).collect();
            format!("commit {}: {}", commit.0, changes.join(", "))
        }
        Output::Erase(recording) => format!("delete recording {recording}"),
        Output::Reply(..) => "the reply to a command".to_owned(),
        Output::Publish(crate::switch::event::Event::SipMessage { .. }) => return None,
        Output::Publish(event) => format!("event: {event:?}"),
    })
}

/// The first line of a message; what is no text is shown as such.
fn first_line(octets: &[u8]) -> String {
    let line = octets.split(|octet| matches!(octet, b'\r' | b'\n')).next().unwrap_or_default();
    let line = &line[..line.len().min(200)];
    String::from_utf8_lossy(line).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

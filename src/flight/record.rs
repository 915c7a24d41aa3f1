//! One input as it is kept: `kind u8 · payload length u32 · tick u64 · wall clock i64 · outputs u32 · payload`,
//! little-endian. The payload is JSON, and of a SIP message its octets as they came.
//!
//! `outputs` says in 32 bits what kinds of things the switch has asked for since the record before: a replay compares
//! it, and so knows where it has departed from what happened.

use crate::entropy::Entropy;
use crate::id::{CallRef, LegRef};
use crate::media;
use crate::settings::Settings;
use crate::sip::flow::{Flow, Received};
use crate::switch::command::Command;
use crate::switch::{Fault, Input, Key, Output, Restored, Switch};
use crate::time::{DateTime, Now, Tick, Utc};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Octets before a payload.
pub const HEAD: usize = 1 + 4 + 8 + 8 + 4;
/// Octets of a beginning that are in memory at once before they are compressed.
const PIECE: usize = 1 << 20;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Named as the inputs are.
#[repr(u8)]
pub enum Kind {
    /// The switch begins, with all that was kept before.
    Beginning = b'B',
    /// Things that the store had kept, a line each.
    Kept = b'P',
    Timeout = b'T',
    Sip = b'S',
    /// A SIP INFO with a key of a number that is being typed, or of a talk.
    SipKey = b'I',
    FlowLost = b'L',
    Located = b'H',
    Media = b'M',
    /// A key of a number that is being typed, or of a talk.
    MediaKey = b'K',
    Committed = b'C',
    Recorded = b'R',
    Erased = b'E',
    Space = b'D',
    Command = b'Q',
    /// `Command::AddCallback` with its key.
    AddCallback = b'N',
    /// What the record before has led to.
    Fault = b'F',
}

impl Kind {
    const ALL: [Kind; 16] = [
        Kind::Beginning,
        Kind::Kept,
        Kind::Timeout,
        Kind::Sip,
        Kind::SipKey,
        Kind::FlowLost,
        Kind::Located,
        Kind::Media,
        Kind::MediaKey,
        Kind::Committed,
        Kind::Recorded,
        Kind::Erased,
        Kind::Space,
        Kind::Command,
        Kind::AddCallback,
        Kind::Fault,
    ];

    fn of(octet: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == octet)
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is about.
    pub kind: Kind,
    /// When, on both clocks.
    pub now: Now,
    /// What had been asked for before.
    pub outputs: u32,
    /// By its kind.
    pub payload: Vec<u8>,
}

/// Why octets are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// What the switch began with.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// When.
    pub now: Now,
    /// Of its entropy.
    pub seed: [u8; 32],
    /// The site.
    pub settings: Settings,
    /// What the store handed back.
    pub restored: Restored,
}

/// What a beginning is beside the things that were kept.
#[derive(Serialize, Deserialize)]
struct Opening<'a> {
    seed: [u8; 32],
    settings: Cow<'a, Settings>,
}

/// A fault, as the file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// What the panic said.
    pub message: String,
    /// Where in the source, if it is known.
    pub place: Option<String>,
    /// Whose call it cost.
    pub call: Option<CallRef>,
}

/// How the key of a `MediaKey` or `SipKey` was meant: at the front of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressed {
    /// At whose phone.
    pub leg: LegRef,
    /// For what.
    pub key: Key,
}

const PRESSED: usize = 8 + 2;
/// In the place of a position: the key was for the other party.
const THROUGH: u16 = u16::MAX;

impl Pressed {
    fn write(self, out: &mut Vec<u8>) {
        let at = match self.key {
            Key::Typed(at) => at.min(THROUGH - 1),
            Key::Through | Key::Plain => THROUGH,
        };
        out.extend_from_slice(&self.leg.0.to_le_bytes());
        out.extend_from_slice(&at.to_le_bytes());
    }

    /// The front of a payload, and what follows.
    pub fn read(payload: &[u8]) -> Result<(Pressed, &[u8]), Unreadable> {
        let (front, rest) = payload.split_first_chunk::<PRESSED>().ok_or(Unreadable)?;
        let (leg, at) = front.split_first_chunk::<8>().ok_or(Unreadable)?;
        let at = u16::from_le_bytes([at[0], at[1]]);
        let key = if at == THROUGH { Key::Through } else { Key::Typed(at) };
        Ok((Pressed { leg: LegRef(u64::from_le_bytes(*leg)), key }, rest))
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("inputs are structs and enums with string keys, which JSON can always say")
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(payload).map_err(|_| Unreadable)
}

impl Record {
    /// A record of `payload`.
    pub fn new(kind: Kind, now: Now, outputs: u32, payload: Vec<u8>) -> Record {
        Record { kind, now, outputs, payload }
    }

    /// Appends it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.payload.len()).expect("no payload is so long");
        out.push(self.kind as u8);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.now.tick.as_nanos().to_le_bytes());
        out.extend_from_slice(&self.now.utc.timestamp_nanos_opt().unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&self.outputs.to_le_bytes());
        out.extend_from_slice(&self.payload);
    }

    /// Takes the first record off `octets`; `None` when there are none left.
    pub fn take(octets: &mut &[u8]) -> Option<Result<Record, Unreadable>> {
        (!octets.is_empty()).then(|| Record::take_one(octets).ok_or(Unreadable))
    }

    fn take_one(octets: &mut &[u8]) -> Option<Record> {
        let (head, rest) = octets.split_first_chunk::<HEAD>()?;
        let kind = Kind::of(head[0])?;
        let length = usize::try_from(u32::from_le_bytes(*head[1..].first_chunk()?)).ok()?;
        let tick = Tick::from_nanos(u64::from_le_bytes(*head[5..].first_chunk()?));
        let utc = DateTime::<Utc>::from_timestamp_nanos(i64::from_le_bytes(*head[13..].first_chunk()?));
        let outputs = u32::from_le_bytes(*head[21..].first_chunk()?);
        let payload = rest.get(..length)?.to_vec();
        *octets = &rest[length..];
        Some(Record { kind, now: Now { tick, utc }, outputs, payload })
    }

    /// The input that it says; `None` for a beginning, a part of one, or a fault.
    pub fn input(&self) -> Result<Option<Input>, Unreadable> {
        let payload = self.payload.as_slice();
        Ok(Some(match self.kind {
            Kind::Beginning | Kind::Kept | Kind::Fault => return Ok(None),
            Kind::Timeout => Input::Timeout,
            Kind::Sip => sip(payload)?,
            Kind::SipKey => sip(Pressed::read(payload)?.1)?,
            Kind::FlowLost => Input::FlowLost(read(payload)?),
            Kind::Located => read(payload).map(|(lookup, flows)| Input::Located(lookup, flows))?,
            Kind::Media => media(payload)?,
            Kind::MediaKey => media(Pressed::read(payload)?.1)?,
            Kind::Committed => read(payload).map(|(commit, result)| Input::Committed(commit, result))?,
            Kind::Recorded => Input::Recorded(read(payload)?),
            Kind::Erased => read(payload).map(|(id, result)| Input::Erased(id, result))?,
            Kind::Space => Input::Space(read(payload)?),
            Kind::Command => read(payload).map(|(command, to)| Input::Command(command, to))?,
            Kind::AddCallback => {
                let (mut new, key, to): (Box<crate::switch::command::NewCallback>, _, _) = read(payload)?;
                new.idempotency_key = key;
                Input::Command(Command::AddCallback(new), to)
            }
        }))
    }

    /// The fault that it says.
    pub fn fault(&self) -> Result<Noted, Unreadable> {
        read(&self.payload)
    }
}

fn media(payload: &[u8]) -> Result<Input, Unreadable> {
    read(payload).map(|(shard, event)| Input::Media(shard, event))
}

/// A flow, a line feed, and the octets.
fn sip(payload: &[u8]) -> Result<Input, Unreadable> {
    let (flow, wire) = split_sip(payload).ok_or(Unreadable)?;
    let flow: Flow = std::str::from_utf8(flow).ok().and_then(|text| text.parse().ok()).ok_or(Unreadable)?;
    Ok(Input::Sip(Box::new(Received::read(flow, Bytes::copy_from_slice(wire)))))
}

/// The flow and the octets of a SIP payload.
pub fn split_sip(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = payload.iter().position(|octet| *octet == b'\n')?;
    Some((&payload[..end], &payload[end + 1..]))
}

impl Beginning {
    /// The switch, as it began.
    pub fn switch(self) -> Switch {
        Switch::new(self.now, self.settings, self.restored, Entropy::from_secret(self.seed))
    }

    /// Writes it down, a line for each thing that the store had kept: they are masked one by one. The record of the
    /// site comes last, and with it the switch begins: `begins` says when, since all of that takes its time. `give`
    /// takes pieces of whole records; nothing else of it is ever in memory, however much was kept.
    pub fn write(&mut self, begins: impl FnOnce() -> Now, give: impl FnMut(Vec<u8>)) {
        // Named one by one, so that nothing is forgotten.
        let Restored {
            tasks,
            attempts,
            bindings,
            agents,
            recordings,
            system,
            do_not_call,
            entries,
            objects,
            audit,
            secret,
            talks,
            pulse,
            doubt,
            shown,
        } = &self.restored;
        let mut pieces = Pieces { now: self.now, lines: Vec::with_capacity(PIECE + PIECE / 8), give };
        pieces.rows("tasks", tasks);
        pieces.rows("attempts", attempts);
        pieces.rows("bindings", bindings);
        pieces.rows("agents", agents);
        pieces.rows("recordings", recordings);
        pieces.rows("do_not_call", do_not_call);
        pieces.rows("entries", entries);
        pieces.rows("objects", objects);
        pieces.rows("audit", audit);
        pieces.rows("talks", talks);
        pieces.row("system", system);
        pieces.row("secret", secret);
        pieces.row("pulse", pulse);
        pieces.row("doubt", doubt);
        pieces.row("shown", shown);
        pieces.flush();
        self.now = begins();
        pieces.now = self.now;
        pieces.put(Kind::Beginning, json(&Opening { seed: self.seed, settings: Cow::Borrowed(&self.settings) }));
    }

    /// Reads what `write` has written, after what was kept.
    pub fn read(record: &Record, restored: Restored) -> Result<Beginning, Unreadable> {
        let Opening { seed, settings } = read(&record.payload)?;
        Ok(Beginning { now: record.now, seed, settings: settings.into_owned(), restored })
    }
}

/// Adds what a record of `Kind::Kept` says.
pub fn keep(restored: &mut Restored, record: &Record) -> Result<(), Unreadable> {
    fn one<T: DeserializeOwned>(row: &RawValue) -> Result<T, Unreadable> {
        read(row.get().as_bytes())
    }
    let lines = record.payload.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    for line in lines {
        let (table, row): (String, Box<RawValue>) = read(line)?;
        match table.as_str() {
            "tasks" => restored.tasks.push(one(&row)?),
            "attempts" => restored.attempts.push(one(&row)?),
            "bindings" => restored.bindings.push(one(&row)?),
            "agents" => restored.agents.push(one(&row)?),
            "recordings" => restored.recordings.push(one(&row)?),
            "do_not_call" => restored.do_not_call.push(one(&row)?),
            "entries" => restored.entries.push(one(&row)?),
            "objects" => restored.objects.push(one(&row)?),
            "audit" => restored.audit.push(one(&row)?),
            "talks" => restored.talks.push(one(&row)?),
            "system" => restored.system = one(&row)?,
            "secret" => restored.secret = one(&row)?,
            "pulse" => restored.pulse = one(&row)?,
            "doubt" => restored.doubt = one(&row)?,
            "shown" => restored.shown = one(&row)?,
            _ => return Err(Unreadable), // Of a later version, which says so at the front of its file.
        }
    }
    Ok(())
}

/// What was kept, on its way to whoever compresses it.
struct Pieces<G> {
    now: Now,
    lines: Vec<u8>,
    give: G,
}

impl<G: FnMut(Vec<u8>)> Pieces<G> {
    fn rows(&mut self, table: &str, rows: &[impl Serialize]) {
        rows.iter().for_each(|row| self.row(table, row));
    }

    fn row(&mut self, table: &str, row: &impl Serialize) {
        serde_json::to_writer(&mut self.lines, &(table, row)).expect("what the store keeps is JSON there, too");
        self.lines.push(b'\n');
        if self.lines.len() >= PIECE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        self.lines.reserve(PIECE + PIECE / 8);
        self.put(Kind::Kept, lines);
    }

    fn put(&mut self, kind: Kind, payload: Vec<u8>) {
        let mut piece = Vec::with_capacity(HEAD + payload.len());
        Record::new(kind, self.now, 0, payload).write(&mut piece);
        (self.give)(piece);
    }
}

/// Writes inputs down as they are handed to the switch. A chunk that is full goes to whoever keeps it.
#[derive(Debug, Default)]
pub struct Recorder {
    chunk: Vec<u8>,
    outputs: u32,
}

/// Octets of a chunk that is given away.
const CHUNK: usize = 64 * 1024;

impl Recorder {
    /// An input is about to be handled. A chunk comes back when it is full.
    pub fn input(&mut self, now: Now, input: &Input, switch: &Switch) -> Option<Vec<u8>> {
        let (kind, payload) = written(input, switch);
        Record::new(kind, now, std::mem::take(&mut self.outputs), payload).write(&mut self.chunk);
        (self.chunk.len() >= CHUNK).then(|| self.take())
    }

    /// The switch has asked for this.
    pub fn output(&mut self, output: &Output) {
        self.outputs = weigh(self.outputs, output);
    }

    /// The last input has led to a fault.
    pub fn fault(&mut self, now: Now, fault: &Fault, place: Option<String>) {
        let noted = Noted { message: fault.message.clone(), place, call: fault.call };
        Record::new(Kind::Fault, now, std::mem::take(&mut self.outputs), json(&noted)).write(&mut self.chunk);
    }

    /// What has been written and not given away.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK + CHUNK / 8))
    }
}

fn written(input: &Input, switch: &Switch) -> (Kind, Vec<u8>) {
    match input {
        Input::Timeout => (Kind::Timeout, Vec::new()),
        Input::Sip(received) => {
            let pressed = switch.info_key(&received.message).filter(|(_, key)| *key != Key::Plain);
            let mut payload = Vec::with_capacity(received.wire.len() + 64);
            if let Some((leg, key)) = pressed {
                Pressed { leg, key }.write(&mut payload);
            }
            payload.extend_from_slice(received.flow.to_string().as_bytes());
            payload.push(b'\n');
            payload.extend_from_slice(&received.wire);
            (if pressed.is_some() { Kind::SipKey } else { Kind::Sip }, payload)
        }
        Input::FlowLost(flow) => (Kind::FlowLost, json(flow)),
        Input::Located(lookup, flows) => (Kind::Located, json(&(lookup, flows))),
        Input::Media(shard, event) => {
            let mut payload = Vec::new();
            let pressed = match event {
                media::Event::Digit { leg, digit } => Some((*leg, switch.meaning_of(*leg, *digit))),
                _ => None, // Nobody has pressed anything.
            };
            let pressed = pressed.filter(|(_, key)| *key != Key::Plain);
            if let Some((leg, key)) = pressed {
                Pressed { leg, key }.write(&mut payload);
            }
            payload.extend(json(&(shard, event)));
            (if pressed.is_some() { Kind::MediaKey } else { Kind::Media }, payload)
        }
        Input::Committed(commit, result) => (Kind::Committed, json(&(commit, result))),
        Input::Recorded(recorded) => (Kind::Recorded, json(recorded)),
        Input::Erased(recording, result) => (Kind::Erased, json(&(recording, result))),
        Input::Space(space) => (Kind::Space, json(space)),
        Input::Command(Command::AddCallback(new), to) => (Kind::AddCallback, json(&(new, &new.idempotency_key, to))),
        Input::Command(command, to) => (Kind::Command, json(&(command, to))),
    }
}

/// Adds to `sum` what kind of output this is: nothing in it depends on a number or a secret.
pub fn weigh(sum: u32, output: &Output) -> u32 {
    let word: &[u8] = match output {
        // The method, or the status.
        Output::Send(_, octets) => match octets.strip_prefix(b"SIP/2.0 ") {
            Some(rest) => &rest[..rest.len().min(3)],
            None => &octets[..octets.iter().position(|octet| *octet == b' ').unwrap_or(0)],
        },
        Output::Locate(..) => b"L",
        Output::Media(_, command) => match command {
            media::Command::Open { .. } => b"m1",
            media::Command::Update { .. } => b"m2",
            media::Command::Play { .. } => b"m3",
            media::Command::Bridge { .. } => b"m4",
            media::Command::Close { .. } => b"m5",
            _ => b"m0", // The rest is told apart by what goes before and after.
        },
        Output::Commit(..) => b"C",
        Output::Erase(_) => b"E",
        Output::Reply(..) => b"R",
        Output::Publish(_) => b"P",
    };
    // FNV-1a.
    let step = |sum: u32, octet: &u8| (sum ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
    word.iter().fold(step(sum ^ 0x811c_9dc5, &b' '), step)
}

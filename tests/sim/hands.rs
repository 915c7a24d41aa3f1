//! What people do with their hands: they press twice, and too late, and hang up wherever they are. Counted where a key
//! or a BYE reaches the switch, by what its leg heard in that instant.

use super::world::World;
use ringback::demo::codec::Message;
use ringback::id::LegRef;
use ringback::media::{Command, Play};
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// The same key again so soon is one press too many.
const TWICE: Duration = Duration::from_millis(1_500);

/// What waits for a key.
const QUESTIONS: [&str; 4] = ["confirm_number", "enter_number", "read_back_choice", "invalid"];

/// See the module.
#[derive(Default)]
pub struct Hands {
    last: BTreeMap<LegRef, (Tick, char)>,
    /// Legs by their Call-ID.
    legs: BTreeMap<String, LegRef>,
    /// Who is asked something, and whether the pause for his answer is over: he is asked once more, or no more.
    asked: BTreeMap<LegRef, bool>,
}

impl Hands {
    /// The switch tells a shard something.
    pub fn on_media(&mut self, command: &Command) {
        match command {
            Command::Play { leg, what: Play::Clips { clips, .. }, .. } => {
                let asks = clips.iter().any(|clip| QUESTIONS.iter().any(|question| clip.ends_with(question)));
                match self.asked.get_mut(leg) {
                    Some(is_over) => *is_over = true,
                    None if asks => drop(self.asked.insert(*leg, false)),
                    None => {} // Nobody has asked him anything.
                }
            }
            Command::Open { leg, .. } => {
                self.last.remove(leg);
                self.asked.remove(leg);
            }
            _ => {} // Nothing was asked.
        }
    }

    /// What a key is that comes now.
    fn on_key(&mut self, now: Tick, leg: LegRef, key: char) -> Option<&'static str> {
        let before = self.last.insert(leg, (now, key));
        if before.is_some_and(|(at, it)| it == key && now.since(at) <= TWICE) {
            self.asked.remove(&leg);
            return Some("a key is pressed twice");
        }
        self.asked.remove(&leg)?.then_some("a key comes when its pause is over")
    }
}

impl World {
    /// A key reaches the switch.
    pub(super) fn count_key(&mut self, leg: LegRef, key: char) {
        let is_there = self.shard.legs.contains_key(&leg);
        let what = self.watch.hands.on_key(self.now, leg, key);
        let what = if is_there { what } else { Some("a key comes when its call is over") };
        what.into_iter().for_each(|what| self.laws.fired.add(what));
    }

    /// A leg has been told where its peer is.
    pub(super) fn note_leg(&mut self, leg: LegRef) {
        let call = self.who(leg).and_then(|(at, call)| self.stations[at].endpoint.call(call));
        if let Some(call) = call {
            self.watch.hands.legs.insert(call.call_id.clone(), leg);
        }
    }

    /// Somebody hangs up.
    pub(super) fn count_bye(&mut self, message: &Message) {
        if message.status().is_some() || message.method() != "BYE" {
            return;
        }
        let leg = self.watch.hands.legs.remove(message.call_id());
        let Some(leg) = leg.and_then(|leg| self.shard.legs.get(&leg)) else { return };
        self.laws.fired.add(match (&leg.play, leg.bridged) {
            (_, Some(_)) => "somebody hangs up amid a talk",
            (Some((_, Play::Clips { .. })), None) => "somebody hangs up amid our words",
            (Some((_, Play::Hold(_))), None) => "somebody hangs up amid music",
            (Some((_, Play::Ringback)), None) => "somebody hangs up while another rings",
            (None, None) => "somebody hangs up in silence",
        });
    }
}

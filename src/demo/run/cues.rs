//! Cues: what people do because of what they have just heard. Each is given once.

use super::cast::{CUSTOMERS, Line, MACHINE, Plan, SUPPORT, Speed};
use super::story::{CARRIER, Serve, Story};
use crate::demo::endpoint::CallId;
use crate::demo::station::Station;
use crate::time::Tick;

/// See the module.
#[derive(Clone, Debug)]
pub struct Cues {
    speed: Speed,
    /// At which station, in which call.
    given: Vec<(Cue, usize, CallId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cue {
    /// Who hears the promise hangs up while it is said.
    LetGo,
    /// The agent who hears for whom it is starts the callback.
    Start,
    /// A machine speaks in place of the customer.
    Machine,
    /// The agent who hears it asks for another try.
    Again,
}

impl Cues {
    /// None yet.
    pub fn new(speed: Speed) -> Cues {
        Cues { speed, given: Vec::new() }
    }

    /// Gives those whose time has come.
    pub fn give(&mut self, now: Tick, story: &Story, stations: &mut [Station]) {
        for (customer, guest) in story.guests.iter().enumerate() {
            let Some(visit) = guest.visit.filter(|_| guest.promised.is_some() && guest.left.is_none()) else {
                continue;
            };
            if CUSTOMERS[customer].plan != Plan::HearsItOut && self.is_first(Cue::LetGo, CARRIER, visit) {
                stations[CARRIER].people[customer].leaves(now, self.speed.paced(2_000, 1_200), visit);
            }
        }
        for serve in story.serves.iter().filter(|serve| serve.over.is_none()) {
            self.give_agent(now, serve, stations);
        }
    }

    fn give_agent(&mut self, now: Tick, serve: &Serve, stations: &mut [Station]) {
        let (phone, call) = (serve.agent + 1, serve.agent_call);
        let is_callback = serve.customer_answered.is_none();
        let waits_for_key =
            is_callback && serve.agent_answered.is_some() && starts_by_key(CUSTOMERS[serve.customer].line());
        if waits_for_key && self.is_first(Cue::Start, phone, call) {
            stations[phone].people[0].presses(now, self.speed.paced(800, 600), call, '1');
        }
        if let Some(customer_call) =
            serve.customer_call.filter(|call| serve.machine && self.is_first(Cue::Machine, CARRIER, *call))
        {
            stations[CARRIER].endpoint.tune(customer_call, MACHINE);
        }
        if serve.machine_heard.is_some() && self.is_first(Cue::Again, phone, call) {
            let person = &mut stations[phone].people[0];
            person.presses(now, self.speed.paced(900, 500), call, '9');
            person.leaves(now, self.speed.paced(1_600, 1_000), call);
        }
    }

    fn is_first(&mut self, cue: Cue, station: usize, call: CallId) -> bool {
        let is_new = !self.given.contains(&(cue, station, call));
        if is_new {
            self.given.push((cue, station, call));
        }
        is_new
    }
}

/// Whether agents start the callbacks of this line with a key, as its profile says.
fn starts_by_key(line: Line) -> bool {
    line == SUPPORT
}

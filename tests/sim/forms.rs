//! The forms of an attempt, for the days of the simulation: who is called first, who presses keys, what is offered.

use super::world::{TRUNK, World};
use ringback::demo::endpoint::{CallId, CallState};
use ringback::entropy::Entropy;
use ringback::media::Play;
use ringback::settings::{AgentAccept, CallbackProfile, ClientReschedule, FirstParty, Sound};
use std::time::Duration;

/// What a day has drawn.
#[derive(Clone, Copy, Debug)]
pub struct Forms {
    customer_first: bool,
    agent_presses: bool,
    auto: bool,
    client: bool,
    overlap: bool,
    silent: bool,
}

/// So often somebody presses something.
pub const EVERY: Duration = Duration::from_millis(1_700);
const KEYS: [char; 8] = ['1', '1', '1', '1', '1', '9', '9', '2'];

impl Forms {
    /// The usual form, or one of the others.
    pub fn draw(entropy: &mut Entropy) -> Option<Forms> {
        let mut one_in = |n: u64| entropy.below(n) == 0;
        let is_plain = !one_in(2);
        let forms = Forms {
            customer_first: one_in(4),
            agent_presses: one_in(3),
            auto: !one_in(3),
            client: one_in(2),
            overlap: one_in(3),
            silent: one_in(3),
        };
        (!is_plain).then_some(forms)
    }

    /// The profile of that day.
    pub fn of(self, profile: &mut CallbackProfile) {
        if self.customer_first {
            profile.first_party = FirstParty::Customer;
        }
        if self.agent_presses {
            profile.agent_accept = AgentAccept::Key { key: '1', within: Duration::from_secs(6) };
        }
        profile.auto_reschedule = self.auto;
        profile.client_reschedule = self.client.then_some(ClientReschedule { key: '1', max: Some(2) });
        profile.agent_prompt_overlap = self.overlap;
        if self.silent {
            profile.agent_prompt = Sound::Silent;
        }
    }
}

fn is_asked(world: &World, call: CallId) -> bool {
    let leg = world.leg_of(TRUNK, call).and_then(|leg| world.shard.legs.get(&leg));
    leg.and_then(|leg| leg.play.as_ref()).is_some_and(|(_, what)| match what {
        Play::Clips { clips, .. } => clips.iter().any(|clip| matches!(&**clip, "confirm_call" | "customer_reschedule")),
        Play::Hold(_) | Play::Ringback => false,
    })
}

/// An agent who is on the phone may press a key, and a customer who is asked something.
pub fn press(world: &mut World, entropy: &mut Entropy) {
    for station in 0..world.stations.len() {
        let calls = world.stations[station].endpoint.calls();
        let up: Vec<_> = calls.filter(|(_, call)| call.state == CallState::Up).map(|(id, _)| id).collect();
        for call in up {
            // Who waits in line has habits of his own.
            let is_asked = station != TRUNK || is_asked(world, call);
            if entropy.below(3) == 0 && is_asked {
                let at = usize::try_from(entropy.below(KEYS.len() as u64)).expect("few");
                world.press_one(station, call, KEYS[at]);
            }
        }
    }
}

//! The forms of an attempt, for the days of the simulation: who is called first, who presses keys, what is offered.

use crate::world::World;
use ringback::demo::endpoint::{CallId, CallState};
use ringback::entropy::Entropy;
use ringback::media::Play;
use ringback::settings::{AgentAccept, ClientReschedule, FirstParty, Settings, Sound};
use std::time::Duration;

/// So often somebody presses something.
pub const EVERY: Duration = Duration::from_millis(1_700);
const KEYS: [char; 8] = ['1', '1', '1', '1', '1', '9', '9', '2'];

/// Every other day has the usual form.
pub fn draw(seed: u64, site: &mut Settings) {
    let mut entropy = Entropy::from_seed(seed ^ 0xF0A3);
    let mut one_in = |n: u64| entropy.below(n) == 0;
    let profile = &mut site.profiles[0];
    if one_in(2) {
        return;
    }
    if one_in(4) {
        profile.first_party = FirstParty::Customer;
    }
    if one_in(3) {
        profile.agent_accept = AgentAccept::Key { key: '1', within: Duration::from_secs(6) };
    }
    profile.auto_reschedule = !one_in(3);
    profile.client_reschedule = one_in(2).then_some(ClientReschedule { key: '1', max: Some(2) });
    profile.agent_prompt_overlap = one_in(3);
    if one_in(3) {
        profile.agent_prompt = Sound::Silent;
    }
}

fn is_asked(world: &World, carrier: usize, call: CallId) -> bool {
    let leg = world.leg_of(carrier, call).and_then(|leg| world.shard.legs.get(&leg));
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
            let is_asked = world.stations[station].carrier.is_none() || is_asked(world, station, call);
            if entropy.below(3) == 0 && is_asked {
                let at = usize::try_from(entropy.below(KEYS.len() as u64)).expect("few");
                world.press_one(station, call, KEYS[at]);
            }
        }
    }
}

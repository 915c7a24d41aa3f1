//! The call centre of a whole day beside the small site that every day has: seven more agents, two more lines, each
//! with its rule and its number, and a second carrier.

use crate::site::{DID, SPARE, secs};
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::CallId;
use ringback::settings::*;
use ringback::time::Tick;
use std::time::Duration;

/// Who works there beside anna, ben, carl and dora, at which extension.
const MORE: [(&str, &str); 7] = [
    ("eve", "1005"),
    ("finn", "1006"),
    ("gina", "1007"),
    ("hugo", "1008"),
    ("iris", "1009"),
    ("jack", "1010"),
    ("kate", "1011"),
];
/// Their lines: name, number inside and outside, who serves it, and the profile of its callbacks.
const LINES: [(&str, &str, &str, &[&str], &str); 2] = [
    ("orders", "5011", "+12025550101", &["gina", "hugo", "iris", "ben"], "patient"),
    ("billing", "5012", "+12025550102", &["jack", "kate", "iris", "carl"], "standard"),
];
/// Who serves the first line, too.
const FIRST: [&str; 3] = ["eve", "finn", "gina"];

/// When the clocks show ten to nine in New York.
pub const BEGINS: &str = "2026-03-02T13:50:00Z";

/// Builds it into the site, before anything of the day is drawn.
pub fn build(site: &mut Settings) {
    site.server.media_ports = 20_000..=20_799;
    let agent = |(name, extension): (&str, &str)| Agent {
        secret: crate::site::secret(extension),
        name: name.into(),
        extension: extension.into(),
        ..site.agents[0].clone()
    };
    let more: Vec<Agent> = MORE.into_iter().map(agent).collect();
    site.agents.extend(more);
    site.queues[0].members.extend(FIRST.map(Member::of));
    site.trunks.push(Trunk {
        name: "spare".into(),
        host: SPARE.ip().to_string(),
        acl: vec![Cidr { address: SPARE.ip(), bits: 32 }],
        ..site.trunks[0].clone()
    });
    site.trunks[0].failover = Some("spare".into());
    site.profiles.push(CallbackProfile {
        name: "patient".into(),
        attempts_max: 4,
        intervals: vec![secs(300), secs(1_200)],
        expires_after: Some(secs(4 * 3_600)),
        ..site.profiles[0].clone()
    });
    for (name, number, did, members, profile) in LINES {
        let rule = format!("{name}-key");
        site.rules.push(CallbackRule { name: rule.as_str().into(), profile: profile.into(), ..site.rules[0].clone() });
        site.queues.push(Queue {
            name: name.into(),
            number: number.into(),
            members: members.iter().map(|member| Member::of(member)).collect(),
            rules: vec![rule.as_str().into()],
            ..site.queues[0].clone()
        });
        let trunk = if did == LINES[1].2 { "spare" } else { "carrier" };
        site.inbound_routes.push(InboundRoute {
            trunk: trunk.into(),
            did: DidPattern::Exact(did.to_owned()),
            to: Destination::Queue(name.into()),
            ..site.inbound_routes[0].clone()
        });
    }
}

/// What no layer of the day has drawn for these lines is as it is in the first.
pub fn settle(site: &mut Settings) {
    let (ring, wrap_up) = (site.queues[0].ring, site.queues[0].wrap_up);
    site.queues.iter_mut().for_each(|queue| (queue.ring, queue.wrap_up) = (ring, wrap_up));
}

/// Their phones, and the second carrier, behind which are the same people as behind the first.
pub fn furnish(world: &mut World) {
    let more: Vec<Agent> = world
        .settings
        .agents
        .iter()
        .filter(|agent| MORE.iter().any(|(name, _)| **name == *agent.name))
        .cloned()
        .collect();
    world.more_phones(&more);
    world.second_carrier();
}

/// The stations of the people outside.
pub fn carriers(world: &World) -> Vec<usize> {
    (0..world.stations.len()).filter(|at| world.stations[*at].carrier.is_some()).collect()
}

/// Whether somebody outside is on the phone, by whichever carrier.
pub fn is_engaged(world: &World, person: usize) -> bool {
    carriers(world).into_iter().any(|carrier| world.is_busy(carrier, person))
}

/// Somebody outside calls the line that is his.
pub fn calls(world: &mut World, person: usize) -> CallId {
    let now: Tick = world.now;
    let spare = carriers(world).into_iter().find(|carrier| *carrier != TRUNK);
    let has_lines = world.settings.queue(LINES[0].0).is_some();
    let (carrier, number) = match (spare, person % 10) {
        (Some(spare), 8..) if !has_lines => (spare, DID),
        (None, _) | (_, 0..=4) => (TRUNK, DID),
        _ if !has_lines => (TRUNK, DID),
        (Some(_), 5..=7) => (TRUNK, LINES[0].2),
        (Some(spare), _) => (spare, LINES[1].2),
    };
    world.stations[carrier].dial(now, person, number)
}

/// How long somebody talks, and how long he waits for it.
pub fn pace(dice: &mut super::Dice) -> (Duration, Duration) {
    let talk = if dice.chance(15) { dice.millis(2_000, 20_000) } else { dice.millis(120_000, 1_200_000) };
    (talk, dice.millis(20_000, 900_000))
}

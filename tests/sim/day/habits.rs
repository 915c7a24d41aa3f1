//! What a day's line does with its callers: what it says, whom it asks, where it sends them. Drawn from the seed of the
//! day, beside everything else.

use crate::site::secs;
use ringback::entropy::Entropy;
use ringback::settings::*;

/// Draws where calls from outside go first, and which of those that get lost are called back.
pub fn draw_losses(seed: u64, site: &mut Settings) {
    let mut entropy = Entropy::from_seed(seed ^ 0x0105_7CA1);
    let mut chance = |percent: u64| entropy.below(100) < percent;
    if chance(40) {
        return; // Whoever hangs up is let be.
    }
    let sources = [RuleSource::MissedQueue, RuleSource::MissedIvr, RuleSource::MissedAgent];
    for (at, source) in sources.into_iter().enumerate() {
        if chance(20) {
            continue;
        }
        let scope = match source {
            RuleSource::MissedQueue => Scope::default(),
            _ => Scope { queues: vec!["support".into()], ..Scope::default() }, // Who serves what no line has lost.
        };
        let min_wait = secs(if chance(50) { 3 } else { 10 });
        site.rules.push(CallbackRule {
            source,
            scope,
            min_wait,
            ..CallbackRule::named(&format!("lost-{at}"), "standard")
        });
    }
    let members = ["anna", "ben", "dora"].map(Into::into).to_vec();
    site.groups.push(Group { name: "desk".into(), agents: members });
    let keys = [
        ('1', Destination::Queue("support".into())),
        ('2', Destination::Group("desk".into())),
        ('9', Destination::Agent("carl".into())),
        ('*', Destination::Ivr("main".into())),
    ];
    site.ivrs.push(Ivr {
        timeout: secs(4),
        tries: if chance(50) { 1 } else { 2 },
        prompt: Sound::Prompt("menu".into()),
        keys: keys.into_iter().collect(),
        timeout_dest: chance(70).then(|| Destination::Queue("support".into())),
        ..Ivr::named("main")
    });
    site.inbound_routes[0].to = match (chance(40), chance(20)) {
        (true, false) => Destination::Ivr("main".into()),
        (true, true) => Destination::Group("desk".into()),
        (false, _) => Destination::Queue("support".into()),
    };
}

/// Draws whom queues ring, in which order, and whose customers are whose.
pub fn draw_service(seed: u64, site: &mut Settings) {
    let mut entropy = Entropy::from_seed(seed ^ 0x05E2_41CE);
    let mut chance = |percent: u64| entropy.below(100) < percent;
    if chance(20) {
        return; // Whoever has been idle longest, as ever.
    }
    let picks = [
        (chance(30), Pick::RingAll),
        (chance(20), Pick::RoundRobin),
        (chance(20), Pick::LeastRecent),
        (chance(20), Pick::FewestCalls),
        (chance(20), Pick::Random),
        (chance(30), Pick::Linear),
    ];
    let pick = picks.into_iter().find_map(|(is_drawn, pick)| is_drawn.then_some(pick));
    let by_skill = chance(30);
    for queue in &mut site.queues {
        queue.strategy = Strategy { pick: pick.unwrap_or(Pick::LongestIdle), by_skill };
        queue.weight = if chance(30) { 10 } else { 0 };
        queue.sla = chance(50).then_some(secs(20));
        for member in &mut queue.members {
            member.tier = if chance(30) { 2 } else { 1 };
            member.level = if chance(50) { 7 } else { 1 };
        }
    }
    let profile = &mut site.profiles[0];
    profile.yield_to_live = chance(30).then_some(true);
    profile.yield_max = secs(90);
    // Whoever pauses anna by letting her phone ring must let somebody else be there: not in every day.
    site.agents[0].max_no_answer = if chance(30) { 3 } else { 0 };
    site.agents[1].answer_mode = if chance(20) { AnswerMode::AutoAnswer } else { AnswerMode::Normal };
    let listed = |kind, last: u8| NumberEntry {
        kind,
        pattern: DidPattern::Exact(format!("+120255501{last}")),
        label: "listed".to_owned(),
        valid_from: None,
        valid_until: None,
    };
    if chance(40) {
        site.number_lists.push(listed(ListKind::Vip, 12));
    }
    if chance(25) {
        let agents = vec!["ben".into(), "anna".into()];
        site.number_lists.push(listed(ListKind::Exclusive(agents), 13));
    }
}

/// Draws the habits of the first queue.
pub fn draw(seed: u64, site: &mut Settings) {
    let mut entropy = Entropy::from_seed(seed ^ 0x0011_AB17);
    let mut chance = |percent: u64| entropy.below(100) < percent;
    if chance(30) {
        return; // An ordinary line.
    }
    let destination = match (chance(30), chance(50)) {
        (true, _) => None,
        (false, true) => Some(Destination::Queue("night".into())),
        (false, false) => Some(Destination::Hangup(486)),
    };
    let on_call_in = if chance(60) { OnCallIn::Menu } else { OnCallIn::Cancel };
    let triggers = match (chance(50), chance(50)) {
        (true, _) => vec![Trigger::Key],
        (false, true) => vec![Trigger::Key, Trigger::Announced],
        (false, false) => vec![Trigger::AfterWait],
    };
    let queue = &mut site.queues[0];
    queue.announce_position = match (chance(40), chance(50)) {
        (true, _) => AnnouncePosition::Off,
        (false, true) => AnnouncePosition::Periodic,
        (false, false) => AnnouncePosition::OnJoin,
    };
    queue.announce_ewt = chance(40);
    queue.welcome = if chance(40) { Sound::BuiltIn } else { Sound::Silent };
    queue.periodic_prompt = if chance(40) { Sound::BuiltIn } else { Sound::Silent };
    queue.resume_within = secs(if chance(60) { 60 } else { 0 });
    queue.exit_key = chance(20).then_some('9');
    queue.exit = destination.clone();
    queue.max_wait = chance(30).then_some(secs(70));
    queue.max_callers = chance(20).then_some(3);
    queue.no_agents = if chance(30) { NoAgents::Overflow(secs(20)) } else { NoAgents::Wait };
    queue.overflow = destination;
    queue.announce_interval = secs(12);
    queue.periodic_interval = secs(17);
    let night = Queue {
        members: vec![Member::of("ben")],
        ring: queue.ring,
        wrap_up: queue.wrap_up,
        ..Queue::named("night", "5009")
    };
    site.queues.push(night);
    let rule = &mut site.rules[0];
    rule.on_call_in = on_call_in;
    rule.triggers = triggers;
    rule.offer_after = secs(15);
    rule.offer_repeat = Some(secs(25));
}

//! Agents, groups of them, and queues.

use super::super::value::Value;
use super::{Builder, KIND, Object, as_object};
use crate::id::Name;
use crate::settings::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// What leads to `overflow_dest` when the file says nothing else (model.md: max_wait_secs).
const MAX_WAIT: Duration = Duration::from_secs(300);

/// The order of the rules, and those that name their queues themselves.
pub(super) struct RulesOfQueues {
    order: BTreeMap<Name, i64>,
    of_queue: BTreeMap<Name, Vec<Name>>,
}

impl RulesOfQueues {
    pub(super) fn new(rules: &[&Object]) -> RulesOfQueues {
        let mut of_queue: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
        for rule in rules {
            let scope = rule.get("scope").and_then(as_object);
            for queue in scope.map(|scope| scope.names("queues")).unwrap_or_default() {
                of_queue.entry(queue).or_default().push(rule.name("name"));
            }
        }
        RulesOfQueues { order: rules.iter().map(|rule| (rule.name("name"), rule.number("order"))).collect(), of_queue }
    }

    /// Those the queue names and those that name the queue, by `order`.
    fn of(&self, queue: &Object) -> Vec<Name> {
        let mut names = queue.names("rules");
        for rule in self.of_queue.get(queue.text("name").expect(KIND)).into_iter().flatten() {
            if !names.contains(rule) {
                names.push(rule.clone());
            }
        }
        names.sort_by_key(|rule| self.order.get(rule)); // stable: as the file has them among equals
        names
    }
}

pub(super) fn group(group: &Object) -> Group {
    Group { name: group.name("name"), agents: group.names("agents") }
}

fn member(member: &Object) -> Member {
    Member {
        agent: member.name("agent"),
        tier: member.number("tier"),
        level: member.number("level"),
        skill: member.maybe_name("skill"),
    }
}

fn strategy(word: &str) -> Strategy {
    let (by_skill, pick) = word.strip_prefix("skill_").map_or((false, word), |pick| (true, pick));
    let pick = match pick {
        "ring_all" => Pick::RingAll,
        "round_robin" => Pick::RoundRobin,
        "least_recent" => Pick::LeastRecent,
        "fewest_calls" => Pick::FewestCalls,
        "random" => Pick::Random,
        "linear" => Pick::Linear,
        _ => Pick::LongestIdle, // the seventh word of the schema
    };
    Strategy { pick, by_skill }
}

impl Builder<'_> {
    pub(super) fn agent(&self, agent: &Object) -> Agent {
        let skills = match agent.get("skills").map(|read| &read.value) {
            Some(Value::Map(skills)) => skills.as_slice(),
            _ => &[], // none
        };
        Agent {
            name: agent.name("name"),
            extension: agent.name("extension"),
            secret: self.secret(agent, "secret", "secret_file").unwrap_or_default(),
            max_calls: agent.number("max_calls"),
            wrap_up: agent.maybe_secs("wrap_up_secs"),
            auto_ready: agent.yes("auto_ready"),
            max_no_answer: agent.number("max_no_answer"),
            decline_cooldown: agent.secs("decline_cooldown_secs"),
            skills: skills
                .iter()
                .filter_map(|(skill, read)| match read.value {
                    Value::Integer(level) => Some((Name::from(skill.as_str()), u8::try_from(level).ok()?)),
                    _ => None, // told already
                })
                .collect(),
            answer_mode: match agent.text("answer_mode") {
                Some("auto_answer") => AnswerMode::AutoAnswer,
                _ => AnswerMode::Normal, // the other word of the schema
            },
        }
    }

    pub(super) fn queue(&self, queue: &Object, rules: &RulesOfQueues) -> Queue {
        let overflow = queue.destination("overflow_dest");
        Queue {
            name: queue.name("name"),
            number: queue.name("number"),
            strategy: strategy(queue.text("strategy").expect(KIND)),
            ring: queue.secs("ring_secs"),
            wrap_up: queue.secs("wrap_up_secs"),
            members: queue.objects("members").map(member).collect(),
            max_callers: queue.maybe_number("max_callers"),
            // Nobody is dropped by a default: without `overflow_dest` a caller waits, unless the file says how long.
            max_wait: match queue.given("max_wait_secs") {
                true => queue.maybe_secs("max_wait_secs"),
                false => overflow.as_ref().map(|_| MAX_WAIT),
            },
            // interface.md, Settled 5: overflow that leads nowhere is waiting.
            no_agents: match (queue.text("no_agents"), &overflow) {
                (Some("overflow"), Some(_)) => NoAgents::Overflow(queue.secs("no_agents_wait_secs")),
                (Some(_) | None, _) => NoAgents::Wait,
            },
            overflow,
            moh: match self.sound(queue, "moh") {
                Sound::Prompt(name) => Some(name),
                Sound::BuiltIn | Sound::Silent => None,
            },
            welcome: self.own_sound(queue, "welcome"),
            announce_position: match queue.text("announce_position") {
                Some("periodic") => AnnouncePosition::Periodic,
                Some("on_join") => AnnouncePosition::OnJoin,
                _ => AnnouncePosition::Off, // the third word of the schema
            },
            announce_interval: queue.secs("announce_interval_secs"),
            announce_ewt: queue.yes("announce_ewt"),
            ewt_round: queue.secs("ewt_round_secs"),
            periodic_prompt: self.own_sound(queue, "periodic_prompt"),
            periodic_interval: queue.secs("interval_secs"),
            periodic_only_when_all_busy: queue.yes("periodic_only_when_all_busy"),
            exit_key: queue.maybe_key("exit_key"),
            exit: queue.destination("exit_dest"),
            language: queue.string("language"),
            weight: queue.number("weight"),
            sla: queue.maybe_secs("sla_secs").filter(|sla| !sla.is_zero()),
            sticky_days: queue.number("sticky_days"),
            resume_within: queue.secs("resume_within_secs"),
            max_callbacks: queue.maybe_number("max_callbacks"),
            schedule: queue.maybe_name("schedule"),
            rules: rules.of(queue),
            record: queue.yes("record"),
            record_required: queue.yes("record_required"),
            record_notice: self.notice("queue", queue),
        }
    }
}

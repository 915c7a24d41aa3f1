//! Who serves: agents, groups of them, and the queues people wait in (model.md: agent, group, queue).

use super::{Destination, Sound};
use crate::id::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a phone is asked to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnswerMode {
    /// It rings.
    Normal,
    /// It is asked to pick up by itself (`Alert-Info`, `Call-Info: answer-after=0`).
    AutoAnswer,
}

/// `[[agent]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub name: Name,
    /// 3–64 digits; also the user part of the address of record.
    pub extension: Name,
    /// Digest secret.
    pub secret: String,
    /// Calls at once (1–4).
    pub max_calls: u8,
    /// `None`: the queue's.
    pub wrap_up: Option<Duration>,
    /// Ready as soon as registered.
    pub auto_ready: bool,
    /// So many calls unanswered in a row pause the agent (0–20); 0: never.
    pub max_no_answer: u8,
    /// Nothing is offered for so long after the agent has declined a call.
    pub decline_cooldown: Duration,
    /// Skill and level (1–10).
    pub skills: BTreeMap<Name, u8>,
    /// How the phone is asked to answer.
    pub answer_mode: AnswerMode,
}

impl Agent {
    /// An agent with the defaults of the model.
    pub fn named(name: &str, extension: &str, secret: &str) -> Agent {
        Agent {
            name: name.into(),
            extension: extension.into(),
            secret: secret.to_owned(),
            max_calls: 1,
            wrap_up: None,
            auto_ready: true,
            max_no_answer: 3,
            decline_cooldown: Duration::from_secs(60),
            skills: BTreeMap::new(),
            answer_mode: AnswerMode::Normal,
        }
    }
}

/// `[[group]]`: agents called together (S5.22).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: Name,
    /// Who belongs to it, in order.
    pub agents: Vec<Name>,
}

/// How a queue picks among ready agents of the same tier (S1.B6, S2.B3, S3.B10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    /// The one that has been idle longest.
    LongestIdle,
    /// All at once; the first to answer wins.
    RingAll,
    /// The one after the last that was offered a call, in the order of the file.
    RoundRobin,
    /// The one whose last call began longest ago.
    LeastRecent,
    /// The one with the fewest calls today.
    FewestCalls,
    /// Any.
    Random,
    /// Always from the top of the list.
    Linear,
}

/// `queue.strategy`: with `skill_…` the highest skill level comes first and `pick` decides among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strategy {
    /// Among equals.
    pub pick: Pick,
    /// Highest skill level first.
    pub by_skill: bool,
}

impl From<Pick> for Strategy {
    fn from(pick: Pick) -> Strategy {
        Strategy { pick, by_skill: false }
    }
}

/// One line of `queue.members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub agent: Name,
    /// Lower tiers are rung first (1–100).
    pub tier: u8,
    /// Skill level (1–10); 10 is best.
    pub level: u8,
    /// The agent's skill whose level counts instead of `level`.
    pub skill: Option<Name>,
}

impl Member {
    /// A member of the first tier and level.
    pub fn of(agent: &str) -> Member {
        Member { agent: agent.into(), tier: 1, level: 1, skill: None }
    }
}

/// `queue.no_agents`: nobody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoAgents {
    /// Wait for somebody.
    Wait,
    /// To `overflow` after this.
    Overflow(Duration),
}

/// `queue.announce_position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnnouncePosition {
    /// Never.
    Off,
    /// Every `announce_interval`.
    Periodic,
    /// Once, on joining.
    OnJoin,
}

/// `[[queue]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: Name,
    /// What phones dial.
    pub number: Name,
    /// How agents are picked.
    pub strategy: Strategy,
    /// How long one agent rings (5–120 s).
    pub ring: Duration,
    /// Rest after a call.
    pub wrap_up: Duration,
    /// Agents, in order.
    pub members: Vec<Member>,
    /// Live callers at once; `None`: the table's limit.
    pub max_callers: Option<u32>,
    /// How long a caller may wait; `None`: no limit.
    pub max_wait: Option<Duration>,
    /// Where he goes then, and when the queue is full or closed; `None`: he hears why, and goodbye.
    pub overflow: Option<Destination>,
    /// When nobody is logged in.
    pub no_agents: NoAgents,
    /// Hold music: a prompt's name; `None`: the built-in loop.
    pub moh: Option<Name>,
    /// Played on joining.
    pub welcome: Sound,
    /// Whether the place in line is said.
    pub announce_position: AnnouncePosition,
    /// How often (10–1800 s).
    pub announce_interval: Duration,
    /// Whether the expected wait is said.
    pub announce_ewt: bool,
    /// It is rounded up to this.
    pub ewt_round: Duration,
    /// Played now and then.
    pub periodic_prompt: Sound,
    /// How often.
    pub periodic_interval: Duration,
    /// Only while no agent is free.
    pub periodic_only_when_all_busy: bool,
    /// Leaves the queue.
    pub exit_key: Option<char>,
    /// Where that leads; `None`: goodbye.
    pub exit: Option<Destination>,
    /// BCP 47.
    pub language: String,
    /// Among the queues of one agent, the heavier is served first (0–100).
    pub weight: u8,
    /// Answered within this is in service level; `None`: not measured.
    pub sla: Option<Duration>,
    /// The agent of last time first, for so many days; 0: never.
    pub sticky_days: u16,
    /// A caller who drops regains his place within this.
    pub resume_within: Duration,
    /// Callback attempts at once.
    pub max_callbacks: Option<u32>,
    /// When it is open; `None`: always.
    pub schedule: Option<Name>,
    /// Callback rules, by name, in order.
    pub rules: Vec<Name>,
    /// Record its live calls.
    pub record: bool,
    /// Recorded also when the disk is so full that others are not (durability.md §2.12).
    pub record_required: bool,
    /// What is played before a live call is recorded.
    pub record_notice: Sound,
}

impl Queue {
    /// A queue without members and rules, with the defaults of the model.
    pub fn named(name: &str, number: &str) -> Queue {
        Queue {
            name: name.into(),
            number: number.into(),
            strategy: Pick::LongestIdle.into(),
            ring: Duration::from_secs(20),
            wrap_up: Duration::from_secs(10),
            members: Vec::new(),
            max_callers: None,
            max_wait: None,
            overflow: None,
            no_agents: NoAgents::Wait,
            moh: None,
            welcome: Sound::Silent,
            announce_position: AnnouncePosition::Off,
            announce_interval: Duration::from_secs(30),
            announce_ewt: false,
            ewt_round: Duration::from_secs(60),
            periodic_prompt: Sound::Silent,
            periodic_interval: Duration::from_secs(60),
            periodic_only_when_all_busy: true,
            exit_key: None,
            exit: None,
            language: "en".to_owned(),
            weight: 0,
            sla: None,
            sticky_days: 30,
            resume_within: Duration::from_secs(60),
            max_callbacks: None,
            schedule: None,
            rules: Vec::new(),
            record: false,
            record_required: false,
            record_notice: Sound::BuiltIn,
        }
    }
}

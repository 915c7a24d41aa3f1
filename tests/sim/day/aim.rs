//! What happens exactly when it hurts: not at an hour of the day, but in the moment in which a promise is on its way to
//! the disk, an agent's phone rings, a customer has just answered.

use super::faults::Fault;
use super::plans::{Agenda, Plan, Wish};
use super::tally::Tally;
use super::{Dice, centre};
use crate::disk::Mood;
use crate::drive::configure;
use crate::fired::Doom;
use crate::laws::{Dialog, Peer, Stage};
use crate::site::secs;
use crate::world::World;
use ringback::callback::task::Source;
use ringback::demo::endpoint::{CallId, CallState};
use ringback::demo::session::Direction;
use ringback::id::TaskId;
use ringback::media::Play;
use ringback::settings::Settings;
use ringback::switch::command::{Command, Done, NeverCall};
use ringback::switch::{Change, NotStored, Space};
use ringback::time::Tick;
use std::time::Duration;

/// Where a callback, or a caller, may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    CallerWaits,
    CallerHears,
    PromiseOnItsWay,
    CallerIsSentHome,
    IntentOnItsWay,
    AgentRings,
    AgentReady,
    DialOnItsWay,
    CustomerRings,
    CustomerThere,
    AnswerOnItsWay,
    Talking,
    ResultOnItsWay,
    /// A re-INVITE of ours has no answer yet.
    WeChange,
}

/// What happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    Kill,
    /// Killed so many steps of the switch later.
    Doom(u64),
    RuleDeleted,
    RuleDisabled,
    ProfileEdited,
    LineRenamed,
    AgentLoggedOut,
    Freeze,
    Drain,
    Cancelled,
    Postponed,
    NeverAgain,
    CallerGoes,
    AgentGoes,
    BothGo,
    HoldAndGoes,
    /// He changes the session, too.
    ChangesToo,
    Keys(&'static str),
    CallsIn,
    PhoneVanishes,
    PhoneReboots,
    CarrierGone,
    CutOff,
    DiskHolds(u64),
    DiskFails(NotStored),
    ClockJumps(i64),
    /// The disk fills.
    Fills(Space),
}

/// One thing that waits for its moment.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    pub moment: Moment,
    pub hit: Hit,
    /// How long after the moment was first seen.
    pub after: Duration,
}

impl Moment {
    /// A part of every callback; `WeChange` is none.
    pub const ALL: [Moment; 13] = [
        Moment::CallerWaits,
        Moment::CallerHears,
        Moment::PromiseOnItsWay,
        Moment::CallerIsSentHome,
        Moment::IntentOnItsWay,
        Moment::AgentRings,
        Moment::AgentReady,
        Moment::DialOnItsWay,
        Moment::CustomerRings,
        Moment::CustomerThere,
        Moment::AnswerOnItsWay,
        Moment::Talking,
        Moment::ResultOnItsWay,
    ];
}

/// Everything that can hit, the worst of it most often.
const HITS: [Hit; 38] = [
    Hit::Kill,
    Hit::Kill,
    Hit::Kill,
    Hit::Kill,
    Hit::Doom(0),
    Hit::Doom(0),
    Hit::RuleDeleted,
    Hit::RuleDeleted,
    Hit::RuleDisabled,
    Hit::ProfileEdited,
    Hit::LineRenamed,
    Hit::AgentLoggedOut,
    Hit::Freeze,
    Hit::Freeze,
    Hit::Drain,
    Hit::Cancelled,
    Hit::Postponed,
    Hit::NeverAgain,
    Hit::CallerGoes,
    Hit::CallerGoes,
    Hit::AgentGoes,
    Hit::AgentGoes,
    Hit::BothGo,
    Hit::BothGo,
    Hit::HoldAndGoes,
    Hit::HoldAndGoes,
    Hit::Keys("11"),
    Hit::Keys("*9#"),
    Hit::CallsIn,
    Hit::PhoneVanishes,
    Hit::PhoneReboots,
    Hit::PhoneReboots,
    Hit::CarrierGone,
    Hit::CutOff,
    Hit::DiskHolds(0),
    Hit::DiskFails(NotStored::Full),
    Hit::DiskFails(NotStored::Failed),
    Hit::ClockJumps(0),
];

impl Hit {
    /// Its name, whatever its figures.
    pub fn word(self) -> String {
        let word = format!("{self:?}");
        word.split('(').next().unwrap_or_default().to_owned()
    }

    /// When it can be done at all.
    fn moments(self) -> &'static [Moment] {
        use Moment::{AgentReady, AgentRings, AnswerOnItsWay, CustomerRings, CustomerThere, DialOnItsWay, Talking};
        match self {
            Hit::BothGo => &[CustomerRings, CustomerThere, Talking],
            Hit::HoldAndGoes => &[Talking],
            Hit::AgentGoes | Hit::PhoneVanishes | Hit::PhoneReboots | Hit::AgentLoggedOut => {
                &[AgentRings, AgentReady, DialOnItsWay, CustomerRings, CustomerThere, AnswerOnItsWay, Talking]
            }
            _ => &Moment::ALL,
        }
    }

    /// Each of them once.
    pub fn words() -> Vec<String> {
        let mut words: Vec<String> = HITS.into_iter().map(Hit::word).collect();
        words.dedup();
        words
    }
}

/// The worst of all: every day has one of them in turn.
pub const WORST: [(Hit, Moment); 11] = [
    (Hit::Kill, Moment::PromiseOnItsWay),
    (Hit::Kill, Moment::IntentOnItsWay),
    (Hit::Kill, Moment::DialOnItsWay),
    (Hit::Kill, Moment::AnswerOnItsWay),
    (Hit::Kill, Moment::ResultOnItsWay),
    (Hit::Kill, Moment::Talking),
    (Hit::RuleDeleted, Moment::CustomerRings),
    (Hit::Freeze, Moment::IntentOnItsWay),
    (Hit::Cancelled, Moment::AgentRings),
    (Hit::Drain, Moment::CustomerRings),
    (Hit::Doom(1), Moment::IntentOnItsWay),
];

/// How the tally calls it.
pub fn told(hit: Hit, moment: Moment) -> String {
    format!("aimed: {} while {moment:?}", hit.word())
}

/// The one of a day.
pub fn worst(seed: u64, whole: u64) -> (Duration, Plan) {
    let (hit, moment) = match WORST[usize::try_from(seed / 3 % 11).expect("few")] {
        (Hit::Doom(_), moment) => (Hit::Doom(1 + seed % 9), moment),
        other => other,
    };
    (Duration::from_millis(whole / 6), Plan::Aim(Aim { moment, hit, after: Duration::ZERO }))
}

/// Draws what a day aims at, and from when on.
pub fn draw(dice: &mut Dice, whole: u64) -> Vec<(Duration, Plan)> {
    let mut plans = Vec::new();
    if dice.chance(40) {
        let aim = Aim { moment: Moment::WeChange, hit: Hit::ChangesToo, after: Duration::ZERO };
        plans.push((Duration::ZERO, Plan::Aim(aim)));
    }
    if dice.chance(35) {
        return plans;
    }
    for _ in 0..dice.between(1, 5) {
        let hit = match HITS[usize::try_from(dice.between(0, 37)).expect("few")] {
            Hit::Doom(_) => Hit::Doom(dice.between(1, 14)),
            Hit::DiskHolds(_) => Hit::DiskHolds([1, 2, 4, 10, 35][usize::try_from(dice.between(0, 4)).expect("few")]),
            Hit::ClockJumps(_) => Hit::ClockJumps(super::faults::jump(dice)),
            other => other,
        };
        let moments = hit.moments();
        let moment = moments[usize::try_from(dice.between(0, moments.len() as u64 - 1)).expect("few")];
        let after = if dice.chance(50) { Duration::ZERO } else { dice.millis(1, 3_000) };
        plans.push((dice.millis(0, whole), Plan::Aim(Aim { moment, hit, after })));
    }
    plans
}

/// Who and what is in a moment.
#[derive(Clone, Debug, Default)]
struct Scene {
    task: Option<TaskId>,
    number: Option<String>,
    agent: Option<(usize, CallId)>,
    customer: Option<(usize, CallId)>,
}

/// What waits for its moment, and what has found it.
#[derive(Default)]
pub struct Aims {
    armed: Vec<Aim>,
    found: Vec<(Tick, Aim, Scene)>,
}

impl Aims {
    pub fn arm(&mut self, aim: Aim) {
        self.armed.push(aim);
    }

    /// Lets time pass until then. False: something else has been put on the agenda meanwhile.
    pub fn pass(&mut self, world: &mut World, until: Tick, agenda: &mut Agenda, tally: &mut Tally) -> bool {
        loop {
            let next = self.found.iter().map(|(at, ..)| *at).min().unwrap_or(until).min(until);
            let has_stepped = world.step(next);
            let mut is_changed = agenda.revive(world);
            self.look(world);
            is_changed |= self.strike(world, agenda, tally);
            if is_changed {
                return false;
            }
            if !has_stepped && next == until {
                return true;
            }
        }
    }

    fn look(&mut self, world: &World) {
        if world.switch.is_none() {
            return;
        }
        let (armed, found) = (&mut self.armed, &mut self.found);
        armed.retain(|aim| match seen(world, aim.moment) {
            Some(scene) => {
                found.push((world.now + aim.after, *aim, scene));
                false
            }
            None => true,
        });
    }

    fn strike(&mut self, world: &mut World, agenda: &mut Agenda, tally: &mut Tally) -> bool {
        let due = |it: &(Tick, Aim, Scene)| it.0 <= world.now;
        let Some(at) = self.found.iter().position(due) else { return false };
        let (_, aim, scene) = self.found.remove(at);
        if world.switch.is_some() && hit(world, aim.hit, &scene, agenda) {
            tally.add(told(aim.hit, aim.moment));
            tally.add(format!("aimed: {}", aim.hit.word()));
            tally.add(format!("aimed at: {:?}", aim.moment));
        }
        true
    }
}

/// Whether it is so now, and who is in it.
fn seen(world: &World, moment: Moment) -> Option<Scene> {
    match moment {
        Moment::PromiseOnItsWay | Moment::IntentOnItsWay | Moment::DialOnItsWay => on_its_way(world, moment),
        Moment::AnswerOnItsWay | Moment::ResultOnItsWay => on_its_way(world, moment),
        Moment::CallerWaits | Moment::CallerHears | Moment::CallerIsSentHome => caller(world, moment),
        Moment::AgentRings | Moment::AgentReady => agent(world, moment),
        Moment::CustomerRings | Moment::CustomerThere | Moment::Talking => customer(world, moment),
        Moment::WeChange => changing(world),
    }
}

fn changing(world: &World) -> Option<Scene> {
    let call_id = world.laws.wire.changing.first()?;
    let mut calls = world.stations.iter().enumerate().flat_map(|(at, station)| {
        let up = station.endpoint.calls().filter(|(_, call)| call.state == CallState::Up && call.call_id == *call_id);
        up.map(move |(id, _)| (at, id))
    });
    Some(Scene { agent: Some(calls.next()?), ..Scene::default() })
}

fn on_its_way(world: &World, moment: Moment) -> Option<Scene> {
    let disk = &world.disk;
    let changes = disk.pending.iter().flat_map(|(_, changes)| changes);
    let (task, number) = changes.into_iter().find_map(|change| match change {
        Change::PutTask(task) => {
            let is_new = task.source == Source::QueueRequest && !disk.tasks.contains_key(&task.id);
            (moment == Moment::PromiseOnItsWay && is_new).then(|| (task.id, task.number.to_string()))
        }
        Change::PutAttempt(attempt) => {
            let is_known = disk.attempts.contains_key(&attempt.id);
            let (is_over, leg) = (attempt.outcome.is_some(), attempt.customer_leg.as_ref());
            let is_answered = leg.is_some_and(|leg| leg.answered_at.is_some());
            let is_it = match moment {
                Moment::IntentOnItsWay => !is_known && !is_over,
                Moment::DialOnItsWay => is_known && !is_over && leg.is_some() && !is_answered,
                Moment::AnswerOnItsWay => is_known && !is_over && is_answered,
                _ => is_known && is_over,
            };
            (moment != Moment::PromiseOnItsWay && is_it).then(|| (attempt.task, attempt.number.to_string()))
        }
        _ => None, // No callback of anybody's.
    })?;
    Some(with_parties(world, Scene { task: Some(task), number: Some(number), ..Scene::default() }))
}

/// The calls of all stations as the switch knows them.
fn dialogs(world: &World) -> impl Iterator<Item = (usize, CallId, &CallState, &Dialog)> {
    world.stations.iter().enumerate().flat_map(move |(at, station)| {
        station.endpoint.calls().filter_map(move |(id, call)| {
            let dialog = world.laws.dialogs.get(&call.call_id).filter(|it| !it.stale && it.state != Stage::Over)?;
            Some((at, id, &call.state, dialog))
        })
    })
}

fn caller(world: &World, moment: Moment) -> Option<Scene> {
    let mut inside = dialogs(world).filter(|(_, _, state, dialog)| {
        **state == CallState::Up && !dialog.outgoing && matches!(dialog.peer, Peer::Customer(_))
    });
    inside.find_map(|(at, id, _, dialog)| {
        let leg = world.leg_of(at, id).and_then(|leg| world.shard.legs.get(&leg));
        let (_, play) = leg?.play.as_ref()?;
        let is_it = match (moment, play) {
            (Moment::CallerWaits, Play::Hold(_)) => true,
            (Moment::CallerHears, Play::Clips { clips, .. }) => !clips.iter().any(|clip| clip.ends_with("accepted")),
            (Moment::CallerIsSentHome, Play::Clips { clips, .. }) => {
                clips.iter().any(|clip| clip.ends_with("accepted"))
            }
            _ => false,
        };
        let Peer::Customer(number) = &dialog.peer else { return None };
        is_it.then(|| Scene { number: Some(number.clone()), customer: Some((at, id)), ..Scene::default() })
    })
}

fn agent(world: &World, moment: Moment) -> Option<Scene> {
    let found = dialogs(world).find(|(_, _, state, dialog)| {
        let is_agent = dialog.outgoing && matches!(dialog.peer, Peer::Agent(_)) && !dialog.has_talked();
        let is_it = match moment {
            Moment::AgentRings => **state == CallState::Ringing,
            _ => **state == CallState::Up,
        };
        is_agent && is_it && open_task(world, &dialog.shown).is_some()
    });
    let (at, id, _, dialog) = found?;
    let (task, number) = (open_task(world, &dialog.shown), Some(dialog.shown.clone()));
    Some(with_parties(world, Scene { task, number, agent: Some((at, id)), customer: None }))
}

fn customer(world: &World, moment: Moment) -> Option<Scene> {
    let found = dialogs(world).find(|(_, _, state, dialog)| {
        let is_it = match moment {
            Moment::CustomerRings => **state == CallState::Ringing,
            Moment::CustomerThere => matches!(state, CallState::Answering | CallState::Up) && !dialog.has_talked(),
            _ => **state == CallState::Up && dialog.has_talked(),
        };
        dialog.outgoing && matches!(dialog.peer, Peer::Customer(_)) && is_it
    });
    let (at, id, _, dialog) = found?;
    let Peer::Customer(number) = &dialog.peer else { return None };
    let task = open_task(world, number);
    let scene = Scene { task, number: Some(number.clone()), agent: None, customer: Some((at, id)) };
    Some(with_parties(world, scene))
}

/// The callback of a number whose attempt is under way.
fn open_task(world: &World, number: &str) -> Option<TaskId> {
    let mut open = world.disk.attempts.values().rev().filter(|attempt| attempt.outcome.is_none());
    open.find(|attempt| attempt.number.as_str() == number).map(|attempt| attempt.task)
}

/// Whoever else is on the phone for this number.
fn with_parties(world: &World, mut scene: Scene) -> Scene {
    let Some(number) = scene.number.clone() else { return scene };
    for (at, id, _, dialog) in dialogs(world) {
        match &dialog.peer {
            Peer::Agent(_) if dialog.outgoing && dialog.shown == number => {
                scene.agent = scene.agent.or(Some((at, id)));
            }
            Peer::Customer(it) if *it == number => scene.customer = scene.customer.or(Some((at, id))),
            _ => {} // Another's.
        }
    }
    scene
}

/// Does it; false when there is nobody to whom it could be done.
fn hit(world: &mut World, hit: Hit, scene: &Scene, agenda: &mut Agenda) -> bool {
    let now = world.now;
    let person = scene.number.as_ref().and_then(|number| person_of(world, number));
    match hit {
        Hit::Kill => kill(world, agenda),
        Hit::Doom(steps) => world.doom = Some(Doom::After(steps)),
        Hit::RuleDeleted => edit(world, delete_rule),
        Hit::RuleDisabled => {
            edit(world, |site| site.rules[0].enabled = false);
            agenda.put(now + secs(45), Plan::RuleEnabled);
        }
        Hit::ProfileEdited => edit(world, edit_profile),
        Hit::LineRenamed => super::plans::reload(world, 11),
        Hit::AgentLoggedOut => return log_out(world, scene),
        Hit::Freeze => freeze(world, agenda),
        Hit::Drain => drain(world, agenda),
        Hit::Cancelled => {
            let Some(task) = scene.task else { return false };
            world.tell(Command::CancelCallback(task));
        }
        Hit::Postponed => {
            let Some(task) = scene.task else { return false };
            world.tell(Command::PostponeCallback(task, world.clock().utc + secs(60)));
        }
        Hit::NeverAgain => return never_again(world, scene),
        Hit::CallerGoes => return goes(world, scene.customer),
        Hit::AgentGoes => return goes(world, scene.agent),
        Hit::BothGo => return scene.agent.is_some() && goes(world, scene.customer) && goes(world, scene.agent),
        Hit::HoldAndGoes => return hold_and_go(world, scene),
        Hit::ChangesToo => {
            let Some((at, call)) = scene.agent else { return false };
            world.stations[at].endpoint.change(now, call, Direction::SendRecv);
        }
        Hit::Keys(keys) => {
            let Some((at, call)) = scene.agent.or(scene.customer) else { return false };
            keys.chars().for_each(|key| world.press_one(at, call, key));
        }
        Hit::CallsIn => {
            let Some(person) = person else { return false };
            centre::calls(world, person);
        }
        Hit::PhoneVanishes | Hit::PhoneReboots => {
            let Some((at, _)) = scene.agent else { return false };
            let fault = if hit == Hit::PhoneReboots { Fault::PhoneReboots(at) } else { Fault::PhoneVanishes(at) };
            strike(world, agenda, fault, 50, Fault::PhoneReturns(at));
        }
        Hit::CarrierGone => {
            let at = scene.customer.map_or(crate::world::TRUNK, |(at, _)| at);
            strike(world, agenda, Fault::CarrierGone(at), 40, Fault::CarrierBack(at));
        }
        Hit::CutOff => {
            let Some((at, _)) = scene.customer.or(scene.agent) else { return false };
            strike(world, agenda, Fault::CutOff(at, false), 7, Fault::Mended(at));
        }
        Hit::DiskHolds(long) => spoil(world, agenda, Mood::Holding, long),
        Hit::DiskFails(why) => spoil(world, agenda, Mood::Failing(why), 6),
        Hit::ClockJumps(by) => Fault::ClockJumps(by).strike(world),
        Hit::Fills(space) => strike(world, agenda, Fault::Space(space), 40, Fault::Space(Space::Ample)),
    }
    true
}

/// For so many seconds.
fn strike(world: &mut World, agenda: &mut Agenda, fault: Fault, long: u64, end: Fault) {
    fault.strike(world);
    agenda.put(world.now + secs(long), Plan::Fault(end));
}

/// For so many seconds.
fn spoil(world: &mut World, agenda: &mut Agenda, mood: Mood, long: u64) {
    world.disk.mood = mood;
    agenda.put(world.now + secs(long), Plan::DiskRecovers);
}

fn kill(world: &mut World, agenda: &mut Agenda) {
    let now = world.now;
    world.crash();
    agenda.put(now + secs(2), Plan::Restart);
    agenda.put(now + secs(17), Plan::DeadAir);
}

fn drain(world: &mut World, agenda: &mut Agenda) {
    let now = world.now;
    world.tell(Command::Drain);
    for (after, plan) in [(30, Plan::Kill), (31, Plan::Restart), (46, Plan::DeadAir)] {
        agenda.put(now + secs(after), plan);
    }
}

fn freeze(world: &mut World, agenda: &mut Agenda) {
    let now = world.now;
    world.tell(Command::Freeze);
    agenda.put(now + secs(20), Plan::Ask(Wish::Unfreeze));
    agenda.put(now + secs(25), Plan::Ask(Wish::Activate));
}

fn delete_rule(site: &mut Settings) {
    let rule = &mut site.rules[0];
    let name = if rule.name.ends_with("-anew") { "support-key" } else { "support-key-anew" };
    let old = std::mem::replace(&mut rule.name, name.into());
    let named = site.queues.iter_mut().flat_map(|queue| &mut queue.rules);
    named.filter(|it| **it == old).for_each(|it| *it = name.into());
}

fn edit_profile(site: &mut Settings) {
    let profile = &mut site.profiles[0];
    profile.attempts_max = profile.attempts_max % 3 + 1;
    profile.ring_timeout = secs(35) - profile.ring_timeout.min(secs(25));
    profile.record = !profile.record;
}

fn log_out(world: &mut World, scene: &Scene) -> bool {
    let Some((at, _)) = scene.agent else { return false };
    let agent = world.stations[at].people[0].name.trim_end_matches("-mobile").to_owned();
    world.tell(Command::LogOutAgent(agent));
    true
}

fn never_again(world: &mut World, scene: &Scene) -> bool {
    let Some(number) = scene.number.clone() else { return false };
    let (who, what) = ("a person".to_owned(), "never call".to_owned());
    let done = Done { who, from: None, what, object: None, detail: None };
    world.tell(Command::AddDoNotCall(Box::new(NeverCall { number, note: None, done })));
    true
}

fn hold_and_go(world: &mut World, scene: &Scene) -> bool {
    let (Some((at, call)), true) = (scene.agent, scene.customer.is_some()) else { return false };
    if !world.is_up(at, call) {
        return false;
    }
    let now = world.now;
    world.stations[at].endpoint.change(now, call, Direction::SendOnly);
    goes(world, scene.customer)
}

fn goes(world: &mut World, who: Option<(usize, CallId)>) -> bool {
    let Some((at, call)) = who.filter(|(at, call)| world.stations[*at].endpoint.call(*call).is_some()) else {
        return false;
    };
    let now = world.now;
    world.stations[at].endpoint.hang_up(now, call);
    true
}

fn person_of(world: &World, number: &str) -> Option<usize> {
    world.stations[crate::world::TRUNK].people.iter().position(|person| person.number == number)
}

/// Another edition of the site.
fn edit(world: &mut World, change: impl FnOnce(&mut ringback::settings::Settings)) {
    change(&mut world.settings);
    let command = configure(&world.settings);
    world.tell(Command::Configure(Box::new(command)));
}

/// Whatever was disabled in a bad moment.
pub fn enable(world: &mut World) {
    edit(world, |site| site.rules[0].enabled = true);
}

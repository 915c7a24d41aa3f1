//! The stage: people with wires and a clock, and the director who tells them when it is their turn.

use super::Out;
use super::cast::{AGENTS, BILLING, CUSTOMERS, Line, PAUSE_CODE, Plan, SUPPORT, Speed, pitches};
use super::cues::Cues;
use super::story::{AtFirst, CARRIER, Story};
use super::timeline::Role;
use super::wires::{self, Wires};
use crate::demo::endpoint::Config;
use crate::demo::person::Person;
use crate::demo::station::Station;
use crate::entropy::Entropy;
use crate::run::Running;
use crate::run::clock::Clock;
use crate::switch::command::{Command, Reply};
use crate::switch::view::Waiting;
use crate::time::{DateTime, Tick, Utc};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Calls of the carrier, and of an agent's phone, while the demo lasts: each has an RTP port of its own.
const CARRIER_CALLS: u16 = 24;
const AGENT_CALLS: u16 = 16;
/// Nothing happens for so long at most before the stage is looked at again.
const LOOK: Duration = Duration::from_millis(100);
/// How often the line is read out when it changes.
const ASIDE: Duration = Duration::from_millis(3_500);
/// The curtain falls here, whatever has happened. The story takes three quarters of a minute where nobody else works.
const CURTAIN: Duration = Duration::from_secs(120);

/// Why the play was stopped.
#[derive(Debug)]
pub enum Stopped {
    /// Ctrl-C.
    Interrupted,
    /// The switch is gone.
    Fault,
    /// Nobody can be told.
    Output(io::Error),
}

/// Where the play is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scene {
    /// Phones register.
    Arriving,
    /// Agents pause, so that customers wait.
    Pausing,
    /// Customers call, this one next.
    Calling { next: usize, at: Tick },
    /// Everybody who wants one has a promise and has hung up: this agent comes back.
    Returning { next: usize, at: Tick },
    /// The promises are kept.
    Serving,
}

/// When the office opens.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The instant.
    pub at: DateTime<Utc>,
    /// What its clock will show.
    pub shown: String,
    /// It has been told.
    pub told: bool,
}

/// How fast the people are, by which clock, and when the office opens.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Of the people.
    pub speed: Speed,
    /// The switch goes by the same.
    pub clock: Clock,
    /// Of the office.
    pub opening: Opening,
}

/// See the module.
pub struct Stage {
    /// What happened.
    pub story: Story,
    wires: Vec<Wires>,
    stations: Vec<Station>,
    scene: Scene,
    speed: Speed,
    clock: Clock,
    cues: Cues,
    opening: Opening,
    line: String,
    line_told: Tick,
}

/// Wires for the carrier and every agent. Needs a runtime around it.
pub fn lay_wires() -> io::Result<Vec<Wires>> {
    let mut all = vec![Wires::lay(CARRIER_CALLS)?];
    for _ in AGENTS {
        all.push(Wires::lay(AGENT_CALLS)?);
    }
    Ok(all)
}

impl Stage {
    /// Everybody in place, and silent.
    pub fn new(wires: Vec<Wires>, running: &Running, secret: &str, timing: Timing, mut entropy: Entropy) -> Stage {
        let Timing { speed, clock, opening } = timing;
        let config = |at: usize, user: &str, calls: u16| Config {
            user: user.to_owned(),
            display: None,
            local: wires[at].sip.local_addr().expect("a bound socket has an address"),
            server: running.sip,
            domain: running.sip.ip().to_string(),
            credentials: (at != CARRIER).then(|| (user.to_owned(), secret.to_owned())),
            // The carrier prefers another codec than the phones: the switch transcodes.
            codecs: if at == CARRIER { vec![8, 0] } else { vec![0, 8] },
            rtp_port: wires[at].rtp_first,
            rtp_ports: calls,
            pitch: 0,
            pitches: pitches(),
            packets: true,
        };
        let mut carrier = Station::carrier("carrier", config(CARRIER, "carrier", CARRIER_CALLS), entropy.fork());
        carrier.people = CUSTOMERS.iter().map(|customer| customer.person(speed)).collect();
        let mut stations = vec![carrier];
        for (at, agent) in AGENTS.iter().enumerate() {
            let config = config(at + 1, agent.extension, AGENT_CALLS);
            let person: Person = agent.person(speed);
            stations.push(Station::phone(config, person, entropy.fork()));
        }
        Stage {
            story: Story::new(speed.retry()),
            wires,
            stations,
            scene: Scene::Arriving,
            speed,
            clock,
            cues: Cues::new(speed),
            opening,
            line: String::new(),
            line_told: Tick::ZERO,
        }
    }

    /// The play's own time.
    pub fn now(&self) -> Tick {
        self.clock.tick()
    }

    /// Where the carrier is.
    pub fn carrier(&self) -> SocketAddr {
        self.stations[CARRIER].endpoint.config.local
    }

    /// Plays until everybody has come to his end, or the curtain falls.
    pub async fn play(&mut self, running: &Running, out: &mut Out<'_>) -> Result<(), Stopped> {
        let mut inbox = wires::listen(&self.wires);
        let mut events = running.events();
        let curtain = Tick::ZERO + CURTAIN.div_f64(self.speed.0.min(1.0));
        for phone in CARRIER + 1..self.stations.len() {
            self.stations[phone].endpoint.register(self.clock.tick(), 300);
        }
        let interrupt = tokio::signal::ctrl_c();
        tokio::pin!(interrupt);
        loop {
            let now = self.now();
            self.direct(now);
            self.turn(now);
            self.ask_promises(now, running).await?;
            self.aside(now, running).await?;
            self.tell(out)?;
            if self.story.is_over() || now >= curtain {
                return Ok(());
            }
            let wakes = self.stations.iter().filter_map(Station::poll_timeout).chain([now + LOOK]).min();
            let wake = self.clock.instant(wakes.unwrap_or(now));
            tokio::select! {
                Some(first) = inbox.recv() => {
                    let now = self.now();
                    wires::deliver(now, &mut self.stations, &first);
                    while let Ok(more) = inbox.try_recv() {
                        wires::deliver(now, &mut self.stations, &more);
                    }
                }
                event = events.recv() => match event {
                    Ok(event) => self.story.happened(self.clock.tick(), &event),
                    Err(RecvError::Lagged(_)) => {} // What was missed shows as missing in the end.
                    Err(RecvError::Closed) => return Err(Stopped::Fault),
                },
                () = tokio::time::sleep_until(wake.into()) => {}
                _ = &mut interrupt => return Err(Stopped::Interrupted),
                _ = running.ended() => return Err(Stopped::Fault),
            }
        }
    }

    /// Everybody does what he has to do now.
    fn turn(&mut self, now: Tick) {
        for (index, (station, wires)) in self.stations.iter_mut().zip(&self.wires).enumerate() {
            if station.poll_timeout().is_some_and(|due| due <= now) {
                station.on_timeout(now);
            }
            while let Some((call, key)) = station.poll_press(now) {
                match (index.checked_sub(1), station.owner(call)) {
                    (Some(agent), _) => self.story.pressed_by_agent(now, agent, call, key),
                    (None, Some(customer)) => self.story.pressed(now, customer, key),
                    (None, None) => {} // Nobody's finger.
                }
            }
            wires.carry(station);
            while let Some(told) = station.poll_told() {
                self.story.told(now, index, station, &told);
            }
        }
        self.story.listen(now, &mut self.stations);
        if !self.opening.told && self.clock.now().utc >= self.opening.at {
            self.opening.told = true;
            self.story.opens(now, &self.opening.shown);
        }
    }

    /// Gives the cues.
    fn direct(&mut self, now: Tick) {
        self.scene = match self.scene {
            Scene::Arriving if self.story.registered.iter().all(|is| *is) => {
                self.agents_dial(now);
                Scene::Pausing
            }
            Scene::Pausing if self.story.paused.iter().all(|is| *is) => {
                Scene::Calling { next: 0, at: now + self.speed.paced(1_000, 200) }
            }
            Scene::Calling { next, at } if next < CUSTOMERS.len() && at <= now => {
                let carrier = &mut self.stations[CARRIER];
                let customer = &CUSTOMERS[next];
                let call = match customer.plan {
                    Plan::TypesNumber => carrier.dial_withheld(now, next, customer.line().did),
                    Plan::HearsItOut
                    | Plan::AsksBeforeOpening
                    | Plan::BusyOnce
                    | Plan::HasMachine
                    | Plan::GivesUp
                    | Plan::Stays => carrier.dial(now, next, customer.line().did),
                };
                self.story.dialled(now, next, call);
                Scene::Calling { next: next + 1, at: now + self.speed.paced(500, 150) }
            }
            Scene::Calling { next, .. } if next == CUSTOMERS.len() && self.all_have_hung_up() => {
                Scene::Returning { next: 0, at: now + self.speed.paced(800, 200) }
            }
            Scene::Returning { next, at } if at <= now => {
                self.stations[next + 1].dial(now, 0, PAUSE_CODE);
                match next + 1 < AGENTS.len() {
                    true => Scene::Returning { next: next + 1, at: now + self.speed.paced(1_200, 400) },
                    false => Scene::Serving,
                }
            }
            scene => scene, // Not yet.
        };
        self.cues.give(now, &self.story, &mut self.stations);
    }

    fn agents_dial(&mut self, now: Tick) {
        for phone in CARRIER + 1..self.stations.len() {
            self.stations[phone].dial(now, 0, PAUSE_CODE);
        }
    }

    fn all_have_hung_up(&self) -> bool {
        let mut guests = self.story.guests.iter().zip(&CUSTOMERS);
        guests.all(|(guest, customer)| customer.plan == Plan::Stays || guest.left.is_some())
    }

    /// Asks the switch what it says of each callback as soon as it is promised.
    async fn ask_promises(&mut self, now: Tick, running: &Running) -> Result<(), Stopped> {
        for customer in 0..CUSTOMERS.len() {
            let guest = &self.story.guests[customer];
            let Some(task) = guest.task.filter(|_| guest.at_first.is_none()) else { continue };
            let reply = running.commands.ask(Command::ShowCallback(task)).await.map_err(|_| Stopped::Fault)?;
            if let Reply::Callback(callback) = reply {
                let seen = AtFirst { state: callback.task.state, next_at: callback.next_at };
                self.story.promise_seen(now, customer, seen, &self.opening.shown);
            }
        }
        Ok(())
    }

    /// Reads the line out, when it has changed and there was time to read the last one.
    async fn aside(&mut self, now: Tick, running: &Running) -> Result<(), Stopped> {
        let is_worth_it = matches!(self.scene, Scene::Returning { .. } | Scene::Serving);
        if now.since(self.line_told) < ASIDE || !is_worth_it {
            return Ok(());
        }
        self.line_told = now;
        let mut line = self.read_out(running, SUPPORT).await?.unwrap_or_else(|| "nobody".to_owned());
        if let Some(apart) = self.read_out(running, BILLING).await? {
            line = format!("{line} · {}: {apart}", BILLING.queue);
        }
        if line != self.line {
            self.story.tell(now, Role::Aside, "in line", line.clone());
            self.line = line;
        }
        Ok(())
    }

    /// Who is in a line; `None`: nobody.
    async fn read_out(&self, running: &Running, line: Line) -> Result<Option<String>, Stopped> {
        let asked = Command::ShowQueue(line.queue.to_owned());
        let Reply::Queue(queue) = running.commands.ask(asked).await.map_err(|_| Stopped::Fault)? else {
            return Ok(None);
        };
        let entries: Vec<String> = queue.waiting.iter().flatten().map(|waiting| self.entry(waiting)).collect();
        Ok((!entries.is_empty()).then(|| entries.join(", ")))
    }

    /// `1 Alice talks`, `2 Bob`, or `3 Carol ♪`, who hears music.
    fn entry(&self, waiting: &Waiting) -> String {
        let Some(customer) = CUSTOMERS.iter().position(|customer| customer.number == waiting.number) else {
            return format!("{} somebody", waiting.position);
        };
        let doing = match self.story.serving(customer) {
            Some(serve) if serve.joined.is_some() => " talks",
            Some(_) => " next",
            None if waiting.kind == "live" => " ♪",
            None => "",
        };
        format!("{} {}{doing}", waiting.position, CUSTOMERS[customer].name)
    }

    fn tell(&mut self, out: &mut Out<'_>) -> Result<(), Stopped> {
        let paint = out.paint;
        let text: String = self.story.lines().iter().map(|line| paint.line(line)).collect();
        if text.is_empty() { Ok(()) } else { out.print(&text).map_err(Stopped::Output) }
    }
}

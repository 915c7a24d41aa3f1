//! Who plays in the demo: seven customers behind one carrier, two agents, and the site they call.

use crate::config::{self, Config, Disk};
use crate::demo::person::{Person, Reaction};
use crate::id::Name;
use crate::settings::{Settings, Sound};
use crate::time::{DateTime, Utc};
use chrono::{Datelike, Days, NaiveTime, Weekday};
use chrono_tz::America::New_York;
use std::path::Path;
use std::time::Duration;

/// A number that customers dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number.
    pub did: &'static str,
    /// The queue it leads to.
    pub queue: &'static str,
}

/// Calls back at any hour.
pub const SUPPORT: Line = Line { did: "+12025550100", queue: "support" };
/// Calls back while the office is open.
pub const BILLING: Line = Line { did: "+12025550110", queue: "billing" };
/// The pitch of an answering machine in Hz.
pub const MACHINE: u32 = 1_850;
/// Pauses and resumes an agent, from the agent's phone.
pub const PAUSE_CODE: &str = "*46";

/// A customer and what becomes of him.
#[derive(Clone, Copy, Debug)]
pub struct Customer {
    /// What the timeline calls him.
    pub name: &'static str,
    /// Where he is called back.
    pub number: &'static str,
    /// The pitch of his voice in Hz.
    pub pitch: u32,
    /// What he does.
    pub plan: Plan,
}

/// What a customer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Presses the key and `#`, listens to the promise to its end, and ends his callback himself.
    HearsItOut,
    /// The same in the line of billing, where he is called back when the office has opened.
    AsksBeforeOpening,
    /// The same, but hangs up during the promise, and is busy when he is called back for the first time.
    BusyOnce,
    /// The same; a machine takes the first callback, the agent presses 9, and the next one he takes himself.
    HasMachine,
    /// Presses nothing, waits and hangs up: a missed call.
    GivesUp,
    /// Presses nothing and is served live.
    Stays,
    /// Withholds his number: types it, and says that it was read back right.
    TypesNumber,
}

/// An agent.
#[derive(Clone, Copy, Debug)]
pub struct Agent {
    /// Name.
    pub name: &'static str,
    /// Extension.
    pub extension: &'static str,
    /// The pitch of the agent's voice in Hz.
    pub pitch: u32,
}

const fn customer(name: &'static str, number: &'static str, pitch: u32, plan: Plan) -> Customer {
    Customer { name, number, pitch, plan }
}

/// The customers, in the order in which they call.
pub const CUSTOMERS: [Customer; 7] = [
    customer("Alice", "+12025550101", 1_010, Plan::HearsItOut),
    customer("Bob", "+12025550102", 1_130, Plan::AsksBeforeOpening),
    customer("Carol", "+12025550103", 1_270, Plan::Stays),
    customer("Dave", "+12025550104", 1_390, Plan::BusyOnce),
    customer("Erin", "+12025550105", 1_530, Plan::HasMachine),
    customer("Frank", "+12025550106", 1_690, Plan::TypesNumber),
    customer("Grace", "+12025550107", 620, Plan::GivesUp),
];

/// The agents.
pub const AGENTS: [Agent; 2] =
    [Agent { name: "anna", extension: "1001", pitch: 770 }, Agent { name: "ben", extension: "1002", pitch: 890 }];

/// Every pitch an ear must know.
pub fn pitches() -> Vec<u32> {
    CUSTOMERS
        .iter()
        .map(|customer| customer.pitch)
        .chain(AGENTS.iter().map(|agent| agent.pitch))
        .chain([MACHINE])
        .collect()
}

/// How fast people are: patience and retry waits are divided by it, never the clock of RTP.
#[derive(Clone, Copy, Debug)]
pub struct Speed(pub f64);

impl Speed {
    /// `millis` at this speed, and not below `least`, which the ears of the other side need.
    pub fn paced(self, millis: u64, least: u64) -> Duration {
        Duration::from_millis(((millis as f64 / self.0) as u64).max(least))
    }

    /// The wait before the second attempt.
    pub fn retry(self) -> Duration {
        Duration::from_secs((6.0 / self.0).round().max(1.0) as u64)
    }

    /// From the beginning until the office opens: agents have come back by then, and customers have waited in vain.
    pub fn opening(self) -> Duration {
        self.paced(25_000, 11_000)
    }
}

impl Customer {
    /// Which line he calls.
    pub fn line(&self) -> Line {
        match self.plan {
            Plan::AsksBeforeOpening => BILLING,
            Plan::HearsItOut | Plan::BusyOnce | Plan::HasMachine | Plan::GivesUp | Plan::Stays | Plan::TypesNumber => {
                SUPPORT
            }
        }
    }

    /// The person.
    pub fn person(&self, speed: Speed) -> Person {
        let answers = Reaction::Answer { after: speed.paced(800, 300), early: self.plan == Plan::GivesUp };
        let reactions = match self.plan {
            Plan::BusyOnce => vec![Reaction::Refuse { after: speed.paced(800, 300), status: 486 }, answers],
            Plan::HearsItOut
            | Plan::AsksBeforeOpening
            | Plan::HasMachine
            | Plan::GivesUp
            | Plan::Stays
            | Plan::TypesNumber => vec![answers],
        };
        // Longer than a misdial, or nobody would call back.
        let patience = (self.plan == Plan::GivesUp).then(|| speed.paced(5_000, 3_500));
        let mut person = Person::new(self.name, self.number).reacting(reactions).visiting(&self.keys(speed), patience);
        person.pitch = Some(self.pitch);
        if self.plan == Plan::TypesNumber {
            // He had named a number that could have been anybody's: he is asked whether he wants the call.
            person.replies = vec![(Duration::from_millis(2_500), '1')];
        }
        if self.plan == Plan::HearsItOut {
            person = person.talking(Duration::from_millis(2_000));
        }
        person
    }

    /// What he presses, and when, after he was answered.
    fn keys(&self, speed: Speed) -> Vec<(u64, char)> {
        let at = |millis, least| u64::try_from(speed.paced(millis, least).as_millis()).unwrap_or(u64::MAX);
        let (request, then) = (at(1_800, 800), at(2_600, 1_300));
        match self.plan {
            Plan::Stays | Plan::GivesUp => Vec::new(),
            Plan::HearsItOut | Plan::AsksBeforeOpening | Plan::BusyOnce | Plan::HasMachine => {
                vec![(request, '1'), (then, '#')]
            }
            Plan::TypesNumber => {
                let national = self.number.trim_start_matches("+1");
                let typed = national.chars().chain(['#']).map(|key| (then, key));
                // A finger needs a fifth of a second for a key; the last one answers what was read back.
                let agreed = then + 200 * (national.len() as u64 + 1) + at(1_500, 500);
                [(request, '1')].into_iter().chain(typed).chain([(agreed, '1')]).collect()
            }
        }
    }
}

impl Agent {
    /// The person.
    pub fn person(&self, speed: Speed) -> Person {
        let mut person = Person::new(self.name, self.extension)
            .reacting([Reaction::Answer { after: speed.paced(600, 300), early: false }])
            .visiting(&[], Some(Duration::from_secs(8)))
            .talking(Duration::from_millis(2_500));
        person.pitch = Some(self.pitch);
        person
    }
}

/// What the site is told of this run.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where the carrier sends from.
    pub carrier_port: u16,
    /// The first and the last port for RTP.
    pub media_ports: (u16, u16),
    /// Of both phones.
    pub secret: String,
}

/// The site, read as every configuration is.
pub fn site(place: &Place, speed: Speed) -> Config {
    let text = include_str!("site.toml")
        .replace("@media-ports@", &format!("{}-{}", place.media_ports.0, place.media_ports.1))
        .replace("@carrier-port@", &place.carrier_port.to_string())
        .replace("@retry-secs@", &speed.retry().as_secs().to_string())
        .replace("@secret@", &place.secret)
        .replace("@support@", SUPPORT.did)
        .replace("@billing@", BILLING.did);
    let mut config = config::parse(&text, &Disk::new(Path::new("."))).expect("the test reads this very text");
    config.shell.sip_udp = "127.0.0.1:0".parse().expect("an address");
    config.shell.http = "127.0.0.1:0".parse().expect("an address");
    for profile in &mut config.settings.profiles {
        // The number stands in the phone's display; reading it aloud each time would take most of the minute.
        profile.agent_prompt = Sound::Prompt(Name::from("agent_callback"));
    }
    config
}

/// Nine o'clock of the last working day at the office that `now` has seen: near enough for every calendar and list of
/// numbers, and at any hour at which the demo is played the office is about to open.
pub fn nine(settings: &Settings, now: DateTime<Utc>) -> DateTime<Utc> {
    let zone = settings.zones.zone(New_York);
    let today = zone.local(now).date();
    let is_worked = |day: Weekday| !matches!(day, Weekday::Sat | Weekday::Sun);
    let days = (0..7).filter_map(|back| today.checked_sub_days(Days::new(back)));
    let nine = NaiveTime::from_hms_opt(9, 0, 0).expect("9 is an hour");
    let mut openings = days.filter(|day| is_worked(day.weekday())).map(|day| zone.instant(day.and_time(nine)));
    openings.find(|opening| *opening <= now).unwrap_or(now)
}

/// What a clock at the office shows.
pub fn office_clock(settings: &Settings, at: DateTime<Utc>) -> String {
    settings.zones.zone(New_York).local(at).format("%a %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::session::{Direction, Session};
    use crate::demo::voice::{Voice, encode};
    use crate::time::Tick;

    #[test]
    fn the_site_is_right_and_asks_for_nothing_that_is_not_honoured() {
        let place = Place { carrier_port: 5062, media_ports: (20_000, 20_099), secret: "long-random".into() };

        let config = site(&place, Speed(1.0));

        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert_eq!(config.settings.agents.len(), AGENTS.len());
        assert_eq!(config.settings.profiles[0].intervals[1], Duration::from_secs(6));
        assert_eq!(site(&place, Speed(100.0)).settings.profiles[0].intervals[1], Duration::from_secs(1));
    }

    #[test]
    fn the_office_opens_on_the_last_working_day_that_has_begun() {
        let settings = Settings::empty(New_York);
        let nine = |now: &str| nine(&settings, now.parse().unwrap()).to_rfc3339();

        assert_eq!(nine("2026-11-19T14:00:00Z"), "2026-11-19T14:00:00+00:00", "Thursday, at nine");
        assert_eq!(nine("2026-11-19T13:59:59Z"), "2026-11-18T14:00:00+00:00", "a second before");
        assert_eq!(nine("2026-11-22T20:00:00Z"), "2026-11-20T14:00:00+00:00", "Sunday");
        assert_eq!(nine("2026-11-23T02:00:00Z"), "2026-11-20T14:00:00+00:00", "Sunday evening in New York");
        assert_eq!(nine("2026-07-06T12:00:00Z"), "2026-07-03T13:00:00+00:00", "Monday before nine, in summer");
        assert_eq!(office_clock(&settings, "2026-11-20T13:59:37Z".parse().unwrap()), "Fri 08:59:37");
    }

    #[test]
    fn neither_music_nor_prompts_sound_like_one_of_the_people() {
        let library = crate::run::clips::load(
            &[],
            Some("US"),
            &crate::run::speech::Voice { command: None, kept: std::env::temp_dir() },
            &|_| false,
        )
        .unwrap();
        let rtp = "192.0.2.20:4000".parse().unwrap();
        let remote = Session { rtp, codecs: vec![0], dtmf: Some(101), direction: Direction::SendRecv };
        for (name, clip) in &library {
            for shift in [0, 400] {
                let mut ear = Voice::new(Tick::ZERO, &remote, 0, 500, 7);
                for frame in clip.samples()[shift.min(clip.len())..].chunks(160) {
                    let mut packet = vec![0x80; 12];
                    packet[1] = 0;
                    packet.extend(frame.iter().map(|sample| encode(0, *sample)));
                    ear.hear(&packet, &pitches());
                }
                assert!(ear.ear().heard.is_empty(), "{name} sounds like {:?}", ear.ear().heard);
            }
        }
    }
}

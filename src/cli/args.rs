//! The grammar of the command line.

mod audio;
mod person;
mod promise;

pub use audio::{PromptCommand, RecordingCommand, RenderPrompt};
pub use person::Erase;
pub use promise::{AddCallback, CallbackCommand, DoNotCallCommand, ExportCallbacks, PostponeCallback};

use clap::{Args, Parser, Subcommand};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

const AFTER_HELP: &str = "Examples:
  ringback
  ringback serve --config ringback.toml
  ringback queue show support

Exit codes: 0 ok, 1 failed, 2 usage, 3 configuration wrong, 4 server not reachable, 5 partly done";

/// A SIP switch with one promise: nobody waits on hold, we call you back.
///
/// Without a command it runs the switch, as `ringback serve` does.
#[derive(Debug, Parser)]
#[command(name = "ringback", version, args_conflicts_with_subcommands = false)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What holds for `serve`, also when that word is left out.
    #[command(flatten)]
    pub serve: Serve,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Print JSON for programs instead of tables for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the server's API is [default: where the data directory says, else http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL", env = "RINGBACK_SERVER")]
    pub server: Option<String>,
    /// The data directory: store, recordings, token
    #[arg(long, global = true, value_name = "DIR", default_value = "ringback-data", env = "RINGBACK_DATA")]
    pub data: PathBuf,
}

/// Options of `serve`.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct Serve {
    /// The configuration file; without one, the embedded default site
    #[arg(long, value_name = "FILE", env = "RINGBACK_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where SIP over UDP listens, instead of server.sip_udp
    #[arg(long, value_name = "ADDRESS:PORT", env = "RINGBACK_SIP_UDP")]
    pub sip_udp: Option<SocketAddr>,
    /// Where the API listens, instead of server.http
    #[arg(long, value_name = "ADDRESS:PORT", env = "RINGBACK_HTTP")]
    pub http: Option<SocketAddr>,
    /// What SDP and Contact carry, instead of server.public_address
    #[arg(long, value_name = "ADDRESS", env = "RINGBACK_PUBLIC_ADDRESS")]
    pub public_address: Option<IpAddr>,
    /// Ports for RTP, instead of server.media_ports
    #[arg(long, value_name = "LOW-HIGH", env = "RINGBACK_MEDIA_PORTS", value_parser = ports)]
    pub media_ports: Option<RangeInclusive<u16>>,
}

impl Serve {
    /// These options, and `other`'s where these are silent: `ringback --http … serve` means the same as
    /// `ringback serve --http …`.
    pub fn or(self, other: Serve) -> Serve {
        Serve {
            config: self.config.or(other.config),
            sip_udp: self.sip_udp.or(other.sip_udp),
            http: self.http.or(other.http),
            public_address: self.public_address.or(other.public_address),
            media_ports: self.media_ports.or(other.media_ports),
        }
    }
}

/// `20000-20999`
fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || "write a range of at least 2 ports from 1024 to 65535 such as 20000-20999".to_owned();
    let (low, high) = text.split_once('-').ok_or_else(wrong)?;
    let low: u16 = low.trim().parse().map_err(|_| wrong())?;
    let high: u16 = high.trim().parse().map_err(|_| wrong())?;
    if 1024 <= low && low < high { Ok(low..=high) } else { Err(wrong()) }
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the switch
    #[command(after_help = "Example:\n  ringback serve --config ringback.toml --data /var/lib/ringback")]
    Serve(Serve),
    /// Validate a configuration file: every error with file:line:column
    ///
    /// With --data, also what was made by API or page and would not be in force with this file.
    #[command(after_help = "Examples:\n  ringback check ringback.toml\n  ringback check new.toml --data ringback-data")]
    Check(Check),
    /// Every field of the configuration file with unit, default and limits, as Markdown
    #[command(after_help = "Examples:\n  ringback reference > reference.md\n  ringback reference callback_profile")]
    Reference(Reference),
    /// Give a running server another text of its file: all of it, or nothing when something is wrong
    ///
    /// Paths in the file are read from the directory of the server's own file. The server reads that one again at its
    /// next start and at SIGHUP. An object that was made by API or page under a name of the file waits in the store.
    #[command(after_help = "Examples:\n  ringback apply ringback.toml\n  ringback apply ringback.toml --dry-run")]
    Apply(Apply),
    /// Tell what `apply` would change
    #[command(after_help = "Example:\n  ringback diff ringback.toml")]
    Diff(Check),
    /// Print the site of a running server as TOML, without secrets; `apply` fills in what the server has in their place
    #[command(after_help = "Example:\n  ringback export > site.toml")]
    Export,
    /// Callbacks: promises made and kept
    #[command(subcommand, after_help = "Example:\n  ringback callback list --state due")]
    Callback(CallbackCommand),
    /// Numbers that are never called
    #[command(subcommand, after_help = "Example:\n  ringback do-not-call add +12025550123 --note \"wrote to us\"")]
    DoNotCall(DoNotCallCommand),
    /// All that is stored of a person, found by his number
    #[command(after_help = "Examples:\n  ringback find +12025550123\n  ringback --json find +12025550123 > his.json")]
    Find {
        /// His number
        number: String,
    },
    /// Erase a person for good; without --yes only tell what that would do
    ///
    /// Open callbacks are cancelled; callbacks, attempts, recordings with their audio and places in line go, also from
    /// every older file of the data directory and from stores that a restore has moved aside. The audit log keeps that
    /// something was done, and not with whom. A restore of an older backup leaves him out as long as the file `erased`
    /// of this data directory is there: keep a copy of it with the backup's key. Not while a call of his runs.
    #[command(after_help = "Examples:\n  ringback erase +12025550123\n  ringback erase +12025550123 --yes")]
    Erase(Erase),
    /// Queues and who waits in them
    #[command(subcommand, after_help = "Example:\n  ringback queue show support")]
    Queue(QueueCommand),
    /// Agents and their phones
    #[command(subcommand, after_help = "Example:\n  ringback agent pause anna --reason lunch")]
    Agent(AgentCommand),
    /// Trunks
    #[command(subcommand, after_help = "Example:\n  ringback trunk list")]
    Trunk(TrunkCommand),
    /// Calls, live and ended
    #[command(subcommand, after_help = "Example:\n  ringback call show 01JD0000000000000000000000 --ladder")]
    Call(CallCommand),
    /// Recordings
    #[command(subcommand, after_help = "Example:\n  ringback recording get 01JD0000000000000000000000 -o call.wav")]
    Recording(RecordingCommand),
    /// Sounds of the site: hold music, announcements, notices
    #[command(subcommand, after_help = "Example:\n  ringback prompt import greeting greeting.mp3")]
    Prompt(PromptCommand),
    /// Dial again after the breaker, or a clock that jumped, has stopped automatic calls and a person has looked
    #[command(after_help = "Example:\n  ringback resume-dialling")]
    ResumeDialling,
    /// Freeze the site: no rule acts and nothing is dialled; open callbacks of its rules are cancelled
    #[command(after_help = "Example:\n  ringback freeze")]
    Freeze,
    /// Let the site dial again; its rules rest until each is activated
    #[command(after_help = "Example:\n  ringback unfreeze")]
    Unfreeze,
    /// Activate rules that a freeze has disabled
    #[command(after_help = "Example:\n  ringback activate support-key")]
    Activate {
        /// Their names
        #[arg(required = true)]
        rule: Vec<String>,
    },
    /// Look at ports, addresses, trunks, DNS, clock and disk: each line is ok, or says what is wrong and how to mend it
    #[command(after_help = "Example:\n  ringback doctor --config ringback.toml")]
    Doctor(Serve),
    /// How a running server, its store and its disk are; exit code 1 when it is not ready
    #[command(after_help = "Example:\n  ringback status")]
    Status,
    /// Take no new calls; the server ends when the running ones have ended
    #[command(after_help = "Example:\n  ringback drain")]
    Drain,
    /// Repeat the recording of a fault, and tell what the switch did around it
    ///
    /// The server writes such files into the folder `faults` of its data directory. The last digits of numbers, names
    /// of callers and passwords in them are masked; their second line says what is not. Nothing is sent and nothing is
    /// stored by a replay.
    #[command(after_help = "Examples:\n  ringback replay ringback-data/faults/20260302T150000000Z.flight\n  \
                            ringback replay fault.flight --until 1200 --last 400")]
    Replay(Replay),
    /// The whole story without any phone: customers, agents and a carrier on loopback against the real switch
    ///
    /// Customers call and wait, press the key, are promised a callback and hang up; one stays on the line. The agents
    /// are ready again, and everybody is served in order of place. All of it is real SIP and RTP over UDP, checked by
    /// what each phone has heard. The exit code is 0 only if everybody was served. Recordings stay in the folder that
    /// --data names (new or empty; RINGBACK_DATA is not asked), else in a new temporary one.
    #[command(after_help = "Examples:\n  ringback demo\n  ringback demo --speed 2 --data demo-data")]
    Demo(Demo),
    /// Write an encrypted backup of the store, while the server runs or not
    ///
    /// In it are callbacks with their attempts, registrations, lists and what was configured by API or page; not the
    /// recordings, the uploaded sounds and the configuration file. Its key is made in the data directory
    /// (`backup.key`) at the first backup. Keep a copy of the key elsewhere: without it nobody can restore.
    #[command(after_help = "Example:\n  ringback backup /mnt/nas/ringback-$(date +%F).backup")]
    Backup(Backup),
    /// Make a backup the store of the data directory, while the server is stopped
    #[command(after_help = "Examples:\n  ringback restore monday.backup --verify\n  \
                            ringback restore monday.backup --key backup.key --data /var/lib/ringback")]
    Restore(Restore),
    /// The store: what must outlive the process
    #[command(subcommand, after_help = "Example:\n  ringback store verify")]
    Store(StoreCommand),
    /// Make a development CA and a server certificate
    #[command(after_help = "Example:\n  ringback cert --out certs --name pbx.example.com --name 192.0.2.10")]
    Cert(Cert),
}

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Divides patience and retry waits, never the clock of RTP: from 0.25 to 20
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
}

/// A speed of the demo.
fn speed(text: &str) -> Result<f64, String> {
    let speed: Option<f64> = text.parse().ok();
    speed.filter(|speed| (0.25..=20.0).contains(speed)).ok_or_else(|| "write a number from 0.25 to 20".to_owned())
}

/// Options of `check`.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// The configuration file
    pub file: PathBuf,
}

/// Options of `reference`.
#[derive(Clone, Debug, Args)]
pub struct Reference {
    /// Only this table, such as `queue`, or `presets`
    pub table: Option<String>,
}

/// Options of `apply`.
#[derive(Clone, Debug, Args)]
pub struct Apply {
    /// The configuration file
    pub file: PathBuf,
    /// Change nothing; tell what would change
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `backup`.
#[derive(Clone, Debug, Args)]
pub struct Backup {
    /// Where to; it must not be there yet
    pub file: PathBuf,
    /// The key's file, 64 hex digits [default: backup.key of the data directory, made when it is not there]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// Options of `restore`.
#[derive(Clone, Debug, Args)]
pub struct Restore {
    /// The backup
    pub file: PathBuf,
    /// The key's file [default: backup.key of the data directory]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Only read all of it and tell whether it would come back as it was
    #[arg(long, conflicts_with = "replace")]
    pub verify: bool,
    /// Move a store that is there aside first
    #[arg(long)]
    pub replace: bool,
}

/// `store …`
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Read every file and tell whether anything is damaged; changes nothing
    #[command(after_help = "Example:\n  ringback store verify --data /var/lib/ringback")]
    Verify,
    /// Write every record as a line of JSON
    ///
    /// It holds numbers of people and secrets, in clear.
    #[command(after_help = "Example:\n  ringback store export store.jsonl")]
    Export {
        /// Where to; `-` is standard output
        file: PathBuf,
    },
    /// Make a store in an empty data directory from what `store export` wrote
    #[command(after_help = "Example:\n  ringback store import store.jsonl --data new-directory")]
    Import {
        /// From where; `-` is standard input
        file: PathBuf,
    },
}

/// Options of `cert`.
#[derive(Clone, Debug, Args)]
pub struct Cert {
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "certs")]
    pub out: PathBuf,
    /// A host name or address the server certificate is for; repeatable
    #[arg(long, value_name = "NAME", default_values = ["localhost", "127.0.0.1", "::1"])]
    pub name: Vec<String>,
    /// How long the server certificate holds
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// Make a new server certificate where there is one already (the CA is kept)
    #[arg(long)]
    pub renew: bool,
}

/// `replay`
#[derive(Clone, Debug, Args)]
pub struct Replay {
    /// The recording
    pub file: PathBuf,
    /// Stop after this input
    #[arg(long, value_name = "N")]
    pub until: Option<u64>,
    /// Tell so many lines of what happened last
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub last: usize,
}

/// `queue …`
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// All queues, or one with everybody who waits
    #[command(after_help = "Example:\n  ringback queue show support")]
    Show {
        /// Its name
        name: Option<String>,
    },
}

/// `agent …`
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// List agents
    #[command(after_help = "Example:\n  ringback agent list")]
    List,
    /// Give an agent no calls for now
    #[command(after_help = "Example:\n  ringback agent pause anna --reason lunch")]
    Pause {
        /// Who
        name: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Give an agent calls again
    #[command(after_help = "Example:\n  ringback agent resume anna")]
    Resume {
        /// Who
        name: String,
    },
    /// Log an agent out, until a phone of theirs registers anew or they log in
    #[command(after_help = "Example:\n  ringback agent logout anna")]
    Logout {
        /// Who
        name: String,
    },
    /// Let an agent's phones call the outside from where they are now
    #[command(after_help = "Example:\n  ringback agent trust anna")]
    Trust {
        /// Who
        name: String,
    },
    /// Show the password of an agent's phone, or make a new one
    #[command(
        after_help = "Example:\n  ringback agent secret 1001\n  ringback agent secret anna --config ringback.toml"
    )]
    Secret {
        /// Name or extension
        name: String,
        /// Make a new one; it holds from the next start of the switch
        #[arg(long, conflicts_with = "config")]
        new: bool,
        /// The configuration file; without one, the embedded default site of the data directory
        #[arg(long, value_name = "FILE", env = "RINGBACK_CONFIG")]
        config: Option<PathBuf>,
    },
}

/// `trunk …`
#[derive(Debug, Subcommand)]
pub enum TrunkCommand {
    /// List trunks and their state
    #[command(after_help = "Example:\n  ringback trunk list")]
    List,
    /// Ask a trunk whether it is there; no answer within 32 s is told and ends with 1
    #[command(after_help = "Example:\n  ringback trunk test carrier")]
    Test {
        /// Its name
        name: String,
    },
}

/// `call …`
#[derive(Debug, Subcommand)]
pub enum CallCommand {
    /// List live calls and the last ended ones
    #[command(after_help = "Example:\n  ringback call list")]
    List {
        /// So many at most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Show one
    #[command(after_help = "Example:\n  ringback call show 01JD0000000000000000000000 --ladder")]
    Show {
        /// Its id
        id: String,
        /// With every message
        #[arg(long)]
        ladder: bool,
    },
    /// End calls
    #[command(after_help = "Example:\n  ringback call hangup 01JD0000000000000000000000")]
    Hangup {
        /// Their ids
        #[arg(required = true)]
        id: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once(&"ringback").chain(words))
    }

    #[test]
    fn the_grammar_holds_together_and_every_command_has_an_example() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();

        fn look(command: &clap::Command) {
            let has_example = command.get_after_help().is_some_and(|help| help.to_string().contains("ringback"));
            assert!(has_example || command.get_name() == "help", "{} has no example", command.get_name());
            command.get_subcommands().filter(|inner| inner.get_name() != "help").for_each(look);
        }
        look(&command);
    }

    #[test]
    fn without_a_command_it_serves_with_the_same_options() {
        let bare = parsed(&["--sip-udp", "127.0.0.1:5070", "--data", "d"]).unwrap();
        let named = parsed(&["serve", "--sip-udp", "127.0.0.1:5070", "--data", "d"]).unwrap();

        let Some(Command::Serve(args)) = named.command else { panic!("serve is a command") };
        assert!(bare.command.is_none());
        assert_eq!(args.or(named.serve), bare.serve);
        assert_eq!((bare.global.data, named.global.data), (PathBuf::from("d"), PathBuf::from("d")));
    }

    #[test]
    fn wrong_options_are_usage_errors() {
        for words in [
            &["serve", "--sip-udp", "5060"][..],
            &["serve", "--media-ports", "20000"],
            &["serve", "--media-ports", "80-90"],
            &["callback", "list", "--state", "waiting"],
            &["callback", "cancel"],
            &["callback", "postpone", "01A"],
            &["callback", "postpone", "01A", "--by", "soon"],
            &["callback", "postpone", "01A", "--by", "1h", "--until", "2026-12-01T09:00:00Z"],
            &["callback", "export", "--state", "gone"],
            &["callback", "export", "--remove"],
            &["do-not-call", "lift", "+12025550123"],
            &["check"],
            &["cert", "--days", "0"],
            &["demo", "--speed", "0"],
            &["frobnicate"],
        ] {
            assert_eq!(parsed(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn json_and_server_may_stand_after_the_command() {
        let arguments = parsed(&["callback", "list", "--json", "--server", "http://127.0.0.1:1"]).unwrap();

        assert!(arguments.global.json);
        assert_eq!(arguments.global.server.as_deref(), Some("http://127.0.0.1:1"));
    }
}

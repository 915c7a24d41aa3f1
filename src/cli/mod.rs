//! The command line: what people type, and how the answer looks to them and to programs.
//!
//! `args.rs` is the grammar. Commands that need the running server speak its HTTP API (`client.rs`) with the token
//! of its data directory; `lists.rs` and `stories.rs` turn the answers into tables, or `--json` prints them as they
//! are. What goes wrong is one sentence with the way out on standard error, and one of the exit codes below.

pub mod args;
mod ask;
pub mod cert;
mod check;
mod client;
mod demo;
mod doctor;
mod lists;
mod reference;
mod replay;
mod secret;
mod serve;
pub mod start;
mod store;
mod stories;
mod table;

use args::{Arguments, Command};
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};
use std::fmt;
use std::process::ExitCode;

/// How a command ended; the number is the process's exit code (interface.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It could not.
    Failed = 1,
    /// It was not understood. clap ends the process with this number itself.
    Usage = 2,
    /// The configuration is wrong.
    Config = 3,
    /// The server does not answer.
    Unreachable = 4,
    /// Some of it was done.
    Partly = 5,
}

/// Why a command ended otherwise than well: one sentence, with the way out.
#[derive(Debug)]
pub struct Trouble {
    exit: Exit,
    sentence: String,
}

impl Trouble {
    fn new(exit: Exit, sentence: impl fmt::Display) -> Trouble {
        Trouble { exit, sentence: sentence.to_string() }
    }

    fn failed(sentence: impl fmt::Display) -> Trouble {
        Trouble::new(Exit::Failed, sentence)
    }
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let data_is_named = matches.value_source("data") == Some(ValueSource::CommandLine);
    let exit = run(arguments, data_is_named).unwrap_or_else(|trouble| {
        eprintln!("ringback: {}", trouble.sentence);
        trouble.exit
    });
    ExitCode::from(exit as u8)
}

/// `data_is_named`: the command line says so itself. The demo never plays in the directory of a real switch, which
/// the environment may name.
fn run(arguments: Arguments, data_is_named: bool) -> Result<Exit, Trouble> {
    let Arguments { global, serve, command } = arguments;
    match command.unwrap_or_else(|| Command::Serve(args::Serve::default())) {
        Command::Serve(args) => serve::serve(&global, &args.or(serve)),
        Command::Check(args) => check::check(&global, &args, data_is_named),
        Command::Reference(args) => reference::reference(&global, &args),
        Command::Demo(args) => demo::demo(&global, &args, data_is_named),
        Command::Replay(args) => replay::replay(&global, &args),
        Command::Cert(args) => cert::cert(&global, &args),
        Command::Doctor(args) => doctor::doctor(&global, &args.or(serve)),
        Command::Agent(args::AgentCommand::Secret { name, new: true, .. }) => secret::renew(&global, &name),
        Command::Agent(args::AgentCommand::Secret { name, new: false, config }) => {
            secret::show(&global, &name, config.as_deref())
        }
        Command::Backup(args) => store::back_up(&global, &args),
        Command::Restore(args) => store::restore(&global, &args),
        Command::Store(command) => store::store(&global, &command),
        remote => ask::ask(&global, remote),
    }
}

/// Prints to standard output. A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> Result<(), Trouble> {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Trouble::failed(format!("the output cannot be written: {error}"))),
    }
}

/// Prints a value for programs.
fn print_json(value: &impl serde::Serialize) -> Result<(), Trouble> {
    let text = serde_json::to_string_pretty(value).expect("values of ours have text keys and finite numbers");
    print(&format!("{text}\n"))
}

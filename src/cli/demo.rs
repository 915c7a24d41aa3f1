//! `ringback demo`: the story on standard output, or its summary as JSON.

use super::args::{Demo, Global};
use super::{Exit, Trouble, print_json, table};
use crate::demo::run::{DemoError, Options, run};
use crate::telemetry::{self, LogFormat};
use std::io::{ErrorKind, IsTerminal, Write};

/// Plays it, and says in one sentence what did not happen.
pub(super) fn demo(global: &Global, args: &Demo, data_is_named: bool) -> Result<Exit, Trouble> {
    if std::env::var_os("RINGBACK_LOG").is_some() {
        telemetry::init(LogFormat::Text); // Otherwise the log would run through the timeline.
    }
    let options = Options {
        speed: args.speed,
        data: data_is_named.then(|| global.data.clone()),
        // Whoever waits for JSON at a terminal sees meanwhile that something happens.
        quiet: global.json && !std::io::stderr().is_terminal(),
        colour: !global.json && table::in_colour(),
    };
    let out: &mut dyn Write = if global.json { &mut std::io::stderr() } else { &mut std::io::stdout() };
    let verdict = match run(&options, out) {
        Ok(verdict) => verdict,
        // Whoever read along has seen enough (`| head`); that everybody was served nobody has shown.
        Err(DemoError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Failed),
        Err(error) => return Err(Trouble::failed(error)),
    };
    if global.json {
        print_json(&verdict)?;
    }
    match verdict.missing {
        None => Ok(Exit::Done),
        Some(missing) => Err(Trouble::failed(format!("the demo did not go as it should: {missing}"))),
    }
}

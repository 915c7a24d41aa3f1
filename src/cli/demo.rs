//! `ringback demo`: the story on standard output, or its summary as JSON.

use super::args::{Demo, Global};
use super::{Exit, Trouble, print_json, table};
use crate::demo::run::{Options, run};
use crate::telemetry::{self, LogFormat};

/// Plays it, and says in one sentence what did not happen.
pub(super) fn demo(global: &Global, args: &Demo, data_is_named: bool) -> Result<Exit, Trouble> {
    if std::env::var_os("RINGBACK_LOG").is_some() {
        telemetry::init(LogFormat::Text); // Otherwise the log would run through the timeline.
    }
    let options = Options {
        speed: args.speed,
        data: data_is_named.then(|| global.data.clone()),
        quiet: global.json,
        colour: table::in_colour(),
    };
    let verdict = run(&options, &mut std::io::stdout()).map_err(Trouble::failed)?;
    if global.json {
        print_json(&verdict)?;
    }
    match verdict.missing {
        None => Ok(Exit::Done),
        Some(missing) => Err(Trouble::failed(format!("the demo did not go as it should: {missing}"))),
    }
}

//! `ringback check FILE`

use super::args::{Check, Global};
use super::{Exit, Trouble, print, print_json};
use crate::config::{self, Config, Problem, Refused, Severity};
use crate::run::{self, Source};
use crate::store::{Limits, OpenError, Opened};
use serde_json::json;

/// Validates a file and tells all that is wrong with it. A data directory that the command line names itself is looked
/// into: what its store holds of the site and would not be in force with this file is told too.
pub(super) fn check(global: &Global, args: &Check, data_is_named: bool) -> Result<Exit, Trouble> {
    let (problems, config) = match config::load(&args.file) {
        Ok(config) => (config.warnings.clone(), Some(config)),
        Err(Refused::Wrong(_, problems)) => (problems, None),
        Err(Refused::Unreadable(path, error)) => {
            return Err(Trouble::new(Exit::Config, format!("{} cannot be read: {error}", path.display())));
        }
    };
    let aside = if data_is_named && config.is_some() { set_aside(global, args)? } else { Vec::new() };
    let file = args.file.display().to_string();
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if global.json {
        let ok = config.is_some();
        let told = json!({ "file": file, "ok": ok, "errors": errors, "problems": problems, "set_aside": aside });
        print_json(&told)?;
    } else {
        print(&told(&file, &problems, errors))?;
        aside.iter().try_for_each(|told| print(&format!("warning: {told}\n")))?;
        if let Some(config) = &config {
            let site = &config.settings;
            let (agents, queues) = (site.agents.len(), site.queues.len());
            let (trunks, rules) = (site.trunks.len(), site.rules.len());
            print(&presets(config))?;
            print(&format!("{file}: ok: {agents} agents, {queues} queues, {trunks} trunks, {rules} callback rules\n"))?;
        }
    }
    Ok(if config.is_some() { Exit::Done } else { Exit::Config })
}

/// What the store of the data directory holds and the file keeps out of force. A store is its switch's while one runs.
fn set_aside(global: &Global, args: &Check) -> Result<Vec<String>, Trouble> {
    let (data, file) = (global.data.display(), args.file.display());
    if !global.data.join("store").is_dir() {
        return Ok(Vec::new()); // No switch has ever run with it.
    }
    let opened = Opened::open(&global.data, Limits::default()).map_err(|error| match error {
        OpenError::Locked(..) => {
            Trouble::failed(format!("a switch runs with {data}: ask it, with `ringback diff {file}`"))
        }
        error => Trouble::failed(error),
    })?;
    let text = std::fs::read_to_string(&args.file);
    let text = text.map_err(|error| Trouble::new(Exit::Config, format!("{file} cannot be read: {error}")))?;
    let source = Source { text, file: Some(args.file.clone()) };
    // The file has just been right.
    run::set_aside(source, &opened.restored.objects).map_err(|_| Trouble::failed(format!("{file} has just changed")))
}

/// Which preset an object has, and what of it holds there.
fn presets(config: &Config) -> String {
    let mut out = String::new();
    for object in &config.objects {
        let Some(preset) = object.given.get("preset").and_then(|name| config::preset::find(name.as_str()?)) else {
            continue;
        };
        let held = |(field, _): &(&str, &str)| !object.given.contains_key(*field);
        let values: Vec<String> = preset
            .values(object.kind)
            .into_iter()
            .filter(held)
            .map(|(field, value)| format!("{field} = {value}"))
            .collect();
        let (kind, name, values) = (object.kind, &object.name, values.join(", "));
        out.push_str(&format!("{kind} {name:?}: preset {}: {values}\n", preset.name));
    }
    out
}

fn told(file: &str, problems: &[Problem], errors: usize) -> String {
    let mut lines: Vec<String> = problems.iter().map(|problem| problem.show(file) + "\n").collect();
    match errors {
        0 => {}
        1 => lines.push(format!("{file}: 1 error\n")),
        many => lines.push(format!("{file}: {many} errors\n")),
    }
    lines.concat()
}

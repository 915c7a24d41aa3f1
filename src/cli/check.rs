//! `ringback check FILE`

use super::args::{Check, Global};
use super::{Exit, Trouble, print, print_json};
use crate::config::{self, Config, Problem, Refused, Severity};
use serde_json::json;

/// Validates a file and tells all that is wrong with it.
pub(super) fn check(global: &Global, args: &Check) -> Result<Exit, Trouble> {
    let (problems, config) = match config::load(&args.file) {
        Ok(config) => (config.warnings.clone(), Some(config)),
        Err(Refused::Wrong(_, problems)) => (problems, None),
        Err(Refused::Unreadable(path, error)) => {
            return Err(Trouble::new(Exit::Config, format!("{} cannot be read: {error}", path.display())));
        }
    };
    let file = args.file.display().to_string();
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if global.json {
        print_json(&json!({ "file": file, "ok": config.is_some(), "errors": errors, "problems": problems }))?;
    } else {
        print(&told(&file, &problems, errors))?;
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

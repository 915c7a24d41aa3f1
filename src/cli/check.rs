//! `ringback check FILE`

use super::args::{Check, Global};
use super::{Exit, Trouble, print, print_json};
use crate::config::{self, Problem, Refused, Severity};
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
            print(&format!("{file}: ok: {agents} agents, {queues} queues, {trunks} trunks, {rules} callback rules\n"))?;
        }
    }
    Ok(if config.is_some() { Exit::Done } else { Exit::Config })
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

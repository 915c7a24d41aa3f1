//! `ringback agent secret NAME`: what goes into a phone. It reads the configuration, or what the data directory keeps
//! for the embedded site; the server is not asked, for its API never tells a secret.

use super::args::Global;
use super::{Exit, Trouble, print, print_json};
use crate::config::embedded::{SECRETS, Secrets};
use crate::config::{self, Refused};
use serde_json::json;
use std::path::Path;

/// Shows the secret of an agent, by name or extension.
pub(super) fn show(global: &Global, name: &str, file: Option<&Path>) -> Result<Exit, Trouble> {
    let (known, found) = match file {
        Some(file) => configured(file, name)?,
        None => embedded(&global.data, name)?,
    };
    let Some((extension, secret)) = found else {
        let known = known.join(", ");
        return Err(Trouble::failed(format!("no agent is named {name:?}; there are: {known}")));
    };
    if global.json {
        print_json(&json!({ "name": name, "extension": extension, "secret": secret }))?;
    } else {
        print(&format!("{secret}\n"))?;
    }
    Ok(Exit::Done)
}

type Found = (Vec<String>, Option<(String, String)>);

fn configured(file: &Path, name: &str) -> Result<Found, Trouble> {
    let config = config::load(file).map_err(|refused| match refused {
        Refused::Unreadable(path, error) => {
            Trouble::new(Exit::Config, format!("{} cannot be read: {error}", path.display()))
        }
        Refused::Wrong(path, _) => {
            let path = path.display();
            Trouble::new(Exit::Config, format!("{path} is wrong; `ringback check {path}` tells what"))
        }
    })?;
    let agents = config.settings.agents;
    let found = agents.iter().find(|agent| &*agent.name == name || &*agent.extension == name);
    let found = found.map(|agent| (agent.extension.to_string(), agent.secret.clone()));
    Ok((agents.iter().map(|agent| agent.name.to_string()).collect(), found))
}

fn embedded(data: &Path, name: &str) -> Result<Found, Trouble> {
    let kept = Secrets::kept(data).map_err(Trouble::failed)?;
    let secrets = kept.ok_or_else(|| {
        let path = data.join(SECRETS);
        let path = path.display();
        Trouble::failed(format!("there is no {path} yet; start `ringback` once, or name a file with --config"))
    })?;
    let found = secrets.of(name).map(|secret| (name.to_owned(), secret.to_owned()));
    Ok((secrets.iter().map(|(agent, _)| agent.to_owned()).collect(), found))
}

//! `ringback agent secret NAME`: what goes into a phone. It reads the configuration, or what the data directory keeps
//! for the embedded site; the server is not asked, for its API never tells a secret.

use super::args::Global;
use super::{Exit, Trouble, print, print_json};
use crate::config::embedded::{SECRETS, Secrets};
use crate::config::{self, Refused};
use crate::entropy::Entropy;
use serde_json::json;
use std::path::Path;

/// Shows the secret of an agent, by name or extension.
pub(super) fn show(global: &Global, name: &str, file: Option<&Path>) -> Result<Exit, Trouble> {
    let (known, found) = match file {
        Some(file) => configured(file, name)?,
        None => embedded(global, name)?,
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

/// Gives an agent of the embedded site a new secret. One that stands in a file is changed there.
pub(super) fn renew(global: &Global, name: &str) -> Result<Exit, Trouble> {
    let kept = Secrets::kept(&global.data).map_err(Trouble::failed)?.ok_or_else(|| none_kept(global))?;
    let known: Vec<String> = kept.iter().map(|(agent, _)| agent.to_owned()).collect();
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| Trouble::failed("the system gives no random numbers for secrets"))?;
    let Some(renewed) = kept.renewed(name, &mut Entropy::from_secret(seed)) else {
        let known = known.join(", ");
        return Err(Trouble::failed(format!("no agent of the embedded site is named {name:?}; there are: {known}")));
    };
    renewed.keep(&global.data).map_err(Trouble::failed)?;
    let secret = renewed.of(name).expect("it has just been renewed");
    if global.json {
        print_json(&json!({ "name": name, "extension": name, "secret": secret }))?;
    } else {
        print(&format!("{secret}\n"))?;
        eprintln!("It holds from the next start of the switch; the phone needs it then.");
    }
    Ok(Exit::Done)
}

fn none_kept(global: &Global) -> Trouble {
    let path = global.data.join(SECRETS);
    let path = path.display();
    Trouble::failed(format!("there is no {path} yet; start `ringback` once, or name a file with --config"))
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

fn embedded(global: &Global, name: &str) -> Result<Found, Trouble> {
    let kept = Secrets::kept(&global.data).map_err(Trouble::failed)?;
    let secrets = kept.ok_or_else(|| none_kept(global))?;
    let found = secrets.of(name).map(|secret| (name.to_owned(), secret.to_owned()));
    Ok((secrets.iter().map(|(agent, _)| agent.to_owned()).collect(), found))
}

//! Commands that ask a running server.

mod audio;
mod person;
mod promise;

use super::args::{AgentCommand, Apply, CallCommand, Check, Command, Global, QueueCommand, TrunkCommand};
use super::client::{Client, escape};
use super::{Exit, Trouble, lists, print, print_json, stories};
use hyper::Method;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Runs a command against the server.
pub(super) fn ask(global: &Global, command: Command) -> Result<Exit, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::failed(format!("this machine gives no event loop: {error}")))?;
    let asked = Asked { client: Client::new(global)?, json: global.json };
    runtime.block_on(asked.run(command))
}

struct Asked {
    client: Client,
    json: bool,
}

impl Asked {
    async fn run(self, command: Command) -> Result<Exit, Trouble> {
        match command {
            Command::Callback(command) => self.callback(command).await,
            Command::DoNotCall(command) => self.do_not_call(command).await,
            Command::Find { number } => self.find(&number).await,
            Command::Erase(erase) => self.erase(&erase).await,
            Command::Queue(QueueCommand::Show { name: None }) => {
                self.show(&self.client.list("/queues", &[], usize::MAX).await?, lists::queues)
            }
            Command::Queue(QueueCommand::Show { name: Some(name) }) => {
                self.show(&self.client.get(&format!("/queues/{}", escape(&name))).await?, stories::queue)
            }
            Command::Agent(command) => self.agent(command).await,
            Command::Trunk(TrunkCommand::List) => {
                self.show(&self.client.list("/trunks", &[], usize::MAX).await?, lists::trunks)
            }
            Command::Trunk(TrunkCommand::Test { name }) => {
                let answer = self.client.post(&format!("/trunks/{}/test", escape(&name)), None, None).await?;
                self.show(&answer, stories::tested)?;
                Ok(if answer["answered"] == true { Exit::Done } else { Exit::Failed })
            }
            Command::Call(command) => self.call(command).await,
            Command::Recording(command) => self.recording(command).await,
            Command::Prompt(command) => self.prompt(command).await,
            Command::ResumeDialling => {
                let path = "/system/breaker/resume";
                self.show(&self.client.post(path, None, None).await?, stories::resumed)
            }
            Command::Freeze => self.show(&self.client.post("/system/freeze", None, None).await?, stories::frozen),
            Command::Unfreeze => self.show(&self.client.post("/system/unfreeze", None, None).await?, stories::frozen),
            Command::Activate { rule } => self.each(&rule, "rules", "activate", "is active").await,
            Command::Apply(Apply { file, dry_run }) => self.apply(&file, dry_run).await,
            Command::Diff(Check { file }) => self.apply(&file, true).await,
            Command::Export => {
                print(&self.client.get_text("/site").await?)?;
                Ok(Exit::Done)
            }
            Command::Status => {
                let answer = self.client.get("/status").await?;
                self.show(&answer, stories::status)?;
                Ok(if answer["ready"] == true { Exit::Done } else { Exit::Failed })
            }
            Command::Drain => self.show(&self.client.post("/system/drain", None, None).await?, stories::drain),
            Command::Serve(_)
            | Command::Check(_)
            | Command::Reference(_)
            | Command::Cert(_)
            | Command::Doctor(_)
            | Command::Demo(_)
            | Command::Replay(_)
            | Command::Backup(_)
            | Command::Restore(_)
            | Command::Store(_) => unreachable!("these need no server, and cli::run keeps them from here"),
        }
    }

    async fn apply(&self, file: &Path, dry_run: bool) -> Result<Exit, Trouble> {
        let unreadable = |error: io::Error| Trouble::new(Exit::Config, format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        match self.client.post_toml(&format!("/site/apply?dry_run={dry_run}"), text).await? {
            Ok(edited) => self.show(&edited, stories::edited),
            Err(problems) => {
                if self.json {
                    print_json(&json!({ "problems": problems }))?;
                } else {
                    let file = file.display().to_string();
                    print(&problems.iter().map(|problem| stories::problem(&file, problem)).collect::<String>())?;
                }
                Err(Trouble::new(Exit::Config, "the file is wrong: nothing has changed"))
            }
        }
    }

    async fn agent(&self, command: AgentCommand) -> Result<Exit, Trouble> {
        match command {
            AgentCommand::List => self.show(&self.client.list("/agents", &[], usize::MAX).await?, lists::agents),
            AgentCommand::Pause { name, reason } => {
                let path = format!("/agents/{}/pause", escape(&name));
                let body = json!({ "reason": reason });
                self.show(&self.client.post(&path, Some(body), None).await?, stories::agent)
            }
            AgentCommand::Resume { name } => {
                let path = format!("/agents/{}/resume", escape(&name));
                self.show(&self.client.post(&path, None, None).await?, stories::agent)
            }
            AgentCommand::Logout { name } => {
                let path = format!("/agents/{}/logout", escape(&name));
                self.show(&self.client.post(&path, None, None).await?, stories::agent)
            }
            AgentCommand::Trust { name } => {
                let path = format!("/agents/{}/trust", escape(&name));
                self.show(&self.client.post(&path, None, None).await?, stories::agent)
            }
            AgentCommand::Secret { .. } => unreachable!("it needs no server, and cli::run keeps it from here"),
        }
    }

    async fn call(&self, command: CallCommand) -> Result<Exit, Trouble> {
        match command {
            CallCommand::List { limit } => self.show(&self.client.list("/calls", &[], limit).await?, lists::calls),
            CallCommand::Show { id, ladder } => {
                let mut call = self.client.get(&format!("/calls/{}", escape(&id))).await?;
                if !ladder && let Some(fields) = call.as_object_mut() {
                    fields.remove("ladder");
                }
                self.show(&call, stories::call)
            }
            CallCommand::Hangup { id } => self.each(&id, "calls", "hangup", "hung up").await,
        }
    }

    fn show(&self, answer: &Value, people: fn(&Value) -> String) -> Result<Exit, Trouble> {
        if self.json {
            print_json(answer)?
        } else {
            print(&people(answer))?
        }
        Ok(Exit::Done)
    }

    /// The same for several objects.
    async fn each(&self, ids: &[String], kind: &str, verb: &str, done: &str) -> Result<Exit, Trouble> {
        self.each_at(Method::POST, ids, |id| format!("/{kind}/{id}/{verb}"), done).await
    }

    /// What cannot be done for one is told, and the others are still done.
    async fn each_at(
        &self,
        method: Method,
        ids: &[String],
        path: impl Fn(&str) -> String,
        done: &str,
    ) -> Result<Exit, Trouble> {
        let mut answers = Vec::new();
        let mut troubles = 0;
        for id in ids {
            match self.client.ask(method.clone(), &path(&escape(id)), None, None).await {
                Ok(answer) if self.json => answers.push(answer),
                Ok(_) => print(&format!("{} {done}\n", super::table::harmless(id)))?,
                Err(trouble) if trouble.exit == Exit::Unreachable || ids.len() == 1 => return Err(trouble),
                Err(trouble) => {
                    eprintln!("ringback: {}: {}", super::table::harmless(id), trouble.sentence);
                    troubles += 1;
                }
            }
        }
        if self.json {
            match &answers[..] {
                [one] if ids.len() == 1 => print_json(one)?,
                many => print_json(&json!({ "items": many }))?,
            }
        }
        Ok(match troubles {
            0 => Exit::Done,
            all if all == ids.len() => Exit::Failed,
            _ => Exit::Partly,
        })
    }

    /// An answer as a file: whole, or not there at all. Nothing is asked before the file can be written.
    async fn save(&self, method: Method, path: &str, out: &Path) -> Result<u64, Trouble> {
        let mut part = out.to_owned().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let unwritable = |error: io::Error| {
            Trouble::failed(format!("{} cannot be written: {error}; choose another place with -o", out.display()))
        };
        let mut file = File::create(&part).map_err(unwritable)?;
        let bytes = match self.client.download(method, path, &mut file).await {
            Ok(bytes) => bytes,
            Err(trouble) => {
                drop(file);
                let _ = std::fs::remove_file(&part); // half a file helps nobody; the trouble is told
                return Err(trouble);
            }
        };
        file.flush().and_then(|()| std::fs::rename(&part, out)).map_err(unwritable)?;
        Ok(bytes)
    }
}

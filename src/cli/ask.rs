//! Commands that ask a running server.

use super::args::{
    AddCallback, AgentCommand, Apply, CallCommand, CallbackCommand, Check, Command, Global, QueueCommand,
    RecordingCommand, TrunkCommand,
};
use super::client::{Client, escape};
use super::{Exit, Trouble, lists, print, print_json, stories};
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
    async fn run(&self, command: Command) -> Result<Exit, Trouble> {
        match command {
            Command::Callback(command) => self.callback(command).await,
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
            Command::Call(command) => self.call(command).await,
            Command::Recording(command) => self.recording(command).await,
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
            Command::Drain => self.show(&self.client.post("/system/drain", None, None).await?, stories::drain),
            Command::Serve(_) | Command::Check(_) | Command::Reference(_) | Command::Cert(_) | Command::Demo(_) => {
                unreachable!("these need no server, and cli::run keeps them from here")
            }
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

    async fn callback(&self, command: CallbackCommand) -> Result<Exit, Trouble> {
        match command {
            CallbackCommand::List { state, queue, limit } => {
                let mut query: Vec<(&str, String)> = state.into_iter().map(|state| ("state", state)).collect();
                query.extend(queue.map(|queue| ("queue", queue)));
                self.show(&self.client.list("/callbacks", &query, limit).await?, lists::callbacks)
            }
            CallbackCommand::Show { id } => {
                self.show(&self.client.get(&format!("/callbacks/{}", escape(&id))).await?, stories::callback)
            }
            CallbackCommand::Add(add) => {
                let key = add.idempotency_key.clone();
                let made = self.client.post("/callbacks", Some(new_callback(add)?), key.as_deref()).await?;
                self.show(&made, stories::callback)
            }
            CallbackCommand::Cancel { id } => self.each(&id, "callbacks", "cancel", "cancelled").await,
            CallbackCommand::Keep { id } => self.each(&id, "callbacks", "keep", "is kept").await,
            CallbackCommand::Now { id } => self.each(&id, "callbacks", "now", "is tried now").await,
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

    async fn recording(&self, command: RecordingCommand) -> Result<Exit, Trouble> {
        match command {
            RecordingCommand::List { limit } => {
                self.show(&self.client.list("/recordings", &[], limit).await?, lists::recordings)
            }
            RecordingCommand::Get { id, out } => self.fetch(&id, out).await,
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

    /// The same for several objects: what cannot be done for one is told, and the others are still done.
    async fn each(&self, ids: &[String], kind: &str, verb: &str, done: &str) -> Result<Exit, Trouble> {
        let mut answers = Vec::new();
        let mut troubles = 0;
        for id in ids {
            match self.client.post(&format!("/{kind}/{}/{verb}", escape(id)), None, None).await {
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

    async fn fetch(&self, id: &str, out: Option<PathBuf>) -> Result<Exit, Trouble> {
        let path = format!("/recordings/{}/audio", escape(id));
        if out.as_deref() == Some(Path::new("-")) {
            self.client.download(&path, &mut io::stdout().lock()).await?;
            return Ok(Exit::Done);
        }
        // The id came from the command line; as a file name it keeps only what a ULID is made of.
        let plain = || id.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.wav", plain())));
        let mut part = out.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let unwritable = |error: io::Error| {
            Trouble::failed(format!("{} cannot be written: {error}; choose another place with -o", out.display()))
        };
        let mut file = File::create(&part).map_err(unwritable)?;
        let bytes = match self.client.download(&path, &mut file).await {
            Ok(bytes) => bytes,
            Err(trouble) => {
                drop(file);
                let _ = std::fs::remove_file(&part); // half a recording helps nobody; the trouble is told
                return Err(trouble);
            }
        };
        file.flush().and_then(|()| std::fs::rename(&part, &out)).map_err(unwritable)?;
        if self.json {
            print_json(&json!({ "id": id, "file": out, "bytes": bytes }))?;
        } else {
            print(&format!("{} ({bytes} bytes)\n", out.display()))?;
        }
        Ok(Exit::Done)
    }
}

fn new_callback(add: AddCallback) -> Result<Value, Trouble> {
    let mut body = serde_json::Map::new();
    body.insert("number".into(), add.number.into());
    let fields = [("queue", add.queue), ("not_before", add.not_before), ("profile", add.profile), ("agent", add.agent)];
    for (name, value) in fields {
        if let Some(value) = value {
            body.insert(name.into(), value.into());
        }
    }
    if let Some(attach) = add.attach {
        let data: Value = serde_json::from_str(&attach)
            .map_err(|error| Trouble::new(Exit::Usage, format!("--attach is no JSON: {error}")))?;
        body.insert("data".into(), data);
    }
    Ok(Value::Object(body))
}

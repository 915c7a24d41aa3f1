//! Recordings fetched and deleted; sounds of the site listed, uploaded and spoken.

use super::super::args::{PromptCommand, RecordingCommand, RenderPrompt};
use super::super::client::escape;
use super::super::{Exit, Trouble, lists, print, print_json, stories};
use super::Asked;
use crate::limits::PROMPT_BYTES;
use hyper::Method;
use serde_json::json;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

impl Asked {
    pub(super) async fn recording(&self, command: RecordingCommand) -> Result<Exit, Trouble> {
        match command {
            RecordingCommand::List { limit } => {
                self.show(&self.client.list("/recordings", &[], limit).await?, lists::recordings)
            }
            RecordingCommand::Get { id, out } => self.fetch(&id, out).await,
            RecordingCommand::Delete { id } => {
                self.each_at(Method::DELETE, &id, |id| format!("/recordings/{id}"), "is deleted").await
            }
        }
    }

    pub(super) async fn prompt(&self, command: PromptCommand) -> Result<Exit, Trouble> {
        match command {
            PromptCommand::List => self.show(&self.client.get("/prompts").await?, lists::prompts),
            PromptCommand::Import { name, file } => {
                let answer = self.client.upload(&format!("/prompts/{}", escape(&name)), sound(&file)?).await?;
                self.show(&answer, stories::prompt)
            }
            PromptCommand::Render(RenderPrompt { name, text, lang, voice }) => {
                let path = format!("/prompts/{}/render", escape(&name));
                let said = [("text", Some(text)), ("lang", lang), ("voice", voice)];
                let said = said.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?.into())));
                let answer = self.client.post(&path, Some(serde_json::Value::Object(said.collect())), None).await?;
                self.show(&answer, stories::prompt)
            }
        }
    }

    async fn fetch(&self, id: &str, out: Option<PathBuf>) -> Result<Exit, Trouble> {
        let path = format!("/recordings/{}/audio", escape(id));
        if out.as_deref() == Some(Path::new("-")) {
            self.client.download(Method::GET, &path, &mut io::stdout().lock()).await?;
            return Ok(Exit::Done);
        }
        // The id came from the command line; as a file name it keeps only what a ULID is made of.
        let plain = || id.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.wav", plain())));
        let bytes = self.save(Method::GET, &path, &out).await?;
        if self.json {
            print_json(&json!({ "id": id, "file": out, "bytes": bytes }))?;
        } else {
            print(&format!("{} ({bytes} bytes)\n", out.display()))?;
        }
        Ok(Exit::Done)
    }
}

/// A file that may be sent: the server would not take a larger one, and a device has no end.
fn sound(path: &Path) -> Result<Vec<u8>, Trouble> {
    let shown = path.display();
    let unreadable = |error: io::Error| Trouble::failed(format!("{shown} cannot be read: {error}"));
    let mut octets = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(PROMPT_BYTES as u64 + 1).read_to_end(&mut octets).map_err(unreadable)?;
    if octets.len() > PROMPT_BYTES {
        let most = PROMPT_BYTES >> 20;
        return Err(Trouble::failed(format!("{shown} is larger than {most} MiB, the most that one sound may be")));
    }
    Ok(octets)
}

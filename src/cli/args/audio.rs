//! Recordings and prompts on the command line.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `recording …`
#[derive(Debug, Subcommand)]
pub enum RecordingCommand {
    /// List recordings
    #[command(after_help = "Example:\n  ringback recording list")]
    List {
        /// So many at most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Fetch the audio of one: WAV, agent left, customer right
    #[command(after_help = "Example:\n  ringback recording get 01JD0000000000000000000000 -o call.wav")]
    Get {
        /// Its id
        id: String,
        /// Where to; `-` is standard output [default: ID.wav]
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Delete the audio of recordings; what is known of them stays
    #[command(after_help = "Example:\n  ringback recording delete 01JD0000000000000000000000")]
    Delete {
        /// Their ids
        #[arg(required = true)]
        id: Vec<String>,
    },
}

/// `prompt …`
#[derive(Debug, Subcommand)]
pub enum PromptCommand {
    /// List everything that can be played
    #[command(after_help = "Example:\n  ringback prompt list")]
    List,
    /// Upload a sound (WAV, FLAC, MP3, Ogg Vorbis) under a name, new or in place of the one before
    #[command(after_help = "Example:\n  ringback prompt import greeting greeting.mp3")]
    Import {
        /// What the site calls it
        name: String,
        /// The sound
        file: PathBuf,
    },
    /// Have a text spoken and kept under a name, new or in place of the one before
    #[command(after_help = "Example:\n  ringback prompt render closed --text \"We are back at nine.\" --lang en")]
    Render(RenderPrompt),
}

/// Options of `prompt render`.
#[derive(Clone, Debug, Args)]
pub struct RenderPrompt {
    /// What the site calls it
    pub name: String,
    /// What is spoken
    #[arg(long, value_name = "TEXT")]
    pub text: String,
    /// The language of the text, BCP 47 [default: en]
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Option<String>,
    /// The voice of the speech engine [default: its own choice]
    #[arg(long, value_name = "VOICE")]
    pub voice: Option<String>,
}

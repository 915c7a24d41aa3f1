//! The HTTP API.

pub mod token;

use crate::run::Commands;
use crate::store::Health;
use std::net::TcpListener;
use std::path::PathBuf;

/// What the API shows and asks.
#[derive(Clone, Debug)]
pub struct Site {
    /// The switch.
    pub commands: Commands,
    /// Who may ask.
    pub token: String,
    /// Where recordings lie.
    pub data: PathBuf,
    /// Whether commits reach the disk.
    pub health: Health,
}

/// Serves until the runtime ends.
pub async fn serve(_listener: TcpListener, _site: Site) {}

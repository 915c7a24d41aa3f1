//! Callbacks and the do-not-call list on the command line.

use crate::callback::task::TaskState;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `callback …`
#[derive(Debug, Subcommand)]
pub enum CallbackCommand {
    /// List callbacks
    #[command(after_help = "Example:\n  ringback callback list --state due --state waiting_retry --queue support")]
    List {
        /// Only in this state; repeatable
        #[arg(long, value_name = "STATE", value_parser = TaskState::WORDS)]
        state: Vec<String>,
        /// Only of this queue
        #[arg(long, value_name = "NAME")]
        queue: Option<String>,
        /// So many at most
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: usize,
    },
    /// Show one with its attempts, and what holds it
    #[command(after_help = "Example:\n  ringback callback show 01JD0000000000000000000000")]
    Show {
        /// Its id
        id: String,
    },
    /// Promise one
    #[command(after_help = "Example:\n  ringback callback add +12025550123 --queue support")]
    Add(AddCallback),
    /// Cancel callbacks
    #[command(after_help = "Example:\n  ringback callback cancel 01JD0000000000000000000000")]
    Cancel {
        /// Their ids
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Keep callbacks that were left over at the end of a day, or cut by a restart: they wait again
    #[command(after_help = "Example:\n  ringback callback keep 01JD0000000000000000000000")]
    Keep {
        /// Their ids
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Try one later than planned, at the same place in line
    #[command(after_help = "Examples:\n  ringback callback postpone 01JD0000000000000000000000 --by 2h
  ringback callback postpone 01JD0000000000000000000000 --until 2026-12-01T09:00:00Z")]
    Postpone(PostponeCallback),
    /// Callbacks as CSV, open ones and closed ones
    #[command(after_help = "Examples:\n  ringback callback export -o callbacks.csv
  ringback callback export --state overflow --remove -o left-over.csv")]
    Export(ExportCallbacks),
    /// Try callbacks now, ahead of their time; one whose attempts are used up gets one more
    #[command(after_help = "Example:\n  ringback callback now 01JD0000000000000000000000")]
    Now {
        /// Their ids
        #[arg(required = true)]
        id: Vec<String>,
    },
}

/// Options of `callback add`.
#[derive(Clone, Debug, Args)]
pub struct AddCallback {
    /// The customer's number, or an extension
    pub number: String,
    /// Whose line it joins; the only queue when omitted
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// Not before this instant, RFC 3339
    #[arg(long, value_name = "INSTANT")]
    pub not_before: Option<String>,
    /// How; the queue's own when omitted
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Only this agent
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// JSON that is handed back with the callback
    #[arg(long, value_name = "JSON")]
    pub attach: Option<String>,
    /// The same key again makes no second callback
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// Options of `callback postpone`.
#[derive(Clone, Debug, Args)]
pub struct PostponeCallback {
    /// Its id
    pub id: String,
    /// Not before this instant, RFC 3339
    #[arg(long, value_name = "INSTANT", required_unless_present = "by", conflicts_with = "by")]
    pub until: Option<String>,
    /// Not before so long from now
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub by: Option<u64>,
}

/// `30`, `30s`, `15m`, `2h`, `1d`: seconds.
fn duration(text: &str) -> Result<u64, String> {
    crate::config::duration(text).ok_or_else(|| "write a duration such as 15m, 2h or 1d".to_owned())
}

/// Options of `callback export`.
#[derive(Clone, Debug, Args)]
pub struct ExportCallbacks {
    /// Only in this state; repeatable
    #[arg(long, value_name = "STATE", value_parser = TaskState::WORDS)]
    pub state: Vec<String>,
    /// Only of this queue
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// Cancel what is exported; the states are to be named
    #[arg(long, requires = "state")]
    pub remove: bool,
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `do-not-call …`
#[derive(Debug, Subcommand)]
pub enum DoNotCallCommand {
    /// List numbers that are never called
    #[command(after_help = "Example:\n  ringback do-not-call list")]
    List {
        /// So many at most
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: usize,
    },
    /// Never call a number again; its open callbacks are cancelled
    #[command(after_help = "Example:\n  ringback do-not-call add +12025550123 --note \"wrote to us\"")]
    Add {
        /// The customer's number
        number: String,
        /// Why, for the list and the audit log
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Let a number be called again
    #[command(after_help = "Example:\n  ringback do-not-call lift +12025550123 --note \"asked us to call again\"")]
    Lift {
        /// The customer's number
        number: String,
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

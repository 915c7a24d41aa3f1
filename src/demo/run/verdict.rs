//! The verdict: everybody's row, and whether all of it happened.

use super::cast::CUSTOMERS;
use super::judge::{Judge, out_of_order};
use super::story::Story;
use super::timeline::{Paint, Role};
use crate::callback::task::{Attempt, Task};
use crate::switch::RecordingRecord;
use crate::switch::view::Callback;
use crate::time::{DateTime, Utc};
use serde::Serialize;
use std::path::Path;

/// What the switch says at the end, and what its store holds when it has ended.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The callbacks that were promised, or made of a missed call.
    pub callbacks: Vec<Callback>,
    /// Every recording.
    pub recordings: Vec<RecordingRecord>,
    /// Callbacks in the store.
    pub stored_tasks: Vec<Task>,
    /// Their attempts in the store.
    pub stored_attempts: Vec<Attempt>,
    /// When the office opened.
    pub opening: DateTime<Utc>,
}

/// One customer, as the table shows him.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Who.
    pub customer: &'static str,
    /// His number.
    pub number: &'static str,
    /// His place in line on joining.
    pub place: Option<usize>,
    /// `callback`, `live`, or `-` for nobody was there for him.
    pub served: &'static str,
    /// By whom.
    pub agent: Option<&'static str>,
    /// Outcomes of the attempts, in order.
    pub attempts: Vec<&'static str>,
    /// From dialling to the first word with an agent, across the hang-up.
    pub waited_secs: Option<f64>,
    /// As long as the recording is.
    pub talked_secs: Option<f64>,
    /// Its file, relative to the data directory.
    pub recording: Option<String>,
    /// What was special about it, as the switch and its store say.
    pub how: Option<String>,
    /// What did not happen.
    pub missing: Option<String>,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// All of it happened.
    pub ok: bool,
    /// What did not.
    pub missing: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// Where everything lies.
    pub data: String,
    /// The customers.
    pub customers: Vec<Row>,
}

impl Verdict {
    /// Judges a story.
    pub fn of(story: &Story, facts: &Facts, data: &Path, seconds: f64) -> Verdict {
        let judged = |at: usize| Judge { story, facts, data, at }.row();
        let customers: Vec<Row> = (0..CUSTOMERS.len()).map(judged).collect();
        let missing = customers.iter().find_map(|row| row.missing.clone()).or_else(|| out_of_order(story));
        Verdict { ok: missing.is_none(), missing, seconds, data: data.display().to_string(), customers }
    }

    /// The summary.
    pub fn table(&self, paint: Paint) -> String {
        let header = ["CUSTOMER", "PLACE", "SERVED", "BY", "ATTEMPTS", "WAITED", "TALKED"];
        let seconds = |secs: Option<f64>| secs.map_or_else(|| "-".to_owned(), |secs| format!("{secs:.1} s"));
        let cells = |row: &Row| {
            [
                row.customer.to_owned(),
                row.place.map_or_else(|| "-".to_owned(), |place| place.to_string()),
                row.served.to_owned(),
                row.agent.unwrap_or("-").to_owned(),
                if row.attempts.is_empty() { "-".to_owned() } else { row.attempts.join(", ") },
                seconds(row.waited_secs),
                seconds(row.talked_secs),
            ]
        };
        let rows: Vec<[String; 7]> = self.customers.iter().map(cells).collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0).max(header[column].len());
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut out = format!("  {}\n", paint.bold(&line(&header.map(str::to_owned))));
        for (row, judged) in rows.iter().zip(&self.customers) {
            let (mark, role) = if judged.missing.is_none() { ("✓", Role::Good) } else { ("✗", Role::Bad) };
            out.push_str(&format!("{} {}\n", paint.role(role, mark), line(row)));
        }
        out
    }

    /// What was special about whom, and what did not happen.
    pub fn told(&self, paint: Paint) -> String {
        let line =
            |role, mark, row: &Row, what: &str| format!("{} {:<6} {what}\n", paint.role(role, mark), row.customer);
        let told = |row: &Row| match (&row.missing, &row.how) {
            (Some(missing), _) => Some(line(Role::Bad, "✗", row, missing)),
            (None, Some(how)) => Some(line(Role::Good, "✓", row, how)),
            (None, None) => None,
        };
        self.customers.iter().filter_map(told).collect()
    }

    /// Where the recordings lie.
    pub fn recordings(&self, paint: Paint) -> String {
        let folder = self.customers.iter().find_map(|row| Path::new(row.recording.as_deref()?).parent());
        let folder = folder.map_or_else(|| self.data.clone(), |folder| format!("{}/{}", self.data, folder.display()));
        let mut out = format!("{}\n", paint.bold(&format!("Recordings, agent left and customer right, in {folder}:")));
        for row in &self.customers {
            let file = row.recording.as_deref().and_then(|path| Path::new(path).file_name());
            if let (Some(file), Some(agent)) = (file, row.agent) {
                out.push_str(&format!("  {}  {agent} and {}\n", file.to_string_lossy(), row.customer));
            }
        }
        out
    }
}

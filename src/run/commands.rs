//! Questions for the switch: `web`, the demo and tests ask, the switch's thread answers.

use crate::limits::ASKED;
use crate::switch::command::{Command, Reply};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The switch answers within its next turn; far longer than that and it is not there.
const PATIENCE: Duration = Duration::from_secs(5);
/// A command whose answer waits for the disk waits as long as a slow one may take: who were told that nothing has
/// happened would ask for it twice.
const PATIENCE_WITH_DISK: Duration = Duration::from_secs(30);

/// A peer that does not answer is waited for as long as its transaction is (RFC 3261 §17.1.2.2: Timer F, 32 s).
const PATIENCE_WITH_PEER: Duration = Duration::from_secs(34);

fn patience(command: &Command) -> Duration {
    match command {
        Command::TestTrunk(_) => PATIENCE_WITH_PEER,
        Command::AddCallback(_)
        | Command::CancelCallback(_)
        | Command::CallbackNow(_)
        | Command::KeepCallback(_)
        | Command::PostponeCallback(..)
        | Command::AddDoNotCall(_)
        | Command::LiftDoNotCall(_)
        | Command::Freeze
        | Command::Unfreeze
        | Command::ActivateRule(_)
        | Command::Configure(_)
        | Command::PauseAgent { .. }
        | Command::ResumeAgent(_)
        | Command::LogOutAgent(_)
        | Command::TrustAgent(_)
        | Command::HoldRecording { .. }
        | Command::ResumeDialling => PATIENCE_WITH_DISK,
        Command::ListCallbacks { .. }
        | Command::Note(_)
        | Command::ShowPerson(_)
        | Command::ForgetPerson(_)
        | Command::ListAudit(_)
        | Command::ShowCallback(_)
        | Command::ListDoNotCall(_)
        | Command::ListQueues
        | Command::ShowQueue(_)
        | Command::ListAgents
        | Command::ListTrunks
        | Command::ListCalls(_)
        | Command::ShowCall(_)
        | Command::HangUpCall(_)
        | Command::ListRecordings(_)
        | Command::ShowRecording(_)
        | Command::DeleteRecording(_)
        | Command::Status
        | Command::Drain
        | Command::EndCalls
        | Command::Gauges => PATIENCE,
        #[cfg(any(debug_assertions, feature = "interop"))]
        Command::Stumble(_) => PATIENCE,
    }
}

/// One question, and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub command: Command,
    /// Who waits.
    pub answer: oneshot::Sender<Reply>,
}

/// Asks the switch.
#[derive(Clone, Debug)]
pub struct Commands(mpsc::Sender<Asked>);

/// The switch did not answer: it has ended, or hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

impl Commands {
    /// Both ends of the line.
    pub fn pair() -> (Commands, mpsc::Receiver<Asked>) {
        let (asking, asked) = mpsc::channel(ASKED);
        (Commands(asking), asked)
    }

    /// Asks and waits for the answer.
    pub async fn ask(&self, command: Command) -> Result<Reply, NoAnswer> {
        let (answer, reply) = oneshot::channel();
        let patience = patience(&command);
        let asking = async {
            self.0.send(Asked { command, answer }).await.map_err(|_| NoAnswer)?;
            reply.await.map_err(|_| NoAnswer)
        };
        tokio::time::timeout(patience, asking).await.unwrap_or(Err(NoAnswer))
    }

    /// The same, for however long it takes: for what must not be left half done. The answer comes, or the switch ends.
    pub async fn ask_to_the_end(&self, command: Command) -> Result<Reply, NoAnswer> {
        let (answer, reply) = oneshot::channel();
        self.0.send(Asked { command, answer }).await.map_err(|_| NoAnswer)?;
        reply.await.map_err(|_| NoAnswer)
    }

    /// The same for threads outside the runtime.
    pub fn ask_blocking(&self, command: Command) -> Result<Reply, NoAnswer> {
        let (answer, reply) = oneshot::channel();
        self.0.blocking_send(Asked { command, answer }).map_err(|_| NoAnswer)?;
        reply.blocking_recv().map_err(|_| NoAnswer)
    }
}

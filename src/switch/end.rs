//! Why a call ended: one value from which records, metrics and pages read.

/// Every end of a call has exactly one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndCause {
    /// Talked, then the caller (or the customer of a callback) hung up.
    CallerHungUp,
    /// Talked, then the agent (or the called party) hung up.
    AgentHungUp,
    /// Hung up while waiting in line.
    Abandoned,
    /// Hung up while the called phone rang.
    GaveUp,
    /// Left the line for a promise: we said goodbye.
    CallbackPromised,
    /// A promise was kept or tried; the attempt's outcome says more.
    AttemptOver,
    /// Nobody answered.
    NoAnswer,
    /// The called party was busy.
    Busy,
    /// The called party declined.
    Declined,
    /// Left the line by the exit key.
    LeftByKey,
    /// Waited as long as the queue allows.
    WaitedTooLong,
    /// The number leads nowhere, or may not be called.
    NotReachable,
    /// Refused before it was answered: no codec, no room, draining.
    Refused,
    /// Only an announcement, and it was heard.
    Announced,
    /// No media for too long, and no answer when asked.
    MediaLost,
    /// The signalling went silent.
    SignallingLost,
    /// By API, CLI or the end of a drain.
    ByAdmin,
    /// We could not carry it (no port, no shard).
    Failed,
    /// A fault of ours tore it off.
    Fault,
}

impl EndCause {
    /// One word for records, metrics and pages.
    pub const fn word(self) -> &'static str {
        match self {
            EndCause::CallerHungUp => "caller_hung_up",
            EndCause::AgentHungUp => "agent_hung_up",
            EndCause::Abandoned => "abandoned",
            EndCause::GaveUp => "gave_up",
            EndCause::CallbackPromised => "callback_promised",
            EndCause::AttemptOver => "attempt_over",
            EndCause::NoAnswer => "no_answer",
            EndCause::Busy => "busy",
            EndCause::Declined => "declined",
            EndCause::LeftByKey => "left_by_key",
            EndCause::WaitedTooLong => "waited_too_long",
            EndCause::NotReachable => "not_reachable",
            EndCause::Refused => "refused",
            EndCause::Announced => "announced",
            EndCause::MediaLost => "media_lost",
            EndCause::SignallingLost => "signalling_lost",
            EndCause::ByAdmin => "by_admin",
            EndCause::Failed => "failed",
            EndCause::Fault => "fault",
        }
    }
}

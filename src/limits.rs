//! Every limit of the switch in one place (law 9): what may grow, how far, and what happens there.

use std::time::Duration;

// --- SIP messages (security.md T2): beyond these a message is malformed and gets its 4xx ---
/// Octets of one SIP message.
pub const SIP_MESSAGE_BYTES: usize = 64 * 1024;
/// Header fields of one message.
pub const SIP_HEADERS: usize = 256;
/// Octets of one unfolded header line.
pub const SIP_LINE_BYTES: usize = 8 * 1024;
/// Via values.
pub const SIP_VIAS: usize = 64;
/// Route or Record-Route values.
pub const SIP_ROUTES: usize = 64;
/// Parameters of one header value or URI.
pub const SIP_PARAMS: usize = 32;
/// Contact values of one REGISTER, and bindings of one address of record.
pub const CONTACTS: usize = 10;

// --- Guessing of secrets (security.md T15); beyond these, answers to challenges are not looked at for a while ---
/// Wrong answers a minute from one source as one user.
pub const GUESSES_PER_SOURCE: u32 = 5;
/// Wrong answers a minute as one user from all sources together, his own phone's place aside.
pub const GUESSES_PER_USER: u32 = 90;
/// Pairs of source and user that are remembered; the oldest of a few neighbours makes room.
pub const GUESSING_SOURCES: usize = 16_384;
/// Counts of users, shared by hash.
pub const GUESSED_USERS: usize = 4_096;

// --- SIP state ---
/// Nonces that have succeeded and are younger than a minute; beyond it the oldest is stale before its time.
pub const NONCES: usize = 16_384;
/// Server transactions alive at once; beyond it a new request is dropped and UDP retries.
pub const SERVER_TRANSACTIONS: usize = 50_000;
/// Client transactions alive at once.
pub const CLIENT_TRANSACTIONS: usize = 50_000;
/// Legs alive at once; beyond it a new INVITE gets 503.
pub const LEGS: usize = 20_000;
/// Early dialogs (forks) of one INVITE of ours.
pub const FORKS: usize = 10;
/// Tries of one request against digest challenges (security.md T13).
pub const CHALLENGES: u32 = 2;
/// Legs that are gone but whose last messages (a BYE's 200) still go into a ladder.
pub const LATE_LADDERS: usize = 256;
/// Messages of one call's ladder that are kept for people to read.
pub const LADDER_STEPS: usize = 200;

/// How often one call is sent on, from menu to queue to agent and back; beyond it the caller hears goodbye.
pub const HOPS: u8 = 32;

// --- SDP ---
/// Octets of one session description.
pub const SDP_BYTES: usize = 16 * 1024;
/// Lines of one session description.
pub const SDP_LINES: usize = 512;
/// Media descriptions of one session description.
pub const SDP_MEDIA: usize = 8;

// --- RTP ---
/// Octets of one RTP datagram we take.
pub const RTP_PACKET_BYTES: usize = 1_500;
/// Legs of one media shard.
pub const SHARD_LEGS: usize = 8_192;
/// The longest key press we believe (security.md T10).
pub const KEY_PRESS: Duration = Duration::from_secs(10);
/// Keys a second that a leg may report.
pub const KEYS_PER_SECOND: u32 = 10;

// --- Queue and callbacks ---
/// Callers on the phone in one queue; beyond it a caller gets 486. Promises are not among them: `OPEN_TASKS`.
pub const QUEUE_ENTRIES: usize = 10_000;
/// Agents that ring at once for one caller (`ring_all`); beyond it those who have been idle longest.
pub const RUNG_AT_ONCE: usize = 50;
/// Places of callers who have dropped and may come back to them; beyond it the oldest is forgotten.
pub const LEFT_PLACES: usize = 10_000;
/// Customers whose last agent is remembered (`sticky_days`); beyond it who was served longest ago is forgotten.
pub const KNOWN_CUSTOMERS: usize = 100_000;
/// Open callback tasks; beyond it the caller hears the apology and keeps the place.
pub const OPEN_TASKS: usize = 1_000_000;
/// INVITEs to the customer in one attempt, by other trunks and with other caller IDs; beyond it the attempt has failed.
pub const INVITES_PER_ATTEMPT: usize = 8;
/// Caller IDs that are tried on one trunk.
pub const IDENTITIES_PER_TRUNK: usize = 3;
/// Closed tasks and ended calls that are kept in memory for the API.
pub const REMEMBERED: usize = 10_000;

/// Deleted recordings that are kept in memory for the API; beyond it the one that began first is forgotten. Those that
/// have audio are all kept: the disk bounds them, and somebody must delete them in time.
pub const RECORDINGS: usize = 100_000;

// --- The shell ---
/// Octets of a configuration file.
pub const CONFIG_BYTES: usize = 4 * 1024 * 1024;
/// Objects of one table of a configuration file; beyond it the file is refused.
pub const CONFIG_OBJECTS: usize = 10_000;
/// Problems of one configuration file that are told; beyond it they are counted.
pub const CONFIG_PROBLEMS: usize = 1_000;
/// Messages waiting for the switch; beyond it the newest is dropped and counted.
pub const INBOX: usize = 4_096;
/// Commands waiting for one media shard.
pub const SHARD_INBOX: usize = 4_096;
/// Frames waiting for the recorder; beyond it silence is written and counted.
pub const TAPE_FRAMES: usize = 8_192;
/// Tapes that have ended and wait for the disk; beyond it the writing of others waits as well.
pub const TAPES_ENDED: usize = 1_024;
/// Samples of one decoded clip: 30 minutes at 8 kHz.
pub const CLIP_SAMPLES: usize = 30 * 60 * 8_000;
/// Octets of one commit in the journal: an edition of a very large site.
pub const JOURNAL_BODY: usize = 64 * 1024 * 1024;
/// Octets of a segment of the journal; a larger commit gets one of its own.
pub const JOURNAL_SEGMENT: u64 = 16 * 1024 * 1024;
/// Commits after which the whole state is written down anew.
pub const CHECKPOINT_COMMITS: u64 = 10_000;
/// Segments after which it is, however few commits they hold.
pub const CHECKPOINT_SEGMENTS: usize = 8;
/// Checkpoints that are kept, with the journal since the oldest of them.
pub const CHECKPOINTS: usize = 3;
/// Octets of segments that are kept until a backup holds them; beyond it the oldest go without one.
pub const KEPT_OCTETS: u64 = 256 * 1024 * 1024;
/// Days that they are kept for it.
pub const KEPT_DAYS: u32 = 7;
/// Commits waiting for the disk; beyond it a commit is refused at once.
pub const COMMITS: usize = 4_096;
/// Questions of people and programs waiting for the switch.
pub const ASKED: usize = 256;
/// Peers whose way back is remembered; beyond it the table is begun anew.
pub const LOCAL_ADDRESSES: usize = 4_096;
/// Sources whose rate is watched; beyond it two sources share one allowance.
pub const WATCHED_SOURCES: usize = 4_096;
/// SIP messages a second that one source may send for long; trunks and our own machine are not counted.
pub const SOURCE_RATE: u32 = 200;
/// SIP messages that one source may send at once.
pub const SOURCE_BURST: u32 = 1_000;
/// How long a host name may take to become addresses.
pub const LOOKUP: Duration = Duration::from_secs(4);
/// Lookups of host names at once; beyond it a name leads nowhere.
pub const LOOKUPS: usize = 256;
/// HTTP connections at once; beyond it a new one waits in the system's own queue.
pub const HTTP_CONNECTIONS: usize = 256;
/// How long the head of an HTTP request may take to come, and a connection may lie idle between two.
pub const HTTP_HEAD: Duration = Duration::from_secs(10);
/// How long an HTTP request may take until its answer begins: longer than the disk is waited for.
pub const HTTP_REQUEST: Duration = Duration::from_secs(60);
/// How long whoever has somebody erased waits before he hears that it goes on: shorter than `HTTP_REQUEST`.
pub const ERASE_ANSWER: Duration = Duration::from_secs(45);
/// How long one HTTP connection is kept, however slowly its answers are read.
pub const HTTP_CONNECTION: Duration = Duration::from_secs(3_600);
/// How long the body of an HTTP request may take.
pub const HTTP_BODY: Duration = Duration::from_secs(20);
/// People signed in at the pages at once.
pub const SESSIONS: usize = 256;
/// Wrong tokens of one address that are answered at once; after that it waits.
pub const HTTP_GUESSES: u32 = 5;
/// Addresses whose wrong tokens are counted; beyond it whoever has not tried for longest is forgotten.
pub const HTTP_GUESSERS: usize = 4_096;
/// Refusals a minute that are noted one by one; beyond it they are counted.
pub const REFUSALS_NOTED: u32 = 20;
/// Events that are kept for those who listen over HTTP; older ones are forgotten.
pub const EVENTS_KEPT: usize = 4_096;
/// Who may listen at once, out of all connections; one more is told to come again.
pub const EVENT_STREAMS: usize = 64;
/// Octets of one HTTP request body.
pub const HTTP_BODY_BYTES: usize = 256 * 1024;

/// Octets of a file that holds one secret.
pub const SECRET_BYTES: u64 = 4 * 1024;
/// Octets of one uploaded sound.
pub const PROMPT_BYTES: usize = 32 * 1024 * 1024;

// --- Fraud (security.md T31, T35) ---
/// Networks that are remembered for the phones of one agent, known ones and new ones each; beyond it the oldest known
/// one is forgotten, and a new one is not told of.
pub const AGENT_PLACES: usize = 32;
/// Calls to the outside an hour from new places of all agents together; beyond it whoever makes one is blocked.
pub const ELSEWHERE_HOURLY: usize = 10;
/// Dials of the last day that caps are counted from; beyond it the oldest is forgotten.
pub const LEDGER_DIALS: usize = 200_000;
/// Callers and API keys that have named other people's numbers today; beyond it new ones are not counted.
pub const LEDGER_SOURCES: usize = 50_000;

// --- Faults of our own ---
/// Octets of recorded inputs that are kept, compressed; beyond it the oldest go.
pub const FLIGHT_BYTES: usize = 64 * 1024 * 1024;
/// Chunks of 64 KiB that wait for the recorder while it saves; what comes beyond is not recorded.
pub const FLIGHT_AHEAD: usize = 256;
/// Faults of the switch within an hour; one more ends the process, for its supervisor to start it anew.
pub const FAULTS_HOURLY: usize = 3;

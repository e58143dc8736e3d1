//! What there is to see, as one value: the document that programs get and people's screens are made of.
//!
//! Times are milliseconds since 1970 (`…_unix_ms`) or durations (`…_ms`, `…_us`). No subscriber's number and no text is
//! in here; messages are named by lane, sequence and address.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::WallTime;
use crate::lane::{SLOTS, Sequence, Side};
use crate::ring::Ring;
use crate::smsc::status::Phase;

/// The version of all documents. It grows when a field changes its meaning or goes; new fields may come without.
pub const VERSION: u32 = 1;

/// Everything at one moment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// The version of this form.
    pub version: u32,
    /// `edge` or `central`.
    pub mode: String,
    /// Its name.
    pub name: String,
    /// Program and version.
    pub program: String,
    /// When this was seen.
    pub at_unix_ms: u64,
    /// For how long it has been running.
    pub up_ms: u64,
    /// All in all; made of the troubles.
    pub health: Health,
    /// What is wrong, worst first.
    pub troubles: Vec<Trouble>,
    /// At an edge its link to central; at central one for each edge.
    pub links: Vec<LinkView>,
    /// The lanes.
    pub lanes: Vec<LaneView>,
    /// The rings at this end, and what is known of their other ends.
    pub rings: Vec<RingView>,
    /// Messages that an SMSC may or may not have.
    pub in_doubt: Vec<DoubtView>,
    /// The files that everything rests on.
    pub storage: Vec<StorageView>,
    /// At central: what waits for a lane.
    pub backlog: Option<BacklogView>,
    /// At central: the IM service, if there is one.
    pub im: Option<ImView>,
}

/// All in all.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// All is well.
    #[default]
    Ok,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Down,
}

impl Health {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// Something that is wrong: `docs/operations.md` has a chapter for each code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// Which alarm, as in `ring-full`; does not change between versions.
    pub code: String,
    /// How much of the house it takes down.
    pub health: Health,
    /// What it is about: a lane, a ring, an edge, a file.
    pub about: String,
    /// What is wrong, in words.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// One link.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct LinkView {
    /// Who is at the other end.
    pub far: String,
    /// Whether both ends know each other.
    pub up: bool,
    /// The same in one word: `up`, `silent`, `down`, `refused`, `stopped`.
    pub phase: String,
    /// Since when it is so.
    pub since_unix_ms: Option<u64>,
    /// `quic` or `tcp`, while it is up.
    pub carrier: Option<String>,
    /// Where the other end is, while it is up.
    pub remote: Option<String>,
    /// Program and version at the other end.
    pub program: Option<String>,
    /// Smoothed round trip.
    pub round_trip_us: Option<u64>,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// Measured rate, octets a second.
    pub octets_per_s: u64,
    /// Octets put on the line since the start.
    pub octets_sent: u64,
    /// Packets put on the line since the start.
    pub packets_sent: u64,
    /// Packets that came since the start.
    pub packets_received: u64,
    /// How often the link broke since the start.
    pub outages: u64,
    /// For how long it was down in all since the start.
    pub down_ms: u64,
    /// Why it broke, or why it cannot be made.
    pub last_error: Option<String>,
    /// Whether that needs an operator: trying again will not cure it.
    pub needs_operator: bool,
    /// At an edge: whether another edge of its name takes the link over again and again.
    #[serde(default)]
    pub contested: bool,
    /// What is to be known of certificates and clocks.
    pub worry: Option<String>,
}

/// One lane.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct LaneView {
    /// `edge/lane`.
    pub lane: String,
    /// Whether messages can go over it now: at an edge the SMSC is there, at central its rings take part in the link.
    pub up: bool,
    /// The SMSC session, at an edge.
    pub smsc: Option<SmscView>,
    /// An operator stopped offering.
    pub suspended: bool,
    /// An operator lets it run empty: nothing new is taken.
    pub draining: bool,
    /// For how long nothing has moved though something should.
    pub stuck_ms: Option<u64>,
    /// Messages from phones a second, over the last ten seconds.
    pub mo_per_s: f64,
    /// Messages to phones a second, over the last ten seconds.
    pub mt_per_s: f64,
    /// At central: what waits in the backlog and can only go here.
    pub waiting: Option<u64>,
}

/// One SMSC session. Counters count since the start.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SmscView {
    /// `smpp` or `cimd2`.
    pub protocol: String,
    /// Where the SMSC is.
    pub endpoint: String,
    /// What the session is doing.
    pub phase: Phase,
    /// Since when.
    pub since_unix_ms: Option<u64>,
    /// The SMSC's description of itself, while logged in.
    pub peer: String,
    /// Why the last connection ended, until the next one is up.
    pub last_error: Option<String>,
    /// What the SMSC last said when it asked us to wait.
    pub deferred_because: Option<String>,
    /// Smoothed time from a submit to its answer.
    pub round_trip_us: Option<u64>,
    /// The ceiling that is configured, messages a second.
    pub throughput: Option<f64>,
    /// Accepted by the SMSC.
    pub submitted: u64,
    /// Refused by it for good.
    pub refused: u64,
    /// Answers that asked us to try again.
    pub deferred: u64,
    /// Were in doubt at some time.
    pub doubtful: u64,
    /// Validity ended before they could be offered.
    pub expired: u64,
    /// Messages and reports taken from the SMSC.
    pub delivered: u64,
    /// Deliveries that the SMSC repeated.
    pub repeated: u64,
    /// Deliveries that had to wait for a free slot.
    pub withheld: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Oddities in its protocol.
    pub oddities: u64,
}

/// The four pointers: up to here, without a gap; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Pointers {
    /// Stored here.
    pub retrieved: u64,
    /// Put on the link.
    pub sent: u64,
    /// Stored at the other end.
    pub confirmed: u64,
    /// Passed on at the other end.
    pub processed: u64,
}

/// What the other end of a ring said last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FarPointers {
    /// What it holds; known at an origin.
    pub retrieved: Option<u64>,
    /// What it passed on, or knows to be passed on.
    pub processed: u64,
}

/// How long the oldest message in each state has been there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Oldest {
    /// Stored and not yet put on the link.
    pub to_send_ms: Option<u64>,
    /// On the link, and the other end has not confirmed it.
    pub to_confirm_ms: Option<u64>,
    /// Not passed on yet: the oldest of all.
    pub to_process_ms: Option<u64>,
}

/// One ring.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RingView {
    /// `edge/lane`.
    pub lane: String,
    /// `mo` or `mt`.
    pub direction: String,
    /// `origin` or `mirror`: which end this is.
    pub side: String,
    /// Which life of it.
    pub epoch: String,
    /// The pointers at this end.
    pub near: Pointers,
    /// What is known of the other end.
    pub far: Option<FarPointers>,
    /// Slots that hold messages.
    pub used: u64,
    /// Free slots.
    pub room: u64,
    /// How long messages have been waiting.
    pub oldest: Oldest,
    /// The message that the SMSC may or may not have.
    pub in_doubt: Option<u64>,
    /// Messages whose slot is damaged; they are asked back from the other end.
    pub damaged: Vec<u64>,
    /// Messages that were declared lost since the start, by number; the latest hundred.
    pub lost: Vec<u64>,
    /// Why it is kept shut on disk, if it is.
    pub fence: Option<String>,
    /// Why it takes no part in the link, if it does not.
    pub shut: Option<String>,
}

/// A message that an SMSC may or may not have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DoubtView {
    /// `edge/lane`.
    pub lane: String,
    /// Its number.
    pub sequence: u64,
    /// Its address.
    pub address: u8,
    /// How old it is.
    pub age_ms: Option<u64>,
    /// Whether the lane waits for an operator's word.
    pub held: bool,
}

/// A file, or a directory, that everything rests on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StorageView {
    /// What it is for: `rings` or `store`.
    pub what: String,
    /// Where it is.
    pub path: String,
    /// Why nothing more is accepted, if so.
    pub failed: Option<String>,
    /// Free octets on its disk.
    pub free_octets: Option<u64>,
    /// Syncs since the start.
    pub syncs: u64,
}

/// What waits at central.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct BacklogView {
    /// Messages that wait for a lane.
    pub waiting: u64,
    /// How many may.
    pub limit: u64,
    /// How long the oldest has been waiting.
    pub oldest_ms: Option<u64>,
    /// Reports whose message was not found.
    pub unmatched_reports: u64,
    /// Long messages of which parts are missing.
    pub unfinished_texts: u64,
    /// What phones wrote to numbers that nobody serves.
    pub unclaimed: u64,
}

/// The IM service. Counters count since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ImView {
    /// Where its clients come in.
    pub listen: String,
    /// Connections that are open.
    pub connections: u64,
    /// Points: sessions that have a connection.
    pub points: u64,
    /// Users who have a point.
    pub users: u64,
    /// Texts of its users that wait for a lane to a phone.
    pub texts_waiting: u64,
    /// What came from phones and carriers, and waits to be taken by it.
    pub errands_waiting: u64,
    /// Sign-ins with a wrong name, password or client id.
    pub refused_sign_ins: u64,
    /// Connections so far.
    pub accepted: u64,
    /// Connections that were turned away, since there were too many.
    pub turned_away: u64,
    /// Connections that were closed, since their client did not read.
    pub slow: u64,
    /// Primitives that came.
    pub heard: u64,
    /// Primitives that were sent.
    pub said: u64,
    /// How often it was built anew, since something could not be stored.
    pub rebuilt: u64,
}

/// A user or client of the IM service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NameView {
    /// Its name.
    pub name: String,
    /// The operator has shut it out.
    #[serde(default)]
    pub shut: bool,
}

/// A client of the IM service that is connected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionView {
    /// The user.
    pub user: String,
    /// Its client or device.
    pub client: String,
    /// By which door it came: `websocket`, `sms`, ….
    pub door: String,
    /// Since when.
    pub since_unix_ms: u64,
    /// What waits to be delivered to it.
    pub waiting: u64,
}

/// What is known of one message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TraceView {
    /// Its identity.
    pub id: String,
    /// Where it is, in words.
    pub state: String,
    /// The short messages that carry it; one, unless it is long.
    pub parts: Vec<PartView>,
}

/// One short message of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PartView {
    /// `edge/lane`, once it has one.
    pub lane: Option<String>,
    /// `mo` or `mt`.
    pub direction: String,
    /// Its number on the ring.
    pub sequence: Option<u64>,
    /// Its address.
    pub address: Option<u8>,
    /// The SMSC's name for it.
    pub smsc_id: Option<String>,
    /// What the report said.
    pub report: Option<String>,
    /// What happened to it, in order.
    pub steps: Vec<StepView>,
}

/// Something that happened to a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// When.
    pub at_unix_ms: u64,
    /// At which end: `edge` or `central`.
    pub end: String,
    /// `retrieved`, `sent`, `confirmed`, `processed`, or a word for what else happened.
    pub what: String,
    /// More of it, without numbers and texts.
    pub detail: Option<String>,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            version: VERSION,
            mode: String::new(),
            name: String::new(),
            program: concat!("sluice ", env!("CARGO_PKG_VERSION")).to_owned(),
            at_unix_ms: 0,
            up_ms: 0,
            health: Health::Ok,
            troubles: Vec::new(),
            links: Vec::new(),
            lanes: Vec::new(),
            rings: Vec::new(),
            in_doubt: Vec::new(),
            storage: Vec::new(),
            backlog: None,
            im: None,
        }
    }
}

impl RingView {
    /// A ring as it is now. What the link knows of it, `far`, `shut` and `lost`, is for its owner to add.
    pub fn of(ring: &Ring, now: WallTime) -> Self {
        let name = ring.name();
        let fence = ring.fence().map(|fence| fence.to_string());
        ring.look(|array| {
            let marks = array.marks();
            let age = |sequence: Sequence| {
                let at = array.get(sequence)?.retrieved_at;
                Some(u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX))
            };
            let is_origin = array.side() == Side::Origin;
            Self {
                lane: name.lane.to_string(),
                direction: name.direction.to_string(),
                side: name.side.to_string(),
                epoch: array.epoch().to_string(),
                near: Pointers {
                    retrieved: marks.retrieved.up_to().get(),
                    sent: marks.sent.up_to().get(),
                    confirmed: marks.confirmed.up_to().get(),
                    processed: marks.processed.up_to().get(),
                },
                far: None,
                used: SLOTS - array.room(),
                room: array.room(),
                oldest: Oldest {
                    to_send_ms: array.next_to_send().filter(|_| is_origin).and_then(age),
                    to_confirm_ms: array
                        .unconfirmed()
                        .next()
                        .filter(|_| is_origin)
                        .and_then(age),
                    to_process_ms: age(marks.processed.up_to().next()),
                },
                in_doubt: array.in_doubt().filter(|_| !is_origin).map(Sequence::get),
                damaged: array.damaged().map(Sequence::get).collect(),
                lost: Vec::new(),
                fence,
                shut: None,
            }
        })
    }

    /// `edge/lane:mo`, which both ends have in common.
    pub fn name(&self) -> String {
        format!("{}:{}", self.lane, self.direction)
    }
}

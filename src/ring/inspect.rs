//! Looks into a ring file, also a stopped or damaged one, without changing an octet of it.

use std::fs::File;
use std::path::Path;

use serde::Serialize;

use super::array::{Array, Flags};
use super::error::RingError;
use super::page::Place;
use super::read;
use super::recovery::{self, Case, Remark};
use super::storage::FileStorage;
use crate::lane::{Address, RingName};
use crate::message::{Coding, Item};
use crate::text;

/// What a ring file holds.
#[derive(Serialize)]
pub struct Inspection {
    /// The file.
    pub path: String,
    /// Its identity, in hexadecimal.
    pub identity: String,
    /// When it was made.
    pub made_at: String,
    /// Whether a process has it open, so that the picture may be a moment old or torn.
    pub in_use: bool,
    /// Damage outside the rings; opening heals it.
    pub healable: Vec<String>,
    /// The rings, in the file's order.
    pub rings: Vec<RingView>,
}

/// One ring, as opening would find it.
#[derive(Serialize)]
pub struct RingView {
    /// Its name.
    pub name: String,
    /// Which life of it.
    pub epoch: String,
    /// Whether it was stopped in order.
    pub clean: bool,
    /// Why it is kept shut, if it is.
    pub fence: Option<String>,
    /// Last retrieved: up to here, without a gap. 0 is none.
    pub retrieved: u64,
    /// Last sent.
    pub sent: u64,
    /// Last confirmed.
    pub confirmed: u64,
    /// Last processed.
    pub processed: u64,
    /// The SMSC may have seen messages up to here.
    pub offered: u64,
    /// Messages that wait to be processed.
    pub waiting: u64,
    /// Free slots.
    pub room: u64,
    /// Messages whose slot is damaged.
    pub damaged: Vec<u64>,
    /// What is wrong, each with what to do about it.
    pub findings: Vec<Finding>,
    /// The slots that hold messages which are not processed, by address.
    pub slots: Vec<SlotView>,
}

/// Something that is wrong with a ring.
#[derive(Serialize)]
pub struct Finding {
    /// The slot's address; nothing for damage outside the slots.
    pub slot: Option<u8>,
    /// What is wrong, in words.
    pub what: String,
    /// What to do about it.
    pub next: &'static str,
}

/// One slot.
#[derive(Serialize)]
pub struct SlotView {
    /// Its address, 1 to 255.
    pub address: u8,
    /// The message's number.
    pub sequence: u64,
    /// How often the ring had gone round.
    pub lap: u64,
    /// The four flags: a letter each that is on, a point that is off.
    pub flags: String,
    /// When it was retrieved; nothing if the slot is damaged.
    pub retrieved_at: Option<String>,
    /// Octets of the item.
    pub octets: Option<usize>,
    /// What it is, in words without content.
    pub what: String,
    /// The content, only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentView>,
}

/// A message's content, for people who may see it.
#[derive(Serialize)]
pub struct ContentView {
    /// Who wrote it.
    pub from: String,
    /// Who shall read it.
    pub to: String,
    /// How the octets are to be read.
    pub coding: String,
    /// The octets of text or data, in hexadecimal.
    pub data: String,
    /// The same, readable; a point stands for what is no text.
    pub text: String,
}

/// How much an inspection tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Flags and times.
    Slots,
    /// Parties and texts too.
    Contents,
}

impl Inspection {
    /// Whether anything is damaged or shut.
    pub fn is_sound(&self) -> bool {
        self.healable.is_empty()
            && self
                .rings
                .iter()
                .all(|ring| ring.fence.is_none() && ring.findings.is_empty())
    }
}

/// How often a ring of a file in use is read again before what looks damaged is believed: its owner may have written
/// while it was read. A read takes about a millisecond, so even a busy ring holds still for one of these.
const LOOKS: usize = 20;

/// Reads a file as opening would, and changes nothing.
pub fn inspect(path: &Path, depth: Depth) -> Result<Inspection, RingError> {
    let file = File::open(path).map_err(|why| RingError::io(path, "opening", why))?;
    let in_use = match file.try_lock_shared() {
        // Given back at once: who starts the gateway meanwhile must not find the file locked by a look at it.
        Ok(()) => file
            .unlock()
            .map(|()| false)
            .map_err(|why| RingError::io(path, "unlocking", why))?,
        Err(std::fs::TryLockError::WouldBlock) => true,
        Err(std::fs::TryLockError::Error(why)) => {
            return Err(RingError::io(path, "asking for its lock", why));
        }
    };
    let storage = FileStorage::new(file, path);
    let mut live_path = path.as_os_str().to_owned();
    live_path.push(".live");
    let live = File::open(&live_path)
        .ok()
        .map(|file| FileStorage::new(file, Path::new(&live_path)));
    let found = read::directory(path, &storage)?;
    read::check_length(path, &storage, &found.entries)?;
    let mut rings = Vec::new();
    for (entry, index) in found.entries.iter().zip(0..) {
        let place = Place {
            ring: index,
            epoch: entry.epoch,
        };
        let live = live
            .as_ref()
            .map(|live| live as &dyn super::storage::Storage);
        let looks = if in_use { LOOKS } else { 1 };
        rings.push(look(looks, || {
            let found = read::ring(path, &storage, live, place, entry.name.side)?;
            let mut findings: Vec<Finding> = found.noted.into_iter().map(note).collect();
            let recovered = recovery::recover(found.evidence);
            findings.extend(recovered.remarks.iter().map(describe));
            Ok(view(&entry.name, &recovered, findings, depth))
        })?);
    }
    Ok(Inspection {
        path: path.display().to_string(),
        identity: hex(&found.header.identity),
        made_at: found.header.made_at.to_string(),
        in_use,
        healable: found
            .healed
            .iter()
            .map(|line| line.replace("was damaged; healed from the other", "is damaged"))
            .collect(),
        rings,
    })
}

/// Looks up to so many times, until nothing seems wrong.
fn look(
    looks: usize,
    mut once: impl FnMut() -> Result<RingView, RingError>,
) -> Result<RingView, RingError> {
    let mut seen = once()?;
    for _ in 1..looks {
        if seen.findings.is_empty() && seen.fence.is_none() {
            break;
        }
        seen = once()?;
    }
    Ok(seen)
}

const fn note(what: String) -> Finding {
    Finding {
        slot: None,
        what,
        next: "nothing to do, the next write there heals it",
    }
}

/// Recovery speaks of what it does; an inspection does nothing, so it tells what opening will do.
fn describe(remark: &Remark) -> Finding {
    let address = remark.sequence.address();
    let line = remark.to_string();
    let what = line
        .strip_prefix(&format!("slot {address}: "))
        .unwrap_or(&line);
    let (what, next) = match remark.case {
        Case::C | Case::E | Case::J => (
            what.replace("; wiped", ""),
            "nothing to do, opening the file wipes the slot",
        ),
        Case::F | Case::G => (
            what.to_owned(),
            "start the gateway: as soon as the link is up the far end's copy is asked for, and if there is none the \
             message is declared lost",
        ),
        Case::H => (
            what.replace(", see `sluice ring renew`", ""),
            "restore the newest copy of the file, or give the ring a new epoch with `sluice ring renew`",
        ),
        Case::A | Case::B | Case::D | Case::I => (what.to_owned(), "nothing to do"),
    };
    Finding {
        slot: Some(address.get()),
        what,
        next,
    }
}

fn view(
    name: &RingName,
    recovered: &recovery::Recovered,
    findings: Vec<Finding>,
    depth: Depth,
) -> RingView {
    let array = &recovered.array;
    let marks = array.marks();
    RingView {
        name: name.to_string(),
        epoch: array.epoch().to_string(),
        clean: recovered.clean,
        fence: recovered.fence.map(|fence| fence.to_string()),
        retrieved: marks.retrieved.up_to().get(),
        sent: marks.sent.up_to().get(),
        confirmed: marks.confirmed.up_to().get(),
        processed: marks.processed.up_to().get(),
        offered: marks.offered.get(),
        waiting: crate::lane::SLOTS - array.room(),
        room: array.room(),
        damaged: array.damaged().map(crate::lane::Sequence::get).collect(),
        findings,
        slots: Address::all()
            .filter_map(|address| slot_view(array, address, depth))
            .collect(),
    }
}

fn slot_view(array: &Array, address: Address, depth: Depth) -> Option<SlotView> {
    let sequence = array.at(address);
    if sequence.is_none() || array.flags(sequence).processed || !array.flags(sequence).retrieved {
        return None;
    }
    let parcel = array.get(sequence);
    let item = parcel.map(super::parcel::Parcel::unpack);
    Some(SlotView {
        address: address.get(),
        sequence: sequence.get(),
        lap: sequence.lap().get(),
        flags: letters(array.flags(sequence)),
        retrieved_at: parcel.map(|parcel| parcel.retrieved_at.to_string()),
        octets: parcel.map(|parcel| parcel.octets().len()),
        what: match &item {
            None => String::from("damaged"),
            Some(Ok(item)) => summary(item),
            Some(Err(why)) => format!("unreadable: {why}"),
        },
        content: match (depth, &item) {
            (Depth::Contents, Some(Ok(item))) => Some(content(item)),
            _ => None,
        },
    })
}

fn letters(flags: Flags) -> String {
    [
        (flags.retrieved, 'R'),
        (flags.sent, 'S'),
        (flags.confirmed, 'C'),
        (flags.processed, 'P'),
    ]
    .map(|(on, letter)| if on { letter } else { '.' })
    .iter()
    .collect()
}

fn summary(item: &Item) -> String {
    match item {
        Item::Message(message) => {
            let body = &message.body;
            let part = body
                .header()
                .as_concat()
                .map(|concat| format!(", part {} of {}", concat.part, concat.total))
                .unwrap_or_default();
            format!(
                "message from a {} to a {}, {} octets as {}{part}",
                message.sender.kind(),
                message.recipient.kind(),
                body.data().len(),
                body.coding().as_str()
            )
        }
        Item::Report(report) => format!("report: {:?}", report.state),
    }
}

fn content(item: &Item) -> ContentView {
    let shown = |party: Option<&crate::message::Party>| {
        party
            .map(crate::message::Party::exposed)
            .unwrap_or_default()
    };
    match item {
        Item::Message(message) => ContentView {
            from: shown(Some(&message.sender)),
            to: shown(Some(&message.recipient)),
            coding: message.body.coding().as_str().into(),
            data: hex(message.body.data()),
            text: readable(message.body.coding(), message.body.data()),
        },
        Item::Report(report) => ContentView {
            from: shown(report.sender.as_ref()),
            to: shown(report.recipient.as_ref()),
            coding: String::from("report"),
            data: hex(&report.text),
            text: readable(Coding::Octets, &report.text),
        },
    }
}

/// What people can read of it. No control character gets through: this goes to terminals.
fn readable(coding: Coding, data: &[u8]) -> String {
    let text = match coding {
        Coding::Gsm7 => text::gsm::decode(data),
        Coding::Ucs2 => text::ucs2::decode(data),
        Coding::Octets => data.iter().copied().map(char::from).collect(),
    };
    text.chars()
        .map(|character| match (coding, character) {
            (_, control) if control.is_control() => '·',
            // Of octets without an alphabet only what is ASCII means anything.
            (Coding::Octets, other) if !other.is_ascii() => '·',
            (_, other) => other,
        })
        .collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

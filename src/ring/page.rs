//! The pages of the ring file as octets: header, directory entry, state, live record, slot. `docs/ring-file.md` draws
//! them; the offsets here are computed from one another.

use bytes::Bytes;

use super::marks::{MARKS_LENGTH, Marks};
use super::parcel::Parcel;
use crate::clock::WallTime;
use crate::codec::checksum::{is_sealed, seal, seal_padded};
use crate::lane::{Address, Direction, Epoch, Lane, RingName, SLOTS, Sequence, Side};
use crate::message::DeliveryKey;

/// Octets of a page, and of a slot.
pub const PAGE: usize = 4096;
/// Octets of a directory entry.
pub const ENTRY: usize = 128;
/// Octets of a live record.
pub const LIVE: usize = 512;
/// How many rings a file can hold: 512 lanes. A directory of 32 pages; its size never changes.
pub const MAX_RINGS: usize = 1024;
/// The version of the format that this program reads and writes.
pub const VERSION: u16 = 1;

const DIRECTORY_PAGES: u64 = (MAX_RINGS * ENTRY / PAGE) as u64;
const DIRECTORY_A: u64 = 2;
const DIRECTORY_B: u64 = DIRECTORY_A + DIRECTORY_PAGES;
const AREAS: u64 = DIRECTORY_B + DIRECTORY_PAGES;
/// Two state pages, 255 slots, 32 pages of outcomes.
const OUTCOMES: u64 = 2 + SLOTS;
const AREA_PAGES: u64 = OUTCOMES + 32;
/// Octets of an outcome record: a sector, so that a torn write hurts no neighbour.
pub const OUTCOME: usize = 512;

/// Where the file header's copy stands.
pub const fn header_offset(copy: u64) -> u64 {
    copy * PAGE as u64
}

/// Where a directory's copy of a ring's entry stands.
pub const fn entry_offset(copy: u64, ring: u16) -> u64 {
    let first = if copy == 0 { DIRECTORY_A } else { DIRECTORY_B };
    first * PAGE as u64 + ring as u64 * ENTRY as u64
}

/// Where a ring's area begins.
pub const fn area_offset(ring: u16) -> u64 {
    (AREAS + ring as u64 * AREA_PAGES) * PAGE as u64
}

/// Where the state page for a state of that number stands.
pub const fn state_offset(ring: u16, number: u64) -> u64 {
    area_offset(ring) + (number % 2) * PAGE as u64
}

/// Where the slot of an address stands.
pub const fn slot_offset(ring: u16, address: Address) -> u64 {
    area_offset(ring) + (2 + address.index() as u64) * PAGE as u64
}

/// Where the outcome of an address stands.
pub const fn outcome_offset(ring: u16, address: Address) -> u64 {
    area_offset(ring) + OUTCOMES * PAGE as u64 + address.index() as u64 * OUTCOME as u64
}

/// Where a ring's live record stands in its own file.
pub const fn live_offset(ring: u16) -> u64 {
    ring as u64 * LIVE as u64
}

/// How long a file with so many rings is.
pub const fn file_length(rings: u16) -> u64 {
    area_offset(rings)
}

const HEADER_MAGIC: &[u8; 8] = b"SLUICERG";
const ENTRY_MAGIC: &[u8; 4] = b"RDE1";
const SLOT_MAGIC: &[u8; 4] = b"RSL1";
const STATE_MAGIC: &[u8; 4] = b"RST1";
const LIVE_MAGIC: &[u8; 4] = b"RLV1";

const MARKS_AT: usize = 64;
const ITEM_AT: usize = 256;

fn put<const N: usize>(page: &mut [u8], offset: usize, octets: [u8; N]) {
    page[offset..offset + N].copy_from_slice(&octets);
}

fn get<const N: usize>(page: &[u8], offset: usize) -> [u8; N] {
    *page[offset..]
        .first_chunk()
        .expect("offsets lie within a page of fixed size")
}

fn put_marks(page: &mut [u8], marks: &Marks) {
    let place = page[MARKS_AT..]
        .first_chunk_mut::<MARKS_LENGTH>()
        .expect("marks lie within the page");
    marks.encode(place);
}

fn get_marks(page: &[u8]) -> Option<Marks> {
    Marks::decode(&get(page, MARKS_AT))
}

/// Whether there are only zeros: never written, or wiped.
pub fn is_empty(record: &[u8]) -> bool {
    static ZEROS: [u8; PAGE] = [0; PAGE];
    record
        .chunks(PAGE)
        .all(|chunk| chunk == &ZEROS[..chunk.len()])
}

/// What makes a record no record; its sentence goes to people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Broken {
    /// Torn, flipped or overwritten.
    #[error("its checksum does not fit")]
    Checksum,
    /// The checksum fits, but the record is of another kind.
    #[error("it does not begin with its mark")]
    Magic,
    /// Written by another version.
    #[error("it is of version {0}, this program knows {VERSION}")]
    Version(u16),
    /// Belongs elsewhere: another ring, epoch or address.
    #[error("it belongs to another {0}")]
    Foreign(&'static str),
    /// A field that no writer writes.
    #[error("its {0} makes no sense")]
    Field(&'static str),
}

/// The file header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Random; names this file.
    pub identity: [u8; 16],
    /// When it was made.
    pub made_at: WallTime,
}

impl Header {
    /// As a page.
    pub fn encode(&self) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        put(&mut page, 0, *HEADER_MAGIC);
        put(&mut page, 8, VERSION.to_le_bytes());
        put(&mut page, 10, (SLOTS as u16).to_le_bytes());
        put(&mut page, 12, (PAGE as u32).to_le_bytes());
        put(&mut page, 16, (MAX_RINGS as u32).to_le_bytes());
        put(&mut page, 24, self.identity);
        put(&mut page, 40, self.made_at.as_unix_ms().to_le_bytes());
        seal(&mut page);
        page
    }

    /// From a page.
    pub fn decode(page: &[u8]) -> Result<Self, Broken> {
        if &get::<8>(page, 0) != HEADER_MAGIC {
            return Err(Broken::Magic);
        }
        if !is_sealed(page) {
            return Err(Broken::Checksum);
        }
        let version = u16::from_le_bytes(get(page, 8));
        if version != VERSION {
            return Err(Broken::Version(version));
        }
        if u64::from(u16::from_le_bytes(get(page, 10))) != SLOTS {
            return Err(Broken::Field("number of slots"));
        }
        if u32::from_le_bytes(get(page, 12)) as usize != PAGE {
            return Err(Broken::Field("page size"));
        }
        Ok(Self {
            identity: get(page, 24),
            made_at: WallTime::from_unix_ms(u64::from_le_bytes(get(page, 40))),
        })
    }
}

/// A ring's entry in the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Which ring.
    pub name: RingName,
    /// Which life of it.
    pub epoch: Epoch,
    /// When that began.
    pub made_at: WallTime,
}

impl Entry {
    /// As octets.
    pub fn encode(&self) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        put(&mut entry, 0, *ENTRY_MAGIC);
        entry[4] = match self.name.direction {
            Direction::Mo => 1,
            Direction::Mt => 2,
        };
        entry[5] = match self.name.side {
            Side::Origin => 1,
            Side::Mirror => 2,
        };
        let lane = self.name.lane.as_str().as_bytes();
        entry[6] = lane.len() as u8;
        put(&mut entry, 8, self.epoch.get().to_le_bytes());
        put(&mut entry, 16, self.made_at.as_unix_ms().to_le_bytes());
        entry[24..24 + lane.len()].copy_from_slice(lane);
        seal(&mut entry);
        entry
    }

    /// From octets; `Ok(None)` for a free one.
    pub fn decode(entry: &[u8]) -> Result<Option<Self>, Broken> {
        if is_empty(entry) {
            return Ok(None);
        }
        if !is_sealed(entry) {
            return Err(Broken::Checksum);
        }
        if &get::<4>(entry, 0) != ENTRY_MAGIC {
            return Err(Broken::Magic);
        }
        let direction = match entry[4] {
            1 => Direction::Mo,
            2 => Direction::Mt,
            _ => return Err(Broken::Field("direction")),
        };
        let side = match entry[5] {
            1 => Side::Origin,
            2 => Side::Mirror,
            _ => return Err(Broken::Field("side")),
        };
        let lane: Lane = entry[24..87]
            .get(..usize::from(entry[6]))
            .and_then(|name| std::str::from_utf8(name).ok())
            .and_then(|name| name.parse().ok())
            .ok_or(Broken::Field("lane"))?;
        Ok(Some(Self {
            name: RingName::new(lane, direction, side),
            epoch: Epoch::new(u64::from_le_bytes(get(entry, 8))).ok_or(Broken::Field("epoch"))?,
            made_at: WallTime::from_unix_ms(u64::from_le_bytes(get(entry, 16))),
        }))
    }
}

/// Where a record belongs: it stands in each slot, state page and live record, and must fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Index of the ring in the directory.
    pub ring: u16,
    /// Its epoch.
    pub epoch: Epoch,
}

impl Place {
    fn put(self, page: &mut [u8], magic: [u8; 4]) {
        put(page, 0, magic);
        put(page, 4, VERSION.to_le_bytes());
        put(page, 6, self.ring.to_le_bytes());
        put(page, 8, self.epoch.get().to_le_bytes());
    }

    fn check(self, page: &[u8], magic: [u8; 4]) -> Result<(), Broken> {
        if !is_sealed(page) {
            return Err(Broken::Checksum);
        }
        if get::<4>(page, 0) != magic {
            return Err(Broken::Magic);
        }
        let version = u16::from_le_bytes(get(page, 4));
        if version != VERSION {
            return Err(Broken::Version(version));
        }
        if u16::from_le_bytes(get(page, 6)) != self.ring {
            return Err(Broken::Foreign("ring"));
        }
        if u64::from_le_bytes(get(page, 8)) != self.epoch.get() {
            return Err(Broken::Foreign("epoch"));
        }
        Ok(())
    }
}

/// Why a ring is kept shut until it gets a new epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fence {
    /// Case H of recovery.
    #[error("this file is older than what was promised from it (a restored copy?)")]
    OlderCopy,
    /// Found by the link.
    #[error("the far end knows of later messages than this file")]
    FarEndAhead,
    /// By command.
    #[error("an operator asked for it")]
    Asked,
}

impl Fence {
    const fn number(fence: Option<Self>) -> u8 {
        match fence {
            None => 0,
            Some(Self::OlderCopy) => 1,
            Some(Self::FarEndAhead) => 2,
            Some(Self::Asked) => 3,
        }
    }

    const fn from_number(number: u8) -> Result<Option<Self>, Broken> {
        Ok(Some(match number {
            0 => return Ok(None),
            1 => Self::OlderCopy,
            2 => Self::FarEndAhead,
            3 => Self::Asked,
            _ => return Err(Broken::Field("fence")),
        }))
    }
}

/// What a state page and a live record hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// Grows with each state page.
    pub number: u64,
    /// Whether the ring was stopped in order.
    pub clean: bool,
    /// Whether it is kept shut.
    pub fence: Option<Fence>,
    /// The marks.
    pub marks: Marks,
}

impl State {
    /// As a state page.
    pub fn encode(&self, place: Place) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        self.put(place, &mut page, *STATE_MAGIC);
        page
    }

    /// As a live record.
    pub fn encode_live(&self, place: Place) -> [u8; LIVE] {
        let mut record = [0; LIVE];
        self.put(place, &mut record, *LIVE_MAGIC);
        record
    }

    fn put(&self, place: Place, page: &mut [u8], magic: [u8; 4]) {
        place.put(page, magic);
        put(page, 16, self.number.to_le_bytes());
        page[24] = u8::from(self.clean);
        page[25] = Fence::number(self.fence);
        put_marks(page, &self.marks);
        seal_padded(page, MARKS_AT + MARKS_LENGTH);
    }

    /// From a state page.
    pub fn decode(page: &[u8], place: Place) -> Result<Self, Broken> {
        Self::take(page, place, *STATE_MAGIC)
    }

    /// From a live record.
    pub fn decode_live(record: &[u8], place: Place) -> Result<Self, Broken> {
        Self::take(record, place, *LIVE_MAGIC)
    }

    fn take(page: &[u8], place: Place, magic: [u8; 4]) -> Result<Self, Broken> {
        place.check(page, magic)?;
        Ok(Self {
            number: u64::from_le_bytes(get(page, 16)),
            clean: page[24] != 0,
            fence: Fence::from_number(page[25])?,
            marks: get_marks(page).ok_or(Broken::Field("marks"))?,
        })
    }
}

/// What a slot holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    /// The message's number.
    pub sequence: Sequence,
    /// All marks of the ring as of this write.
    pub marks: Marks,
    /// The message.
    pub parcel: Parcel,
}

/// What a page of the slots' area holds.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "255 of them live while a ring is opened; an allocation for each slot would cost more"
)]
pub enum Found {
    /// Zeros: never used, or wiped.
    Empty,
    /// A valid slot.
    Slot(Slot),
    /// Anything else.
    Broken(Broken),
}

/// A message's slot as a page.
pub fn encode_slot(place: Place, sequence: Sequence, marks: &Marks, parcel: &Parcel) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    encode_slot_into(&mut page, place, sequence, marks, parcel);
    page
}

/// The same into a page that held something else.
///
/// # Panics
/// If it is no page.
pub fn encode_slot_into(
    page: &mut [u8],
    place: Place,
    sequence: Sequence,
    marks: &Marks,
    parcel: &Parcel,
) {
    assert_eq!(page.len(), PAGE, "a slot is a page");
    page.fill(0);
    place.put(page, *SLOT_MAGIC);
    put(page, 16, sequence.get().to_le_bytes());
    page[24] = sequence.address().get();
    put(page, 26, (parcel.octets().len() as u16).to_le_bytes());
    put(page, 28, parcel.checksum().to_le_bytes());
    put(page, 32, parcel.retrieved_at.as_unix_ms().to_le_bytes());
    put(page, 40, parcel.key.0);
    put_marks(page, marks);
    let end = ITEM_AT + parcel.octets().len();
    page[ITEM_AT..end].copy_from_slice(parcel.octets());
    seal_padded(page, end);
}

/// What a page at an address holds.
pub fn decode_slot(page: &Bytes, place: Place, address: Address) -> Found {
    if is_empty(page) {
        return Found::Empty;
    }
    match try_decode_slot(page, place, address) {
        Ok(slot) => Found::Slot(slot),
        Err(broken) => Found::Broken(broken),
    }
}

fn try_decode_slot(page: &Bytes, place: Place, address: Address) -> Result<Slot, Broken> {
    place.check(page, *SLOT_MAGIC)?;
    let sequence = Sequence::new(u64::from_le_bytes(get(page, 16)));
    if sequence.is_none() || sequence.get() > u64::MAX - 2 * SLOTS {
        return Err(Broken::Field("sequence"));
    }
    if page[24] != address.get() || sequence.address() != address {
        return Err(Broken::Foreign("address"));
    }
    let length = usize::from(u16::from_le_bytes(get(page, 26)));
    if ITEM_AT + length > PAGE - 4 {
        return Err(Broken::Field("length"));
    }
    let marks = get_marks(page).ok_or(Broken::Field("marks"))?;
    let parcel = Parcel::received(
        Bytes::copy_from_slice(&page[ITEM_AT..ITEM_AT + length]),
        u32::from_le_bytes(get(page, 28)),
        WallTime::from_unix_ms(u64::from_le_bytes(get(page, 32))),
        DeliveryKey(get(page, 40)),
    )
    .ok_or(Broken::Field("item's checksum"))?;
    Ok(Slot {
        sequence,
        marks,
        parcel,
    })
}

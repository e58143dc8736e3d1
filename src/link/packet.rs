//! Packets: the two whose layout never changes, and strings of frames. See `docs/protocol-link.md` section 2.

use bytes::Bytes;

use super::frame::Frame;
use super::reason::Reason;
use super::wire::{cut, put_string, put_varint, string, varint};
use crate::codec::{Malformed, Reader};

/// The lowest version of the protocol that this program speaks.
pub const LOWEST_VERSION: u8 = 1;
/// The highest one.
pub const HIGHEST_VERSION: u8 = 1;
/// Largest packet that is ever built: what a QUIC datagram carries over any path that QUIC itself runs on.
pub const MAX_PACKET: usize = 1200;
/// Smallest room in which packets are built: a part of a long message with its head fits.
pub const MIN_PACKET: usize = 1050;

const MAGIC: &[u8; 4] = b"SLNK";
const HELLO: u8 = 0xC5;
const REFUSAL: u8 = 0xC6;
const FRAMES: u8 = 0x01;

/// The first packet each way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Lowest version that the sender speaks.
    pub lowest: u8,
    /// Highest version that the sender speaks.
    pub highest: u8,
    /// 1 an edge, 2 central.
    pub role: u8,
    /// Random at each start of the program.
    pub instance: u64,
    /// The sender's name.
    pub identity: String,
    /// Program and version, for people.
    pub program: String,
}

/// A packet as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packet {
    /// The beginning.
    Hello(Hello),
    /// A connection refused, in a layout that every version reads.
    Refusal {
        /// Lowest version that the sender speaks.
        lowest: u8,
        /// Highest version that the sender speaks.
        highest: u8,
        /// Why.
        reason: Reason,
    },
    /// Frames of version 1; they are read one by one with [`Frame::decode`].
    Frames {
        /// The packet's number.
        number: u64,
        /// Before the first frame.
        frames: Reader,
    },
}

impl PartialEq for Reader {
    fn eq(&self, other: &Self) -> bool {
        self.rest() == other.rest()
    }
}

impl Eq for Reader {}

impl Hello {
    /// As a packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.push(HELLO);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[self.lowest, self.highest, self.role]);
        out.extend_from_slice(&self.instance.to_le_bytes());
        put_string(&mut out, cut(&self.identity).as_bytes());
        put_string(&mut out, cut(&self.program).as_bytes());
        out
    }
}

/// A refusal as a packet.
pub fn encode_refusal(reason: &Reason) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.push(REFUSAL);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[LOWEST_VERSION, HIGHEST_VERSION, reason.number()]);
    put_string(&mut out, cut(reason.words()).as_bytes());
    out
}

/// Begins a packet of frames.
pub fn start_frames(out: &mut Vec<u8>, number: u64) {
    out.push(FRAMES);
    put_varint(out, number);
}

/// A whole packet of frames, for those who have them at hand.
pub fn encode_frames(number: u64, frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    start_frames(&mut out, number);
    for frame in frames {
        frame.encode(&mut out);
    }
    out
}

/// Reads what came.
pub fn decode(packet: Bytes) -> Result<Packet, Malformed> {
    let mut reader = Reader::new(packet);
    match reader.octet("packet kind")? {
        FRAMES => {
            let number = varint(&mut reader, "packet number")?;
            if number == 0 || number > u64::MAX / 4 {
                return Err(reader.complain(1, "packet number", format!("{number} is none")));
            }
            Ok(Packet::Frames {
                number,
                frames: reader,
            })
        }
        HELLO => {
            magic(&mut reader)?;
            Ok(Packet::Hello(Hello {
                lowest: reader.octet("lowest version")?,
                highest: reader.octet("highest version")?,
                role: reader.octet("role")?,
                instance: reader.u64_le("instance")?,
                identity: string(&mut reader, "identity")?,
                program: string(&mut reader, "program")?,
            }))
        }
        REFUSAL => {
            magic(&mut reader)?;
            let lowest = reader.octet("lowest version")?;
            let highest = reader.octet("highest version")?;
            let number = reader.octet("reason")?;
            Ok(Packet::Refusal {
                lowest,
                highest,
                reason: Reason::from_parts(number, string(&mut reader, "words")?),
            })
        }
        other => Err(reader.complain(1, "packet kind", format!("{other:#04x} is unknown"))),
    }
}

fn magic(reader: &mut Reader) -> Result<(), Malformed> {
    let found = reader.take("magic", MAGIC.len())?;
    if found != MAGIC[..] {
        return Err(reader.complain(MAGIC.len(), "magic", "is not SLNK"));
    }
    Ok(())
}

//! Frames: what stands between STX and ETX, found in whatever comes.

use bytes::{Buf, Bytes, BytesMut};

use crate::codec::Malformed;

/// Begins a packet.
pub const STX: u8 = 0x02;
/// Ends a packet.
pub const ETX: u8 = 0x03;
/// Ends a packet's header and each of its parameters.
pub const TAB: u8 = 0x09;

/// Longest packet that is taken, STX and ETX included: the limit of a client that is in use. The longest packet with
/// all parameters at their greatest lengths is shorter.
pub const MAX_PACKET: usize = 4096;

/// Where the first of two octets stands. Looks at sixteen at a time, which the compiler turns into few instructions.
pub(super) fn first_of(octets: &[u8], one: u8, other: u8) -> Option<usize> {
    let (chunks, _) = octets.as_chunks::<16>();
    let without = chunks
        .iter()
        .take_while(|chunk| {
            !chunk.iter().fold(false, |found, &octet| {
                found | (octet == one) | (octet == other)
            })
        })
        .count()
        * 16;
    octets[without..]
        .iter()
        .position(|&octet| octet == one || octet == other)
        .map(|at| without + at)
}

/// Cuts what comes into packets.
///
/// Whatever stands outside STX and ETX is dropped: greetings, line ends, noise. A finding is not the end: the next
/// call goes on behind it. Between calls that drain it, it holds less than [`MAX_PACKET`] octets.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How much of the buffer is known to hold neither a second STX nor an ETX. Zero while hunting.
    scanned: usize,
}

impl Framer {
    /// One that hunts for the first STX.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes octets.
    pub fn push(&mut self, octets: &[u8]) {
        // Between packets, only what begins with an STX is worth keeping.
        if !self.buffer.is_empty() {
            self.buffer.extend_from_slice(octets);
        } else if let Some(start) = octets.iter().position(|&octet| octet == STX) {
            self.buffer.extend_from_slice(&octets[start..]);
        }
    }

    /// The next packet, from its STX to its ETX; `None` while it has not come wholly.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, Malformed> {
        if self.scanned == 0 && !self.hunt() {
            return Ok(None);
        }
        let within = self.buffer.len().min(MAX_PACKET);
        let border = first_of(&self.buffer[self.scanned..within], STX, ETX);
        match border {
            Some(ahead) if self.buffer[self.scanned + ahead] == ETX => {
                let frame = self.buffer.split_to(self.scanned + ahead + 1).freeze();
                self.scanned = 0;
                Ok(Some(frame))
            }
            Some(ahead) => {
                let lost = self.scanned + ahead;
                self.buffer.advance(lost);
                self.scanned = 1;
                Err(Malformed::new(
                    lost,
                    "frame",
                    "begins again before it has ended; its end is lost",
                ))
            }
            None if within == MAX_PACKET => {
                self.buffer.advance(MAX_PACKET);
                self.scanned = 0;
                Err(Malformed::new(
                    MAX_PACKET,
                    "frame",
                    format!("does not end within {MAX_PACKET} octets"),
                ))
            }
            None => {
                self.scanned = within;
                Ok(None)
            }
        }
    }

    /// Drops what stands before an STX; whether there is one.
    fn hunt(&mut self) -> bool {
        match self.buffer.iter().position(|&octet| octet == STX) {
            Some(start) => {
                self.buffer.advance(start);
                self.scanned = 1;
                true
            }
            None => {
                self.buffer.clear();
                false
            }
        }
    }

    /// How many octets wait for the rest of their packet (or, if packets were not all taken, for being taken).
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Forgets what has come, as at the beginning of a connection.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(framer: &mut Framer) -> Vec<Result<Bytes, Malformed>> {
        std::iter::from_fn(|| framer.next_frame().transpose()).collect()
    }

    #[test]
    fn packets_come_out_whole_however_they_arrive() {
        let wire = b"CIMD2-A ConnectionInfo: SessionId = 1\r\n\x0240:000\t\x03\r\n\x0290:001\t\x03";
        for step in 1..wire.len() {
            let mut framer = Framer::new();
            let mut frames = Vec::new();
            for piece in wire.chunks(step) {
                framer.push(piece);
                frames.extend(drain(&mut framer).into_iter().map(Result::unwrap));
            }
            assert_eq!(frames, [&b"\x0240:000\t\x03"[..], b"\x0290:001\t\x03"]);
            assert_eq!(framer.buffered(), 0);
        }
    }

    #[test]
    fn a_packet_that_lost_its_end_is_told_and_the_next_one_taken() {
        let mut framer = Framer::new();
        framer.push(b"junk\x03\x0240:0\x0240:002\t\x03");
        let found = drain(&mut framer);
        assert_eq!(found[0].as_ref().unwrap_err().offset, 5);
        assert_eq!(found[1].as_ref().unwrap()[..], b"\x0240:002\t\x03"[..]);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn an_endless_packet_is_dropped_and_memory_stays_bounded() {
        let mut framer = Framer::new();
        let mut findings = 0;
        framer.push(&[STX]);
        for _ in 0..5000 {
            framer.push(b"x");
            findings += drain(&mut framer).iter().filter(|it| it.is_err()).count();
            assert!(framer.buffered() < MAX_PACKET);
        }
        assert_eq!(findings, 1);
        framer.push(b"\x03\x0240:000\t\x03");
        assert_eq!(drain(&mut framer).len(), 1);
    }

    #[test]
    fn the_longest_packet_is_taken() {
        let mut framer = Framer::new();
        let mut wire = vec![b'x'; MAX_PACKET];
        wire[0] = STX;
        wire[MAX_PACKET - 1] = ETX;
        framer.push(&wire);
        assert_eq!(framer.next_frame().unwrap().unwrap().len(), MAX_PACKET);
    }
}

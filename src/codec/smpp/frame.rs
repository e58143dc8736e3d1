//! Frames: a connection's octets cut into PDUs by command_length, and by nothing else.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::command::CommandId;
use super::pdu::{Pdu, PduView};
use super::status::Status;
use crate::codec::Malformed;

/// Octets of a header: command_length, command_id, command_status, sequence_number.
pub const HEADER: usize = 16;

/// Longest frame that is taken unless configured otherwise: 64 KiB of message_payload, and room for the fields.
pub const MAX_FRAME: usize = 70_000;

/// One PDU, its body not yet read.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which PDU it is.
    pub id: CommandId,
    /// How the request ended; requests carry 0, and what a peer puts there is to be ignored.
    pub status: Status,
    /// Ties a response to its request.
    pub sequence: u32,
    /// What follows the header.
    pub body: Bytes,
}

impl Frame {
    /// Reads the body as its command says, leniently. Offsets in complaints count from the start of the frame.
    pub fn view(&self) -> Result<PduView<'_>, Malformed> {
        PduView::decode(self.id, &self.body).map_err(|mut why| {
            why.offset += HEADER;
            why
        })
    }

    /// Writes it as it was received.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.reserve(HEADER + self.body.len());
        let length = HEADER + self.body.len();
        out.put_u32(u32::try_from(length).expect("a frame is shorter than 4 GiB"));
        out.put_u32(self.id.0);
        out.put_u32(self.status.0);
        out.put_u32(self.sequence);
        out.put_slice(&self.body);
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "<{} {} sequence {}, body of {} octets>",
            self.id,
            self.status,
            self.sequence,
            self.body.len()
        )
    }
}

impl Pdu {
    /// Appends the whole PDU to `out`.
    pub fn encode(&self, status: Status, sequence: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(HEADER + 128);
        out.put_u32(0);
        out.put_u32(self.id().0);
        out.put_u32(status.0);
        out.put_u32(sequence);
        self.put(out);
        let length = u32::try_from(out.len() - start).expect("a PDU is shorter than 4 GiB");
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// The whole PDU as octets of its own.
    pub fn to_bytes(&self, status: Status, sequence: u32) -> Bytes {
        let mut out = Vec::new();
        self.encode(status, sequence, &mut out);
        out.into()
    }
}

/// A length that no frame has: where the next one begins is not known any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("command_length is {length}; 16 to {most} are allowed")]
pub struct BadLength {
    /// What stands in command_length.
    pub length: u32,
    /// The longest allowed.
    pub most: usize,
    /// The sequence number, if that much of the header had come.
    pub sequence: Option<u32>,
}

/// Cuts what comes into frames.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    most: usize,
    lost: Option<BadLength>,
}

impl Framer {
    /// For frames of at most so many octets; less than a header counts as a header.
    pub fn new(most: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            most: most.max(HEADER),
            lost: None,
        }
    }

    /// Takes octets. After a bad length they are thrown away.
    pub fn push(&mut self, octets: &[u8]) {
        if self.lost.is_none() {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// The next frame; `None` while it has not come wholly. A bad length is final.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BadLength> {
        if let Some(lost) = self.lost {
            return Err(lost);
        }
        let Some(octets) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*octets);
        let whole = usize::try_from(length).unwrap_or(usize::MAX);
        if !(HEADER..=self.most).contains(&whole) {
            let sequence = self.buffer.get(12..HEADER).map(|mut four| four.get_u32());
            let lost = BadLength {
                length,
                most: self.most,
                sequence,
            };
            self.lost = Some(lost);
            self.buffer = BytesMut::new();
            return Err(lost);
        }
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let mut header = &self.buffer[4..HEADER];
        let (id, status, sequence) = (header.get_u32(), header.get_u32(), header.get_u32());
        let mut frame = self.buffer.split_to(whole);
        frame.advance(HEADER);
        Ok(Some(Frame {
            id: CommandId(id),
            status: Status(status),
            sequence,
            body: frame.freeze(),
        }))
    }

    /// How many octets wait for the rest of their frame (or, if frames were not all taken, for being taken).
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENQUIRE: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7];

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let mut framer = Framer::new(MAX_FRAME);
        for octet in &ENQUIRE[..15] {
            framer.push(&[*octet]);
            assert_eq!(framer.next_frame(), Ok(None));
        }
        framer.push(&ENQUIRE[15..]);
        framer.push(&ENQUIRE);
        for _ in 0..2 {
            let frame = framer.next_frame().unwrap().unwrap();
            assert_eq!((frame.id, frame.sequence), (CommandId::ENQUIRE_LINK, 7));
            let mut again = Vec::new();
            frame.put(&mut again);
            assert_eq!(again, ENQUIRE);
        }
        assert_eq!(framer.next_frame(), Ok(None));
        assert_eq!(framer.buffered(), 0);
    }

    #[test]
    fn a_bad_length_is_final_and_tells_the_sequence_if_it_came() {
        let mut framer = Framer::new(100);
        framer.push(&[0, 0, 0, 15]);
        assert_eq!(framer.next_frame().unwrap_err().sequence, None);
        framer.push(&ENQUIRE);
        assert!(framer.next_frame().is_err());
        assert_eq!(framer.buffered(), 0);

        let mut framer = Framer::new(100);
        let mut long = ENQUIRE;
        long[3] = 101;
        framer.push(&long);
        let lost = framer.next_frame().unwrap_err();
        assert_eq!(
            lost.to_string(),
            "command_length is 101; 16 to 100 are allowed"
        );
        assert_eq!(lost.sequence, Some(7));
    }
}

//! What a TCP stream carries inside its TLS: packets with their length in front, and a few words between transports.
//!
//! ```text
//! packet    length (2, not 0)  the packet
//! control   0 0   kind (1)   length (2)   body
//!           kind 1 welcome    version (1)  central's clock, Unix milliseconds (8)
//!           kind 2 close      code (1)     reason, UTF-8
//!           kind 3 ping       anything (8)
//!           kind 4 pong       what the ping held (8)
//! ```
//!
//! Numbers are big-endian. The welcome of QUIC, on a stream of its own, is the body of kind 1.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::clock::WallTime;

/// Largest packet on TCP. Packing more would save a little of TLS's 22 octets a record, and delay what comes next on
/// a slow line: 4096 octets are 0.65 s at 50 kbit/s.
pub(super) const MAX_PACKET: usize = 4096;
/// Largest body of a control frame: the longest reason and its code.
const MAX_CONTROL: usize = 1 + MAX_REASON;
/// Longest reason for a close, in octets: fits the smallest QUIC packet, and a line of a log.
pub(super) const MAX_REASON: usize = 512;
/// The version that the welcome names.
const VERSION: u8 = 1;
/// Length of a welcome's body.
pub(super) const WELCOME: usize = 9;

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Frame {
    Packet(Bytes),
    Welcome(WallTime),
    Close(Code, String),
    Ping([u8; 8]),
    Pong([u8; 8]),
}

/// Why an end closes, for programs; the words are for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Code {
    /// In order.
    Closed,
    /// Who called is not admitted, or is so no more.
    Refused,
}

impl Code {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Refused => 1,
        }
    }

    pub(super) const fn of(number: u64) -> Self {
        match number {
            1 => Self::Refused,
            _ => Self::Closed,
        }
    }
}

/// Why a stream cannot be followed any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a packet of {0} octets, more than {MAX_PACKET}")]
    PacketTooLong(usize),
    #[error("a control frame of kind {kind} with {length} octets")]
    Control { kind: u8, length: usize },
    #[error("a greeting of version {0}, this program knows version {VERSION}")]
    Version(u8),
}

/// Writes a frame behind what is there.
pub(super) fn encode(frame: &Frame, to: &mut BytesMut) {
    let mut control = |kind: u8, body: &[u8]| {
        assert!(body.len() <= MAX_CONTROL, "bodies are cut to their limit");
        to.reserve(5 + body.len());
        to.put_u16(0);
        to.put_u8(kind);
        to.put_u16(body.len() as u16);
        to.put_slice(body);
    };
    match frame {
        Frame::Packet(packet) => {
            assert!(
                !packet.is_empty() && packet.len() <= MAX_PACKET,
                "the sender was told the limits"
            );
            to.reserve(2 + packet.len());
            to.put_u16(packet.len() as u16);
            to.put_slice(packet);
        }
        Frame::Welcome(wall) => control(1, &welcome(*wall)),
        Frame::Close(code, reason) => {
            let mut body = vec![code.number()];
            body.extend_from_slice(cut(reason).as_bytes());
            control(2, &body);
        }
        Frame::Ping(body) => control(3, body),
        Frame::Pong(body) => control(4, body),
    }
}

/// Takes the first frame, if it is there as a whole.
pub(super) fn decode(from: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(head) = from.first_chunk::<2>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*head));
    if length > MAX_PACKET {
        return Err(FrameError::PacketTooLong(length));
    }
    if length > 0 {
        if from.len() < 2 + length {
            return Ok(None);
        }
        from.advance(2);
        return Ok(Some(Frame::Packet(from.split_to(length).freeze())));
    }
    let Some(head) = from.first_chunk::<5>() else {
        return Ok(None);
    };
    let kind = head[2];
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    let wrong = FrameError::Control { kind, length };
    let fits = match kind {
        1 => length == WELCOME,
        2 => (1..=MAX_CONTROL).contains(&length),
        3 | 4 => length == 8,
        _ => false,
    };
    if !fits {
        return Err(wrong);
    }
    if from.len() < 5 + length {
        return Ok(None);
    }
    from.advance(5);
    let body = from.split_to(length);
    let eight = || <[u8; 8]>::try_from(&body[..]).expect("the length was checked");
    Ok(Some(match kind {
        1 => Frame::Welcome(read_welcome(&body)?),
        2 => Frame::Close(Code::of(body[0].into()), words(&body[1..])),
        3 => Frame::Ping(eight()),
        _ => Frame::Pong(eight()),
    }))
}

/// A welcome's body.
pub(super) fn welcome(wall: WallTime) -> [u8; WELCOME] {
    let mut body = [VERSION; WELCOME];
    body[1..].copy_from_slice(&wall.as_unix_ms().to_be_bytes());
    body
}

/// Central's clock, out of a welcome's body.
pub(super) fn read_welcome(body: &[u8]) -> Result<WallTime, FrameError> {
    match body {
        [VERSION, clock @ ..] if clock.len() == 8 => {
            let clock = clock.try_into().expect("the length was checked");
            Ok(WallTime::from_unix_ms(u64::from_be_bytes(clock)))
        }
        [VERSION, ..] | [] => Err(FrameError::Control {
            kind: 1,
            length: body.len(),
        }),
        [version, ..] => Err(FrameError::Version(*version)),
    }
}

/// A reason that is not too long to travel.
pub(super) fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON)]
}

/// A reason as it came from the far end, fit for a line of a log.
pub(super) fn words(reason: &[u8]) -> String {
    let reason = &reason[..reason.len().min(MAX_REASON)];
    let reason: String = String::from_utf8_lossy(reason)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match reason.trim() {
        "" => String::from("no reason was given"),
        said => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(frame: &Frame) -> BytesMut {
        let mut octets = BytesMut::new();
        encode(frame, &mut octets);
        octets
    }

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        let frames = [
            Frame::Packet(Bytes::from(vec![0; MAX_PACKET])),
            Frame::Packet(Bytes::from_static(&[0])),
            Frame::Welcome(WallTime::from_unix_ms(1_795_248_785_123)),
            Frame::Close(Code::Refused, String::from("edge oslo was revoked")),
            Frame::Ping(*b"01234567"),
            Frame::Pong(*b"01234567"),
        ];
        let mut octets = BytesMut::new();
        for frame in &frames {
            encode(frame, &mut octets);
        }
        let mut came = BytesMut::new();
        let mut read = Vec::new();
        for octet in octets {
            came.put_u8(octet);
            if let Some(frame) = decode(&mut came).unwrap() {
                read.push(frame);
            }
        }
        assert_eq!(read, frames);
        assert!(came.is_empty());
    }

    #[test]
    fn a_packet_looks_as_drawn() {
        let octets = encoded(&Frame::Packet(Bytes::from_static(b"abc")));
        assert_eq!(&octets[..], b"\x00\x03 abc".map_spaces());
        let octets = encoded(&Frame::Close(Code::Refused, String::from("no")));
        assert_eq!(&octets[..], b"\x00\x00 \x02 \x00\x03 \x01 no".map_spaces());
    }

    trait Spaces {
        fn map_spaces(&self) -> Vec<u8>;
    }
    impl<const N: usize> Spaces for [u8; N] {
        fn map_spaces(&self) -> Vec<u8> {
            self.iter().copied().filter(|o| *o != b' ').collect()
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_before_it_is_complete() {
        let refused = |octets: &[u8]| decode(&mut BytesMut::from(octets)).unwrap_err();
        assert_eq!(refused(&[0x10, 0x01]), FrameError::PacketTooLong(4097));
        assert_eq!(
            refused(&[0, 0, 9, 0, 1]),
            FrameError::Control { kind: 9, length: 1 }
        );
        assert_eq!(
            refused(&[0, 0, 3, 0, 9]),
            FrameError::Control { kind: 3, length: 9 }
        );
        assert_eq!(
            refused(&[0, 0, 2, 0xff, 0xff]),
            FrameError::Control {
                kind: 2,
                length: 65535
            }
        );
        let mut strange = encoded(&Frame::Welcome(WallTime::default()));
        strange[5] = 7;
        assert_eq!(refused(&strange), FrameError::Version(7));
    }

    #[test]
    fn a_reason_from_afar_is_one_line_and_not_too_long() {
        assert_eq!(words(b"a\nb\x1b[31m"), "a b [31m");
        assert_eq!(words(b" \r\n"), "no reason was given");
        assert_eq!(words(&[b'x'; 9999]).len(), MAX_REASON);
        assert_eq!(words(b"\xff\xfe"), "\u{fffd}\u{fffd}");
        let long = "é".repeat(400);
        assert_eq!(cut(&long).len(), MAX_REASON);
        assert_eq!(cut(&format!("x{long}")).len(), MAX_REASON - 1);
    }
}

//! Octets as they are written in these tests.

use bytes::Bytes;
use sluice::codec::smpp::{Frame, Framer, MAX_FRAME, ShortText};

/// Octets from hexadecimal digits and `"text"`; blanks separate, nothing more.
pub(super) fn octets(written: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = written;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' => {
                let end = rest[1..].find('"').expect("a text ends") + 1;
                octets.extend_from_slice(&rest.as_bytes()[1..end]);
                &rest[end + 1..]
            }
            blank if blank.is_whitespace() => &rest[1..],
            _ => {
                octets.push(u8::from_str_radix(&rest[..2], 16).expect("two digits"));
                &rest[2..]
            }
        };
    }
    octets
}

/// The only frame in these octets.
pub(super) fn frame(octets: &[u8]) -> Frame {
    let mut framer = Framer::new(MAX_FRAME);
    framer.push(octets);
    let frame = framer
        .next_frame()
        .expect("its length is right")
        .expect("it is whole");
    assert_eq!(framer.buffered(), 0, "nothing follows");
    frame
}

/// A short text as `Message` takes it.
pub(super) fn short(text: &'static [u8]) -> ShortText {
    ShortText::new(Bytes::from_static(text)).unwrap()
}

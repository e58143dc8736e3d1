//! Packets and frames of the link, of any octets. What can be read can be written, and is read again as the same.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sluice::codec::Reader;
use sluice::link::frame::Frame;
use sluice::link::packet::{self, Packet};

/// Reads frames until something is malformed; what was read must survive being written.
fn frames(mut reader: Reader) {
    while !reader.is_empty() {
        let before = reader.rest().len();
        let Ok(frame) = Frame::decode(&mut reader) else {
            return;
        };
        assert!(reader.rest().len() < before, "a frame of nothing");
        let mut octets = Vec::new();
        frame.encode(&mut octets);
        let mut again = Reader::new(octets.into());
        let read = Frame::decode(&mut again);
        assert!(again.is_empty());
        // Words for people are cut when they are written.
        if !matches!(frame, Frame::Goodbye(_) | Frame::RingRefused { .. }) {
            assert_eq!(read, Ok(frame));
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    let octets = Bytes::copy_from_slice(octets);
    frames(Reader::new(octets.clone()));
    match packet::decode(octets) {
        Ok(Packet::Frames { frames: rest, .. }) => frames(rest),
        Ok(Packet::Hello(hello)) => {
            let again = packet::decode(hello.encode().into());
            assert!(matches!(again, Ok(Packet::Hello(_))));
        }
        Ok(Packet::Refusal { .. }) | Err(_) => {}
    }
});

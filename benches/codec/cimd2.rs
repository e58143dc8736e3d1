//! CIMD2: a submit from octets to a body, and back.
//!
//! Beside each runs a baseline that touches the same octets and does nothing else with them: one copy and the sum
//! that the checksum needs. What the codec costs beyond that is its own.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use sluice::codec::cimd2::{
    Address, Framer, Number, Originator, Packet, Submit, SubmitView, UserData, Write, checksum,
};
use sluice::message::{Body, Coding, UserDataHeader};
use sluice::text::gsm;

use crate::support::{Goal, Ratio, figure, rate, ratio};

/// Fewer do not keep a lane from being the codec's guest rather than its host.
const GOAL: f64 = 2_000_000.0;

const SLICE: Duration = Duration::from_millis(60);
const ROUNDS: usize = 7;
const BATCH: u64 = 1000;

/// A text as people write it, and the longest one, with letters that ASCII does not have.
const USUAL: &str = "Tulen kotiin vasta seitsemältä, voitko hakea lapset?";

fn submit(text: &str) -> Submit {
    let septets = gsm::encode(text).expect("the text is in the alphabet");
    let body = Body::new(Coding::Gsm7, UserDataHeader::NONE, septets).expect("it fits");
    let destination = Address::new(b"+358401111111").expect("an address");
    let user_data = UserData::new(body).expect("it fits one SMS");
    let mut submit = Submit::new(destination, Some(user_data));
    submit.originator = Some(Originator::Address(
        Address::new(b"12345").expect("an address"),
    ));
    submit.report_flags = Some(62);
    submit
}

/// From the stream to operation, number, checksum, addresses and body.
fn decode(framer: &mut Framer, wire: &[u8]) -> Body {
    framer.push(wire);
    let frame = framer.next_frame().expect("a frame").expect("a whole one");
    let packet = Packet::read(frame).expect("a packet");
    let view = SubmitView::read(&packet).expect("parameters");
    black_box((packet.checksum(), view.destination, view.originator));
    let content = view.user_data().content().expect("user data");
    content.into_body().expect("a body")
}

fn measure(mut work: impl FnMut()) -> f64 {
    rate(SLICE, || {
        for _ in 0..BATCH {
            work();
        }
        BATCH
    })
}

fn baseline(wire: &[u8], copy: &mut Vec<u8>) {
    copy.clear();
    copy.extend_from_slice(black_box(wire));
    black_box(checksum(copy));
}

fn decoding(submit: &Submit) -> Ratio {
    let wire: Bytes = submit.to_bytes(Number::LOGIN);
    let mut copy = Vec::with_capacity(wire.len());
    let mut framer = Framer::new();
    ratio(
        ROUNDS,
        || measure(|| baseline(&wire, &mut copy)),
        || {
            measure(|| {
                black_box(decode(&mut framer, black_box(&wire)));
            })
        },
    )
}

fn encoding(submit: &Submit) -> Ratio {
    let wire: Bytes = submit.to_bytes(Number::LOGIN);
    let mut copy = Vec::with_capacity(wire.len());
    let mut out = Vec::with_capacity(wire.len());
    ratio(
        ROUNDS,
        || measure(|| baseline(&wire, &mut copy)),
        || {
            measure(|| {
                out.clear();
                black_box(submit).encode(Number::LOGIN, &mut out);
                black_box(&out);
            })
        },
    )
}

fn tell(name: &str, found: &Ratio) {
    figure(name, found.candidate, "messages/s", Goal::AtLeast(GOAL));
    println!(
        "  {name}: {:.3} of a copy with checksum ({:.0}/s)",
        found.ratio, found.base
    );
}

/// Prints the figures.
pub(crate) fn run() {
    let usual = submit(USUAL);
    tell("cimd2.decode", &decoding(&usual));
    tell("cimd2.encode", &encoding(&usual));
    // The longest text, a quarter of it letters of three octets.
    let longest = submit(&"smö ".repeat(40));
    let found = decoding(&longest);
    println!("  cimd2.decode, 160 characters: {:.0}/s", found.candidate);
    let found = encoding(&longest);
    println!("  cimd2.encode, 160 characters: {:.0}/s", found.candidate);
}

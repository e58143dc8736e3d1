//! SMPP: a submit_sm of 156 octets of text with one TLV, 213 octets in all, on one core. The baseline is `rusmpp`
//! doing the same in the same run; since its decoder takes octets away from a buffer, it is given a fresh one.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rusmpp::Command;
use rusmpp::decode::DecodeWithLength;
use rusmpp::encode::{Encode, Length};
use sluice::codec::smpp::{
    Address, Framer, MAX_FRAME, Message, Pdu, PduView, ShortText, Status, Tag, Time, TlvList,
};

use crate::support::{Goal, figure, rate, ratio};

const SLICE: Duration = Duration::from_millis(200);
const ROUNDS: usize = 5;
/// How many PDUs a read from a socket may hold.
const BATCH: u32 = 64;
const GOAL: Goal = Goal::AtLeast(3_000_000.0);

fn submit(text: &Bytes) -> Pdu {
    let mut tlvs = TlvList::new();
    tlvs.u16(Tag::USER_MESSAGE_REFERENCE, 7);
    Pdu::SubmitSm(Message {
        source: Address::new("source", 5, 0, b"Sluice").expect("it is short"),
        destination: Address::new("destination", 1, 1, b"358401234567").expect("it is short"),
        validity_period: Time::NONE,
        registered_delivery: 1,
        short_message: ShortText::new(text.clone()).expect("it is short"),
        tlvs,
        ..Message::default()
    })
}

/// Prints the figures of this codec.
pub(crate) fn run() {
    let text = Bytes::from(vec![b'x'; 156]);
    let one = submit(&text).to_bytes(Status::OK, 1);
    let stream: Vec<u8> = (1..=BATCH)
        .flat_map(|sequence| submit(&text).to_bytes(Status::OK, sequence))
        .collect();

    let their_decode = || {
        rate(SLICE, || {
            for _ in 0..BATCH {
                let mut rest = BytesMut::from(&one[4..]);
                let length = rest.len();
                black_box(Command::decode(&mut rest, length).expect("it is valid"));
            }
            u64::from(BATCH)
        })
    };
    let our_decode = || {
        rate(SLICE, || {
            let mut framer = Framer::new(MAX_FRAME);
            framer.push(black_box(&stream));
            let mut done = 0;
            while let Some(frame) = framer.next_frame().expect("the lengths are right") {
                match frame.view().expect("it is valid") {
                    PduView::SubmitSm(message) => {
                        black_box(message.tlvs.u16(Tag::USER_MESSAGE_REFERENCE))
                    }
                    _ => unreachable!("only these were written"),
                };
                done += 1;
            }
            done
        })
    };
    let decode = ratio(ROUNDS, their_decode, our_decode);
    figure("smpp.decode", decode.candidate, "PDU/s", GOAL);
    println!("figure smpp.decode.ratio {:.2} of rusmpp", decode.ratio);

    let mut rest = BytesMut::from(&one[4..]);
    let length = rest.len();
    let (command, _) = Command::decode(&mut rest, length).expect("it is valid");
    let their_encode = || {
        rate(SLICE, || {
            for _ in 0..BATCH {
                let mut out = vec![0; 4 + command.length()];
                black_box(command.encode(&mut out[4..]));
            }
            u64::from(BATCH)
        })
    };
    let our_encode = || {
        rate(SLICE, || {
            let mut out = Vec::with_capacity(stream.len());
            for sequence in 1..=BATCH {
                submit(black_box(&text)).encode(Status::OK, sequence, &mut out);
            }
            black_box(out);
            u64::from(BATCH)
        })
    };
    let encode = ratio(ROUNDS, their_encode, our_encode);
    figure("smpp.encode", encode.candidate, "PDU/s", GOAL);
    println!(
        "figure smpp.encode.ratio {:.2} of rusmpp, which does not build its PDU anew",
        encode.ratio
    );
}

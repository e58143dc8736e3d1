//! Packets and frames of the link octet for octet, as `docs/protocol-link.md` draws them; what is cut off or flipped
//! is refused or read as something else, and never does harm.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::clock::WallTime;
use sluice::codec::Reader;
use sluice::lane::{Direction, Epoch, Lane, Sequence, Side};
use sluice::link::frame::{Ack, Carried, Frame, PART, Part, Showing};
use sluice::link::packet::{self, Hello, Packet};
use sluice::link::{Reason, RingRefusal};
use sluice::message::{Outcome, Refusal, SmscId};
use sluice::ring::Mark;

fn at(number: u64) -> Sequence {
    Sequence::new(number)
}

fn mark(up_to: u64, ahead: &[u64]) -> Mark {
    let mut mark = Mark::default();
    mark.raise(at(up_to));
    for &flag in ahead {
        mark.set(at(flag));
    }
    mark
}

/// Octets from hexadecimal digits; spaces mark the borders of fields.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.chunks(2);
    pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn carried(at: u64, item: &'static [u8]) -> Carried {
    Carried {
        retrieved_at: WallTime::from_unix_ms(at),
        checksum: 0x1122_3344,
        item: Bytes::from_static(item),
    }
}

/// Each frame with its octets, written from the tables of the document.
fn golden() -> Vec<(Frame, String)> {
    let part = |copy| Frame::Part {
        index: 1,
        copy,
        part: Part {
            sequence: at(300),
            retrieved_at: WallTime::from_unix_ms(5),
            checksum: 0x1122_3344,
            length: PART + 2,
            number: 1,
            octets: Bytes::from_static(b"yz"),
        },
    };
    let words = |number, words: &str| RingRefusal {
        number,
        words: words.into(),
    };
    vec![
        (Frame::Ping, "01".into()),
        // largest 300, delay 2 × 64 µs, 7 more below it, one further run: 3 missing, 4 there.
        (
            Frame::Ack(Ack {
                largest: 300,
                delay: 2,
                run: 7,
                runs: vec![(3, 4)],
            }),
            "02 AC02 02 07 01 03 04".into(),
        ),
        // index 5, an MT mirror, oslo/a, epoch, marks 10+12, 10, 9, 8, imprint.
        (
            Frame::Ring(Box::new(Showing {
                index: 5,
                lane: Lane::new("oslo", "a").unwrap(),
                direction: Direction::Mt,
                side: Side::Mirror,
                epoch: Epoch::new(0x0102_0304_0506_0708).unwrap(),
                retrieved: mark(10, &[12]),
                sent: mark(10, &[]),
                confirmed: mark(9, &[]),
                processed: mark(8, &[]),
                imprint: 0x1122_3344,
            })),
            "03 05 03 06 6F736C6F2F61 0807060504030201 0A 01 01 0A 00 09 00 08 00 44332211".into(),
        ),
        (
            Frame::RingRefused {
                index: 5,
                refusal: words(1, "no"),
            },
            "04 05 01 02 6E6F".into(),
        ),
        // 300 and 301, the second taken 3 ms before the first: zigzag 5.
        (
            Frame::Data {
                index: 1,
                first: at(300),
                messages: vec![carried(1000, b"abc"), carried(997, b"d")],
            },
            "05 01 AC02 02 E807 00 03 44332211 616263 05 01 44332211 64".into(),
        ),
        // 5, 7, 8, 16: bits 0, 1 and 9 after the pointer 5.
        (
            Frame::Confirmed {
                index: 1,
                mark: mark(5, &[7, 8, 16]),
            },
            "06 01 05 02 0302".into(),
        ),
        // 9, 10 accepted; 11 under a name; 12 not told; 13, 14 refused; 15, 16, 17 otherwise.
        (
            Frame::Outcomes {
                index: 1,
                told: vec![
                    (at(9), Outcome::Accepted(SmscId::NONE)),
                    (at(10), Outcome::Accepted(SmscId::NONE)),
                    (
                        at(11),
                        Outcome::Accepted(SmscId::new(Bytes::from_static(b"id")).unwrap()),
                    ),
                    (at(13), Outcome::Refused(Refusal::new(Some(0x58), "no"))),
                    (at(14), Outcome::Refused(Refusal::new(None, ""))),
                    (at(15), Outcome::Expired),
                    (at(16), Outcome::Doubtful),
                    (at(17), Outcome::Lost),
                ],
            },
            "07 01 09 08  01 02  02 02 6964  00 01  03 01 58000000 02 6E6F  03 00 00  04 05 06"
                .into(),
        ),
        (
            Frame::Taken {
                index: 1,
                mark: mark(300, &[]),
            },
            "08 01 AC02 00".into(),
        ),
        (
            Frame::Ask {
                index: 1,
                sequence: at(300),
            },
            "09 01 AC02".into(),
        ),
        (
            Frame::Copy {
                index: 1,
                sequence: at(300),
                message: carried(5, b"abc"),
            },
            "0A 01 AC02 01 05 00 03 44332211 616263".into(),
        ),
        (
            Frame::NoCopy {
                index: 1,
                sequence: at(300),
            },
            "0B 01 AC02".into(),
        ),
        (
            Frame::Lost {
                index: 200,
                sequence: at(1),
            },
            "0C C801 01".into(),
        ),
        (
            Frame::Goodbye(Reason::Impossible("no".into())),
            "0D 06 02 6E6F".into(),
        ),
        // Part 1 of 962 octets holds the last two.
        (part(false), "0E 01 AC02 05 44332211 C207 01 797A".into()),
        (part(true), "0F 01 AC02 05 44332211 C207 01 797A".into()),
    ]
}

fn read(octets: &[u8]) -> Result<(Frame, usize), sluice::codec::Malformed> {
    let mut reader = Reader::new(Bytes::copy_from_slice(octets));
    Frame::decode(&mut reader).map(|frame| (frame, reader.offset()))
}

#[test]
fn each_frame_has_the_octets_of_the_document() {
    for (frame, hex) in golden() {
        let mut out = Vec::new();
        frame.encode(&mut out);
        assert_eq!(out, octets(&hex), "{frame:?}");
        assert_eq!(read(&out), Ok((frame, out.len())));
    }
}

#[test]
fn a_frame_that_is_cut_off_is_refused() {
    for (frame, hex) in golden() {
        let whole = octets(&hex);
        for length in 0..whole.len() {
            let read = read(&whole[..length]);
            assert!(
                read.is_err(),
                "{length} octets of {frame:?} read as {read:?}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_never_makes_a_frame_that_cannot_be_written_again() {
    for (_, hex) in golden() {
        let whole = octets(&hex);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok((frame, _)) = read(&flipped) {
                let mut out = Vec::new();
                frame.encode(&mut out);
                assert_eq!(read(&out), Ok((frame, out.len())));
            }
        }
    }
}

#[test]
fn hello_and_refusal_have_their_layout_for_ever() {
    let hello = Hello {
        lowest: 1,
        highest: 2,
        role: 1,
        instance: 0x0102_0304_0506_0708,
        identity: "oslo".into(),
        program: "sluice 0.1".into(),
    };
    let written =
        octets("C5 534C4E4B 01 02 01 0807060504030201 04 6F736C6F 0A 736C7569636520302E31");
    assert_eq!(hello.encode(), written);
    let with_more = [&written[..], b"a later version adds"].concat();
    for packet in [written, with_more] {
        assert_eq!(
            packet::decode(packet.into()),
            Ok(Packet::Hello(hello.clone()))
        );
    }
    let reason = Reason::Version("no".into());
    let written = octets("C6 534C4E4B 01 01 03 02 6E6F");
    assert_eq!(packet::encode_refusal(&reason), written);
    let read = packet::decode(written.into()).unwrap();
    assert_eq!(
        read,
        Packet::Refusal {
            lowest: 1,
            highest: 1,
            reason
        }
    );
}

#[test]
fn a_packet_of_frames_has_its_number_first() {
    let ask = Frame::Ask {
        index: 1,
        sequence: at(2),
    };
    let written = packet::encode_frames(300, &[Frame::Ping, ask.clone()]);
    assert_eq!(written, octets("01 AC02 01 09 01 02"));
    let Ok(Packet::Frames { number, mut frames }) = packet::decode(written.into()) else {
        panic!("it is one");
    };
    assert_eq!(number, 300);
    assert_eq!(Frame::decode(&mut frames), Ok(Frame::Ping));
    assert_eq!(Frame::decode(&mut frames), Ok(ask));
    assert!(frames.is_empty());
    assert!(
        packet::decode(Bytes::from_static(b"\x01\x00\x01")).is_err(),
        "there is no packet 0"
    );
}

#[test]
fn what_nobody_writes_is_refused_and_its_place_named() {
    for (hex, field) in [
        ("77", "frame type"),
        // An acknowledgment that goes below the first packet, or names an empty run.
        ("02 05 00 05 00", "runs"),
        ("02 05 00 06 00", "run"),
        ("02 05 00 00 01 00 01", "runs"),
        ("02 05 00 00 21", "runs"),
        // No message, an empty one, one that is longer than a part.
        ("05 01 01 00 05", "count"),
        ("05 01 01 01 05 00 00 00000000", "length"),
        ("05 01 01 01 05 00 C107 00000000", "length"),
        ("05 01 00 01 05", "sequence"),
        ("05 8008 01 01 05", "ring index"),
        // Flags that the pointer should have passed, or that lie beyond the ring.
        ("06 01 05 01 00", "confirmed"),
        ("06 01 05 21", "confirmed"),
        // Outcomes of more than a ring, of no kind, of a code that is neither there nor not.
        ("07 01 01 01 01 8002", "outcomes"),
        ("07 01 01 01 01 00", "outcomes"),
        ("07 01 01 01 07", "outcome"),
        ("07 01 01 01 03 02", "whether there is a code"),
        ("07 01 01 00", "entries"),
        // A part of a message that needs none, or one after the last.
        ("0E 01 01 05 00000000 C007 00", "length of the whole"),
        ("0E 01 01 05 00000000 C207 02", "number of the part"),
        ("03 05 04", "ring kind"),
    ] {
        let why = read(&octets(hex)).expect_err(hex);
        assert_eq!(why.field, field, "{hex}: {why}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Packet::Frames { mut frames, .. }) = packet::decode(octets.into()) {
            while !frames.is_empty() && Frame::decode(&mut frames).is_ok() {}
        }
    }

    #[test]
    fn what_is_read_can_be_written_and_read_again(octets in prop::collection::vec(any::<u8>(), 1..80), kind in 1_u8..16) {
        let octets = [&[kind][..], &octets].concat();
        if let Ok((frame, _)) = read(&octets) {
            let mut out = Vec::new();
            frame.encode(&mut out);
            prop_assert_eq!(read(&out), Ok((frame, out.len())));
        }
    }
}

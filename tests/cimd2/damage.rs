//! Damaged packets: each prefix and each flipped bit of the captured ones is incomplete, a value or malformed.

use sluice::codec::Malformed;
use sluice::codec::cimd2::{
    Checksum, DeliverView, Framer, LoginView, Packet, RelativeTime, StatusReportView, SubmitView,
};

use super::vectors::{VECTORS, framed};

/// Reads everything that can be read of a packet.
fn read_all(packet: &Packet) {
    let _failure = packet.failure();
    for field in packet.fields().flatten() {
        let _values = (field.integer(), field.octet(), field.flag(), field.hex());
        let _period = RelativeTime::read(&field);
        let _text = field.printable();
    }
    if let Ok(view) = SubmitView::read(packet)
        && let Ok(content) = view.user_data().content()
    {
        let _body = content.into_body();
    }
    let _views = (
        DeliverView::read(packet).is_ok(),
        LoginView::read(packet).is_ok(),
        StatusReportView::read(packet).is_ok(),
    );
}

/// What comes out of a framer; complaints lie within what went in.
fn run(octets: &[u8]) -> Vec<Result<Packet, Malformed>> {
    let mut framer = Framer::new();
    framer.push(octets);
    std::iter::from_fn(|| framer.next_frame().transpose())
        .map(|frame| {
            let found = frame.and_then(Packet::read);
            match &found {
                Ok(packet) => read_all(packet),
                Err(why) => assert!(why.offset <= octets.len(), "{why}"),
            }
            found
        })
        .collect()
}

#[test]
fn each_prefix_is_incomplete() {
    for (name, line) in VECTORS {
        let octets = framed(line);
        for end in 0..octets.len() {
            assert!(run(&octets[..end]).is_empty(), "vector {name} cut at {end}");
        }
        assert_eq!(run(&octets).len(), 1);
    }
}

#[test]
fn each_cut_packet_gives_way_to_the_one_behind_it() {
    let good = framed("40:036·42");
    for (name, line) in VECTORS {
        let octets = framed(line);
        for end in 0..octets.len() {
            let found = run(&[&octets[..end], &good].concat());
            let last = found.last().unwrap().as_ref().unwrap();
            assert_eq!(last.octets()[..], good, "vector {name} cut at {end}");
            assert_eq!(found.len(), if end == 0 { 1 } else { 2 });
        }
    }
}

#[test]
fn no_flipped_bit_passes_for_an_undamaged_packet() {
    for (name, line) in VECTORS {
        let octets = framed(line);
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            for found in run(&flipped) {
                // The case of a checksum's digit means nothing; and without a checksum nobody can tell.
                let harmless = flipped.eq_ignore_ascii_case(&octets) && bit / 8 >= octets.len() - 3;
                if let Ok(packet) = found
                    && packet.checksum() == Checksum::Right
                {
                    assert!(harmless, "vector {name}, bit {bit}");
                }
            }
        }
    }
}

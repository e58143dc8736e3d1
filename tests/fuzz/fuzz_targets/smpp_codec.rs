//! Any octets as a stream of PDUs: no panic, no lost PDU behind a bad body, and what is read is written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::codec::smpp::{Alphabet, CommandId, DataCoding, Framer, PduView, Receipt, TimeView};

/// What follows the octets of the fuzzer, unless these lose the framing.
const GOOD: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7];

fuzz_target!(|octets: &[u8]| {
    let Some((&split, octets)) = octets.split_first() else {
        return;
    };
    let mut framer = Framer::new(4096);
    let (first, second) = octets.split_at(usize::from(split).min(octets.len()));
    let mut taken = 0;
    let mut again = Vec::new();
    for piece in [first, second] {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => {
                    taken += 16 + frame.body.len();
                    frame.put(&mut again);
                    match frame.view() {
                        Ok(view) => {
                            let mut body = Vec::new();
                            view.put(&mut body);
                            assert_eq!(body, frame.body, "what is read is written again");
                            look(&view);
                        }
                        Err(why) => assert!((16..=16 + frame.body.len()).contains(&why.offset), "{why}"),
                    }
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    assert_eq!(again, octets[..taken], "frames are what came");
    assert_eq!(framer.buffered(), octets.len() - taken);
    // What is left is the beginning of a frame; with as many octets as it wants, the next one is there.
    let rest = &octets[taken..];
    if let Some(length) = rest.first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        framer.push(&vec![0; length - rest.len()]);
        assert!(framer.next_frame().expect("its length is right").is_some());
        framer.push(&GOOD);
        let good = framer.next_frame().expect("its length is right").expect("it is whole");
        assert_eq!((good.id, good.sequence), (CommandId::ENQUIRE_LINK, 7));
    }
});

/// Reads all that can be read in it.
fn look(view: &PduView<'_>) {
    let shown = format!("{view:?}");
    assert!(!shown.is_empty());
    match view {
        PduView::DeliverSm(message) | PduView::SubmitSm(message) => {
            let receipt = Receipt::scan(message.short_message);
            let _read = (receipt.state(), receipt.error(), receipt.is_one());
            for time in [message.validity_period, message.schedule_delivery_time] {
                if let Some(TimeView::Absolute(civil)) = TimeView::parse(time) {
                    let _wall = civil.to_wall(0);
                }
            }
            for alphabet in [Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Latin1, Alphabet::Ascii] {
                let _coding = DataCoding::read(message.data_coding, alphabet);
            }
            let values: usize = message.tlvs.iter().map(|tlv| tlv.value.len() + 4).sum();
            assert_eq!(values + message.tlvs.ignored(), message.tlvs.octets().len());
        }
        _ => {}
    }
}

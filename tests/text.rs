//! Texts through the public face: what is encoded, packed, cut and joined comes back exactly.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::clock::Moment;
use sluice::message::{Body, Coding, PhoneNumber, ShortMessage, UserDataHeader};
use sluice::text::septets::{Fill, likely_count, octets_for, pack, unpack};
use sluice::text::{
    Cost, Joined, Joiner, MAX_PARTS, Reference, Width, coding_of, cut, cut_data, encode, gsm,
    lookalike, read, room_behind, ucs2, whole,
};

/// The default alphabet without its escape, and the extension table, spelled out a second time on purpose.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\u{0C}^{}\\[~]|€";

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// Texts of the GSM alphabet, rich in what takes two septets.
fn gsm_text(most: usize) -> impl Strategy<Value = String> {
    let all: Vec<char> = GSM.chars().collect();
    let any = prop_oneof![
        3 => prop::sample::select(all),
        1 => prop::sample::select(vec!['€', '{', '^', '@']),
    ];
    prop::collection::vec(any, 0..most).prop_map(String::from_iter)
}

/// Texts of anything, rich in surrogate pairs and in what readers see as one character.
fn any_text(most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        2 => "[a-zа-я]",
        1 => prop::sample::select(vec![
            "e\u{301}", "👨\u{200D}👩\u{200D}👧\u{200D}👦", "👍🏽", "🇫🇮", "❤\u{FE0F}", "😀", "\u{301}", "\u{200D}",
        ]).prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

fn some_text() -> impl Strategy<Value = String> {
    prop_oneof![gsm_text(200), gsm_text(1200), any_text(80), any_text(600)]
}

fn some_reference() -> impl Strategy<Value = Reference> {
    prop_oneof![
        any::<u8>().prop_map(Reference::Narrow),
        any::<u16>().prop_map(Reference::Wide),
    ]
}

fn some_coding() -> impl Strategy<Value = Coding> {
    prop::sample::select(vec![Coding::Gsm7, Coding::Ucs2, Coding::Octets])
}

fn message(body: Body) -> ShortMessage {
    let phone = |number| PhoneNumber::new(number).expect("the test's own number");
    ShortMessage::new(
        phone("358401234567").into(),
        phone("358407654321").into(),
        body,
    )
}

fn units(coding: Coding, octets: usize) -> usize {
    match coding {
        Coding::Gsm7 | Coding::Octets => octets,
        Coding::Ucs2 => octets / 2,
    }
}

#[test]
fn the_alphabet_has_exactly_these_characters() {
    assert_eq!(GSM.chars().count(), 127 + 10);
    for character in ('\0'..=char::MAX).filter(|character| !GSM.contains(*character)) {
        assert_eq!(gsm::septets_of(character), None, "{character:?}");
    }
    for character in GSM.chars() {
        let two = "\u{0C}^{}\\[~]|€".contains(character);
        assert_eq!(
            gsm::septets_of(character),
            Some(1 + usize::from(two)),
            "{character:?}"
        );
    }
}

#[test]
fn hello_packs_to_the_octets_of_every_manual() {
    let septets = gsm::encode("hello").expect("plain letters");
    let packed = pack(&septets, Fill::NONE);
    assert_eq!(packed[..], [0xE8, 0x32, 0x9B, 0xFD, 0x06]);
}

#[test]
fn a_part_packs_behind_its_header_as_on_the_air() {
    // Header 05 00 03 CC 02 01, one fill bit, then "Hello": the septets stand one bit higher than without it.
    let part = UserDataHeader::concat(Reference::Narrow(0xCC).concat(2, 1));
    let fill = Fill::behind_header(&part);
    assert_eq!(fill.bits(), 1);
    let plain = pack(b"Hello", Fill::NONE);
    let shifted = pack(b"Hello", fill);
    let number = |octets: &[u8]| {
        octets
            .iter()
            .rev()
            .fold(0u64, |sum, &octet| sum << 8 | u64::from(octet))
    };
    assert_eq!(number(&shifted), number(&plain) << 1);
}

#[test]
fn the_longest_parts_fill_an_sms_to_the_last_bit() {
    for (width, septets) in [(Width::Narrow, 153), (Width::Wide, 152)] {
        let header = width.header_octets();
        assert_eq!(room_behind(Coding::Gsm7, header), septets);
        let fill = Fill::behind(header);
        assert!(header + octets_for(septets, fill) <= 140);
        assert!(header + octets_for(septets + 1, fill) > 140);
    }
    assert_eq!(octets_for(160, Fill::NONE), 140);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_text_of_the_gsm_alphabet_comes_back_exactly(text in gsm_text(400)) {
        let septets = gsm::encode(&text).expect("made of the alphabet");
        prop_assert!(septets.iter().all(|&septet| septet < 0x80));
        prop_assert_eq!(gsm::decode(&septets), text);
    }

    #[test]
    fn any_text_comes_back_exactly(text in any_text(400)) {
        prop_assert_eq!(ucs2::decode(&ucs2::encode(&text)), text.clone());
        let (coding, data) = encode(&text);
        prop_assert_eq!(coding, coding_of(&text));
        let decoded = match coding {
            Coding::Gsm7 => gsm::decode(&data),
            Coding::Ucs2 => ucs2::decode(&data),
            Coding::Octets => unreachable!("no text is sent as octets"),
        };
        prop_assert_eq!(decoded, text);
    }

    #[test]
    fn the_coding_is_ucs2_only_where_it_must_be(text in some_text()) {
        let needed = text.chars().any(|character| !GSM.contains(character));
        prop_assert_eq!(coding_of(&text) == Coding::Ucs2, needed);
        prop_assert_eq!(gsm::encode(&text).is_err(), needed);
    }

    #[test]
    fn every_string_of_septets_decodes_and_stays_as_it_then_is(septets in prop::collection::vec(0u8..0x80, 0..200)) {
        let text = gsm::decode(&septets);
        let again = gsm::encode(&text).expect("what was decoded is of the alphabet");
        prop_assert_eq!(gsm::decode(&again), text);
    }

    #[test]
    fn every_string_of_octets_decodes(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let characters = gsm::decode(&octets).chars().count();
        prop_assert!(characters <= octets.len());
        let text = ucs2::decode(&octets);
        prop_assert_eq!(ucs2::decode(&ucs2::encode(&text)), text);
    }

    #[test]
    fn septets_come_back_behind_every_header(
        septets in prop::collection::vec(0u8..0x80, 0..161),
        header in 0usize..=140,
    ) {
        let fill = Fill::behind(header);
        let packed = pack(&septets, fill);
        prop_assert_eq!(packed.len(), octets_for(septets.len(), fill));
        prop_assert_eq!(&unpack(&packed, septets.len(), fill).expect("the count fits")[..], &septets[..]);
        // The same, bit by bit.
        for (index, &septet) in septets.iter().enumerate() {
            for bit in 0..7 {
                let at = fill.bits() + 7 * index + bit;
                prop_assert_eq!(packed[at / 8] >> (at % 8) & 1, septet >> bit & 1);
            }
        }
    }

    #[test]
    fn a_count_is_guessed_wrong_only_behind_a_last_septet_that_says_nothing(
        septets in prop::collection::vec(0u8..0x80, 0..161),
        header in 0usize..=140,
    ) {
        let fill = Fill::behind(header);
        let packed = pack(&septets, fill);
        let guessed = likely_count(&packed, fill);
        if guessed != septets.len() {
            prop_assert_eq!(guessed + 1, septets.len());
            prop_assert!(matches!(septets[guessed], 0 | gsm::ESCAPE));
            prop_assert_eq!(octets_for(guessed, fill), packed.len());
        }
    }

    #[test]
    fn unpacking_takes_exactly_the_octets_that_it_needs(
        octets in prop::collection::vec(any::<u8>(), 0..160),
        count in 0usize..200,
        header in 0usize..=140,
    ) {
        let fill = Fill::behind(header);
        let fits = octets.len() == octets_for(count, fill) || (count == 0 && octets.is_empty());
        match unpack(&octets, count, fill) {
            Ok(septets) => {
                prop_assert!(fits);
                prop_assert_eq!(septets.len(), count);
            }
            Err(wrong) => {
                prop_assert!(!fits);
                prop_assert_eq!(wrong.found, octets.len());
            }
        }
    }

    #[test]
    fn parts_fit_an_sms_and_cost_what_was_told(text in some_text(), reference in some_reference()) {
        let bodies = cut(&text, reference).expect("short enough");
        prop_assert!(bodies.iter().all(Body::fits_one_part));

        let cost = Cost::of(&text, reference.width());
        let last = bodies.last().expect("at least one");
        let length = |body: &Body| units(cost.coding, body.data().len());
        prop_assert_eq!(cost.parts, bodies.len());
        prop_assert_eq!(cost.characters, text.chars().count());
        prop_assert!(bodies.iter().all(|body| body.coding() == cost.coding));
        prop_assert_eq!(cost.units, bodies.iter().map(length).sum::<usize>());
        prop_assert_eq!(
            cost.room,
            room_behind(cost.coding, last.header().octets().len()) - length(last)
        );

        // Each part reads on its own, and together they are the text.
        let pieces: Vec<String> = bodies.iter().map(|body| read(body).text().expose().clone()).collect();
        prop_assert_eq!(pieces.concat(), text.clone());
        match &bodies[..] {
            [one] => {
                prop_assert!(one.header().is_none());
                prop_assert_eq!(whole(&text), Ok(one.clone()));
            }
            many => {
                prop_assert_eq!(whole(&text).map_err(|refused| refused.field), Err("text"));
                for (part, body) in (1..).zip(many) {
                    let total = u8::try_from(many.len()).expect("cut keeps the limit");
                    prop_assert_eq!(body.header().as_concat(), Some(reference.concat(total, part)));
                }
            }
        }
    }

    #[test]
    fn no_more_parts_are_made_than_without_care_for_clusters(text in any_text(600)) {
        let cost = Cost::of(&text, Width::Narrow);
        if cost.coding == Coding::Ucs2 && cost.parts > 1 {
            // The least that surrogate pairs allow: filled one character after the other.
            let (mut parts, mut filled) = (1, 0);
            for character in text.chars() {
                if filled + character.len_utf16() > 67 {
                    parts += 1;
                    filled = 0;
                }
                filled += character.len_utf16();
            }
            prop_assert_eq!(cost.parts, parts);
        }
    }

    #[test]
    fn data_of_any_kind_is_cut_without_changing_how_it_reads(
        coding in some_coding(),
        octets in prop::collection::vec(any::<u8>(), 0..1200),
        elements in prop::collection::vec(any::<u8>(), 0..20),
        reference in some_reference(),
    ) {
        let data: Bytes = match coding {
            // Every fourth is an escape.
            Coding::Gsm7 => octets.iter().map(|&octet| if octet < 64 { gsm::ESCAPE } else { octet & 0x7F }).collect(),
            // Every fourth unit is half a surrogate pair.
            Coding::Ucs2 => octets
                .chunks_exact(2)
                .flat_map(|unit| [if unit[0] < 64 { 0xD8 | unit[0] & 7 } else { unit[0] }, unit[1]])
                .collect(),
            Coding::Octets => octets.into(),
        };
        // One element that names no part, or no header at all.
        let header = match u8::try_from(elements.len()).expect("at most 19") {
            0 => UserDataHeader::NONE,
            length => UserDataHeader::new([&[length + 2, 0x70, length][..], &elements].concat().into())
                .expect("its length is right"),
        };
        let bodies = cut_data(coding, &header, &data, reference).expect("short enough");
        prop_assert!(bodies.iter().all(Body::fits_one_part));
        let joined: Vec<u8> = bodies.iter().flat_map(|body| body.data().to_vec()).collect();
        prop_assert_eq!(&joined[..], &data[..]);
        let pieces: Vec<String> = bodies.iter().map(|body| read(body).text().expose().clone()).collect();
        let text = match coding {
            Coding::Gsm7 => gsm::decode(&data),
            Coding::Ucs2 => ucs2::decode(&data),
            Coding::Octets => data.iter().map(|&octet| char::from(octet)).collect(),
        };
        prop_assert_eq!(pieces.concat(), text);
        for body in &bodies {
            let own: Vec<_> = body.header().elements().filter(|element| element.id == 0x70).collect();
            prop_assert_eq!(own.len(), usize::from(!header.is_none()));
            prop_assert!(own.iter().all(|element| element.data == &elements[..]));
        }
    }

    #[test]
    fn lookalikes_make_a_gsm_text_or_nothing(text in some_text()) {
        match lookalike::replace(&text) {
            Some(replaced) => {
                prop_assert!(gsm::can_encode(&replaced.text));
                prop_assert_eq!(replaced.replacements.is_empty(), replaced.text == text);
            }
            None => prop_assert_eq!(coding_of(&text), Coding::Ucs2),
        }
    }

    #[test]
    fn several_long_texts_join_from_parts_in_any_order_with_repetitions(
        (texts, order) in prop::collection::vec(prop_oneof![gsm_text(700), any_text(250)], 1..4)
            .prop_flat_map(|texts| {
                let deliveries: Vec<(usize, usize)> = texts
                    .iter()
                    .enumerate()
                    .flat_map(|(index, text)| {
                        let parts = Cost::of(text, Width::Narrow).parts;
                        // Each part twice.
                        (0..parts).flat_map(move |part| [(index, part); 2])
                    })
                    .collect();
                (Just(texts), Just(deliveries).prop_shuffle())
            }),
    ) {
        let parts: Vec<Vec<Body>> = (0u8..)
            .zip(&texts)
            .map(|(reference, text)| cut(text, Reference::Narrow(reference)).expect("short enough"))
            .collect();
        let mut joiner = Joiner::new(Duration::from_secs(60));
        let mut complete = vec![0; texts.len()];
        let mut given_back = Vec::new();
        for (tag, &(index, part)) in order.iter().enumerate() {
            let body = parts[index][part].clone();
            match joiner.take(Moment::START, message(body), tag) {
                Joined::Single { message, tag } => {
                    prop_assert_eq!(parts[index].len(), 1);
                    let text = read(&message.body);
                    prop_assert_eq!(text.text().expose(), &texts[index]);
                    given_back.push(tag);
                }
                Joined::Complete(long) => {
                    let text = long.text();
                    prop_assert!(text.is_certain());
                    prop_assert_eq!(text.text().expose(), &texts[index]);
                    complete[index] += 1;
                    for (number, part) in (1u8..).zip(long.parts()) {
                        prop_assert_eq!(part.number, number);
                        prop_assert_eq!(order[part.tag], (index, usize::from(number) - 1));
                        given_back.push(part.tag);
                    }
                }
                Joined::Waiting => {}
                Joined::Repeated { tag, .. } => given_back.push(tag),
            }
        }
        // What is left are repetitions that came after the whole: echoes, or a second complete set.
        prop_assert!(joiner.poll_lapsed().is_none());
        joiner.handle_timeout(Moment::START + Duration::from_secs(60));
        while let Some(lapsed) = joiner.poll_lapsed() {
            prop_assert!(lapsed.echo);
            prop_assert_eq!(lapsed.parts.len() + lapsed.missing.len(), usize::from(lapsed.total));
            given_back.extend(lapsed.parts.iter().map(|part| part.tag));
        }
        for (index, count) in complete.into_iter().enumerate() {
            prop_assert_eq!(count > 0, parts[index].len() > 1);
        }
        given_back.sort_unstable();
        prop_assert_eq!(given_back, (0..order.len()).collect::<Vec<_>>());
        prop_assert_eq!((joiner.open(), joiner.held_parts()), (0, 0));
    }

    #[test]
    fn every_tag_comes_back_once_whatever_arrives(
        deliveries in prop::collection::vec((0u8..2, 0u8..3, 1u8..5, 0u8..6, 0u64..30), 0..120),
    ) {
        let patience = Duration::from_secs(60);
        let mut joiner = Joiner::new(patience);
        let mut now = Moment::START;
        let mut given_back = Vec::new();
        for (tag, &(reference, content, total, part, pause)) in deliveries.iter().enumerate() {
            now = now + Duration::from_secs(pause);
            // Numbers that make no sense are among them.
            let header = UserDataHeader::new(vec![5, 0, 3, reference, total, part].into()).expect("its length is right");
            let body = Body::new(Coding::Octets, header, vec![content; 3].into()).expect("short");
            match joiner.take(now, message(body), tag) {
                Joined::Single { tag, .. } => {
                    prop_assert!(total == 1 || part == 0 || part > total);
                    given_back.push(tag);
                }
                Joined::Repeated { tag, .. } => given_back.push(tag),
                Joined::Complete(long) => {
                    prop_assert_eq!(long.parts().len(), usize::from(total));
                    given_back.extend(long.parts().iter().map(|part| part.tag));
                }
                Joined::Waiting => {}
            }
            while let Some(lapsed) = joiner.poll_lapsed() {
                given_back.extend(lapsed.parts.iter().map(|part| part.tag));
            }
            prop_assert_eq!(given_back.len() + joiner.held_parts(), tag + 1);
            prop_assert!(joiner.poll_timeout().is_none_or(|due| due > now && due <= now + patience));
        }
        joiner.handle_timeout(now + patience);
        while let Some(lapsed) = joiner.poll_lapsed() {
            given_back.extend(lapsed.parts.iter().map(|part| part.tag));
        }
        given_back.sort_unstable();
        prop_assert_eq!(given_back, (0..deliveries.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_joiner_built_again_after_a_crash_ends_with_the_same_texts(
        text in gsm_text(900),
        crash_after in any::<prop::sample::Index>(),
        order in any::<u64>(),
    ) {
        let mut kept: Vec<ShortMessage> = cut(&text, Reference::Wide(9)).expect("short enough").into_iter().map(message).collect();
        let turns = usize::try_from(order % kept.len() as u64).expect("small");
        kept.rotate_left(turns);
        let crash_after = crash_after.index(kept.len());
        let mut before = Joiner::new(Duration::from_secs(60));
        for (tag, part) in kept.iter().take(crash_after).enumerate() {
            prop_assert_eq!(before.take(Moment::START, part.clone(), tag), Joined::Waiting);
        }
        drop(before);
        // Everything that was kept is fed again from the first, then what comes new.
        let mut after = Joiner::new(Duration::from_secs(60));
        let mut texts = Vec::new();
        for (tag, part) in kept.into_iter().enumerate() {
            match after.take(Moment::START, part, tag) {
                Joined::Complete(long) => texts.push(long.text().text().expose().clone()),
                Joined::Single { message, .. } => texts.push(read(&message.body).text().expose().clone()),
                Joined::Waiting => {}
                Joined::Repeated { .. } => prop_assert!(false, "nothing was fed twice"),
            }
        }
        prop_assert_eq!(texts, vec![text]);
    }
}

#[test]
fn a_text_of_more_than_255_parts_is_refused_with_its_field() {
    let text = "я".repeat(MAX_PARTS * 67 + 1);
    let refused = cut(&text, Reference::Narrow(1)).expect_err("one unit too long");
    assert_eq!(refused.field, "text");
    assert!(!Cost::of(&text, Width::Narrow).is_sendable());
    let most = "я".repeat(MAX_PARTS * 67);
    assert_eq!(
        cut(&most, Reference::Narrow(1)).map(|bodies| bodies.len()),
        Ok(MAX_PARTS)
    );
}

#[test]
fn neither_texts_nor_numbers_are_in_debug_output() {
    let bodies = cut(&"geheim".repeat(50), Reference::Narrow(1)).expect("short enough");
    let mut joiner = Joiner::new(Duration::from_secs(60));
    joiner.take(Moment::START, message(bodies[0].clone()), 1);
    let complete = joiner.take(Moment::START, message(bodies[1].clone()), 2);
    joiner.take(Moment::START, message(bodies[0].clone()), 3);
    joiner.handle_timeout(Moment::START + Duration::from_secs(60));
    let lapsed = joiner.poll_lapsed().expect("it waited long enough");
    for shown in [
        format!("{complete:?}"),
        format!("{lapsed:?}"),
        format!("{:?}", lapsed.text()),
        format!("{:?}", read(&bodies[0])),
    ] {
        assert!(
            !shown.contains("geheim") && !shown.contains("3584"),
            "{shown}"
        );
    }
}

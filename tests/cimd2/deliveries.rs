//! Deliveries and reports: repetitions, keys, what is kept, how texts are read.

use sluice::message::{Class, Coding, Item, Party, ReportState, SenderName, ShortCode};
use sluice::smsc::session::{Answer, Recognition, SubmitAnswer};
use sluice::text;

use super::session::{last_message, last_report, last_sent, phone};
use super::support::{Line, config, delivery, hello, wire};
use super::vectors::octets;

#[test]
fn a_repeated_request_is_answered_again_and_not_taken_twice() {
    let mut line = Line::up(config());
    line.receive(&delivery(0, "Hi"));
    line.receive(&delivery(0, "Hi"));
    assert_eq!(line.deliveries.len(), 1);
    line.answer(Answer::Stored);
    line.receive(&delivery(0, "Hi"));
    assert_eq!(line.deliveries.len(), 1);
    assert_eq!(line.sent.len(), 2);
    assert_eq!(line.sent[0], line.sent[1]);
}

#[test]
fn the_same_number_with_other_content_is_taken() {
    let mut line = Line::up(config());
    line.receive(&delivery(0, "one"));
    line.answer(Answer::Stored);
    line.receive(&delivery(0, "two"));
    assert_eq!(last_message(&line).body.data()[..], b"two"[..]);
    line.answer(Answer::Stored);
    assert_eq!(last_sent(&line), "70:000");
}

#[test]
fn numbers_of_an_earlier_session_recognise_nothing() {
    // The two ways in which a known client loses a message: a session that ends after 000 and one that begins with 000
    // again, and a very first request with 254.
    for number in [0, 254] {
        let mut line = Line::up(config());
        line.receive(&delivery(number, "Hi"));
        line.answer(Answer::Stored);
        line.disconnect();
        line.connect();
        line.receive("51:001");
        line.receive(&delivery(number, "Hi"));
        assert_eq!(line.deliveries.len(), 2, "{number:03}");
        // It was confirmed, so this may be a new message of the same words; but its stamp is the same.
        assert_eq!(line.deliveries[0].key, line.deliveries[1].key);
    }
}

#[test]
fn what_was_not_confirmed_comes_again_and_has_the_same_key() {
    let mut line = Line::up(config());
    line.receive(&delivery(6, "Hi"));
    line.disconnect();
    line.connect();
    line.receive("51:001");
    line.receive(&delivery(0, "Hi"));
    let [first, second] = &line.deliveries[..] else {
        panic!("two deliveries");
    };
    assert_eq!(first.key, second.key);
    assert_eq!(first.recognition, Recognition::Recent);
}

#[test]
fn keys_tell_messages_and_states_of_reports_apart() {
    let mut line = Line::up(config());
    let packets = [
        "20:000·021:12345·023:+358501234567·060:261121061342·033:Hi",
        "20:002·021:12345·023:+358501234567·060:261121061343·033:Hi",
        "20:004·021:12345·023:+358501234567·060:261121061342·033:Ho",
        "20:006·021:12345·023:+358501234567·060:261121061342·034:4869·030:4",
        "20:008·021:12345·023:+358501234568·060:261121061342·033:Hi",
        "20:010·021:12346·023:+358501234567·060:261121061342·033:Hi",
        "20:012·021:12345·023:+358501234567·060:261121061342·032:050003AA0201·033:Hi",
        "20:014·021:12345·023:+358501234567·060:261121061342",
        "23:016·021:12345·023:+358501234567·060:261121061342·061:1",
        "23:018·021:12345·023:+358501234567·060:261121061342·061:4",
    ];
    for packet in packets {
        line.receive(packet);
        line.answer(Answer::Stored);
    }
    let keys: std::collections::HashSet<_> = line
        .deliveries
        .iter()
        .map(|delivery| delivery.key)
        .collect();
    assert_eq!(keys.len(), packets.len());
    assert!(keys.iter().all(|key| !key.is_none()));
}

#[test]
fn without_a_stamp_only_the_first_of_a_connection_can_be_a_repetition() {
    let mut line = Line::up(config());
    line.receive("20:000·021:12345·023:+358501234567·033:Hi");
    assert_eq!(
        line.deliveries[0].recognition,
        Recognition::FirstAfterReconnect
    );
}

#[test]
fn a_delivery_keeps_all_that_the_smsc_said() {
    let mut line = Line::up(config());
    line.receive(
        "20:000·033:_Oa·021:12345·052:65·069:+35840·030:16·023:+358501234567·060:261121061342·777:x",
    );
    let message = last_message(&line);
    assert_eq!(message.sender, phone("358501234567"));
    assert_eq!(
        message.recipient,
        Party::from(ShortCode::new("12345").unwrap())
    );
    assert_eq!(message.body.data()[..], [0]);
    assert_eq!(message.body.class(), Some(Class::Flash));
    assert_eq!(message.protocol, 65);
    let carrier = message.carrier.as_deref().unwrap();
    assert_eq!(carrier.source.octets()[..], b"+358501234567"[..]);
    assert_eq!(carrier.destination.octets()[..], b"12345"[..]);
    assert_eq!(carrier.data_coding, 16);
    assert_eq!(carrier.time_stamp()[..], b"261121061342"[..]);
    assert_eq!(
        carrier.extra()[..],
        b"\x00\x34\x00\x0265\x00\x45\x00\x06+35840\x03\x09\x00\x01x"[..]
    );
}

#[test]
fn texts_and_data_are_read_as_their_scheme_says() {
    let cases: [(&str, Coding, &[u8]); 6] = [
        ("033:plain", Coding::Gsm7, b"plain"),
        ("033:\u{e5}", Coding::Gsm7, &[0x0F]),
        ("030:8·034:041F0440", Coding::Ucs2, &[4, 0x1F, 4, 0x40]),
        (
            "030:245·034:DEADBEEF",
            Coding::Octets,
            &[0xDE, 0xAD, 0xBE, 0xEF],
        ),
        ("034:E8329BFD06", Coding::Gsm7, b"hello"),
        ("052:0", Coding::Gsm7, b""),
    ];
    let mut line = Line::up(config());
    for (count, (parameters, coding, data)) in cases.into_iter().enumerate() {
        let start = format!("20:{:03}·021:1·023:2·060:3", count * 2);
        let packet = [start, parameters.to_owned()].join("·");
        // The peer writes Latin-1.
        let octets: Vec<u8> = wire(&packet.replace('\u{e5}', "?"))
            .into_iter()
            .map(|octet| if octet == b'?' { 0xE5 } else { octet })
            .collect();
        let end = octets.len() - 3;
        let sum = sluice::codec::cimd2::checksum(&octets[..end]);
        let octets = [&octets[..end], format!("{sum:02x}\x03").as_bytes()].concat();
        line.receive_octets(&octets);
        let message = last_message(&line);
        assert_eq!(message.body.coding(), coding, "{parameters}");
        assert_eq!(message.body.data()[..], *data, "{parameters}");
        line.answer(Answer::Stored);
    }
}

#[test]
fn a_delivery_longer_than_an_sms_is_cut_into_parts_that_join_again() {
    let mut line = Line::up(config());
    let long = "Lorem ipsum ".repeat(40);
    line.receive(&delivery(0, &long));
    let items = &line.deliveries[0].items;
    assert_eq!(items.len(), 4);
    let bodies: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Message(message) => &message.body,
            Item::Report(_) => panic!("it is a report"),
        })
        .collect();
    let parts: Vec<_> = bodies
        .iter()
        .map(|body| body.header().as_concat().unwrap())
        .collect();
    assert!(parts.iter().all(|part| part.total == 4));
    assert!(
        parts
            .windows(2)
            .all(|two| two[0].reference == two[1].reference)
    );
    let whole: String = bodies
        .iter()
        .map(|body| text::read(body).text().expose().clone())
        .collect();
    assert_eq!(whole, long);
}

#[test]
fn odd_deliveries_are_taken_and_noted() {
    let mut line = Line::up(config());
    let odd = [
        "20:000·033:no addresses, no stamp",
        "20:002·021:·023:·060:·033:empty ones",
        "20:004·021:12345·027:Sluice·060:20261121061342·033:a name, and a long stamp",
        "20:006·021:12345·023:1·060:261121061342·052:x·033:no protocol identifier",
        "20:008·021:12345·023:1·060:261121061342·033:both·034:DEADBEEF·030:4",
        "20:010·021:12345·021:12346·023:1·060:1234567890123456789012345678901234567890·033:x",
    ];
    for packet in odd {
        line.receive(packet);
        sluice::codec::item::encode(&line.deliveries.last().unwrap().items[0]).unwrap();
        line.answer(Answer::Stored);
    }
    assert_eq!(line.deliveries.len(), odd.len());
    let name = &line.deliveries[2].items[0];
    let Item::Message(message) = name else {
        panic!("it is a report");
    };
    assert_eq!(
        message.sender,
        Party::from(SenderName::new("Sluice").unwrap())
    );
    assert!(line.notes.iter().any(|note| note.contains("both text and")));
    assert!(line.notes.iter().all(|note| !note.contains("358")));
}

#[test]
fn a_report_has_the_name_that_the_answer_gave() {
    let mut line = Line::up(config());
    line.submit(&hello());
    line.receive_octets(&octets("5"));
    let SubmitAnswer::Accepted(id) = line.answers[0].clone() else {
        panic!("it was accepted");
    };
    // The report writes the number without its plus.
    line.receive("23:000·021:358401111111·060:261121061305·061:3·062:22·063:261121062635");
    let report = last_report(&line);
    assert_eq!(report.id, id);
    assert_eq!(report.recipient, Some(phone("358401111111")));
    assert_eq!(report.sender, None);
    assert_eq!(report.state, ReportState::Undeliverable);
    assert_eq!(report.error, Some(22));
    assert_eq!(report.done_at[..], b"261121062635"[..]);
}

#[test]
fn states_of_reports_are_those_of_the_table() {
    use ReportState::{Deleted, Delivered, EnRoute, Expired, Undeliverable, Unknown};
    let states = [
        Unknown,
        EnRoute,
        Expired,
        Undeliverable,
        Delivered,
        EnRoute,
        Undeliverable,
        Deleted,
        Deleted,
        Deleted,
    ];
    let mut line = Line::up(config());
    for (status, state) in states.into_iter().enumerate() {
        let number = status * 2;
        line.receive(&format!(
            "23:{number:03}·021:1·060:261121061305·061:{status}"
        ));
        assert_eq!(last_report(&line).state, state, "{status}");
        line.answer(Answer::Stored);
    }
    line.receive("23:020·061:many");
    let report = last_report(&line);
    assert_eq!((report.state, report.id.is_none()), (Unknown, true));
}

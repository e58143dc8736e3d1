//! SMPP dialogues.

use std::time::Duration;

use bytes::Bytes;
use sluice::codec::smpp::{
    Address, COctets, Cancel, CommandId, Data, ESM_RECEIPT, ESM_UDHI, Empty, Frame, IdResp,
    Message, MessageState, Pdu, PduView, Query, Receipt, Replace, ShortText, SmAddress, Status,
    Tag, TlvList,
};
use sluice::sim::{Account, Cimd2, Config, Event, Simulator, Smpp};

use super::PLAIN;
use super::support::{Wire, bind, simulator, within};

pub(super) fn address(ton: u8, npi: u8, octets: &str) -> SmAddress {
    Address::new("address", ton, npi, octets.as_bytes()).unwrap()
}

pub(super) fn message(text: &[u8]) -> Message {
    Message {
        source: address(0, 1, "12345"),
        destination: address(1, 1, "358401111111"),
        short_message: ShortText::new(Bytes::copy_from_slice(text)).unwrap(),
        ..Message::default()
    }
}

/// The id in an answer to a submit.
pub(super) fn id_of(answer: &Frame) -> String {
    assert_eq!(answer.status, Status::OK, "{answer:?}");
    match answer.view().unwrap() {
        PduView::SubmitSmResp(resp) | PduView::DataSmResp(resp) => {
            String::from_utf8(resp.message_id.octets().unwrap().to_vec()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// Answers a delivery.
pub(super) async fn take(wire: &mut Wire, delivery: &Frame, status: Status) {
    assert!(matches!(
        delivery.id,
        CommandId::DELIVER_SM | CommandId::DATA_SM
    ));
    let resp = match delivery.id {
        CommandId::DATA_SM => Pdu::DataSmResp(IdResp::default()),
        _ => Pdu::DeliverSmResp(IdResp::default()),
    };
    wire.send(&resp.to_bytes(status, delivery.sequence)).await;
}

/// The text of a delivery, with its esm_class and data_coding.
pub(super) fn text_of(delivery: &Frame) -> (Vec<u8>, u8, u8) {
    match delivery.view().unwrap() {
        PduView::DeliverSm(message) => (
            message
                .tlvs
                .find(Tag::MESSAGE_PAYLOAD)
                .unwrap_or(message.short_message)
                .to_vec(),
            message.esm_class,
            message.data_coding,
        ),
        PduView::DataSm(data) => (
            data.tlvs
                .find(Tag::MESSAGE_PAYLOAD)
                .unwrap_or_default()
                .to_vec(),
            data.esm_class,
            data.data_coding,
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_goes_from_bind_to_unbind() {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::smpp(&simulator).await;
    // Nothing is done before a bind.
    let early = wire.ask(Pdu::SubmitSm(message(b"early")), 1).await;
    assert_eq!(early.status, Status::WRONG_BIND_STATE);
    // bind_transceiver, as octets.
    wire.send(
        b"\0\0\0\x23 \0\0\0\x09 \0\0\0\0 \0\0\0\x02 sluice\0 secret\0 \0 \x34 \0 \0 \0"
            .split(|&octet| octet == b' ')
            .collect::<Vec<_>>()
            .concat()
            .as_slice(),
    )
    .await;
    let bound = wire.frame().await;
    assert_eq!(
        (bound.id, bound.status, bound.sequence),
        (CommandId::BIND_TRANSCEIVER_RESP, Status::OK, 2)
    );
    assert_eq!(bound.body[..], *b"sluice-sim\0\x02\x10\0\x01\x34");
    let again = wire
        .ask(Pdu::BindTransceiver(bind("sluice", "secret")), 3)
        .await;
    assert_eq!(again.status, Status::ALREADY_BOUND);
    let first = id_of(&wire.ask(Pdu::SubmitSm(message(b"hello \x00")), 4).await);
    let second = id_of(&wire.ask(Pdu::SubmitSm(message(b"again")), 5).await);
    assert_ne!(first, second);
    let alive = wire.ask(Pdu::EnquireLink(Empty), 6).await;
    assert_eq!(
        (alive.id, alive.body.len()),
        (CommandId::ENQUIRE_LINK_RESP, 0)
    );
    let unbound = wire.ask(Pdu::Unbind(Empty), 7).await;
    assert_eq!(
        (unbound.id, unbound.status),
        (CommandId::UNBIND_RESP, Status::OK)
    );
    assert!(wire.is_closed().await);
    let received = simulator.received();
    assert_eq!(received[0].text(), "hello @");
    assert_eq!(
        (received[0].from.as_str(), received[0].to.as_str()),
        ("12345", "358401111111")
    );
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn binds_are_refused_with_the_codes_of_the_protocol() {
    let simulator = simulator(PLAIN).await;
    for (name, password, status) in [
        ("sluice", "wrong", Status::INVALID_PASSWORD),
        ("other", "secret", Status::INVALID_SYSTEM_ID),
    ] {
        let mut wire = Wire::smpp(&simulator).await;
        let answer = wire
            .ask(Pdu::BindTransmitter(bind(name, password)), 1)
            .await;
        assert_eq!(
            (answer.id, answer.status),
            (CommandId::BIND_TRANSMITTER_RESP, status)
        );
        assert!(wire.is_closed().await);
    }
    let mut first = Wire::smpp(&simulator).await;
    first.bind().await;
    let mut second = Wire::smpp(&simulator).await;
    let answer = second
        .ask(Pdu::BindReceiver(bind("sluice", "secret")), 1)
        .await;
    assert_eq!(answer.status, Status::ALREADY_BOUND);
}

#[tokio::test]
async fn a_bind_says_which_way_messages_go() {
    let simulator = simulator(&format!("{PLAIN}sessions = 2")).await;
    let mut transmitter = Wire::smpp(&simulator).await;
    transmitter
        .ask(Pdu::BindTransmitter(bind("sluice", "secret")), 1)
        .await;
    let mut receiver = Wire::smpp(&simulator).await;
    receiver
        .ask(Pdu::BindReceiver(bind("sluice", "secret")), 1)
        .await;
    let refused = receiver.ask(Pdu::SubmitSm(message(b"x")), 2).await;
    assert_eq!(refused.status, Status::WRONG_BIND_STATE);
    // The receipt for what one submitted comes to the other.
    let wished = Message {
        registered_delivery: 1,
        ..message(b"x")
    };
    let id = id_of(&transmitter.ask(Pdu::SubmitSm(wished), 2).await);
    let receipt = receiver.frame().await;
    let (text, esm_class, _) = text_of(&receipt);
    assert_eq!(esm_class, ESM_RECEIPT);
    assert_eq!(Receipt::scan(&text).id, Some(id.as_bytes()));
}

#[tokio::test]
async fn what_is_wrong_with_a_submit_is_told() {
    let simulator = simulator(&format!(
        "{PLAIN}senders = ['12345']\n[[phone]]\nnumber = '358409'\nfate = 'refused'"
    ))
    .await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let mut payload = TlvList::new();
    payload.octets(Tag::MESSAGE_PAYLOAD, b"x").unwrap();
    let to = |number| address(1, 1, number);
    let time = |written: &str| {
        // An expired time can be written only by hand: strict values hold none.
        sluice::codec::smpp::Time::relative(Duration::from_secs(written.len() as u64))
    };
    let cases = [
        (
            Message {
                destination: to(""),
                ..message(b"x")
            },
            Status::INVALID_DESTINATION,
        ),
        (
            Message {
                destination: to("12x"),
                ..message(b"x")
            },
            Status::INVALID_DESTINATION,
        ),
        (
            Message {
                destination: to("358409"),
                ..message(b"x")
            },
            Status::INVALID_DESTINATION,
        ),
        (
            Message {
                source: to("666"),
                ..message(b"x")
            },
            Status::INVALID_SOURCE,
        ),
        (
            Message {
                priority_flag: 5,
                ..message(b"x")
            },
            Status::INVALID_PRIORITY,
        ),
        (
            Message {
                replace_if_present_flag: 2,
                ..message(b"x")
            },
            Status::INVALID_REPLACE_FLAG,
        ),
        (
            Message {
                sm_default_msg_id: 1,
                ..message(b"x")
            },
            Status::INVALID_DEFAULT_MESSAGE,
        ),
        (
            Message {
                registered_delivery: 3,
                ..message(b"x")
            },
            Status::INVALID_REGISTERED_DELIVERY,
        ),
        (
            Message {
                esm_class: ESM_UDHI,
                ..message(b"\x09x")
            },
            Status::INVALID_ESM_CLASS,
        ),
        (
            Message {
                data_coding: 8,
                ..message(b"abc")
            },
            Status::INVALID_MESSAGE_LENGTH,
        ),
        (
            Message {
                tlvs: payload,
                ..message(b"x")
            },
            Status::INVALID_TLV_VALUE,
        ),
        (
            Message {
                validity_period: time("x"),
                ..message(b"good")
            },
            Status::OK,
        ),
    ];
    for (sequence, (message, status)) in (2..).zip(cases) {
        let answer = wire.ask(Pdu::SubmitSm(message), sequence).await;
        assert_eq!((answer.status, answer.sequence), (status, sequence));
    }
    // A body that ends too early; an operation that nobody has; a length that no frame has.
    let mut cut = Pdu::SubmitSm(message(b"x")).to_bytes(Status::OK, 90)[..20].to_vec();
    cut[3] = 20;
    wire.send(&cut).await;
    assert_eq!(wire.frame().await.status, Status::INVALID_COMMAND_LENGTH);
    wire.send(b"\0\0\0\x10\0\0\x01\xff\0\0\0\0\0\0\0\x5b").await;
    let nack = wire.frame().await;
    assert_eq!(
        (nack.id, nack.status, nack.sequence),
        (CommandId::GENERIC_NACK, Status::INVALID_COMMAND_ID, 0x5B)
    );
    wire.send(b"\0\0\0\x0f\0\0\0\x15\0\0\0\0\0\0\0\x5c").await;
    let nack = wire.frame().await;
    assert_eq!(
        (nack.id, nack.status, nack.sequence),
        (
            CommandId::GENERIC_NACK,
            Status::INVALID_COMMAND_LENGTH,
            0x5C
        )
    );
    assert!(wire.is_closed().await);
    assert_eq!(simulator.received().len(), 1);
}

#[tokio::test]
async fn texts_arrive_in_every_coding() {
    let simulator = simulator(&format!("{PLAIN}alphabet = 'latin1'")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let mut payload = TlvList::new();
    payload.octets(Tag::MESSAGE_PAYLOAD, &[b'x'; 1000]).unwrap();
    let header = [&[5, 0, 3, 7, 2, 1][..], b"part"].concat();
    for (sequence, (message, text)) in (2..).zip([
        (message(b"caf\xe9"), "café".to_owned()),
        (
            Message {
                data_coding: 8,
                ..message(b"\x04\x1f")
            },
            "П".into(),
        ),
        (
            Message {
                data_coding: 0xF0,
                ..message(b"\x00")
            },
            "@".into(),
        ),
        (
            Message {
                esm_class: ESM_UDHI,
                ..message(&header)
            },
            "part".into(),
        ),
        (
            Message {
                tlvs: payload.clone(),
                ..message(b"")
            },
            "x".repeat(1000),
        ),
    ]) {
        id_of(&wire.ask(Pdu::SubmitSm(message), sequence).await);
        assert_eq!(simulator.received().pop().unwrap().text(), text);
    }
    let received = simulator.received();
    assert_eq!(received[3].header().as_concat().unwrap().total, 2);
    let data = Data {
        destination: Address::new("destination", 1, 1, b"358401111111").unwrap(),
        tlvs: payload,
        ..Data::default()
    };
    let answer = wire.ask(Pdu::DataSm(data), 20).await;
    assert_eq!(answer.id, CommandId::DATA_SM_RESP);
    id_of(&answer);
}

#[tokio::test]
async fn questions_about_messages_are_answered() {
    let simulator = simulator(&format!("{PLAIN}[phones]\nafter = '1h'")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let wished = Message {
        registered_delivery: 1,
        ..message(b"hello")
    };
    let id = id_of(&wire.ask(Pdu::SubmitSm(wished), 2).await);
    let message_id = COctets::new("message_id", id.as_bytes()).unwrap();
    let query = Query {
        message_id,
        ..Query::default()
    };
    let state = |answer: &Frame| match answer.view().unwrap() {
        PduView::QuerySmResp(resp) => resp.message_state,
        other => panic!("{other:?}"),
    };
    let answer = wire.ask(Pdu::QuerySm(query.clone()), 3).await;
    assert_eq!(state(&answer), MessageState::EnRoute.number());
    let cancel = Cancel {
        message_id,
        ..Cancel::default()
    };
    let answer = wire.ask(Pdu::CancelSm(cancel.clone()), 4).await;
    assert_eq!(answer.status, Status::OK);
    let receipt = wire.frame().await;
    assert_eq!(
        Receipt::scan(&text_of(&receipt).0).state(),
        Some(MessageState::Deleted)
    );
    take(&mut wire, &receipt, Status::OK).await;
    let answer = wire.ask(Pdu::QuerySm(query), 5).await;
    assert_eq!(state(&answer), MessageState::Deleted.number());
    let answer = wire.ask(Pdu::CancelSm(cancel), 6).await;
    assert_eq!(answer.status, Status::CANCEL_FAILED);
    let answer = wire.ask(Pdu::QuerySm(Query::default()), 7).await;
    assert_eq!(answer.status, Status::QUERY_FAILED);
    let answer = wire.ask(Pdu::ReplaceSm(Replace::default()), 8).await;
    assert_eq!(answer.status, Status::REPLACE_FAILED);
}

#[tokio::test]
async fn breaches_of_the_sequential_rule_are_counted() {
    let simulator = simulator(&format!("{PLAIN}refuse_beyond_window = true")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let both = [
        Pdu::SubmitSm(message(b"a")).to_bytes(Status::OK, 2),
        Pdu::SubmitSm(message(b"b")).to_bytes(Status::OK, 3),
    ]
    .concat();
    wire.send(&both).await;
    assert_eq!(wire.frame().await.status, Status::OK);
    assert_eq!(wire.frame().await.status, Status::THROTTLED);
    wire.send_pdu(Pdu::DeliverSmResp(IdResp::default()), 77)
        .await;
    wire.ask(Pdu::EnquireLink(Empty), 4).await;
    assert_eq!(
        simulator.breaches(),
        [
            "session 1: submit_sm 3 came while 1 unanswered, 1 allowed",
            "session 1: deliver_sm_resp 77 answers nothing",
        ]
    );
}

#[tokio::test]
async fn a_window_as_agreed_is_no_breach() {
    let simulator = simulator(&format!("{PLAIN}window = 2")).await;
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let three: Vec<u8> = (2..5)
        .flat_map(|sequence| Pdu::SubmitSm(message(b"x")).to_bytes(Status::OK, sequence))
        .collect();
    wire.send(&three).await;
    for _ in 0..3 {
        id_of(&wire.frame().await);
    }
    assert_eq!(simulator.counts().breaches, 1);
}

#[tokio::test]
async fn silent_sessions_end_and_quiet_ones_are_probed() {
    let script = PLAIN.replace(
        "[smpp]",
        "[smpp]\nprobe = '30ms'\nanswer_within = '100ms'\nlogin_within = '100ms'",
    );
    let simulator = simulator(&script).await;
    let mut unbound = Wire::smpp(&simulator).await;
    assert!(unbound.is_closed().await, "no bind in time");
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let probe = wire.frame().await;
    assert_eq!((probe.id, probe.sequence), (CommandId::ENQUIRE_LINK, 1));
    wire.send_pdu(Pdu::EnquireLinkResp(Empty), 1).await;
    assert_eq!(wire.frame().await.sequence, 2);
    assert!(wire.is_closed().await, "its probe was not answered");
    assert_eq!(simulator.breaches(), [] as [String; 0]);
}

#[tokio::test]
async fn everything_is_told_as_it_happens() {
    let simulator = simulator(PLAIN).await;
    let mut events = simulator.events();
    let mut wire = Wire::smpp(&simulator).await;
    wire.bind().await;
    let wished = Message {
        registered_delivery: 1,
        ..message(b"hello")
    };
    let id = id_of(&wire.ask(Pdu::SubmitSm(wished), 2).await);
    let receipt = wire.frame().await;
    take(&mut wire, &receipt, Status::OK).await;
    wire.ask(Pdu::Unbind(Empty), 3).await;
    let mut told = Vec::new();
    loop {
        let record = within("a record", events.next()).await.unwrap();
        let line = serde_json::to_value(&*record).unwrap();
        assert!(line["ms"].is_number());
        told.push(line["event"].as_str().unwrap().to_owned());
        match &record.event {
            Event::Submit {
                from,
                to,
                text,
                number,
            } => {
                assert_eq!((from.as_str(), to.as_str()), ("12345", "358401111111"));
                assert_eq!((text.as_str(), *number), ("hello", 2));
            }
            Event::Answer {
                id: Some(named), ..
            } => assert_eq!(*named, id),
            Event::End { .. } => break,
            _ => {}
        }
    }
    assert_eq!(
        told,
        [
            "connect", "login", "answer", "submit", "phone", "answer", "report", "taken", "logout",
            "answer", "end"
        ]
    );
}

#[tokio::test]
async fn tls_is_offered() {
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = Config {
        smpp: Some(Smpp {
            tls: Some(sluice::sim::Tls { certificate, key }),
            ..Smpp::default()
        }),
        cimd2: Some(Cimd2::default()),
        accounts: vec![Account::new("sluice", "secret")],
        ..Config::default()
    };
    let simulator = Simulator::start(config).await.unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = tokio::net::TcpStream::connect(simulator.addresses().smpp.unwrap())
        .await
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut wire = Wire::on(connector.connect(name, stream).await.unwrap());
    wire.bind().await;
    id_of(&wire.ask(Pdu::SubmitSm(message(b"sealed")), 2).await);
    assert_eq!(simulator.received()[0].text(), "sealed");
}

//! CIMD2 dialogues. The packets are those that were seen on the wire between real peers.

use std::time::Duration;

use sluice::sim::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::PLAIN;
use super::support::{Wire, field, packet, simulator, within};

/// Submits as a client in use wrote them, in the order of their numbers, with what the phone shows.
const SUBMITS: [(&str, &str); 9] = [
    (
        "03:003·021:+358401111111·023:12345·056:0·055:0·044:0·033:Hello world·A9",
        "Hello world",
    ),
    (
        "03:005·021:358401111111·027:Sluice·056:0·055:0·044:0·033:alpha·B4",
        "alpha",
    ),
    (
        "03:007·021:358401111111·023:12345·056:0·055:0·044:0·033:_Oa_L-$_Y-_e`_e'_u`_i`_o`_C,_O/_o/_A*_a*_gd_--_gf_gg_gl_go_gp_gi_gs_gt_gx_AE_ae_ss_E'_qq_ox_!!_A\"_O\"_N~_U\"_so_??_a\"_o\"_n~_u\"_a`·0A",
        "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ\"¤¡ÄÖÑÜ§¿äöñüà",
    ),
    (
        "03:009·021:358401111111·023:12345·056:0·055:0·044:0·033:_XX(_XX)_XX<_XX>_XX/_XX_gl_XX=_XX_!!_XXe\nnl·22",
        "{}[]\\^~|€\nnl",
    ),
    (
        "03:011·021:358401111111·023:12345·056:0·055:0·044:0·034:041F0440·030:8·F3",
        "Пр",
    ),
    (
        "03:013·021:358401111111·023:12345·056:0·055:0·044:0·032:06050415821582·034:DEADBEEF·030:4·15",
        "\u{de}\u{ad}\u{be}\u{ef}",
    ),
    (
        "03:015·021:358401111111·023:12345·056:14·055:0·044:0·033:dlr·BC",
        "dlr",
    ),
    (
        "03:017·021:358401111111·023:12345·050:11·056:0·055:0·052:1·044:0·033:valid·030:16·D9",
        "valid",
    ),
    (
        "03:019·021:358401111111·023:12345·056:0·055:1·064:07·044:0·033:tariff·0A",
        "tariff",
    ),
];

#[tokio::test]
async fn a_session_goes_as_between_real_peers() {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::cimd2(&simulator).await;
    let greeting = String::from_utf8(wire.read().await).unwrap();
    assert!(greeting.starts_with("CIMD2-A ConnectionInfo: SessionId = 1 PortId = 1 Time = "));
    wire.say("01:001·010:sluice·011:secret·EB").await;
    wire.expect("51:001·").await;
    let mut stamps = Vec::new();
    for (submit, text) in SUBMITS {
        wire.say(submit).await;
        let answer = wire.hear().await;
        assert_eq!(answer[..6], format!("53:{}", &submit[3..6]));
        assert_eq!(field(&answer, "021"), field(submit, "021"));
        stamps.push(field(&answer, "060"));
        let received = simulator.received().pop().unwrap();
        assert_eq!(received.text(), text);
        if submit.contains("056:14") {
            let report = wire.hear().await;
            assert_eq!(report[..6], *"23:000");
            assert_eq!(field(&report, "021"), "358401111111");
            assert_eq!(&field(&report, "060"), stamps.last().unwrap());
            assert_eq!(field(&report, "061"), "4");
            wire.say("73:000·3F").await;
        }
    }
    let of_one_destination = stamps.len();
    stamps.sort();
    stamps.dedup();
    assert_eq!(
        stamps.len(),
        of_one_destination,
        "each message has its own name"
    );
    wire.say("40:021·3C").await;
    wire.expect("90:021·").await;
    wire.say("02:023·3C").await;
    wire.expect("52:023·").await;
    assert!(wire.is_closed().await, "this SMSC releases the connection");
    let received = simulator.received();
    assert_eq!(received[1].from, "Sluice");
    assert_eq!(
        received[5].header().octets()[..],
        [6, 5, 4, 0x15, 0x82, 0x15, 0x82]
    );
    assert_eq!(received[7].scheme(), 16);
    assert_eq!(simulator.breaches(), [] as [String; 0]);
    assert_eq!(simulator.counts().reports_taken, 1);
}

#[tokio::test]
async fn numbers_go_round_from_255_to_001() {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    for number in (3..=255).step_by(2) {
        wire.say(&format!("40:{number:03}·")).await;
        wire.expect(&format!("90:{number:03}·")).await;
    }
    wire.say("03:001·021:358401111111·023:1·056:0·055:0·044:0·033:m128·7A")
        .await;
    assert_eq!(wire.hear().await[..6], *"53:001");
}

#[tokio::test]
async fn phones_write_and_their_messages_are_delivered_one_by_one() {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    assert!(simulator.phone_sends("+358501234567", "12345", "plain MO"));
    let first = wire.hear().await;
    let stamp = field(&first, "060");
    let expected = format!("20:000·021:12345·023:+358501234567·060:{stamp}·033:plain MO·");
    assert_eq!(first, expected);
    simulator.phone_sends("358501234567", "12345", "@é{€");
    simulator.phone_sends("358501234567", "12345", "Пр");
    simulator.phone_sends("358501234567", "12345", &"x".repeat(161));
    wire.say("70:000·3C").await;
    let second = wire.hear().await;
    assert_eq!(second[..6], *"20:002");
    assert_eq!(field(&second, "033"), "_Oa_e'_XX(_XXe");
    assert_ne!(field(&second, "060"), stamp);
    wire.say("70:002·").await;
    let third = wire.hear().await;
    assert_eq!(
        (field(&third, "030"), field(&third, "034")),
        ("8".into(), "041F0440".into())
    );
    wire.say("70:004·").await;
    let part = wire.hear().await;
    assert_eq!(field(&part, "032")[8..], *"0201");
    assert_eq!(field(&part, "033").len(), 153);
    wire.say("70:006·").await;
    assert_eq!(field(&wire.hear().await, "032")[8..], *"0202");
    assert_eq!(simulator.breaches(), [] as [String; 0]);
    // Nothing more came before its turn: the next is not offered while this one is unanswered.
    wire.say("40:003·").await;
    wire.expect("90:003·").await;
}

#[tokio::test]
async fn what_was_not_answered_comes_again_after_a_new_login() {
    let simulator = simulator(PLAIN).await;
    let mut events = simulator.events();
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    simulator.phone_sends("358501234567", "12345", "first");
    simulator.phone_sends("358501234567", "12345", "second");
    let first = wire.hear().await;
    drop(wire);
    within(
        "the end",
        events.until(|event| matches!(event, Event::End { .. })),
    )
    .await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    assert_eq!(
        wire.hear().await,
        first,
        "with the same time stamp, and from 000 again"
    );
    wire.say("70:000·900:710·").await;
    wire.say("40:003·").await;
    wire.expect("90:003·").await;
    assert_eq!(simulator.counts().deliveries_refused, 1);
}

#[tokio::test]
async fn the_simulator_is_strict_about_numbers_and_checksums() {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.say("01:003·010:sluice·011:secret·").await;
    wire.expect("99:001·").await;
    wire.login().await;
    // Another number than expected; then the right one.
    wire.say("40:007·").await;
    wire.expect("99:003·").await;
    let submit = packet("03:003·021:358401111111·033:once·");
    wire.send(&submit).await;
    let answer = wire.hear().await;
    // The same octets again: answered again, and not done again.
    wire.send(&submit).await;
    assert_eq!(wire.hear().await, answer);
    assert_eq!(simulator.received().len(), 1);
    // The same number with other octets: done, rather twice than lost.
    wire.say("03:003·021:358401111111·033:other·").await;
    assert_ne!(wire.hear().await, answer);
    assert_eq!(simulator.received().len(), 2);
    // A wrong checksum, noise, a packet that lost its end, a lower-case checksum.
    wire.send(b"\x0240:005\t00\x03").await;
    wire.expect("99:005·").await;
    wire.send(b"junk\x03\r\n\x0240:0").await;
    wire.send(b"\x0240:005\t3e\x03").await;
    wire.expect("99:005·").await;
    wire.expect("90:005·").await;
    wire.send(b"\x0240:007\t\x03").await;
    wire.expect("90:007·").await;
    wire.say("33:009·").await;
    wire.expect("98:009·900:1·901:operation not expected here·")
        .await;
    wire.say("20:011·021:1·023:2·060:261121061342·").await;
    wire.expect("70:011·900:1·901:operation not expected here·")
        .await;
}

#[tokio::test]
async fn logins_are_refused_with_the_codes_of_the_protocol() {
    let simulator = simulator(PLAIN).await;
    let cases = [
        (
            "01:001·010:sluice·011:wrong·",
            "51:001·900:100·901:login invalid·",
        ),
        (
            "01:001·010:other·011:secret·",
            "51:001·900:100·901:login invalid·",
        ),
        (
            "01:001·010:sluice·011:secret·019:10·",
            "51:001·900:105·901:windowing disabled·",
        ),
        (
            "01:001·010:sluice·011:secret·012:x·",
            "51:001·900:107·901:subaddress invalid·",
        ),
    ];
    for (login, answer) in cases {
        let mut wire = Wire::cimd2(&simulator).await;
        wire.say(login).await;
        wire.expect(answer).await;
        assert!(wire.is_closed().await);
    }
    let mut early = Wire::cimd2(&simulator).await;
    early.say("40:001·").await;
    early
        .expect("90:001·900:1·901:operation not expected here·")
        .await;
    let mut first = Wire::cimd2(&simulator).await;
    first.login().await;
    let mut second = Wire::cimd2(&simulator).await;
    second.say("01:001·010:sluice·011:secret·").await;
    second
        .expect("51:001·900:102·901:too many sessions with this login·")
        .await;
    assert_eq!(simulator.counts().logins_refused, 5);
}

#[tokio::test]
async fn bad_parameters_are_refused_each_with_its_code() {
    let simulator = simulator(&format!("{PLAIN}senders = ['12345', 'Sluice']")).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    let mut number = 3;
    for (parameters, code) in [
        ("033:x", 300),
        ("021:abc·033:x", 300),
        ("021:1·033:x·034:00", 303),
        ("021:1·034:0", 302),
        ("021:1·033:_x·030:256", 304),
        ("021:1·050:1·051:261121061342", 305),
        ("021:1·051:2611", 305),
        ("021:1·023:1·027:x", 306),
        ("021:1·023:666", 306),
        ("021:1·052:256", 307),
        ("021:1·053:1·054:261121061342", 308),
        ("021:1·055:2", 309),
        ("021:1·056:256", 310),
        ("021:1·058:2", 311),
        ("021:1·067:0", 312),
        ("021:1·064:100", 313),
        ("021:1·065:10", 314),
        ("021:1·044:2", 318),
        ("021:1·027:Mallory", 321),
        ("021:1·027:more than eleven", 322),
    ] {
        wire.say(&format!("03:{number:03}·{parameters}·")).await;
        let answer = wire.hear().await;
        assert_eq!(
            field(&answer, "900"),
            code.to_string(),
            "{parameters}: {answer}"
        );
        number += 2;
    }
    assert_eq!(simulator.counts().refused, 20);
}

#[tokio::test]
async fn questions_about_messages_are_answered() {
    let simulator = simulator(&format!("{PLAIN}[phones]\nafter = '1h'")).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    let mut submitted = Vec::new();
    for (number, wishes) in [(3, "056:0·058:1"), (5, "056:48·058:1"), (7, "056:8")] {
        wire.say(&format!("03:{number:03}·021:+3581·{wishes}·033:x·"))
            .await;
        submitted.push(field(&wire.hear().await, "060"));
    }
    let ask = |number: u32, stamp: &str| format!("04:{number:03}·021:3581·060:{stamp}·");
    // Without a wish for reports, nobody knows.
    wire.say(&ask(9, &submitted[0])).await;
    wire.expect(&format!("54:009·021:3581·060:{}·061:0·", submitted[0]))
        .await;
    wire.say(&ask(11, &submitted[1])).await;
    wire.expect(&format!("54:011·021:3581·060:{}·061:1·", submitted[1]))
        .await;
    wire.say(&format!("06:013·059:2·021:3581·060:{}·", submitted[1]))
        .await;
    wire.expect("56:013·").await;
    let report = wire.hear().await;
    assert_eq!(field(&report, "061"), "9", "deleted by a cancel: {report}");
    wire.say("73:000·").await;
    wire.say("06:015·059:0·021:3581·").await;
    wire.expect("56:015·").await;
    // The third was submitted without leave to cancel it.
    wire.say("06:017·059:1·").await;
    assert_eq!(field(&wire.hear().await, "900"), "7");
    wire.say("06:019·059:3·").await;
    assert_eq!(field(&wire.hear().await, "900"), "602");
    wire.say("05:021·068:0·").await;
    wire.expect("55:021·066:0·").await;
    wire.say("08:023·011:new·").await;
    assert_eq!(field(&wire.hear().await, "900"), "801");
    wire.say("09:025·500:501·").await;
    assert_eq!(field(&wire.hear().await, "501").len(), 12);
    wire.say("09:027·500:502·").await;
    assert_eq!(field(&wire.hear().await, "900"), "900");
}

#[tokio::test]
async fn a_querying_account_gets_what_it_asks_for() {
    let script = format!("{PLAIN}kind = 'querying'\nmay_change_password = true\naddress = '400'");
    let simulator = simulator(&script).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    for text in ["one", "two", "three"] {
        simulator.phone_sends("1", "400600", text);
    }
    wire.say("05:003·068:0·").await;
    wire.expect("55:003·066:3·").await;
    wire.say("05:005·").await;
    wire.expect("55:005·").await;
    assert_eq!(field(&wire.hear().await, "033"), "one");
    wire.say("70:000·").await;
    wire.say("05:007·068:2·").await;
    wire.expect("55:007·").await;
    assert_eq!(field(&wire.hear().await, "033"), "two");
    wire.say("70:002·").await;
    assert_eq!(field(&wire.hear().await, "033"), "three");
    wire.say("70:004·").await;
    // The account's own address stands before what a submit says.
    wire.say("03:009·021:1·023:600·033:x·").await;
    wire.hear().await;
    assert_eq!(simulator.received()[0].from, "400600");
    wire.say("08:011·011:new·").await;
    wire.expect("58:011·").await;
    wire.say("02:013·").await;
    wire.expect("52:013·").await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.say("01:001·010:sluice·011:new·").await;
    wire.expect("51:001·").await;
}

#[tokio::test]
async fn breaches_of_the_sequential_rule_are_counted() {
    let simulator = simulator(PLAIN).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    // Two requests in one write: the second was sent before the first was answered.
    let both = [packet("03:003·021:1·033:a·"), packet("40:005·")].concat();
    wire.send(&both).await;
    wire.hear().await;
    wire.expect("90:005·").await;
    assert_eq!(
        simulator.breaches(),
        ["session 1: 40 (alive) 005 came while 1 unanswered, 1 allowed"]
    );
    wire.say("70:000·").await;
    wire.say("40:007·").await;
    wire.expect("90:007·").await;
    assert!(simulator.breaches()[1].ends_with("000 answers nothing"));
    assert_eq!(simulator.counts().breaches, 2);
}

#[tokio::test]
async fn several_deliveries_at_once_are_to_be_answered_in_turn() {
    let simulator = simulator(&format!("{PLAIN}delivery_window = 2")).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    simulator.phone_sends("1", "2", "a");
    simulator.phone_sends("1", "2", "b");
    wire.hear().await;
    wire.hear().await;
    wire.say("70:002·").await;
    wire.say("70:000·").await;
    wire.say("40:003·").await;
    wire.expect("90:003·").await;
    assert_eq!(simulator.counts().deliveries_taken, 2);
    assert!(simulator.breaches()[0].ends_with("002 is out of turn"));
}

#[tokio::test]
async fn nacks_and_silence_bring_the_same_octets_again() {
    let script = PLAIN.replace(
        "[cimd2]",
        "[cimd2]\nanswer_within = '200ms'\non_silence = 'retransmit'",
    );
    let simulator = simulator(&script).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    simulator.phone_sends("1", "2", "a");
    let first = wire.hear().await;
    wire.say("99:000·").await;
    assert_eq!(wire.hear().await, first);
    // Another number than that of the delivery: all counts on from there.
    wire.say("99:010·").await;
    let moved = wire.hear().await;
    assert_eq!(moved, first.replacen("000", "010", 1));
    wire.say("70:010·").await;
    simulator.phone_sends("1", "2", "b");
    let next = wire.hear().await;
    assert_eq!(next[..6], *"20:012");
    // An answer that was damaged on its way, then none at all.
    wire.send(b"\x0270:012\t00\x03").await;
    assert_eq!(wire.hear().await, next);
    assert_eq!(wire.hear().await, next);
    assert!(wire.is_closed().await, "three times in vain");
}

#[tokio::test]
async fn idle_sessions_are_logged_out_and_probed() {
    let script = PLAIN.replace(
        "[cimd2]",
        "[cimd2]\nprobe = '50ms'\nidle = '10s'\nlogin_within = '100ms'",
    );
    let simulator = simulator(&script).await;
    let mut wire = Wire::cimd2(&simulator).await;
    wire.login().await;
    wire.expect("40:000·").await;
    wire.say("90:000·").await;
    wire.expect("40:002·").await;
    simulator.logout_all();
    wire.say("90:002·").await;
    let mut silent = Wire::cimd2(&simulator).await;
    assert!(silent.is_closed().await, "no login in time");
    loop {
        match wire.hear().await {
            logout if logout.starts_with("02:") => {
                wire.say(&format!("52:{}·", &logout[3..6])).await;
                break;
            }
            alive => wire.say(&format!("90:{}·", &alive[3..6])).await,
        }
    }
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn a_serial_line_carries_one_session_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("port");
    let script = format!(
        "[cimd2]\nlisten = '127.0.0.1:0'\npty = {{ link = '{}' }}\n[[account]]\nname = 'sluice'\npassword = 'secret'",
        link.display()
    );
    let simulator = simulator(&script).await;
    assert_eq!(simulator.addresses().cimd2_serial.as_ref(), Some(&link));
    let open = || {
        use tokio_serial::SerialPortBuilderExt;
        let builder = tokio_serial::new(link.to_string_lossy(), 9600);
        Wire::on(builder.open_native_async().unwrap())
    };
    let mut wire = open();
    wire.send(b"noise on the line\r\n").await;
    wire.login().await;
    wire.say("03:003·021:358401111111·033:over the wire _Oa·")
        .await;
    assert_eq!(wire.hear().await[..6], *"53:003");
    assert_eq!(simulator.received()[0].text(), "over the wire @");
    simulator.phone_sends("1", "2", "back");
    let delivery = wire.hear().await;
    // The application vanishes, comes back and logs in: no connection tells the SMSC, the login does.
    drop(wire);
    let mut wire = open();
    wire.login().await;
    assert_eq!(wire.hear().await, delivery);
    wire.say("70:000·").await;
    wire.say("02:003·").await;
    wire.expect("52:003·").await;
    // Nobody closed the line.
    wire.login().await;
    assert_eq!(simulator.breaches(), [] as [String; 0]);
    simulator.stop().await;
    assert!(!link.exists(), "the link goes with the simulator");
}

#[tokio::test]
async fn octet_by_octet_is_as_good_as_whole() {
    let simulator = simulator(PLAIN).await;
    let stream = tokio::net::TcpStream::connect(simulator.addresses().cimd2.unwrap())
        .await
        .unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let octets = [packet("01:001·010:sluice·011:secret·"), packet("40:003·")];
    let mut heard = Vec::new();
    for (packet, answer) in octets.iter().zip([&b"51:001"[..], b"90:003"]) {
        for octet in packet {
            writer.write_all(&[*octet]).await.unwrap();
            tokio::task::yield_now().await;
        }
        while !heard.windows(answer.len()).any(|window| window == answer) {
            let mut room = [0; 512];
            let read = tokio::time::timeout(Duration::from_secs(10), reader.read(&mut room));
            let length = read.await.unwrap().unwrap();
            assert!(length > 0);
            heard.extend_from_slice(&room[..length]);
        }
    }
}

use bytes::Bytes;

use super::*;
use crate::codec::smpp::TextForm;
use crate::message::UserDataHeader;

fn network(text: &str) -> Network {
    let config: Config = toml::from_str(&format!("[smpp]\n{text}")).unwrap();
    config.check().unwrap();
    Network::new(Arc::new(config))
}

const ACCOUNT: &str = "[[account]]\nname = 'a'\npassword = 'p'\n";

fn at(ms: u64) -> Now {
    Now {
        moment: Moment::from_micros(ms * 1000),
        wall: WallTime::from_unix_ms(1_795_248_785_000 + ms),
    }
}

fn written(number: &str) -> Written {
    Written {
        octets: Bytes::copy_from_slice(number.as_bytes()),
        ..Written::default()
    }
}

fn offered(to: &str) -> Offered {
    Offered {
        source: written("123"),
        destination: written(to),
        content: Content {
            form: TextForm::Gsm7,
            scheme: 0,
            header: UserDataHeader::NONE,
            data: Bytes::from_static(b"hello"),
        },
        wishes: Wishes {
            delivered: true,
            expired: true,
            deleted: true,
            failed: true,
            intermediate: true,
            cancellable: true,
        },
        validity: None,
    }
}

fn reported(network: &mut Network, now: Now) -> Vec<MessageState> {
    std::iter::from_fn(|| network.take(now, 0))
        .map(|waiting| match waiting.letter {
            Letter::Report(report) => report.state,
            Letter::FromPhone(_) => panic!("no phone wrote"),
        })
        .collect()
}

#[test]
fn one_destination_never_gets_the_same_stamp_twice() {
    let mut network = network(ACCOUNT);
    let mut stamps: Vec<u64> = ["+35840", "35840", "35840", "35841"]
        .iter()
        .map(|to| network.submit(at(0), 0, &offered(to)).unwrap().stamp)
        .collect();
    assert_eq!(stamps.pop(), Some(stamps[0]), "another may have the same");
    assert_eq!(stamps[1..], [stamps[0] + 1, stamps[0] + 2]);
    let later = network.submit(at(60_000), 0, &offered("35840")).unwrap();
    assert_eq!(later.stamp, stamps[0] + 60);
}

#[test]
fn reports_follow_the_phones_fate() {
    let mut network = network(&format!(
        "{ACCOUNT}[phones]\nafter = '1s'\n[[phone]]\nnumber = '1'\nfate = 'undeliverable'\naway = '2s'\n\
         [[phone]]\nnumber = '2'\nfate = 'refused'\n[[phone]]\nnumber = '3'\nfate = 'silent'"
    ));
    network.submit(at(0), 0, &offered("9")).unwrap();
    network.submit(at(0), 0, &offered("+1")).unwrap();
    network.submit(at(0), 0, &offered("3")).unwrap();
    assert_eq!(
        network.submit(at(0), 0, &offered("2")),
        Err(SubmitRefusal::Destination)
    );
    assert_eq!(reported(&mut network, at(0)), [MessageState::EnRoute]);
    assert_eq!(network.received().len(), 1, "the silent one has no delay");
    assert_eq!(network.poll_timeout(), Some(at(1000).moment));
    network.handle_timeout(at(1000));
    assert_eq!(reported(&mut network, at(1000)), [MessageState::Delivered]);
    network.handle_timeout(at(2000));
    assert_eq!(
        reported(&mut network, at(2000)),
        [MessageState::Undeliverable]
    );
    assert_eq!(network.received().len(), 2);
    assert_eq!(network.poll_timeout(), None);
}

#[test]
fn validity_and_cancellation_come_before_fate() {
    let mut network = network(&format!("{ACCOUNT}[phones]\nafter = '10s'"));
    let short = Offered {
        validity: Some(Duration::from_secs(5)),
        ..offered("9")
    };
    network.submit(at(0), 0, &short).unwrap();
    let id = network.submit(at(0), 0, &offered("9")).unwrap().id;
    let state = |network: &Network, ms| network.query(at(ms), 0, id).unwrap().state;
    assert_eq!(state(&network, 1), MessageState::EnRoute);
    assert_eq!(network.query(at(1), 1, id), None, "another account's");
    assert_eq!(network.cancel(at(1), 0, |report| report.id == id), 1);
    assert_eq!(network.cancel(at(1), 0, |report| report.id == id), 0);
    assert_eq!(state(&network, 2), MessageState::Deleted);
    assert_eq!(reported(&mut network, at(2)), [MessageState::Deleted]);
    network.handle_timeout(at(20_000));
    assert_eq!(reported(&mut network, at(20_000)), [MessageState::Expired]);
    assert!(network.received().is_empty());
}

#[test]
fn phones_write_to_whom_the_number_belongs() {
    let mut network = network(
        "[[account]]\nname = 'a'\npassword = 'p'\nnumbers = ['17*']\n\
         [[account]]\nname = 'b'\npassword = 'p'\n\
         [[phone]]\nnumber = '+4670'\n[[phone.says]]\nto = '99'\ntext = 'no {n}'\nevery = '1s'\ntimes = 2",
    );
    assert!(network.phone_sends(at(0), "+4670", "1712", "hello"));
    assert!(network.phone_sends(at(0), "+4670", "18", &"x".repeat(161)));
    assert_eq!((network.waiting(0), network.waiting(1)), (1, 2));
    while network.take(at(0), 1).is_some() {}
    for (ms, expected) in [
        (0, Some("no 1")),
        (500, None),
        (1000, Some("no 2")),
        (9000, None),
    ] {
        network.handle_timeout(at(ms));
        let letter = network.take(at(ms), 1).map(|waiting| waiting.letter);
        let text = letter.map(|letter| match letter {
            Letter::FromPhone(letter) => letter.content.text(),
            Letter::Report(_) => panic!("nothing was submitted"),
        });
        assert_eq!(text.as_deref(), expected, "at {ms}");
    }
}

#[test]
fn floods_are_made_as_they_are_taken() {
    let mut network = network(&format!(
        "{ACCOUNT}[[phone]]\nnumber = '1'\n[[phone.says]]\nto = '2'\ntext = '{{n}}'\nevery = '0s'\ntimes = 1000"
    ));
    network.handle_timeout(at(0));
    assert_eq!(network.waiting(0), 1);
    let mut texts = Vec::new();
    while let Some(waiting) = network.take(at(1), 0) {
        if let Letter::FromPhone(letter) = waiting.letter {
            texts.push(letter.content.text());
        }
    }
    assert_eq!(texts.len(), 1000);
    assert_eq!(texts[999], "1000");
    assert_eq!(network.poll_timeout(), None);
}

#[test]
fn what_is_given_back_comes_first_and_keeps_its_stamp() {
    let mut network = network(ACCOUNT);
    network.phone_sends(at(0), "1", "2", "first");
    network.phone_sends(at(0), "1", "2", "second");
    let first = network.take(at(0), 0).unwrap();
    network.give_back_for_later(at(0), 0, first.clone());
    assert_eq!(network.take(at(1), 0), None, "nothing passes it");
    assert_eq!(network.next_letter(0), Some(at(2000).moment));
    let again = network.take(at(2000), 0).unwrap();
    assert!(again.again);
    assert_eq!(again.letter, first.letter);
}

#[test]
fn throughput_and_queue_have_their_limits() {
    let mut network = network(&format!("{ACCOUNT}throughput = 10\nqueue = 3"));
    let submit = |network: &mut Network, ms| network.submit(at(ms), 0, &offered("9")).map(|_| ());
    assert_eq!(submit(&mut network, 0), Ok(()));
    assert_eq!(submit(&mut network, 50), Err(SubmitRefusal::Throttled));
    assert_eq!(submit(&mut network, 150), Ok(()));
    assert_eq!(submit(&mut network, 1000), Ok(()));
    assert_eq!(submit(&mut network, 2000), Err(SubmitRefusal::QueueFull));
}

#[test]
fn logins_are_checked() {
    let mut network = network(ACCOUNT);
    assert_eq!(network.login(1, "b", "p"), Err(LoginRefusal::Name));
    assert_eq!(network.login(1, "a", "q"), Err(LoginRefusal::Password));
    assert_eq!(network.login(1, "a", "p"), Ok(0));
    assert_eq!(network.login(2, "a", "p"), Err(LoginRefusal::Sessions));
    network.logout(1, 0);
    assert_eq!(network.login(2, "a", "p"), Ok(0));
}

use super::*;
use crate::message::{Body, Coding, PhoneNumber, ShortCode, UserDataHeader};
use crate::text::{cut, whole};

const PATIENCE: Duration = Duration::from_secs(3600);

fn at(seconds: u64) -> Moment {
    Moment::START + Duration::from_secs(seconds)
}

fn from(sender: u32, body: Body) -> ShortMessage {
    let sender = PhoneNumber::new(&format!("3584{sender:08}")).unwrap();
    let recipient = ShortCode::new("12345").unwrap();
    ShortMessage::new(sender.into(), recipient.into(), body)
}

fn parts(text: &str, reference: u8) -> Vec<ShortMessage> {
    cut(text, Reference::Narrow(reference))
        .unwrap()
        .into_iter()
        .map(|body| from(1, body))
        .collect()
}

fn lapsed<T>(joiner: &mut Joiner<T>) -> Vec<Lapsed<T>> {
    std::iter::from_fn(|| joiner.poll_lapsed()).collect()
}

fn tags<T: Copy>(parts: &[Part<T>]) -> Vec<T> {
    parts.iter().map(|part| part.tag).collect()
}

#[test]
fn parts_join_in_any_order_and_give_their_tags_back() {
    let text = format!("{}{}{}", "a".repeat(153), "b".repeat(153), "c");
    let parts = parts(&text, 7);
    let mut joiner = Joiner::new(PATIENCE);
    assert_eq!(joiner.take(at(0), parts[2].clone(), 30), Joined::Waiting);
    assert_eq!(joiner.take(at(1), parts[0].clone(), 10), Joined::Waiting);
    assert_eq!(joiner.poll_timeout(), Some(at(1) + PATIENCE));
    let Joined::Complete(long) = joiner.take(at(2), parts[1].clone(), 20) else {
        panic!("the last part makes it complete");
    };
    assert_eq!(long.text().text().expose(), &text);
    assert_eq!(tags(long.parts()), [10, 20, 30]);
    assert_eq!(long.first(), &parts[0]);
    assert_eq!(long.reference(), Reference::Narrow(7));
    assert_eq!((joiner.open(), joiner.held_parts()), (0, 0));
    assert_eq!(joiner.poll_timeout(), None);
}

#[test]
fn a_message_that_is_no_part_passes_through() {
    let mut joiner = Joiner::new(PATIENCE);
    let message = from(1, whole("hello").unwrap());
    assert_eq!(
        joiner.take(at(0), message.clone(), 1),
        Joined::Single { message, tag: 1 }
    );
    // Part 1 of 1.
    let header = UserDataHeader::new(vec![5, 0, 3, 9, 1, 1].into()).unwrap();
    let body = Body::new(Coding::Gsm7, header, "hello".into()).unwrap();
    assert!(matches!(
        joiner.take(at(0), from(1, body), 2),
        Joined::Single { tag: 2, .. }
    ));
}

#[test]
fn a_part_that_comes_twice_counts_once() {
    let parts = parts(&"a".repeat(200), 7);
    let mut joiner = Joiner::new(PATIENCE);
    joiner.take(at(0), parts[0].clone(), 1);
    assert!(matches!(
        joiner.take(at(1), parts[0].clone(), 2),
        Joined::Repeated { tag: 2, .. }
    ));
    // A repetition does not lengthen the wait.
    assert_eq!(joiner.poll_timeout(), Some(at(0) + PATIENCE));
    assert!(matches!(
        joiner.take(at(2), parts[1].clone(), 3),
        Joined::Complete(_)
    ));
}

#[test]
fn what_never_becomes_complete_lapses_with_what_is_missing() {
    let text = format!(
        "{}{}{}",
        "a".repeat(153),
        "b".repeat(153),
        "c".repeat(153 + 5)
    );
    let parts = parts(&text, 7);
    let mut joiner = Joiner::new(PATIENCE);
    joiner.take(at(0), parts[1].clone(), 1);
    joiner.handle_timeout(at(3599));
    assert_eq!(joiner.poll_lapsed(), None);
    joiner.handle_timeout(at(3600));
    let lapsed = joiner.poll_lapsed().unwrap();
    assert_eq!(lapsed.missing, [1, 3, 4]);
    assert_eq!(lapsed.reason, LapseReason::TimedOut);
    assert!(!lapsed.echo);
    assert_eq!(tags(&lapsed.parts), [1]);
    assert_eq!(
        lapsed.text().text().expose(),
        &format!("[...]{}[...]", "b".repeat(153))
    );
    assert_eq!(joiner.poll_timeout(), None);
}

#[test]
fn a_late_call_still_lapses_before_it_takes() {
    let parts = parts(&"a".repeat(200), 7);
    let mut joiner = Joiner::new(PATIENCE);
    joiner.take(at(0), parts[0].clone(), 1);
    assert_eq!(joiner.take(at(4000), parts[1].clone(), 2), Joined::Waiting);
    assert_eq!(joiner.poll_lapsed().unwrap().missing, [2]);
    assert_eq!(joiner.open(), 1);
}

#[test]
fn other_content_under_the_same_number_is_a_new_long_message() {
    let old = parts(&"a".repeat(200), 7);
    let new = parts(&"b".repeat(200), 7);
    let mut joiner = Joiner::new(PATIENCE);
    joiner.take(at(0), old[0].clone(), 1);
    assert_eq!(joiner.take(at(1), new[0].clone(), 2), Joined::Waiting);
    let lapsed = joiner.poll_lapsed().unwrap();
    assert_eq!(lapsed.reason, LapseReason::ReferenceReused);
    assert_eq!(tags(&lapsed.parts), [1]);
    let Joined::Complete(long) = joiner.take(at(2), new[1].clone(), 3) else {
        panic!("the new one is complete");
    };
    assert_eq!(long.text().text().expose(), &"b".repeat(200));
}

#[test]
fn each_pair_of_parties_and_each_width_has_references_of_its_own() {
    let text = "a".repeat(200);
    let mut joiner = Joiner::new(PATIENCE);
    let narrow = cut(&text, Reference::Narrow(7)).unwrap();
    let wide = cut(&text, Reference::Wide(7)).unwrap();
    joiner.take(at(0), from(1, narrow[0].clone()), 1);
    joiner.take(at(0), from(2, narrow[1].clone()), 2);
    joiner.take(at(0), from(1, wide[1].clone()), 3);
    assert_eq!((joiner.open(), joiner.held_parts()), (3, 3));
    assert_eq!(joiner.poll_lapsed(), None);
}

#[test]
fn a_late_repetition_of_a_complete_message_lapses_as_an_echo() {
    let parts = parts(&"a".repeat(200), 7);
    let mut joiner = Joiner::new(PATIENCE);
    joiner.take(at(0), parts[0].clone(), 1);
    joiner.take(at(0), parts[1].clone(), 2);
    assert_eq!(joiner.take(at(60), parts[0].clone(), 3), Joined::Waiting);
    joiner.handle_timeout(at(60 + 3600));
    let echo = joiner.poll_lapsed().unwrap();
    assert!(echo.echo);
    assert_eq!(tags(&echo.parts), [3]);
    // The memory ends with the patience.
    joiner.take(at(10_000), parts[0].clone(), 4);
    joiner.handle_timeout(at(20_000));
    assert!(!joiner.poll_lapsed().unwrap().echo);
}

#[test]
fn the_memory_of_echoes_counts_from_the_latest_completion() {
    let parts = parts(&"a".repeat(200), 7);
    let mut joiner = Joiner::new(PATIENCE);
    for completion in [0, 3000] {
        joiner.take(at(completion), parts[0].clone(), 1);
        joiner.take(at(completion), parts[1].clone(), 2);
    }
    joiner.take(at(4000), parts[1].clone(), 3);
    joiner.handle_timeout(at(8000));
    assert!(joiner.poll_lapsed().unwrap().echo);
}

#[test]
fn the_same_long_message_sent_again_is_complete_again() {
    let parts = parts(&"a".repeat(200), 7);
    let mut joiner = Joiner::new(PATIENCE);
    for round in 0..3 {
        joiner.take(at(round), parts[0].clone(), 1);
        assert!(matches!(
            joiner.take(at(round), parts[1].clone(), 2),
            Joined::Complete(_)
        ));
    }
}

#[test]
fn one_more_than_may_be_open_makes_the_oldest_lapse() {
    let body = &cut(&"a".repeat(200), Reference::Narrow(7)).unwrap()[0];
    let mut joiner = Joiner::new(PATIENCE);
    for sender in 0..=MAX_OPEN as u32 {
        assert!(lapsed(&mut joiner).is_empty());
        joiner.take(at(0), from(sender, body.clone()), sender);
    }
    let crowded = lapsed(&mut joiner);
    assert_eq!(crowded.len(), 1);
    assert_eq!(crowded[0].reason, LapseReason::Crowded);
    assert_eq!(tags(&crowded[0].parts), [0]);
    assert_eq!(joiner.open(), MAX_OPEN);
}

#[test]
fn one_sender_cannot_push_out_all_others() {
    let text = "a".repeat(200);
    let mut joiner = Joiner::new(PATIENCE);
    let other = cut(&text, Reference::Narrow(7)).unwrap();
    joiner.take(at(0), from(9, other[0].clone()), u32::MAX);
    for reference in 0..=2 * MAX_OPEN as u16 {
        let body = cut(&text, Reference::Wide(reference)).unwrap().remove(0);
        joiner.take(at(1), from(1, body), u32::from(reference));
    }
    assert_eq!(joiner.open(), MAX_OPEN_OF_SENDER + 1);
    let crowded = lapsed(&mut joiner);
    assert_eq!(crowded.len(), 2 * MAX_OPEN + 1 - MAX_OPEN_OF_SENDER);
    assert!(crowded.iter().all(|long| long.parts[0].tag != u32::MAX));
}

#[test]
fn one_part_more_than_may_be_held_makes_the_oldest_lapse() {
    let bodies = cut(&"a".repeat(255 * 153), Reference::Narrow(7)).unwrap();
    let mut joiner = Joiner::new(PATIENCE);
    let mut taken = 0;
    let mut sender = 0;
    while taken <= MAX_HELD_PARTS {
        assert!(lapsed(&mut joiner).is_empty());
        for body in bodies.iter().skip(1).take(MAX_HELD_PARTS + 1 - taken) {
            joiner.take(at(0), from(sender, body.clone()), ());
            taken += 1;
        }
        sender += 1;
    }
    let crowded = lapsed(&mut joiner);
    assert_eq!(crowded.len(), 1);
    assert_eq!(crowded[0].missing, [1]);
    assert_eq!(joiner.held_parts(), taken - 254);
}

#[test]
fn a_pair_that_the_sender_tore_is_whole_again() {
    let part = |number, coding, data: &'static [u8]| {
        let header = UserDataHeader::concat(Reference::Narrow(1).concat(2, number));
        from(1, Body::new(coding, header, data.into()).unwrap())
    };
    let mut joiner = Joiner::new(PATIENCE);
    joiner.take(at(0), part(1, Coding::Gsm7, b"5 \x1B"), 1);
    let Joined::Complete(long) = joiner.take(at(0), part(2, Coding::Gsm7, b"e"), 2) else {
        panic!("both are there");
    };
    assert_eq!(long.text().text().expose(), "5 €");
    assert_eq!(long.data().unwrap().1[..], b"5 \x1Be"[..]);
    // Parts of different codings read one after the other.
    joiner.take(at(0), part(1, Coding::Gsm7, b"a"), 1);
    let Joined::Complete(long) = joiner.take(at(0), part(2, Coding::Octets, b"\xE9"), 2) else {
        panic!("both are there");
    };
    assert_eq!(long.text().text().expose(), "aé");
    assert!(!long.text().is_certain());
    assert_eq!(long.data(), None);
}

//! The array against a model that is too simple to be wrong.

mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use sluice::lane::{Epoch, SLOTS, Sequence, Side};
use sluice::ring::{Array, Full, Misstep, Taken};
use support::messages::parcel;

/// The ring as sets of numbers: a pointer is found by counting.
#[derive(Default)]
struct Model {
    accepted: u64,
    retrieved: BTreeSet<u64>,
    sent: BTreeSet<u64>,
    confirmed: BTreeSet<u64>,
    processed: BTreeSet<u64>,
}

fn up_to(flags: &BTreeSet<u64>) -> u64 {
    (1..)
        .take_while(|number| flags.contains(number))
        .last()
        .unwrap_or(0)
}

#[derive(Clone, Debug)]
enum Step {
    Accept,
    Stored(u64),
    Sent(u64),
    Confirmed(u64),
    ConfirmedUpTo(u64),
    Processed(u64),
}

fn step() -> impl Strategy<Value = Step> {
    // Numbers are counted from *processed*, so that the run stays where the ring is.
    prop_oneof![
        6 => Just(Step::Accept),
        6 => (0..4_u64).prop_map(Step::Stored),
        4 => (0..6_u64).prop_map(Step::Sent),
        4 => (0..8_u64).prop_map(Step::Confirmed),
        1 => (0..8_u64).prop_map(Step::ConfirmedUpTo),
        5 => (0..8_u64).prop_map(Step::Processed),
    ]
}

fn play(array: &mut Array, model: &mut Model, step: &Step) {
    let first = up_to(&model.processed) + 1;
    let not_held = |model: &Model, number: u64| !model.retrieved.contains(&number);
    match *step {
        Step::Accept => {
            let full = model.accepted - up_to(&model.processed) == SLOTS;
            match array.accept(parcel("text")) {
                Ok(sequence) => {
                    assert!(!full, "a full ring refuses");
                    model.accepted += 1;
                    assert_eq!(sequence.get(), model.accepted);
                }
                Err(Full) => assert!(full, "only a full ring refuses"),
            }
        }
        Step::Stored(ahead) => {
            let number = up_to(&model.retrieved) + 1 + ahead;
            if number <= model.accepted {
                array.stored(Sequence::new(number));
                model.retrieved.insert(number);
            }
        }
        Step::Sent(ahead) => {
            let number = first + ahead;
            let done = array.mark_sent(Sequence::new(number));
            assert_eq!(done.is_err(), not_held(model, number));
            if done.is_ok() {
                model.sent.insert(number);
            }
        }
        Step::Confirmed(ahead) => {
            let number = first + ahead;
            let done = array.confirm(Sequence::new(number));
            assert_eq!(done.is_err(), not_held(model, number));
            if done.is_ok() {
                model.sent.insert(number);
                model.confirmed.insert(number);
            }
        }
        Step::ConfirmedUpTo(ahead) => {
            let number = first + ahead;
            let done = array.confirm_up_to(Sequence::new(number));
            let held = (1..=number).all(|number| model.retrieved.contains(&number));
            assert_eq!(done.is_ok(), held);
            if held {
                model.sent.extend(1..=number);
                model.confirmed.extend(1..=number);
            }
        }
        Step::Processed(ahead) => {
            let number = first + ahead;
            let done = array.process(Sequence::new(number));
            assert_eq!(done.is_err(), not_held(model, number));
            if done.is_ok() {
                model.sent.insert(number);
                model.confirmed.insert(number);
                model.processed.insert(number);
            }
        }
    }
}

fn agree(array: &Array, model: &Model) {
    let marks = array.marks();
    for (mark, flags) in [
        (&marks.retrieved, &model.retrieved),
        (&marks.sent, &model.sent),
        (&marks.confirmed, &model.confirmed),
        (&marks.processed, &model.processed),
    ] {
        assert_eq!(mark.up_to().get(), up_to(flags));
        assert_eq!(mark.highest().get(), flags.last().copied().unwrap_or(0));
    }
    let processed = up_to(&model.processed);
    for number in (processed + 1).saturating_sub(3).max(1)..=processed + 12 {
        let sequence = Sequence::new(number);
        let flags = array.flags(sequence);
        assert_eq!(flags.retrieved, model.retrieved.contains(&number));
        assert_eq!(flags.sent, model.sent.contains(&number));
        assert_eq!(flags.confirmed, model.confirmed.contains(&number));
        assert_eq!(flags.processed, model.processed.contains(&number));
        let waits = number <= model.accepted && !model.processed.contains(&number);
        assert_eq!(array.get(sequence).is_some(), waits);
    }
    let next = (1..=model.accepted).find(|number| !model.sent.contains(number));
    let next = next.filter(|number| (1..=*number).all(|n| model.retrieved.contains(&n)));
    assert_eq!(array.next_to_send().map(Sequence::get), next);
    let open: Vec<u64> = model.sent.difference(&model.confirmed).copied().collect();
    let resend: Vec<u64> = array.unconfirmed().map(Sequence::get).collect();
    assert_eq!(resend, open, "resent is what was sent and not confirmed");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn g6_pointers_follow_without_gaps_whatever_the_order(steps in prop::collection::vec(step(), 1..900)) {
        let mut array = Array::new(Side::Origin, Epoch::new(7).unwrap());
        let mut model = Model::default();
        for step in &steps {
            play(&mut array, &mut model, step);
            agree(&array, &model);
        }
    }

    #[test]
    fn g7_a_mirror_holds_each_message_once_at_its_origins_address(
        order in prop::collection::vec((0..40_u64, prop::bool::ANY), 1..600)
    ) {
        let mut mirror = Array::new(Side::Mirror, Epoch::new(7).unwrap());
        let mut held = BTreeSet::new();
        let mut handed_on = Vec::new();
        for (ahead, hand_on) in order {
            let number = handed_on.len() as u64 + 1 + ahead;
            let sequence = Sequence::new(number);
            let taken = mirror.take(sequence, parcel(&number.to_string())).unwrap();
            if held.insert(number) {
                prop_assert_eq!(taken, Taken::New);
                mirror.stored(sequence);
            } else {
                prop_assert_eq!(taken, Taken::Held);
            }
            prop_assert_eq!(mirror.at(sequence.address()), sequence);
            if hand_on {
                while let Some(next) = mirror.next_to_process() {
                    prop_assert_eq!(mirror.get(next), Some(&parcel(&next.get().to_string())));
                    mirror.process(next).unwrap();
                    handed_on.push(next.get());
                    prop_assert_eq!(mirror.take(next, parcel("again")), Ok(Taken::Done));
                }
            }
        }
        let expected: Vec<u64> = (1..=handed_on.len() as u64).collect();
        prop_assert_eq!(handed_on, expected, "each once, in order");
    }
}

#[test]
fn g8_a_full_ring_refuses_and_overwrites_nothing() {
    let mut array = Array::new(Side::Origin, Epoch::new(7).unwrap());
    for number in 1..=SLOTS {
        let sequence = array.accept(parcel(&number.to_string())).unwrap();
        array.stored(sequence);
    }
    assert_eq!(array.accept(parcel("one too many")), Err(Full));
    // The second is processed, the first not: there is no free slot in order.
    array.process(Sequence::new(2)).unwrap();
    assert_eq!(array.accept(parcel("one too many")), Err(Full));
    assert_eq!(array.get(Sequence::FIRST), Some(&parcel("1")));
    array.process(Sequence::new(1)).unwrap();
    let next = array.accept(parcel("256")).unwrap();
    assert_eq!(
        (next.get(), next.address().get(), next.lap().get()),
        (256, 1, 1)
    );
}

#[test]
fn a_far_end_that_lies_changes_nothing() {
    let mut array = Array::new(Side::Origin, Epoch::new(7).unwrap());
    let sequence = array.accept(parcel("one")).unwrap();
    let before = *array.marks();
    let lie = Sequence::new(9);
    for misstep in [
        array.confirm(lie).unwrap_err(),
        array.process(lie).unwrap_err(),
        array.confirm_up_to(lie).unwrap_err(),
        array.confirm(Sequence::NONE).unwrap_err(),
        // Accepted, but not durable yet: nobody can have it.
        array.confirm(sequence).unwrap_err(),
    ] {
        assert!(matches!(misstep, Misstep::NotHeld { .. }));
    }
    assert_eq!(*array.marks(), before);
    let mut mirror = Array::new(Side::Mirror, Epoch::new(7).unwrap());
    assert!(matches!(
        mirror.take(Sequence::new(256), parcel("x")),
        Err(Misstep::Beyond { .. })
    ));
    assert!(mirror.take(Sequence::new(u64::MAX), parcel("x")).is_err());
}

#[test]
fn a_far_end_that_speaks_of_all_up_to_beyond_a_gap_changes_nothing() {
    let mut mirror = Array::new(Side::Mirror, Epoch::new(7).unwrap());
    for number in [1, 2, 4] {
        let sequence = Sequence::new(number);
        mirror.take(sequence, parcel("x")).unwrap();
        mirror.stored(sequence);
    }
    let before = *mirror.marks();
    let beyond = Sequence::new(4);
    for refused in [mirror.confirm_up_to(beyond), mirror.process_up_to(beyond)] {
        assert!(matches!(refused, Err(Misstep::NotHeld { .. })));
    }
    assert_eq!(*mirror.marks(), before);
    mirror.process_up_to(Sequence::new(2)).unwrap();
    assert_eq!(mirror.marks().processed.up_to().get(), 2);
}

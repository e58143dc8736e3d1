//! Every fault that the simulator can play, once, in the middle of traffic: everything arrives, nothing is taken
//! twice that can be recognised, and the rule is kept.

use sluice::message::ReportWish;
use sluice::sim::{Fault, FaultKind, Point};

use sluice::smsc::courier::InDoubt;

use super::world::{Line, PHONE, World, message};

/// Messages each way in each world.
const MESSAGES: usize = 6;

const POINTS: [Point; 8] = [
    Point::Login,
    Point::Submit,
    Point::Alive,
    Point::Logout,
    Point::Delivery,
    Point::Report,
    Point::Taken,
    Point::Connect,
];

const KINDS: [FaultKind; 23] = [
    FaultKind::Late,
    FaultKind::Ignore,
    FaultKind::Silent,
    FaultKind::Refuse,
    FaultKind::Throttle,
    FaultKind::QueueFull,
    FaultKind::Nack,
    FaultKind::GeneralError,
    FaultKind::WrongChecksum,
    FaultKind::WrongNumber,
    FaultKind::NumberJump,
    FaultKind::NumberRestart,
    FaultKind::HalfFrame,
    FaultKind::DropUnseen,
    FaultKind::DropBefore,
    FaultKind::DropMiddle,
    FaultKind::DropAfter,
    FaultKind::Dribble,
    FaultKind::Duplicate,
    FaultKind::UnknownOperation,
    FaultKind::Malformed,
    FaultKind::Logout,
    FaultKind::Freeze,
];

/// A fault whose request may be refused for good, so that its message may end as refused.
const fn may_end_a_message(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Refuse | FaultKind::Nack)
}

async fn survives(line: Line, kind: FaultKind, on: Point) {
    let story = format!("{line:?}: {kind:?} on {on:?}");
    let mut world = World::hurried(line, InDoubt::Resend).await;
    let fault = Fault::new(kind, on)
        .after(if on == Point::Submit || on == Point::Delivery {
            2
        } else {
            0
        })
        .once()
        .wait(std::time::Duration::from_millis(300));
    world.simulator.fault(fault).unwrap();
    if matches!(on, Point::Login | Point::Connect) {
        world.simulator.logout_all();
    }
    let mut to_phone = Vec::new();
    let mut from_phone = Vec::new();
    for number in 1..=MESSAGES {
        to_phone.push(format!("to {number}"));
        world
            .offer(message(&to_phone[number - 1], ReportWish::Final))
            .await;
        from_phone.push(format!("from {number}"));
        world
            .simulator
            .phone_sends(PHONE, "17000", &from_phone[number - 1]);
    }
    tokio::time::timeout(std::time::Duration::from_secs(60), world.all_processed())
        .await
        .unwrap_or_else(|_| panic!("{story}: not all was answered: {:?}", world.status.state()));
    let mut taken = Vec::new();
    // What cannot be read is refused as the protocol says, and an SMPP SMSC takes that as its end.
    let unreadable =
        usize::from(line.is_smpp() && kind == FaultKind::Malformed && on == Point::Delivery);
    let missing = |taken: &[String]| {
        from_phone
            .iter()
            .filter(|text| !taken.contains(text))
            .count()
    };
    while missing(&taken) > unreadable {
        tokio::time::timeout(
            std::time::Duration::from_secs(60),
            world.something_to_take(),
        )
        .await
        .unwrap_or_else(|_| panic!("{story}: {taken:?} and no more: {:?}", world.status.state()));
        taken.extend(world.take_all());
    }
    let received: Vec<String> = world
        .simulator
        .received()
        .iter()
        .map(|got| got.text())
        .collect();
    let refused = world.status.refused.get();
    assert!(
        refused == 0 || may_end_a_message(kind),
        "{story}: {refused} refused"
    );
    let arrived = to_phone
        .iter()
        .filter(|text| received.contains(text))
        .count();
    assert!(
        arrived as u64 + refused >= MESSAGES as u64,
        "{story}: {received:?}"
    );
    let repeated = received.len() - arrived;
    let doubtful = world.status.doubtful.get();
    assert!(
        repeated as u64 <= doubtful,
        "{story}: {doubtful} in doubt, and the phone got {received:?}"
    );
    let twice = taken.len() + missing(&taken) - MESSAGES;
    // Without a time stamp of the SMSC a repetition out of the blue cannot be told from a new message.
    let unrecognisable = usize::from(line.is_smpp() && kind == FaultKind::Duplicate);
    assert!(twice <= unrecognisable, "{story}: taken twice: {taken:?}");
    assert_eq!(world.simulator.breaches(), Vec::<String>::new(), "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_simulator_is_survived() {
    let mut running = tokio::task::JoinSet::new();
    let mut played = 0;
    for line in [Line::Smpp, Line::Cimd2] {
        for kind in KINDS {
            for on in POINTS {
                let fault = Fault::new(kind, on);
                if fault.check().is_ok() && line.can_play(kind) {
                    played += 1;
                    running.spawn(survives(line, kind, on));
                }
            }
        }
    }
    assert!(played > 60, "the simulator plays many faults");
    let mut failed = 0;
    while let Some(ended) = running.join_next().await {
        failed += usize::from(ended.is_err());
    }
    assert_eq!(failed, 0, "the stories stand above");
}

//! What stands in logs, and what must not.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::lane::{Direction, Lane, RingName, Sequence, Side};
use sluice::log::access::Follower;
use sluice::log::listening;
use sluice::message::{
    Body, Coding, DeliveryKey, Item, Outcome, Party, PhoneNumber, Refusal, ShortCode, ShortMessage,
    SmscId, UserDataHeader,
};
use sluice::ring::{Parcel, RingFile};

/// Everything that was written.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<u8>>>);

impl io::Write for Ear {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Ear {
    fn heard(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn listen() -> (Ear, tracing::subscriber::DefaultGuard) {
    let ear = Ear::default();
    let writer = ear.clone();
    let guard = tracing::subscriber::set_default(listening(move || writer.clone()));
    (ear, guard)
}

const NUMBER: &str = "358401234567";
const TEXT: &str = "meet me at the old bridge";

fn parcel(at: WallTime) -> Parcel {
    let body = Body::new(
        Coding::Octets,
        UserDataHeader::NONE,
        Bytes::from_static(TEXT.as_bytes()),
    )
    .unwrap();
    let from = Party::Phone(PhoneNumber::new(NUMBER).unwrap());
    let to = Party::ShortCode(ShortCode::new("12345").unwrap());
    let item = Item::Message(ShortMessage::new(from, to, body));
    Parcel::pack(&item, at, DeliveryKey::NONE).unwrap()
}

/// The lines without time, level and target.
fn told(heard: &str) -> Vec<String> {
    heard
        .lines()
        .filter_map(|line| {
            line.split_once("sluice_access: ")
                .map(|(_, told)| told.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn each_change_of_each_message_has_a_line() {
    let lane = Lane::new("oslo", "carrier-1").unwrap();
    let mo = RingName::new(lane.clone(), Direction::Mo, Side::Origin);
    let mt = RingName::new(lane, Direction::Mt, Side::Mirror);
    let file = RingFile::in_memory(&[mo.clone(), mt.clone()]).unwrap();
    let (origin, mirror) = (file.ring(&mo).unwrap(), file.ring(&mt).unwrap());
    let at = WallTime::from_unix_ms(1_000_000);
    let after = |ms: u64| WallTime::from_unix_ms(1_000_000 + ms);
    // What was there before is not told again.
    origin.append(parcel(at)).await.unwrap();
    let (ear, _guard) = listen();
    let (mut of_origin, mut of_mirror) =
        (Follower::new(origin.clone()), Follower::new(mirror.clone()));
    origin.append(parcel(at)).await.unwrap();
    of_origin.step(after(2));
    origin.mark_sent(Sequence::new(2)).unwrap();
    origin.mark_sent(Sequence::new(1)).unwrap();
    of_origin.step(after(3));
    let accepted = Outcome::Accepted(SmscId::NONE);
    let ended = vec![(Sequence::new(2), Some(accepted))];
    origin.process_all(ended).unwrap();
    of_origin.step(after(300));
    let numbered = |number| (Sequence::new(number), parcel(at));
    mirror.store(vec![numbered(1), numbered(2)]).await.unwrap();
    of_mirror.step(after(9));
    mirror.offer(Sequence::new(1)).await.unwrap();
    let id = SmscId::new(Bytes::from_static(b"3f2a")).unwrap();
    mirror
        .process_with(Sequence::new(1), Outcome::Accepted(id))
        .unwrap();
    let refusal = Refusal::new(Some(11), "no such number 358401234567");
    mirror
        .process_with(Sequence::new(2), Outcome::Refused(refusal))
        .unwrap();
    of_mirror.step(after(9));
    let lines = told(&ear.heard());
    let mo = |sequence: u64, what, after| {
        format!(
            "{what} lane=oslo/carrier-1 direction=mo sequence={sequence} address={sequence} after_us={after}"
        )
    };
    let mt = |sequence: u64, what| {
        format!(
            "{what} lane=oslo/carrier-1 direction=mt sequence={sequence} address={sequence} after_us=9000"
        )
    };
    assert_eq!(
        lines,
        [
            mo(2, "retrieved", 2_000),
            mo(1, "sent", 3_000),
            mo(2, "sent", 3_000),
            mo(2, "confirmed", 300_000),
            format!("{} detail=\"accepted\"", mo(2, "processed", 300_000)),
            mt(1, "retrieved"),
            mt(2, "retrieved"),
            mt(1, "confirmed"),
            mt(2, "confirmed"),
            mt(1, "offered"),
            format!("{} detail=\"accepted\"", mt(1, "processed")),
            format!("{} detail=\"refused 11\"", mt(2, "processed")),
        ]
    );
    let heard = ear.heard();
    assert!(!heard.contains(NUMBER) && !heard.contains(TEXT), "{heard}");
    // Nor the middle of it.
    assert!(!heard.contains(&NUMBER[3..9]), "{heard}");
}

/// Who looks late does not take the outcome of a later message for that of an earlier one, nor an earlier one for doubtful.
#[tokio::test]
async fn a_log_that_lags_a_whole_lap_says_nothing_of_what_it_did_not_see() {
    let lane = Lane::new("oslo", "carrier-1").unwrap();
    let name = RingName::new(lane, Direction::Mt, Side::Mirror);
    let file = RingFile::in_memory(std::slice::from_ref(&name)).unwrap();
    let mirror = file.ring(&name).unwrap();
    let (ear, _guard) = listen();
    let at = WallTime::from_unix_ms(1_000_000);
    let mut follower = Follower::new(mirror.clone());
    for number in (1..=256).map(Sequence::new) {
        mirror.store(vec![(number, parcel(at))]).await.unwrap();
        let outcome = Outcome::Accepted(SmscId::NONE);
        mirror.process_with(number, outcome).unwrap();
    }
    follower.step(WallTime::from_unix_ms(1_000_009));
    let lines = told(&ear.heard());
    let processed = lines.iter().filter(|line| line.starts_with("processed"));
    let (known, unknown): (Vec<_>, Vec<_>) =
        processed.partition(|line| line.ends_with("detail=\"accepted\""));
    assert_eq!((known.len(), unknown.len()), (255, 1), "{unknown:?}");
    let first = unknown[0];
    assert!(
        first.contains("sequence=1 address=1") && !first.contains("detail"),
        "{first}"
    );
}

/// Everything that could be said of a message, at every level, says nothing of it.
#[tokio::test]
async fn a_message_in_a_log_shows_its_kind_and_length_only() {
    let (ear, _guard) = listen();
    let parcel = parcel(WallTime::from_unix_ms(5));
    let item = parcel.unpack().unwrap();
    tracing::trace!(?item, "an item");
    let Item::Message(message) = item else {
        panic!("a message was packed");
    };
    tracing::error!(sender = ?message.sender, recipient = ?message.recipient, body = ?message.body, "all of it");
    let heard = ear.heard();
    assert_eq!(heard.lines().count(), 2, "{heard}");
    assert!(
        !heard.contains(NUMBER) && !heard.contains(&NUMBER[3..9]),
        "{heard}"
    );
    assert!(!heard.contains("bridge"), "{heard}");
}

#[test]
fn words_from_outside_cannot_begin_a_line_of_their_own() {
    let (ear, _guard) = listen();
    tracing::warn!("peer said {}", "hello\n<0>sluice: forged \u{1b}[31m");
    let heard = ear.heard();
    assert_eq!(heard.lines().count(), 1, "{heard}");
    assert!(heard.contains("hello\\n<0>sluice: forged"), "{heard}");
    assert!(!heard.contains('\u{1b}'), "{heard}");
}

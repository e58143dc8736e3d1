//! The ledger and the IM service: each text has one fate, errands outlive the process, and reports say what they know of a
//! phone.

use std::time::Duration;

use tokio::sync::watch;

use super::errands::Errand;
use super::record::State;
use super::tracks::Ended;
use super::*;
use crate::central::config::CentralConfig;
use crate::central::mark::Mark;
use crate::central::talk::What;
use crate::clock::WallTime;
use crate::im::config::PhoneConfig;
use crate::im::names::TextId;
use crate::im::phone::TextToPhone;
use crate::lane::{Direction, Lane, RingName, Sequence, Side};
use crate::message::{Outcome, Refusal, SmscId};
use crate::message::{PhoneNews, PhoneNumber, Report, ReportState, ShortCode};
use crate::private::Private;
use crate::ring::{Ring, RingFile};
use crate::store::Batch;
use crate::store::Store;
use crate::store::memory::Memory;

struct World {
    ledger: Arc<Ledger>,
    store: Store,
    ring: Ring,
    _config: watch::Sender<Arc<CentralConfig>>,
}

fn config(has_phones: bool) -> CentralConfig {
    let phones = PhoneConfig::new(ShortCode::new("17000").unwrap());
    let mut config = CentralConfig {
        im: Some(crate::im::config::Config {
            phones: has_phones.then_some(phones),
            ..Default::default()
        }),
        ..CentralConfig::default()
    };
    // A report that does not come at once does not come.
    config.tracking.report_timeout = Duration::ZERO;
    config
}

fn world(store: Store, config: CentralConfig) -> World {
    let (_config, watched) = watch::channel(Arc::new(config));
    let lane = Lane::new("oslo", "a").unwrap();
    let name = RingName::new(lane, Direction::Mt, Side::Origin);
    let file = RingFile::in_memory(std::slice::from_ref(&name)).unwrap();
    World {
        ledger: Arc::new(Ledger::open(store.clone(), watched).unwrap()),
        store,
        ring: file.ring(&name).unwrap(),
        _config,
    }
}

fn text(number: u8, words: &str, report: bool) -> TextToPhone {
    TextToPhone {
        id: TextId::from_octets([number; 16]),
        sender: ShortCode::new("17000").unwrap().into(),
        recipient: PhoneNumber::new("+358401234567").unwrap(),
        text: Private::new(words.into()),
        report,
        valid_until: None,
    }
}

impl World {
    async fn carry(&self, texts: Vec<TextToPhone>) {
        let mut with = Batch::new();
        with.put("im", "what the service keeps");
        self.ledger.carry(texts, with).unwrap().await.unwrap();
    }

    async fn ended(&self, number: u8, outcome: Outcome) {
        let mark = Mark {
            id: u128::from_be_bytes([number; 16]),
            part: 1,
            total: 1,
        };
        let ended = Ended {
            sequence: Sequence::new(u64::from(number)),
            mark: Some(mark),
            outcome,
            times: crate::ring::Times::default(),
        };
        self.ledger.ended(&self.ring, vec![ended]).await.unwrap();
    }

    /// The fates that wait, by the number of their text.
    fn fates(&self) -> Vec<(u8, State)> {
        let errands = self.ledger.errands(self.ledger.served_up_to(), 100);
        errands
            .unwrap()
            .into_iter()
            .map(|(_, errand)| match errand {
                Errand::Fate { id, state, .. } => (id.to_be_bytes()[0], state),
                Errand::Text { .. } | Errand::Phone { .. } => panic!("no fate"),
            })
            .collect()
    }

    /// Sweeps until the millisecond is over in which the wait ended.
    async fn sweep_until_told(&self) {
        while self.fates().is_empty() {
            self.ledger.sweep().await.unwrap();
        }
    }

    async fn serve(&self) {
        let errands = self.ledger.errands(self.ledger.served_up_to(), 100);
        let numbers: Vec<u64> = errands.unwrap().into_iter().map(|(n, _)| n).collect();
        self.ledger.served_these(&numbers).await.unwrap();
    }
}

fn accepted() -> Outcome {
    Outcome::Accepted(SmscId::new(bytes::Bytes::from_static(b"17")).unwrap())
}

#[tokio::test]
async fn each_text_has_one_fate_whatever_is_heard_of_it() {
    let world = world(Store::new(Memory::default()), config(true));
    let endless = "endless ".repeat(400);
    let texts = vec![
        text(1, "no report", false),
        text(2, "with a report that never comes", true),
        text(3, &endless, true),
        text(4, "refused", false),
    ];
    world.carry(texts).await;
    assert_eq!(
        world.store.read(b"im").unwrap().unwrap(),
        "what the service keeps"
    );
    // What nobody could send does not wait for a lane.
    assert_eq!(world.fates(), [(3, State::Refused)]);
    let standing = world.ledger.standing();
    assert_eq!(
        (standing.waiting, standing.of_service, standing.errands),
        (3, 3, 1)
    );
    world.serve().await;
    assert_eq!(world.ledger.standing().errands, 0);

    world.ended(1, accepted()).await;
    world.ended(2, accepted()).await;
    let why = Refusal::new(None, "no such subscriber");
    world.ended(4, Outcome::Refused(why)).await;
    // The same may be told twice, over two connections.
    world.ended(1, accepted()).await;
    assert_eq!(world.fates(), [(1, State::Sent), (4, State::Refused)]);
    world.serve().await;
    // The report was waited for long enough.
    world.sweep_until_told().await;
    assert_eq!(world.fates(), [(2, State::Sent)]);
    world.serve().await;
    world.ledger.sweep().await.unwrap();
    assert_eq!(world.fates(), []);
}

#[tokio::test]
async fn errands_outlive_the_process_and_their_numbers_are_never_anothers() {
    let store = Store::new(Memory::default());
    let first = world(store.clone(), config(true));
    first
        .carry(vec![text(1, "one", false), text(2, "two", false)])
        .await;
    first.ended(1, accepted()).await;
    first.ended(2, accepted()).await;
    let errands = first.ledger.errands(0, 1).unwrap();
    first.ledger.served_these(&[errands[0].0]).await.unwrap();
    drop(first);
    let second = world(store.clone(), config(true));
    assert_eq!(second.ledger.served_up_to(), 1);
    assert_eq!(second.fates(), [(2, State::Sent)]);
    second.serve().await;
    drop(second);
    let third = world(store, config(true));
    third
        .carry(vec![text(3, &"endless ".repeat(400), false)])
        .await;
    assert_eq!(third.ledger.errands(2, 10).unwrap()[0].0, 3);
    // Whoever waits for what was served before does not wait.
    third.ledger.served(2).await;
}

#[tokio::test]
async fn what_nobody_is_there_for_comes_to_the_desk() {
    let store = Store::new(Memory::default());
    let before = world(store.clone(), config(true));
    before.carry(vec![text(1, "one", false)]).await;
    before.ended(1, accepted()).await;
    {
        let promise = {
            let mut books = before.ledger.books();
            books.send_out(&Errand::Text {
                from: PhoneNumber::new("+358401234567").unwrap(),
                to: ShortCode::new("17000").unwrap(),
                text: "hello".into(),
                lane: "oslo/a".into(),
                at: WallTime::from_unix_ms(7),
                missing: Vec::new(),
            });
            books.note_counters();
            before.ledger.hand(&mut books, false).unwrap()
        };
        before.ledger.keep(promise).await.unwrap();
    }
    drop(before);
    let after = world(store, config(false));
    after.ledger.take_errands_back().await.unwrap();
    assert_eq!(after.ledger.standing().errands, 0);
    let inbox = after.ledger.inbox(0, 10).unwrap();
    let [entry] = inbox.as_slice() else {
        panic!("{inbox:?}");
    };
    let What::Message { from, to, text, .. } = &entry.what else {
        panic!("{entry:?}");
    };
    assert_eq!((from.as_str(), to.as_str()), ("+358401234567", "17000"));
    assert_eq!(text, "hello");
    // Nothing is left that could come twice.
    after.ledger.take_errands_back().await.unwrap();
    assert_eq!(after.ledger.inbox(0, 10).unwrap().len(), 1);
}

/// What the carrier has named `17` came so far.
fn report(state: ReportState, phone: Option<PhoneNews>) -> Report {
    Report {
        id: SmscId::new(bytes::Bytes::from_static(b"17")).unwrap(),
        sender: None,
        recipient: Some(PhoneNumber::new("+358401234567").unwrap().into()),
        state,
        error: None,
        phone,
        done_at: bytes::Bytes::new(),
        text: bytes::Bytes::new(),
    }
}

impl World {
    async fn reported(&self, report: &Report) -> bool {
        let lane = self.ring.name().lane.clone();
        let (promise, last, is_known) = {
            let mut books = self.ledger.books();
            let wall = WallTime::from_unix_ms(7);
            let is_known = books.report(&lane, report, wall).unwrap();
            books.note_counters();
            let last = books.counters;
            let promise = self.ledger.hand(&mut books, false).unwrap();
            (promise, last, is_known)
        };
        self.ledger.keep(promise).await.unwrap();
        self.ledger.told(&last);
        is_known
    }

    /// What waits, as it says something of a phone.
    async fn news(&self) -> Vec<String> {
        let errands = self.ledger.errands(self.ledger.served_up_to(), 100);
        let news = errands
            .unwrap()
            .into_iter()
            .map(|(_, errand)| match errand {
                Errand::Fate { state, phone, .. } => {
                    format!("{} {:?}", state.as_str(), phone.map(|(_, news)| news))
                }
                Errand::Phone { number, news } => format!("+{} {news:?}", number.digits()),
                Errand::Text { .. } => panic!("a text"),
            });
        let news = news.collect();
        self.serve().await;
        news
    }
}

#[tokio::test]
async fn what_a_report_says_of_the_phone_is_told_with_the_fate_or_by_itself() {
    let world = world(Store::new(Memory::default()), config(true));
    world.carry(vec![text(1, "are you there?", true)]).await;
    world.ended(1, accepted()).await;
    // A passing fault, again, and one that says nothing; then the end.
    let off = Some(PhoneNews::Off);
    assert!(world.reported(&report(ReportState::EnRoute, off)).await);
    assert_eq!(world.news().await, ["+358401234567 Off"]);
    assert!(world.reported(&report(ReportState::EnRoute, None)).await);
    assert_eq!(world.news().await, Vec::<String>::new());
    let reached = Some(PhoneNews::Reached);
    assert!(
        world
            .reported(&report(ReportState::Delivered, reached))
            .await
    );
    assert_eq!(world.news().await, ["delivered Some(Reached)"]);
    // Nothing is open under the name any more: nobody else's report says anything of this phone.
    assert!(!world.reported(&report(ReportState::EnRoute, off)).await);
    assert_eq!(world.news().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_report_after_the_fate_was_told_still_says_something_of_the_phone() {
    let world = world(Store::new(Memory::default()), config(true));
    world.carry(vec![text(1, "are you there?", true)]).await;
    world.ended(1, accepted()).await;
    world.sweep_until_told().await;
    assert_eq!(world.news().await, ["sent None"]);
    let absent = Some(PhoneNews::Absent);
    assert!(world.reported(&report(ReportState::Expired, absent)).await);
    assert_eq!(world.news().await, ["+358401234567 Absent"]);
    // Of another phone than the text's nothing is believed.
    world.carry(vec![text(2, "and you?", true)]).await;
    world.ended(2, accepted()).await;
    let stranger = Report {
        recipient: Some(PhoneNumber::new("+358409999999").unwrap().into()),
        ..report(ReportState::EnRoute, absent)
    };
    assert!(!world.reported(&stranger).await);
}

//! The inbox over restarts, lost connections and several points: each point sees every message once, in order.

use std::collections::BTreeMap;

use std::path::Path;

use serde_json::{Value, json};
use sluice::store::Store;
use sluice::store::memory::Memory;

use crate::chance::{Chance, from_environment};
use crate::engines::{DISK, Machine};
use crate::im_client::{ImClient, Session};
use crate::town::{Town, anywhere, message, soon, text_of};

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// A device, with what it has seen. It keeps its session and its position, whatever happens to the connection.
struct Point {
    user: usize,
    session: Session,
    line: Option<ImClient>,
    /// The last entry that it has.
    position: u64,
    texts: Vec<String>,
}

impl Point {
    fn take(&mut self, heard: &Value) {
        // What it had on the line when it broke comes again behind its position, and nowhere else.
        let Some(position) = heard["position"].as_u64() else {
            return;
        };
        assert!(
            position > self.position,
            "{position} after {}: {heard}",
            self.position
        );
        self.position = position;
        self.texts.extend(text_of(heard).map(String::from));
    }

    /// Reads until it has everything up to there.
    async fn read_up_to(&mut self, last: u64) {
        while self.position < last {
            let line = self.line.as_mut().unwrap();
            let heard = match line.unasked.is_empty() {
                false => line.unasked.remove(0),
                true => soon(line.hear()).await.unwrap(),
            };
            self.take(&heard);
            if self.position.is_multiple_of(50) {
                self.confirm().await;
            }
        }
    }

    async fn confirm(&mut self) {
        let position = self.position;
        let line = self.line.as_mut().unwrap();
        line.say("Received", serde_json::json!({"position": position}))
            .await;
    }

    async fn come_back(&mut self, town: &Town) {
        let resumed = soon(async {
            // While the service begins again it lets in whom it does not know yet.
            loop {
                let mut line = town.stranger().await;
                if let Some(resumed) = line.resume(&self.session, self.position).await {
                    return (line, resumed);
                }
            }
        });
        let (line, resumed) = resumed.await;
        assert_eq!(resumed["primitive"], "SignedIn", "{resumed}");
        self.line = Some(line);
    }
}

/// What a town's records lie on.
enum Ground<'a> {
    Memory,
    /// A real store, which is closed and opened again with central, and whose disk is full now and then.
    Disk(&'a Machine, &'a Path),
}

impl Ground<'_> {
    fn store(&self) -> Store {
        match self {
            Self::Memory => Store::new(Memory::default()),
            Self::Disk(machine, directory) => Store::new(machine.store(directory).unwrap()),
        }
    }

    /// Central is started again.
    async fn restart(&self, town: &mut Town) {
        town.close().await;
        if let Self::Disk(..) = self {
            town.store.close().unwrap();
            // Nobody else holds it; the lock is free.
            town.store = Store::new(Memory::default());
            town.store = self.store();
        }
        town.open().await;
    }
}

/// A message for which there is no room: nobody hears of it, all lines end, and asked again under its name it is said once.
async fn find_no_room(
    machine: &Machine,
    town: &Town,
    points: &mut [Point],
    which: usize,
    elements: &Value,
) {
    machine.free(0);
    let line = points[which].line.as_mut().unwrap();
    let transaction = line.say("Message", elements.clone()).await;
    if let Some(transaction) = &transaction {
        assert_eq!(
            soon(line.answer(transaction)).await,
            None,
            "it is not stored"
        );
    }
    machine.free(DISK / 2);
    points.iter_mut().for_each(|point| point.line = None);
    let point = &mut points[which];
    point.come_back(town).await;
    let line = point.line.as_mut().unwrap();
    let Some(transaction) = transaction else {
        let answer = soon(line.ask("Message", elements.clone())).await.unwrap();
        line.unasked.push(answer);
        return;
    };
    // Twice, for good measure.
    let request = json!({"primitive": "Message", "transaction": transaction, "elements": elements});
    for _ in 0..2 {
        assert!(line.write(request.to_string()).await);
    }
    let answer = soon(line.answer(&transaction)).await.unwrap();
    assert_eq!(answer["primitive"], "Accepted", "{answer}");
    line.unasked.push(answer.clone());
    let again = soon(line.answer(&transaction)).await.unwrap();
    assert_eq!(again, answer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_point_sees_every_message_once_in_order_over_restarts_and_losses() {
    let seed = from_environment("SLUICE_SEED", u64::from(getrandom::u32().unwrap()));
    println!("SLUICE_SEED={seed}");
    for round in 0..3 {
        story(seed + round, &Ground::Memory).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_point_sees_every_message_once_in_order_on_a_disk_that_is_full_at_times() {
    let seed = from_environment("SLUICE_SEED", u64::from(getrandom::u32().unwrap()));
    println!("SLUICE_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::new();
    let directory = folder.path().join("store");
    story(seed, &Ground::Disk(&machine, &directory)).await;
}

async fn story(seed: u64, ground: &Ground<'_>) {
    let mut chance = Chance::new(seed);
    let mut town = Town::of(ground.store(), &PEOPLE, anywhere()).await;
    let mut points = Vec::new();
    for (user, name) in PEOPLE.iter().enumerate() {
        for _ in 0..2 {
            let (line, session) = town.sign_in(name).await;
            points.push(Point {
                user,
                session,
                line: Some(line),
                position: 0,
                texts: Vec::new(),
            });
        }
    }
    // What was said to each, and where each one's log ends.
    let mut said: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut written = 0;
    for _ in 0..150 {
        let which = chance.below(points.len() as u64) as usize;
        match chance.below(10) {
            0..=5 => {
                let writer = points[which].user;
                let Some(line) = &mut points[which].line else {
                    continue;
                };
                let to = chance.below(PEOPLE.len() as u64) as usize;
                if to == writer {
                    continue;
                }
                written += 1;
                let text = format!("{written}{}", "x".repeat(chance.below(2000) as usize));
                let answer = soon(line.ask("Message", message(PEOPLE[to], &text)))
                    .await
                    .unwrap();
                assert_eq!(answer["primitive"], "Accepted", "seed {seed}: {answer}");
                // The answer stands for an entry of the sender's own log; it comes in its place.
                line.unasked.push(answer);
                said.entry(to).or_default().push(text);
            }
            6 => points[which].line = None,
            7 if points[which].line.is_none() => points[which].come_back(&town).await,
            8 => {
                let point = &mut points[which];
                if let Some(line) = &mut point.line {
                    let heard = std::mem::take(&mut line.unasked);
                    heard.iter().for_each(|heard| point.take(heard));
                    point.confirm().await;
                }
            }
            _ if chance.percent(30) => {
                points.iter_mut().for_each(|point| point.line = None);
                ground.restart(&mut town).await;
            }
            _ if chance.percent(30) => {
                let Ground::Disk(machine, _) = ground else {
                    continue;
                };
                if points[which].line.is_none() {
                    continue;
                }
                let to = (points[which].user + 1) % PEOPLE.len();
                written += 1;
                let text = format!("{written}");
                let elements = message(PEOPLE[to], &text);
                find_no_room(machine, &town, &mut points, which, &elements).await;
                said.entry(to).or_default().push(text);
            }
            _ => {}
        }
    }
    for point in &mut points {
        point.line = None;
        point.come_back(&town).await;
        let expected = said.get(&point.user).cloned().unwrap_or_default();
        while point.texts.len() < expected.len() {
            let next = point.position + 1;
            point.read_up_to(next).await;
        }
        assert_eq!(
            point.texts, expected,
            "seed {seed}: a point of {}",
            PEOPLE[point.user]
        );
    }
    town.close().await;
}

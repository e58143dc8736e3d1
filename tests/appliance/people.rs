//! People with clients of their own at central, and phones at the SMSC: they write to one another through all of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::im_client::{ImClient, Session};
use crate::until;
use crate::world::{PATIENCE, Setting, World, free_port};

const PASSWORD: &str = "correct horse";
pub(crate) const PHONE: &str = "+358401234567";

/// A town: some people with the client `pc`, the appliance, and a carrier's phones.
pub(crate) struct Town {
    pub(crate) world: World,
    door: SocketAddr,
    client_id: String,
}

impl Town {
    pub(crate) fn new(people: &[&str], setting: Setting) -> Self {
        let door = free_port();
        let world = World::new(&Setting {
            numbers: "'171*'".into(),
            central: format!(
                "[im]\npassword_memory_kib = 64\npassword_passes = 1\nmessages_per_second = 10000\n\
                 [im.door]\nlisten = '{door}'\n[im.phones]\nnumber = '17000'\nreply_first = '17100'\n\
                 reply_count = 100\ntexts_per_hour = 100000\n"
            ),
            ..setting
        });
        let mut town = Self {
            world,
            door,
            client_id: String::new(),
        };
        std::fs::create_dir_all(town.world.path().join("store")).expect("a folder");
        for person in people {
            let told = town.sluice(&["user", "add", person], &format!("{PASSWORD}\n"));
            assert_eq!(told, format!("{person} is registered\n"));
        }
        let told = town.sluice(&["client", "add", "pc"], "");
        let (_, id) = told.trim_end().rsplit_once(' ').expect("its id");
        town.client_id = id.to_owned();
        town
    }

    /// Runs a command on central's configuration, whether or not central runs.
    fn sluice(&self, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(arguments)
            .arg("--config")
            .arg(self.world.path().join("central.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sluice runs");
        let mut typed = child.stdin.take().expect("piped");
        // It may not want to know.
        let _unread = typed.write_all(input.as_bytes());
        drop(typed);
        let output = child.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    }

    /// The exit code of central's status, and what it shows.
    fn status(&self) -> (Option<i32>, Value) {
        let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["status", "--json", "--socket"])
            .arg(self.world.path().join("central.sock"))
            .output()
            .expect("sluice runs");
        let seen = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), seen)
    }

    pub(crate) async fn resume(&self, session: &Session) -> ImClient {
        let mut client = connection(self.door).await;
        let resumed = client.resume(session, 0).await.expect("an answer");
        assert_eq!(resumed["primitive"], "SignedIn", "{resumed}");
        client
    }

    pub(crate) async fn sign_in(&self, who: &str) -> (ImClient, Session) {
        let mut client = connection(self.door).await;
        let session = client.sign_in(who, "pc", &self.client_id, PASSWORD).await;
        (client, session.expect("the sign-in is right"))
    }
}

/// A connection, as soon as central is there.
async fn connection(door: SocketAddr) -> ImClient {
    let begun = Instant::now();
    loop {
        if let Some(client) = ImClient::connect(door).await {
            return client;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody opens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The next primitive that is not asked for, by name and elements.
pub(crate) async fn unasked(client: &mut ImClient) -> Value {
    let heard = match client.unasked.is_empty() {
        true => tokio::time::timeout(PATIENCE, client.hear()).await,
        false => Ok(Some(client.unasked.remove(0))),
    };
    heard.expect("something comes").expect("the door is open")
}

fn to_phone(text: &str) -> Value {
    json!({"to": {"phone": PHONE}, "saying": {"text": text}, "report": true})
}

/// Waits until a phone has got so many texts; the sender and text of each.
pub(crate) fn at_the_phone(world: &World, count: usize) -> Vec<(String, String)> {
    until("a text at the phone", || {
        let got = world.recorded("phone");
        (got.len() >= count).then(|| {
            let text = |record: &Value, key: &str| record[key].as_str().expect("text").to_owned();
            got.iter()
                .map(|record| (text(record, "from"), text(record, "text")))
                .collect()
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_a_person_and_a_phone_write_to_each_other_and_replies_find_the_right_one() {
    let mut town = Town::new(
        &["alice", "bob"],
        Setting {
            lanes: 2,
            script: "[[phone]]\nnumber = '+358409999999'\nfate = 'undeliverable'\n".into(),
            ..Setting::default()
        },
    );
    let central = town.world.start("central");
    let edge = town.world.start("edge");
    let (mut alice, _) = town.sign_in("alice").await;
    let (mut bob, _) = town.sign_in("bob").await;
    until("status knows of them", || {
        let (_, seen) = town.status();
        (seen["im"]["users"] == 2).then_some(())
    });

    // To the phone, from both; each has a number of its own there. The carrier's report comes back.
    let accepted = alice.ask("Message", to_phone("Are you coming?")).await;
    let accepted = accepted.expect("an answer");
    assert_eq!(accepted["primitive"], "Accepted", "{accepted}");
    let delivered = unasked(&mut alice).await;
    assert_eq!(delivered["primitive"], "Delivered", "{delivered}");
    assert_eq!(delivered["elements"]["fate"], "delivered");
    assert_eq!(
        delivered["elements"]["message"],
        accepted["elements"]["message"]
    );
    bob.ask("Message", to_phone("Bring bread")).await;
    assert_eq!(
        at_the_phone(&town.world, 2),
        [
            ("17100".into(), "alice: Are you coming?".into()),
            ("17101".into(), "bob: Bring bread".into())
        ]
    );
    assert_eq!(unasked(&mut bob).await["elements"]["fate"], "delivered");

    // And back: by the number that is answered to, one SMS or several.
    // More than a record of the store holds.
    let long = "The ferry from Turku is late today, and so am I. ".repeat(120);
    for (number, text) in [("17101", "Will do"), ("17100", long.trim_end())] {
        let told = town
            .world
            .smsc
            .ask(&format!("send {PHONE} {number} {text}"));
        assert_eq!(told, "sent");
    }
    let heard = unasked(&mut bob).await;
    assert_eq!(heard["primitive"], "Message", "{heard}");
    assert_eq!(heard["elements"]["saying"]["text"], "Will do");
    assert_eq!(heard["elements"]["from"]["phone"], &PHONE[1..]);
    let heard = unasked(&mut alice).await;
    assert_eq!(heard["elements"]["saying"]["text"], long.trim_end());

    // One that cannot be reached, and one that nobody could send.
    let nobody = json!({
        "to": {"phone": "+358409999999"}, "saying": {"text": "Anybody home?"}, "report": true,
    });
    alice.ask("Message", nobody).await;
    let failed = unasked(&mut alice).await;
    assert_eq!(failed["elements"]["fate"], "failed", "{failed}");
    let endless = to_phone(&"never ending ".repeat(250));
    let accepted = alice.ask("Message", endless).await.expect("an answer");
    if accepted["primitive"] == "Accepted" {
        let failed = unasked(&mut alice).await;
        assert_eq!(failed["elements"]["fate"], "failed", "{failed}");
        let reason = failed["elements"]["reason"].as_str().expect("a reason");
        assert!(reason.contains("16 are allowed"), "{failed}");
    }

    // What is written to another short code is the desk's, as ever.
    assert_eq!(
        town.world
            .smsc
            .ask(&format!("send {PHONE} 17001 to a program")),
        "sent"
    );
    let mut desk = town.world.desk();
    assert!(desk.say(&json!({"do": "inbox", "after": 0})));
    let entry = until("an entry", || desk.hear().expect("the desk is there"));
    assert_eq!(entry["entry"]["number"], 1, "{entry}");
    assert_eq!(entry["entry"]["message"]["text"], "to a program");

    // Clients are told to come back when it stops.
    drop(bob);
    let stopping = std::thread::spawn(move || central.terminate());
    assert_eq!(alice.hear().await, None);
    let (took, code) = stopping.join().expect("it ended");
    assert_eq!(code, Some(0), "{}", town.world.log("central"));
    assert!(took < Duration::from_secs(5), "it took {took:?} to stop");
    edge.terminate();
    assert!(
        !town.world.log("central").contains("ERROR"),
        "{}",
        town.world.log("central")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_registered_and_shut_out_at_a_running_central() {
    let town = Town::new(&["alice"], Setting::default());
    let central = town.world.start("central");
    let (mut alice, _) = town.sign_in("alice").await;
    // What it says is what it says while central is stopped.
    let secret = format!("{PASSWORD}\n");
    assert_eq!(
        town.sluice(&["user", "add", "Bob"], &secret),
        "bob is registered\n"
    );
    assert_eq!(
        town.sluice(&["user", "add", "bob"], &secret),
        "sluice: user name: is taken\n"
    );
    assert_eq!(
        town.sluice(&["user", "add", "carol"], "short\n"),
        "sluice: password: is shorter than 8 characters\n"
    );
    assert_eq!(
        town.sluice(&["user", "shut", "carol"], ""),
        "sluice: user name: is not registered\n"
    );
    assert_eq!(town.sluice(&["user", "ls"], ""), "alice\nbob\n");
    assert_eq!(town.sluice(&["client", "ls"], ""), "pc\n");
    let (mut bob, _) = town.sign_in("bob").await;

    // Who is shut out is out at once, and cannot come back; the others notice nothing.
    assert_eq!(
        town.sluice(&["user", "shut", "alice"], ""),
        "alice is shut out\n"
    );
    assert_eq!(alice.hear().await, None);
    assert_eq!(town.sluice(&["user", "ls"], ""), "alice (shut)\nbob\n");
    let mut again = connection(town.door).await;
    let refused = again
        .sign_in("alice", "pc", &town.client_id, PASSWORD)
        .await;
    assert!(refused.is_none());
    assert!(bob.ask("GetSettings", json!({})).await.is_some());
    let (_, seen) = town.status();
    assert_eq!(seen["im"]["refused_sign_ins"], 1, "{seen}");
    assert_eq!(
        town.sluice(&["user", "open", "alice"], ""),
        "alice is let in again\n"
    );
    let (mut alice, _) = town.sign_in("alice").await;

    // A password with blanks at its ends goes over the socket as it is; the old one ends with all sessions.
    let told = town.sluice(&["user", "password", "alice"], "  another  one \n");
    assert_eq!(told, "alice has a new password\n");
    assert_eq!(alice.hear().await, None);
    let mut alice = connection(town.door).await;
    let session = alice
        .sign_in("alice", "pc", &town.client_id, "  another  one ")
        .await;
    assert!(session.is_some());
    let log = town.world.log("central");
    assert!(!log.contains("another"), "{log}");

    // Its store alone leads nowhere while it runs, and says what does.
    let store = town.world.path().join("store");
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["user", "ls", "--store"])
        .arg(&store)
        .output()
        .expect("sluice runs");
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        told.contains("name its status socket with --socket"),
        "{told}"
    );
    central.terminate();
    assert_eq!(town.sluice(&["user", "ls"], ""), "alice\nbob\n");
    std::fs::remove_dir_all(&store).expect("it is ours");
    let told = town.sluice(&["user", "ls"], "");
    assert!(
        told.contains("no central is running here") && told.contains("there is no store at"),
        "{told}"
    );
}

/// How many messages go each way while central is killed.
const MESSAGES: usize = 300;

/// The phone that writes so many. Nobody writes to it meanwhile: to answer that fast would be a machine's.
const WRITER: &str = "+358407654321";

/// Its texts: each in other letters, since the same text with another number is a machine's, too.
fn harbour(number: usize) -> String {
    let letter = |place: usize| char::from(b"abcdefghij"[number / place % 10]);
    format!("Harbour {}{}{}", letter(100), letter(10), letter(1))
}

/// Someone at a client, whose connection breaks whenever central does.
struct Talker {
    session: Session,
    /// What of its log it has, by position.
    log: BTreeMap<u64, Value>,
    last: u64,
}

impl Talker {
    /// Keeps an entry of the log.
    fn keep(&mut self, heard: &Value) {
        let Some(position) = heard["position"].as_u64() else {
            return;
        };
        if position <= self.last {
            return;
        }
        assert_eq!(position, self.last + 1, "entries follow one another");
        self.last = position;
        self.log.insert(position, heard.clone());
    }

    fn count(&self, primitive: &str) -> usize {
        let of_it = |heard: &&Value| heard["primitive"] == primitive;
        self.log.values().filter(of_it).count()
    }

    /// Says all its messages, asks again for what was not answered, and listens until it has everything.
    async fn talk(mut self, door: SocketAddr) -> Self {
        let mut answered = vec![false; MESSAGES];
        let begun = Instant::now();
        loop {
            let mut client = connection(door).await;
            let Some(resumed) = client.resume(&self.session, self.last).await else {
                continue;
            };
            assert_eq!(resumed["primitive"], "SignedIn", "{resumed}");
            for heard in std::mem::take(&mut client.unasked) {
                self.keep(&heard);
            }
            let open: Vec<usize> = (0..MESSAGES).filter(|number| !answered[*number]).collect();
            let mut saying = open.into_iter();
            let mut under_way = 0;
            let lost = loop {
                let is_done = answered.iter().all(|answered| *answered)
                    && self.count("Message") == MESSAGES
                    && self.count("Delivered") == MESSAGES + 1;
                if is_done {
                    return self;
                }
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{} answered, {} messages, {} reports",
                    answered.iter().filter(|answered| **answered).count(),
                    self.count("Message"),
                    self.count("Delivered"),
                );
                // A few at a time: what is asked under a transaction is done once, if it is remembered.
                while under_way < 8
                    && let Some(number) = saying.next()
                {
                    let request = json!({
                        "primitive": "Message", "transaction": format!("m{number}"),
                        "elements": to_phone(&format!("Ferry {number}")),
                    });
                    if !client.write(request.to_string()).await {
                        break;
                    }
                    under_way += 1;
                }
                let heard = tokio::time::timeout(Duration::from_secs(1), client.hear()).await;
                let heard = match heard {
                    Ok(Some(heard)) => heard,
                    Ok(None) => break true,
                    Err(_elapsed) => continue,
                };
                self.keep(&heard);
                let number = heard["transaction"]
                    .as_str()
                    .and_then(|name| name.strip_prefix('m')?.parse::<usize>().ok());
                if let Some(number) = number
                    && (heard["primitive"] == "Accepted" || heard["primitive"] == "Sent")
                {
                    under_way -= usize::from(!answered[number]);
                    answered[number] = true;
                } else if let Some(number) = number {
                    panic!("message {number}: {heard}");
                }
                let received = json!({
                    "primitive": "Received", "transaction": format!("r{}", self.last),
                    "elements": {"position": self.last},
                });
                client.write(received.to_string()).await;
            };
            assert!(lost);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_repeated_between_person_and_phone_while_central_is_killed() {
    let mut town = Town::new(&["alice"], Setting::default());
    let mut central = town.world.start("central");
    let edge = town.world.start("edge");
    // The phones learn of her by her first messages, which are not counted.
    let (mut alice, session) = town.sign_in("alice").await;
    let hello = json!({"to": {"phone": WRITER}, "saying": {"text": "Hello"}});
    alice.ask("Message", hello).await;
    at_the_phone(&town.world, 1);
    alice.ask("Message", to_phone("Ferry 0")).await;
    drop(alice);
    at_the_phone(&town.world, 2);
    let alice = Talker {
        session,
        log: BTreeMap::new(),
        last: 0,
    };
    let talking = alice.talk(town.door);
    tokio::pin!(talking);
    let (mut written, mut kills) = (0, 0);
    let mut tick = tokio::time::interval(Duration::from_millis(15));
    let alice = loop {
        tokio::select! {
            alice = &mut talking => break alice,
            _ = tick.tick(), if written < MESSAGES => {
                written += 1;
                let told = town.world.smsc.ask(&format!("send {WRITER} 17100 {}", harbour(written)));
                assert_eq!(told, "sent");
                if written % 70 == 0 {
                    central.kill();
                    central = town.world.start("central");
                    kills += 1;
                }
            }
        }
    };
    assert_eq!(kills, MESSAGES / 70, "central was killed in the middle");
    let of = |primitive: &'static str| {
        let log = alice.log.values();
        log.filter(move |heard| heard["primitive"] == primitive)
    };
    let texts: Vec<&str> = of("Message")
        .map(|heard| heard["elements"]["saying"]["text"].as_str().expect("text"))
        .collect();
    let expected: Vec<String> = (1..=MESSAGES).map(harbour).collect();
    assert_eq!(texts, expected, "each once, in order");
    let got = at_the_phone(&town.world, MESSAGES + 2);
    let ferries = std::iter::once(0).chain(0..MESSAGES);
    let expected: Vec<(String, String)> = std::iter::once("alice: Hello".to_owned())
        .chain(ferries.map(|n| format!("alice: Ferry {n}")))
        .map(|text| ("17100".into(), text))
        .collect();
    assert_eq!(got, expected, "each once, in order");
    let fates = of("Delivered").filter(|heard| heard["elements"]["fate"] == "delivered");
    assert_eq!(fates.count(), MESSAGES + 1);
    assert_eq!(town.world.smsc.counts()["breaches"], 0, "one at a time");
    let (_, code) = central.terminate();
    assert_eq!(code, Some(0));
    edge.terminate();
}

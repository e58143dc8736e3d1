//! The appliance as operators run it: the real program as SMSC, edge and central, over real sockets and files, through a
//! bad line, killed while busy.

mod bad_days;
mod bad_sync;
#[allow(unreachable_pub, dead_code, reason = "each test uses its part")]
#[path = "../support/im_client.rs"]
mod im_client;
mod people;
mod phones;
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use sluice::sim::wan::Weather;
use world::{PATIENCE, Setting, World, read_inbox, send_all, sluice};

/// How many messages go each way.
const MESSAGES: usize = 20_000;
/// Over so many lanes.
const LANES: usize = 4;
/// To and from so many phones on each.
const PHONES: usize = 5;

/// The texts that central is given: to each phone of each lane in turn, numbered.
fn texts() -> Vec<(String, String, String)> {
    (0..MESSAGES)
        .map(|number| {
            let lane = number % LANES;
            let phone = number / LANES % PHONES;
            (
                (17000 + lane).to_string(),
                format!("+35840{lane:02}{phone:05}"),
                format!("text {number}"),
            )
        })
        .collect()
}

/// Phones that write as fast as the SMSC is taken from.
fn phones() -> String {
    let each = MESSAGES / LANES / PHONES;
    let mut script = String::new();
    for lane in 0..LANES {
        for phone in 0..PHONES {
            script += &format!(
                "[[phone]]\nnumber = '+46700{lane:02}{phone:04}'\n[[phone.says]]\nto = '{}'\ntext = 'answer {{n}}'\n\
                 every = '0s'\ntimes = {each}\n",
                17000 + lane
            );
        }
    }
    script
}

/// The number behind the last space.
fn number(text: &str) -> u64 {
    let digits = text.rsplit(' ').next().expect("it has words");
    digits.parse().unwrap_or_else(|_| panic!("{text:?}"))
}

/// What the edge itself says that it offered a second time: how often for each lane.
fn told_in_doubt(log: &str) -> usize {
    log.matches("offering a message again that the SMSC may have seen")
        .count()
}

#[test]
fn nothing_is_lost_or_repeated_while_edge_central_and_line_break_in_turn() {
    let mut world = World::new(&Setting {
        script: phones(),
        lanes: LANES,
        weather: Weather::delayed(10),
        ..Setting::default()
    });
    let texts = texts();
    let (world_ref, texts_ref) = (&world, &texts);
    let (inbox, kills, edge, central) = std::thread::scope(|scope| {
        let mut edge = world_ref.start("edge");
        let mut central = world_ref.start("central");
        let sending = scope.spawn(move || send_all(world_ref, texts_ref));
        let reading = scope.spawn(move || read_inbox(world_ref, MESSAGES));
        let mut kills = 0;
        // In turn, for as long as there is something to break.
        while !(sending.is_finished() && reading.is_finished()) {
            std::thread::sleep(Duration::from_millis(700));
            match kills % 4 {
                0 => {
                    edge.kill();
                    edge = world_ref.start("edge");
                }
                1 => {
                    world_ref.wan.change(|weather| weather.down = true);
                    std::thread::sleep(Duration::from_millis(700));
                    world_ref.wan.change(|weather| weather.down = false);
                }
                2 => {
                    central.kill();
                    central = world_ref.start("central");
                }
                _ => world_ref.wan.cut(),
            }
            kills += 1;
            // It has to get somewhere between the kills, on a loaded machine too.
            std::thread::sleep(Duration::from_millis(1300));
        }
        sending.join().expect("all texts are stored");
        let inbox = reading.join().expect("all answers came");
        (inbox, kills, edge, central)
    });
    assert!(kills >= 4, "edge, central and line were broken");

    // What phones wrote: each once, those of a phone in the order in which it wrote them.
    let mut by_phone: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in &inbox {
        let Some(message) = entry.get("message") else {
            continue;
        };
        let from = message["from"].as_str().expect("a phone").to_owned();
        let text = message["text"].as_str().expect("a text");
        by_phone.entry(from).or_default().push(number(text));
    }
    assert_eq!(by_phone.len(), LANES * PHONES);
    let first = *by_phone.values().next().expect("one").first().expect("one");
    let each = (MESSAGES / LANES / PHONES) as u64;
    for (phone, numbers) in &by_phone {
        let expected: Vec<u64> = (first..first + each).collect();
        assert_eq!(numbers, &expected, "{phone}: once, and in order");
    }

    // What phones got: all of it, in order; twice only what the edge says that it was in doubt about.
    let begun = Instant::now();
    while world.recorded("phone").len() < MESSAGES {
        assert!(
            begun.elapsed() < PATIENCE,
            "{} of {MESSAGES} texts arrived; edge: {}",
            world.recorded("phone").len(),
            world.log("edge")
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let doubts = told_in_doubt(&world.log("edge"));
    let mut got: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let mut repeated = 0;
    for record in world.recorded("phone") {
        let to = record["to"].as_str().expect("a phone").to_owned();
        let number = number(record["text"].as_str().expect("a text"));
        let numbers = got.entry(to).or_default();
        if seen.insert(number) {
            numbers.push(number);
        } else {
            repeated += 1;
            // The one in doubt is offered before anything else of its lane.
            assert!(numbers.contains(&number));
        }
    }
    assert_eq!(seen.len(), MESSAGES, "each text arrived");
    assert!(
        repeated <= doubts,
        "{repeated} texts were repeated, and {doubts} were told as in doubt"
    );
    for (phone, numbers) in &got {
        assert!(numbers.is_sorted(), "{phone}: in order");
    }
    assert!(doubts <= kills * LANES, "at most one a lane and kill");

    let (took, code) = edge.terminate();
    assert_eq!(code, Some(0));
    assert!(
        took < Duration::from_secs(5),
        "the edge took {took:?} to stop"
    );
    let (took, code) = central.terminate();
    assert_eq!(code, Some(0));
    assert!(
        took < Duration::from_secs(5),
        "central took {took:?} to stop"
    );
    assert_eq!(world.smsc.counts()["breaches"], 0, "one at a time");
}

/// Waits for something that is seen from outside.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn g18_texts_are_cut_and_joined_and_their_fate_is_told() {
    for cimd2 in [false, true] {
        let mut world = World::new(&Setting {
            cimd2,
            script: String::from("[[phone]]\nnumber = '+358409999999'\nfate = 'undeliverable'\n"),
            ..Setting::default()
        });
        // Central first this time, and the edge later.
        let central = world.start("central");
        let long = "All work and no play makes Jack a dull boy. ".repeat(9);
        let mut desk = world.desk();
        for (key, to, text) in [
            ("short", "+358401111111", "hello"),
            ("long", "+358401111111", long.as_str()),
            ("never", "+358409999999", "nobody is there"),
        ] {
            assert!(desk.say(&serde_json::json!({
                "do": "send", "key": key, "from": "17000", "to": to, "text": text, "report": true,
            })));
            let reply = until("an answer", || desk.hear().expect("the desk is there"));
            assert_eq!(reply["stored"]["key"], key);
        }
        let edge = world.start("edge");
        let told = world.smsc.ask(&format!("send +358401111111 17000 {long}"));
        assert!(told == "sent" || told.starts_with("kept"), "{told}");
        assert!(desk.say(&serde_json::json!({"do": "inbox", "after": 0})));
        let mut fates: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut text = None;
        let is_final = |states: &Vec<String>| states.iter().any(|state| state != "sent");
        while text.is_none()
            || ["short", "long", "never"]
                .iter()
                .any(|key| !fates.get(*key).is_some_and(is_final))
        {
            let reply = until("an entry", || desk.hear().expect("the desk is there"));
            let entry = &reply["entry"];
            if let Some(message) = entry.get("message") {
                assert_eq!(message["from"], "+358401111111");
                assert_eq!(message["to"], "17000");
                text = message["text"].as_str().map(str::to_owned);
            } else {
                let fate = &entry["fate"];
                fates
                    .entry(fate["key"].as_str().expect("our key").to_owned())
                    .or_default()
                    .push(fate["state"].as_str().expect("a state").to_owned());
            }
        }
        assert_eq!(
            text.as_deref(),
            Some(long.trim_end()),
            "joined to the one text that it was"
        );
        // The carrier's answer and its report take different rings; a report that is first leaves nothing to tell.
        for (key, fate) in [
            ("short", "delivered"),
            ("long", "delivered"),
            ("never", "undeliverable"),
        ] {
            let told = &fates[key];
            assert!(
                told == &["sent", fate] || told == &[fate],
                "{key}: one fate of all its parts, not {told:?}"
            );
        }
        let parts: Vec<Value> = world.recorded("phone");
        assert_eq!(parts.len(), 4, "three parts and the short one");
        edge.terminate();
        central.terminate();
    }
}

/// What a trace says that happened below a heading, each with its time.
fn words(told: &str, heading: &str) -> Vec<String> {
    let below = told.lines().skip_while(|line| !line.starts_with(heading));
    below
        .skip(1)
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let time: Result<sluice::clock::WallTime, _> = words[0].parse();
            assert!(time.is_ok(), "{line}");
            words[2].to_owned()
        })
        .collect()
}

#[test]
fn orders_status_and_trace_of_what_runs() {
    let mut world = World::new(&Setting {
        access: true,
        ..Setting::default()
    });
    let edge = world.start("edge");
    let central = world.start("central");
    let folder = world.path().to_owned();
    let ask = |mode: &str, arguments: &[&str]| sluice(&folder, mode, arguments);
    // Both come up by themselves and say so.
    for mode in ["edge", "central"] {
        until("a status without trouble", || {
            let (code, seen) = ask(mode, &["status", "--json"]);
            (code == Some(0)).then_some(seen)
        });
    }
    // A lane that is suspended offers nothing, and its message can be traced to where it waits.
    let (code, told) = ask("edge", &["lane", "suspend", "oslo/lane-0"]);
    assert_eq!(code, Some(0), "{told}");
    let id = send_all(
        &world,
        &[("17000".into(), "+358401111111".into(), "hello".into())],
    )
    .remove(0);
    until("the message on its lane", || {
        let (_, told) = ask("central", &["trace", &id]);
        told.contains("confirmed").then_some(())
    });
    assert!(world.recorded("phone").is_empty());
    let (_, told) = ask("edge", &["status"]);
    assert!(told.contains("sluice lane resume oslo/lane-0"), "{told}");
    let (code, told) = ask("edge", &["lane", "resume", "oslo/lane-0"]);
    assert_eq!(code, Some(0), "{told}");
    until("the message at the phone", || {
        (world.recorded("phone").len() == 1).then_some(())
    });
    let told = until("its end", || {
        let (_, told) = ask("central", &["trace", &id]);
        told.contains("accepted").then_some(told)
    });
    // Every flag with its time, at both ends.
    let steps = ["taken", "retrieved", "sent", "confirmed", "processed"];
    assert_eq!(
        words(&told, "mt on oslo/lane-0, message 1"),
        steps,
        "{told}"
    );
    let (_, told) = ask("edge", &["trace", "oslo/lane-0:mt:1"]);
    let steps = ["retrieved", "confirmed", "offered", "processed"];
    assert_eq!(
        words(&told, "mt on oslo/lane-0, message 1"),
        steps,
        "{told}"
    );
    // The same from a phone; what central made of it is known at both ends too.
    assert_eq!(world.smsc.ask("send +358401111111 17000 hi"), "sent");
    let steps = ["retrieved", "sent", "confirmed", "processed"];
    let told = until("its way", || {
        let (_, told) = ask("edge", &["trace", "oslo/lane-0:mo:1"]);
        told.contains("processed").then_some(told)
    });
    assert_eq!(
        words(&told, "mo on oslo/lane-0, message 1"),
        steps,
        "{told}"
    );
    assert!(told.contains("oslo/lane-0:mo:1: accepted"), "{told}");
    let (_, told) = ask("central", &["trace", "oslo/lane-0:mo:1"]);
    let steps = ["retrieved", "confirmed", "processed"];
    assert_eq!(
        words(&told, "mo on oslo/lane-0, message 1"),
        steps,
        "{told}"
    );
    for mode in ["edge", "central"] {
        for direction in ["mo", "mt"] {
            let lines = until("its line in the access log", || {
                let log = world.log(mode);
                let lines: Vec<String> = log
                    .lines()
                    .filter(|line| line.contains(" processed "))
                    .filter(|line| line.contains(&format!("direction={direction}")))
                    .map(str::to_owned)
                    .collect();
                (!lines.is_empty()).then_some(lines)
            });
            assert_eq!(lines.len(), 1, "{mode}: {lines:?}");
            assert!(lines[0].contains("accepted"), "{mode}: {lines:?}");
        }
    }
    // What the SMSC side is asked for is no business of central.
    let (code, told) = ask("central", &["lane", "suspend", "oslo/lane-0"]);
    assert_ne!(code, Some(0));
    assert!(told.contains("at edge oslo"), "{told}");
    // Another configuration is taken up without a new session.
    let file = world.path().join("edge.toml");
    let before = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(
        &file,
        before.replace("name = 'lane-0'", "name = 'lane-0'\nthroughput = 50.0"),
    )
    .expect("it is written");
    let (code, told) = ask("edge", &["reload"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("throughput"), "{told}");
    edge.hang_up();
    until("the reload by signal", || {
        world.log("edge").contains("throughput").then_some(())
    });
    assert_eq!(world.smsc.counts()["logins"], 1, "the session went on");
    for running in [edge, central] {
        let (took, code) = running.terminate();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(5), "it took {took:?} to stop");
    }
}

//! Bad days with the real programs: disks without room, a lane that is stuck, certificates that are replaced. Each time all
//! goes on by itself as soon as it can, and nothing is lost or repeated.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::until;
use super::world::{Process, Setting, World, read_inbox, send_all, sluice};

/// The texts of the phone, in the order in which they came to the inbox.
pub(crate) fn texts_of(entries: &[serde_json::Value]) -> Vec<String> {
    entries
        .iter()
        .filter_map(|entry| entry["message"]["text"].as_str())
        .map(str::to_owned)
        .collect()
}

/// What the simulated phone got.
pub(crate) fn received(world: &World) -> Vec<String> {
    let records = world.recorded("phone");
    records
        .iter()
        .map(|record| record["text"].as_str().expect("a text").to_owned())
        .collect()
}

pub(crate) fn well(world: &World, mode: &str) {
    until("a status without trouble", || {
        let (code, _) = sluice(world.path(), mode, &["status"]);
        (code == Some(0)).then_some(())
    });
}

pub(crate) fn red(world: &World, mode: &str, code: &str) -> String {
    until(code, || {
        let (exit, told) = sluice(world.path(), mode, &["status"]);
        (exit == Some(2) && told.contains(code)).then_some(told)
    })
}

pub(crate) fn hello(number: usize) -> (String, String, String) {
    let text = format!("hello {number}");
    ("17000".into(), "+358401111111".into(), text)
}

/// Two texts of a phone, which the SMSC keeps as long as the edge takes nothing, and one for it.
pub(crate) fn comes_meanwhile(world: &mut World) {
    for text in ["two", "three"] {
        let said = world.smsc.ask(&format!("send +358401111111 17000 {text}"));
        assert!(said == "sent" || said.starts_with("kept"), "{said}");
    }
    send_all(world, &[hello(2)]);
}

/// More deliveries are refused than these.
pub(crate) fn is_told_to_try_later(world: &mut World, refused: &serde_json::Value) {
    until("an SMSC that is told to try later", || {
        (world.smsc.counts()["deliveries_refused"] != *refused).then_some(())
    });
}

/// What came before and meanwhile is there, once and in its order, when the edge takes it again.
pub(crate) fn all_arrives(world: &mut World) {
    well(world, "edge");
    let inbox = read_inbox(world, 3);
    assert_eq!(texts_of(&inbox), ["one", "two", "three"]);
    until("the second text", || {
        (received(world).len() >= 2).then_some(())
    });
    assert_eq!(received(world), ["hello 1", "hello 2"]);
    assert_eq!(world.smsc.counts()["breaches"], 0, "one at a time");
}

#[test]
fn g8_a_disk_that_takes_nothing_at_the_edge_makes_the_smsc_keep_its_messages() {
    for cimd2 in [false, true] {
        let mut world = World::new(&Setting {
            cimd2,
            ..Setting::default()
        });
        let (edge, central) = (world.start("edge"), world.start("central"));
        well(&world, "edge");
        send_all(&world, &[hello(1)]);
        assert_eq!(world.smsc.ask("send +358401111111 17000 one"), "sent");
        until("the first text", || {
            (received(&world).len() == 1).then_some(())
        });

        edge.let_files_take(Some(0));
        let refused = world.smsc.counts()["deliveries_refused"].clone();
        comes_meanwhile(&mut world);
        let told = red(&world, "edge", "storage-failed");
        assert!(told.contains("nothing more is accepted"), "{told}");
        assert!(told.contains("File too large"), "the reason: {told}");
        // SMPP has a word for *later*; in CIMD2 the answer is withheld, and the SMSC keeps the message as well.
        if !cimd2 {
            is_told_to_try_later(&mut world, &refused);
        }
        assert_eq!(world.smsc.counts()["deliveries_taken"], 1);
        assert_eq!(received(&world), ["hello 1"]);

        edge.let_files_take(None);
        all_arrives(&mut world);
        for running in [edge, central] {
            assert_eq!(running.terminate().1, Some(0));
        }
    }
}

#[test]
fn an_edge_without_room_at_its_start_says_so_and_begins_by_itself() {
    let mut world = World::new(&Setting::default());
    let (edge, central) = (world.start_full("edge"), world.start("central"));
    let told = red(&world, "edge", "storage-failed");
    assert!(told.contains("edge.ring"), "{told}");
    until("a phone's text that is kept", || {
        let _sent_or_kept = world.smsc.ask("send +358401111111 17000 early");
        (world.smsc.counts()["deliveries_refused"] != 0).then_some(())
    });
    edge.let_files_take(None);
    well(&world, "edge");
    assert!(texts_of(&read_inbox(&world, 1)).contains(&String::from("early")));
    for running in [edge, central] {
        assert_eq!(running.terminate().1, Some(0));
    }
}

/// Something large on the disk.
struct Ballast(std::path::PathBuf);

impl Ballast {
    fn new(folder: &Path, octets: u64) -> Self {
        let path = folder.join("ballast");
        let file = File::create(&path).expect("a file");
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, octets)
            .expect("the disk of a test has room");
        Self(path)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("it was there");
    }
}

#[test]
fn g8_a_full_disk_at_central_refuses_and_queues_and_goes_on_by_itself() {
    const MIB: u64 = 1 << 20;
    /// So much may come and go on the disk for other reasons while this runs.
    const MARGIN: u64 = 1024 * MIB;
    let mut world = World::new(&Setting::default());
    let free = rustix::fs::statvfs(world.path()).expect("a file system");
    let free = free.f_bavail * free.f_frsize;
    let config = world.path().join("central.toml");
    let before = std::fs::read_to_string(&config).expect("it is there");
    let least = (free - free.min(MARGIN)) / MIB;
    let scarce = before
        .replace("least_free_percent = 1", "least_free_percent = 0")
        .replace("least_free_mib = 64", &format!("least_free_mib = {least}"));
    assert_ne!(before, scarce);
    std::fs::write(&config, scarce).expect("it is written");
    let (edge, central) = (world.start("edge"), world.start("central"));
    well(&world, "edge");
    well(&world, "central");
    send_all(&world, &[hello(1)]);

    let ballast = Ballast::new(world.path(), 2 * MARGIN);
    let mut desk = world.desk();
    let refused = until("a refusal", || {
        let request =
            json!({"do": "send", "key": "n", "from": "17000", "to": "+358401111111", "text": "no"});
        assert!(desk.say(&request));
        let reply = desk.hear().expect("the desk is there")?;
        reply.get("refused").cloned()
    });
    assert_eq!(refused["later"], true, "{refused}");
    assert_eq!(world.smsc.ask("send +358401111111 17000 one"), "sent");
    let told = red(&world, "central", "store-full");
    assert!(told.contains("make room"), "{told}");
    // What lies in the rings still goes to phones; what phones write waits where it is.
    until("the first text", || {
        (received(&world).first()? == "hello 1").then_some(())
    });
    drop(desk);

    drop(ballast);
    well(&world, "central");
    assert_eq!(texts_of(&read_inbox(&world, 1)), ["one"]);
    for running in [edge, central] {
        assert_eq!(running.terminate().1, Some(0));
    }
}

#[test]
fn a_store_that_cannot_be_written_ends_central_and_the_next_start_goes_on() {
    let mut world = World::new(&Setting::default());
    let (edge, central) = (world.start("edge"), world.start("central"));
    well(&world, "central");
    send_all(&world, &[hello(1)]);
    until("the first text", || {
        (received(&world).len() == 1).then_some(())
    });

    // Rings and store at once: what was not stored is not confirmed, and the process ends, since only a new one knows
    // what is durable. It does not wait for the rings.
    central.let_files_take(Some(0));
    assert_eq!(world.smsc.ask("send +358401111111 17000 one"), "sent");
    let mut desk = world.desk();
    let request =
        json!({"do": "send", "key": "two", "from": "17000", "to": "+358401111111", "text": "two"});
    assert!(desk.say(&request));
    assert_eq!(central.ended(), Some(74), "storage");
    if let Ok(Some(reply)) = desk.hear() {
        assert!(reply.get("stored").is_none(), "{reply}");
    }
    let log = world.log("central");
    assert!(log.contains("central cannot go on"), "{log}");

    // Whoever starts it again, as systemd does, starts it in vain while that lasts, and is told why.
    let again = world.start_full("central");
    assert_eq!(again.ended(), Some(74), "storage");
    let log = world.log("central");
    let last = log.lines().last().unwrap_or_default();
    assert!(
        last.contains("File too large") && last.contains("start"),
        "{last}"
    );

    let central = world.start("central");
    well(&world, "central");
    assert_eq!(texts_of(&read_inbox(&world, 1)), ["one"]);
    send_all(&world, &[hello(2)]);
    until("the second text", || {
        received(&world).contains(&"hello 2".into()).then_some(())
    });
    assert!(
        !received(&world).contains(&"two".into()),
        "it was not confirmed"
    );
    for running in [edge, central] {
        assert_eq!(running.terminate().1, Some(0));
    }
}

#[test]
fn a_lane_that_is_stuck_is_seen_by_its_pointers_and_made_anew_alone() {
    const TEXTS: usize = 8;
    // Of one submit nothing is ever heard again, though the SMSC is there and answers all else.
    let fault = "[[fault]]\nkind = 'ignore'\non = 'submit'\ntimes = 1\n";
    let world = World::new(&Setting {
        lanes: 2,
        script: fault.into(),
        lane: "stuck_after = '10s'".into(),
        account: "submit_timeout = '10m'".into(),
        ..Setting::default()
    });
    let (edge, central) = (world.start("edge"), world.start("central"));
    // Both lanes take texts, or all would go to the first that does.
    well(&world, "edge");
    well(&world, "central");
    let begun = std::time::Instant::now();
    let texts: Vec<_> = (0..TEXTS)
        .map(|phone| {
            let to = format!("+3584011111{phone:02}");
            ("17000".into(), to, format!("hello {phone}"))
        })
        .collect();
    send_all(&world, &texts);
    // Both lanes have some of them.
    until("the other lane's texts", || {
        (!received(&world).is_empty()).then_some(())
    });
    let log = world.log("edge");
    assert!(!log.contains("the lane is stuck"), "{log}");
    until("an alarm", || {
        let (_, told) = sluice(world.path(), "edge", &["status"]);
        let waits = received(&world).len() < TEXTS;
        (told.contains("lane-stuck") || !waits).then_some(())
    });
    until("all texts", || {
        (received(&world).len() >= TEXTS).then_some(())
    });
    let log = world.log("edge");
    assert_eq!(log.matches("the lane is stuck").count(), 1, "{log}");
    assert!(
        begun.elapsed() >= Duration::from_secs(10),
        "not before its time"
    );
    well(&world, "edge");
    let log = world.log("edge");
    assert_eq!(
        log.matches("logged in to the SMSC").count(),
        3,
        "the other lane was left alone: {log}"
    );
    let mut all = received(&world);
    all.sort();
    // The one in doubt may come twice, and no other.
    assert!(all.len() <= TEXTS + 1, "{all:?}");
    all.dedup();
    assert_eq!(all.len(), TEXTS, "{all:?}");
    for running in [edge, central] {
        assert_eq!(running.terminate().1, Some(0));
    }
}

fn pair(world: &World, arguments: &[&str]) {
    let pki = world.path().join("pki");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["pair", "--directory"])
        .arg(pki)
        .args(arguments)
        .output()
        .expect("sluice pair runs");
    assert!(output.status.success(), "{output:?}");
}

fn link_is_up(world: &World) {
    for mode in ["edge", "central"] {
        well(world, mode);
    }
}

#[test]
fn new_certificates_of_both_ends_are_taken_up_without_a_restart() {
    let mut world = World::new(&Setting::default());
    let (edge, central) = (world.start("edge"), world.start("central"));
    link_is_up(&world);
    pair(&world, &["renew", "--central"]);
    until("central's new certificate in use", || {
        world
            .log("central")
            .contains("took up central's new certificate")
            .then_some(())
    });
    world.wan.cut();
    assert_eq!(world.smsc.ask("send +358401111111 17000 one"), "sent");
    assert_eq!(texts_of(&read_inbox(&world, 1)), ["one"]);
    link_is_up(&world);

    // The edge's former one is good no longer, and its operator brings the new bundle late.
    let bundle = world.path().join("new.pair");
    let bundle = bundle.to_str().expect("a plain path");
    pair(&world, &["renew", "oslo", "--grace", "0s", "--out", bundle]);
    until("the refusal", || {
        let (code, told) = sluice(world.path(), "edge", &["status"]);
        (code == Some(1) && told.contains("newer certificate")).then_some(())
    });
    std::fs::rename(bundle, world.path().join("edge.pair")).expect("it is carried there");
    let (code, told) = sluice(world.path(), "edge", &["reload"]);
    assert_eq!(code, Some(0), "{told}");
    link_is_up(&world);
    assert_eq!(world.smsc.ask("send +358401111111 17000 two"), "sent");
    assert_eq!(texts_of(&read_inbox(&world, 2)), ["one", "two"]);
    assert_eq!(world.smsc.counts()["logins"], 1, "the SMSC saw none of it");
    for running in [edge, central] {
        assert_eq!(Process::terminate(running).1, Some(0));
    }
}

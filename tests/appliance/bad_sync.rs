//! A disk at the edge whose syncs fail while its writes are taken: the worst that a disk can say, since what is on it is not
//! known any more. The edge runs in here, on that disk; SMSC, line and central are what they are elsewhere.

use std::sync::Arc;

use sluice::config;
use sluice::edge::EdgeSubject;
use sluice::edge::config::EdgeConfig;
use sluice::ring::life::Opener;
use sluice::ring::{self, RingFile};
use sluice::status::{StatusDoor, config::StatusConfig};

use super::bad_days::{
    all_arrives, comes_meanwhile, hello, is_told_to_try_later, received, red, texts_of, well,
};
use super::until;
use super::world::{Setting, World, read_inbox, send_all};
use crate::support::chance::Chance;
use crate::support::disk::SimulatedDisk;

#[test]
fn g2_a_disk_that_does_not_sync_at_the_edge_confirms_nothing_and_loses_nothing() {
    for cimd2 in [false, true] {
        let mut world = World::new(&Setting {
            cimd2,
            ..Setting::default()
        });
        let file = world.path().join("edge.toml");
        let loaded = config::load::<EdgeConfig>(&file).expect("a configuration");
        let disk = SimulatedDisk::default();
        let mut epochs = Chance::new(7);
        let mut next = || epochs.number();
        ring::format(&disk, &loaded.config.rings(), &mut next).expect("a ring file");
        let (path, beneath) = (loaded.config.ring_file(), disk.clone());
        let opener: Opener =
            Arc::new(move || RingFile::open_on(&path, Arc::new(beneath.clone()), None));
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let edge = runtime.block_on(async {
            let edge = EdgeSubject::start_on(file, loaded, None, opener).expect("the edge");
            let socket = world.path().join("edge.sock");
            let door = StatusDoor::open(&socket, &StatusConfig::default()).expect("a socket");
            tokio::spawn(door.run(edge.clone()));
            edge
        });
        let central = world.start("central");
        well(&world, "edge");
        send_all(&world, &[hello(1)]);
        assert_eq!(world.smsc.ask("send +358401111111 17000 one"), "sent");
        until("the first texts", || {
            (received(&world).len() == 1).then_some(())
        });
        assert_eq!(texts_of(&read_inbox(&world, 1)), ["one"]);
        assert_eq!(world.smsc.counts()["deliveries_taken"], 1);

        // What has ended is durable as well, by the flush of an idle ring; before that it would be in doubt.
        until("a disk that has everything", || {
            disk.is_synced().then_some(())
        });
        disk.refuse_syncs(true);
        let refused = world.smsc.counts()["deliveries_refused"].clone();
        comes_meanwhile(&mut world);
        // The exit code is the one of *down*; the reason and the remedy stand beside it.
        let told = red(&world, "edge", "storage-failed");
        for part in ["nothing more is accepted", "Input/output error", "`dmesg`"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        if !cimd2 {
            is_told_to_try_later(&mut world, &refused);
        }
        assert_eq!(world.smsc.counts()["deliveries_taken"], 1, "none of them");
        assert_eq!(received(&world), ["hello 1"], "nothing is offered");

        // What was written and not synced is gone, or not, sector by sector; then the disk is well again.
        disk.power_returns(&mut Chance::new(5));
        disk.refuse_syncs(false);
        all_arrives(&mut world);
        runtime.block_on(edge.edge().stop());
        assert_eq!(central.terminate().1, Some(0));
    }
}

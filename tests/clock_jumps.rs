//! The clock of a machine is set while an edge and central run in it: years ahead, and back. A test of its own, since the
//! time of a whole process jumps.

#[path = "appliance/world.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod world;

use std::time::{Duration, Instant};

use sluice::central::Central;
use sluice::central::config::CentralConfig;
use sluice::clock;
use sluice::config::load;
use sluice::edge::Edge;
use sluice::edge::config::EdgeConfig;
use sluice::link::driver::Phase;
use world::{PATIENCE, Setting, World, send_all};

const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

/// Everything that runs in this process.
struct Both {
    world: World,
    central: Central,
    edge: Edge,
    said: usize,
}

impl Both {
    /// A text each way arrives, as often as this is asked.
    async fn talk(&mut self, when: &str) {
        self.said += 1;
        let text = format!("text {}", self.said);
        let to = ("17000".into(), "+358401111111".into(), text.clone());
        tokio::task::block_in_place(|| send_all(&self.world, &[to]));
        let told = tokio::task::block_in_place(|| {
            self.world
                .smsc
                .ask(&format!("send +358401111111 17000 {text}"))
        });
        assert_eq!(
            told, "sent",
            "{when}: the SMSC is served, whatever the clock says"
        );
        self.arrived(when).await;
    }

    async fn arrived(&self, when: &str) {
        let said = self.said;
        let inbox = || self.central.ledger().standing().inbox as usize;
        let got = || self.world.recorded("phone").len();
        until(when, || inbox() == said && got() == said).await;
    }
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_costs_no_message_and_needs_no_restart() {
    let world = World::new(&Setting::default());
    let config = |mode: &str| world.path().join(mode).with_extension("toml");
    let central = load::<CentralConfig>(&config("central")).expect("a configuration");
    let edge = load::<EdgeConfig>(&config("edge")).expect("a configuration");
    let central = Central::start(central.config).await.expect("central");
    let edge = Edge::start(edge.config).expect("the edge");
    let mut both = Both {
        world,
        central,
        edge,
        said: 0,
    };
    until("the link", || both.edge.link().phase == Phase::Up).await;
    both.talk("with the right clock").await;
    let connections = both.edge.link().connections;

    // Within what certificates bear nobody notices.
    clock::jump_to(YEAR_MS);
    both.talk("a year ahead").await;
    clock::jump_to(0);
    both.talk("and back").await;
    clock::jump_to(-3_600_000 / 2);
    both.talk("half an hour behind").await;
    assert_eq!(
        both.edge.link().connections,
        connections,
        "the link was left alone"
    );

    // Before the certificates begin, and after they end, the ends cannot trust each other. Messages wait, the SMSC is served.
    for (ahead, words) in [(-2 * YEAR_MS, "not yet valid"), (4 * YEAR_MS, "expired")] {
        clock::jump_to(ahead);
        until(words, || {
            let link = both.edge.link();
            let why = link.last_reason.map(|(_, why)| why).unwrap_or_default();
            link.phase != Phase::Up && why.contains(words)
        })
        .await;
        let text = format!("text {}", both.said + 1);
        let told = tokio::task::block_in_place(|| {
            both.world
                .smsc
                .ask(&format!("send +358401111111 17000 {text}"))
        });
        assert_eq!(told, "sent");
        clock::jump_to(0);
        let to = ("17000".into(), "+358401111111".into(), text);
        tokio::task::block_in_place(|| send_all(&both.world, &[to]));
        both.said += 1;
        both.arrived("by itself, with the right clock").await;
    }
    both.edge.stop().await;
    both.central.stop().await;
}

//! The problem, measured: the same SMSC over the same line, spoken to as its protocol wants it, one message at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Scene;
use super::stage::{FAR_CODE, Stage, local, weather};
use crate::demo::DemoError;
use crate::lane::{Direction, Lane, RingName, Sequence, Side};
use crate::message::{DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage};
use crate::private::Private;
use crate::ring::{Parcel, Ring, RingFile};
use crate::sim::wan::Wan;
use crate::smsc::courier::{InDoubt, Manner};
use crate::smsc::driver::{self, Order, Parts};
use crate::smsc::session::Session;
use crate::smsc::status::LaneStatus;
use crate::smsc::transport::Endpoint;
use crate::smsc::{cimd2, smpp};
use crate::text;

/// How many messages wait: more than any line takes in the time.
const WAITING: u64 = 200;

/// What it came to.
pub(super) struct Baseline {
    /// How many messages were accepted, after the first.
    pub(super) messages: u64,
    /// In which time.
    pub(super) time: Duration,
}

impl Baseline {
    /// Messages a second.
    pub(super) fn rate(&self) -> f64 {
        self.messages as f64 / self.time.as_secs_f64().max(0.001)
    }
}

/// Speaks to the SMSC over a line like that between edge and central, for so long.
pub(super) fn measure(stage: &Stage, time: Duration) -> Result<Baseline, DemoError> {
    let mut calm = weather(stage.scene);
    // A stream over the line waits for what it lost; that is TCP's part of the problem, and it is kept.
    calm.down = false;
    let wan = Wan::open(local(), stage.smsc_address(), calm, 11)
        .map_err(DemoError::io("opening the line to the SMSC"))?;
    let lane = Lane::new("direct", "carrier").expect("a name");
    let name = RingName::new(lane, Direction::Mt, Side::Mirror);
    let file = RingFile::in_memory(std::slice::from_ref(&name))?;
    let ring = file.ring(&name).expect("it was just made");
    let endpoint = Endpoint::Tcp {
        host: wan.address().ip().to_string(),
        port: wan.address().port(),
    };
    stage.runtime.block_on(async {
        fill(stage, &ring).await?;
        let (orders, received) = mpsc::channel(1);
        let parts = Parts {
            session: session(stage.scene),
            endpoint,
            mo: None,
            mt: Some(ring.clone()),
            manner: Manner {
                in_doubt: InDoubt::Resend,
                throughput: None,
            },
            in_doubt_mark: false,
            status: Arc::new(LaneStatus::default()),
        };
        let driver = tokio::spawn(driver::run(parts, received));
        let processed = || ring.look(|array| array.marks().processed.up_to().get());
        let mut changes = ring.changes();
        let begun = stage.clock.now();
        while processed() == 0 {
            let waited = tokio::time::timeout(super::stage::PATIENCE, changes.changed()).await;
            if waited.is_err() {
                return Err(DemoError::Io {
                    doing: String::from("speaking to the SMSC over the line"),
                    source: std::io::ErrorKind::TimedOut.into(),
                });
            }
        }
        let _login = stage.clock.now() - begun;
        let (first, at) = (processed(), stage.clock.now());
        tokio::time::sleep(time).await;
        let baseline = Baseline {
            messages: processed() - first,
            time: stage.clock.now() - at,
        };
        // Its task has ended only if the ring failed, and that is in memory.
        let _closing = orders.try_send(Order::Close);
        driver.abort();
        Ok(baseline)
    })
}

async fn fill(stage: &Stage, ring: &Ring) -> Result<(), DemoError> {
    let wrong = |why: crate::message::Refused| DemoError::Io {
        doing: String::from("writing messages"),
        source: std::io::Error::other(why.to_string()),
    };
    let sender = ShortCode::new(FAR_CODE).map_err(wrong)?;
    let recipient = PhoneNumber::new("+358409000000").map_err(wrong)?;
    let mut parcels = Vec::new();
    for number in 1..=WAITING {
        let body = text::whole(&format!("one at a time {number}")).map_err(wrong)?;
        let message = ShortMessage::new(sender.clone().into(), recipient.clone().into(), body);
        let parcel = Parcel::pack(
            &Item::Message(message),
            stage.clock.wall(),
            DeliveryKey::NONE,
        )
        .map_err(wrong)?;
        parcels.push((Sequence::new(number), parcel));
    }
    ring.store(parcels).await.map_err(DemoError::File)?;
    Ok(())
}

fn session(scene: Scene) -> Box<dyn Session> {
    let password = Private::new(String::from("secret"));
    if scene.cimd2 {
        let config = cimd2::Config {
            username: String::from("far"),
            password,
            ..cimd2::Config::default()
        };
        Box::new(cimd2::Session::new(config).expect("a configuration"))
    } else {
        let config = smpp::Config {
            system_id: String::from("far"),
            password,
            ..smpp::Config::default()
        };
        Box::new(smpp::Session::new(config, 7).expect("a configuration"))
    }
}

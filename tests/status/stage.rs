//! An edge and a central as they could be, and a socket that shows them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sluice::smsc::status::Phase;
use sluice::status::config::StatusConfig;
use sluice::status::snapshot::*;
use sluice::status::{Done, Order, StatusDoor, Subject};

/// Shows what it is told to.
pub(super) struct Stage {
    pub(super) shown: Mutex<Snapshot>,
    pub(super) looks: Mutex<u64>,
    pub(super) orders: Mutex<Vec<Order>>,
}

impl Stage {
    pub(super) fn new(shown: Snapshot) -> Arc<Self> {
        Arc::new(Self {
            shown: Mutex::new(shown),
            looks: Mutex::new(0),
            orders: Mutex::new(Vec::new()),
        })
    }
}

impl Subject for Stage {
    fn snapshot(&self) -> Snapshot {
        *self.looks.lock().unwrap() += 1;
        self.shown.lock().unwrap().clone()
    }

    fn sessions(&self) -> Vec<SessionView> {
        vec![SessionView {
            user: "ada".into(),
            client: "desk".into(),
            door: "websocket".into(),
            since_unix_ms: 1_795_248_000_000,
            waiting: 0,
        }]
    }

    async fn trace(&self, id: &str) -> Option<TraceView> {
        let step = |at_unix_ms, end: &str, what: &str, detail: Option<&str>| StepView {
            at_unix_ms,
            end: end.into(),
            what: what.into(),
            detail: detail.map(str::to_owned),
        };
        (id == "m-17").then(|| TraceView {
            id: id.into(),
            state: "delivered to the phone".into(),
            parts: vec![PartView {
                lane: Some("oslo/carrier-1".into()),
                direction: "mt".into(),
                sequence: Some(4711),
                address: Some(121),
                smsc_id: Some("3f2a".into()),
                report: Some("delivered".into()),
                steps: vec![
                    step(1_795_248_785_123, "central", "retrieved", None),
                    step(1_795_248_785_130, "central", "sent", None),
                    step(1_795_248_785_431, "edge", "confirmed", None),
                    step(1_795_248_785_440, "edge", "processed", Some("accepted")),
                ],
            }],
        })
    }

    async fn order(&self, order: Order) -> Result<Done, String> {
        let done = match &order {
            Order::Register(_) => return Err(sluice::status::NO_PEOPLE.into()),
            Order::Suspend(lane) => {
                for view in &mut self.shown.lock().unwrap().lanes {
                    view.suspended |= view.lane == lane.as_str();
                }
                Done::new(format!("{lane} offers nothing more to its SMSC"))
            }
            Order::Resume(lane) => {
                for view in &mut self.shown.lock().unwrap().lanes {
                    view.suspended &= view.lane != lane.as_str();
                }
                Done::new(format!("{lane} goes on"))
            }
            Order::Reload => Done {
                changes: vec![
                    "lane[carrier-1].throughput: default -> 20 (taken up at once)".into(),
                ],
                ..Done::new("the configuration was read again; 1 option changed")
            },
            Order::Drain(lane) | Order::Resend(lane) | Order::Drop(lane) => {
                return Err(format!("{lane} holds no message in doubt"));
            }
        };
        self.orders.lock().unwrap().push(order);
        Ok(done)
    }
}

pub(super) fn smsc() -> SmscView {
    SmscView {
        protocol: "smpp".into(),
        endpoint: "tcp 192.0.2.10:5016".into(),
        phase: Phase::Up,
        since_unix_ms: Some(1_795_200_000_000),
        peer: "CarrierSMSC".into(),
        last_error: None,
        deferred_because: None,
        round_trip_us: Some(640),
        throughput: None,
        submitted: 48_211,
        refused: 3,
        deferred: 0,
        doubtful: 0,
        expired: 0,
        delivered: 9_120,
        repeated: 0,
        withheld: 0,
        connections: 1,
        oddities: 0,
    }
}

pub(super) fn ring(
    direction: &str,
    side: &str,
    near: Pointers,
    far: Option<FarPointers>,
) -> RingView {
    let used = near.retrieved - near.processed;
    RingView {
        lane: "oslo/carrier-1".into(),
        direction: direction.into(),
        side: side.into(),
        epoch: "0123456789abcdef".into(),
        near,
        far,
        used,
        room: 255 - used,
        oldest: Oldest {
            to_send_ms: (near.sent < near.retrieved).then_some(12),
            to_confirm_ms: (near.confirmed < near.sent).then_some(310),
            to_process_ms: (used > 0).then_some(1_240),
        },
        in_doubt: None,
        damaged: Vec::new(),
        lost: Vec::new(),
        fence: None,
        shut: None,
    }
}

/// An edge on a good day.
pub(super) fn well() -> Snapshot {
    let pointers = |retrieved, sent, confirmed, processed| Pointers {
        retrieved,
        sent,
        confirmed,
        processed,
    };
    Snapshot {
        mode: "edge".into(),
        name: "oslo".into(),
        program: "sluice 0.1.0".into(),
        at_unix_ms: 1_795_248_785_123,
        up_ms: 270_000_000,
        links: vec![LinkView {
            far: "main".into(),
            up: true,
            phase: "up".into(),
            since_unix_ms: Some(1_795_241_285_123),
            carrier: Some("quic".into()),
            remote: Some("203.0.113.7:25500".into()),
            program: Some("sluice 0.1.0".into()),
            round_trip_us: Some(301_500),
            loss: 0.004,
            octets_per_s: 83_400,
            octets_sent: 1_000_000,
            packets_sent: 5_000,
            packets_received: 4_990,
            outages: 2,
            down_ms: 250_000,
            ..LinkView::default()
        }],
        lanes: vec![LaneView {
            lane: "oslo/carrier-1".into(),
            up: true,
            smsc: Some(smsc()),
            mo_per_s: 12.3,
            mt_per_s: 48.0,
            ..LaneView::default()
        }],
        rings: vec![
            ring(
                "mo",
                "origin",
                pointers(9_120, 9_118, 9_100, 9_097),
                Some(FarPointers {
                    retrieved: Some(9_112),
                    processed: 9_097,
                }),
            ),
            ring(
                "mt",
                "mirror",
                pointers(48_215, 48_215, 48_215, 48_214),
                Some(FarPointers {
                    retrieved: None,
                    processed: 48_200,
                }),
            ),
        ],
        storage: vec![StorageView {
            what: "rings".into(),
            path: "/var/lib/sluice/rings/edge.ring".into(),
            failed: None,
            free_octets: Some(5 << 30),
            syncs: 20_331,
        }],
        ..Snapshot::default()
    }
}

/// The same edge when everything goes wrong at once.
pub(super) fn bad() -> Snapshot {
    let mut bad = well();
    let link = &mut bad.links[0];
    link.up = false;
    link.phase = "down".into();
    link.carrier = None;
    link.round_trip_us = None;
    link.last_error = Some("203.0.113.7:25500 by quic: no answer within 10 s".into());
    link.worry = Some("the certificate of edge oslo expires on 2026-12-01, in 7 days".into());
    let lane = &mut bad.lanes[0];
    lane.up = false;
    let smsc = lane.smsc.as_mut().unwrap();
    smsc.phase = Phase::Refused;
    smsc.last_error = Some("bind_transceiver: invalid password (0x0000000e)".into());
    let origin = &mut bad.rings[0];
    origin.near.retrieved = 9_097 + 255;
    (origin.used, origin.room) = (255, 0);
    origin.oldest.to_process_ms = Some(4_000_000);
    let mirror = &mut bad.rings[1];
    mirror.in_doubt = Some(48_215);
    mirror.damaged = vec![48_215];
    bad.in_doubt = vec![DoubtView {
        lane: "oslo/carrier-1".into(),
        sequence: 48_215,
        address: 20,
        age_ms: Some(61_000),
        held: true,
    }];
    bad.storage[0].free_octets = Some(50 << 20);
    bad
}

/// A central.
pub(super) fn central() -> Snapshot {
    let edge = well();
    let mut origin = ring("mt", "origin", edge.rings[1].near, None);
    origin.far = Some(FarPointers {
        retrieved: Some(48_215),
        processed: 48_214,
    });
    Snapshot {
        mode: "central".into(),
        name: "main".into(),
        links: vec![LinkView {
            far: "oslo".into(),
            ..edge.links[0].clone()
        }],
        lanes: vec![LaneView {
            smsc: None,
            waiting: Some(1200),
            ..edge.lanes[0].clone()
        }],
        rings: vec![origin],
        backlog: Some(BacklogView {
            waiting: 1_200,
            limit: 10_000_000,
            oldest_ms: Some(4_100),
            unmatched_reports: 2,
            unfinished_texts: 1,
            unclaimed: 0,
        }),
        im: Some(ImView {
            listen: "127.0.0.1:24780".into(),
            connections: 44,
            points: 42,
            users: 31,
            texts_waiting: 7,
            refused_sign_ins: 3,
            accepted: 250,
            heard: 12_345,
            said: 23_456,
            ..ImView::default()
        }),
        ..edge
    }
}

/// A socket that shows a stage, for as long as this lives.
pub(super) struct Shown {
    pub(super) socket: PathBuf,
    pub(super) stage: Arc<Stage>,
    _folder: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

pub(super) fn show(snapshot: Snapshot) -> Shown {
    show_with(snapshot, &StatusConfig::default())
}

pub(super) fn show_with(snapshot: Snapshot, config: &StatusConfig) -> Shown {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("status.sock");
    let stage = Stage::new(snapshot);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let door = {
        let _within = runtime.enter();
        StatusDoor::open(&socket, config).unwrap()
    };
    runtime.spawn(door.run(stage.clone()));
    Shown {
        socket,
        stage,
        _folder: folder,
        _runtime: runtime,
    }
}

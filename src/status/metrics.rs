//! Counters and gauges, declared once with a sentence each, and written as OpenMetrics.
//!
//! Labels are lane, direction, end, peer and the like: sets that configuration bounds. A subscriber's number is in none.

use std::fmt::Write as _;

use super::snapshot::{
    Health, ImView, LaneView, LinkView, RingView, SmscView, Snapshot, StorageView,
};

/// What a number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It only grows while the process lives.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One number that is exported.
pub struct Metric {
    /// Its name, without the ending that counters get.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it tells, as a sentence.
    pub help: &'static str,
    source: Source,
}

enum Source {
    House(fn(&Snapshot) -> Option<f64>),
    Im(fn(&ImView) -> Option<f64>),
    Link(fn(&LinkView) -> Option<f64>),
    Lane(fn(&LaneView) -> Option<f64>),
    Smsc(fn(&SmscView) -> Option<f64>),
    Ring(fn(&RingView) -> Option<f64>),
    Storage(fn(&StorageView) -> Option<f64>),
}

const fn metric(name: &'static str, kind: Kind, help: &'static str, source: Source) -> Metric {
    Metric {
        name,
        kind,
        help,
        source,
    }
}

fn count(number: u64) -> Option<f64> {
    Some(number as f64)
}

fn seconds_of_ms(ms: Option<u64>) -> Option<f64> {
    ms.map(|ms| ms as f64 / 1e3)
}

fn seconds_of_us(us: Option<u64>) -> Option<f64> {
    us.map(|us| us as f64 / 1e6)
}

fn yes(is: bool) -> Option<f64> {
    Some(if is { 1.0 } else { 0.0 })
}

use Kind::{Counter, Gauge};
use Source::{House, Im, Lane, Link, Ring, Smsc, Storage};

/// All of them.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    metric("sluice_health", Gauge, "0 ok, 1 degraded, 2 down.", House(|all| Some(match all.health { Health::Ok => 0.0, Health::Degraded => 1.0, Health::Down => 2.0 }))),
    metric("sluice_up_seconds", Gauge, "For how long the process has been running.", House(|all| seconds_of_ms(Some(all.up_ms)))),
    metric("sluice_troubles", Gauge, "Alarms that stand now.", House(|all| count(all.troubles.len() as u64))),
    metric("sluice_in_doubt_messages", Gauge, "Messages that an SMSC may or may not have.", House(|all| count(all.in_doubt.len() as u64))),
    metric("sluice_backlog_messages", Gauge, "Messages that wait at central for a lane.", House(|all| count(all.backlog.as_ref()?.waiting))),
    metric("sluice_backlog_oldest_seconds", Gauge, "How long the oldest of them has been waiting.", House(|all| seconds_of_ms(all.backlog.as_ref()?.oldest_ms))),
    metric("sluice_backlog_unmatched_reports", Gauge, "Reports whose message was not found.", House(|all| count(all.backlog.as_ref()?.unmatched_reports))),
    metric("sluice_backlog_unfinished_texts", Gauge, "Long messages of which parts are missing.", House(|all| count(all.backlog.as_ref()?.unfinished_texts))),
    metric("sluice_backlog_unclaimed_messages", Gauge, "What phones wrote to numbers that no lane has.", House(|all| count(all.backlog.as_ref()?.unclaimed))),

    metric("sluice_im_connections", Gauge, "Connections of IM clients that are open.", Im(|im| count(im.connections))),
    metric("sluice_im_points", Gauge, "Sessions of IM users that have a connection.", Im(|im| count(im.points))),
    metric("sluice_im_users", Gauge, "IM users who have a point.", Im(|im| count(im.users))),
    metric("sluice_im_waiting_texts", Gauge, "Texts of IM users that wait for a lane to a phone.", Im(|im| count(im.texts_waiting))),
    metric("sluice_im_waiting_errands", Gauge, "What came from phones and carriers, and waits for the IM service.", Im(|im| count(im.errands_waiting))),
    metric("sluice_im_refused_sign_ins", Counter, "Sign-ins with a wrong name, password or client id.", Im(|im| count(im.refused_sign_ins))),
    metric("sluice_im_accepted_connections", Counter, "Connections of IM clients that were let in.", Im(|im| count(im.accepted))),
    metric("sluice_im_refused_connections", Counter, "Connections of IM clients that were turned away, since there were too many.", Im(|im| count(im.turned_away))),
    metric("sluice_im_slow_connections", Counter, "Connections that were closed, since their client did not read.", Im(|im| count(im.slow))),
    metric("sluice_im_heard_primitives", Counter, "Primitives that came from clients.", Im(|im| count(im.heard))),
    metric("sluice_im_said_primitives", Counter, "Primitives that were sent to clients.", Im(|im| count(im.said))),
    metric("sluice_im_restarts", Counter, "How often the IM service was built anew, since something could not be stored.", Im(|im| count(im.rebuilt))),

    metric("sluice_link_up", Gauge, "Whether both ends of the link know each other.", Link(|link| yes(link.up))),
    metric("sluice_link_round_trip_seconds", Gauge, "Smoothed round trip of the link.", Link(|link| seconds_of_us(link.round_trip_us))),
    metric("sluice_link_loss_ratio", Gauge, "Share of the link's packets that get lost.", Link(|link| Some(link.loss))),
    metric("sluice_link_rate_bytes_per_second", Gauge, "What the line was measured to carry.", Link(|link| count(link.octets_per_s))),
    metric("sluice_link_sent_bytes", Counter, "Octets put on the line.", Link(|link| count(link.octets_sent))),
    metric("sluice_link_sent_packets", Counter, "Packets put on the line.", Link(|link| count(link.packets_sent))),
    metric("sluice_link_received_packets", Counter, "Packets that came.", Link(|link| count(link.packets_received))),
    metric("sluice_link_outages", Counter, "How often the link broke.", Link(|link| count(link.outages))),
    metric("sluice_link_down_seconds", Counter, "For how long it was down in all.", Link(|link| seconds_of_ms(Some(link.down_ms)))),

    metric("sluice_lane_up", Gauge, "Whether messages can go over the lane.", Lane(|lane| yes(lane.up))),
    metric("sluice_lane_suspended", Gauge, "Whether an operator stopped it.", Lane(|lane| yes(lane.suspended || lane.draining))),
    metric("sluice_lane_stuck_seconds", Gauge, "For how long nothing has moved though something should.", Lane(|lane| seconds_of_ms(lane.stuck_ms))),
    metric("sluice_lane_mo_messages_per_second", Gauge, "Messages from phones, over the last ten seconds.", Lane(|lane| Some(lane.mo_per_s))),
    metric("sluice_lane_mt_messages_per_second", Gauge, "Messages to phones, over the last ten seconds.", Lane(|lane| Some(lane.mt_per_s))),
    metric("sluice_lane_waiting_messages", Gauge, "What waits at central and can only go over this lane.", Lane(|lane| count(lane.waiting?))),

    metric("sluice_smsc_round_trip_seconds", Gauge, "Smoothed time from a submit to its answer.", Smsc(|smsc| seconds_of_us(smsc.round_trip_us))),
    metric("sluice_smsc_submitted_messages", Counter, "Messages that the SMSC accepted.", Smsc(|smsc| count(smsc.submitted))),
    metric("sluice_smsc_refused_messages", Counter, "Messages that the SMSC refused for good.", Smsc(|smsc| count(smsc.refused))),
    metric("sluice_smsc_deferred_answers", Counter, "Answers that asked us to try again.", Smsc(|smsc| count(smsc.deferred))),
    metric("sluice_smsc_doubtful_messages", Counter, "Messages that were in doubt at some time.", Smsc(|smsc| count(smsc.doubtful))),
    metric("sluice_smsc_expired_messages", Counter, "Messages whose validity ended before they could be offered.", Smsc(|smsc| count(smsc.expired))),
    metric("sluice_smsc_delivered_messages", Counter, "Messages and reports taken from the SMSC.", Smsc(|smsc| count(smsc.delivered))),
    metric("sluice_smsc_repeated_deliveries", Counter, "Deliveries that the SMSC repeated.", Smsc(|smsc| count(smsc.repeated))),
    metric("sluice_smsc_withheld_deliveries", Counter, "Deliveries that had to wait for a free slot.", Smsc(|smsc| count(smsc.withheld))),
    metric("sluice_smsc_connections", Counter, "Connections that were made to the SMSC.", Smsc(|smsc| count(smsc.connections))),
    metric("sluice_smsc_oddities", Counter, "Oddities in the SMSC's protocol.", Smsc(|smsc| count(smsc.oddities))),

    metric("sluice_ring_retrieved", Counter, "Pointer: stored at this end, up to here without a gap.", Ring(|ring| count(ring.near.retrieved))),
    metric("sluice_ring_sent", Counter, "Pointer: put on the link, up to here without a gap.", Ring(|ring| count(ring.near.sent))),
    metric("sluice_ring_confirmed", Counter, "Pointer: stored at the other end, up to here without a gap.", Ring(|ring| count(ring.near.confirmed))),
    metric("sluice_ring_processed", Counter, "Pointer: passed on at the other end, up to here without a gap.", Ring(|ring| count(ring.near.processed))),
    metric("sluice_ring_far_retrieved", Counter, "What the other end said last that it holds, up to here without a gap.", Ring(|ring| count(ring.far?.retrieved?))),
    metric("sluice_ring_far_processed", Counter, "What the other end said last that is passed on, up to here without a gap.", Ring(|ring| count(ring.far?.processed))),
    metric("sluice_ring_used_slots", Gauge, "Slots that hold messages.", Ring(|ring| count(ring.used))),
    metric("sluice_ring_free_slots", Gauge, "Slots that are free.", Ring(|ring| count(ring.room))),
    metric("sluice_ring_oldest_to_send_seconds", Gauge, "How long the oldest message has been waiting to be put on the link.", Ring(|ring| seconds_of_ms(ring.oldest.to_send_ms))),
    metric("sluice_ring_oldest_to_confirm_seconds", Gauge, "How long the oldest message on the link has been there.", Ring(|ring| seconds_of_ms(ring.oldest.to_confirm_ms))),
    metric("sluice_ring_oldest_to_process_seconds", Gauge, "How old the oldest message is that was not passed on.", Ring(|ring| seconds_of_ms(ring.oldest.to_process_ms))),
    metric("sluice_ring_damaged_messages", Gauge, "Messages whose slot is damaged.", Ring(|ring| count(ring.damaged.len() as u64))),
    metric("sluice_ring_lost_messages", Counter, "Messages that were declared lost, a hundred at most.", Ring(|ring| count(ring.lost.len() as u64))),
    metric("sluice_ring_shut", Gauge, "Whether the ring is kept shut, on disk or on the link.", Ring(|ring| yes(ring.fence.is_some() || ring.shut.is_some()))),

    metric("sluice_storage_failed", Gauge, "Whether nothing more is accepted because this cannot be written.", Storage(|storage| yes(storage.failed.is_some()))),
    metric("sluice_storage_free_bytes", Gauge, "Free octets on its disk.", Storage(|storage| count(storage.free_octets?))),
    metric("sluice_storage_syncs", Counter, "Syncs of it since the start.", Storage(|storage| count(storage.syncs))),
];

/// All numbers as OpenMetrics text.
pub fn render(all: &Snapshot) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for metric in METRICS {
        let samples = samples(metric, all);
        if samples.is_empty() {
            continue;
        }
        let (kind, ending) = match metric.kind {
            Counter => ("counter", "_total"),
            Gauge => ("gauge", ""),
        };
        let name = metric.name;
        for line in [
            format!("# TYPE {name} {kind}\n"),
            format!("# HELP {name} {}\n", metric.help),
        ] {
            out.push_str(&line);
        }
        for (labels, value) in samples {
            // Writing to a String does not fail.
            let _ = writeln!(out, "{name}{ending}{labels} {value}");
        }
    }
    out.push_str("# EOF\n");
    out
}

fn samples(metric: &Metric, all: &Snapshot) -> Vec<(String, f64)> {
    let lane_labels = |lane: &str| labels(&[("lane", lane)]);
    let ring_labels = |ring: &RingView| {
        labels(&[
            ("lane", &ring.lane),
            ("direction", &ring.direction),
            ("end", &ring.side),
        ])
    };
    fn each<V>(
        views: &[V],
        labels: impl Fn(&V) -> String,
        value: impl Fn(&V) -> Option<f64>,
    ) -> Vec<(String, f64)> {
        views
            .iter()
            .filter_map(|view| Some((labels(view), value(view)?)))
            .collect()
    }
    match metric.source {
        House(value) => value(all)
            .map(|value| (String::new(), value))
            .into_iter()
            .collect(),
        Im(value) => (all.im.as_ref().and_then(value))
            .map(|value| (String::new(), value))
            .into_iter()
            .collect(),
        Link(value) => each(&all.links, |link| labels(&[("far", &link.far)]), value),
        Lane(value) => each(&all.lanes, |lane| lane_labels(&lane.lane), value),
        Smsc(value) => each(
            &all.lanes,
            |lane| lane_labels(&lane.lane),
            |lane| value(lane.smsc.as_ref()?),
        ),
        Ring(value) => each(&all.rings, ring_labels, value),
        Storage(value) => each(
            &all.storage,
            |storage| labels(&[("what", &storage.what)]),
            value,
        ),
    }
}

fn labels(labels: &[(&str, &str)]) -> String {
    let written: Vec<String> = labels
        .iter()
        .map(|(label, value)| {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            format!("{label}=\"{value}\"")
        })
        .collect();
    format!("{{{}}}", written.join(","))
}

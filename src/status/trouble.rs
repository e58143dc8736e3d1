//! What is wrong, in words, and what to do: made from what the views show, so that screen, JSON and metrics agree.

use super::snapshot::{Health, LaneView, LinkView, RingView, Snapshot, Trouble};
use crate::smsc::status::Phase;

/// An alarm: its code, what it means, and what to do. `docs/operations.md` says more of each.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// The code, which does not change between versions.
    pub code: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

macro_rules! alarms {
    ($($name:ident = $code:literal: $remedy:literal;)*) => {
        $(const $name: Alarm = Alarm { code: $code, remedy: $remedy };)*
        /// Every alarm that there is.
        pub const ALARMS: &[Alarm] = &[$($name),*];
    };
}

alarms! {
    STORAGE_FAILED = "storage-failed": "look at the disk (`dmesg`, `df`); it goes on by itself when the file can be \
                                        written again, otherwise restart the service once the disk is well";
    STORE_FULL = "store-full": "make room on this disk; what comes is told to try later, what is under way goes on, and all \
                                goes on by itself when there is room";
    STORE_WORRY = "store-worry": "note what it says, and look at the disk; docs/operations.md explains each";
    DISK_LOW = "disk-low": "make room on this disk; rings have theirs already, the store and the logs have not";
    SMSC_REFUSED = "smsc-refused": "compare system_id or username, password_file and the rest of the account with what \
                                    the carrier gave you, then `sluice reload`";
    SMSC_DOWN = "smsc-down": "look at the line and at the SMSC; the lane calls again by itself";
    LANE_STUCK = "lane-stuck": "its session is made anew by itself; if it comes again, ask the carrier whether the SMSC \
                                answers";
    LANE_SUSPENDED = "lane-suspended": "`sluice lane resume LANE` when it may go on";
    LANE_DRAINING = "lane-draining": "`sluice lane resume LANE` when it may take messages again";
    IN_DOUBT_HELD = "in-doubt-held": "ask the carrier whether it has this message, then `sluice indoubt drop LANE` if it \
                                      has, or `sluice indoubt resend LANE`";
    LINK_REFUSED = "link-refused": "look at the pairing (`sluice pair list` at central, `sluice pair show` at the edge) \
                                    and at both clocks; docs/pairing.md explains the words";
    LINK_CONTESTED = "link-contested": "stop the other one: two edges run with one name and one bundle, as after a rack was \
                                        copied; an edge of its own needs a name of its own (`sluice pair enrol NAME`)";
    LINK_DOWN = "link-down": "look at the internet connection; both ends call again by themselves, and nothing is lost \
                              meanwhile";
    LINK_WORRY = "link-worry": "renew the certificate (`sluice pair renew`) or set the clock, as it says";
    RING_FENCED = "ring-fenced": "restore the newest copy of the ring file, or give the ring a new epoch with `sluice \
                                  ring renew`";
    RING_SHUT = "ring-shut": "make the lanes of both configurations agree; after a ring was made anew, `sluice ring \
                              renew` the other end too";
    MESSAGE_LOST = "message-lost": "note the numbers and tell who is to know; replace the disk that damaged them";
    RING_DAMAGED = "ring-damaged": "nothing, while the link is up: the message is asked back from the other end; look at \
                                    the disk";
    RING_FULL = "ring-full": "look at what comes behind this ring: the link for mo at an edge and mt at central, else \
                              the SMSC or the store; nothing is lost, its source keeps what comes";
    RING_OLD = "ring-old": "look at what comes behind this ring, as for a full one; it will be full before long";
    BACKLOG_FULL = "backlog-full": "bring lanes up or add some; senders are refused meanwhile";
    BACKLOG_HIGH = "backlog-high": "bring lanes up or add some, before senders are refused";
    BACKLOG_OLD = "backlog-old": "bring up a lane for these messages, or give their numbers a [[route]]";
    UNCLAIMED = "unclaimed": "put the number into the short_codes of its lane, or ask the carrier why it sends these";
}

/// A message that waits so long in a full ring is not just passing.
const FULL_FOR_MS: u64 = 60_000;
/// So long a message waits in no ring where all goes well.
const OLD_MS: u64 = 600_000;
/// So long nothing waits in the backlog where all goes well.
const BACKLOG_OLD_MS: u64 = 3_600_000;
/// Less room than this on a disk runs out within hours.
const LOW_OCTETS: u64 = 200 << 20;

/// Adds what is wrong, worst first, and the health that follows.
pub fn judge(snapshot: &mut Snapshot) {
    let mut found = std::mem::take(&mut snapshot.troubles);
    let no_lane_up = !snapshot.lanes.is_empty() && snapshot.lanes.iter().all(|lane| !lane.up);
    storage(snapshot, &mut found);
    for lane in &snapshot.lanes {
        of_lane(lane, no_lane_up, &mut found);
    }
    for doubt in snapshot.in_doubt.iter().filter(|doubt| doubt.held) {
        found.push(IN_DOUBT_HELD.about(
            &doubt.lane,
            Health::Degraded,
            format!(
                "the SMSC may or may not have message {} (address {}), and the lane waits for your word",
                doubt.sequence, doubt.address
            ),
        ));
    }
    for link in &snapshot.links {
        of_link(link, &mut found);
    }
    for ring in &snapshot.rings {
        of_ring(ring, &mut found);
    }
    backlog(snapshot, &mut found);
    found.sort_by_key(|trouble| std::cmp::Reverse(trouble.health));
    snapshot.health = found
        .iter()
        .map(|trouble| trouble.health)
        .max()
        .unwrap_or_default();
    snapshot.troubles = found;
}

impl Alarm {
    fn about(self, about: &str, health: Health, what: String) -> Trouble {
        Trouble {
            code: self.code.to_owned(),
            health,
            about: about.to_owned(),
            what,
            remedy: self.remedy.replace("LANE", about),
        }
    }
}

/// What the store at that place has to say; that it failed shows as such.
pub fn of_store(path: &str, alarm: &crate::store::Alarm) -> Option<Trouble> {
    match alarm {
        crate::store::Alarm::Failed { .. } => None,
        crate::store::Alarm::NoRoom { free, least } => {
            let (free, least) = (free >> 20, least >> 20);
            let what = format!(
                "nothing new is accepted: {free} MiB are free, {least} are kept in reserve"
            );
            Some(STORE_FULL.about(path, Health::Down, what))
        }
        worry => Some(STORE_WORRY.about(path, Health::Degraded, worry.to_string())),
    }
}

fn storage(snapshot: &Snapshot, found: &mut Vec<Trouble>) {
    for storage in &snapshot.storage {
        if let Some(why) = &storage.failed {
            let what = format!("nothing more is accepted: {why}");
            found.push(STORAGE_FAILED.about(&storage.path, Health::Down, what));
        }
        if let Some(free) = storage.free_octets.filter(|free| *free < LOW_OCTETS) {
            let what = format!("{} MiB are left on the disk", free >> 20);
            found.push(DISK_LOW.about(&storage.path, Health::Degraded, what));
        }
    }
}

fn of_lane(lane: &LaneView, no_lane_up: bool, found: &mut Vec<Trouble>) {
    let worst = if no_lane_up {
        Health::Down
    } else {
        Health::Degraded
    };
    let about = &lane.lane;
    if let Some(smsc) = &lane.smsc {
        let because = match &smsc.last_error {
            Some(why) => format!(": {why}"),
            None => String::new(),
        };
        match smsc.phase {
            Phase::Refused => {
                let what = format!("the SMSC refuses our login{because}");
                found.push(SMSC_REFUSED.about(about, worst, what));
            }
            Phase::Waiting | Phase::Connecting | Phase::Idle | Phase::Closed => {
                let what = format!("no session with the SMSC{because}");
                found.push(SMSC_DOWN.about(about, worst, what));
            }
            Phase::Up => {}
        }
    }
    if let Some(stuck) = lane.stuck_ms {
        let what = format!("nothing has moved for {}", super::words::time_ms(stuck));
        found.push(LANE_STUCK.about(about, Health::Degraded, what));
    }
    if lane.draining {
        let what = String::from("it takes nothing new, by order");
        found.push(LANE_DRAINING.about(about, Health::Degraded, what));
    } else if lane.suspended {
        let what = String::from("nothing is offered to the SMSC, by order");
        found.push(LANE_SUSPENDED.about(about, Health::Degraded, what));
    }
}

fn of_link(link: &LinkView, found: &mut Vec<Trouble>) {
    if link.contested {
        let what = format!(
            "another edge of this name takes the link to {} over, again and again",
            link.far
        );
        found.push(LINK_CONTESTED.about(&link.far, Health::Degraded, what));
    } else if !link.up {
        let because = match &link.last_error {
            Some(why) => format!(": {why}"),
            None => String::new(),
        };
        let (alarm, what) = if link.needs_operator {
            (
                LINK_REFUSED,
                format!("the link to {} is refused{because}", link.far),
            )
        } else {
            (LINK_DOWN, format!("no link to {}{because}", link.far))
        };
        found.push(alarm.about(&link.far, Health::Degraded, what));
    }
    if let Some(worry) = &link.worry {
        found.push(LINK_WORRY.about(&link.far, Health::Degraded, worry.clone()));
    }
}

fn of_ring(ring: &RingView, found: &mut Vec<Trouble>) {
    let about = ring.name();
    let mut say = |alarm: Alarm, what| found.push(alarm.about(&about, Health::Degraded, what));
    if let Some(fence) = &ring.fence {
        say(RING_FENCED, format!("the ring is kept shut: {fence}"));
    } else if let Some(why) = &ring.shut {
        say(
            RING_SHUT,
            format!("the ring takes no part in the link: {why}"),
        );
    }
    if !ring.lost.is_empty() {
        say(
            MESSAGE_LOST,
            format!(
                "lost, damaged at both ends: {}",
                super::words::numbers(&ring.lost)
            ),
        );
    }
    if !ring.damaged.is_empty() {
        say(
            RING_DAMAGED,
            format!("damaged on disk: {}", super::words::numbers(&ring.damaged)),
        );
    }
    let Some(oldest) = ring.oldest.to_process_ms else {
        return;
    };
    let age = super::words::time_ms(oldest);
    if ring.room == 0 && oldest > FULL_FOR_MS {
        say(
            RING_FULL,
            format!("all 255 slots hold messages, the oldest for {age}"),
        );
    } else if oldest > OLD_MS {
        say(
            RING_OLD,
            format!(
                "{} of 255 slots hold messages, the oldest for {age}",
                ring.used
            ),
        );
    }
}

fn backlog(snapshot: &Snapshot, found: &mut Vec<Trouble>) {
    let Some(backlog) = &snapshot.backlog else {
        return;
    };
    let mut say = |alarm: Alarm, what| found.push(alarm.about("backlog", Health::Degraded, what));
    let (waiting, limit) = (backlog.waiting, backlog.limit);
    if waiting >= limit && limit > 0 {
        say(
            BACKLOG_FULL,
            format!("{waiting} messages wait for a lane, as many as may"),
        );
    } else if limit > 0 && waiting >= limit - limit / 5 {
        say(
            BACKLOG_HIGH,
            format!("{waiting} messages wait for a lane, and {limit} may"),
        );
    }
    if let Some(oldest) = backlog.oldest_ms.filter(|oldest| *oldest > BACKLOG_OLD_MS) {
        let age = super::words::time_ms(oldest);
        say(
            BACKLOG_OLD,
            format!("a message has been waiting for a lane for {age}"),
        );
    }
    if backlog.unclaimed > 0 {
        let count = backlog.unclaimed;
        say(
            UNCLAIMED,
            format!("{count} messages from phones went to numbers that no lane has"),
        );
    }
}

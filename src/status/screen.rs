//! The snapshot as one screen for people: what is wrong first in colour, last in words, and what to do.

use super::snapshot::{
    FarPointers, Health, ImView, LaneView, LinkView, RingView, Snapshot, Trouble,
};
use super::words::{rate, time_ms, time_us};
use crate::clock::WallTime;
use crate::smsc::status::Phase;

/// What a line says by its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// A value.
    Plain,
    /// A heading.
    Heading,
    /// All is well.
    Good,
    /// Somebody should look.
    Bad,
    /// It does not work.
    Worst,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What stands there.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

const fn tone(health: Health) -> Tone {
    match health {
        Health::Ok => Tone::Good,
        Health::Degraded => Tone::Bad,
        Health::Down => Tone::Worst,
    }
}

/// Widest line of words; tables may be wider.
const WIDTH: usize = 100;

/// The whole screen.
pub fn screen(all: &Snapshot) -> Vec<Line> {
    let mut lines = Vec::new();
    let at = WallTime::from_unix_ms(all.at_unix_ms);
    lines.push(Line {
        text: format!(
            "{} {} is {}   {}, up {}   {at}",
            all.mode,
            all.name,
            all.health.as_str().to_uppercase(),
            all.program,
            time_ms(all.up_ms)
        ),
        tone: tone(all.health),
    });
    links(&all.links, at, &mut lines);
    lanes(&all.lanes, &mut lines);
    rings(&all.rings, &mut lines);
    if let Some(backlog) = &all.backlog {
        blank(&mut lines);
        let mut text = format!(
            "BACKLOG  {} of {} messages wait for a lane",
            backlog.waiting, backlog.limit
        );
        if let Some(oldest) = backlog.oldest_ms {
            text.push_str(&format!(", the oldest for {}", time_ms(oldest)));
        }
        for (count, what) in [
            (backlog.unmatched_reports, "reports without their message"),
            (backlog.unfinished_texts, "long texts that lack parts"),
            (backlog.unclaimed, "messages for numbers that no lane has"),
        ] {
            if count > 0 {
                text.push_str(&format!("; {count} {what}"));
            }
        }
        plain(&mut lines, text);
    }
    if let Some(im) = &all.im {
        people(im, &mut lines);
    }
    storage(all, &mut lines);
    troubles(&all.troubles, &mut lines);
    lines
}

fn blank(lines: &mut Vec<Line>) {
    plain(lines, String::new());
}

fn plain(lines: &mut Vec<Line>, text: String) {
    lines.push(Line {
        text,
        tone: Tone::Plain,
    });
}

fn links(links: &[LinkView], now: WallTime, lines: &mut Vec<Line>) {
    if links.is_empty() {
        return;
    }
    let mut rows = vec![row([
        "LINK TO",
        "STATE",
        "SINCE",
        "BY",
        "ROUND TRIP",
        "LOSS",
        "RATE",
        "OUTAGES",
    ])];
    rows.extend(links.iter().map(|link| {
        let since = link.since_unix_ms.map(|since| {
            let since = now.since(WallTime::from_unix_ms(since));
            time_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        });
        let outages = match link.outages {
            0 => String::from("none"),
            count => format!("{count}, {} in all", time_ms(link.down_ms)),
        };
        vec![
            link.far.clone(),
            link.phase.clone(),
            dash(since),
            dash(link.carrier.clone()),
            dash(link.round_trip_us.map(time_us)),
            if link.up {
                format!("{:.1} %", link.loss * 100.0)
            } else {
                dash(None)
            },
            if link.up {
                rate(link.octets_per_s)
            } else {
                dash(None)
            },
            outages,
        ]
    }));
    let tones = links.iter().map(|link| {
        if link.up && link.worry.is_none() {
            Tone::Plain
        } else {
            Tone::Bad
        }
    });
    table(&rows, &[0, 1, 3, 7], tones, lines);
}

fn lanes(lanes: &[LaneView], lines: &mut Vec<Line>) {
    if lanes.is_empty() {
        return;
    }
    let mut rows = vec![row([
        "LANE",
        "STATE",
        "SMSC",
        "MO/s",
        "MT/s",
        "ROUND TRIP",
        "ACCEPTED",
        "REFUSED",
        "TAKEN",
    ])];
    rows.extend(lanes.iter().map(|lane| {
        let smsc = lane.smsc.as_ref();
        let number = |value: Option<u64>| dash(value.map(|value| value.to_string()));
        vec![
            lane.lane.clone(),
            state(lane).to_owned(),
            dash(smsc.map(|smsc| format!("{} {}", smsc.protocol, smsc.endpoint))),
            format!("{:.1}", lane.mo_per_s),
            format!("{:.1}", lane.mt_per_s),
            dash(smsc.and_then(|smsc| smsc.round_trip_us).map(time_us)),
            number(smsc.map(|smsc| smsc.submitted)),
            number(smsc.map(|smsc| smsc.refused)),
            number(smsc.map(|smsc| smsc.delivered)),
        ]
    }));
    let tones = lanes.iter().map(|lane| match state(lane) {
        "up" => Tone::Plain,
        _ => Tone::Bad,
    });
    table(&rows, &[0, 1, 2], tones, lines);
}

/// What a lane does, in one word.
fn state(lane: &LaneView) -> &'static str {
    match (&lane.smsc, lane.up) {
        _ if lane.stuck_ms.is_some() => "stuck",
        _ if lane.draining => "draining",
        _ if lane.suspended => "suspended",
        (Some(smsc), _) => match smsc.phase {
            Phase::Idle => "starting",
            Phase::Connecting => "connecting",
            Phase::Up => "up",
            Phase::Waiting => "down",
            Phase::Refused => "refused",
            Phase::Closed => "closed",
        },
        (None, true) => "up",
        (None, false) => "down",
    }
}

fn rings(rings: &[RingView], lines: &mut Vec<Line>) {
    if rings.is_empty() {
        return;
    }
    let mut rows = vec![row([
        "RING",
        "END",
        "RETRIEVED",
        "SENT",
        "CONFIRMED",
        "PROCESSED",
        "USED",
        "OLDEST TO SEND",
        "TO CONFIRM",
        "TO PROCESS",
    ])];
    let mut tones = Vec::new();
    for ring in rings {
        let age = |ms: Option<u64>| dash(ms.map(time_ms));
        let near = ring.near;
        let is_bad = ring.room == 0
            || ring.fence.is_some()
            || ring.shut.is_some()
            || !ring.damaged.is_empty();
        tones.push(if is_bad { Tone::Bad } else { Tone::Plain });
        rows.push(vec![
            format!("{} {}", ring.lane, ring.direction),
            ring.side.clone(),
            near.retrieved.to_string(),
            near.sent.to_string(),
            near.confirmed.to_string(),
            near.processed.to_string(),
            format!("{}/255", ring.used),
            age(ring.oldest.to_send_ms),
            age(ring.oldest.to_confirm_ms),
            age(ring.oldest.to_process_ms),
        ]);
        tones.push(Tone::Plain);
        let far = match ring.side.as_str() {
            "origin" => "mirror",
            _ => "origin",
        };
        let mut beyond = vec![String::new(), far.to_owned()];
        beyond.extend(pointers(ring.far));
        beyond.extend(std::iter::repeat_n(String::new(), 4));
        rows.push(beyond);
    }
    table(&rows, &[0, 1], tones.into_iter(), lines);
}

/// The other end's pointers, as far as it has told them. What a mirror holds it got sent, and has confirmed.
fn pointers(far: Option<FarPointers>) -> [String; 4] {
    let held = dash(
        far.and_then(|far| far.retrieved)
            .map(|held| held.to_string()),
    );
    let processed = dash(far.map(|far| far.processed.to_string()));
    [held.clone(), held.clone(), held, processed]
}

/// The IM service in one line.
fn people(im: &ImView, lines: &mut Vec<Line>) {
    blank(lines);
    let mut text = format!(
        "IM       {} users at {} points on {}; {} texts to phones wait",
        im.users, im.points, im.listen, im.texts_waiting
    );
    for (count, what) in [
        (im.errands_waiting, "texts and reports from phones wait"),
        (im.refused_sign_ins, "sign-ins were refused"),
        (im.turned_away, "connections were turned away"),
        (im.rebuilt, "times it began anew"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
    }
    plain(lines, text);
}

fn storage(all: &Snapshot, lines: &mut Vec<Line>) {
    if all.storage.is_empty() {
        return;
    }
    let mut rows = vec![row(["STORAGE", "WHERE", "FREE", "SYNCS", "STATE"])];
    rows.extend(all.storage.iter().map(|storage| {
        vec![
            storage.what.clone(),
            storage.path.clone(),
            dash(
                storage
                    .free_octets
                    .map(|free| format!("{} MiB", free >> 20)),
            ),
            storage.syncs.to_string(),
            if storage.failed.is_some() {
                String::from("FAILED")
            } else {
                String::from("writes")
            },
        ]
    }));
    let tones = all.storage.iter().map(|storage| match storage.failed {
        Some(_) => Tone::Worst,
        None => Tone::Plain,
    });
    table(&rows, &[0, 1, 4], tones, lines);
}

fn troubles(troubles: &[Trouble], lines: &mut Vec<Line>) {
    blank(lines);
    if troubles.is_empty() {
        lines.push(Line {
            text: String::from("Nothing is wrong."),
            tone: Tone::Good,
        });
        return;
    }
    for trouble in troubles {
        let told = format!("{}: {} [{}]", trouble.about, trouble.what, trouble.code);
        for text in wrapped(&told, "! ", "  ") {
            lines.push(Line {
                text,
                tone: tone(trouble.health),
            });
        }
        for text in wrapped(&trouble.remedy, "  -> ", "     ") {
            plain(lines, text);
        }
    }
}

fn wrapped(words: &str, first: &str, further: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in words.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, further.to_owned()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

fn row<const N: usize>(entries: [&str; N]) -> Vec<String> {
    entries.map(str::to_owned).to_vec()
}

fn dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| String::from("-"))
}

/// A heading and rows in columns: words stand left, numbers right.
fn table(
    rows: &[Vec<String>],
    words: &[usize],
    tones: impl Iterator<Item = Tone>,
    lines: &mut Vec<Line>,
) {
    blank(lines);
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let tones = std::iter::once(Tone::Heading).chain(tones);
    for (row, tone) in rows.iter().zip(tones) {
        let mut text = String::new();
        for (column, (entry, &width)) in row.iter().zip(&widths).enumerate() {
            text.push_str(if column == 0 { "" } else { "  " });
            if words.contains(&column) {
                text.push_str(&format!("{entry:<width$}"));
            } else {
                text.push_str(&format!("{entry:>width$}"));
            }
        }
        lines.push(Line {
            text: text.trim_end().to_owned(),
            tone,
        });
    }
}

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

/// What it is shown on.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// How many characters fit into a line. Tables leave out what tells least, until they fit.
    pub width: usize,
    /// What is wrong comes first, where the end of the screen may not be seen.
    pub wrong_first: bool,
}

impl Paper {
    /// As long and as wide as it likes.
    pub const ENDLESS: Self = Self {
        width: usize::MAX,
        wrong_first: false,
    };
}

/// The whole screen.
pub fn screen(all: &Snapshot, paper: Paper) -> Vec<Line> {
    let mut lines = Vec::new();
    let width = paper.width;
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
    if paper.wrong_first {
        troubles(&all.troubles, width, &mut lines);
    }
    links(&all.links, at, width, &mut lines);
    lanes(&all.lanes, width, &mut lines);
    rings(&all.rings, width, &mut lines);
    if let Some(backlog) = &all.backlog {
        blank(&mut lines);
        let mut told = format!(
            "BACKLOG  {} of {} messages wait for a lane",
            backlog.waiting, backlog.limit
        );
        if let Some(oldest) = backlog.oldest_ms {
            told.push_str(&format!(", the oldest for {}", time_ms(oldest)));
        }
        for (count, what) in [
            (backlog.unmatched_reports, "reports without their message"),
            (backlog.unfinished_texts, "long texts that lack parts"),
            (backlog.unclaimed, "messages for numbers that no lane has"),
        ] {
            if count > 0 {
                told.push_str(&format!("; {count} {what}"));
            }
        }
        sentence(&told, width, &mut lines);
    }
    if let Some(im) = &all.im {
        people(im, width, &mut lines);
    }
    storage(all, width, &mut lines);
    if !paper.wrong_first {
        troubles(&all.troubles, width, &mut lines);
    }
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

/// Words that go on below themselves if they are too long for the paper.
fn sentence(words: &str, width: usize, lines: &mut Vec<Line>) {
    let (first, rest) = words.split_at(HANGING.len().min(words.len()));
    match words.chars().count() <= width {
        true => plain(lines, words.to_owned()),
        false => {
            for text in wrapped(rest, first, HANGING, width) {
                plain(lines, text);
            }
        }
    }
}

/// As wide as `BACKLOG` and `IM` with the blanks behind them.
const HANGING: &str = "         ";

fn links(links: &[LinkView], now: WallTime, width: usize, lines: &mut Vec<Line>) {
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
    table(rows, &[0, 1, 3, 7], &[6, 2], width, tones, lines);
}

fn lanes(lanes: &[LaneView], width: usize, lines: &mut Vec<Line>) {
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
    table(rows, &[0, 1, 2], &[2, 5], width, tones, lines);
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

fn rings(rings: &[RingView], width: usize, lines: &mut Vec<Line>) {
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
    // On narrow paper; the age since it came is the one that counts.
    let short = [
        "RING", "END", "RETR", "SENT", "CONF", "PROC", "USED", "TO SEND", "TO CONF", "OLDEST",
    ];
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
    if needed(&widths(&rows)) > width {
        rows[0] = row(short);
    }
    table(rows, &[0, 1], &[7, 8], width, tones.into_iter(), lines);
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
fn people(im: &ImView, width: usize, lines: &mut Vec<Line>) {
    blank(lines);
    let mut told = format!(
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
            told.push_str(&format!("; {count} {what}"));
        }
    }
    sentence(&told, width, lines);
}

fn storage(all: &Snapshot, width: usize, lines: &mut Vec<Line>) {
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
    table(rows, &[0, 1, 4], &[3], width, tones, lines);
}

fn troubles(troubles: &[Trouble], width: usize, lines: &mut Vec<Line>) {
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
        for text in wrapped(&told, "! ", "  ", width) {
            lines.push(Line {
                text,
                tone: tone(trouble.health),
            });
        }
        for text in wrapped(&trouble.remedy, "  -> ", "     ", width) {
            plain(lines, text);
        }
    }
}

fn wrapped(words: &str, first: &str, further: &str, width: usize) -> Vec<String> {
    let width = width.min(WIDTH);
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in words.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
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

/// Words alone.
pub(super) fn words(words: &str, tone: Tone, width: usize) -> Vec<Line> {
    wrapped(words, "", "", width)
        .into_iter()
        .map(|text| Line { text, tone })
        .collect()
}

fn row<const N: usize>(entries: [&str; N]) -> Vec<String> {
    entries.map(str::to_owned).to_vec()
}

fn dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| String::from("-"))
}

/// How wide each column has to be.
fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let longest = |column: usize| {
        let entries = rows.iter().map(|row| row[column].chars().count());
        entries.max().unwrap_or(0)
    };
    (0..columns).map(longest).collect()
}

/// How wide a line of these columns is.
fn needed(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
}

/// Between two columns.
const GAP: &str = "  ";

/// A heading and rows in columns: words stand left, numbers right. Columns that may be spared go, the first of them first,
/// until it fits.
fn table(
    rows: Vec<Vec<String>>,
    words: &[usize],
    spared: &[usize],
    width: usize,
    tones: impl Iterator<Item = Tone>,
    lines: &mut Vec<Line>,
) {
    blank(lines);
    let widths = widths(&rows);
    let mut shown: Vec<usize> = (0..widths.len()).collect();
    for without in spared {
        let left: Vec<usize> = shown.iter().map(|&column| widths[column]).collect();
        if needed(&left) > width {
            shown.retain(|column| column != without);
        }
    }
    let tones = std::iter::once(Tone::Heading).chain(tones);
    for (row, tone) in rows.iter().zip(tones) {
        let mut text = String::new();
        for &column in &shown {
            let (entry, width) = (&row[column], widths[column]);
            text.push_str(if column == 0 { "" } else { GAP });
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

//! What people read of a ring file.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use crate::clock::WallTime;
use crate::ring::inspect::{Inspection, RingView, SlotView};
use crate::ring::renew::Renewal;

/// `1 ring`, `2 rings`.
pub(super) fn count(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// Columns of equal width, as wide as their longest entry; numbers stand right, words left.
fn table(rows: &[Vec<String>], words: &[usize], out: &mut dyn Write) -> io::Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let mut line = String::new();
        for (column, (entry, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            line.push_str(gap);
            if words.contains(&column) {
                line.push_str(&format!("{entry:<width$}"));
            } else {
                line.push_str(&format!("{entry:>width$}"));
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn row<const N: usize>(entries: [&dyn ToString; N]) -> Vec<String> {
    entries.iter().map(|entry| entry.to_string()).collect()
}

fn head(seen: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}: ring file {}, made {}",
        seen.path, seen.identity, seen.made_at
    )?;
    if seen.in_use {
        writeln!(
            out,
            "A process has it open and goes on while you look: the picture is a moment old."
        )?;
    }
    Ok(())
}

fn state(ring: &RingView, in_use: bool) -> &'static str {
    if ring.fence.is_some() {
        "fenced"
    } else if !ring.damaged.is_empty() {
        "damaged"
    } else if !ring.findings.is_empty() {
        "to heal"
    } else if in_use {
        "in use"
    } else if ring.clean {
        "stopped in order"
    } else {
        "left without a stop"
    }
}

/// Pointers of all rings, and what is wrong with them.
pub(super) fn rings(seen: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    head(seen, out)?;
    let mut rows = vec![row([
        &"RING",
        &"RETRIEVED",
        &"SENT",
        &"CONFIRMED",
        &"PROCESSED",
        &"OFFERED",
        &"WAITING",
        &"ROOM",
        &"DAMAGED",
        &"STATE",
    ])];
    rows.extend(seen.rings.iter().map(|ring| {
        row([
            &ring.name,
            &ring.retrieved,
            &ring.sent,
            &ring.confirmed,
            &ring.processed,
            &ring.offered,
            &ring.waiting,
            &ring.room,
            &ring.damaged.len(),
            &state(ring, seen.in_use),
        ])
    }));
    table(&rows, &[0, 9], out)?;
    if !seen.is_sound() {
        findings(seen, out)?;
    }
    Ok(())
}

/// Every finding, a line each: file, ring, slot, what, and the next step.
pub(super) fn findings(seen: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    let path = &seen.path;
    for line in &seen.healable {
        writeln!(
            out,
            "{path}: {line}: nothing to do, opening the file heals it"
        )?;
    }
    for ring in &seen.rings {
        let name = &ring.name;
        for finding in &ring.findings {
            let slot = finding
                .slot
                .map(|slot| format!(" slot {slot}:"))
                .unwrap_or_default();
            writeln!(
                out,
                "{path}: ring {name}:{slot} {}: {}",
                finding.what, finding.next
            )?;
        }
        if let Some(fence) = &ring.fence {
            writeln!(
                out,
                "{path}: ring {name}: it is shut, {fence}: restore the newest copy of the file, or give the ring a \
                 new epoch with `sluice ring renew {path}`"
            )?;
        }
    }
    if seen.is_sound() {
        let waiting: u64 = seen.rings.iter().map(|ring| ring.waiting).sum();
        writeln!(
            out,
            "{path}: sound; {}, {} to be processed",
            count(seen.rings.len() as u64, "ring"),
            count(waiting, "message")
        )?;
    } else if seen.in_use {
        writeln!(
            out,
            "{path}: a process has it open; what still stands here when you look again is real"
        )?;
    }
    Ok(())
}

/// How long ago, in the largest unit and the one below it.
fn age(slot: &SlotView, now: WallTime) -> String {
    let Some(at) = &slot.retrieved_at else {
        return String::from("-");
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now.as_unix_ms());
    match humantime::parse_rfc3339(at).map(|at| now.duration_since(at)) {
        Ok(Ok(age)) => {
            let whole = humantime::format_duration(Duration::from_secs(age.as_secs())).to_string();
            whole.split(' ').take(2).collect::<Vec<_>>().join(" ")
        }
        // A clock that was set back.
        _ => String::from("in the future"),
    }
}

/// Each occupied slot.
pub(super) fn slots(seen: &Inspection, now: WallTime, out: &mut dyn Write) -> io::Result<()> {
    for ring in &seen.rings {
        writeln!(out)?;
        if ring.slots.is_empty() {
            writeln!(out, "{}: no message waits", ring.name)?;
            continue;
        }
        writeln!(out, "{}:", ring.name)?;
        let mut rows = vec![row([
            &"ADDRESS",
            &"SEQUENCE",
            &"LAP",
            &"FLAGS",
            &"AGE",
            &"WHAT",
        ])];
        rows.extend(ring.slots.iter().map(|slot| {
            row([
                &slot.address,
                &slot.sequence,
                &slot.lap,
                &slot.flags,
                &age(slot, now),
                &slot.what,
            ])
        }));
        table(&rows, &[3, 5], out)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "Flags: R retrieved, S sent, C confirmed, P processed; a point for each that is off."
    )
}

/// Stands before all contents.
pub(super) const WARNING: &str = "below stand subscribers' numbers and the texts they wrote. Show them to nobody who may not see them.";

/// The messages themselves.
pub(super) fn contents(seen: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "WARNING: {WARNING}")?;
    head(seen, out)?;
    for ring in &seen.rings {
        for slot in &ring.slots {
            writeln!(
                out,
                "{} slot {} message {} lap {} {} {}: {}",
                ring.name,
                slot.address,
                slot.sequence,
                slot.lap,
                slot.flags,
                slot.retrieved_at.as_deref().unwrap_or("-"),
                slot.what
            )?;
            if let Some(content) = &slot.content {
                writeln!(out, "    from {:?} to {:?}", content.from, content.to)?;
                writeln!(out, "    {} {:?}", content.coding, content.text)?;
                writeln!(out, "    {}", content.data)?;
            }
        }
    }
    if !seen.is_sound() {
        findings(seen, out)?;
    }
    Ok(())
}

/// What a renewal did, and what it risks.
pub(super) fn renewal(renewed: &Renewal, out: &mut dyn Write) -> io::Result<()> {
    let path = &renewed.path;
    let Some(kept) = &renewed.kept else {
        return writeln!(
            out,
            "{path}: no ring is fenced, nothing was changed; name one with --ring to renew it all the same"
        );
    };
    for ring in &renewed.rings {
        let carried = match ring.carried {
            0 => String::from("no message waited"),
            1 => String::from("1 message carried over, it is number 1 now"),
            many => format!("{many} messages carried over, they are 1 to {many} now"),
        };
        writeln!(
            out,
            "{path}: ring {}: epoch {} instead of {}; {carried}",
            ring.name, ring.epoch, ring.former_epoch
        )?;
        if ring.known_far > 0 {
            writeln!(
                out,
                "{path}: ring {}: {} of these crossed the link before; the other end may get them again under new numbers",
                ring.name, ring.known_far
            )?;
        }
        for number in &ring.missing {
            writeln!(
                out,
                "{path}: ring {}: message {number} of the former epoch is not in this file and was left behind",
                ring.name
            )?;
        }
    }
    writeln!(out, "{path}: the file as it was is kept as {kept}")
}

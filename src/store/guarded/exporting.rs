//! Guard rail 5: everything is exported every hour and at a clean stop, while the store goes on working.

use super::files;
use super::{Core, GENERATION_KEY, failed, locked};
use crate::clock::{Moment, WallTime};
use crate::store::batch::Change;
use crate::store::error::StoreError;
use crate::store::export::{Exported, Writer};
use crate::store::health::Alarm;
use std::ops::Bound;

/// Records between two looks at what was changed meanwhile.
const PAGE: usize = 1024;

/// Most octets of changes that wait for an export: it reads a page in milliseconds, so more means a disk that stands
/// still, and the export is given up rather than the memory.
const MOST_TAPPED: usize = 64 << 20;

/// Guard rail 8: room on disk over content that is worth a warning.
const WARN_AT: u64 = 6;
/// Guard rail 8: room on disk over content from which the database is rebuilt when it is opened.
const REBUILD_AT: u64 = 10;

/// Changes that were applied since an export looked last.
#[derive(Default)]
pub(super) struct Tap {
    changes: Vec<Change>,
    octets: usize,
    overflowed: bool,
}

impl Tap {
    pub(super) fn hear(&mut self, changes: &[Change]) {
        if self.overflowed {
            return;
        }
        self.octets += changes.iter().map(Change::size).sum::<usize>();
        self.overflowed = self.octets > MOST_TAPPED;
        match self.overflowed {
            true => self.changes = Vec::new(),
            false => self.changes.extend_from_slice(changes),
        }
    }
}

impl Core {
    /// Exports everything to a new file, and keeps the one before.
    pub(super) fn export(&self) -> Result<Exported, StoreError> {
        let _one_at_a_time = locked(&self.exporting);
        let done = self.export_to_a_file();
        locked(&self.applying).tap = None;
        let mut watched = locked(&self.watched);
        watched.export_due = self.clock.now() + self.config.export_every;
        match &done {
            Ok(exported) => {
                watched.export_failed = None;
                watched.exported = Some(exported.clone());
                watched.bloated = self.bloat(exported.summary.octets, WARN_AT);
            }
            Err(why) => {
                tracing::error!(%why, "the store could not be exported");
                watched.export_failed = Some(why.to_string());
            }
        }
        done
    }

    fn export_to_a_file(&self) -> Result<Exported, StoreError> {
        // Two exports within a millisecond, or a clock that was set back: the newest has the largest number.
        let newest = self.files.exports()?.first().and_then(|path| time_of(path));
        let mut at = self.clock.wall();
        if let Some(newest) = newest
            && newest >= at
        {
            at = WallTime::from_unix_ms(newest.as_unix_ms() + 1);
        }
        let path = self.files.export(at);
        let temporary = path.with_extension("tmp");
        locked(&self.applying).tap = Some(Tap::default());
        let mut writer = Writer::create(&temporary, at)?;
        let mut last: Bound<sled::IVec> = Bound::Unbounded;
        loop {
            // A page is read with an iterator of its own: it holds on to a node as it was when it came there, and what
            // the tap told since would be overwritten by what is older.
            let page = self
                .db
                .range::<sled::IVec, _>((last.clone(), Bound::Unbounded));
            let mut read = 0;
            for record in page.take(PAGE) {
                let (key, value) = record.map_err(failed("reading a record"))?;
                read += 1;
                if key != GENERATION_KEY {
                    writer.put(&key, &value)?;
                }
                last = Bound::Excluded(key);
            }
            let done = read < PAGE;
            let (tapped, generation) = self.tapped(done)?;
            for change in &tapped {
                writer.change(change)?;
            }
            if done {
                let summary = writer.finish(generation)?;
                files::rename(&temporary, &path)?;
                self.files.sync()?;
                self.files.tidy()?;
                return Ok(Exported { path, at, summary });
            }
        }
    }

    /// What was changed since the last look; the last look ends the tap.
    fn tapped(&self, last: bool) -> Result<(Vec<Change>, u64), StoreError> {
        let mut applying = locked(&self.applying);
        let generation = applying.generation;
        let tap = match last {
            true => applying.tap.take(),
            false => applying.tap.replace(Tap::default()),
        };
        match tap {
            Some(tap) if !tap.overflowed => Ok((tap.changes, generation)),
            _ => Err(StoreError::Export {
                path: self.files.directory.clone(),
                why: format!(
                    "more than {MOST_TAPPED} octets were changed while one page was written"
                ),
            }),
        }
    }

    /// Guard rail 8: whether the database takes so many times the room that its content needs.
    fn bloat(&self, logical: u64, times: u64) -> Option<Alarm> {
        let on_disk = self.db.size_on_disk().unwrap_or_default();
        let bloated =
            on_disk > self.outside.watched_from && on_disk >= logical.saturating_mul(times);
        bloated.then_some(Alarm::Bloated { on_disk, logical })
    }

    /// Guard rail 8: whether it is to be rebuilt.
    pub(super) fn is_to_be_rebuilt(&self) -> bool {
        let logical = locked(&self.watched)
            .exported
            .as_ref()
            .map(|exported| exported.summary.octets);
        logical.is_some_and(|logical| self.bloat(logical, REBUILD_AT).is_some())
    }

    /// When the next export is due, after the one that was found.
    pub(super) fn first_export(&self) -> Moment {
        let now = self.clock.now();
        match &locked(&self.watched).exported {
            Some(exported) => {
                let age = self.clock.wall().since(exported.at);
                now + self.config.export_every.saturating_sub(age)
            }
            None => now,
        }
    }
}

/// The time in an export's name.
pub(super) fn time_of(path: &std::path::Path) -> Option<WallTime> {
    let name = path.file_stem()?.to_str()?.strip_prefix("export-")?;
    name.parse().ok().map(WallTime::from_unix_ms)
}

//! What belongs to nothing any more is taken away some at a time.

use std::time::Duration;

use super::Inner;
use super::keys::{self, Key, Kind};
use crate::clock::WallTime;
use crate::im::names::UploadId;
use crate::store::{Range, StoreError};

/// Records that are taken away at once.
const AT_ONCE: usize = 256;

/// Keys of what was taken that are forgotten at once: more than come in a second over all lanes, since that is how often
/// it is swept.
const FORGOTTEN_AT_ONCE: usize = 4096;

/// How long it is remembered that something was taken: who hands it over again after that has held it for a week.
const REMEMBERED_FOR: Duration = Duration::from_hours(7 * 24);

impl Inner {
    pub(super) fn sweep(&mut self, now: WallTime) -> Result<bool, StoreError> {
        let more = self.sweep_chunks()? | self.sweep_bodies()?;
        Ok(self.sweep_taken(now)? || more)
    }

    fn sweep_chunks(&mut self) -> Result<bool, StoreError> {
        let swept = Key::new(Kind::Swept).made();
        let next = self.overlay.keys(&Range::prefix(&swept), 1)?;
        let Some(upload) = next.first().and_then(|key| keys::last_id(key)) else {
            return Ok(false);
        };
        let upload = UploadId::from_octets(upload);
        let chunks = Range::prefix(&keys::chunks(&upload).made());
        // Each has a dozen pieces.
        let chunks = self.overlay.keys(&chunks, AT_ONCE / 16)?;
        if chunks.is_empty() {
            self.set::<()>(Key::new(Kind::Swept).upload(&upload), None)?;
        }
        for chunk in chunks {
            self.overlay.delete(chunk)?;
        }
        Ok(true)
    }

    /// What long entries said that lie in no log any more.
    fn sweep_bodies(&mut self) -> Result<bool, StoreError> {
        let marks = Range::prefix(&Key::new(Kind::SweptBody).made());
        let marks = self.overlay.keys(&marks, AT_ONCE / 8)?;
        let more = !marks.is_empty();
        for id in marks.iter().filter_map(|key| keys::last_id(key)) {
            let references = Range::prefix(&keys::references(&id).made());
            if self.overlay.keys(&references, 1)?.is_empty() {
                self.overlay.delete(keys::body(&id))?;
            }
            self.set::<()>(Key::new(Kind::SweptBody).octets(&id), None)?;
        }
        Ok(more)
    }

    fn sweep_taken(&mut self, now: WallTime) -> Result<bool, StoreError> {
        let before = now
            .as_unix_ms()
            .saturating_sub(REMEMBERED_FOR.as_millis() as u64);
        let prefix = Key::new(Kind::OnceAt).made();
        let end = Key::new(Kind::OnceAt).number(before).made();
        let old = self
            .overlay
            .keys(&Range::prefix(&prefix).before(&end), FORGOTTEN_AT_ONCE)?;
        for key in &old {
            let taken = Key::new(Kind::Once).octets(&key[prefix.len() + 8..]);
            self.set::<()>(taken, None)?;
            self.records.remove(key);
            self.overlay.delete(key.clone())?;
        }
        Ok(old.len() == FORGOTTEN_AT_ONCE)
    }
}

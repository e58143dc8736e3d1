//! The store as the door's keeper of records.

use super::{ImStore, blocking};
use crate::clock::WallTime;
use crate::im::change::Change;
use crate::im::door::keep::{Durable, Keep};
use crate::im::phone::TextToPhone;
use crate::presence::Record;
use crate::store::Batch;

/// Changes that are enough for one batch: the next turn begins a new one.
const CROWDED: usize = 1500;

/// Carries texts to phones: takes them into its own care together with a batch, all or nothing.
pub trait Carrier: Send + Sync + 'static {
    /// Hands texts in together with the batch. Everything is durable when what this gives resolves. Batches are stored in
    /// the order of these calls.
    fn hand_in(&self, texts: Vec<TextToPhone>, with: Batch) -> Result<Durable, String>;

    /// Whether it has room for more. What is handed in is taken in any case: this is for those who can wait.
    fn has_room(&self) -> bool {
        true
    }
}

impl Keep for ImStore {
    fn hand_over(&self, changes: &[Change]) -> Result<(), String> {
        let mut inner = self.inner();
        // In memory; what has to be read for it, the store reads as something that blocks.
        let handed = changes.iter().try_for_each(|change| inner.write(change));
        handed.map_err(|why| why.to_string())
    }

    fn is_waiting(&self) -> bool {
        self.inner().overlay.staged() > 0
    }

    fn is_crowded(&self) -> bool {
        self.inner().overlay.staged() > CROWDED
    }

    fn store(&self, texts: Vec<TextToPhone>) -> Result<Durable, String> {
        let (batch, pending) = self.take();
        let records = self.clone();
        if texts.is_empty() {
            let submitted = self.0.store.submit(batch).map_err(|why| why.to_string())?;
            return Ok(Box::pin(async move {
                submitted.durable().await.map_err(|why| why.to_string())?;
                records.settled(pending);
                Ok(())
            }));
        }
        let carrier = self.0.carrier.as_ref();
        let carrier = carrier.ok_or("a text for a phone was written, and nobody carries it")?;
        let handed = carrier.hand_in(texts, batch)?;
        Ok(Box::pin(async move {
            handed.await?;
            records.settled(pending);
            Ok(())
        }))
    }

    fn has_room_for_texts(&self) -> bool {
        let carrier = self.0.carrier.as_ref();
        carrier.is_none_or(|carrier| carrier.has_room())
    }

    fn sweep(&self, now: WallTime) -> Result<bool, String> {
        let mut inner = self.inner();
        blocking(|| inner.sweep(now)).map_err(|why| why.to_string())
    }

    fn presence(&self, take: &mut dyn FnMut(Record)) -> Result<(), String> {
        self.each_presence(take).map_err(|why| why.to_string())
    }

    fn anew(&self) -> Result<(), String> {
        let fresh = blocking(|| super::Inner::new(self.0.store.clone()));
        *self.inner() = fresh.map_err(|why| why.to_string())?;
        Ok(())
    }
}

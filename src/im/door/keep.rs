//! What the door needs of whoever keeps the service's records.

use std::future::Future;
use std::pin::Pin;

use crate::clock::WallTime;
use crate::im::change::Change;
use crate::im::phone::TextToPhone;
use crate::im::shelf::Shelf;
use crate::presence::Record;

/// Resolves when something is durable, or tells why it never will be.
pub type Durable = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A shelf that takes changes. After an error it is of no use any more, and is [`Keep::anew`].
pub trait Keep: Shelf + Send + Sync + 'static {
    /// Takes changes over: every read sees them from now on.
    fn hand_over(&self, changes: &[Change]) -> Result<(), String>;

    /// Whether changes were handed over that do not become durable yet.
    fn is_waiting(&self) -> bool;

    /// Whether as much was handed over as should become durable at once.
    fn is_crowded(&self) -> bool;

    /// Makes everything durable that was handed over since the last call, together with these texts. What is given
    /// to later calls is durable later, or not at all if this is not.
    fn store(&self, texts: Vec<TextToPhone>) -> Result<Durable, String>;

    /// Whether there is room for more texts to phones. Those that are given to [`Keep::store`] are taken in any case.
    fn has_room_for_texts(&self) -> bool {
        true
    }

    /// Takes some of what belongs to nothing any more away, as a change that goes with the next ones; tells whether there
    /// may be more.
    fn sweep(&self, now: WallTime) -> Result<bool, String>;

    /// All that is kept of presence, one record after the other.
    fn presence(&self, take: &mut dyn FnMut(Record)) -> Result<(), String>;

    /// Begins again with what is durable.
    fn anew(&self) -> Result<(), String>;
}

//! The persistent ring of 255 slots: the part that everything else trusts.
//!
//! What it promises: a message that it called stored is there after a kill and after a power cut, once, with its
//! number and address; a full ring refuses and drops nothing; damage is named and stops only the slot that it hit.
//! What it leaves to others: where messages come from and go to, and how the far end is reached.
//!
//! - [`array`](Array) and [`recovery`] are machines without I/O: transitions of flags and pointers, and the table
//!   from what was found on disk to what is done.
//! - [`page`] says how things look as octets; `docs/ring-file.md` draws them.
//! - [`storage`] is the small trait between ring and disk; [`RingFile`] opens a file and commits for all its rings
//!   together; [`Ring`] is what a lane holds.
//! - [`life`] keeps a file open through failures of its disk.
//! - [`inspect`] looks into a file without changing it; [`renew`] gives fenced rings a new epoch.

mod adopt;
mod array;
mod bits;
mod commit;
mod error;
mod file;
mod format;
mod handle;
pub mod inspect;
pub mod life;
mod lock;
mod marks;
mod outcome;
pub mod page;
mod parcel;
mod read;
pub mod recovery;
pub mod renew;
pub mod storage;
mod times;

pub use adopt::NotAdopted;
pub use array::{Array, Flags, Full, Misstep, Taken};
pub use bits::Bits;
pub use error::{RingError, StoreError};
pub use file::{Opened, Report, RingFile};
pub use format::format;
pub use handle::Ring;
pub use marks::{MARKS_LENGTH, Mark, Marks};
pub use parcel::Parcel;
pub use times::Times;

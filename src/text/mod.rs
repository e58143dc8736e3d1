//! Texts: which characters a short message can carry, how they look as septets and octets, how a long text becomes
//! several messages, and how these become one text again.
//!
//! What this part promises:
//!
//! - [`gsm`] and [`ucs2`] are exact both ways. What can be encoded comes back as it was, and everything that arrives
//!   decodes to something: a message is never lost because its text is odd.
//! - [`septets`] packs seven bits into eight behind any header, and never invents or loses a trailing `@`, whose
//!   septet is zero.
//! - [`coding_of`] takes the cheapest coding that keeps the text as it is. Nothing is replaced in silence;
//!   [`lookalike`] is a choice of the sender, and tells what it replaced.
//! - [`Cost`] tells what [`cut`] will do, because both ask the same function where to cut. A part always fits one SMS
//!   on the air, and neither an escape pair nor a surrogate pair is ever torn.
//! - [`Joiner`] is a machine without I/O. It gives back every tag that it took, exactly once, with a complete, a
//!   lapsed or a repeated message.
//!
//! What it leaves to others:
//!
//! - The text forms of single protocols (CIMD2 writes `_Oa` for `@`), and how a message says which coding it has:
//!   [`crate::codec`].
//! - The choice of a reference for the parts of a long message. Whoever cuts counts them, for each pair of sender and
//!   recipient.
//! - Keeping the parts. **Each part is stored and confirmed on its own in a ring**; joining happens at the consumer,
//!   which builds its joiner again after a crash by feeding it the parts that it has not passed on. See [`Joiner`].
//! - National language tables of GSM 03.38 (they need a header element of their own); texts that need them go as
//!   UCS-2, and what arrives in them reads as the default alphabet.

pub mod gsm;
pub mod lookalike;
pub mod septets;
pub mod ucs2;

mod cluster;
mod coding;
mod join;
mod parts;

pub use coding::{Cost, Width, coding_of, encode, room_behind};
pub use join::{
    GAP, Joined, Joiner, LapseReason, Lapsed, LongMessage, MAX_HELD_PARTS, MAX_OPEN,
    MAX_OPEN_OF_SENDER, Part,
};
pub use parts::{MAX_PARTS, MOST_PARTS, Reading, Reference, cut, cut_data, read, whole};

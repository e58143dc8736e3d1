//! Central: the end of the link where the people are. It takes each edge's messages out of their mirrors, hands them
//! on, and finds a lane for what goes to phones.
//!
//! What it promises: what came from a phone is marked processed only after it is durable where it went; what goes to a
//! phone is in the durable backlog or in a ring at every moment, takes a free address as soon as there is one, and is
//! put on a lane once; pairs keep their order; how a message ended is kept before its slot becomes free.
//!
//! Without I/O: [`router`] chooses lanes, [`waiting`] keeps the heads of the backlog, [`cutting`] makes short messages
//! of texts and [`mark`]s them, [`reports`] finds the message of a report.

pub mod config;
pub mod cutting;
pub mod mark;
pub mod reports;
pub mod router;
pub mod waiting;

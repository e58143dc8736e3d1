//! Central: the end of the link where the people are. It takes each edge's messages out of their mirrors, hands them
//! on, and finds a lane for what goes to phones.
//!
//! What it promises: what came from a phone is marked processed only after it is durable where it went; what goes to a
//! phone is in the durable backlog or in a ring at every moment, takes a free address as soon as there is one, and is
//! put on a lane once; pairs keep their order; how a message ended is kept before its slot becomes free.
//!
//! Without I/O: [`router`] chooses lanes, [`waiting`] keeps the heads of the backlog, [`cutting`] makes short messages
//! of texts and [`mark`]s them, [`reports`] finds the message of a report. Around them are tasks:
//!
//! | object | how many | owner |
//! |---|---|---|
//! | ledger | one: all that central has promised, durably | `ledger` |
//! | dispatch | one for as long as the ring file is open: puts what waits on lanes | `run` |
//! | arrivals | one a mirror, for as long as the ring file is open | `run` |
//! | links | one | [`crate::link::driver::CentralLinks`] |
//! | desk | one: programs on this machine | [`desk`] |
//! | IM service | one, if it is configured: people and their clients | [`crate::im::door`] |
//! | errands | one, for as long as the ring file is open: gives the IM service what comes for it | `run` |

mod arrivals;
mod caller;
pub mod config;
pub mod cutting;
pub mod desk;
mod dispatch;
mod errands;
mod keeper;
mod ledger;
pub mod mark;
mod plan;
pub mod reports;
pub mod router;
mod run;
mod service;
mod subject;
pub mod talk;
mod trace;
pub mod waiting;

pub use caller::{CallError, Caller};
pub use dispatch::Outlook;
pub use ledger::{Handed, Ledger, LedgerError, Standing};
pub use run::{Central, CentralError};
pub use service::names;
pub use subject::CentralSubject;

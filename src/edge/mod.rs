//! The edge: what stands beside an SMSC.
//!
//! What it promises: lanes, link and ring file start in any order and go on without one another; whatever is away is
//! tried again for ever. A message is confirmed to the SMSC when it is durable here, and never waits for central. A
//! ring file that fails is opened anew as soon as that is possible; until then the SMSC is told to keep its messages. A
//! lane that is stuck is made anew alone. A stop is over within five seconds.
//!
//! What it leaves to others: what a protocol means ([`crate::smsc`]), what is durable ([`crate::ring`]), how central is
//! reached ([`crate::link`]). Here they are put together, and nothing else.
//!
//! | object | how many | owner |
//! |---|---|---|
//! | ring file | one | [`crate::ring::life`]: a task that flushes it, and opens it anew |
//! | lane | one for each `[[lane]]` | `lane`: a task that keeps its session |
//! | link | one | [`crate::link::driver::EdgeLink`]; given other rings when the file was opened anew |

pub mod config;
mod keeper;
mod lane;
mod run;
mod subject;

pub use keeper::EdgeAlarm;
pub use run::{Edge, EdgeError};
pub use subject::EdgeSubject;

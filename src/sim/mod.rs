//! An SMSC to test against: CIMD2 and SMPP, with accounts, phones, reports, and faults on demand.
//!
//! What it promises: it speaks both protocols as a strict SMSC does; it does what its script says, faults included;
//! it tells everything that it saw, and counts each breach of the one-at-a-time rule. What it does not: be a network.
//! Phones here live as long as the simulator, and nothing is written to disk but its record.
//!
//! Sessions are machines without I/O and share one network, also without; the driver around them carries octets and
//! keeps time. `docs/simulator.md` shows scripts and commands. [`wan`] is a bad internet line to go with it, in user
//! space.

pub mod cli;
mod command;
mod config;
mod driver;
mod event;
mod fault;
mod network;
mod phone;
pub mod port;
mod pty;
mod report;
mod simulator;
mod smsc;
pub mod wan;

pub use config::{
    Account, Centre, Cimd2, Config, ConfigError, Kind, Long, Pty, Silence, Smpp, Tls,
};
pub use event::{Counts, Event, Protocol, Record};
pub use fault::{Fault, Kind as FaultKind, Point};
pub use network::Received;
pub use phone::{Fate, Phone, Phones, Says};
pub use report::{Carrier, Form, IdForm, Plus, Report, Style, Template, Written};
pub use simulator::{Addresses, Events, Simulator, StartError};

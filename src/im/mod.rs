//! The IM service: users, clients, points, messages, groups and content, as a machine without I/O.
//!
//! It deals in users and primitives. It knows no link and no SMSC, no socket and no disk: what arrives is handed over,
//! together with the time, and what is to be done comes back.
//!
//! # The parts
//!
//! - [`primitive`]: what clients and the service say to each other, as types and as JSON; [`status`]: how requests end.
//! - [`shelf`]: what the service reads; [`record`] and [`log`]: what is kept; [`change`]: how it changes. A store
//!   implements the one and does the other; [`memory`] is such a store without a disk.
//! - [`effects`]: what the service gives back.
//! - [`phone`]: what crosses to whoever carries texts to and from phones; [`sms`]: what phones write, and in which words
//!   they are answered.
//!
//! # How a door uses it
//!
//! ```text
//! frame ─ primitive::read ─▶ handle(now, shelf, connection, request) ─▶ Effects
//!                                                                         │ changes, to_phones
//!                            shelf: seen by the next read at once  ◀──────┤ handed over in order
//!                            disk:  durable, many at a time        ◀──────┘
//!                                      │ durable
//! connection ◀── sends, then closes ───┘ in the order in which the effects came
//! ```
//!
//! 1. Give each thing that happens to the service, one after the other.
//! 2. Hand the [`Effects::changes`](effects::Effects) (and texts to phones) to the store before giving it the next: **the
//!    shelf shows them from then on**, though they are not durable yet. All of one `Effects` become durable, or none.
//! 3. When they are, release the sends. Sends of later effects wait for earlier ones, also those that have no changes of
//!    their own: what they tell may rest on changes that are not durable yet.
//! 4. If the store fails to make something durable, nothing of it and of all that came later is released; the service is
//!    built anew on what the store has. All connections close; clients come back and resume.

pub mod auth;
pub mod chance;
pub mod change;
pub mod config;
pub mod door;
pub mod effects;
pub mod limits;
pub mod log;
pub mod memory;
pub mod names;
pub mod phone;
pub mod primitive;
pub mod record;
pub mod register;
pub mod service;
pub mod shelf;
pub mod sms;
pub mod status;

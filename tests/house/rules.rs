//! The rules themselves, as tables.

/// How far a module is from the plain words. A module names only what lies on its own tier or below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tier {
    /// Words for what is carried, and nothing that happens.
    Words,
    /// How words look as bytes, and characters as octets.
    Bytes,
    /// Machines without I/O: bytes and time in, what is to be done out.
    Machines,
    /// Files, sockets, terminals, the event loop.
    Doors,
    /// What puts it all together.
    Whole,
}

/// Where each module lies. `x` is the module alone, `x::*` the module with all its parts; the longest row wins.
/// A file without a row fails the test: whoever brings one chooses its tier.
pub const TIERS: &[(Tier, &[&str])] = &[
    (
        Tier::Words,
        &["lib", "message::*", "lane::*", "private", "clock"],
    ),
    (Tier::Bytes, &["text::*", "codec::*"]),
    (
        Tier::Machines,
        &[
            // The carrier's side.
            "smsc",
            "smsc::session",
            "smsc::cimd2::*",
            "smsc::smpp::*",
            "smsc::courier",
            "smsc::pause",
            "smsc::reach",
            "smsc::duration",
            "smsc::events",
            "smsc::numbering",
            "smsc::timers",
            // The ring, as far as it has no disk.
            "ring",
            "ring::array",
            "ring::bits",
            "ring::error",
            "ring::marks",
            "ring::outcome",
            "ring::page",
            "ring::parcel",
            "ring::recovery",
            "ring::times",
            // The link, as far as it has no line.
            "link",
            "link::action",
            "link::frame::*",
            "link::gauge",
            "link::loading",
            "link::mirror::*",
            "link::origin::*",
            "link::packet",
            "link::peer::*",
            "link::port",
            "link::reason",
            "link::received",
            "link::redial",
            "link::rtt",
            "link::sent",
            "link::timer",
            "link::view",
            "link::wire",
            // What is expected to move.
            "progress",
            // Central, as far as it decides.
            "central::cutting",
            "central::mark",
            "central::reports",
            "central::router",
            "central::waiting",
            // What phones and IM clients talk to.
            "im::*",
            "im::door::config",
            "presence::*",
        ],
    ),
    (
        Tier::Doors,
        &[
            "smsc::driver::*",
            "smsc::probe",
            "smsc::status",
            "smsc::thread",
            "smsc::transport::*",
            "ring::adopt",
            "ring::commit",
            "ring::file",
            "ring::format",
            "ring::handle::*",
            "ring::inspect",
            "ring::life",
            "ring::read",
            "ring::lock",
            "ring::renew",
            "ring::storage::*",
            "link::driver::*",
            "link::pki::*",
            "link::ring_handle",
            "link::transport::*",
            "im::door::*",
            "store::*",
            "file_lock",
            "notify",
        ],
    ),
    (
        Tier::Whole,
        &[
            "main",
            "view::*",
            "cli::*",
            "config::*",
            "status::*",
            "log::*",
            "edge::*",
            "central::*",
            "sim::*",
            "demo::*",
        ],
    ),
];

/// Folders whose parts, too, must not run in a circle. (Between all folders of the crate none may.)
pub const WITHOUT_CIRCLES_WITHIN: &[&str] = &["ring", "smsc", "link", "central", "edge"];

/// Parts that name each other, and why they may. One that is no longer needed fails the test.
pub const GROWN_TOGETHER: &[(&str, &str, &str)] = &[
    (
        "ring::commit",
        "ring::handle",
        "a batch asks each ring for its state at the moment it is written, and a ring waits for its batch",
    ),
    (
        "link::port",
        "link::mirror",
        "a port holds the side that its ring has, and the sides use what all ports share",
    ),
    (
        "link::port",
        "link::origin",
        "a port holds the side that its ring has, and the sides use what all ports share",
    ),
];

/// Crates that bring the event loop, found on the tiers of doors and above only.
pub const EVENT_LOOP: &[&str] = &[
    "tokio",
    "tokio_serial",
    "tokio_rustls",
    "tokio_util",
    "tokio_tungstenite",
    "quinn",
];

/// Who may touch files.
pub const FILES: &[&str] = &[
    "ring::storage::*",
    "ring::file",
    "ring::format",
    "ring::inspect",
    "ring::lock",
    "ring::renew",
    "store::*",
    "file_lock",
    "cli::*",
    "config::*",
    "sim::*",
    "demo::*",
    "main",
    // Sockets have a name in the file system, and a mode.
    "central::desk",
    "status::socket",
    // The pairing of two ends writes their certificates.
    "link::pki::*",
];

/// The store of central's state, its only user.
pub const SLED: &[&str] = &["store::*"];

/// Who may ask the machine for the time.
pub const TIME: &[&str] = &["clock"];

/// Longest Rust file, in lines.
pub const MOST_LINES: usize = 600;

/// Longer files, each with the reason why it is not split.
pub const LONG_FILES: &[(&str, &str)] = &[];

//! What a session counts beside its messages: oddities of the peer.

/// Counted since the session was made, over all its connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Responses that nobody waited for.
    pub stray_responses: u64,
    /// Requests of a command that is unknown or not ours to answer.
    pub refused_requests: u64,
    /// alert_notifications, which are dropped.
    pub alerts: u64,
    /// Deliveries that could not be read.
    pub malformed_deliveries: u64,
    /// Deliveries that were taken though something was odd about them.
    pub odd_deliveries: u64,
    /// Octets behind the last TLV of deliveries.
    pub trailing_octets: u64,
    /// Probes of ours that were answered.
    pub probes: u64,
}

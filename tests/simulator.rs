//! The simulated SMSC itself: dialogues over real sockets and a real pseudo-terminal, with the packets of the
//! protocols' references; each fault once. And the bad line that goes with it.

#[path = "simulator/cimd2.rs"]
mod cimd2;
#[path = "simulator/cimd2_faults.rs"]
mod cimd2_faults;
#[path = "simulator/program.rs"]
mod program;
#[path = "simulator/smpp.rs"]
mod smpp;
#[path = "simulator/smpp_deliveries.rs"]
mod smpp_deliveries;
#[path = "simulator/smpp_faults.rs"]
mod smpp_faults;
#[path = "simulator/support.rs"]
mod support;
#[path = "simulator/wan.rs"]
mod wan;

/// A script of one account, `sluice` with the password `secret`, over both protocols.
const PLAIN: &str = "
[smpp]
[cimd2]
[[account]]
name = 'sluice'
password = 'secret'
";

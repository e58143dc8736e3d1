//! `sluice demo --headless`: a carrier, an edge, a bad line, central, and people at both ends, told as it happens.
//!
//! Nothing is played: edge and central are processes of this program with files of their own, killed as a power cut
//! would not be kinder; the SMSC is the simulator that operators test against; the line delays, loses and breaks. Every
//! message is counted at both ends, and the story ends well only if each arrived once and in its order.

mod baseline;
mod stage;
mod tale;

use std::io::Write;
use std::time::Duration;

use super::DemoError;
use stage::Stage;
use tale::Tale;

/// What the line is like, and what the carrier speaks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scene {
    /// CIMD2 instead of SMPP.
    pub cimd2: bool,
    /// How long a packet takes to the far end and back.
    pub round_trip: Duration,
    /// How many of a hundred packets are lost each way.
    pub loss_percent: f64,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            cimd2: false,
            round_trip: Duration::from_millis(300),
            loss_percent: 1.0,
        }
    }
}

/// Tells the story. An error means that a promise was broken, or that the story could not be told to its end.
pub fn tell(scene: Scene, out: &mut dyn Write) -> Result<(), DemoError> {
    let stage = Stage::build(scene)?;
    let mut tale = Tale::new(stage, out);
    let told = tale.tell();
    tale.end(told)
}

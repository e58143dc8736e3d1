//! Chance, drawn from a seed that comes in as an argument.

use std::time::Duration;

/// A stream of chance.
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A duration that is shorter by up to a tenth.
    pub(super) fn shorten(&mut self, duration: Duration) -> Duration {
        // SplitMix64: its upper bits are even enough for this.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let share = u32::try_from(mixed >> 32).expect("32 bits are left");
        let tenth = duration / 10;
        let off = tenth.as_nanos() * u128::from(share) / u128::from(u32::MAX);
        duration.saturating_sub(Duration::from_nanos(u64::try_from(off).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_shorter_by_up_to_a_tenth() {
        let mut jitter = Jitter::new(7);
        let whole = Duration::from_secs(20);
        let drawn: Vec<Duration> = (0..1000).map(|_| jitter.shorten(whole)).collect();
        assert!(
            drawn
                .iter()
                .all(|drawn| (Duration::from_secs(18)..=whole).contains(drawn))
        );
        assert!(
            drawn
                .iter()
                .any(|drawn| *drawn < Duration::from_millis(18_200))
        );
        assert!(
            drawn
                .iter()
                .any(|drawn| *drawn > Duration::from_millis(19_800))
        );
        assert_eq!(Jitter::new(7).shorten(whole), drawn[0]);
    }
}

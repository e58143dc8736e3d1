//! Any order of events.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::chaos;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_no_ring_is_harmed(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        chaos::run(&octets);
    }

    #[test]
    fn whatever_is_lost_doubled_or_overtaken_all_comes_to_its_goal(
        start in any::<u8>(),
        steps in prop::collection::vec((0..17_u8, any::<bool>(), any::<u8>()), 0..200),
    ) {
        let mut octets = vec![start];
        for (step, end, what) in steps {
            octets.extend([step + 144 * u8::from(end), what]);
        }
        chaos::run(&octets);
    }
}

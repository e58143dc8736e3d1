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

/// What the fuzzer found, as it was found.
#[test]
fn what_failed_once_fails_no_more() {
    // A copy of a damaged slot was asked for twice, came twice, and was to be put back twice.
    chaos::run(&[
        0x64, 0xc0, 0xc0, 0xff, 0x25, 0x24, 0, 0, 0, 0, 0, 0xf0, 0xff, 0x25, 0x24, 0xf0,
    ]);
    // How a damaged message ended was kept before its copy was put back.
    chaos::run(&[
        0xa4, 0xaa, 0xff, 0xaa, 0, 0x24, 0xf0, 0x5d, 0x01, 0x60, 0xc0, 0x51, 0x40,
    ]);
    // What was damaged at both ends was declared lost, and just then the mirror's store failed.
    chaos::run(&[
        0x24, 0xda, 0x7a, 0x9a, 0x7a, 0xff, 0x7a, 0xda, 0x7a, 0x24, 0xda, 0x7a, 0xda, 0x7a, 0xff,
        0x7a, 0xda, 0x7a, 0x9a, 0x7a, 0x7a, 0xff, 0x7a, 0xda, 0x7a, 0x24, 0xda, 0x7a, 0xda, 0x7a,
        0xff, 0x7a, 0xda, 0x7a, 0x9a, 0xff, 0x26, 0xff, 0x26, 0x26, 0xfe, 0xff, 0x7a,
    ]);
    chaos::run(&[
        0xf4, 0xc0, 0x7a, 0xf0, 0x3f, 1, 0xc0, 0xff, 0xff, 0xff, 7, 0x41, 0xff, 0x4c, 0xf0, 0, 0,
        0, 2, 0x6f, 0xff, 0x3b, 0xff, 0, 0, 0x95, 0xff, 0xff, 1, 0, 0, 0, 0, 0x20, 0, 0xf0, 0, 0,
        0, 0x6f, 0xff, 0x3b, 0xff, 0, 0, 0x95, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xc5, 0xff, 7, 0xff,
        0xff, 0x4c, 0xf0, 0xc5, 0x3b,
    ]);
}

//! Chance for ids, tokens, salts and codes: a stream of SHA-256 blocks from one seed.
//!
//! The seed comes from outside, from the kernel in a running service; a test gives its own, and everything repeats.

use sha2::{Digest, Sha256};

/// A stream of octets that nobody can foretell without the seed.
pub struct Chance {
    key: [u8; 32],
    block: u64,
}

impl Chance {
    /// From a seed of which nobody else knows.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            key: seed,
            block: 0,
        }
    }

    /// The next octets; at most 32 at a time.
    pub fn octets<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 32, "a block has 32 octets") };
        self.block += 1;
        let block = Sha256::new()
            .chain_update(self.key)
            .chain_update(self.block.to_be_bytes())
            .finalize();
        let mut octets = [0; N];
        octets.copy_from_slice(&block[..N]);
        octets
    }

    /// A number of so many decimal digits, leading zeroes included.
    pub fn digits(&mut self, count: u32) -> String {
        let number = u64::from_be_bytes(self.octets());
        let limit = 10_u64.pow(count.min(18));
        // 2^64 is so much larger than 10^18 that no digit is noticeably likelier than another.
        format!("{:0width$}", number % limit, width = count as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_no_two_draws_are_alike() {
        let (mut one, mut two) = (Chance::new([7; 32]), Chance::new([7; 32]));
        let first: [u8; 16] = one.octets();
        assert_eq!(first, two.octets());
        assert_ne!(first, one.octets());
        assert_eq!(Chance::new([1; 32]).digits(6).len(), 6);
    }
}

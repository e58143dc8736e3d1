//! Nonces: a digest over client id, time and a secret of the server, good for one sign-in.
//!
//! Nothing is kept of a nonce that was handed out, so that a flood of sign-ins costs no memory; only those that brought
//! somebody in are kept, until they have lapsed. A restart makes all of them worthless, since it brings a new secret.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::keys::mac;
use crate::clock::WallTime;
use crate::im::chance::Chance;
use crate::im::names::ClientName;
use crate::im::record::Key;
use crate::message::UserName;

/// Time, chance, digest.
const TIME: usize = 8;
const CHANCE: usize = 8;
const DIGEST: usize = 32;

/// Most nonces that are kept as used. More than that many sign-ins within a nonce's life are told to wait.
const MAX_USED: usize = 1_000_000;

/// For whom a nonce is made.
#[derive(Clone, Copy)]
pub(in crate::im) struct WhoAsks<'a> {
    pub(in crate::im) user: &'a UserName,
    pub(in crate::im) client: &'a ClientName,
    pub(in crate::im) client_key: &'a Key,
}

/// Makes nonces and knows its own again.
pub(in crate::im) struct Nonces {
    secret: [u8; 32],
    good_for: Duration,
    used: HashSet<[u8; 16]>,
    /// The same, with the time at which they may be forgotten.
    order: VecDeque<(WallTime, [u8; 16])>,
}

impl Nonces {
    pub(in crate::im) fn new(chance: &mut Chance, good_for: Duration) -> Self {
        Self {
            secret: chance.octets(),
            good_for,
            used: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    fn digest(&self, lead: &[u8], who: WhoAsks<'_>) -> [u8; DIGEST] {
        let parts: [&[u8]; 5] = [
            lead,
            &who.client_key.0,
            who.user.as_str().as_bytes(),
            b"\0",
            who.client.as_str().as_bytes(),
        ];
        mac(&self.secret, &parts)
    }

    /// A new one.
    pub(in crate::im) fn make(
        &self,
        now: WallTime,
        chance: &mut Chance,
        who: WhoAsks<'_>,
    ) -> String {
        let time: [u8; TIME] = now.as_unix_ms().to_be_bytes();
        let some: [u8; CHANCE] = chance.octets();
        let lead = [time, some].concat();
        let digest = self.digest(&lead, who);
        STANDARD.encode([&lead[..], &digest].concat())
    }

    /// Whether it is ours, for these, and has neither lapsed nor brought somebody in.
    pub(in crate::im) fn is_good(&self, nonce: &str, now: WallTime, who: WhoAsks<'_>) -> bool {
        let Some((time, lead, digest)) = take_apart(nonce) else {
            return false;
        };
        let is_ours: bool = self.digest(&lead, who).ct_eq(&digest).into();
        is_ours && time <= now && now.since(time) <= self.good_for && !self.used.contains(&lead)
    }

    /// It brought somebody in. False if there are too many of them to be kept.
    pub(in crate::im) fn use_up(&mut self, nonce: &str, now: WallTime) -> bool {
        self.forget(now);
        if self.used.len() >= MAX_USED {
            return false;
        }
        if let Some((time, lead, _)) = take_apart(nonce)
            && self.used.insert(lead)
        {
            self.order.push_back((time + self.good_for, lead));
        }
        true
    }

    fn forget(&mut self, now: WallTime) {
        while let Some(&(until, lead)) = self.order.front()
            && until < now
        {
            self.order.pop_front();
            self.used.remove(&lead);
        }
    }
}

fn take_apart(nonce: &str) -> Option<(WallTime, [u8; TIME + CHANCE], [u8; DIGEST])> {
    let octets = STANDARD.decode(nonce).ok()?;
    let (lead, digest) = octets.split_first_chunk::<{ TIME + CHANCE }>()?;
    let (time, _) = lead.split_first_chunk::<TIME>()?;
    let time = WallTime::from_unix_ms(u64::from_be_bytes(*time));
    Some((time, *lead, digest.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::im::auth::client_key;

    #[test]
    fn a_nonce_is_good_once_for_whom_it_was_made_and_not_for_long() {
        let mut chance = Chance::new([1; 32]);
        let mut nonces = Nonces::new(&mut chance, Duration::from_secs(60));
        let (alice, bob) = (
            UserName::new("alice").unwrap(),
            UserName::new("bob").unwrap(),
        );
        let laptop = ClientName::new("laptop").unwrap();
        let key = client_key("id");
        let who = WhoAsks {
            user: &alice,
            client: &laptop,
            client_key: &key,
        };
        let now = WallTime::from_unix_ms(1_000_000);
        let nonce = nonces.make(now, &mut chance, who);
        assert!(nonces.is_good(&nonce, now, who));
        assert!(nonces.is_good(&nonce, now + Duration::from_secs(60), who));
        assert!(!nonces.is_good(&nonce, now + Duration::from_secs(61), who));
        assert!(!nonces.is_good(&nonce, now, WhoAsks { user: &bob, ..who }));
        assert!(!nonces.is_good("", now, who));
        assert!(!nonces.is_good(&nonce[4..], now, who));
        let other = Nonces::new(&mut chance, Duration::from_secs(60));
        assert!(
            !other.is_good(&nonce, now, who),
            "a restart makes it worthless"
        );
        assert!(nonces.use_up(&nonce, now));
        assert!(!nonces.is_good(&nonce, now, who));
        let later = now + Duration::from_secs(120);
        assert!(nonces.use_up(&nonces.make(later, &mut chance, who), later));
        assert_eq!(
            nonces.used.len(),
            1,
            "the first has lapsed and is forgotten"
        );
    }
}

//! Keys and proofs. The client's half is here too: for registering, for tests, and for clients in Rust.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::im::config::Config;
use crate::im::names::{ClientName, SchemeName};
use crate::im::primitive::PasswordCost;
use crate::im::record::{Credentials, Key};
use crate::message::{Refused, UserName};

/// The name of the scheme that is always on.
pub const ARGON: &str = "argon2id-hmac-sha-256";

/// Least and most cost that is taken from a client that signs up: below it is too cheap to guess, above it nobody's
/// phone signs in any more.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 8 * 1024..=256 * 1024;
const PASSES: std::ops::RangeInclusive<u32> = 1..=16;
const LANES: std::ops::RangeInclusive<u32> = 1..=4;
const SALT: std::ops::RangeInclusive<usize> = 8..=64;

/// A digest scheme of the historical shape, which an operator may switch on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum HistoricalScheme {
    /// SHA-1.
    #[serde(rename = "sha-1")]
    Sha1,
    /// MD5.
    #[serde(rename = "md5")]
    Md5,
}

impl HistoricalScheme {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sha1, Self::Md5];

    /// As clients name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Md5 => "md5",
        }
    }

    /// As clients name it.
    pub fn name(self) -> SchemeName {
        SchemeName::new(self.as_str()).expect("a scheme's name is one")
    }

    fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Md5 => Md5::digest(octets).to_vec(),
        }
    }
}

/// What a password becomes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasswordKeys {
    /// Only the client has it, and only while it signs in.
    pub client: Key,
    /// The digest of that, which the server keeps.
    pub stored: Key,
    /// The server's own, by which it proves itself.
    pub server: Key,
}

pub(in crate::im) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// What the server keeps of a client's id.
pub fn client_key(client_id: &str) -> Key {
    Key(Sha256::digest(client_id.as_bytes()).into())
}

/// What the server keeps of a session's token.
pub fn token_digest(token: &str) -> Key {
    Key(Sha256::digest(token.as_bytes()).into())
}

/// The cost of new passwords, as the operator has it.
pub fn password_cost(config: &Config, salt: &[u8]) -> PasswordCost {
    PasswordCost {
        salt: STANDARD.encode(salt),
        memory_kib: config.password_memory_kib,
        passes: config.password_passes,
        lanes: 1,
    }
}

/// Whether a cost is one that the service hands out.
pub(in crate::im) fn is_bearable(cost: &PasswordCost) -> Result<(), Refused> {
    let within = |field, fits: bool, range: String| {
        if fits {
            return Ok(());
        }
        Err(Refused::new(field, format!("is not within {range}")))
    };
    let salt = STANDARD.decode(&cost.salt).unwrap_or_default();
    within(
        "salt",
        SALT.contains(&salt.len()),
        format!("{SALT:?} octets of base64"),
    )?;
    within(
        "memory_kib",
        MEMORY_KIB.contains(&cost.memory_kib),
        format!("{MEMORY_KIB:?}"),
    )?;
    within(
        "passes",
        PASSES.contains(&cost.passes),
        format!("{PASSES:?}"),
    )?;
    within("lanes", LANES.contains(&cost.lanes), format!("{LANES:?}"))
}

/// The keys of a password. Slow on purpose.
pub fn make_keys(password: &str, cost: &PasswordCost) -> Result<PasswordKeys, Refused> {
    let refused = |why: &dyn std::fmt::Display| Refused::new("password", why.to_string());
    let salt = STANDARD.decode(&cost.salt).map_err(|why| refused(&why))?;
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|why| refused(&why))?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &salt, &mut key)
        .map_err(|why| refused(&why))?;
    let client = mac(&key, &[b"sluice client"]);
    Ok(PasswordKeys {
        client: Key(client),
        stored: Key(Sha256::digest(client).into()),
        server: Key(mac(&key, &[b"sluice server"])),
    })
}

/// The octets that proofs are made over.
fn signed(
    key: &Key,
    client_key: &Key,
    nonce: &str,
    user: &UserName,
    client: &ClientName,
) -> [u8; 32] {
    let keys = [key.0, client_key.0].concat();
    let parts: [&[u8]; 5] = [
        nonce.as_bytes(),
        b"\0",
        user.as_str().as_bytes(),
        b"\0",
        client.as_str().as_bytes(),
    ];
    mac(&keys, &parts)
}

/// The client's proof, in base64.
pub fn proof(
    keys: &PasswordKeys,
    client_key: &Key,
    nonce: &str,
    user: &UserName,
    client: &ClientName,
) -> String {
    let mut proof = signed(&keys.stored, client_key, nonce, user, client);
    for (octet, key) in proof.iter_mut().zip(keys.client.0) {
        *octet ^= key;
    }
    STANDARD.encode(proof)
}

/// The server's proof, in base64.
pub fn server_proof(
    server_key: &Key,
    client_key: &Key,
    nonce: &str,
    user: &UserName,
    client: &ClientName,
) -> String {
    STANDARD.encode(signed(server_key, client_key, nonce, user, client))
}

/// Whether a digest is the proof of these keys. Takes the same time whatever it is.
pub(in crate::im) fn check_proof(
    digest: &str,
    stored: &Key,
    client_key: &Key,
    nonce: &str,
    user: &UserName,
    client: &ClientName,
) -> bool {
    let mut found = signed(stored, client_key, nonce, user, client);
    let given = decode_key(digest);
    for (octet, given) in found.iter_mut().zip(given.unwrap_or(Key([0; 32])).0) {
        *octet ^= given;
    }
    let is_proof = is_same(&Key(Sha256::digest(found).into()), stored);
    is_proof & given.is_some()
}

/// What stands for the password in a historical scheme.
pub fn historical_password(scheme: HistoricalScheme, user: &UserName, password: &str) -> String {
    hex(&scheme.digest(format!("{}:{password}", user.as_str()).as_bytes()))
}

/// The digest of a historical scheme, in base64.
pub fn historical_digest(
    scheme: HistoricalScheme,
    password: &str,
    client_key: &Key,
    nonce: &str,
) -> String {
    let octets = [nonce, password, &hex(&client_key.0)].concat();
    STANDARD.encode(scheme.digest(octets.as_bytes()))
}

/// Whether a digest is right in a historical scheme; `None` stands for a user who has none in it.
pub(in crate::im) fn check_historical(
    digest: &str,
    scheme: HistoricalScheme,
    password: Option<&str>,
    client_key: &Key,
    nonce: &str,
) -> bool {
    let right = historical_digest(scheme, password.unwrap_or_default(), client_key, nonce);
    let is_right: bool = right.as_bytes().ct_eq(digest.as_bytes()).into();
    is_right & password.is_some()
}

/// Credentials that nobody can prove, to check against where there are none.
pub(in crate::im) fn never_right(password: PasswordCost) -> Credentials {
    Credentials {
        password,
        stored_key: Key([0; 32]),
        server_key: Key([0; 32]),
        historical: std::collections::BTreeMap::new(),
    }
}

/// Whether two keys are the same, in the same time whatever they are.
pub(in crate::im) fn is_same(one: &Key, other: &Key) -> bool {
    one.0.ct_eq(&other.0).into()
}

/// 32 octets of base64.
pub(in crate::im) fn decode_key(written: &str) -> Option<Key> {
    let octets = STANDARD.decode(written).ok()?;
    octets.try_into().ok().map(Key)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(salt: &[u8]) -> PasswordCost {
        password_cost(&Config::default(), salt)
    }

    fn cheap() -> PasswordCost {
        PasswordCost {
            memory_kib: 8,
            passes: 1,
            ..usual(b"some salt of hers")
        }
    }

    #[test]
    fn a_proof_needs_password_client_and_nonce() {
        let (user, client) = (
            UserName::new("alice").unwrap(),
            ClientName::new("laptop").unwrap(),
        );
        let keys = make_keys("secret", &cheap()).unwrap();
        let id = client_key("0123456789");
        let digest = proof(&keys, &id, "nonce", &user, &client);
        let check = |digest: &str, stored: &Key, id: &Key, nonce: &str| {
            check_proof(digest, stored, id, nonce, &user, &client)
        };
        assert!(check(&digest, &keys.stored, &id, "nonce"));
        assert!(!check(&digest, &keys.stored, &id, "other"));
        assert!(!check(&digest, &keys.stored, &client_key("x"), "nonce"));
        let other = make_keys("Secret", &cheap()).unwrap();
        assert!(!check(&digest, &other.stored, &id, "nonce"));
        assert!(!check("", &keys.stored, &id, "nonce"));
        // What the server keeps is not enough to make a proof.
        let stolen = PasswordKeys {
            client: keys.stored,
            ..keys.clone()
        };
        let forged = proof(&stolen, &id, "nonce", &user, &client);
        assert!(!check(&forged, &keys.stored, &id, "nonce"));
        let nobody = never_right(cheap());
        assert!(!check(&digest, &nobody.stored_key, &id, "nonce"));
    }

    #[test]
    fn historical_digests_are_as_the_document_says() {
        let user = UserName::new("alice").unwrap();
        let password = historical_password(HistoricalScheme::Md5, &user, "secret");
        // printf 'alice:secret' | md5sum
        assert_eq!(password, "6f622058968bb90757e6c6ed79e5df81");
        let id = client_key("x");
        let digest = historical_digest(HistoricalScheme::Sha1, &password, &id, "n");
        assert!(check_historical(
            &digest,
            HistoricalScheme::Sha1,
            Some(&password),
            &id,
            "n"
        ));
        assert!(!check_historical(
            &digest,
            HistoricalScheme::Sha1,
            None,
            &id,
            "n"
        ));
        assert!(!check_historical(
            &digest,
            HistoricalScheme::Sha1,
            Some(&password),
            &id,
            "m"
        ));
    }

    #[test]
    fn costs_that_nobody_can_bear_are_refused() {
        assert!(is_bearable(&usual(b"12345678")).is_ok());
        assert_eq!(is_bearable(&usual(b"1234567")).unwrap_err().field, "salt");
        for wrong in [
            PasswordCost {
                memory_kib: 4 << 20,
                ..usual(b"12345678")
            },
            PasswordCost {
                passes: 0,
                ..usual(b"12345678")
            },
            PasswordCost {
                lanes: 99,
                ..usual(b"12345678")
            },
        ] {
            assert!(is_bearable(&wrong).is_err());
        }
    }
}

//! Where a search goes on.
//!
//! A page may end at a name that is not shown, since whoever bears it hid. So what the asker gets back is sealed: it tells
//! nothing of the name but to this service, which knows its own again, also after a restart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;

use super::draft::Refusal;
use crate::im::auth::mac;
use crate::im::names::Cursor;
use crate::im::primitive::Status;

/// Octets of what tells it from one that is made up, and what it is sealed with.
const TAG: usize = 16;
/// Octets of a name, which all cursors have room for: the length of one tells nothing either.
const NAME: usize = 64;

/// What a name is laid over with, made of its tag: each name has a stream of its own.
fn stream(secret: &[u8; 32], tag: &[u8]) -> [u8; NAME] {
    let mut stream = [0; NAME];
    for (number, part) in stream.chunks_mut(32).enumerate() {
        let number = [number as u8];
        part.copy_from_slice(&mac(secret, &[b"cursor stream", &number, tag]));
    }
    stream
}

fn tag(secret: &[u8; 32], padded: &[u8; NAME]) -> [u8; TAG] {
    let digest = mac(secret, &[b"cursor", padded]);
    *digest.first_chunk().expect("a digest has 32 octets")
}

/// The cursor behind a name of at most 64 octets.
pub(super) fn seal(secret: &[u8; 32], name: &str) -> Cursor {
    let mut padded = [0; NAME];
    padded[..name.len()].copy_from_slice(name.as_bytes());
    let tag = tag(secret, &padded);
    let mut sealed = stream(secret, &tag);
    for (octet, of_name) in sealed.iter_mut().zip(padded) {
        *octet ^= of_name;
    }
    let written = STANDARD_NO_PAD.encode([&tag[..], &sealed].concat());
    Cursor::new(&written).expect("base64 is a cursor")
}

/// The name behind which a search goes on.
pub(super) fn open(secret: &[u8; 32], cursor: &Cursor) -> Result<String, Refusal> {
    opened(secret, cursor).ok_or_else(|| {
        Status::bad_element("after", "is not what the page before ended with").into()
    })
}

fn opened(secret: &[u8; 32], cursor: &Cursor) -> Option<String> {
    let octets = STANDARD_NO_PAD.decode(cursor.as_str()).ok()?;
    let (told, sealed) = octets.split_first_chunk::<TAG>()?;
    let mut padded: [u8; NAME] = sealed.try_into().ok()?;
    for (octet, over) in padded.iter_mut().zip(stream(secret, told)) {
        *octet ^= over;
    }
    let is_ours: bool = tag(secret, &padded).ct_eq(told).into();
    let name = std::str::from_utf8(&padded).ok()?.trim_end_matches('\0');
    is_ours.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_known_again_and_tells_nothing() {
        let (secret, other) = ([1; 32], [2; 32]);
        let longest = "u".repeat(NAME);
        for name in ["a", "alice", &longest] {
            let cursor = seal(&secret, name);
            assert_eq!(opened(&secret, &cursor).as_deref(), Some(name));
            assert_eq!(opened(&other, &cursor), None);
            assert_eq!(cursor.as_str().len(), seal(&secret, "b").as_str().len());
            let mut changed = STANDARD_NO_PAD.decode(cursor.as_str()).unwrap();
            changed[TAG + 2] ^= 1;
            let changed = Cursor::new(&STANDARD_NO_PAD.encode(changed)).unwrap();
            assert_eq!(opened(&secret, &changed), None);
        }
        assert_eq!(opened(&secret, &Cursor::new("alice").unwrap()), None);
    }
}

//! Under which keys the IM service's records lie; `docs/store.md` lists them.
//!
//! A key is made of one octet for the service, one for the kind of record, and its parts. A name is ended by a zero, which
//! no name holds; a number has its high octet first; so all records of one user, or of one log, lie together and in
//! order. A name that is too long for a key is cut, with a digest of the whole behind it; its record tells it.

use std::ops::Deref;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::im::names::{
    ClientName, ContentName, GroupName, ListName, Position, SessionId, TextId, Topic, UploadId,
};
use crate::im::phone::OnceKey;
use crate::im::primitive::Contact;
use crate::message::{PhoneNumber, UserName};
use crate::store::MAX_KEY;

/// How keys begin whose records are written over.
pub(super) const ROOT: &[u8] = b"i";

/// Entries of logs, and chunks of content: each is put once and taken away.
const ONCE: u8 = b"j"[0];

/// Longest name that stands in a key as it is, in octets.
const LONGEST: usize = 96;
/// What is left of a longer one.
const KEPT: usize = 64;

/// What kind of record.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Kind {
    User = b'u',
    Credentials = b'k',
    Client = b'c',
    Session = b's',
    SessionOf = b'S',
    Confirmed = b'f',
    Remembered = b'r',
    Head = b'h',
    Due = b'd',
    List = b'l',
    Blocked = b'b',
    Group = b'g',
    Owned = b'o',
    About = b'a',
    Member = b'm',
    GroupOf = b'G',
    Banned = b'x',
    Invite = b'v',
    Invited = b'V',
    Upload = b'p',
    UploadOf = b'U',
    Chunks = b'n',
    Stored = b'q',
    Content = b't',
    Use = b'y',
    Phone = b'e',
    PhoneOf = b'E',
    Proof = b'w',
    Reply = b'R',
    Text = b'T',
    Presence = b'N',
    Once = b'O',
    OnceAt = b'P',
    Swept = b'z',
    SweptBody = b'Z',
    Secret = b'!',
}

/// A key that is being made. It lies where it is made: most keys are only looked for in memory, a dozen for each message.
pub(super) struct Key {
    octets: [u8; MAX_KEY],
    length: usize,
}

impl Key {
    pub(super) fn new(kind: Kind) -> Self {
        Self::empty().octets(ROOT).octets(&[kind as u8])
    }

    fn once(kind: u8) -> Self {
        Self::empty().octets(&[ONCE, kind])
    }

    const fn empty() -> Self {
        Self {
            octets: [0; MAX_KEY],
            length: 0,
        }
    }

    pub(super) fn name(mut self, name: &str) -> Self {
        if name.len() <= LONGEST {
            return self.octets(name.as_bytes()).octets(&[0]);
        }
        let mut cut = KEPT;
        while !name.is_char_boundary(cut) {
            cut -= 1;
        }
        self = self.octets(&name.as_bytes()[..cut]);
        // A digest may hold zeros; its hexadecimal form does not.
        for octet in &Sha256::digest(name.as_bytes())[..12] {
            self = self.octets(format!("{octet:02x}").as_bytes());
        }
        self.octets(&[0])
    }

    /// The beginning of a name: what follows may be anything.
    pub(super) fn beginning(self, of: &str) -> Self {
        let mut cut = of.len().min(KEPT);
        while !of.is_char_boundary(cut) {
            cut -= 1;
        }
        self.octets(&of.as_bytes()[..cut])
    }

    pub(super) fn octets(mut self, octets: &[u8]) -> Self {
        let end = self.length + octets.len();
        self.octets[self.length..end].copy_from_slice(octets);
        self.length = end;
        self
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.octets(&number.to_be_bytes())
    }

    pub(super) fn user(self, user: &UserName) -> Self {
        self.name(user.as_str())
    }

    pub(super) fn group(self, group: &GroupName) -> Self {
        self.name(group.as_str())
    }

    pub(super) fn topic(self, topic: &Topic) -> Self {
        self.name(topic.as_str())
    }

    pub(super) fn list(self, list: &ListName) -> Self {
        self.name(list.as_str())
    }

    pub(super) fn content(self, content: &ContentName) -> Self {
        self.name(content.as_str())
    }

    pub(super) fn phone(self, phone: &PhoneNumber) -> Self {
        self.name(phone.digits())
    }

    pub(super) fn client(self, client: &ClientName) -> Self {
        self.name(client.as_str())
    }

    pub(super) fn session(self, session: &SessionId) -> Self {
        self.octets(session.octets())
    }

    pub(super) fn upload(self, upload: &UploadId) -> Self {
        self.octets(upload.octets())
    }

    pub(super) fn text(self, text: &TextId) -> Self {
        self.octets(text.octets())
    }

    pub(super) fn contact(self, contact: &Contact) -> Self {
        match contact {
            Contact::User(user) => self.octets(b"1").user(user),
            Contact::Phone(phone) => self.octets(b"2").phone(phone),
        }
    }

    pub(super) fn taken(self, key: &OnceKey) -> Self {
        self.octets(key.as_str().as_bytes())
    }

    /// The key, or how all keys of such records begin.
    pub(super) fn made(&self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// An entry of a log.
pub(super) fn entry(user: &UserName, position: Position) -> Bytes {
    entries(user).number(position.0).made()
}

/// All entries of a log.
pub(super) fn entries(user: &UserName) -> Key {
    Key::once(b'e').user(user)
}

/// What a long entry says, in whosever logs it lies.
pub(super) fn body(id: &[u8; 16]) -> Bytes {
    Key::once(b'b').octets(id).made()
}

/// That a long entry lies in a log.
pub(super) fn reference(id: &[u8; 16], user: &UserName, position: Position) -> Bytes {
    references(id).user(user).number(position.0).made()
}

/// Where a long entry lies.
pub(super) fn references(id: &[u8; 16]) -> Key {
    Key::once(b'r').octets(id)
}

/// A chunk of content.
pub(super) fn chunk(upload: &UploadId, number: u32) -> Bytes {
    chunks(upload).octets(&number.to_be_bytes()).made()
}

/// All chunks of a piece of content.
pub(super) fn chunks(upload: &UploadId) -> Key {
    Key::once(b'c').upload(upload)
}

/// The name that ends a key.
pub(super) fn last_name(key: &[u8]) -> Option<&str> {
    let (zero, rest) = key.split_last()?;
    let start = rest
        .iter()
        .rposition(|&octet| octet == 0)
        .map_or(2, |zero| zero + 1);
    match zero {
        0 => std::str::from_utf8(rest.get(start..)?).ok(),
        _ => None,
    }
}

/// The number that ends a key.
pub(super) fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk().copied().map(u64::from_be_bytes)
}

/// The id that ends a key.
pub(super) fn last_id(key: &[u8]) -> Option<[u8; 16]> {
    key.last_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_make_keys_that_are_not_too_long_and_not_the_same() {
        let user = UserName::new(&"u".repeat(64)).unwrap();
        let list =
            |last: char| ListName::new(&format!("{}{last}", "\u{1F600}".repeat(63))).unwrap();
        let key = |list: &ListName| Key::new(Kind::List).user(&user).list(list).made();
        let one = key(&list('a'));
        assert!(one.len() + 3 <= MAX_KEY, "{}", one.len());
        assert_ne!(one, key(&list('b')));
        let once = OnceKey::new(&"k".repeat(OnceKey::MOST)).unwrap();
        let once = Key::new(Kind::OnceAt).number(1).taken(&once).made();
        assert!(once.len() + 3 <= MAX_KEY);
        let group = GroupName::new(&"g".repeat(64)).unwrap();
        let topic = Topic::new(&"\u{1F600}".repeat(64)).unwrap();
        let about = Key::new(Kind::About).topic(&topic).group(&group).made();
        assert!(about.len() + 3 <= MAX_KEY, "{}", about.len());
        assert_eq!(last_name(&about), Some(group.as_str()));
        assert_eq!(
            last_name(&Key::new(Kind::User).user(&user).made()),
            Some(user.as_str())
        );
    }
}

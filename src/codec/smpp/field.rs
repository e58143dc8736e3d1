//! Fields of a body: how each kind is taken leniently from octets, and which values may be sent.

use std::fmt;

use bytes::{BufMut, Bytes};

use crate::codec::Malformed;
use crate::message::Refused;

/// A place within a body.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    body: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self { body, offset: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        &self.body[self.offset..]
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, Malformed> {
        let octet = self.body.get(self.offset).copied();
        let octet = octet.ok_or_else(|| self.complain(field, "is missing, the body ends"))?;
        self.offset += 1;
        Ok(octet)
    }

    fn complain(&self, field: &'static str, reason: &'static str) -> Malformed {
        Malformed::new(self.offset, field, reason)
    }
}

/// One kind of field: its strict value, and the octets that are taken for it.
pub(super) trait Field {
    /// As received: whatever stands there.
    type Raw<'a>: Copy;

    /// The octets of a valid value.
    fn raw(&self) -> Self::Raw<'_>;
    /// Takes the field from its place.
    fn take<'a>(from: &mut Cursor<'a>, field: &'static str) -> Result<Self::Raw<'a>, Malformed>;
    /// Writes it.
    fn put(raw: Self::Raw<'_>, out: &mut Vec<u8>);
    /// What a log may show of it.
    fn sketch(raw: Self::Raw<'_>) -> Sketch;
}

/// What a log may show of a field: numbers, and the length of what could be a subscriber's.
pub(super) enum Sketch {
    Number(u8),
    Octets(usize),
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:#04x}"),
            Self::Octets(length) => write!(f, "<{length} octets>"),
        }
    }
}

impl Field for u8 {
    type Raw<'a> = Self;
    fn raw(&self) -> Self {
        *self
    }
    fn take(from: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
        from.octet(field)
    }
    fn put(raw: Self, out: &mut Vec<u8>) {
        out.put_u8(raw);
    }
    fn sketch(raw: Self) -> Sketch {
        Sketch::Number(raw)
    }
}

/// A C-Octet String of at most `MOST` octets, its NUL included; held without the NUL.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct COctets<const MOST: usize> {
    octets: [u8; MOST],
    length: u8,
}

impl<const MOST: usize> COctets<MOST> {
    /// Nothing but the NUL.
    pub const EMPTY: Self = {
        assert!(MOST >= 1 && MOST <= 256, "a length fits an octet");
        Self {
            octets: [0; MOST],
            length: 0,
        }
    };

    /// From octets without a NUL among them.
    pub fn new(field: &'static str, octets: &[u8]) -> Result<Self, Refused> {
        let most = MOST - 1;
        if octets.len() > most {
            return Err(Refused::new(
                field,
                format!("has {} octets; {most} are allowed", octets.len()),
            ));
        }
        if octets.contains(&0) {
            return Err(Refused::new(field, "holds a NUL, which would end it"));
        }
        let mut string = Self::EMPTY;
        string.octets[..octets.len()].copy_from_slice(octets);
        string.length = u8::try_from(octets.len()).expect("MOST is at most 256");
        Ok(string)
    }

    /// The octets, without the NUL.
    pub fn as_slice(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// The octets and the NUL: the rest of the array is never anything else.
    fn with_nul(&self) -> &[u8] {
        &self.octets[..=usize::from(self.length)]
    }
}

impl<const MOST: usize> Default for COctets<MOST> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const MOST: usize> fmt::Debug for COctets<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Sketch::Octets(usize::from(self.length)).fmt(f)
    }
}

fn take_c_octets<'a>(from: &mut Cursor<'a>, field: &'static str) -> Result<&'a [u8], Malformed> {
    let rest = from.rest();
    let length = rest
        .iter()
        .position(|&octet| octet == 0)
        .ok_or_else(|| from.complain(field, "has no NUL before the body ends"))?;
    from.offset += length + 1;
    Ok(&rest[..length])
}

fn put_c_octets(octets: &[u8], out: &mut Vec<u8>) {
    out.put_slice(octets);
    out.put_u8(0);
}

impl<const MOST: usize> Field for COctets<MOST> {
    type Raw<'a> = &'a [u8];
    fn raw(&self) -> &[u8] {
        self.as_slice()
    }
    fn take<'a>(from: &mut Cursor<'a>, field: &'static str) -> Result<&'a [u8], Malformed> {
        take_c_octets(from, field)
    }
    fn put(raw: &[u8], out: &mut Vec<u8>) {
        put_c_octets(raw, out);
    }
    fn sketch(raw: &[u8]) -> Sketch {
        Sketch::Octets(raw.len())
    }
}

/// What a response names: a C-Octet String that SMSCs leave out, or leave without its NUL, when they have an error to
/// tell. So it is taken from whatever is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Named<const MOST: usize>(pub COctets<MOST>);

/// What a response names, as it stands in the body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NamedView<'a>(&'a [u8]);

impl<'a> NamedView<'a> {
    /// The octets before the NUL, or all that there are without one; `None` if the body has nothing at all.
    pub fn octets(&self) -> Option<&'a [u8]> {
        match self.0.split_last()? {
            (0, before) => Some(before),
            _ => Some(self.0),
        }
    }
}

impl fmt::Debug for NamedView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Sketch::Octets(self.0.len()).fmt(f)
    }
}

impl<const MOST: usize> Field for Named<MOST> {
    type Raw<'a> = NamedView<'a>;
    fn raw(&self) -> NamedView<'_> {
        NamedView(self.0.with_nul())
    }
    fn take<'a>(from: &mut Cursor<'a>, _field: &'static str) -> Result<NamedView<'a>, Malformed> {
        let rest = from.rest();
        let length = rest
            .iter()
            .position(|&octet| octet == 0)
            .map_or(rest.len(), |at| at + 1);
        from.offset += length;
        Ok(NamedView(&rest[..length]))
    }
    fn put(raw: NamedView<'_>, out: &mut Vec<u8>) {
        out.put_slice(raw.0);
    }
    fn sketch(raw: NamedView<'_>) -> Sketch {
        Sketch::Octets(raw.0.len())
    }
}

/// Type of number, numbering plan, and an address of at most `MOST` octets with its NUL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Address<const MOST: usize> {
    /// Type of number (5.2.5).
    pub ton: u8,
    /// Numbering plan (5.2.6).
    pub npi: u8,
    /// The digits or letters.
    pub octets: COctets<MOST>,
}

/// An address in submit_sm, deliver_sm and their like.
pub type SmAddress = Address<21>;
/// An address in data_sm and alert_notification.
pub type EsmeAddress = Address<65>;

impl<const MOST: usize> Address<MOST> {
    /// From its three parts; `field` names it in a refusal.
    pub fn new(field: &'static str, ton: u8, npi: u8, octets: &[u8]) -> Result<Self, Refused> {
        Ok(Self {
            ton,
            npi,
            octets: COctets::new(field, octets)?,
        })
    }
}

/// An address as it stands in a body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AddressView<'a> {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
    /// Of any length; anything but NUL.
    pub octets: &'a [u8],
}

impl fmt::Debug for AddressView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<address ton {} npi {}, {} octets>",
            self.ton,
            self.npi,
            self.octets.len()
        )
    }
}

impl<const MOST: usize> Field for Address<MOST> {
    type Raw<'a> = AddressView<'a>;
    fn raw(&self) -> AddressView<'_> {
        AddressView {
            ton: self.ton,
            npi: self.npi,
            octets: self.octets.as_slice(),
        }
    }
    fn take<'a>(from: &mut Cursor<'a>, field: &'static str) -> Result<AddressView<'a>, Malformed> {
        Ok(AddressView {
            ton: from.octet(field)?,
            npi: from.octet(field)?,
            octets: take_c_octets(from, field)?,
        })
    }
    fn put(raw: AddressView<'_>, out: &mut Vec<u8>) {
        out.put_u8(raw.ton);
        out.put_u8(raw.npi);
        put_c_octets(raw.octets, out);
    }
    fn sketch(raw: AddressView<'_>) -> Sketch {
        Sketch::Octets(raw.octets.len())
    }
}

/// short_message with its sm_length.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ShortText(Bytes);

impl ShortText {
    /// The longest in SMPP 3.4.
    pub const MOST: usize = 254;
    /// The longest in SMPP 5.0.
    pub const MOST_IN_5_0: usize = 255;

    /// At most 254 octets.
    pub fn new(octets: Bytes) -> Result<Self, Refused> {
        Self::up_to(Self::MOST, octets)
    }

    /// At most 255 octets, for peers of SMPP 5.0.
    pub fn new_in_5_0(octets: Bytes) -> Result<Self, Refused> {
        Self::up_to(Self::MOST_IN_5_0, octets)
    }

    fn up_to(most: usize, octets: Bytes) -> Result<Self, Refused> {
        if octets.len() > most {
            return Err(Refused::new(
                "short_message",
                format!("has {} octets; {most} are allowed", octets.len()),
            ));
        }
        Ok(Self(octets))
    }

    /// The octets.
    pub const fn octets(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Sketch::Octets(self.0.len()).fmt(f)
    }
}

impl Field for ShortText {
    type Raw<'a> = &'a [u8];
    fn raw(&self) -> &[u8] {
        &self.0
    }
    fn take<'a>(from: &mut Cursor<'a>, field: &'static str) -> Result<&'a [u8], Malformed> {
        let length = usize::from(from.octet("sm_length")?);
        let text = from
            .rest()
            .get(..length)
            .ok_or_else(|| from.complain(field, "is shorter than its sm_length says"))?;
        from.offset += length;
        Ok(text)
    }
    fn put(raw: &[u8], out: &mut Vec<u8>) {
        out.put_u8(
            u8::try_from(raw.len()).expect("sm_length was one octet, or ShortText checked it"),
        );
        out.put_slice(raw);
    }
    fn sketch(raw: &[u8]) -> Sketch {
        Sketch::Octets(raw.len())
    }
}

/// All that is left of a body, whatever it is.
pub(super) fn take_rest<'a>(from: &mut Cursor<'a>) -> &'a [u8] {
    let rest = from.rest();
    from.offset = from.body.len();
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_strings_refuse_what_would_not_come_back() {
        assert!(COctets::<9>::new("password", b"12345678").is_ok());
        let long = COctets::<9>::new("password", b"123456789").unwrap_err();
        assert_eq!(long.to_string(), "password: has 9 octets; 8 are allowed");
        assert!(COctets::<9>::new("password", b"a\0b").is_err());
        assert!(ShortText::new(vec![0; 255].into()).is_err());
        assert!(ShortText::new_in_5_0(vec![0; 255].into()).is_ok());
    }

    #[test]
    fn complaints_name_the_octet() {
        let mut from = Cursor::new(b"\x01abc");
        from.octet("ton").unwrap();
        let why = COctets::<21>::take(&mut from, "source_addr").unwrap_err();
        assert_eq!((why.offset, why.field), (1, "source_addr"));
        let mut from = Cursor::new(b"\x05abc");
        let why = ShortText::take(&mut from, "short_message").unwrap_err();
        assert_eq!((why.offset, why.field), (1, "short_message"));
    }

    #[test]
    fn names_in_responses_are_taken_as_they_are() {
        for (body, name) in [
            (&b""[..], None),
            (b"\0", Some(&b""[..])),
            (b"12", Some(b"12")),
            (b"12\0\x04", Some(b"12")),
        ] {
            let raw = Named::<65>::take(&mut Cursor::new(body), "message_id").unwrap();
            assert_eq!(raw.octets(), name);
            let mut again = Vec::new();
            Named::<65>::put(raw, &mut again);
            assert!(body.starts_with(&again));
        }
    }
}

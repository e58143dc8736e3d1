//! Reads fields one after the other and knows at which octet it is, so that every complaint names its place.

use bytes::Bytes;

use super::Malformed;

/// A position in a string of octets. Slices that it gives share the octets, they do not copy them.
#[derive(Clone, Debug)]
pub struct Reader {
    octets: Bytes,
    offset: usize,
}

impl Reader {
    /// At the first octet.
    pub const fn new(octets: Bytes) -> Self {
        Self { octets, offset: 0 }
    }

    /// How many octets were read.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// How many octets are left.
    pub fn remaining(&self) -> usize {
        self.octets.len() - self.offset
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// What is left, without reading it.
    pub fn rest(&self) -> Bytes {
        self.octets.slice(self.offset..)
    }

    /// The next octets, so many.
    pub fn take(&mut self, field: &'static str, length: usize) -> Result<Bytes, Malformed> {
        if self.remaining() < length {
            return Err(Malformed::new(
                self.offset,
                field,
                format!("needs {length} octets, {} are left", self.remaining()),
            ));
        }
        let start = self.offset;
        self.offset += length;
        Ok(self.octets.slice(start..self.offset))
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        match self.octets[self.offset..].first_chunk() {
            Some(octets) => {
                self.offset += N;
                Ok(*octets)
            }
            None => Err(Malformed::new(
                self.offset,
                field,
                format!("needs {N} octets, {} are left", self.remaining()),
            )),
        }
    }

    /// One octet.
    pub fn octet(&mut self, field: &'static str) -> Result<u8, Malformed> {
        self.array::<1>(field).map(|[octet]| octet)
    }

    /// Two octets, low one first.
    pub fn u16_le(&mut self, field: &'static str) -> Result<u16, Malformed> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Four octets, low one first.
    pub fn u32_le(&mut self, field: &'static str) -> Result<u32, Malformed> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Eight octets, low one first.
    pub fn u64_le(&mut self, field: &'static str) -> Result<u64, Malformed> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// Two octets, high one first.
    pub fn u16_be(&mut self, field: &'static str) -> Result<u16, Malformed> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Four octets, high one first.
    pub fn u32_be(&mut self, field: &'static str) -> Result<u32, Malformed> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Octets with their length in one octet before them.
    pub fn short_string(&mut self, field: &'static str) -> Result<Bytes, Malformed> {
        let length = self.octet(field)?;
        self.take(field, usize::from(length))
    }

    /// Octets with their length in two octets before them, low one first.
    pub fn long_string(&mut self, field: &'static str) -> Result<Bytes, Malformed> {
        let length = self.u16_le(field)?;
        self.take(field, usize::from(length))
    }

    /// A complaint about what was just read; `back` octets ago it began.
    pub fn complain(
        &self,
        back: usize,
        field: &'static str,
        reason: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Malformed {
        Malformed::new(self.offset.saturating_sub(back), field, reason)
    }
}

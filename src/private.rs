//! Values that must not reach logs.
//!
//! A subscriber's number and the text of a message are wrapped in [`Private`] wherever something could print them.
//! What a log, a panic message or a debug dump then shows is the length, never the content.

use std::fmt;

/// A value that shows only its length when it is printed or debugged.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. The name is long to write on purpose: each use is a place to look at in a review.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, given away.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

/// What has a length that may be told.
pub trait Length {
    /// How long it is, in the unit that [`Length::UNIT`] names.
    fn length(&self) -> usize;
    /// The unit, for people.
    const UNIT: &'static str;
}

impl Length for String {
    fn length(&self) -> usize {
        self.chars().count()
    }
    const UNIT: &'static str = "characters";
}

impl Length for &str {
    fn length(&self) -> usize {
        self.chars().count()
    }
    const UNIT: &'static str = "characters";
}

impl Length for bytes::Bytes {
    fn length(&self) -> usize {
        self.len()
    }
    const UNIT: &'static str = "octets";
}

impl Length for Vec<u8> {
    fn length(&self) -> usize {
        self.len()
    }
    const UNIT: &'static str = "octets";
}

impl<T: Length> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Length> fmt::Display for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} {}>", self.0.length(), T::UNIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_value_shows_its_length_only() {
        let number = Private::new(String::from("358401234567"));
        assert_eq!(format!("{number}"), "<12 characters>");
        assert_eq!(format!("{number:?}"), "<12 characters>");
        let text = Private::new(bytes::Bytes::from_static(b"secret"));
        assert_eq!(format!("{text:?}"), "<6 octets>");
        assert_eq!(number.expose(), "358401234567");
    }
}

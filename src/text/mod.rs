//! Texts as characters, septets and UTF-16 units.

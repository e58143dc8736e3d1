//! What the product is tried against: it is part of the product, so that an operator can try things too.
//!
//! [`line`] is a bad line in user space.

pub mod line;

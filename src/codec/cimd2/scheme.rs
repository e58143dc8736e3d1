//! Parameter 030, the data coding scheme of GSM 03.38 (section 4): alphabet and message class in one octet.

use crate::message::{Class, Coding};

/// A data coding scheme; absent means 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct CodingScheme(pub u8);

impl CodingScheme {
    /// The default alphabet without a class.
    pub const DEFAULT: Self = Self(0);

    /// The scheme of a coding and class, as peers are known to write it: 4 and 8 without a class, 16 and 24 upwards
    /// with one, 244 upwards for octets with a class.
    pub const fn of(coding: Coding, class: Option<Class>) -> Self {
        Self(match (coding, class) {
            (Coding::Gsm7, None) => 0x00,
            (Coding::Gsm7, Some(class)) => 0x10 | class.number(),
            (Coding::Octets, None) => 0x04,
            (Coding::Octets, Some(class)) => 0xF4 | class.number(),
            (Coding::Ucs2, None) => 0x08,
            (Coding::Ucs2, Some(class)) => 0x18 | class.number(),
        })
    }

    /// The alphabet. Compressed text reads as octets, since nobody here can expand it; reserved codes read as the
    /// default alphabet, as the standard demands.
    pub const fn coding(self) -> Coding {
        match self.0 >> 4 {
            // General data coding, and the same for messages that delete themselves.
            0x0..=0x7 => match self.0 >> 2 & 0b11 {
                _ if self.0 & 0x20 != 0 => Coding::Octets,
                0b01 => Coding::Octets,
                0b10 => Coding::Ucs2,
                _ => Coding::Gsm7,
            },
            // A message waits, and is written in UCS-2.
            0xE => Coding::Ucs2,
            // Data coding and class.
            0xF if self.0 & 0x04 != 0 => Coding::Octets,
            // 0xC and 0xD: a message waits. 0x8 to 0xB: reserved.
            _ => Coding::Gsm7,
        }
    }

    /// The class, where the scheme has one.
    pub const fn class(self) -> Option<Class> {
        match self.0 >> 4 {
            0x0..=0x7 if self.0 & 0x10 != 0 => Some(Class::from_low_bits(self.0)),
            0xF => Some(Class::from_low_bits(self.0)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let classes = [
            None,
            Some(Class::Flash),
            Some(Class::Phone),
            Some(Class::Sim),
            Some(Class::Equipment),
        ];
        for coding in [Coding::Gsm7, Coding::Octets, Coding::Ucs2] {
            for class in classes {
                let scheme = CodingScheme::of(coding, class);
                assert_eq!((scheme.coding(), scheme.class()), (coding, class));
            }
        }
        assert_eq!(CodingScheme::of(Coding::Octets, Some(Class::Phone)).0, 245);
        assert_eq!(CodingScheme::of(Coding::Gsm7, Some(Class::Flash)).0, 16);
    }

    #[test]
    fn other_groups_read_as_the_standard_says() {
        let read = |scheme| {
            let scheme = CodingScheme(scheme);
            (scheme.coding(), scheme.class())
        };
        assert_eq!(read(0x03), (Coding::Gsm7, None));
        assert_eq!(read(0x0C), (Coding::Gsm7, None));
        assert_eq!(read(0x20), (Coding::Octets, None));
        assert_eq!(read(0x55), (Coding::Octets, Some(Class::Phone)));
        assert_eq!(read(0x9F), (Coding::Gsm7, None));
        assert_eq!(read(0xC8), (Coding::Gsm7, None));
        assert_eq!(read(0xD0), (Coding::Gsm7, None));
        assert_eq!(read(0xE8), (Coding::Ucs2, None));
        assert_eq!(read(0xF2), (Coding::Gsm7, Some(Class::Sim)));
    }
}

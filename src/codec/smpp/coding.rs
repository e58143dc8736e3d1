//! data_coding (5.2.19): which alphabet a text is in, and where the phone puts it.

use serde::Deserialize;

use crate::message::{Class, Coding};

/// What a carrier means by data_coding 0x00, "SMSC default alphabet": a setting for each direction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// GSM 03.38, one septet an octet: most carriers.
    #[default]
    Gsm7,
    /// GSM 03.38, eight septets in seven octets.
    Gsm7Packed,
    /// ISO 8859-1.
    Latin1,
    /// ASCII.
    Ascii,
}

/// How the octets of a text are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TextForm {
    /// GSM 03.38, one septet an octet.
    Gsm7,
    /// GSM 03.38, eight septets in seven octets.
    Gsm7Packed,
    /// ISO 8859-1.
    Latin1,
    /// ASCII.
    Ascii,
    /// UTF-16, high octet first.
    Ucs2,
    /// Data, or an alphabet that is passed on unread.
    Octets,
}

impl From<Alphabet> for TextForm {
    fn from(alphabet: Alphabet) -> Self {
        match alphabet {
            Alphabet::Gsm7 => Self::Gsm7,
            Alphabet::Gsm7Packed => Self::Gsm7Packed,
            Alphabet::Latin1 => Self::Latin1,
            Alphabet::Ascii => Self::Ascii,
        }
    }
}

impl TextForm {
    /// The coding that a message has in this product, once the text was converted.
    pub const fn coding(self) -> Coding {
        match self {
            Self::Gsm7 | Self::Gsm7Packed | Self::Latin1 | Self::Ascii => Coding::Gsm7,
            Self::Ucs2 => Coding::Ucs2,
            Self::Octets => Coding::Octets,
        }
    }
}

/// What a data_coding says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DataCoding {
    /// How the text is to be read.
    pub form: TextForm,
    /// Where the phone puts it, if that is said.
    pub class: Option<Class>,
}

impl DataCoding {
    /// Reads a data_coding as an SMSC with this default alphabet means it. Numbers of SMPP come first, then plain GSM
    /// data coding schemes as some SMSCs pass them; what is left is data.
    pub fn read(number: u8, default: Alphabet) -> Self {
        // GSM 7-bit said by a scheme rather than by 0x00 is GSM whatever the default is.
        let gsm = match default {
            Alphabet::Gsm7Packed => TextForm::Gsm7Packed,
            Alphabet::Gsm7 | Alphabet::Latin1 | Alphabet::Ascii => TextForm::Gsm7,
        };
        let class = Some(Class::from_low_bits(number));
        let (form, class) = match number {
            0x00 => (default.into(), None),
            0x01 => (TextForm::Ascii, None),
            0x03 => (TextForm::Latin1, None),
            0x08 => (TextForm::Ucs2, None),
            0x10..=0x13 | 0xF0..=0xF3 | 0xF8..=0xFB => (gsm, class),
            0x14..=0x17 | 0xF4..=0xF7 | 0xFC..=0xFF => (TextForm::Octets, class),
            0x18..=0x1B => (TextForm::Ucs2, class),
            // A message waits: discarded, stored, stored as UCS-2.
            0xC0..=0xDF => (gsm, None),
            0xE0..=0xEF => (TextForm::Ucs2, None),
            // Data; JIS, Cyrillic, Hebrew, Korean and so on; compressed; reserved.
            _ => (TextForm::Octets, None),
        };
        Self { form, class }
    }

    /// The data_coding of a text; `gsm` is what stands for the default alphabet without a class.
    pub const fn write(coding: Coding, class: Option<Class>, gsm: u8) -> u8 {
        match (coding, class) {
            (Coding::Gsm7, None) => gsm,
            (Coding::Gsm7, Some(class)) => 0xF0 | class.number(),
            (Coding::Octets, None) => 0x04,
            (Coding::Octets, Some(class)) => 0xF4 | class.number(),
            (Coding::Ucs2, None) => 0x08,
            // SMPP has no number for it; the GSM scheme is what SMSCs take.
            (Coding::Ucs2, Some(class)) => 0x18 | class.number(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for coding in [Coding::Gsm7, Coding::Octets, Coding::Ucs2] {
            for class in [
                None,
                Some(Class::Flash),
                Some(Class::Phone),
                Some(Class::Sim),
                Some(Class::Equipment),
            ] {
                let read = DataCoding::read(DataCoding::write(coding, class, 0), Alphabet::Gsm7);
                assert_eq!((read.form.coding(), read.class), (coding, class));
            }
        }
    }

    #[test]
    fn zero_is_what_the_carrier_means() {
        for (default, form) in [
            (Alphabet::Gsm7, TextForm::Gsm7),
            (Alphabet::Gsm7Packed, TextForm::Gsm7Packed),
            (Alphabet::Latin1, TextForm::Latin1),
            (Alphabet::Ascii, TextForm::Ascii),
        ] {
            assert_eq!(
                DataCoding::read(0, default),
                DataCoding { form, class: None }
            );
        }
        // A scheme is not masked with 0x0F: 0x18 is UCS-2, 0xF8 is not.
        assert_eq!(
            DataCoding::read(0x18, Alphabet::Latin1).form,
            TextForm::Ucs2
        );
        assert_eq!(
            DataCoding::read(0xF0, Alphabet::Latin1).form,
            TextForm::Gsm7
        );
        assert_eq!(
            DataCoding::read(0x06, Alphabet::Gsm7).form,
            TextForm::Octets
        );
    }
}

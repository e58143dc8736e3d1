//! The content of a message: its coding, its user data header, its octets.

use std::fmt;

use bytes::Bytes;

use super::Refused;

/// G4: a slot takes a message of up to 160 characters, whatever their coding.
pub const MAX_CHARACTERS: usize = 160;

/// Longest user data header, its length octet included: all the 140 octets of a short message.
pub const MAX_HEADER: usize = 140;

/// How the octets of a body are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Coding {
    /// GSM 03.38 default alphabet, one septet an octet (unpacked); an extension character is the two of its escape.
    Gsm7,
    /// UTF-16 with the high octet first, as carriers fill UCS-2.
    Ucs2,
    /// Eight-bit data of no alphabet that we know.
    Octets,
}

impl Coding {
    /// The number it has in ring slots and on the link.
    pub const fn number(self) -> u8 {
        match self {
            Self::Gsm7 => 0,
            Self::Octets => 4,
            Self::Ucs2 => 8,
        }
    }

    /// The coding of a number; an unknown one is refused.
    pub fn from_number(number: u8) -> Result<Self, Refused> {
        match number {
            0 => Ok(Self::Gsm7),
            4 => Ok(Self::Octets),
            8 => Ok(Self::Ucs2),
            other => Err(Refused::new(
                "coding",
                format!("{other} is unknown; 0 (GSM 7-bit), 4 (octets) and 8 (UCS-2) are"),
            )),
        }
    }

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
            Self::Octets => "octets",
        }
    }
}

/// GSM 03.38 message class: where the phone puts the message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Shown at once and not stored ("flash").
    Flash,
    /// Stored in the phone.
    Phone,
    /// Stored in the SIM.
    Sim,
    /// Handed to attached equipment.
    Equipment,
}

impl Class {
    /// 0 to 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::Flash => 0,
            Self::Phone => 1,
            Self::Sim => 2,
            Self::Equipment => 3,
        }
    }

    /// From the two lowest bits of a data coding scheme.
    pub const fn from_low_bits(scheme: u8) -> Self {
        match scheme & 3 {
            0 => Self::Flash,
            1 => Self::Phone,
            2 => Self::Sim,
            _ => Self::Equipment,
        }
    }
}

/// One information element of a user data header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeaderElement<'a> {
    /// Its identifier.
    pub id: u8,
    /// Its octets.
    pub data: &'a [u8],
}

/// What says that a message is one part of a longer one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Concat {
    /// Common to all parts of the long message.
    pub reference: u16,
    /// Whether the reference has 16 bits on the wire.
    pub wide: bool,
    /// How many parts there are, from 1.
    pub total: u8,
    /// Which one this is, from 1.
    pub part: u8,
}

/// The user data header of GSM 03.40, its length octet first. Empty when there is none.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct UserDataHeader(Bytes);

impl UserDataHeader {
    /// No header.
    pub const NONE: Self = Self(Bytes::new());

    /// From octets that begin with the header's length. The length must be right; the elements within need not be.
    pub fn new(octets: Bytes) -> Result<Self, Refused> {
        let field = "user data header";
        match octets.first() {
            None => Ok(Self::NONE),
            Some(_) if octets.len() > MAX_HEADER => Err(Refused::new(
                field,
                format!("has {} octets; {MAX_HEADER} are allowed", octets.len()),
            )),
            Some(&length) if usize::from(length) + 1 != octets.len() => Err(Refused::new(
                field,
                format!(
                    "says it has {length} octets after its length, and has {}",
                    octets.len() - 1
                ),
            )),
            Some(_) => Ok(Self(octets)),
        }
    }

    /// The header of one part of a long message.
    ///
    /// # Panics
    /// If the part is not among `1..=total`, or a reference of 8 bits is larger than that.
    pub fn concat(concat: Concat) -> Self {
        assert!(
            (1..=concat.total).contains(&concat.part),
            "a part is one of 1..=total"
        );
        let [high, low] = concat.reference.to_be_bytes();
        Self(if concat.wide {
            Bytes::copy_from_slice(&[6, 8, 4, high, low, concat.total, concat.part])
        } else {
            assert!(high == 0, "a reference of 8 bits is at most 255");
            Bytes::copy_from_slice(&[5, 0, 3, low, concat.total, concat.part])
        })
    }

    /// The octets, length first; empty when there is no header.
    pub const fn octets(&self) -> &Bytes {
        &self.0
    }

    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements, up to the first that does not fit.
    pub fn elements(&self) -> impl Iterator<Item = HeaderElement<'_>> {
        let mut rest = self.0.get(1..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (&id, after) = rest.split_first()?;
            let (&length, after) = after.split_first()?;
            let data = after.get(..usize::from(length))?;
            rest = &after[usize::from(length)..];
            Some(HeaderElement { id, data })
        })
    }

    /// Which part of a longer message this is; `None` also when the numbers make no sense, so that the message is
    /// then taken as a single one.
    pub fn as_concat(&self) -> Option<Concat> {
        self.elements()
            .find_map(|element| match (element.id, element.data) {
                (0, &[reference, total, part]) => Some(Concat {
                    reference: u16::from(reference),
                    wide: false,
                    total,
                    part,
                }),
                (8, &[high, low, total, part]) => Some(Concat {
                    reference: u16::from_be_bytes([high, low]),
                    wide: true,
                    total,
                    part,
                }),
                _ => None,
            })
            .filter(|concat| (1..=concat.total).contains(&concat.part))
    }

    /// How many septets it takes from a message in the default alphabet, the fill bits included.
    pub fn septets(&self) -> usize {
        (self.0.len() * 8).div_ceil(7)
    }
}

impl fmt::Debug for UserDataHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<header of {} octets>", self.0.len())
    }
}

/// The content of one short message. `Debug` shows lengths only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Body {
    coding: Coding,
    class: Option<Class>,
    header: UserDataHeader,
    data: Bytes,
}

impl Body {
    /// Checks that the data belongs to its coding and that a slot can hold it: 160 characters, counted in septets,
    /// in 16-bit units or in octets.
    pub fn new(coding: Coding, header: UserDataHeader, data: Bytes) -> Result<Self, Refused> {
        let field = "text";
        let characters = match coding {
            Coding::Gsm7 => {
                if let Some(at) = data.iter().position(|&septet| septet > 0x7F) {
                    return Err(Refused::new(
                        field,
                        format!("octet {at} is {:#04x}, no septet", data[at]),
                    ));
                }
                data.len()
            }
            Coding::Ucs2 => {
                if !data.len().is_multiple_of(2) {
                    return Err(Refused::new(
                        field,
                        format!("has {} octets; UCS-2 needs pairs", data.len()),
                    ));
                }
                data.len() / 2
            }
            Coding::Octets => data.len(),
        };
        if characters > MAX_CHARACTERS {
            return Err(Refused::new(
                field,
                format!(
                    "has {characters} characters; a message holds {MAX_CHARACTERS}, cut it into parts"
                ),
            ));
        }
        Ok(Self {
            coding,
            class: None,
            header,
            data,
        })
    }

    /// The same, for a place in the phone.
    #[must_use]
    pub const fn with_class(mut self, class: Option<Class>) -> Self {
        self.class = class;
        self
    }

    /// How the data is to be read.
    pub const fn coding(&self) -> Coding {
        self.coding
    }

    /// Where the phone puts it, if that was said.
    pub const fn class(&self) -> Option<Class> {
        self.class
    }

    /// The user data header.
    pub const fn header(&self) -> &UserDataHeader {
        &self.header
    }

    /// Septets (one an octet), UTF-16 units or octets, without the header.
    pub const fn data(&self) -> &Bytes {
        &self.data
    }

    /// Whether one SMS on the air carries it, header included (140 octets).
    pub fn fits_one_part(&self) -> bool {
        match self.coding {
            Coding::Gsm7 => self.header.septets() + self.data.len() <= 160,
            Coding::Ucs2 | Coding::Octets => self.header.octets().len() + self.data.len() <= 140,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<{} of {} octets, header of {}>",
            self.coding.as_str(),
            self.data.len(),
            self.header.octets().len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_longer_than_fits_is_refused() {
        let long = Bytes::from(vec![b'a'; 161]);
        let refused = Body::new(Coding::Gsm7, UserDataHeader::NONE, long).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "text: has 161 characters; a message holds 160, cut it into parts"
        );
        assert!(Body::new(Coding::Ucs2, UserDataHeader::NONE, vec![0; 322].into()).is_err());
        assert!(Body::new(Coding::Ucs2, UserDataHeader::NONE, vec![0; 321].into()).is_err());
        assert!(Body::new(Coding::Gsm7, UserDataHeader::NONE, vec![0x80].into()).is_err());
    }

    #[test]
    fn an_unknown_coding_is_refused_with_its_field() {
        assert_eq!(Coding::from_number(5).unwrap_err().field, "coding");
        for coding in [Coding::Gsm7, Coding::Ucs2, Coding::Octets] {
            assert_eq!(Coding::from_number(coding.number()), Ok(coding));
        }
    }

    #[test]
    fn headers_tell_their_parts() {
        let narrow = UserDataHeader::new(vec![5, 0, 3, 0xAA, 2, 1].into()).unwrap();
        let concat = narrow.as_concat().unwrap();
        assert_eq!((concat.reference, concat.total, concat.part), (0xAA, 2, 1));
        assert_eq!(UserDataHeader::concat(concat), narrow);
        assert_eq!(narrow.septets(), 7);
        // Ports first, then the wide form.
        let both =
            UserDataHeader::new(vec![12, 5, 4, 0x15, 0x82, 0, 0, 8, 4, 1, 2, 3, 3].into()).unwrap();
        assert_eq!(both.as_concat().unwrap().reference, 0x0102);
        // Part 0, part beyond the total: a single message.
        let absurd = UserDataHeader::new(vec![5, 0, 3, 1, 2, 3].into()).unwrap();
        assert_eq!(absurd.as_concat(), None);
        assert!(UserDataHeader::new(vec![5, 0, 3].into()).is_err());
    }
}

//! A packet as received: operation, number, checksum, and its parameters in the order in which they came.

use std::fmt;

use bytes::Bytes;

use super::frame::{ETX, STX, TAB, first_of};
use super::operation::{Number, Operation};
use super::parameter::{Kind, Parameter};
use super::write::Writer;
use crate::codec::Malformed;

/// Octets of a header: `OO:NNN` and TAB behind the STX.
const HEADER: usize = 8;

/// The sum of all octets from STX to the last TAB, modulo 256.
pub fn checksum(octets: &[u8]) -> u8 {
    octets.iter().fold(0, |sum, octet| sum.wrapping_add(*octet))
}

/// What a packet's checksum says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// There is none, which is allowed.
    Absent,
    /// It is the sum of the octets.
    Right,
    /// The packet was damaged; not even its number can be trusted.
    Wrong {
        /// What stands there.
        written: u8,
        /// What the octets add up to.
        computed: u8,
    },
}

/// One packet whose header and end are readable. Parameters are read when they are asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    octets: Bytes,
    operation: Operation,
    number: Number,
    checksum: Checksum,
    /// Where the last TAB stands.
    last_tab: usize,
}

/// The two hexadecimal digits before the ETX.
fn written_checksum(digits: &[u8]) -> Option<u8> {
    match digits {
        &[high, low] => Some(hex_digit(high)? << 4 | hex_digit(low)?),
        _ => None,
    }
}

/// The value of a hexadecimal digit in either case.
pub(super) const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The number that decimal digits write, one at least.
fn decimal(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |number, &digit| {
        if digit.is_ascii_digit() {
            Some(number * 10 + u16::from(digit - b'0'))
        } else {
            None
        }
    })
}

impl Packet {
    /// Reads header and checksum of a frame. A wrong checksum is not malformed here: [`Packet::checksum`] tells.
    pub fn read(octets: Bytes) -> Result<Self, Malformed> {
        let complain =
            |offset, field, reason: &'static str| Err(Malformed::new(offset, field, reason));
        if octets.len() < HEADER + 1 {
            return complain(octets.len(), "header", "is shorter than a header");
        }
        if octets[0] != STX || octets[octets.len() - 1] != ETX {
            return complain(0, "frame", "does not run from STX to ETX");
        }
        let (Some(operation), b':') = (decimal(&octets[1..3]), octets[3]) else {
            return complain(1, "operation", "is not two digits and a colon");
        };
        let operation = Operation(u8::try_from(operation).expect("two digits are below 100"));
        let (Some(number), TAB) = (decimal(&octets[4..7]), octets[7]) else {
            return complain(4, "packet number", "is not three digits and a TAB");
        };
        let number = Number::new(number).expect("three digits are below 1000");
        // Behind the last TAB stand two digits or nothing; where neither fits, a parameter lacks its TAB.
        let end = octets.len() - 1;
        let (last_tab, checksum) = if octets[end - 1] == TAB {
            (end - 1, Checksum::Absent)
        } else if end > HEADER + 1 && octets[end - 3] == TAB {
            let Some(written) = written_checksum(&octets[end - 2..end]) else {
                return complain(end - 2, "checksum", "is not two hexadecimal digits");
            };
            let computed = checksum(&octets[..end - 2]);
            let checksum = if written == computed {
                Checksum::Right
            } else {
                Checksum::Wrong { written, computed }
            };
            (end - 3, checksum)
        } else {
            return complain(
                end,
                "checksum",
                "is neither two digits nor absent behind a TAB",
            );
        };
        Ok(Self {
            octets,
            operation,
            number,
            checksum,
            last_tab,
        })
    }

    /// What it asks or answers.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// Its number.
    pub const fn number(&self) -> Number {
        self.number
    }

    /// Whether it carries a checksum, and the right one.
    pub const fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// All of it, from STX to ETX.
    pub const fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// The same packet under another number, with the checksum of that.
    pub fn under(&self, number: Number) -> Bytes {
        let mut out = Vec::with_capacity(self.octets.len() + 2);
        Writer::begin(&mut out, self.operation, number).rest(&self.octets[HEADER..=self.last_tab]);
        out.into()
    }

    /// Its parameters in the order in which they stand, unknown ones too. After a malformed one there is no more.
    pub fn fields(&self) -> Fields<'_> {
        Fields {
            octets: &self.octets[..=self.last_tab],
            offset: HEADER,
        }
    }

    /// The first parameter of that number. For more than one or two of them, a view is quicker.
    pub fn field(&self, parameter: Parameter) -> Option<Field<'_>> {
        self.fields()
            .map_while(Result::ok)
            .find(|field| field.parameter == parameter)
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<{} number {}, {} octets, checksum {:?}>",
            self.operation,
            self.number,
            self.octets.len(),
            self.checksum
        )
    }
}

/// The parameters of a packet, one after the other.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// Up to and with the last TAB.
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.offset;
        let rest = self.octets.get(start..).filter(|rest| !rest.is_empty())?;
        self.offset = self.octets.len();
        let &[first, second, third, b':', ref value @ ..] = rest else {
            return Some(Err(Malformed::new(
                start,
                "parameter",
                "does not begin with three digits and a colon",
            )));
        };
        let Some(number) = decimal(&[first, second, third]) else {
            return Some(Err(Malformed::new(
                start,
                "parameter",
                "has a number that is not three digits",
            )));
        };
        let parameter = Parameter(number);
        let length = first_of(value, TAB, 0).unwrap_or(value.len());
        if value.get(length) == Some(&0) {
            return Some(Err(Malformed::new(
                start + 4 + length,
                parameter.field(),
                "holds a NUL",
            )));
        }
        self.offset = start + 4 + length + 1;
        Some(Ok(Field {
            parameter,
            value: &value[..length],
            offset: start + 4,
        }))
    }
}

/// One parameter as received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Which one.
    pub parameter: Parameter,
    /// Its value, octet for octet.
    pub value: &'a [u8],
    /// Where the value begins, counted from the packet's STX.
    pub offset: usize,
}

impl Field<'_> {
    /// A complaint about this value.
    pub fn complain(&self, reason: impl Into<std::borrow::Cow<'static, str>>) -> Malformed {
        Malformed::new(self.offset, self.parameter.field(), reason)
    }

    /// The value as a number within the parameter's bounds (any number if they are not known). Leading zeros are
    /// tolerated, and blanks around it.
    pub fn integer(&self) -> Result<i32, Malformed> {
        let digits = self.value.trim_ascii();
        let (digits, sign) = match digits.split_first() {
            Some((b'-', rest)) => (rest, -1),
            _ => (digits, 1),
        };
        if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
            return Err(self.complain("is not a number"));
        }
        let value = sign
            * digits
                .iter()
                .fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
        match self.parameter.form() {
            Some((Kind::Integer(least, most), _)) if !(least..=most).contains(&value) => {
                Err(self.complain(format!("is {value}; {least} to {most} are allowed")))
            }
            _ => Ok(value),
        }
    }

    /// The value as a number from 0 to 255.
    pub fn octet(&self) -> Result<u8, Malformed> {
        self.integer().and_then(|value| {
            u8::try_from(value).map_err(|_| self.complain("is not a number from 0 to 255"))
        })
    }

    /// The value as yes or no.
    pub fn flag(&self) -> Result<bool, Malformed> {
        self.integer().map(|value| value != 0)
    }

    /// The octets that the value writes in hexadecimal digits of either case.
    pub fn hex(&self) -> Result<Vec<u8>, Malformed> {
        if !self.value.len().is_multiple_of(2) {
            return Err(self.complain("has an odd number of hexadecimal digits"));
        }
        self.value
            .chunks_exact(2)
            .map(written_checksum)
            .collect::<Option<_>>()
            .ok_or_else(|| self.complain("holds something else than hexadecimal digits"))
    }

    /// The value for people: printable ASCII as it stands, `?` for the rest.
    pub fn printable(&self) -> String {
        self.value
            .iter()
            .map(|&octet| match octet {
                b' '..=b'~' => char::from(octet),
                _ => '?',
            })
            .collect()
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values hold texts, numbers of subscribers and passwords.
        write!(f, "<{}, {} octets>", self.parameter, self.value.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &'static [u8]) -> Result<Packet, Malformed> {
        Packet::read(Bytes::from_static(octets))
    }

    #[test]
    fn a_checksum_is_absent_right_or_wrong() {
        let checksum = |octets| read(octets).unwrap().checksum();
        assert_eq!(checksum(b"\x0251:001\t\x03"), Checksum::Absent);
        assert_eq!(checksum(b"\x0251:001\t3C\x03"), Checksum::Right);
        assert_eq!(checksum(b"\x0251:001\t3c\x03"), Checksum::Right);
        assert_eq!(
            checksum(b"\x0251:001\t00\x03"),
            Checksum::Wrong {
                written: 0,
                computed: 0x3C
            }
        );
        assert_eq!(read(b"\x0251:001\t3G\x03").unwrap_err().field, "checksum");
    }

    #[test]
    fn malformed_names_octet_and_field() {
        let why = |octets| {
            let why = read(octets).unwrap_err();
            (why.offset, why.field)
        };
        assert_eq!(why(b"\x0240:01\t\x03"), (8, "header"));
        assert_eq!(why(b"\x024x:001\t\x03"), (1, "operation"));
        assert_eq!(why(b"\x0240:0x1\t\x03"), (4, "packet number"));
        assert_eq!(why(b"\x0240:001\t033:hi\x03"), (14, "checksum"));
        let packet = read(b"\x0220:000\t021:1\tx23:2\t\x03").unwrap();
        let fields: Vec<_> = packet.fields().collect();
        assert_eq!(fields.len(), 2);
        assert_eq!(fields[1].as_ref().unwrap_err().offset, 14);
    }

    #[test]
    fn values_keep_colons_and_may_be_empty() {
        let packet = read(b"\x0220:000\t033:a:b\t021:\t999:?\t\x03").unwrap();
        assert_eq!(packet.field(Parameter::USER_DATA).unwrap().value, b"a:b");
        assert_eq!(packet.field(Parameter::DESTINATION).unwrap().value, b"");
        assert_eq!(packet.field(Parameter(999)).unwrap().offset, 25);
        assert_eq!(packet.fields().count(), 3);
    }

    #[test]
    fn a_packet_can_be_sent_under_another_number() {
        let packet = read(b"\x0203:003\t021:1\t033:a:b\t\x03").unwrap();
        let again = Packet::read(packet.under(Number::new(255).unwrap())).unwrap();
        assert_eq!(again.checksum(), Checksum::Right);
        assert_eq!(again.number().get(), 255);
        assert!(again.fields().eq(packet.fields()));
    }

    #[test]
    fn integers_are_within_the_bounds_of_their_parameter() {
        let integer = |parameter, value| {
            Field {
                parameter,
                value,
                offset: 8,
            }
            .integer()
        };
        assert_eq!(integer(Parameter::VALIDITY_RELATIVE, b"-1"), Ok(-1));
        assert_eq!(integer(Parameter::TARIFF_CLASS, b"07"), Ok(7));
        assert!(integer(Parameter::TARIFF_CLASS, b"100").is_err());
        assert!(integer(Parameter::TARIFF_CLASS, b"").is_err());
        assert!(integer(Parameter::TARIFF_CLASS, b"-").is_err());
        assert!(integer(Parameter(777), b"9999999999").is_err());
        assert_eq!(integer(Parameter(777), b"999999999"), Ok(999_999_999));
    }
}

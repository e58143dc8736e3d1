//! What a message says: parameters 030, 032, 033 and 034, together one body.

use bytes::Bytes;

use super::packet::Field;
use super::parameter::Parameter;
use super::scheme::CodingScheme;
use super::text;
use super::write::Writer;
use crate::codec::Malformed;
use crate::message::{Body, Coding, Refused, UserDataHeader};
use crate::text::septets::{self, Fill};

/// Most octets that parameters 032 and 034 carry, each on its own.
pub const MAX_BINARY: usize = 140;

/// The user data of a packet to be written: a body that fits its parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserData {
    scheme: CodingScheme,
    body: Body,
}

impl UserData {
    /// From a body. One that an SMS cannot carry is refused; the header counts. Septets are sent as text in 033, all
    /// else in hexadecimal digits in 034.
    pub fn new(body: Body) -> Result<Self, Refused> {
        if !body.fits_one_part() {
            return Err(Refused::new(
                "text",
                "does not fit one SMS with its header; cut it into parts",
            ));
        }
        Ok(Self {
            scheme: CodingScheme::of(body.coding(), body.class()),
            body,
        })
    }

    /// The scheme that parameter 030 will carry; the default one is left out.
    pub const fn scheme(&self) -> CodingScheme {
        self.scheme
    }

    /// The body that it writes.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// Writes 030, unless it is the default.
    pub(super) fn write_scheme(&self, out: &mut Writer<'_>) {
        if self.scheme != CodingScheme::DEFAULT {
            out.integer(Parameter::DATA_CODING_SCHEME, i32::from(self.scheme.0));
        }
    }

    /// Writes 032 if there is a header, and 033 or 034.
    pub(super) fn write_content(&self, out: &mut Writer<'_>) {
        if !self.body.header().is_none() {
            out.hex(Parameter::USER_DATA_HEADER, self.body.header().octets());
        }
        match self.body.coding() {
            Coding::Gsm7 => out.text(Parameter::USER_DATA, self.body.data()),
            Coding::Ucs2 | Coding::Octets => {
                out.hex(Parameter::USER_DATA_BINARY, self.body.data());
            }
        }
    }
}

/// The user data of a packet as received.
#[derive(Clone, Copy, Default, Debug)]
pub struct UserDataView<'a> {
    /// 030.
    pub scheme: Option<Field<'a>>,
    /// 032.
    pub header: Option<Field<'a>>,
    /// 033.
    pub text: Option<Field<'a>>,
    /// 034.
    pub binary: Option<Field<'a>>,
}

/// The content of a message as received, of any length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// The scheme as written; 0 if it was absent.
    pub scheme: CodingScheme,
    /// How the data is to be read.
    pub coding: Coding,
    /// The user data header.
    pub header: UserDataHeader,
    /// Septets (one an octet), UTF-16 units or octets.
    pub data: Bytes,
}

impl Content {
    /// As a body; refused if it is longer than a slot takes.
    pub fn into_body(self) -> Result<Body, Refused> {
        let class = self.scheme.class();
        Body::new(self.coding, self.header, self.data).map(|body| body.with_class(class))
    }
}

impl UserDataView<'_> {
    /// What it says. Neither 033 nor 034 is an empty text; with both, 034 counts, since it needs no interpretation.
    pub fn content(&self) -> Result<Content, Malformed> {
        let scheme = match self.scheme {
            Some(field) => CodingScheme(field.octet()?),
            None => CodingScheme::DEFAULT,
        };
        let header = match self.header {
            Some(field) => UserDataHeader::new(field.hex()?.into())
                .map_err(|why| field.complain(why.reason))?,
            None => UserDataHeader::NONE,
        };
        let (coding, data) = match (self.binary, self.text) {
            (Some(binary), _) => octets(scheme, &header, binary.hex()?)?,
            (None, Some(text)) => text::decode(text.value),
            (None, None) => (Coding::Gsm7, Bytes::new()),
        };
        Ok(Content {
            scheme,
            coding,
            header,
            data,
        })
    }
}

/// Octets of parameter 034 as their scheme says. With the default alphabet they are septets, ready packed behind the
/// header's fill bits; their count is not carried. Half a UTF-16 unit too many makes them mere octets.
fn octets(
    scheme: CodingScheme,
    header: &UserDataHeader,
    octets: Vec<u8>,
) -> Result<(Coding, Bytes), Malformed> {
    match scheme.coding() {
        Coding::Gsm7 => {
            let fill = Fill::behind_header(header);
            let count = septets::likely_count(&octets, fill);
            septets::unpack(&octets, count, fill)
                .map(|septets| (Coding::Gsm7, septets))
                .map_err(|why| Malformed::new(0, "user data binary", why.to_string()))
        }
        Coding::Ucs2 if octets.len().is_multiple_of(2) => Ok((Coding::Ucs2, octets.into())),
        Coding::Ucs2 | Coding::Octets => Ok((Coding::Octets, octets.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(parameter: Parameter, value: &[u8]) -> Option<Field<'_>> {
        Some(Field {
            parameter,
            value,
            offset: 8,
        })
    }

    #[test]
    fn packed_septets_are_unpacked_behind_their_header() {
        let packed = septets::pack(b"part", Fill::behind(6));
        let digits: String = packed.iter().map(|octet| format!("{octet:02x}")).collect();
        let view = UserDataView {
            header: field(Parameter::USER_DATA_HEADER, b"050003AA0201"),
            binary: field(Parameter::USER_DATA_BINARY, digits.as_bytes()),
            ..UserDataView::default()
        };
        let content = view.content().unwrap();
        assert_eq!(
            (content.coding, &content.data[..]),
            (Coding::Gsm7, &b"part"[..])
        );
        assert_eq!(content.header.as_concat().unwrap().total, 2);
    }

    #[test]
    fn odd_user_data_reads_as_something_or_names_its_field() {
        let ucs2 = |value| UserDataView {
            scheme: field(Parameter::DATA_CODING_SCHEME, b"8"),
            binary: field(Parameter::USER_DATA_BINARY, value),
            ..UserDataView::default()
        };
        assert_eq!(ucs2(b"041f04").content().unwrap().coding, Coding::Octets);
        assert_eq!(ucs2(b"041f").content().unwrap().coding, Coding::Ucs2);
        assert_eq!(
            ucs2(b"041").content().unwrap_err().field,
            "user data binary"
        );
        let nothing = UserDataView::default().content().unwrap();
        assert_eq!((nothing.coding, nothing.data.len()), (Coding::Gsm7, 0));
        let cut = UserDataView {
            header: field(Parameter::USER_DATA_HEADER, b"0500"),
            ..UserDataView::default()
        };
        assert_eq!(cut.content().unwrap_err().field, "user data header");
    }
}

//! Writes a packet: header, parameters, checksum.

use bytes::Bytes;

use super::frame::{ETX, STX, TAB};
use super::operation::{Number, Operation};
use super::packet::{Field, checksum};
use super::parameter::Parameter;
use super::text;

/// Room for most packets without growing.
const USUAL_PACKET: usize = 192;

/// A packet whose parameters can be written.
pub trait Write {
    /// Its operation.
    fn operation(&self) -> Operation;

    /// Writes its parameters.
    fn write(&self, out: &mut Writer<'_>);

    /// Appends the whole packet under a number, with its checksum.
    fn encode(&self, number: Number, out: &mut Vec<u8>) {
        let mut writer = Writer::begin(out, self.operation(), number);
        self.write(&mut writer);
        writer.end();
    }

    /// The whole packet as octets of its own.
    fn to_bytes(&self, number: Number) -> Bytes {
        let mut out = Vec::with_capacity(USUAL_PACKET);
        self.encode(number, &mut out);
        out.into()
    }
}

/// Writes parameters into a packet that has begun.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    /// Begins a packet behind what `out` holds.
    pub fn begin(out: &'a mut Vec<u8>, operation: Operation, number: Number) -> Self {
        let start = out.len();
        let [hundreds, tens, ones] = number.digits();
        out.extend_from_slice(&[
            STX,
            b'0' + operation.0 / 10 % 10,
            b'0' + operation.0 % 10,
            b':',
            hundreds,
            tens,
            ones,
            TAB,
        ]);
        Self { out, start }
    }

    fn name(&mut self, parameter: Parameter) {
        let [hundreds, tens, ones] = parameter.digits();
        self.out.extend_from_slice(&[hundreds, tens, ones, b':']);
    }

    /// A value as it stands.
    pub(super) fn value(&mut self, parameter: Parameter, value: &[u8]) {
        self.name(parameter);
        self.out.extend_from_slice(value);
        self.out.push(TAB);
    }

    /// A parameter as it was received.
    pub fn field(&mut self, field: &Field<'_>) {
        self.value(field.parameter, field.value);
    }

    /// A number in decimal digits.
    pub fn integer(&mut self, parameter: Parameter, value: i32) {
        self.name(parameter);
        if value < 0 {
            self.out.push(b'-');
        }
        let mut digits = [0; 10];
        let mut start = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[start..]);
        self.out.push(TAB);
    }

    /// Yes or no.
    pub fn flag(&mut self, parameter: Parameter, value: bool) {
        self.integer(parameter, i32::from(value));
    }

    /// Octets as pairs of upper-case hexadecimal digits.
    pub fn hex(&mut self, parameter: Parameter, octets: &[u8]) {
        self.name(parameter);
        self.out
            .extend(octets.iter().flat_map(|&octet| hex_pair(octet)));
        self.out.push(TAB);
    }

    /// Septets in the character form of parameter 033.
    ///
    /// # Panics
    /// On an octet over 0x7F.
    pub fn text(&mut self, parameter: Parameter, septets: &[u8]) {
        self.name(parameter);
        text::encode(septets, self.out);
        self.out.push(TAB);
    }

    /// Parameters that are written already, each with its TAB, and the end of the packet.
    pub(super) fn rest(self, parameters: &[u8]) {
        self.out.extend_from_slice(parameters);
        self.end();
    }

    /// Ends the packet with its checksum.
    pub fn end(self) {
        let [high, low] = hex_pair(checksum(&self.out[self.start..]));
        self.out.extend_from_slice(&[high, low, ETX]);
    }

    /// Ends the packet without a checksum, as some peers do.
    pub fn end_without_checksum(self) {
        self.out.push(ETX);
    }
}

/// An octet in two upper-case hexadecimal digits.
const fn hex_pair(octet: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [
        DIGITS[(octet >> 4) as usize],
        DIGITS[(octet & 0x0F) as usize],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal_digits() {
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out, Operation::SUBMIT, Number::LOGIN);
        for value in [0, 7, -1, 255, i32::MIN] {
            writer.integer(Parameter::VALIDITY_RELATIVE, value);
        }
        writer.end_without_checksum();
        assert_eq!(
            out.escape_ascii().to_string(),
            r"\x0203:001\t050:0\t050:7\t050:-1\t050:255\t050:-2147483648\t\x03"
        );
    }
}

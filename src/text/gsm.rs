//! The GSM 03.38 default alphabet and its extension table, both ways.
//!
//! Septets are *unpacked* here, one an octet; [`super::septets`] packs them. A character of the extension table is two
//! septets: the escape, then its code. Every string of septets decodes, since phones must show something as well.

use bytes::Bytes;

use crate::message::Refused;

/// The septet that says: the next one is a code of the extension table.
pub const ESCAPE: u8 = 0x1B;

/// The default alphabet by code. The escape is no character; on its own it is shown as a space (GSM 03.38, 6.2.1).
#[rustfmt::skip]
const ALPHABET: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n','Ø', 'ø', '\r','Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'','(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table: code behind the escape, and character.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Where a character stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    /// In the default alphabet.
    Basic(u8),
    /// In the extension table.
    Extended(u8),
}

/// The codes of the characters up to U+00FF, which is nearly all that people write in this alphabet.
static LATIN: [Option<Code>; 256] = latin();

const fn latin() -> [Option<Code>; 256] {
    let mut codes = [None; 256];
    let mut code = 0;
    while code < ALPHABET.len() {
        let character = ALPHABET[code] as usize;
        if code != ESCAPE as usize && character < codes.len() {
            codes[character] = Some(Code::Basic(code as u8));
        }
        code += 1;
    }
    let mut row = 0;
    while row < EXTENSION.len() {
        let (code, character) = EXTENSION[row];
        if (character as usize) < codes.len() {
            codes[character as usize] = Some(Code::Extended(code));
        }
        row += 1;
    }
    codes
}

fn code_of(character: char) -> Option<Code> {
    if let Some(&code) = LATIN.get(character as usize) {
        return code;
    }
    // What is left are the Greek capitals, which stand together, and the euro.
    let greek = 0x10..=0x1Au8;
    greek
        .clone()
        .find(|&code| ALPHABET[usize::from(code)] == character)
        .map(Code::Basic)
        .or_else(|| {
            EXTENSION
                .iter()
                .find(|(_, extended)| *extended == character)
                .map(|&(code, _)| Code::Extended(code))
        })
}

/// How many septets a character takes: one, two, or `None` if this alphabet does not have it.
pub fn septets_of(character: char) -> Option<usize> {
    code_of(character).map(|code| match code {
        Code::Basic(_) => 1,
        Code::Extended(_) => 2,
    })
}

/// Whether every character of a text is in the alphabet or its extension.
pub fn can_encode(text: &str) -> bool {
    text.chars().all(|character| code_of(character).is_some())
}

/// A text as unpacked septets. A text with a character that is not there is refused; the refusal tells its place and
/// not the character, since refusals are logged and texts are private.
pub fn encode(text: &str) -> Result<Bytes, Refused> {
    let mut septets = Vec::with_capacity(text.len());
    for (at, character) in text.chars().enumerate() {
        match code_of(character) {
            Some(Code::Basic(code)) => septets.push(code),
            Some(Code::Extended(code)) => septets.extend([ESCAPE, code]),
            None => {
                return Err(Refused::new(
                    "text",
                    format!(
                        "its character {} is not in the GSM alphabet; send it as UCS-2",
                        at + 1
                    ),
                ));
            }
        }
    }
    Ok(septets.into())
}

/// Unpacked septets as a text. Behind an escape, a code that the extension table does not have shows the character of
/// the default alphabet; a second escape, or none behind it, shows a space. An octet over 0x7F is no septet and shows
/// as U+FFFD.
pub fn decode(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut rest = septets.iter().copied();
    while let Some(septet) = rest.next() {
        text.push(if septet == ESCAPE {
            rest.next().map_or(' ', extended)
        } else {
            basic(septet)
        });
    }
    text
}

fn basic(code: u8) -> char {
    ALPHABET
        .get(usize::from(code))
        .copied()
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn extended(code: u8) -> char {
    EXTENSION
        .iter()
        .find(|(known, _)| *known == code)
        .map_or_else(|| basic(code), |&(_, character)| character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_back_by_its_character() {
        for code in (0..128).filter(|&code| code != ESCAPE) {
            let text = decode(&[code]);
            assert_eq!(encode(&text).unwrap(), [code][..], "{code:#04x}");
        }
        for (code, character) in EXTENSION {
            assert_eq!(
                encode(&character.to_string()).unwrap(),
                [ESCAPE, code][..],
                "{code:#04x}"
            );
            assert_eq!(decode(&[ESCAPE, code]), character.to_string());
            assert_eq!(septets_of(character), Some(2));
        }
    }

    #[test]
    fn no_character_stands_twice() {
        let mut characters: Vec<char> = ALPHABET
            .iter()
            .copied()
            .chain(EXTENSION.map(|(_, character)| character))
            .collect();
        characters.sort_unstable();
        characters.dedup();
        // The escape is shown as the space that stands elsewhere.
        assert_eq!(characters.len(), 127 + 10);
    }

    #[test]
    fn an_odd_escape_still_shows_something() {
        assert_eq!(decode(&[b'a', ESCAPE]), "a ");
        assert_eq!(decode(&[ESCAPE, b'a']), "a");
        assert_eq!(decode(&[ESCAPE, ESCAPE, 0x65]), " e");
        assert_eq!(decode(&[ESCAPE, 0x0A]), "\u{0C}");
        assert_eq!(decode(&[ESCAPE, 0x0D]), "\r");
        assert_eq!(decode(&[0x80]), "\u{FFFD}");
    }

    #[test]
    fn the_escape_is_no_character() {
        assert_eq!(septets_of('\u{1B}'), None);
        assert!(!can_encode("\u{1B}"));
    }

    #[test]
    fn a_refusal_tells_the_place_and_not_the_character() {
        let refused = encode("abcñç").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "text: its character 5 is not in the GSM alphabet; send it as UCS-2"
        );
    }
}

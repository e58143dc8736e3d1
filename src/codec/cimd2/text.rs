//! The character form of parameter 033: GSM septets as characters that pass any line.
//!
//! What is sent stays below 128 and needs no agreement: letters that ASCII does not have are an underscore and two
//! characters, the escape to the extension table is `_XX`. What is read may be more: Latin-1 above 0xA0, a raw `@`,
//! and the letters of the Nordic seven-bit alphabets. Everything reads as something.

use bytes::Bytes;

use crate::codec::Malformed;
use crate::message::Coding;
use crate::text::gsm;
use crate::text::ucs2;

/// How each septet is written. A character that stands for itself is its own form.
#[rustfmt::skip]
const FORMS: [&[u8]; 128] = [
    b"_Oa", b"_L-", b"$",   b"_Y-", b"_e`", b"_e'", b"_u`", b"_i`", b"_o`", b"_C,", b"\n",  b"_O/", b"_o/", b"\r",  b"_A*", b"_a*",
    b"_gd", b"_--", b"_gf", b"_gg", b"_gl", b"_go", b"_gp", b"_gi", b"_gs", b"_gt", b"_gx", b"_XX", b"_AE", b"_ae", b"_ss", b"_E'",
    b" ",   b"!",   b"_qq", b"#",   b"_ox", b"%",   b"&",   b"'",   b"(",   b")",   b"*",   b"+",   b",",   b"-",   b".",   b"/",
    b"0",   b"1",   b"2",   b"3",   b"4",   b"5",   b"6",   b"7",   b"8",   b"9",   b":",   b";",   b"<",   b"=",   b">",   b"?",
    b"_!!", b"A",   b"B",   b"C",   b"D",   b"E",   b"F",   b"G",   b"H",   b"I",   b"J",   b"K",   b"L",   b"M",   b"N",   b"O",
    b"P",   b"Q",   b"R",   b"S",   b"T",   b"U",   b"V",   b"W",   b"X",   b"Y",   b"Z",   b"_A\"",b"_O\"",b"_N~", b"_U\"",b"_so",
    b"_??", b"a",   b"b",   b"c",   b"d",   b"e",   b"f",   b"g",   b"h",   b"i",   b"j",   b"k",   b"l",   b"m",   b"n",   b"o",
    b"p",   b"q",   b"r",   b"s",   b"t",   b"u",   b"v",   b"w",   b"x",   b"y",   b"z",   b"_a\"",b"_o\"",b"_n~", b"_u\"",b"_a`",
];

/// Pairs behind an underscore that are read and never sent: slips of a manual, and a zero for the letter O.
const SLIPS: [([u8; 2], u8); 3] = [(*b"a0", 0x00), (*b"0a", 0x00), (*b"e\"", 0x05)];

/// What a single character on the wire means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A septet.
    Septet(u8),
    /// Perhaps the beginning of a pair.
    Underscore,
    /// A character of Latin-1, which the alphabet may have or not.
    Latin,
}

/// The underscore's own septet.
const UNDERSCORE: u8 = 0x11;

static MEANINGS: [Meaning; 256] = meanings();

const fn meanings() -> [Meaning; 256] {
    let mut meanings = [Meaning::Latin; 256];
    // Every code stands for itself, unless the character that it looks like says otherwise: control codes too, as
    // they come where a profile converts nothing. `[`, `\`, `{`, `|`, `^` and `~` mean the Nordic letters, which
    // have their codes here.
    let mut code = 0;
    while code < 128 {
        meanings[code] = Meaning::Septet(code as u8);
        code += 1;
    }
    meanings[b'@' as usize] = Meaning::Septet(0x00);
    meanings[b'$' as usize] = Meaning::Septet(0x02);
    meanings[b']' as usize] = Meaning::Septet(0x0E);
    meanings[b'}' as usize] = Meaning::Septet(0x0F);
    meanings[b'~' as usize] = Meaning::Septet(0x7E);
    meanings[b'_' as usize] = Meaning::Underscore;
    meanings
}

/// Pairs behind an underscore, by both characters; 0xFF is no pair.
static PAIRS: [[u8; 128]; 128] = pairs();

const NO_PAIR: u8 = 0xFF;

const fn pairs() -> [[u8; 128]; 128] {
    let mut pairs = [[NO_PAIR; 128]; 128];
    let mut code = 0;
    while code < 128 {
        if let [b'_', first, second] = *FORMS[code] {
            pairs[first as usize][second as usize] = code as u8;
        }
        code += 1;
    }
    let mut slip = 0;
    while slip < SLIPS.len() {
        let ([first, second], code) = SLIPS[slip];
        pairs[first as usize][second as usize] = code;
        slip += 1;
    }
    pairs
}

fn pair(characters: &[u8; 2]) -> Option<u8> {
    let [first, second] = characters.map(usize::from);
    match *PAIRS.get(first)?.get(second)? {
        NO_PAIR => None,
        code => Some(code),
    }
}

/// Whether each of sixteen characters is the septet that it looks like. What is not by [`MEANINGS`] is spelled out
/// here, so that the compiler can look at all of them at once; a test compares the two.
fn stand_for_themselves(chunk: &[u8; 16]) -> bool {
    let odd = |octet: u8| {
        (octet >= 0x80)
            | (octet == b'@')
            | (octet == b'$')
            | (octet == b']')
            | (octet == b'}')
            | (octet == b'_')
    };
    chunk
        .iter()
        .fold(0, |found, &octet| found | u8::from(odd(octet)))
        == 0
}

/// Appends the character form of septets, one an octet.
///
/// # Panics
/// On an octet over 0x7F, which is no septet; a [`crate::message::Body`] has none.
pub fn encode(septets: &[u8], out: &mut Vec<u8>) {
    for &septet in septets {
        match FORMS[usize::from(septet)] {
            &[itself] => out.push(itself),
            form => out.extend_from_slice(form),
        }
    }
}

/// The text that a value of parameter 033 writes, as the data of a body: septets, or UTF-16 if it holds a character
/// of Latin-1 that the GSM alphabet does not have.
pub fn decode(value: &[u8]) -> (Coding, Bytes) {
    // One character is one septet at most, so the place for each is there already.
    let mut septets = vec![0; value.len()];
    let mut count = 0;
    let mut at = 0;
    let mut next_chunk = 0;
    while let Some(&octet) = value.get(at) {
        if at >= next_chunk
            && let Some(chunk) = value[at..].first_chunk::<16>()
        {
            next_chunk = at + 16;
            if stand_for_themselves(chunk) {
                septets[count..count + 16].copy_from_slice(chunk);
                count += 16;
                at += 16;
                continue;
            }
        }
        at += 1;
        septets[count] = match MEANINGS[usize::from(octet)] {
            Meaning::Septet(septet) => septet,
            Meaning::Underscore => match value[at..].first_chunk().and_then(pair) {
                Some(septet) => {
                    at += 2;
                    septet
                }
                None => UNDERSCORE,
            },
            Meaning::Latin => match latin(octet) {
                Some(septet) => septet,
                None => return (Coding::Ucs2, beyond(&septets[..count], &value[at - 1..])),
            },
        };
        count += 1;
    }
    septets.truncate(count);
    (Coding::Gsm7, septets.into())
}

/// The septet of a character of Latin-1, if the alphabet has it.
fn latin(octet: u8) -> Option<u8> {
    let mut form = [0; 2];
    match gsm::encode(char::from(octet).encode_utf8(&mut form)).as_deref() {
        Ok(&[septet]) => Some(septet),
        _ => None,
    }
}

/// The whole text as UTF-16: what was read up to the first character that the alphabet does not have, and the rest.
fn beyond(septets: &[u8], rest: &[u8]) -> Bytes {
    let mut text = gsm::decode(septets);
    for piece in rest.chunk_by(|one, other| (*one < 0x80) == (*other < 0x80)) {
        if piece[0] < 0x80 {
            let (_, septets) = decode(piece);
            text.push_str(&gsm::decode(&septets));
        } else {
            text.extend(piece.iter().map(|&octet| char::from(octet)));
        }
    }
    ucs2::encode(&text)
}

/// The value of septets on its own.
pub fn to_value(septets: &[u8]) -> Result<Vec<u8>, Malformed> {
    if let Some(at) = septets.iter().position(|&octet| octet > 0x7F) {
        return Err(Malformed::new(
            at,
            "text",
            "holds an octet that is no septet",
        ));
    }
    let mut out = Vec::with_capacity(septets.len() * 3);
    encode(septets, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> String {
        let (coding, data) = decode(value);
        match coding {
            Coding::Ucs2 => ucs2::decode(&data),
            _ => gsm::decode(&data),
        }
    }

    #[test]
    fn every_septet_comes_back_as_it_was() {
        for septet in 0..0x80 {
            let value = to_value(&[septet]).unwrap();
            assert!(
                value
                    .iter()
                    .all(|&octet| octet < 128 && !matches!(octet, 0..=3 | 9))
            );
            let (coding, data) = decode(&value);
            assert_eq!((coding, &data[..]), (Coding::Gsm7, &[septet][..]));
            for second in 0..0x80 {
                let both = [septet, second, b'x'];
                assert_eq!(decode(&to_value(&both).unwrap()).1[..], both);
            }
        }
        assert!(to_value(&[0x80]).is_err());
    }

    #[test]
    fn characters_that_stand_for_themselves_are_those_of_the_table() {
        for octet in 0..=255 {
            let mut chunk = [b'x'; 16];
            chunk[15] = octet;
            let itself = MEANINGS[usize::from(octet)] == Meaning::Septet(octet);
            assert_eq!(stand_for_themselves(&chunk), itself, "{octet:#04x}");
        }
    }

    #[test]
    fn extension_characters_are_an_escape_and_their_code() {
        let value = |text| to_value(&gsm::encode(text).unwrap()).unwrap();
        assert_eq!(
            value("{}[]\\^~|€\u{c}"),
            b"_XX(_XX)_XX<_XX>_XX/_XX_gl_XX=_XX_!!_XXe_XX\n"
        );
        assert_eq!(read(&value("{}[]\\^~|€\u{c}")), "{}[]\\^~|€\u{c}");
        assert_eq!(decode(b"a_XX").1[..], [b'a', gsm::ESCAPE]);
    }

    #[test]
    fn raw_characters_are_read_as_people_mean_them() {
        assert_eq!(read(b"@$\"[\\]^`{|}~"), "@$\"ÄÖÅÜ¿äöåü");
        assert_eq!(read(b"\xe5\xa3\xf1"), "å£ñ");
        assert_eq!(read(b"_a0_0a_e\""), "@@é");
    }

    #[test]
    fn an_underscore_before_no_pair_stays() {
        assert_eq!(read(b"snake_case_"), "snake_case_");
        assert_eq!(read(b"_z"), "_z");
        assert_eq!(read(b"__Oa_\xe5x"), "_@_åx");
    }

    #[test]
    fn latin_letters_beyond_the_alphabet_are_not_lost() {
        assert_eq!(read(b"ma\xf1ana _Oa \xe7a_XXe \xea_so"), "mañana @ ça€ ê§");
        assert_eq!(decode(b"\xe7").0, Coding::Ucs2);
        assert_eq!(read(b"\xe7"), "ç");
    }
}

//! Characters that can be replaced by ones of the GSM alphabet that look alike, so that a text needs no UCS-2.
//!
//! A single typographic apostrophe more than halves the room in a message. Replacing it changes what was written, so it
//! is done only where the sender, or an operator's setting, asked for it, and what was replaced is told.

use super::gsm;

/// From and to. Sequences of two characters are letters with a combining accent, as some systems write them.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    // Quotation marks and apostrophes.
    ("‘", "'"), ("’", "'"), ("‚", "'"), ("‛", "'"), ("‹", "<"), ("›", ">"), ("′", "'"), ("´", "'"), ("`", "'"),
    ("ʼ", "'"), ("“", "\""), ("”", "\""), ("„", "\""), ("‟", "\""), ("″", "\""), ("«", "\""), ("»", "\""),
    // Dashes, dots, the fraction's stroke.
    ("‐", "-"), ("‑", "-"), ("‒", "-"), ("–", "-"), ("—", "-"), ("―", "-"), ("−", "-"), ("…", "..."), ("⁄", "/"),
    ("•", "*"), ("·", "."),
    // Spaces of other widths.
    ("\u{A0}", " "), ("\u{2002}", " "), ("\u{2003}", " "), ("\u{2007}", " "), ("\u{2009}", " "), ("\u{200A}", " "),
    ("\u{202F}", " "), ("\u{3000}", " "), ("\t", " "), ("\u{2028}", "\n"), ("\u{85}", "\n"),
    // What nobody sees.
    ("\u{AD}", ""), ("\u{200B}", ""), ("\u{2060}", ""), ("\u{FEFF}", ""),
    // Signs that are letters of the alphabet under another number.
    ("\u{2126}", "Ω"), ("\u{2206}", "Δ"), ("\u{220F}", "Π"), ("\u{2211}", "Σ"), ("\u{212B}", "Å"), ("\u{212A}", "K"),
    // Greek capitals that have the shape of Latin ones, which is how the alphabet means them to be written.
    ("Α", "A"), ("Β", "B"), ("Ε", "E"), ("Ζ", "Z"), ("Η", "H"), ("Ι", "I"), ("Κ", "K"), ("Μ", "M"), ("Ν", "N"),
    ("Ο", "O"), ("Ρ", "P"), ("Τ", "T"), ("Υ", "Y"), ("Χ", "X"),
    // Letters with a combining accent.
    ("a\u{300}", "à"), ("e\u{300}", "è"), ("i\u{300}", "ì"), ("o\u{300}", "ò"), ("u\u{300}", "ù"),
    ("e\u{301}", "é"), ("E\u{301}", "É"), ("a\u{308}", "ä"), ("o\u{308}", "ö"), ("u\u{308}", "ü"),
    ("A\u{308}", "Ä"), ("O\u{308}", "Ö"), ("U\u{308}", "Ü"), ("n\u{303}", "ñ"), ("N\u{303}", "Ñ"),
    ("a\u{30A}", "å"), ("A\u{30A}", "Å"), ("C\u{327}", "Ç"),
];

/// One replacement that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replacement {
    /// What stood in the text.
    pub from: &'static str,
    /// What stands there now.
    pub to: &'static str,
}

/// A text that the GSM alphabet has, and what was done for it. No `Debug`: it holds a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The text with its look-alikes.
    pub text: String,
    /// Each replacement, in the order of the text; empty if the text needed none.
    pub replacements: Vec<Replacement>,
}

/// The text with look-alikes in place of what the GSM alphabet does not have. `None` if something without a look-alike
/// is among it: then UCS-2 is needed anyway, and nothing would be won by changing the rest.
pub fn replace(text: &str) -> Option<Replaced> {
    let mut replaced = Replaced {
        text: String::with_capacity(text.len()),
        replacements: Vec::new(),
    };
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = character.len_utf8();
        // A letter whose accent follows may be in the alphabet on its own, so the pair is looked for first.
        let row = match rest[length..].chars().next() {
            Some(accent @ '\u{300}'..='\u{36F}') => find(&rest[..length + accent.len_utf8()]),
            _ => None,
        }
        .or_else(|| find(&rest[..length]));
        match row {
            Some(&(from, to)) => {
                replaced.text.push_str(to);
                replaced.replacements.push(Replacement { from, to });
                rest = &rest[from.len()..];
            }
            None => {
                gsm::septets_of(character)?;
                replaced.text.push(character);
                rest = &rest[length..];
            }
        }
    }
    Some(replaced)
}

fn find(from: &str) -> Option<&'static (&'static str, &'static str)> {
    // Most of a text is of the alphabet already.
    let mut characters = from.chars();
    if let (Some(only), None) = (characters.next(), characters.next())
        && gsm::septets_of(only).is_some()
    {
        return None;
    }
    TABLE.iter().find(|row| row.0 == from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_leads_from_outside_the_alphabet_into_it() {
        for (index, (from, to)) in TABLE.iter().enumerate() {
            assert!(!gsm::can_encode(from), "{from:?} needs no look-alike");
            assert!(gsm::can_encode(to), "{from:?} leads to {to:?}");
            assert!(
                TABLE[index + 1..].iter().all(|row| row.0 != *from),
                "{from:?} stands twice"
            );
        }
    }

    #[test]
    fn what_was_replaced_is_told() {
        let replaced = replace("“It’s done” – e\u{301}te\u{301}…").unwrap();
        assert_eq!(replaced.text, "\"It's done\" - été...");
        assert_eq!(replaced.replacements.len(), 7);
        assert_eq!(
            replaced.replacements[1],
            Replacement {
                from: "’", to: "'"
            }
        );
    }

    #[test]
    fn a_text_that_needs_ucs2_anyway_is_left_alone() {
        assert!(replace("“Привет”").is_none());
        assert!(replace("x\u{301}").is_none());
    }

    #[test]
    fn a_text_of_the_alphabet_stays_as_it_is() {
        let replaced = replace("plain {text} €5\n").unwrap();
        assert_eq!(replaced.text, "plain {text} €5\n");
        assert!(replaced.replacements.is_empty());
    }
}

//! Words as people type them on phones, in the one form in which they are compared: small letters without accents,
//! apostrophes and what nobody sees.

/// Letters, and what they are without their accents. Capitals are made small before.
const TABLE: &[(&str, &str)] = &[
    ("àáâãäåāăąǎ", "a"),
    ("çćĉċč", "c"),
    ("ðďđ", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįı", "i"),
    ("ĵ", "j"),
    ("ķ", "k"),
    ("ĺļľŀł", "l"),
    ("ñńņňŋ", "n"),
    ("òóôõöøōŏő", "o"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ţťŧț", "t"),
    ("ùúûüũūŭůűų", "u"),
    ("ŵ", "w"),
    ("ýÿŷ", "y"),
    ("źżž", "z"),
    ("æ", "ae"),
    ("œ", "oe"),
    ("ß", "ss"),
    ("þ", "th"),
    ("ά", "α"),
    ("έ", "ε"),
    ("ή", "η"),
    ("ίϊΐ", "ι"),
    ("ό", "ο"),
    ("ύϋΰ", "υ"),
    ("ώ", "ω"),
    ("ς", "σ"),
    ("ё", "е"),
];

/// Apostrophes, straight and typographic, and accents that are typed in their place.
pub(super) const fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '’' | '‘' | '‛' | 'ʼ' | '′' | '´' | '`')
}

/// Characters without any width, which some phones put into texts.
pub(super) const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{FE0F}'
    )
}

/// A word without accents, as small letters.
pub(super) fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for character in word.chars().flat_map(char::to_lowercase) {
        let is_combining = matches!(character, '\u{300}'..='\u{36F}');
        if is_combining || is_apostrophe(character) || is_unseen(character) {
            continue;
        }
        if character.is_ascii() {
            folded.push(character);
            continue;
        }
        match TABLE.iter().find(|(from, _)| from.contains(character)) {
            Some((_, to)) => folded.push_str(to),
            None => folded.push(character),
        }
    }
    folded
}

/// A word without what stands around it: quotes, stops, brackets.
pub(super) fn bare(word: &str) -> &str {
    word.trim_matches(|character: char| !character.is_alphanumeric())
}

/// A word as keywords are compared: without accents and without what stands around it.
pub(super) fn key(word: &str) -> String {
    fold(bare(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_phones_make_of_a_word_does_not_matter() {
        for typed in [
            "Hinzufügen",
            "HINZUFUGEN",
            "hinzufu\u{308}gen.",
            "“hinzufügen”",
            "hin\u{AD}zufügen!",
        ] {
            assert_eq!(key(typed), "hinzufugen", "{typed}");
        }
        assert_eq!(key("Who’s"), "whos");
        assert_eq!(key("¡AYUDA!"), "ayuda");
        assert_eq!(key("…"), "");
        assert_eq!(key("Straße"), "strasse");
    }

    #[test]
    fn the_table_leads_out_of_itself() {
        for (from, to) in TABLE {
            for character in from.chars() {
                assert_eq!(fold(&character.to_string()), *to);
            }
            assert_eq!(fold(to), *to);
        }
    }
}

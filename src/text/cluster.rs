//! What readers see as one character, though it is several: a letter with its accents, an emoji with its colour, a
//! family, a flag.
//!
//! This is a coarse form of the rules of Unicode's annex 29. Its only use is to choose between places where a long text
//! may be cut: a wrong answer shows an accent on its own until the next part arrives, and loses nothing. That is not
//! worth a table of all scripts that grows every year.

/// Ranges of characters that belong to the one before them: combining marks of the scripts that people text in, the
/// joiner, variation selectors, colours of skin, the tags of flags.
const EXTENDING: [(char, char); 33] = [
    ('\u{0300}', '\u{036F}'),
    ('\u{0483}', '\u{0489}'),
    ('\u{0591}', '\u{05BD}'),
    ('\u{0610}', '\u{061A}'),
    ('\u{064B}', '\u{065F}'),
    ('\u{0670}', '\u{0670}'),
    ('\u{06D6}', '\u{06DC}'),
    ('\u{0900}', '\u{0903}'),
    ('\u{093A}', '\u{093C}'),
    ('\u{093E}', '\u{094F}'),
    ('\u{0981}', '\u{0983}'),
    ('\u{09BC}', '\u{09BC}'),
    ('\u{09BE}', '\u{09CD}'),
    ('\u{0A3C}', '\u{0A4D}'),
    ('\u{0ABC}', '\u{0ABC}'),
    ('\u{0ABE}', '\u{0ACD}'),
    ('\u{0BBE}', '\u{0BCD}'),
    ('\u{0C3E}', '\u{0C4D}'),
    ('\u{0CBE}', '\u{0CCD}'),
    ('\u{0D3E}', '\u{0D4D}'),
    ('\u{0E31}', '\u{0E31}'),
    ('\u{0E34}', '\u{0E3A}'),
    ('\u{0E47}', '\u{0E4E}'),
    ('\u{102B}', '\u{103E}'),
    ('\u{1AB0}', '\u{1AFF}'),
    ('\u{1DC0}', '\u{1DFF}'),
    ('\u{200D}', '\u{200D}'),
    ('\u{20D0}', '\u{20FF}'),
    ('\u{3099}', '\u{309A}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FE20}', '\u{FE2F}'),
    ('\u{1F3FB}', '\u{1F3FF}'),
    ('\u{E0020}', '\u{E01EF}'),
];

const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// Walks along a text and says, between two characters, whether they belong together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    last: char,
    /// How many regional indicators stand in a row up to `last`; two of them are a flag.
    flags: usize,
}

impl Cluster {
    /// A cluster that begins with this character.
    pub(super) fn starting_with(character: char) -> Self {
        Self {
            last: character,
            flags: usize::from(is_regional(character)),
        }
    }

    /// Whether the next character belongs to this cluster; it is taken in if so.
    pub(super) fn takes(&mut self, next: char) -> bool {
        let flag = self.flags == 1 && is_regional(next);
        let belongs = flag
            || self.last == ZERO_WIDTH_JOINER
            || (self.last, next) == ('\r', '\n')
            || extends(next);
        if belongs {
            self.last = next;
            self.flags = if flag { 2 } else { 0 };
        }
        belongs
    }
}

fn extends(character: char) -> bool {
    EXTENDING
        .binary_search_by(|&(first, last)| {
            if last < character {
                std::cmp::Ordering::Less
            } else if first > character {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

fn is_regional(character: char) -> bool {
    ('\u{1F1E6}'..='\u{1F1FF}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(text: &str) -> usize {
        let mut count = 0;
        let mut cluster: Option<Cluster> = None;
        for character in text.chars() {
            if !cluster.as_mut().is_some_and(|open| open.takes(character)) {
                count += 1;
                cluster = Some(Cluster::starting_with(character));
            }
        }
        count
    }

    #[test]
    fn the_ranges_are_in_order() {
        assert!(EXTENDING.iter().all(|(first, last)| first <= last));
        assert!(EXTENDING.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn what_readers_see_as_one_is_one() {
        assert_eq!(clusters("abc"), 3);
        assert_eq!(clusters("e\u{301}a"), 2);
        assert_eq!(clusters("👍🏽!"), 2);
        assert_eq!(clusters("👨\u{200D}👩\u{200D}👧"), 1);
        assert_eq!(clusters("❤\u{FE0F}"), 1);
        assert_eq!(clusters("🇫🇮🇸🇪🇳"), 3);
        assert_eq!(clusters("नि"), 1);
    }
}

//! Rust sources as words: enough of the language to tell names from comments and strings, and tests from the rest.

/// A name, a sign, or a literal (shown as `"`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// The tokens of a source. Comments are left out; `::` is one token; literals lose their content.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let text = match chars[at] {
            c if c.is_whitespace() => {
                at += 1;
                None
            }
            '/' if chars.get(at + 1) == Some(&'/') => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
                None
            }
            '/' if chars.get(at + 1) == Some(&'*') => {
                at = after_block_comment(&chars, at);
                None
            }
            '"' => {
                at = after_string(&chars, at);
                Some("\"".to_owned())
            }
            '\'' => {
                at = after_quote(&chars, at);
                (chars.get(at - 1) == Some(&'\'')).then(|| "\"".to_owned())
            }
            c if c.is_alphanumeric() || c == '_' => {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                match (word.as_str(), chars.get(at)) {
                    ("r" | "br" | "cr", Some('"' | '#')) if is_raw_string(&chars, at) => {
                        at = after_raw_string(&chars, at);
                        Some("\"".to_owned())
                    }
                    ("b" | "c", Some('"')) => {
                        at = after_string(&chars, at);
                        Some("\"".to_owned())
                    }
                    ("b", Some('\'')) => {
                        at = after_quote(&chars, at);
                        Some("\"".to_owned())
                    }
                    _ => Some(word),
                }
            }
            ':' if chars.get(at + 1) == Some(&':') => {
                at += 2;
                Some("::".to_owned())
            }
            sign => {
                at += 1;
                Some(sign.to_string())
            }
        };
        if let Some(text) = text {
            found.push(Token { text, line });
        }
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    found
}

fn after_block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn after_string(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// Past a character literal, or past the name of a lifetime.
fn after_quote(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            // The escaped character itself may be a quote.
            let mut end = at + 3;
            while end < chars.len() && chars[end] != '\'' {
                end += 1;
            }
            end + 1
        }
        (Some(_), Some('\'')) => at + 3,
        _ => {
            let mut end = at + 1;
            while end < chars.len() && (chars[end].is_alphanumeric() || chars[end] == '_') {
                end += 1;
            }
            end
        }
    }
}

fn is_raw_string(chars: &[char], mut at: usize) -> bool {
    while chars.get(at) == Some(&'#') {
        at += 1;
    }
    chars.get(at) == Some(&'"')
}

fn after_raw_string(chars: &[char], mut at: usize) -> usize {
    let mut hashes = 0;
    while chars.get(at) == Some(&'#') {
        hashes += 1;
        at += 1;
    }
    at += 1;
    while at < chars.len() {
        let closes = chars[at] == '"'
            && chars[at + 1..]
                .iter()
                .take_while(|c| **c == '#')
                .take(hashes)
                .count()
                == hashes;
        if closes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    at
}

/// The tokens without the items that exist only for tests.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(tokens, at) {
            at = after_item(tokens, at);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

/// Whether `#[cfg(… test …)]` begins here, other than one that says *not*.
fn is_test_attribute(tokens: &[Token], at: usize) -> bool {
    if !(is(tokens, at, "#") && is(tokens, at + 1, "[") && is(tokens, at + 2, "cfg")) {
        return false;
    }
    let words = &tokens[at + 3..after_group(tokens, at + 1)];
    words.iter().any(|token| token.text == "test") && words.iter().all(|token| token.text != "not")
}

/// Past the group that opens here.
fn after_group(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (end, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return end + 1;
        }
    }
    tokens.len()
}

/// Past the attributes here and the item that they belong to.
fn after_item(tokens: &[Token], mut at: usize) -> usize {
    while is(tokens, at, "#") && is(tokens, at + 1, "[") {
        at = after_group(tokens, at + 1);
    }
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" => return after_group(tokens, at),
            "(" | "[" => at = after_group(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// The names of the functions that are tests: those with an attribute that names `test`.
pub fn tests_in(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    let mut marked = false;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "#" if is(&tokens, at + 1, "[") => {
                let end = after_group(&tokens, at + 1);
                let words = &tokens[at + 2..end];
                // `#[test]`, `#[tokio::test(…)]`; not `#[cfg(test)]`.
                let name = words.iter().take_while(|token| token.text != "(");
                marked |= name.clone().any(|token| token.text == "test");
                at = end;
            }
            "fn" => {
                if std::mem::take(&mut marked)
                    && let Some(name) = tokens.get(at + 1)
                {
                    found.push(name.text.clone());
                }
                at += 1;
            }
            "{" | "}" | ";" => {
                marked = false;
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

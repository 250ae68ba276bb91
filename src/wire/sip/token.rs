//! The lexical elements that all header fields share (RFC 3261 §25.1).

/// Whether the text is a `token`: a method, a header's name, a parameter's name.
pub fn is_token(text: &str) -> bool {
    is_token_bytes(text.as_bytes())
}

pub(super) fn is_token_bytes(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

const TOKEN: [bool; 256] = {
    let mut token = bytes(b"-.!%*_+`'~");
    let mut byte = 0;
    while byte < 256 {
        token[byte] |= (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    token
};
/// What must not stand in a URI that is copied into other messages as it is.
const UNFIT: [bool; 256] = {
    let mut unfit = bytes(b"<>\"\x7f");
    let mut byte = 0;
    while byte <= b' ' as usize {
        unfit[byte] = true;
        byte += 1;
    }
    unfit
};

const fn bytes(chosen: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < chosen.len() {
        table[chosen[at] as usize] = true;
        at += 1;
    }
    table
}

/// Whether a byte of the text is a space, a quote, a bracket or a control character.
pub(super) fn is_unfit_uri(text: &str) -> bool {
    text.bytes().any(|byte| UNFIT[usize::from(byte)])
}

/// Linear white space once a value is unfolded.
pub(super) fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

pub(super) fn trim(text: &str) -> &str {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let bytes = text.as_bytes();
    let start = bytes.iter().take_while(|byte| is_blank(byte)).count();
    let end = bytes.len() - bytes.iter().skip(start).rev().take_while(|byte| is_blank(byte)).count();
    text.get(start..end).unwrap_or_default()
}

/// A decimal number without sign; one that is too large is the largest.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = text.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'))))
}

/// The length of the quoted string that the text starts with, quotes included; none if it isn't closed.
pub(super) fn quoted_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    debug_assert_eq!(bytes.first(), Some(&b'"'));
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The values of a comma-separated list, trimmed, empty ones left out. A comma within quotes or `<>` doesn't separate.
pub fn split_list(text: &str) -> SplitList<'_> {
    SplitList { rest: text }
}

#[derive(Clone, Debug)]
pub struct SplitList<'a> {
    rest: &'a str,
}

impl<'a> SplitList<'a> {
    /// What follows the values taken so far.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for SplitList<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while !self.rest.is_empty() {
            let end = first_outside(self.rest, |byte| byte == b',');
            let (value, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            let value = trim(value);
            if !value.is_empty() {
                return Some(value);
            }
        }
        None
    }
}

/// Where the first wanted byte stands that is neither in quotes nor in `<>`; the text's length if there is none. A
/// quote or bracket that is never closed holds all that follows.
fn first_outside(text: &str, wanted: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => match text.get(at..).and_then(quoted_length) {
                Some(length) => at += length,
                None => return bytes.len(),
            },
            b'<' => match bytes.get(at..).and_then(|rest| memchr::memchr(b'>', rest)) {
                Some(length) => at += length + 1,
                None => return bytes.len(),
            },
            _ if wanted(byte) => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_outside_of_quotes_and_brackets() {
        let text = r#" "a, \" <b" <sip:x,y@h>;p="1,2" , , *,z "#;
        let values: Vec<_> = split_list(text).collect();
        assert_eq!(values, [r#""a, \" <b" <sip:x,y@h>;p="1,2""#, "*", "z"]);
        assert_eq!(split_list("\"open, a").collect::<Vec<_>>(), ["\"open, a"]);
    }

    #[test]
    fn numbers_saturate_and_have_no_sign() {
        assert_eq!(number("0070"), Some(70));
        assert_eq!(number("99999999999999999999"), Some(u32::MAX));
        assert_eq!(number("-1").or(number("+1")).or(number("")).or(number("1 ")), None);
    }
}

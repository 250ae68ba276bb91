//! Patterns of dialled numbers, as everyone who runs a PBX writes them.
//!
//! `X` is 0 to 9, `Z` 1 to 9, `N` 2 to 9, `[13-5]` any of these; at the end, `.` is one or more of anything and `!` none
//! or more. Every other character is itself: digits, `+`, `*`, `#`, and letters other than the three capitals.

use crate::config::problem::Wrong;
use std::ops::Range;

/// Longer patterns match nothing that can be dialled.
const MAX_LENGTH: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    elements: Vec<Element>,
    /// How many characters more there have to be at least; none where the number ends with the elements.
    tail: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Letter(char),
    Any(Keys),
}

/// A set of the keys of a telephone: 0 to 9, `*`, `#`, `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Keys(u16);

impl Keys {
    const X: Keys = Keys(0b11_1111_1111);
    const Z: Keys = Keys(0b11_1111_1110);
    const N: Keys = Keys(0b11_1111_1100);

    fn bit(c: char) -> Option<u16> {
        match c {
            '0'..='9' => Some(1 << (c as u8 - b'0')),
            '*' => Some(1 << 10),
            '#' => Some(1 << 11),
            '+' => Some(1 << 12),
            _ => None,
        }
    }
}

impl Element {
    fn takes(self, c: char) -> bool {
        match self {
            Element::Letter(letter) => letter == c,
            Element::Any(keys) => Keys::bit(c).is_some_and(|bit| keys.0 & bit != 0),
        }
    }

    fn covers(self, other: Element) -> bool {
        match (self, other) {
            (Element::Any(mine), Element::Any(theirs)) => theirs.0 & !mine.0 == 0,
            (Element::Any(_), Element::Letter(letter)) | (Element::Letter(letter), _) => {
                self.takes(letter) && other.is(letter)
            }
        }
    }

    /// Whether this takes `c` and nothing else.
    fn is(self, c: char) -> bool {
        match self {
            Element::Letter(letter) => letter == c,
            Element::Any(keys) => Keys::bit(c) == Some(keys.0),
        }
    }
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, Wrong> {
        if text.is_empty() || text.chars().count() > MAX_LENGTH {
            let what = format!("a pattern has 1 to {MAX_LENGTH} characters");
            return Err(Wrong::new(what, "write it like \"+44.\" or \"1XX\""));
        }
        let mut pattern = Pattern { text: text.to_owned(), elements: Vec::new(), tail: None };
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if pattern.tail.is_some() {
                let mend = "put `.` and `!` at the end, or write a `regex`";
                return Err(Wrong::new(format!("`{text}` goes on behind its end"), mend));
            }
            match c {
                'X' => pattern.elements.push(Element::Any(Keys::X)),
                'Z' => pattern.elements.push(Element::Any(Keys::Z)),
                'N' => pattern.elements.push(Element::Any(Keys::N)),
                '[' => {
                    let (inside, after) = rest.as_str().split_once(']').ok_or_else(|| {
                        Wrong::new(format!("`{text}` has a `[` without its `]`"), "write it like \"[13-5]\"")
                    })?;
                    pattern.elements.push(Element::Any(set(inside)?));
                    rest = after.chars();
                }
                '.' => pattern.tail = Some(1),
                '!' => pattern.tail = Some(0),
                '+' | '*' | '#' | '_' | 'a'..='z' | 'A'..='Z' | '0'..='9' => pattern.elements.push(Element::Letter(c)),
                _ => {
                    let mend =
                        "take digits, letters, +, *, #, X, Z, N, [..], and . or ! at the end; or write a `regex`";
                    return Err(Wrong::new(format!("`{text}` has a `{c}`, which no pattern has"), mend));
                }
            }
        }
        Ok(pattern)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many runs of wildcards there are; each is a group that a template can name.
    pub fn groups(&self) -> usize {
        let wild: Vec<bool> = self.wild().collect();
        wild.iter().enumerate().filter(|&(i, wild)| *wild && (i == 0 || !self.is_wild(i - 1))).count()
    }

    /// What each run of wildcards took, where the whole of `number` fits. A character that isn't `@` fits a tail.
    pub fn groups_of(&self, number: &str) -> Option<Vec<String>> {
        let mut at = 0;
        for element in &self.elements {
            let c = number[at..].chars().next().filter(|c| element.takes(*c))?;
            at += c.len_utf8();
        }
        let rest = &number[at..];
        match self.tail {
            None if !rest.is_empty() => return None,
            Some(least) if rest.chars().count() < least || rest.contains('@') => return None,
            _ => {}
        }
        // Most patterns don't fit, so that only here there is room for groups.
        let fitting = number.char_indices().zip(&self.elements);
        let mut taken: Vec<Range<usize>> = fitting.map(|((start, c), _)| start..start + c.len_utf8()).collect();
        taken.extend(self.tail.map(|_| at..number.len()));
        let mut groups: Vec<String> = Vec::new();
        for (i, range) in taken.into_iter().enumerate().filter(|&(i, _)| self.is_wild(i)) {
            match groups.last_mut() {
                Some(group) if i > 0 && self.is_wild(i - 1) => group.push_str(&number[range]),
                _ => groups.push(number[range].to_owned()),
            }
        }
        Some(groups)
    }

    /// Whether this one fits whatever the other one fits.
    pub fn covers(&self, other: &Pattern) -> bool {
        let shared = self.elements.len().min(other.elements.len());
        let agree = self.elements[..shared].iter().zip(&other.elements).all(|(mine, theirs)| mine.covers(*theirs));
        let extra = other.elements.len() - shared;
        agree
            && self.elements.len() == shared
            && match (self.tail, other.tail) {
                (None, None) => extra == 0,
                (None, Some(_)) => false,
                (Some(least), theirs) => extra + theirs.unwrap_or(0) >= least,
            }
    }

    /// For each element, and then the tail, whether it is a wildcard.
    fn wild(&self) -> impl Iterator<Item = bool> {
        (0..self.elements.len() + usize::from(self.tail.is_some())).map(|i| self.is_wild(i))
    }

    fn is_wild(&self, i: usize) -> bool {
        match self.elements.get(i) {
            Some(Element::Any(_)) => true,
            Some(Element::Letter(_)) => false,
            None => self.tail.is_some(),
        }
    }
}

/// What stands between brackets.
fn set(inside: &str) -> Result<Keys, Wrong> {
    let wrong = || Wrong::new(format!("`[{inside}]` is not a set of digits"), "write it like \"[13-5]\"");
    let mut keys = 0;
    let mut rest = inside.chars().peekable();
    while let Some(first) = rest.next() {
        let bit = Keys::bit(first).ok_or_else(wrong)?;
        if rest.next_if_eq(&'-').is_none() {
            keys |= bit;
            continue;
        }
        let last = rest.next().filter(char::is_ascii_digit).ok_or_else(wrong)?;
        if !first.is_ascii_digit() || last < first {
            return Err(wrong());
        }
        keys |= (first..=last).filter_map(Keys::bit).fold(0, |keys, bit| keys | bit);
    }
    if keys == 0 { Err(wrong()) } else { Ok(Keys(keys)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    fn groups(pattern: &str, number: &str) -> Option<Vec<String>> {
        Pattern::parse(pattern).unwrap().groups_of(number)
    }

    #[test]
    fn patterns_fit_what_a_pbx_would_fit() {
        for (pattern, number, fits) in [
            ("+1NXXNXXXXXX", "+14155550100", true),
            ("+1NXXNXXXXXX", "+11155550100", false),
            ("+1NXXNXXXXXX", "+141555501001", false),
            ("*43", "*43", true),
            ("*43", "*4", false),
            ("1XX", "100", true),
            ("Z.", "0", false),
            ("Z.", "1", false),
            ("Z.", "12", true),
            ("Z!", "1", true),
            ("[13-5]0", "40", true),
            ("[13-5]0", "20", false),
            (".", "bob", true),
            (".", "", false),
            ("!", "", true),
            (".", "bob@example.net", false),
            ("bob", "bob", true),
            ("bob", "Bob", false),
            ("#31#.", "#31#0207", true),
        ] {
            assert_eq!(groups(pattern, number).is_some(), fits, "{pattern} on {number}");
        }
    }

    #[test]
    fn each_run_of_wildcards_is_a_group() {
        assert_eq!(groups("+1NXXNXXXXXX", "+14155550100").unwrap(), ["4155550100"]);
        assert_eq!(groups("9X.", "90207").unwrap(), ["0207"]);
        assert_eq!(groups("1X*X", "12*3").unwrap(), ["2", "3"]);
        assert_eq!(groups("112", "112").unwrap(), Vec::<String>::new());
        assert_eq!(groups("0!", "0").unwrap(), [""]);
        assert_eq!(Pattern::parse("1X*X!").unwrap().groups(), 2);
        assert_eq!(Pattern::parse("112").unwrap().groups(), 0);
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, what) in [
            ("", "1 to 64"),
            ("1.2", "goes on behind its end"),
            ("1.!", "goes on behind its end"),
            ("[12", "without its `]`"),
            ("[]", "`[]` is not a set"),
            ("[5-3]", "`[5-3]` is not a set"),
            ("[1-]", "`[1-]` is not a set"),
            ("[a]", "`[a]` is not a set"),
            ("020 7946", "has a ` `"),
            ("ü", "has a `ü`"),
        ] {
            assert!(Pattern::parse(text).unwrap_err().what.contains(what), "{text}");
        }
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        for (wide, narrow, covers) in [
            (".", "112", true),
            ("!", ".", true),
            (".", "!", false),
            ("+44.", "+442X.", true),
            ("+44.", "+44", false),
            ("+44!", "+44", true),
            ("1XX", "1[0-4]X", true),
            ("1[0-4]X", "1XX", false),
            ("1X", "1XX", false),
            ("112", "112", true),
            ("X", "5", true),
            ("5", "[5]", true),
            ("X", "*", false),
        ] {
            let [wide_pattern, narrow_pattern] = [wide, narrow].map(|text| Pattern::parse(text).unwrap());
            assert_eq!(wide_pattern.covers(&narrow_pattern), covers, "{wide} over {narrow}");
        }
    }

    /// The definition of a pattern: the regular expression that says the same.
    fn definition(pattern: &str) -> Regex {
        let mut text = String::from("^");
        let mut inside = false;
        for c in pattern.chars() {
            match c {
                '[' | ']' => {
                    inside = c == '[';
                    text.push(c);
                }
                _ if inside => text.push(c),
                'X' => text.push_str("[0-9]"),
                'Z' => text.push_str("[1-9]"),
                'N' => text.push_str("[2-9]"),
                '.' => text.push_str("[^@]+"),
                '!' => text.push_str("[^@]*"),
                c => text.push_str(&regex::escape(&c.to_string())),
            }
        }
        Regex::new(&format!("(?s){text}$")).unwrap()
    }

    const PATTERN: &str = r"\+?([0-3XZN*#a]|\[[0-2]-[2-4]\]|\[[13]{1,2}\]){0,4}[.!]?";

    proptest! {
        #[test]
        fn a_pattern_fits_what_its_definition_fits(pattern in PATTERN, number in r"\+?[0-4*#a@]{0,6}") {
            if let Ok(parsed) = Pattern::parse(&pattern) {
                let groups = parsed.groups_of(&number);
                prop_assert_eq!(groups.is_some(), definition(&pattern).is_match(&number));
                if let Some(groups) = groups {
                    prop_assert_eq!(groups.len(), parsed.groups());
                }
            }
        }

        #[test]
        fn what_is_covered_fits(wide in PATTERN, narrow in PATTERN, number in r"\+?[0-4*#a]{0,5}") {
            if let (Ok(wide), Ok(narrow)) = (Pattern::parse(&wide), Pattern::parse(&narrow))
                && wide.covers(&narrow)
                && narrow.groups_of(&number).is_some()
            {
                prop_assert!(wide.groups_of(&number).is_some());
            }
        }

        #[test]
        fn any_text_is_parsed_without_a_panic(text in "\\PC{0,20}", number in "\\PC{0,20}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                pattern.groups_of(&number);
            }
        }
    }
}

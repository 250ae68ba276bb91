//! Text of strangers, for people.

use std::fmt::{self, Write};

/// Shows text so that it stays one line, moves no cursor, colours no screen and turns no direction of writing.
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| f.write_char(if is_harmful(c) { '\u{fffd}' } else { c }))
    }
}

fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        let text = Plain("9\r\n2026-11-21 INFO root\u{1b}[31m\u{202e}x\u{2028}é").to_string();
        assert_eq!(text, "9\u{fffd}\u{fffd}2026-11-21 INFO root\u{fffd}[31m\u{fffd}x\u{fffd}é");
    }
}

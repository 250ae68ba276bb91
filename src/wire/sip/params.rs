//! Parameters behind a semicolon, of header values and of URIs.

use super::token::{quoted_length, trim};

/// The parameters of a value, as text that is empty or starts with `;`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    pub(super) fn new(text: &'a str) -> Params<'a> {
        Params(text)
    }

    /// The parameters as written.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// The first parameter of that name, whatever its case: its value if it has one, without its quotes.
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Names and values in their order. Empty parameters (`;;`) are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            loop {
                let (param, after) = first_param(rest)?;
                rest = after;
                let (name, value) = match param.split_once('=') {
                    Some((name, value)) => (trim(name), Some(unquoted(trim(value)))),
                    None => (trim(param), None),
                };
                if !name.is_empty() {
                    return Some((name, value));
                }
            }
        })
    }

    /// Whether every quote is closed.
    pub(super) fn is_balanced(&self) -> bool {
        let mut rest = self.0;
        while let Some(at) = rest.find('"') {
            let quoted = rest.get(at..).unwrap_or_default();
            match quoted_length(quoted) {
                Some(length) => rest = quoted.get(length..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }
}

/// The text up to the next semicolon outside of quotes, and the rest; none at the end.
fn first_param(text: &str) -> Option<(&str, &str)> {
    let text = trim(text);
    let text = text.strip_prefix(';').unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b';' => break,
            b'"' => at += text.get(at..).and_then(quoted_length).unwrap_or(bytes.len() - at),
            _ => at += 1,
        }
    }
    text.split_at_checked(at)
}

/// What stands between the quotes, escapes as written; of an unquoted value what stands before a space, since some
/// peers add a comment (RFC 2543 §6.40).
fn unquoted(value: &str) -> &str {
    match value.strip_prefix('"') {
        Some(_) => match quoted_length(value) {
            Some(length) => value.get(1..length - 1).unwrap_or_default(),
            None => value,
        },
        None => value.split([' ', '\t']).next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_with_spaces_quotes_and_without_value() {
        let params = Params::new(" ; Tag = x ;;lr; a=\"b;\\\"c\" ;e=");
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [("Tag", Some("x")), ("lr", None), ("a", Some("b;\\\"c")), ("e", Some(""))]);
        assert_eq!(params.get("tag"), Some(Some("x")));
        assert_eq!(params.get("LR"), Some(None));
        assert_eq!(params.get("r"), None);
        assert!(params.is_balanced());
        assert!(!Params::new(";a=\"b").is_balanced());
    }
}

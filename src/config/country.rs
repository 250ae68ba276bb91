//! Countries by their two letters (ISO 3166-1 alpha-2).

use crate::config::problem::Wrong;
use std::str::FromStr;

/// The code in capitals, if a country with a numbering plan has it.
pub fn read(text: &str) -> Result<String, Wrong> {
    let code = text.to_ascii_uppercase();
    if code.len() == 2 && phonenumber::country::Id::from_str(&code).is_ok() {
        return Ok(code);
    }
    let mend = match code.as_str() {
        "UK" => "the United Kingdom is \"GB\"",
        "EL" => "Greece is \"GR\"",
        _ => "write its two letters as ISO 3166 has them, like \"GB\" or \"US\"",
    };
    Err(Wrong::new(format!("`{text}` is no country whose numbering plan is known"), mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_two_letters() {
        assert_eq!(read("GB").as_deref(), Ok("GB"));
        assert_eq!(read("de").as_deref(), Ok("DE"));
        assert_eq!(read("UK").unwrap_err().mend, "the United Kingdom is \"GB\"");
        for text in ["", "G", "GBR", "ZZ", "é"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

//! National ways to dial and to write a number, and E.164 between them.
//!
//! The numbering plans are those of libphonenumber, as the crate `phonenumber` carries them. How they are applied is our
//! own: that crate takes a country's trunk prefix away twice (`8 800 …` in Russia), and reads letters as digits.

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Format};
use regex::{Regex, RegexBuilder};
use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

/// Numbers of so many digits are internal, or services of the network (112, 118118), and belong to no country.
const SHORT: usize = 6;
/// E.164 §6.1.
const LONGEST: usize = 15;

/// What became of a number, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub number: String,
    pub why: String,
}

/// Who wrote a number: telephones may leave out an area code, carriers never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    Person,
    Carrier,
}

/// Reads a number as it is dialled in `country` (ISO 3166-1 alpha-2). None where there is nothing to read: a name, a
/// feature code, a short number, or one that is in E.164 already.
pub fn read(dialled: &str, country: Option<&str>, hand: Hand) -> Option<Reading> {
    let number = without_separators(dialled)?;
    if number != dialled {
        let again = read(&number, country, hand).map(|reading| reading.number);
        let why = "without the separators".to_owned();
        return Some(Reading { number: again.unwrap_or(number), why });
    }
    if number.starts_with('+') || number.len() <= SHORT {
        return None;
    }
    let name = country?;
    let Some(country) = Country::find(name) else {
        return Some(Reading { number, why: format!("stays: no numbering plan of {name} is known") });
    };
    Some(country.read(&number, hand))
}

/// Writes a number in E.164 as it is dialled within its own country: `+442079460000` is `02079460000`. None where it is
/// of no known country.
pub fn national(number: &str) -> Option<String> {
    let code = calling_code(number)?;
    let main = *DATABASE.by_code(&code.parse::<u16>().ok()?)?.first()?;
    Some(Country::find(main.id())?.write(&number[1 + code.len()..]))
}

/// Writes a number for a side that sits in `country`: its own numbers as they are dialled there, all others in E.164.
/// None where it isn't in E.164, so that nothing can be said about it.
pub fn write(number: &str, country: &str) -> Option<String> {
    let code = calling_code(number)?;
    let country = Country::find(country)?;
    if country.code == code { Some(country.write(&number[1 + code.len()..])) } else { Some(number.to_owned()) }
}

/// Makes a country ready, which takes milliseconds that no caller should wait for.
pub fn prepare(country: &str) {
    Country::find(country);
}

/// Whether `number` is in E.164 with a calling code that exists.
pub fn is_e164(number: &str) -> bool {
    calling_code(number).is_some()
}

/// The calling code of a number in E.164. No code begins another one.
fn calling_code(number: &str) -> Option<&str> {
    let digits = number.strip_prefix('+')?;
    if !(SHORT + 1..=LONGEST).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    (1..=3)
        .map(|length| &digits[..length])
        .find(|code| code.parse().is_ok_and(|code: u16| DATABASE.by_code(&code).is_some()))
}

/// Digits with an optional plus, once the visual separators of RFC 3966 §5.1.1 are gone. None for anything else.
fn without_separators(dialled: &str) -> Option<String> {
    let mut number = String::with_capacity(dialled.len());
    for c in dialled.chars() {
        match c {
            '+' if number.is_empty() => number.push(c),
            '0'..='9' => number.push(c),
            '-' | '.' | '(' | ')' | ' ' => {}
            _ => return None,
        }
    }
    if number.bytes().any(|byte| byte.is_ascii_digit()) { Some(number) } else { None }
}

/// One numbering plan, made ready to use.
struct Country {
    id: &'static str,
    /// Digits of the calling code.
    code: String,
    /// What is dialled before a number abroad.
    international_prefix: Option<Regex>,
    national_prefix: Option<&'static str>,
    /// What may stand before a national number, and what to make of it.
    national_prefix_for_parsing: Option<Regex>,
    transform: Option<String>,
    /// All national numbers.
    general: Regex,
    /// Digits of the longest fixed line.
    longest: usize,
    formats: Vec<Style>,
}

/// One way to write national numbers.
struct Style {
    leading_digits: Option<Regex>,
    pattern: Regex,
    /// The replacement, with the national prefix where it is written.
    template: String,
}

impl Country {
    fn find(id: &str) -> Option<&'static Country> {
        static ALL: LazyLock<HashMap<&'static str, OnceLock<Option<Country>>>> =
            LazyLock::new(|| DATABASE.iter().map(|plan| (plan.id(), OnceLock::new())).collect());
        ALL.get(id)?.get_or_init(|| Country::new(DATABASE.by_id(id)?)).as_ref()
    }

    fn new(plan: &'static Metadata) -> Option<Country> {
        let national_prefix = plan.national_prefix();
        let fixed = plan.descriptors().fixed_line().map(|lines| lines.possible_length());
        let general = plan.descriptors().general();
        Some(Country {
            id: plan.id(),
            code: plan.country_code().to_string(),
            international_prefix: plan.international_prefix().and_then(|prefix| leading(prefix.as_str())),
            national_prefix,
            national_prefix_for_parsing: plan.national_prefix_for_parsing().and_then(|prefix| leading(prefix.as_str())),
            transform: plan.national_prefix_transform_rule().map(braced),
            general: whole(general.national_number().as_str())?,
            longest: fixed.and_then(|lengths| lengths.iter().max()).map_or(LONGEST, |length| usize::from(*length)),
            formats: plan.formats().iter().filter_map(|format| Style::new(format, national_prefix)).collect(),
        })
    }

    fn read(&self, number: &str, hand: Hand) -> Reading {
        if let Some(found) = self.international_prefix.as_ref().and_then(|prefix| prefix.find(number)) {
            let e164 = format!("+{}", &number[found.end()..]);
            if is_e164(&e164) {
                let why = format!("{} is how {} dials abroad", found.as_str(), self.id);
                return Reading { number: e164, why };
            }
        }
        match self.significant(number, hand) {
            Ok(significant) => Reading {
                number: format!("+{}{significant}", self.code),
                why: format!("a national number of {}", self.id),
            },
            Err(why) => Reading { number: number.to_owned(), why: format!("stays as dialled: {why}") },
        }
    }

    /// The national significant number that was dialled.
    fn significant(&self, number: &str, hand: Hand) -> Result<String, String> {
        let stripped = self.without_national_prefix(number).filter(|stripped| self.is_national(stripped));
        if let Some(stripped) = stripped {
            return Ok(stripped);
        }
        if self.is_national(number) {
            if hand == Hand::Carrier || number.len() >= self.longest || self.write(number) == number {
                return Ok(number.to_owned());
            }
            let prefix = self.national_prefix.unwrap_or_default();
            return Err(format!("without the {prefix} of {} it may be a local number", self.id));
        }
        // Many carriers, and some people, leave the plus away.
        let international = number.strip_prefix(&self.code).filter(|rest| self.is_national(rest));
        international.map(str::to_owned).ok_or_else(|| format!("no number of {}", self.id))
    }

    fn is_national(&self, number: &str) -> bool {
        // The American plan lists numbers of seven digits too, which nobody abroad can dial.
        self.general.is_match(number) && !(self.code == "1" && number.len() != 10)
    }

    /// None where `number` has no prefix, or where it is whole with it and wouldn't be without.
    fn without_national_prefix(&self, number: &str) -> Option<String> {
        let Some(pattern) = &self.national_prefix_for_parsing else {
            return number.strip_prefix(self.national_prefix?).map(str::to_owned);
        };
        let captures = pattern.captures(number)?;
        let end = captures.get(0)?.end();
        let last = captures.get(captures.len() - 1).filter(|_| captures.len() > 1);
        let without = match (&self.transform, last) {
            (Some(transform), Some(_)) => {
                let mut text = String::new();
                captures.expand(transform, &mut text);
                text + &number[end..]
            }
            _ => number[end..].to_owned(),
        };
        if without == number || self.is_national(number) && !self.is_national(&without) {
            return None;
        }
        Some(without)
    }

    /// A national significant number as it is dialled within the country, in digits.
    fn write(&self, significant: &str) -> String {
        match self.formats.iter().find(|style| style.fits(significant)) {
            Some(style) => {
                let text = style.pattern.replace(significant, style.template.as_str());
                text.chars().filter(char::is_ascii_digit).collect()
            }
            None => format!("{}{significant}", self.national_prefix.unwrap_or_default()),
        }
    }
}

impl Style {
    fn new(format: &Format, national_prefix: Option<&str>) -> Option<Style> {
        let first = format.format().find('$')?;
        let (before, rest) = format.format().split_at(first);
        let (group, after) = rest.split_at_checked(2)?;
        let written = match format.national_prefix() {
            Some(rule) => {
                rule.replace("$NP", national_prefix.unwrap_or_default()).replace("$FG", group).replace("$CC", "")
            }
            None => group.to_owned(),
        };
        Some(Style {
            // The last one is the most exact.
            leading_digits: format.leading_digits().last().and_then(|digits| leading(digits.as_str())),
            pattern: whole(format.pattern().as_str())?,
            template: braced(&format!("{before}{written}{after}")),
        })
    }

    fn fits(&self, significant: &str) -> bool {
        self.leading_digits.as_ref().is_none_or(|digits| digits.is_match(significant))
            && self.pattern.is_match(significant)
    }
}

fn leading(pattern: &str) -> Option<Regex> {
    compile(&format!("^(?:{pattern})"))
}

fn whole(pattern: &str) -> Option<Regex> {
    compile(&format!("^(?:{pattern})$"))
}

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).ignore_whitespace(true).build().ok()
}

/// `$1` as `${1}`, so that a digit behind it is a digit and not part of the group's number.
fn braced(template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        let (before, group) = rest.split_at(at);
        text.push_str(before);
        match group.as_bytes().get(1) {
            Some(digit) if digit.is_ascii_digit() => {
                text.push_str(&format!("${{{}}}", char::from(*digit)));
                rest = &group[2..];
            }
            _ => rest = &group[1..],
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dialled(number: &str, country: &str) -> String {
        read(number, Some(country), Hand::Person).map_or_else(|| number.to_owned(), |reading| reading.number)
    }

    #[test]
    fn numbers_are_read_as_their_country_dials_them() {
        for (number, country, e164) in [
            ("02079460000", "GB", "+442079460000"),
            ("020 7946-0000", "GB", "+442079460000"),
            ("2079460000", "GB", "+442079460000"),
            ("442079460000", "GB", "+442079460000"),
            ("0014155550100", "GB", "+14155550100"),
            ("00442079460000", "GB", "+442079460000"),
            ("4155550100", "US", "+14155550100"),
            ("14155550100", "US", "+14155550100"),
            ("011442079460000", "US", "+442079460000"),
            ("(415) 555-0100", "US", "+14155550100"),
            ("030123456", "DE", "+4930123456"),
            ("0612345678", "IT", "+390612345678"),
            ("3401234567", "IT", "+393401234567"),
            ("88005553535", "RU", "+78005553535"),
            ("84951234567", "RU", "+74951234567"),
            ("0612345678", "FR", "+33612345678"),
            ("13912345678", "CN", "+8613912345678"),
            ("0116123456789", "US", "+6123456789"),
            ("0011442079460000", "AU", "+442079460000"),
            ("+442079460000", "US", "+442079460000"),
            ("+44 20 7946 0000", "US", "+442079460000"),
        ] {
            assert_eq!(dialled(number, country), e164, "{number} in {country}");
        }
    }

    #[test]
    fn what_is_no_number_of_a_country_stays() {
        for (number, country) in [
            ("112", "GB"),
            ("118118", "GB"),
            ("*43", "GB"),
            ("#31#", "GB"),
            ("bob", "GB"),
            ("john.smith", "GB"),
            ("5550100", "US"),
            ("79460000", "GB"),
            ("0999", "GB"),
            ("", "GB"),
            ("+", "GB"),
            ("00999999999999", "GB"),
            ("9999999999999999999999999999999999", "GB"),
        ] {
            assert_eq!(dialled(number, country), number, "{number} in {country}");
        }
        assert_eq!(read("02079460000", None, Hand::Person), None);
    }

    #[test]
    fn a_local_number_is_not_taken_for_a_national_one() {
        // In Munich this is a neighbour, and not a line in another town.
        assert_eq!(dialled("8912345", "DE"), "8912345");
        let reading = read("8912345", Some("DE"), Hand::Person).unwrap();
        assert_eq!(reading.why, "stays as dialled: without the 0 of DE it may be a local number");
        assert_eq!(read("8912345", Some("DE"), Hand::Carrier).unwrap().number, "+498912345");
    }

    #[test]
    fn numbers_are_written_as_their_country_dials_them() {
        for (number, country, written) in [
            ("+442079460000", "GB", "02079460000"),
            ("+14155550100", "GB", "+14155550100"),
            ("+14155550100", "US", "4155550100"),
            ("+390612345678", "IT", "0612345678"),
            ("+78005553535", "RU", "88005553535"),
            ("+8613912345678", "CN", "13912345678"),
        ] {
            assert_eq!(write(number, country).as_deref(), Some(written));
        }
        assert_eq!(write("112", "GB"), None);
        assert_eq!(national("+4930123456").as_deref(), Some("030123456"));
        assert_eq!(national("101"), None);
    }

    #[test]
    fn every_country_reads_back_what_it_writes() {
        // The plan's own example numbers are the vectors.
        let mut tried = 0;
        for plan in DATABASE.iter().filter(|plan| plan.id() != "001") {
            for descriptor in [plan.descriptors().fixed_line(), plan.descriptors().mobile()].into_iter().flatten() {
                let Some(example) = descriptor.example() else { continue };
                let e164 = format!("+{}{example}", plan.country_code());
                if !is_e164(&e164) {
                    continue;
                }
                let written = write(&e164, plan.id()).unwrap();
                if written.len() <= SHORT {
                    continue;
                }
                assert_eq!(dialled(&written, plan.id()), e164, "{written} in {}", plan.id());
                assert_eq!(read(&written, Some(plan.id()), Hand::Carrier).unwrap().number, e164, "in {}", plan.id());
                tried += 1;
            }
        }
        assert!(tried > 400, "{tried}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,40}", digits in "[+0-9 .()-]{0,24}") {
            for country in ["GB", "US", "AR", "BR", "RU"] {
                for text in [&text, &digits] {
                    if let Some(reading) = read(text, Some(country), Hand::Person) {
                        // What was read needs no second reading.
                        prop_assert_eq!(dialled(&reading.number, country), reading.number);
                    }
                }
            }
        }
    }
}

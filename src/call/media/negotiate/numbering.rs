//! Payload types for formats of ours: a number keeps its meaning as long as a session lasts (RFC 3264 §8.3.2).

use super::fmtp;
use crate::wire::description::Format;

/// The numbers that mean nothing by themselves (RFC 3551 §3).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// A number for `format` beside those that are `taken`: what it had `before`, else its own, else any that is free.
pub(super) fn number(format: &Format, before: &[Format], taken: &[Format]) -> Option<u8> {
    let is_taken = |number: u8| taken.iter().any(|other| other.payload_type == number);
    if let Some(known) = fmtp::find(before, format).filter(|known| !is_taken(known.payload_type)) {
        return Some(known.payload_type);
    }
    let is_other = |number: u8| before.iter().any(|known| known.payload_type == number);
    let is_free = |number: &u8| !is_taken(*number) && !is_other(*number);
    let own = Some(format.payload_type).filter(is_free);
    own.or_else(|| DYNAMIC.rev().find(is_free)).or_else(|| DYNAMIC.rev().find(|&number| !is_taken(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(payload_type: u8, encoding: &str) -> Format {
        Format { payload_type, encoding: encoding.to_owned().into(), clock_rate: 8_000, channels: 1, fmtp: None }
    }

    #[test]
    fn a_number_keeps_its_meaning() {
        let before = [format(96, "opus"), format(101, "telephone-event")];
        assert_eq!(number(&format(111, "opus"), &before, &[]), Some(96));
        assert_eq!(number(&format(111, "opus"), &[], &[]), Some(111));
        assert_eq!(number(&format(96, "AMR"), &before, &[]), Some(127));
        assert_eq!(number(&format(96, "AMR"), &[], &[format(96, "opus"), format(127, "L16")]), Some(126));
        let all: Vec<Format> = (96..=127).map(|number| format(number, "x")).collect();
        assert_eq!(number(&format(96, "AMR"), &[], &all), None);
    }
}

//! Addresses that lead to one phone from anywhere (RFC 5627). The public one names the account and the phone; a temporary
//! one tells neither, is new in each answer, and holds for as long as the phone stays registered with one Call-ID.
//!
//! Nothing is kept for a temporary one: it is the binding's epoch, hidden under a nonce and signed.

use crate::sip::digest::{equal_in_constant_time, keyed, to_hex};
use crate::wire::sip::{Uri, escape_user};

/// What temporary ones begin with.
const PREFIX: &str = "gr-";
/// Hex digits of the nonce, of the hidden epoch and of the signature.
const PART: usize = 16;

/// A phone that an address names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phone {
    pub user: String,
    /// As `+sip.instance` says it.
    pub instance: String,
}

/// `sip:alice@example.net;gr=urn:uuid:…`
pub(super) fn public(user: &str, domain: &str, instance: &str) -> String {
    let name = instance.trim_start_matches('<').trim_end_matches('>');
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("sip:{}@{domain};gr={text}", escape_user(user))
}

/// The instance that the `gr` parameter of a public one names.
pub(super) fn instance_of(uri: &Uri<'_>) -> Option<String> {
    let name = uri.param("gr").flatten()?;
    let mut bytes = Vec::new();
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    Some(format!("<{}>", String::from_utf8(bytes).ok()?))
}

/// `sip:gr-…@example.net;gr`
pub(super) fn temporary(secret: &[u8; 32], epoch: u64, nonce: u64, domain: &str) -> String {
    let hidden = epoch ^ mask(secret, nonce);
    let signature = signature(secret, nonce, hidden);
    format!("sip:{PREFIX}{nonce:016x}{hidden:016x}{signature}@{domain};gr")
}

/// The epoch of the binding for which a user part was made; none where it isn't one of ours.
pub(super) fn epoch_of(secret: &[u8; 32], user: &str) -> Option<u64> {
    let digits = user.strip_prefix(PREFIX).filter(|digits| digits.len() == 3 * PART && digits.is_ascii())?;
    let (nonce, rest) = digits.split_at(PART);
    let (hidden, given) = rest.split_at(PART);
    let (nonce, hidden) = (u64::from_str_radix(nonce, 16).ok()?, u64::from_str_radix(hidden, 16).ok()?);
    equal_in_constant_time(signature(secret, nonce, hidden).as_bytes(), given.as_bytes())
        .then(|| hidden ^ mask(secret, nonce))
}

fn mask(secret: &[u8; 32], nonce: u64) -> u64 {
    let mac = keyed(secret, &[b"gruu mask", &nonce.to_be_bytes()]);
    mac.iter().take(8).fold(0, |mask, &byte| mask << 8 | u64::from(byte))
}

fn signature(secret: &[u8; 32], nonce: u64, hidden: u64) -> String {
    let mac = keyed(secret, &[b"gruu", &nonce.to_be_bytes(), &hidden.to_be_bytes()]);
    to_hex(mac.get(..PART / 2).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_one_names_account_and_phone() {
        let text = public("al ice", "example.net", "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>");
        assert_eq!(text, "sip:al%20ice@example.net;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
        let odd = public("alice", "example.net", "<urn:x;y=\"z\">");
        for text in [&text, &odd] {
            assert!(instance_of(&Uri::parse(text).unwrap()).is_some());
        }
        assert_eq!(instance_of(&Uri::parse(&odd).unwrap()).unwrap(), "<urn:x;y=\"z\">");
    }

    #[test]
    fn a_temporary_one_is_read_by_its_own_registrar_only_and_tells_nothing() {
        let secret = [3; 32];
        let user = |text: &str| Uri::parse(text).unwrap().user_decoded().into_owned();
        let (one, two) = (temporary(&secret, 7, 1, "example.net"), temporary(&secret, 7, 2, "example.net"));
        assert_ne!(one, two);
        assert_eq!(epoch_of(&secret, &user(&one)), Some(7));
        assert_eq!(epoch_of(&secret, &user(&two)), Some(7));
        assert_eq!(epoch_of(&[4; 32], &user(&one)), None);
        let forged = user(&one).replace("gr-0", "gr-1");
        assert_eq!(epoch_of(&secret, &forged), None);
        for text in ["", "gr-", "alice", "gr-é", &"gr-".repeat(17)] {
            assert_eq!(epoch_of(&secret, text), None);
        }
    }
}

//! Nonces that describe themselves: when they were issued, which one it is, and a signature over both and over the network
//! that asked. The server keeps nothing for a nonce that was issued. Who comes from elsewhere than before gets another one,
//! and who never was at a network has none of there.

use crate::base::time::Time;
use crate::sip::digest::hash::{equal_in_constant_time, keyed, to_hex};
use crate::sip::guessing::network;
use std::net::IpAddr;

/// What a nonce of ours says. Ordered by age, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Nonce {
    pub issued_ms: u64,
    pub serial: u64,
}

/// Issues nonces and reads them back.
pub(super) struct Mint {
    secret: [u8; 32],
    issued: u64,
}

/// Hex digits of the time, of the serial number and of the signature.
const TIME: usize = 16;
const SERIAL: usize = 16;
const SIGNATURE: usize = 32;

impl Mint {
    pub fn new(secret: [u8; 32]) -> Mint {
        Mint { secret, issued: 0 }
    }

    pub fn issue(&mut self, now: Time, realm: &str, source: IpAddr) -> String {
        self.issued += 1;
        let nonce = Nonce { issued_ms: now.millis(), serial: self.issued };
        format!("{:016x}{:016x}{}", nonce.issued_ms, nonce.serial, self.signature(nonce, realm, source))
    }

    /// None where the text is not a nonce that this mint issued for this realm and to the network of this source.
    pub fn read(&self, text: &str, realm: &str, source: IpAddr) -> Option<Nonce> {
        if text.len() != TIME + SERIAL + SIGNATURE || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let (time, rest) = text.split_at(TIME);
        let (serial, signature) = rest.split_at(SERIAL);
        let nonce =
            Nonce { issued_ms: u64::from_str_radix(time, 16).ok()?, serial: u64::from_str_radix(serial, 16).ok()? };
        equal_in_constant_time(self.signature(nonce, realm, source).as_bytes(), signature.as_bytes()).then_some(nonce)
    }

    fn signature(&self, nonce: Nonce, realm: &str, source: IpAddr) -> String {
        let time = nonce.issued_ms.to_be_bytes();
        let network = match network(source) {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        let mac = keyed(&self.secret, &[b"nonce", &time, &nonce.serial.to_be_bytes(), &network, realm.as_bytes()]);
        let (half, _) = mac.split_at(SIGNATURE / 2);
        to_hex(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    #[test]
    fn a_nonce_is_read_back_by_its_own_mint_only() {
        let mut mint = Mint::new([7; 32]);
        let one = mint.issue(Time::from_millis(5), "example.net", HERE);
        let two = mint.issue(Time::from_millis(5), "example.net", HERE);
        assert_ne!(one, two);
        assert_eq!(mint.read(&one, "example.net", HERE), Some(Nonce { issued_ms: 5, serial: 1 }));
        assert!(mint.read(&one, "example.net", HERE) < mint.read(&two, "example.net", HERE));
        assert_eq!(mint.read(&one, "example.org", HERE), None);
        assert_eq!(mint.read(&one, "example.net", [192, 0, 2, 8].into()), None);
        assert_eq!(Mint::new([8; 32]).read(&one, "example.net", HERE), None);
    }

    #[test]
    fn a_nonce_that_was_changed_or_made_up_is_not_ours() {
        let mut mint = Mint::new([7; 32]);
        let nonce = mint.issue(Time::from_millis(5), "r", HERE);
        for i in 0..nonce.len() {
            let mut bytes = nonce.clone().into_bytes();
            bytes[i] = if bytes[i] == b'0' { b'1' } else { b'0' };
            assert_eq!(mint.read(&String::from_utf8(bytes).unwrap(), "r", HERE), None, "digit {i}");
        }
        for text in ["", "0", "\u{e9}\u{e9}", &"é".repeat(32), &nonce[1..], &format!("{nonce}0")] {
            assert_eq!(mint.read(text, "r", HERE), None, "{text}");
        }
    }
}

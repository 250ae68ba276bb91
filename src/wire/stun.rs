//! The STUN that keeps a UDP flow open: a binding request and its answer (RFC 8489 §5, §14; RFC 5626 §8). No credentials,
//! and nothing else of STUN.

use std::net::{IpAddr, SocketAddr};

const HEADER: usize = 20;
const COOKIE: u32 = 0x2112_a442;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Attributes below this number have to be understood (RFC 8489 §14).
const OPTIONAL: u16 = 0x8000;
/// What we understand or may pass over: those that only matter with credentials or to ICE.
const UNDERSTOOD: [u16; 4] = [0x0006, 0x0008, 0x0024, 0x0025];
/// More unknown attributes than these aren't told.
const TOLD: usize = 8;

/// Whether a datagram on a SIP socket is STUN: a SIP message begins with a letter, STUN with two zero bits and a cookie.
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] & 0xc0 == 0 && word(datagram, 4) == Some(COOKIE)
}

/// A binding request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub transaction: [u8; 12],
    /// Whether it ends with a checksum, as its answer then does.
    pub has_fingerprint: bool,
    /// Attributes that have to be understood and aren't, at most a few of them.
    pub unknown: Vec<u16>,
}

impl Request {
    /// None for anything else: damaged, an indication, an answer, another method.
    pub fn parse(datagram: &[u8]) -> Option<Request> {
        if !is_stun(datagram) || half(datagram, 0)? != BINDING_REQUEST {
            return None;
        }
        let length = usize::from(half(datagram, 2)?);
        if length % 4 != 0 || datagram.len() != HEADER + length {
            return None;
        }
        let transaction = datagram.get(8..HEADER)?.try_into().ok()?;
        let mut request = Request { transaction, has_fingerprint: false, unknown: Vec::new() };
        let mut at = HEADER;
        while at < datagram.len() {
            let (kind, length) = (half(datagram, at)?, usize::from(half(datagram, at + 2)?));
            let value = datagram.get(at + 4..at + 4 + length)?;
            if kind == FINGERPRINT {
                let sum = fingerprint(datagram.get(..at)?);
                // It is the last, and right, or the datagram is something else (RFC 8489 §14.7).
                return (value == sum.to_be_bytes() && at + 8 == datagram.len())
                    .then_some(Request { has_fingerprint: true, ..request });
            }
            let is_unknown = kind < OPTIONAL && !UNDERSTOOD.contains(&kind);
            if is_unknown && request.unknown.len() < TOLD {
                request.unknown.push(kind);
            }
            at += 4 + length.next_multiple_of(4);
        }
        Some(request)
    }

    pub fn write(&self) -> Vec<u8> {
        self.finish(BINDING_REQUEST, Vec::new())
    }

    /// Where the request came from; or 420 where it asks for what we don't know.
    pub fn answer(&self, source: SocketAddr) -> Vec<u8> {
        let mut attributes = Vec::with_capacity(48);
        if self.unknown.is_empty() {
            attribute(&mut attributes, XOR_MAPPED_ADDRESS, &self.xor_mapped(source));
            return self.finish(BINDING_SUCCESS, attributes);
        }
        // 420 without its phrase: an answer is to be hardly larger than its question, whose source may be forged.
        attribute(&mut attributes, ERROR_CODE, &[0, 0, 4, 20]);
        let unknown: Vec<u8> = self.unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        attribute(&mut attributes, UNKNOWN_ATTRIBUTES, &unknown);
        self.finish(BINDING_ERROR, attributes)
    }

    /// RFC 8489 §14.2.
    fn xor_mapped(&self, source: SocketAddr) -> Vec<u8> {
        let cookie = COOKIE.to_be_bytes();
        let key = cookie.iter().chain(&self.transaction);
        let port = (source.port() ^ (COOKIE >> 16) as u16).to_be_bytes();
        let (family, address) = match source.ip().to_canonical() {
            IpAddr::V4(ip) => (1, ip.octets().to_vec()),
            IpAddr::V6(ip) => (2, ip.octets().to_vec()),
        };
        let address = address.iter().zip(key).map(|(byte, key)| byte ^ key);
        [0, family].into_iter().chain(port).chain(address).collect()
    }

    fn finish(&self, kind: u16, attributes: Vec<u8>) -> Vec<u8> {
        let sum = if self.has_fingerprint { 8 } else { 0 };
        let length = u16::try_from(attributes.len() + sum).unwrap_or(u16::MAX);
        let mut bytes = Vec::with_capacity(HEADER + attributes.len() + sum);
        bytes.extend(kind.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(self.transaction);
        bytes.extend(attributes);
        if self.has_fingerprint {
            let sum = fingerprint(&bytes);
            attribute(&mut bytes, FINGERPRINT, &sum.to_be_bytes());
        }
        bytes
    }
}

/// The address that an answer to `request` tells; none where it is no such answer.
pub fn mapped(answer: &[u8], request: &Request) -> Option<SocketAddr> {
    if !is_stun(answer) || half(answer, 0)? != BINDING_SUCCESS || answer.get(8..HEADER)? != request.transaction {
        return None;
    }
    let mut at = HEADER;
    loop {
        let (kind, length) = (half(answer, at)?, usize::from(half(answer, at + 2)?));
        let value = answer.get(at + 4..at + 4 + length)?;
        if kind == XOR_MAPPED_ADDRESS {
            let port = half(value, 2)? ^ (COOKIE >> 16) as u16;
            let plain = |address: &[u8]| -> Vec<u8> {
                let key = COOKIE.to_be_bytes();
                address.iter().zip(key.iter().chain(&request.transaction)).map(|(byte, key)| byte ^ key).collect()
            };
            return match (value.get(1)?, plain(value.get(4..)?)) {
                (1, ip) => Some((<[u8; 4]>::try_from(ip).ok()?, port).into()),
                (2, ip) => Some((<[u8; 16]>::try_from(ip).ok()?, port).into()),
                _ => None,
            };
        }
        at += 4 + length.next_multiple_of(4);
    }
}

/// RFC 8489 §14.7.
fn fingerprint(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes) ^ FINGERPRINT_XOR
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend(kind.to_be_bytes());
    bytes.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(has_fingerprint: bool) -> Request {
        Request { transaction: *b"abcdefghijkl", has_fingerprint, unknown: Vec::new() }
    }

    #[test]
    fn the_answer_tells_where_the_request_came_from() {
        for source in ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"] {
            let source: SocketAddr = source.parse().unwrap();
            for has_fingerprint in [false, true] {
                let asked = Request::parse(&request(has_fingerprint).write()).unwrap();
                assert_eq!(asked, request(has_fingerprint));
                assert_eq!(mapped(&asked.answer(source), &asked), Some(source));
            }
        }
    }

    /// RFC 5769 §2.2: the address and its attribute, without what needs credentials.
    #[test]
    fn the_vectors_of_rfc_5769() {
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let asked = Request { transaction, has_fingerprint: false, unknown: Vec::new() };
        let four = asked.xor_mapped("192.0.2.1:32853".parse().unwrap());
        assert_eq!(four, [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let six = asked.xor_mapped("[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap());
        let wanted = [
            0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2,
            0xb9, 0xd9,
        ];
        assert_eq!(six, wanted);
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_told() {
        let mut bytes = request(false).write();
        attribute(&mut bytes, 0x7ff0, b"x");
        attribute(&mut bytes, 0xc000, b"whatever");
        let length = u16::try_from(bytes.len() - HEADER).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        let asked = Request::parse(&bytes).unwrap();
        assert_eq!(asked.unknown, [0x7ff0]);
        let answer = asked.answer("192.0.2.1:1".parse().unwrap());
        assert_eq!(&answer[..2], &BINDING_ERROR.to_be_bytes());
        assert_eq!(mapped(&answer, &asked), None);
    }

    #[test]
    fn a_wrong_checksum_is_no_stun() {
        let mut bytes = request(true).write();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(Request::parse(&bytes), None);
    }

    #[test]
    fn sip_is_no_stun() {
        assert!(!is_stun(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n"));
        assert!(!is_stun(b""));
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut framed = request(false).write();
            framed.extend(&bytes);
            let length = u16::try_from(bytes.len()).unwrap();
            framed[2..4].copy_from_slice(&length.to_be_bytes());
            for datagram in [&bytes, &framed] {
                if let Some(asked) = Request::parse(datagram) {
                    let _ = mapped(&asked.answer("192.0.2.1:1".parse().unwrap()), &asked);
                }
                let _ = mapped(datagram, &request(false));
            }
        }
    }
}

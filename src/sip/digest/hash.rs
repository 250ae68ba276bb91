//! The arithmetic that both sides share.

use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What hashes a response; in the order of strength.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// H of the parts joined by colons, in lower-case hex.
    pub(super) fn hex(self, parts: &[&[u8]]) -> String {
        match self {
            Algorithm::Md5 => hash_joined::<Md5>(parts),
            Algorithm::Sha256 => hash_joined::<Sha256>(parts),
        }
    }
}

/// What `algorithm=` names: the hash, and whether HA1 is bound to the nonce and the client's nonce (`-sess`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Variant {
    pub algorithm: Algorithm,
    pub session: bool,
}

impl Variant {
    const ALL: [Variant; 4] = [
        Variant { algorithm: Algorithm::Md5, session: false },
        Variant { algorithm: Algorithm::Md5, session: true },
        Variant { algorithm: Algorithm::Sha256, session: false },
        Variant { algorithm: Algorithm::Sha256, session: true },
    ];

    pub fn as_str(self) -> &'static str {
        match (self.algorithm, self.session) {
            (Algorithm::Md5, false) => "MD5",
            (Algorithm::Md5, true) => "MD5-sess",
            (Algorithm::Sha256, false) => "SHA-256",
            (Algorithm::Sha256, true) => "SHA-256-sess",
        }
    }

    /// No name stands for MD5 (RFC 7616 §3.3). None for an algorithm that we don't have.
    pub fn from_name(name: Option<&str>) -> Option<Variant> {
        let name = name.unwrap_or("MD5");
        Variant::ALL.into_iter().find(|variant| variant.as_str().eq_ignore_ascii_case(name))
    }
}

/// Quality of protection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Qop {
    Auth,
    /// The body counts too.
    AuthInt,
}

impl Qop {
    pub fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    pub fn from_name(name: &str) -> Option<Qop> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| qop.as_str().eq_ignore_ascii_case(name))
    }
}

/// The hashes of a password, HA1 of RFC 7616 §3.4.2, in lower-case hex: what a server keeps in the password's place.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Hashes {
    pub ha1_md5: Option<String>,
    pub ha1_sha256: Option<String>,
}

impl Hashes {
    pub fn from_password(user: &str, realm: &str, password: &str) -> Hashes {
        let parts = [user.as_bytes(), realm.as_bytes(), password.as_bytes()];
        Hashes { ha1_md5: Some(Algorithm::Md5.hex(&parts)), ha1_sha256: Some(Algorithm::Sha256.hex(&parts)) }
    }

    /// Of an account of which only hex of MD5(name:realm:password) is left; it can't answer a SHA-256 challenge.
    pub fn from_ha1_md5(ha1: &str) -> Hashes {
        Hashes { ha1_md5: Some(ha1.to_ascii_lowercase()), ha1_sha256: None }
    }

    pub(super) fn of(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Md5 => self.ha1_md5.as_deref(),
            Algorithm::Sha256 => self.ha1_sha256.as_deref(),
        }
    }
}

impl std::fmt::Debug for Hashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hashes(…)")
    }
}

/// Everything that goes into one response, except the secret.
#[derive(Clone, Copy)]
pub(super) struct Calculation<'a> {
    pub variant: Variant,
    pub method: &'a str,
    pub uri: &'a str,
    pub nonce: &'a str,
    /// None for RFC 2069, in which `nc` and `cnonce` don't count.
    pub qop: Option<Qop>,
    /// As written, eight hex digits.
    pub nc: &'a str,
    pub cnonce: &'a str,
    pub body: &'a [u8],
}

impl Calculation<'_> {
    /// The response (RFC 7616 §3.4.1) to `ha1`, which is without the session's part.
    pub fn response(&self, ha1: &str) -> String {
        let algorithm = self.variant.algorithm;
        let (nonce, cnonce) = (self.nonce.as_bytes(), self.cnonce.as_bytes());
        let session = self.variant.session.then(|| algorithm.hex(&[ha1.as_bytes(), nonce, cnonce]));
        let ha1 = session.as_deref().unwrap_or(ha1).as_bytes();
        let (method, uri) = (self.method.as_bytes(), self.uri.as_bytes());
        let ha2 = match self.qop {
            Some(Qop::AuthInt) => algorithm.hex(&[method, uri, algorithm.hex(&[self.body]).as_bytes()]),
            Some(Qop::Auth) | None => algorithm.hex(&[method, uri]),
        };
        match self.qop {
            Some(qop) => {
                algorithm.hex(&[ha1, nonce, self.nc.as_bytes(), cnonce, qop.as_str().as_bytes(), ha2.as_bytes()])
            }
            None => algorithm.hex(&[ha1, nonce, ha2.as_bytes()]),
        }
    }
}

/// Whether two texts are equal, in a time that depends on their lengths only.
pub(in crate::sip) fn equal_in_constant_time(one: &[u8], two: &[u8]) -> bool {
    let differing = one.iter().zip(two).fold(0u8, |differing, (a, b)| differing | (a ^ b));
    one.len() == two.len() && std::hint::black_box(differing) == 0
}

/// HMAC-SHA-256 (RFC 2104) of the parts, each with its length before it so that no two lists of parts are alike.
pub(in crate::sip) fn keyed(secret: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(secret).for_each(|(slot, key)| *slot ^= key);
        block
    };
    let mut inner = Sha256::new();
    inner.update(pad(0x36));
    for part in parts {
        inner.update((part.len() as u64).to_be_bytes());
        inner.update(part);
    }
    let mut outer = Sha256::new();
    outer.update(pad(0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

pub(in crate::sip) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hash_joined<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hash = D::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    to_hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: Variant = Variant { algorithm: Algorithm::Md5, session: false };
    const SHA256: Variant = Variant { algorithm: Algorithm::Sha256, session: false };

    #[test]
    fn rfc_2617_section_3_5() {
        let calculation = Calculation {
            variant: MD5,
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop: Some(Qop::Auth),
            nc: "00000001",
            cnonce: "0a4f113b",
            body: b"",
        };
        let hashes = Hashes::from_password("Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(hashes.of(Algorithm::Md5), Some("939e7578ed9e3c518a452acee763bce9"));
        let ha1 = hashes.of(Algorithm::Md5).unwrap();
        assert_eq!(calculation.response(ha1), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn rfc_7616_section_3_9_1() {
        let calculation = Calculation {
            variant: MD5,
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop: Some(Qop::Auth),
            nc: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            body: b"",
        };
        let hashes = Hashes::from_password("Mufasa", "http-auth@example.org", "Circle of Life");
        let md5 = calculation.response(hashes.of(Algorithm::Md5).unwrap());
        assert_eq!(md5, "8ca523f5e9506fed4657c9700eebdbec");
        let calculation = Calculation { variant: SHA256, ..calculation };
        let sha256 = calculation.response(hashes.of(Algorithm::Sha256).unwrap());
        assert_eq!(sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn rfc_2069_has_neither_qop_nor_counts() {
        // The example of RFC 2069 §2.4 with the response that its errata give.
        let calculation = Calculation {
            variant: MD5,
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop: None,
            nc: "",
            cnonce: "",
            body: b"",
        };
        let hashes = Hashes::from_password("Mufasa", "testrealm@host.com", "CircleOfLife");
        let response = calculation.response(hashes.of(Algorithm::Md5).unwrap());
        assert_eq!(response, "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn names_of_algorithms_are_read_in_any_case() {
        assert_eq!(Variant::from_name(None), Some(MD5));
        assert_eq!(Variant::from_name(Some("md5")), Some(MD5));
        assert_eq!(Variant::from_name(Some("sha-256")), Some(SHA256));
        assert_eq!(
            Variant::from_name(Some("SHA-256-SESS")),
            Some(Variant { algorithm: Algorithm::Sha256, session: true })
        );
        assert_eq!(Variant::from_name(Some("SHA-512-256")), None);
    }

    #[test]
    fn comparison_sees_every_difference() {
        assert!(equal_in_constant_time(b"abc", b"abc"));
        assert!(!equal_in_constant_time(b"abc", b"abd"));
        assert!(!equal_in_constant_time(b"abc", b"abcd"));
        assert!(!equal_in_constant_time(b"", b"a"));
    }
}

//! Session-ID: the names that both ends give to one session, whatever stands between them (RFC 7989 §5).

use std::fmt;

/// The name that one end gives to a session: 128 bits (RFC 9562).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Uuid(u128);

/// The value of a Session-ID field: the sender's name, and the other end's as far as the sender knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SessionPair {
    pub local: Uuid,
    pub remote: Uuid,
}

impl Uuid {
    /// Of an end that isn't known (RFC 7989 §5).
    pub const NIL: Uuid = Uuid(0);

    /// Version 4, from 128 random bits (RFC 9562 §5.4).
    pub fn from_random(bits: u128) -> Uuid {
        let version = (bits & !(0xf << 76)) | (4 << 76);
        Uuid((version & !(0b11 << 62)) | (0b10 << 62))
    }

    /// From 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Uuid> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex { u128::from_str_radix(text, 16).ok().map(Uuid) } else { None }
    }

    pub fn is_nil(self) -> bool {
        self == Uuid::NIL
    }

    fn digits(self) -> [u8; 32] {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 0xf]) {
                *digit = b"0123456789abcdef"[usize::from(half)];
            }
        }
        digits
    }
}

impl SessionPair {
    /// None where the sender's name can't be read. Without `remote`, as some wrote it before the RFC, that is nil.
    pub fn parse(text: &str) -> Option<SessionPair> {
        let mut parts = text.split(';').map(str::trim);
        let local = Uuid::parse(parts.next()?)?;
        let remote = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("remote").then(|| Uuid::parse(value.trim()))
        });
        Some(SessionPair { local, remote: remote.flatten().unwrap_or_default() })
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Display for SessionPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In one piece, so that a text made of it is asked for once.
        let mut text = *b"................................;remote=................................";
        text[..32].copy_from_slice(&self.local.digits());
        text[40..].copy_from_slice(&self.remote.digits());
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let text = "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2";
        let pair = SessionPair::parse(text).unwrap();
        assert_eq!(pair.to_string(), text);
        let early = SessionPair::parse("AB30317F1A784DC48FF824D0D3715D86 ; x=1").unwrap();
        assert_eq!((early.local, early.remote), (pair.local, Uuid::NIL));
        assert_eq!(early.to_string(), "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000");
    }

    #[test]
    fn what_is_no_session_id() {
        for text in ["", "x", "ab30", "+b30317f1a784dc48ff824d0d3715d86", ";remote=47755a9de7794ba387653f2099600ef2"] {
            assert_eq!(SessionPair::parse(text), None, "{text}");
        }
    }

    #[test]
    fn random_names_say_their_version() {
        for bits in [0, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let text = Uuid::from_random(bits).to_string();
            assert_eq!(text.as_bytes()[12], b'4');
            assert!(b"89ab".contains(&text.as_bytes()[16]), "{text}");
        }
    }
}

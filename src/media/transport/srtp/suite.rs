//! What protects a stream: the suites of SDES and of DTLS-SRTP, and their master keys.

use std::fmt;

/// A cipher, its key's length, and how packets are authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Suite {
    AesCm128HmacSha1_80,
    AesCm128HmacSha1_32,
    AesCm256HmacSha1_80,
    AesCm256HmacSha1_32,
    AeadAes128Gcm,
    AeadAes256Gcm,
}

impl Suite {
    /// The strongest first; of equals the one that costs least.
    pub const ALL: [Suite; 6] = [
        Suite::AeadAes256Gcm,
        Suite::AeadAes128Gcm,
        Suite::AesCm256HmacSha1_80,
        Suite::AesCm128HmacSha1_80,
        Suite::AesCm256HmacSha1_32,
        Suite::AesCm128HmacSha1_32,
    ];

    /// As SDES has it (RFC 4568 §6.2, RFC 6188 §2.2, RFC 7714 §14.1).
    pub fn name(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Names are compared as ABNF compares them (RFC 4568 §9.1), which is without regard to case.
    pub fn from_name(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn is_aead(self) -> bool {
        matches!(self, Suite::AeadAes128Gcm | Suite::AeadAes256Gcm)
    }

    /// Of the master key and of the keys that are derived from it, in bytes.
    pub fn key_bytes(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 | Suite::AeadAes128Gcm => 16,
            Suite::AesCm256HmacSha1_80 | Suite::AesCm256HmacSha1_32 | Suite::AeadAes256Gcm => 32,
        }
    }

    pub fn salt_bytes(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// What a protected RTP packet has more than a plain one, in bytes.
    pub fn rtp_overhead(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm256HmacSha1_80 => 10,
            Suite::AesCm128HmacSha1_32 | Suite::AesCm256HmacSha1_32 => 4,
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 16,
        }
    }

    /// The same for RTCP, whose tag is never cut to 32 bits (RFC 4568 §6.2.2), and which carries its index.
    pub fn rtcp_overhead(self) -> usize {
        self.rtcp_tag() + 4
    }

    pub(super) fn rtcp_tag(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }
}

/// A master key with its salt.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    key: [u8; 32],
    salt: [u8; 14],
}

impl MasterKey {
    /// What [`MasterKey::new`] takes at most.
    pub const MAX_BYTES: usize = 46;

    /// `bytes` is the key and then the salt, as SDES concatenates them (RFC 4568 §6.1). None where they are of another length.
    pub fn new(suite: Suite, bytes: &[u8]) -> Option<MasterKey> {
        let (key, salt) = bytes.split_at_checked(suite.key_bytes())?;
        if salt.len() != suite.salt_bytes() {
            return None;
        }
        let mut master = MasterKey { suite, key: [0; 32], salt: [0; 14] };
        master.key[..key.len()].copy_from_slice(key);
        master.salt[..salt.len()].copy_from_slice(salt);
        Some(master)
    }

    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub fn key(&self) -> &[u8] {
        &self.key[..self.suite.key_bytes()]
    }

    pub fn salt(&self) -> &[u8] {
        &self.salt[..self.suite.salt_bytes()]
    }

    /// The salt as key derivation takes it: shorter ones are filled up with zeros (RFC 7714 §11).
    pub(super) fn whole_salt(&self) -> [u8; 14] {
        self.salt
    }
}

/// Without the key, which has no business in a log.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

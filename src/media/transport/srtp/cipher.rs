//! One key at work on packets of one kind: AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1, RFC 6188), or
//! AES-GCM (RFC 7714).

use super::suite::{MasterKey, Suite};
use aes::{Aes128Enc, Aes256Enc};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use ctr::{CtrCore, flavors};
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Labels of key derivation (RFC 3711 §4.3.2). Those of RTCP are three more.
const ENCRYPTION: u8 = 0;
const AUTHENTICATION: u8 = 1;
const SALT: u8 = 2;
const RTCP: u8 = 3;

const MAC_KEY_BYTES: usize = 20;

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    Rtp,
    Rtcp,
}

pub(super) enum Cipher {
    Counter(Box<Counter>),
    Gcm(Box<Gcm>),
}

pub(super) struct Counter {
    block: Block,
    salt: [u8; 14],
    mac: Hmac<Sha1>,
}

pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

/// What does not fit: the tag, or in our own doing a key of a wrong length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unfit;

impl Cipher {
    /// Derives its keys (RFC 3711 §4.3, without a rate).
    pub fn new(master: &MasterKey, usage: Use) -> Result<Cipher, Unfit> {
        let suite = master.suite();
        let offset = if usage == Use::Rtcp { RTCP } else { 0 };
        let (mut key, mut salt, mut mac) = ([0; 32], [0; 14], [0; MAC_KEY_BYTES]);
        let key = &mut key[..suite.key_bytes()];
        let salt = &mut salt[..suite.salt_bytes()];
        derive(master, ENCRYPTION + offset, key)?;
        derive(master, SALT + offset, salt)?;
        derive(master, AUTHENTICATION + offset, &mut mac)?;
        Cipher::of(suite, key, salt, &mac)
    }

    /// With keys for the session, as they are.
    pub fn of(suite: Suite, key: &[u8], salt: &[u8], mac: &[u8]) -> Result<Cipher, Unfit> {
        if suite.is_aead() {
            let algorithm = if suite == Suite::AeadAes128Gcm { &AES_128_GCM } else { &AES_256_GCM };
            let key = LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(|_| Unfit)?);
            return Ok(Cipher::Gcm(Box::new(Gcm { key, salt: salt.try_into().map_err(|_| Unfit)? })));
        }
        let mac = <Hmac<Sha1> as KeyInit>::new_from_slice(mac).map_err(|_| Unfit)?;
        let salt = salt.try_into().map_err(|_| Unfit)?;
        Ok(Cipher::Counter(Box::new(Counter { block: Block::new(key)?, salt, mac })))
    }
}

impl Counter {
    /// Encrypts or decrypts (RFC 3711 §4.1.1).
    pub fn apply(&self, ssrc: u32, index: u64, bytes: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        let iv = u128::from_be_bytes(iv) ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16;
        self.block.apply(iv.to_be_bytes(), bytes);
    }

    /// Writes the front of the tag over `parts` into `tag`.
    pub fn sign(&self, parts: [&[u8]; 2], tag: &mut [u8]) {
        let whole = self.over(parts).finalize().into_bytes();
        for (to, from) in tag.iter_mut().zip(whole) {
            *to = from;
        }
    }

    /// Compares in constant time.
    pub fn verify(&self, parts: [&[u8]; 2], tag: &[u8]) -> Result<(), Unfit> {
        self.over(parts).verify_truncated_left(tag).map_err(|_| Unfit)
    }

    fn over(&self, [front, back]: [&[u8]; 2]) -> Hmac<Sha1> {
        let mut mac = self.mac.clone();
        mac.update(front);
        mac.update(back);
        mac
    }
}

impl Gcm {
    /// For RTP (RFC 7714 §8.1), where `index` is of 48 bits; and for RTCP (§9.1), where it is of 31 and leaves the upper ones
    /// empty.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let [_, _, index @ ..] = index.to_be_bytes();
        let mut nonce = [0; 12];
        nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
        nonce[6..].copy_from_slice(&index);
        for (byte, salt) in nonce.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts, and writes the tag.
    pub fn seal(&self, ssrc: u32, index: u64, aad: &[u8], bytes: &mut [u8], tag: &mut [u8]) -> Result<(), Unfit> {
        let made = self.key.seal_in_place_separate_tag(self.nonce(ssrc, index), Aad::from(aad), bytes);
        let made = made.map_err(|_| Unfit)?;
        if tag.len() != made.as_ref().len() {
            return Err(Unfit);
        }
        tag.copy_from_slice(made.as_ref());
        Ok(())
    }

    /// Decrypts what stands before its tag in `bytes`. Where the tag doesn't fit, `bytes` is worth nothing any more.
    pub fn open(&self, ssrc: u32, index: u64, aad: &[u8], bytes: &mut [u8]) -> Result<(), Unfit> {
        let opened = self.key.open_in_place(self.nonce(ssrc, index), Aad::from(aad), bytes);
        opened.map(|_| ()).map_err(|_| Unfit)
    }
}

/// AES with a key of either length.
enum Block {
    Aes128(Aes128Enc),
    Aes256(Aes256Enc),
}

impl Block {
    fn new(key: &[u8]) -> Result<Block, Unfit> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).map(Block::Aes128).map_err(|_| Unfit),
            _ => Aes256Enc::new_from_slice(key).map(Block::Aes256).map_err(|_| Unfit),
        }
    }

    fn apply(&self, iv: [u8; 16], bytes: &mut [u8]) {
        match self {
            Block::Aes128(block) => {
                let core = CtrCore::<_, flavors::Ctr128BE>::inner_iv_init(block.clone(), &iv.into());
                StreamCipherCoreWrapper::from_core(core).apply_keystream(bytes);
            }
            Block::Aes256(block) => {
                let core = CtrCore::<_, flavors::Ctr128BE>::inner_iv_init(block.clone(), &iv.into());
                StreamCipherCoreWrapper::from_core(core).apply_keystream(bytes);
            }
        }
    }
}

fn derive(master: &MasterKey, label: u8, out: &mut [u8]) -> Result<(), Unfit> {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&master.whole_salt());
    iv[7] ^= label;
    out.fill(0);
    Block::new(master.key())?.apply(iv, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::transport::srtp::testing::hex;

    #[test]
    fn the_key_stream_of_rfc_3711_b_2() {
        let block = Block::new(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let iv = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
        let mut stream = vec![0; 0xff02 * 16];
        block.apply(iv, &mut stream);
        assert_eq!(stream[..16], hex("E03EAD0935C95E80E166B16DD92B4EB4"));
        assert_eq!(stream[16..32], hex("D23513162B02D0F72A43A2FE4A5F97AB"));
        assert_eq!(stream[0xfeff * 16..][..16], hex("EC8CDF7398607CB0F2D21675EA9EA1E4"));
        assert_eq!(stream[0xff01 * 16..][..16], hex("6A2CC3787889374FBEB4C81B17BA6C44"));
    }

    #[test]
    fn the_keys_of_rfc_3711_b_3() {
        let bytes = hex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &bytes).unwrap();
        let derived = |label, length| {
            let mut out = vec![0; length];
            derive(&master, label, &mut out).unwrap();
            out
        };
        assert_eq!(derived(ENCRYPTION, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(SALT, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(derived(AUTHENTICATION, 20), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    /// RFC 6188 §7.2.
    #[test]
    fn the_keys_of_rfc_6188() {
        let bytes = hex("F0F04914B513F2763A1B1FA130F10E2998F6F6E43E4309D1E622A0E332B9F1B6\
                         3B04803DE51EE7C96423AB5B78D2");
        let master = MasterKey::new(Suite::AesCm256HmacSha1_80, &bytes).unwrap();
        let derived = |label, length| {
            let mut out = vec![0; length];
            derive(&master, label, &mut out).unwrap();
            out
        };
        assert_eq!(derived(ENCRYPTION, 32), hex("5BA1064E30EC51613CAD926C5A28EF731EC7FB397F70A960653CAF06554CD8C4"));
        assert_eq!(derived(SALT, 14), hex("FA31791685CA444A9E07C6C64E93"));
        assert_eq!(derived(AUTHENTICATION, 20), hex("FD9C32D39ED5FBB5A9DC96B30818454D1313DC05"));
    }
}

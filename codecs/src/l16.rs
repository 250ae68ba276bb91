//! L16: linear samples in network byte order (RFC 3551 §4.5.11).

/// Encodes as many samples as both slices hold, at two bytes each.
pub fn encode(pcm: &[i16], out: &mut [u8]) {
    for (bytes, sample) in out.chunks_exact_mut(2).zip(pcm) {
        bytes.copy_from_slice(&sample.to_be_bytes());
    }
}

/// Decodes as many samples as both slices hold. An odd last byte is left out.
pub fn decode(payload: &[u8], pcm: &mut [i16]) {
    for (sample, bytes) in pcm.iter_mut().zip(payload.chunks_exact(2)) {
        *sample = i16::from_be_bytes([bytes[0], bytes[1]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_byte_comes_first() {
        let mut bytes = [0; 6];
        encode(&[0x1234, -2, i16::MIN], &mut bytes);
        assert_eq!(bytes, [0x12, 0x34, 0xFF, 0xFE, 0x80, 0x00]);
        let mut pcm = [0; 3];
        decode(&bytes, &mut pcm);
        assert_eq!(pcm, [0x1234, -2, i16::MIN]);
    }
}

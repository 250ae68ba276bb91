//! UDPTL, the datagrams of a fax (ITU-T T.38 §9.1): a sequence number, a message, and older ones in case those were lost.

/// The sequence number, and the length of an empty message and of an empty list of older ones.
const LEAST_BYTES: usize = 4;

/// The sequence number; none for what can't be such a datagram.
pub fn sequence(datagram: &[u8]) -> Option<u16> {
    let number = datagram.first_chunk::<2>().map(|&bytes| u16::from_be_bytes(bytes))?;
    (datagram.len() >= LEAST_BYTES).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_comes_first() {
        assert_eq!(sequence(&[0x12, 0x34, 1, 0, 0]), Some(0x1234));
        assert_eq!(sequence(&[0x12, 0x34, 1]), None);
        assert_eq!(sequence(&[]), None);
    }
}

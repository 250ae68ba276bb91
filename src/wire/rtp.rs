//! RTP packets (RFC 3550 §5.1): a checked view of what arrived, and the header of what leaves.

/// A fixed header without CSRC list or extension.
pub const HEADER_BYTES: usize = 12;

/// What the first bytes of a datagram say that it is (RFC 7983 §7), with RTCP told from RTP by its packet type
/// (RFC 5761 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Stun,
    Zrtp,
    Dtls,
    Turn,
    Rtp,
    Rtcp,
    Unknown,
}

impl Kind {
    pub fn of(datagram: &[u8]) -> Kind {
        match (datagram.first(), datagram.get(1)) {
            (Some(0..=3), _) => Kind::Stun,
            (Some(16..=19), _) => Kind::Zrtp,
            (Some(20..=63), _) => Kind::Dtls,
            (Some(64..=79), _) => Kind::Turn,
            (Some(128..=191), Some(192..=223)) => Kind::Rtcp,
            (Some(128..=191), Some(_)) => Kind::Rtp,
            _ => Kind::Unknown,
        }
    }
}

/// The fields of a fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    /// In units of the payload's clock rate.
    pub timestamp: u32,
    pub ssrc: u32,
}

impl Header {
    /// The twelve bytes of a packet that has neither padding, extension nor CSRC list.
    pub fn bytes(self) -> [u8; HEADER_BYTES] {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        [0x80, u8::from(self.marker) << 7 | self.payload_type & 0x7f, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]
    }

    /// Writes the header before the payload that follows it in `packet`; false where there is no room.
    pub fn write(self, packet: &mut [u8]) -> bool {
        match packet.first_chunk_mut() {
            Some(room) => {
                *room = self.bytes();
                true
            }
            None => false,
        }
    }
}

/// A packet whose lengths were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub header: Header,
    csrcs: &'a [u8],
    extension: Option<(u16, &'a [u8])>,
    pub payload: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Packet<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let (fixed, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Malformed)?;
        let &[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = fixed;
        if first >> 6 != 2 {
            return Err(Malformed);
        }
        let (csrcs, rest) = rest.split_at_checked(usize::from(first & 0x0f) * 4).ok_or(Malformed)?;
        let (extension, rest) = if first & 0x10 != 0 { take_extension(rest)? } else { (None, rest) };
        let padding = if first & 0x20 != 0 { usize::from(*rest.last().ok_or(Malformed)?) } else { 0 };
        if first & 0x20 != 0 && (padding == 0 || padding > rest.len()) {
            return Err(Malformed);
        }
        let header = Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        };
        Ok(Packet { header, csrcs, extension, payload: &rest[..rest.len() - padding] })
    }

    pub fn csrcs(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrcs.as_chunks().0.iter().map(|&bytes| u32::from_be_bytes(bytes))
    }

    /// The profile's identifier and the extension's data (RFC 3550 §5.3.1).
    pub fn extension(&self) -> Option<(u16, &'a [u8])> {
        self.extension
    }
}

/// Where the payload of a packet begins, whatever is in it: what can be told of one that is encrypted.
pub fn payload_start(bytes: &[u8]) -> Result<usize, Malformed> {
    let (fixed, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Malformed)?;
    let &[first, ..] = fixed;
    if first >> 6 != 2 {
        return Err(Malformed);
    }
    let (_, rest) = rest.split_at_checked(usize::from(first & 0x0f) * 4).ok_or(Malformed)?;
    let (_, rest) = if first & 0x10 != 0 { take_extension(rest)? } else { (None, rest) };
    Ok(bytes.len() - rest.len())
}

type Extension<'a> = (Option<(u16, &'a [u8])>, &'a [u8]);

fn take_extension(bytes: &[u8]) -> Result<Extension<'_>, Malformed> {
    let (&[p0, p1, l0, l1], rest) = bytes.split_first_chunk::<4>().ok_or(Malformed)?;
    let length = usize::from(u16::from_be_bytes([l0, l1])) * 4;
    let (data, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
    Ok((Some((u16::from_be_bytes([p0, p1]), data)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use webrtc_util::marshal::{Marshal, Unmarshal};

    #[test]
    fn the_first_bytes_tell_the_kind() {
        for (bytes, kind) in [
            (&[0u8, 1][..], Kind::Stun),
            (&[16, 0], Kind::Zrtp),
            (&[22, 254], Kind::Dtls),
            (&[64, 0], Kind::Turn),
            (&[0x80, 0], Kind::Rtp),
            (&[0x80, 0x80 | 96], Kind::Rtp),
            (&[0x81, 200], Kind::Rtcp),
            (&[0x80, 207], Kind::Rtcp),
            (&[0x80], Kind::Unknown),
            (&[], Kind::Unknown),
            (&[255, 0], Kind::Unknown),
        ] {
            assert_eq!(Kind::of(bytes), kind, "{bytes:?}");
        }
    }

    #[test]
    fn broken_lengths_are_refused() {
        let whole = Header { payload_type: 8, ..Header::default() }.bytes();
        for length in 0..HEADER_BYTES {
            assert_eq!(Packet::parse(&whole[..length]), Err(Malformed));
        }
        for first in [0x00, 0x40, 0xc0, 0x81, 0x90, 0xa0] {
            let mut bytes = whole;
            bytes[0] = first;
            assert_eq!(Packet::parse(&bytes), Err(Malformed), "{first:x}");
        }
        let mut padded = whole.to_vec();
        padded[0] |= 0x20;
        padded.extend([1, 2, 3, 5]);
        assert_eq!(Packet::parse(&padded), Err(Malformed));
        *padded.last_mut().unwrap() = 0;
        assert_eq!(Packet::parse(&padded), Err(Malformed));
        *padded.last_mut().unwrap() = 2;
        assert_eq!(Packet::parse(&padded).unwrap().payload, [1, 2]);
    }

    #[test]
    fn the_header_is_written_in_place() {
        let header = Header { marker: true, payload_type: 111, sequence: 65_535, timestamp: 7, ssrc: 9 };
        let mut packet = vec![0u8; 20];
        assert!(header.write(&mut packet));
        assert_eq!(Packet::parse(&packet).unwrap().header, header);
        assert!(!header.write(&mut packet[..11]));
    }

    proptest! {
        #[test]
        fn the_rtp_crate_reads_what_is_written(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            payload in prop::collection::vec(any::<u8>(), 1..300),
        ) {
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            let mut bytes = header.bytes().to_vec();
            bytes.extend(&payload);
            let witness = rtp::packet::Packet::unmarshal(&mut Bytes::from(bytes)).unwrap();
            prop_assert_eq!(witness.header.marker, marker);
            prop_assert_eq!(witness.header.payload_type, payload_type);
            prop_assert_eq!(witness.header.sequence_number, sequence);
            prop_assert_eq!(witness.header.timestamp, timestamp);
            prop_assert_eq!(witness.header.ssrc, ssrc);
            prop_assert_eq!(&witness.payload[..], &payload[..]);
        }

        #[test]
        fn what_the_rtp_crate_writes_is_read(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            csrc in prop::collection::vec(any::<u32>(), 0..16),
            extension in prop::option::of((any::<u16>(), prop::collection::vec(any::<u32>(), 0..8))),
            padding in 0u8..32,
            payload in prop::collection::vec(any::<u8>(), 1..300),
        ) {
            let mut header = rtp::header::Header {
                version: 2, padding: padding > 0, marker, payload_type, sequence_number: sequence, timestamp, ssrc,
                csrc: csrc.clone(), ..Default::default()
            };
            // Profiles 0xBEDE and 0x1000 have an inner structure (RFC 8285) that the witness insists on.
            let extension = extension.filter(|(profile, _)| *profile != 0xbede && *profile & 0xfff0 != 0x1000);
            if let Some((profile, words)) = &extension {
                header.extension = true;
                header.extension_profile = *profile;
                let data: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
                header.extensions = vec![rtp::header::Extension { id: 0, payload: Bytes::from(data) }];
            }
            let mut bytes = header.marshal().unwrap().to_vec();
            bytes.extend(&payload);
            if padding > 0 {
                bytes.extend(vec![0u8; usize::from(padding) - 1]);
                bytes.push(padding);
            }
            let packet = Packet::parse(&bytes).unwrap();
            prop_assert_eq!(packet.header, Header { marker, payload_type, sequence, timestamp, ssrc });
            prop_assert_eq!(packet.csrcs().collect::<Vec<_>>(), csrc);
            prop_assert_eq!(packet.extension().map(|(profile, data)| (profile, data.len())),
                extension.map(|(profile, words)| (profile, words.len() * 4)));
            prop_assert_eq!(packet.payload, &payload[..]);
        }

        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Packet::parse(&bytes);
            let _ = Kind::of(&bytes);
        }
    }
}

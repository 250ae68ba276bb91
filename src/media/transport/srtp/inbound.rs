//! What we receive.

use super::cipher::{Cipher, Use};
use super::outbound::{aad, rollovers};
use super::suite::{MasterKey, Suite};
use super::{
    Doubt, ENCRYPTED, RTCP_HEADER_BYTES, RTCP_INDEX_BYTES, Refusal, Stream, Streams, note, rtcp_ssrc, rtp_front,
};
use std::fmt;

/// The longest packet for which other roll-overs are tried.
const TRIED_BYTES: usize = 2_048;

/// Opens packets under one master key.
pub struct Inbound {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
}

impl Inbound {
    /// None where a key can't be made of `master`.
    pub fn new(master: &MasterKey) -> Option<Inbound> {
        let (rtp, rtcp) = (Cipher::new(master, Use::Rtp).ok()?, Cipher::new(master, Use::Rtcp).ok()?);
        Some(Inbound { suite: master.suite(), rtp, rtcp, streams: Streams::default() })
    }

    /// The same streams under another key, which has seen nothing yet. Some peers begin to count their roll-overs anew then,
    /// against §3.2.1, so the first packet of each may do either.
    pub fn rekeyed(&self, master: &MasterKey) -> Option<Inbound> {
        let mut inbound = Inbound { streams: self.streams.clone(), ..Inbound::new(master)? };
        for stream in &mut inbound.streams.0 {
            (stream.rtcp, stream.doubt) = (None, Doubt::Rekeyed);
        }
        Some(inbound)
    }

    /// To be called after a pause in which sequence numbers may have gone round unseen.
    pub fn paused(&mut self) {
        for stream in self.streams.0.iter_mut().filter(|stream| stream.doubt == Doubt::Nothing) {
            stream.doubt = Doubt::Paused;
        }
    }

    #[cfg(test)]
    pub(super) fn streams_for_test(&self) -> usize {
        self.streams.0.len()
    }

    #[cfg(test)]
    pub(super) fn with_ciphers(suite: Suite, rtp: Cipher, rtcp: Cipher) -> Inbound {
        Inbound { suite, rtp, rtcp, streams: Streams::default() }
    }

    /// Opens an RTP packet in place, and tells the length of the plain one at its front (RFC 3711 §3.3). Where it is refused,
    /// what is in `packet` is worth nothing any more.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        let (sequence, ssrc, payload) = rtp_front(packet)?;
        let length = packet.len().checked_sub(self.suite.rtp_overhead()).filter(|&length| length >= payload);
        let length = length.ok_or(Refusal::Malformed)?;
        let mut stream = self.streams.find(ssrc).unwrap_or_else(|| Stream::new(ssrc));
        // What was there already is refused before its tag is looked at, which costs most.
        let index = match stream.candidates(sequence) {
            [None, None, None] => return Err(Refusal::Replayed),
            [Some(index), None, None] => self.open_at(ssrc, index, payload, packet).map(|()| index)?,
            several => self.open_at_one_of(ssrc, &several, payload, packet)?,
        };
        stream.heard(index);
        self.streams.keep(stream);
        Ok(length)
    }

    fn open_at_one_of(
        &self,
        ssrc: u32,
        indices: &[Option<u64>],
        payload: usize,
        packet: &mut [u8],
    ) -> Result<u64, Refusal> {
        let mut room = [0; TRIED_BYTES];
        let copy = room.get_mut(..packet.len()).ok_or(Refusal::Malformed)?;
        copy.copy_from_slice(packet);
        for index in indices.iter().copied().flatten() {
            if self.open_at(ssrc, index, payload, packet).is_ok() {
                return Ok(index);
            }
            packet.copy_from_slice(copy);
        }
        Err(Refusal::Unauthentic)
    }

    fn open_at(&self, ssrc: u32, index: u64, payload: usize, packet: &mut [u8]) -> Result<(), Refusal> {
        let length = packet.len().checked_sub(self.suite.rtp_overhead()).ok_or(Refusal::Malformed)?;
        match &self.rtp {
            Cipher::Counter(cipher) => {
                let (plain, tag) = packet.split_at_mut_checked(length).ok_or(Refusal::Malformed)?;
                cipher.verify([plain, &rollovers(index)], tag).map_err(|_| Refusal::Unauthentic)?;
                let text = plain.get_mut(payload..).ok_or(Refusal::Malformed)?;
                cipher.apply(ssrc, index, text);
                Ok(())
            }
            Cipher::Gcm(cipher) => {
                let (header, text) = packet.split_at_mut_checked(payload).ok_or(Refusal::Malformed)?;
                cipher.open(ssrc, index, header, text).map_err(|_| Refusal::Unauthentic)
            }
        }
    }

    /// The same for a compound RTCP packet (RFC 3711 §3.4), which names its index itself.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        let ssrc = rtcp_ssrc(packet)?;
        let length = packet.len().checked_sub(self.suite.rtcp_overhead()).filter(|&length| length >= RTCP_HEADER_BYTES);
        let length = length.ok_or(Refusal::Malformed)?;
        let (front, trailer) = packet.split_at_mut_checked(length).ok_or(Refusal::Malformed)?;
        let word = match &self.rtcp {
            Cipher::Counter(_) => trailer.first_chunk::<RTCP_INDEX_BYTES>(),
            Cipher::Gcm(_) => trailer.last_chunk::<RTCP_INDEX_BYTES>(),
        };
        let word = *word.ok_or(Refusal::Malformed)?;
        let number = u32::from_be_bytes(word);
        let index = u64::from(number & !ENCRYPTED);
        let mut stream = self.streams.find(ssrc).unwrap_or_else(|| Stream::new(ssrc));
        if stream.rtcp.is_some_and(|indices| !indices.is_new(index)) {
            return Err(Refusal::Replayed);
        }
        match &self.rtcp {
            Cipher::Counter(cipher) => {
                let tag = trailer.get(RTCP_INDEX_BYTES..).ok_or(Refusal::Malformed)?;
                cipher.verify([front, &word], tag).map_err(|_| Refusal::Unauthentic)?;
                if number & ENCRYPTED == 0 {
                    return Err(Refusal::Plain);
                }
                let text = front.get_mut(RTCP_HEADER_BYTES..).ok_or(Refusal::Malformed)?;
                cipher.apply(ssrc, index, text);
            }
            Cipher::Gcm(_) if number & ENCRYPTED == 0 => return Err(Refusal::Plain),
            Cipher::Gcm(cipher) => {
                let header = front.get(..RTCP_HEADER_BYTES).ok_or(Refusal::Malformed)?;
                let aad = aad(header, word);
                let sealed = packet.len() - RTCP_INDEX_BYTES;
                let text = packet.get_mut(RTCP_HEADER_BYTES..sealed).ok_or(Refusal::Malformed)?;
                cipher.open(ssrc, index, &aad, text).map_err(|_| Refusal::Unauthentic)?;
            }
        }
        note(&mut stream.rtcp, index);
        self.streams.keep(stream);
        Ok(length)
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("suite", &self.suite).field("streams", &self.streams).finish_non_exhaustive()
    }
}

//! RTP packets and telephone events.

use tandem::wire::dtmf;
use tandem::wire::rtp::{Kind, Packet};

pub fn run(bytes: &[u8]) {
    let _ = Kind::of(bytes);
    if let Ok(packet) = Packet::parse(bytes) {
        assert!(packet.payload.len() <= bytes.len(), "a payload from nowhere");
        let _ = (packet.csrcs().count(), packet.extension().map(|(_, words)| words.len()));
        let _ = dtmf::Event::parse(packet.payload).and_then(dtmf::Event::digit);
    }
    if let Some(event) = dtmf::Event::parse(bytes) {
        assert_eq!(dtmf::Event::parse(&event.bytes()), Some(event));
    }
}

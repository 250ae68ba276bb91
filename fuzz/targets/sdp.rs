//! Session descriptions: what is understood is written so that it is understood as the same.

use tandem::wire::sdp;

pub fn run(bytes: &[u8]) {
    let Ok(description) = sdp::parse(bytes) else { return };
    let written = sdp::write(&description, "x");
    let again = sdp::parse(written.as_bytes()).expect("our own description can be read");
    assert_eq!(again.media.len(), description.media.len(), "a media line is lost");
    assert_eq!(sdp::write(&again, "x"), written, "what is written changes each time");
}

//! Session descriptions: what is understood is written so that it is understood as the same.

use tandem::wire::sdp;

pub fn run(bytes: &[u8]) {
    let Ok(description) = sdp::parse(bytes) else { return };
    let written = sdp::write(&description, "x");
    let again = sdp::parse(written.as_bytes()).expect("our own description can be read");
    assert_eq!(again.media.len(), description.media.len(), "a media line is lost");
    // A refused line that had no format got one by the first writing.
    let normal = sdp::write(&again, "x");
    let last = sdp::parse(normal.as_bytes()).expect("our own description can be read again");
    assert_eq!(sdp::write(&last, "x"), normal, "what is written changes each time");
    assert_eq!(last, again, "what is written is read as something else");
}

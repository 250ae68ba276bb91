//! RTCP, whole and compound.

use tandem::wire::rtcp;

pub fn run(bytes: &[u8]) {
    let mut items = 0;
    let _ = rtcp::read(bytes, |_| items += 1);
    assert!(items <= bytes.len(), "more items than bytes");
}

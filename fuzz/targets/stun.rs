//! STUN as keep-alives use it: a request that is read is answered with what its sender can read.

use std::net::SocketAddr;
use tandem::wire::stun::{Request, is_stun, mapped};

pub fn run(bytes: &[u8]) {
    let _ = is_stun(bytes);
    let Some(request) = Request::parse(bytes) else { return };
    let source: SocketAddr = "[2001:db8::7]:5060".parse().expect("an address");
    let answer = request.answer(source);
    assert!(answer.len() <= 3 * bytes.len().max(64), "{} bytes for {}", answer.len(), bytes.len());
    if request.unknown.is_empty() {
        assert_eq!(mapped(&answer, &request), Some(source));
    }
    let _ = mapped(bytes, &request);
}

//! The corpus of each fuzz target, replayed: what was found once stays found.

use std::path::Path;

#[path = "../fuzz/targets/message.rs"]
mod message;
#[path = "../fuzz/targets/rtcp.rs"]
mod rtcp;
#[path = "../fuzz/targets/rtp.rs"]
mod rtp;
#[path = "../fuzz/targets/sdp.rs"]
mod sdp;
#[path = "../fuzz/targets/stun.rs"]
mod stun;
#[path = "../fuzz/targets/switch.rs"]
mod switch;
#[path = "../fuzz/targets/uri.rs"]
mod uri;

#[test]
fn messages() {
    replay("message", message::run);
}

#[test]
fn uris() {
    replay("uri", uri::run);
}

#[test]
fn descriptions() {
    replay("sdp", sdp::run);
}

#[test]
fn rtp_packets() {
    replay("rtp", rtp::run);
}

#[test]
fn rtcp_packets() {
    replay("rtcp", rtcp::run);
}

#[test]
fn keep_alives() {
    replay("stun", stun::run);
}

#[test]
fn operations_on_the_switch() {
    replay("switch", switch::run);
}

/// Bytes of a generator, so that there is something new beside what was found; as many rounds as `FUZZ_ROUNDS` says, from
/// the seed that `FUZZ_SEED` says.
#[test]
fn chance_on_the_switch() {
    let wanted = |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (seed, rounds) = (wanted("FUZZ_SEED", 1), wanted("FUZZ_ROUNDS", 300));
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed | 1);
    for round in 0..rounds {
        let bytes: Vec<u8> = (0..100 + round % 300 * 2)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            })
            .collect();
        switch::run(&bytes);
    }
}

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 2, "{} is empty", folder.display());
    for file in files {
        // A panic is told with the file's name above it.
        println!("{}", file.display());
        run(&std::fs::read(&file).unwrap());
    }
}

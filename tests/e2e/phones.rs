//! Two phones on the gateway: sound both ways where no codec is common, all phones of a user ringing, hold.

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::linphone::Linphone;
use crate::lab::quiet;
use crate::lab::speech::{Speech, score};
use crate::lab::wait::{self, seconds};
use std::path::Path;

/// FFmpeg's way of saying PCMA and Opus.
const PCMA: &[&str] = &["-ar", "8000", "-ac", "1", "-c:a", "pcm_alaw"];
const OPUS: &[&str] = &["-ar", "48000", "-ac", "1", "-c:a", "libopus", "-b:a", "32k", "-application", "voip"];
/// What conversion may cost beside the codecs, in points of the score.
const LOSS: f64 = 0.3;

#[test]
fn a_phone_with_pcma_and_one_with_opus_understand_each_other() {
    let _machine = quiet::alone();
    quiet::hearing(|| {
        let gateway = Gateway::start(&Setup::new().alice_and_bob());
        let alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
        let bob = Linphone::start(&gateway, 3, "bob", "builder", "opus", &Speech::bob().wav(48_000));
        gateway.await_registered("alice", 1);
        gateway.await_registered("bob", 1);

        alice.dial(&format!("sip:bob@{DOMAIN}"));
        let at_bob = bob.heard(seconds(40));
        let records = gateway.closed_records(1, seconds(10));
        let at_alice = wait::until("alice's recording", seconds(5), || alice.heard().pop());
        let codecs: Vec<String> =
            (0..2).map(|leg| records[0]["legs"][leg]["codec"].to_string().to_lowercase()).collect();
        assert!(codecs[0].contains("pcma") && codecs[1].contains("opus"), "{records:#?}");
        assert_eq!(records[0]["ended_by"], "caller", "{records:#?}");
        for leg in [0, 1] {
            let mos = records[0]["legs"][leg]["media"]["mos_received"].as_f64();
            assert!(mos.is_some_and(|mos| mos > 3.0), "what leg {leg} said came here: {records:#?}");
        }
        converted(&at_alice, &at_bob)
    });
}

/// The same, called the other way round: the gateway's offer to PCMA comes from a caller with Opus.
#[test]
fn a_phone_with_opus_calls_one_with_pcma() {
    let _machine = quiet::alone();
    quiet::hearing(|| {
        let gateway = Gateway::start(&Setup::new().alice_and_bob());
        let alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
        let mut bob = Linphone::start(&gateway, 3, "bob", "builder", "opus", &Speech::bob().wav(48_000));
        gateway.await_registered("alice", 1);
        gateway.await_registered("bob", 1);

        bob.dial(&format!("sip:+15550100001@{DOMAIN}"));
        let at_bob = bob.heard(seconds(40));
        gateway.closed_records(1, seconds(10));
        let at_alice = wait::until("alice's recording", seconds(5), || alice.heard().pop());
        converted(&at_alice, &at_bob)
    });
}

#[test]
fn a_shared_codec_is_relayed_untouched() {
    let _machine = quiet::alone();
    quiet::hearing(|| {
        let gateway = Gateway::start(&Setup::new().alice_and_bob());
        let [alice, bob] = alice_calls_bob(&gateway);
        gateway.closed_records(1, seconds(40));
        let [at_alice, at_bob] =
            [&alice, &bob].map(|phone| wait::until("a recording", seconds(5), || phone.heard().pop()));
        compare("PCMA to bob", Speech::alice(), &at_bob, &[PCMA], 0.15)?;
        compare("PCMA to alice", Speech::bob(), &at_alice, &[PCMA], 0.15)
    });
}

#[test]
fn all_phones_of_a_user_ring_and_the_first_to_answer_has_the_call() {
    let _machine = quiet::alone();
    let gateway = Gateway::start(&Setup::new().alice_and_bob());
    let speech = Speech::bob().wav(8_000);
    let alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
    let rings = Account { answers: false, ..Account::BOB };
    let desk = Baresip::start(&gateway, 3, &rings, &speech);
    let mobile = Baresip::start(&gateway, 4, &rings, &speech);
    gateway.await_registered("alice", 1);
    gateway.await_registered("bob", 2);

    alice.dial(&format!("sip:bob@{DOMAIN}"));
    for phone in [&desk, &mobile] {
        wait::until("the phone to ring", seconds(5), || phone.log().contains("Incoming call").then_some(()));
    }
    mobile.command("accept", "");
    wait::until("the other phone to stop ringing", seconds(5), || {
        let log = desk.log();
        (log.contains("session closed") || log.contains("terminated") || log.contains("cancelled")).then_some(())
    });
    let calls = gateway.await_calls(1, seconds(5));
    assert_eq!(calls[0]["state"], "talking", "{calls:#?}");
    alice.await_established();
    alice.hang_up();
    let records = gateway.closed_records(1, seconds(10));
    assert_eq!(records[0]["legs"].as_array().map(Vec::len), Some(3), "caller, desk and mobile: {records:#?}");
    assert_eq!(records[0]["status"], 200, "{records:#?}");
}

#[test]
fn a_call_is_held_and_resumed() {
    let _machine = quiet::alone();
    let gateway = Gateway::start(&Setup::new().alice_and_bob());
    let [alice, bob] = alice_calls_bob(&gateway);
    wait::until("the call to be answered", seconds(5), || {
        (gateway.calls().first()?["state"] == "talking").then_some(())
    });
    let before = bob.log().len();
    alice.command("hold", "");
    wait::until("bob to be held", seconds(5), || bob.log()[before..].contains("a=recvonly").then_some(()));
    let held = bob.log().len();
    alice.command("resume", "");
    wait::until("bob to be resumed", seconds(5), || bob.log()[held..].contains("a=sendrecv").then_some(()));
    let flowing = gateway.metric("tandem_rtp_packets_total", "sent");
    wait::until("sound after the hold", seconds(5), || {
        (gateway.metric("tandem_rtp_packets_total", "sent") > flowing + 100.0).then_some(())
    });
    gateway.await_calls(1, seconds(1));
    bob.hang_up();
    let records = gateway.closed_records(1, seconds(10));
    assert_eq!(records[0]["ended_by"], "callee", "{records:#?}");
}

/// Two phones with PCMA, of which the first calls the second.
#[track_caller]
fn alice_calls_bob(gateway: &Gateway) -> [Baresip; 2] {
    let alice = Baresip::start(gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
    let bob = Baresip::start(gateway, 3, &Account::BOB, &Speech::bob().wav(8_000));
    gateway.await_registered("alice", 1);
    gateway.await_registered("bob", 1);
    alice.dial(&format!("sip:bob@{DOMAIN}"));
    [alice, bob]
}

/// Between Alice with PCMA and Bob with Opus.
fn converted(at_alice: &Path, at_bob: &Path) -> Result<(), String> {
    compare("PCMA to Opus", Speech::alice(), at_bob, &[PCMA, OPUS], LOSS)?;
    compare("Opus to PCMA", Speech::bob(), at_alice, &[OPUS, PCMA], LOSS)
}

/// Prints what the codecs alone give beside what was heard, and refuses where more is lost than may be.
fn compare(what: &str, speech: &Speech, heard: &Path, codecs: &[&[&str]], loss: f64) -> Result<(), String> {
    let (alone, heard) = (score(&speech.said(), &speech.through(codecs)), score(&speech.said(), heard));
    let text = format!("{what}: the codecs alone {alone:?}, through the gateway {heard:?}");
    println!("{text}");
    let level = (heard.level_db - alone.level_db).abs();
    if heard.mos > alone.mos - loss && level < 4.0 { Ok(()) } else { Err(text) }
}

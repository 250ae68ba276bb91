//! Digits to a peer that knows them as tones only, and from it.

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};
use tandem_codecs::tone::dtmf::{Detector, Event};

const PLAN: &str = r#"
[[rule]]
name = "Out"
from = ["users"]
number = "+1NXXNXXXXXX"
to = [{ trunk = "old" }]
"#;

const DIGITS: &str = "1559*0#D";

/// Alice's telephone-events go out as tones to a peer that gives back what it hears; its tones come back to her as
/// telephone-events.
#[test]
fn digits_go_out_as_tones_and_come_back_as_events() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let old = format!("host = \"{}\"\ndtmf = \"inband\"", net.host(3));
    let gateway = Gateway::start_in(net, &Setup::new().alice_and_bob().trunk("old", &old).plan(PLAN));
    let _echo = sipp::Plan::callee(net, 3).pcma().echoing().start();
    let alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
    gateway.await_registered("alice", 1);
    alice.dial(&format!("sip:+14155550100@{DOMAIN}"));
    wait::until("the call to be answered", seconds(10), || {
        (gateway.calls().first()?["state"] == "talking").then_some(())
    });
    let mut expected = String::new();
    for digit in DIGITS.chars() {
        alice.command("sndcode", &digit.to_string());
        expected.push(digit);
        let all = || (received(&alice.log()) == expected).then_some(());
        wait::within(seconds(5), all).unwrap_or_else(|| panic!("{:?} of {expected:?}", received(&alice.log())));
    }
    alice.hang_up();
    let records = gateway.closed_records(1, seconds(10));
    assert_eq!(records[0]["ended_by"], "caller", "{records:#?}");
    assert_eq!(received(&alice.log()), DIGITS);
}

/// The telephone for scripts dials in tones where its peer has nothing else, and hears its own again.
#[test]
fn a_script_dials_in_tones() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &Setup::new());
    let _echo = sipp::Plan::callee(net, 3).pcma().echoing().start();
    let (uri, heard) = (format!("sip:old@{}", net.host(3)), gateway.folder().join("heard.wav"));
    let record = heard.display().to_string();
    let words = ["call", &uri, "--codec", "PCMA", "--dtmf", DIGITS, "--record", &record, "--for", "4s"];
    let output = gateway.cli(&words);
    assert!(output.status.success(), "{output:?}");
    let mut reader = hound::WavReader::open(&heard).expect("a recording");
    let pcm: Vec<i16> = reader.samples::<i16>().map(|sample| sample.expect("samples")).collect();
    let mut digits = String::new();
    Detector::new(reader.spec().sample_rate).push(&pcm, |event| {
        if let Event::Ended { digit, .. } = event {
            digits.push(char::from(digit));
        }
    });
    assert_eq!(digits, DIGITS);
}

/// The digits that a phone says it received, each at its begin.
fn received(log: &str) -> String {
    let begun = log.lines().filter(|line| line.contains("(end=0)"));
    begun.filter_map(|line| line.split_once("received event: '")?.1.chars().next()).collect()
}

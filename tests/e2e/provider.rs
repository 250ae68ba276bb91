//! A provider that asks for digest registration: calls out, calls in, and its restart.

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::kamailio::{Kamailio, PASSWORD, REALM, USERNAME};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};
use std::time::Duration;

/// The number that the provider has for us rings alice; everything else of hers goes out.
const PLAN: &str = r#"
[[rule]]
name = "In"
from = ["trunk:acme"]
number = "+15550100001"
to = [{ user = "alice" }]

[[rule]]
name = "Out"
from = ["users"]
number = "+1NXXNXXXXXX"
to = [{ trunk = "acme" }]
"#;

#[test]
fn a_provider_registers_us_takes_calls_gives_calls_and_restarts() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let mut provider = Kamailio::provider(net, 5, 6);
    let gateway = Gateway::start_in(net, &setup(&provider));
    await_registered(&gateway, &provider);
    let _network = Plan::callee(net, 6).start();
    let alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
    gateway.await_registered("alice", 1);

    call_out(&gateway, &alice, 1);
    call_in(&gateway, 2);

    provider.stop();
    wait::until("the gateway to see that the provider is gone", seconds(40), || {
        (gateway.trunk("acme")["up"] == false).then_some(())
    });
    provider.start_again();
    wait::until("the gateway to see the provider again", seconds(40), || {
        (gateway.trunk("acme")["up"] == true).then_some(())
    });
    // The provider forgot us. It knows us again at the next registration, 30 s apart at most.
    wait::until("a call in after the restart", seconds(40), || {
        let mut caller = caller(&gateway);
        caller.ended(seconds(20)).then_some(())
    });
    let records = gateway.closed_records(3, seconds(10));
    call_out(&gateway, &alice, records.len() + 1);
}

#[test]
fn a_wrong_password_is_told_and_does_not_hammer_the_provider() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let provider = Kamailio::provider(net, 5, 6);
    let trunk = format!(
        "host = \"{}\"\ndomain = \"{REALM}\"\nusername = \"{USERNAME}\"\npassword = \"wrong\"\nregister = true",
        provider.host()
    );
    let gateway = Gateway::start_in(net, &Setup::new().alice_and_bob().trunk("acme", &trunk).plan(PLAN));
    let state = wait::until("the refusal to be shown", seconds(10), || {
        let trunk = gateway.trunk("acme");
        (trunk["state"].as_str()?.contains("not accepted") && trunk["registered_until"].is_null()).then_some(trunk)
    });
    println!("{state:#}");
    let sent = gateway.metric("tandem_sip_messages_total", "sent");
    // Anything that goes on faster than the back-off shows itself in two seconds.
    let more =
        wait::within(seconds(2), || (gateway.metric("tandem_sip_messages_total", "sent") > sent + 10.0).then_some(()));
    assert!(more.is_none(), "registration is retried without a pause:\n{}", gateway.log());
}

fn setup(provider: &Kamailio) -> Setup {
    let trunk = format!(
        "host = \"{}\"\ndomain = \"{REALM}\"\nusername = \"{USERNAME}\"\npassword = \"{PASSWORD}\"\nregister = true\n\
         expires = \"30s\"\ncodecs = [\"PCMU\", \"PCMA\"]",
        provider.host()
    );
    Setup::new().alice_and_bob().sip("options_interval = \"1s\"").trunk("acme", &trunk).plan(PLAN)
}

#[track_caller]
fn await_registered(gateway: &Gateway, provider: &Kamailio) {
    let came = wait::within(seconds(10), || (!gateway.trunk("acme")["registered_until"].is_null()).then_some(()));
    assert!(came.is_some(), "{:#}\nthe provider's log:\n{}", gateway.trunk("acme"), provider.log());
}

/// Alice calls a number outside, which the provider takes after it asked for digest.
#[track_caller]
fn call_out(gateway: &Gateway, alice: &Baresip, record: usize) {
    alice.dial(&format!("sip:+14155550100@{DOMAIN}"));
    wait::until("the call out to be answered", seconds(10), || {
        (gateway.calls().first()?["state"] == "talking").then_some(())
    });
    let before = gateway.metric("tandem_rtp_packets_total", "sent");
    wait::until("sound both ways", seconds(5), || {
        (gateway.metric("tandem_rtp_packets_total", "sent") > before + 100.0).then_some(())
    });
    alice.hang_up();
    let records = gateway.closed_records(record, seconds(10));
    let latest = &records[0];
    assert_eq!(latest["status"], 200, "{latest:#}");
    assert_eq!(latest["rule"], "Out", "{latest:#}");
    assert_eq!(latest["legs"][1]["target"], "trunk:acme", "{latest:#}");
    assert_eq!(latest["number"], "+14155550100", "{latest:#}");
}

/// The telephone network calls our number, and alice's phone answers.
#[track_caller]
fn call_in(gateway: &Gateway, record: usize) {
    caller(gateway).succeeded(seconds(20));
    let records = gateway.closed_records(record, seconds(10));
    let latest = &records[0];
    assert_eq!(latest["caller"], "trunk:acme", "{latest:#}");
    assert_eq!(latest["legs"][1]["target"], "user:alice", "{latest:#}");
    assert_eq!(latest["status"], 200, "{latest:#}");
}

fn caller(gateway: &Gateway) -> crate::lab::sipp::Sipp {
    let provider = format!("{}:5060", gateway.net.host(5));
    let plan = Plan::caller(gateway.net, 6, &provider, "+15550100001").port(5070);
    plan.calls(1, 1, Duration::from_secs(2)).start()
}

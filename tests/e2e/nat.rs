//! Phones behind a NAT that changes their ports and soon forgets who is silent.

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::nat::{self, Nat};
use crate::lab::quiet;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What the router remembers. A phone that keeps a flow is heard twice in that time.
const MEMORY: Duration = seconds(6);

#[test]
fn a_phone_behind_a_nat_is_called_long_after_it_registered_and_calls() {
    let _machine = quiet::beside_others();
    let Some(nat) = Nat::build(MEMORY) else { return };
    let address = SocketAddr::from((nat::GATEWAY, 5060));
    let setup = Setup::new().alice_and_bob().user("carol", "lookingglass", "+15550100003").listen(address);
    let gateway = Gateway::start(&setup.sip("flow_timer = \"3s\""));
    let bob = Baresip::start(&gateway, 3, &Account::BOB, &Speech::bob().wav(8_000));
    let outside = address.to_string();
    let phone = |account: &Account<'_>, at| {
        nat.in_house(|| {
            let account = Account { at: Some(at), through: &outside, ..*account };
            Baresip::start(&gateway, 0, &account, &Speech::alice().wav(8_000))
        })
    };
    let alice = phone(&Account { more: ";sipnat=outbound", ..Account::ALICE }, nat::HOUSE);
    let silent = Account { user: "carol", password: "lookingglass", ..Account::ALICE };
    let silent = phone(&silent, nat::NEIGHBOUR);
    for user in ["alice", "bob", "carol"] {
        gateway.await_registered(user, 1);
    }
    let registered = Instant::now();
    let seen = format!("@{}:5060 from udp:{}:", nat::HOUSE, nat::OUTSIDE);
    wait::until("the log to say so", seconds(5), || gateway.log().contains(&seen).then_some(()));
    wait::until("the router to forget", MEMORY * 4, || (registered.elapsed() > MEMORY * 2).then_some(()));

    bob.dial(&format!("sip:alice@{DOMAIN}"));
    let record = talk(&gateway, 1, || bob.hang_up());
    heard_both_ways(&record);
    nat.in_house(|| alice.dial(&format!("sip:bob@{DOMAIN}")));
    let record = talk(&gateway, 2, || nat.in_house(|| alice.hang_up()));
    heard_both_ways(&record);

    // Whom the router forgot isn't reached, so that the others weren't by chance.
    bob.dial(&format!("sip:carol@{DOMAIN}"));
    wait::until("the call", seconds(5), || gateway.calls().first().map(drop));
    let rang = wait::within(seconds(3), || silent.log().contains("Incoming call").then_some(()));
    assert!(rang.is_none(), "the router remembers all: {}", silent.log());
    bob.hang_up();
    gateway.closed_records(3, seconds(10));
}

/// Waits for the call to be answered and for sound on both legs, and returns its record.
#[track_caller]
fn talk(gateway: &Gateway, count: usize, hang_up: impl FnOnce()) -> Value {
    wait::until("the call to be answered", seconds(10), || {
        (gateway.calls().first()?["state"] == "talking").then_some(())
    });
    let before = gateway.metric("tandem_rtp_packets_total", "sent");
    wait::until("sound", seconds(10), || {
        (gateway.metric("tandem_rtp_packets_total", "sent") > before + 150.0).then_some(())
    });
    hang_up();
    gateway.closed_records(count, seconds(10))[0].clone()
}

/// Both sides were heard, and what one said was sent where the other is seen, not where it says that it is.
#[track_caller]
fn heard_both_ways(record: &Value) {
    let mut behind = 0;
    for leg in record["legs"].as_array().expect("a record has legs") {
        let media = &leg["media"];
        assert!(media["received_packets"].as_u64() >= Some(50), "{record:#}");
        assert!(media["sent_packets"].as_u64() >= Some(50), "{record:#}");
        let source = media["source"].as_str().unwrap_or_default();
        behind += usize::from(source.starts_with(&nat::OUTSIDE.to_string()));
    }
    assert_eq!(behind, 1, "{record:#}");
}

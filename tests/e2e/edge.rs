//! Phones behind a proxy that stays in the way: Path at their registration, Record-Route in their calls.

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::kamailio::Kamailio;
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};

#[test]
fn phones_speak_through_an_edge_over_udp() {
    speak_through("udp");
}

#[test]
fn phones_speak_through_an_edge_that_speaks_tcp_with_us() {
    speak_through("tcp");
}

fn speak_through(transport: &str) {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let edge = Kamailio::edge(net, 5, transport);
    let gateway = Gateway::start_in(net, &Setup::new().alice_and_bob());
    let through = format!("{}:5060", edge.host());
    let alice = Account { through: &through, ..Account::ALICE };
    let alice = Baresip::start(&gateway, 2, &alice, &Speech::alice().wav(8_000));
    let bob = Account { through: &through, ..Account::BOB };
    let bob = Baresip::start(&gateway, 3, &bob, &Speech::bob().wav(8_000));
    gateway.await_registered("alice", 1);
    gateway.await_registered("bob", 1);

    talk(&gateway, &alice, "bob");
    hold_and_resume(&gateway, &alice, &bob);
    bob.hang_up();
    let records = gateway.closed_records(1, seconds(10));
    assert_eq!(records[0]["ended_by"], "callee", "{records:#?}");
    for leg in 0..2 {
        let address = records[0]["legs"][leg]["address"].as_str().unwrap_or_default();
        assert!(address.starts_with(&format!("{transport}:{}", edge.host())), "{records:#?}");
    }

    talk(&gateway, &bob, "alice");
    hold_and_resume(&gateway, &bob, &alice);
    alice.hang_up();
    let records = gateway.closed_records(2, seconds(10));
    assert_eq!(records[0]["ended_by"], "callee", "{records:#?}");

    talk(&gateway, &alice, "bob");
    let id = gateway.calls()[0]["id"].as_str().expect("a call has an id").to_owned();
    assert!(gateway.cli(&["hangup", &id]).status.success());
    gateway.closed_records(3, seconds(10));
    for phone in [&alice, &bob] {
        wait::until("the phone to be hung up on", seconds(10), || phone.log().contains("BYE sip:").then_some(()));
    }

    let passed = edge.log();
    for request in ["INVITE", "ACK", "BYE"] {
        for from in [net.gateway(), net.host(2), net.host(3)] {
            let wanted = format!("inside: {request} from {from}");
            assert!(passed.contains(&wanted), "no {wanted} in\n{passed}");
        }
    }
    for phone in [&alice, &bob] {
        let (log, from) = (phone.log(), |host| format!("UDP {host}:5060 ->"));
        assert!(log.contains(&from(edge.host())), "{log}");
        assert!(!log.contains(&from(net.gateway())), "something went around the edge:\n{log}");
    }
}

/// A call that both sides hear.
#[track_caller]
fn talk(gateway: &Gateway, caller: &Baresip, callee: &str) {
    caller.dial(&format!("sip:{callee}@{DOMAIN}"));
    wait::until("the call to be answered", seconds(10), || {
        (gateway.calls().first()?["state"] == "talking").then_some(())
    });
    let before = gateway.metric("tandem_rtp_packets_total", "sent");
    wait::until("sound", seconds(10), || {
        (gateway.metric("tandem_rtp_packets_total", "sent") > before + 100.0).then_some(())
    });
}

/// One holds, and the other is told and told again.
#[track_caller]
fn hold_and_resume(gateway: &Gateway, holder: &Baresip, held: &Baresip) {
    let before = held.log().len();
    holder.command("hold", "");
    wait::until("the hold", seconds(10), || held.log()[before..].contains("a=recvonly").then_some(()));
    let before = held.log().len();
    holder.command("resume", "");
    wait::until("its end", seconds(10), || held.log()[before..].contains("a=sendrecv").then_some(()));
    let before = gateway.metric("tandem_rtp_packets_total", "sent");
    wait::until("sound after the hold", seconds(10), || {
        (gateway.metric("tandem_rtp_packets_total", "sent") > before + 100.0).then_some(())
    });
}

//! TCP beside UDP, IPv6 beside IPv4, and one side of each.

use crate::crowd::THROUGH;
use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::speech::{Speech, score};
use crate::lab::wait::{self, seconds};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

#[test]
fn calls_come_by_tcp_and_go_by_tcp() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let trunk = format!("host = \"{}\"\ntransport = \"tcp\"", net.host(3));
    let gateway = Gateway::start_in(net, &Setup::new().peer("left", net.host(2)).trunk("right", &trunk).plan(THROUGH));
    let _right = Plan::callee(net, 3).tcp().start();
    let mut left = Plan::caller(net, 2, &gateway.sip(), "1000").tcp().calls(20, 20, seconds(1)).start();
    left.succeeded(seconds(30));
    let records = gateway.closed_records(20, seconds(10));
    let address = records[0]["legs"][1]["address"].as_str().unwrap_or_default();
    assert!(address.starts_with("tcp:"), "{:#}", records[0]);
}

#[test]
fn calls_come_by_udp_and_go_by_tcp() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let trunk = format!("host = \"{}\"\ntransport = \"tcp\"", net.host(3));
    let gateway = Gateway::start_in(net, &Setup::new().peer("left", net.host(2)).trunk("right", &trunk).plan(THROUGH));
    let _right = Plan::callee(net, 3).tcp().start();
    let mut left = Plan::caller(net, 2, &gateway.sip(), "1000").calls(5, 5, seconds(1)).start();
    left.succeeded(seconds(30));
    gateway.closed_records(5, seconds(10));
}

/// A phone behind TCP is reached over the connection that it registered on.
#[test]
fn a_phone_registers_over_tcp_and_is_called() {
    let _machine = quiet::beside_others();
    let gateway = Gateway::start(&Setup::new().alice_and_bob());
    let alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
    let over_tcp = Account { transport: "tcp", ..Account::BOB };
    let bob = Baresip::start(&gateway, 3, &over_tcp, &Speech::bob().wav(8_000));
    gateway.await_registered("alice", 1);
    gateway.await_registered("bob", 1);
    alice.dial(&format!("sip:bob@{DOMAIN}"));
    wait::until("the call to be answered", seconds(5), || {
        (gateway.calls().first()?["state"] == "talking").then_some(())
    });
    bob.hang_up();
    let records = gateway.closed_records(1, seconds(10));
    assert_eq!(records[0]["ended_by"], "callee", "{:#}", records[0]);
}

#[test]
fn an_ipv6_caller_hears_the_echo() {
    let _machine = quiet::alone();
    let port = free_port();
    let gateway = Gateway::start(&Setup::new().alice_and_bob().listen(port));
    let heard = gateway.folder().join("heard.wav");
    let (uri, play) = (format!("sip:*43@{port}"), Speech::alice().wav(16_000).display().to_string());
    let record = heard.display().to_string();
    let words = ["call", &uri, "--user", "alice", "--password", "wonderland", "--play", &play, "--record", &record];
    quiet::hearing(|| {
        let output = gateway.cli(&[&words[..], &["--for", "12s"]].concat());
        assert!(output.status.success(), "{output:?}\nthe gateway's log:\n{}", gateway.log());
        let score = score(&Speech::alice().said(), &heard);
        println!("echo over IPv6: {score:?}");
        if score.mos > 3.4 { Ok(()) } else { Err(format!("{score:?}")) }
    });
}

/// The media has an address of each family on its two sides.
#[test]
fn ipv6_calls_ipv4() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let port = free_port();
    let setup = Setup::new().listen(port).trunk("left", "host = \"::1\"").peer("right", net.host(3)).plan(THROUGH);
    let gateway = Gateway::start_in(net, &setup);
    let _right = Plan::callee(net, 3).start();
    let caller = Plan::new("caller.xml", IpAddr::V6(Ipv6Addr::LOCALHOST)).port(free_port().port());
    let mut left = caller.to(&port.to_string(), "1000").calls(3, 3, Duration::from_secs(2)).start();
    left.succeeded(seconds(30));
    let records = gateway.closed_records(3, seconds(10));
    for leg in records[0]["legs"].as_array().expect("a record has legs") {
        assert!(leg["media"]["received_packets"].as_u64() >= Some(80), "{:#}", records[0]);
    }
}

fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("this machine has an IPv6 loopback");
    socket.local_addr().expect("it is bound")
}

//! A trunk that is found by DNS, whose servers die, move and change their family, and DNS that falls silent.

use crate::crowd::THROUGH;
use crate::lab::dns::Dns;
use crate::lab::gateway::{Gateway, Setup};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::wait::{self, seconds};
use serde_json::Value;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

fn start(net: Net, dns: &Dns, trunk: &str, listen: Option<SocketAddr>) -> Gateway {
    let setup = Setup::new()
        .sip(&format!("dns = [\"{}\"]", dns.address))
        .sip("trunk_timeout = \"1s\"\noptions_interval = \"0\"")
        .peer("left", net.host(2))
        .trunk("right", trunk)
        .plan(THROUGH);
    let gateway = Gateway::start_in(net, &listen.into_iter().fold(setup, Setup::listen));
    wait::until("the trunk to be found", seconds(10), || (gateway.trunk("right")["up"] == true).then_some(()));
    gateway
}

/// One call from the left to the right; its record.
#[track_caller]
fn call(gateway: &Gateway, port: u16, records: usize) -> Value {
    let plan = Plan::caller(gateway.net, 2, &gateway.sip(), "1000").port(port);
    plan.calls(1, 1, Duration::from_secs(1)).start().succeeded(seconds(20));
    gateway.closed_records(records, seconds(10))[0].clone()
}

#[track_caller]
fn leg(record: &Value, leg: usize, status: u64, address: &str) {
    let leg = &record["legs"][leg];
    assert_eq!((leg["status"].as_u64(), leg["address"].as_str()), (Some(status), Some(address)), "{record:#}");
}

#[test]
fn servers_die_and_move_and_dns_falls_silent() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let dns = Dns::start(net.host(53).into());
    let (dead, first, second) = (net.host(5), net.host(6), net.host(7));
    dns.set(&format!(
        "acme.example 5 NAPTR 10 10 s SIP+D2U _sip._udp.acme.example
         _sip._udp.acme.example 5 SRV 10 0 5060 dead.acme.example
         _sip._udp.acme.example 5 SRV 20 0 5060 first.acme.example
         dead.acme.example 5 A {dead}
         first.acme.example 5 A {first}"
    ));
    let gateway = start(net, &dns, "host = \"acme.example\"", None);
    let _first = Plan::callee(net, 6).start();
    let record = call(&gateway, 5060, 1);
    // Nobody listens there, which the kernel says at once.
    leg(&record, 1, 503, &format!("udp:{dead}:5060"));
    leg(&record, 2, 200, &format!("udp:{first}:5060"));
    let addresses = gateway.trunk("right")["addresses"].clone();
    assert!(addresses[0]["out_for_s"].as_u64() > Some(10) && addresses[1]["out_for_s"].is_null(), "{addresses:#}");
    assert_eq!(gateway.metric("tandem_trunk_addresses_out", "right"), 1.0);
    let shown = gateway.cli(&["trunks"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("out for"), "{shown:?}");
    leg(&call(&gateway, 5061, 2), 1, 200, &format!("udp:{first}:5060"));

    let _second = Plan::callee(net, 7).start();
    dns.set(&format!("acme.example 5 A {second}"));
    let found = format!("udp:{second}:5060");
    wait::until("the new address to be known", seconds(20), || {
        (gateway.trunk("right")["addresses"][0]["address"] == found.as_str()).then_some(())
    });
    leg(&call(&gateway, 5062, 3), 1, 200, &found);

    let asked = dns.asked();
    assert!(asked < 100, "answers are kept for as long as they say: {asked} questions");
    dns.be_silent(true);
    wait::until("the failing look-up to be shown", seconds(30), || {
        (gateway.metric("tandem_trunk_lookup_failing", "right") == 1.0).then_some(())
    });
    leg(&call(&gateway, 5063, 4), 1, 200, &found);
}

#[test]
fn an_ipv4_caller_reaches_a_server_of_ipv6() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let dns = Dns::start(net.host(53).into());
    let right = free_port();
    dns.set("six.example 60 AAAA ::1");
    let trunk = format!("host = \"six.example\"\nport = {}", right.port());
    let gateway = start(net, &dns, &trunk, Some(free_port()));
    let _right = Plan::new("callee.xml", IpAddr::V6(Ipv6Addr::LOCALHOST)).port(right.port()).start();
    let record = call(&gateway, 5060, 1);
    leg(&record, 1, 200, &format!("udp:{right}"));
    for leg in record["legs"].as_array().expect("a record has legs") {
        assert!(leg["media"]["received_packets"].as_u64() >= Some(30), "{record:#}");
    }
}

fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("this machine has an IPv6 loopback");
    socket.local_addr().expect("it is bound")
}

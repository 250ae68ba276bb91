//! The scenarios that SIPp brings along, as they are. `branchc` and `branchs` are left out: the one registers without a
//! password, the other wants a call within the dialog of a registration.

use crate::crowd::{THROUGH, between};
use crate::lab::gateway::{Gateway, Setup};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::wait::{self, seconds};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(500);

#[test]
fn uac_calls_uas_over_udp() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &between(net));
    let _right = own("uas", net, 3).start();
    for (count, scenario) in ["uac", "regexp"].into_iter().enumerate() {
        let left = own(scenario, net, 2).to(&gateway.sip(), "1000").calls(5, 5, SHORT);
        left.start().succeeded(seconds(30));
        gateway.closed_records(5 * (count + 1), seconds(10));
    }
}

#[test]
fn uac_calls_uas_over_tcp() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let right = format!("host = \"{}\"\ntransport = \"tcp\"", net.host(3));
    let gateway = Gateway::start_in(net, &Setup::new().peer("left", net.host(2)).trunk("right", &right).plan(THROUGH));
    let _right = own("uas", net, 3).tcp().start();
    let left = own("uac", net, 2).tcp().to(&gateway.sip(), "1000").calls(5, 5, SHORT);
    left.start().succeeded(seconds(30));
    gateway.closed_records(5, seconds(10));
}

/// Sound of PCMA to one who knows PCMU only, and a digit that it didn't ask for.
#[test]
fn uac_pcap_speaks_to_uas() {
    let _machine = quiet::beside_others();
    if !Plan::may_play_captures() {
        return quiet::skipped("only root may play SIPp's captures");
    }
    let net = Net::new();
    let gateway = Gateway::start_in(net, &between(net));
    let _right = own("uas", net, 3).start();
    own("uac_pcap", net, 2).to(&gateway.sip(), "1000").with(&["-m", "1"]).start().succeeded(seconds(30));
    let records = gateway.closed_records(1, seconds(10));
    // 7 s, in packets of 30 ms and of 20.
    let count = |leg: usize, key: &str| records[0]["legs"][leg]["media"][key].as_u64();
    assert!(count(0, "received_packets") >= Some(230) && count(1, "sent_packets") >= Some(345), "{records:#?}");
}

/// A controller takes the offer of A, who answers a call without one, to B, and B's answer back (RFC 3725 §4.1).
#[test]
fn a_third_party_joins_two_calls() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let other = "[[rule]]\nname = \"To B\"\nfrom = [\"trunk:left\"]\nnumber = \"2XXX\"\nto = [{ trunk = \"b\" }]\n";
    let setup = between(net).peer("b", net.host(4)).plan(&(THROUGH.to_owned() + other));
    let gateway = Gateway::start_in(net, &setup);
    let _called = [("3pcc-A", 3), ("3pcc-B", 4)].map(|(scenario, host)| own(scenario, net, host).start());
    let port = free_port();
    let twin = format!("{}:{port}", net.host(2));
    let side = |scenario, number| own(scenario, net, 2).to(&gateway.sip(), number).with(&["-m", "1", "-3pcc", &twin]);
    let mut b = side("3pcc-C-B", "2000").port(5070).start();
    wait::until("its controller to listen", seconds(10), || listens(port).then_some(()));
    let mut a = side("3pcc-C-A", "1000").start();
    for side in [&mut a, &mut b] {
        side.succeeded(seconds(30));
    }
    let records = gateway.closed_records(2, seconds(10));
    assert!(records.iter().all(|record| record["status"] == 200), "{records:#?}");
}

/// SIPp's controllers speak with each other on all addresses of the machine.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port for TCP");
    listener.local_addr().expect("it is bound").port()
}

/// As the kernel lists it: whoever tried would be taken for the twin.
fn listens(port: u16) -> bool {
    let socket = format!("00000000:{port:04X} 00000000:0000 0A");
    std::fs::read_to_string("/proc/net/tcp").is_ok_and(|sockets| sockets.contains(&socket))
}

fn own(scenario: &'static str, net: Net, host: u8) -> Plan {
    Plan::built_in(scenario, net.host(host).into())
}

//! Many calls: none fails, and nothing is left behind.

use crate::lab::gateway::{Gateway, Setup};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::wait::{self, seconds};
use serde_json::Value;
use std::time::Duration;

/// From one known address to another.
pub const THROUGH: &str = r#"
[[rule]]
name = "Through"
from = ["trunk:left"]
number = "1XXX"
to = [{ trunk = "right" }]
"#;

pub fn between(net: Net) -> Setup {
    // Questions whether a trunk is there would be transactions too.
    Setup::new().sip("options_interval = \"0\"").peer("left", net.host(2)).peer("right", net.host(3)).plan(THROUGH)
}

#[test]
fn a_thousand_calls_in_a_row() {
    let _machine = quiet::alone();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &between(net));
    let _right = Plan::callee(net, 3).start();
    let before = warm(&gateway, net);

    let mut left = Plan::caller(net, 2, &gateway.sip(), "1000").calls(1000, 50, Duration::from_millis(400)).start();
    left.succeeded(seconds(120));

    let records = gateway.closed_records(1001, seconds(20));
    assert_eq!(records.len(), 1001, "each call has one record");
    assert!(records.iter().all(|record| record["status"] == 200), "{:#?}", first_odd(&records));
    nothing_is_left(&gateway, before);
}

#[test]
fn two_hundred_calls_at_once() {
    let _machine = quiet::alone();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &between(net));
    // One side sends PCMU, the other PCMA: every call is transcoded.
    let _right = Plan::callee(net, 3).pcma().start();
    let before = warm(&gateway, net);

    let each = seconds(10);
    let mut left = Plan::caller(net, 2, &gateway.sip(), "1000").calls(200, 50, each).capture().start();
    gateway.await_calls(200, seconds(9));
    left.succeeded(seconds(60));

    let records = gateway.closed_records(201, seconds(20));
    assert!(records.iter().all(|record| record["status"] == 200), "{:#?}", first_odd(&records));
    for record in &records[..200] {
        // 50 packets a second, less what call and sound take to begin. The capture lasts 8 s.
        for leg in record["legs"].as_array().expect("a record has legs") {
            let media = &leg["media"];
            assert!(media["received_packets"].as_u64() >= Some(380), "{record:#?}");
            assert!(media["sent_packets"].as_u64() >= Some(380), "{record:#?}");
            assert!(media["lost_packets"].as_u64() <= Some(2), "{record:#?}");
        }
    }
    nothing_is_left(&gateway, before);
}

#[test]
fn callers_that_give_up_leave_nothing() {
    let _machine = quiet::alone();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &between(net));
    let right = Plan::callee(net, 3).start();
    let before = warm(&gateway, net);
    drop(right);
    let _ringing = Plan::new("ringing.xml", net.host(3).into()).start();
    let mut left = Plan::new("giving-up.xml", net.host(2).into()).to(&gateway.sip(), "1000");
    left = left.calls(100, 50, Duration::from_millis(300));
    left.start().succeeded(seconds(60));
    let records = gateway.closed_records(101, seconds(20));
    assert!(records[..100].iter().all(|record| record["status"] == 487), "{:#?}", records[0]);
    assert!(records[..100].iter().all(|record| record["ended_by"] == "caller"), "{:#?}", records[0]);
    nothing_is_left(&gateway, before);
}

/// Makes one call, so that what is opened once is open, and returns the number of open files.
#[track_caller]
fn warm(gateway: &Gateway, net: Net) -> usize {
    let mut first = Plan::caller(net, 2, &gateway.sip(), "1000").calls(1, 1, Duration::from_millis(300)).start();
    first.succeeded(seconds(20));
    gateway.closed_records(1, seconds(10));
    let mut last = 0;
    // Ports may rest before they are closed.
    wait::within(seconds(40), || {
        last = gateway.open_files();
        (gateway.gauge("tandem_sip_transactions") == 0.0).then_some(())
    });
    last
}

/// No call, file, port or transaction is left. Transactions live on for 32 s over UDP (RFC 3261 §17.2.2, Timer J).
#[track_caller]
fn nothing_is_left(gateway: &Gateway, files_before: usize) {
    assert_eq!(gateway.calls(), Vec::<Value>::new());
    let left = || {
        let metric = |name| gateway.gauge(name);
        [
            metric("tandem_calls"),
            metric("tandem_sip_transactions"),
            metric("tandem_media_ports"),
            metric("tandem_records_pending"),
        ]
    };
    let gone = wait::within(seconds(45), || (left() == [0.0; 4] && gateway.open_files() <= files_before).then_some(()));
    let files = gateway.open_files();
    assert!(
        gone.is_some(),
        "calls, transactions, ports and records left: {:?}; files: {files}, before: {files_before}",
        left()
    );
}

fn first_odd(records: &[Value]) -> Option<&Value> {
    records.iter().find(|record| record["status"] != 200)
}

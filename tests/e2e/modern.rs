//! What a modern phone does, in SIPp's words: all of it at once, on both sides of us.

use crate::crowd::between;
use crate::lab::gateway::Gateway;
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::wait::seconds;

/// PRACK that is insisted on, UPDATE before the answer, holds of both kinds, `;ob` in contacts, and ICE that stays where
/// it is from.
#[test]
fn phones_like_pjsua_call_each_other() {
    both("modern-caller.xml", "modern-callee.xml", 3);
}

/// On one leg we refresh, on the other the called side does.
#[test]
fn sessions_are_refreshed_by_us_and_by_them() {
    both("timed-caller.xml", "timed-callee.xml", 1);
}

#[track_caller]
fn both(caller: &'static str, callee: &'static str, count: usize) {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &between(net));
    let count_text = count.to_string();
    let mut right = Plan::new(callee, net.host(3).into()).with(&["-m", &count_text]).start();
    let left = Plan::new(caller, net.host(2).into()).to(&gateway.sip(), "1000").with(&["-m", &count_text, "-r", "2"]);
    left.start().succeeded(seconds(90));
    right.succeeded(seconds(20));
    let records = gateway.closed_records(count, seconds(10));
    assert!(records.iter().all(|record| record["status"] == 200), "{records:#?}");
    assert!(records.iter().all(|record| record["ended_by"] == "caller"), "{records:#?}");
}

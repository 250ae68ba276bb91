//! The gateway's own life: crashes, stops, reloads, with calls in progress.

use crate::crowd::between;
use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{Gateway, Setup};
use crate::lab::net::Net;
use crate::lab::quiet;
use crate::lab::sipp::{Plan, Sipp};
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};
use std::time::Duration;

#[test]
fn after_a_crash_no_record_is_lost_and_what_was_open_is_cut_off() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let mut gateway = Gateway::start_in(net, &between(net));
    let _right = Plan::callee(net, 3).start();
    let mut done = Plan::caller(net, 2, &gateway.sip(), "1000").calls(30, 30, Duration::from_millis(300)).start();
    done.succeeded(seconds(20));
    let _open = call(&gateway, 20, seconds(60));
    gateway.await_calls(20, seconds(10));

    gateway.process().signal(libc::SIGKILL);
    gateway.process().ended(seconds(5));
    gateway.restart();

    let records = gateway.closed_records(50, seconds(10));
    assert_eq!(records.len(), 50);
    let cut: Vec<_> = records.iter().filter(|record| record["state"] == "cut-off").collect();
    assert_eq!(cut.len(), 20, "{records:#?}");
    assert!(cut.iter().all(|record| !record["ended"].is_null() && !record["answered"].is_null()), "{:#}", cut[0]);
    assert_eq!(records.iter().filter(|record| record["state"] == "closed").count(), 30);
    // The printed book is the same.
    assert_eq!(gateway.printed_records().len(), 50);
}

/// A phone registers for an hour, and isn't to be unreachable for the rest of it.
#[test]
fn phones_are_still_registered_after_a_crash() {
    let _machine = quiet::beside_others();
    let mut gateway = Gateway::start(&Setup::new().alice_and_bob());
    let _alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
    gateway.await_registered("alice", 1);
    // What changes is written within two seconds.
    std::thread::sleep(seconds(3));
    gateway.process().signal(libc::SIGKILL);
    gateway.process().ended(seconds(5));
    gateway.restart();
    gateway.await_registered("alice", 1);
    let alice = format!("sip:alice@{}", gateway.sip());
    let call = ["call", &alice, "--user", "bob", "--password", "builder", "--for", "1s"];
    let output = gateway.command(&call).output().expect("tandem call runs");
    assert!(output.status.success(), "{output:?}\n{}", gateway.log());
}

#[test]
fn a_drain_refuses_new_calls_lets_old_ones_end_and_exits_with_0() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let mut gateway = Gateway::start_in(net, &between(net));
    let _right = Plan::callee(net, 3).start();
    let mut old = call(&gateway, 3, seconds(6));
    gateway.await_calls(3, seconds(5));

    // As an upgrade does it: the signal after `tandem drain` is the first one.
    let output = gateway.command(&["drain"]).output().expect("tandem drain runs");
    assert!(output.status.success(), "{output:?}");
    gateway.process().signal(libc::SIGTERM);
    wait::until("the gateway to say that it drains", seconds(5), || (gateway.get("/readyz")?.0 == 503).then_some(()));
    let mut new = Plan::caller(net, 2, &gateway.sip(), "1000").port(5070).calls(1, 1, seconds(1)).start();
    assert!(!new.ended(seconds(10)), "a call is taken while draining");
    assert!(new.errors().contains("503"), "{}", new.errors());
    assert!(gateway.process().is_running(), "it waits for its calls:\n{}", gateway.log());
    old.succeeded(seconds(20));
    let status = gateway.process().ended(seconds(15));
    assert_eq!(status.code(), Some(0), "{}", gateway.log());

    gateway.restart();
    let records = gateway.closed_records(3, seconds(10));
    let answered = records.iter().filter(|record| record["status"] == 200).count();
    assert_eq!(answered, 3, "{records:#?}");
}

#[test]
fn a_drain_has_a_time_limit_and_ends_the_calls_with_bye() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let mut gateway = Gateway::start_in(net, &between(net).top("drain_timeout = \"2s\""));
    let _right = Plan::callee(net, 3).start();
    let mut old = call(&gateway, 2, seconds(60));
    gateway.await_calls(2, seconds(5));
    gateway.process().signal(libc::SIGTERM);
    let status = gateway.process().ended(seconds(15));
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
    // The caller was hung up on, which it had not expected.
    assert!(!old.ended(seconds(15)));
    assert!(old.errors().contains("BYE"), "{}", old.errors());
    gateway.restart();
    let records = gateway.closed_records(2, seconds(10));
    assert!(
        records.iter().all(|record| record["state"] == "closed" && record["ended_by"] == "gateway"),
        "{records:#?}"
    );
}

#[test]
fn a_second_sigterm_ends_it_at_once() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let mut gateway = Gateway::start_in(net, &between(net));
    let _right = Plan::callee(net, 3).start();
    let _old = call(&gateway, 1, seconds(60));
    gateway.await_calls(1, seconds(5));
    gateway.process().signal(libc::SIGTERM);
    wait::until("the gateway to say that it drains", seconds(5), || (gateway.get("/readyz")?.0 == 503).then_some(()));
    gateway.process().signal(libc::SIGTERM);
    gateway.process().ended(seconds(5));
    gateway.restart();
    let records = gateway.closed_records(1, seconds(10));
    assert_eq!(records.len(), 1, "{records:#?}");
}

#[test]
fn a_reload_takes_what_is_new_and_drops_no_call() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let mut gateway = Gateway::start_in(net, &between(net));
    let _right = Plan::callee(net, 3).start();
    let mut old = call(&gateway, 2, seconds(6));
    gateway.await_calls(2, seconds(5));

    between(net).peer("third", net.host(4)).write(net, gateway.folder());
    gateway.process().signal(libc::SIGHUP);
    wait::until("the new trunk", seconds(10), || {
        let trunks = gateway.api("/trunks");
        trunks["trunks"].as_array()?.iter().any(|trunk| trunk["name"] == "third").then_some(())
    });
    old.succeeded(seconds(20));
    let records = gateway.closed_records(2, seconds(10));
    assert!(records.iter().all(|record| record["ended_by"] == "caller"), "{records:#?}");
}

/// What runs goes on running, and the answer says what is wrong where.
#[test]
fn a_reload_with_a_mistake_changes_nothing() {
    let _machine = quiet::beside_others();
    let net = Net::new();
    let gateway = Gateway::start_in(net, &between(net));
    let _right = Plan::callee(net, 3).start();
    let failing = format!(
        "{}\n[[test]]\ncall = {{ from = \"trunk:left\", to = \"1000\" }}\nexpect = {{ trunk = \"left\" }}\n",
        crate::crowd::THROUGH
    );
    for setup in [
        between(net).sip("domian = \"x\""),
        Setup::new().peer("left", net.host(2)).peer("right", net.host(3)).plan(&failing),
    ] {
        setup.write(net, gateway.folder());
        let output = gateway.cli(&["reload"]);
        assert!(!output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(".toml:"), "the place is named: {text}");
    }
    call(&gateway, 1, seconds(1)).succeeded(seconds(10));
    gateway.closed_records(1, seconds(10));
}

fn call(gateway: &Gateway, count: usize, each: Duration) -> Sipp {
    Plan::caller(gateway.net, 2, &gateway.sip(), "1000").calls(count, 50, each).start()
}

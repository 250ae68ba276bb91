//! Texts to phones that are there and to users who are away, presence, and busy lamps.

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::linphone::Linphone;
use crate::lab::quiet;
use crate::lab::sipp::Plan;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};

#[test]
fn texts_reach_phones_that_are_there_and_those_that_were_away() {
    let _machine = quiet::alone();
    let mut gateway = Gateway::start(&Setup::new().alice_and_bob());
    let mut alice = Linphone::start(&gateway, 2, "alice", "wonderland", "PCMA", &Speech::alice().wav(8_000));
    gateway.await_registered("alice", 1);
    for text in ["first-words", "second-words"] {
        alice.write_to(&format!("sip:bob@{DOMAIN}"), text);
    }
    await_stored(&gateway, 2.0);
    // What is kept outlives the gateway, however that ends.
    gateway.process().signal(libc::SIGKILL);
    gateway.process().ended(seconds(5));
    gateway.restart();
    await_stored(&gateway, 2.0);

    let bob = Baresip::start(&gateway, 3, &Account::BOB, &Speech::bob().wav(8_000));
    await_stored(&gateway, 0.0);
    let log = bob.log();
    let places = ["first-words", "second-words"].map(|text| log.find(text));
    assert!(places[0].is_some() && places[0] < places[1], "{log}");

    alice.write_to(&format!("sip:bob@{DOMAIN}"), "third-words");
    wait::until("the third text", seconds(10), || bob.log().contains("third-words").then_some(()));
    assert_eq!(gateway.gauge("tandem_stored_messages"), 0.0);
}

#[test]
fn a_contact_goes_online_and_offline() {
    let _machine = quiet::alone();
    let gateway = Gateway::start(&Setup::new().alice_and_bob());
    let watches = Account { watches: "bob", ..Account::ALICE };
    let alice = Baresip::start(&gateway, 2, &watches, &Speech::alice().wav(8_000));
    gateway.await_registered("alice", 1);
    wait::until("a subscription", seconds(10), || (gateway.gauge("tandem_subscriptions") >= 1.0).then_some(()));
    wait::until("bob to be offline", seconds(10), || alice.log().contains("<basic>closed</basic>").then_some(()));
    let bob = Baresip::start(&gateway, 3, &Account::BOB, &Speech::bob().wav(8_000));
    wait::until("bob to be online", seconds(15), || alice.log().contains("changed status from").then_some(()));
    let before = alice.log().len();
    bob.command("quit", "");
    wait::until("bob to be offline again", seconds(15), || {
        alice.log()[before..].contains("changed status from").then_some(())
    });
}

#[test]
fn a_busy_lamp_is_lit_and_put_out() {
    let _machine = quiet::alone();
    let setup = Setup::new().alice_and_bob().user_by_ha1("carol", "lookingglass");
    let gateway = Gateway::start(&setup);
    let alice = Baresip::start(&gateway, 2, &Account::ALICE, &Speech::alice().wav(8_000));
    let _bob = Baresip::start(&gateway, 3, &Account::BOB, &Speech::bob().wav(8_000));
    gateway.await_registered("alice", 1);
    gateway.await_registered("bob", 1);
    let mut lamp = Plan::new("lamp.xml", gateway.net.host(4).into())
        .to(&gateway.sip(), "bob")
        .with(&["-m", "1", "-auth_uri", &format!("bob@{DOMAIN}")])
        .start();
    wait::until("the subscription", seconds(10), || (gateway.gauge("tandem_subscriptions") >= 1.0).then_some(()));
    // Notifications keep a second's distance: what is seen of a call that is answered at once is its beginning and, a
    // second later, its answer.
    std::thread::sleep(seconds(2));
    alice.dial(&format!("sip:bob@{DOMAIN}"));
    gateway.await_calls(1, seconds(5));
    std::thread::sleep(seconds(3));
    alice.hang_up();
    lamp.succeeded(seconds(20));
    wait::until("no subscription", seconds(5), || (gateway.gauge("tandem_subscriptions") == 0.0).then_some(()));
}

#[track_caller]
fn await_stored(gateway: &Gateway, count: f64) {
    wait::until("the kept texts", seconds(15), || (gateway.gauge("tandem_stored_messages") == count).then_some(()));
}

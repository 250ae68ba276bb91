//! Feature codes, dialled on a phone that hears whether they were taken.

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::quiet;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};
use serde_json::Value;
use std::path::Path;

#[test]
fn calls_are_forwarded_and_kept_away_by_codes() {
    let _machine = quiet::beside_others();
    let setup = Setup::new().alice_and_bob().user("carol", "lookingglass", "+15550100003");
    let gateway = Gateway::start(&setup);
    let speech = Speech::bob().wav(8_000);
    let alice = Baresip::start(&gateway, 2, &Account::ALICE, &speech);
    let bob = Baresip::start(&gateway, 3, &Account::BOB, &speech);
    let carol = Account { user: "carol", password: "lookingglass", ..Account::ALICE };
    let _carol = Baresip::start(&gateway, 4, &carol, &speech);
    for user in ["alice", "bob", "carol"] {
        gateway.await_registered(user, 1);
    }
    let mut calls = 0;
    let dial_code = |code: &str, calls: &mut usize| {
        *calls += 1;
        alice.dial(&format!("sip:{code}@{DOMAIN}"));
        let record = gateway.closed_records(*calls, seconds(15))[0].clone();
        assert_eq!((record["status"].as_u64(), &record["dialled"]), (Some(200), &Value::from(code)), "{record:#}");
        let tone = || alice.heard().pop().filter(|path| loud(path) > 2_000);
        let heard = wait::until("the tone in what alice heard", seconds(5), tone);
        std::fs::remove_file(heard).expect("the phone's folder can be written");
    };

    dial_code("*72+15550100003", &mut calls);
    assert_eq!(gateway.api("/users/alice/forwarding")["always"], "+15550100003");
    assert_eq!(ring_alice(&gateway, &bob, &mut calls)["legs"][1]["target"], "user:carol");
    dial_code("*73", &mut calls);
    assert_eq!(ring_alice(&gateway, &bob, &mut calls)["legs"][1]["target"], "user:alice");
    dial_code("*78", &mut calls);
    let refused = ring_alice(&gateway, &bob, &mut calls);
    assert!(refused["status"].as_u64() >= Some(400), "{refused:#}");
    dial_code("*79", &mut calls);
    assert_eq!(ring_alice(&gateway, &bob, &mut calls)["legs"][1]["target"], "user:alice");
}

/// Bob calls alice and hangs up once somebody answers; the record.
#[track_caller]
fn ring_alice(gateway: &Gateway, bob: &Baresip, calls: &mut usize) -> Value {
    *calls += 1;
    bob.dial(&format!("sip:alice@{DOMAIN}"));
    wait::until("an answer or a refusal", seconds(15), || {
        let talks = gateway.calls().first().is_some_and(|call| call["state"] == "talking");
        (talks || gateway.cdr().iter().filter(|record| record["state"] != "open").count() >= *calls).then_some(())
    });
    bob.hang_up();
    gateway.closed_records(*calls, seconds(10))[0].clone()
}

/// How many samples of a recording are part of a tone.
fn loud(path: &Path) -> usize {
    let Ok(mut reader) = hound::WavReader::open(path) else { return 0 };
    reader.samples::<i16>().flatten().filter(|sample| sample.unsigned_abs() > 1_000).count()
}

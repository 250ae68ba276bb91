//! Guessers, scanners and overload: who is slowed, who hears nothing, and who is served all the same.

use crate::ladder::{play, play_in};
use crate::raw::{Raw, request, signed};
use std::time::Duration;
use tandem::call::io::Input;
use tandem::wire::sip::Name;

const OURS: &str = "sip:tandem.local";

/// A REGISTER with its challenge: the status in the end.
fn register(raw: &mut Raw, peer: &str, user: &str, password: &str, number: usize) -> u16 {
    let from = format!("sip:{user}@tandem.local");
    let Some(challenge) = raw.ask(peer, request("REGISTER", OURS, &from, number, "")).pop() else { return 0 };
    let line = signed(&challenge, user, password, "REGISTER", OURS, 1);
    raw.statuses(peer, request("REGISTER", OURS, &from, number + 1, &line)).pop().unwrap_or(0)
}

#[test]
fn a_guesser_waits_even_with_the_right_password_and_the_office_works_on() {
    let mut raw = Raw::new();
    assert_eq!(register(&mut raw, "stranger", "bob", "bob-password", 1), 200);
    for guess in 0..30 {
        assert_eq!(register(&mut raw, "stranger", "alice", "guess", 10 + 2 * guess), 403);
    }
    assert_eq!(register(&mut raw, "stranger", "alice", "alice-password", 100), 403, "not judged while it waits");
    assert_eq!(register(&mut raw, "stranger", "bob", "bob-password", 110), 200, "a real user at the same address");
    assert_eq!(register(&mut raw, "stranger", "dora", "dora-password", 120), 200, "one who is new there");
    assert_eq!(register(&mut raw, "alice", "alice", "alice-password", 130), 200, "the account elsewhere");
    raw.pass(Duration::from_secs(20));
    assert_eq!(register(&mut raw, "stranger", "alice", "alice-password", 140), 200, "after the wait");
}

#[test]
fn a_good_phone_beside_one_with_an_old_password_stays_registered() {
    let mut raw = Raw::new();
    let from = "sip:alice@tandem.local";
    let mut challenge = raw.ask("stranger", request("REGISTER", OURS, from, 1, "")).pop().unwrap();
    let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, 1);
    assert_eq!(raw.statuses("stranger", request("REGISTER", OURS, from, 2, &line)), [200]);
    let mut count = 1;
    for minute in 0..60 {
        for guess in 0..5 {
            register(&mut raw, "stranger", "alice", "old password", 1_000 + 20 * minute + 2 * guess);
        }
        count += 1;
        let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, count);
        let answer = raw.ask("stranger", request("REGISTER", OURS, from, 10 + 2 * minute, &line)).pop().unwrap();
        // Its nonce grows old now and then, and it is given another.
        if answer.status() == 401 {
            assert!(answer.header(Name::WwwAuthenticate).unwrap().contains("stale=true"), "minute {minute}");
            (challenge, count) = (answer, 1);
            let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, 1);
            assert_eq!(raw.statuses("stranger", request("REGISTER", OURS, from, 11 + 2 * minute, &line)), [200]);
        } else {
            assert_eq!(answer.status(), 200, "minute {minute}");
        }
        raw.pass(Duration::from_secs(60));
    }
}

#[test]
fn a_source_that_guesses_many_accounts_is_shut_out() {
    let mut raw = Raw::new();
    for account in 0..30 {
        register(&mut raw, "stranger", &format!("user{account}"), "1234", 10 + 2 * account);
    }
    assert_eq!(register(&mut raw, "stranger", "alice", "alice-password", 100), 403);
    assert_eq!(register(&mut raw, "alice", "alice", "alice-password", 110), 200);
    assert!(raw.world.switch.counts().guessers < 70);
}

#[test]
fn a_scanner_by_its_name_hears_nothing() {
    play_in(
        |setting| {
            setting.settings.security.silent_agents =
                vec!["friendly-scanner".to_owned(), "secretof-stranger".to_owned()]
        },
        "
        stranger -> tandem OPTIONS tandem
        stranger -> tandem REGISTER
        stranger -> tandem INVITE doorbell (sdp PCMU)
        quiet stranger
        alice registers
        ",
    );
}

#[test]
fn who_asks_for_missing_accounts_hears_nothing_where_configured() {
    let mut raw = Raw::with(|setting| setting.settings.security.silent_after = 5);
    assert_eq!(register(&mut raw, "stranger", "bob", "bob-password", 1), 200);
    for account in 100..105 {
        let from = format!("sip:{account}@tandem.local");
        assert_eq!(raw.statuses("stranger", request("REGISTER", OURS, &from, account, "")), [401]);
    }
    for account in 105..110 {
        let from = format!("sip:{account}@tandem.local");
        assert!(raw.ask("stranger", request("REGISTER", OURS, &from, account, "")).is_empty());
        assert!(raw.ask("stranger", request("OPTIONS", OURS, &from, account, "")).is_empty());
    }
    assert_eq!(register(&mut raw, "stranger", "bob", "bob-password", 200), 200, "a real user at the same address");
    assert_eq!(raw.world.switch.counts().ignored, 10);
    raw.pass(Duration::from_secs(901));
    let from = "sip:alice@tandem.local";
    assert_eq!(raw.statuses("stranger", request("REGISTER", OURS, from, 300, "")), [401]);
}

#[test]
fn a_challenge_that_is_lost_is_sent_for_the_repeated_invite_and_never_by_itself() {
    play(
        "
        bob registers
        alice -> tandem INVITE bob (sdp PCMU)
        tandem -> alice 401
        wait 32s
        quiet alice
        alice -> tandem again
        tandem -> alice 401
        alice -> tandem INVITE bob (auth | sdp PCMU)
        tandem -> alice 100
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn new_calls_are_refused_first_registrations_later_and_calls_in_progress_never() {
    let mut raw = Raw::new();
    let lag = |raw: &mut Raw, ms: u64| {
        for _ in 0..40 {
            raw.world.time += Duration::from_millis(50);
            raw.feed(Input::Load { lag: Duration::from_millis(ms) });
        }
    };
    let mut number = 0;
    let mut statuses = |raw: &mut Raw, method: &str| {
        number += 1;
        raw.statuses("alice", request(method, "sip:*43@tandem.local", "sip:alice@tandem.local", number, ""))
    };
    lag(&mut raw, 5);
    assert_eq!(statuses(&mut raw, "INVITE"), [401]);
    lag(&mut raw, 350);
    assert_eq!(statuses(&mut raw, "INVITE"), [503]);
    assert_eq!(statuses(&mut raw, "REGISTER"), [401]);
    assert_eq!(statuses(&mut raw, "BYE"), [481]);
    lag(&mut raw, 2_000);
    let refused = raw.ask("alice", request("REGISTER", OURS, "sip:alice@tandem.local", 900, "")).pop().unwrap();
    assert_eq!(refused.status(), 503);
    let after: u64 = refused.header(Name::RetryAfter).unwrap().parse().unwrap();
    assert!((5..=10).contains(&after));
    let text =
        request("BYE", OURS, "sip:alice@tandem.local", 901, "").replace("To: <sip:tandem.local>", "To: <sip:x>;tag=y");
    assert_eq!(raw.statuses("alice", text), [481], "within a dialog");
    lag(&mut raw, 0);
    assert_eq!(statuses(&mut raw, "INVITE"), [401]);
    raw.assert_empty();
}

#[test]
fn a_call_that_is_taken_goes_on_under_load() {
    play(
        "
        alice talks to bob (PCMU)
        load 2000ms
        carol -> tandem INVITE bob (sdp PCMU)
        tandem -> carol 503
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_call_is_refused_while_the_media_workers_can_carry_no_more() {
    play(
        "
        alice talks to bob (PCMU)
        media is busy 95
        carol calls bob (sdp PCMU)
        tandem -> carol 503 [Retry-After ~ 1]
        record [status 503 | by gateway | cause Media Overloaded]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        media is busy 20
        carol calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> carol 486
        ",
    );
}

/// A nonce is bound to the network that asked for it: nobody who only writes an office's address on datagrams can have its
/// users wait.
#[test]
fn forged_answers_shut_nobody_out() {
    let mut raw = Raw::new();
    let from = "sip:alice@tandem.local";
    let elsewhere = raw.ask("stranger", request("REGISTER", OURS, from, 1, "")).pop().unwrap();
    let made_up = signed(&elsewhere, "alice", "guess", "REGISTER", OURS, 1).replace("nonce=\"0", "nonce=\"1");
    for (number, password) in (10..40).zip(["guess", "alice-password"].into_iter().cycle()) {
        let line = signed(&elsewhere, "alice", password, "REGISTER", OURS, number as u32);
        for line in [line, made_up.clone()] {
            let answer = raw.ask("alice", request("REGISTER", OURS, from, 100 + number, &line)).pop().unwrap();
            assert_eq!(answer.status(), 401);
            assert!(answer.header(Name::WwwAuthenticate).unwrap().contains("stale=true"));
        }
    }
    assert_eq!(register(&mut raw, "alice", "alice", "alice-password", 500), 200);
    let guess = signed(&elsewhere, "alice", "guess", "REGISTER", OURS, 1);
    assert_eq!(raw.statuses("stranger", request("REGISTER", OURS, from, 600, &guess)), [403]);
}

#[test]
fn strangers_are_refused_before_those_who_are_known() {
    let mut raw = Raw::new();
    assert_eq!(register(&mut raw, "alice", "alice", "alice-password", 1), 200);
    for _ in 0..40 {
        raw.world.time += Duration::from_millis(50);
        raw.feed(Input::Load { lag: Duration::from_millis(350) });
    }
    let call = |raw: &mut Raw, peer: &str, number| {
        let from = "sip:alice@tandem.local";
        raw.statuses(peer, request("INVITE", "sip:*43@tandem.local", from, number, ""))
    };
    assert_eq!(call(&mut raw, "stranger", 10), [503]);
    assert_eq!(call(&mut raw, "alice", 11), [401]);
    raw.assert_empty();
}

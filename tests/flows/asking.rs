//! Requests within a call that aren't about its media (RFC 3261 §12.2).

use crate::ladder::play;

const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200 BYE
    tandem -> bob BYE
    bob -> tandem 200 BYE
";

fn talking(ladder: &str) {
    play(&format!("alice talks to bob (PCMU)\n{ladder}\n{GOODBYE}"));
}

#[test]
fn options_tell_that_we_are_there() {
    talking(
        "
        alice -> tandem OPTIONS
        tandem -> alice 200 [Accept: application/sdp | Allow ~ REFER]
        bob -> tandem OPTIONS
        tandem -> bob 200
        quiet alice bob
        ",
    );
}

#[test]
fn a_message_is_carried_across_and_so_is_its_answer() {
    talking(
        "
        alice -> tandem MESSAGE (type: text/plain | body: back in a minute | Subject: private)
        tandem -> bob MESSAGE [body back in a minute | Content-Type: text/plain | no Subject]
        bob -> tandem 202
        tandem -> alice 200 MESSAGE
        bob -> tandem MESSAGE (type: text/plain | body: fine)
        tandem -> alice MESSAGE [body fine]
        alice -> tandem 415
        tandem -> bob 415 MESSAGE
        bob -> tandem MESSAGE (type: text/plain | body: hello)
        tandem -> alice MESSAGE
        alice -> tandem 404
        tandem -> bob 500 MESSAGE
        ",
    );
}

#[test]
fn a_message_that_nobody_answers_is_given_up_by_whoever_sent_it() {
    talking(
        "
        alice -> tandem MESSAGE (type: text/plain | body: hello?)
        tandem -> bob MESSAGE
        wait 33s
        tandem -> bob MESSAGE x10
        quiet alice
        ",
    );
}

#[test]
fn a_message_that_cannot_be_sent_fails_at_once() {
    play(
        "
        alice talks to emil (PCMU)
        alice -> tandem MESSAGE (type: text/plain | body: hello?)
        tandem -> emil MESSAGE
        emil is gone
        tandem -> alice 504 MESSAGE
        emil listens again
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> emil BYE
        emil -> tandem 200
        ",
    );
}

#[test]
fn what_waits_for_an_answer_when_the_call_ends_is_answered() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem MESSAGE (type: text/plain | body: goodbye)
        tandem -> bob MESSAGE
        bob -> tandem BYE
        tandem -> bob 200 BYE
        tandem -> alice BYE
        tandem -> alice 487 MESSAGE
        alice -> tandem 200 BYE
        bob -> tandem 200 MESSAGE
        ",
    );
}

#[test]
fn a_peer_that_lost_the_call_ends_it() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem MESSAGE (type: text/plain | body: hello)
        tandem -> bob MESSAGE
        bob -> tandem 481
        tandem -> alice 500 MESSAGE
        tandem -> alice BYE
        alice -> tandem 200
        record [by gateway | cause the called side vanished]
        ",
    );
}

#[test]
fn a_side_that_asks_too_much_at_once_is_told_to_wait() {
    let ask = "alice -> tandem MESSAGE (type: text/plain | body: x)\ntandem -> bob MESSAGE\n".repeat(16);
    let answer = "bob -> tandem 200\ntandem -> alice 200 MESSAGE\n".repeat(16);
    play(&format!(
        "
        alice talks to bob (PCMU)
        {ask}
        alice -> tandem MESSAGE (type: text/plain | body: x)
        tandem -> alice 500 MESSAGE [Retry-After: 5]
        quiet bob
        {answer}
        {GOODBYE}"
    ));
}

#[test]
fn a_message_to_an_echo_has_nowhere_to_go() {
    play(
        "
        alice calls *43 (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem MESSAGE (type: text/plain | body: hello)
        tandem -> alice 480 MESSAGE
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}

#[test]
fn what_belongs_to_no_subscription_is_refused() {
    talking(
        "
        alice -> tandem NOTIFY (Event: refer | Subscription-State: active)
        tandem -> alice 481 NOTIFY
        alice -> tandem SUBSCRIBE (Event: weather)
        tandem -> alice 489 SUBSCRIBE
        alice -> tandem PUBLISH (Event: weather)
        tandem -> alice 405 PUBLISH [Allow ~ MESSAGE]
        quiet bob
        ",
    );
}

#[test]
fn what_waits_for_an_answer_of_a_side_that_is_replaced_is_answered() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem MESSAGE (type: text/plain | body: hello)
        tandem -> bob MESSAGE
        bob2 calls alice (sdp PCMU | Replaces: {dialog of bob})
        tandem -> alice 480 MESSAGE
        tandem -> bob2 200
        bob2 -> tandem ACK
        tandem -> bob BYE
        bob -> tandem 200 BYE
        bob -> tandem 200 MESSAGE
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob2 BYE
        bob2 -> tandem 200
        ",
    );
}

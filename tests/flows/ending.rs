//! Ways in which a call that stands comes to its end.

use crate::ladder::{play, play_in};
use std::time::Duration;

#[test]
fn the_reason_of_a_bye_is_told_to_the_other_side() {
    play(
        "
        alice talks to bob (PCMU)
        bob -> tandem BYE (Reason: Q.850;cause=16;text=\"Normal call clearing\")
        tandem -> bob 200
        tandem -> alice BYE [Reason: Q.850;cause=16;text=\"Normal call clearing\"]
        alice -> tandem 200
        record [by callee | cause the called side hung up]
        ",
    );
}

#[test]
fn both_hang_up_at_once() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem BYE
        tandem -> bob 200
        bob -> tandem 200 BYE
        record [by caller]
        ",
    );
}

#[test]
fn a_bye_that_is_repeated_is_answered_again() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        alice -> tandem again
        tandem -> alice 200
        wait 500ms
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_side_that_does_not_answer_our_bye_is_left() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem BYE
        tandem -> alice 200
        wait 33s
        tandem -> bob BYE x11
        ",
    );
}

#[test]
fn silence_ends_the_call() {
    play(
        "
        alice talks to bob (PCMU)
        wait 100s
        silence of bob 61s
        tandem -> alice BYE [Reason ~ Q.850]
        tandem -> bob BYE [Reason ~ Q.850]
        alice -> tandem 200
        bob -> tandem 200
        record [by gateway | cause no media from the called side for 61 s]
        ",
    );
}

#[test]
fn silence_that_is_told_as_the_call_is_held_ends_nothing() {
    play(
        "
        alice talks to bob (PCMU)
        wait 2000s
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        media bob [silence 1800s]
        silence of bob 61s
        quiet alice bob
        silence of alice 1801s
        tandem -> alice BYE
        tandem -> bob BYE
        alice -> tandem 200
        bob -> tandem 200
        record [by gateway | cause no media from the caller for 1801 s]
        ",
    );
}

#[test]
fn a_peer_that_vanished_is_found_out() {
    play_in(
        |setting| setting.settings.sip.dialog_interval = Duration::from_secs(300),
        "
        alice talks to bob (PCMU)
        wait 300s
        tandem -> alice OPTIONS
        tandem -> bob OPTIONS
        alice -> tandem 200
        bob -> tandem 405
        wait 300s
        tandem -> alice OPTIONS
        tandem -> bob OPTIONS
        alice -> tandem 200
        bob -> tandem 481
        tandem -> alice BYE
        alice -> tandem 200
        record [by gateway | cause the called side vanished]
        ",
    );
}

#[test]
fn a_peer_that_does_not_answer_at_all_is_found_out() {
    play_in(
        |setting| setting.settings.sip.dialog_interval = Duration::from_secs(300),
        "
        alice talks to bob (PCMU)
        wait 300s
        tandem -> alice OPTIONS
        tandem -> bob OPTIONS
        bob -> tandem 200
        wait 32s
        tandem -> alice OPTIONS x10
        tandem -> alice BYE
        tandem -> bob BYE
        bob -> tandem 200
        alice -> tandem 481
        record [by gateway | cause the caller vanished]
        ",
    );
}

#[test]
fn an_operator_ends_it() {
    play(
        "
        alice talks to bob (PCMU)
        operator hangs up
        tandem -> alice BYE [Reason ~ Ended by an operator]
        tandem -> bob BYE [Reason ~ Ended by an operator]
        alice -> tandem 200
        bob -> tandem 200
        record [status 200 | by gateway | cause hung up by an operator]
        ",
    );
}

#[test]
fn an_operator_ends_it_before_the_answer() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        operator hangs up
        tandem -> bob CANCEL [Reason ~ Ended by an operator]
        tandem -> alice 480 [Reason ~ Ended by an operator]
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        record [status 480 | by gateway | cause hung up by an operator]
        ",
    );
}

#[test]
fn an_operator_ends_it_while_a_file_is_read() {
    play(
        "
        alice calls *60 (sdp PCMU)
        operator hangs up
        tandem -> alice 480
        record [status 480 | by gateway | cause hung up by an operator]
        file closed.wav loaded
        ",
    );
}

#[test]
fn a_request_without_a_call_is_told_so() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        wait 60s
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 481
        bob -> tandem BYE
        tandem -> bob 481
        ",
    );
}

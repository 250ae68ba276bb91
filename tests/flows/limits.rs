//! Loops, bounds, and times in which no call is taken.

use crate::ladder::{play, play_in};

#[test]
fn our_own_call_that_comes_back_is_a_loop() {
    play(
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE [Max-Forwards: 69]
        acme -> tandem forward
        tandem -> acme 482
        acme -> tandem 482 INVITE
        tandem -> alice 500 [Reason ~ SIP;cause=482]
        record 2 [status 482 | by gateway | caller trunk:acme | cause Loop Detected]
        ",
    );
}

#[test]
fn a_call_has_only_so_many_hops() {
    play(
        "
        bob registers
        alice -> tandem INVITE bob (Max-Forwards: 0 | sdp PCMU)
        tandem -> alice 483
        alice calls bob (Max-Forwards: 5 | sdp PCMU)
        tandem -> bob INVITE [Max-Forwards: 4]
        bob -> tandem 486
        tandem -> alice 486
        alice -> tandem INVITE bob (auth | Max-Forwards: 255 | sdp PCMU)
        tandem -> bob INVITE [Max-Forwards: 70]
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn nothing_rings_where_no_codec_is_shared() {
    play(
        "
        bob registers
        alice calls bob (sdp events)
        tandem -> alice 488
        quiet bob
        record [status 488 | by gateway | legs 1 | cause no codec in common]
        alice -> tandem INVITE bob (auth | sdp PCMU secure)
        tandem -> alice 488
        record [status 488 | cause no SRTP key]
        alice -> tandem INVITE bob (auth | sdp PCMU refused)
        tandem -> alice 488
        alice -> tandem INVITE *66 (auth | sdp GSM)
        tandem -> alice 603
        ",
    );
}

#[test]
fn bodies_that_cannot_be_read_are_refused_with_a_record() {
    play(
        "
        bob registers
        alice calls bob (body: v=9)
        tandem -> alice 400
        record [status 400 | by gateway]
        alice -> tandem INVITE bob (auth | type: text/plain | body: hello)
        tandem -> alice 415 [Accept: application/sdp]
        record [status 415 | by gateway]
        quiet bob
        ",
    );
}

#[test]
fn no_new_call_while_the_gateway_drains() {
    play(
        "
        bob registers
        drain
        alice calls bob (sdp PCMU)
        tandem -> alice 503 [Retry-After ~ 1]
        record [status 503 | by gateway | cause Draining]
        alice -> tandem OPTIONS tandem
        tandem -> alice 503
        alice registers
        quiet bob
        ",
    );
}

#[test]
fn all_calls_end_with_the_gateway() {
    play(
        "
        alice talks to bob (PCMU)
        carol registers
        emil calls carol (sdp PCMU)
        tandem -> carol INVITE
        carol -> tandem 180
        tandem -> emil 180
        drain
        end all
        tandem -> alice BYE [Reason ~ cause=503]
        tandem -> bob BYE
        tandem -> carol CANCEL
        tandem -> emil 480
        carol -> tandem 200 CANCEL
        carol -> tandem 487 INVITE
        alice -> tandem 200
        bob -> tandem 200
        record 1 [status 200 | by gateway | cause the gateway was stopped]
        record 2 [status 480 | by gateway | cause the gateway was stopped]
        ",
    );
}

#[test]
fn only_so_many_calls_at_once() {
    play_in(
        |setting| setting.settings.limits.calls = 1,
        "
        alice talks to bob (PCMU)
        carol registers
        emil calls carol (sdp PCMU)
        tandem -> emil 503 [Retry-After ~ 1]
        record [status 503 | by gateway | cause Too Many Calls]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        emil -> tandem INVITE carol (auth | sdp PCMU)
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> emil 486
        ",
    );
}

/// A copy of what was refused is no other call, though by now it could be made.
#[test]
fn no_call_without_a_record() {
    play(
        "
        bob registers
        records fail
        alice -> tandem INVITE bob (sdp PCMU)
        tandem -> alice 503 [Retry-After ~ 1]
        records are kept again
        alice -> tandem again
        tandem -> alice 503 [Retry-After ~ 1]
        quiet bob
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_repeated_invite_is_one_call() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> alice 100
        tandem -> bob INVITE
        alice -> tandem again
        tandem -> alice 100
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem again
        tandem -> alice 180
        bob -> tandem 486
        tandem -> alice 486
        record 1 [legs 2]
        ",
    );
}

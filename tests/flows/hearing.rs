//! The media workers and the switch: ports that don't open, rings that are full, workers that say nothing.

use crate::ladder::play;

#[test]
fn no_port_for_the_caller() {
    play(
        "
        bob registers
        ports fail 1
        alice calls bob (sdp PCMU)
        tandem -> alice 503
        quiet bob
        record [status 503 | by gateway | cause No Media Port]
        ",
    );
}

#[test]
fn no_room_for_an_order_to_open() {
    play(
        "
        bob registers
        ring full for open 1
        alice calls bob (sdp PCMU)
        tandem -> alice 503
        quiet bob
        ",
    );
}

#[test]
fn orders_for_a_call_that_stands_are_given_again() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        ring full for configure 3
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        wait 1s
        media alice [send PCMU/0 | to alice | from bob]
        media bob [send PCMU/0 | to bob | from alice]
        ring full for connect 1
        alice -> tandem re-INVITE (sdp PCMU port=4010)
        tandem -> alice 200
        alice -> tandem ACK
        wait 1s
        media alice [to 192.0.2.11:4010 | from bob]
        ring full for close 3
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        wait 2s
        media alice [closed]
        media bob [closed]
        ",
    );
}

#[test]
fn a_port_that_is_not_closed_at_once_is_closed_in_the_end() {
    play(
        "
        alice talks to bob (PCMU)
        ring full for close 100
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        wait 30s
        record [closed]
        media alice [closed]
        media bob [closed]
        ",
    );
}

#[test]
fn a_worker_that_says_nothing_is_not_waited_for() {
    play(
        "
        bob registers
        workers are mute
        alice calls bob (sdp PCMU)
        wait 6s
        tandem -> alice 503
        wait 6s
        record [closed | status 503 | by gateway]
        ",
    );
}

#[test]
fn records_are_closed_though_a_worker_owes_its_report() {
    play(
        "
        alice talks to bob (PCMU)
        workers are mute
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        record [open]
        wait 6s
        record [closed | by caller]
        ",
    );
}

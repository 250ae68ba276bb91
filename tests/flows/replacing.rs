//! A caller takes another's place: INVITE with Replaces (RFC 3891), and picking up what rings elsewhere.

use crate::ladder::play;

#[test]
fn a_user_moves_a_call_to_another_phone_of_theirs() {
    play(
        "
        alice talks to bob (PCMU)
        alice2 calls bob (sdp PCMU | Replaces: {dialog of alice} | Require: replaces)
        tandem -> alice2 200 [sdp PCMU/0]
        alice2 -> tandem ACK
        tandem -> alice BYE
        alice -> tandem 200
        media alice2 [from bob | to alice2]
        media bob [from alice2 | to bob]
        quiet bob
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> alice2 BYE
        alice2 -> tandem 200
        record 1 [closed | status 200 | legs 3 | by callee | leg 0 user:alice 200 | leg 1 user:bob 200 | leg 2 user:alice 200]
        record 2 [closed | status 200 | cause took a place in call]
        ",
    );
}

#[test]
fn the_called_user_moves_a_held_call_without_an_offer() {
    play(
        "
        alice talks to bob (PCMU)
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 200
        bob -> tandem ACK
        tandem -> alice INVITE [sdp sendonly]
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        bob2 calls alice (Replaces: {dialog of bob})
        tandem -> bob2 200 [sdp PCMU opus G722 PCMA]
        tandem -> bob BYE
        bob -> tandem 200
        bob2 -> tandem ACK (sdp PCMU)
        tandem -> alice INVITE [sdp sendrecv]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [from bob2 | send PCMU/0]
        media bob2 [from alice | send PCMU/0]
        bob2 -> tandem BYE
        tandem -> bob2 200
        tandem -> alice BYE
        alice -> tandem 200
        record 1 [by callee | leg 2 user:bob 200]
        ",
    );
}

#[test]
fn what_cannot_be_replaced_is_refused() {
    play(
        "
        alice talks to bob (PCMU)
        alice2 calls bob (sdp PCMU | Replaces: {dialog of alice};early-only)
        tandem -> alice2 486
        alice2 calls bob (sdp PCMU | Replaces: x;to-tag=1;from-tag=2)
        tandem -> alice2 481
        alice2 calls bob (sdp PCMU | Replaces: x)
        tandem -> alice2 400
        alice2 calls bob (sdp PCMU | Replaces: x;to-tag=1;from-tag=2, y;to-tag=1;from-tag=2)
        tandem -> alice2 400
        carol calls bob (sdp PCMU | Replaces: {dialog of alice})
        tandem -> carol 403
        alice2 calls bob (sdp GSM | Replaces: {dialog of alice})
        tandem -> alice2 488
        quiet alice bob
        media bob [from alice]
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> alice BYE
        alice -> tandem 200
        record 6 [closed | status 403]
        record 7 [closed | status 488]
        ",
    );
}

#[test]
fn a_watcher_picks_up_a_ringing_dialog() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        carol calls bob (sdp PCMU | Replaces: {dialog of bob};early-only)
        tandem -> bob CANCEL [Reason ~ elsewhere]
        tandem -> carol 200 [sdp PCMU/0]
        tandem -> alice 200 [sdp PCMU/0]
        carol -> tandem ACK
        alice -> tandem ACK
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        media alice [from carol]
        media carol [from alice]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        record 1 [closed | status 200 | leg 1 reason answered elsewhere | leg 2 user:carol 200]
        ",
    );
}

/// RFC 4235 §4.1: what a lamp shows names the dialog, and no host, Call-ID or tag of those who speak in it.
#[test]
fn a_lamp_says_what_can_be_picked_up() {
    play(
        "
        carol -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> carol 401
        carol -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> carol 200
        tandem -> carol NOTIFY [body !~ call-id]
        carol -> tandem 200
        bob registers
        wait 2s
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> carol NOTIFY [body ~ <state>trying]
        carol -> tandem 200
        bob -> tandem 180
        tandem -> alice 180
        wait 1100ms
        tandem -> carol NOTIFY [body ~ <state>early</state> | body ~ <local><identity>sip:bob@tandem.local</identity> | body !~ alice]
        carol -> tandem 200
        carol keeps line lamp
        carol calls bob (sdp PCMU | Replaces: {shown};early-only)
        tandem -> bob CANCEL
        tandem -> carol 200 [sdp PCMU/0]
        tandem -> alice 200 [sdp PCMU/0]
        carol -> tandem ACK
        alice -> tandem ACK
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        wait 1100ms
        carol takes line lamp
        tandem -> carol NOTIFY [body ~ <state>terminated</state>]
        carol -> tandem 200 NOTIFY
        carol -> tandem SUBSCRIBE (auth | Event: dialog | Expires: 0)
        tandem -> carol 200
        tandem -> carol NOTIFY
        carol -> tandem 200
        ",
    );
}

#[test]
fn the_caller_s_own_dialog_is_not_replaced_before_the_answer() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice2 calls bob (sdp PCMU | Replaces: {dialog of alice})
        tandem -> alice2 481
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        ",
    );
}

#[test]
fn what_rings_at_a_user_is_picked_up() {
    play(
        "
        bob registers
        acme -> tandem INVITE bob (sdp PCMA)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> acme 180
        carol calls **bob (sdp PCMU PCMA)
        tandem -> carol 200 [sdp PCMA/8]
        tandem -> bob CANCEL
        tandem -> acme 200 [sdp PCMA/8]
        carol -> tandem ACK
        acme -> tandem ACK
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        media acme [from carol | send PCMA/8]
        media carol [from acme | send PCMA/8]
        wait 3s
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> acme BYE
        acme -> tandem 200
        record 1 [closed | status 200 | talk 3s | by callee | caller trunk:acme | leg 2 user:carol 200 | leg 2 reason took the place of user:bob]
        record 2 [closed | status 200 | caller user:carol | dialled **bob | rule Pick-up | talk 0s | cause took a place in call]
        ",
    );
}

#[test]
fn where_nothing_rings_nothing_is_picked_up() {
    play(
        "
        carol calls **bob (sdp PCMU)
        tandem -> carol 480 [phrase Nothing Rings There]
        carol calls **nobody (sdp PCMU)
        tandem -> carol 404
        alice talks to bob (PCMU)
        carol calls **bob (sdp PCMU)
        tandem -> carol 480
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_group_is_looked_through_for_what_rings() {
    play(
        "
        carol registers
        alice calls carol (sdp PCMU)
        tandem -> carol INVITE
        carol -> tandem 180
        tandem -> alice 180
        emil calls *8 (sdp PCMU)
        tandem -> emil 200
        tandem -> carol CANCEL
        tandem -> alice 200
        emil -> tandem ACK
        alice -> tandem ACK
        carol -> tandem 200 CANCEL
        carol -> tandem 487 INVITE
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> emil BYE
        emil -> tandem 200
        ",
    );
}

#[test]
fn whoever_answers_first_has_the_call() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        workers are mute
        carol calls **bob (sdp PCMU)
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> carol 480 [phrase Answered Elsewhere]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        wait 10s
        record 2 [closed | status 480]
        ",
    );
}

#[test]
fn a_picker_that_gives_up_leaves_the_call_ringing() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        workers are mute
        carol calls **bob (sdp PCMU)
        carol -> tandem CANCEL
        tandem -> carol 200 CANCEL
        tandem -> carol 487
        quiet alice bob
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        wait 10s
        ",
    );
}

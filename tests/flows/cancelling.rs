//! The caller gives up: RFC 3261 §9.

use crate::ladder::play;

#[test]
fn before_anything_is_heard_of_the_called_phone() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        quiet bob
        bob -> tandem 180
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        record [closed | status 487 | by caller | cause the caller gave up | leg 1 user:bob 487]
        ",
    );
}

#[test]
fn while_it_rings_and_with_a_reason() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem CANCEL (Reason: SIP;cause=200;text=\"Call completed elsewhere\")
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        tandem -> bob CANCEL [Reason: SIP;cause=200;text=\"Call completed elsewhere\"]
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        ",
    );
}

#[test]
fn as_the_called_phone_answers() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        tandem -> bob CANCEL
        bob -> tandem 200 INVITE (sdp PCMU)
        tandem -> bob ACK
        tandem -> bob BYE
        bob -> tandem 200 CANCEL
        bob -> tandem 200 BYE
        record [status 487 | by caller | never answered]
        ",
    );
}

#[test]
fn after_the_answer_it_changes_nothing() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        alice -> tandem ACK
        quiet alice bob
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_bye_before_the_answer_is_a_way_to_give_up() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> alice 487 INVITE
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        ",
    );
}

#[test]
fn the_called_phone_stays_silent() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        wait 500ms
        tandem -> bob INVITE
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        wait 40s
        tandem -> bob INVITE x5
        ",
    );
}

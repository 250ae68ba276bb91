//! A user with several phones.

use crate::ladder::play;

#[test]
fn all_ring_and_the_first_to_answer_wins() {
    play(
        "
        bob registers
        bob2 registers
        bob3 registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        tandem -> bob3 INVITE
        bob -> tandem 180
        tandem -> alice 180
        bob2 -> tandem 180
        quiet alice
        bob2 -> tandem 200 (sdp PCMU)
        tandem -> bob2 ACK
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob CANCEL [Reason: SIP;cause=200;text=\"Call completed elsewhere\"]
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        quiet bob3
        bob3 -> tandem 180
        tandem -> bob3 CANCEL [Reason ~ Call completed elsewhere]
        bob3 -> tandem 200 CANCEL
        bob3 -> tandem 487 INVITE
        media alice [from bob2]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob2 BYE
        bob2 -> tandem 200
        quiet bob bob3
        record [status 200 | legs 4]
        ",
    );
}

#[test]
fn two_answer_at_once() {
    play(
        "
        bob registers
        bob2 registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        bob -> tandem 180
        bob2 -> tandem 180
        tandem -> alice 180
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> bob2 CANCEL
        bob2 -> tandem 200 INVITE (sdp PCMU)
        tandem -> bob2 ACK
        tandem -> bob2 BYE [Reason ~ Call completed elsewhere]
        bob2 -> tandem 200 CANCEL
        bob2 -> tandem 200 BYE
        tandem -> alice 200
        alice -> tandem ACK
        media alice [from bob]
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

#[test]
fn one_declines_for_all() {
    play(
        "
        bob registers
        bob2 registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        bob -> tandem 180
        bob2 -> tandem 180
        tandem -> alice 180
        bob2 -> tandem 603
        tandem -> bob CANCEL
        tandem -> alice 603
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        record [status 603 | by callee | leg 1 user:bob 603 | leg 2 user:bob 487]
        ",
    );
}

#[test]
fn the_best_of_several_failures_is_told() {
    play(
        "
        bob registers
        bob2 registers
        bob3 registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        tandem -> bob3 INVITE
        bob2 -> tandem 486
        bob3 -> tandem 404
        quiet alice
        bob -> tandem 503
        tandem -> alice 486
        record [status 486 | by callee]
        ",
    );
}

#[test]
fn early_media_of_one_phone_gives_way_to_the_phone_that_answers() {
    play(
        "
        bob registers
        bob2 registers
        alice calls bob (sdp PCMU PCMA)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183 [sdp PCMU]
        media alice [from bob]
        bob2 -> tandem 183 (sdp PCMA)
        media alice [from bob]
        bob2 -> tandem 200 (sdp PCMA)
        tandem -> bob2 ACK
        tandem -> alice 200 [same sdp]
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        alice -> tandem ACK
        media alice [send PCMU/0 | from bob2]
        media bob2 [send PCMA/8 | from alice]
        media bob [closed]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob2 BYE
        bob2 -> tandem 200
        ",
    );
}

#[test]
fn early_media_passes_to_the_next_phone_when_the_first_one_fails() {
    play(
        "
        bob registers
        bob2 registers
        alice calls bob (sdp PCMU PCMA)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183
        bob -> tandem 486
        bob2 -> tandem 183 (sdp PCMA)
        media alice [send PCMU/0 | from bob2]
        media bob2 [send PCMA/8 | from alice]
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487
        tandem -> bob2 CANCEL
        bob2 -> tandem 200 CANCEL
        bob2 -> tandem 487 INVITE
        ",
    );
}

#[test]
fn a_phone_rings_though_its_user_talks() {
    play(
        "
        alice talks to bob (PCMU)
        carol calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> carol 486
        quiet alice
        end all
        tandem -> alice BYE
        tandem -> bob BYE
        alice -> tandem 200
        bob -> tandem 200
        ",
    );
}

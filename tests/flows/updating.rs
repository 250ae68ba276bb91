//! UPDATE (RFC 3311) before and after the answer.

use crate::ladder::play;

/// Alice hangs up.
const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

/// Both sides have agreed on early media, and each may offer again by UPDATE.
const EARLY: &str = "
    bob registers
    alice calls bob (sdp PCMU | Supported: 100rel | Allow: INVITE, UPDATE)
    tandem -> bob INVITE
    bob -> tandem 183 (sdp PCMU | Require: 100rel | RSeq: 1 | Allow: INVITE, UPDATE)
    tandem -> bob PRACK
    tandem -> alice 183 [sdp PCMU]
    bob -> tandem 200 PRACK
    alice -> tandem PRACK
    tandem -> alice 200 PRACK
";

/// Bob answers.
const ANSWER: &str = "
    bob -> tandem 200 INVITE
    tandem -> bob ACK
    tandem -> alice 200 INVITE [no sdp]
    alice -> tandem ACK
";

#[test]
fn the_caller_holds_before_the_answer_and_resumes_after() {
    play(&format!(
        "
        {EARLY}
        alice -> tandem UPDATE (sdp PCMU sendonly)
        tandem -> alice 200 UPDATE [sdp PCMU recvonly]
        tandem -> bob UPDATE [sdp first=PCMU sendonly]
        bob -> tandem 200 UPDATE (sdp PCMU recvonly)
        media bob [receive nothing | send PCMU/0]
        {ANSWER}
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200 [sdp PCMU]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        {GOODBYE}"
    ));
}

#[test]
fn the_called_side_moves_its_early_media() {
    play(&format!(
        "
        {EARLY}
        bob -> tandem UPDATE (sdp PCMA port=4050)
        tandem -> bob 200 UPDATE [sdp PCMA]
        media bob [send PCMA/8 | to 192.0.2.21:4050 | from alice]
        quiet alice
        bob -> tandem UPDATE (sdp PCMA port=4050 sendonly)
        tandem -> bob 200 UPDATE [sdp PCMA recvonly]
        tandem -> alice UPDATE [sdp sendonly]
        alice -> tandem 200 UPDATE (sdp PCMU recvonly)
        {ANSWER}
        media bob [send nothing]
        {GOODBYE}"
    ));
}

#[test]
fn a_side_that_does_not_take_it_is_told_after_the_answer() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU | Supported: 100rel | Allow: INVITE, UPDATE)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183 [sdp PCMU]
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        alice -> tandem UPDATE (sdp PCMU sendonly)
        tandem -> alice 200 UPDATE [sdp PCMU recvonly]
        quiet bob
        bob -> tandem 200 INVITE (sdp PCMU)
        tandem -> bob ACK
        tandem -> bob INVITE [sdp sendonly]
        tandem -> alice 200 INVITE [no sdp]
        alice -> tandem ACK
        bob -> tandem 200 INVITE (sdp PCMU recvonly)
        tandem -> bob ACK
        {GOODBYE}"
    ));
}

#[test]
fn an_offer_before_the_first_was_answered_has_to_wait() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem UPDATE (sdp PCMU sendonly)
        tandem -> alice 500 UPDATE [has Retry-After]
        alice -> tandem UPDATE
        tandem -> alice 200 UPDATE [no sdp]
        bob -> tandem UPDATE (sdp PCMU)
        tandem -> bob 491 UPDATE
        bob -> tandem UPDATE
        tandem -> bob 200 UPDATE
        bob -> tandem 200 INVITE (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE
        alice -> tandem ACK
        {GOODBYE}"
    ));
}

#[test]
fn an_offer_against_our_own_is_a_glare() {
    play(&format!(
        "
        bob registers
        alice calls bob (Require: 100rel | Allow: INVITE, UPDATE)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180 [sdp opus G722 PCMA PCMU]
        alice -> tandem UPDATE (sdp PCMU)
        tandem -> alice 491 UPDATE
        alice -> tandem PRACK (sdp PCMU)
        tandem -> alice 200 PRACK
        bob -> tandem 200 INVITE (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE [no sdp]
        alice -> tandem ACK
        {GOODBYE}"
    ));
}

#[test]
fn both_update_at_once_before_the_answer() {
    play(&format!(
        "
        {EARLY}
        alice -> tandem UPDATE (sdp PCMU sendonly)
        tandem -> alice 200 UPDATE
        tandem -> bob UPDATE [sdp sendonly]
        bob -> tandem UPDATE (sdp PCMU port=4050)
        tandem -> bob 491 UPDATE
        bob -> tandem 491 UPDATE
        wait 2s
        quiet bob
        wait 3s
        tandem -> bob UPDATE x+ [sdp sendonly]
        bob -> tandem 200 UPDATE (sdp PCMU recvonly)
        {ANSWER}
        {GOODBYE}"
    ));
}

#[test]
fn an_answer_overtakes_our_update() {
    play(&format!(
        "
        {EARLY}
        alice -> tandem UPDATE (sdp PCMU sendonly)
        tandem -> alice 200 UPDATE
        tandem -> bob UPDATE [sdp sendonly]
        bob -> tandem 200 INVITE
        tandem -> bob ACK
        tandem -> alice 200 INVITE
        alice -> tandem ACK
        bob -> tandem 200 UPDATE (sdp PCMU recvonly)
        media bob [receive nothing]
        {GOODBYE}"
    ));
}

#[test]
fn an_update_that_cannot_be_leaves_all_as_it_was() {
    play(&format!(
        "
        {EARLY}
        alice -> tandem UPDATE (sdp GSM)
        tandem -> alice 488 UPDATE
        media alice [send PCMU/0 | from bob]
        alice -> tandem UPDATE (sdp PCMU sendonly)
        tandem -> alice 200 UPDATE
        tandem -> bob UPDATE [sdp sendonly]
        bob -> tandem 488 UPDATE
        {ANSWER}
        {GOODBYE}"
    ));
}

#[test]
fn a_refused_change_does_not_move_its_sender() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp GSM | Contact: <sip:alice@192.0.2.12:5060>)
        tandem -> alice 488
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> alice BYE [uri sip:secretof-alice-x@192.0.2.11:5060]
        alice -> tandem 200
        ",
    );
}

#[test]
fn an_update_without_an_offer_moves_its_sender() {
    play(
        "
        alice talks to bob (PCMU)
        bob -> tandem UPDATE (Contact: <sip:moved@192.0.2.21:5060>)
        tandem -> bob 200 UPDATE [no sdp | Contact ~ 192.0.2.1]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE [uri sip:moved@192.0.2.21:5060]
        bob -> tandem 200
        ",
    );
}

//! Calls that change while they stand: hold, resume, another address, another codec (RFC 3261 §14, RFC 3264 §8).

use crate::ladder::play;

/// Alice hangs up.
const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

fn talking(ladder: &str) {
    play(&format!("alice talks to bob (PCMU)\n{ladder}\n{GOODBYE}"));
}

#[test]
fn the_caller_holds_and_resumes() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 100
        tandem -> alice 200 [sdp PCMU recvonly]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        media alice [send nothing | receive PCMU/0 | silence 1800s]
        media bob [send PCMU/0 | receive nothing | silence 1800s]
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200 [sdp PCMU]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        media alice [send PCMU/0 | receive PCMU/0 | silence 60s]
        media bob [send PCMU/0 | receive PCMU/0 | silence 60s]
        ",
    );
}

#[test]
fn the_called_side_holds_and_resumes() {
    talking(
        "
        bob -> tandem re-INVITE (sdp PCMU inactive)
        tandem -> bob 200 [sdp PCMU inactive]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU inactive]
        alice -> tandem 200 (sdp PCMU inactive)
        tandem -> alice ACK
        media alice [send nothing | receive nothing | silence 1800s]
        media bob [send nothing | receive nothing | silence 1800s]
        bob -> tandem re-INVITE (sdp PCMU sendrecv)
        tandem -> bob 200 [sdp PCMU]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [send PCMU/0 | receive PCMU/0]
        media bob [send PCMU/0 | receive PCMU/0]
        ",
    );
}

#[test]
fn an_address_of_zeros_is_a_hold() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU ip=0.0.0.0)
        tandem -> alice 200 [sdp PCMU recvonly]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        media alice [send nothing]
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200 [sdp PCMU]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        media alice [send PCMU/0 | to alice]
        ",
    );
}

#[test]
fn both_hold_and_resume_one_after_the_other() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 200 [sdp PCMU inactive]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp sendonly]
        alice -> tandem 200 (sdp PCMU inactive)
        tandem -> alice ACK
        media alice [send nothing | receive nothing]
        media bob [send nothing | receive nothing]
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200 [sdp PCMU sendonly]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU sendonly)
        tandem -> bob ACK
        media alice [send PCMU/0 | receive nothing]
        bob -> tandem re-INVITE (sdp PCMU)
        tandem -> bob 200 [sdp PCMU]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [send PCMU/0 | receive PCMU/0]
        media bob [send PCMU/0 | receive PCMU/0]
        ",
    );
}

#[test]
fn a_side_that_answers_a_resume_with_a_hold_of_its_own_is_heard() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU sendonly)
        tandem -> bob ACK
        tandem -> alice INVITE [sdp sendonly]
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        media bob [send nothing]
        ",
    );
}

#[test]
fn a_side_that_answers_every_offer_perversely_is_not_offered_for_ever() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU inactive)
        tandem -> bob ACK
        tandem -> alice INVITE [sdp sendonly]
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        tandem -> bob INVITE [sdp sendrecv]
        bob -> tandem 200 (sdp PCMU sendrecv)
        tandem -> bob ACK
        tandem -> alice INVITE [sdp sendrecv]
        alice -> tandem 200 (sdp PCMU sendonly)
        tandem -> alice ACK
        wait 60s
        quiet alice bob
        ",
    );
}

#[test]
fn another_address_and_another_codec() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMA port=4444)
        tandem -> alice 200 [sdp PCMA]
        alice -> tandem ACK
        quiet bob
        media alice [to 192.0.2.11:4444 | send PCMA/8 | receive PCMA/8 | from bob]
        media bob [to bob | send PCMU/0]
        bob -> tandem re-INVITE (sdp opus)
        tandem -> bob 200 [sdp opus]
        bob -> tandem ACK
        media bob [send opus/111]
        quiet alice
        ",
    );
}

#[test]
fn a_change_that_cannot_be_is_refused_and_the_call_goes_on() {
    talking(
        "
        alice -> tandem re-INVITE (sdp GSM)
        tandem -> alice 488
        alice -> tandem re-INVITE (sdp PCMU secure)
        tandem -> alice 488
        alice -> tandem re-INVITE (type: text/plain | body: hello)
        tandem -> alice 415 [Accept: application/sdp]
        alice -> tandem re-INVITE (body: v=9)
        tandem -> alice 400
        media alice [send PCMU/0 | to alice]
        quiet bob
        ",
    );
}

#[test]
fn a_side_that_refuses_to_be_held_stays_as_it_is() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 488
        quiet alice
        media bob [to bob | receive nothing]
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 488
        media bob [send PCMU/0 | receive PCMU/0]
        ",
    );
}

#[test]
fn a_re_invite_without_an_offer_is_offered() {
    talking(
        "
        alice -> tandem re-INVITE
        tandem -> alice 200 [sdp PCMU opus G722 PCMA]
        alice -> tandem ACK (sdp PCMA)
        media alice [send PCMA/8 | to alice]
        quiet bob
        alice -> tandem re-INVITE (sdp PCMA sendonly)
        tandem -> alice 200 [sdp PCMA recvonly]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        alice -> tandem re-INVITE
        tandem -> alice 200 [sdp first=PCMA]
        alice -> tandem ACK (sdp PCMA)
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        media bob [send PCMU/0 | receive PCMU/0]
        ",
    );
}

#[test]
fn a_re_invite_whose_ack_has_no_answer_leaves_all_as_it_was() {
    talking(
        "
        alice -> tandem re-INVITE
        tandem -> alice 200
        alice -> tandem ACK
        quiet bob
        media alice [send PCMU/0 | to alice | from bob]
        ",
    );
}

#[test]
fn an_update_holds_as_well() {
    talking(
        "
        alice -> tandem UPDATE (sdp PCMU sendonly)
        tandem -> alice 200 UPDATE [sdp PCMU recvonly]
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        media alice [send nothing]
        bob -> tandem UPDATE
        tandem -> bob 200 UPDATE [no sdp]
        ",
    );
}

#[test]
fn both_offer_at_once() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 491
        bob -> tandem 491 INVITE
        wait 1s
        quiet bob
        wait 3s
        tandem -> bob INVITE x+ [sdp sendonly]
        bob -> tandem 200 INVITE (sdp PCMU recvonly)
        tandem -> bob ACK
        ",
    );
}

/// A peer that hears a later request first can't take the earlier one any more (RFC 3261 §12.2.2).
#[test]
fn an_offer_that_was_overtaken_is_made_again() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        alice -> tandem MESSAGE (body hello)
        tandem -> bob MESSAGE
        bob -> tandem 200 MESSAGE
        tandem -> alice 200 MESSAGE
        bob -> tandem 500 INVITE
        wait 4s
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 INVITE (sdp PCMU recvonly)
        tandem -> bob ACK
        ",
    );
}

#[test]
fn after_a_glare_the_peers_offer_comes_first_and_ours_is_made_anew() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 491 INVITE
        bob -> tandem re-INVITE (sdp PCMU)
        tandem -> bob 200 [sdp PCMU sendonly]
        bob -> tandem ACK
        wait 10s
        quiet alice bob
        media bob [send PCMU/0 | receive nothing]
        ",
    );
}

#[test]
fn a_hold_before_the_caller_acknowledged_is_passed_on_after() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 200 [sdp PCMU recvonly]
        bob -> tandem ACK
        quiet alice
        alice -> tandem ACK
        tandem -> alice INVITE [sdp sendonly]
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        {GOODBYE}"
    ));
}

#[test]
fn an_answer_that_holds_is_told_to_the_caller() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183 [sdp PCMU]
        bob -> tandem 200 (sdp PCMU sendonly)
        tandem -> bob ACK
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        tandem -> alice INVITE [sdp sendonly]
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        {GOODBYE}"
    ));
}

#[test]
fn hanging_up_in_the_middle_of_a_change() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem BYE
        tandem -> bob 200 BYE
        bob -> tandem 487 INVITE
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

#[test]
fn a_call_that_is_held_goes_on_while_the_gateway_drains() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        drain
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        {GOODBYE}"
    ));
}

#[test]
fn a_side_that_no_longer_knows_the_call_ends_it() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 481
        tandem -> alice BYE
        alice -> tandem 200
        record [by gateway | cause the called side vanished]
        ",
    );
}

#[test]
fn a_change_that_is_never_answered_ends_the_call() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        wait 32s
        tandem -> bob INVITE x7 [sdp sendonly]
        tandem -> bob BYE
        tandem -> alice BYE
        alice -> tandem 200
        bob -> tandem 481
        record [by gateway | cause the called side vanished]
        ",
    );
}

#[test]
fn a_change_that_is_never_acknowledged_ends_the_call() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU)
        wait 31s
        tandem -> alice 200 x10
        wait 2s
        tandem -> alice 200
        tandem -> alice BYE x+
        tandem -> bob BYE x+
        alice -> tandem 481
        bob -> tandem 200
        record [by gateway | cause never acknowledged]
        ",
    );
}

/// Until the answer is here, what was agreed holds (RFC 3264 §5).
#[test]
fn who_holds_and_leaves_the_offer_to_us_holds_until_it_answers() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        alice -> tandem re-INVITE
        tandem -> alice 200 [sdp first=PCMU sendrecv]
        quiet bob
        alice -> tandem ACK (sdp PCMU sendonly)
        quiet bob
        media alice [send nothing]
        alice -> tandem re-INVITE
        tandem -> alice 200 [sdp first=PCMU sendrecv]
        alice -> tandem ACK
        quiet bob
        media alice [send nothing]
        alice -> tandem re-INVITE
        tandem -> alice 200 [sdp first=PCMU sendrecv]
        alice -> tandem ACK (sdp PCMU)
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        media alice [send PCMU/0 | receive PCMU/0]
        ",
    );
}

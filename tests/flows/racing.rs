//! Messages that cross on their way, come late, come twice, or don't come.

use crate::ladder::play;

/// Alice hangs up.
const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

#[test]
fn a_cancel_and_an_answer_cross_on_the_called_leg() {
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
        bob -> tandem 481 CANCEL
        bob -> tandem 200 INVITE (sdp PCMU)
        tandem -> bob ACK
        bob -> tandem 200 BYE
        record [status 487 | by caller | never answered]
        ",
    );
}

#[test]
fn a_cancel_and_an_answer_cross_on_the_callers_leg() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        wait 500ms
        tandem -> alice 200 INVITE
        alice -> tandem ACK
        quiet bob
        {GOODBYE}"
    ));
}

#[test]
fn a_bye_of_ours_and_a_re_invite_cross() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 481 INVITE
        bob -> tandem 200 BYE
        record [by caller]
        ",
    );
}

#[test]
fn a_bye_and_a_re_invite_of_ours_cross() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem BYE
        tandem -> bob 200 BYE
        tandem -> alice BYE
        bob -> tandem 481 INVITE
        alice -> tandem 200
        record [by callee]
        ",
    );
}

#[test]
fn a_bye_ends_a_re_invite_that_is_not_acknowledged() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200 INVITE
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> bob BYE
        bob -> tandem 200
        wait 10s
        quiet alice
        ",
    );
}

#[test]
fn a_bye_overtakes_the_acknowledgement_of_its_call() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> bob BYE
        bob -> tandem 200
        alice -> tandem ACK
        quiet alice bob
        record [by caller]
        ",
    );
}

#[test]
fn the_called_side_hangs_up_before_the_caller_acknowledged() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE
        bob -> tandem BYE
        tandem -> bob 200
        quiet alice
        alice -> tandem ACK
        tandem -> alice BYE
        alice -> tandem 200
        record [by callee]
        ",
    );
}

#[test]
fn both_sides_hang_up_at_once() {
    play(
        "
        alice talks to bob (PCMU)
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> alice BYE
        alice -> tandem BYE
        tandem -> alice 200 BYE
        alice -> tandem 481 BYE
        record [by callee]
        ",
    );
}

#[test]
fn a_lost_acknowledgement_of_ours_is_sent_again() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        wait 500ms
        bob -> tandem again
        tandem -> bob ACK
        wait 1s
        bob -> tandem again
        tandem -> bob ACK
        quiet alice
        {GOODBYE}"
    ));
}

#[test]
fn a_lost_acknowledgement_of_a_re_invite_is_sent_again() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        bob -> tandem again
        tandem -> bob ACK
        quiet alice
        {GOODBYE}"
    ));
}

#[test]
fn ringing_comes_after_the_answer() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        bob -> tandem 180 INVITE
        bob -> tandem 183 INVITE (sdp PCMA)
        bob -> tandem 183 INVITE (sdp PCMA | Require: 100rel | RSeq: 1)
        quiet alice bob
        alice -> tandem ACK
        media bob [send PCMU/0]
        {GOODBYE}"
    ));
}

#[test]
fn ringing_comes_after_the_refusal() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        bob -> tandem 180 INVITE
        quiet alice bob
        ",
    );
}

#[test]
fn two_answers_come_from_behind_a_forking_proxy() {
    play(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 200 INVITE (sdp PCMU | fork one)
        acme -> tandem 200 INVITE (sdp PCMA | fork two)
        tandem -> acme ACK [To ~ one]
        tandem -> alice 200
        tandem -> acme ACK [To ~ two]
        tandem -> acme BYE [To ~ two]
        acme -> tandem 200 BYE
        acme -> tandem 200 INVITE (sdp PCMA | fork two)
        tandem -> acme ACK [To ~ two]
        alice -> tandem ACK
        quiet alice acme
        media acme [send PCMU/0]
        wait 5s
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 200 BYE
        record [leg 1 trunk:acme 200 | legs 2]
        ",
    );
}

#[test]
fn two_forks_have_early_media_of_their_own() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU PCMA)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU | fork one)
        tandem -> alice 183 [sdp PCMU]
        media bob [send PCMU/0 | to bob]
        bob -> tandem 183 (sdp PCMA port=4022 | fork two)
        media bob [send PCMA/8 | to 192.0.2.21:4022]
        bob -> tandem 180 (fork one)
        tandem -> alice 180
        media bob [send PCMA/8]
        bob -> tandem 200 (fork one)
        tandem -> bob ACK [To ~ one]
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        media bob [send PCMU/0 | to bob]
        {GOODBYE}"
    ));
}

#[test]
fn both_offer_at_once_and_who_did_not_begin_waits_less() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 200
        bob -> tandem ACK
        tandem -> alice INVITE [sdp sendonly]
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 491 INVITE
        alice -> tandem 491 INVITE
        wait 2s
        tandem -> alice INVITE x+ [sdp sendonly]
        alice -> tandem 200 INVITE (sdp PCMU recvonly)
        tandem -> alice ACK
        {GOODBYE}"
    ));
}

#[test]
fn a_peer_that_cannot_take_our_offer_yet_says_when() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 500 (Retry-After: 7)
        wait 6s
        quiet bob
        wait 1s
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        {GOODBYE}"
    ));
}

#[test]
fn an_offer_on_top_of_an_offer_is_told_to_wait() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 500 INVITE [has Retry-After]
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_re_invite_before_the_answer_is_acknowledged_is_a_glare() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 491 INVITE
        wait 500ms
        tandem -> alice 200 INVITE
        alice -> tandem ACK (uri sip:x)
        {GOODBYE}"
    ));
}

/// The answer to a re-INVITE of ours may come after our BYE. It has its ACK all the same, each time that it comes, so that
/// the peer needn't send it for half a minute.
#[test]
fn an_answer_to_our_re_invite_that_comes_after_our_bye_is_acknowledged() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU sendonly]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200 BYE
        bob -> tandem 200 INVITE (sdp PCMU recvonly)
        tandem -> bob ACK [no sdp]
        wait 1s
        bob -> tandem again
        tandem -> bob ACK
        wait 40s
        ",
    );
}

#[test]
fn a_re_invite_that_waits_for_the_other_side_can_be_cancelled() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU; video H264)
        tandem -> alice 100
        tandem -> bob INVITE [sdp audio first=PCMU; video H264]
        bob -> tandem 180
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        bob -> tandem 200 (sdp PCMU; video H264)
        tandem -> bob ACK
        tandem -> bob INVITE [sdp audio first=PCMU; video refused H264]
        bob -> tandem 200 (sdp PCMU; video H264 refused)
        tandem -> bob ACK
        quiet alice
        media alice [send PCMU/0 | from bob]
        media bob [send PCMU/0 | from alice]
        alice -> tandem re-INVITE (sdp PCMU; video H264)
        tandem -> alice 100
        tandem -> bob INVITE [sdp audio first=PCMU; video H264]
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        bob -> tandem 488
        quiet alice
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

/// The answer says otherwise than the early media did, which the caller can only be told once it has acknowledged (RFC 3264
/// §8).
#[test]
fn an_offer_that_had_to_wait_leaves_no_gap_in_the_versions() {
    play(
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
        tandem -> alice INVITE [sdp sendonly | next sdp]
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}
